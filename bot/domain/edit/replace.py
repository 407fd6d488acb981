"""Replace scalars in a YAML text by nothing but their own characters, and prove that nothing else changed (I14)."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from yaml.events import ScalarEvent

from bot.domain.edit.change import Change, Edited
from bot.domain.edit.locate import Scalar, Style, scalar_at
from bot.domain.edit.path import Step, render_path
from bot.domain.edit.plain import can_be_plain, is_text
from bot.domain.edit.refusal import EditRefused, quoted
from bot.domain.edit.stream import Kind, Reading, Shape, Stream, line_at, line_starts, read_stream

Expected = tuple[Kind, str | None]
"""An event that an edit adds: its kind, and the text of a scalar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Splice:
    """Characters `start` to `end` of a text become `text`: the value at `path` goes from `old` to `new`."""

    start: int
    end: int
    text: str
    path: str
    old: str | None
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An edit before it is made: the splices, what each changed node reads as then, and events added before a node.

    Nodes in `as_before` are written as they once were, so that they need not be certain text to every reader.
    """

    splices: tuple[Splice, ...]
    values: Mapping[int, str] = field(default_factory=dict)
    as_before: frozenset[int] = frozenset()
    added: Mapping[int, tuple[Expected, ...]] = field(default_factory=dict)


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
            line = line_at(text, max(0, span[0]))
            raise EditRefused(file=file, line=line, path="", reason="there is no value at this place in the text")
    planned = {at_span[span]: plan_scalar(stream, at_span[span], value, ()) for span, value in values.items()}
    splices = tuple(splice for splice in planned.values() if splice)
    return make_edit(stream, Plan(splices=splices, values={node: s.new for node, s in planned.items() if s})).text


def make_edit(stream: Stream, plan: Plan) -> Edited:
    """Carry out a plan and prove the result; raise EditRefused if anything but the planned values would change."""
    splices = sorted(plan.splices, key=lambda splice: splice.start)
    edited = apply_splices(stream.text, splices)
    if splices:
        prove(stream, edited, plan, splices)
    return Edited(text=edited, changes=changes_of(stream.file, stream.text, edited, splices))


def apply_splices(text: str, splices: Sequence[Splice]) -> str:
    """Return the text with these splices made, in the order of the text."""
    parts, place = [], 0
    for splice in splices:
        parts += [text[place : splice.start], splice.text]
        place = splice.end
    return "".join([*parts, text[place:]])


def changes_of(file: str, before: str, edited: str, splices: Sequence[Splice]) -> tuple[Change, ...]:
    """Describe what the splices of one edit did, each where it stands in the edited text."""
    found, moved, starts = [], 0, line_starts(edited)
    for splice in splices:
        at = splice.start + moved
        moved += len(splice.text) - (splice.end - splice.start)
        found.append(
            Change(
                file=file,
                path=splice.path,
                line=bisect_right(starts, at + len(splice.text) - len(splice.text.lstrip())) + 1,
                old=splice.old,
                new=splice.new,
                at=at,
                was=before[splice.start : splice.end],
                now=splice.text,
            )
        )
    return tuple(found)


def prove(before: Stream, edited: str, plan: Plan, splices: Sequence[Splice]) -> None:
    """Raise EditRefused unless `edited` is the text before with exactly these splices, and reads as planned.

    Three things are shown, none of them by how the edit was made: outside the splices the characters are the same;
    the parse events are the same but for the planned ones; each new value reads as this text in YAML 1.1 and 1.2.
    """

    def refuse(reason: str) -> EditRefused:
        line = line_at(before.text, splices[0].start)
        return EditRefused(file=before.file, line=line, path=splices[0].path, reason=reason)

    try:
        after = read_stream(edited, file=before.file, reading=before.reading)
    except EditRefused as error:
        raise refuse(f"with the new value the file could not be read ({error.reason})") from error
    if not _is_same_outside(before.text, edited, splices):
        raise refuse("the edit would change more than the value")
    if not _is_same_but_for(before, after, plan):
        raise refuse("the edit would change what the rest of the file means")


def plan_scalar(
    stream: Stream, node: int, value: str, path: tuple[Step, ...], *, raw: str | None = None
) -> Splice | None:
    """Plan the scalar `node` to read as `value`; None if it does. `raw` says how to write it, where that is known."""
    scalar = scalar_at(stream, node, path)
    is_certain = scalar.style is not Style.PLAIN or is_text(scalar.value)
    if scalar.value == value and is_certain and raw in (None, stream.text[slice(*scalar.span)]):
        return None
    if any("\ud800" <= character <= "\udfff" for character in value):
        stream.refuse(node, path, f"{quoted(value)} holds half a character, which YAML cannot hold")
    start, end = scalar.span
    if raw is not None:
        text = raw
    elif scalar.style in (Style.LITERAL, Style.FOLDED):
        reason = _why_block_cannot_hold(scalar.value, value)
        if reason:
            stream.refuse(node, path, reason)
        start, end = _block_line(stream, scalar)
        text = value
    else:
        text = _spaced(stream, start, end, write_scalar(stream, node, value))
    return Splice(start=start, end=end, text=text, path=render_path(path), old=scalar.value, new=value)


def write_scalar(stream: Stream, node: int, value: str) -> str:
    """Write a value as it may stand at a node: in the node's style if that can hold it, else in double quotes."""
    if stream.reading.is_json:
        return json.dumps(value, ensure_ascii=not value.isprintable())
    style = Style(stream.style(node))
    # Who wrote a colon without quotes into a flow mapping has no reader that minds.
    is_strict = stream.is_in_flow(node) and ":" not in stream.value(node)
    return render_scalar(value, style, in_flow=is_strict)


