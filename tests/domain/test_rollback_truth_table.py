"""The truth table of rollback decisions, over all combinations of what bears on them. Written from the design.

|   | came by           | order | watch | trigger            | way back        | guard       | outcome             |
|---|-------------------|-------|-------|--------------------|-----------------|-------------|---------------------|
| a | a rollback        | any   | any   | fires, in a watch  | any             | any         | halt: did not help  |
| b | a rollback        | any   | any   | any other          | any             | any         | nothing             |
| c | any other         | yes   | any   | any                | known           | any         | taken back          |
| d | any other         | yes   | any   | any                | unknown, barred | any         | halt                |
| e | a person's commit | no    | any   | any                | any             | any         | nothing             |
| f | a promotion       | no    | over  | any                | any             | any         | nothing             |
| g | a promotion       | no    | open  | fires              | known           | none        | taken back          |
| h | a promotion       | no    | open  | fires              | known           | a limit     | halt                |
| i | a promotion       | no    | open  | fires              | unknown, barred | any         | halt                |
| j | a promotion       | no    | open  | was so before      | any             | any         | halt                |
| k | a promotion       | no    | open  | none of these      | any             | any         | nothing             |

"None of these": good, no data, a backend that does not answer, not asked (I5). A way back that is known is the last
release that was proven; one is barred if every release before is quarantined (I4). Limits are the stage's own and that
of all services together.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from itertools import product

import pytest

from bot.domain.commands import Verb
from bot.domain.decide import decide
from bot.domain.decision import Decision, Halt, RollBack, State
from bot.domain.model import Samples, TagChange, Trouble
from bot.domain.observation import Fleet, Observation, StageObservation
from bot.domain.orders import Order
from tests.builders import (
    IMAGE,
    MINUTE,
    NEW,
    NOON,
    OLD,
    PROMOTION_COMMIT,
    REVERT_COMMIT,
    a_change,
    a_policy,
    a_stage,
    an_application,
    an_observation,
    promoted,
    reverted,
    samples,
    sha,
    tags,
)

OLDER = "1.8.1"
LONG_AGO = NOON - timedelta(days=3)


class CameBy(Enum):
    PROMOTION, PERSON, ROLLBACK = range(3)


class Trigger(Enum):
    FIRES, WAS_SO_BEFORE, GOOD, NO_DATA, NO_ANSWER, NOT_ASKED = range(6)


class WayBack(Enum):
    KNOWN, UNKNOWN, BARRED = range(3)


class Guard(Enum):
    NONE, OF_THE_STAGE, OF_ALL = range(3)


class Outcome(Enum):
    TAKEN_BACK, HALT, DID_NOT_HELP, NOTHING = range(4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    came_by: CameBy
    ordered: bool
    is_watched: bool
    trigger: Trigger
    way_back: WayBack
    guard: Guard


CASES = [
    Case(came_by=came_by, ordered=ordered, is_watched=is_watched, trigger=trigger, way_back=way_back, guard=guard)
    for came_by, ordered, is_watched, trigger, way_back, guard in product(
        CameBy, (False, True), (True, False), Trigger, WayBack, Guard
    )
]


def expected(case: Case) -> Outcome:
    """The table."""
    fires = case.is_watched and case.trigger is Trigger.FIRES
    was_so = case.is_watched and case.trigger is Trigger.WAS_SO_BEFORE
    if case.came_by is CameBy.ROLLBACK:
        return Outcome.DID_NOT_HELP if fires or was_so else Outcome.NOTHING
    if case.ordered:
        return Outcome.TAKEN_BACK if case.way_back is WayBack.KNOWN else Outcome.HALT
    if case.came_by is CameBy.PERSON or not (fires or was_so):
        return Outcome.NOTHING
    if was_so or case.guard is not Guard.NONE or case.way_back is not WayBack.KNOWN:
        return Outcome.HALT
    return Outcome.TAKEN_BACK


# --- the world of a case ---------------------------------------------------------------------------------------------


def now_of(case: Case) -> datetime:
    return NOON + (10 * MINUTE if case.is_watched else timedelta(hours=3))


def history(case: Case) -> tuple[TagChange, ...]:
    """1.9.0 came at noon, upon 1.8.2; in the last row it was taken back at noon."""
    came = {
        CameBy.PROMOTION: (promoted(NEW),),
        CameBy.PERSON: (a_change(NEW, old=OLD, commit=PROMOTION_COMMIT),),
        CameBy.ROLLBACK: (reverted(NEW), promoted(NEW, at=NOON - MINUTE)),
    }[case.came_by]
    before = {
        WayBack.KNOWN: (a_change(OLD, old=OLDER, commit=sha("old"), at=LONG_AGO),),
        WayBack.UNKNOWN: (),
        # 1.8.1 came back by the rollback of 1.8.2, then a person set 1.8.2 again; 1.8.1 was taken back before.
        WayBack.BARRED: (
            a_change(OLD, old=OLDER, commit=sha("old"), at=LONG_AGO),
            reverted(OLD, back_to=OLDER, at=LONG_AGO - MINUTE, commit=sha("back2")),
            reverted(OLDER, back_to=OLD, at=LONG_AGO - 2 * MINUTE, commit=sha("back1")),
        ),
    }[case.way_back]
    many: tuple[TagChange, ...] = ()
    if case.guard is Guard.OF_THE_STAGE:
        # Of releases long gone, and each within the day.
        many = tuple(
            reverted(f"1.7.{n}", back_to=OLD if not n else f"1.7.{n - 1}", at=NOON - timedelta(hours=20 + n),
                     commit=sha(f"r{n}"))
            for n in range(3)
        )  # fmt: skip
    if case.way_back is WayBack.UNKNOWN:
        last = came[-1]
        return (*came[:-1], replace(last, old=None), *many)
    return (*came, *many, *before)


def measured(case: Case) -> dict[str, Samples | Trouble]:
    good, bad = samples(*[(0.0, 100.0)] * 8, start=NOON), samples(*[(20.0, 100.0)] * 8, start=NOON)
    of_trigger: dict[Trigger, Samples | Trouble | None] = {
        Trigger.FIRES: bad,
        Trigger.WAS_SO_BEFORE: good,
        Trigger.GOOD: good,
        Trigger.NO_DATA: samples(*[None] * 8, start=NOON),
        Trigger.NO_ANSWER: Trouble(system="Prometheus", sentence="no answer"),
        Trigger.NOT_ASKED: None,
    }
    found = of_trigger[case.trigger]
    return {} if found is None else {"trigger:http-errors": found}


def production(case: Case) -> StageObservation:
    changes = history(case)
    application = an_application("checkout-production", tag=changes[0].new)
    if case.trigger is Trigger.WAS_SO_BEFORE:
        application = replace(application, health="Degraded", health_since=NOON - timedelta(hours=1))
    return a_stage("production", tags(*changes), applications=(application,), sampled=measured(case))


def observation(case: Case) -> Observation:
    order = Order(
        kind=Verb.ROLLBACK, service="checkout", stage="production", release=f"{IMAGE}:{history(case)[0].new}",
        by_id=7, by_login="dana", at=NOON + MINUTE, comment=100, line=0, number=12, reason="it is slow",
    )  # fmt: skip
    storm = Fleet(done=0, due=9, most=5, within=10 * MINUTE)
    return replace(
        an_observation(production=production(case), at=now_of(case)),
        orders=(order,) if case.ordered else (),
        fleet=storm if case.guard is Guard.OF_ALL else None,
    )


def outcome(decision: Decision) -> Outcome:
    actions = [action for action in decision.actions if getattr(action, "stage", "") == "production"]
    halts = [action for action in actions if isinstance(action, Halt)]
    if any(isinstance(action, RollBack) for action in actions):
        assert not halts
        return Outcome.TAKEN_BACK
    if not halts:
        return Outcome.NOTHING
    return Outcome.DID_NOT_HELP if "did not help" in halts[0].reason else Outcome.HALT


@pytest.mark.invariant("I4")
@pytest.mark.invariant("I5")
@pytest.mark.parametrize("came_by", CameBy)
def test_what_takes_a_release_back_is_exactly_what_the_table_says(came_by: CameBy) -> None:
    cases = [case for case in CASES if case.came_by is came_by]
    decisions = {case: decide(a_policy(), seen := observation(case), seen.at) for case in cases}
    wrong = {case: outcome(decision) for case, decision in decisions.items() if outcome(decision) != expected(case)}
    assert wrong == {}
    for decision in decisions.values():
        state = next(one.state for one in decision.judgements if (one.stage, one.role) == ("production", "running"))
        assert (state is State.ROLLING_BACK) == (outcome(decision) is Outcome.TAKEN_BACK)


def test_the_table_has_every_outcome_and_most_of_it_does_nothing() -> None:
    found = Counter(expected(case) for case in CASES)
    assert len(CASES) == 648
    assert found == {Outcome.TAKEN_BACK: 73, Outcome.HALT: 161, Outcome.DID_NOT_HELP: 36, Outcome.NOTHING: 378}


@pytest.mark.invariant("I4")
def test_no_release_is_ever_taken_back_to_one_that_is_quarantined_or_by_undoing_a_rollback() -> None:
    for case in CASES:
        seen = observation(case)
        for action in decide(a_policy(), seen, seen.at).actions:
            if isinstance(action, RollBack):
                assert action.back_to.tag == OLD
                assert action.promotion != REVERT_COMMIT
