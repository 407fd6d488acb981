"""Add a key to a mapping, or an entry to a list, by new lines only: every line that is there stays as it is.

Used where a kustomization has no entry for an image yet, or no `digest` beside its `newTag`. The new lines take the
indentation and the line ends of their neighbours. Wherever that is not plain to see, the edit is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from yaml.events import MappingEndEvent, MappingStartEvent, ScalarEvent, SequenceEndEvent, SequenceStartEvent

from bot.domain.edit.locate import Style
from bot.domain.edit.path import EntryWhere, Step, render_path
from bot.domain.edit.places import Form
from bot.domain.edit.refusal import EditRefused
from bot.domain.edit.replace import Expected, Splice, render_scalar
from bot.domain.edit.stream import Stream

_KEYS = {Form.TAG: "newTag", Form.DIGEST: "digest", Form.NAME: "newName"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Something that is not there. `node` is the entry that lacks a key, the list that lacks an entry for `name`, or
    the document that lacks the list; `steps` is the entry's path."""

    node: int
    steps: tuple[Step, ...]
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """How gaps are filled: the splices, and the events that come before a node by them."""

    splices: tuple[Splice, ...] = ()
    added: Mapping[int, tuple[Expected, ...]] = field(default_factory=dict)


def plan_gaps(stream: Stream, gaps: Mapping[Form, Gap], values: Mapping[Form, str]) -> Filling:
    """Plan to fill gaps, which are all keys of one entry."""
    if not gaps:
        return Filling()
    gap = next(iter(gaps.values()))
    pairs = [(_KEYS[form], values[form]) for form in _KEYS if form in gaps]
    if gap.name is None:
        return _plan_keys(stream, gap, pairs)
    pairs.insert(0, ("name", gap.name))
    if stream.is_list(gap.node):
        return _plan_entry(stream, gap, pairs)
    return _plan_list(stream, gap, pairs)


def image_step(name: str) -> EntryWhere:
    """Return the step to the entry of `images` with a name."""
    return EntryWhere(fields=("name",), value=name)


def _plan_keys(stream: Stream, gap: Gap, pairs: list[tuple[str, str]]) -> Filling:
    """Add keys at the end of a mapping that has some."""
    end = stream.end(gap.node) - 1
    events = tuple(event for pair in pairs for event in _scalars(pair))
    if stream.is_in_flow(gap.node + 1):
        text = "".join(f", {key}: {_write(value, in_flow=True)}" for key, value in pairs)
        return _filling(_at(_last_place(stream, gap), text, gap, pairs), end, events)
    column = _column(stream, gap.node)
    lines = [f"{' ' * column}{key}: {_write(value)}" for key, value in pairs]
    return _filling(_new_lines(stream, gap, lines, pairs), end, events)


def _plan_entry(stream: Stream, gap: Gap, pairs: list[tuple[str, str]]) -> Filling:
    """Add an entry at the end of a list."""
    end = stream.end(gap.node) - 1
    entries = stream.children(gap.node)
    events: tuple[Expected, ...] = (
        (MappingStartEvent, None),
        *(event for pair in pairs for event in _scalars(pair)),
        (MappingEndEvent, None),
    )
    if stream.is_flow(gap.node):
        inner = ", ".join(f"{key}: {_write(value, in_flow=True)}" for key, value in pairs)
        if entries:
            place, text = _last_place(stream, gap), f", {{{inner}}}"
        else:
            place, text = stream.span(gap.node)[1], f"{{{inner}}}"
        return _filling(_at(place, text, gap, pairs), end, events)
    dash = _dash_column(stream, entries[-1])
    return _filling(_new_lines(stream, gap, _entry_lines(dash, pairs), pairs), end, events)


