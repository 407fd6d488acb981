"""When releases may move: windows of each kind, changes of clocks, and when it opens again.

Clocks in 2026: Europe/Berlin is set forward on 29 March at 02:00 and back on 25 October at 03:00, America/New_York on
8 March at 02:00 and on 1 November at 02:00.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.calendar import (
    HORIZON,
    Calendar,
    Closed,
    Dates,
    Holidays,
    Open,
    Repeating,
    Weekly,
    Window,
    judge_calendar,
)
from bot.domain.recurrence import Frequency, NthWeekday, Recurrence
from bot.domain.wall_clock import first_shown, last_shown

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
WEEKDAYS, EVERY_DAY = (0, 1, 2, 3, 4), (0, 1, 2, 3, 4, 5, 6)
OUTSIDE = "outside of the times in which the policy lets releases move"


def at(text: str, zone: ZoneInfo = BERLIN) -> datetime:
    """The instant at which clocks in a zone show a time, for the first time."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def weekly(days: tuple[int, ...], begins: str, ends: str, reason: str = "") -> Weekly:
    return Weekly(days=days, begins=time.fromisoformat(begins), ends=time.fromisoformat(ends), reason=reason)


def dates(begins: str, ends: str, reason: str = "") -> Dates:
    return Dates(begins=datetime.fromisoformat(begins), ends=datetime.fromisoformat(ends), reason=reason)


def frozen(*windows: Window, zone: ZoneInfo = BERLIN) -> Calendar:
    return Calendar(zone=zone, freeze=windows)


def allowed(*windows: Window, zone: ZoneInfo = BERLIN) -> Calendar:
    return Calendar(zone=zone, allow=windows)


def closed(calendar: Calendar, now: datetime) -> Closed:
    judged = judge_calendar([calendar], now)
    assert isinstance(judged, Closed)
    return judged


def is_open(calendar: Calendar, now: datetime) -> bool:
    return isinstance(judge_calendar([calendar], now), Open)


HOURS = allowed(weekly(WEEKDAYS, "09:00", "16:30"))
NIGHTS = frozen(weekly((4,), "22:00", "06:00", "backups"))
YEAR_END = frozen(dates("2026-12-20 00:00", "2027-01-04 00:00", "end-of-year freeze"))
LAST_FRIDAY = frozen(
    Repeating(
        rule=Recurrence(
            since=date(2026, 1, 30), frequency=Frequency.MONTHLY, weekdays=(NthWeekday(day=4, nth=-1),)
        ),
        begins=time(18),
        lasts=timedelta(hours=12),
    )
)  # fmt: skip
LABOUR_DAY = frozen(Holidays(region="DE-BY", days=(date(2026, 4, 6), date(2026, 5, 1))))


# --- each kind of window ---------------------------------------------------------------------------------------------


def test_without_a_calendar_releases_move_at_any_time() -> None:
    assert judge_calendar([], at("2026-12-24 18:00")) == Open()


@pytest.mark.parametrize(
    ("calendar", "now", "opens"),
    [
        pytest.param(HOURS, "2026-03-02 08:59", "2026-03-02 09:00", id="before the hours"),
        pytest.param(HOURS, "2026-03-02 09:00", None, id="as they begin"),
        pytest.param(HOURS, "2026-03-02 16:29", None, id="the last minute"),
        pytest.param(HOURS, "2026-03-02 16:30", "2026-03-03 09:00", id="as they end"),
        pytest.param(HOURS, "2026-03-06 16:30", "2026-03-09 09:00", id="the weekend"),
        pytest.param(NIGHTS, "2026-03-06 21:59", None, id="before midnight"),
        pytest.param(NIGHTS, "2026-03-06 22:00", "2026-03-07 06:00", id="the evening"),
        pytest.param(NIGHTS, "2026-03-07 05:59", "2026-03-07 06:00", id="behind midnight"),
        pytest.param(NIGHTS, "2026-03-07 06:00", None, id="the morning"),
        pytest.param(NIGHTS, "2026-03-07 23:00", None, id="another night"),
        pytest.param(YEAR_END, "2026-12-19 23:59", None, id="before the year's end"),
        pytest.param(YEAR_END, "2026-12-20 00:00", "2027-01-04 00:00", id="the first day"),
        pytest.param(YEAR_END, "2027-01-03 23:59", "2027-01-04 00:00", id="the next year"),
        pytest.param(YEAR_END, "2027-01-04 00:00", None, id="behind the last day"),
        pytest.param(LABOUR_DAY, "2026-04-30 23:59", None, id="before a holiday"),
        pytest.param(LABOUR_DAY, "2026-05-01 00:00", "2026-05-02 00:00", id="a holiday"),
        pytest.param(LABOUR_DAY, "2026-05-02 00:00", None, id="behind a holiday"),
        pytest.param(LAST_FRIDAY, "2026-03-20 20:00", None, id="another Friday"),
        pytest.param(LAST_FRIDAY, "2026-02-27 18:00", "2026-02-28 06:00", id="the last Friday"),
        pytest.param(LAST_FRIDAY, "2026-02-28 05:59", "2026-02-28 06:00", id="the night behind it"),
        pytest.param(LAST_FRIDAY, "2025-12-26 20:00", None, id="before the rule begins"),
    ],
)
def test_a_window_holds_from_its_first_instant_to_just_before_its_last(
    calendar: Calendar, now: str, opens: str | None
) -> None:
    judged = judge_calendar([calendar], at(now))
    assert isinstance(judged, Open) is (opens is None)
    if isinstance(judged, Closed):
        assert judged.until == at(opens or "")


