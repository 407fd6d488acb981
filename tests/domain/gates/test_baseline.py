"""A release against its baseline: worse by more than chance, by an effect worth the name, two tiles in a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.gates.baseline import judge_baseline
from bot.domain.gates.measuring import REVERT, STOP, Bar
from bot.domain.model import Samples, Trouble
from bot.domain.rules import BaselineGate, Counts
from bot.domain.tiles import MeasuringWindow
from bot.domain.verdicts import BaselineEvidence, Verdict, VerdictKind
from tests.builders import MINUTE, NOON, a_baseline_gate

WINDOW = MeasuringWindow(start=NOON, required_until=NOON + 10 * MINUTE, width=MINUTE)
GATE = a_baseline_gate(name="errors")
Counted = tuple[float | None, float | None, float | None, float | None]
"""Counted and total here, counted and total in the baseline."""

SAME: Counted = (10.0, 1000.0, 10.0, 1000.0)
WORSE: Counted = (100.0, 1000.0, 10.0, 1000.0)
OUTAGE: Counted = (500.0, 1000.0, 500.0, 1000.0)


def some(tiles: Sequence[Counted]) -> Samples:
    roles = ("counted", "total", "base counted", "base total")
    return Samples(
        start=NOON,
        end=NOON + len(tiles) * MINUTE,
        width=MINUTE,
        numbers={role: tuple(tile[at] for tile in tiles) for at, role in enumerate(roles)},
        queries=roles,
        backend="Prometheus",
    )


def judged(*tiles: Counted, gate: BaselineGate = GATE, bar: Bar = STOP) -> Verdict:
    return judge_baseline(gate, some(tiles), WINDOW, bar)


def evidence(verdict: Verdict) -> BaselineEvidence:
    assert isinstance(verdict.evidence, BaselineEvidence)
    return verdict.evidence


def test_the_share_of_the_baseline_over_the_whole_window_is_healthy() -> None:
    verdict = judged(*[SAME] * 10)
    assert verdict.kind is VerdictKind.HEALTHY
    assert verdict.reason.startswith("100 of 10,000 bad (1 %) against 1 % in production; below 1.2 % (95 % sure)")
    assert evidence(verdict).tolerated == pytest.approx(0.015)
    assert evidence(verdict).measured.tiles_present == 10


def test_nothing_is_proven_before_the_window_ends() -> None:
    assert judged(*[SAME] * 9).kind is VerdictKind.NOT_YET


def test_worse_than_the_baseline_in_two_tiles_is_unhealthy() -> None:
    assert judged(WORSE).kind is VerdictKind.NOT_YET
    verdict = judged(WORSE, WORSE)
    assert verdict.kind is VerdictKind.UNHEALTHY
    assert verdict.reason == "200 of 2,000 bad (10 %) against 1 % in production: worse than chance explains"


def test_one_bad_tile_among_good_ones_is_no_alarm() -> None:
    assert judged(SAME, (30.0, 1000.0, 10.0, 1000.0), *[SAME] * 8).kind is not VerdictKind.UNHEALTHY


def test_an_alarm_is_not_forgotten_when_better_counts_follow() -> None:
    good: Counted = (0.0, 100_000.0, 1000.0, 100_000.0)
    assert judged(WORSE, WORSE, *[good] * 8).kind is VerdictKind.UNHEALTHY


def test_an_outage_of_both_says_nothing_against_the_release() -> None:
    for bar in (STOP, REVERT):
        verdict = judged(SAME, OUTAGE, OUTAGE, *[SAME] * 7, bar=bar)
        assert verdict.kind is not VerdictKind.UNHEALTHY


def test_the_first_tile_of_an_outage_that_one_side_saw_earlier_is_no_alarm() -> None:
    early: Counted = (500.0, 1000.0, 10.0, 1000.0)
    late: Counted = (500.0, 1000.0, 900.0, 1000.0)
    assert judged(SAME, early, late).kind is VerdictKind.NOT_YET


def test_a_tile_without_traffic_is_no_second_tile() -> None:
    """It says nothing of the tile before it, which an outage of both may have reached on one side first."""
    early: Counted = (500.0, 1000.0, 10.0, 1000.0)
    for silent in ((0.0, 0.0, 0.0, 1000.0), (0.0, 1000.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0)):
        assert judged(early, silent, silent).kind is VerdictKind.NOT_YET
        assert judged(early, silent, early).kind is VerdictKind.UNHEALTHY


def test_a_difference_that_is_sure_but_small_is_no_alarm() -> None:
    """0.4 points above 0.1 %: five times as much, and still not worth a release."""
    small: Counted = (500.0, 100_000.0, 100.0, 100_000.0)
    assert judged(*[small] * 5).kind is VerdictKind.NOT_YET
    assert judged(*[small] * 5, gate=replace(GATE, points=0.001)).kind is VerdictKind.UNHEALTHY


def test_a_few_times_as_much_is_no_alarm_where_the_policy_tolerates_it() -> None:
    thrice: Counted = (30.0, 1000.0, 10.0, 1000.0)
    assert judged(*[thrice] * 9).kind is VerdictKind.UNHEALTHY
    assert judged(*[thrice] * 9, gate=replace(GATE, times=4.0)).kind is VerdictKind.NOT_YET


def test_a_little_more_than_the_policy_tolerates_may_be_chance() -> None:
    little: Counted = (42.0, 1000.0, 10.0, 1000.0)
    assert judged(*[little] * 9, gate=replace(GATE, times=4.0)).kind is VerdictKind.NOT_YET
    assert judged(*[little] * 9, gate=replace(GATE, times=2.0)).kind is VerdictKind.UNHEALTHY


def test_too_few_bad_events_are_no_alarm() -> None:
    assert judged(*[WORSE] * 3, bar=replace(STOP, bad_events=301)).kind is VerdictKind.NOT_YET
    assert judged(*[WORSE] * 3, bar=replace(STOP, bad_events=200)).kind is VerdictKind.UNHEALTHY


def test_a_share_that_could_be_above_the_tolerated_one_is_not_yet() -> None:
    verdict = judged(*[(1.0, 30.0, 10.0, 1000.0)] * 10)
    assert verdict.kind is VerdictKind.NOT_YET
    assert "the true share could be as high as 5.6 %, and 1.3 % is surely tolerated" in verdict.reason


@pytest.mark.parametrize("bad", [500.0, 1000.0])
def test_a_baseline_that_fails_itself_is_no_measure_of_health(bad: float) -> None:
    verdict = judged(*[(bad, 1000.0, bad, 1000.0)] * 10)
    assert verdict.kind is VerdictKind.CANNOT_TELL
    assert "a baseline that fails itself is no measure of health" in verdict.reason


def test_a_baseline_of_a_few_requests_tolerates_little_for_sure() -> None:
    verdict = judged(*[(40.0, 1000.0, 0.1, 0.5)] * 10)
    assert verdict.kind is VerdictKind.NOT_YET
    assert "against 20 %" in verdict.reason


def test_a_release_that_has_just_become_worse_is_not_healthy_by_its_average() -> None:
    good: Counted = (1.0, 10_000.0, 1.0, 10_000.0)
    worse: Counted = (300.0, 10_000.0, 1.0, 10_000.0)
    verdict = judged(*[good] * 300, worse, bar=replace(STOP, alarm=1e308))
    assert verdict.kind is VerdictKind.NOT_YET
    assert "the newest tiles are bad by themselves" in verdict.reason


# --- what is absent --------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I5")
def test_a_backend_that_fails_cannot_tell() -> None:
    trouble = Trouble(system="Prometheus", sentence="connection refused")
    assert judge_baseline(GATE, trouble, WINDOW, STOP).kind is VerdictKind.CANNOT_TELL


def test_before_the_window_opens_it_is_not_yet() -> None:
    assert judge_baseline(GATE, None, WINDOW, STOP).kind is VerdictKind.NOT_YET


@pytest.mark.invariant("I5")
@pytest.mark.parametrize(
    "tile",
    [(None, None, None, None), (0.0, 100.0, None, None), (None, None, 0.0, 100.0)],
    ids=["neither", "only here", "only there"],
)
def test_a_tile_counts_only_where_both_sides_were_measured(tile: Counted) -> None:
    assert judged(*[tile] * 10).kind is VerdictKind.NO_DATA
    verdict = judged(*[SAME] * 7, *[tile] * 3)
    assert (verdict.kind, verdict.reason) == (VerdictKind.NO_DATA, "only 7 of 10 looks found data")


@pytest.mark.invariant("I5")
@pytest.mark.parametrize(
    ("tile", "where"), [((0.0, 0.0, 10.0, 1000.0), "here"), ((0.0, 1000.0, 0.0, 0.0), "in production")]
)
def test_without_traffic_on_both_sides_there_is_nothing_to_compare(tile: Counted, where: str) -> None:
    verdict = judged(*[tile] * 10)
    assert verdict.kind is VerdictKind.NO_DATA
    assert verdict.reason == f"no traffic {where}, so there is nothing to compare"


def test_errors_are_zero_where_requests_were_counted() -> None:
    assert judged(*[(None, 1000.0, None, 1000.0)] * 10).kind is VerdictKind.HEALTHY
    assert judged(*[(50.0, 1000.0, None, 1000.0)] * 3).kind is VerdictKind.UNHEALTHY


def test_good_events_are_counted_on_both_sides() -> None:
    fast = replace(GATE, counts=Counts.GOOD)
    assert judged(*[(990.0, 1000.0, 990.0, 1000.0)] * 10, gate=fast).kind is VerdictKind.HEALTHY
    assert judged(*[(900.0, 1000.0, 990.0, 1000.0)] * 3, gate=fast).kind is VerdictKind.UNHEALTHY


def test_a_comparison_with_the_past_is_called_weak() -> None:
    weak = replace(GATE, past=timedelta(days=7), base="itself 7d ago")
    assert " against 1 % in itself 7d ago, a weak comparison; " in judged(*[SAME] * 10, gate=weak).reason
    assert [ask.back for ask in weak.asks.values()] == [timedelta(0), timedelta(0), weak.past, weak.past]


def test_a_baseline_looks_at_nothing_before_the_release() -> None:
    assert not GATE.reach


def test_an_outage_of_both_sides_that_goes_on_now_proves_nothing() -> None:
    down: Counted = (1000.0, 1000.0, 1000.0, 1000.0)
    verdict = judged(*[SAME] * 50, *[down] * 5)
    assert verdict.kind is VerdictKind.CANNOT_TELL


def test_a_baseline_that_has_just_gone_is_no_data() -> None:
    assert judged(*[SAME] * 50, *[(1000.0, 1000.0, None, None)] * 5).kind is VerdictKind.NO_DATA


def test_traffic_that_has_just_ended_is_no_health() -> None:
    verdict = judged(*[SAME] * 50, *[(0.0, 0.0, 10.0, 1000.0)] * 5)
    assert verdict.kind is VerdictKind.NO_DATA
    assert "no traffic in the newest 5 tiles" in verdict.reason


def test_the_e_value_of_the_evidence_agrees_with_the_alarm() -> None:
    for tiles in ([WORSE], [WORSE, WORSE], [SAME] * 9):
        verdict = judged(*tiles)
        is_alarm = evidence(verdict).e_value >= evidence(verdict).alarm
        assert is_alarm is (verdict.kind is VerdictKind.UNHEALTHY)
