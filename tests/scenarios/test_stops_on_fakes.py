"""The switch in the whole loop on fakes: what is held is judged and not done, and goes on when it is resumed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.argo import Application
from bot.domain.authority import Permission
from bot.domain.commands import Verb
from bot.domain.decision import State
from bot.domain.edit import HelmEdit
from bot.domain.orders import Order, as_json, parse_order
from bot.domain.policy import AutoMerge, Opens, Proposing, Road, SyncBy
from bot.domain.pulls import Checks, MergeRules, PullState, RequiredCheck
from bot.domain.stops import Stop, switch_body
from bot.ports import Transient
from bot.records import Event
from tests.builders import NEW, OLD, a_policy, a_rollback
from tests.fake_world import PRODUCTION_FILE, STAGING_FILE, FakeWorld, values
from tests.scenarios import from_registry
from tests.scenarios.test_after_a_rollback_on_fakes import play
from tests.scenarios.test_loop_on_fakes import failing_world, promoted_world, state_of

ALL = Stop(who="dana", reason="the network is being rebuilt")
BUT = replace(ALL, lets_roll_back=True)


def writes(world: FakeWorld) -> list[str]:
    """All that was asked of the outside world that changes it."""
    reading = {"look_at", "look_again", "pulls_of", "checks_of", "span", "read_file", "permission_of", "is_member"}
    asked = [name for name in (*world.forge.calls, *world.signals.calls) if name not in reading]
    return [*asked, *(str(push) for push in world.repositories.pushes)]


@pytest.mark.invariant("I7")
def test_while_everything_is_held_nothing_is_written_and_then_it_goes_on() -> None:
    world = FakeWorld()
    world.release()
    world.sweep()
    world.stops = (ALL,)
    before = writes(world)
    play(world, 40)
    assert writes(world) == before
    assert state_of(world, "production", "candidate") is State.HELD_BY_HUMAN
    world.stops = ()
    play(world, 3)
    assert world.tag_in(PRODUCTION_FILE) == values(NEW)


def test_a_rollback_waits_as_well_and_says_what_it_would_do() -> None:
    world = failing_world()
    world.stops = (ALL,)
    decision = world.sweep()
    running = next(one for one in decision.judgements if (one.stage, one.role) == ("production", "running"))
    assert running.state is State.HELD_BY_HUMAN
    assert running.reason.startswith(
        "dana holds everything: the network is being rebuilt; else it would be taken back: "
    )
    assert world.tag_in(PRODUCTION_FILE) == values(NEW)
    world.stops = ()
    world.sweep()
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)


def test_with_rollbacks_excepted_a_bad_release_is_taken_back_and_nothing_else_is_done() -> None:
    world = failing_world()
    world.stops = (BUT,)
    comments = dict(world.forge.comments)
    world.sweep()
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)
    world.sweep()
    assert world.forge.comments == comments


def test_a_held_service_shows_its_draft_and_moves_when_the_hold_is_gone() -> None:
    world = FakeWorld()
    world.release()
    world.stops = (Stop(who="HOLD, line 3", reason="invoices", service="checkout"),)
    play(world, 40)
    assert state_of(world, "production", "candidate") is State.HELD_BY_HUMAN
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)
    world.stops = (Stop(who="HOLD, line 3", reason="invoices", service="search"),)
    play(world, 3)
    assert world.tag_in(PRODUCTION_FILE) == values(NEW)


def test_a_held_service_is_still_taken_back() -> None:
    world = failing_world()
    world.stops = (Stop(who="HOLD, line 3", reason="invoices", service="checkout", stage="production"),)
    world.sweep()
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)


def test_commands_that_were_given_while_everything_was_held_are_heard_behind_it() -> None:
    world = FakeWorld(policy=a_policy(proposing=Proposing(opens=Opens.EARLY)))
    world.release()
    world.sweep()
    play(world, 4)
    number = max(world.forge.pulls)
    world.stops = (ALL,)
    world.forge.permissions["dana"] = Permission.WRITE
    remark = world.forge.say(number, "/liftlock hold the sale runs")
    play(world, 2)
    assert remark not in world.forge.reactions
    world.stops = ()
    play(world, 1)
    assert remark in world.forge.reactions


@pytest.mark.parametrize(("stop", "goes_back"), [(BUT, True), (ALL, False)], ids=["but rollbacks", "all"])
def test_while_all_else_is_held_a_release_is_ordered_back_on_the_command_line_and_not_by_comment(
    stop: Stop, goes_back: bool
) -> None:
    world = promoted_world()
    world.sync()
    world.forge.permissions["bob"] = Permission.WRITE
    play(world, 2)
    world.stops = (stop,)
    remark = world.forge.say(max(world.forge.pulls), "/liftlock rollback it is bad", by="bob", at=world.clock.now())
    play(world, 3)
    assert remark not in world.forge.reactions
    assert world.tag_in(PRODUCTION_FILE) == values(NEW)
    world.ledger.record(ordered_back(world))
    play(world, 2)
    assert world.tag_in(PRODUCTION_FILE) == values(OLD if goes_back else NEW)


def ordered_back(world: FakeWorld) -> Event:
    """What `liftlock rollback` puts into the ledger."""
    now = world.clock.now()
    judgements = world.sweep().judgements
    release = next(one.release for one in judgements if (one.stage, one.role) == ("production", "running"))
    assert release is not None
    order = Order(
        kind=Verb.ROLLBACK,
        service="checkout",
        stage="production",
        release=release.name,
        by_id=0,
        by_login="dana on a-machine",
        at=now,
        comment=1_000_000,
        line=0,
        number=0,
        reason="invoices are wrong",
    )
    assert parse_order(as_json(order)) == order
    return Event(at=now, service="checkout", stage="production", kind="command", body={"order": as_json(order)})


# --- a rollback while everything else is held ------------------------------------------------------------------------


@pytest.mark.parametrize("stops", [(), (BUT,)])
def test_nobodys_question_holds_up_a_rollback_by_pull_request(stops: tuple[Stop, ...]) -> None:
    world = failing_world(rollback=a_rollback(by=Road.PULL_REQUEST))
    world.stops = stops
    world.sweep()
    world.forge.say(max(world.forge.pulls), "/liftlock status", by="mallory")
    for _ in range(3):
        world.pass_time(1)
        world.sweep()
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)


def test_the_required_check_of_a_rollback_is_passed_though_all_else_is_held() -> None:
    world = failing_world(rollback=a_rollback(by=Road.PULL_REQUEST))
    world.forge.own_app_id = 7
    world.forge.rules = MergeRules(required_checks=(RequiredCheck(name="liftlock/production", app_id=7),))
    world.stops = (BUT,)
    play(world, 2)
    revert = world.forge.pulls[max(world.forge.pulls)]
    passed = [check for (_, head, _), check in world.signals.checks.items() if head == revert.head]
    assert [check.state for check in passed] == ["passed"]
    others = [check for (_, head, _), check in world.signals.checks.items() if head != revert.head]
    assert not [check for check in others if "Rolled back" in check.title]


def test_a_rollback_is_synced_by_the_bot_where_nobody_else_does_it() -> None:
    world = FakeWorld()
    first, second = world.policy.stages
    world.policy = replace(world.policy, stages=(first, replace(second, sync=SyncBy.BOT)))
    world.release()
    world.sweep()
    world.pass_time(34)
    world.sweep_until_settled()
    world.sync()
    world.metrics.bad_share = {"http-errors": 0.3}
    world.pass_time(4)
    world.stops = (BUT,)
    before = len(world.deployments.syncs)
    for _ in range(12):
        application = world.deployments.applications["checkout-production"]
        assert isinstance(application, Application)
        application = replace(application, consents="checkout:production", automated=False, targets=("main",))
        if world.tag_in(PRODUCTION_FILE) == values(OLD):
            now = world.clock.now()
            application = replace(application, sync="OutOfSync", revisions=(world.head,), reconciled_at=now)
        world.deployments.applications["checkout-production"] = application
        world.sweep()
        world.pass_time(1)
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)
    assert len(world.deployments.syncs) > before


# --- what the forge would merge by itself ----------------------------------------------------------------------------


def armed_world() -> FakeWorld:
    """The pull request of 1.9.0 waits for a check, and its auto-merge is armed by the bot."""
    world = FakeWorld(policy=a_policy(proposing=Proposing(opens=Opens.ON_PASS, auto_merge=AutoMerge.ANY)))
    world.forge.rules = MergeRules(may_arm=True)
    world.release()
    world.sweep()
    world.pass_time(33.5)
    while not world.forge.pulls:
        world.pass_time(0.5)
        world.sweep()
    world.forge.edit(1, checks=Checks(pending=("ci",)))
    world.sweep()
    world.sweep()
    assert world.forge.pulls[1].armed_by_bot
    return world


@pytest.mark.parametrize("tag", [NEW, "1.9.1", OLD])
def test_no_auto_merge_stays_armed_whatever_runs_in_staging_by_then(tag: str) -> None:
    world = armed_world()
    if tag != NEW:
        world.release(tag)
    world.stops = (ALL,)
    play(world, 2)
    assert not world.forge.pulls[1].armed_by_bot
    assert world.forge.pulls[1].state is PullState.OPEN


@pytest.mark.parametrize("stops", [(ALL,), ()])
def test_an_auto_merge_is_taken_back_while_staging_cannot_be_read(stops: tuple[Stop, ...]) -> None:
    world = armed_world()
    world.repositories.commit("main", {STAGING_FILE: "images: []\n"}, "Break it")
    world.stops = stops
    play(world, 2)
    assert not world.forge.pulls[1].armed_by_bot


def armed_from_registry() -> FakeWorld:
    """The pull request that brings 1.9.0 from the registry to staging waits for a check, armed by the bot."""
    world = from_registry.a_world(by=Road.PULL_REQUEST)
    first, second = world.policy.stages
    first = replace(first, proposing=Proposing(by=Road.PULL_REQUEST, auto_merge=AutoMerge.ANY))
    world.policy = replace(world.policy, stages=(first, second))
    world.forge.rules = MergeRules(may_arm=True)
    from_registry.push(world, NEW)
    world.pass_time(1)
    world.sweep()
    world.forge.edit(1, checks=Checks(pending=("ci",)))
    world.sweep()
    world.sweep()
    assert world.forge.pulls[1].armed_by_bot
    return world


@pytest.mark.parametrize("stops", [(ALL,), (Stop(who="HOLD", reason="x", service="checkout"),), ()])
def test_an_auto_merge_is_taken_back_while_the_registry_is_down(stops: tuple[Stop, ...]) -> None:
    world = armed_from_registry()
    world.registry.fail["list_tags"] = Transient("registry", "connection refused")
    world.stops = stops
    play(world, 2)
    assert not world.forge.pulls[1].armed_by_bot
    assert world.forge.pulls[1].state is PullState.OPEN


# --- what a hold is of -----------------------------------------------------------------------------------------------


def test_a_stage_that_a_service_gets_later_is_held_with_it() -> None:
    world = FakeWorld()
    world.release()
    world.sweep()
    switch = switch_body(Stop(who="", reason="sale", service="checkout"), by="ops", reason="sale")
    now = world.clock.now()
    world.ledger.record(Event(at=now, service="checkout", kind="command", body={"switch": switch}))
    first, second = world.policy.stages
    edit = HelmEdit(file="apps/checkout/eu/values.yaml", tag="image.tag")
    eu = replace(second, name="production-eu", edit=edit)
    world.repositories.commit("main", {edit.file: values(OLD)}, "Add Europe")
    world.policy = replace(world.policy, stages=(first, second, eu), version="e" * 64)
    world.sync()
    play(world, 45)
    assert (world.tag_in(PRODUCTION_FILE), world.tag_in(edit.file)) == (values(OLD), values(OLD))
    world.ledger.record(
        Event(at=now, service="checkout", kind="command", body={"switch": switch_body(None, by="ops", reason="")})
    )
    play(world, 3)
    assert (world.tag_in(PRODUCTION_FILE), world.tag_in(edit.file)) == (values(NEW), values(NEW))


def test_a_stop_of_everything_stands_on_the_board_of_each_service_also_of_a_settled_one() -> None:
    world = FakeWorld()
    world.stops = (ALL,)
    world.sweep()
    told = {posting.subject: posting.body.get("stop") for posting in world.ledger.postings()}
    assert told["checkout"] == ALL.sentence
