"""Judge how fast an error budget is spent (gate kind `burn-rate`).

It burns when both windows of a pair are above the pair's factor: the long one says that it matters, the short one that
it goes on (Site Reliability Workbook, chapter 5). Windows reach no further back than the release, and enough bad
events must have been seen. Where the budget burned already before the release came, that is said, and a person is
told instead of anything being taken back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import accumulate

from bot.domain import statistics
from bot.domain.gates.measuring import (
    STOP,
    Answer,
    Bar,
    count_tiles,
    course,
    has_no_bucket,
    just_bad,
    measured,
    no_bucket,
    no_measurement,
    opened,
    present_tiles,
    sums,
    what_is_missing,
)
from bot.domain.model import Samples, Tile, Trouble
from bot.domain.rules import BurnRateGate, BurnWindow, Counts
from bot.domain.text import format_count, format_duration, format_limit, format_number, format_share
from bot.domain.tiles import MeasuringWindow
from bot.domain.verdicts import Burn, BurnEvidence, Verdict, VerdictKind


def judge_burn_rate(
    gate: BurnRateGate, samples: Samples | Trouble | None, window: MeasuringWindow, bar: Bar
) -> Verdict:
    """Judge the tiles seen so far. `samples` is None before the first tile could be asked for."""
    found = opened(gate.name, samples, window)
    if isinstance(found, Verdict):
        return found
    if gate.counts is Counts.GOOD and has_no_bucket(found.numbers["counted"], found.numbers["total"]):
        return no_bucket(gate.name, found)
    tiles = count_tiles(found, gate.counts)
    own = [tile for tile in tiles if tile.start >= window.start]
    before = [tile for tile in tiles if window.before is not None and tile.end <= window.before[1]]
    evidence = _weigh(gate, found, own, before, window)
    kind, reason, change = _judge(gate, own, evidence, bar)
    is_older = kind is VerdictKind.UNHEALTHY and _burned_before(gate, own, before, bar)
    return Verdict(
        gate=gate.name,
        kind=kind,
        reason=f"{reason}; it burned before this release came" if is_older else reason,
        would_change=change,
        evidence=evidence,
        began_before=is_older,
    )


def _weigh(
    gate: BurnRateGate, samples: Samples, own: Sequence[Tile], before: Sequence[Tile], window: MeasuringWindow
) -> BurnEvidence:
    present = present_tiles(own)
    bad, total = sums(present)
    spending, earlier = _Spending.of(own), _Spending.of(before)
    return BurnEvidence(
        measured=measured(samples, window, [tile.total is not None for tile in own]),
        objective=gate.objective,
        bad=bad,
        total=total,
        upper_bound=statistics.upper_bound(bad, total) if total > 0 else None,
        burns=tuple(
            _burn(gate, pair, spending, len(own), before=_rate(gate, earlier.last(len(before), pair.long)))
            for pair in gate.windows
        ),
        course=course(own),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spending:
    """Counts of successive tiles, added up, so that any stretch of them is a difference."""

    width: timedelta
    bad: tuple[float, ...]
    total: tuple[float, ...]

    @classmethod
    def of(cls, tiles: Sequence[Tile]) -> _Spending:
        width = tiles[0].width if tiles else timedelta(minutes=1)
        bad = accumulate((tile.bad or 0.0 for tile in tiles), initial=0.0)
        return cls(width=width, bad=tuple(bad), total=tuple(accumulate((t.total or 0.0 for t in tiles), initial=0.0)))

    def last(self, seen: int, length: timedelta) -> tuple[float, float]:
        """Return bad and total of the last `length` of the first `seen` tiles."""
        first = max(0, seen - length // self.width)
        return self.bad[seen] - self.bad[first], self.total[seen] - self.total[first]


def _burn(gate: BurnRateGate, pair: BurnWindow, spending: _Spending, seen: int, *, before: float | None = None) -> Burn:
    """Return how fast the budget was spent when `seen` tiles of the release had been seen."""
    inside = spending.last(seen, pair.long)
    return Burn(
        long=pair.long,
        short=pair.short,
        covered=min(pair.long, seen * spending.width),
        factor=pair.factor,
        long_rate=_rate(gate, inside),
        short_rate=_rate(gate, spending.last(seen, pair.short)),
        before=before,
        bad=inside[0],
    )


def _rate(gate: BurnRateGate, counts: tuple[float, float]) -> float | None:
    """Return how many times too fast the budget is spent; None without traffic."""
    bad, total = counts
    return bad / total / (1 - gate.objective) if total > 0 else None


def _burned_before(gate: BurnRateGate, own: Sequence[Tile], before: Sequence[Tile], bar: Bar) -> bool:
    """Say whether all that burned burned when the release came, too, by the same windows.

    What had ended by then does not count, and a slow burn of before does not excuse a fast one of after. What once was
    the release's stays so, whatever burns later.
    """
    burning = _burning(gate, before)
    then = {(burn.long, burn.short, burn.factor) for burn in burning[-1]} if burning else set()
    new = [any((burn.long, burn.short, burn.factor) not in then for burn in burns) for burns in _burning(gate, own)]
    return not bar.is_reached(new)


def _judge(gate: BurnRateGate, own: Sequence[Tile], found: BurnEvidence, bar: Bar) -> Answer:
    nothing = no_measurement(found.measured)
    if nothing is not None:
        return nothing
    counted = f"{format_count(found.bad)} of {format_count(found.total)} bad"
    burning = _burning(gate, own)
    if bar.is_reached([bool(burns) for burns in burning]):
        return (
            VerdictKind.UNHEALTHY,
            f"{counted}: {_newest(gate, burning)}",
            "nothing: an alarm stands for this release",
        )
    if found.total <= 0:
        return VerdictKind.NO_DATA, "no traffic: nothing was requested, so nothing is proven", "traffic"
    return what_is_missing(found.measured, counted) or _prove(gate, found, counted)


def _prove(gate: BurnRateGate, found: BurnEvidence, counted: str) -> Answer:
    if any((burn.short_rate or 0.0) >= burn.factor and burn.bad >= STOP.bad_events for burn in found.burns):
        return just_bad(counted)
    limit = min(pair.factor for pair in gate.windows) * (1 - gate.objective)
    bound = statistics.upper_bound(found.bad, found.total)
    if bound >= limit:
        reason = f"{counted}: the true share could be as high as {format_share(bound)}, and {format_share(limit)} burns"
        return VerdictKind.NOT_YET, reason, "more traffic with fewer bad events"
    reason = f"{counted}; the true share is below {format_share(bound)} (95 % sure), and {format_share(limit)} burns"
    return VerdictKind.HEALTHY, reason, "an alarm"


def _burning(gate: BurnRateGate, tiles: Sequence[Tile]) -> list[tuple[Burn, ...]]:
    """Return, for each tile that had traffic, the pairs that burned when it had been seen."""
    spending = _Spending.of(tiles)
    return [
        tuple(burn for burn in _burns(gate, spending, seen) if _is_burning(burn, gate.least_bad))
        for seen, tile in enumerate(tiles, start=1)
        if tile.total
    ]


def _burns(gate: BurnRateGate, spending: _Spending, seen: int) -> list[Burn]:
    return [_burn(gate, pair, spending, seen) for pair in gate.windows]


def _is_burning(burn: Burn, least_bad: float) -> bool:
    rates = (burn.long_rate, burn.short_rate)
    return burn.bad >= least_bad and all(rate is not None and rate >= burn.factor for rate in rates)


def _severity(burn: Burn) -> float:
    return (burn.long_rate or 0.0) / burn.factor


def _last(burning: Sequence[tuple[Burn, ...]]) -> tuple[Burn, ...]:
    return [burns for burns in burning if burns][-1]


def _newest(gate: BurnRateGate, burning: Sequence[tuple[Burn, ...]]) -> str:
    """Say which pair of windows burns most, and how fast; where it has passed, how it was when it last burned."""
    burn = max(_last(burning), key=_severity)
    rate = format_number(burn.long_rate or 0.0)
    return (
        f"the error budget of {format_limit(gate.objective)} is spent {rate} times too fast over "
        f"{format_duration(burn.covered)}, and {format_number(burn.factor)} times is too much"
    )
