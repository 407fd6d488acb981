"""The calendar in the whole loop on fakes: nothing moves while it is closed, and everything goes on when it opens."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from bot.domain.authority import Permission
from bot.domain.calendar import Calendar, Dates
from bot.domain.decision import State
from bot.domain.policy import AutoMerge, Merge, Opens, Policy, Proposing, Road, Rollback
from bot.domain.pulls import Checks, MergeRules, Pull
from bot.engine.record import replay
from bot.forge import Reaction, Urgency
from bot.records import Event
from tests.builders import MINUTE, NEW, NOON, OLD, a_policy, a_rollback
from tests.fake_world import PRODUCTION_FILE, FakeWorld, values
from tests.scenarios.test_after_a_rollback_on_fakes import play, reverts
from tests.scenarios.test_loop_on_fakes import state_of

PASSED = 34
"""Minutes after which the release has proven itself in staging."""
CHECK = "liftlock/production"
EARLY = Proposing(opens=Opens.EARLY)


def freeze(begins: int, ends: int) -> Calendar:
    """A freeze between two minutes after noon."""
    wall = [(NOON + minutes * MINUTE).replace(tzinfo=None) for minutes in (begins, ends)]
    return Calendar(zone=ZoneInfo("UTC"), freeze=(Dates(begins=wall[0], ends=wall[1], reason="on television"),))


def with_calendar(calendar: Calendar, policy: Policy) -> Policy:
    first, second = policy.stages
    return replace(policy, stages=(first, replace(second, calendar=calendar)))


def a_world(
    calendar: Calendar, *, proposing: Proposing = EARLY, merge: Merge = Merge.AUTO, rollback: Rollback | None = None
) -> FakeWorld:
    """1.9.0 was just released to staging."""
    policy = a_policy(proposing=proposing, merge=merge, rollback=rollback)
    world = FakeWorld(policy=with_calendar(calendar, policy))
    world.forge.permissions = {"mia": Permission.MAINTAIN, "bob": Permission.WRITE}
    world.release()
    return world


def is_promoted(world: FakeWorld) -> bool:
    return world.tag_in(PRODUCTION_FILE) == values(NEW)


def check_of(world: FakeWorld) -> str:
    return world.signals.checks["acme/deploy", world.forge.pulls[1].head, CHECK].state


# --- nothing moves, and then it does ---------------------------------------------------------------------------------


@pytest.mark.parametrize("opens", Opens)
def test_nothing_is_merged_in_a_freeze_and_the_release_is_as_soon_as_it_is_over(opens: Opens) -> None:
    world = a_world(freeze(0, 120), proposing=Proposing(opens=opens))
    play(world, 119)
    assert not is_promoted(world)
    assert world.forge.orders == []
    assert world.forge.pulls[1].draft
    assert check_of(world) == "waiting"
    assert state_of(world, "production", "candidate") is State.FROZEN
    assert "Frozen until 2026-03-02 14:00 UTC: on television" in world.forge.comment(1)
    play(world, 4)
    assert is_promoted(world)
    assert list(world.forge.pulls) == [1]


def test_the_comment_and_the_check_say_until_when_in_the_zone_of_the_policy() -> None:
    berlin = replace(freeze(0, 180), zone=ZoneInfo("Europe/Berlin"))
    world = a_world(berlin)
    play(world, 40)
    assert world.forge.comment(1).startswith("**Not now.** `1.9.0` has proven itself in `staging`.")
    assert "**Why:** Frozen until 2026-03-02 15:00 Europe/Berlin: on television." in world.forge.comment(1)
    check = world.signals.checks["acme/deploy", world.forge.pulls[1].head, CHECK]
    assert check.title == "Not now: frozen until 2026-03-02 15:00 Europe/Berlin: on television"


def test_a_promotion_by_commit_waits_for_the_calendar() -> None:
    world = a_world(freeze(0, 60), proposing=Proposing(by=Road.COMMIT))
    play(world, 59)
    assert not is_promoted(world)
    assert state_of(world, "production", "candidate") is State.FROZEN
    play(world, 2)
    assert is_promoted(world)


def test_a_merge_that_is_left_to_people_does_not_look_ready_to_them_in_a_freeze() -> None:
    world = a_world(freeze(45, 120), merge=Merge.HUMAN)
    play(world, 40)
    assert check_of(world) == "passed"
    play(world, 10)
    assert check_of(world) == "waiting"
    assert "Do not merge this before the calendar opens." in world.forge.comment(1)
    play(world, 75)
    assert check_of(world) == "passed"
    assert state_of(world, "production", "candidate") is State.WAITING_FOR_HUMAN


@pytest.mark.invariant("I9")
def test_a_bot_that_was_killed_in_a_freeze_goes_on_where_it_stood() -> None:
    world = a_world(freeze(0, 60))
    play(world, 45)
    world.restart()
    play(world, 10)
    assert not is_promoted(world)
    world.restart()
    play(world, 10)
    assert is_promoted(world)
    assert world.forge.merges == [1]


@pytest.mark.invariant("I9")
def test_a_bot_that_was_down_while_the_calendar_opened_and_closed_again_merges_nothing() -> None:
    two = freeze(0, 60)
    again = freeze(90, 150).freeze
    world = a_world(replace(two, freeze=(*two.freeze, *again)))
    play(world, 50)
    world.pass_time(60)
    world.restart()
    play(world, 5)
    assert not is_promoted(world)
    assert state_of(world, "production", "candidate") is State.FROZEN


@pytest.mark.invariant("I8")
def test_a_decision_in_a_freeze_can_be_replayed_from_the_ledger() -> None:
    world = a_world(freeze(0, 60))
    play(world, 40)
    policy = next(event.body["policy"] for event in world.ledger.recorded if event.kind == "policy")
    newest = [event for event in world.ledger.recorded if event.kind == "decision"][-1]
    recorded, again = replay(newest.body, policy)  # type: ignore[arg-type]  # a mapping by construction
    assert recorded == again
    assert State.FROZEN in {one.state for one in again.judgements}


# --- at the moment of the merge --------------------------------------------------------------------------------------


CLOSED = "frozen until 2026-03-02 14:00 UTC: on television"


def outcomes_of(world: FakeWorld, kind: str) -> list[str]:
    return [outcome for action, outcome in world.report().outcomes if action.kind == kind]


def test_what_was_decided_is_not_merged_where_the_calendar_has_closed_since() -> None:
    world = a_world(freeze(PASSED + 1, 120))
    play(world, PASSED - 1)
    looked = world.forge.look_again

    def later(repository: str, number: int, urgency: Urgency = Urgency.MERGE) -> Pull:
        world.pass_time(1)
        return looked(repository, number, urgency)

    world.forge.look_again = later  # type: ignore[method-assign]  # the sweep takes its time
    world.pass_time(1)
    assert outcomes_of(world, "merge promotion") == [
        f"not done: GitHub: #1 was not merged: {CLOSED}; look again",
    ]
    assert not is_promoted(world)


def test_what_was_decided_is_not_committed_where_the_calendar_has_closed_since() -> None:
    world = a_world(freeze(PASSED + 1, 120), proposing=Proposing(by=Road.COMMIT))
    world.sweep()
    world.pass_time(PASSED)
    noted = world.ledger.record

    def later(event: Event) -> None:
        world.pass_time(1)
        noted(event)

    world.ledger.record = later  # type: ignore[method-assign]  # as above
    assert outcomes_of(world, "commit promotion") == [
        f"not done: Liftlock: 1.9.0 was not committed: {CLOSED}; look again",
    ]
    assert not is_promoted(world)


# --- what the forge would merge by itself ----------------------------------------------------------------------------


def is_armed(world: FakeWorld) -> bool:
    """Whether the forge would merge by itself because the bot asked for it."""
    return world.forge.pulls[1].armed_by_bot or world.forge.pulls[1].queued_by_bot


def test_auto_merge_that_the_bot_armed_is_taken_back_as_a_freeze_begins_and_armed_again_behind_it() -> None:
    world = a_world(freeze(45, 60), proposing=replace(EARLY, auto_merge=AutoMerge.ANY))
    world.forge.rules = MergeRules(may_arm=True)
    play(world, 4)
    world.forge.edit(1, checks=Checks(pending=("build",)))
    play(world, 38)
    assert is_armed(world)
    play(world, 4)
    assert not is_armed(world)
    assert state_of(world, "production", "candidate") is State.FROZEN
    play(world, 18)
    assert is_armed(world)
    assert not is_promoted(world)


def test_a_place_in_the_merge_queue_is_given_up_as_a_freeze_begins() -> None:
    world = a_world(freeze(45, 60))
    world.forge.rules = MergeRules(has_queue=True)
    play(world, 40)
    assert is_armed(world)
    play(world, 8)
    assert not is_armed(world)
    play(world, 15)
    assert is_armed(world)


# --- an emergency ----------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I1")
def test_a_person_with_the_right_overrides_a_freeze_which_stands_in_the_pull_request_and_in_the_commit() -> None:
    world = a_world(freeze(0, 600))
    play(world, 40)
    comment = world.forge.say(1, "/liftlock promote --override calendar the shop is down without it", by="mia")
    play(world, 3)
    assert world.forge.reactions[comment] is Reaction.DONE
    assert is_promoted(world)
    message = " ".join(world.repositories.commits[world.head].message.split())
    assert (
        "1.9.0 moves on from staging: both gates are healthy; overridden by a person: calendar (frozen until" in message
    )
    assert "on television); mia: the shop is down without it." in message
    assert "**Overridden:** `calendar` by `mia`: the shop is down without it" in world.forge.comment(1)


def test_an_override_of_the_calendar_does_not_say_that_the_release_was_not_proven() -> None:
    world = a_world(freeze(0, 600), merge=Merge.HUMAN)
    play(world, 40)
    world.forge.say(1, "/liftlock promote --override calendar the shop is down without it", by="mia")
    play(world, 3)
    assert "`1.9.0` has proven itself in `staging`." in world.forge.comment(1)
    assert check_of(world) == "passed"


@pytest.mark.invariant("I16")
def test_the_calendar_that_was_overridden_is_not_asked_again_at_the_merge() -> None:
    world = a_world(freeze(0, 600))
    play(world, 40)
    world.forge.say(1, "/liftlock promote --override calendar now", by="mia")
    world.sweep()
    world.sweep()
    outcomes = [outcome for action, outcome in world.report().outcomes if action.kind == "merge promotion"]
    assert is_promoted(world), outcomes


def test_who_lacks_the_right_or_where_there_is_no_calendar_nothing_is_overridden() -> None:
    world = a_world(freeze(0, 600))
    play(world, 40)
    refused = world.forge.say(1, "/liftlock promote --override calendar please", by="bob")
    play(world, 2)
    assert world.forge.reactions[refused] is Reaction.REFUSED
    assert not is_promoted(world)
    plain = FakeWorld(policy=a_policy(proposing=EARLY))
    plain.forge.permissions = {"mia": Permission.MAINTAIN}
    plain.release()
    play(plain, 3)
    unknown = plain.forge.say(1, "/liftlock promote --override calendar please", by="mia")
    play(plain, 1)
    assert plain.forge.reactions[unknown] is Reaction.REFUSED
    assert 'has no gate "calendar"' in plain.forge.comment(1)


# --- rollbacks -------------------------------------------------------------------------------------------------------


def failing(rollback: Rollback | None) -> FakeWorld:
    """1.9.0 was promoted before a freeze began, and fails in it."""
    world = a_world(freeze(50, 90), rollback=rollback)
    play(world, 45)
    assert is_promoted(world)
    world.metrics.bad_share = {"http-errors": 0.3}
    play(world, 10)
    return world


@pytest.mark.parametrize("road", Road)
def test_a_rollback_is_not_frozen(road: Road) -> None:
    world = failing(a_rollback(by=road))
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)
    assert len(reverts(world, "production")) == 1


def test_a_rollback_that_the_policy_keeps_back_calls_a_person_and_is_done_when_the_calendar_opens() -> None:
    world = failing(replace(a_rollback(), during_freeze=False))
    assert is_promoted(world)
    assert state_of(world, "production", "running") is State.HALTED
    assert "the policy takes nothing back then" in world.forge.comments[1, "liftlock:attention"]
    play(world, 40)
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)


def test_a_person_orders_a_rollback_in_a_freeze_that_keeps_it_back() -> None:
    world = failing(replace(a_rollback(), during_freeze=False))
    world.forge.say(1, "/liftlock rollback it loses orders", by="bob")
    play(world, 2)
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)


TWO_DAYS = 2 * 24 * 60


def failing_for_long() -> FakeWorld:
    """1.9.0 was promoted before a freeze of two days, with a watch of an hour, and has failed for 46 hours."""
    world = a_world(freeze(50, TWO_DAYS), rollback=replace(a_rollback(), during_freeze=False))
    play(world, 45)
    assert is_promoted(world)
    world.metrics.bad_share = {"http-errors": 0.3}
    for _ in range(23):
        world.pass_time(2 * 60 - 2)
        play(world, 1)
        assert state_of(world, "production", "running") is State.HALTED
    assert "the policy takes nothing back then" in world.forge.comments[1, "liftlock:attention"]
    assert is_promoted(world)
    return world


def test_what_is_kept_back_for_longer_than_the_watch_keeps_a_person_called_and_is_done_when_it_opens() -> None:
    world = failing_for_long()
    world.pass_time(100)
    play(world, 4)
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)


def test_a_person_may_order_it_on_the_pull_request_for_as_long_as_it_is_kept_back() -> None:
    world = failing_for_long()
    world.forge.say(1, "/liftlock rollback it loses orders", by="bob")
    play(world, 2)
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)


def test_a_release_that_first_fails_in_a_freeze_after_its_watch_is_taken_back_when_the_calendar_opens() -> None:
    world = a_world(freeze(50, 400), rollback=replace(a_rollback(), during_freeze=False))
    play(world, 200)
    assert state_of(world, "production", "running") is State.WATCHING
    world.metrics.bad_share = {"http-errors": 0.3}
    play(world, 100)
    assert state_of(world, "production", "running") is State.HALTED
    play(world, 120)
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)
