"""`calendar` of a policy and of a stage: what is read, and every sentence that a wrong one can get."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import TypeAdapter

from bot.domain.calendar import Calendar, Closed, Dates, Holidays, Repeating, Weekly, Window, judge_calendar
from bot.domain.policy import Policy
from bot.policy import PolicyError, parse_policy, shipped_gate_templates
from bot.policy.calendars import HOLIDAY_YEARS, MOST_WINDOWS
from bot.policy.recurrences import parse_rule
from tests.builders import NOON

TEMPLATES = shipped_gate_templates()
HEAD = """\
apiVersion: liftlock.dev/v1
service: checkout
image: ghcr.io/acme/checkout
gitops: {repository: acme/deploy}
"""
STAGES = """\
stages:
  - name: staging
    edit: {kustomize: staging}
    argocd: staging
    window: {for: 30m}
    gates: [{use: argocd-healthy}]
  - {name: production, from: staging, edit: {kustomize: production}, argocd: production}
"""
A_DATE = "a date such as 2026-12-20, or with a time: 2026-12-20 18:00"
A_REGION = "a country, or one of its parts, as the package holidays knows it, such as US or DE-BY"
A_ZONE = "the name of a time zone, such as Europe/Berlin or UTC"
LASTING = "a duration such as 30s, 5m or 1h30m, in whole minutes and at most 31d"


def parse(text: str) -> Policy:
    return parse_policy(text, file="a.yaml", templates=TEMPLATES)


def policy_text(calendar: str) -> str:
    return f"{HEAD}calendar: {calendar}\n{STAGES}"


def calendar_of(text: str) -> Calendar:
    found = parse(policy_text(text)).calendar
    assert found is not None
    return found


def freeze(window: str) -> Window:
    (found,) = calendar_of(f"{{timezone: UTC, freeze: [{window}]}}").freeze
    return found


def allow(window: str) -> Window:
    (found,) = calendar_of(f"{{timezone: UTC, allow: [{window}]}}").allow
    return found


def faults_of(text: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        parse(text)
    return [f"{one.path}: found {one.found}, expected {one.expected}" for one in caught.value.faults]


# --- what is read ----------------------------------------------------------------------------------------------------


def test_a_policy_without_a_calendar_has_none() -> None:
    policy = parse(HEAD + STAGES)
    assert policy.calendar is None
    assert [policy.calendars_of(stage) for stage in policy.stages] == [(), ()]


def test_a_stage_may_have_one_beside_that_of_the_policy() -> None:
    text = policy_text("{timezone: Europe/Berlin, allow: [{days: [mon-fri]}]}")
    own = "calendar: {timezone: America/New_York, freeze: [{days: [sat]}]}"
    policy = parse(text.replace("argocd: production}", f"argocd: production, {own}}}"))
    staging, production = policy.stages
    assert staging.calendar is None
    assert policy.calendars_of(production) == (policy.calendar, production.calendar)
    assert [one.zone for one in policy.calendars_of(production)] == [
        ZoneInfo("Europe/Berlin"),
        ZoneInfo("America/New_York"),
    ]


@pytest.mark.parametrize(
    ("window", "days", "begins", "ends"),
    [
        ("{days: [mon]}", (0,), time(), time()),
        ("{days: [mon-fri], from: 09:00, to: 16:30}", (0, 1, 2, 3, 4), time(9), time(16, 30)),
        ('{days: [sat, sun-tue, sun], from: "22:00", to: "06:00"}', (0, 1, 5, 6), time(22), time(6)),
        ("{days: [mon-sun], from: 00:00, to: 24:00}", (0, 1, 2, 3, 4, 5, 6), time(), time()),
        ("{days: [fri-fri], from: 12:00}", (4,), time(12), time()),
        ("{days: [sun], to: 12:00}", (6,), time(), time(12)),
    ],
)
def test_a_weekly_window_is_read(window: str, days: tuple[int, ...], begins: time, ends: time) -> None:
    assert freeze(window) == allow(window) == Weekly(days=days, begins=begins, ends=ends)


def test_dates_are_whole_days_or_times() -> None:
    whole = freeze("{from: 2026-12-20, to: 2027-01-03, reason: end-of-year freeze}")
    assert whole == Dates(begins=datetime(2026, 12, 20), ends=datetime(2027, 1, 4), reason="end-of-year freeze")  # noqa: DTZ001  (local times)
    timed = freeze("{from: 2026-12-20 18:00, to: 2026-12-21 06:30}")
    assert timed == Dates(begins=datetime(2026, 12, 20, 18), ends=datetime(2026, 12, 21, 6, 30))  # noqa: DTZ001  (as above)


def test_holidays_are_those_of_a_country_or_of_a_part_of_it_with_the_days_on_which_they_are_observed() -> None:
    bavaria, states = freeze("{holidays: DE-BY, reason: nobody is here}"), freeze("{holidays: US}")
    assert isinstance(bavaria, Holidays)
    assert isinstance(states, Holidays)
    assert (bavaria.region, bavaria.reason) == ("DE-BY", "nobody is here")
    assert date(2026, 1, 6) in bavaria.days
    assert date(2026, 1, 6) not in states.days
    assert {date(2026, 7, 3), date(2026, 7, 4)} <= set(states.days)
    assert list(states.days) == sorted(states.days)
    assert {day.year for day in states.days} == set(HOLIDAY_YEARS)


def test_a_rule_begins_with_its_first_day_at_the_time_beside_it() -> None:
    rule = "FREQ=MONTHLY;BYDAY=-1FR"
    assert freeze(f'{{rrule: "{rule}", from: 2026-01-30 18:00, for: 12h}}') == Repeating(
        rule=parse_rule(rule, date(2026, 1, 30)), begins=time(18), lasts=timedelta(hours=12)
    )
    daily = freeze("{rrule: FREQ=DAILY, from: 2026-01-30, for: 31d}")
    assert isinstance(daily, Repeating)
    assert (daily.begins, daily.lasts) == (time(), timedelta(days=31))


def test_a_rollback_waits_for_the_calendar_only_where_the_policy_says_so() -> None:
    rollback = "rollback: {watch: 1h, triggers: [{use: argocd-degraded}]%s}"
    for said, expected in (("", True), (", during_freeze: true", True), (", during_freeze: false", False)):
        text = (HEAD + STAGES).replace("argocd: production}", f"argocd: production, {rollback % said}}}")
        found = parse(text).stages[1].rollback
        assert found is not None
        assert found.during_freeze is expected


@pytest.mark.invariant("I8")
def test_a_policy_with_a_calendar_comes_back_from_a_ledger_as_it_was() -> None:
    text = """{timezone: Europe/Berlin, allow: [{days: [mon-fri], from: 09:00, to: 16:30}], freeze: [
      {from: 2026-12-20, to: 2027-01-03}, {holidays: DE-BY}, {rrule: FREQ=WEEKLY, from: 2026-01-30, for: 12h}]}"""
    policy, adapter = parse(policy_text(text)), TypeAdapter(Policy)
    written = adapter.dump_python(policy, mode="json")
    assert written["calendar"]["zone"] == "Europe/Berlin"
    assert adapter.validate_python(written) == policy


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("calendar", "fault"),
    [
        ("{freeze: [{days: [mon]}]}", f"calendar.timezone: found nothing, expected {A_ZONE}"),
        ("{timezone: CET, freeze: [{days: [mon]}]}", f'calendar.timezone: found "CET", expected {A_ZONE}'),
        ("{timezone: localtime, freeze: [{days: [mon]}]}", f'calendar.timezone: found "localtime", expected {A_ZONE}'),
        (
            "{timezone: Europe/Bielefeld, freeze: [{days: [mon]}]}",
            f'calendar.timezone: found "Europe/Bielefeld", expected {A_ZONE}',
        ),
        (
            "{timezone: America/Argentina, freeze: [{days: [mon]}]}",
            f'calendar.timezone: found "America/Argentina", expected {A_ZONE}',
        ),
        (
            "{timezone: Europe/../../passwd, freeze: [{days: [mon]}]}",
            f'calendar.timezone: found "Europe/../../passwd", expected {A_ZONE}',
        ),
        ("{timezone: UTC}", "calendar: found neither allow nor freeze, expected at least one of them"),
        ("{timezone: UTC, allow: []}", "calendar.allow: found an empty list, expected 1 to 20 windows"),
        ("{timezone: UTC, freeze: always}", 'calendar.freeze: found "always", expected a list'),
        ("{timezone: UTC, freeze: [always]}", 'calendar.freeze[0]: found "always", expected a mapping'),
        (
            "{timezone: UTC, freeze: [{days: [mon]}], ics: a.ics}",
            "calendar.ics: found an unknown key, expected one of allow, freeze, timezone",
        ),
    ],
)
def test_a_wrong_calendar_gets_a_sentence(calendar: str, fault: str) -> None:
    assert faults_of(policy_text(calendar)) == [fault]


def test_a_list_has_no_more_windows_than_can_be_looked_through_quickly() -> None:
    windows = ", ".join(["{days: [mon]}"] * (MOST_WINDOWS + 1))
    fault = f"calendar.freeze: found {MOST_WINDOWS + 1} windows, expected 1 to {MOST_WINDOWS} windows"
    assert faults_of(policy_text(f"{{timezone: UTC, freeze: [{windows}]}}")) == [fault]


FREQUENCIES = "FREQ as DAILY, WEEKLY, MONTHLY or YEARLY: a window begins once a day at the most"
ONE_KIND = "days, holidays, rrule, or from and to alone"


@pytest.mark.parametrize(
    ("window", "fault"),
    [
        ("{reason: none}", f": found none of them, expected {ONE_KIND}"),
        ("{days: [mon], holidays: US}", f": found days and holidays, expected {ONE_KIND}"),
        ("{days: mon}", '.days: found "mon", expected a list'),
        ("{days: []}", ".days: found an empty list, expected at least one day"),
        ("{days: [monday]}", '.days[0]: found "monday", expected a day such as mon, or several such as mon-fri'),
        ("{days: [mon-]}", '.days[0]: found "mon-", expected a day such as mon, or several such as mon-fri'),
        ("{days: [mon], from: 9am}", '.from: found "9am", expected a time such as 09:00'),
        ("{days: [mon], from: 24:00}", '.from: found "24:00", expected a time such as 09:00'),
        ("{days: [mon], to: 24:01}", '.to: found "24:01", expected a time such as 09:00, or 24:00'),
        ("{days: [mon], from: 09:00, to: 09:00}", ".to: found the time in from, expected another one"),
        ("{days: [mon], from: 00:00, to: 00:00}", ".to: found the time in from, expected another one"),
        ("{from: 2026-12-20}", f".to: found nothing, expected {A_DATE}"),
        ("{to: 2026-12-20}", f".from: found nothing, expected {A_DATE}"),
        ("{from: 20.12.2026, to: 2027-01-03}", f'.from: found "20.12.2026", expected {A_DATE}'),
        ("{from: 2026-02-30, to: 2027-01-03}", f'.from: found "2026-02-30", expected {A_DATE}'),
        ("{from: 1999-12-31, to: 2027-01-03}", f'.from: found "1999-12-31", expected {A_DATE}'),
        ("{from: 2026-12-20, to: 2101-01-01}", f'.to: found "2101-01-01", expected {A_DATE}'),
        ("{from: 2026-12-20, to: 2027-01-03 24:00}", f'.to: found "2027-01-03 24:00", expected {A_DATE}'),
        ("{from: 2026-12-20, to: 2026-12-19}", ".to: found nothing behind from, expected a later time"),
        ("{from: 2026-12-20 09:00, to: 2026-12-20 09:00}", ".to: found nothing behind from, expected a later time"),
        ("{holidays: Bavaria}", f'.holidays: found "Bavaria", expected {A_REGION}'),
        ("{holidays: XX}", f'.holidays: found "XX", expected {A_REGION}'),
        ("{holidays: DE-XX}", f'.holidays: found "DE-XX", expected {A_REGION}'),
        (
            "{holidays: US, from: 2026-01-01}",
            ".from: found an unknown key, expected one of days, holidays, reason, rrule",
        ),
        ("{rrule: FREQ=DAILY, for: 1h}", f".from: found nothing, expected {A_DATE}"),
        (
            "{rrule: FREQ=DAILY, from: 2026-01-01}",
            f".for: found nothing, expected {LASTING}",
        ),
        *(
            (
                f"{{rrule: FREQ=DAILY, from: 2026-01-01, for: {said}}}",
                f'.for: found "{said}", expected {LASTING}',
            )
            for said in ("0s", "32d", "90s")
        ),
        (
            "{rrule: FREQ=SECONDLY, from: 2026-01-01, for: 1h}",
            f'.rrule: found "FREQ=SECONDLY", expected {FREQUENCIES}',
        ),
        (
            "{rrule: [FREQ=DAILY], from: 2026-01-01, for: 1h}",
            ".rrule: found a list, expected a rule of RFC 5545",
        ),
        ('{days: [mon], reason: ""}', '.reason: found "", expected one line of at most 200 characters'),
        (
            '{days: [mon], reason: "a\\nb"}',
            '.reason: found "a b", expected one line of at most 200 characters',
        ),
    ],
)
def test_a_wrong_window_gets_a_sentence(window: str, fault: str) -> None:
    assert faults_of(policy_text(f"{{timezone: UTC, freeze: [{window}]}}")) == [f"calendar.freeze[0]{fault}"]


def test_only_a_freeze_has_a_reason() -> None:
    (fault,) = faults_of(policy_text("{timezone: UTC, allow: [{days: [mon], reason: open}]}"))
    assert fault.startswith("calendar.allow[0].reason: found an unknown key, expected one of days, from, holidays, ")


def test_nothing_moves_into_a_first_stage_so_it_has_no_calendar() -> None:
    own = "    calendar: {timezone: UTC, freeze: [{days: [mon]}]}\n"
    text = (HEAD + STAGES).replace("    argocd: staging\n", f"    argocd: staging\n{own}")
    fault = "stages[0].calendar: found it in a first stage, expected it only in a stage with from"
    assert faults_of(text) == [fault]


def test_no_gate_has_the_name_by_which_the_calendar_is_overridden() -> None:
    text = (HEAD + STAGES).replace("{use: argocd-healthy}", "{use: argocd-healthy, name: calendar}")
    expected = "another name, since a command overrides the policy's calendar by it"
    assert faults_of(text) == [f'stages[0].gates: found a gate "calendar", expected {expected}']


def test_a_rollback_says_true_or_false() -> None:
    rollback = "rollback: {watch: 1h, triggers: [{use: argocd-degraded}], during_freeze: never}"
    text = (HEAD + STAGES).replace("argocd: production}", f"argocd: production, {rollback}}}")
    assert faults_of(text) == ['stages[1].rollback.during_freeze: found "never", expected true or false']


def test_the_calendar_of_the_page_can_be_put_into_a_policy() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "policy.md").read_text(encoding="utf-8")
    (example,) = (text for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if text.startswith("calendar:"))
    found = parse(HEAD + example + STAGES).calendar
    assert found is not None
    assert [one.kind for one in (*found.allow, *found.freeze)] == ["weekly", "weekly", "dates", "holidays", "repeating"]


def test_a_policy_as_it_is_written_is_judged() -> None:
    calendar = calendar_of("{timezone: Europe/Berlin, allow: [{days: [mon-thu], from: 09:00, to: 12:30}]}")
    # NOON is a Monday's, and an hour later in Berlin.
    judged = judge_calendar([calendar], NOON)
    assert isinstance(judged, Closed)
    assert judged.reason.startswith("frozen until 2026-03-03 09:00 Europe/Berlin: ")
