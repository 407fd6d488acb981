"""What a rollback brings with it: a cool-down, the same release taken out of other stages, a quarantine and its end."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.domain.approvals import Approving, Voter
from bot.domain.authority import Permission
from bot.domain.commands import Verb
from bot.domain.decide import decide
from bot.domain.decision import (
    CommitPromotion,
    Decision,
    DisarmPromotion,
    Judgement,
    MergePromotion,
    OpenPromotion,
    RollBack,
    State,
    Wait,
    WaitsOn,
)
from bot.domain.edit import KustomizeEdit
from bot.domain.model import TagChange, Trouble
from bot.domain.observation import Observation
from bot.domain.observed import quarantined_tags, taken_along
from bot.domain.orders import Order, as_json, lifted_tags, parse_order
from bot.domain.policy import Approvals, Merge, Opens, Policy, Proposing, Road
from bot.domain.pulls import Proposal, PullState, Review, Reviews
from bot.domain.storm import StormLimit, fleet_of
from tests.builders import (
    HEAD,
    IMAGE,
    MINUTE,
    NEW,
    NOON,
    OLD,
    REVERT_COMMIT,
    STAGING_COMMIT,
    a_change,
    a_policy,
    a_proposal,
    a_pull,
    a_rollback,
    a_stage,
    an_observation,
    nothing_proposed,
    promoted,
    proven_staging,
    reverted,
    samples,
    tags,
)

FIX = "1.9.1"
GOOD = samples(*[(0.0, 100.0)] * 36)
COOLING = a_policy(rollback=a_rollback(cool_down=60 * MINUTE))
ALSO = a_policy(rollback=a_rollback(also=("staging",)))
TAKEN_BACK_AT = NOON + 20 * MINUTE


def an_order(kind: Verb, at: datetime, *, tag: str = NEW, head: bool = False) -> Order:
    reason = "" if kind is Verb.APPROVE else "the database was full"
    return Order(
        kind=kind, service="checkout", stage="production", release=f"{IMAGE}:{tag}", by_id=7, by_login="dana", at=at,
        comment=int(at.timestamp()), line=0, number=12, reason=reason, head=HEAD if head else None,
    )  # fmt: skip


def decided(policy: Policy, seen: Observation) -> Decision:
    return decide(policy, seen, seen.at)


def judgement(decision: Decision, stage: str, role: str) -> Judgement:
    return next(one for one in decision.judgements if (one.stage, one.role) == (stage, role))


def candidate(decision: Decision) -> Judgement:
    return judgement(decision, "production", "candidate")


# --- the cool-down ---------------------------------------------------------------------------------------------------


def a_fix(
    *, at: datetime = NOON + 40 * MINUTE, promotion: Proposal | None = None, last: TagChange | None = None
) -> Observation:
    """1.9.1 has proven itself in staging; 1.9.0 was taken out of production at 12:20."""
    staging = a_stage("staging", tags(a_change(FIX, old=NEW)), sampled={"gate:http-errors": GOOD})
    changes = (last or reverted(NEW, at=TAKEN_BACK_AT), promoted(NEW, at=NOON - MINUTE))
    proposal = promotion or replace(a_proposal(a_pull(tag=FIX), tag=FIX), release=f"{IMAGE}:{FIX}")
    return an_observation(staging, a_stage("production", tags(*changes), promotion=proposal), at=at)


def test_after_a_rollback_nothing_is_merged_until_it_has_cooled_down() -> None:
    decision = decided(COOLING, a_fix())
    told = candidate(decision)
    assert (told.state, told.waits_on) == (State.COOLING_DOWN, WaitsOn.PROMOTION)
    assert told.reason == "production cools down until 13:20:00 UTC, after the rollback of 1.9.0"
    assert [action.until for action in decision.actions if isinstance(action, Wait)] == [NOON + 80 * MINUTE]
    assert not any(isinstance(action, MergePromotion) for action in decision.actions)
    assert any(isinstance(action, MergePromotion) for action in decided(a_policy(), a_fix()).actions)


@pytest.mark.parametrize(("minutes", "merges"), [(79, False), (80, True)])
def test_it_is_merged_when_the_cool_down_is_over(minutes: int, merges: bool) -> None:
    decision = decided(COOLING, a_fix(at=NOON + minutes * MINUTE))
    assert any(isinstance(action, MergePromotion) for action in decision.actions) is merges


def test_a_promotion_is_still_proposed_while_it_cools_down() -> None:
    actions = decided(COOLING, a_fix(promotion=nothing_proposed())).actions
    assert [type(action) for action in actions] == [OpenPromotion]


def test_a_person_who_approves_need_not_wait_for_the_cool_down() -> None:
    approval = an_order(Verb.APPROVE, NOON + 30 * MINUTE, tag=FIX, head=True)
    seen = replace(a_fix(), orders=(approval,))
    assert any(isinstance(action, MergePromotion) for action in decided(COOLING, seen).actions)


@pytest.mark.invariant("I6")
@pytest.mark.parametrize("approvals", [None, Approvals(need=1)], ids=["plain", "counted"])
def test_an_approval_of_another_policy_does_not_end_the_cool_down(approvals: Approvals | None) -> None:
    """Where approvals are counted, a later review of the same person makes none of the earlier command."""
    policy = a_policy(rollback=a_rollback(cool_down=60 * MINUTE), proposing=Proposing(approvals=approvals))
    approval = an_order(Verb.APPROVE, NOON, tag=FIX, head=True)
    review = Review(by_id=7, by="dana", at=NOON + 38 * MINUTE, head=HEAD)
    pull = replace(a_pull(tag=FIX), reviews=Reviews(given=(review,)))
    seen = replace(a_fix(promotion=replace(a_proposal(pull, tag=FIX), release=f"{IMAGE}:{FIX}")), orders=(approval,))
    voters = Approving(voters=(Voter(id=7, permission=Permission.WRITE),))
    staging, production = seen.stages
    seen = replace(seen, stages=(staging, replace(production, approving=voters)))
    assert candidate(decided(policy, replace(seen, policy_since=NOON + MINUTE))).state is State.COOLING_DOWN
    assert candidate(decided(policy, seen)).state is State.READY_TO_MERGE


def test_a_tag_that_a_person_set_since_ends_the_cool_down() -> None:
    seen = a_fix(last=a_change("1.8.3", old=OLD, at=NOON + 25 * MINUTE))
    assert any(isinstance(action, MergePromotion) for action in decided(COOLING, seen).actions)


def test_a_cool_down_names_no_release_where_git_tells_none() -> None:
    last = replace(reverted(NEW, at=TAKEN_BACK_AT), old=None)
    assert candidate(decided(COOLING, a_fix(last=last))).reason.endswith("13:20:00 UTC, after the rollback")


def test_a_stage_without_a_rollback_never_cools_down() -> None:
    production = replace(COOLING.stages[1], rollback=None)
    plain = replace(COOLING, stages=(COOLING.stages[0], production))
    assert any(isinstance(action, MergePromotion) for action in decided(plain, a_fix()).actions)


def test_promotions_by_commit_cool_down_too() -> None:
    by_commit = a_policy(rollback=a_rollback(cool_down=60 * MINUTE), proposing=Proposing(by=Road.COMMIT))
    decision = decided(by_commit, a_fix(promotion=nothing_proposed()))
    assert candidate(decision).state is State.COOLING_DOWN
    decision = decided(by_commit, a_fix(promotion=nothing_proposed(), at=NOON + 80 * MINUTE))
    assert any(isinstance(action, CommitPromotion) for action in decision.actions)


def test_a_later_promotion_that_the_forge_would_merge_is_taken_back_before_the_rollback() -> None:
    pull = replace(a_pull(tag=FIX), armed_by="liftlock", armed_by_bot=True)
    proposal = replace(a_proposal(pull, tag=FIX), release=f"{IMAGE}:{FIX}")
    staging = a_stage("staging", tags(a_change(FIX, old=NEW)), sampled={"gate:http-errors": GOOD})
    bad = samples((20.0, 100.0), (20.0, 100.0), start=NOON)
    production = a_stage(
        "production",
        tags(promoted(NEW), a_change(OLD, old="1.8.1", at=NOON - timedelta(days=3))),
        sampled={"trigger:http-errors": bad},
        promotion=proposal,
    )
    actions = decided(a_policy(), an_observation(staging, production)).actions
    assert [type(action) for action in actions[:2]] == [DisarmPromotion, RollBack]


def fanned_out() -> tuple[Policy, Observation]:
    """A second production comes from staging as the first does; in the first the release fails just now."""
    policy = a_policy(proposing=Proposing(opens=Opens.ON_PASS))
    staging, production = policy.stages
    other = replace(production, name="other", edit=KustomizeEdit(file="other.yaml"))
    bad = samples((20.0, 100.0), (20.0, 100.0), start=NOON)
    failing = a_stage(
        "production",
        tags(promoted(NEW), a_change(OLD, old="1.8.1", at=NOON - timedelta(days=3))),
        sampled={"trigger:http-errors": bad},
    )
    there = a_stage("other", tags(a_change(OLD, at=NOON - timedelta(days=3))), promotion=nothing_proposed())
    seen = an_observation(proven_staging(), failing)
    return replace(policy, stages=(staging, production, other)), replace(seen, stages=(*seen.stages, there))


def test_what_is_being_taken_back_in_one_stage_enters_no_other_in_the_same_look() -> None:
    policy, seen = fanned_out()
    decision = decided(policy, seen)
    assert [type(action) for action in decision.actions if isinstance(action, RollBack | OpenPromotion)] == [RollBack]
    told = judgement(decision, "other", "candidate")
    assert (told.state, told.waits_on) == (State.HALTED, WaitsOn.RUNTIME)
    assert told.reason == "it is being taken back out of production"


# --- values that move together ---------------------------------------------------------------------------------------


DOWN = Trouble(system="Git", sentence="it did not answer")


def test_a_value_that_could_not_be_read_for_a_moment_keeps_no_rollback_back() -> None:
    policy, seen = fanned_out()
    staging, failing, other = seen.stages
    for apart, taken in ((DOWN, 1), ("flags.yaml says 1.8.1", 0)):
        stages = (staging, replace(failing, apart=apart), other)
        assert len(rollbacks(policy, replace(seen, stages=stages))) == taken


def test_a_value_that_could_not_be_read_proves_nothing() -> None:
    staging = replace(proven_staging(), apart=DOWN)
    told = judgement(decided(a_policy(), an_observation(staging, *both().stages[1:])), "staging", "running")
    assert (told.state, told.reason) == (State.CANNOT_TELL, "Git: it did not answer")


# --- other stages ----------------------------------------------------------------------------------------------------


def both(
    *, staging: tuple[TagChange, ...] | None = None, production: tuple[TagChange, ...] | None = None
) -> Observation:
    here = staging or (a_change(NEW, old=OLD), a_change(OLD, old="1.8.1", at=NOON - timedelta(days=3)))
    there = production or (reverted(NEW, at=TAKEN_BACK_AT), promoted(NEW, at=NOON - MINUTE))
    return an_observation(a_stage("staging", tags(*here)), a_stage("production", tags(*there)))


def rollbacks(policy: Policy, seen: Observation) -> list[RollBack]:
    return [action for action in decided(policy, seen).actions if isinstance(action, RollBack)]


def test_a_release_that_was_taken_back_is_taken_out_of_other_stages_where_the_policy_says_so() -> None:
    (action,) = rollbacks(ALSO, both())
    assert (action.stage, action.release.tag, action.back_to.tag) == ("staging", NEW, OLD)
    assert (action.promotion, action.road) == (STAGING_COMMIT, Road.COMMIT)
    assert action.reason == (
        f"production was taken back from it by {REVERT_COMMIT[:7]}, and the policy says: also staging"
    )


def test_what_the_bot_itself_still_merged_after_the_rollback_is_taken_along_too() -> None:
    promoted_late = replace(promoted(NEW, at=TAKEN_BACK_AT + 2 * MINUTE), commit=STAGING_COMMIT)
    before = a_change(OLD, old="1.8.1", at=NOON - timedelta(days=3))
    (action,) = rollbacks(ALSO, both(staging=(promoted_late, before)))
    assert (action.stage, action.release.tag) == ("staging", NEW)


def test_staging_is_not_touched_unless_the_policy_says_so() -> None:
    assert rollbacks(a_policy(), both()) == []


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(
            both(staging=(a_change(NEW, old=OLD, at=NOON + 30 * MINUTE), a_change(OLD, old="1.8.1"))),
            id="somebody set it anew since",
        ),
        pytest.param(both(staging=(a_change(FIX, old=NEW), a_change(NEW, old=OLD))), id="another release is there"),
        pytest.param(
            both(
                staging=(
                    reverted(FIX, back_to=NEW, at=NOON),
                    a_change(FIX, old=NEW, at=NOON - MINUTE),
                    a_change(NEW, old=OLD, at=NOON - timedelta(days=2)),
                    a_change(OLD, old="1.8.1", at=NOON - timedelta(days=3)),
                )
            ),
            id="it came by a rollback",
        ),
        pytest.param(both(production=(promoted(NEW),)), id="nothing was taken back"),
        pytest.param(
            replace(both(), stages=(both().stages[0], a_stage("production", Trouble(system="Git", sentence="down")))),
            id="the other stage cannot be read",
        ),
        pytest.param(
            replace(both(), orders=(an_order(Verb.LIFT, NOON + 30 * MINUTE),)), id="the quarantine was lifted"
        ),
    ],
)
def test_another_stage_is_left_alone_where(seen: Observation) -> None:
    assert rollbacks(ALSO, seen) == []


def test_what_follows_a_rollback_counts_for_no_storm_of_its_own() -> None:
    seen = both()
    fleet = fleet_of([(seen, decided(ALSO, seen))], StormLimit(within=timedelta(hours=1)), seen.at)
    assert (fleet.done, fleet.due) == (1, 0)
    stage = ALSO.stages[0]
    assert taken_along(ALSO, stage, tags(a_change(NEW, old=OLD)), seen) is not None


# --- the quarantine and its end --------------------------------------------------------------------------------------


def lifted(*, minutes: int = 30, promotion: Proposal | None = None) -> Observation:
    """1.9.0 was taken out of production at 12:20, runs in staging still, and dana lifted its quarantine."""
    changes = (
        reverted(NEW, at=TAKEN_BACK_AT),
        promoted(NEW, at=NOON - MINUTE),
        a_change(OLD, old="1.8.1", at=NOON - timedelta(days=3)),
    )
    merged = replace(a_pull(state=PullState.MERGED), closed_at=NOON - MINUTE)
    proposal = promotion or a_proposal(merged, branch_head=None, release=None)
    seen = an_observation(proven_staging(), a_stage("production", tags(*changes), promotion=proposal))
    return replace(seen, orders=(an_order(Verb.LIFT, NOON + minutes * MINUTE),))


@pytest.mark.invariant("I3")
def test_a_lifted_release_is_proposed_anew_and_merged_as_any_other() -> None:
    assert [type(action) for action in decided(a_policy(), lifted()).actions] == [OpenPromotion]
    decision = decided(a_policy(), lifted(promotion=a_proposal(a_pull(9))))
    assert any(isinstance(action, MergePromotion) for action in decision.actions)
    by_commit = a_policy(proposing=Proposing(by=Road.COMMIT, opens=Opens.ON_PASS))
    decision = decided(by_commit, lifted(promotion=nothing_proposed()))
    assert [type(action) for action in decision.actions] == [CommitPromotion]


def test_a_lifted_release_whose_merge_is_left_to_people_waits_for_them() -> None:
    decision = decided(a_policy(merge=Merge.HUMAN), lifted(promotion=a_proposal(a_pull(9))))
    assert candidate(decision).state is State.WAITING_FOR_HUMAN


@pytest.mark.invariant("I3")
@pytest.mark.parametrize("minutes", [10, 20], ids=["before the rollback", "in the very moment of it"])
def test_only_what_is_lifted_after_the_rollback_is_free(minutes: int) -> None:
    seen = lifted(minutes=minutes)
    assert NEW in quarantined_tags(seen)
    assert candidate(decided(a_policy(), seen)).state is State.QUARANTINED


@pytest.mark.invariant("I3")
def test_what_was_lifted_before_the_release_was_merged_again_proposes_nothing() -> None:
    merged = replace(a_pull(9, state=PullState.MERGED), closed_at=NOON + 35 * MINUTE)
    decision = decided(a_policy(), lifted(promotion=a_proposal(merged, branch_head=None, release=None)))
    assert candidate(decision).state is State.WAITING_FOR_HUMAN


def test_the_newest_lift_of_a_tag_counts_and_those_of_other_services_and_other_orders_do_not() -> None:
    early, late = (an_order(Verb.LIFT, NOON + minutes * MINUTE) for minutes in (1, 9))
    others = (
        replace(late, service="cart"),
        an_order(Verb.REJECT, NOON, tag="1.7"),
        replace(late, release="no release"),
    )
    assert lifted_tags((late, early, *others), "checkout") == {NEW: late.at}


def test_an_order_from_the_command_line_has_neither_an_account_nor_a_pull_request() -> None:
    order = replace(an_order(Verb.LIFT, NOON), by_id=0, number=0, by_login="root on bot")
    assert parse_order(as_json(order)) == order
    for half in (replace(order, by_id=7), replace(order, number=12), replace(order, comment=0)):
        assert parse_order(as_json(half)) is None
