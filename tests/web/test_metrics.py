"""The numbers: what sweeps came to, by words of closed lists, and nothing that grows without end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from bot.domain.decision import State
from bot.engine.sweep import ServiceReport
from bot.ports import Cost, Permanent, Transient
from bot.web.beside import WatchedSweep
from bot.web.deliveries import Result
from bot.web.metrics import BotNumbers, BudgetCollector
from tests.builders import NEW, NOON, OLD, a_policy
from tests.fake_world import FakeWorld
from tests.fakes import FakeClock


def registered(*collectors: BotNumbers | BudgetCollector) -> CollectorRegistry:
    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    return registry


def after(*reports: ServiceReport) -> CollectorRegistry:
    numbers = BotNumbers(Cost)
    numbers.note_sweep(reports, NOON, 1.5)
    return registered(numbers)


def test_a_sweep_is_told_with_its_time_and_its_services() -> None:
    world = FakeWorld()
    world.more_policies = (replace(a_policy(), service="payments"),)
    registry = after(*world.sweeper.sweep(), ServiceReport(subject="broken.yaml", error="line 3: bad"))
    value = registry.get_sample_value
    assert value("liftlock_sweeps_total", {"outcome": "ended"}) == 1
    assert value("liftlock_sweeps_total", {"outcome": "failed"}) == 0
    assert value("liftlock_last_sweep_timestamp_seconds") == NOON.timestamp()
    assert value("liftlock_last_sweep_duration_seconds") == 1.5
    assert value("liftlock_services", {"state": "settled"}) == 2
    assert value("liftlock_services", {"state": "rolled back"}) == 0
    assert value("liftlock_services", {"state": "not judged"}) == 1
    assert value("liftlock_service_judged", {"service": "checkout"}) == 1
    assert value("liftlock_service_judged", {"service": "broken.yaml"}) == 0


def test_every_state_has_a_number_before_it_happens() -> None:
    registry = after()
    assert {str(state) for state in State} | {"not judged"} == {
        sample.labels["state"]
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "liftlock_services"
    }


def test_a_service_that_is_gone_has_no_number_any_more() -> None:
    numbers = BotNumbers(Cost)
    numbers.note_sweep([ServiceReport(subject="gone", error="x")], NOON, 1)
    numbers.note_sweep([], NOON, 1)
    assert registered(numbers).get_sample_value("liftlock_service_judged", {"service": "gone"}) is None


def test_durations_are_summed() -> None:
    numbers = BotNumbers(Cost)
    for seconds in (1.5, 2.5):
        numbers.note_sweep([], NOON, seconds)
    registry = registered(numbers)
    assert registry.get_sample_value("liftlock_sweep_duration_seconds_sum") == 4
    assert registry.get_sample_value("liftlock_sweep_duration_seconds_count") == 2


def test_actions_are_counted_by_kind_and_outcome() -> None:
    world = FakeWorld()
    world.release()
    world.sweep()
    world.pass_time(34)
    numbers = BotNumbers(Cost)
    world.forge.fail["open_promotion"] = Transient("GitHub", "no answer")
    numbers.note_sweep(world.sweeper.sweep(), NOON, 1)
    world.forge.fail.clear()
    numbers.note_sweep(world.sweeper.sweep(), NOON, 1)
    value = registered(numbers).get_sample_value
    assert value("liftlock_decisions_total", {"kind": "open promotion"}) == 2
    assert value("liftlock_actions_total", {"kind": "open promotion", "outcome": "not done"}) == 1
    assert value("liftlock_actions_total", {"kind": "open promotion", "outcome": "done"}) == 1


def test_no_tag_and_no_commit_stands_in_the_numbers() -> None:
    world = FakeWorld()
    commit = world.release()
    world.sweep()
    world.pass_time(34)
    text = generate_latest(after(*world.sweeper.sweep())).decode()
    assert 'service="checkout"' in text
    assert 'kind="open promotion"' in text
    for outside in (OLD, NEW, commit, commit[:7], "acme"):
        assert outside not in text


def test_deliveries_are_counted_by_result_from_zero() -> None:
    numbers = BotNumbers(Cost)
    numbers.note_delivery(Result.UNSIGNED)
    registry = registered(numbers)
    found = {
        result: registry.get_sample_value("liftlock_webhook_deliveries_total", {"result": str(result)})
        for result in Result
    }
    assert found == {result: float(result is Result.UNSIGNED) for result in Result}


def test_notifications_are_counted_by_sender_and_result_from_zero() -> None:
    numbers = BotNumbers(Cost)
    numbers.note_push(Result.IGNORED)
    numbers.note_notification(Result.UNSIGNED)
    registry = registered(numbers)
    found = {
        sender: [
            registry.get_sample_value(f"liftlock_{sender}_notifications_total", {"result": str(result)})
            for result in (Result.ACCEPTED, Result.UNSIGNED, Result.REFUSED, Result.IGNORED, Result.REPLAYED)
        ]
        for sender in ("alertmanager", "registry")
    }
    assert found == {"alertmanager": [0, 1, 0, None, None], "registry": [0, 0, 0, 1, None]}


def test_what_prometheus_was_asked_is_counted() -> None:
    registry = registered(BotNumbers(lambda: Cost(queries=3, series=20, points=400)))
    names = ("queries", "series", "points")
    assert [registry.get_sample_value(f"liftlock_prometheus_{name}_total") for name in names] == [3, 20, 400]


# --- the sweep that is watched ---


def test_a_watched_sweep_tells_when_it_ended_and_how_long_it_took() -> None:
    clock, seconds = FakeClock(NOON), iter([10.0, 13.5])
    numbers = BotNumbers(Cost)

    def sweep() -> tuple[ServiceReport, ...]:
        clock.advance(timedelta(seconds=3.5))
        return (ServiceReport(subject="checkout", error="x"),)

    WatchedSweep(sweep=sweep, clock=clock, numbers=numbers, seconds=lambda: next(seconds))()
    assert numbers.last_ended == NOON + timedelta(seconds=3.5)
    assert registered(numbers).get_sample_value("liftlock_last_sweep_duration_seconds") == 3.5


def test_a_sweep_that_fails_is_counted_and_is_not_the_last_one_that_ended() -> None:
    numbers = BotNumbers(Cost)

    def sweep() -> tuple[ServiceReport, ...]:
        raise Permanent("ledger", "disk full")

    with pytest.raises(Permanent):
        WatchedSweep(sweep=sweep, clock=FakeClock(NOON), numbers=numbers)()
    assert numbers.last_ended is None
    assert registered(numbers).get_sample_value("liftlock_sweeps_total", {"outcome": "failed"}) == 1


# --- budgets ---


def test_a_budget_is_read_at_each_look() -> None:
    left = {"liftlock_github_requests_remaining": 5000.0}
    registry = registered(BudgetCollector(lambda: left))
    assert registry.get_sample_value("liftlock_github_requests_remaining") == 5000
    left["liftlock_github_requests_remaining"] = 4999
    left["liftlock_github_points_remaining"] = 12
    assert registry.get_sample_value("liftlock_github_requests_remaining") == 4999
    assert registry.get_sample_value("liftlock_github_points_remaining") == 12


@pytest.mark.parametrize("name", ["github_requests", "liftlock_", "liftlock_x{a=1}", "liftlock_a\n", "liftlock_é", ""])
def test_a_budget_by_another_name_is_a_bug(name: str) -> None:
    with pytest.raises(ValueError, match="no name for a number of the bot"):
        generate_latest(registered(BudgetCollector(lambda: {name: 1.0})))
