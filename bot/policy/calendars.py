"""When releases may move: `calendar` of a policy or a stage, read into a `Calendar`.

Nothing here knows what day it is. Public holidays are worked out for fixed years, so that the same file means the same
whenever it is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.domain.calendar import Calendar, Dates, Holidays, Repeating, Weekly, Window
from bot.domain.text import join_words, one_line
from bot.policy.grammar import A_DURATION
from bot.policy.reading import Section, parsed, positive_duration, shown
from bot.policy.recurrences import parse_rule

MOST_WINDOWS = 20
"""How many windows a list may have: then a year of any of them is looked through in a fraction of a second."""
HOLIDAY_YEARS = range(2025, 2046)

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_AREAS = "Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Europe|Indian|Pacific|Etc"
_A_ZONE = "the name of a time zone, such as Europe/Berlin or UTC"
_A_DAY = "a day such as mon, or several such as mon-fri"
_A_TIME = "a time such as 09:00"
_A_DATE = "a date such as 2026-12-20, or with a time: 2026-12-20 18:00"
_A_REGION = "a country, or one of its parts, as the package holidays knows it, such as US or DE-BY"
_A_REASON = "one line of at most 200 characters"
_LASTING = f"{A_DURATION}, in whole minutes and at most 31d"
_FIRST_YEAR, _LAST_YEAR = 2000, 2100
_LONGEST = timedelta(days=31)
_LONGEST_REASON = 200
_MINUTE = timedelta(minutes=1)


def read_calendar(section: Section | None) -> Calendar | None:
    """Read it; None where there is none, or its faults leave nothing to go by."""
    if section is None:
        return None
    zone = section.read("timezone", _parse_zone, _A_ZONE)
    allow = _windows(section, "allow", is_freeze=False)
    freeze = _windows(section, "freeze", is_freeze=True)
    if section.get("allow") is None and section.get("freeze") is None:
        section.faults.note(section.value, section.path, "neither allow nor freeze", "at least one of them")
    section.finish()
    return None if zone is None else Calendar(zone=zone, allow=allow, freeze=freeze)


def _parse_zone(text: str) -> ZoneInfo:
    """Take a name of the IANA's; abbreviations, which mean several zones, and the machine's own zone are none."""
    if text != "UTC" and not re.fullmatch(rf"(?:{_AREAS})(?:/[A-Za-z0-9_+-]{{1,30}}){{1,2}}", text):
        raise ValueError(text)
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, OSError):
        raise ValueError(text) from None


# --- windows ---------------------------------------------------------------------------------------------------------


def _windows(section: Section, key: str, *, is_freeze: bool) -> tuple[Window, ...]:
    listed = section.get(key)
    items = list(section.items(key))
    if listed is not None and listed.kind == "list" and not 1 <= len(items) <= MOST_WINDOWS:
        found = f"{len(items)} windows" if items else "an empty list"
        section.faults.note(listed, section.at(key), found, f"1 to {MOST_WINDOWS} windows")
    inner = (Section.of(value, path, section.faults) for path, value in items[:MOST_WINDOWS])
    windows = (_window(one, is_freeze=is_freeze) for one in inner if one is not None)
    return tuple(window for window in windows if window is not None)


def _window(section: Section, *, is_freeze: bool) -> Window | None:
    kinds: dict[str, Callable[[Section, str], Window | None]] = {
        "days": _weekly,
        "holidays": _holidays,
        "rrule": _repeating,
    }
    found = [kind for kind in kinds if section.get(kind) is not None]
    reason = section.read("reason", _parse_reason, _A_REASON, default="") if is_freeze else ""
    if len(found) > 1 or not (found or section.get("from") or section.get("to")):
        what = join_words(found) or "none of them"
        section.faults.note(section.value, section.path, what, "days, holidays, rrule, or from and to alone")
        window = None
    else:
        window = kinds[found[0]](section, reason or "") if found else _dates(section, reason or "")
    section.finish()
    return window


def _parse_reason(text: str) -> str:
    if not text or one_line(text, limit=_LONGEST_REASON) != text:
        raise ValueError(text)
    return text


def _weekly(section: Section, reason: str) -> Window | None:
    listed = section.entries["days"]
    before = len(section.faults.found)
    found = [parsed(value, path, section.faults, _parse_days, _A_DAY) for path, value in section.items("days")]
    if listed.kind == "list" and not found:
        section.faults.note(listed, section.at("days"), "an empty list", "at least one day")
    begins = section.read("from", _parse_time, _A_TIME, default=time())
    ends = section.read("to", _parse_end, f"{_A_TIME}, or 24:00", default=_MIDNIGHT)
    if len(section.faults.found) > before or begins is None or ends is None:
        return None
    if begins == ends[0] and (begins != time() or ends != _MIDNIGHT):
        section.faults.note(section.entries["to"], section.at("to"), "the time in from", "another one")
    days = tuple(sorted({day for days in found if days is not None for day in days}))
    return Weekly(days=days, begins=begins, ends=ends[0], reason=reason)


def _dates(section: Section, reason: str) -> Window | None:
    begins = section.read("from", _parse_begin, _A_DATE)
    ends = section.read("to", _parse_last, _A_DATE)
    if begins is None or ends is None:
        return None
    if ends <= begins:
        section.faults.note(section.entries["to"], section.at("to"), "nothing behind from", "a later time")
    return Dates(begins=begins, ends=ends, reason=reason)


def _holidays(section: Section, reason: str) -> Window | None:
    found = section.read("holidays", _parse_region, _A_REGION)
    if found is None:
        return None
    region, days = found
    return Holidays(region=region, days=days, reason=reason)


def _repeating(section: Section, reason: str) -> Window | None:
    begins = section.read("from", _parse_begin, _A_DATE)
    lasts = section.read("for", _parse_lasting, _LASTING)
    value = section.entries["rrule"]
    # What is no text, or hides characters, is told as everywhere.
    text = parsed(value, section.at("rrule"), section.faults, str, "a rule of RFC 5545")
    if begins is None or lasts is None or text is None:
        return None
    try:
        rule = parse_rule(text, begins.date())
    except ValueError as error:
        section.faults.note(value, section.at("rrule"), shown(value), str(error))
        return None
    return Repeating(rule=rule, begins=begins.time(), lasts=lasts, reason=reason)


# --- their texts -----------------------------------------------------------------------------------------------------


def _parse_days(text: str) -> tuple[int, ...]:
    """Read `mon` or `fri-mon`, which goes on behind Sunday."""
    first, dash, last = text.partition("-")
    if first not in _DAYS or (dash and last not in _DAYS):
        raise ValueError(text)
    begin = _DAYS.index(first)
    length = (_DAYS.index(last) - begin) % 7 + 1 if dash else 1
    return tuple((begin + number) % 7 for number in range(length))


def _parse_time(text: str) -> time:
    found = re.fullmatch(r"([01][0-9]|2[0-3]):([0-5][0-9])", text)
    if found is None:
        raise ValueError(text)
    return time(int(found[1]), int(found[2]))


def _parse_end(text: str) -> tuple[time, bool]:
    """Read the end of a weekly window, and whether it is the end of the day; midnight is the next one's beginning."""
    return _MIDNIGHT if text == "24:00" else (_parse_time(text), False)


