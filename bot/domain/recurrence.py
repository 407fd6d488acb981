"""Days that come again by a rule: the part of RFC 5545's recurrence rules in which a day comes once at the most.

A rule and two days → the days between them on which something begins. Each period (a day, week, month or year) is
looked at by itself, so that the work grows with the time between the two days and not with the age of the rule; one
that never comes true costs no more than another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

_DAY = timedelta(days=1)


class Frequency(StrEnum):
    """The period of a rule."""

    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"
    YEARLY = "YEARLY"


@dataclass(frozen=True, slots=True, kw_only=True)
class NthWeekday:
    """A day of the week, 0 is Monday. `nth` counts within the month or year, from its end if negative; 0 is each."""

    day: int
    nth: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """Every `interval` periods from the one of `since`: all days of the period that fit, or only those at `positions`.

    Empty `months`, `month_days` and `weekdays` fit any day. What RFC 5545 takes from the first day where a rule does
    not say it, stands here already. `since` and `until` are the first and the last day of all.
    """

    since: date
    frequency: Frequency
    interval: int = 1
    until: date | None = None
    months: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    weekdays: tuple[NthWeekday, ...] = ()
    positions: tuple[int, ...] = ()
    week_begins: int = 0


def days_of(rule: Recurrence, first: date, last: date) -> Iterator[date]:
    """Yield the days of a rule from `first` to `last`, both included, in order."""
    first = max(first, rule.since)
    last = last if rule.until is None else min(last, rule.until)
    if first > last:
        return
    start = _period_of(rule, first)
    start += (_period_of(rule, rule.since) - start) % rule.interval
    for period in range(start, _period_of(rule, last) + 1, rule.interval):
        yield from (day for day in _chosen(rule, period) if first <= day <= last)


def _period_of(rule: Recurrence, day: date) -> int:
    """Number the period that a day lies in; the next one has the next number."""
    if rule.frequency is Frequency.YEARLY:
        return day.year
    if rule.frequency is Frequency.MONTHLY:
        return day.year * 12 + day.month - 1
    # The first day of all is a Monday.
    days = day.toordinal() - 1
    return (days - rule.week_begins) // 7 if rule.frequency is Frequency.WEEKLY else days


def _beginning(rule: Recurrence, period: int) -> date:
    """Return the first day of a period."""
    if rule.frequency is Frequency.YEARLY:
        return date(period, 1, 1)
    if rule.frequency is Frequency.MONTHLY:
        return date(period // 12, period % 12 + 1, 1)
    days = period * 7 + rule.week_begins if rule.frequency is Frequency.WEEKLY else period
    return date.fromordinal(days + 1)


def _chosen(rule: Recurrence, period: int) -> Sequence[date]:
    begins, ends = _beginning(rule, period), _beginning(rule, period + 1)
    days = [day for day in (begins + number * _DAY for number in range((ends - begins).days)) if _fits(rule, day)]
    if not rule.positions:
        return days
    # Positions count from 1, and from the end below 0.
    at = {position - 1 if position > 0 else len(days) + position for position in rule.positions}
    return [day for number, day in enumerate(days) if number in at]


def _fits(rule: Recurrence, day: date) -> bool:
    if rule.months and day.month not in rule.months:
        return False
    if rule.month_days and not {day.day, day.day - _month_end(day).day - 1} & set(rule.month_days):
        return False
    return not rule.weekdays or any(_is_nth(rule, one, day) for one in rule.weekdays)


def _is_nth(rule: Recurrence, weekday: NthWeekday, day: date) -> bool:
    if weekday.day != day.weekday() or weekday.nth == 0:
        return weekday.day == day.weekday()
    is_of_month = rule.frequency is Frequency.MONTHLY or bool(rule.months)
    begins = day.replace(day=1) if is_of_month else date(day.year, 1, 1)
    ends = _month_end(day) if is_of_month else date(day.year, 12, 31)
    return weekday.nth in {(day - begins).days // 7 + 1, -((ends - day).days // 7 + 1)}


def _month_end(day: date) -> date:
    # The 28th is in every month, and four days later it is the next one.
    later = day.replace(day=28) + 4 * _DAY
    return later - later.day * _DAY
