"""What an edit did: the new text, and each value that changed. Messages and inverses are made from these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.domain.edit.refusal import EditRefused
from bot.domain.edit.stream import line_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One value that changed: from `old` (None: it was not there) to `new`, at a path, on a line of the new text.

    `was` and `now` are the characters that were replaced and those that stand there now, quotes and all; `at` is where
    in the new text. With them the edit can be undone to the byte.
    """

    file: str
    path: str
    line: int
    old: str | None
    new: str
    at: int
    was: str
    now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """A text after an edit, and what changed in it, in the order of the text; no change: it said so already."""

    text: str
    changes: tuple[Change, ...] = ()


def taken_back(before: str, changes: Sequence[Change]) -> Edited:
    """Return the edit that undoes the one which made these changes to `before`."""
    moved, found = 0, []
    for change in changes:
        at = change.at - moved
        moved += len(change.now) - len(change.was)
        found.append(
            replace(
                change,
                line=line_at(before, at),
                old=change.new,
                new=change.old or "",
                at=at,
                was=change.now,
                now=change.was,
            )
        )
    return Edited(text=before, changes=tuple(found))


def invert(text: str, changes: Sequence[Change]) -> str:
    """Return the text as it was before the edit that made these changes; raise EditRefused if it is another text."""
    for change in sorted(changes, key=lambda change: change.at, reverse=True):
        if not text.startswith(change.now, change.at):
            reason = "the text is not as the edit left it, so the edit cannot be taken back to the byte"
            raise EditRefused(file=change.file, line=change.line, path=change.path, reason=reason)
        text = text[: change.at] + change.was + text[change.at + len(change.now) :]
    return text
