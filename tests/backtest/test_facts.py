"""Who stood in a stage and for how long, by its commits; and what a history was at an earlier instant."""

from __future__ import annotations

from datetime import timedelta

from bot.backtest.facts import stands_of, tags_at
from bot.domain.model import NOT_SET, TagHistory, Trouble
from tests.backtest.pasts import DAY, HOUR, came, history
from tests.builders import NOON, reverted, tags

SECOND = timedelta(seconds=1)


def test_each_commit_that_brings_a_new_tag_begins_a_stand_and_ends_the_one_before() -> None:
    found = stands_of("staging", history("s", ("1.0", NOON), ("1.1", NOON + HOUR), ("1.2", NOON + DAY)))
    assert [(one.tag, one.at) for one in found] == [("1.0", NOON), ("1.1", NOON + HOUR), ("1.2", NOON + DAY)]
    assert [one.until.new if one.until else None for one in found] == ["1.1", "1.2", None]
    assert not any(one.is_return or one.was_taken_back for one in found)


def test_a_tag_that_the_stage_had_before_is_a_return_and_takes_the_one_before_it_back() -> None:
    found = stands_of("s", history("s", ("1.0", NOON), ("1.1", NOON + HOUR), ("1.0", NOON + 2 * HOUR)))
    assert [one.is_return for one in found] == [False, False, True]
    assert [one.was_taken_back for one in found] == [False, True, False]


def test_a_rollback_of_liftlocks_is_a_return_even_to_a_tag_that_is_not_in_the_history() -> None:
    changes = (reverted("1.1", back_to="0.9", at=NOON + HOUR), came("1.1", "1.0", NOON))
    found = stands_of("production", tags(*changes))
    assert [one.was_taken_back for one in found] == [True, False]


def test_the_tag_before_the_oldest_commit_counts_as_one_that_the_stage_had() -> None:
    found = stands_of("s", tags(came("1.0", "1.1", NOON + HOUR), came("1.1", "1.0", NOON)))
    assert [one.was_taken_back for one in found] == [True, False]


def test_the_oldest_commit_of_a_history_that_is_cut_tells_nothing_for_sure() -> None:
    cut = history("s", ("1.0", NOON), ("1.1", NOON + HOUR), ("1.0", NOON + DAY), complete=False)
    assert [(one.tag, one.is_return) for one in stands_of("s", cut)] == [("1.1", False), ("1.0", True)]


def test_a_file_that_could_not_be_read_in_between_moves_nothing() -> None:
    changes = (came("1.1", None, NOON + HOUR), came("1.1", "1.0", NOON))
    (stand,) = stands_of("s", tags(*changes))
    assert stand.until is None


def test_a_stage_that_says_nothing_yet_is_no_release() -> None:
    found = stands_of("s", history("s", (NOT_SET, NOON), ("1.0", NOON + HOUR)))
    assert [one.tag for one in found] == ["1.0"]


def test_a_history_is_cut_at_an_instant_and_before_a_commit_that_is_to_be_hidden() -> None:
    whole = history("s", ("1.0", NOON), ("1.1", NOON + HOUR), ("1.2", NOON + DAY))
    then = tags_at(whole, NOON + 2 * HOUR)
    assert isinstance(then, TagHistory)
    assert (then.tag, then.head, len(then.changes)) == ("1.1", whole.changes[1].commit, 2)
    hidden = tags_at(whole, NOON + 2 * DAY, before=whole.changes[1].commit)
    assert isinstance(hidden, TagHistory)
    assert hidden.tag == "1.0"
    assert tags_at(whole, NOON + 2 * DAY, before=whole.changes[1].commit) == tags_at(whole, NOON)


def test_before_the_first_commit_of_a_whole_history_nothing_was_set() -> None:
    found = tags_at(history("s", ("1.0", NOON)), NOON - SECOND)
    assert isinstance(found, TagHistory)
    assert found.tag == NOT_SET


def test_before_what_is_known_of_a_history_nobody_can_tell_what_stood_there() -> None:
    assert isinstance(tags_at(history("s", ("1.0", NOON), complete=False), NOON - SECOND), Trouble)
    assert isinstance(tags_at(tags(came("1.1", "1.0", NOON)), NOON - SECOND), Trouble)
    trouble = Trouble(system="Git", sentence="is away")
    assert tags_at(trouble, NOON) is trouble
