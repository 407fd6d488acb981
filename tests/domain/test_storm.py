"""Many rollbacks at once are left to people; what a person orders is done; no stage is taken back again and again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.domain.commands import Verb
from bot.domain.decide import decide
from bot.domain.decision import Decision, Halt, RollBack, State
from bot.domain.model import Sha, TagChange
from bot.domain.observation import Fleet, Observation, StageObservation
from bot.domain.orders import Order
from bot.domain.policy import Policy
from bot.domain.storm import StormLimit, fleet_of
from tests.builders import (
    IMAGE,
    MINUTE,
    NEW,
    NOON,
    OLD,
    a_change,
    a_policy,
    a_rollback,
    a_stage,
    an_observation,
    new_production,
    promoted,
    reverted,
    samples,
    tags,
)

BAD = samples((20.0, 100.0), (20.0, 100.0), start=NOON)
SOON = NOON + 10 * MINUTE
LIMIT = StormLimit(most=2, within=10 * MINUTE)
BY_HAND = Order(
    kind=Verb.ROLLBACK,
    service="checkout",
    stage="production",
    release=f"{IMAGE}:{NEW}",
    by_id=7,
    by_login="dana",
    at=NOON + 5 * MINUTE,
    comment=1,
    line=1,
    number=1,
    reason="it loses carts",
)


def ill(*, production: StageObservation | None = None, fleet: Fleet | None = None) -> Observation:
    production = production or new_production(sampled={"trigger:http-errors": BAD})
    return replace(an_observation(production=production, at=SOON), fleet=fleet)


def decided(seen: Observation, policy: Policy | None = None) -> Decision:
    return decide(policy or a_policy(), seen, seen.at)


def a_fleet(*, done: int, due: int) -> Fleet:
    return Fleet(done=done, due=due, most=LIMIT.most, within=LIMIT.within)


def of_services(count: int, seen: Observation) -> list[tuple[Observation, Decision]]:
    return [(replace(seen, service=f"s{n}"), decided(seen)) for n in range(count)]


def is_taken_back(decision: Decision) -> bool:
    return any(isinstance(action, RollBack) for action in decision.actions)


# --- of all services -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("done", "due", "is_storm"),
    [(0, 0, False), (9, 0, False), (0, 2, False), (1, 1, False), (0, 3, True), (2, 1, True)],
)
def test_a_storm_is_more_rollbacks_than_may_be_and_one_that_is_due(done: int, due: int, is_storm: bool) -> None:
    assert a_fleet(done=done, due=due).is_storm is is_storm


@pytest.mark.invariant("I4")
def test_in_a_storm_nothing_is_taken_back_without_a_person() -> None:
    assert is_taken_back(decided(ill(fleet=a_fleet(done=0, due=2))))
    decision = decided(ill(fleet=a_fleet(done=1, due=2)))
    running = next(one for one in decision.judgements if (one.stage, one.role) == ("production", "running"))
    assert not is_taken_back(decision)
    assert [action.stage for action in decision.actions if isinstance(action, Halt)] == ["production"]
    assert running.state is State.HALTED
    assert running.reason.endswith(
        "; but with it 3 releases would be taken back within 10m, and at most 2 may: "
        "look at the platform and the measurements first, or order it by /liftlock rollback"
    )


def test_in_a_storm_what_a_person_orders_is_done() -> None:
    assert is_taken_back(decided(replace(ill(fleet=a_fleet(done=9, due=9)), orders=(BY_HAND,))))


def test_counted_are_those_that_are_due_and_those_that_stand_in_git_since_a_while() -> None:
    taken = a_stage("production", tags(reverted(NEW, at=SOON - 3 * MINUTE), promoted(NEW)))
    before = a_stage("production", tags(reverted(NEW, at=SOON - 10 * MINUTE), promoted(NEW)))
    calm = [an_observation(production=stage, at=SOON) for stage in (taken, before)]
    seen = [*of_services(3, ill()), *((one, decided(one)) for one in calm)]
    assert fleet_of(seen, LIMIT, SOON) == a_fleet(done=1, due=3)


def test_what_a_person_has_ordered_is_not_counted() -> None:
    ordered = replace(ill(), orders=(BY_HAND,))
    assert is_taken_back(decided(ordered))
    assert fleet_of([(ordered, decided(ordered))], LIMIT, SOON) == a_fleet(done=0, due=0)


# --- of one stage ----------------------------------------------------------------------------------------------------


def often(*times: datetime) -> tuple[TagChange, ...]:
    """1.9.0 was promoted at noon, after as many releases were taken back, the last first."""
    back = [reverted(f"1.8.{9 - n}", at=at, commit=Sha(f"{n:040x}")) for n, at in enumerate(times)]
    return (promoted(NEW), *back, a_change(OLD, old="1.8.1", at=NOON - timedelta(days=9)))


@pytest.mark.invariant("I4")
@pytest.mark.parametrize(("at_most", "taken"), [(1, False), (2, False), (3, True)])
def test_a_stage_is_taken_back_so_many_times_a_day_without_a_person(at_most: int, taken: bool) -> None:
    changes = often(NOON - timedelta(hours=2), NOON - timedelta(hours=5), NOON - timedelta(hours=30))
    stage = a_stage("production", tags(*changes), sampled={"trigger:http-errors": BAD})
    policy = a_policy(rollback=replace(a_rollback(), at_most=at_most))
    decision = decided(ill(production=stage), policy)
    assert is_taken_back(decision) is taken
    if not taken:
        reasons = [action.reason for action in decision.actions if isinstance(action, Halt)]
        assert "production was rolled back 2 times within a day already: a person must look" in reasons[0]
    assert is_taken_back(decided(replace(ill(production=stage), orders=(BY_HAND,)), policy))
