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
    silence,
    sums,
    what_is_missing,
)
from bot.domain.model import Samples, Tile, Trouble
from bot.domain.rules import NO_TIME, BaselineGate, Counts
from bot.domain.text import format_count, format_share
from bot.domain.tiles import MeasuringWindow
from bot.domain.verdicts import BaselineEvidence, Measured, Verdict, VerdictKind

_IN_A_ROW = 2
_ILL = 0.5
"""From which share of bad events on a baseline says nothing: who is no worse than a failure may be one, too."""
_Pair = tuple[Tile, Tile]


def judge_baseline(gate: BaselineGate, samples: Samples | Trouble | None, window: MeasuringWindow, bar: Bar) -> Verdict:
    """Judge the tiles seen so far. `samples` is None before the first tile could be asked for."""
    bar = replace(bar, in_a_row=max(_IN_A_ROW, bar.in_a_row))
    found = opened(gate.name, samples, window)
    if isinstance(found, Verdict):
        return found
    if gate.counts is Counts.GOOD and has_no_bucket(found.numbers["counted"], found.numbers["total"]):
        return no_bucket(gate.name, found)
    new, base = count_tiles(found, gate.counts), count_tiles(found, gate.counts, base="base ")
    pairs = list(zip(new, base, strict=True))
    both = [pair for pair in pairs if _is_measured(pair)]
    evidence = _weigh(
        gate,
        both,
        measured=measured(found, window, [_is_measured(pair) for pair in pairs]),
        e_value=bar.strongest(_e_values(gate, both, bar)),
        alarm=bar.alarm,
    )
    evidence = replace(evidence, course=course(new))
    kind, reason, change = _judge(gate, both, evidence)
    return Verdict(gate=gate.name, kind=kind, reason=reason, would_change=change, evidence=evidence)


def _is_measured(pair: _Pair) -> bool:
    return None not in (pair[0].total, pair[1].total)


def _weigh(
    gate: BaselineGate, both: Sequence[_Pair], *, measured: Measured, e_value: float, alarm: float
) -> BaselineEvidence:
    bad, total = sums([mine for mine, _ in both])
    base_bad, base_total = sums([theirs for _, theirs in both])
    tolerated = None
    if base_total > 0:
        tolerated = statistics.tolerated_share(base_bad, base_total, times=gate.times, points=gate.points)
    return BaselineEvidence(
        measured=measured,
        base=gate.base,
        bad=bad,
        total=total,
        base_bad=base_bad,
        base_total=base_total,
        tolerated=tolerated,
        upper_bound=statistics.upper_bound(bad, total) if total > 0 else None,
        e_value=e_value,
        alarm=alarm,
    )


def _counts(both: Sequence[_Pair]) -> list[tuple[float, float, float, float]]:
    return [(mine.bad or 0.0, mine.total or 0.0, theirs.bad or 0.0, theirs.total or 0.0) for mine, theirs in both]


def _judge(gate: BaselineGate, both: Sequence[_Pair], found: BaselineEvidence) -> Answer:
    nothing = no_measurement(found.measured)
    if nothing is not None:
        return nothing
    if found.total <= 0 or found.base_total <= 0:
        where = "here" if found.total <= 0 else f"in {gate.base}"
        return VerdictKind.NO_DATA, f"no traffic {where}, so there is nothing to compare", "traffic"
    compared = _compared(gate, found)
    if found.e_value >= found.alarm:
        reason = f"{compared}: worse than chance explains"
        return VerdictKind.UNHEALTHY, reason, "nothing: an alarm stands for this release"
    if _is_ill(both) or _is_ill(both[-NEWEST:]):
        reason = f"{compared}: a baseline that fails itself is no measure of health"
        return VerdictKind.CANNOT_TELL, reason, f"fewer bad events in {gate.base}"
    waits = what_is_missing(found.measured, compared)
    if waits is None and _is_just_bad(gate, both):
        waits = just_bad(compared)
    if waits is None and fell_silent([mine for mine, _ in both]):
        waits = silence(compared)
    return waits or _prove(gate, found, compared)


def _is_ill(both: Sequence[_Pair]) -> bool:
    bad, total = sums([theirs for _, theirs in both])
    return total > 0 and bad >= _ILL * total


def _prove(gate: BaselineGate, found: BaselineEvidence, compared: str) -> Answer:
    """Compare what the new share could be at most with what is tolerated if the baseline's is as low as it could be."""
    lowest = statistics.lower_bound(found.base_bad, found.base_total) * found.base_total
    tolerated = statistics.tolerated_share(lowest, found.base_total, times=gate.times, points=gate.points)
    upper = statistics.upper_bound(found.bad, found.total)
    bound, limit = format_share(upper), format_share(tolerated)
    if upper >= tolerated:
        reason = f"{compared}: the true share could be as high as {bound}, and {limit} is surely tolerated"
        return VerdictKind.NOT_YET, reason, "more traffic with fewer bad events"
    return VerdictKind.HEALTHY, f"{compared}; below {bound} (95 % sure), {limit} is surely tolerated", "an alarm"


def _is_just_bad(gate: BaselineGate, both: Sequence[_Pair]) -> bool:
    newest = [pair for pair in both if pair[0].total and pair[1].total][-NEWEST:]
    counts = [sum(count) for count in zip(*_counts(newest), strict=True)] or [0.0] * 4
    is_effect = statistics.exceeds_effect(*counts, times=gate.times, points=gate.points)
    return is_effect and statistics.running_share_e_value(_counts(newest), times=gate.times, caution=0.0) >= STOP.alarm


def _compared(gate: BaselineGate, found: BaselineEvidence) -> str:
    mine = f"{format_count(found.bad)} of {format_count(found.total)} bad ({format_share(found.bad / found.total)})"
    theirs = format_share(found.base_bad / found.base_total)
    weak = "" if gate.past == NO_TIME else ", a weak comparison"
    return f"{mine} against {theirs} in {gate.base}{weak}"


def _e_values(gate: BaselineGate, both: Sequence[_Pair], bar: Bar) -> list[float]:
    """Return the e-value at each tile with traffic on both sides; 1 without an effect worth the name.

    A tile without traffic on one side says nothing of the one before it.
    """
    bad = total = base_bad = base_total = 0.0
    found = []
    e_values = statistics.prefix_share_e_values(_counts(both), times=gate.times)
    for (mine, theirs), e_value in zip(both, e_values, strict=True):
        bad, total = bad + (mine.bad or 0.0), total + (mine.total or 0.0)
        base_bad, base_total = base_bad + (theirs.bad or 0.0), base_total + (theirs.total or 0.0)
        is_effect = statistics.exceeds_effect(bad, total, base_bad, base_total, times=gate.times, points=gate.points)
        if mine.total and theirs.total:
            found.append(e_value if bad >= bar.bad_events and is_effect else min(1.0, e_value))
    return found
