"""Who may do what: tokens to accounts, roles and app permissions to allowed and refused calls."""

from __future__ import annotations

import base64
import binascii

from bot.lab.github.call import Refusal, not_found
from bot.lab.github.nouns import ROLES, Credential, Role
from bot.lab.github.world import Repository, World

# The least role that a user must have to do by token what an app needs the permission `area:level` for.
_ROLE_FOR: dict[str, Role] = {
    "read": "read",
    "pull_requests:write": "read",
    "issues:write": "read",
    "contents:write": "write",
    "statuses:write": "write",
    "checks:write": "write",
    "deployments:write": "write",
    "repository_hooks:read": "admin",
    "administration:read": "admin",
    "administration:write": "admin",
}
_LEVELS = ("none", "read", "write", "admin")


def read_token(authorization: str | None) -> str | None:
    """Return the token in an Authorization header: `token`, `Bearer`, or the password of `Basic`."""
    kind, _, value = (authorization or "").partition(" ")
    if kind.lower() in {"token", "bearer"}:
        return value.strip() or None
    if kind.lower() != "basic":
        return None
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2] or None
    except (binascii.Error, UnicodeDecodeError):
        return None


def sees(world: World, credential: Credential | None, repository: Repository) -> bool:
    """Say whether the caller may know that the repository exists."""
    if not repository.private:
        return True
    if credential is None:
        return False
    if credential.app is not None:
        return repository.owner is credential.app.owner and (
            credential.repositories is None or repository.full_name in credential.repositories
        )
    return world.role(credential.account, repository) is not None


def may(world: World, credential: Credential, repository: Repository, needs: str) -> bool:
    """Say whether the caller may do what needs the permission `area:level`."""
    area, _, level = needs.partition(":")
    if credential.app is not None:
        held = {"metadata": "read", **(credential.permissions or {})}
        # A pull request's conversation is open to either permission.
        areas = (area, "pull_requests") if area == "issues" else (area,)
        granted = max((held.get(one, "none") for one in areas), key=_LEVELS.index)
        return _LEVELS.index(granted) >= _LEVELS.index(level)
    role = world.role(credential.account, repository)
    least = _ROLE_FOR.get(needs, _ROLE_FOR.get(level, "admin"))
    return role is not None and ROLES.index(role) >= ROLES.index(least)


def demand(world: World, credential: Credential | None, repository: Repository, needs: str) -> None:
    """Refuse what the caller may not do: 404 for what it may not see, 403 in GitHub's words otherwise."""
    if not sees(world, credential, repository):
        raise not_found()
    if credential is None:
        if needs.endswith(":read"):
            return
        raise Refusal(401, "Requires authentication")
    if may(world, credential, repository, needs):
        return
    if credential.app is not None:
        raise Refusal(403, "Resource not accessible by integration")
    raise Refusal(403, "Resource not accessible by personal access token")
