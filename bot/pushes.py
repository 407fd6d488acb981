"""What the bot pushed to branches of its own, and which branches refused a push: notes, which may be lost."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta

from bot.domain.model import Sha
from bot.domain.policy import Policy
from bot.observe import World

_REFUSED = timedelta(days=7)


def head_key(repository: str, branch: str) -> str:
    """Return the key of the note that says which commits the bot pushed to a branch last."""
    return f"head/{repository}/{branch}"


def refusal_key(repository: str, branch: str) -> str:
    """Return the key of the note that says when a branch refused a push of the bot's last."""
    return f"push-refused/{repository}/{branch}"


def own_heads(world: World, repository: str, branch: str) -> Mapping[Sha, datetime]:
    """Return the commits that the bot pushed to a branch of late, and when; empty where that note was lost."""
    key = head_key(repository, branch)
    found = {}
    for noted in world.ledger.noted([key]).get(key, "").split():
        sha, _, at = noted.partition("=")
        with suppress(ValueError):
            instant = datetime.fromisoformat(at)
            if instant.tzinfo is not None:
                found[Sha(sha)] = instant
    return found


def push_own(world: World, repository: str, branch: str, commit: Sha, *, expected: Sha | None) -> None:
    """Push to a branch of the bot's, and note beforehand which commit it is, so that it is known as its own.

    After a lost answer either may be there, so the one before stays in the note.
    """
    own = own_heads(world, repository, branch)
    kept = [(commit, world.clock.now()), *own.items()][:3]
    noted = " ".join(f"{sha}={at.isoformat()}" for sha, at in kept)
    world.ledger.note(head_key(repository, branch), noted)
    world.repositories.push(repository, branch, commit, expected=expected)


def takes_no_push(world: World, policy: Policy) -> bool:
    """Say whether the tracked branch has refused a push lately: its rules are seldom taken back within days."""
    key = refusal_key(policy.gitops.repository, policy.gitops.branch)
    with suppress(KeyError, ValueError):
        refused = datetime.fromisoformat(world.ledger.noted([key])[key])
        return world.clock.now() < refused + _REFUSED
    return False
