"""A YAML text as its stream of parse events, with bounds on what a hostile text can cost.

Only events are read, never a loaded document: libyaml's loader recurses, and 200 KB of `[` crash the process; events
keep their place in the text, and neither resolve aliases nor guess types. Events come from libyaml where PyYAML was
built with it, from PyYAML's own parser otherwise. They are kept as columns, not as objects: a large file has 100,000,
and comparing two files must cost no more than comparing two lists.
"""

from __future__ import annotations

import json
import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import attrgetter
from typing import Any, NoReturn

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from bot.domain.edit.path import Step, render_path
from bot.domain.edit.refusal import EditRefused

BYTE_ORDER_MARK = "\ufeff"
_BREAKS_OF_YAML_1_1 = re.compile("[\x85\u2028\u2029]")
BREAK = re.compile(r"\r\n|\r|\n")

EventParser = type[yaml.SafeLoader] | type[yaml.CSafeLoader]
FASTEST: EventParser = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Kind = type[Event]
Shape = Any
"""All that an event says, without where it stands: what `_PARTS` takes of it."""

_COLLECTION = attrgetter("anchor", "tag", "implicit", "flow_style")
_PARTS: Mapping[Kind, Callable[[Event], Shape]] = {
    ScalarEvent: attrgetter("value", "style", "anchor", "tag", "implicit"),
    AliasEvent: attrgetter("anchor"),
    SequenceStartEvent: _COLLECTION,
    MappingStartEvent: _COLLECTION,
    DocumentStartEvent: attrgetter("explicit", "version", "tags"),
    DocumentEndEvent: attrgetter("explicit"),
    **dict.fromkeys((StreamStartEvent, StreamEndEvent, SequenceEndEvent, MappingEndEvent), lambda _event: None),
}
_NODES = frozenset({ScalarEvent, SequenceStartEvent, MappingStartEvent})
_OPENING = frozenset({SequenceStartEvent, MappingStartEvent})
_CLOSING = frozenset({SequenceEndEvent, MappingEndEvent})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a text is read: by which parser, and how much of it at most (bytes of UTF-8, levels, events).

    JSON is read as the part of YAML that it nearly is, checked by a reader of its own, and written in its own quotes.
    """

    is_json: bool = False
    size_bytes: int = 1024 * 1024
    depth: int = 64
    events: int = 400_000
    parser: EventParser = field(default=FASTEST)

    @classmethod
    def up_to(cls, size_bytes: int) -> Reading:
        """Return how files of so many bytes are read: with as many events as such a file may well have."""
        return cls(size_bytes=size_bytes, events=max(400_000, size_bytes // 2))


@dataclass(frozen=True, kw_only=True)
class Stream:
    """The events of a text, in order, a column for each thing known of them. A node is the index of its first event.

    `starts` and `stops` count from the first character behind a byte order mark, which is `offset`. `ends` has the
    index just past each list and mapping. What many nodes ask for is worked out once: a hostile file has thousands.
    """

    file: str
    text: str
    reading: Reading
    offset: int
    kinds: Sequence[Kind]
    shapes: Sequence[Shape]
    starts: Sequence[int]
    stops: Sequence[int]
    ends: Mapping[int, int]

    # --- what a node is ---

    def is_scalar(self, node: int) -> bool:
        """Say whether the node is a scalar."""
        return self.kinds[node] is ScalarEvent

    def is_mapping(self, node: int) -> bool:
        """Say whether the node is a mapping."""
        return self.kinds[node] is MappingStartEvent

    def is_list(self, node: int) -> bool:
        """Say whether the node is a list."""
        return self.kinds[node] is SequenceStartEvent

    def is_alias(self, node: int) -> bool:
        """Say whether the node is an alias."""
        return self.kinds[node] is AliasEvent

    def is_flow(self, node: int) -> bool:
        """Say whether a mapping or list is written in `{…}` or `[…]`."""
        return bool(self.shapes[node][3])

    def value(self, scalar: int) -> str:
        """Return the text of a scalar."""
        return str(self.shapes[scalar][0])

    def style(self, scalar: int) -> str:
        """Return a scalar's first character where it has quotes or is a block, else nothing."""
        return self.shapes[scalar][1] or ""

    def tag(self, scalar: int) -> str | None:
        """Return the YAML tag of a scalar, None if it has none."""
        tag: str | None = self.shapes[scalar][3]
        return tag

    def anchor(self, node: int) -> str | None:
        """Return the anchor of a node; of an alias, the anchor it means."""
        shape = self.shapes[node]
        found: str | None = shape if self.is_alias(node) else shape[2] if self.is_scalar(node) else shape[0]
        return found

    # --- where nodes are ---

    def roots(self) -> Iterator[int]:
        """Give the root node of each document."""
        return (at + 1 for at, kind in enumerate(self.kinds) if kind is DocumentStartEvent)

    def end(self, node: int) -> int:
        """Return the index just past a node."""
        return self.ends.get(node, node + 1)

    def children(self, node: int) -> list[int]:
        """Return the nodes directly in a list, or keys and values in turn of a mapping."""
        found = []
        at, end = node + 1, self.ends[node] - 1
        while at < end:
            found.append(at)
            at = self.ends.get(at, at + 1)
        return found

    def pairs(self, node: int) -> list[tuple[int, int]]:
        """Return the keys and values of a mapping."""
        children = self.children(node)
        return list(zip(children[::2], children[1::2], strict=True))

    def span(self, node: int) -> tuple[int, int]:
        """Return where a node's first event stands in the text: for a scalar with its anchor and tag."""
        return self.starts[node] + self.offset, self.stops[node] + self.offset

    def line(self, node: int) -> int:
        """Return the line on which a node begins, from 1."""
        return bisect_right(self._line_starts, self.span(node)[0]) + 1

    def is_in_flow(self, node: int) -> bool:
        """Say whether a node stands somewhere inside `{…}` or `[…]`."""
        place = bisect_right(self._flow_starts, node - 1) - 1
        return place >= 0 and node < self.ends[self._flow_starts[place]]

    def target(self, alias: int) -> int | None:
        """Return the node that an alias means: the last one before it that has the anchor."""
        nodes = self._anchored.get(self.anchor(alias) or "", [])
        place = bisect_right(nodes, alias) - 1
        return nodes[place] if place >= 0 else None

    @cached_property
    def _line_starts(self) -> list[int]:
        return line_starts(self.text)

    @cached_property
    def _flow_starts(self) -> list[int]:
        """The outermost flow collections, in order."""
        found: list[int] = []
        end = 0
        for start in sorted(self.ends):
            if start >= end and self.is_flow(start):
                found.append(start)
                end = self.ends[start]
        return found

    @cached_property
    def _anchored(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for node, kind in enumerate(self.kinds):
            if kind in _NODES and self.anchor(node) is not None:
                found.setdefault(str(self.anchor(node)), []).append(node)
        return found

    def refuse(self, node: int, steps: tuple[Step, ...], reason: str) -> NoReturn:
        """Raise EditRefused at a node."""
        raise EditRefused(file=self.file, line=self.line(node), path=render_path(steps), reason=reason)


def line_at(text: str, place: int) -> int:
    """Return the line of a character, from 1. A line ends as YAML has it: by a line feed, a return, or both."""
    return len(BREAK.findall(text, 0, place)) + 1


def line_starts(text: str) -> list[int]:
    """Return where each line but the first begins."""
    return [found.end() for found in BREAK.finditer(text)]


def read_stream(text: str, *, file: str = "", reading: Reading | None = None) -> Stream:
    """Parse a text whole; raise EditRefused if it is no YAML, ambiguous between YAML versions, or beyond a bound."""
    reading = reading or Reading()
    _check_characters(text, file, reading)
    body = text.removeprefix(BYTE_ORDER_MARK)
    columns = _Columns()
    try:
        columns.fill(yaml.parse(body, Loader=reading.parser), reading)
    except _Beyond as error:
        raise EditRefused(file=file, line=line_at(body, error.place), path="", reason=error.reason) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # The last two come out of impossible numbers in escapes and directives.
        raise _not_yaml(text, file, error) from error
    if reading.is_json:
        _check_json(text, file)
    return Stream(
        file=file,
        text=text,
        reading=reading,
        offset=len(text) - len(body),
        kinds=columns.kinds,
        shapes=columns.shapes,
        starts=columns.starts,
        stops=columns.stops,
        ends=columns.ends,
    )


class _Beyond(Exception):
    """A bound was passed at a place in the text."""

    def __init__(self, place: int, reason: str) -> None:
        super().__init__(reason)
        self.place = place
        self.reason = reason


class _Columns:
    """The columns of a stream while they are filled."""

    def __init__(self) -> None:
        self.kinds: list[Kind] = []
        self.shapes: list[Shape] = []
        self.starts = array("L")
        self.stops = array("L")
        self.ends: dict[int, int] = {}

    def fill(self, parsed: Iterable[Event], reading: Reading) -> None:
        """Take in the events; one loop, with local names, since it decides what an edit of a large file costs."""
        kinds, shapes, starts, stops, ends = self.kinds, self.shapes, self.starts, self.stops, self.ends
        opened: list[int] = []
        for event in parsed:
            kind = type(event)
            if kind in _OPENING:
                opened.append(len(kinds))
                if len(opened) > reading.depth:
                    raise _Beyond(starts[-1], f"the file is nested deeper than {reading.depth} levels")
            elif kind in _CLOSING:
                ends[opened.pop()] = len(kinds) + 1
            kinds.append(kind)
            shapes.append(_PARTS[kind](event))
            starts.append(event.start_mark.index)  # type: ignore[union-attr] # the parsers always set it
            stops.append(event.end_mark.index)  # type: ignore[union-attr] # likewise
            if len(kinds) > reading.events:
                raise _Beyond(starts[-1], f"the file has more than {reading.events:,} keys, values and brackets")


def _check_characters(text: str, file: str, reading: Reading) -> None:
    size = len(text.encode(errors="replace"))
    if size > reading.size_bytes:
        reason = f"the file has {size:,} bytes, more than the {reading.size_bytes:,} that are read"
        raise EditRefused(file=file, line=0, path="", reason=reason)
    mark = text.find(BYTE_ORDER_MARK, 1)
    if mark > 0:
        # Parsers differ on it: libyaml passes over one before a key, PyYAML's own parser makes it a part of the key.
        reason = "a byte order mark (U+FEFF) stands inside the file; remove it"
        raise EditRefused(file=file, line=line_at(text, mark), path="", reason=reason)
    # Most files have no character beyond ASCII, and asking that first is almost free.
    foreign = None if text.isascii() else _BREAKS_OF_YAML_1_1.search(text)
    if foreign:
        reason = f"the character U+{ord(foreign[0]):04X} ends a line in YAML 1.1 but not in 1.2; remove it"
        raise EditRefused(file=file, line=line_at(text, foreign.start()), path="", reason=reason)


def _check_json(text: str, file: str) -> None:
    """Refuse what is YAML but not JSON. Called behind the bounds, for this reader recurses."""
    try:
        json.loads(text)
    except ValueError as error:
        # Numbers of more than 4,300 digits are refused by a ValueError that knows no line.
        line = getattr(error, "lineno", 0)
        reason = f"the file is not valid JSON: {getattr(error, 'msg', 'a number is too long')}"
        raise EditRefused(file=file, line=line, path="", reason=reason) from error


def _not_yaml(text: str, file: str, error: Exception) -> EditRefused:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "it holds a character or number that YAML does not allow"
    line = mark.line + 1 if mark is not None else 0
    reason = f"the file is not valid YAML: {problem}"
    template = text.find("{{")
    if template >= 0:
        at = line_at(text, template)
        reason += f"; it has template syntax ({{{{ … }}}}) on line {at}, and only plain YAML can be edited"
    return EditRefused(file=file, line=line, path="", reason=reason)
