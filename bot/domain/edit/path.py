"""Where a value stands in a file: a path of keys, list indexes, and list entries chosen by a field."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.domain.edit.refusal import EditRefused

EXPECTED_PATH = "a path such as image.tag, images[0].tag or images[name=web].tag"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryWhere:
    """The one entry of a list in which any of `fields` has the text `value`."""

    fields: tuple[str, ...]
    value: str


Step = str | int | EntryWhere
"""A key of a mapping, an index of a list (from 0), or an entry of a list."""

_STEP = re.compile(
    r"""
    (?P<dot> \.)? (?P<key> (?: [^.\[\]\\] | \\. )+ )
    | \[ (?P<index> [0-9]{1,9} ) \]
    | \[ (?P<field> (?: [^=\[\]\\] | \\. )+ ) = (?P<value> (?: [^\[\]\\] | \\. )+ ) \]
    """,
    re.VERBOSE | re.DOTALL,
)


def parse_path(text: str, *, file: str = "") -> tuple[Step, ...]:
    r"""Read `image.tag`, `images[0].tag` or `images[name=web].tag`; raise EditRefused, with line 0, for anything else.

    A backslash takes a dot or bracket into a key, as in Helm's `--set`: `annotations.example\.com/tag`.
    """
    steps: list[Step] = []
    at = 0
    while at < len(text):
        found = _STEP.match(text, at)
        # A key needs a dot before it everywhere but at the start, where it must have none.
        if found is None or (found["key"] is not None and (found["dot"] is None) != (at == 0)):
            break
        steps.append(_step(found))
        at = found.end()
    if at < len(text) or not steps:
        raise EditRefused(file=file, line=0, path=text[:200], reason=f"this is not {EXPECTED_PATH}")
    return tuple(steps)


def _step(found: re.Match[str]) -> Step:
    if found["index"] is not None:
        return int(found["index"])
    if found["field"] is not None:
        return EntryWhere(fields=(_unescaped(found["field"]),), value=_unescaped(found["value"]))
    return _unescaped(found["key"])


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def render_path(steps: tuple[Step, ...]) -> str:
    """Write a path as `parse_path` reads it; of an entry's fields, the first one stands for all."""
    return "".join(_render_step(step) for step in steps).removeprefix(".")


def _render_step(step: Step) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    if isinstance(step, EntryWhere):
        field, value = (re.sub(r"[=\[\]\\]", r"\\\g<0>", part) for part in (step.fields[0], step.value))
        return f"[{field}={value}]"
    return "." + re.sub(r"[.\[\]\\]", r"\\\g<0>", step)
