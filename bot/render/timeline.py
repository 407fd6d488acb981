"""The way of a release into a stage, for the comment and the terminal: when each step was, and how long it took."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

from bot.domain.text import format_date_instant, format_duration, format_instant, one_line
from bot.domain.timeline import Milestone
from bot.render.escape import code, plain

_SECOND = timedelta(seconds=1)


def timeline_table(timeline: Sequence[Milestone]) -> str:
    """Return the steps as Markdown, folded away but for one line; empty if there is none."""
    if len(timeline) < 2:
        return ""
    rows = [_row(one, took) for one, took in zip(timeline, _pauses(timeline), strict=True)]
    total = format_duration(_whole(timeline[-1].at - timeline[0].at))
    head = f"Timeline: {timeline[0].step} {format_instant(timeline[0].at)} → {timeline[-1].step} after {total}"
    table = "\n".join(["| step | at | after | who says so |", "|---|---|---|---|", *rows])
    return f"<details><summary>{plain(head)}</summary>\n\n{table}\n\n</details>"


def timeline_lines(timeline: Sequence[Milestone]) -> list[str]:
    """Return the steps as lines for the terminal."""
    width = max((len(str(one.step)) for one in timeline), default=0)
    return [_line(one, took, width) for one, took in zip(timeline, _pauses(timeline), strict=True)]


def _row(one: Milestone, took: str) -> str:
    step = f"{plain(str(one.step))}{_last(code(one.application) if one.application else '')}"
    return f"| {step} | {format_date_instant(one.at)} | {took} | {plain(one.source)} |"


def _line(one: Milestone, took: str, width: int) -> str:
    said = f"{one_line(one.source)}{_last(one_line(one.application))}"
    return f"{one.step!s:<{width}}  {format_date_instant(one.at)}  {took:>8}  {said}"


def _last(application: str) -> str:
    return f" (last: {application})" if application else ""


def _pauses(timeline: Sequence[Milestone]) -> list[str]:
    """Return how long after the step before each one was; clocks of several machines may run backwards a little."""
    if not timeline:
        return []
    return ["", *(f"{format_duration(_whole(after.at - before.at))}" for before, after in pairwise(timeline))]


def _whole(pause: timedelta) -> timedelta:
    return (pause // _SECOND) * _SECOND
