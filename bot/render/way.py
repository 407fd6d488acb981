"""The whole way of a release on one line: `built ✓ → verified ✓ → signed ✓ → staging ✓ → observed … → production ·`."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.path import Mark, Part
from bot.domain.text import one_line
from bot.render.escape import plain

_MARKS = {Mark.DONE: "✓", Mark.HERE: "…", Mark.STOPPED: "✗", Mark.AHEAD: "·", Mark.NOT_ASKED: "–"}


def way_line(parts: Sequence[Part]) -> str:
    """Return it for a terminal."""
    return " → ".join(f"{one_line(part.name)} {_MARKS[part.mark]}" for part in parts)


def way_paragraph(parts: Sequence[Part]) -> str:
    """Return it for a comment, where it stands stressed; nothing where there is no way any more."""
    told = [f"{plain(part.name)} {_MARKS[part.mark]}" for part in parts]
    here = next((n for n, part in enumerate(parts) if part.mark in {Mark.HERE, Mark.STOPPED}), None)
    return " → ".join(f"**{one}**" if n == here else one for n, one in enumerate(told))
