"""Where the bot's own branches stood at the last fetch, so that a sweep asks the server for all of them at once.

A branch that was asked for is fetched along with the tracked one, for as long as that goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.domain.model import Sha

_KEPT_FOR = 4
"""How many fetches a branch is part of after it was asked for; a sweep may make several."""


class OwnBranches:
    """The branches that were asked for of late, and their heads. Not safe without its owner's lock."""

    def __init__(self) -> None:
        self._heads: dict[str, Sha | None] = {}
        self._left: dict[str, int] = {}

    def begin(self) -> Sequence[str]:
        """Begin a fetch and return the branches to be part of it. What is not learned now is not known."""
        self._heads = {}
        self._left = {branch: left - 1 for branch, left in self._left.items() if left > 0}
        return sorted(self._left)

    def learn(self, heads: Mapping[str, Sha | None]) -> None:
        """Note where the branches are; None: nowhere."""
        self._heads = dict(heads)

    def find(self, branch: str) -> tuple[bool, Sha | None]:
        """Return whether it is known where a branch is, and where; from now on it is fetched with the others."""
        self._left[branch] = _KEPT_FOR
        return branch in self._heads, self._heads.get(branch)

    def forget(self) -> None:
        """Forget where they are."""
        self._heads = {}
