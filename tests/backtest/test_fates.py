"""What became of a release: the truth table of `bot.backtest.fates`."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from bot.backtest.fates import Range, Was, fate_of
from bot.domain.model import TagHistory
from tests.backtest.pasts import DAY, HOUR, facts, history
from tests.builders import NOON, promoted, reverted, tags

ASKED = Range(since=NOON - DAY, until=NOON + 5 * DAY, hotfix=DAY)
OLD = ("1.0", NOON - 10 * DAY)


def fate(staging: TagHistory, production: TagHistory, *, stage: str = "staging", hotfix: timedelta = DAY) -> str:
    found = facts(staging, production)
    stand = next(one for one in found.stands(stage) if one.tag == "1.1")
    said = fate_of(found, stand, Range(since=ASKED.since, until=ASKED.until, hotfix=hotfix))
    return f"{said.was}: {said.sentence}"


def at(hours: float) -> datetime:
    return NOON + hours * HOUR


MOVED = (("1.1", at(1)),)


@pytest.mark.parametrize(
    ("staging", "production", "expected"),
    [
        ((("1.1", at(0)),), MOVED, "good: stood in production for 4d 23h"),
        ((("1.1", at(0)),), (*MOVED, ("1.2", at(30))), "good: stood in production for 1d 5h"),
        (
            (("1.1", at(0)),),
            (*MOVED, ("1.0", at(3))),
            "bad: taken out of production by alice after 2h, back to 1.0",
        ),
        ((("1.1", at(0)),), (*MOVED, ("1.2", at(3))), "bad: replaced in production by 1.2 after 2h: a hotfix"),
        ((("1.1", at(0)), ("1.0", at(2))), (), "bad: taken out of staging by alice after 2h, back to 1.0"),
        ((("1.1", at(0)), ("1.0", at(2))), MOVED, "bad: taken out of staging by alice after 2h, back to 1.0"),
        ((("1.1", at(0)), ("1.2", at(2))), (), "cannot tell: it never moved on, which says neither"),
        ((("1.1", at(0)),), (), "cannot tell: it never moved on, which says neither"),
        (
            (("1.1", at(0)),),
            (("1.1", at(110)),),
            "cannot tell: stood in production for 10h so far, which is too short to say",
        ),
        ((("1.1", at(0)), ("1.0", at(200))), MOVED, "good: stood in production for 4d 23h"),
    ],
    ids=["stood", "replaced late", "reverted", "hotfix", "reverted before", "reverted before, too", "passed over",
         "still there", "too young", "what came later is not known yet"],
)  # fmt: skip
def test_a_release_was_what_people_made_of_it(
    staging: tuple[tuple[str, datetime], ...], production: tuple[tuple[str, datetime], ...], expected: str
) -> None:
    assert fate(history("s", OLD, *staging), history("p", OLD, *production)) == expected


def test_without_hotfixes_a_release_that_was_replaced_soon_is_good() -> None:
    staging, production = history("s", OLD, ("1.1", at(0))), history("p", OLD, *MOVED, ("1.2", at(3)))
    assert fate(staging, production, hotfix=timedelta(0)) == "good: stood in production for 2h"


def test_a_release_that_was_replaced_soon_where_a_pipeline_sets_each_build_is_no_hotfix() -> None:
    staging, production = history("s", OLD, ("1.1", at(0)), ("1.2", at(0.5))), history("p", OLD, ("1.1", at(0.2)))
    assert fate(staging, production).startswith("good")


def test_what_liftlock_took_back_is_said_to_be_its_doing() -> None:
    changes = (reverted("1.1", back_to="1.0", at=at(2)), promoted("1.1", old="1.0", at=at(1)), OLD_THERE)
    staging = history("s", OLD, ("1.1", at(0)))
    said = "bad: taken out of production by Liftlock after 1h, back to 1.0"
    assert fate(staging, tags(*changes)) == said
    assert fate(staging, tags(*changes), stage="production") == said


OLD_THERE = history("p", OLD).changes[0]


def test_the_kinds_of_fate_are_in_the_words_of_the_report() -> None:
    assert [str(one) for one in Was] == ["good", "bad", "cannot tell"]
