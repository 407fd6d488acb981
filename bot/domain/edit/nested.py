"""Edit a YAML text that stands as a literal block inside another YAML file: `helm.values: |` of an Application.

The inner text is read, changed and proved as a file of its own. Then each of its splices is carried to its line in the
outer file, where only the indentation is more. A folded or quoted text does not show its lines as they are: refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.domain.edit.locate import Style, content_span, find, find_all
from bot.domain.edit.path import Step, render_path
from bot.domain.edit.places import Form, Place, Setting, scalar_place
from bot.domain.edit.replace import Plan, Splice, make_edit, plan_scalar
from bot.domain.edit.stream import BREAK, Stream, read_stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Nested:
    """A scalar of the text inside: that text's stream, the node, and the path in it."""

    inner: Stream
    node: int
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NestedPlan:
    """The splices in the outer file, and what the outer scalar reads as then."""

    splices: tuple[Splice, ...]
    value: str


def open_nested(stream: Stream, outer: int, steps: tuple[Step, ...], *, outer_steps: tuple[Step, ...]) -> Nested | None:
    """Find a path in the text that the scalar `outer` holds; None if it has no such path."""
    file = f"{stream.file} ({render_path(outer_steps)})"
    inner = read_stream(stream.value(outer), file=file, reading=replace(stream.reading, is_json=False))
    roots = tuple(inner.roots())
    if len(roots) > 1:
        stream.refuse(outer, outer_steps, "Helm reads the first document of these values only; leave one")
    if not find_all(inner, steps, roots=roots):
        return None
    if Style(stream.style(outer)) is not Style.LITERAL:
        stream.refuse(outer, outer_steps, "YAML inside a text can only be edited in a literal block (|); rewrite it so")
    return Nested(inner=inner, node=find(inner, steps, roots=roots), steps=steps)


def nested_place(stream: Stream, outer: int, nested: Nested, *, outer_steps: tuple[Step, ...], form: Form) -> Place:
    """Describe a scalar inside as a place of the outer file."""
    inner = scalar_place(nested.inner, nested.node, nested.steps, form)
    path = f"{render_path(outer_steps)}: {inner.path}"
    return replace(inner, path=path, line=stream.line(outer) + inner.line, key=(form, path))


def plan_nested(stream: Stream, outer: int, group: Sequence[tuple[Nested, Setting]]) -> NestedPlan | None:
    """Plan the settings of places inside one text; None if they are all set already."""
    inner = group[0][0].inner
    planned = [
        (nested, setting, plan_scalar(inner, nested.node, setting.value, nested.steps, raw=setting.raw))
        for nested, setting in group
    ]
    changed = [(nested, setting, splice) for nested, setting, splice in planned if splice is not None]
    if not changed:
        return None
    plan = Plan(
        splices=tuple(splice for _, _, splice in changed),
        values={nested.node: setting.value for nested, setting, _ in changed},
        as_before=frozenset(nested.node for nested, setting, _ in changed if setting.raw is not None),
    )
    edited = make_edit(inner, plan).text
    splices = tuple(_carried(stream, outer, inner.text, splice, setting.place.path) for _, setting, splice in changed)
    return NestedPlan(splices=splices, value=edited)


def _carried(stream: Stream, outer: int, inner: str, splice: Splice, path: str) -> Splice:
    """Move a splice of the inner text to its place in the outer one."""
    start, stop = content_span(stream, outer)
    line = inner.count("\n", 0, splice.start)
    column = splice.start - (inner.rfind("\n", 0, splice.start) + 1)
    inner_line = inner.split("\n")[line]
    # The block's first line is behind its header.
    lines = list(BREAK.finditer(stream.text, start, stop))
    place = lines[line].end()
    outer_line = stream.text[place : lines[line + 1].start() if line + 1 < len(lines) else stop]
    # Were this not the same line, or not only further in, the proof of the outer file would show it.
    at = place + len(outer_line) - len(inner_line) + column
    return replace(splice, start=at, end=at + splice.end - splice.start, path=path)
