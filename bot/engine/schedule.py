"""When sweeps run: each interval, at once after a wake, and no more once SIGTERM or SIGINT came.

APScheduler keeps the interval by the machine's clock. Where that is set back the interval ends as much later, so the
wait for it ends after an interval of monotonic seconds, too. One thread sweeps, so two sweeps never run at once;
whatever comes due while it sweeps or rests, by the interval or by any number of wakes, is the one next sweep.

A stop is asked for, the step in hand is finished or abandoned within a deadline, and nothing is half done: every
action is one conditional write that the next start looks at anew (I9).

Races, accepted: the interval may end just as a sweep does; then there is one sweep more, or the next one comes an
interval later.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from bot.engine.signals import stop_signals
from bot.engine.waking import Waker
from bot.ports import OutsideError


@dataclass(slots=True, kw_only=True)
class Schedule:
    """Run `sweep` every `interval`, the first at once, and when `waker` is woken. `stopping` is shared with the sweep.

    Two sweeps begin at least `wake_pause` apart (or half an interval, where that is shorter), however often the bot is
    woken.
    `housekeeping` is done once a day, the first time soon after the start, beside the sweeps.
    `clock` gives monotonic seconds; `sleep` rests for seconds and ends early on a stop.
    """

    sweep: Callable[[], object]
    interval: timedelta
    stop_within: timedelta
    stopping: threading.Event
    waker: Waker = field(default_factory=Waker)
    wake_pause: timedelta = timedelta(seconds=5)
    housekeeping: Callable[[], object] | None = None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] | None = None
    _is_sweeping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _scheduler: BackgroundScheduler | None = None

    def start(self) -> None:
        """Start sweeping in the background; an interval that ends in a sweep is skipped."""
        executors = {"default": ThreadPoolExecutor(1), "housekeeping": ThreadPoolExecutor(1)}
        self._scheduler = BackgroundScheduler(executors=executors, timezone="UTC")
        if self.housekeeping is not None:
            self._scheduler.add_job(
                self._keep_house,
                IntervalTrigger(days=1, timezone="UTC"),
                executor="housekeeping",
                max_instances=1,
                coalesce=True,
                misfire_grace_time=None,
                next_run_time=datetime.now(UTC),
            )
        self._scheduler.add_job(
            self._interval_passed,
            IntervalTrigger(seconds=self.interval.total_seconds(), timezone="UTC"),
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
        )
        # A sweep that hangs in an outside call must not keep the process alive.
        self._thread = threading.Thread(target=self.sweep_when_due, name="schedule", daemon=True)
        self._scheduler.start()
        self._thread.start()

    def stop(self) -> bool:
        """Ask the sweep in hand to stop and wait for it; return whether it ended within `stop_within`."""
        self.stopping.set()
        self.waker.nudge()
        if self._scheduler is not None:
            # A job that is due at this moment would be handed to an executor that is gone already.
            self._scheduler.remove_all_jobs()
            self._scheduler.shutdown()
        if self._thread is None:
            return True
        self._thread.join(self.stop_within.total_seconds())
        return not self._thread.is_alive()

    def run_until_signal(self) -> bool:
        """Sweep until SIGTERM or SIGINT; return whether the last sweep ended in time. Main thread only."""
        with stop_signals() as asked:
            self.start()
            asked.wait()
            structlog.get_logger().info("stopping", signal=asked.signal.name if asked.signal is not None else "")
            return self.stop()

    def sweep_when_due(self) -> None:
        """Sweep at once, then whenever the waker says so, until the bot stops. What `start` runs in its thread."""
        while not self.stopping.is_set():
            begun = self.clock()
            self._guarded()
            self._rest_until(begun + min(self.wake_pause, self.interval / 2).total_seconds())
            if not self.stopping.is_set():
                self._await_wake()

    def _await_wake(self) -> None:
        names = self.waker.wait(self.interval.total_seconds())
        if names:
            structlog.get_logger().debug("woken", by=sorted(names))

    def _rest_until(self, instant: float) -> None:
        left = instant - self.clock()
        if left > 0:
            (self.sleep or self.stopping.wait)(left)

    def _interval_passed(self) -> None:
        if not self._is_sweeping.is_set():
            self.waker.nudge()

    def _keep_house(self) -> None:
        if self.housekeeping is not None and not self.stopping.is_set():
            _logging_failures(self.housekeeping, "housekeeping failed")

    def _guarded(self) -> None:
        """Run one sweep; nothing that goes wrong in it may end the schedule."""
        self._is_sweeping.set()
        try:
            _logging_failures(self.sweep, "sweep failed")
        finally:
            self._is_sweeping.clear()


def _logging_failures(work: Callable[[], object], words: str) -> None:
    try:
        work()
    except OutsideError as error:
        structlog.get_logger().warning(words, system=error.system, reason=error.sentence)
    except Exception as error:
        structlog.get_logger().exception("bug", error=type(error).__name__)
