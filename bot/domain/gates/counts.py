"""Judge a share of bad events against its limit, from tiles of counts (gate kinds `ratio` and `latency`).

The rule, in prose: an alarm of the e-process is *unhealthy* at once and for good; a whole window without an alarm,
with enough traffic, nearly all tiles present, and a 95 % upper bound below the limit is *healthy*; everything else
waits, and says for what. No measurement is never health.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain import statistics
from bot.domain.model import Samples, Tile, Trouble
from bot.domain.policy import CountGate
from bot.domain.text import format_count, format_instant, format_share
from bot.domain.tiles import MeasuringWindow
from bot.domain.verdicts import CountEvidence, Slice, Verdict, VerdictKind

SLICES = 24
"""Into how many slices a window is put together at the most, for people to see how it went."""
TILES_NEEDED = 0.8
"""The share of a window's tiles that must hold data before the gate may say healthy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """How much evidence it takes to say unhealthy.

    `alarm` is the e-value to reach (dimensionless; 1 / the false-alarm probability), `bad_events` the least number of
    bad events, `in_a_row` on how many successive tiles the alarm must stand.
    """

    alarm: float
    bad_events: float
    in_a_row: int


STOP = Bar(alarm=20, bad_events=2, in_a_row=1)
"""Stops a promotion: false alarm in at most 5 % of releases that are exactly at the limit (Ville's inequality)."""
REVERT = Bar(alarm=100, bad_events=3, in_a_row=2)
"""Takes a release back: false alarm in at most 1 %, and never on one tile alone."""


def judge_counts(gate: CountGate, samples: Samples | Trouble | None, window: MeasuringWindow, bar: Bar) -> Verdict:
    """Judge the tiles seen so far. `samples` is None before the first tile could be asked for."""
    if isinstance(samples, Trouble):
        return Verdict(
            gate=gate.name,
            kind=VerdictKind.CANNOT_TELL,
            reason=f"{samples.system} could not be asked: {samples.sentence}",
            would_change=f"an answer from {samples.system}",
        )
    if samples is None or samples.end <= window.start:
        opens = f"counting starts at {format_instant(window.start)}"
        return Verdict(gate=gate.name, kind=VerdictKind.NOT_YET, reason=opens, would_change=opens)
    evidence = _weigh(gate, samples, window)
    kind, reason, change = _judge(gate, samples, evidence, bar)
    return Verdict(gate=gate.name, kind=kind, reason=reason, would_change=change, evidence=evidence)


def _weigh(gate: CountGate, samples: Samples, window: MeasuringWindow) -> CountEvidence:
    present = _present(samples.tiles)
    bad, total = sum(tile.bad or 0 for tile in present), sum(tile.total or 0 for tile in present)
    pairs = _pairs(present)
    return CountEvidence(
        bad=bad,
        total=total,
        limit=gate.limit,
        floor=statistics.traffic_floor(gate.limit),
        upper_bound=statistics.upper_bound(bad, total) if total > 0 else None,
        e_value=statistics.running_e_value(pairs, gate.limit, caution=statistics.CAUTION),
        dispersion=statistics.dispersion(pairs),
        window_start=window.start,
        window_end=window.required_until,
        seen_until=samples.end,
        tiles_present=len(present),
        tiles_expected=window.tiles_until(samples.end),
        queries=samples.queries,
        backend=samples.backend,
        course=_course(samples.tiles),
    )


def _course(tiles: Sequence[Tile]) -> tuple[Slice, ...]:
    """Put tiles together, the same number in each slice but the last, so that there are at most `SLICES`."""
    size = max(1, math.ceil(len(tiles) / SLICES))
    return tuple(_slice(tiles[first : first + size]) for first in range(0, len(tiles), size))


def _slice(tiles: Sequence[Tile]) -> Slice:
    present = _present(tiles)
    return Slice(
        start=tiles[0].start,
        end=tiles[-1].end,
        bad=sum(tile.bad or 0.0 for tile in present) if present else None,
        total=sum(tile.total or 0.0 for tile in present) if present else None,
    )


def _judge(gate: CountGate, samples: Samples, found: CountEvidence, bar: Bar) -> tuple[VerdictKind, str, str]:
    counted = f"{format_count(found.bad)} of {format_count(found.total)} bad"
    if found.tiles_present == 0:
        reason = f"no measurement at all in {found.tiles_expected} looks; the query gave no series"
        return VerdictKind.NO_DATA, reason, "measurements"
    if _alarms(samples, gate.limit, bar):
        share = format_share(found.bad / found.total)
        reason = f"{counted} ({share}), limit {format_share(gate.limit)}: more than chance explains"
        return VerdictKind.UNHEALTHY, reason, "nothing: an alarm stands for this release"
    if found.total <= 0:
        return VerdictKind.NO_DATA, "no traffic: nothing was requested, so nothing is proven", "traffic"
    waits = _what_is_missing(found, counted)
    if waits is not None:
        return waits
    bound = format_share(found.upper_bound or 0.0)
    reason = f"{counted}; the true share is below {bound} (95 % sure), limit {format_share(gate.limit)}"
    return VerdictKind.HEALTHY, reason, "an alarm"


def _what_is_missing(found: CountEvidence, counted: str) -> tuple[VerdictKind, str, str] | None:
    if found.seen_until < found.window_end:
        ends = f"window ends {format_instant(found.window_end)}"
        return VerdictKind.NOT_YET, f"{counted} so far; {ends}", ends
    if found.tiles_present < TILES_NEEDED * found.tiles_expected:
        reason = f"only {found.tiles_present} of {found.tiles_expected} looks found data"
        return VerdictKind.NO_DATA, reason, "measurements without gaps"
    if found.total < found.floor:
        needs = f"needs {format_count(found.floor - found.total)} more events"
        return VerdictKind.NOT_YET, f"{counted}: too little traffic to prove a limit this low", needs
    if found.upper_bound is None or found.upper_bound >= found.limit:
        bound = format_share(found.upper_bound or 1.0)
        reason = f"{counted}: the true share could be as high as {bound}, limit {format_share(found.limit)}"
        return VerdictKind.NOT_YET, reason, "more traffic with fewer bad events"
    return None


def _alarms(samples: Samples, limit: float, bar: Bar) -> bool:
    """Say whether the alarm ever stood on `in_a_row` successive tiles with enough bad events."""
    present = _present(samples.tiles)
    bad = 0.0
    standing = 0
    e_values = statistics.prefix_e_values(_pairs(present), limit, caution=statistics.CAUTION)
    for tile, e_value in zip(present, e_values, strict=True):
        bad += tile.bad or 0.0
        standing = standing + 1 if e_value >= bar.alarm and bad >= bar.bad_events else 0
        if standing >= bar.in_a_row:
            return True
    return False


def _present(tiles: Sequence[Tile]) -> list[Tile]:
    return [tile for tile in tiles if tile.total is not None]


def _pairs(tiles: Sequence[Tile]) -> list[tuple[float, float]]:
    return [(tile.bad or 0.0, tile.total or 0.0) for tile in tiles]
