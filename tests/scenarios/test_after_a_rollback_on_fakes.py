"""What follows a rollback, in the whole loop on fakes: the same release leaves other stages, cools down, is lifted."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.authority import Permission
from bot.domain.commands import Verb
from bot.domain.decision import State
from bot.domain.orders import Order, as_json
from bot.domain.policy import AtDeadline, Opens, Proposing, Road
from bot.forge import Reaction
from bot.records import Event
from tests.builders import IMAGE, MINUTE, NEW, OLD, a_policy, a_rollback, a_window
from tests.fake_world import PRODUCTION_FILE, STAGING_FILE, FakeWorld, kustomization, values
from tests.scenarios.test_loop_on_fakes import failing_world, promoted_world, protect_main, state_of


def reverts(world: FakeWorld, stage: str) -> list[str]:
    """The messages of the rollbacks of a stage, newest first."""
    line = [commit.message for commit in world.repositories.line(world.head)]
    return [message for message in line if f"Liftlock-Stage: {stage}\n" in message and "Liftlock-Reverts" in message]


def play(world: FakeWorld, minutes: int) -> None:
    synced = world.head
    for _ in range(minutes):
        world.pass_time(1)
        if world.head != synced:
            world.sync()
            synced = world.head
        world.sweep()


# --- other stages ----------------------------------------------------------------------------------------------------


def test_a_release_that_fails_in_production_also_leaves_staging_once_where_the_policy_says_so() -> None:
    world = failing_world(rollback=a_rollback(also=("staging",)))
    world.sweep()
    world.sync()
    world.metrics.bad_share = {}
    play(world, 5)
    assert (world.tag_in(PRODUCTION_FILE), world.tag_in(STAGING_FILE)) == (values(OLD), kustomization(OLD))
    (message,) = reverts(world, "staging")
    assert f"Liftlock-Release: {IMAGE}:{NEW}" in message
    assert len(reverts(world, "production")) == 1
    # The same release set in staging by a person is theirs: it stays there, and goes nowhere.
    world.release(NEW)
    play(world, 40)
    assert world.tag_in(STAGING_FILE) == kustomization(NEW)
    assert state_of(world, "production", "candidate") is State.QUARANTINED
    assert len(reverts(world, "staging")) == 1


@pytest.mark.parametrize("is_protected", [False, True], ids=["as the policy says", "as the branch forces"])
def test_it_leaves_staging_by_a_pull_request_where_production_does(is_protected: bool) -> None:
    road = Road.COMMIT if is_protected else Road.PULL_REQUEST
    world = failing_world(rollback=a_rollback(by=road, also=("staging",)))
    if is_protected:
        protect_main(world)
    play(world, 6)
    assert (world.tag_in(PRODUCTION_FILE), world.tag_in(STAGING_FILE)) == (values(OLD), kustomization(OLD))
    assert len(reverts(world, "staging")) == 1
    assert all(not pull.is_own or pull.state != "open" for pull in world.forge.pulls.values())


# --- the cool-down ---------------------------------------------------------------------------------------------------


def test_a_fix_that_has_passed_waits_until_the_stage_has_cooled_down() -> None:
    world = failing_world(rollback=a_rollback(cool_down=timedelta(hours=2)), proposing=Proposing(opens=Opens.EARLY))
    world.sweep()
    world.sync()
    world.metrics.bad_share = {}
    world.release("1.9.1")
    play(world, 40)
    assert state_of(world, "production", "candidate") is State.COOLING_DOWN
    newest = max(world.forge.pulls)
    assert world.forge.comment(newest).startswith("**Cools down.** `1.9.1` has proven itself in `staging`.")
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)
    play(world, 85)
    assert world.tag_in(PRODUCTION_FILE) == values("1.9.1")


# --- the quarantine and its end --------------------------------------------------------------------------------------


def taken_back(opens: Opens = Opens.EARLY) -> FakeWorld:
    """1.9.0 was taken out of production, where everything is well again; it is in staging still."""
    world = failing_world(proposing=Proposing(opens=opens))
    world.forge.permissions = {"mia": Permission.MAINTAIN, "bob": Permission.WRITE}
    world.sweep()
    world.sync()
    world.metrics.bad_share = {}
    play(world, 3)
    assert state_of(world, "production", "candidate") is State.QUARANTINED
    return world


@pytest.mark.invariant("I3")
def test_a_quarantine_that_a_maintainer_lifts_is_over_and_the_release_is_proposed_and_judged_anew() -> None:
    world = taken_back()
    comment = world.forge.say(1, "/liftlock lift the database was full", by="mia")
    world.sweep()
    assert world.forge.reactions[comment] is Reaction.DONE
    play(world, 40)
    assert world.tag_in(PRODUCTION_FILE) == values(NEW)
    assert sorted(world.forge.pulls) == [1, 2]
    # It is a promotion of its own: if it fails again, it is taken back again, and barred again.
    world.metrics.bad_share = {"http-errors": 0.3}
    play(world, 6)
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)
    assert state_of(world, "production", "candidate") is State.QUARANTINED
    assert len(reverts(world, "production")) == 2


def test_the_new_pull_request_of_a_lifted_release_does_not_say_that_it_was_rolled_back() -> None:
    world = taken_back()
    world.forge.say(1, "/liftlock lift the database was full", by="mia")
    play(world, 4)
    assert [world.forge.comment(number).startswith("**Rolled back.**") for number in (1, 2)] == [True, False]
    assert "Rolled back" not in world.forge.bodies[2]


@pytest.mark.invariant("I9")
def test_a_lift_that_was_recorded_before_the_process_died_is_not_denied_when_the_bot_is_back() -> None:
    world = taken_back(Opens.ON_PASS)
    comment = world.forge.say(1, "/liftlock lift the database was full", by="mia")
    second = world.forge.say(1, "/liftlock hold\n/liftlock jump\n/liftlock resume", by="eve")
    world.sweep()
    # What the killed process had recorded is there, and what it would have noted and answered then is not.
    for number in (comment, second):
        del world.ledger.notes[f"heard/acme/deploy/{number}"]
    world.forge.reactions.clear()
    before = [event for event in world.ledger.recorded if event.kind in {"command", "answer"}]
    world.restart()
    world.sweep()
    assert world.forge.reactions == {comment: Reaction.DONE, second: Reaction.REFUSED}
    assert [event for event in world.ledger.recorded if event.kind in {"command", "answer"}] == before
    assert state_of(world, "production", "candidate") is not State.QUARANTINED


@pytest.mark.invariant("I3")
def test_nothing_but_lifting_it_ends_a_quarantine() -> None:
    world = taken_back()
    for words in ("retry", "approve", "lift it is fine now"):
        comment = world.forge.say(1, f"/liftlock {words}", by="bob")
        world.sweep()
        assert world.forge.reactions[comment] is Reaction.REFUSED, words
    override = world.forge.say(1, "/liftlock promote --override http-errors it is fine", by="mia")
    world.sweep()
    assert world.forge.reactions[override] is Reaction.REFUSED
    play(world, 40)
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)


@pytest.mark.invariant("I3")
def test_a_lost_ledger_brings_a_lifted_quarantine_back() -> None:
    world = taken_back()
    world.forge.say(1, "/liftlock hold wait", by="mia")
    world.forge.say(1, "/liftlock lift the database was full", by="mia")
    world.sweep()
    assert state_of(world, "production", "candidate") is State.HELD_BY_HUMAN
    world.ledger.recorded.clear()
    assert state_of(world, "production", "candidate") is State.QUARANTINED


def test_a_release_that_is_not_quarantined_cannot_be_lifted() -> None:
    world = promoted_world()
    world.forge.permissions = {"mia": Permission.MAINTAIN}
    comment = world.forge.say(1, "/liftlock lift no reason", by="mia")
    world.sweep()
    assert world.forge.reactions[comment] is Reaction.REFUSED
    assert f"{IMAGE}:{NEW} is not quarantined" in world.forge.comment(1)


# --- what an operator orders on the command line ---------------------------------------------------------------------


def ordered(world: FakeWorld, verb: Verb) -> None:
    """Write an order into the ledger as `liftlock rollback` and `liftlock lift` do."""
    order = Order(
        kind=verb, service="checkout", stage="production", release=f"{IMAGE}:{NEW}",
        by_id=0, by_login="dana on bastion",
        at=world.clock.now(), comment=int(world.clock.now().timestamp() * 1e6), line=0, number=0, reason="too slow",
    )  # fmt: skip
    body = {"order": as_json(order)}
    world.ledger.record(Event(at=order.at, service="checkout", stage="production", kind="command", body=body))


def test_an_order_from_the_command_line_takes_a_release_back_also_after_its_watch() -> None:
    world = promoted_world()
    world.sync()
    play(world, 65)
    assert state_of(world, "production", "running") is State.SETTLED
    ordered(world, Verb.ROLLBACK)
    play(world, 3)
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)
    assert "dana on bastion ordered it: too slow" in reverts(world, "production")[0].replace("\n", " ")
    ordered(world, Verb.LIFT)
    play(world, 40)
    assert world.tag_in(PRODUCTION_FILE) == values(NEW)


# --- without a verdict -----------------------------------------------------------------------------------------------


def test_a_quiet_service_is_promoted_at_its_deadline_where_the_policy_says_so_and_the_commit_says_why() -> None:
    window = a_window(length=30 * MINUTE, deadline=40 * MINUTE, at_deadline=AtDeadline.PROMOTE)
    world = FakeWorld(policy=a_policy(window=window))
    world.metrics.per_minute = 2.0
    world.release()
    play(world, 39)
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)
    play(world, 4)
    assert world.tag_in(PRODUCTION_FILE) == values(NEW)
    message = next(one.message for one in world.repositories.line(world.head) if "Liftlock-Promotes" in one.message)
    assert "the policy promotes it then" in " ".join(message.split())
