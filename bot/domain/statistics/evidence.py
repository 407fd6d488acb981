"""The alarm: an e-process against "the share of bad events is at most the limit", which may be looked at at any time.

An ordinary test that is repeated every minute raises a false alarm sooner or later. An e-process does not: by Ville's
inequality (J. Ville, *Étude critique de la notion de collectif*, 1939), if the share is truly at or below the limit,
the probability that the e-value *ever* reaches A, over all looks together, is at most 1 / A: 5 % at 20, 1 % at 100.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bot.domain.statistics.numbers import LARGEST_COUNT, LARGEST_LOG, log_mean

ALTERNATIVES = (1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
"""How many times the limit the share may be, if it is above it: what the mixture is prepared to see, equally weighted.

The small ones find a slight excess in much traffic, the large ones a plain failure in little.
"""

TILES_FOR_DISPERSION = 10
"""With fewer tiles that had traffic, an estimate of the dispersion is mostly noise."""

CAUTION = 1.0
"""A margin, in standard errors of the dispersion, since errors come in clumps: retries, one broken pod, one client.

Every look takes the dispersion of the tiles so far, and the most alarming look counts: a plain estimate picks the looks
that underestimate it, and says nothing before ten tiles. Simulated at a 1 % limit with 50 to 200 requests a minute for
an hour and every error doubled, the plain estimate raises a false alarm in 9 % of hours at 20 and in 4 % at 100; with
this margin it is 3 % and 0.7 %. The price: five times the limit at one request a second is found within five minutes in
87 % of runs (at 20) instead of 95 %, ten times the limit in all; and an excess in the very first tile must be larger.
"""


def e_value(bad: float, total: float, limit: float) -> float:
    """Weigh `bad` of `total` events against "the share is at most `limit`". Dimensionless; above 0; 1 says nothing.

    The likelihood ratio of each alternative (`ALTERNATIVES` × limit) to the limit, averaged with equal weights. An
    alternative must be a share: one that would pass the middle between the limit and 1 stands there instead, which
    changes nothing for limits below 1.6 %.

    `bad` is taken as at most `total`, which extrapolated counts may miss by a little. Raise ValueError unless
    0 < limit < 1 and both counts are finite and not negative.
    """
    return _bounded(_log_e_value(bad, total, limit))


def deflated_e_value(bad: float, total: float, limit: float, dispersion: float) -> float:
    """Weigh as `e_value` does, with log e divided by the `dispersion` (≥ 1): errors that come in clumps prove less.

    For independent events it is never more than the plain e-value where that speaks for an alarm, so the guarantee
    stays (Jensen's inequality); for clumped ones it is the quasi-likelihood of Wedderburn (1974), an approximation.
    """
    # The quotient is cut to stay finite, never the evidence: after a cut, a total failure would have little left of it.
    return _bounded(_log_e_value(bad, total, limit) / max(1.0, dispersion))


def dispersion(tiles: Iterable[tuple[float, float]]) -> float:
    """Measure how much more than chance the share of bad events varies between tiles of `(bad, total)`; at least 1.

    Pearson's chi² over k - 1 degrees of freedom, with the tiles that had traffic. 1.0 where there are fewer than ten
    of those, or where none or all of the events were bad.
    """
    spread = _Spread()
    for bad, total in tiles:
        spread = spread.with_tile(bad, total)
    return spread.dispersion


def prefix_e_values(tiles: Iterable[tuple[float, float]], limit: float, *, caution: float = 0.0) -> Iterator[float]:
    """Give, for each tile of `(bad, total)`, the deflated e-value of all tiles up to and including it.

    What a look after that tile said: the dispersion is that of the same tiles, so what comes later changes nothing, and
    a bot that was down and catches up comes to the same values. With `caution` (see `CAUTION`) the dispersion is taken
    that many standard errors too high, from the first tile on.
    """
    spread = _Spread()
    for bad, total in tiles:
        spread = spread.with_tile(bad, total)
        deflation = spread.dispersion_with(caution) if caution > 0 else spread.dispersion
        yield deflated_e_value(spread.bad, spread.total, limit, deflation)


def running_e_value(tiles: Iterable[tuple[float, float]], limit: float, *, caution: float = 0.0) -> float:
    """Return the largest e-value that any look so far saw, 1.0 before the first tile: an alarm stays an alarm."""
    return max(prefix_e_values(tiles, limit, caution=caution), default=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spread:
    """What must be remembered of the tiles: their sums, how many had traffic, and the sum of bad² / total."""

    bad: float = 0.0
    total: float = 0.0
    tiles: int = 0
    squares: float = 0.0

    def with_tile(self, bad: float, total: float) -> _Spread:
        """Return what to remember after one more tile. `bad` is taken as at most `total`."""
        if total <= 0:
            return self
        bad = min(bad, total)
        return _Spread(
            bad=self.bad + bad,
            total=self.total + total,
            tiles=self.tiles + 1,
            squares=self.squares + bad * bad / total,
        )

    @property
    def dispersion(self) -> float:
        """The estimate for people: at least 1, and 1 while there are too few tiles to tell."""
        return max(1.0, self._estimate) if self.tiles >= TILES_FOR_DISPERSION else 1.0

    def dispersion_with(self, caution: float) -> float:
        """The estimate plus `caution` standard errors, at least 1. The margin is wide while there are few tiles.

        The standard error of chi² / (k - 1) is the square root of 2 / (k - 1).
        """
        margin = caution * math.sqrt(2 / max(1, self.tiles - 1))
        return max(1.0, self._estimate + margin)

    @property
    def _estimate(self) -> float:
        """Pearson's chi² / (k - 1), 1 where it is not defined: the sum of (bad - n·p)² / (n·p·(1 - p)) over tiles."""
        if self.tiles < 2 or not 0 < self.bad < self.total:
            return 1.0
        share = self.bad / self.total
        if share * (1 - share) <= 0:
            return 1.0
        return (self.squares - self.bad * share) / (share * (1 - share)) / (self.tiles - 1)


def _bounded(log: float) -> float:
    return math.exp(min(LARGEST_LOG, log))


def _log_e_value(bad: float, total: float, limit: float) -> float:
    if not 0 < limit < 1:
        raise ValueError("a limit is a share between 0 and 1")
    if not (0 <= bad < LARGEST_COUNT and 0 <= total < LARGEST_COUNT):
        raise ValueError("counts are finite and not negative")
    bad = min(bad, total)
    ratios = [_log_ratio(bad, total - bad, limit, share) for share in _alternatives(limit)]
    return log_mean(ratios)


def _alternatives(limit: float) -> list[float]:
    return [min(times * limit, (1 + limit) / 2) for times in ALTERNATIVES]


def _log_ratio(bad: float, good: float, limit: float, share: float) -> float:
    return bad * math.log(share / limit) + good * (math.log1p(-share) - math.log1p(-limit))
