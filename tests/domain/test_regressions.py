"""Bugs that a review found before anyone met them, each under its name."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.domain.argo import Ancestry, Deployed, Operation
from bot.domain.decide import decide
from bot.domain.decision import Halt, OpenPromotion, RollBack, State
from bot.domain.model import Carries
from bot.domain.observed import ROLLOUT_GRACE, trigger_measurements
from bot.domain.policy import Policy
from bot.domain.stance import Stance
from tests.builders import (
    HEAD,
    MINUTE,
    NEW,
    NOON,
    OLD,
    a_change,
    a_count_gate,
    a_policy,
    a_stage,
    a_window,
    an_application,
    an_observation,
    liveness_of,
    new_production,
    nothing_proposed,
    promoted,
    proven_staging,
    reverted,
    samples,
    sha,
    tags,
)

LATER = NOON + timedelta(days=21)
BAD = samples((30.0, 100.0), (30.0, 100.0), start=NOON + MINUTE)


def test_a_resync_weeks_later_does_not_start_the_watch_again() -> None:
    operation = Operation(phase="Succeeded", revisions=(HEAD,), started_at=LATER, finished_at=LATER)
    app = replace(
        an_application("checkout-production", reconciled_at=LATER + MINUTE, health_since=LATER),
        operation=operation,
        history=(Deployed(revisions=(HEAD,), at=NOON), Deployed(revisions=(HEAD,), at=LATER)),
    )
    bad = samples((30.0, 100.0), (30.0, 100.0), start=LATER + MINUTE)
    production = new_production(sampled={"trigger:http-errors": bad}, applications=(app,))
    decision = decide(a_policy(), an_observation(production=production, at=LATER + 10 * MINUTE), LATER + 10 * MINUTE)
    assert not any(isinstance(action, RollBack) for action in decision.actions)


def test_a_deployment_of_before_the_commit_is_not_the_releases() -> None:
    app = replace(
        an_application(),
        history=(
            Deployed(revisions=(HEAD,), at=NOON - MINUTE),
            Deployed(revisions=(sha("old"),), at=NOON),
        ),
    )
    history = tags(a_change(NEW, old=OLD))
    seen = a_stage("staging", history, applications=(app,), carries={HEAD: Carries.YES, sha("old"): Carries.BEHIND})
    assert liveness_of(seen, history, NOON + 10 * MINUTE).deployed_at == NOON


def test_an_illness_of_before_the_sync_is_not_blamed_on_the_release() -> None:
    old_operation = Operation(phase="Succeeded", revisions=(sha("old"),), finished_at=NOON - 60 * MINUTE)
    ill = replace(
        an_application("checkout-production", health="Degraded", health_since=NOON - 300 * MINUTE),
        operation=old_operation,
    )
    production = replace(
        new_production(applications=(ill,)),
        ancestry=Ancestry(carries={HEAD: Carries.YES, sha("old"): Carries.BEHIND}),
    )
    decision = decide(a_policy(), an_observation(production=production, at=NOON + 10 * MINUTE), NOON + 10 * MINUTE)
    assert not any(isinstance(action, RollBack) for action in decision.actions)


def test_an_illness_of_before_counts_from_the_start_of_the_sync_and_is_for_a_person() -> None:
    started = NOON + 5 * MINUTE
    operation = Operation(phase="Succeeded", revisions=(HEAD,), started_at=started, finished_at=started)
    ill = replace(
        an_application(
            "checkout-production",
            health="Degraded",
            health_since=NOON - 300 * MINUTE,
            reconciled_at=started + MINUTE,
        ),
        operation=operation,
    )
    for minutes, halts in ((7, False), (9, True)):
        at = NOON + minutes * MINUTE
        decision = decide(a_policy(), an_observation(production=new_production(applications=(ill,)), at=at), at)
        assert not any(isinstance(action, RollBack) for action in decision.actions)
        assert any(isinstance(action, Halt) for action in decision.actions) is halts


def three_stages(*, fan_out: bool) -> Policy:
    policy = a_policy()
    middle = replace(policy.stages[1], window=a_window(), gates=(a_count_gate(),))
    world = replace(policy.stages[1], name="world", source="staging" if fan_out else "production")
    return replace(policy, stages=(policy.stages[0], middle, world))


def test_a_middle_stage_that_halts_promotes_nothing_onward() -> None:
    good = samples(*[(0.0, 100.0)] * 36)
    production = new_production(sampled={"gate:http-errors": good, "trigger:http-errors": BAD}, old=None)
    world = a_stage("world", tags(a_change(OLD, old="1.8.1")), promotion=nothing_proposed())
    seen = an_observation(proven_staging(), production, at=NOON + 40 * MINUTE)
    seen = replace(seen, stages=(*seen.stages, world))
    decision = decide(three_stages(fan_out=False), seen, seen.at)
    assert any(isinstance(action, Halt) for action in decision.actions)
    assert not any(isinstance(action, OpenPromotion) for action in decision.actions)


def test_a_release_that_was_rolled_back_from_one_stage_enters_no_other() -> None:
    production = a_stage("production", tags(reverted(NEW), promoted(NEW, at=NOON - MINUTE)))
    world = a_stage("world", tags(a_change(OLD, old="1.8.1")), promotion=nothing_proposed())
    seen = an_observation(proven_staging(), production)
    seen = replace(seen, stages=(*seen.stages, world))
    decision = decide(three_stages(fan_out=True), seen, seen.at)
    assert not any(isinstance(action, OpenPromotion) for action in decision.actions)
    states = {item.stage: item.state for item in decision.judgements if item.role == "candidate"}
    assert states["world"] is State.QUARANTINED


def test_a_policy_change_restarts_the_window_of_argocd_healthy_too() -> None:
    policy = a_policy(gates=[gate for gate in a_policy().stages[0].gates if gate.kind == "argocd-healthy"])
    seen = an_observation(policy_since=NOON + 39 * MINUTE)
    decision = decide(policy, seen, seen.at)
    assert not any(isinstance(action, OpenPromotion) for action in decision.actions)


def test_a_sync_error_without_a_revision_says_nothing_of_the_release() -> None:
    history = tags(a_change(NEW, old=OLD))
    operation = Operation(phase="Error", revisions=(), finished_at=NOON)
    seen = a_stage("staging", history, applications=(replace(an_application(), operation=operation),))
    assert liveness_of(seen, history, NOON + MINUTE).stance is Stance.CANNOT_TELL


def trigger_start(*applications: object) -> object:
    policy = a_policy()
    history = tags(promoted(NEW))
    seen = a_stage("production", history, applications=applications)  # type: ignore[arg-type]  # applications
    liveness = liveness_of(seen, history, NOON + 10 * MINUTE)
    found = trigger_measurements(policy.stages[1], history, liveness)
    return found[0].window.start if found else None


def test_errors_of_old_pods_during_the_rollout_are_not_the_releases() -> None:
    live = an_application("a", health_since=NOON + 2 * MINUTE)
    assert trigger_start(live) == NOON + 2 * MINUTE
    assert trigger_start(an_application("a", health="Progressing")) == NOON + ROLLOUT_GRACE


def test_a_release_that_is_stuck_in_one_application_is_judged_by_the_other() -> None:
    stuck = replace(an_application("b"), operation=None)
    assert trigger_start(an_application("a"), stuck) == NOON + ROLLOUT_GRACE
    assert trigger_start(stuck) is None
