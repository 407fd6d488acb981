"""Judge a share of bad events against its limit, from tiles of counts (gate kinds `ratio` and `latency`).

The rule, in prose: an alarm of the e-process is *unhealthy* at once and for good; a whole window without an alarm,
with enough traffic, nearly all tiles present, and a 95 % upper bound below the limit is *healthy*; everything else
waits, and says for what. No measurement is never health.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain import statistics
from bot.domain.gates.measuring import (
    NEWEST,
    STOP,
    Answer,
    Bar,
    count_tiles,
    course,
    fell_silent,
    has_no_bucket,
    just_bad,
    measured,
    no_bucket,
    no_measurement,
    opened,
    pairs,
    present_tiles,
    silence,
    sums,
    what_is_missing,
)
from bot.domain.model import Samples, Tile, Trouble
from bot.domain.rules import Accept, CountGate, Counts
from bot.domain.text import format_count, format_share
from bot.domain.tiles import MeasuringWindow
from bot.domain.verdicts import CountEvidence, Verdict, VerdictKind


def judge_counts(gate: CountGate, samples: Samples | Trouble | None, window: MeasuringWindow, bar: Bar) -> Verdict:
    """Judge the tiles seen so far. `samples` is None before the first tile could be asked for."""
    found = opened(gate.name, samples, window)
    if isinstance(found, Verdict):
        return found
    if gate.counts is Counts.GOOD and has_no_bucket(found.numbers["counted"], found.numbers["total"]):
        return no_bucket(gate.name, found)
    tiles = count_tiles(found, gate.counts)
    evidence = _weigh(gate, found, tiles, window, bar)
    kind, reason, change = _judge(gate, tiles, evidence)
    return Verdict(gate=gate.name, kind=kind, reason=reason, would_change=change, evidence=evidence)


def _weigh(
    gate: CountGate, samples: Samples, tiles: Sequence[Tile], window: MeasuringWindow, bar: Bar
) -> CountEvidence:
    present = present_tiles(tiles)
    bad, total = sums(present)
    counted = pairs(present)
    return CountEvidence(
        measured=measured(samples, window, [tile.total is not None for tile in tiles]),
        bad=bad,
        total=total,
        limit=gate.limit,
        floor=gate.floor if gate.floor is not None else statistics.traffic_floor(gate.limit),
        upper_bound=statistics.upper_bound(bad, total) if total > 0 else None,
        e_value=bar.strongest(_e_values(tiles, gate.limit, bar)),
        alarm=bar.alarm,
        dispersion=statistics.dispersion(counted),
        course=course(tiles),
    )


def _judge(gate: CountGate, tiles: Sequence[Tile], found: CountEvidence) -> Answer:
    nothing = no_measurement(found.measured)
    if nothing is not None:
        return nothing
    counted = f"{format_count(found.bad)} of {format_count(found.total)} bad"
    if found.e_value >= found.alarm:
        share = format_share(found.bad / found.total)
        reason = f"{counted} ({share}), limit {format_share(gate.limit)}: more than chance explains"
        return VerdictKind.UNHEALTHY, reason, "nothing: an alarm stands for this release"
    if found.total <= 0:
        return VerdictKind.NO_DATA, "no traffic: nothing was requested, so nothing is proven", "traffic"
    waits = what_is_missing(found.measured, counted)
    if waits is None and _is_just_bad(tiles, gate.limit):
        waits = just_bad(counted)
    if waits is None and fell_silent(tiles):
        waits = silence(counted)
    waits = waits or _what_is_not_proven(gate, found, counted)
    if waits is not None:
        return waits
    bound = format_share(found.upper_bound or 0.0)
    reason = f"{counted}; the true share is below {bound} (95 % sure), limit {format_share(gate.limit)}"
    return VerdictKind.HEALTHY, reason, "an alarm"


def _what_is_not_proven(gate: CountGate, found: CountEvidence, counted: str) -> Answer | None:
    """Return what the counts leave open at the window's end; a *healthy* that says so where the policy accepts it."""
    lacks = _too_few(found, counted) or _too_wide(found, counted)
    if lacks is None or gate.accept is Accept.PROVEN:
        return lacks
    reason = f"{lacks[1]}; not shown to be bad, which the policy accepts"
    return VerdictKind.HEALTHY, reason, "an alarm"


def _too_few(found: CountEvidence, counted: str) -> Answer | None:
    if found.total >= found.floor:
        return None
    needs = f"needs {format_count(found.floor - found.total)} more events"
    return VerdictKind.NOT_YET, f"{counted}: too little traffic to prove a limit this low", needs


def _too_wide(found: CountEvidence, counted: str) -> Answer | None:
    if found.upper_bound is not None and found.upper_bound < found.limit:
        return None
    bound = format_share(found.upper_bound or 1.0)
    reason = f"{counted}: the true share could be as high as {bound}, limit {format_share(found.limit)}"
    return VerdictKind.NOT_YET, reason, "more traffic with fewer bad events"


def _e_values(tiles: Sequence[Tile], limit: float, bar: Bar) -> list[float]:
    """Return the e-value at each tile that had traffic; 1 until enough events were bad.

    A tile without traffic says the same again, and does not count as a second one.
    """
    present = present_tiles(tiles)
    bad = 0.0
    found = []
    e_values = statistics.prefix_e_values(pairs(present), limit, caution=statistics.CAUTION)
    for tile, e_value in zip(present, e_values, strict=True):
        bad += tile.bad or 0.0
        if tile.total:
            found.append(e_value if bad >= bar.bad_events else min(1.0, e_value))
    return found


def _is_just_bad(tiles: Sequence[Tile], limit: float) -> bool:
    bad, total = sums([tile for tile in tiles if tile.total][-NEWEST:])
    return bad >= STOP.bad_events and statistics.e_value(bad, total, limit) >= STOP.alarm
