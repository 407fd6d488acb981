"""Whether the bot is alive: whether its last sweep is fresh. Pure; `liftlock health` and `/healthz` ask it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

_MISSED_SWEEPS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """The answer and one sentence on it."""

    is_fresh: bool
    sentence: str


def oldest_allowed(interval: timedelta) -> timedelta:
    """Return the age above which a last sweep is too old: ten intervals."""
    return interval * _MISSED_SWEEPS


def judge_freshness(ended: datetime | None, now: datetime, limit: timedelta) -> Freshness:
    """Judge when the last sweep ended; None where none has."""
    if ended is None:
        return Freshness(is_fresh=False, sentence="no sweep has ended yet")
    age = now - ended
    sentence = f"the last sweep ended {age.total_seconds():.0f} s ago (limit {limit.total_seconds():.0f} s)"
    return Freshness(is_fresh=age <= limit, sentence=sentence)
