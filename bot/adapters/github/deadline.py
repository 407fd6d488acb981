"""A deadline for a whole exchange: the network library bounds only the wait for each piece of an answer.

A server, or something before it, that sends a byte now and then would hold its caller for ever, and with it the queue
of all writes. So each exchange runs in a thread of its own, which is left to itself when its time is over; only so many
of those may be about.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotDone
from datetime import timedelta
from typing import TypeVar

from requests.exceptions import ConnectionError as NotSent
from requests.exceptions import ReadTimeout

T = TypeVar("T")

_MOST = 64


class Overdue(ReadTimeout):
    """The answer did not come in time as a whole; its connection is still in use and must be given up."""


class Deadline:
    """Bounds exchanges. Safe to share between threads."""

    def __init__(self, within: timedelta, *, most: int = _MOST) -> None:
        self._within = within.total_seconds()
        self._room = threading.BoundedSemaphore(most)

    def hold(self, exchange: Callable[[], T]) -> T:
        """Return what the exchange returns, or raise what it raises; `Overdue` where that takes too long."""
        if not self._room.acquire(timeout=self._within):
            raise NotSent("too many exchanges are still waiting for the rest of their answers")
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(exchange())
            except BaseException as error:  # noqa: BLE001 - it is raised in the thread that asked
                future.set_exception(error)
            finally:
                self._room.release()

        threading.Thread(target=run, name="github", daemon=True).start()
        try:
            return future.result(timeout=self._within)
        except NotDone as late:
            if future.done():
                return future.result()
            raise Overdue(f"no whole answer within {self._within:g} s") from late
