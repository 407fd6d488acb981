"""Replace scalars in a YAML text by nothing but their own characters, and prove that nothing else changed (I14)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter

from yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
)

from bot.domain.edit.locate import Scalar, Style, scalar_at
from bot.domain.edit.path import Step
from bot.domain.edit.plain import can_be_plain, is_text
from bot.domain.edit.refusal import EditRefused, quoted
from bot.domain.edit.stream import Reading, Stream, read_stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Splice:
    """Characters `start` to `end` of a text become `text`, so that the scalar `node` reads as `value`."""

    node: int
    start: int
    end: int
    text: str
    value: str


def replace_scalars(
    text: str, values: Mapping[tuple[int, int], str], *, file: str = "", reading: Reading | None = None
) -> str:
    """Return `text` with the scalars at the spans that `locate` gave set to new values, each in its own style.

    Raise EditRefused if a span is no scalar's, or if the result would differ in anything but these values.
    """
    stream = read_stream(text, file=file, reading=reading)
    at_span = _scalars_by_span(stream, values)
    for span in values:
        if span not in at_span:
            line = text.count("\n", 0, max(0, span[0])) + 1
            raise EditRefused(file=file, line=line, path="", reason="there is no value at this place in the text")
    return replace_nodes(stream, {at_span[span]: value for span, value in values.items()})


def replace_nodes(stream: Stream, values: Mapping[int, str], *, path: tuple[Step, ...] = ()) -> str:
    """Return the stream's text with the scalars at these nodes set to new values; as `replace_scalars`.

    `path` is what a refusal names.
    """
    splices = [splice for node, value in sorted(values.items()) for splice in _plan(stream, node, value, path)]
    edited = stream.text
    for splice in reversed(splices):
        edited = edited[: splice.start] + splice.text + edited[splice.end :]
    prove(stream, edited, splices, path=path)
    return edited


def prove(before: Stream, edited: str, splices: list[Splice], *, path: tuple[Step, ...] = ()) -> None:
    """Raise EditRefused unless `edited` is the text before with exactly these splices, and reads as meant.

    Three things are shown, none of them by how the edit was made: outside the splices the characters are the same;
    the parse events are the same but for the values; each new value reads as this text in YAML 1.1 and 1.2.
    """
    first = splices[0].node if splices else 0
    try:
        after = read_stream(edited, file=before.file, reading=before.reading)
    except EditRefused as error:
        before.refuse(first, path, f"with the new value the file could not be read ({error.reason})")
    if not _is_same_outside(before.text, edited, splices):
        before.refuse(first, path, "the edit would change more than the value")
    if not _is_same_but_for(before, after, {splice.node: splice.value for splice in splices}):
        before.refuse(first, path, "the edit would change what the rest of the file means")


def _plan(stream: Stream, node: int, value: str, path: tuple[Step, ...]) -> list[Splice]:
    scalar = scalar_at(stream, node, path)
    is_certain = scalar.style is not Style.PLAIN or is_text(scalar.value)
    if scalar.value == value and is_certain:
        return []
    if any("\ud800" <= character <= "\udfff" for character in value):
        stream.refuse(node, path, f"{quoted(value)} holds half a character, which YAML cannot hold")
    start, end = scalar.span
    if scalar.style in (Style.LITERAL, Style.FOLDED):
        reason = _why_block_cannot_hold(scalar.value, value)
        if reason:
            stream.refuse(node, path, reason)
        start, end = _block_line(stream, scalar)
        return [Splice(node=node, start=start, end=end, text=value, value=value)]
    text = render_scalar(value, scalar.style, in_flow=_is_in_flow(stream, node))
    # A value that was not written at all stands directly behind its colon or dash.
    space = " " if start == end and stream.text[start - 1 : start] not in ("", " ", "\t", "\n") else ""
    return [Splice(node=node, start=start, end=end, text=space + text, value=value)]


def render_scalar(value: str, style: Style, *, in_flow: bool) -> str:
    """Write a value on one line: in its old style if that can hold it, else in double quotes."""
    if style is Style.PLAIN and can_be_plain(value, in_flow=in_flow):
        return value
    if style is Style.SINGLE_QUOTED and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    return '"' + "".join(_escape(character) for character in value) + '"'


def _escape(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _why_block_cannot_hold(old: str, new: str) -> str | None:
    if not old or "\n" in old:
        return "the value is a block of lines (or a line with its line break); write it as one plain or quoted text"
    if not new or not new.isprintable() or new != new.strip():
        return f"a block scalar cannot hold {quoted(new)} on its line"
    return None


def _block_line(stream: Stream, scalar: Scalar) -> tuple[int, int]:
    """Return where the single line of a block scalar stands, behind the line of its header."""
    header = stream.text.find("\n", *scalar.span)
    start = stream.text.find(scalar.value, header)
    return start, start + len(scalar.value)


def _is_in_flow(stream: Stream, node: int) -> bool:
    return any(
        isinstance(event, CollectionStartEvent) and bool(event.flow_style) and stream.ends[at] > node
        for at, event in enumerate(stream.events[:node])
    )


def _scalars_by_span(stream: Stream, wanted: Mapping[tuple[int, int], str]) -> dict[tuple[int, int], int]:
    ends = {end for _, end in wanted}
    found = {}
    for node, event in enumerate(stream.events):
        if isinstance(event, ScalarEvent) and stream.span(node)[1] in ends:
            found[scalar_at(stream, node, ()).span] = node
    return found


def _is_same_outside(old: str, new: str, splices: list[Splice]) -> bool:
    at_old = at_new = 0
    for splice in splices:
        expected = old[at_old : splice.start] + splice.text
        if not new.startswith(expected, at_new):
            return False
        at_old, at_new = splice.end, at_new + len(expected)
    return old[at_old:] == new[at_new:]


def _is_same_but_for(before: Stream, after: Stream, values: Mapping[int, str]) -> bool:
    if len(before.events) != len(after.events):
        return False
    return all(
        _reads_as(old, new, values[node]) if node in values else _shape(old) == _shape(new)
        for node, (old, new) in enumerate(zip(before.events, after.events, strict=True))
    )


def _reads_as(old: Event, new: Event, value: str) -> bool:
    if not isinstance(old, ScalarEvent) or not isinstance(new, ScalarEvent):
        return False
    if (old.anchor, old.tag) != (new.anchor, new.tag) or new.value != value:
        return False
    return Style(new.style or "") is not Style.PLAIN or is_text(value)


_COLLECTION = attrgetter("anchor", "tag", "implicit", "flow_style")
_PARTS: Mapping[type[Event], Callable[[Event], object]] = {
    ScalarEvent: attrgetter("value", "style", "anchor", "tag", "implicit"),
    AliasEvent: attrgetter("anchor"),
    SequenceStartEvent: _COLLECTION,
    MappingStartEvent: _COLLECTION,
    DocumentStartEvent: attrgetter("explicit", "version", "tags"),
    DocumentEndEvent: attrgetter("explicit"),
}


def _shape(event: Event) -> tuple[type[Event], object]:
    """Return all that an event says, without where it stands."""
    parts = _PARTS.get(type(event))
    return type(event), parts(event) if parts else None
