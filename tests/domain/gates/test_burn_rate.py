"""The error budget: it burns when two windows say so, and a release is not blamed for what burned before it came."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.gates.burn_rate import judge_burn_rate
from bot.domain.gates.measuring import REVERT, STOP, Bar
from bot.domain.model import Samples, Trouble
from bot.domain.rules import BURN_WINDOWS, BurnRateGate, BurnWindow, Counts
from bot.domain.tiles import MeasuringWindow
from bot.domain.verdicts import BurnEvidence, Verdict, VerdictKind
from tests.builders import MINUTE, NOON, a_burn_gate

START = NOON + 20 * MINUTE
WINDOW = MeasuringWindow(start=START, required_until=START + 10 * MINUTE, width=MINUTE)
WITH_PAST = replace(WINDOW, before=(START - 12 * MINUTE, START - 2 * MINUTE))
"""Ten tiles before the release, two in between, and then the release's own."""

PAIR = BurnWindow(long=10 * MINUTE, short=2 * MINUTE, factor=10.0)
GATE = a_burn_gate(window=PAIR)
Counted = tuple[float | None, float | None] | None

GOOD: Counted = (0.0, 1000.0)
EDGE: Counted = (100.1, 1000.0)
"""Just over ten times the budget, the pair's factor."""
BURNS: Counted = (200.0, 1000.0)


def some(*tiles: Counted, window: MeasuringWindow = WINDOW) -> Samples:
    pairs = [tile or (None, None) for tile in tiles]
    return Samples(
        start=window.first,
        end=window.first + len(tiles) * MINUTE,
        width=MINUTE,
        numbers={"counted": tuple(one for one, _ in pairs), "total": tuple(total for _, total in pairs)},
        queries=("bad", "total"),
        backend="Prometheus",
    )


def judged(*tiles: Counted, gate: BurnRateGate = GATE, bar: Bar = STOP) -> Verdict:
    return judge_burn_rate(gate, some(*tiles), WINDOW, bar)


def after(*before: Counted, own: tuple[Counted, ...] = (BURNS,) * 3, gate: BurnRateGate = GATE) -> Verdict:
    """Judge tiles of which the first ten are from before the release."""
    assert len(before) == 10
    return judge_burn_rate(gate, some(*before, GOOD, GOOD, *own, window=WITH_PAST), WITH_PAST, STOP)


def evidence(verdict: Verdict) -> BurnEvidence:
    assert isinstance(verdict.evidence, BurnEvidence)
    return verdict.evidence


# --- over the window -------------------------------------------------------------------------------------------------


def test_a_budget_that_is_hardly_spent_is_healthy() -> None:
    verdict = judged(*[(1.0, 1000.0)] * 10)
    assert verdict.kind is VerdictKind.HEALTHY
    assert verdict.reason == "10 of 10,000 bad; the true share is below 0.17 % (95 % sure), and 10 % burns"


def test_nothing_is_proven_before_the_window_ends() -> None:
    assert judged(*[GOOD] * 9).kind is VerdictKind.NOT_YET


def test_a_share_that_could_burn_is_not_yet() -> None:
    verdict = judged(*[(0.0, 2.0)] * 10)
    assert verdict.kind is VerdictKind.NOT_YET
    assert verdict.reason == "0 of 20 bad: the true share could be as high as 13.9 %, and 10 % burns"


def test_the_slowest_pair_says_what_would_burn() -> None:
    slow = replace(GATE, windows=(PAIR, replace(PAIR, factor=2.0, long=60 * MINUTE)))
    assert "2 % burns" in judged(*[GOOD] * 10, gate=slow).reason


def test_it_burns_where_both_windows_are_above_the_factor() -> None:
    assert judged(EDGE).kind is VerdictKind.UNHEALTHY
    assert judged((99.9, 1000.0)).kind is VerdictKind.NOT_YET


def test_a_long_window_alone_does_not_burn() -> None:
    """Nothing for two minutes, and then nobody needs to be woken."""
    tiles = (GOOD, (1000.0, 1000.0), GOOD, GOOD)
    bar = replace(STOP, in_a_row=3)
    assert judged(*tiles, bar=bar).kind is VerdictKind.NOT_YET
    assert judged(*tiles, bar=replace(bar, in_a_row=2)).kind is VerdictKind.UNHEALTHY


