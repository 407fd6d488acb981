import math

import pytest

from bot.domain.statistics import lower_bound, traffic_floor, upper_bound


@pytest.mark.parametrize(
    ("bad", "total", "confidence", "lower", "upper"),
    [
        # Two-sided 95 % intervals as printed in tables and by R's binom.test, so one-sided 97.5 %.
        (1, 10, 0.975, 0.002529, 0.445016),
        (5, 10, 0.975, 0.187086, 0.812914),
        (4, 20, 0.975, 0.057334, 0.436614),
        (10, 100, 0.975, 0.049005, 0.176223),
        (0, 10, 0.975, 0.0, 0.308497),
        (10, 10, 0.975, 0.691503, 1.0),
        # One-sided 95 %.
        (0, 20, 0.95, 0.0, 0.139108),
        (2, 20, 0.95, 0.018065, 0.282619),
    ],
)
def test_bounds_are_those_of_clopper_and_pearson(
    bad: int, total: int, confidence: float, lower: float, upper: float
) -> None:
    assert lower_bound(bad, total, confidence) == pytest.approx(lower, abs=2e-6)
    assert upper_bound(bad, total, confidence) == pytest.approx(upper, abs=2e-6)


@pytest.mark.parametrize(("bad", "total"), [(0, 300), (3, 40), (20, 60), (59, 60), (500, 1000)])
def test_bound_is_where_the_binomial_tail_leaves_the_rest_of_the_confidence(bad: int, total: int) -> None:
    def at_most(count: int, share: float) -> float:
        return math.fsum(math.comb(total, k) * share**k * (1 - share) ** (total - k) for k in range(count + 1))

    assert at_most(bad, upper_bound(bad, total)) == pytest.approx(0.05, rel=1e-9)
    if bad:
        assert 1 - at_most(bad - 1, lower_bound(bad, total)) == pytest.approx(0.05, rel=1e-9)


def test_large_counts_come_near_the_normal_bound() -> None:
    assert upper_bound(5e7, 1e8) == pytest.approx(0.5 + 1.644854 * 0.5 / 1e4, abs=1e-8)
    assert lower_bound(5e7, 1e8) == pytest.approx(0.5 - 1.644854 * 0.5 / 1e4, abs=1e-8)


def test_counts_beyond_a_hundred_million_are_scaled_down_and_the_bound_stays_on_the_safe_side() -> None:
    assert upper_bound(5e11, 1e12) == upper_bound(5e7, 1e8)
    assert 3e-12 < upper_bound(3, 1e12) < 1e-7
    assert upper_bound(0, 1e300) < 1e-7


def test_no_events_say_nothing() -> None:
    assert upper_bound(0, 0) == 1.0
    assert lower_bound(0, 0) == 0.0


def test_more_bad_events_than_events_count_as_all() -> None:
    assert upper_bound(10.2, 10) == 1.0
    assert lower_bound(10.2, 10) == lower_bound(10, 10)


@pytest.mark.parametrize("bad_counts", [(-1, 10), (1, -1), (math.nan, 1), (1, math.nan), (1, math.inf), (math.inf, 1)])
def test_impossible_counts_are_an_error(bad_counts: tuple[float, float]) -> None:
    for bound in (upper_bound, lower_bound):
        with pytest.raises(ValueError, match="counts are finite and not negative"):
            bound(*bad_counts)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95, math.nan])
def test_impossible_confidence_is_an_error(confidence: float) -> None:
    with pytest.raises(ValueError, match="a confidence is a share between 0 and 1"):
        upper_bound(1, 2, confidence)


def test_traffic_floor_is_the_rule_of_three() -> None:
    assert traffic_floor(0.01) == pytest.approx(300)
    assert upper_bound(0, traffic_floor(0.01)) < 0.01 < upper_bound(0, 0.99 * traffic_floor(0.01))


@pytest.mark.parametrize("limit", [0.0, 1.0, -0.1, math.nan])
def test_floor_of_an_impossible_limit_is_an_error(limit: float) -> None:
    with pytest.raises(ValueError, match="a limit is a share between 0 and 1"):
        traffic_floor(limit)


def test_a_rounding_error_of_an_event_is_no_event() -> None:
    assert lower_bound(5e-324, 10.0) == 0.0
