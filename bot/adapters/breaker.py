"""Leave a server alone for a while after it failed several times in a row, and say so at once instead of waiting.

Without this, every service of a sweep would wait the whole deadline for a server that is down. Not pybreaker, which
holds its lock while the call runs, so that queries would go one by one.

Races, accepted: calls that were under way when the breaker opened still count; one call at a time tries again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from bot.ports import Permanent


class LeftAlone(Exception):
    """The server failed too often just now; `seconds` until it is tried again."""

    def __init__(self, failures: int, seconds: float) -> None:
        super().__init__(f"{failures} failures in a row")
        self.failures = failures
        self.seconds = seconds


class Breaker:
    """Counts failures in a row. Safe between threads; calls run beside each other."""

    def __init__(
        self,
        *,
        failures: int = 5,
        pause: timedelta = timedelta(seconds=30),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = failures
        self._pause = pause.total_seconds()
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._until: float | None = None
        self._is_trying = False

    @contextmanager
    def call(self) -> Iterator[None]:
        """Let one call through, or raise `LeftAlone`. Only a `Permanent` is an answer of a sort."""
        self._admit()
        try:
            yield
        except Permanent:
            self._note(failed=False)
            raise
        except BaseException:
            self._note(failed=True)
            raise
        self._note(failed=False)

    def _admit(self) -> None:
        with self._lock:
            if self._until is None:
                return
            left = self._until - self._clock()
            if left > 0 or self._is_trying:
                raise LeftAlone(self._failures, max(left, 0.0))
            self._is_trying = True

    def _note(self, *, failed: bool) -> None:
        with self._lock:
            self._is_trying = False
            self._failures = self._failures + 1 if failed else 0
            self._until = self._clock() + self._pause if self._failures >= self._most else None
