"""Write a tree as YAML that reads as the same tree, each text with the file and line that it came from."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.domain.text import one_line
from bot.policy.tree import Place, Value

_PLAIN = re.compile(r"[A-Za-z0-9_./$][A-Za-z0-9_./$@%+-]*")
"""Texts that are the same without quotes, wherever they stand."""
_NOTHING = ("null", "~", "")
_WIDEST = 72
"""Up to which column the comments are in line."""
_LONGEST_KEY = 120
"""YAML takes at most 1,024 characters for the key before a colon; a longer one is announced by a question mark."""

Line = tuple[str, Place | None]


def render_tree(tree: Value) -> str:
    """Return the YAML of a mapping or list; it ends with a line break."""
    lines = list(_lines(tree, ""))
    width = min(_WIDEST, max((len(text) for text, place in lines if place is not None), default=0))
    return "".join(f"{_with_origin(text, place, width)}\n" for text, place in lines)


def _with_origin(text: str, place: Place | None, width: int) -> str:
    return text if place is None else f"{text:<{width}}  # {one_line(place.file)}:{place.line}"


def _lines(value: Value, indent: str) -> Iterator[Line]:
    """Give the lines of a collection that is not empty."""
    if value.kind == "list":
        for item in value.items:
            yield from _behind(f"{indent}-", item, f"{indent}  ", is_item=True)
        return
    for key, one in (value.entries or {}).items():
        said = _scalar(key)
        if len(said) > _LONGEST_KEY:
            yield f"{indent}? {said}", None
            said = ""
        yield from _behind(f"{indent}{said}:", one, f"{indent}  ", is_item=False)


def _behind(head: str, value: Value, indent: str, *, is_item: bool) -> Iterator[Line]:
    """Give the lines of what follows a key or a dash."""
    if value.kind in ("text", "nothing") or not (value.entries or value.items):
        yield f"{head} {_leaf(value)}", value.place
        return
    lines = _lines(value, indent)
    if is_item:
        # The first line stands behind the dash.
        first, place = next(lines)
        yield f"{head} {first[len(indent) :]}", place
    else:
        yield head, None
    yield from lines


def _leaf(value: Value) -> str:
    if value.kind == "text":
        return _scalar(value.text)
    return {"nothing": "null", "list": "[]"}.get(value.kind, "{}")


def _scalar(text: str) -> str:
    if _PLAIN.fullmatch(text) is not None and text not in _NOTHING:
        return text
    return f'"{"".join(_escaped(character) for character in text)}"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character == "\n":
        return "\\n"
    return character if character.isprintable() else f"\\U{ord(character):08X}"