def test_a_whole_day_is_frozen_from_midnight_to_midnight_and_several_without_a_gap() -> None:
    weekend = frozen(weekly((5, 6), "00:00", "00:00"))
    assert is_open(weekend, at("2026-03-06 23:59"))
    assert closed(weekend, at("2026-03-07 00:00")).until == at("2026-03-09 00:00")
    assert closed(weekend, at("2026-03-08 23:59")).until == at("2026-03-09 00:00")


def test_a_rule_of_days_on_end_is_frozen_to_the_last_of_them() -> None:
    rule = Recurrence(since=date(2026, 3, 2), frequency=Frequency.DAILY, until=date(2026, 3, 4))
    long = frozen(Repeating(rule=rule, begins=time(12), lasts=timedelta(hours=30)))
    for now in ("2026-03-02 12:00", "2026-03-05 17:59"):
        assert closed(long, at(now)).until == at("2026-03-05 18:00")


def test_what_has_lasted_for_weeks_still_holds() -> None:
    rule = Recurrence(since=date(2026, 3, 2), frequency=Frequency.YEARLY, months=(3,), month_days=(2,))
    month = frozen(Repeating(rule=rule, begins=time(23, 30), lasts=timedelta(days=31)))
    assert closed(month, at("2026-04-03 00:29")).until == at("2026-04-03 00:30")


# --- what people are told --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("calendar", "now", "reason"),
    [
        (YEAR_END, "2026-12-24 18:00", "frozen until 2027-01-04 00:00 Europe/Berlin: end-of-year freeze"),
        (LABOUR_DAY, "2026-05-01 12:00", "frozen until 2026-05-02 00:00 Europe/Berlin: a public holiday of DE-BY"),
        (LAST_FRIDAY, "2026-02-27 18:00", "frozen until 2026-02-28 06:00 Europe/Berlin: a freeze of the policy"),
        (HOURS, "2026-03-02 18:00", f"frozen until 2026-03-03 09:00 Europe/Berlin: {OUTSIDE}"),
    ],
)
def test_the_reason_says_until_when_in_the_zone_of_the_calendar_and_why(
    calendar: Calendar, now: str, reason: str
) -> None:
    assert closed(calendar, at(now)).reason == reason


def test_a_freeze_is_told_before_the_hours_and_until_both_let_releases_move() -> None:
    both = Calendar(zone=BERLIN, allow=HOURS.allow, freeze=YEAR_END.freeze)
    assert closed(both, at("2026-12-24 20:00")).reason == (
        "frozen until 2027-01-04 09:00 Europe/Berlin: end-of-year freeze"
    )
    assert closed(both, at("2026-12-19 20:00")).until == at("2027-01-04 09:00")


