"""A file of YAML or JSON as plain values: texts, lists and mappings. Aliases are not followed, types not guessed.

The text may be anybody's: it is read as a stream of events within bounds, as edits read it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bot.domain.edit import EditRefused, Reading, Step
from bot.domain.edit.stream import Stream, read_stream

Plain = str | Sequence["Plain"] | Mapping[str, "Plain"] | None


def documents_of(text: str, *, file: str) -> tuple[Plain, ...]:
    """Return the documents of a text; none of what is no YAML, such as a chart's templates."""
    try:
        stream = read_stream(text, file=file, reading=Reading(is_json=file.endswith(".json")))
    except EditRefused:
        return ()
    return tuple(_plain(stream, root) for root in stream.roots())


def _plain(stream: Stream, node: int) -> Plain:
    if stream.is_scalar(node):
        return stream.value(node)
    if stream.is_list(node):
        return [_plain(stream, child) for child in stream.children(node)]
    if not stream.is_mapping(node):
        return None
    pairs = [(key, value) for key, value in stream.pairs(node) if stream.is_scalar(key)]
    return {stream.value(key): _plain(stream, value) for key, value in pairs}


def at(value: Plain, *keys: str) -> Plain:
    """Return what stands under keys of mappings; None where there is no such thing."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def text_at(value: Plain, *keys: str) -> str:
    """Return the text under keys of mappings; empty where there is none."""
    found = at(value, *keys)
    return found if isinstance(found, str) else ""


def walk(value: Plain, steps: tuple[Step, ...] = ()) -> Iterator[tuple[tuple[Step, ...], Plain]]:
    """Give all values with their paths, the outer ones first."""
    yield steps, value
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from walk(inner, (*steps, key))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for number, inner in enumerate(value):
            yield from walk(inner, (*steps, number))
