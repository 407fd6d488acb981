"""Without a verdict at the window's deadline: `at_deadline: ask | hold | promote`.

| at_deadline | what lacks                                        | state                   | who is called |
|-------------|---------------------------------------------------|-------------------------|---------------|
| ask         | anything                                          | deadline passed         | a person      |
| hold        | anything                                          | deadline passed         | nobody        |
| promote     | only more of what was counted, and it is live     | let pass, and promoted  | nobody        |
| promote     | any measurement, or the release is not live       | deadline passed         | a person      |

A verdict that comes after the deadline counts as any other.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.argo import HealthSpell
from bot.domain.decide import decide
from bot.domain.decision import Decision, Halt, Judgement, OpenPromotion, State, WaitsOn
from bot.domain.model import Samples, Trouble
from bot.domain.observation import StageObservation
from bot.domain.policy import AtDeadline, Policy
from bot.domain.rules import SoakGate
from bot.domain.verdicts import VerdictKind
from tests.builders import (
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
    proven_staging,
    samples,
    tags,
)

LATE, IN_TIME = NOON + timedelta(hours=7), NOON + timedelta(hours=5)
TOO_LITTLE = samples(*[(0.0, 1.0)] * 36)
GOOD = samples(*[(0.0, 100.0)] * 36)


def a_policy_that(then: AtDeadline) -> Policy:
    return a_policy(gates=(a_count_gate(), SoakGate(name="soak")), window=a_window(at_deadline=then))


def measured(samples: Samples | Trouble | None, **changes: object) -> StageObservation:
    staging = replace(proven_staging(), samples={} if samples is None else {"gate:http-errors": samples})
    return replace(staging, **changes)  # type: ignore[arg-type]  # a test names only what it changes


def decided(then: AtDeadline, staging: StageObservation, *, late: bool = True) -> Decision:
    seen = an_observation(staging, at=LATE if late else IN_TIME)
    return decide(a_policy_that(then), seen, seen.at)


def staging_of(decision: Decision) -> Judgement:
    return next(one for one in decision.judgements if (one.stage, one.role) == ("staging", "running"))


def is_promoted(decision: Decision) -> bool:
    return any(isinstance(action, OpenPromotion) for action in decision.actions)


def calls_somebody(decision: Decision) -> bool:
    return any(isinstance(action, Halt) for action in decision.actions)


def test_a_person_is_asked_by_default() -> None:
    assert a_window().at_deadline is AtDeadline.ASK
    decision = decided(AtDeadline.ASK, measured(TOO_LITTLE))
    assert (staging_of(decision).state, staging_of(decision).waits_on) == (State.DEADLINE_PASSED, WaitsOn.HUMAN)
    assert calls_somebody(decision)
    assert not is_promoted(decision)


def test_a_release_that_is_held_waits_without_calling_anybody() -> None:
    decision = decided(AtDeadline.HOLD, measured(TOO_LITTLE))
    told = staging_of(decision)
    assert (told.state, told.waits_on) == (State.DEADLINE_PASSED, WaitsOn.RUNTIME)
    assert told.reason.endswith("; the policy lets it wait")
    assert not calls_somebody(decision)
    assert not is_promoted(decision)


@pytest.mark.parametrize("then", AtDeadline)
def test_a_verdict_after_the_deadline_counts_as_any_other(then: AtDeadline) -> None:
    decision = decided(then, measured(GOOD))
    assert staging_of(decision).state is State.PROVEN
    assert is_promoted(decision)


def test_a_release_of_which_too_little_was_counted_may_be_let_pass() -> None:
    decision = decided(AtDeadline.PROMOTE, measured(TOO_LITTLE))
    told = staging_of(decision)
    assert (told.state, told.waits_on) == (State.LET_PASS, WaitsOn.PROMOTION)
    assert told.reason == (
        "no verdict 6h after it was live: http-errors: 0 of 36 bad: too little traffic to prove a limit this low; "
        "the policy promotes it then"
    )
    assert is_promoted(decision)
    assert not calls_somebody(decision)
    assert [verdict.kind for verdict in told.verdicts] == [VerdictKind.HEALTHY, VerdictKind.HEALTHY]
    assert "not shown to be bad" in told.verdicts[0].reason


def test_before_the_deadline_nothing_is_let_pass() -> None:
    decision = decided(AtDeadline.PROMOTE, measured(TOO_LITTLE), late=False)
    assert staging_of(decision).state is State.OBSERVING
    assert not is_promoted(decision)


@pytest.mark.invariant("I5")
@pytest.mark.parametrize(
    "staging",
    [
        pytest.param(measured(None), id="nothing was asked"),
        pytest.param(measured(samples(*[None] * 36)), id="no data"),
        pytest.param(measured(samples(*[(0.0, 0.0)] * 36)), id="no traffic"),
        pytest.param(measured(samples(*[(0.0, 50.0)] * 26, *[(0.0, 0.0)] * 10)), id="traffic has ended"),
        pytest.param(measured(samples(*[(0.0, 1.0)] * 20, *[None] * 16)), id="gaps"),
        pytest.param(measured(samples(*[(0.0, 50.0)] * 31, *[(5.0, 50.0)] * 5)), id="bad of late"),
        pytest.param(measured(Trouble(system="Prometheus", sentence="down")), id="backend down"),
        pytest.param(
            measured(TOO_LITTLE, applications=(an_application(health="Progressing"),)), id="not live at this moment"
        ),
        pytest.param(measured(TOO_LITTLE, applications=()), id="never live"),
    ],
)
def test_what_was_not_measured_is_never_let_pass(staging: StageObservation) -> None:
    decision = decided(AtDeadline.PROMOTE, staging)
    assert not is_promoted(decision)
    assert staging_of(decision).state in {State.DEADLINE_PASSED, State.OBSERVING, State.WAITING_FOR_ROLLOUT}


def test_what_was_proven_leniently_but_is_not_live_at_this_moment_is_not_let_pass() -> None:
    blip = an_application(
        health="Progressing", health_since=LATE - timedelta(minutes=1), reconciled_at=LATE - timedelta(minutes=1)
    )
    healthy = HealthSpell(
        application="checkout-staging", health="Healthy", first_seen=NOON, last_seen=LATE - timedelta(minutes=2)
    )
    staging = a_stage(
        "staging",
        tags(a_change(NEW, old=OLD)),
        applications=(blip,),
        spells=(healthy,),
        sampled={"gate:http-errors": TOO_LITTLE},
    )
    decision = decided(AtDeadline.PROMOTE, staging)
    assert staging_of(decision).state is State.DEADLINE_PASSED
    assert not is_promoted(decision)


def test_that_it_was_not_let_pass_for_lack_of_measurements_is_said() -> None:
    told = staging_of(decided(AtDeadline.PROMOTE, measured(samples(*[None] * 36))))
    assert told.waits_on is WaitsOn.HUMAN
    assert told.reason.endswith("; the policy promotes at the deadline, but not without measurements")


def test_an_unhealthy_release_is_unhealthy_whatever_the_policy_says_of_the_deadline() -> None:
    decision = decided(AtDeadline.PROMOTE, measured(samples((20.0, 100.0))))
    assert staging_of(decision).state is State.UNHEALTHY
    assert not is_promoted(decision)
