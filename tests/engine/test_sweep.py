"""The sweep: each service contained from the others, broken policies shown, the board kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.model import Trouble
from bot.engine import sweep
from bot.engine.sweep import BrokenPolicy
from bot.ports import Permanent
from bot.records import SWEEP
from tests.builders import NEW, OLD, a_policy
from tests.fake_world import PRODUCTION_FILE, FakeWorld, values
from tests.scenarios.test_loop_on_fakes import failing_world


@pytest.mark.invariant("I13")
def test_a_broken_policy_halts_its_service_and_no_other() -> None:
    world = FakeWorld(broken=(BrokenPolicy(subject="payments", file="payments.yaml", faults=("line 3: bad",)),))
    reports = {report.subject: report for report in world.sweeper.sweep()}
    assert reports["payments"].error == "line 3: bad"
    assert reports["checkout"].decision is not None
    assert world.ledger.posted["payments"].body["faults"] == ["line 3: bad"]


@pytest.mark.invariant("I13")
def test_a_bug_in_one_service_does_not_stop_the_others() -> None:
    world = FakeWorld()
    strange = replace(a_policy(), service="strange", stages=())
    world.more_policies = (strange, replace(a_policy(), service="third"))
    world.policy = replace(world.policy, stages=(*world.policy.stages, None))  # type: ignore[arg-type]  # the bug
    reports = {report.subject: report for report in world.sweeper.sweep()}
    assert "bug of Liftlock" in (reports["checkout"].error or "")
    assert reports["third"].decision is not None


def test_an_unreachable_repository_is_a_reason_and_not_a_crash() -> None:
    world = FakeWorld()
    world.repositories.fail["refresh"] = Permanent("Git", "acme/deploy: no such repository")
    decision = world.sweep()
    assert {item.reason for item in decision.judgements} == {"Git: acme/deploy: no such repository"}


def test_a_repository_is_fetched_once_however_many_services_it_serves() -> None:
    world = FakeWorld()
    world.more_policies = tuple(replace(a_policy(), service=f"s{number}") for number in range(5))
    world.sweeper.sweep()
    assert world.repositories.calls.count("refresh") == 1


def test_a_stopping_bot_begins_no_new_step() -> None:
    world = FakeWorld()
    world.sweeper.stopping.set()
    assert "stopping" in (world.report().error or "")


def test_a_bot_that_is_told_to_stop_between_two_actions_leaves_the_rest_to_the_next_start() -> None:
    world = FakeWorld()
    world.release()
    world.sweep()
    world.pass_time(34)
    world.sweeper = replace(world.sweeper, listeners=(lambda _: None,))
    opened = world.forge.open_promotion

    def open_and_stop(*arguments: object) -> object:
        world.sweeper.stopping.set()
        return opened(*arguments)  # type: ignore[arg-type]  # passed through

    world.forge.open_promotion = open_and_stop  # type: ignore[method-assign,assignment]  # SIGTERM in the middle
    world.sweep()
    world.forge.open_promotion = opened  # type: ignore[method-assign]  # back to normal
    world.restart()
    world.sweep_until_settled()
    assert world.forge.merges == [1]


def test_a_service_whose_policy_is_gone_leaves_the_board() -> None:
    world = FakeWorld()
    world.more_policies = (replace(a_policy(), service="gone"),)
    world.sweeper.sweep()
    world.more_policies = ()
    world.sweeper.sweep()
    assert sorted(world.ledger.posted) == [SWEEP, "checkout"]


def test_the_ledger_gets_no_new_entry_while_nothing_changes() -> None:
    world = FakeWorld()
    world.sweep()
    before = len(world.ledger.recorded)
    for _ in range(5):
        world.pass_time(1)
        world.sweep()
    assert len(world.ledger.recorded) == before


def test_a_halt_is_entered_once_however_long_it_stands() -> None:
    world = FakeWorld()
    world.metrics.silent = True
    world.release()
    world.sweep()
    world.pass_time(7 * 60)
    decision = world.sweep()
    assert "halt" in [action.kind for action in decision.actions]
    before = len(world.ledger.recorded)
    for _ in range(5):
        world.pass_time(1)
        world.sweep()
    assert len(world.ledger.recorded) == before


def test_a_changed_policy_is_noted_with_its_instant() -> None:
    world = FakeWorld()
    world.sweep()
    world.pass_time(1)
    world.policy = replace(world.policy, version="e" * 64)
    world.sweep()
    noted = [(event.body["version"], event.at) for event in world.ledger.recorded if event.kind == "policy"]
    assert noted == [("f" * 64, noted[0][1]), ("e" * 64, world.clock.now())]


@pytest.mark.invariant("I13")
def test_a_listener_that_fails_does_not_stop_the_sweep() -> None:
    world = FakeWorld()

    def fail(_: object) -> None:
        raise RuntimeError("a bug in a listener")

    world.sweeper = replace(world.sweeper, listeners=(fail,))
    assert world.report().decision is not None
    assert SWEEP in world.ledger.posted


@pytest.mark.invariant("I13")
def test_a_bug_in_the_count_of_all_rollbacks_stops_no_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> object:
        raise ZeroDivisionError

    world = failing_world()
    monkeypatch.setattr(sweep, "fleet_of", broken)
    decision = world.sweep()
    assert "roll back" in [action.kind for action in decision.actions]
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)


# --- while the clock is wrong ----------------------------------------------------------------------------------------

WRONG = Trouble(system="clocks", sentence="GitHub's says 12:00, this machine's 13:00")


@pytest.mark.invariant("I5")
def test_while_the_clock_is_not_to_be_believed_nothing_is_looked_at_and_each_service_says_why() -> None:
    world = failing_world()
    world.more_policies = (replace(a_policy(), service="third"),)
    before, told = len(world.ledger.recorded), dict(world.ledger.kept)
    asked = [list(port.calls) for port in (world.repositories, world.deployments, world.metrics, world.forge)]
    world.sweeper = replace(world.sweeper, clock_trouble=lambda: WRONG)
    reports = world.sweeper.sweep()
    sentence = f"{WRONG.system}: {WRONG.sentence}"
    assert [(report.subject, report.error) for report in reports] == [("checkout", sentence), ("third", sentence)]
    assert world.ledger.posted["checkout"].body == {"error": sentence}
    assert SWEEP in world.ledger.posted
    assert (len(world.ledger.recorded), world.ledger.kept) == (before, told)
    assert [port.calls for port in (world.repositories, world.deployments, world.metrics, world.forge)] == asked
    world.sweeper = replace(world.sweeper, clock_trouble=lambda: None)
    assert "roll back" in [action.kind for action in world.sweep().actions]


@pytest.mark.invariant("I5")
def test_a_clock_that_is_set_within_a_sweep_lets_nothing_be_decided() -> None:
    world = failing_world()
    before = len(world.ledger.recorded)
    answers = iter((None, WRONG))
    world.sweeper = replace(world.sweeper, clock_trouble=lambda: next(answers))
    assert world.report().error == f"{WRONG.system}: {WRONG.sentence}"
    assert len(world.ledger.recorded) == before
    assert world.tag_in(PRODUCTION_FILE) == values(NEW)


def test_a_bug_in_the_comparison_of_the_clocks_stops_no_sweep() -> None:
    world = failing_world()

    def broken() -> Trouble | None:
        raise OverflowError

    world.sweeper = replace(world.sweeper, clock_trouble=broken)
    assert "roll back" in [action.kind for action in world.sweep().actions]


def test_where_there_is_no_service_none_waits_for_the_clock() -> None:
    world = FakeWorld()
    world.sweeper = replace(world.sweeper, load_policies=lambda: ((), ()), clock_trouble=lambda: WRONG)
    assert world.sweeper.sweep() == ()
