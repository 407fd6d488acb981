"""The gate kinds: counts, Argo CD healthy, Argo CD degraded; and the table that combines them."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from bot.domain.argo import Application, Deployed, HealthSpell, Mark, MarkKind, NoApplication, Operation
from bot.domain.gates.argocd_degraded import judge_degraded
from bot.domain.gates.argocd_healthy import judge_argocd_healthy
from bot.domain.gates.counts import judge_counts
from bot.domain.gates.measuring import REVERT, STOP, Bar
from bot.domain.liveness import Liveness
from bot.domain.model import Carries, Samples, Trouble
from bot.domain.rules import ArgoHealthyGate, DegradedTrigger
from bot.domain.stance import Stance
from bot.domain.tiles import MeasuringWindow
from bot.domain.verdicts import CountEvidence, Verdict, VerdictKind, combine, worst
from tests.builders import (
    HEAD,
    IMAGE,
    MINUTE,
    NEW,
    NOON,
    OLD,
    a_change,
    a_count_gate,
    a_stage,
    a_window,
    an_application,
    liveness_of,
    samples,
    tags,
)

START = NOON + 3 * MINUTE
WINDOW = MeasuringWindow(start=START, required_until=START + 10 * MINUTE, width=MINUTE)


def judged(seen: Samples | Trouble | None, *, limit: float = 0.01, bar: Bar = STOP) -> Verdict:
    return judge_counts(a_count_gate(limit=limit), seen, WINDOW, bar)


def test_a_window_of_enough_good_requests_is_healthy() -> None:
    verdict = judged(samples(*[(0.0, 100.0)] * 10))
    assert verdict.kind is VerdictKind.HEALTHY
    assert isinstance(verdict.evidence, CountEvidence)
    assert (verdict.evidence.bad, verdict.evidence.total, verdict.evidence.measured.tiles_present) == (0, 1000, 10)
    assert verdict.reason.startswith("0 of 1,000 bad")


def test_before_the_window_opens_it_is_not_yet() -> None:
    assert judged(None).kind is VerdictKind.NOT_YET
    assert "12:03:00 UTC" in judged(samples()).reason


def test_an_unfinished_window_is_not_yet_however_good() -> None:
    verdict = judged(samples(*[(0.0, 10_000.0)] * 9))
    assert verdict.kind is VerdictKind.NOT_YET
    assert verdict.would_change == "window ends 12:13:00 UTC"


@pytest.mark.invariant("I5")
def test_a_backend_that_fails_cannot_tell() -> None:
    verdict = judged(Trouble(system="Prometheus", sentence="connection refused"))
    assert verdict.kind is VerdictKind.CANNOT_TELL
    assert "connection refused" in verdict.reason


@pytest.mark.invariant("I5")
def test_no_series_at_all_is_no_data() -> None:
    assert judged(samples(*[None] * 10)).kind is VerdictKind.NO_DATA


def test_no_traffic_is_no_data() -> None:
    verdict = judged(samples(*[(0.0, 0.0)] * 10))
    assert verdict.kind is VerdictKind.NO_DATA
    assert "no traffic" in verdict.reason


def test_a_window_with_too_many_gaps_is_no_data() -> None:
    gaps = [(0.0, 1000.0)] * 7 + [None] * 3
    assert judged(samples(*gaps)).kind is VerdictKind.NO_DATA
    assert judged(samples(*gaps[7:9], *gaps[:7], (0.0, 1000.0))).kind is VerdictKind.HEALTHY


def test_a_service_whose_series_have_just_gone_is_no_data_however_good_it_was() -> None:
    verdict = judged(samples(*[(0.0, 1000.0)] * 58, None, None))
    assert (verdict.kind, verdict.reason) == (VerdictKind.NO_DATA, "2 of the newest 5 looks found no data")
    assert judged(samples(*[(0.0, 1000.0)] * 59, None)).kind is VerdictKind.HEALTHY


def test_traffic_that_has_just_ended_is_no_health() -> None:
    verdict = judged(samples(*[(0.0, 1000.0)] * 50, *[(0.0, 0.0)] * 5))
    assert verdict.kind is VerdictKind.NO_DATA
    assert "no traffic in the newest 5 tiles" in verdict.reason
    assert judged(samples(*[(0.0, 3.0)] * 200, *[(0.0, 0.0)] * 5)).kind is VerdictKind.HEALTHY


def test_too_little_traffic_is_not_yet_and_says_how_much_is_missing() -> None:
    verdict = judged(samples(*[(0.0, 10.0)] * 10))
    assert verdict.kind is VerdictKind.NOT_YET
    assert verdict.would_change == "needs 200 more events"


def test_an_upper_bound_over_the_limit_is_not_yet() -> None:
    verdict = judged(samples(*[(0.4, 40.0)] * 10))
    assert verdict.kind is VerdictKind.NOT_YET
    assert "could be as high as" in verdict.reason


def test_an_alarm_is_unhealthy_before_the_window_ends() -> None:
    assert judged(samples((20.0, 100.0))).kind is VerdictKind.UNHEALTHY


def test_an_alarm_is_not_forgotten_when_better_counts_follow() -> None:
    verdict = judged(samples((20.0, 100.0), *[(0.0, 100_000.0)] * 9))
    assert verdict.kind is VerdictKind.UNHEALTHY


def test_a_lone_error_never_alarms() -> None:
    assert judged(samples((1.0, 1.0)), limit=0.001).kind is VerdictKind.NOT_YET


def test_the_revert_bar_needs_two_tiles_in_a_row() -> None:
    assert judged(samples((50.0, 100.0)), bar=REVERT).kind is VerdictKind.NOT_YET
    assert judged(samples((50.0, 100.0), (50.0, 100.0)), bar=REVERT).kind is VerdictKind.UNHEALTHY


def test_the_revert_bar_is_higher_than_the_stop_bar() -> None:
    counts = samples((3.0, 50.0), (3.0, 50.0))
    assert judged(counts, bar=STOP).kind is VerdictKind.UNHEALTHY
    assert judged(counts, bar=REVERT).kind is VerdictKind.NOT_YET


# --- argocd-healthy --------------------------------------------------------------------------------------------------

GATE = ArgoHealthyGate(name="argocd-healthy")


@pytest.mark.parametrize(
    ("stance", "kind"),
    [
        (Stance.UNHEALTHY, VerdictKind.UNHEALTHY),
        (Stance.CANNOT_TELL, VerdictKind.CANNOT_TELL),
        (Stance.WAITING, VerdictKind.NOT_YET),
    ],
)
def test_a_stage_that_is_not_live_is_never_argocd_healthy(stance: Stance, kind: VerdictKind) -> None:
    liveness = Liveness(stance=stance, reason="why", applications=(), proof_since=NOON)
    verdict = judge_argocd_healthy(GATE, liveness, a_window(), NOON + 600 * MINUTE)
    assert (verdict.kind, verdict.reason) == (kind, "why")


def test_argocd_healthy_needs_the_whole_window() -> None:
    liveness = Liveness(stance=Stance.LIVE, reason="live", applications=(), proof_since=NOON)
    window = a_window(length=30 * MINUTE, warmup=2 * MINUTE)
    assert judge_argocd_healthy(GATE, liveness, window, NOON + 31 * MINUTE).kind is VerdictKind.NOT_YET
    assert judge_argocd_healthy(GATE, liveness, window, NOON + 32 * MINUTE).kind is VerdictKind.HEALTHY


# --- argocd-degraded -------------------------------------------------------------------------------------------------

TRIGGER = DegradedTrigger(name="argocd-degraded", lasting=3 * MINUTE)
ILL = replace(an_application(), health="Degraded", health_since=NOON, health_message="CrashLoopBackOff")


def degraded(
    *applications: Application | NoApplication | Trouble,
    minutes: float,
    spells: tuple[HealthSpell, ...] = (),
    carries: Carries = Carries.YES,
) -> Verdict:
    history, now = tags(a_change(NEW, old=OLD)), NOON + minutes * MINUTE
    seen = a_stage("staging", history, applications=applications, spells=spells, carries={HEAD: carries})
    return judge_degraded(TRIGGER, seen, liveness_of(seen, history, now), NOON, now)


def test_degraded_for_the_whole_time_fires() -> None:
    verdict = degraded(ILL, minutes=3)
    assert verdict.kind is VerdictKind.UNHEALTHY
    assert "CrashLoopBackOff" in verdict.reason


def test_degraded_for_less_than_the_time_does_not_fire_yet() -> None:
    assert degraded(ILL, minutes=2.9).kind is VerdictKind.NOT_YET


def test_healthy_does_not_fire() -> None:
    assert degraded(an_application(), NoApplication(name="x"), minutes=60).kind is VerdictKind.HEALTHY


def test_an_argocd_that_does_not_answer_never_fires() -> None:
    trouble = Trouble(system="Argo CD", sentence="no answer")
    assert degraded(trouble, minutes=60).kind is VerdictKind.CANNOT_TELL
    assert degraded(trouble, ILL, minutes=1).kind is VerdictKind.CANNOT_TELL


def test_an_application_that_does_not_run_the_release_says_nothing_about_it() -> None:
    assert degraded(ILL, minutes=60, carries=Carries.BEHIND).kind is VerdictKind.HEALTHY
    assert degraded(replace(ILL, operation=None), minutes=60).kind is VerdictKind.HEALTHY


def test_illness_from_before_the_release_is_told_and_not_its_fault() -> None:
    earlier = replace(ILL, health_since=NOON - 60 * MINUTE)
    assert degraded(earlier, minutes=2).kind is VerdictKind.NOT_YET
    verdict = degraded(earlier, minutes=4)
    assert (verdict.kind, verdict.began_before) == (VerdictKind.UNHEALTHY, True)
    assert "since 11:00:00 UTC, before the release came" in verdict.reason


OPERATION = ILL.operation or Operation(phase="", revisions=())
# Degraded for an hour, and …                      | what it says of the release
NOT_THE_RELEASE = [
    pytest.param(replace(ILL, reconciled_at=NOON), id="not looked at since the sync: the health of before"),
    pytest.param(replace(ILL, reconciled_at=None), id="never looked at"),
    pytest.param(
        replace(ILL, operation=replace(OPERATION, phase="Running", finished_at=None), reconciled_at=NOON),
        id="not looked at since the sync began",
    ),
    pytest.param(replace(ILL, operation=replace(OPERATION, is_partial=True)), id="a dry run of the release"),
    pytest.param(
        replace(ILL, operation=replace(OPERATION, phase="Running", finished_at=None), images=(f"{IMAGE}:{OLD}",)),
        id="a hook runs before anything is applied",
    ),
    pytest.param(
        replace(ILL, operation=replace(OPERATION, phase="Failed"), images=(f"{IMAGE}:{OLD}",)),
        id="a first sync that applied nothing",
    ),
    pytest.param(
        replace(ILL, operation=replace(OPERATION, phase="Running", finished_at=None), images=()),
        id="a sync that runs, and nobody says which images",
    ),
    pytest.param(
        replace(ILL, operation=replace(OPERATION, phase="Running", started_at=None)), id="a sync of unknown begin"
    ),
]


@pytest.mark.parametrize("app", NOT_THE_RELEASE)
def test_an_illness_that_may_be_of_the_release_before_says_nothing(app: Application) -> None:
    assert degraded(app, minutes=60).kind is VerdictKind.HEALTHY


@pytest.mark.parametrize("phase", ["Running", "Failed"])
def test_a_release_that_never_becomes_healthy_is_ill_while_its_first_sync_goes_on(phase: str) -> None:
    stuck = replace(ILL, operation=replace(OPERATION, phase=phase), health_since=NOON + MINUTE)
    assert degraded(stuck, minutes=3).kind is VerdictKind.NOT_YET
    assert degraded(stuck, minutes=4).kind is VerdictKind.UNHEALTHY


def test_self_heal_does_not_start_the_time_of_an_illness_again() -> None:
    at = NOON + 30 * MINUTE
    healed = replace(OPERATION, is_partial=True, started_at=at, finished_at=at)
    history = (Deployed(revisions=(HEAD,), at=NOON, number=0),)
    ill = replace(ILL, operation=healed, history=history, reconciled_at=at + MINUTE, health_since=NOON + MINUTE)
    verdict = degraded(ill, minutes=32)
    assert verdict.kind is VerdictKind.UNHEALTHY
    assert "Degraded for 31m" in verdict.reason


def test_without_argocds_timestamp_the_bots_own_looks_tell_what_was_ill_before() -> None:
    ill = replace(ILL, health_since=None)
    spell = HealthSpell(
        application=ill.name, health="Degraded", first_seen=NOON - 60 * MINUTE, last_seen=NOON + 4 * MINUTE
    )
    verdict = degraded(ill, minutes=4, spells=(spell,))
    assert (verdict.kind, verdict.began_before) == (VerdictKind.UNHEALTHY, True)


def test_a_second_attempt_to_sync_a_bad_release_does_not_make_its_illness_an_older_one() -> None:
    again = replace(OPERATION, phase="Running", started_at=NOON + 6 * MINUTE, finished_at=None)
    ill = replace(ILL, operation=again, health_since=NOON + 2 * MINUTE, reconciled_at=NOON + 7 * MINUTE)
    history, now = tags(a_change(NEW, old=OLD)), NOON + 8 * MINUTE
    mark = Mark(application=ill.name, kind=MarkKind.SAW, at=NOON + MINUTE)
    seen = a_stage("staging", history, applications=(ill,), carries={HEAD: Carries.YES}, marks=(mark,))
    verdict = judge_degraded(TRIGGER, seen, liveness_of(seen, history, now), NOON, now)
    assert (verdict.kind, verdict.began_before) == (VerdictKind.UNHEALTHY, False)


def test_what_is_missing_for_the_trigger_to_fire_is_told() -> None:
    assert degraded(ILL, minutes=1).would_change.startswith("2m more of it")


@pytest.mark.parametrize("minutes", [3, 4])
def test_an_illness_of_the_release_is_not_hidden_by_an_older_one_elsewhere(minutes: float) -> None:
    old = replace(ILL, name="checkout-eu", health_since=NOON - 60 * MINUTE)
    verdict = degraded(old, ILL, minutes=minutes)
    assert (verdict.kind, verdict.began_before) == (VerdictKind.UNHEALTHY, False)
    assert verdict.reason.startswith("checkout-staging: ")


def test_without_argocds_timestamp_the_bots_own_looks_count() -> None:
    ill = replace(ILL, health_since=None, health_message="")
    spell = HealthSpell(application=ill.name, health="Degraded", first_seen=NOON + MINUTE, last_seen=NOON + 3 * MINUTE)
    assert degraded(ill, minutes=4, spells=(spell,)).kind is VerdictKind.UNHEALTHY
    assert degraded(ill, minutes=3, spells=(spell,)).kind is VerdictKind.NOT_YET
    assert degraded(ill, minutes=60, spells=(replace(spell, health="Healthy"),)).kind is VerdictKind.NOT_YET
    assert degraded(ill, minutes=60).kind is VerdictKind.NOT_YET


# --- combining -------------------------------------------------------------------------------------------------------


def a_verdict(kind: VerdictKind) -> Verdict:
    return Verdict(gate=str(kind), kind=kind, reason="r")


@pytest.mark.parametrize("kinds", list(product(VerdictKind, repeat=3)), ids="/".join)
def test_the_combined_verdict_follows_the_table(kinds: tuple[VerdictKind, ...]) -> None:
    for expected in ("unhealthy", "cannot tell", "no data", "not yet"):
        if expected in kinds:
            break
    else:
        expected = "healthy"
    verdicts = [a_verdict(kind) for kind in kinds]
    assert combine(verdicts) == expected
    assert worst(verdicts).kind == expected


def test_no_gates_prove_nothing() -> None:
    assert combine([]) is VerdictKind.NO_DATA
    with pytest.raises(ValueError, match="no verdicts"):
        worst([])