_MIDNIGHT = (time(), True)


def _parse_date(text: str) -> date:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) or not _FIRST_YEAR <= int(text[:4]) <= _LAST_YEAR:
        raise ValueError(text)
    return date.fromisoformat(text)


def _parse_begin(text: str) -> datetime:
    day, space, hour = text.partition(" ")
    return datetime.combine(_parse_date(day), _parse_time(hour) if space else time())


def _parse_last(text: str) -> datetime:
    """Read when a window of dates ends: at a time, or with the whole day."""
    return _parse_begin(text) if " " in text else datetime.combine(_parse_date(text) + timedelta(days=1), time())


def _parse_lasting(text: str) -> timedelta:
    lasting = positive_duration(text)
    if lasting > _LONGEST or lasting % _MINUTE:
        raise ValueError(text)
    return lasting


def _parse_region(text: str) -> tuple[str, tuple[date, ...]]:
    """Read a country or a part of it; return it with its public holidays and the days on which they are observed."""
    found = re.fullmatch(r"([A-Z]{2})(?:-([A-Z0-9]{1,3}))?", text)
    if found is None:
        raise ValueError(text)
    from holidays import country_holidays  # noqa: PLC0415 - a quarter of a second, which most policies need not wait

    try:
        days = country_holidays(found[1], subdiv=found[2], years=HOLIDAY_YEARS)
    except NotImplementedError:
        # So the package says that it knows no such place.
        raise ValueError(text) from None
    return text, tuple(sorted(days))
