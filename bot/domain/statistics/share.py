"""Is the new version worse than the one it runs beside? An e-process for two shares, which may be looked at any time.

What enters are tiles of counts of both versions, taken at the same time from the same traffic; what leaves is an
e-value against "the new share is at most `times` the baseline's", and whether the difference is one to care about.
Unlike the alarm of `evidence` it needs no limit: the baseline says what is usual, tile by tile, so that an outage that
hits both versions alike, or traffic that shifts from one to the other, proves nothing. It never says that a release is
good, only that it is worse than its neighbour.

The test looks at bad events alone: each fell to one version or the other. Where the new share is `times` the baseline's
(the edge of the null hypothesis), it fell to the new version with probability

    w = times * new_total / (times * new_total + base_total)

whatever the share is just then (J. Przyborowski and H. Wilenski, "Homogeneity of results in testing samples from
Poisson series", Biometrika 31, 1940). The likelihood ratio of larger odds to these is an e-value, tile for tile; by
Ville's inequality their product is an alarm that is false with probability at most 1 / A, over all looks together. That
holds for large shares, too, since for a binomial count E[x^count] ≤ exp((x - 1)·E[count]), as if it were Poisson's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bot.domain.statistics.evidence import ALTERNATIVES, CAUTION
from bot.domain.statistics.numbers import LARGEST_COUNT, LARGEST_LOG, NO_EVENT, log_mean

EFFECT_TIMES = 1.2
"""How many times the baseline's share the new version may have before anyone cares.

Two versions are never quite alike: fresh pods have cold caches and new connections, and sit on other nodes. With enough
traffic a test without this margin finds such a difference for sure, and each time it would be a release taken back for
nothing.
"""

EFFECT_POINTS = 0.005
"""How much more than the baseline's share, as a share of 1 (0.5 percentage points), before anyone cares.

