"""Compare calendars: which one lets releases move at more times. Windows are compared one by one, never by the clock.

A window of one kind is held against those of the same kind only. Where neither list lies within the other by that, it
is told as changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta
from typing import assert_never

from bot.domain.calendar import Calendar, Dates, Holidays, Repeating, Weekly, Window
from bot.domain.text import format_duration
from bot.policy.comparing.orders import Aspect, Change, Way, aspect, changes, differs, within

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = timedelta(days=1)
_ANY_DAY = datetime(2000, 1, 3)  # noqa: DTZ001 - a time of a zone's clocks


def compare_calendars(old: Calendar | None, new: Calendar | None, path: str) -> Iterator[Change]:
    """Give what is different of two calendars at a path; None is no calendar, which lets releases move at any time."""
    if old is not None and new is not None:
        yield from changes(CALENDAR, old, new, path)
    elif old is not None:
        yield Change(way=Way.WEAKER, path=path, old=_described(old), new="at any time")
    elif new is not None:
        yield Change(way=Way.STRICTER, path=path, old="at any time", new=_described(new))


def _judge_freeze(old: Sequence[Window], new: Sequence[Window]) -> Way | None:
    # What is frozen then was frozen before: it is open at least at the times at which it was.
    return within(_lie_within(old, new), _lie_within(new, old))


def _judge_allow(old: Sequence[Window], new: Sequence[Window]) -> Way | None:
    # Without any window it is always allowed.
    return within(not old or (bool(new) and _lie_within(new, old)), not new or (bool(old) and _lie_within(old, new)))


def _lie_within(inner: Sequence[Window], outer: Sequence[Window]) -> bool:
    return all(any(_covers(one, other) for one in outer) for other in inner)


def _covers(outer: Window, inner: Window) -> bool:
    """Say whether it is certain that one window holds whenever the other does."""
    if isinstance(outer, Weekly) and isinstance(inner, Weekly):
        is_earlier = outer.begins <= inner.begins and _end(inner) <= _end(outer)
        return set(inner.days) <= set(outer.days) and is_earlier
    if isinstance(outer, Dates) and isinstance(inner, Dates):
        return outer.begins <= inner.begins and inner.ends <= outer.ends
    if isinstance(outer, Holidays) and isinstance(inner, Holidays):
        return set(inner.days) <= set(outer.days)
    if isinstance(outer, Repeating) and isinstance(inner, Repeating):
        return outer.rule == inner.rule and outer.begins == inner.begins and inner.lasts <= outer.lasts
    return False


def _end(window: Weekly) -> datetime:
    ends = datetime.combine(_ANY_DAY, window.ends)
    return ends if window.ends > window.begins else ends + _DAY


def _shown(windows: Sequence[Window]) -> str:
    return "; ".join(_window(window) for window in windows) or "nothing"


def _window(window: Window) -> str:
    match window:
        case Weekly():
            ends = "24:00" if window.ends == time() else f"{window.ends:%H:%M}"
            return f"{','.join(_DAYS[day] for day in window.days)} {window.begins:%H:%M} to {ends}"
        case Dates():
            return f"{window.begins:%Y-%m-%d %H:%M} to {window.ends:%Y-%m-%d %H:%M}"
        case Holidays():
            return f"holidays of {window.region}"
        case Repeating():
            first = f"{window.rule.since} {window.begins:%H:%M}"
            return f"{window.rule.frequency} from {first} for {format_duration(window.lasts)}"
        case _:  # pragma: no cover
            assert_never(window)


def _described(calendar: Calendar) -> str:
    lists = {"allow": calendar.allow, "freeze": calendar.freeze}
    return ", ".join(f"{key} {_shown(windows)}" for key, windows in lists.items() if windows)


CALENDAR: Sequence[Aspect[Calendar]] = (
    aspect("zone", "timezone", lambda one: one.zone.key, differs, str),
    aspect("allow", "allow", lambda one: one.allow, _judge_allow, _shown),
    aspect("freeze", "freeze", lambda one: one.freeze, _judge_freeze, _shown),
)
