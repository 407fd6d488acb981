"""The schedule: sweeps go on whatever happens in one, and end when they are told to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

from bot.engine.schedule import Schedule
from bot.ports import Transient


def a_schedule(sweep: Callable[[], object], *, stop_within: float = 10) -> Schedule:
    return Schedule(
        sweep=sweep,
        interval=timedelta(milliseconds=20),
        stop_within=timedelta(seconds=stop_within),
        stopping=threading.Event(),
    )


def test_the_first_sweep_is_at_once_and_the_next_ones_follow() -> None:
    third = threading.Event()
    count = []

    def sweep() -> None:
        count.append(1)
        if len(count) >= 3:
            third.set()

    schedule = a_schedule(sweep)
    schedule.start()
    assert third.wait(20)
    assert schedule.stop()


def test_a_sweep_that_fails_does_not_end_the_schedule() -> None:
    again = threading.Event()
    errors = [Transient("ledger", "disk full"), RuntimeError("a bug")]

    def sweep() -> None:
        if errors:
            raise errors.pop()
        again.set()

    schedule = a_schedule(sweep)
    schedule.start()
    assert again.wait(20)
    assert schedule.stop()


def test_a_stop_waits_for_the_sweep_in_hand() -> None:
    begun, finished = threading.Event(), threading.Event()

    def sweep() -> None:
        begun.set()
        schedule.stopping.wait(20)
        finished.set()

    schedule = a_schedule(sweep)
    schedule.start()
    assert begun.wait(20)
    assert schedule.stop()
    assert finished.is_set()


def test_a_sweep_that_hangs_is_abandoned_at_the_deadline() -> None:
    begun, release = threading.Event(), threading.Event()

    def sweep() -> None:
        begun.set()
        release.wait(30)

    schedule = a_schedule(sweep, stop_within=0.05)
    schedule.start()
    assert begun.wait(20)
    assert not schedule.stop()
    release.set()


def test_after_a_stop_no_sweep_begins() -> None:
    count: list[int] = []
    schedule = a_schedule(lambda: count.append(1))
    schedule.stopping.set()
    schedule.start()
    schedule.stop()
    assert count == []
