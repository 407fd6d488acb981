"""YAML text to a tree of plain texts with positions. Scalars stay as they are written: no type is guessed.

Limits hold before anything recursive runs: size, depth and number of values are checked on the event stream. Aliases,
anchors, tags, duplicate keys and second documents are faults, not features.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StreamMark, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    NodeEvent,
    ScalarEvent,
    SequenceStartEvent,
)

from bot.domain.text import one_line
from bot.policy.faults import PolicyError, PolicyFault

MAX_BYTES = 1_048_576
MAX_DEPTH = 64
MAX_NODES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value and where it stands. `kind` is `text`, `mapping`, `list` or `nothing` (an empty or null value).

    `index` is its number in the file's list, where what was read has more items than the file.
    """

    kind: str
    line: int
    column: int
    text: str = ""
    entries: Mapping[str, Value] | None = None
    keys: Mapping[str, tuple[int, int]] | None = None
    items: Sequence[Value] = ()
    index: int | None = None


def read_tree(text: str, *, file: str, faults: list[PolicyFault]) -> Value:
    """Return the tree of the only document in `text`.

    Keys that come twice or are no text are added to `faults` and left out, so that the rest is judged too. Raise
    PolicyError for anything that leaves no tree to judge.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise _fault(file, None, f"more than {MAX_BYTES:,} bytes", f"a policy of at most {MAX_BYTES:,} bytes")
    try:
        # All of them, before anything recursive runs.
        events = list(_checked_events(text, file))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = one_line(str(error.problem or error.context or "something YAML does not allow"))
        raise _fault(file, mark, f"invalid YAML ({problem})", "valid YAML") from error
    except (YAMLError, ValueError) as error:
        raise _fault(file, None, "a character that YAML does not allow", "valid YAML") from error
    nodes = iter(event for event in events if isinstance(event, (NodeEvent, CollectionEndEvent)))
    first = next(nodes, None)
    if first is None:
        raise _fault(file, None, "an empty file", "a policy")
    return _value(first, nodes, file, faults)


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


def _value(event: Event, following: Iterator[Event], file: str, faults: list[PolicyFault]) -> Value:
    """Return the value that begins with an event, and take what belongs to it from those that follow."""
    line, column = event.start_mark.line + 1, event.start_mark.column + 1
    if isinstance(event, ScalarEvent):
        nothing = event.style in (None, "") and event.value in ("", "~", "null")
        return Value(kind="nothing" if nothing else "text", line=line, column=column, text=event.value)
    if isinstance(event, SequenceStartEvent):
        items = tuple(_value(item, following, file, faults) for item in _until_end(following))
        return Value(kind="list", line=line, column=column, items=items)
    entries: dict[str, Value] = {}
    keys: dict[str, tuple[int, int]] = {}
    for key in _until_end(following):
        place = (key.start_mark.line + 1, key.start_mark.column + 1)
        if isinstance(key, ScalarEvent) and key.value not in entries:
            entries[key.value] = _value(next(following), following, file, faults)
            keys[key.value] = place
            continue
        found, expected = "a key that is no text", "each key once, as text"
        if isinstance(key, ScalarEvent):
            found = f'the key "{one_line(key.value, limit=60)}" twice'
        faults.append(PolicyFault(file=file, line=place[0], column=place[1], path="", found=found, expected=expected))
        # What is wrong inside of what is left out is not told.
        _value(key, following, file, [])
        _value(next(following), following, file, [])
    return Value(kind="mapping", line=line, column=column, entries=entries, keys=keys)


def _until_end(events: Iterator[Event]) -> Iterator[Event]:
    """Give what begins each item of a collection, up to its end. Who takes one must take what belongs to it."""
    while not isinstance(event := next(events), CollectionEndEvent):
        yield event