def render_scalar(value: str, style: Style, *, in_flow: bool) -> str:
    """Write a value on one line: in its old style if that can hold it, else in double quotes."""
    if style is Style.PLAIN and can_be_plain(value, in_flow=in_flow):
        return value
    if style is Style.SINGLE_QUOTED and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    return '"' + "".join(_escape(character) for character in value) + '"'


def _spaced(stream: Stream, start: int, end: int, text: str) -> str:
    """Put a space before a value that was not written at all: it stands directly behind its colon or dash."""
    is_tight = start == end and stream.text[start - 1 : start] not in ("", " ", "\t", "\n")
    return f" {text}" if is_tight else text


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


def _scalars_by_span(stream: Stream, wanted: Mapping[tuple[int, int], str]) -> dict[tuple[int, int], int]:
    ends = {end for _, end in wanted}
    nodes = (node for node, kind in enumerate(stream.kinds) if kind is ScalarEvent)
    return {scalar_at(stream, node, ()).span: node for node in nodes if stream.span(node)[1] in ends}


def _is_same_outside(old: str, new: str, splices: Sequence[Splice]) -> bool:
    at_old = at_new = 0
    for splice in splices:
        expected = old[at_old : splice.start] + splice.text
        if not new.startswith(expected, at_new):
            return False
        at_old, at_new = splice.end, at_new + len(expected)
    return old[at_old:] == new[at_new:]


def _is_same_but_for(before: Stream, after: Stream, plan: Plan) -> bool:
    """Compare the events with those that are planned: columns are made equal where they may differ, then compared."""
    kinds, shapes = list(after.kinds), list(after.shapes)
    for place in sorted(plan.added):
        group = plan.added[place]
        here = slice(place, place + len(group))
        if len(kinds[here]) != len(group) or not all(map(_is_expected, kinds[here], shapes[here], group)):
            return False
        del kinds[here], shapes[here]
    if len(kinds) != len(before.kinds):
        return False
    for node, value in plan.values.items():
        if kinds[node] is not ScalarEvent or not _reads_as(before.shapes[node], shapes[node], value):
            return False
        if not _is_certain(shapes[node], value) and node not in plan.as_before:
            return False
        shapes[node] = before.shapes[node]
    return kinds == before.kinds and shapes == before.shapes


def _reads_as(old: Shape, new: Shape, value: str) -> bool:
    return bool(new[0] == value and new[2:4] == old[2:4])


def _is_certain(shape: Shape, value: str) -> bool:
    """Say whether a scalar is a text to every reader."""
    return bool(shape[1]) or is_text(value)


def _is_expected(kind: Kind, shape: Shape, wanted: Expected) -> bool:
    if kind is not wanted[0]:
        return False
    if kind is not ScalarEvent:
        return True
    return bool(shape[0] == wanted[1] and shape[2:4] == (None, None) and (shape[1] or is_text(shape[0])))
