"""The queue in which the writes of one installation stand: one at a time, the most urgent first, with pauses between.

GitHub asks for writes one after the other and at least a second apart. A write whose turn the budget puts off by more
than its patience is refused at once with the figures, so that a sweep never stands still for minutes; the next sweep
tries again. What only tells holds up a sweep for so long all together, and waits no more after that: until a sweep
ends no other begins, and that may be the one in which something must be taken back. A read is never queued.

Races: while the head of the queue sleeps, a more urgent write may arrive; it goes first, as the head looks again after
each sleep. A write that is being sent is never interrupted.
"""

from __future__ import annotations

import heapq
import itertools
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from bot.adapters.github.answers import SYSTEM
from bot.adapters.github.budget import Budget, Cost, Right
from bot.forge import Urgency
from bot.ports import Transient

Ticket = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacing:
    """Where seconds come from and how they pass: tests give their own."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """`pause` is kept between two writes. The rest is how long a write waits: for the budget, or in all for a turn.

    `telling` is how long after its beginning a sweep lets what only tells wait at all.
    """

    pause: timedelta = timedelta(seconds=1)
    budget: timedelta = timedelta(seconds=5)
    rollback: timedelta = timedelta(seconds=30)
    turn: timedelta = timedelta(seconds=60)
    telling: timedelta = timedelta(seconds=30)


def right_of(urgency: Urgency) -> Right:
    """Return the right of a write, and of the reads that are made for it."""
    return Right.ROLLBACK if urgency is Urgency.ROLLBACK else Right.WRITE


class WriteQueue:
    """The queue of one installation. Safe to share between threads."""

    def __init__(self, budget: Budget, patience: Patience, pacing: Pacing) -> None:
        self._budget = budget
        self._patience = patience
        self._pacing = pacing
        self._free = threading.Condition()
        self._waiting: list[Ticket] = []
        self._arrivals = itertools.count()
        self._is_busy = False
        self._next_at = 0.0
        self._telling_ends = math.inf

    def begin_sweep(self) -> None:
        """Let what only tells wait anew."""
        with self._free:
            self._telling_ends = self._pacing.monotonic() + self._patience.telling.total_seconds()

    @property
    def length(self) -> int:
        """Return how many writes wait."""
        with self._free:
            return len(self._waiting)

    @contextmanager
    def turn(self, urgency: Urgency, cost: Cost, tried: str) -> Iterator[None]:
        """Wait for the turn and keep it. Raise Transient where that would take too long."""
        ticket = (int(urgency), next(self._arrivals))
        with self._free:
            heapq.heappush(self._waiting, ticket)
            try:
                self._await(ticket, cost, tried)
                self._is_busy = True
            finally:
                self._waiting.remove(ticket)
                heapq.heapify(self._waiting)
                self._free.notify_all()
        try:
            yield
        finally:
            with self._free:
                self._is_busy = False
                self._next_at = self._pacing.monotonic() + self._patience.pause.total_seconds()
                self._free.notify_all()

    def _await(self, ticket: Ticket, cost: Cost, tried: str) -> None:
        right = right_of(Urgency(ticket[0]))
        waits = self._patience.rollback if right is Right.ROLLBACK else self._patience.budget
        patience = waits.total_seconds()
        gives_up = self._pacing.monotonic() + self._patience.turn.total_seconds()
        if ticket[0] == Urgency.TELL:
            gives_up = min(gives_up, self._telling_ends)
        while True:
            self._await_place(ticket, gives_up, tried)
            now = self._pacing.monotonic()
            delay = self._budget.delay(cost, right, now=now)
            if delay.seconds > patience:
                raise self._refuse(tried, delay.reason, delay.seconds)
            seconds = max(delay.seconds, self._next_at - now)
            if seconds <= 0:
                return
            if now + seconds > gives_up:
                raise self._refuse(tried, delay.reason or "its turn did not come", seconds)
            self._sleep(seconds)

    def _await_place(self, ticket: Ticket, gives_up: float, tried: str) -> None:
        """Wait until the ticket is first and nobody writes."""
        while self._is_busy or self._waiting[0] != ticket:
            left = gives_up - self._pacing.monotonic()
            if left <= 0 or not self._free.wait(timeout=left):
                waits = f"{len(self._waiting)} writes wait for their turn"
                raise self._refuse(tried, waits, self._patience.turn.total_seconds())

    def _sleep(self, seconds: float) -> None:
        self._free.release()
        try:
            self._pacing.sleep(seconds)
        finally:
            self._free.acquire()

    def _refuse(self, tried: str, reason: str, seconds: float) -> Transient:
        self._budget.note_refused()
        wait = max(1, round(seconds))
        sentence = f"did not {tried} yet: {reason}; it is tried again in {wait} s"
        return Transient(SYSTEM, sentence, retry_after=timedelta(seconds=wait))
