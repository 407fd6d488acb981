"""Writes that were refused for good: a while must pass before the same one is tried again.

What a person must change first (a right, a rule of the branch) is not changed within a sweep, and each try would cost a
request and three entries of the ledger. Kept in memory only: a bot that starts again tries once more.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.domain.decision import Action, MergePromotion, RollBack
from bot.domain.text import format_instant
from bot.engine.record import action_json

_PAUSE = timedelta(minutes=5)
_PAUSE_OF_MERGE = timedelta(minutes=1)
"""What keeps a merge may go away by itself, and a rollback is urgent."""
_MOST = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An action of a service, under a policy and after so many commands: a new one of either means to try at once."""

    service: str
    policy_version: str
    orders: int
    action: Action

    @property
    def key(self) -> str:
        """What two tries of the same have in common."""
        plain = {name: value for name, value in action_json(self.action).items() if name != "reason"}
        return json.dumps([self.service, self.policy_version, self.orders, plain], sort_keys=True)


@dataclass(slots=True)
class Refusals:
    """What was refused, and until when it is let be. Safe to share between threads."""

    _until: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, asked: Asked, why: str, now: datetime) -> None:
        """Note a refusal and its sentence."""
        until = now + (_PAUSE_OF_MERGE if isinstance(asked.action, RollBack | MergePromotion) else _PAUSE)
        with self._lock:
            if len(self._until) >= _MOST:
                self._until.clear()
            self._until[asked.key] = until, why

    def still(self, asked: Asked, now: datetime) -> str | None:
        """Return what was said, and when the action is tried again, while it is let be; None otherwise."""
        key = asked.key
        with self._lock:
            found = self._until.get(key)
            if found is None:
                return None
            until, why = found
            if now >= until:
                del self._until[key]
                return None
        return f"{why}; it is tried again at {format_instant(until)}"
