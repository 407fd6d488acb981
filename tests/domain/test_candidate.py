"""A release on its way: early drafts, holds, overrides, approvals, out-of-date branches, queues, direct commits.

What stands against a merge of a ready pull request is in `test_decide.py`.

| what is so                                   | what becomes of it                                     |
|----------------------------------------------|--------------------------------------------------------|
| live and observed, `open: early`             | a draft, once                                          |
| passed, the bot's draft                      | marked ready                                           |
| passed, no pull request                      | opened                                                 |
| unhealthy, a draft or opened again           | stays open, never merged                               |
| unhealthy, ready                             | withdrawn                                              |
| base moved, conflict or behind, own head     | made anew                                              |
| the same, a person's head                    | halts                                                  |
| reviews or checks missing, auto-merge bound  | armed; disarmed on any change                          |
| merge queue                                  | enqueued, then waits                                   |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.domain.argo import NoApplication
from bot.domain.commands import Verb
from bot.domain.decide import decide
from bot.domain.decision import (
    Action,
    ClosePromotion,
    CommitPromotion,
    Decision,
    DisarmPromotion,
    Halt,
    Judgement,
    MergePromotion,
    OpenPromotion,
    ReadyPromotion,
    RemakePromotion,
    RollBack,
    State,
    Wait,
)
from bot.domain.model import Artifact, Digest, Release, Samples, Trouble
from bot.domain.observation import ForgeFacts, Observation, StageObservation
from bot.domain.orders import Order
from bot.domain.policy import AutoMerge, Merge, Opens, Policy, Proposing, Road
from bot.domain.pulls import (
    Checks,
    MergeMethod,
    MergeRoad,
    MergeRules,
    Proposal,
    Pull,
    PullState,
    RequiredCheck,
    Reviews,
)
from tests.builders import (
    HEAD,
    IMAGE,
    MINUTE,
    NEW,
    NOON,
    OLD,
    a_policy,
    a_proposal,
    a_pull,
    an_observation,
    new_production,
    nothing_proposed,
    old_production,
    proven_staging,
    samples,
)

EARLY = Proposing(opens=Opens.EARLY)
BAD = samples(*[(20.0, 100.0)] * 36)
RELEASE = f"{IMAGE}:{NEW}"


def decided(policy: Policy, seen: Observation) -> Decision:
    return decide(policy, seen, seen.at)


def proposal(changes: Mapping[str, object] | None = None, **about: object) -> Proposal:
    pull = replace(a_pull(), **(changes or {}))  # type: ignore[arg-type]  # a test names only what it changes
    return replace(a_proposal(pull), **about)  # type: ignore[arg-type]  # likewise


def seen_with(
    promotion: Proposal | Trouble | None, *, staging: object = None, at: datetime = NOON + 40 * MINUTE, **more: object
) -> Observation:
    production = replace(old_production(), promotion=promotion)
    seen = an_observation(staging, production, at=at)  # type: ignore[arg-type]  # likewise
    return replace(seen, **more)  # type: ignore[arg-type]  # likewise


def observing(promotion: Proposal | Trouble | None, **more: object) -> Observation:
    return seen_with(promotion, at=NOON + 10 * MINUTE, **more)


def staging_with(measured: Samples) -> StageObservation:
    return replace(proven_staging(), samples={"gate:http-errors": measured})


def candidate(decision: Decision) -> Judgement:
    return next(item for item in decision.judgements if (item.stage, item.role) == ("production", "candidate"))


def only(decision: Decision, kind: type[Action]) -> Action:
    (found,) = (action for action in decision.actions if isinstance(action, kind))
    return found


def kinds(decision: Decision) -> set[str]:
    return {action.kind for action in decision.actions}


def an_order(kind: Verb, **changes: object) -> Order:
    order = Order(
        kind=kind,
        service="checkout",
        stage="production",
        release=RELEASE,
        by_id=7,
        by_login="dana",
        at=NOON + 20 * MINUTE,
        comment=1,
        line=0,
        number=7,
        reason="the sale runs",
    )
    return replace(order, **changes)  # type: ignore[arg-type]  # likewise


# --- early drafts ----------------------------------------------------------------------------------------------------


def test_a_release_that_is_live_and_observed_gets_a_draft() -> None:
    decision = decided(a_policy(proposing=EARLY), observing(nothing_proposed()))
    opening = only(decision, OpenPromotion)
    assert isinstance(opening, OpenPromotion)
    assert opening.is_draft
    assert candidate(decision).state is State.OBSERVING


def test_on_pass_nothing_is_opened_while_it_is_observed() -> None:
    decision = decided(a_policy(proposing=Proposing(opens=Opens.ON_PASS)), observing(nothing_proposed()))
    assert "open promotion" not in kinds(decision)


def test_a_release_that_is_not_live_gets_no_draft() -> None:
    staging = replace(proven_staging(), applications=(NoApplication(name="checkout-staging"),))
    decision = decided(a_policy(proposing=EARLY), observing(nothing_proposed(), staging=staging))
    assert "open promotion" not in kinds(decision)


def test_a_draft_is_not_opened_twice() -> None:
    decision = decided(a_policy(proposing=EARLY), observing(proposal({"draft": True})))
    assert kinds(decision) == {"update promotion", "wait"}


def test_a_draft_is_not_opened_from_a_branch_that_is_not_the_bots() -> None:
    foreign = replace(nothing_proposed(), branch_head=HEAD, deviation="it also changes CODEOWNERS")
    decision = decided(a_policy(proposing=EARLY), observing(foreign))
    assert kinds(decision) == {"wait"}


@pytest.mark.parametrize("promotion", [None, Trouble(system="GitHub", sentence="no answer")], ids=["unseen", "down"])
def test_a_draft_is_not_opened_where_pull_requests_could_not_be_looked_at(promotion: Trouble | None) -> None:
    assert "open promotion" not in kinds(decided(a_policy(proposing=EARLY), observing(promotion)))


def test_the_draft_of_a_release_that_passed_is_marked_ready() -> None:
    decision = decided(a_policy(proposing=EARLY), seen_with(proposal({"draft": True})))
    ready = only(decision, ReadyPromotion)
    assert isinstance(ready, ReadyPromotion)
    assert ready.number == 7
    assert "merge promotion" not in kinds(decision)


def test_a_draft_that_a_person_marked_ready_too_soon_is_left_so_and_not_merged() -> None:
    assert kinds(decided(a_policy(proposing=EARLY), observing(proposal()))) == {"update promotion", "wait"}


@pytest.mark.parametrize(
    ("changes", "stays"),
    [({"draft": True}, True), ({"reopened_by": "dana"}, True), ({}, False)],
    ids=["draft", "opened again by a person", "ready"],
)
def test_an_unhealthy_release_is_withdrawn_where_somebody_could_merge_it(
    changes: dict[str, object], *, stays: bool
) -> None:
    decision = decided(a_policy(proposing=EARLY), seen_with(proposal(changes), staging=staging_with(BAD)))
    assert candidate(decision).state is State.UNHEALTHY
    assert ("close promotion" in kinds(decision)) is not stays
    assert "merge promotion" not in kinds(decision)


# --- the limit of an hour --------------------------------------------------------------------------------------------

FULL = ForgeFacts(openings_left=0, next_opening=NOON + 55 * MINUTE)


def test_no_more_are_opened_than_an_hour_allows_and_it_says_when_the_next_may_be() -> None:
    decision = decided(a_policy(), seen_with(nothing_proposed(), forge=FULL))
    wait = only(decision, Wait)
    assert isinstance(wait, Wait)
    assert wait.reason == (
        "as many promotions were opened in acme/deploy as an hour allows; the next may be opened at 12:55:00 UTC"
    )
    assert wait.until == NOON + 55 * MINUTE


def test_where_it_is_not_known_when_the_next_may_be_it_says_no_time() -> None:
    decision = decided(a_policy(), seen_with(nothing_proposed(), forge=replace(FULL, next_opening=None)))
    assert candidate(decision).reason == "as many promotions were opened in acme/deploy as an hour allows"


def test_the_limit_holds_for_drafts_as_well() -> None:
    assert "open promotion" not in kinds(decided(a_policy(proposing=EARLY), observing(nothing_proposed(), forge=FULL)))


# --- what people command ---------------------------------------------------------------------------------------------


def test_a_hold_stops_the_stage_and_disarms_what_was_armed() -> None:
    armed = proposal({"armed_by": "liftlock", "armed_by_bot": True})
    decision = decided(a_policy(), seen_with(armed, orders=(an_order(Verb.HOLD),)))
    assert candidate(decision).state is State.HELD_BY_HUMAN
    assert candidate(decision).reason == "dana holds production: the sale runs"
    assert {"disarm promotion", "update promotion", "wait"} == kinds(decision)


def test_a_resumed_stage_goes_on() -> None:
    orders = (an_order(Verb.HOLD), an_order(Verb.RESUME, comment=2, reason="", at=NOON + 21 * MINUTE))
    assert "merge promotion" in kinds(decided(a_policy(), seen_with(proposal(), orders=orders)))


def test_a_rejected_release_is_withdrawn() -> None:
    decision = decided(a_policy(), seen_with(proposal(), orders=(an_order(Verb.REJECT),)))
    assert candidate(decision).state is State.REJECTED_BY_HUMAN
    assert candidate(decision).reason == "dana rejected this release: the sale runs"
    assert isinstance(only(decision, ClosePromotion), ClosePromotion)


def test_a_rejected_release_stays_rejected_whether_or_not_its_digest_is_known() -> None:
    staging = replace(
        old_production(promotion=nothing_proposed()), artifact=Artifact(digest=Digest("sha256:" + "a" * 64))
    )
    seen = replace(an_observation(None, staging), orders=(an_order(Verb.REJECT),))
    assert candidate(decided(a_policy(), seen)).state is State.REJECTED_BY_HUMAN


@pytest.mark.parametrize(
    ("closed_at", "is_lifted"),
    [(NOON + 10 * MINUTE, True), (None, True), (NOON + 30 * MINUTE, False)],
    ids=["closed before", "unknown when", "closed again after"],
)
def test_a_retry_lifts_the_rejection_of_a_pull_request_closed_before(
    closed_at: datetime | None, *, is_lifted: bool
) -> None:
    closed = proposal({"state": PullState.CLOSED, "closed_by": "dana", "closed_at": closed_at}, branch_head=None)
    decision = decided(a_policy(), seen_with(closed, orders=(an_order(Verb.RETRY, reason=""),)))
    assert ("open promotion" in kinds(decision)) is is_lifted


def test_an_approval_at_this_head_lets_the_bot_merge_what_is_left_to_people() -> None:
    policy = a_policy(merge=Merge.HUMAN)
    approval = an_order(Verb.APPROVE, reason="", head=HEAD)
    assert "merge promotion" not in kinds(decided(policy, seen_with(proposal())))
    assert "merge promotion" in kinds(decided(policy, seen_with(proposal(), orders=(approval,))))


@pytest.mark.invariant("I16")
def test_an_approval_of_another_head_or_release_counts_for_nothing() -> None:
    policy = a_policy(merge=Merge.HUMAN)
    for approval in (
        an_order(Verb.APPROVE, reason="", head="f" * 40),
        an_order(Verb.APPROVE, reason="", head=HEAD, release=f"{IMAGE}:9.9.9"),
    ):
        assert "merge promotion" not in kinds(decided(policy, seen_with(proposal(), orders=(approval,))))


@pytest.mark.invariant("I1")
def test_an_overridden_gate_lets_a_live_release_move_and_says_who_and_why() -> None:
    override = an_order(Verb.PROMOTE, gate="http-errors", head=HEAD)
    seen = seen_with(proposal({"draft": True}), staging=staging_with(BAD), orders=(override,))
    decision = decided(a_policy(), seen)
    ready = only(decision, ReadyPromotion)
    assert isinstance(ready, ReadyPromotion)
    assert ready.reason.startswith("staging: overridden by a person: http-errors (")
    assert ready.reason.endswith("; dana: the sale runs")


@pytest.mark.invariant("I1")
@pytest.mark.parametrize(
    "changes", [{"gate": "argocd-healthy"}, {"head": "f" * 40}], ids=["another gate", "another head"]
)
def test_an_override_covers_its_gate_at_its_head_only(changes: dict[str, object]) -> None:
    override = replace(an_order(Verb.PROMOTE, gate="http-errors", head=HEAD), **changes)  # type: ignore[arg-type]
    seen = seen_with(proposal({"draft": True}), staging=staging_with(BAD), orders=(override,))
    assert "ready promotion" not in kinds(decided(a_policy(), seen))


@pytest.mark.invariant("I6")
def test_an_override_of_another_policy_is_void_and_the_reason_says_so() -> None:
    since = NOON + MINUTE
    override = an_order(Verb.PROMOTE, gate="http-errors", head=HEAD, at=since - MINUTE)
    seen = seen_with(proposal({"draft": True}), staging=staging_with(BAD), orders=(override,), policy_since=since)
    decision = decided(a_policy(), seen)
    assert "ready promotion" not in kinds(decision)
    assert candidate(decision).state is State.UNHEALTHY
    assert candidate(decision).reason.endswith("; dana overrode http-errors under another policy")
    again = replace(override, at=since, comment=override.comment + 1)
    assert "ready promotion" in kinds(decided(a_policy(), replace(seen, orders=(override, again))))


@pytest.mark.invariant("I6")
def test_an_approval_of_another_policy_merges_nothing_and_the_reason_says_so() -> None:
    policy, since = a_policy(merge=Merge.HUMAN), NOON + MINUTE
    approval = an_order(Verb.APPROVE, reason="", head=HEAD, at=since - MINUTE)
    seen = seen_with(proposal(), orders=(approval,), policy_since=since)
    decision = decided(policy, seen)
    assert "merge promotion" not in kinds(decision)
    assert candidate(decision).reason == (
        "the policy leaves the merge of #7 to a person; dana approved under another policy"
    )
    again = replace(approval, at=since, comment=approval.comment + 1)
    assert "merge promotion" in kinds(decided(policy, replace(seen, orders=(approval, again))))


@pytest.mark.invariant("I3")
def test_a_person_cannot_move_a_quarantined_release_by_an_override() -> None:
    trouble = Trouble(system="GitHub", sentence="no answer")
    assert candidate(decided(a_policy(), seen_with(trouble))).state is State.CANNOT_TELL


def test_a_rollback_that_a_person_orders_takes_the_release_back_after_the_watch_too() -> None:
    order = an_order(Verb.ROLLBACK, at=NOON + 300 * MINUTE)
    seen = replace(an_observation(None, new_production(), at=NOON + 301 * MINUTE), orders=(order,))
    action = only(decided(a_policy(), seen), RollBack)
    assert isinstance(action, RollBack)
    assert (action.back_to.tag, action.road, action.reason) == (OLD, Road.COMMIT, "dana ordered it: the sale runs")


def test_a_rollback_ordered_before_the_release_came_is_of_another_time() -> None:
    order = an_order(Verb.ROLLBACK, at=NOON - 300 * MINUTE)
    seen = replace(an_observation(None, new_production(), at=NOON + 41 * MINUTE), orders=(order,))
    assert "roll back" not in kinds(decided(a_policy(), seen))


def test_an_ordered_rollback_goes_by_commit_where_the_policy_names_no_road() -> None:
    policy = a_policy()
    plain = replace(policy, stages=(policy.stages[0], replace(policy.stages[1], rollback=None)))
    seen = replace(
        an_observation(None, new_production(), at=NOON + 301 * MINUTE),
        orders=(an_order(Verb.ROLLBACK, at=NOON + 300 * MINUTE),),
    )
    action = only(decided(plain, seen), RollBack)
    assert isinstance(action, RollBack)
    assert action.road is Road.COMMIT


# --- the base moved --------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I7")
@pytest.mark.parametrize(
    ("changes", "about", "why"),
    [
        ({"mergeable": False}, {}, "#7 conflicts with main"),
        ({}, {"base_moved": True}, "apps/checkout/production/values.yaml has changed in main since #7 was made"),
        ({"mergeable": None}, {"base_moved": True}, "apps/checkout/production/values.yaml has changed in main"),
        ({"is_behind": True}, {}, "#7 is behind main, which must not be"),
    ],
    ids=["conflict", "file changed", "file changed, mergeable unknown", "behind"],
)
def test_an_out_of_date_branch_is_made_anew_only_where_its_head_is_the_bots(
    changes: dict[str, object], about: dict[str, object], why: str
) -> None:
    own = decided(a_policy(), seen_with(proposal(changes, is_own_head=True, **about)))
    remake = only(own, RemakePromotion)
    assert isinstance(remake, RemakePromotion)
    assert (remake.number, remake.head) == (7, HEAD)
    assert why in remake.reason
    theirs = decided(a_policy(), seen_with(proposal(changes, is_own_head=False, **about)))
    assert "remake promotion" not in kinds(theirs)
    halt = only(theirs, Halt)
    assert isinstance(halt, Halt)
    assert why in halt.reason
    assert "somebody has pushed to it" in halt.reason


@pytest.mark.invariant("I16")
@pytest.mark.parametrize("is_own", [True, False])
def test_what_was_made_before_the_digest_was_known_is_made_anew_only_where_its_head_is_the_bots(is_own: bool) -> None:
    seen = seen_with(proposal(is_own_head=is_own))
    artifact = Artifact(digest=Digest("sha256:" + "a" * 64))
    stages = (seen.stages[0], replace(seen.stages[1], artifact=artifact))
    decision = decided(a_policy(), replace(seen, stages=stages))
    assert "merge promotion" not in kinds(decision)
    assert ("remake promotion" in kinds(decision)) is is_own
    assert ("halt" in kinds(decision)) is not is_own


# --- the forge's own auto-merge and queue ----------------------------------------------------------------------------

BOUND = MergeRules(may_arm=True, required_checks=(RequiredCheck(name="liftlock/production", app_id=42),))
PENDING = {"checks": Checks(pending=("ci",))}


def arming(wanted: AutoMerge) -> Policy:
    return a_policy(proposing=Proposing(opens=Opens.ON_PASS, auto_merge=wanted))


def with_rules(changes: Mapping[str, object], rules: MergeRules, *, app: int | None = 42) -> Observation:
    return seen_with(proposal(changes), forge=ForgeFacts(rules=rules, own_app_id=app))


@pytest.mark.parametrize(
    ("wanted", "rules", "app", "is_armed"),
    [
        (AutoMerge.BOUND, BOUND, 42, True),
        (AutoMerge.BOUND, BOUND, 41, False),
        (AutoMerge.BOUND, BOUND, None, False),
        (AutoMerge.BOUND, replace(BOUND, required_checks=()), 42, False),
        (AutoMerge.BOUND, replace(BOUND, required_checks=(RequiredCheck(name="liftlock/production"),)), 42, False),
        (AutoMerge.BOUND, replace(BOUND, may_arm=False), 42, False),
        (AutoMerge.ANY, replace(BOUND, required_checks=()), None, True),
        (AutoMerge.ANY, replace(BOUND, may_arm=False), 42, False),
        (AutoMerge.NEVER, BOUND, 42, False),
    ],
    ids=[
        "bound",
        "bound to another app",
        "no app",
        "not required",
        "required of anybody",
        "not allowed",
        "any",
        "any, not allowed",
        "never",
    ],
)
def test_auto_merge_is_armed_only_where_the_check_is_bound_to_this_app_or_the_policy_accepts_less(
    wanted: AutoMerge, rules: MergeRules, app: int | None, *, is_armed: bool
) -> None:
    decision = decided(arming(wanted), with_rules(PENDING, rules, app=app))
    armed = [action for action in decision.actions if isinstance(action, MergePromotion)]
    assert [action.road for action in armed] == ([MergeRoad.ARM] if is_armed else [])
    if not is_armed and wanted is not AutoMerge.NEVER:
        assert "auto-merge" in candidate(decision).reason


def test_what_is_armed_is_not_armed_again() -> None:
    armed = {**PENDING, "armed_by": "liftlock", "armed_by_bot": True}
    decision = decided(arming(AutoMerge.BOUND), with_rules(armed, BOUND))
    assert candidate(decision).state is State.WAITING_TO_BE_MERGED
    assert kinds(decision) == {"update promotion", "wait"}


def test_auto_merge_is_armed_while_a_review_is_missing() -> None:
    decision = decided(arming(AutoMerge.BOUND), with_rules({"reviews": Reviews(is_short=True)}, BOUND))
    assert candidate(decision).reason == "#7 needs an approving review"
    assert isinstance(only(decision, MergePromotion), MergePromotion)


@pytest.mark.parametrize(
    "changes",
    [{"armed_by": "liftlock", "armed_by_bot": True}, {"is_queued": True, "queued_by_bot": True}],
    ids=["armed", "queued"],
)
def test_the_bots_arming_is_taken_back_when_a_gate_turns_bad(changes: dict[str, object]) -> None:
    seen = seen_with(proposal({"reopened_by": "dana", **changes}), staging=staging_with(BAD))
    assert isinstance(only(decided(a_policy(), seen), DisarmPromotion), DisarmPromotion)


def test_what_a_person_armed_is_left_armed() -> None:
    seen = seen_with(proposal({"draft": True, "armed_by": "dana"}), staging=staging_with(BAD))
    assert "disarm promotion" not in kinds(decided(a_policy(), seen))


@pytest.mark.parametrize(
    "changes", [{"is_queued": True}, {**PENDING, "armed_by": "dana"}], ids=["queued", "armed, checks not done"]
)
def test_what_a_person_handed_to_the_forge_waits_for_nobody_also_where_people_merge(changes: dict[str, object]) -> None:
    decision = decided(a_policy(merge=Merge.HUMAN), seen_with(proposal(changes)))
    assert candidate(decision).state is State.WAITING_TO_BE_MERGED
    assert kinds(decision) == {"update promotion", "wait"}


def test_what_the_bot_enqueued_waits_for_the_queue() -> None:
    decision = decided(a_policy(), seen_with(proposal({"is_queued": True, "queued_by_bot": True})))
    assert candidate(decision).reason == "#7 is in the merge queue"
    assert kinds(decision) == {"update promotion", "wait"}


def test_what_the_bot_enqueued_is_taken_back_where_the_policy_leaves_it_to_people_since() -> None:
    queued = proposal({"is_queued": True, "queued_by_bot": True})
    decision = decided(a_policy(merge=Merge.HUMAN), seen_with(queued))
    assert candidate(decision).state is State.WAITING_FOR_HUMAN
    assert "disarm promotion" in kinds(decision)


def test_where_merges_go_through_a_queue_it_is_enqueued() -> None:
    action = only(decided(a_policy(), with_rules({}, MergeRules(has_queue=True))), MergePromotion)
    assert isinstance(action, MergePromotion)
    assert (action.road, action.head) == (MergeRoad.QUEUE, HEAD)


def test_the_method_of_the_policy_goes_with_the_merge() -> None:
    policy = a_policy(proposing=Proposing(opens=Opens.ON_PASS, method=MergeMethod.SQUASH))
    action = only(decided(policy, seen_with(proposal())), MergePromotion)
    assert isinstance(action, MergePromotion)
    assert (action.road, action.method) == (MergeRoad.NOW, MergeMethod.SQUASH)


# --- by commit -------------------------------------------------------------------------------------------------------

BY_COMMIT = a_policy(proposing=Proposing(by=Road.COMMIT))


def test_a_proven_release_is_committed_where_the_policy_wants_no_pull_request() -> None:
    action = only(decided(BY_COMMIT, seen_with(nothing_proposed())), CommitPromotion)
    assert isinstance(action, CommitPromotion)
    assert (action.stage, action.source_stage, action.release.tag, action.replaces.tag) == (
        "production",
        "staging",
        NEW,
        OLD,
    )


def test_nothing_is_committed_before_it_has_passed_or_while_it_is_held() -> None:
    assert kinds(decided(BY_COMMIT, observing(nothing_proposed()))) == {"wait"}
    held = seen_with(nothing_proposed(), orders=(an_order(Verb.HOLD),))
    assert "commit promotion" not in kinds(decided(BY_COMMIT, held))


def test_a_release_that_was_there_before_is_not_committed_by_itself() -> None:
    back = replace(old_production(promotion=nothing_proposed()), tags=new_production().tags)
    seen = an_observation(None, back)
    assert "commit promotion" not in kinds(decided(BY_COMMIT, seen))


def test_a_branch_that_takes_no_pushes_is_not_committed_to() -> None:
    facts = ForgeFacts(rules=MergeRules(takes_pushes=False))
    halt = only(decided(BY_COMMIT, seen_with(nothing_proposed(), forge=facts)), Halt)
    assert isinstance(halt, Halt)
    assert halt.reason == "the branch main takes no direct pushes of the bot: promote by pull-request, or allow them"


# --- superseded ------------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I16")
def test_the_pull_request_of_another_release_is_closed_unless_a_person_opened_it_again() -> None:
    def seen(pull: Pull) -> Observation:
        return an_observation(None, replace(old_production(), superseded=(pull,)))

    other = a_pull(3, tag="1.8.9")
    close = only(decided(a_policy(), seen(other)), ClosePromotion)
    assert isinstance(close, ClosePromotion)
    assert (close.number, close.is_superseded) == (3, True)
    assert "close promotion" not in kinds(decided(a_policy(), seen(replace(other, reopened_by="dana"))))


def test_by_commit_an_open_pull_request_is_for_a_person_to_merge_or_close_first() -> None:
    decision = decided(BY_COMMIT, seen_with(proposal()))
    assert candidate(decision).reason == "#7 is open for it: merge it, or close it and say /liftlock retry"
    assert "commit promotion" not in kinds(decision)


def test_had_before_waits_for_a_person_also_by_commit() -> None:
    there = old_production(promotion=nothing_proposed())
    assert not isinstance(there.tags, Trouble)
    changes = (there.tags.changes[0], replace(there.tags.changes[0], new=NEW, at=NOON - timedelta(days=2)))
    seen = an_observation(None, replace(there, tags=replace(there.tags, changes=changes)))
    decision = decided(BY_COMMIT, seen)
    assert candidate(decision).reason == "production had this release before, so only a person may set it there again"
    assert Release.parse(RELEASE) is not None
