"""A value and its bound: k of n tiles, a hard limit, sums of events, and what was so before the release."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.gates.measuring import REVERT, STOP, Bar
from bot.domain.gates.values import judge_values
from bot.domain.model import Numbers, Samples, Trouble
from bot.domain.rules import Side, ValueGate
from bot.domain.tiles import MeasuringWindow
from bot.domain.verdicts import ValueEvidence, Verdict, VerdictKind
from tests.builders import MINUTE, NOON, a_value_gate

START = NOON + 10 * MINUTE
WINDOW = MeasuringWindow(start=START, required_until=START + 10 * MINUTE, width=MINUTE)
WITH_PAST = replace(WINDOW, before=(START - 8 * MINUTE, START - 3 * MINUTE))
"""Five tiles before the release, three in between, and then the release's own."""

GATE = a_value_gate()
RESTARTS = replace(GATE, bound=2.0, is_sum=True)
G, B, H = 1.0, 11.0, 101.0
"""Good, beyond the bound, beyond a hard limit of 100."""


def some(*values: float | None, alive: Numbers | None = None, window: MeasuringWindow = WINDOW) -> Samples:
    numbers: dict[str, Numbers] = {"value": values}
    return Samples(
        start=window.first,
        end=window.first + len(values) * MINUTE,
        width=MINUTE,
        numbers=numbers if alive is None else numbers | {"alive": alive},
        queries=("lag",),
        backend="Prometheus",
    )


def judged(*values: float | None, gate: ValueGate = GATE, bar: Bar = STOP, alive: Numbers | None = None) -> Verdict:
    return judge_values(gate, some(*values, alive=alive), WINDOW, bar)


def after(*before: float | None, own: Numbers = (B,) * 5, gate: ValueGate = GATE) -> Verdict:
    """Judge values of which the first five are from before the release."""
    return judge_values(gate, some(*before, G, G, G, *own, window=WITH_PAST), WITH_PAST, STOP)


def evidence(verdict: Verdict) -> ValueEvidence:
    assert isinstance(verdict.evidence, ValueEvidence)
    return verdict.evidence


# --- over the window -------------------------------------------------------------------------------------------------


def test_values_within_the_bound_for_the_whole_window_are_healthy() -> None:
    verdict = judged(*[G] * 9, 4.0)
    assert verdict.kind is VerdictKind.HEALTHY
    assert verdict.reason == "4 now, 4 at the worst; bad is above 10"


def test_a_value_at_its_bound_is_not_beyond_it() -> None:
    assert judged(*[10.0] * 10).kind is VerdictKind.HEALTHY
    assert judged(*[10.0] * 10, gate=replace(GATE, side=Side.BELOW)).kind is VerdictKind.HEALTHY


def test_good_values_prove_nothing_before_the_window_ends() -> None:
    verdict = judged(*[G] * 9)
    assert (verdict.kind, verdict.would_change) == (VerdictKind.NOT_YET, "window ends 12:20:00 UTC")


def test_a_window_with_too_many_gaps_is_no_data() -> None:
    assert judged(*[G] * 7, None, None, None).kind is VerdictKind.NO_DATA
    assert judged(*[G] * 2, None, None, *[G] * 6).kind is VerdictKind.HEALTHY


@pytest.mark.invariant("I5")
def test_no_series_at_all_is_no_data() -> None:
    verdict = judged(*[None] * 10)
    assert verdict.kind is VerdictKind.NO_DATA
    assert (evidence(verdict).last, evidence(verdict).worst) == (None, None)


@pytest.mark.invariant("I5")
def test_values_before_the_release_are_no_measurement_of_it() -> None:
    assert after(*[G] * 5, own=(None,) * 10).kind is VerdictKind.NO_DATA


@pytest.mark.invariant("I5")
def test_a_backend_that_fails_cannot_tell() -> None:
    verdict = judge_values(GATE, Trouble(system="Prometheus", sentence="connection refused"), WINDOW, STOP)
    assert verdict.kind is VerdictKind.CANNOT_TELL


