"""Recurrence rules: read and judged as python-dateutil does it, and every sentence that a wrong one can get."""

from __future__ import annotations

import time as clock
from datetime import date, datetime, time, timedelta
from itertools import islice

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.recurrence import Frequency, NthWeekday, Recurrence, days_of
from bot.policy.recurrences import parse_rule

FRIDAY = date(2026, 1, 30)
DAY = timedelta(days=1)
NAMES = "FREQ, INTERVAL, UNTIL, BYMONTH, BYMONTHDAY, BYDAY, BYSETPOS, WKST"


# --- what is read ----------------------------------------------------------------------------------------------------


def test_what_a_rule_does_not_say_is_taken_from_its_first_day() -> None:
    assert parse_rule("FREQ=DAILY", FRIDAY) == Recurrence(since=FRIDAY, frequency=Frequency.DAILY)
    assert parse_rule("freq=weekly;interval=2", FRIDAY).weekdays == (NthWeekday(day=4),)
    assert parse_rule("FREQ=MONTHLY", FRIDAY).month_days == (30,)
    yearly = parse_rule("FREQ=YEARLY", FRIDAY)
    assert (yearly.months, yearly.month_days) == ((1,), (30,))
    assert parse_rule("FREQ=YEARLY;BYMONTH=6", FRIDAY).months == (6,)


def test_every_part_is_read() -> None:
    text = "FREQ=MONTHLY;INTERVAL=3;UNTIL=20271231;BYMONTH=1,4;BYMONTHDAY=1,-1;BYDAY=MO,+2TU,-1FR;BYSETPOS=1,-2;WKST=SU"
    assert parse_rule(text, FRIDAY) == Recurrence(
        since=FRIDAY,
        frequency=Frequency.MONTHLY,
        interval=3,
        until=date(2027, 12, 31),
        months=(1, 4),
        month_days=(1, -1),
        weekdays=(NthWeekday(day=0), NthWeekday(day=1, nth=2), NthWeekday(day=4, nth=-1)),
        positions=(1, -2),
        week_begins=6,
    )


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        ("FREQ=MONTHLY;BYDAY=-1FR", ["2026-01-30", "2026-02-27", "2026-03-27"]),
        ("FREQ=WEEKLY;INTERVAL=2", ["2026-01-30", "2026-02-13", "2026-02-27"]),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", ["2026-01-30", "2026-02-27", "2026-03-31"]),
        ("FREQ=YEARLY;BYMONTH=3,6;BYDAY=2TU", ["2026-03-10", "2026-06-09", "2027-03-09"]),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", ["2028-02-29", "2032-02-29", "2036-02-29"]),
        ("FREQ=MONTHLY;BYMONTHDAY=31", ["2026-01-31", "2026-03-31", "2026-05-31"]),
        ("FREQ=DAILY;INTERVAL=10;UNTIL=20260209", ["2026-01-30", "2026-02-09"]),
    ],
)
def test_the_days_of_a_rule(rule: str, days: list[str]) -> None:
    found = days_of(parse_rule(rule, FRIDAY), date(2020, 1, 1), date(2040, 1, 1))
    assert [str(day) for day in islice(found, 3)] == days


def test_of_days_with_and_without_a_number_either_fits() -> None:
    found = days_of(parse_rule("FREQ=MONTHLY;BYDAY=FR,1MO", FRIDAY), date(2026, 2, 1), date(2026, 2, 28))
    assert [day.day for day in found] == [2, 6, 13, 20, 27]


def test_nothing_lies_between_two_days_in_the_wrong_order() -> None:
    assert list(days_of(parse_rule("FREQ=DAILY", FRIDAY), date(2026, 3, 2), date(2026, 3, 1))) == []
    assert list(days_of(parse_rule("FREQ=DAILY", FRIDAY), date(2025, 3, 1), date(2025, 3, 2))) == []


WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def signed(most: int) -> st.SearchStrategy[int]:
    return st.integers(1, most).flatmap(lambda number: st.sampled_from([number, -number]))


@st.composite
def rules(draw: st.DrawFn) -> str:
    frequency = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    parts = [f"FREQ={frequency}", f"INTERVAL={draw(st.integers(1, 5))}"]
    numbers = {"BYMONTH": st.integers(1, 12)} | ({} if frequency == "WEEKLY" else {"BYMONTHDAY": signed(31)})
    for name, number in numbers.items():
        if draw(st.booleans()):
            parts.append(f"{name}={','.join(map(str, draw(st.lists(number, min_size=1, max_size=4))))}")
    if draw(st.booleans()):
        # All with a number or none: of a mixture dateutil takes only what fits both, and RFC 5545 what fits either.
        places: st.SearchStrategy[str] = st.just("")
        if frequency in {"MONTHLY", "YEARLY"} and draw(st.booleans()):
            # Where it counts within a month, dateutil ends in an IndexError for a day that no month has.
            is_of_months = frequency == "MONTHLY" or any(part.startswith("BYMONTH=") for part in parts)
            places = signed(5 if is_of_months else 53).map(str)
        days = st.builds("{}{}".format, places, st.sampled_from(WEEKDAYS))
        parts.append(f"BYDAY={','.join(draw(st.lists(days, min_size=1, max_size=3)))}")
    if len(parts) > 2 and draw(st.booleans()):
        parts.append(f"BYSETPOS={','.join(map(str, draw(st.lists(signed(6), min_size=1, max_size=2))))}")
    if draw(st.booleans()):
        parts.append(f"WKST={draw(st.sampled_from(WEEKDAYS))}")
    if draw(st.booleans()):
        parts.append(f"UNTIL={draw(st.dates(date(2027, 1, 1), date(2030, 1, 1))):%Y%m%d}")
    return ";".join(parts)


