"""How high, or how low, the true share of bad events could be, given what was counted; and how much must be counted.

The bounds are exact for whole counts (C. Clopper and E. Pearson, "The use of confidence or fiducial limits illustrated
in the case of the binomial", Biometrika 26, 1934) and are continued smoothly between them. They hold for one look: use
the e-process of `evidence` for what is looked at again and again.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from bot.domain.statistics.numbers import NO_EVENT

_TINY = 1e-300
_PRECISION = 1e-13
"""Relative, of a bound."""
_TERMS = 100_000
"""A guard, not a precision: the fraction needs at most about the square root of the count (10,000 at 10⁸ events)."""
_MOST_EVENTS = 1e8
"""Larger counts are scaled down to this: the bound gets wider, never narrower, by less than 0.01 percentage points."""


def upper_bound(bad: float, total: float, confidence: float = 0.95) -> float:
    """Return the share of 1 below which the true share lies with `confidence` (one-sided); 1.0 with no events.

    With no bad event in n it is 1 - (1 - confidence)^(1/n), about 3 / n at 95 %: the rule of three. `bad` is taken as
    at most `total`. Raise ValueError for counts that are negative or not finite, or a confidence outside (0, 1).
    """
    bad, total = _checked(bad, total, confidence)
    if bad >= total:
        return 1.0
    return _solve(lambda share: _beta_share(bad + 1, total - bad, share), confidence)


def lower_bound(bad: float, total: float, confidence: float = 0.95) -> float:
    """Return the share of 1 above which the true share lies with `confidence` (one-sided); 0.0 with no bad event.

    Arguments and errors are those of `upper_bound`.
    """
    bad, total = _checked(bad, total, confidence)
    if bad < NO_EVENT:
        return 0.0
    return _solve(lambda share: _beta_share(bad, total - bad + 1, share), 1 - confidence)


def traffic_floor(limit: float) -> float:
    """Return the least number of events that can prove a share below `limit`: 3 / limit, the rule of three.

    Even without one bad event, fewer leave a one-sided 95 % upper bound above the limit (Hanley and Lippman-Hand,
    "If nothing goes wrong, is everything all right?", JAMA 249, 1983). Raise ValueError unless 0 < limit < 1.
    """
    if not 0 < limit < 1:
        raise ValueError("a limit is a share between 0 and 1")
    return 3 / limit


def _checked(bad: float, total: float, confidence: float) -> tuple[float, float]:
    if not 0 < confidence < 1:
        raise ValueError("a confidence is a share between 0 and 1")
    if not (0 <= bad < math.inf and 0 <= total < math.inf):
        raise ValueError("counts are finite and not negative")
    scale = min(1.0, _MOST_EVENTS / total) if total > 0 else 1.0
    return min(bad, total) * scale, total * scale


def _solve(rising: Callable[[float], float], target: float) -> float:
    """Find where a function that rises from 0 to 1 over [0, 1] reaches `target`, by halving."""
    low, high = 0.0, 1.0
    while low < (middle := (low + high) / 2) < high and high - low > _PRECISION * high:
        if rising(middle) < target:
            low = middle
        else:
            high = middle
    return high


def _beta_share(a: float, b: float, x: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b): the probability that a Beta(a, b) lies below x."""
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    front = math.exp(log_front)
    # The fraction converges fast only below the mean; above it, the mirror image is computed.
    if x < (a + 1) / (a + b + 2):
        return front * _beta_fraction(a, b, x) / a
    return 1 - front * _beta_fraction(b, a, 1 - x) / b


def _beta_fraction(a: float, b: float, x: float) -> float:
    """Evaluate the continued fraction 26.5.8 of Abramowitz and Stegun by Lentz's method, to full precision."""
    numerator = 1.0
    value = denominator = 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    m, change = 0, 2.0
    while m < _TERMS and abs(change - 1) > 1e-15:
        m += 1
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            denominator = 1 / _away_from_zero(1 + term * denominator)
            numerator = _away_from_zero(1 + term / numerator)
            change = numerator * denominator
            value *= change
    return value


def _away_from_zero(number: float) -> float:
    return number if abs(number) > _TINY else _TINY
