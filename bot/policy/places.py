"""Find values of a file again: by the path that a fault would name, and a text's character in the file's lines."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.policy.tree import Value

_STEP = re.compile(r"([^.\[\]]+)|\[([^\[\]]+)\]")


def value_at(tree: Value, path: str) -> Value:
    """Return the value under a path; the last one on the way that there is.

    An item of a list stands in it by its name or by its number: `stages[staging].gates[errors]`, `stages[0].gates[1]`.
    """
    at = tree
    for key, item in _STEP.findall(path):
        following = (at.entries or {}).get(key) if key else item_called(at, item) or _numbered(at, item)
        if following is None:
            break
        at = following
    return at


def _numbered(listed: Value, number: str) -> Value | None:
    return listed.items[int(number)] if number.isdecimal() and int(number) < len(listed.items) else None


def item_called(listed: Value, name: str) -> Value | None:
    """Return the item of a list that has a name, or that uses what is called so and has no other name."""
    for item in listed.items:
        entries = item.entries or {}
        own = entries.get("name") or entries.get("use")
        if own is not None and own.text == name:
            return item
    return None


def place_inside(value: Value, at: int, lines: Sequence[str]) -> tuple[int, int] | None:
    """Return line and column of a character of a text; None where the file writes it otherwise, as folded texts."""
    before = value.text[:at].split("\n")
    first = lines[value.line - 1][value.column - 1 :] if value.line <= len(lines) else ""
    if first[:1] in "|>":
        return _inside_block(value, before, lines) if first[:1] == "|" else None
    quote = first[:1] if first[:1] in "\"'" else ""
    if len(before) > 1 or not first.startswith(quote + before[0]):
        return None
    return value.line, value.column + len(quote) + at


def _inside_block(value: Value, before: Sequence[str], lines: Sequence[str]) -> tuple[int, int] | None:
    number = value.line + len(before)
    said = value.text.split("\n")[len(before) - 1]
    line = lines[number - 1] if number <= len(lines) else ""
    if not line.endswith(said):
        return None
    return number, len(line) - len(said) + len(before[-1]) + 1
