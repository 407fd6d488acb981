"""Wakes: someone outside says that something has changed, and the next sweep begins at once instead of later.

A wake is a hint and nothing more. It carries a name for the log, mostly a repository's, is never needed (a sweep comes
by itself), and any number of them before a sweep begins are one. So a lost, repeated, forged or late wake does no harm.
"""

from __future__ import annotations

import threading

_MOST_NAMES = 100
"""How many names are kept for one sweep; a wake by a further one counts, only its name is not kept."""


class Waker:
    """Collects wakes from any thread for the one thread that sweeps. It holds a bounded set, so a flood is one wake."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._names: set[str] = set()
        self._is_due = False

    def wake(self, name: str) -> None:
        """Note what has changed, or who says so, and end the wait; returns at once."""
        with self._condition:
            if len(self._names) < _MOST_NAMES:
                self._names.add(name)
            self._ring()

    def nudge(self) -> None:
        """End the wait without a name: the interval has passed, or the bot is to stop."""
        with self._condition:
            self._ring()

    def wait(self, timeout: float | None = None) -> frozenset[str]:
        """Return when woken, or after `timeout` seconds; take the names of the wakes since the last wait."""
        with self._condition:
            self._condition.wait_for(lambda: self._is_due, timeout)
            names = frozenset(self._names)
            self._names.clear()
            self._is_due = False
            return names

    def _ring(self) -> None:
        self._is_due = True
        self._condition.notify()
