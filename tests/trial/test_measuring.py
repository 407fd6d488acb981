"""The series of a test as a real Prometheus tells them, in the past and in the future."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.adapters.prometheus_process import find_prometheus
from bot.domain.model import Numbers
from bot.domain.queries import Query
from bot.ports import Look, OutsideError, Permanent, Transient
from bot.trial.cases import Case
from bot.trial.measuring import measured
from tests.trial.a_trial import a_trial, with_expectation

pytestmark = pytest.mark.prometheus
NOW = datetime.now(UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture(name="binary")
def fixture_binary() -> Path:
    found = find_prometheus()
    if found is None:
        pytest.skip("there is no prometheus on the PATH; apt-get install prometheus")
    return found


def a_case(folder: Path, *series: str, at: datetime = datetime(2026, 1, 5, 9, tzinfo=UTC)) -> Case:
    lines = "".join(f"  - {one}\n" for one in series)
    text = with_expectation("{at: 10m, stage: production, tag: a}", more=f"at: {at:%Y-%m-%dT%H:%M:%SZ}\n")
    return a_trial(folder, text.replace("series:\n", f"series:\n{lines}", 1)).cases[0]


def numbers(
    binary: Path, case: Case, query: str, *, first: int = 0, tiles: int = 3, interval: timedelta = MINUTE
) -> Numbers | OutsideError:
    start = case.at + first * MINUTE
    look = Look(query=Query.plain(query), start=start, end=start + tiles * MINUTE, width=MINUTE)
    with measured(binary, case, interval, NOW) as metrics:
        assert metrics.describe().startswith("Prometheus ")
        assert metrics.scrape_interval() == interval
        (found,) = metrics.read([look])
    return found


@pytest.mark.parametrize(
    "at",
    [datetime(2001, 1, 1, tzinfo=UTC), datetime(2026, 1, 5, 9, tzinfo=UTC), datetime(2089, 12, 31, 23, tzinfo=UTC)],
    ids=lambda at: str(at.year),
)
def test_a_series_begins_with_its_test_in_whatever_year_that_is(tmp_path: Path, binary: Path, at: datetime) -> None:
    case = a_case(tmp_path, "{series: m, values: 1+1x9}", at=at)
    assert numbers(binary, case, "m") == (2.0, 3.0, 4.0)


def test_a_test_of_the_future_has_the_days_of_its_own_year(tmp_path: Path, binary: Path) -> None:
    at = datetime(2084, 2, 29, 9, tzinfo=UTC)
    case = a_case(tmp_path, "{series: m, values: 1x9}", at=at)
    assert numbers(binary, case, "max(day_of_week(vector(time())) + 10 * month() + m - 1)", tiles=1) == (22.0,)
    assert numbers(binary, case, "max(day_of_month() + m - 1)", tiles=1) == (29.0,)


def test_a_series_may_begin_before_the_test(tmp_path: Path, binary: Path) -> None:
    case = a_case(tmp_path, "{series: m, values: 1+1x9, before: 5m}")
    assert numbers(binary, case, "m", first=-4, tiles=2) == (3.0, 4.0)


def test_a_series_that_is_stale_ends_at_once_and_one_with_a_gap_goes_on_for_five_minutes(
    tmp_path: Path, binary: Path
) -> None:
    case = a_case(tmp_path, "{series: 'm{a=\"1\"}', values: 7 7 stale}", "{series: 'm{a=\"2\"}', values: 8 8 _x9}")
    assert numbers(binary, case, 'm{a="1"}', tiles=2) == (7.0, None)
    assert numbers(binary, case, 'm{a="2"}', tiles=7) == (8.0,) * 6 + (None,)


def test_long_series_that_begin_at_different_times_are_all_taken(tmp_path: Path, binary: Path) -> None:
    case = a_case(tmp_path, "{series: late, values: 1+1x4000}", "{series: early, values: 1+1x4000, before: 2d}")
    assert numbers(binary, case, "late + early", first=10, tiles=1) == (11.0 + 1 + 2881 + 11,)


def test_one_test_knows_nothing_of_the_series_of_another(tmp_path: Path, binary: Path) -> None:
    case = a_case(tmp_path, "{series: m, values: 1x9}")
    assert numbers(binary, case, "m") == (1.0,) * 3
    assert numbers(binary, a_case(tmp_path), "m") == (None,) * 3


def test_while_the_test_says_so_prometheus_is_down(tmp_path: Path, binary: Path) -> None:
    case = a_case(tmp_path, "{series: m, values: 1x9}")
    with measured(binary, case, MINUTE, NOW) as metrics:
        look = Look(query=Query.plain("m"), start=case.at, end=case.at + MINUTE, width=MINUTE)
        metrics.up = False
        (down,) = metrics.read([look])
        assert isinstance(down, Transient)
        with pytest.raises(Transient, match="the test says that it is down"):
            metrics.bucket_bounds("m", case.at, case.at + MINUTE)
        metrics.up = True
        assert metrics.read([look]) == [(1.0,)]


def test_the_bounds_of_a_histogram_are_found_at_the_time_of_the_test(tmp_path: Path, binary: Path) -> None:
    at = datetime(2060, 1, 5, 9, tzinfo=UTC)
    case = a_case(tmp_path, "{series: 'm_bucket{le=\"0.5\"}', values: 1x9}", at=at)
    with measured(binary, case, MINUTE, NOW) as metrics:
        assert list(metrics.bucket_bounds("m_bucket", at, at + 5 * MINUTE)) == ["0.5"]


def test_a_program_that_is_no_prometheus_is_told_in_one_sentence(tmp_path: Path) -> None:
    program = tmp_path / "prometheus"
    program.write_text("#!/bin/sh\necho broken\nexit 3\n")
    program.chmod(0o755)
    with (
        pytest.raises(Permanent, match=r"did not start: .* ended with status 3: broken"),
        measured(program, a_case(tmp_path), MINUTE, NOW),
    ):
        raise AssertionError("it must not come so far")
