"""How fast time runs in the lab."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The policies' durations, and the rhythms of the bot, of Prometheus and of Argo CD."""

    tile: timedelta
    warmup: timedelta
    window: timedelta
    deadline: timedelta
    watch: timedelta
    degraded: timedelta
    sweep: timedelta
    lag: timedelta
    scrape: timedelta
    refresh: timedelta
    sync_takes: timedelta


COMPRESSED = Pace(
    tile=timedelta(seconds=4),
    warmup=timedelta(seconds=2),
    window=timedelta(seconds=12),
    deadline=timedelta(minutes=5),
    watch=timedelta(seconds=16),
    degraded=timedelta(seconds=4),
    sweep=timedelta(seconds=1),
    lag=timedelta(seconds=2),
    scrape=timedelta(seconds=1),
    refresh=timedelta(seconds=1),
    sync_takes=timedelta(seconds=1),
)
"""Minutes as seconds, for a person who watches; tiles as wide as four scrapes, the narrowest that count well."""

WATCHABLE = replace(COMPRESSED, watch=timedelta(seconds=28))
"""The same on the machine's own clock, where a rollout and two tiles under load take most of a shorter watch."""