def test_before_the_window_opens_it_is_not_yet_even_where_the_past_was_measured() -> None:
    assert judge_values(GATE, None, WINDOW, STOP).kind is VerdictKind.NOT_YET
    past = some(*[B] * 8, window=WITH_PAST)
    verdict = judge_values(GATE, past, WITH_PAST, STOP)
    assert (verdict.kind, verdict.reason) == (VerdictKind.NOT_YET, "counting starts at 12:10:00 UTC")


# --- k of n tiles ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [(B, G, G, G, G, G), (G, B, B, G, G, G), (B, G, G, B, G, B), (B, B, G, G, G, B)],
    ids=["one", "two", "three of six", "three of six, two in a row"],
)
def test_a_lone_spike_does_not_alarm_three_of_five(values: Numbers) -> None:
    assert judged(*values).kind is VerdictKind.NOT_YET


@pytest.mark.parametrize(
    "values",
    [(B, B, B), (B, G, B, G, B), (G, G, B, B, G, G, B), (G, B, G, None, B, B)],
    ids=["in a row", "every other", "later", "around a gap"],
)
def test_three_of_five_alarm_before_the_window_ends(values: Numbers) -> None:
    verdict = judged(*values)
    assert verdict.kind is VerdictKind.UNHEALTHY
    assert "11 at the worst, above 10 in 3 tiles" in verdict.reason


def test_an_alarm_is_not_forgotten_when_better_values_follow() -> None:
    assert judged(B, B, B, *[G] * 7).kind is VerdictKind.UNHEALTHY


def test_a_spike_that_does_not_alarm_is_told_at_the_end() -> None:
    verdict = judged(G, B, B, *[G] * 7)
    assert verdict.kind is VerdictKind.HEALTHY
    assert verdict.reason == "1 now, 11 at the worst, 2 tiles beyond the bound; bad is above 10"


def test_taking_back_needs_the_alarm_on_two_tiles() -> None:
    assert judged(B, B, B, bar=REVERT).kind is VerdictKind.NOT_YET
    assert judged(B, B, B, B, bar=REVERT).kind is VerdictKind.UNHEALTHY
    one_of_one = replace(GATE, bad_tiles=1, of_tiles=1)
    assert judged(B, G, B, G, gate=one_of_one, bar=REVERT).kind is VerdictKind.NOT_YET
    assert judged(G, B, B, gate=one_of_one, bar=REVERT).kind is VerdictKind.UNHEALTHY


def test_once_beyond_the_hard_limit_is_enough_to_stop() -> None:
    hard = replace(GATE, hard=100.0)
    assert judged(G, H, gate=hard).kind is VerdictKind.UNHEALTHY
    assert judged(G, H).kind is VerdictKind.NOT_YET
    assert judged(G, 100.0, gate=hard).kind is VerdictKind.NOT_YET


def test_once_beyond_the_hard_limit_is_not_enough_to_take_back() -> None:
    hard = replace(GATE, hard=100.0)
    assert judged(G, H, G, gate=hard, bar=REVERT).kind is VerdictKind.NOT_YET
    assert judged(G, H, H, gate=hard, bar=REVERT).kind is VerdictKind.UNHEALTHY


def test_a_value_that_must_not_be_low_is_worst_at_its_lowest() -> None:
    low = replace(GATE, side=Side.BELOW, hard=0.0)
    assert judged(*[50.0] * 10, gate=low).kind is VerdictKind.HEALTHY
    verdict = judged(50.0, 3.0, 5.0, 4.0, gate=low)
    assert (verdict.kind, evidence(verdict).worst) == (VerdictKind.UNHEALTHY, 3.0)
    assert judged(50.0, -1.0, gate=low).kind is VerdictKind.UNHEALTHY


# --- events ----------------------------------------------------------------------------------------------------------


def test_events_count_by_their_sum_over_the_window() -> None:
    assert judged(1.0, 0.0, 1.0, *[0.0] * 7, gate=RESTARTS).kind is VerdictKind.HEALTHY
    verdict = judged(1.0, 0.0, 1.0, 0.0, 0.5, gate=RESTARTS)
    assert (verdict.kind, verdict.reason) == (VerdictKind.UNHEALTHY, "2.5 in the window, and bad is above 2")
    assert evidence(verdict).last == 2.5


