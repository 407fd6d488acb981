"""The fields of `calendar`: when releases may move."""

from __future__ import annotations

from bot.policy.calendars import MOST_WINDOWS
from bot.policy.schema.shapes import DURATION, TEXT, Fields, Shape, field, list_of, mapping


def _windows(fields: Fields) -> Shape:
    return list_of(mapping(fields, minProperties=1), least=1, most=MOST_WINDOWS)


_WINDOW: Fields = {
    "days": field(
        list_of(TEXT, least=1),
        "A window of the week: `mon` … `sun`, or several such as `mon-fri` and `fri-mon`.",
    ),
    "from": field(
        TEXT,
        "When it begins: with `days` a time; alone with `to` a date, or a date with a time; with `rrule` the "
        "first day of all, and the time of day.",
    ),
    "to": field(
        TEXT,
        "When it ends: with `days` a time, on the next day if it is not later than `from`; else a date, which "
        "belongs to it as a whole, or a date with a time.",
    ),
    "holidays": field(
        TEXT,
        "The whole days of public holidays, with those on which they are observed, as the Python package `holidays` "
        "has them for 2025 to 2045: ISO 3166 codes such as `US` or `DE-BY`.",
    ),
    "rrule": field(
        TEXT,
        "Days that come again, as RFC 5545 writes them, with `FREQ` (`DAILY`, `WEEKLY`, `MONTHLY`, `YEARLY`), "
        "`INTERVAL`, `UNTIL` (a day), `BYMONTH`, `BYMONTHDAY`, `BYDAY`, `BYSETPOS` and `WKST`.",
    ),
    "for": field(
        DURATION,
        "How long it lasts each time.",
    ),
}

_FREEZE: Fields = {
    "reason": field(
        TEXT,
        "Why, for people.",
    ),
}

_CALENDAR: Fields = {
    "timezone": field(
        TEXT,
        "Whose clocks the windows are said in: a name as IANA has it, with its area, or `UTC`.",
        required=True,
    ),
    "allow": field(
        _windows(_WINDOW),
        "Releases move only inside of one of these, 1 to 20.",
    ),
    "freeze": field(
        _windows({**_WINDOW, **_FREEZE}),
        "Releases move inside of none of these, 1 to 20.",
    ),
}


A_CALENDAR = mapping(_CALENDAR, anyOf=[{"required": ["allow"]}, {"required": ["freeze"]}])