def test_all_calendars_must_agree_and_the_first_that_does_not_speaks_in_its_own_zone() -> None:
    there = allowed(weekly(EVERY_DAY, "09:00", "17:00"), zone=NEW_YORK)
    noon = at("2026-03-02 12:00")
    judged = judge_calendar([HOURS, there], noon)
    assert judged == Closed(
        until=at("2026-03-02 15:00"), reason=f"frozen until 2026-03-02 09:00 America/New_York: {OUTSIDE}"
    )
    assert judge_calendar([HOURS, there], at("2026-03-02 15:30")) == Open()
    evening = judge_calendar([HOURS, there], at("2026-03-02 16:30"))
    assert evening == Closed(
        until=at("2026-03-03 15:00"), reason=f"frozen until 2026-03-03 15:00 Europe/Berlin: {OUTSIDE}"
    )


# --- how far it looks ------------------------------------------------------------------------------------------------


def test_it_looks_400_days_ahead_and_no_further() -> None:
    now = at("2026-03-02 12:00", ZoneInfo("UTC"))
    last = (now + HORIZON).replace(tzinfo=None).isoformat(sep=" ")
    utc = ZoneInfo("UTC")
    assert closed(frozen(dates("2026-03-01 00:00", last), zone=utc), now).until == now + HORIZON
    beyond = closed(frozen(dates("2026-03-01 00:00", "2027-04-06 12:01"), zone=utc), now)
    assert beyond == Closed(until=None, reason="frozen for more than 400 days: a freeze of the policy")
    later = allowed(dates("2027-04-06 12:00", "2027-04-07 12:00"), zone=utc)
    assert closed(later, now).until == now + HORIZON
    never = allowed(dates("2020-01-01 00:00", "2020-01-02 00:00"), zone=utc)
    assert closed(never, now).until is None


def test_what_opens_only_between_two_that_never_agree_does_not_open() -> None:
    mornings, evenings = allowed(weekly(EVERY_DAY, "08:00", "12:00")), allowed(weekly(EVERY_DAY, "16:00", "20:00"))
    assert judge_calendar([mornings, evenings], at("2026-03-02 09:00")) == Closed(
        until=None, reason=f"frozen for more than 400 days: {OUTSIDE}"
    )


# --- changes of clocks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "wall", "first", "last"),
    [
        pytest.param(BERLIN, "2026-03-29 01:59", "2026-03-29 00:59", "2026-03-29 00:59", id="before it is set forward"),
        pytest.param(BERLIN, "2026-03-29 02:00", "2026-03-29 01:00", "2026-03-29 01:00", id="the change"),
        pytest.param(BERLIN, "2026-03-29 02:30", "2026-03-29 01:00", "2026-03-29 01:00", id="left out"),
        pytest.param(BERLIN, "2026-03-29 03:00", "2026-03-29 01:00", "2026-03-29 01:00", id="behind it"),
        pytest.param(BERLIN, "2026-10-25 01:59", "2026-10-24 23:59", "2026-10-24 23:59", id="before it is set back"),
        pytest.param(BERLIN, "2026-10-25 02:00", "2026-10-25 00:00", "2026-10-25 01:00", id="twice"),
        pytest.param(BERLIN, "2026-10-25 03:00", "2026-10-25 02:00", "2026-10-25 02:00", id="once again"),
        pytest.param(NEW_YORK, "2026-03-08 02:15", "2026-03-08 07:00", "2026-03-08 07:00", id="New York, left out"),
        pytest.param(NEW_YORK, "2026-11-01 01:30", "2026-11-01 05:30", "2026-11-01 06:30", id="New York, twice"),
        pytest.param(
            ZoneInfo("Pacific/Apia"), "2011-12-30 12:00", "2011-12-30 10:00", "2011-12-30 10:00", id="no such day"
        ),
    ],
)
def test_a_time_that_is_left_out_is_the_change_and_one_that_comes_twice_is_two_instants(
    zone: ZoneInfo, wall: str, first: str, last: str
) -> None:
    shown = datetime.fromisoformat(wall)
    assert first_shown(shown, zone) == at(first, ZoneInfo("UTC"))
    assert last_shown(shown, zone) == at(last, ZoneInfo("UTC"))


