"""A release and what must be proven of its artifact: on its way into a stage, and set by hand in a first one.

| the artifact                | before the window has passed       | afterwards                          |
|-----------------------------|------------------------------------|-------------------------------------|
| is proven                   | observed                           | proposed, merged                    |
| is proven to be another's   | not to be trusted, withdrawn       | not to be trusted, withdrawn        |
| is not proven yet           | observed, a draft is shown         | waits for its build, never merged   |
| cannot be asked for         | observed, a draft is shown         | cannot tell, never merged           |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.commands import Verb
from bot.domain.decide import decide
from bot.domain.decision import (
    ClosePromotion,
    Decision,
    Judgement,
    MergePromotion,
    OpenPromotion,
    RollBack,
    State,
    WaitsOn,
)
from bot.domain.model import Artifact, Trouble
from bot.domain.observation import Observation, StageObservation
from bot.domain.orders import Order
from bot.domain.policy import Opens, Policy, Proposing
from bot.domain.proofs import Proven
from bot.domain.pulls import Proposal
from bot.domain.trust import TrustRule
from tests.builders import (
    HEAD,
    IMAGE,
    MINUTE,
    NEW,
    NOON,
    OLD,
    a_change,
    a_policy,
    a_proposal,
    a_pull,
    a_stage,
    an_observation,
    nothing_proposed,
    old_production,
    samples,
    tags,
)
from tests.trusted import DIGEST, a_signature, a_signature_rule, proven_of

RULES = (a_signature_rule(),)
GOOD, WRONG, NOTHING = proven_of(a_signature()), proven_of(a_signature(issuer="https://gitlab.com")), proven_of()
DOWN = Trouble(system="registry", sentence="it does not answer")
EARLY = Proposing(opens=Opens.EARLY)
ARTIFACT = Artifact(digest=DIGEST, first_digest=DIGEST)


def a_trusting_policy(*, production: Sequence[TrustRule] = RULES, staging: Sequence[TrustRule] = ()) -> Policy:
    policy = a_policy(proposing=EARLY)
    first, second = policy.stages
    return replace(
        policy, stages=(replace(first, artifact=tuple(staging)), replace(second, artifact=tuple(production)))
    )


def bound(number: int = 7, *, draft: bool = False) -> Proposal:
    return a_proposal(a_pull(number, draft=draft), release=f"{IMAGE}:{NEW}@{DIGEST}")


def production(proven: Proven | Trouble | None, promotion: Proposal | None = None) -> StageObservation:
    return replace(old_production(promotion=promotion or nothing_proposed()), artifact=ARTIFACT, proven=proven)


def observed() -> StageObservation:
    """1.9.0 is live in staging, and its window has not passed."""
    return a_stage("staging", tags(a_change(NEW, old=OLD)), sampled={"gate:http-errors": samples(*[(0.0, 100.0)] * 3)})


def judged(decision: Decision, role: str = "candidate", stage: str = "production") -> Judgement:
    return next(one for one in decision.judgements if (one.stage, one.role) == (stage, role))


def decided(seen: Observation, policy: Policy | None = None) -> Decision:
    return decide(policy or a_trusting_policy(), seen, seen.at)


def kinds(decision: Decision) -> set[type]:
    return {type(action) for action in decision.actions}


# --- on its way ------------------------------------------------------------------------------------------------------


def test_a_release_whose_artifact_is_proven_is_proposed_and_merged() -> None:
    decision = decided(an_observation(production=production(GOOD)))
    assert OpenPromotion in kinds(decision)
    assert MergePromotion in kinds(decided(an_observation(production=production(GOOD, bound()))))
    assert [verdict.gate for verdict in judged(decision).verdicts] == ["artifact-signature"]


@pytest.mark.invariant("I11")
@pytest.mark.parametrize("staging", [None, observed()], ids=["passed", "observed"])
def test_what_is_proven_to_be_anothers_is_withdrawn_whatever_the_numbers_say(staging: StageObservation | None) -> None:
    decision = decided(an_observation(staging, production(WRONG, bound())))
    judgement = judged(decision)
    assert (judgement.state, judgement.waits_on) == (State.NOT_TRUSTED, WaitsOn.HUMAN)
    assert judgement.reason.startswith("artifact-signature: the signature does not count: its issuer is ")
    assert ClosePromotion in kinds(decision)
    assert not kinds(decision) & {MergePromotion, OpenPromotion, RollBack}


def test_a_draft_of_what_is_not_to_be_trusted_stays_open_for_people_to_see() -> None:
    decision = decided(an_observation(production=production(WRONG, bound(draft=True))))
    assert judged(decision).state is State.NOT_TRUSTED
    assert not kinds(decision) & {MergePromotion, ClosePromotion}


@pytest.mark.invariant("I11")
@pytest.mark.parametrize(
    ("proven", "state", "reason"),
    [
        (NOTHING, State.WAITING_FOR_BUILD, "no signature was found beside sha256:aaaaaaaaaaaa yet"),
        (DOWN, State.CANNOT_TELL, "registry: it does not answer"),
        (None, State.CANNOT_TELL, "no registry is set up for this image, so nothing can be verified"),
    ],
)
def test_what_is_not_proven_waits_for_its_build_and_is_never_merged(
    proven: Proven | Trouble | None, state: State, reason: str
) -> None:
    decision = decided(an_observation(production=production(proven, bound())))
    judgement = judged(decision)
    assert (judgement.state, judgement.waits_on) == (state, WaitsOn.BUILD)
    assert judgement.reason == f"artifact-signature: {reason}"
    assert not kinds(decision) & {MergePromotion, ClosePromotion, OpenPromotion, RollBack}


@pytest.mark.parametrize("proven", [NOTHING, DOWN])
def test_a_draft_is_shown_while_the_artifact_is_not_proven_yet(proven: Proven | Trouble) -> None:
    decision = decided(an_observation(observed(), production(proven)))
    assert judged(decision).state is State.OBSERVING
    (opened,) = (action for action in decision.actions if isinstance(action, OpenPromotion))
    assert opened.is_draft


@pytest.mark.invariant("I1")
@pytest.mark.parametrize("proven", [WRONG, NOTHING, DOWN])
def test_a_person_with_the_right_overrides_what_is_not_proven_and_is_named(proven: Proven | Trouble) -> None:
    seen = an_observation(production=production(proven, bound()))
    order = Order(
        kind=Verb.PROMOTE,
        service="checkout",
        stage="production",
        release=f"{IMAGE}:{NEW}@{DIGEST}",
        number=7,
        comment=1,
        line=1,
        at=NOON + 39 * MINUTE,
        by_id=1,
        by_login="dana",
        reason="the log is down",
        gate="artifact-signature",
        head=HEAD,
    )
    decision = decided(replace(seen, orders=(order,)))
    (merged,) = (action for action in decision.actions if isinstance(action, MergePromotion))
    assert "overridden by a person: artifact-signature (" in merged.reason
    assert "dana: the log is down" in merged.reason
    late = decided(replace(seen, orders=(replace(order, at=NOON),), policy_since=NOON + MINUTE))
    assert not any(isinstance(action, MergePromotion) for action in late.actions)
    (told,) = (one for one in late.judgements if (one.stage, one.role) == ("production", "candidate"))
    assert told.reason.startswith("artifact-signature: ")
    assert told.reason.endswith("; dana overrode artifact-signature under another policy")


# --- in a first stage ------------------------------------------------------------------------------------------------


def set_by_hand(proven: Proven | Trouble | None) -> StageObservation:
    good = samples(*[(0.0, 100.0)] * 36)
    staging = a_stage("staging", tags(a_change(NEW, old=OLD)), sampled={"gate:http-errors": good}, artifact=ARTIFACT)
    return replace(staging, proven=proven)


@pytest.mark.invariant("I11")
@pytest.mark.parametrize(
    ("proven", "state", "waits_on"),
    [
        (GOOD, State.PROVEN, WaitsOn.PROMOTION),
        (WRONG, State.UNHEALTHY, WaitsOn.HUMAN),
        (NOTHING, State.OBSERVING, WaitsOn.BUILD),
        (DOWN, State.CANNOT_TELL, WaitsOn.BUILD),
    ],
)
def test_what_a_person_set_in_a_first_stage_is_verified_just_the_same(
    proven: Proven | Trouble, state: State, waits_on: WaitsOn
) -> None:
    policy = a_trusting_policy(production=(), staging=RULES)
    decision = decided(an_observation(set_by_hand(proven)), policy)
    running = judged(decision, "running", "staging")
    assert (running.state, running.waits_on) == (state, waits_on)
    assert running.verdicts[-1].gate == "artifact-signature"
    opened = [action.is_draft for action in decision.actions if isinstance(action, OpenPromotion)]
    assert opened == {State.PROVEN: [False], State.UNHEALTHY: []}.get(state, [True])


def test_at_the_deadline_nothing_is_let_pass_that_is_not_proven() -> None:
    policy = a_trusting_policy(production=(), staging=RULES)
    late = an_observation(set_by_hand(NOTHING), at=NOON + timedelta(hours=7))
    running = judged(decided(late, policy), "running", "staging")
    assert (running.state, running.waits_on) == (State.DEADLINE_PASSED, WaitsOn.HUMAN)
    assert "artifact-signature: no signature was found" in running.reason
