"""Recurrence rules as RFC 5545 writes them, `FREQ=MONTHLY;BYDAY=-1FR`, read into values that `bot.domain` can judge.

Taken are rules that begin something once a day at the most: the time of day stands beside the rule. What is refused is
refused with a sentence; a rule that never comes true is, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from types import MappingProxyType

from bot.domain.recurrence import Frequency, NthWeekday, Recurrence, days_of

WITHIN = timedelta(days=12 * 366)
"""A rule must come true within this time: from one 29 February to the next it may be eight years."""

_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_A_RULE = "a rule of RFC 5545, such as FREQ=MONTHLY;BYDAY=-1FR"
_FREQUENCIES = "FREQ as DAILY, WEEKLY, MONTHLY or YEARLY: a window begins once a day at the most"
_THE_TIME = "no BYHOUR, BYMINUTE or BYSECOND: the time of day stands in from"
_ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        "COUNT": "UNTIL in place of COUNT",
        "DTSTART": "no DTSTART: the first day stands in from",
        "BYHOUR": _THE_TIME,
        "BYMINUTE": _THE_TIME,
        "BYSECOND": _THE_TIME,
    }
)


def parse_rule(text: str, since: date) -> Recurrence:
    """Read a rule whose first day is `since`. Raise ValueError with a sentence that says what was expected."""
    parts = _parts(text)
    frequency = next((one for one in Frequency if one == parts.get("FREQ")), None)
    if frequency is None:
        raise ValueError(_FREQUENCIES)
    rule = Recurrence(
        since=since,
        frequency=frequency,
        interval=_interval(parts.get("INTERVAL", "1")),
        until=_until(parts["UNTIL"]) if "UNTIL" in parts else None,
        months=_numbers(parts, "BYMONTH", 12, is_signed=False),
        month_days=_numbers(parts, "BYMONTHDAY", 31, is_signed=True),
        weekdays=_weekdays(parts["BYDAY"]) if "BYDAY" in parts else (),
        positions=_numbers(parts, "BYSETPOS", 366, is_signed=True),
        week_begins=_week_begins(parts.get("WKST", "MO")),
    )
    _check(rule)
    rule = _completed(rule)
    if next(days_of(rule, since, since + WITHIN), None) is None:
        raise ValueError("a rule that comes true within 12 years of from")
    return rule


def _parts(text: str) -> Mapping[str, str]:
    parts: dict[str, str] = {}
    for part in text.upper().split(";"):
        name, _, value = part.partition("=")
        if name in _ELSEWHERE:
            raise ValueError(_ELSEWHERE[name])
        if not value or name not in _NAMES:
            raise ValueError(f"{_A_RULE}, of {', '.join(_NAMES)}")
        if name in parts:
            raise ValueError(f"{name} once")
        parts[name] = value
    return parts


_NAMES = ("FREQ", "INTERVAL", "UNTIL", "BYMONTH", "BYMONTHDAY", "BYDAY", "BYSETPOS", "WKST")


def _interval(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,2}", text):
        raise ValueError("INTERVAL as a number from 1 to 999")
    return int(text)


def _until(text: str) -> date:
    found = re.fullmatch(r"(\d{4})(\d{2})(\d{2})", text, re.ASCII)
    try:
        return date.fromisoformat("-".join(found.groups() if found else ()))
    except ValueError:
        raise ValueError("UNTIL as a day, such as 20271231") from None


def _numbers(parts: Mapping[str, str], name: str, most: int, *, is_signed: bool) -> tuple[int, ...]:
    """Read a list of numbers from 1 to `most`, or from -1 down where they may count from the end; empty without it."""
    sign = "[+-]?" if is_signed else ""
    words = parts[name].split(",") if name in parts else []
    numbers = [int(word) if re.fullmatch(rf"{sign}[0-9]{{1,3}}", word) else 0 for word in words]
    if any(not 1 <= abs(number) <= most for number in numbers):
        ends = f" or from -1 to -{most}" if is_signed else ""
        raise ValueError(f"{name} as numbers from 1 to {most}{ends}")
    return tuple(dict.fromkeys(numbers))


def _weekdays(text: str) -> tuple[NthWeekday, ...]:
    found = [re.fullmatch(r"([+-]?[1-9][0-9]?)?(MO|TU|WE|TH|FR|SA|SU)", word) for word in text.split(",")]
    days = [NthWeekday(day=_DAYS.index(one[2]), nth=int(one[1] or 0)) for one in found if one is not None]
    if len(days) < len(found) or any(abs(day.nth) > 53 for day in days):
        raise ValueError("BYDAY as days such as MO,FR, or with their number, such as 2TU or -1FR")
    return tuple(dict.fromkeys(days))


def _week_begins(text: str) -> int:
    if text not in _DAYS:
        raise ValueError(f"WKST as one of {', '.join(_DAYS)}")
    return _DAYS.index(text)


def _check(rule: Recurrence) -> None:
    """Refuse what RFC 5545 rules out."""
    is_numbered = any(day.nth for day in rule.weekdays)
    if is_numbered and rule.frequency in {Frequency.DAILY, Frequency.WEEKLY}:
        raise ValueError("numbers in BYDAY only with FREQ=MONTHLY or YEARLY")
    if rule.month_days and rule.frequency is Frequency.WEEKLY:
        raise ValueError("no BYMONTHDAY with FREQ=WEEKLY")
    if rule.positions and not (rule.months or rule.month_days or rule.weekdays):
        raise ValueError("BYSETPOS only beside BYMONTH, BYMONTHDAY or BYDAY")


def _completed(rule: Recurrence) -> Recurrence:
    """Take from the first day what the rule does not say, as RFC 5545 has it."""
    if rule.month_days or rule.weekdays:
        return rule
    return _COMPLETED[rule.frequency](rule)


_COMPLETED: Mapping[Frequency, Callable[[Recurrence], Recurrence]] = MappingProxyType(
    {
        Frequency.DAILY: lambda rule: rule,
        Frequency.WEEKLY: lambda rule: replace(rule, weekdays=(NthWeekday(day=rule.since.weekday()),)),
        Frequency.MONTHLY: lambda rule: replace(rule, month_days=(rule.since.day,)),
        Frequency.YEARLY: lambda rule: replace(
            rule, months=rule.months or (rule.since.month,), month_days=(rule.since.day,)
        ),
    }
)
