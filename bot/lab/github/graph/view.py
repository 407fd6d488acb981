"""Who asks, what may be seen, and GitHub's words where it may not. Shapes read the world through a `View`."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass

from bot.lab.github.access import may, sees
from bot.lab.github.nouns import Account, Credential, Pull
from bot.lab.github.world import Repository, World

Shape = dict[str, object]
Field = Callable[..., object]


class GraphRefusal(Exception):
    """GitHub's answer to a field that it does not resolve. `kind` is the error's `type`."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def not_resolved(what: str) -> GraphRefusal:
    """What does not exist, or what the caller may not know of."""
    return GraphRefusal("NOT_FOUND", f"Could not resolve to {what}.")


def field(resolve: Callable[[], object]) -> Field:
    """Return a field without arguments that is computed when it is asked for."""

    def resolved(_: object, **__: object) -> object:
        return resolve()

    return resolved


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The world as a caller sees it."""

    world: World
    credential: Credential

    @property
    def actor(self) -> Account:
        """Who asks."""
        return self.credential.account

    def repository(self, full_name: str) -> Repository:
        """Return a repository that the caller may see."""
        found = self.world.repositories.get(full_name.lower())
        if found is None or not sees(self.world, self.credential, found):
            raise not_resolved(f"a Repository with the name '{full_name}'")
        return found

    def demand(self, repository: Repository, *needs: str) -> None:
        """Refuse what the caller may not do, in GitHub's words for apps and for tokens of users."""
        if all(may(self.world, self.credential, repository, one) for one in needs):
            return
        caller = "integration" if self.credential.app is not None else "personal access token"
        raise GraphRefusal("FORBIDDEN", f"Resource not accessible by {caller}")

    def pull(self, node_id: str) -> tuple[Repository, Pull]:
        """Find a pull request by its global id."""
        number = number_of(node_id, "PR")
        for repository in self.world.repositories.values():
            for pull in repository.pulls.values():
                if pull.id == number and sees(self.world, self.credential, repository):
                    return repository, pull
        raise not_resolved(f"a node with the global id of '{node_id}'")


def number_of(node_id: str, kind: str) -> int | None:
    """Return the number in a global id of this kind; None for any other."""
    prefix, _, rest = node_id.partition("_")
    if prefix != kind:
        return None
    try:
        return int.from_bytes(base64.urlsafe_b64decode(rest), "big")
    except (binascii.Error, ValueError):
        return None
