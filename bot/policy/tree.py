"""YAML text to a tree of plain texts with positions. Scalars stay as they are written: no type is guessed.

Limits hold before anything recursive runs: size, depth and number of values are checked on the event stream. Aliases,
anchors, tags, duplicate keys and second documents are faults, not features.

Ruamel reads it, and says where it is wrong. What `quick_yaml` can read is the same in a thirtieth of the time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StreamMark, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
)

from bot.domain.text import one_line
from bot.policy.faults import PolicyError, PolicyFault
from bot.policy.quick_yaml import END, LIST, MAPPING, TEXT, Piece, read_quickly

MAX_BYTES = 1_048_576
MAX_DEPTH = 64
MAX_NODES = 10_000
_INDENTATION = "; mostly the indentation is wrong here"
_OFTEN: Mapping[str, str] = {
    "expected <block end>": _INDENTATION,
    "could not find expected ':'": _INDENTATION,
    "mapping values are not allowed here": f"{_INDENTATION}, or a text with a colon needs quotes",
}
"""What people have mostly done where the reader of YAML says this."""


class Place(NamedTuple):
    """Where something stands: a file, as faults name it, and line and column from 1."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value and where it stands. `kind` is `text`, `mapping`, `list` or `nothing` (an empty or null value).

    `index` is its number in the file's list, where what was read has more items than the file.
    """

    kind: str
    file: str
    line: int
    column: int
    text: str = ""
    entries: Mapping[str, Value] | None = None
    keys: Mapping[str, Place] | None = None
    items: Sequence[Value] = ()
    index: int | None = None

    @property
    def place(self) -> Place:
        """Where it stands."""
        return Place(self.file, self.line, self.column)


def read_tree(text: str, *, file: str, faults: list[PolicyFault]) -> Value:
    """Return the tree of the only document in `text`.

    Keys that come twice or are no text are added to `faults` and left out, so that the rest is judged too. Raise
    PolicyError for anything that leaves no tree to judge.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise _fault(file, None, f"more than {MAX_BYTES:,} bytes", f"a policy of at most {MAX_BYTES:,} bytes")
    pieces = read_quickly(text, depth=MAX_DEPTH, values=MAX_NODES)
    if pieces is None:
        pieces = read_pieces(text, file=file)
    following = iter(pieces)
    first = next(following, None)
    if first is None:
        raise _fault(file, None, "an empty file", "a policy")
    return _Planter(file=file, following=following).value(first, faults)


def read_pieces(text: str, *, file: str) -> list[Piece]:
    """Return the pieces of a text, as ruamel reads it. Raise PolicyError where it is no YAML, or not of a policy."""
    try:
        # All of them, before anything recursive runs.
        return list(_pieces(_checked_events(text, file)))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = one_line(str(error.problem or error.context or "something YAML does not allow"))
        raise _fault(file, mark, *_plainly(problem)) from error
    except (YAMLError, ValueError) as error:
        raise _fault(file, None, "a character that YAML does not allow", "valid YAML") from error
    except AssertionError as error:
        # So the reader takes a directive such as %YAML 1.0.
        raise _fault(file, None, "a version of YAML other than 1.1 and 1.2", "valid YAML") from error


def _plainly(problem: str) -> tuple[str, str]:
    """Return what was found and what was expected, with what is mostly wrong where the reader says this."""
    if r"'\t'" in problem:
        return "a tab", "spaces, by which YAML indents"
    often = next((meant for said, meant in _OFTEN.items() if said in problem), "")
    return f"invalid YAML ({problem}{often})", "valid YAML"


def _fault(file: str, mark: StreamMark | None, found: str, expected: str) -> PolicyError:
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
    return PolicyError([PolicyFault(file=file, line=line, column=column, path="", found=found, expected=expected)])


def _loader() -> YAML:
    # The round-trip loader takes 30 times as long over a megabyte of comments, puts bells (U+0007) into folded texts
    # and does not know what to do with some comments at all.
    return YAML(typ="safe", pure=True)


def _checked_events(text: str, file: str) -> Iterator[Event]:
    depth = count = documents = 0
    for event in _loader().parse(text):
        documents += isinstance(event, DocumentStartEvent)
        if documents > 1:
            raise _fault(file, event.start_mark, "a second document", "one policy in one file")
        if isinstance(event, NodeEvent):
            count += 1
            _check_node(event, file)
        if isinstance(event, CollectionStartEvent):
            depth += 1
        elif isinstance(event, CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH or count > MAX_NODES:
            expected = f"at most {MAX_DEPTH} levels and {MAX_NODES:,} values"
            raise _fault(file, event.start_mark, "a deeper or larger structure", expected)
        yield event


def _check_node(event: Event, file: str) -> None:
    if isinstance(event, AliasEvent) or getattr(event, "anchor", None) is not None:
        raise _fault(file, event.start_mark, "an anchor or alias", "values written out")
    if isinstance(event, (ScalarEvent, CollectionStartEvent)) and event.tag is not None:
        raise _fault(file, event.start_mark, "a YAML tag", "plain values")


def _pieces(events: Iterator[Event]) -> Iterator[Piece]:
    for event in events:
        if isinstance(event, CollectionEndEvent):
            yield Piece(END)
        elif isinstance(event, NodeEvent):
            line, column = event.start_mark.line + 1, event.start_mark.column + 1
            if isinstance(event, ScalarEvent):
                yield Piece(TEXT, line, column, event.value, event.style in (None, ""))
            else:
                yield Piece(MAPPING if isinstance(event, MappingStartEvent) else LIST, line, column)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planter:
    """Makes values out of pieces. Who takes the piece that begins a value takes all that belong to it."""

    file: str
    following: Iterator[Piece]

    def value(self, first: Piece, faults: list[PolicyFault]) -> Value:
        """Return the value that begins with a piece."""
        kind, line, column, text, is_plain = first
        if kind == TEXT:
            nothing = is_plain and text in ("", "~", "null")
            return Value(kind="nothing" if nothing else TEXT, file=self.file, line=line, column=column, text=text)
        if kind == LIST:
            items = tuple(self.value(item, faults) for item in self._until_end())
            return Value(kind=LIST, file=self.file, line=line, column=column, items=items)
        return self._mapping(line, column, faults)

    def _mapping(self, line: int, column: int, faults: list[PolicyFault]) -> Value:
        entries: dict[str, Value] = {}
        keys: dict[str, Place] = {}
        for key in self._until_end():
            place = Place(self.file, key.line, key.column)
            if key.kind == TEXT and key.text not in entries:
                entries[key.text] = self.value(next(self.following), faults)
                keys[key.text] = place
                continue
            found, expected = "a key that is no text", "each key once, as text"
            if key.kind == TEXT:
                found = f'the key "{one_line(key.text, limit=60)}" twice'
            faults.append(
                PolicyFault(file=self.file, line=key.line, column=key.column, path="", found=found, expected=expected)
            )
            # What is wrong inside of what is left out is not told.
            self.value(key, [])
            self.value(next(self.following), [])
        return Value(kind=MAPPING, file=self.file, line=line, column=column, entries=entries, keys=keys)

    def _until_end(self) -> Iterator[Piece]:
        """Give what begins each item of a collection, up to its end."""
        while (piece := next(self.following)).kind != END:
            yield piece
