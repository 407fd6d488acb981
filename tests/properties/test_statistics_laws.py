"""Laws of the statistics: worse counts never look better, bounds enclose what was seen."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.statistics import (
    deflated_e_value,
    dispersion,
    e_value,
    lower_bound,
    prefix_e_values,
    running_e_value,
    upper_bound,
)

LIMITS = st.floats(1e-5, 0.999)
COUNTS = st.floats(0, 1e6) | st.integers(0, 5000).map(float)
TILES = st.lists(st.tuples(st.floats(0, 500), st.floats(0, 500)), max_size=25)


@settings(deadline=None)
@given(total=COUNTS, first=st.floats(0, 1), second=st.floats(0, 1), limit=LIMITS)
def test_more_errors_never_lower_the_e_value(total: float, first: float, second: float, limit: float) -> None:
    fewer, more = sorted((first * total, second * total))
    assert e_value(fewer, total, limit) <= e_value(more, total, limit) * (1 + 1e-9)


@settings(deadline=None)
@given(total=COUNTS, limit=LIMITS)
def test_no_error_is_never_evidence_of_errors(total: float, limit: float) -> None:
    assert e_value(0, total, limit) <= 1


@settings(deadline=None)
@given(bad=COUNTS, good=COUNTS, more=COUNTS, limit=LIMITS)
def test_more_good_events_never_raise_the_e_value(bad: float, good: float, more: float, limit: float) -> None:
    assert e_value(bad, bad + good + more, limit) <= e_value(bad, bad + good, limit) * (1 + 1e-6)


@settings(deadline=None)
@given(bad=COUNTS, good=COUNTS, limit=LIMITS, factor=st.floats(1, 100))
def test_deflation_pulls_towards_no_evidence(bad: float, good: float, limit: float, factor: float) -> None:
    plain, deflated = e_value(bad, bad + good, limit), deflated_e_value(bad, bad + good, limit, factor)
    assert min(plain, 1) <= deflated * (1 + 1e-9)
    assert deflated <= max(plain, 1) * (1 + 1e-9)


@settings(deadline=None)
@given(limit=LIMITS, total=st.integers(1, 40))
def test_e_value_is_a_fair_bet_at_the_limit(limit: float, total: int) -> None:
    """The mean over what can happen at exactly the limit is 1: the condition of Ville's inequality."""
    mean = math.fsum(
        math.comb(total, bad) * limit**bad * (1 - limit) ** (total - bad) * e_value(bad, total, limit)
        for bad in range(total + 1)
    )
    assert math.isclose(mean, 1, rel_tol=1e-6)


@settings(deadline=None)
@given(tiles=TILES, limit=LIMITS)
def test_an_alarm_stays_an_alarm(tiles: list[tuple[float, float]], limit: float) -> None:
    values = [running_e_value(tiles[:length], limit) for length in range(1, len(tiles) + 1)]
    assert values == sorted(values)
    assert len(list(prefix_e_values(tiles, limit))) == len(tiles)


@settings(deadline=None)
@given(tiles=TILES)
def test_dispersion_is_finite_and_at_least_one(tiles: list[tuple[float, float]]) -> None:
    assert 1 <= dispersion(tiles) < math.inf


@settings(deadline=None)
@given(bad=COUNTS, good=COUNTS)
def test_bounds_enclose_the_share_that_was_seen(bad: float, good: float) -> None:
    if bad + good > 0:
        share = bad / (bad + good)
        assert 0 <= lower_bound(bad, bad + good) <= share * (1 + 1e-9) + 1e-12
        assert share * (1 - 1e-9) <= upper_bound(bad, bad + good) <= 1


@settings(deadline=None)
@given(total=COUNTS, first=st.floats(0, 1), second=st.floats(0, 1))
def test_more_errors_never_lower_a_bound(total: float, first: float, second: float) -> None:
    fewer, more = sorted((first * total, second * total))
    for bound in (upper_bound, lower_bound):
        assert bound(fewer, total) <= bound(more, total) * (1 + 1e-6) + 1e-12


@settings(deadline=None)
@given(bad=COUNTS, good=COUNTS, first=st.floats(0.5, 0.999), second=st.floats(0.5, 0.999))
def test_more_confidence_needs_wider_bounds(bad: float, good: float, first: float, second: float) -> None:
    less, more = sorted((first, second))
    assert upper_bound(bad, bad + good, less) <= upper_bound(bad, bad + good, more) + 1e-12
    assert lower_bound(bad, bad + good, less) >= lower_bound(bad, bad + good, more) - 1e-12
