"""A release before a stage whose calendar is closed: what is still done, what is not, and who may go on.

| while the calendar is closed            | what is done                                         |
|-----------------------------------------|------------------------------------------------------|
| nothing is proposed yet                 | a draft is opened                                    |
| a draft                                 | it stays one                                         |
| ready to be merged, armed or queued     | nothing; what the bot armed or queued is taken back  |
| the head is no planned edit             | halted: only a person can mend that                  |
| out of date                             | it is made anew when the calendar opens              |
| overridden by a person at this head     | as if it were open                                   |
| a rollback                              | done; with `during_freeze: false` a person is called |
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.domain.calendar import Calendar, Dates
from bot.domain.commands import Verb
from bot.domain.decide import decide
from bot.domain.decision import (
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
    UpdatePromotion,
    Wait,
    WaitsOn,
)
from bot.domain.observation import Observation
from bot.domain.observed import past_freeze
from bot.domain.orders import Order
from bot.domain.policy import Merge, Opens, Policy, Proposing, Road
from bot.domain.pulls import Checks, Proposal, PullState, Reviews
from tests.builders import (
    HEAD,
    IMAGE,
    MINUTE,
    NEW,
    NOON,
    a_policy,
    a_proposal,
    a_pull,
    a_revert_proposal,
    a_rollback,
    an_observation,
    new_production,
    nothing_proposed,
    old_production,
    proven_staging,
    samples,
)

NOW, OPENS = NOON + 40 * MINUTE, NOON + 60 * MINUTE
REASON = "frozen until 2026-03-02 13:00 UTC: the shop is on television"
GOOD = samples(*[(0.0, 100.0)] * 89, start=NOON)
BAD = samples((20.0, 100.0), (20.0, 100.0), start=NOON)


def a_calendar(ends: datetime = OPENS) -> Calendar:
    wall = NOON.replace(tzinfo=None) - timedelta(days=1), ends.replace(tzinfo=None)
    return Calendar(zone=ZoneInfo("UTC"), freeze=(Dates(begins=wall[0], ends=wall[1], reason=REASON.split(": ")[1]),))


def frozen(policy: Policy | None = None, ends: datetime = OPENS) -> Policy:
    """The policy whose production is frozen."""
    policy = policy or a_policy()
    first, second = policy.stages
    return replace(policy, stages=(first, replace(second, calendar=a_calendar(ends))))


def seen(proposal: Proposal, *orders: Order, at: datetime = NOW) -> Observation:
    return replace(an_observation(production=old_production(promotion=proposal), at=at), orders=orders)


def with_pull(**changes: object) -> Proposal:
    return a_proposal(replace(a_pull(), **changes))  # type: ignore[arg-type]  # a test names only what it changes


def decided(observation: Observation, policy: Policy | None = None) -> Decision:
    return decide(policy or frozen(), observation, observation.at)


def judged(decision: Decision, role: str = "candidate") -> Judgement:
    return next(one for one in decision.judgements if (one.stage, one.role) == ("production", role))


def kinds(decision: Decision) -> set[type]:
    return {type(action) for action in decision.actions}


def an_override(gate: str = "calendar", head: str = HEAD) -> Order:
    return Order(
        kind=Verb.PROMOTE, service="checkout", stage="production", release=f"{IMAGE}:{NEW}", by_id=7, by_login="dana",
        at=NOW - MINUTE, comment=1, line=0, number=7, gate=gate, reason="the shop is down", head=head,  # type: ignore[arg-type]
    )  # fmt: skip


# --- nothing moves ---------------------------------------------------------------------------------------------------


def test_what_is_ready_is_not_merged_and_says_until_when_and_why() -> None:
    decision = decided(seen(with_pull()))
    told = judged(decision)
    assert (told.state, told.waits_on, told.reason) == (State.FROZEN, WaitsOn.PROMOTION, REASON)
    assert kinds(decision) == {UpdatePromotion, Wait}
    assert [action.until for action in decision.actions if isinstance(action, Wait)] == [OPENS]


def test_it_is_merged_as_soon_as_the_calendar_opens() -> None:
    assert MergePromotion in kinds(decided(seen(with_pull(), at=OPENS)))
    assert MergePromotion not in kinds(decided(seen(with_pull(), at=OPENS - MINUTE)))


def test_the_calendar_of_the_policy_holds_for_every_stage_that_releases_are_promoted_into() -> None:
    policy = replace(a_policy(), calendar=a_calendar())
    assert judged(decided(seen(with_pull()), policy)).state is State.FROZEN


@pytest.mark.parametrize("opens", Opens)
def test_a_proven_release_is_proposed_as_a_draft_meanwhile(opens: Opens) -> None:
    decision = decided(seen(nothing_proposed()), frozen(a_policy(proposing=Proposing(opens=opens))))
    assert [action.is_draft for action in decision.actions if isinstance(action, OpenPromotion)] == [True]
    assert (judged(decision).state, judged(decision).reason) == (State.FROZEN, REASON)


def test_a_draft_stays_one_until_the_calendar_opens() -> None:
    assert kinds(decided(seen(with_pull(draft=True)))) == {UpdatePromotion, Wait}
    assert ReadyPromotion in kinds(decided(seen(with_pull(draft=True), at=OPENS)))


@pytest.mark.parametrize(
    "changes",
    [{"armed_by": "liftlock", "armed_by_bot": True}, {"is_queued": True, "queued_by_bot": True}],
    ids=["armed", "queued"],
)
def test_what_the_forge_would_merge_for_the_bot_is_taken_back_as_a_freeze_begins(changes: dict[str, object]) -> None:
    decision = decided(seen(with_pull(**changes)))
    (disarm,) = (action for action in decision.actions if isinstance(action, DisarmPromotion))
    assert disarm.reason == REASON
    assert decision.actions[0] is disarm


@pytest.mark.parametrize(
    ("proposal", "policy"),
    [
        pytest.param(with_pull(checks=Checks(pending=("build",))), a_policy(), id="checks"),
        pytest.param(with_pull(reviews=Reviews(is_short=True)), a_policy(), id="a review"),
        pytest.param(with_pull(reviews=Reviews(changes_requested_by=("eve",))), a_policy(), id="changes"),
        pytest.param(with_pull(), a_policy(merge=Merge.HUMAN), id="a person"),
        pytest.param(with_pull(mergeable=None), a_policy(), id="GitHub"),
        pytest.param(with_pull(is_queued=True), a_policy(), id="the queue of a person"),
        pytest.param(with_pull(armed_by="eve", checks=Checks(pending=("b",))), a_policy(), id="a person's arming"),
    ],
)
def test_it_is_frozen_whatever_else_it_waits_for_so_that_its_check_does_not_pass(
    proposal: Proposal, policy: Policy
) -> None:
    assert judged(decided(seen(proposal), frozen(policy))).state is State.FROZEN


def test_nothing_is_made_anew_before_the_calendar_opens() -> None:
    stale = replace(with_pull(), base_moved=True, is_own_head=True)
    assert RemakePromotion not in kinds(decided(seen(stale)))
    assert RemakePromotion in kinds(decided(seen(stale, at=OPENS)))


@pytest.mark.parametrize(
    "proposal",
    [replace(with_pull(), deviation="README.md differs"), replace(with_pull(), release=None)],
    ids=["not the planned edit", "not the bot's commit"],
)
def test_what_only_a_person_can_mend_is_told_during_a_freeze_too(proposal: Proposal) -> None:
    assert judged(decided(seen(proposal))).state is State.HALTED


def test_what_is_not_proven_says_that_and_not_that_it_is_frozen() -> None:
    quiet = replace(proven_staging(), samples={})
    observation = replace(seen(with_pull(draft=True)), stages=(quiet, old_production(promotion=with_pull(draft=True))))
    assert judged(decided(observation)).state is State.OBSERVING


@pytest.mark.parametrize(("at", "state"), [(NOW, State.FROZEN), (OPENS, State.READY_TO_MERGE)])
def test_nothing_is_committed_onto_the_branch_while_it_is_frozen(at: datetime, state: State) -> None:
    by_commit = frozen(a_policy(proposing=Proposing(by=Road.COMMIT)))
    decision = decided(seen(nothing_proposed(), at=at), by_commit)
    assert judged(decision).state is state
    assert (CommitPromotion in kinds(decision)) is (state is State.READY_TO_MERGE)


def test_a_freeze_without_an_end_in_sight_waits_without_an_instant() -> None:
    decision = decided(seen(with_pull()), frozen(ends=NOON + timedelta(days=500)))
    assert judged(decision).reason == "frozen for more than 400 days: the shop is on television"
    assert [action.until for action in decision.actions if isinstance(action, Wait)] == [None]


def test_it_is_looked_at_again_when_the_calendar_opens() -> None:
    soon = decided(seen(with_pull(), at=OPENS - timedelta(seconds=20)))
    assert soon.look_again == OPENS
    assert decided(seen(with_pull())).look_again == NOW + MINUTE


# --- a person overrides it -------------------------------------------------------------------------------------------


@pytest.mark.invariant("I1")
def test_a_person_with_the_right_overrides_the_calendar_and_the_reason_names_them() -> None:
    decision = decided(seen(with_pull(), an_override()))
    (merge,) = (action for action in decision.actions if isinstance(action, MergePromotion))
    assert merge.reason == (
        f"staging: both gates are healthy; overridden by a person: calendar ({REASON}); dana: the shop is down"
    )


@pytest.mark.invariant("I1")
def test_a_gate_and_the_calendar_are_overridden_one_by_one() -> None:
    bad = replace(proven_staging(), samples={"gate:http-errors": samples(*[(20.0, 100.0)] * 36)})
    production = old_production(promotion=with_pull())
    observation = replace(an_observation(bad, production, at=NOW), orders=(an_override("http-errors"),))
    assert judged(decided(observation)).state is State.FROZEN
    both = replace(observation, orders=(an_override("http-errors"), replace(an_override(), line=1)))
    (merge,) = (action for action in decided(both).actions if isinstance(action, MergePromotion))
    assert merge.reason.startswith("staging: overridden by a person: http-errors (720 of 3,600 bad")
    assert f", calendar ({REASON}); dana: the shop is down" in merge.reason


@pytest.mark.invariant("I16")
def test_an_override_of_another_head_or_gate_counts_for_nothing() -> None:
    for order in (an_override(head="f" * 40), an_override(gate="http-errors")):
        assert judged(decided(seen(with_pull(), order))).state is State.FROZEN


@pytest.mark.invariant("I6")
def test_an_override_of_the_calendar_under_another_policy_is_void_and_the_reason_says_so() -> None:
    order = replace(an_override(), at=NOON)
    told = judged(decided(replace(seen(with_pull(), order), policy_since=NOON + MINUTE)))
    assert (told.state, told.reason) == (State.FROZEN, f"{REASON}; dana overrode calendar under another policy")


def test_an_override_is_not_named_where_the_calendar_was_open() -> None:
    decision = decided(seen(with_pull(), an_override(), at=OPENS))
    (merge,) = (action for action in decision.actions if isinstance(action, MergePromotion))
    assert merge.reason == "staging: both gates are healthy"


# --- rollbacks -------------------------------------------------------------------------------------------------------


def failing(*orders: Order, revert: Proposal | None = None, at: datetime = NOON + 10 * MINUTE) -> Observation:
    """Production runs 1.9.0, and its errors have fired a trigger."""
    production = new_production(sampled={"trigger:http-errors": BAD}, revert=revert)
    return replace(an_observation(production=production, at=at), orders=orders)


def keeping_back(by: Road = Road.COMMIT) -> Policy:
    return frozen(a_policy(rollback=replace(a_rollback(by=by), during_freeze=False)))


def test_a_rollback_is_never_frozen_unless_the_policy_says_so() -> None:
    assert RollBack in kinds(decided(failing()))


def test_where_the_policy_says_so_a_due_rollback_calls_a_person_and_says_why() -> None:
    decision = decided(failing(), keeping_back())
    told = judged(decision, "running")
    assert (told.state, told.waits_on) == (State.HALTED, WaitsOn.HUMAN)
    assert told.reason.endswith(
        f"but production is {REASON}, and the policy takes nothing back then: "
        "a person must look, or order it by /liftlock rollback"
    )
    assert Halt in kinds(decision)
    assert RollBack not in kinds(decision)


def test_it_is_done_when_the_calendar_opens() -> None:
    early = frozen(keeping_back(), ends=NOON + 5 * MINUTE)
    assert RollBack in kinds(decided(failing(), early))


def between(begins: float, ends: float) -> Calendar:
    """A freeze between two minutes after noon."""
    wall = [(NOON + minutes * MINUTE).replace(tzinfo=None) for minutes in (begins, ends)]
    return Calendar(zone=ZoneInfo("UTC"), freeze=(Dates(begins=wall[0], ends=wall[1]),))


@pytest.mark.parametrize(
    ("calendars", "ends_at"),
    [
        ([], 60),
        ([between(0, 30)], 60),
        ([between(0, 45)], 75),
        ([between(50, 300)], 330),
        ([between(60, 300)], 330),
        ([between(61, 300)], 60),
        ([between(0, 40), between(55, 100)], 130),
        ([between(50, 600 * 24 * 60)], 60 + 400 * 24 * 60 + 30),
    ],
)
def test_a_watch_that_keeps_rollbacks_for_the_opening_ends_half_an_hour_after_it(
    calendars: list[Calendar], ends_at: int
) -> None:
    """The watch of an hour would end at minute 60."""
    keeping = replace(a_rollback(), during_freeze=False)
    end = NOON + 60 * MINUTE
    assert past_freeze(keeping, end, calendars) == NOON + ends_at * MINUTE
    assert past_freeze(a_rollback(), end, calendars) == end


def test_a_watch_shorter_than_that_goes_on_for_as_long_as_it_is_after_the_opening() -> None:
    keeping = replace(a_rollback(), watch=10 * MINUTE, during_freeze=False)
    assert past_freeze(keeping, NOON + 60 * MINUTE, [between(55, 300)]) == NOON + 310 * MINUTE
    assert past_freeze(keeping, NOON + 60 * MINUTE, [between(0, 45)]) == NOON + 60 * MINUTE


def test_a_watch_that_goes_on_past_a_freeze_says_until_when() -> None:
    quiet = an_observation(production=new_production(sampled={"trigger:http-errors": GOOD}), at=NOON + 90 * MINUTE)
    told = judged(decided(quiet, frozen(keeping_back(), ends=NOON + 120 * MINUTE)), "running")
    assert told.state is State.WATCHING
    assert (
        told.reason == "no trigger has fired; watched until the calendar has opened again, to 2026-03-02 14:30:00 UTC"
    )
    assert judged(decided(quiet), "running").state is State.SETTLED


def test_what_a_person_orders_back_is_taken_back_during_a_freeze() -> None:
    order = replace(an_override(), kind=Verb.ROLLBACK, gate="", head=None, at=NOON + 5 * MINUTE)
    assert RollBack in kinds(decided(failing(order), keeping_back()))


@pytest.mark.parametrize("during_freeze", [True, False])
def test_a_rollback_that_is_under_way_goes_on_or_stops_as_the_policy_says(during_freeze: bool) -> None:
    rollback = replace(a_rollback(by=Road.PULL_REQUEST), during_freeze=during_freeze)
    pull = replace(a_pull(), branch=a_revert_proposal().branch, is_own=True, state=PullState.OPEN)
    quiet = new_production(sampled={}, revert=a_revert_proposal(pull))
    decision = decided(an_observation(production=quiet, at=NOON + 10 * MINUTE), frozen(a_policy(rollback=rollback)))
    assert (MergePromotion in kinds(decision)) is during_freeze
    assert judged(decision, "running").state is (State.ROLLING_BACK if during_freeze else State.HALTED)