Five times almost nothing is still almost nothing: from 0.01 % to 0.05 % is no reason to take a release back. An
absolute limit is what finds a small share that is too much all the same.
"""

PairedTiles = Iterable[tuple[float, float, float, float]]
"""`(new_bad, new_total, base_bad, base_total)` of each tile: counts of one stretch of time, in both versions."""


def running_share_e_value(tiles: PairedTiles, *, times: float = EFFECT_TIMES, caution: float = CAUTION) -> float:
    """Return the largest e-value that any look so far saw, 1.0 before the first tile: an alarm stays an alarm."""
    return max(prefix_share_e_values(tiles, times=times, caution=caution), default=1.0)


def prefix_share_e_values(
    tiles: PairedTiles, *, times: float = EFFECT_TIMES, caution: float = CAUTION
) -> Iterator[float]:
    """Give, for each tile, the e-value of all tiles up to and including it: what a look after that tile said.

    Tiles come oldest first and do not overlap. Those without traffic in one version, or without a bad event in either,
    change nothing. `bad` is taken as at most `total`, which extrapolated counts may miss by a little. The logarithm is
    divided by the dispersion of the tiles so far, taken `caution` standard errors too high (see `evidence.CAUTION`);
    for independent events that only ever lowers an alarm, so the guarantee stays.

    Ask for two looks in a row before acting: the counters of two versions are not read at the same moment, so that the
    first tile of an outage of both may hold more of it in one than in the other. The next tile sets that right.

    Raise ValueError, when iterated, for counts that are negative or not finite, or for `times` below 1.
    """
    _check_times(times)
    telling: list[_Split] = []
    ratios = [0.0] * len(ALTERNATIVES)
    log_e, dispersion = 0.0, 1.0
    for new_bad, new_total, base_bad, base_total in tiles:
        split = _split(new_bad, new_total, base_bad, base_total)
        if split is not None:
            telling.append(split)
            ratios = [sum_ + split.log_ratio(times, odds) for sum_, odds in zip(ratios, ALTERNATIVES, strict=True)]
            if _is_time_to_estimate(len(telling)):
                dispersion = _dispersion(telling, caution)
            log_e = min(LARGEST_LOG, log_mean(ratios) / dispersion)
        yield math.exp(log_e)


def tolerated_share(
    base_bad: float, base_total: float, *, times: float = EFFECT_TIMES, points: float = EFFECT_POINTS
) -> float:
    """Return the share of 1 that the new version may have before anyone cares, given what the baseline has.

    It is the larger of `times` the baseline's share and that share plus `points`: both must be passed to be an effect.
    It stays below 1, so that it can stand where a limit is asked for. Raise ValueError if the baseline had no events,
    for counts that are negative or not finite, `times` below 1, or `points` outside [0, 1].
    """
    return min(_tolerance(base_bad, base_total, times, points), math.nextafter(1.0, 0.0))


def exceeds_effect(
    new_bad: float,
    new_total: float,
    base_bad: float,
    base_total: float,
    *,
    times: float = EFFECT_TIMES,
    points: float = EFFECT_POINTS,
) -> bool:
    """Say whether the observed new share is above the tolerated one; False where either version had no events.

    A baseline that fails almost always leaves no room to be worse by an effect: two versions that both fail entirely
    are alike, although the tolerated share stays below 1. Errors are those of `tolerated_share`.
    """
    new_bad, new_total = _checked(new_bad, new_total)
    base_bad, base_total = _checked(base_bad, base_total)
    if min(new_total, base_total) <= 0:
        return False
    return new_bad / new_total > _tolerance(base_bad, base_total, times, points)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Split:
    """How the bad events of one tile, and its traffic, fell to the two versions; the traffic as parts of 1."""

    new_bad: float
    base_bad: float
    new_part: float
    base_part: float

    def log_ratio(self, times: float, odds: float) -> float:
        """The log-likelihood ratio of `odds` times the odds to the odds at the edge of the null hypothesis.

        With w' = odds·w / (1 - w + odds·w), new·log(w' / w) + base·log((1 - w') / (1 - w)) comes down to this.
        """
        edge = times * self.new_part / (times * self.new_part + self.base_part)
        return self.new_bad * math.log(odds) - (self.new_bad + self.base_bad) * math.log1p((odds - 1) * edge)

    def chi_squared(self, times: float) -> float:
        """Pearson's term, where the new share is `times` the baseline's: (new - n·p)² / (n·p·(1 - p))."""
        count = self.new_bad + self.base_bad
        part = times * self.new_part / (times * self.new_part + self.base_part)
        variance = count * part * (1 - part)
        surprise = self.new_bad - count * part
        return surprise / variance * surprise if variance > 0 else 0.0


def _split(new_bad: float, new_total: float, base_bad: float, base_total: float) -> _Split | None:
    """Return what the test looks at in a tile, None if there is nothing."""
    new_bad, new_total = _checked(new_bad, new_total)
    base_bad, base_total = _checked(base_bad, base_total)
    if min(new_total, base_total) < NO_EVENT or new_bad + base_bad < NO_EVENT:
        return None
    total = new_total + base_total
    return _Split(new_bad=new_bad, base_bad=base_bad, new_part=new_total / total, base_part=base_total / total)


def _dispersion(splits: Sequence[_Split], caution: float) -> float:
    """Measure how much more than chance the split of bad events varies, `caution` standard errors up; at least 1."""
    margin = caution * math.sqrt(2 / max(1, len(splits) - 1))
    return max(1.0, _pearson(splits) + margin)


def _is_time_to_estimate(tiles: int) -> bool:
    """Say whether the dispersion is estimated anew: at each tile, and of many at each that adds a hundredth.

    An estimate goes through all tiles; at each of the ten thousand of a week it would take minutes.
    """
    return tiles % max(1, tiles // 100) == 0


def _pearson(splits: Sequence[_Split]) -> float:
    """Pearson's chi² / (k - 1) around the ratio of the shares that the tiles have in common; 1 if there is none.

    The ratio is that of N. Mantel and W. Haenszel (1959): where all tiles split their traffic alike, it is the ratio of
    the sums; where they do not, an outage at a time of other traffic does not distort it, as it would distort the sums.
    """
    new = sum(split.new_bad * split.base_part for split in splits)
    base = sum(split.base_bad * split.new_part for split in splits)
    if len(splits) < 2 or new <= 0 or base <= 0:
        return 1.0
    times = new / base
    return sum(split.chi_squared(times) for split in splits) / (len(splits) - 1)


def _tolerance(base_bad: float, base_total: float, times: float, points: float) -> float:
    _check_times(times)
    if not 0 <= points <= 1:
        raise ValueError("points are a share between 0 and 1")
    bad, total = _checked(base_bad, base_total)
    if total <= 0:
        raise ValueError("a baseline without events tolerates nothing")
    return max(times * bad / total, bad / total + points)


def _check_times(times: float) -> None:
    if not 1 <= times < math.inf:
        raise ValueError("times is a finite number of at least 1")


def _checked(bad: float, total: float) -> tuple[float, float]:
    if not (0 <= bad < LARGEST_COUNT and 0 <= total < LARGEST_COUNT):
        raise ValueError("counts are finite and not negative")
    return min(bad, total), total
