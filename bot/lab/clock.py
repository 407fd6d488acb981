"""A clock that stands still until it is told to move, for worlds whose time is under control."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta


class ManualClock:
    """Implements `bot.ports.Clock`; safe to read and advance from several threads. Never runs backwards."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("a clock starts at an aware datetime")
        self._lock = threading.Lock()
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        """Return the present instant in UTC."""
        with self._lock:
            return self._now

    def advance(self, by: timedelta) -> datetime:
        """Move on by a duration that is not negative; return the new present instant."""
        if by < timedelta(0):
            raise ValueError("a clock does not run backwards")
        with self._lock:
            self._now += by
            return self._now
