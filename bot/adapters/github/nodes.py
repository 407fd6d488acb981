"""Strict reading of GitHub's JSON: what is absent, null or of another kind where a fact belongs is an error.

Absence of data is never health: nothing here has a default but what GitHub documents as null.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from bot.domain.model import Sha

T = TypeVar("T")

_FULL_NAME = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class LackingFactError(ValueError):
    """An answer lacks a fact. `where` is the path to it, in GitHub's own names."""

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.where = where


class Node:
    """An object of an answer; each accessor names the kind that must be there."""

    def __init__(self, value: object, where: str = "") -> None:
        if not isinstance(value, Mapping):
            raise LackingFactError(where or "an object")
        self._fields = value
        self._where = where

    def _at(self, name: str) -> str:
        return f"{self._where}.{name}" if self._where else name

    def raw(self, name: str) -> object:
        """Return whatever stands there; None where nothing does."""
        return self._fields.get(name)

    def text(self, name: str) -> str:
        """Return a text."""
        return _of(str, self.raw(name), self._at(name))

    def maybe_text(self, name: str) -> str | None:
        """Return a text or None."""
        return None if self.raw(name) is None else self.text(name)

    def flag(self, name: str) -> bool:
        """Return a truth value."""
        return _of(bool, self.raw(name), self._at(name))

    def number(self, name: str) -> int:
        """Return a whole number; one that GitHub writes as text (`fullDatabaseId`) counts."""
        value = self.raw(name)
        if isinstance(value, str) and value.isascii() and value.isdigit():
            return int(value)
        if isinstance(value, bool):
            raise LackingFactError(self._at(name))
        return _of(int, value, self._at(name))

    def maybe_number(self, name: str) -> int | None:
        """Return a whole number or None."""
        return None if self.raw(name) is None else self.number(name)

    def instant(self, name: str) -> datetime:
        """Return an instant in UTC."""
        try:
            parsed = datetime.fromisoformat(self.text(name))
        except ValueError as error:
            raise LackingFactError(self._at(name)) from error
        return parsed.astimezone(UTC)

    def maybe_instant(self, name: str) -> datetime | None:
        """Return an instant in UTC or None."""
        return None if self.raw(name) is None else self.instant(name)

    def sha(self, name: str) -> Sha:
        """Return the full name of an object of Git's."""
        value = self.text(name)
        if not _FULL_NAME.fullmatch(value):
            raise LackingFactError(self._at(name))
        return Sha(value)

    def node(self, name: str) -> Node:
        """Return an object."""
        return Node(self.raw(name), self._at(name))

    def maybe_node(self, name: str) -> Node | None:
        """Return an object or None."""
        return None if self.raw(name) is None else self.node(name)

    def items(self, name: str) -> Iterator[Node]:
        """Go through a list of objects."""
        yield from objects(self.raw(name), self._at(name))

    def connection(self, name: str) -> Iterator[Node]:
        """Go through the nodes of a GraphQL connection."""
        yield from self.node(name).items("nodes")


def objects(value: object, where: str = "a list") -> Iterator[Node]:
    """Go through a list of objects."""
    for item in _of(list, value, where):
        yield Node(item, where)


def _of(kind: type[T], value: object, where: str) -> T:
    if not isinstance(value, kind):
        raise LackingFactError(where)
    return value