def test_a_sum_says_so_while_the_window_is_open() -> None:
    assert judged(1.0, 0.0, gate=RESTARTS).reason == "1 in the window so far; window ends 12:20:00 UTC"


def test_taking_back_for_a_sum_needs_one_more_tile() -> None:
    assert judged(3.0, gate=RESTARTS, bar=REVERT).kind is VerdictKind.NOT_YET
    assert judged(3.0, 0.0, gate=RESTARTS, bar=REVERT).kind is VerdictKind.UNHEALTHY


@pytest.mark.invariant("I5")
def test_no_series_is_zero_only_where_the_source_was_measured() -> None:
    lives, gone = (5.0,) * 10, (None,) * 10
    silent = (None,) * 10
    assert judged(*silent, gate=RESTARTS, alive=lives).kind is VerdictKind.HEALTHY
    assert judged(*silent, gate=RESTARTS, alive=gone).kind is VerdictKind.NO_DATA
    assert judged(*silent, gate=RESTARTS).kind is VerdictKind.NO_DATA
    half = (*[5.0] * 5, *[None] * 5)
    assert judged(*silent, gate=RESTARTS, alive=half).kind is VerdictKind.NO_DATA


def test_a_value_counts_where_the_source_was_not_seen_alive() -> None:
    assert judged(3.0, None, gate=RESTARTS, alive=(None, None)).kind is VerdictKind.UNHEALTHY


# --- before the release ----------------------------------------------------------------------------------------------

# | broken before          | newest tile before it | broken now | began before |
# |------------------------|-----------------------|------------|--------------|
# | three of five          | beyond                | yes        | yes          |
# | three of five          | within                | yes        | yes          |
# | fewer                  | beyond                | yes        | yes          |
# | fewer                  | within                | yes        | no           |
# | three of five          | any                   | no         | no           |


@pytest.mark.parametrize(
    ("before", "began_before"),
    [
        ((B, B, B, B, B), True),
        ((B, B, B, G, G), True),
        ((G, G, G, B, B), True),
        ((B, B, G, G, G), False),
        ((G, G, G, G, G), False),
        ((None, None, None, None, None), False),
        ((B, B, B, None, None), True),
    ],
)
def test_what_was_broken_when_the_release_came_began_before(before: Numbers, began_before: bool) -> None:
    verdict = after(*before)
    assert (verdict.kind, verdict.began_before) == (VerdictKind.UNHEALTHY, began_before)
    assert verdict.reason.endswith("it was so before this release came") is began_before


def test_what_is_not_broken_now_began_at_no_time() -> None:
    verdict = after(*[B] * 5, own=(G,) * 10)
    assert (verdict.kind, verdict.began_before) == (VerdictKind.HEALTHY, False)


def test_tiles_before_the_release_do_not_count_against_it() -> None:
    verdict = after(*[B] * 5, own=(B, B, *[G] * 8))
    assert verdict.kind is VerdictKind.HEALTHY
    assert evidence(verdict).tiles_beyond == 2
    assert len(evidence(verdict).course) == evidence(verdict).measured.tiles_expected == 10


def test_a_sum_looks_at_nothing_before_the_release() -> None:
    assert not RESTARTS.reach
    assert GATE.reach == 5 * MINUTE
    assert not judged(3.0, gate=RESTARTS).began_before


def test_a_spike_before_the_release_does_not_excuse_an_illness_of_long_after() -> None:
    verdict = after(G, G, G, G, B, own=(*[G] * 20, B, B, B))
    assert (verdict.kind, verdict.began_before) == (VerdictKind.UNHEALTHY, False)
    assert after(G, G, G, G, B, own=(B, B, B)).began_before


def test_a_value_that_is_beyond_its_bound_just_now_is_not_healthy() -> None:
    verdict = judged(*[G] * 9, B)
    assert verdict.kind is VerdictKind.NOT_YET
    assert "the newest tiles are bad by themselves" in verdict.reason
