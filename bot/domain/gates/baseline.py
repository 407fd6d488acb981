"""Judge a share of bad events against that of a baseline measured at the same time (gate kind `baseline`).

Of all bad events of both sides in a tile, the new release should have no more than its part of the traffic explains,
even if it were `times` worse; the e-process of `statistics.share` weighs that. It takes both to be *unhealthy*: the
alarm, and a share beyond what is tolerated. What hits both sides at once, as an outage of a shared dependency, says
nothing against the release; since two counters are scraped at different moments, it takes two tiles in a row at both
bars, or such an outage would alarm where it begins. *Healthy* needs the bound of the new share below the tolerated one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.domain import statistics
from bot.domain.gates.measuring import (
    Answer,
    Bar,
    count_tiles,
    course,
    measured,
    no_measurement,
    opened,
    sums,
    what_is_missing,
)
from bot.domain.model import Samples, Tile, Trouble
from bot.domain.rules import NO_TIME, BaselineGate
from bot.domain.text import format_count, format_share
from bot.domain.tiles import MeasuringWindow
from bot.domain.verdicts import BaselineEvidence, Verdict, VerdictKind

_IN_A_ROW = 2
_Pair = tuple[Tile, Tile]


def judge_baseline(gate: BaselineGate, samples: Samples | Trouble | None, window: MeasuringWindow, bar: Bar) -> Verdict:
    """Judge the tiles seen so far. `samples` is None before the first tile could be asked for."""
    bar = replace(bar, in_a_row=max(_IN_A_ROW, bar.in_a_row))
    found = opened(gate.name, samples, window)
    if isinstance(found, Verdict):
        return found
    new, base = count_tiles(found, gate.counts), count_tiles(found, gate.counts, base="base ")
    both = [(mine, theirs) for mine, theirs in zip(new, base, strict=True) if None not in (mine.total, theirs.total)]
    evidence = _weigh(gate, found, new, both, window, bar)
    kind, reason, change = _judge(gate, both, evidence, bar)
    return Verdict(gate=gate.name, kind=kind, reason=reason, would_change=change, evidence=evidence)


def _weigh(
    gate: BaselineGate,
    samples: Samples,
    new: Sequence[Tile],
    both: Sequence[_Pair],
    window: MeasuringWindow,
    bar: Bar,
) -> BaselineEvidence:
    bad, total = sums([mine for mine, _ in both])
    base_bad, base_total = sums([theirs for _, theirs in both])
    tolerated = None
    if base_total > 0:
        tolerated = statistics.tolerated_share(base_bad, base_total, times=gate.times, points=gate.points)
    return BaselineEvidence(
        measured=measured(samples, window, len(both)),
        base=gate.base,
        bad=bad,
        total=total,
        base_bad=base_bad,
        base_total=base_total,
        tolerated=tolerated,
        upper_bound=statistics.upper_bound(bad, total) if total > 0 else None,
        e_value=statistics.running_share_e_value(_counts(both), times=gate.times),
        alarm=bar.alarm,
        course=course(new),
    )


def _counts(both: Sequence[_Pair]) -> list[tuple[float, float, float, float]]:
    return [(mine.bad or 0.0, mine.total or 0.0, theirs.bad or 0.0, theirs.total or 0.0) for mine, theirs in both]


def _judge(gate: BaselineGate, both: Sequence[_Pair], found: BaselineEvidence, bar: Bar) -> Answer:
    nothing = no_measurement(found.measured)
    if nothing is not None:
        return nothing
    if found.total <= 0 or found.base_total <= 0 or found.tolerated is None:
        where = "here" if found.total <= 0 else f"in {gate.base}"
        return VerdictKind.NO_DATA, f"no traffic {where}, so there is nothing to compare", "traffic"
    compared = _compared(gate, found)
    if _alarms(gate, both, bar):
        return (
            VerdictKind.UNHEALTHY,
            f"{compared}: worse than chance explains",
            "nothing: an alarm stands for this release",
        )
    waits = what_is_missing(found.measured, compared)
    if waits is not None:
        return waits
    upper, tolerated = statistics.upper_bound(found.bad, found.total), format_share(found.tolerated)
    bound = format_share(upper)
    if upper >= found.tolerated:
        reason = f"{compared}: the true share could be as high as {bound}, tolerated is {tolerated}"
        return VerdictKind.NOT_YET, reason, "more traffic with fewer bad events"
    return VerdictKind.HEALTHY, f"{compared}; below {bound} (95 % sure), tolerated is {tolerated}", "an alarm"


def _compared(gate: BaselineGate, found: BaselineEvidence) -> str:
    mine = f"{format_count(found.bad)} of {format_count(found.total)} bad ({format_share(found.bad / found.total)})"
    theirs = format_share(found.base_bad / found.base_total)
    weak = "" if gate.past == NO_TIME else ", a weak comparison"
    return f"{mine} against {theirs} in {gate.base}{weak}"


def _alarms(gate: BaselineGate, both: Sequence[_Pair], bar: Bar) -> bool:
    """Say whether the alarm ever stood, with an effect worth the name, on `in_a_row` successive tiles with traffic."""
    bad = total = base_bad = base_total = 0.0
    standing = []
    e_values = statistics.prefix_share_e_values(_counts(both), times=gate.times)
    for (mine, theirs), e_value in zip(both, e_values, strict=True):
        bad, total = bad + (mine.bad or 0.0), total + (mine.total or 0.0)
        base_bad, base_total = base_bad + (theirs.bad or 0.0), base_total + (theirs.total or 0.0)
        is_effect = statistics.exceeds_effect(bad, total, base_bad, base_total, times=gate.times, points=gate.points)
        # A tile without traffic on one side says nothing of the one before it.
        if mine.total and theirs.total:
            standing.append(e_value >= bar.alarm and bad >= bar.bad_events and is_effect)
    return bar.is_reached(standing)
