"""A YAML text as its stream of parse events, with bounds on what a hostile text can cost.

Only events are read, never a loaded document: libyaml's loader recurses, and 200 KB of `[` crash the process; events
keep their place in the text, and neither resolve aliases nor guess types. Events come from libyaml where PyYAML was
built with it, from PyYAML's own parser otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NoReturn

import yaml
from yaml.events import CollectionEndEvent, CollectionStartEvent, DocumentStartEvent, Event, NodeEvent

from bot.domain.edit.path import Step, render_path
from bot.domain.edit.refusal import EditRefused

BYTE_ORDER_MARK = "\ufeff"
_BREAKS_OF_YAML_1_1 = re.compile("[\x85\u2028\u2029]")

EventParser = type[yaml.SafeLoader] | type[yaml.CSafeLoader]
FASTEST: EventParser = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a text is read: by which parser, and how much of it at most (bytes of UTF-8, levels, nodes)."""

    size_bytes: int = 1024 * 1024
    depth: int = 64
    nodes: int = 200_000
    parser: EventParser = field(default=FASTEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """The events of a text, in order. A node is named by the index of its first event.

    `ends[i]` is the index just past the node that begins at `i`. `offset` is where the first event's positions count
    from: 1 behind a byte order mark, else 0.
    """

    file: str
    text: str
    reading: Reading
    offset: int
    events: tuple[Event, ...]
    ends: tuple[int, ...]

    def roots(self) -> Iterator[int]:
        """Give the root node of each document."""
        return (at + 1 for at, event in enumerate(self.events) if isinstance(event, DocumentStartEvent))

    def children(self, node: int) -> list[int]:
        """Return the nodes directly in a list, or keys and values in turn of a mapping."""
        found = []
        at = node + 1
        while at < self.ends[node] - 1:
            found.append(at)
            at = self.ends[at]
        return found

    def pairs(self, node: int) -> list[tuple[int, int]]:
        """Return the keys and values of a mapping."""
        children = self.children(node)
        return list(zip(children[::2], children[1::2], strict=True))

    def span(self, node: int) -> tuple[int, int]:
        """Return where a node's first event stands in the text: for a scalar with its anchor and tag."""
        event = self.events[node]
        return _index(event.start_mark) + self.offset, _index(event.end_mark) + self.offset

    def line(self, node: int) -> int:
        """Return the line on which a node begins, from 1."""
        return _line(self.events[node])

    def refuse(self, node: int, steps: tuple[Step, ...], reason: str) -> NoReturn:
        """Raise EditRefused at a node."""
        raise EditRefused(file=self.file, line=self.line(node), path=render_path(steps), reason=reason)


def read_stream(text: str, *, file: str = "", reading: Reading | None = None) -> Stream:
    """Parse a text whole; raise EditRefused if it is no YAML, ambiguous between YAML versions, or beyond a bound."""
    reading = reading or Reading()
    _check_characters(text, file, reading)
    body = text.removeprefix(BYTE_ORDER_MARK)
    try:
        events, ends = _collect(yaml.parse(body, Loader=reading.parser), file, reading)
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # The last two come out of impossible numbers in escapes and directives.
        raise _not_yaml(text, file, error) from error
    return Stream(file=file, text=text, reading=reading, offset=len(text) - len(body), events=events, ends=ends)


def _collect(parsed: Iterable[Event], file: str, reading: Reading) -> tuple[tuple[Event, ...], tuple[int, ...]]:
    events: list[Event] = []
    ends: list[int] = []
    open_nodes: list[int] = []
    nodes = 0
    for event in parsed:
        if isinstance(event, CollectionStartEvent):
            open_nodes.append(len(events))
        events.append(event)
        ends.append(len(events))
        if isinstance(event, CollectionEndEvent):
            ends[open_nodes.pop()] = len(events)
        nodes += isinstance(event, NodeEvent)
        if len(open_nodes) > reading.depth:
            raise _beyond(file, event, f"the file is nested deeper than {reading.depth} levels")
        if nodes > reading.nodes:
            raise _beyond(file, event, f"the file has more than {reading.nodes:,} values")
    return tuple(events), tuple(ends)


def _check_characters(text: str, file: str, reading: Reading) -> None:
    size = len(text.encode(errors="replace"))
    if size > reading.size_bytes:
        reason = f"the file has {size:,} bytes, more than the {reading.size_bytes:,} that are read"
        raise EditRefused(file=file, line=0, path="", reason=reason)
    if text.startswith(BYTE_ORDER_MARK * 2):
        raise EditRefused(file=file, line=1, path="", reason="the file begins with two byte order marks")
    foreign = _BREAKS_OF_YAML_1_1.search(text)
    if foreign:
        reason = f"the character U+{ord(foreign[0]):04X} ends a line in YAML 1.1 but not in 1.2; remove it"
        raise EditRefused(file=file, line=text.count("\n", 0, foreign.start()) + 1, path="", reason=reason)


def _not_yaml(text: str, file: str, error: Exception) -> EditRefused:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "it holds a character or number that YAML does not allow"
    line = mark.line + 1 if mark is not None else 0
    reason = f"the file is not valid YAML: {problem}"
    template = text.find("{{")
    if template >= 0:
        at = text.count("\n", 0, template) + 1
        reason += f"; it has template syntax ({{{{ … }}}}) on line {at}, and only plain YAML can be edited"
    return EditRefused(file=file, line=line, path="", reason=reason)


def _beyond(file: str, event: Event, reason: str) -> EditRefused:
    return EditRefused(file=file, line=_line(event), path="", reason=reason)


def _line(event: Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


def _index(mark: object) -> int:
    return int(getattr(mark, "index", 0))
