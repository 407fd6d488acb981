"""Read YAML with libyaml, thirty times as fast as without, where that cannot make a difference; else not at all.

Policies are read by ruamel.yaml, which knows YAML 1.2 and says where it goes wrong. Libyaml knows 1.1, takes some of
what ruamel refuses, and places empty values and line ends of its own kind elsewhere. So what could differ is left to
ruamel: this returns None for any error, for rare characters, and for the few forms that are named below. That the two
agree on all else is shown by tests, on arbitrary text.

Only events are read: libyaml's loader recurses, and a megabyte of `[` ends the process. Its parser of events does not,
but each level makes the next one dearer; so brackets are counted first, and reading ends at the greatest depth.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

TEXT, MAPPING, LIST, END = "text", "mapping", "list", "end"
LONGEST = 65_536
"""Up to how many characters are read. Policies are a tenth of that; what is larger is meant to take long."""
_MOST_BRACKETS = 4_000
_RARE = re.compile(
    # Controls and tabs, line breaks that only one of the two knows, byte order marks, and half characters.
    "[^\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]|\r(?!\n)"
    # A comment that libyaml takes, and the end of a document, behind which the two see different beginnings.
    r"|[|>][-+0-9]*#|^\.\.\.",
    re.MULTILINE,
)
_PARSER: Any = getattr(yaml, "CSafeLoader", None)
"""Libyaml's parser; None where PyYAML was built without it."""


class Piece(NamedTuple):
    """What a YAML text consists of, in its order: texts, and where mappings and lists begin and end.

    `kind` is one of the four above. Line and column count from 1; of an end they mean nothing.
    """

    kind: str
    line: int = 0
    column: int = 0
    text: str = ""
    is_plain: bool = False


_THE_END = Piece(END)


class _InDoubt(Exception):
    """The text has something that is better read by ruamel."""


def read_quickly(text: str, *, depth: int, values: int) -> list[Piece] | None:
    """Return the pieces of a text with one document at most; None where anything is wrong with it or unusual.

    So it does for more levels than `depth`, or more than so many `values`, keys counted as such.
    """
    if _PARSER is None or len(text) > LONGEST or _RARE.search(text) is not None:
        return None
    if text.count("[") + text.count("{") > _MOST_BRACKETS:
        return None
    try:
        return _pieces(_PARSER(text), depth, values)
    except (_InDoubt, yaml.YAMLError, ValueError, OverflowError):
        # The last two come out of impossible numbers in escapes and directives.
        return None


def _pieces(parser: Any, depth: int, values: int) -> list[Piece]:
    found: list[Piece] = []
    level = count = 0
    while parser.check_event():
        event = parser.get_event()
        kind = type(event)
        piece = _READ[kind](event) if kind in _READ else None
        if piece is None:
            if found and kind is DocumentStartEvent:
                raise _InDoubt
            continue
        found.append(piece)
        if piece.kind == END:
            level -= 1
            continue
        count += 1
        level += piece.kind != TEXT
        if level > depth or count > values:
            raise _InDoubt
    return found


def _text(event: Any) -> Piece:
    value, style, mark = event.value, event.style, event.start_mark
    is_quoted = style in ("'", '"')
    if not is_quoted and (not value or value[0] == "\n"):
        # Where an empty value stands, and what the first line of a block is, each of the two knows in its own way.
        raise _InDoubt
    _refuse_properties(event)
    return Piece(TEXT, mark.line + 1, mark.column + 1, value, not style)


def _mapping(event: Any) -> Piece:
    _refuse_properties(event)
    return Piece(MAPPING, event.start_mark.line + 1, event.start_mark.column + 1)


def _list(event: Any) -> Piece:
    _refuse_properties(event)
    return Piece(LIST, event.start_mark.line + 1, event.start_mark.column + 1)


def _end(_event: Event) -> Piece:
    return _THE_END


def _document(event: Any) -> None:
    if event.version is not None or event.tags is not None:
        raise _InDoubt


def _refuse_properties(event: Any) -> None:
    if event.anchor is not None or event.tag is not None:
        raise _InDoubt


def _alias(_event: Event) -> None:
    raise _InDoubt


_READ: Mapping[type[Event], Callable[[Event], Piece | None]] = {
    ScalarEvent: _text,
    MappingStartEvent: _mapping,
    SequenceStartEvent: _list,
    MappingEndEvent: _end,
    SequenceEndEvent: _end,
    DocumentStartEvent: _document,
    AliasEvent: _alias,
}