def _plan_list(stream: Stream, gap: Gap, pairs: list[tuple[str, str]]) -> Filling:
    """Add the list itself, `images`, as the last key of a document."""
    if stream.is_flow(gap.node):
        stream.refuse(gap.node, gap.steps, "the file is one flow mapping ({…}), to which no list of images is added")
    column = _column(stream, gap.node)
    lines = [f"{' ' * column}images:", *_entry_lines(column, pairs)]
    events: tuple[Expected, ...] = (
        (ScalarEvent, "images"),
        (SequenceStartEvent, None),
        (MappingStartEvent, None),
        *(event for pair in pairs for event in _scalars(pair)),
        (MappingEndEvent, None),
        (SequenceEndEvent, None),
    )
    return _filling(_new_lines(stream, gap, lines, pairs), stream.end(gap.node) - 1, events)


def _entry_lines(column: int, pairs: list[tuple[str, str]]) -> list[str]:
    first, *others = [f"{key}: {_write(value)}" for key, value in pairs]
    return [f"{' ' * column}- {first}", *(f"{' ' * column}  {line}" for line in others)]


def _scalars(pair: tuple[str, str]) -> tuple[Expected, Expected]:
    return (ScalarEvent, pair[0]), (ScalarEvent, pair[1])


def _write(value: str, *, in_flow: bool = False) -> str:
    return render_scalar(value, Style.PLAIN, in_flow=in_flow)


def _filling(splice: Splice, before: int, events: tuple[Expected, ...]) -> Filling:
    return Filling(splices=(splice,), added={before: events})


def _at(place: int, text: str, gap: Gap, pairs: list[tuple[str, str]]) -> Splice:
    said = {key: value for key, value in pairs if key != "name"}
    new = said.get("newTag") or next(iter(said.values()))
    key = "newTag" if "newTag" in said else next(iter(said))
    return Splice(start=place, end=place, text=text, path=render_path((*gap.steps, key)), old=None, new=new)


def _new_lines(stream: Stream, gap: Gap, lines: list[str], pairs: list[tuple[str, str]]) -> Splice:
    """Put lines behind the line on which the last value of a node ends."""
    text, last = stream.text, _last_place(stream, gap)
    feed = text.find("\n", last)
    if feed < 0:
        # The file's last line has no end, and the new last line gets none either.
        end = "\r\n" if "\r\n" in text else "\n"
        return _at(len(text), end + end.join(lines), gap, pairs)
    end = "\r\n" if text[feed - 1] == "\r" else "\n"
    return _at(feed + 1, "".join(line + end for line in lines), gap, pairs)


def _last_place(stream: Stream, gap: Gap) -> int:
    """Return where the last value of a node ends; raise EditRefused if that is not plain to see."""
    last = stream.end(gap.node) - 2
    if stream.is_flow(gap.node) or (not stream.is_scalar(last) and not stream.is_alias(last)):
        # A closing bracket, or the end of a mapping inside: the nearest thing with characters of its own.
        while stream.starts[last] == stream.stops[last] and last > gap.node:
            last -= 1
    if stream.is_scalar(last) and Style(stream.style(last)) in (Style.LITERAL, Style.FOLDED):
        stream.refuse(last, gap.steps, "the last value here is a block of lines, behind which nothing is added")
    return stream.stops[last] + stream.offset


def _column(stream: Stream, mapping: int) -> int:
    """Return how far the keys of a block mapping stand in."""
    start = stream.span(mapping)[0]
    return start - _line_start(stream.text, start)


def _dash_column(stream: Stream, entry: int) -> int:
    """Return how far the dash before a list's entry stands in; raise EditRefused if it has no line of its own."""
    start = stream.span(entry)[0]
    begin = _line_start(stream.text, start)
    dash = stream.text.rfind("-", begin, start)
    if dash < 0 or stream.text[begin:dash].strip(" ") or stream.text[dash + 1 : start].strip(" "):
        reason = "the last entry of the list does not stand on a line of its own, so none is added behind it"
        raise EditRefused(file=stream.file, line=stream.line(entry), path="images", reason=reason)
    return dash - begin


def _line_start(text: str, place: int) -> int:
    begin = max(text.rfind("\n", 0, place), text.rfind("\r", 0, place)) + 1
    return begin + 1 if text.startswith("\ufeff") and begin == 0 else begin
