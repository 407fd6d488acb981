"""Find one value in a YAML text, or say exactly what is in the way."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.domain.edit.path import EntryWhere, Step, render_path
from bot.domain.edit.refusal import EditRefused, quoted
from bot.domain.edit.stream import Reading, Stream, read_stream

_PROPERTIES = re.compile(r"(?:[&!][^ \t\r\n]*[ \t\r\n]*|#[^\r\n]*[ \t\r\n]*)*")
_STRING_TAGS = (None, "!", "tag:yaml.org,2002:str")
_MERGE = "<<"


class Style(StrEnum):
    """How a scalar is written: its first character, nothing for a plain one."""

    PLAIN = ""
    SINGLE_QUOTED = "'"
    DOUBLE_QUOTED = '"'
    LITERAL = "|"
    FOLDED = ">"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """A value in a text. `span` holds its characters and quotes, without anchor and tag; `line` counts from 1.

    The span of a value that is not written at all (`tag:`) is empty and stands where it would begin.
    """

    span: tuple[int, int]
    value: str
    style: Style
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Missing:
    """A path that a document does not have: how many steps it has, the last node, what is not there.

    `is_merged` says that it may come from elsewhere (`<<`) all the same.
    """

    depth: int
    node: int
    line: int
    reason: str
    is_merged: bool


def locate(text: str, *path: Step, file: str = "", reading: Reading | None = None) -> Scalar:
    """Return the scalar at `path` in the one document that has it; raise EditRefused if it is not there for certain.

    Refused are: a text that is no YAML or beyond the bounds, a path that is missing or in more than one document,
    aliases and duplicate keys on the way, entries that cannot be told apart, and values that are not text.
    """
    stream = read_stream(text, file=file, reading=reading)
    return scalar_at(stream, find(stream, path, roots=tuple(stream.roots())), path)


def find(stream: Stream, path: tuple[Step, ...], *, roots: Sequence[int]) -> int:
    """Return the node at `path` below the one root that has it; raise EditRefused if there are none or several."""
    hits, missing = _try_all(stream, path, roots)
    if len(hits) == 1:
        return hits[0]
    if hits:
        lines = " and ".join(str(stream.line(hit)) for hit in hits[:2])
        reason = f"several documents of the file have this value (lines {lines}); say which document is meant"
        stream.refuse(hits[0], path, reason)
    if not missing:
        raise EditRefused(file=stream.file, line=1, path=render_path(path), reason="the file is empty")
    deepest = max(missing, key=lambda found: found.depth)
    raise EditRefused(file=stream.file, line=deepest.line, path=render_path(path), reason=deepest.reason)


def find_all(stream: Stream, path: tuple[Step, ...], *, roots: Sequence[int]) -> list[int]:
    """Return the nodes at `path` below these roots, at most one each; raise EditRefused where that is not certain.

    A mapping that takes keys from elsewhere (`<<`) might have the path all the same: that is not certain.
    """
    hits, missing = _try_all(stream, path, roots)
    for one in missing:
        if one.is_merged:
            stream.refuse(one.node, path, one.reason)
    return hits


def _try_all(stream: Stream, path: tuple[Step, ...], roots: Sequence[int]) -> tuple[list[int], list[_Missing]]:
    walked = [_walk(stream, root, path) for root in roots]
    return [found for found in walked if isinstance(found, int)], [
        found for found in walked if isinstance(found, _Missing)
    ]


def scalar_at(stream: Stream, node: int, path: tuple[Step, ...]) -> Scalar:
    """Describe the scalar at a node that `find` gave; raise EditRefused if it is no scalar, or not a text."""
    if stream.is_alias(node):
        stream.refuse(node, path, _alias_reason(stream, node))
    if not stream.is_scalar(node):
        stream.refuse(node, path, _collection_reason(stream, node))
    tag = stream.tag(node)
    if tag not in _STRING_TAGS:
        stream.refuse(node, path, f"the value has the YAML tag {quoted(str(tag))}, so it is not a plain text")
    return Scalar(
        span=content_span(stream, node),
        value=stream.value(node),
        style=Style(stream.style(node)),
        line=stream.line(node),
    )


def value_of(stream: Stream, mapping: int, key: str, path: tuple[Step, ...]) -> int | None:
    """Return the value of a key in a mapping, None if it has no such key; raise EditRefused if that is not certain."""
    found = [value for name, value in stream.pairs(mapping) if _key_text(stream, name, path) == key]
    if len(found) > 1:
        stream.refuse(found[1], path, f"the key {quoted(key)} stands twice in one mapping")
    return found[0] if found else None


def has_merge(stream: Stream, mapping: int, path: tuple[Step, ...]) -> bool:
    """Say whether a mapping takes keys from elsewhere (`<<`)."""
    return value_of(stream, mapping, _MERGE, path) is not None


def content_span(stream: Stream, node: int) -> tuple[int, int]:
    """Return where a scalar's characters and quotes stand, without its anchor and tag.

    A value that is not written at all stands directly behind what is before it: parsers differ on the blanks there.
    """
    start, end = stream.span(node)
    if start != end and not (stream.anchor(node) is None and stream.tag(node) is None):
        # Behind the anchor and the tag there may be spaces, comments and line breaks before the value.
        properties = _PROPERTIES.match(stream.text, start, end)
        start = properties.end() if properties else start
    if start != end:
        return start, end
    start -= len(stream.text[:start]) - len(stream.text[:start].rstrip(" \t"))
    return start, start


def _walk(stream: Stream, root: int, path: tuple[Step, ...]) -> int | _Missing:
    node = root
    for depth, step in enumerate(path):
        here = path[: depth + 1]
        if stream.is_alias(node):
            stream.refuse(node, here, _alias_reason(stream, node))
        found = _step_into(stream, node, step, here)
        if isinstance(found, str):
            is_merged = isinstance(step, str) and stream.is_mapping(node) and has_merge(stream, node, here)
            return _Missing(depth=depth, node=node, line=stream.line(node), reason=found, is_merged=is_merged)
        node = found
    return node


def _step_into(stream: Stream, node: int, step: Step, path: tuple[Step, ...]) -> int | str:
    """Return the node one step further, or a sentence on what is not there."""
    where = render_path(path[:-1]) or "the file"
    if isinstance(step, str):
        if not stream.is_mapping(node):
            return f"{where} is not a mapping, so it has no {quoted(step)}"
        found = value_of(stream, node, step, path)
        return found if found is not None else _no_key(stream, node, step, where, path)
    if not stream.is_list(node):
        return f"{where} is not a list"
    if isinstance(step, int):
        entries = stream.children(node)
        return entries[step] if step < len(entries) else f"{where} has no entry {step}, it has {len(entries)}"
    return _entry_where(stream, node, step, path)


def _entry_where(stream: Stream, node: int, step: EntryWhere, path: tuple[Step, ...]) -> int | str:
    entries = [entry for entry in stream.children(node) if _matches(stream, entry, step, path)]
    names = " or ".join(step.fields)
    if len(entries) > 1:
        stream.refuse(entries[1], path, f"two entries of the list have the {names} {quoted(step.value)}")
    return entries[0] if entries else f"no entry of {render_path(path[:-1])} has the {names} {quoted(step.value)}"


def _matches(stream: Stream, entry: int, step: EntryWhere, path: tuple[Step, ...]) -> bool:
    if stream.is_alias(entry):
        reason = f"an entry of the list is an alias (*{_anchor(stream, entry)}), so its names are not certain"
        stream.refuse(entry, path, reason)
    if not stream.is_mapping(entry):
        return False
    return any(_field_is(stream, entry, name, step.value, path) for name in step.fields)


def _field_is(stream: Stream, entry: int, name: str, wanted: str, path: tuple[Step, ...]) -> bool:
    found = value_of(stream, entry, name, path)
    if found is None:
        if has_merge(stream, entry, path):
            stream.refuse(
                entry, path, f"an entry of the list takes keys from elsewhere (<<), so its {name} is not certain"
            )
        return False
    if stream.is_alias(found):
        stream.refuse(found, path, f"the {name} of an entry is an alias (*{_anchor(stream, found)}); write it out")
    return stream.is_scalar(found) and stream.value(found) == wanted


def _key_text(stream: Stream, key: int, path: tuple[Step, ...]) -> str | None:
    if stream.is_alias(key):
        reason = f"a key beside this one is an alias (*{_anchor(stream, key)}), so keys may stand twice"
        stream.refuse(key, path, reason)
    return stream.value(key) if stream.is_scalar(key) else None


def _no_key(stream: Stream, mapping: int, key: str, where: str, path: tuple[Step, ...]) -> str:
    if has_merge(stream, mapping, path):
        return f"{where} has no {quoted(key)} of its own; if it comes from a merge (<<), write it out here"
    return f"{where} has no {quoted(key)}"


def _anchor(stream: Stream, node: int) -> str:
    return str(stream.anchor(node))[:60]


def _alias_reason(stream: Stream, node: int) -> str:
    anchor = _anchor(stream, node)
    return (
        f"this is an alias (*{anchor}) of a value that stands elsewhere, and changing that would change every"
        f" other use; write the value out here, or name the path of &{anchor}"
    )


def _collection_reason(stream: Stream, node: int) -> str:
    start = stream.span(node)[0]
    if stream.text.startswith("{{", start):
        return "the value is a template ({{ … }}), not a text; only plain YAML files can be edited"
    return "the value is a mapping or a list, not a single text"
