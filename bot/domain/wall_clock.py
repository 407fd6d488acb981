"""What a clock on a wall shows, and when: local times without a zone → instants, also where clocks are changed.

Where clocks are set forward, some times are never shown: they stand for the moment of the change. Where clocks are set
back, some are shown twice: the first and the last time are told apart.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

_SECOND = timedelta(seconds=1)


def first_shown(wall: datetime, zone: tzinfo) -> datetime:
    """Return the first instant at which clocks of a zone show a time, in UTC; `wall` is in whole seconds."""
    before, after = _readings(wall, zone)
    return before if before <= after else _change(after, before, zone)


def last_shown(wall: datetime, zone: tzinfo) -> datetime:
    """Return the last instant at which clocks of a zone show a time; nearly always it is the only one."""
    before, after = _readings(wall, zone)
    return after if before <= after else _change(after, before, zone)


def _readings(wall: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return the instant of a time by the offset before a change and by the one after it (PEP 495)."""
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC), wall.replace(tzinfo=zone, fold=1).astimezone(UTC)


def _change(low: datetime, high: datetime, zone: tzinfo) -> datetime:
    """Return the moment between two instants at which clocks were set forward, to the second.

    A zone does not tell when its offset changes, only what it is: an hour takes twelve looks.
    """
    offset = high.astimezone(zone).utcoffset()
    while high - low > _SECOND:
        middle = low + (high - low) // _SECOND // 2 * _SECOND
        if middle.astimezone(zone).utcoffset() == offset:
            high = middle
        else:
            low = middle
    return high
