"""A gate or trigger in the shadow is judged and shown, and never decides."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.decide import decide
from bot.domain.decision import Decision, Judgement, OpenPromotion, RollBack, State
from bot.domain.policy import Policy
from bot.domain.rules import ArgoHealthyGate, DegradedTrigger
from bot.domain.verdicts import VerdictKind, combine, deciding, worst
from bot.render.evidence import evidence_table
from bot.render.terminal import verdict_lines
from tests.builders import (
    MINUTE,
    NEW,
    NOON,
    OLD,
    a_change,
    a_count_gate,
    a_policy,
    a_rollback,
    a_stage,
    an_observation,
    new_production,
    proven_staging,
    samples,
    tags,
)

SHADOW = replace(a_count_gate(), is_shadow=True)
ARGO = ArgoHealthyGate(name="argocd-healthy")
BAD = samples(*[(50.0, 100.0)] * 36)


def judged(policy: Policy, stage: str, decision: Decision) -> Judgement:
    return next(one for one in decision.judgements if (one.stage, one.role) == (stage, "running"))


def decided(policy: Policy, **stages: object) -> Decision:
    observation = an_observation(**stages)  # type: ignore[arg-type]  # the stages of a test
    return decide(policy, observation, observation.at)


def test_an_unhealthy_gate_in_the_shadow_does_not_stop_a_release() -> None:
    policy = a_policy(gates=(SHADOW, ARGO))
    ill = a_stage("staging", tags(a_change(NEW, old=OLD)), sampled={"gate:http-errors": BAD})
    decision = decided(policy, staging=ill)
    staging = judged(policy, "staging", decision)
    assert (staging.state, staging.reason) == (State.PROVEN, "its gate is healthy")
    assert [(one.kind, one.is_shadow) for one in staging.verdicts] == [
        (VerdictKind.UNHEALTHY, True),
        (VerdictKind.HEALTHY, False),
    ]
    assert any(isinstance(action, OpenPromotion) for action in decision.actions)


def test_gates_that_are_all_in_the_shadow_prove_nothing() -> None:
    policy = a_policy(gates=(SHADOW,))
    decision = decided(policy, staging=proven_staging())
    assert judged(policy, "staging", decision).state is not State.PROVEN
    assert not [action for action in decision.actions if isinstance(action, OpenPromotion)]


def test_a_trigger_in_the_shadow_takes_nothing_back() -> None:
    trigger = replace(a_count_gate(limit=0.02), is_shadow=True)
    ill = samples((50.0, 100.0), (50.0, 100.0), (50.0, 100.0), start=NOON + MINUTE)
    for triggers in ((trigger,), (trigger, DegradedTrigger(name="argocd-degraded", lasting=3 * MINUTE))):
        policy = a_policy(rollback=a_rollback(triggers=triggers))
        production = new_production(sampled={"trigger:http-errors": ill})
        decision = decided(policy, production=production, at=NOON + 10 * MINUTE)
        running = judged(policy, "production", decision)
        assert running.state is State.WATCHING
        assert running.verdicts[0].kind is VerdictKind.UNHEALTHY
        assert not [action for action in decision.actions if isinstance(action, RollBack)]


def test_what_is_in_the_shadow_is_shown_as_such() -> None:
    policy = a_policy(gates=(SHADOW, ARGO))
    decision = decided(policy, staging=proven_staging())
    staging = judged(policy, "staging", decision)
    table = evidence_table(policy.stages[0], staging.verdicts)
    assert table.count("(shadow: does not decide)") == 1
    lines = verdict_lines(decision, [staging])
    assert lines[1].startswith("  http-errors (shadow): healthy: ")


def test_combining_leaves_the_shadow_out_and_speaks_of_it_only_where_there_is_nothing_else() -> None:
    decision = decided(a_policy(gates=(SHADOW, ARGO)), staging=proven_staging())
    shadow, healthy = judged(a_policy(), "staging", decision).verdicts
    ill = replace(shadow, kind=VerdictKind.UNHEALTHY)
    assert deciding([ill, healthy]) == (healthy,)
    assert combine([ill, healthy]) is VerdictKind.HEALTHY
    assert worst([ill, healthy]) == healthy
    assert combine([ill]) is VerdictKind.NO_DATA
    assert worst([shadow, ill]) == ill
