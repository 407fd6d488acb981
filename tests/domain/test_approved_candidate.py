"""A release before a stage whose policy asks for approvals: what waits for them, what does not, and what they change.

| the pull request                          | becomes                                                            |
|-------------------------------------------|--------------------------------------------------------------------|
| a draft whose release has passed          | ready, so that people look at it                                   |
| short of approvals                        | waiting for review; what the bot had armed or queued is taken back |
| short, and who approved cannot be told    | cannot tell                                                        |
| short, behind, and approved by nobody yet | made anew first                                                    |
| approved by enough                        | as without approvals                                               |
| unhealthy, and approved by everybody      | unhealthy                                                          |
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.approvals import Approving, Voter, Writers
from bot.domain.commands import Verb
from bot.domain.decide import decide
from bot.domain.decision import (
    Decision,
    DisarmPromotion,
    Judgement,
    MergePromotion,
    ReadyPromotion,
    RemakePromotion,
    State,
    WaitsOn,
)
from bot.domain.observation import ForgeFacts, Observation
from bot.domain.orders import Order
from bot.domain.policy import Approvals, ApprovedWhen, AutoMerge, Merge, Opens, Policy, Proposing
from bot.domain.pulls import Checks, MergeRules, Proposal, PullState, Review, Reviews
from bot.domain.running import judge_running
from tests.builders import (
    MINUTE,
    NOON,
    a_policy,
    a_proposal,
    a_pull,
    an_application,
    an_observation,
    old_production,
    proven_staging,
    samples,
)
from tests.domain.test_approvals import (
    DANA,
    DOWN,
    ENDS,
    ERIN,
    EVERYBODY,
    NOW,
    SECOND,
    a_command,
    a_review,
    against,
    asked,
)


def a_policy_with(wanted: Approvals, *, merge: Merge = Merge.AUTO, arms: AutoMerge = AutoMerge.NEVER) -> Policy:
    return a_policy(proposing=Proposing(opens=Opens.ON_PASS, approvals=wanted, auto_merge=arms), merge=merge)


def seen(
    proposal: Proposal,
    *,
    orders: tuple[Order, ...] = (),
    facts: Approving | None = None,
    at: datetime = NOW,
    policy_since: datetime | None = None,
) -> Observation:
    production = replace(
        old_production(promotion=proposal), approving=facts or Approving(voters=EVERYBODY, writers=Writers())
    )
    return replace(an_observation(production=production, at=at, policy_since=policy_since), orders=orders)


def proposed(*given_: Review, **changes: object) -> Proposal:
    pull = replace(a_pull(reviews=Reviews(given=given_)), **changes)  # type: ignore[arg-type]  # likewise
    return replace(a_proposal(pull), is_own_head=True)


def decided(wanted: Approvals, observation: Observation, **changes: object) -> Decision:
    return decide(a_policy_with(wanted, **changes), observation, observation.at)  # type: ignore[arg-type]  # likewise


def judged(decision: Decision) -> Judgement:
    return next(one for one in decision.judgements if (one.stage, one.role) == ("production", "candidate"))


def kinds(decision: Decision) -> set[type]:
    return {type(action) for action in decision.actions}


def test_a_release_is_not_merged_before_enough_people_have_approved_it() -> None:
    short = decided(asked(2), seen(proposed(a_review(DANA))))
    told = judged(short)
    assert (told.state, told.waits_on) == (State.WAITING_FOR_REVIEW, WaitsOn.HUMAN)
    assert told.reason == "#7 has one of two approvals (dana); needs one more from acme/release"
    assert told.approvals is not None
    assert MergePromotion not in kinds(short)
    enough = decided(asked(2), seen(proposed(a_review(DANA)), orders=(a_command(ERIN),)))
    assert MergePromotion in kinds(enough)
    assert judged(enough).approvals is not None


@pytest.mark.invariant("I1")
def test_approvals_stand_in_for_no_gate() -> None:
    bad = replace(proven_staging(), samples={"gate:http-errors": samples(*[(20.0, 100.0)] * 36)})
    observation = seen(proposed(a_review(DANA), a_review(ERIN)))
    decision = decided(asked(2), replace(observation, stages=(bad, observation.stages[1])))
    assert judged(decision).state is State.UNHEALTHY
    assert MergePromotion not in kinds(decision)


def test_what_could_not_be_found_out_is_waited_for_and_nothing_is_merged() -> None:
    facts = Approving(voters=(Voter(id=DANA, trouble=DOWN),))
    decision = decided(asked(), seen(proposed(a_review(DANA)), facts=facts))
    assert judged(decision).state is State.CANNOT_TELL
    assert "GitHub: it did not answer within 10 s" in judged(decision).reason
    assert MergePromotion not in kinds(decision)


def test_without_approvals_in_the_policy_nobody_is_counted() -> None:
    decision = decide(a_policy(), seen(proposed(a_review(DANA))), NOW)
    assert judged(decision).approvals is None
    assert MergePromotion in kinds(decision)


def test_a_closed_pull_request_has_no_approvals() -> None:
    decision = decided(asked(), seen(proposed(a_review(DANA), state=PullState.CLOSED, closed_by="bob")))
    assert judged(decision).approvals is None


@pytest.mark.parametrize("arms", [AutoMerge.NEVER, AutoMerge.ANY])
def test_auto_merge_is_not_armed_and_taken_back_while_approvals_are_missing(arms: AutoMerge) -> None:
    waiting = Checks(pending=("build",))
    plain = decided(asked(), seen(proposed(checks=waiting)), arms=arms)
    assert MergePromotion not in kinds(plain)
    armed = decided(asked(), seen(proposed(checks=waiting, armed_by="liftlock", armed_by_bot=True)), arms=arms)
    assert DisarmPromotion in kinds(armed)
    assert judged(armed).state is State.WAITING_FOR_REVIEW


def test_what_a_person_armed_or_queued_waits_for_approvals_too() -> None:
    for changes in ({"armed_by": "bob", "checks": Checks(pending=("build",))}, {"is_queued": True}):
        assert judged(decided(asked(), seen(proposed(**changes)))).state is State.WAITING_FOR_REVIEW


def test_a_draft_is_made_ready_so_that_people_look_at_it() -> None:
    assert ReadyPromotion in kinds(decided(asked(), seen(proposed(draft=True))))


def test_a_request_for_changes_and_failed_checks_are_told_first() -> None:
    refused = replace(a_pull(reviews=Reviews(changes_requested_by=("bob",))))
    assert judged(decided(asked(), seen(a_proposal(refused)))).state is State.WAITING_FOR_HUMAN
    failed = decided(asked(), seen(proposed(checks=Checks(failed=("build",)))))
    assert judged(failed).state is State.WAITING_FOR_CHECKS


def test_the_merge_that_is_left_to_people_is_left_to_them_with_all_approvals() -> None:
    reviewed = decided(asked(), seen(proposed(a_review())), merge=Merge.HUMAN)
    assert judged(reviewed).state is State.WAITING_FOR_HUMAN
    commanded = decided(asked(), seen(proposed(), orders=(a_command(),)), merge=Merge.HUMAN)
    assert MergePromotion in kinds(commanded)
    alone = decided(asked(2), seen(proposed(), orders=(a_command(),)), merge=Merge.HUMAN)
    assert judged(alone).state is State.WAITING_FOR_REVIEW


def test_what_is_behind_is_brought_up_to_date_before_anybody_approves_it() -> None:
    fresh = decided(asked(), seen(proposed(is_behind=True)))
    assert RemakePromotion in kinds(fresh)
    begun = decided(asked(2), seen(proposed(a_review(), is_behind=True)))
    assert RemakePromotion not in kinds(begun)
    assert judged(begun).state is State.WAITING_FOR_REVIEW
    enough = decided(asked(), seen(proposed(a_review(), is_behind=True)))
    assert RemakePromotion in kinds(enough)


@pytest.mark.parametrize(("at", "state"), [(ENDS - 5 * SECOND, State.WAITING_FOR_REVIEW), (ENDS, State.READY_TO_MERGE)])
def test_after_window_takes_approvals_that_came_when_the_window_had_ended(at: datetime, state: State) -> None:
    decision = decided(asked(when=ApprovedWhen.AFTER_WINDOW), seen(proposed(a_review(at=at))))
    assert judged(decision).state is state


def test_after_window_takes_no_approval_while_the_release_is_observed() -> None:
    early = seen(proposed(a_review(at=NOON + 5 * MINUTE), draft=True), at=NOON + 20 * MINUTE)
    tally = judged(decided(asked(when=ApprovedWhen.AFTER_WINDOW), early)).approvals
    assert tally is not None
    assert against(tally) == [("dana", "approved before the release had passed")]


def test_after_window_counts_from_a_policy_that_began_the_window_anew() -> None:
    late = seen(proposed(a_review(at=NOON + 34 * MINUTE)), policy_since=NOON + 5 * MINUTE)
    told = judged(decided(asked(when=ApprovedWhen.AFTER_WINDOW), late))
    assert told.approvals is not None
    assert told.approvals.given == ()
    assert "before the release had passed" in told.approvals.others[0].why


def test_after_window_takes_approvals_behind_an_override() -> None:
    bad = replace(proven_staging(), samples={"gate:http-errors": samples(*[(20.0, 100.0)] * 36)})
    override = replace(
        a_command(ERIN, at=NOW - 2 * MINUTE), kind=Verb.PROMOTE, gate="http-errors", reason="known", line=1
    )

    def told(at: datetime) -> Judgement:
        observation = seen(proposed(a_review(at=at)), orders=(override,))
        stages = (bad, observation.stages[1])
        return judged(decided(asked(when=ApprovedWhen.AFTER_WINDOW), replace(observation, stages=stages)))

    assert told(NOW - 2 * MINUTE).state is State.READY_TO_MERGE
    assert told(NOW - 3 * MINUTE).state is State.WAITING_FOR_REVIEW


def test_auto_merge_is_armed_once_it_is_approved() -> None:
    rules = MergeRules(may_arm=True)
    observation = replace(seen(proposed(a_review(), checks=Checks(pending=("build",)))), forge=ForgeFacts(rules=rules))
    decision = decided(asked(), observation, arms=AutoMerge.ANY)
    assert MergePromotion in kinds(decision)
    assert MergePromotion not in kinds(decided(asked(2), observation, arms=AutoMerge.ANY))


def test_a_window_ends_only_where_there_is_one_and_the_release_is_live() -> None:
    policy, observation = a_policy(), seen(proposed())
    staging, production = policy.stages
    assert judge_running(policy, staging, observation, NOW).window_end == ENDS
    assert judge_running(policy, production, observation, NOW).window_end is None
    away = replace(proven_staging(), applications=(an_application(health="Degraded", health_since=NOW),))
    assert (
        judge_running(policy, staging, replace(observation, stages=(away, observation.stages[1])), NOW).window_end
        is None
    )
    unread = replace(proven_staging(), tags=DOWN)
    assert (
        judge_running(policy, staging, replace(observation, stages=(unread, observation.stages[1])), NOW).window_end
        is None
    )


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "draft": st.booleans(),
            "mergeable": st.sampled_from([True, False, None]),
            "is_behind": st.booleans(),
            "is_queued": st.booleans(),
            "queued_by_bot": st.booleans(),
            "armed_by": st.sampled_from([None, "bob", "liftlock"]),
            "armed_by_bot": st.booleans(),
            "checks": st.sampled_from(
                [Checks(), Checks(pending=("a",)), Checks(failed=("a",)), Checks(missing=("a",))]
            ),
        },
    ),
    st.integers(0, 2),
    st.sampled_from(Merge),
    st.sampled_from(AutoMerge),
    st.booleans(),
)
def test_nothing_short_of_approvals_is_merged_armed_or_queued_whatever_else_is_so(
    changes: dict[str, object], count: int, merge: Merge, arms: AutoMerge, has_queue: bool
) -> None:
    given_ = [a_review(DANA), a_review(ERIN)][:count]
    rules = MergeRules(may_arm=True, has_queue=has_queue)
    observation = replace(seen(proposed(*given_, **changes)), forge=ForgeFacts(rules=rules))
    decision = decided(asked(3), observation, merge=merge, arms=arms)
    assert MergePromotion not in kinds(decision)
    tally = judged(decision).approvals
    assert tally is not None
    assert tally.missing == 3 - count


def test_who_does_not_count_among_the_approvals_ends_no_pause() -> None:
    policy = a_policy(proposing=Proposing(opens=Opens.ON_PASS, approvals=asked(1), pause=60 * MINUTE), merge=Merge.AUTO)
    outsider, counted_ = replace(a_command(99), at=NOW), replace(a_command(ERIN), at=NOW)

    def state(*orders: Order, reviews: tuple[Review, ...] = (a_review(DANA),)) -> State:
        observation = seen(proposed(*reviews), orders=orders)
        return judged(decide(policy, observation, observation.at)).state

    assert state(outsider) is State.PAUSED
    assert state(counted_) is State.READY_TO_MERGE
    assert state(counted_, outsider, reviews=()) is State.READY_TO_MERGE
