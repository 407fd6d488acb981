"""The calendar of a policy: when releases may move into a stage, when not, and when that changes. Pure.

Windows are said in the local time of a zone. Around a change of clocks the doubt is for standing still: a time that
comes twice begins a freeze when it is first shown and ends one when it is last shown; in `allow` it is the other way
round. A time that is left out is the moment of the change.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal, NamedTuple, assert_never
from zoneinfo import ZoneInfo

from bot.domain.recurrence import Recurrence, days_of
from bot.domain.wall_clock import first_shown, last_shown

GATE = "calendar"
"""The name under which a person overrides it."""

HORIZON = timedelta(days=400)
"""So far ahead it is looked for when releases may move again."""

_DAY = timedelta(days=1)
_OUTSIDE = "outside of the times in which the policy lets releases move"


@dataclass(frozen=True, slots=True, kw_only=True)
class Weekly:
    """On some days of the week, 0 is Monday, from `begins` until `ends`.

    One that ends no later than it begins ends on the next day.
    """

    days: tuple[int, ...]
    begins: time
    ends: time
    reason: str = ""
    kind: Literal["weekly"] = "weekly"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dates:
    """Once, between two times of the zone's clocks: both are without a zone."""

    begins: datetime
    ends: datetime
    reason: str = ""
    kind: Literal["dates"] = "dates"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holidays:
    """The whole days of a region's public holidays. Which those are was worked out when the policy was read."""

    region: str
    days: tuple[date, ...]
    reason: str = ""
    kind: Literal["holidays"] = "holidays"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeating:
    """For so long from `begins` on each day of a rule; time passes by the hour, whatever clocks show meanwhile."""

    rule: Recurrence
    begins: time
    lasts: timedelta
    reason: str = ""
    kind: Literal["repeating"] = "repeating"


Window = Weekly | Dates | Holidays | Repeating


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Releases move only inside of `allow`, where there is any such window, and never inside of `freeze`.

    The zone is a value, not its name: its file was read with the policy, and holds all that is ever asked of it here.
    A ledger keeps the name, and a decision that is replayed has the zone as the machine knows it then.
    """

    zone: ZoneInfo
    allow: tuple[Window, ...] = ()
    freeze: tuple[Window, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Releases may move."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """Nothing moves `until` then, None where that is not to be seen; `reason` says so to people, with the why."""

    until: datetime | None
    reason: str


def judge_calendar(calendars: Sequence[Calendar], now: datetime) -> Open | Closed:
    """Say whether releases may move at an instant: all calendars must agree. The first that does not says why."""
    for calendar in calendars:
        why = _why_closed(calendar, now)
        if why is not None:
            until = _opens_at(calendars, now)
            return Closed(until=until, reason=f"frozen {_until(until, calendar.zone)}: {why}")
    return Open()


def _until(until: datetime | None, zone: ZoneInfo) -> str:
    if until is None:
        return f"for more than {HORIZON.days} days"
    return f"until {until.astimezone(zone):%Y-%m-%d %H:%M} {zone.key}"


def _why_closed(calendar: Calendar, now: datetime) -> str | None:
    for window in calendar.freeze:
        if _holds(_stretches(window, calendar.zone, now, is_freeze=True), now):
            return window.reason or _described(window)
    if calendar.allow and not any(
        _holds(_stretches(window, calendar.zone, now, is_freeze=False), now) for window in calendar.allow
    ):
        return _OUTSIDE
    return None


def _described(window: Window) -> str:
    return f"a public holiday of {window.region}" if isinstance(window, Holidays) else "a freeze of the policy"


# --- when it changes -------------------------------------------------------------------------------------------------


class _Stretch(NamedTuple):
    """From the first instant to just before the second. A tuple, since some ten thousand may have to be sorted."""

    begins: datetime
    ends: datetime


def _holds(stretches: Iterator[_Stretch], now: datetime) -> bool:
    for stretch in stretches:
        if stretch.begins > now:
            return False
        if now < stretch.ends:
            return True
    return False


def _opens_at(calendars: Sequence[Calendar], now: datetime) -> datetime | None:
    """Return the first instant from `now` on at which nothing stands still; None beyond the horizon."""
    at = now
    for closed in heapq.merge(*(stretches for calendar in calendars for stretches in _closed(calendar, now))):
        if closed.begins > at:
            break
        at = max(at, closed.ends)
    return at if at <= now + HORIZON else None


def _closed(calendar: Calendar, now: datetime) -> Iterator[Iterator[_Stretch]]:
    """Yield the stretches in which nothing moves, of each kind in order: looked at no further than anybody asks."""
    for window in calendar.freeze:
        yield _stretches(window, calendar.zone, now, is_freeze=True)
    if calendar.allow:
        allowed = [_stretches(window, calendar.zone, now, is_freeze=False) for window in calendar.allow]
        yield _between(heapq.merge(*allowed), now)


def _between(allowed: Iterator[_Stretch], now: datetime) -> Iterator[_Stretch]:
    """Yield what lies between, from `now` on; the last one reaches beyond the horizon."""
    at = now
    for stretch in allowed:
        if stretch.begins > at:
            yield _Stretch(at, stretch.begins)
        at = max(at, stretch.ends)
    yield _Stretch(at, max(at, now + HORIZON + _DAY))


# --- windows as instants ---------------------------------------------------------------------------------------------


class _Shown(NamedTuple):
    """What clocks show when a window begins and ends; then time passes for as long as it `lasts`."""

    begins: datetime
    ends: datetime
    lasts: timedelta = timedelta(0)


def _stretches(window: Window, zone: ZoneInfo, now: datetime, *, is_freeze: bool) -> Iterator[_Stretch]:
    """Yield the stretches of a window in order: from those that may hold `now` to the horizon."""
    # One that begins on the day before may reach into today; and a day is another one elsewhere.
    reach = 2 * _DAY + (window.lasts if isinstance(window, Repeating) else timedelta(0))
    today = now.astimezone(zone).date()
    begin, end = (first_shown, last_shown) if is_freeze else (last_shown, first_shown)
    for shown in _shown(window, today - reach, today + HORIZON + 2 * _DAY):
        stretch = _Stretch(begin(shown.begins, zone), end(shown.ends, zone) + shown.lasts)
        if stretch.begins < stretch.ends:
            yield stretch


def _shown(window: Window, first: date, last: date) -> Iterator[_Shown]:
    match window:
        case Dates():
            yield _Shown(window.begins, window.ends)
        case Weekly():
            for day in (first + number * _DAY for number in range((last - first).days + 1)):
                if day.weekday() in window.days:
                    ends_on = day if window.ends > window.begins else day + _DAY
                    yield _Shown(datetime.combine(day, window.begins), datetime.combine(ends_on, window.ends))
        case Holidays():
            for day in window.days:
                if first <= day <= last:
                    yield _Shown(datetime.combine(day, time()), datetime.combine(day + _DAY, time()))
        case Repeating():
            for day in days_of(window.rule, first, last):
                begins = datetime.combine(day, window.begins)
                yield _Shown(begins, begins, window.lasts)
        case _:  # pragma: no cover
            assert_never(window)