def test_a_short_window_alone_does_not_burn() -> None:
    assert judged(*[GOOD] * 9, BURNS).kind is not VerdictKind.UNHEALTHY


def test_any_pair_that_burns_is_enough() -> None:
    slow = BurnWindow(long=30 * MINUTE, short=5 * MINUTE, factor=5.0)
    two = replace(GATE, windows=(PAIR, slow))
    assert judged(*[(60.0, 1000.0)] * 3).kind is VerdictKind.NOT_YET
    assert judged(*[(60.0, 1000.0)] * 3, gate=two).kind is VerdictKind.UNHEALTHY


def test_windows_reach_no_further_back_than_the_release() -> None:
    verdict = after(*[BURNS] * 10, own=(GOOD,) * 10)
    assert (verdict.kind, verdict.began_before) == (VerdictKind.HEALTHY, False)
    assert (evidence(verdict).bad, evidence(verdict).total) == (0, 10_000)


def test_a_window_says_how_much_of_it_the_release_has_lived_through() -> None:
    assert [burn.covered for burn in evidence(judged(GOOD, None, GOOD)).burns] == [3 * MINUTE]
    assert [burn.covered for burn in evidence(judged(*[GOOD] * 14)).burns] == [PAIR.long]


def test_a_few_bad_events_do_not_burn() -> None:
    assert judged((9.0, 10.0)).kind is VerdictKind.NOT_YET
    assert judged((10.0, 10.0)).kind is VerdictKind.UNHEALTHY
    assert judged((9.0, 10.0), gate=replace(GATE, least_bad=9)).kind is VerdictKind.UNHEALTHY


def test_taking_back_needs_two_tiles() -> None:
    assert judged(BURNS, bar=REVERT).kind is VerdictKind.NOT_YET
    assert judged(BURNS, BURNS, bar=REVERT).kind is VerdictKind.UNHEALTHY


def test_a_tile_that_was_not_measured_is_no_second_tile() -> None:
    assert judged(BURNS, None, bar=REVERT).kind is VerdictKind.NOT_YET


def test_an_alarm_is_not_forgotten_and_says_how_it_burned_then() -> None:
    verdict = judged(BURNS, *[(0.0, 100_000.0)] * 14)
    assert verdict.kind is VerdictKind.UNHEALTHY
    assert "the error budget of 99 % is spent 20 times too fast over 1m, and 10 times is too much" in verdict.reason


def test_the_pair_that_burns_is_the_one_that_is_named() -> None:
    slow = BurnWindow(long=30 * MINUTE, short=5 * MINUTE, factor=5.0)
    verdict = judged(*[(60.0, 1000.0)] * 3, gate=replace(GATE, windows=(PAIR, slow)))
    assert "6 times too fast over 3m, and 5 times is too much" in verdict.reason


def test_the_usual_windows_reach_back_six_hours() -> None:
    usual = replace(GATE, objective=0.999, windows=BURN_WINDOWS)
    assert usual.reach == 360 * MINUTE
    assert judged(*[(5.0, 1000.0)] * 10, gate=usual).kind is VerdictKind.NOT_YET
    assert judged(*[(6.1, 1000.0)] * 10, gate=usual).kind is VerdictKind.UNHEALTHY


def test_good_events_are_counted() -> None:
    fast = replace(GATE, counts=Counts.GOOD)
    assert judged(*[(1000.0, 1000.0)] * 10, gate=fast).kind is VerdictKind.HEALTHY
    assert judged((800.0, 1000.0), gate=fast).kind is VerdictKind.UNHEALTHY


# --- what is absent --------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I5")
def test_a_backend_that_fails_cannot_tell() -> None:
    trouble = Trouble(system="Prometheus", sentence="connection refused")
    assert judge_burn_rate(GATE, trouble, WINDOW, STOP).kind is VerdictKind.CANNOT_TELL


def test_before_the_window_opens_it_is_not_yet_even_where_the_past_was_measured() -> None:
    assert judge_burn_rate(GATE, None, WINDOW, STOP).kind is VerdictKind.NOT_YET
    past = some(*[BURNS] * 12, window=WITH_PAST)
    assert judge_burn_rate(GATE, past, WITH_PAST, STOP).kind is VerdictKind.NOT_YET