# | 25 October 2026 in Berlin, 02:15 to 02:45 | from (UTC)  | to (UTC)    |
# |-------------------------------------------|-------------|-------------|
# | clocks show that                          | 00:15 01:15 | 00:45 01:45 |
# | freeze                                    | 00:15       | 01:45       |
# | allow                                     | 01:15       | 00:45: none |
def test_in_an_hour_that_comes_twice_the_doubt_is_for_standing_still() -> None:
    window = weekly((6,), "02:15", "02:45")
    begins, ends = datetime(2026, 10, 25, 0, 15, tzinfo=UTC), datetime(2026, 10, 25, 1, 45, tzinfo=UTC)
    assert is_open(frozen(window), begins - MINUTE)
    assert closed(frozen(window), begins).until == ends
    assert closed(frozen(window), ends - MINUTE).until == ends
    assert is_open(frozen(window), ends)
    assert closed(allowed(window), begins).until == at("2026-11-01 02:15")


@pytest.mark.parametrize(
    ("zone", "before", "hours"),
    [
        (BERLIN, "2026-03-28 22:00", 7),
        (BERLIN, "2026-10-24 22:00", 9),
        (NEW_YORK, "2026-03-07 22:00", 7),
        (NEW_YORK, "2026-10-31 22:00", 9),
    ],
)
def test_a_night_in_which_clocks_change_is_as_long_as_it_is(zone: ZoneInfo, before: str, hours: int) -> None:
    night = frozen(weekly((5,), "22:00", "06:00"), zone=zone)
    begins = at(before, zone)
    assert closed(night, begins).until == begins + timedelta(hours=hours)


def test_what_lasts_for_hours_lasts_as_long_on_every_night() -> None:
    rule = Recurrence(since=date(2026, 3, 1), frequency=Frequency.DAILY)
    nights = frozen(Repeating(rule=rule, begins=time(22), lasts=timedelta(hours=8)))
    assert closed(nights, at("2026-03-28 22:00")).until == at("2026-03-29 07:00")
    assert closed(nights, at("2026-10-24 22:00")).until == at("2026-10-25 05:00")


def test_a_day_without_its_midnight_begins_as_clocks_are_set_forward() -> None:
    beirut = ZoneInfo("Asia/Beirut")
    holiday = frozen(Holidays(region="LB", days=(date(2026, 3, 29),)), zone=beirut)
    begins = at("2026-03-28 23:59", beirut) + MINUTE
    assert begins.astimezone(beirut).hour == 1
    assert is_open(holiday, begins - MINUTE)
    assert closed(holiday, begins).until == at("2026-03-30 00:00", beirut)


# --- a plain reference, minute by minute -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Clocks:
    """What clocks of a zone show, minute by minute, for 16 days around a change."""

    zone: ZoneInfo
    start: datetime
    shown: list[datetime]
    when: dict[datetime, list[int]]

    def minute(self, wall: datetime, *, last: bool) -> int:
        """The first or last minute at which they show a time; where they never do, the first that shows a later one."""
        found = self.when.get(wall)
        if found:
            return found[-1] if last else found[0]
        return next((number for number, one in enumerate(self.shown) if one > wall), len(self.shown))


@cache
def clocks(zone: str, start: date) -> Clocks:
    begins = datetime.combine(start, time(), UTC)
    shown = [(begins + n * MINUTE).astimezone(ZoneInfo(zone)).replace(tzinfo=None) for n in range(16 * 24 * 60)]
    when: dict[datetime, list[int]] = {}
    for number, wall in enumerate(shown):
        when.setdefault(wall, []).append(number)
    return Clocks(zone=ZoneInfo(zone), start=begins, shown=shown, when=when)


AROUND = [
    ("Europe/Berlin", date(2026, 3, 22)),
    ("Europe/Berlin", date(2026, 10, 18)),
    ("America/New_York", date(2026, 3, 1)),
    ("America/New_York", date(2026, 10, 25)),
    ("Australia/Lord_Howe", date(2026, 3, 29)),
    ("Asia/Kolkata", date(2026, 12, 24)),
]


def minutes_of(window: Window, watch: Clocks, *, is_freeze: bool) -> set[int]:
    """The minutes of a window, by the sentence in the documentation."""
    found: set[int] = set()
    first = watch.start.date() - 2 * DAY
    for day in (first + n * DAY for n in range(20)):
        match window:
            case Weekly():
                fits, begins, ends = day.weekday() in window.days, window.begins, window.ends
                walls = datetime.combine(day, begins), datetime.combine(day + (ends <= begins) * DAY, ends)
            case Holidays():
                fits, walls = day in window.days, (datetime.combine(day, time()), datetime.combine(day + DAY, time()))
            case Dates():
                fits, walls = day == first, (window.begins, window.ends)
            case Repeating():
                fits = (day - window.rule.since).days % window.rule.interval == 0
                walls = (datetime.combine(day, window.begins),) * 2
        if fits and walls[0] >= watch.shown[0]:
            lasts = window.lasts // MINUTE if isinstance(window, Repeating) else 0
            begin, end = watch.minute(walls[0], last=not is_freeze), watch.minute(walls[1], last=is_freeze)
            found.update(range(begin, end + lasts))
    return found


