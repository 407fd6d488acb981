"""One gate's course in a past release as an inline SVG: bars of what was measured, its limit, and what happened when.

No script and no outside file; colours come from the page's style, and every chart has a text that says the same.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.backtest.replay import End
from bot.backtest.report import Row
from bot.domain.text import format_limit, format_number, format_share, one_line
from bot.domain.verdicts import (
    BaselineEvidence,
    BurnEvidence,
    CountEvidence,
    Measured,
    Slice,
    ValueEvidence,
    Verdict,
)
from bot.render.backtest_words import moment, span

_WIDTH, _HEIGHT = 720, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 8, 8, 26, 22
_LEAST = timedelta(minutes=1)
_REACH = 6
"""How many times as long as the measurements the time after them may be that is shown."""
_BEYOND = 1.25
"""How much higher than the highest bar, or the limit, the chart is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bar:
    """What a slice of time came to; None where nothing was measured."""

    start: datetime
    end: datetime
    height: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Course:
    """The bars of a rule, its limit (None where it has no fixed one), and whether they are shares."""

    bars: tuple[_Bar, ...]
    limit: float | None
    is_share: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mark:
    """Something that happened: `look` is its class in the page's style."""

    at: datetime
    says: str
    look: str


def charts(row: Row) -> list[str]:
    """Return a chart for each rule that has measured anything of a release."""
    found = []
    for verdict in row.outcome.verdicts:
        course = _course(verdict)
        if course is not None and course.bars:
            caption = html.escape(one_line(verdict.gate))
            found.append(f"<figure><figcaption>{caption}</figcaption>{_chart(row, verdict, course)}</figure>")
    return found


def _course(verdict: Verdict) -> _Course | None:
    evidence = verdict.evidence
    if isinstance(evidence, CountEvidence):
        return _Course(bars=_of_slices(evidence.course), limit=evidence.limit, is_share=True)
    if isinstance(evidence, BaselineEvidence):
        return _Course(bars=_of_slices(evidence.course), limit=evidence.tolerated, is_share=True)
    if isinstance(evidence, BurnEvidence):
        return _Course(bars=_of_slices(evidence.course), limit=1 - evidence.objective, is_share=True)
    if isinstance(evidence, ValueEvidence):
        return _Course(bars=_of_values(evidence), limit=evidence.bound, is_share=False)
    return None


def _of_slices(slices: Sequence[Slice]) -> tuple[_Bar, ...]:
    return tuple(
        _Bar(start=one.start, end=one.end, height=(one.bad or 0.0) / one.total if one.total else None) for one in slices
    )


def _of_values(evidence: ValueEvidence) -> tuple[_Bar, ...]:
    measured, count = evidence.measured, len(evidence.course)
    if not count:
        return ()
    width = _size(measured, count) * measured.tile
    start = measured.window_start
    return tuple(
        _Bar(start=start + at * width, end=min(start + (at + 1) * width, measured.seen_until), height=value)
        for at, value in enumerate(evidence.course)
    )


def _size(measured: Measured, count: int) -> int:
    """Return how many tiles are in one piece of a course."""
    return -(-measured.tiles_expected // count)


# --- drawing ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    """Where an instant and a height are in the drawing."""

    first: datetime
    last: datetime
    top: float

    def x(self, at: datetime) -> float:
        share = (at - self.first) / max(self.last - self.first, _LEAST)
        return _LEFT + min(1.0, max(0.0, share)) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, height: float) -> float:
        share = min(1.0, max(0.0, height / self.top))
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def _chart(row: Row, verdict: Verdict, course: _Course) -> str:
    marks = _marks(row, course)
    heights = [bar.height for bar in course.bars if bar.height is not None]
    top = max([*heights, course.limit or 0.0, 1e-9]) * _BEYOND
    first = min([course.bars[0].start, *(mark.at for mark in marks)])
    last = max([course.bars[-1].end, *(mark.at for mark in marks)])
    scale = _Scale(first=first, last=last, top=top)
    said = _said(verdict, course, marks)
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{said}">',
        f"<title>{said}</title>",
        f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{scale.y(0):.1f}" y2="{scale.y(0):.1f}"/>',
        *(_bar(bar, scale, course) for bar in course.bars),
        *_limit(course, scale),
        *(_marked(mark, scale) for mark in marks),
        _text(_LEFT, _HEIGHT - 6, moment(first), anchor="start"),
        _text(_WIDTH - _RIGHT, _HEIGHT - 6, f"{moment(last)} UTC", anchor="end"),
        "</svg>",
    ]
    return "".join(parts)


def _bar(bar: _Bar, scale: _Scale, course: _Course) -> str:
    x, width = scale.x(bar.start), max(1.0, scale.x(bar.end) - scale.x(bar.start) - 1)
    if bar.height is None:
        return f'<rect class="absent" x="{x:.1f}" y="{scale.y(0) - 3:.1f}" width="{width:.1f}" height="3"/>'
    y = scale.y(bar.height)
    look = "beyond" if course.limit is not None and bar.height > course.limit else "bar"
    return f'<rect class="{look}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{max(1.0, scale.y(0) - y):.1f}"/>'


def _limit(course: _Course, scale: _Scale) -> list[str]:
    if course.limit is None:
        return []
    y = scale.y(course.limit)
    line = f'<line class="limit" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
    return [line, _text(_WIDTH - _RIGHT, y - 4, f"limit {_shown(course.limit, course)}", anchor="end")]


def _marked(mark: _Mark, scale: _Scale) -> str:
    x = scale.x(mark.at)
    anchor = "start" if x < _WIDTH / 3 else "end" if x > _WIDTH * 2 / 3 else "middle"
    y = {"live": 10, "policy": 10, "really": 21}[mark.look]
    line = f'<line class="{mark.look}" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{scale.y(0):.1f}"/>'
    return line + _text(x, y, mark.says, anchor=anchor)


def _text(x: float, y: float, text: str, *, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(text)}</text>'


def _marks(row: Row, course: _Course) -> list[_Mark]:
    """Return what happened while it was measured, or not so long after that the bars would become invisible."""
    reach = course.bars[-1].end + _REACH * max(course.bars[-1].end - course.bars[0].start, _LEAST)
    marks = []
    if row.live is not None:
        marks.append(_Mark(at=row.live.at, says="live", look="live"))
    if row.outcome.at is not None and row.outcome.end is not End.CANNOT_TELL:
        marks.append(_Mark(at=row.outcome.at, says=f"policy: {row.outcome.end}", look="policy"))
    for at, says in ((row.moved_on_at, "really moved on"), (row.fate.undone_at, "really undone")):
        if at is not None and at <= reach:
            marks.append(_Mark(at=at, says=says, look="really"))
    return marks


def _shown(height: float, course: _Course) -> str:
    return format_limit(height) if course.is_share and height < 1 else format_number(height)


def _said(verdict: Verdict, course: _Course, marks: Sequence[_Mark]) -> str:
    heights = [bar.height for bar in course.bars if bar.height is not None]
    worst = max(heights, default=None)
    measured = "nothing was measured"
    if worst is not None:
        measured = f"at the most {format_share(worst) if course.is_share else format_number(worst)}"
    limit = f", limit {_shown(course.limit, course)}" if course.limit is not None else ""
    when = "; ".join(f"{mark.says} {moment(mark.at)}" for mark in marks)
    lasted = span(course.bars[-1].end - course.bars[0].start)
    return html.escape(f"{one_line(verdict.gate)} over {lasted}: {measured}{limit}. {when} UTC")