@pytest.mark.invariant("I5")
def test_no_series_at_all_is_no_data() -> None:
    assert judged(*[None] * 10).kind is VerdictKind.NO_DATA
    assert after(*[GOOD] * 10, own=(None,) * 10).kind is VerdictKind.NO_DATA


@pytest.mark.invariant("I5")
def test_no_traffic_is_no_data() -> None:
    verdict = judged(*[(0.0, 0.0)] * 10)
    assert (verdict.kind, verdict.would_change) == (VerdictKind.NO_DATA, "traffic")
    assert [(burn.long_rate, burn.short_rate) for burn in evidence(verdict).burns] == [(None, None)]


def test_a_window_with_too_many_gaps_is_no_data() -> None:
    assert judged(*[GOOD] * 7, None, None, None).kind is VerdictKind.NO_DATA
    assert judged(*[GOOD] * 2, None, None, *[GOOD] * 6).kind is VerdictKind.HEALTHY


# --- before the release ----------------------------------------------------------------------------------------------


def test_what_burned_when_the_release_came_began_before() -> None:
    verdict = after(*[BURNS] * 10)
    assert (verdict.kind, verdict.began_before) == (VerdictKind.UNHEALTHY, True)
    assert verdict.reason.endswith("; it burned before this release came")
    assert [burn.before for burn in evidence(verdict).burns] == [pytest.approx(20.0)]


def test_what_did_not_burn_when_the_release_came_is_the_releases() -> None:
    verdict = after(*[GOOD] * 10)
    assert (verdict.kind, verdict.began_before) == (VerdictKind.UNHEALTHY, False)
    assert "before this release" not in verdict.reason


def test_nothing_that_was_measured_before_makes_it_the_releases() -> None:
    assert not after(*[None] * 10).began_before
    assert not judged(BURNS).began_before


def test_what_had_ended_when_the_release_came_did_not_begin_before() -> None:
    """The long window before the release still remembers an outage; the short one says that it was over."""
    outage = [(500.0, 1000.0)] * 6
    verdict = after(*outage, *[GOOD] * 4)
    assert evidence(verdict).burns[0].before == pytest.approx(30.0)
    assert (verdict.kind, verdict.began_before) == (VerdictKind.UNHEALTHY, False)
    assert after(*[GOOD] * 4, *outage).began_before


def test_a_lone_error_in_little_traffic_before_the_release_is_no_excuse_for_it() -> None:
    """One of five requests is twenty times too fast, and would not burn after the release either."""
    quiet: Counted = (0.0, 1.0)
    verdict = after(*[None] * 5, *[quiet] * 4, (1.0, 1.0))
    assert (verdict.kind, verdict.began_before) == (VerdictKind.UNHEALTHY, False)


def test_a_short_window_that_burns_now_is_not_healthy_by_the_long_one() -> None:
    verdict = judged(*[GOOD] * 10, BURNS, BURNS)
    assert verdict.kind is VerdictKind.NOT_YET
    assert verdict.reason == "400 of 12,000 bad, but the newest tiles are bad by themselves"


def test_a_slow_burn_of_before_does_not_excuse_a_fast_one_of_now() -> None:
    slow = replace(PAIR, factor=2.0)
    both = replace(GATE, windows=(PAIR, slow))
    mild: Counted = (30.0, 1000.0)
    verdict = after(*[mild] * 10, own=(BURNS,) * 3, gate=both)
    assert (verdict.kind, verdict.began_before) == (VerdictKind.UNHEALTHY, False)
    assert after(*[mild] * 10, own=(mild,) * 6, gate=both).began_before


def test_what_once_was_the_releases_stays_so_whatever_burns_later() -> None:
    """A bot that was down for the ten minutes comes to the same as one that saw them."""
    slow = replace(PAIR, factor=2.0)
    both = replace(GATE, windows=(PAIR, slow))
    mild: Counted = (30.0, 1000.0)
    for later in (0, 10, 40):
        verdict = after(*[mild] * 10, own=((BURNS,) * 10) + (mild,) * later, gate=both)
        assert (verdict.kind, verdict.began_before) == (VerdictKind.UNHEALTHY, False), later


def test_a_lone_error_in_the_newest_tiles_is_no_burn() -> None:
    assert judged(*[(0.0, 1000.0)] * 60, (1.0, 5.0)).kind is VerdictKind.HEALTHY
