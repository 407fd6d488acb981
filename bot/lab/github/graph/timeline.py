"""A pull request's timeline as GraphQL tells it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.lab.github.graph import checks, pulls, repositories
from bot.lab.github.graph.connections import connection
from bot.lab.github.graph.view import Field, Shape, View, field
from bot.lab.github.merging import commits_of
from bot.lab.github.nouns import Event, Label, Pull
from bot.lab.github.shapes.repos import instant, node
from bot.lab.github.world import Repository

_COMMIT = "PullRequestCommit"
_COMMITS = ("commit", "beforeCommit", "afterCommit")


def timeline(view: View, repository: Repository, of: Pull) -> Field:
    """All entries, oldest first. `totalCount` counts them all, `filteredCount` those of the kinds asked for."""

    def find(*, itemTypes: list[str] | None = None, **_: object) -> Sequence[Event]:  # noqa: N803  (GraphQL's name)
        return [one for one in _entries(repository, of) if itemTypes is None or _word(one.kind) in itemTypes]

    total = {"totalCount": len(_entries(repository, of))}
    return connection("timelineItems", find, lambda one: _shown(view, repository, one), more=total)


def _entries(repository: Repository, of: Pull) -> Sequence[Event]:
    """Return all that happened, with the commits of the present head where they came."""
    commits = [
        Event(id=0, kind=_COMMIT, actor=None, at=max(one.committed_at, of.created_at), facts={"commit": one.sha})
        for one in commits_of(repository, of)
    ]
    return sorted([*commits, *of.events], key=lambda one: one.at)


def _word(kind: str) -> str:
    """Return the filter's word for a type: `ClosedEvent` is `CLOSED_EVENT`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind).upper()


def _shown(view: View, repository: Repository, one: Event) -> Shape:
    if one.kind == _COMMIT:
        sha = str(one.facts["commit"])
        return {
            "__typename": _COMMIT,
            "id": f"PURC_{sha}",
            "commit": field(lambda: checks.commit(view, repository, sha)),
        }
    return {
        "__typename": one.kind,
        "id": node("EV", one.id),
        "actor": repositories.optional_account(view, one.actor),
        "createdAt": instant(one.at),
        **{name: _fact(view, repository, name, fact) for name, fact in one.facts.items()},
    }


def _fact(view: View, repository: Repository, name: str, fact: object) -> object:
    if isinstance(fact, Label):
        return pulls.label(fact)
    if name in _COMMITS and isinstance(fact, str):
        sha = fact
        return field(lambda: checks.commit(view, repository, sha))
    return fact
