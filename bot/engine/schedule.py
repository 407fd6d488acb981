"""When sweeps run: APScheduler fires them, SIGTERM and SIGINT end them in good order.

A stop is asked for, the step in hand is finished or abandoned within a deadline, and nothing is half done: every
action is one conditional write that the next start looks at anew (I9).
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from types import FrameType

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from bot.ports import OutsideError


@dataclass(slots=True, kw_only=True)
class Schedule:
    """Run `sweep` every `interval`, the first at once. `stopping` is shared with the sweep, which looks at it."""

    sweep: Callable[[], object]
    interval: timedelta
    stop_within: timedelta
    stopping: threading.Event
    _idle: threading.Event = field(default_factory=threading.Event)
    _scheduler: BackgroundScheduler | None = None

    def start(self) -> None:
        """Start sweeping in the background; a sweep that takes longer than the interval delays the next one."""
        self._idle.set()
        self._scheduler = BackgroundScheduler(executors={"default": ThreadPoolExecutor(1)}, timezone="UTC")
        self._scheduler.add_job(
            self._guarded,
            IntervalTrigger(seconds=self.interval.total_seconds(), timezone="UTC"),
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
        )
        self._scheduler.add_job(self._guarded, max_instances=1, misfire_grace_time=None)
        self._scheduler.start()

    def stop(self) -> bool:
        """Ask the sweep in hand to stop and wait for it; return whether it ended within `stop_within`."""
        self.stopping.set()
        ended = self._idle.wait(self.stop_within.total_seconds())
        if self._scheduler is not None:
            # A job that is due at this moment would be handed to an executor that is gone already.
            self._scheduler.remove_all_jobs()
            self._scheduler.shutdown(wait=ended)
        return ended

    def run_until_signal(self) -> bool:
        """Sweep until SIGTERM or SIGINT; return whether the last sweep ended in time. Main thread only."""
        asked = threading.Event()

        def ask(number: int, _: FrameType | None) -> None:
            structlog.get_logger().info("stopping", signal=signal.Signals(number).name)
            self.stopping.set()
            asked.set()

        before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            self.start()
            asked.wait()
            return self.stop()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _guarded(self) -> None:
        """Run one sweep; nothing that goes wrong in it may end the schedule."""
        if self.stopping.is_set():
            return
        self._idle.clear()
        try:
            self.sweep()
        except OutsideError as error:
            structlog.get_logger().warning("sweep failed", system=error.system, reason=error.sentence)
        except Exception as error:
            structlog.get_logger().exception("bug", error=type(error).__name__)
        finally:
            self._idle.set()
