"""The schedule: sweeps go on whatever happens in one, and end when they are told to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

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


def test_the_house_is_kept_beside_the_sweeps_and_a_failure_of_it_ends_nothing() -> None:
    kept, again = threading.Event(), threading.Event()

    def keep_house() -> None:
        kept.set()
        raise Transient("ledger", "locked")

    def sweep() -> None:
        if kept.is_set():
            again.set()

    schedule = a_schedule(sweep)
    schedule.housekeeping = keep_house
    schedule.start()
    assert kept.wait(20)
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


# --- wakes -----------------------------------------------------------------------------------------------------------


@dataclass
class Day:
    """A schedule on time under control: `sweeps` holds when each began, `during` says what happens while it runs."""

    interval: timedelta = timedelta(hours=1)
    second: float = 0
    sweeps: list[float] = field(default_factory=list)
    during: list[Callable[[], object]] = field(default_factory=list)
    resting: Callable[[], object] = lambda: None

    def __post_init__(self) -> None:
        self.schedule = Schedule(
            sweep=self._sweep,
            interval=self.interval,
            stop_within=timedelta(seconds=10),
            stopping=threading.Event(),
            clock=lambda: self.second,
            sleep=self._rest,
        )

    def run(self, *during: Callable[[], object]) -> list[float]:
        """Run one sweep for each of `during`, and stop in the last one."""
        self.during = list(during)
        self.schedule.sweep_when_due()
        return self.sweeps

    def wake(self, name: str = "acme/deploy") -> None:
        self.schedule.waker.wake(name)

    def _sweep(self) -> None:
        self.sweeps.append(self.second)
        self.second += 2
        self.during.pop(0)()
        if not self.during:
            self.schedule.stopping.set()

    def _rest(self, seconds: float) -> None:
        self.resting()
        self.second += seconds


def nothing() -> None:
    """Happens in a sweep that nobody disturbs."""


def test_a_wake_in_a_sweep_makes_the_next_one_begin_after_the_pause() -> None:
    day = Day()
    assert day.run(day.wake, nothing) == [0, 5]


def test_a_wake_in_the_pause_is_not_lost() -> None:
    day = Day()
    day.resting = day.wake
    assert day.run(nothing, nothing, nothing) == [0, 5, 10]


def test_a_sweep_longer_than_the_pause_is_followed_at_once() -> None:
    day = Day()

    def long() -> None:
        day.second += 60
        day.wake()

    assert day.run(long, nothing) == [0, 62]


def test_the_pause_is_half_an_interval_where_that_is_shorter() -> None:
    day = Day(interval=timedelta(seconds=6))
    assert day.run(day.wake, nothing) == [0, 3]


def test_a_flood_of_a_thousand_wakes_in_a_minute_is_one_sweep_each_pause() -> None:
    day = Day()
    arrivals = [number * 0.06 for number in range(1_000)]

    def flood() -> None:
        while arrivals and arrivals[0] <= day.second + 3:
            arrivals.pop(0)
            day.wake()

    day.resting = flood
    sweeps = day.run(*(flood for _ in range(13)))
    assert arrivals == []
    assert sweeps == [5 * number for number in range(13)]
    assert day.schedule.waker.wait(0) == frozenset()


def test_a_thousand_wakes_before_the_first_sweep_are_that_one_and_one_more() -> None:
    day = Day()
    for number in range(1_000):
        day.wake(f"acme/r{number}")
    assert day.run(nothing, nothing) == [0, 5]
    assert day.schedule.waker.wait(0) == frozenset()


def test_a_sweep_that_fails_is_followed_by_the_next_wake() -> None:
    day = Day()

    def fail() -> None:
        day.wake()
        raise RuntimeError("a bug")

    assert day.run(fail, nothing) == [0, 5]


def test_a_wake_brings_a_sweep_long_before_the_interval_ends() -> None:
    swept = threading.Semaphore(0)
    schedule = a_schedule(swept.release)
    schedule.interval = timedelta(hours=1)
    schedule.wake_pause = timedelta(milliseconds=1)
    schedule.start()
    assert swept.acquire(timeout=20)
    for _ in range(3):
        schedule.waker.wake("acme/deploy")
        assert swept.acquire(timeout=20)
    assert schedule.stop()


def test_sweeps_go_on_where_the_clock_was_set_back_and_the_scheduler_waits_for_its_time() -> None:
    third = threading.Event()
    count: list[int] = []

    def sweep() -> None:
        count.append(1)
        if len(count) == 3:
            third.set()

    schedule = a_schedule(sweep)
    schedule.wake_pause = timedelta(milliseconds=1)
    # No scheduler is started: one that waits for an hour does as little.
    thread = threading.Thread(target=schedule.sweep_when_due, daemon=True)
    thread.start()
    assert third.wait(20)
    schedule.stopping.set()
    thread.join(20)
    assert not thread.is_alive()


def test_two_sweeps_never_run_at_once_however_it_is_woken() -> None:
    alone, done = threading.Lock(), threading.Event()
    overlaps: list[int] = []
    count: list[int] = []

    def sweep() -> None:
        if not alone.acquire(blocking=False):
            overlaps.append(1)
            return
        schedule.waker.wake("acme/deploy")
        schedule.stopping.wait(0.002)
        count.append(1)
        alone.release()
        if len(count) == 20:
            done.set()

    schedule = a_schedule(sweep)
    schedule.interval = timedelta(milliseconds=5)
    schedule.start()
    assert done.wait(30)
    assert schedule.stop()
    assert overlaps == []


@pytest.mark.parametrize("pause", [timedelta(hours=1), timedelta(milliseconds=1)], ids=["rests", "waits for a wake"])
def test_a_bot_between_two_sweeps_stops_at_once(pause: timedelta) -> None:
    swept = threading.Event()
    schedule = a_schedule(swept.set)
    schedule.interval = timedelta(days=1)
    schedule.wake_pause = pause
    schedule.start()
    assert swept.wait(20)
    # Give it time to come so far; where it does not, it stops all the same.
    time.sleep(0.1)
    assert schedule.stop()


def test_a_schedule_that_was_never_started_has_ended() -> None:
    assert a_schedule(lambda: None).stop()
