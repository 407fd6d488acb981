from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from bot.lab.clock import ManualClock

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def test_a_manual_clock_stands_still_until_it_is_advanced() -> None:
    clock = ManualClock(NOON)
    assert clock.now() == clock.now() == NOON
    assert clock.advance(timedelta(seconds=90)) == NOON + timedelta(seconds=90)
    assert clock.now() == NOON + timedelta(seconds=90)


def test_a_manual_clock_tells_utc() -> None:
    elsewhere = timezone(timedelta(hours=5))
    assert ManualClock(NOON.astimezone(elsewhere)).now().tzinfo is UTC


def test_a_manual_clock_refuses_to_run_backwards() -> None:
    clock = ManualClock(NOON)
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(timedelta(seconds=-1))
    assert clock.now() == NOON


def test_a_manual_clock_refuses_a_start_without_time_zone() -> None:
    with pytest.raises(ValueError, match="aware"):
        ManualClock(datetime(2026, 3, 1))  # noqa: DTZ001 (the naive datetime is the point)
