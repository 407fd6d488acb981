"""Windows and tiles: aligned, before the release as well, and read on from the first tile that is missing."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.tiles import MeasuringWindow, align_down, align_up, before_release, measuring_window
from tests.builders import MINUTE, NOON

SECOND = timedelta(seconds=1)
instants = st.datetimes(min_value=datetime(1960, 1, 1), max_value=datetime(2100, 1, 1)).map(  # noqa: DTZ001
    lambda naive: naive.replace(tzinfo=NOON.tzinfo)
)
widths = st.integers(1, 7200).map(lambda seconds: seconds * SECOND)


@given(instant=instants, width=widths)
def test_an_instant_lies_between_its_alignments(instant: datetime, width: timedelta) -> None:
    down, up = align_down(instant, width), align_up(instant, width)
    assert down <= instant <= up
    assert up - down == (timedelta(0) if down == instant else width)
    assert (align_down(down, width), align_up(up, width)) == (down, up)


# --- before the release ----------------------------------------------------------------------------------------------


def test_nothing_is_looked_for_before_the_release_without_a_reach() -> None:
    assert before_release(NOON, timedelta(0), MINUTE) is None


def test_the_tiles_before_a_release_end_when_it_came() -> None:
    assert before_release(NOON, 5 * MINUTE, MINUTE) == (NOON - 5 * MINUTE, NOON)
    assert before_release(NOON + 59 * SECOND, 5 * MINUTE, MINUTE) == (NOON - 5 * MINUTE, NOON)


@given(at=instants, reach=widths, width=widths)
def test_the_tiles_before_a_release_are_whole_cover_the_reach_and_hold_nothing_of_the_release(
    at: datetime, reach: timedelta, width: timedelta
) -> None:
    found = before_release(at, reach, width)
    assert found is not None
    start, end = found
    assert (align_down(start, width), align_down(end, width)) == (start, end)
    assert start + reach <= end <= at < end + width
    assert end - start < reach + width


def test_the_first_tile_is_the_first_one_before_the_release() -> None:
    window = MeasuringWindow(start=NOON, required_until=NOON + 30 * MINUTE, width=MINUTE)
    assert window.first == NOON
    before = (NOON - 10 * MINUTE, NOON - 5 * MINUTE)
    with_past = MeasuringWindow(start=NOON, required_until=NOON + 30 * MINUTE, width=MINUTE, before=before)
    assert with_past.first == NOON - 10 * MINUTE
    assert with_past.tiles_until(NOON + 3 * MINUTE) == 3
    assert with_past.tiles_until(NOON - 3 * MINUTE) == 0


def test_a_commit_that_claims_to_be_later_than_its_sync_does_not_move_the_first_tile() -> None:
    before = (NOON + 5 * MINUTE, NOON + 10 * MINUTE)
    window = MeasuringWindow(start=NOON, required_until=NOON + 30 * MINUTE, width=MINUTE, before=before)
    assert window.first == NOON


def test_only_tiles_that_are_whole_and_old_enough_are_seen() -> None:
    window = MeasuringWindow(start=NOON, required_until=NOON + 30 * MINUTE, width=MINUTE)
    lag = 15 * SECOND
    assert window.seen_until(NOON + MINUTE + 14 * SECOND, lag) == NOON
    assert window.seen_until(NOON + MINUTE + 15 * SECOND, lag) == NOON + MINUTE
    assert window.seen_until(NOON - 60 * MINUTE, lag) == NOON


def test_a_window_starts_after_the_warmup_and_ends_when_the_proof_is_long_enough() -> None:
    window = measuring_window(
        first=NOON + SECOND,
        proof_since=NOON + 10 * MINUTE,
        warmup=2 * MINUTE,
        length=30 * MINUTE,
        width=MINUTE,
        before=(NOON - MINUTE, NOON),
    )
    assert (window.start, window.required_until) == (NOON + 3 * MINUTE, NOON + 42 * MINUTE)
    assert window.before == (NOON - MINUTE, NOON)


# --- what is kept ----------------------------------------------------------------------------------------------------

WINDOW = MeasuringWindow(start=NOON, required_until=NOON + 30 * MINUTE, width=MINUTE)


@pytest.mark.parametrize(
    ("kept", "numbers"),
    [
        ({}, ()),
        ({0: 1.0, 1: None, 2: 3.0}, (1.0, None, 3.0)),
        ({0: 1.0, 2: 3.0}, (1.0,)),
        ({1: 2.0, 2: 3.0}, ()),
        ({-1: 9.0, 0: 1.0}, (1.0,)),
        ({0: 1.0, 1: 2.0, 2: 3.0, 3: 4.0, 4: 5.0}, (1.0, 2.0, 3.0, 4.0)),
    ],
    ids=["nothing", "a None is a number", "a hole", "a late start", "what was before", "what comes after"],
)
def test_kept_numbers_count_up_to_the_first_hole(kept: dict[int, float | None], numbers: tuple[float | None]) -> None:
    by_start = {NOON + at * MINUTE: number for at, number in kept.items()}
    assert WINDOW.without_hole(by_start, NOON + 4 * MINUTE) == (numbers, NOON + len(numbers) * MINUTE)
