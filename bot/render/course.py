"""How a share or a value went over time: a line of small bars in text, and a chart that GitHub draws from Mermaid.

Slices without data or without traffic are gaps: a dot in the line, no bar in the chart. They are never drawn as zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.text import format_limit, format_number, format_share
from bot.domain.verdicts import BaselineEvidence, BurnEvidence, CountEvidence, Slice, ValueEvidence, Verdict
from bot.render.escape import for_chart

_BARS = "▁▂▃▄▅▆▇█"
_GAP = "·"
_FEWEST = 2
"""A single bar says no more than the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Course:
    """A line over time: when each slice began, its number (None for a gap), the limit, and what the numbers are."""

    points: tuple[tuple[datetime, float | None], ...]
    limit: float
    title: str
    unit: str
    scale: float = 1.0

    @property
    def seen(self) -> list[tuple[datetime, float]]:
        return [(start, value) for start, value in self.points if value is not None and math.isfinite(value)]

    @property
    def top(self) -> float:
        return max(self.limit, *(value for _, value in self.seen))


def sparkline(verdict: Verdict) -> str:
    """Return a bar for each slice, scaled to the limit or the worst slice; empty with fewer than two with traffic."""
    course = _course(verdict)
    if course is None or len(course.seen) < _FEWEST or course.top <= 0:
        return ""
    return "".join(
        _GAP
        if value is None or not math.isfinite(value)
        else _BARS[round(max(0.0, value) / course.top * (len(_BARS) - 1))]
        for _, value in course.points
    )


def charts(verdicts: Sequence[Verdict]) -> str:
    """Return a chart for each rule that measured something over time, folded away; empty if there is none."""
    drawn = [chart for verdict in verdicts if (chart := _chart(verdict.gate, _course(verdict)))]
    if not drawn:
        return ""
    joined = "\n\n".join(drawn)
    return f"<details><summary>Over time</summary>\n\n{joined}\n\n</details>"


def _course(verdict: Verdict) -> _Course | None:
    found = verdict.evidence
    if isinstance(found, CountEvidence):
        title = f"bad events in %, limit {format_limit(found.limit)}"
        return _shares(found.course, limit=found.limit, title=title)
    if isinstance(found, BaselineEvidence) and found.tolerated is not None:
        title = f"bad events in %, tolerated {format_share(found.tolerated)}"
        return _shares(found.course, limit=found.tolerated, title=title)
    if isinstance(found, BurnEvidence):
        title = f"bad events in %, objective {format_limit(found.objective)}"
        return _shares(found.course, limit=1 - found.objective, title=title)
    if isinstance(found, ValueEvidence):
        return _values(found)
    return None


def _shares(slices: Sequence[Slice], *, limit: float, title: str) -> _Course:
    points = tuple((one.start, _share(one)) for one in slices)
    return _Course(points=points, limit=limit, title=title, unit="%", scale=100.0)


def _values(found: ValueEvidence) -> _Course:
    window = found.measured
    count = len(found.course)
    step = (window.seen_until - window.window_start) / count if count else timedelta(0)
    points = tuple((window.window_start + nth * step, value) for nth, value in enumerate(found.course))
    return _Course(points=points, limit=found.bound, title=f"bound {format_number(found.bound)}", unit="value")


def _chart(gate: str, course: _Course | None) -> str:
    if course is None or len(course.seen) < _FEWEST:
        return ""
    times = ", ".join(f'"{start:%H:%M}"' for start, _ in course.seen)
    bars = ", ".join(f"{course.scale * value:.4g}" for _, value in course.seen)
    limit = ", ".join(f"{course.scale * course.limit:.4g}" for _ in course.seen)
    lowest = min(0.0, *(course.scale * value for _, value in course.seen))
    lines = [
        "xychart-beta",
        f'    title "{for_chart(gate)}: {for_chart(course.title)}"',
        f"    x-axis [{times}]",
        f'    y-axis "{course.unit}" {lowest:.4g} --> {1.2 * course.scale * course.top or 1:.4g}',
        f"    bar [{bars}]",
        f"    line [{limit}]",
    ]
    return "```mermaid\n" + "\n".join(lines) + "\n```"


def _share(one: Slice) -> float | None:
    """Return the bad share of a slice; None where nothing was measured, or nothing was requested."""
    return min(1.0, (one.bad or 0.0) / one.total) if one.total else None
