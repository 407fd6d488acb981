"""YAML text to a tree of plain texts with positions. Scalars stay as they are written: no type is guessed.

Limits hold before anything recursive runs: size, depth and number of values are checked on the event stream. Aliases,
anchors, tags, duplicate keys and second documents are faults, not features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StreamMark, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionStartEvent, DocumentStartEvent, Event, NodeEvent, ScalarEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from bot.domain.text import one_line
from bot.policy.faults import PolicyError, PolicyFault

MAX_BYTES = 1_048_576
MAX_DEPTH = 64
MAX_NODES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value and where it stands. `kind` is `text`, `mapping`, `list` or `nothing` (an empty or null value)."""

    kind: str
    line: int
    column: int
    text: str = ""
    entries: Mapping[str, Value] | None = None
    keys: Mapping[str, tuple[int, int]] | None = None
    items: Sequence[Value] = ()


def read_tree(text: str, *, file: str, faults: list[PolicyFault]) -> Value:
    """Return the tree of the only document in `text`.

    Keys that come twice or are no text are added to `faults` and left out, so that the rest is judged too. Raise
    PolicyError for anything that leaves no tree to judge.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise _fault(file, None, f"more than {MAX_BYTES:,} bytes", f"a policy of at most {MAX_BYTES:,} bytes")
    try:
        _check_events(text, file)
        node = _loader().compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = one_line(str(error.problem or error.context or "something YAML does not allow"))
        raise _fault(file, mark, f"invalid YAML ({problem})", "valid YAML") from error
    except (YAMLError, ValueError) as error:
        raise _fault(file, None, "a character that YAML does not allow", "valid YAML") from error
    if node is None:
        raise _fault(file, None, "an empty file", "a policy")
    return _value(node, file, faults)


def _fault(file: str, mark: StreamMark | None, found: str, expected: str) -> PolicyError:
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
    return PolicyError([PolicyFault(file=file, line=line, column=column, path="", found=found, expected=expected)])


def _loader() -> YAML:
    # The round-trip loader takes 30 times as long over a megabyte of comments, puts bells (U+0007) into folded texts
    # and does not know what to do with some comments at all.
    return YAML(typ="safe", pure=True)


def _check_events(text: str, file: str) -> None:
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
        elif type(event).__name__ in {"MappingEndEvent", "SequenceEndEvent"}:
            depth -= 1
        if depth > MAX_DEPTH or count > MAX_NODES:
            expected = f"at most {MAX_DEPTH} levels and {MAX_NODES:,} values"
            raise _fault(file, event.start_mark, "a deeper or larger structure", expected)


def _check_node(event: Event, file: str) -> None:
    if isinstance(event, AliasEvent) or getattr(event, "anchor", None) is not None:
        raise _fault(file, event.start_mark, "an anchor or alias", "values written out")
    if isinstance(event, (ScalarEvent, CollectionStartEvent)) and event.tag is not None:
        raise _fault(file, event.start_mark, "a YAML tag", "plain values")


def _value(node: Node, file: str, faults: list[PolicyFault]) -> Value:
    line, column = node.start_mark.line + 1, node.start_mark.column + 1
    if isinstance(node, ScalarNode):
        nothing = node.style in (None, "") and node.value in ("", "~", "null")
        return Value(kind="nothing" if nothing else "text", line=line, column=column, text=node.value)
    if isinstance(node, SequenceNode):
        items = tuple(_value(item, file, faults) for item in node.value)
        return Value(kind="list", line=line, column=column, items=items)
    assert isinstance(node, MappingNode)  # noqa: S101 - YAML has no fourth kind
    entries: dict[str, Value] = {}
    keys: dict[str, tuple[int, int]] = {}
    for key, item in node.value:
        place = (key.start_mark.line + 1, key.start_mark.column + 1)
        if not isinstance(key, ScalarNode) or key.value in entries:
            is_text = isinstance(key, ScalarNode)
            found = f'the key "{one_line(key.value, limit=60)}" twice' if is_text else "a key that is no text"
            faults.append(
                PolicyFault(
                    file=file, line=place[0], column=place[1], path="", found=found, expected="each key once, as text"
                )
            )
            continue
        entries[key.value] = _value(item, file, faults)
        keys[key.value] = place
    return Value(kind="mapping", line=line, column=column, entries=entries, keys=keys)
