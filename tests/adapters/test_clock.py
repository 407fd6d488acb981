from __future__ import annotations

from datetime import UTC

from bot.adapters.clock import SystemClock
from bot.ports import Clock


def test_the_clock_tells_utc_and_does_not_go_back() -> None:
    clock: Clock = SystemClock()
    first, second = clock.now(), clock.now()
    assert first.tzinfo is UTC
    assert first <= second