def open_minutes(calendars: list[Calendar], watch: Clocks) -> list[bool]:
    found = [True] * len(watch.shown)
    for calendar in calendars:
        frozen = set().union(*(minutes_of(one, watch, is_freeze=True) for one in calendar.freeze))
        allowed = set().union(*(minutes_of(one, watch, is_freeze=False) for one in calendar.allow))
        for number in range(len(found)):
            found[number] &= number not in frozen and (not calendar.allow or number in allowed)
    return found


QUARTERS = st.integers(0, 95).map(lambda n: time(n // 4, n % 4 * 15))
"""Quarters of an hour, as often as not near a change of clocks."""
TIMES = st.one_of(QUARTERS, st.sampled_from([time(h, m) for h in (1, 2, 3) for m in (0, 15, 30, 45)]))


@st.composite
def windows(draw: st.DrawFn, start: date) -> Window:
    """A window that begins on the third of the sixteen days at the earliest, so that the reference sees all of it."""
    day = start + draw(st.integers(2, 12)) * DAY
    match draw(st.sampled_from(["weekly", "dates", "holidays", "repeating"])):
        case "weekly":
            days = draw(st.sets(st.integers(0, 6), min_size=1))
            return Weekly(days=tuple(sorted(days)), begins=draw(TIMES), ends=draw(TIMES))
        case "dates":
            begins = datetime.combine(day, draw(TIMES))
            return Dates(begins=begins, ends=begins + draw(st.integers(1, 300)) * 15 * MINUTE)
        case "holidays":
            return Holidays(region="US", days=(day,))
        case _:
            rule = Recurrence(since=start - 3 * DAY, frequency=Frequency.DAILY, interval=draw(st.integers(1, 5)))
            return Repeating(rule=rule, begins=draw(TIMES), lasts=draw(st.integers(1, 96)) * 15 * MINUTE)


@st.composite
def situations(draw: st.DrawFn) -> tuple[list[Calendar], Clocks, int]:
    zone, start = draw(st.sampled_from(AROUND))
    some = st.lists(windows(start), max_size=3).map(tuple)
    calendars = [
        Calendar(zone=ZoneInfo(zone), allow=draw(some), freeze=draw(some)) for _ in range(draw(st.integers(1, 2)))
    ]
    # From the fourth day on, when what had begun before the first one is over.
    return calendars, clocks(zone, start), draw(st.integers(3 * 24 * 60, 14 * 24 * 60))


@settings(max_examples=150, deadline=None)
@given(situations())
def test_it_agrees_with_a_plain_reference_that_looks_at_every_minute(
    situation: tuple[list[Calendar], Clocks, int],
) -> None:
    calendars, watch, number = situation
    expected = open_minutes(calendars, watch)
    now = watch.start + number * MINUTE
    judged = judge_calendar(calendars, now)
    assert isinstance(judged, Open) is expected[number]
    if isinstance(judged, Closed):
        # At the end of the sixteen days the reference does not see what begins behind them.
        opens = next((n for n in range(number, 14 * 24 * 60) if expected[n]), None)
        if opens is not None:
            assert judged.until == watch.start + opens * MINUTE
        elif judged.until is not None:
            assert judged.until >= watch.start + 14 * DAY


@settings(max_examples=60, deadline=None)
@given(situations())
def test_until_is_the_first_instant_at_which_it_opens(situation: tuple[list[Calendar], Clocks, int]) -> None:
    calendars, watch, number = situation
    judged = judge_calendar(calendars, watch.start + number * MINUTE)
    if isinstance(judged, Closed) and judged.until is not None:
        assert judge_calendar(calendars, judged.until) == Open()
        before = judge_calendar(calendars, judged.until - MINUTE)
        assert isinstance(before, Closed)
        assert before.until == judged.until
