"""An organization's teams and who is in them, as GraphQL tells whoever may read members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.lab.github.graph import repositories
from bot.lab.github.graph.connections import connection
from bot.lab.github.graph.view import Field, GraphRefusal, Shape, View, not_resolved
from bot.lab.github.nouns import Account
from bot.lab.github.shapes.repos import node
from bot.lab.github.world import TeamRole


def organization(view: View) -> Field:
    """Return the root's field."""

    def find(_: object, *, login: str) -> Shape:
        owner = view.world.accounts.get(login.lower())
        if owner is None or owner.kind != "Organization":
            raise not_resolved(f"an Organization with the login of '{login}'")
        return {**repositories.account(view, owner), "team": _team(view, owner)}

    return find


def _team(view: View, owner: Account) -> Field:
    def find(_: object, *, slug: str) -> Shape | None:
        credential = view.credential
        if credential.app is not None and (credential.permissions or {}).get("members", "none") == "none":
            raise GraphRefusal("FORBIDDEN", "Resource not accessible by integration")
        members = view.world.team(owner.login, slug)
        return None if members is None else _shown(view, slug, members)

    return find


def _shown(view: View, slug: str, members: Mapping[str, TeamRole]) -> Shape:
    def find(*, query: str | None = None, role: str | None = None, **_: object) -> Sequence[Account]:
        """GitHub searches in logins and names; whoever wants one account must look for it in what is found."""
        chosen = [login for login, has in members.items() if role is None or has.upper() == role]
        return [view.world.account(login) for login in sorted(chosen) if (query or "").lower() in login]

    return {
        "__typename": "Team",
        "id": node("T", 1) + slug,
        "slug": slug.lower(),
        "name": slug,
        "members": connection("members", find, lambda one: repositories.account(view, one)),
    }