@settings(max_examples=200, deadline=None)
@given(rules(), st.dates(date(2024, 1, 1), date(2026, 12, 31)), st.integers(0, 1500))
def test_a_rule_has_the_days_that_dateutil_says(text: str, since: date, after: int) -> None:
    try:
        rule = parse_rule(text, since)
    except ValueError:
        # Not within twelve years: dateutil would look for it until the year 9999.
        return
    first, last = since + after * DAY, since + (after + 800) * DAY
    theirs = rrulestr(text, dtstart=datetime.combine(since, time()))
    expected = theirs.between(datetime.combine(first, time()), datetime.combine(last, time()), inc=True)
    assert list(days_of(rule, first, last)) == [one.date() for one in expected]


# --- what is refused -------------------------------------------------------------------------------------------------

A_RULE = f"a rule of RFC 5545, such as FREQ=MONTHLY;BYDAY=-1FR, of {NAMES}"
FREQUENCIES = "FREQ as DAILY, WEEKLY, MONTHLY or YEARLY: a window begins once a day at the most"
THE_TIME = "no BYHOUR, BYMINUTE or BYSECOND: the time of day stands in from"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", A_RULE),
        ("every last Friday", A_RULE),
        ("FREQ=", A_RULE),
        ("FREQ=DAILY;", A_RULE),
        ("RRULE:FREQ=DAILY", A_RULE),
        ("FREQ=YEARLY;BYWEEKNO=51", A_RULE),
        ("FREQ=YEARLY;BYYEARDAY=1", A_RULE),
        ("FREQ=DAILY;FREQ=DAILY", "FREQ once"),
        ("INTERVAL=2", FREQUENCIES),
        ("FREQ=SECONDLY", FREQUENCIES),
        ("FREQ=HOURLY;INTERVAL=24", FREQUENCIES),
        ("FREQ=DAILY;COUNT=3", "UNTIL in place of COUNT"),
        ("DTSTART=20260101;FREQ=DAILY", "no DTSTART: the first day stands in from"),
        ("FREQ=DAILY;BYHOUR=9", THE_TIME),
        ("FREQ=DAILY;BYMINUTE=0,30", THE_TIME),
        ("FREQ=DAILY;BYSECOND=0", THE_TIME),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL as a number from 1 to 999"),
        ("FREQ=DAILY;INTERVAL=1000", "INTERVAL as a number from 1 to 999"),
        ("FREQ=DAILY;INTERVAL=two", "INTERVAL as a number from 1 to 999"),
        ("FREQ=DAILY;UNTIL=20270101T000000Z", "UNTIL as a day, such as 20271231"),
        ("FREQ=DAILY;UNTIL=20270230", "UNTIL as a day, such as 20271231"),
        ("FREQ=DAILY;BYMONTH=13", "BYMONTH as numbers from 1 to 12"),
        ("FREQ=DAILY;BYMONTH=-1", "BYMONTH as numbers from 1 to 12"),
        ("FREQ=DAILY;BYMONTH=1,,2", "BYMONTH as numbers from 1 to 12"),
        ("FREQ=MONTHLY;BYMONTHDAY=32", "BYMONTHDAY as numbers from 1 to 31 or from -1 to -31"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY as numbers from 1 to 31 or from -1 to -31"),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=367", "BYSETPOS as numbers from 1 to 366 or from -1 to -366"),
        ("FREQ=WEEKLY;BYDAY=MON", "BYDAY as days such as MO,FR, or with their number, such as 2TU or -1FR"),
        ("FREQ=YEARLY;BYDAY=54MO", "BYDAY as days such as MO,FR, or with their number, such as 2TU or -1FR"),
        ("FREQ=WEEKLY;WKST=MON", "WKST as one of MO, TU, WE, TH, FR, SA, SU"),
        ("FREQ=WEEKLY;BYDAY=2MO", "numbers in BYDAY only with FREQ=MONTHLY or YEARLY"),
        ("FREQ=DAILY;BYDAY=-1MO", "numbers in BYDAY only with FREQ=MONTHLY or YEARLY"),
        ("FREQ=WEEKLY;BYMONTHDAY=1", "no BYMONTHDAY with FREQ=WEEKLY"),
        ("FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS only beside BYMONTH, BYMONTHDAY or BYDAY"),
        ("FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30", "a rule that comes true within 12 years of from"),
        ("FREQ=YEARLY;INTERVAL=20;BYMONTH=1;BYMONTHDAY=1", "a rule that comes true within 12 years of from"),
        ("FREQ=DAILY;UNTIL=20260129", "a rule that comes true within 12 years of from"),
    ],
)
def test_a_wrong_rule_gets_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  (the sentence is what is compared)
        parse_rule(text, FRIDAY)
    assert str(caught.value) == sentence


def test_a_rule_that_never_comes_true_is_refused_in_no_time() -> None:
    began = clock.process_time()
    with pytest.raises(ValueError, match="comes true"):
        parse_rule("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", FRIDAY)
    assert clock.process_time() - began < 1
