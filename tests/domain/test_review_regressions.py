"""Bugs of the health engine that a review found before anyone met them, each under its name."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain import statistics
from bot.domain.argo import Deployed
from bot.domain.decide import decide
from bot.domain.decision import RollBack, State
from bot.domain.gates.baseline import judge_baseline
from bot.domain.gates.burn_rate import judge_burn_rate
from bot.domain.gates.counts import judge_counts
from bot.domain.gates.judging import judge_gates
from bot.domain.gates.measuring import REVERT, STOP
from bot.domain.model import Samples, Trouble
from bot.domain.observed import gate_measurements, trigger_measurements
from bot.domain.policy import Policy
from bot.domain.rules import Counts
from bot.domain.tiles import MeasuringWindow
from bot.domain.verdicts import CountEvidence, VerdictKind
from tests.builders import (
    HEAD,
    MINUTE,
    NEW,
    NOON,
    OLD,
    a_baseline_gate,
    a_burn_gate,
    a_change,
    a_count_gate,
    a_policy,
    a_rollback,
    a_stage,
    a_value_gate,
    an_application,
    an_observation,
    liveness_of,
    new_production,
    old_production,
    promoted,
    samples,
    tags,
)

START = NOON + 3 * MINUTE
GOOD, DOWN = (0.0, 1000.0), (1000.0, 1000.0)


def a_window(*, minutes: int = 10, length: timedelta | None = None) -> MeasuringWindow:
    return MeasuringWindow(start=START, required_until=START + minutes * MINUTE, width=MINUTE, length=length)


@pytest.mark.parametrize("good", [1, 6, 30, 55])
def test_a_total_outage_after_good_minutes_takes_a_release_back(good: int) -> None:
    """The evidence was cut to stay finite before it was divided by the dispersion, which left nothing of it."""
    found = samples(*[GOOD] * good, *[DOWN] * 20)
    assert judge_counts(a_count_gate(limit=0.02), found, a_window(minutes=60), REVERT).kind is VerdictKind.UNHEALTHY


def test_evidence_beyond_what_a_float_holds_stays_finite_and_large() -> None:
    assert statistics.deflated_e_value(1e9, 1e9, 0.01, 1e6) > 1e100
    assert math.isfinite(statistics.e_value(1e9, 1e9, 0.01))


def test_counts_too_small_for_a_share_have_no_dispersion() -> None:
    assert statistics.dispersion([(5e-324, 1e299)] * 12) == 1.0


def test_a_failure_that_has_just_begun_is_not_healthy_by_the_average_of_hours() -> None:
    found = samples(*[(0.0, 1000.0)] * 360, DOWN, DOWN, DOWN)
    verdict = judge_counts(a_count_gate(), found, a_window(minutes=30), replace(STOP, alarm=1e308))
    assert verdict.kind is VerdictKind.NOT_YET
    assert "the newest tiles are bad by themselves" in verdict.reason


def test_a_tile_without_traffic_is_no_second_tile() -> None:
    one = judge_counts(a_count_gate(), samples((30.0, 30.0)), a_window(), REVERT)
    two = judge_counts(a_count_gate(), samples((30.0, 30.0), (0.0, 0.0)), a_window(), REVERT)
    assert (one.kind, two.kind) == (VerdictKind.NOT_YET, VerdictKind.NOT_YET)


def test_gaps_of_long_ago_do_not_keep_a_release_from_being_proven() -> None:
    found = samples(*[None] * 600, *[(0.0, 100.0)] * 30)
    window = a_window(minutes=30, length=30 * MINUTE)
    verdict = judge_counts(a_count_gate(), found, window, STOP)
    assert verdict.kind is VerdictKind.HEALTHY
    recent = judge_counts(a_count_gate(), samples(*[(0.0, 100.0)] * 600, *[None] * 10), window, STOP)
    assert (recent.kind, recent.reason) == (VerdictKind.NO_DATA, "only 20 of 30 looks found data")


# --- what began before the release -----------------------------------------------------------------------------------

LAG = a_value_gate(bound=100.0)


def test_what_fell_ill_between_commit_and_sync_is_not_blamed_on_the_release() -> None:
    synced = NOON + 60 * MINUTE
    app = an_application(
        "checkout-production",
        finished_at=synced,
        reconciled_at=synced + MINUTE,
        health_since=synced + timedelta(seconds=5),
    )
    app = replace(app, history=(Deployed(revisions=(HEAD,), at=synced, number=0),))
    policy = a_policy(rollback=a_rollback(triggers=(LAG,)))
    history = tags(promoted(NEW))
    bare = a_stage("production", history, applications=(app,))
    liveness = liveness_of(bare, history, synced + 10 * MINUTE)
    (item,) = trigger_measurements(policy.stages[1], history, liveness)
    end = synced + 10 * MINUTE
    ill = Samples(
        start=item.window.first,
        end=end,
        width=MINUTE,
        numbers={"value": (500.0,) * ((end - item.window.first) // MINUTE)},
        queries=("lag",),
        backend="Prometheus",
    )
    production = replace(new_production(applications=(app,)), samples={"trigger:lag": ill})
    decision = decide(policy, an_observation(production=production, at=end), end)
    running = next(one for one in decision.judgements if one.stage == "production" and one.role == "running")
    assert running.state is State.HALTED
    assert not any(isinstance(action, RollBack) for action in decision.actions)


# --- a baseline that is the release itself ---------------------------------------------------------------------------


def verdict_against(policy: Policy, *, there: object, measured: bool = True) -> tuple[VerdictKind, str]:
    counts = (100.0,) * 36
    found = Samples(
        start=START,
        end=START + 36 * MINUTE,
        width=MINUTE,
        numbers={"counted": (0.0,) * 36, "total": counts, "base counted": (0.0,) * 36, "base total": counts},
        queries=("q",),
        backend="Prometheus",
    )
    history = tags(a_change(NEW, old=OLD))
    staging = a_stage("staging", history, sampled={"gate:not-worse": found} if measured else {})
    observation = an_observation(staging, there)  # type: ignore[arg-type]  # a stage's observation
    liveness = liveness_of(staging, history, observation.at)
    window = policy.stages[0].window
    assert window is not None
    (verdict,) = judge_gates(policy.stages[0], window, history, liveness, observation, observation.at)
    return verdict.kind, verdict.reason


def test_a_baseline_stage_that_runs_this_release_too_says_nothing() -> None:
    policy = a_policy(gates=(a_baseline_gate(stage="production"),))
    kind, reason = verdict_against(policy, there=new_production())
    assert kind is VerdictKind.CANNOT_TELL
    assert reason == "production has this release, too, so there is nothing to compare with"
    assert verdict_against(policy, there=old_production())[0] is not VerdictKind.CANNOT_TELL
    later = a_stage("production", tags(promoted(NEW, at=NOON + 36 * MINUTE)))
    assert verdict_against(policy, there=later)[0] is VerdictKind.HEALTHY
    missing = verdict_against(policy, there=new_production(), measured=False)
    assert missing == (VerdictKind.CANNOT_TELL, "production has this release, too, so there is nothing to compare with")
    unread = a_stage("production", Trouble(system="Git", sentence="away"))
    assert verdict_against(policy, there=unread)[1].startswith("production could not be read")


@pytest.mark.parametrize("kind", ["ratio", "baseline", "burn-rate"])
def test_a_threshold_that_is_no_bound_is_told_by_every_rule_on_a_share(kind: str) -> None:
    numbers = {"counted": (None,) * 5, "total": (9.0,) * 5, "base counted": (None,) * 5, "base total": (9.0,) * 5}
    found = Samples(
        start=START,
        end=START + 5 * MINUTE,
        width=MINUTE,
        numbers=numbers,
        queries=("q",),
        backend="Prometheus",
        note="its bounds are 0.1, 0.5",
    )
    base = replace(a_baseline_gate(stage="production"), counts=Counts.GOOD)
    burn = replace(a_burn_gate(), counts=Counts.GOOD)
    if kind == "ratio":
        verdict = judge_counts(replace(a_count_gate(), counts=Counts.GOOD), found, a_window(), STOP)
    elif kind == "baseline":
        verdict = judge_baseline(base, found, a_window(), STOP)
    else:
        verdict = judge_burn_rate(burn, found, a_window(), STOP)
    assert verdict.kind is VerdictKind.CANNOT_TELL
    assert verdict.reason.endswith("no bucket with this bound; its bounds are 0.1, 0.5")


def test_the_e_value_of_the_evidence_agrees_with_the_alarm() -> None:
    found = samples((16.0, 100.0), *[(0.0, 100.0)] * 9)
    verdict = judge_counts(a_count_gate(), found, a_window(minutes=30), REVERT)
    assert verdict.kind is VerdictKind.NOT_YET
    assert isinstance(verdict.evidence, CountEvidence)
    assert verdict.evidence.e_value < verdict.evidence.alarm


def test_what_falls_ill_in_the_middle_of_a_long_sync_is_the_releases() -> None:
    """Hooks and waves take long: what fell ill after the sync had begun is not of before."""
    began, synced = NOON, NOON + 20 * MINUTE
    app = an_application(
        "checkout-production", finished_at=synced, reconciled_at=synced + MINUTE, health_since=synced + MINUTE
    )
    app = replace(app, history=(Deployed(revisions=(HEAD,), at=synced, started_at=began),))
    history = tags(promoted(NEW, at=NOON - 10 * MINUTE))
    bare = a_stage("production", history, applications=(app,))
    liveness = liveness_of(bare, history, synced + 10 * MINUTE)
    policy = a_policy(rollback=a_rollback(triggers=(LAG,)))
    (item,) = trigger_measurements(policy.stages[1], history, liveness)
    assert liveness.came_at == began
    assert item.window.before is not None
    assert item.window.before[1] == began
    assert app.operation is not None
    operation = replace(app.operation, started_at=None)
    unknown = replace(app, history=(Deployed(revisions=(HEAD,), at=synced),), operation=operation)
    assert liveness_of(replace(bare, applications=(unknown,)), history, synced).came_at is None


@pytest.mark.invariant("I6")
def test_a_policy_that_came_later_counts_nothing_of_before() -> None:
    history = tags(a_change(NEW, old=OLD))
    since = NOON + 10 * MINUTE
    seen = replace(an_observation(a_stage("staging", history)), policy_since=since)
    liveness = liveness_of(seen.stage("staging"), history, NOON + 30 * MINUTE)
    assert liveness.first_live == NOON + timedelta(seconds=5)
    stage = a_policy(gates=(a_count_gate(),)).stages[0]
    (always,) = gate_measurements(stage, history, liveness, replace(seen, policy_since=None))
    (later,) = gate_measurements(stage, history, liveness, seen)
    assert always.window.first < since <= later.window.first
