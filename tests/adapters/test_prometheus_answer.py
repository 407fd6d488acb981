from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.adapters.prometheus_answer import (
    Points,
    UnusableAnswer,
    cause_of,
    decimal,
    expected_instants,
    interval_of,
    milliseconds,
    parse_matrix,
    parse_points,
    sorted_bounds,
    split_range,
)
from bot.adapters.prometheus_batch import plan, points_of
from bot.domain.queries import Query
from bot.ports import Look

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NOON_SECONDS = NOON.timestamp()
MINUTE = timedelta(minutes=1)


def a_look(*, tiles: float = 2, width: timedelta = MINUTE, query: str = "q", is_count: bool = True) -> Look:
    asked = Query.plain(query, is_count=is_count)
    return Look(query=asked, start=NOON, end=NOON + tiles * width, width=width)


def a_matrix(*series: Mapping[str, object], **more: object) -> dict[str, object]:
    return {"status": "success", "data": {"resultType": "matrix", "result": list(series)}, **more}


def a_series(*values: Any, **metric: str) -> dict[str, object]:
    return {"metric": metric, "values": list(values)}


def points(answer: Mapping[str, object], look: Look | None = None) -> Points:
    """Read an answer as that to one look."""
    asked = look or a_look()
    (batch,) = plan([asked], most=1)
    return points_of(parse_matrix(answer, asked.query.text), asked, batch)


FIRST, SECOND = expected_instants(a_look())
GOOD_POINT = [NOON_SECONDS + 60, "5"]


def test_one_series_becomes_points_by_instant() -> None:
    answer = a_matrix(a_series(GOOD_POINT, [NOON_SECONDS + 120, "0.5"]))
    assert points(answer) == {FIRST: 5.0, SECOND: 0.5}


def test_advice_on_the_query_does_not_spoil_its_result() -> None:
    advised = a_matrix(a_series(GOOD_POINT), infos=["metric might not be a counter"])
    assert points(advised) == {FIRST: 5.0}


def test_no_series_is_no_points_and_no_error() -> None:
    assert points(a_matrix()) == {}


@pytest.mark.parametrize(
    ("answer", "found", "lasting"),
    [
        (a_matrix(a_series(GOOD_POINT), warnings=["half is missing"]), "with warnings.*half is missing", False),
        (a_matrix(a_series(GOOD_POINT), isPartial=True), "a part of the data only", False),
        ({"status": "success", "data": {"resultType": "vector", "result": []}}, "with a vector", True),
        ({"status": "success", "data": []}, "no query result", False),
        ({"data": {"resultType": "matrix", "result": []}}, "no query result", False),
        ({"status": "success", "data": {"resultType": "matrix", "result": {}}}, "no list of series", False),
        (a_matrix({"metric": {}, "histograms": [[1, {}]]}), "with histograms", True),
        (a_matrix({"metric": {}}), "without values", False),
        (a_matrix(a_series([NOON_SECONDS + 60, "NaN"])), "nan, which is no count", False),
        (a_matrix(a_series([NOON_SECONDS + 60, "+Inf"])), "inf, which is no count", False),
        (a_matrix(a_series([NOON_SECONDS + 60, "-1"])), "never below 0", True),
        (a_matrix(a_series([NOON_SECONDS + 60, "x"])), "no number", False),
        (a_matrix(a_series([NOON_SECONDS + 60, 5])), "no pair of time and value", False),
        (a_matrix(a_series([float("inf"), "5"])), "no number", False),
        (a_matrix(a_series(GOOD_POINT, GOOD_POINT)), "twice for one instant", False),
        (a_matrix(a_series([NOON_SECONDS + 61, "5"])), "was not asked for", False),
    ],
    ids=lambda value: None if isinstance(value, dict) else str(value),
)
def test_a_doubtful_answer_is_not_used(answer: dict[str, object], found: str, lasting: bool) -> None:
    with pytest.raises(UnusableAnswer, match=found) as caught:
        points(answer)
    assert caught.value.lasting is lasting


def test_several_series_are_listed_up_to_five() -> None:
    answer = a_matrix(*(a_series(GOOD_POINT, pod=f"p{n}") for n in range(7)))
    with pytest.raises(UnusableAnswer, match="has 7 series for `q`") as caught:
        points(answer)
    assert caught.value.lasting
    assert '{pod="p4"} and 2 more; sum them' in caught.value.found
    assert "p5" not in caught.value.found


def test_a_long_query_is_cut_in_a_message() -> None:
    with pytest.raises(UnusableAnswer) as caught:
        points(a_matrix(a_series(), a_series()), a_look(query="sum(" + "x" * 5000))
    assert len(caught.value.found) < 400


def test_a_value_that_is_no_count_may_be_negative_but_not_infinite() -> None:
    look = a_look(is_count=False)
    assert points(a_matrix(a_series([NOON_SECONDS + 60, "-1.5"])), look) == {FIRST: -1.5}
    with pytest.raises(UnusableAnswer, match="-inf, which is no finite number") as caught:
        points(a_matrix(a_series([NOON_SECONDS + 60, "-Inf"])), look)
    assert not caught.value.lasting


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (
            r'error when executing query="sum(x{a=\"b\"})" for (time=1, step=60000): duplicate series',
            "duplicate series",
        ),
        ('error when executing query="x": a: b', "a: b"),
        ("found duplicate series: {a}", "found duplicate series: {a}"),
    ],
)
def test_an_error_is_shown_from_its_cause_on(said: str, cause: str) -> None:
    assert cause_of(said) == cause


def test_a_series_is_read_without_its_labels() -> None:
    series = a_series(GOOD_POINT, service="a")
    assert parse_points(series, "q", [FIRST], is_count=True) == {FIRST: 5.0}


# --- what a server says of itself -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "bounds"),
    [
        (["+Inf", "10", "0.5", "2"], ("0.5", "2", "10", "+Inf")),
        (["1.0", "1"], ("1.0",)),
        (["x", "1", None, ["2"]], ("1",)),
        (None, ()),
        ({"1": 2}, ()),
    ],
    ids=["by size", "each once", "numbers only", "nothing", "no list"],
)
def test_bounds_are_sorted_by_size(values: object, bounds: tuple[str, ...]) -> None:
    assert sorted_bounds(values) == bounds


@pytest.mark.parametrize(
    ("configuration", "interval"),
    [
        ("global:\n  scrape_interval: 15s\n  scrape_timeout: 10s\n", timedelta(seconds=15)),
        ("global:\n  scrape_timeout: 10s\n  scrape_interval: 1m30s\nrule_files: []\n", timedelta(seconds=90)),
        ("global:\n  scrape_timeout: 10s\nscrape_configs:\n- job_name: a\n  scrape_interval: 5s\n", None),
        ("global:\n  scrape_interval: soon\n", None),
        ("", None),
        (None, None),
    ],
    ids=["first", "later", "of a job only", "no duration", "empty", "none"],
)
def test_the_scrape_interval_is_the_global_one(configuration: object, interval: timedelta | None) -> None:
    assert interval_of(configuration) == interval


# --- instants --------------------------------------------------------------------------------------------------------


def test_tiles_end_on_the_grid_and_a_rest_is_left_for_the_next_look() -> None:
    assert list(expected_instants(a_look(tiles=2.5))) == [milliseconds(NOON + MINUTE), milliseconds(NOON + 2 * MINUTE)]
    assert list(expected_instants(a_look(tiles=0))) == []


@pytest.mark.parametrize("tiles", [1, 4999, 5000, 5001, 12_345])
def test_a_long_range_is_split_without_losing_or_repeating_an_instant(tiles: int) -> None:
    look = a_look(tiles=tiles)
    asked: list[int] = []
    for first, last, step in split_range(look):
        part = range(first, last + 1, step)
        assert len(part) <= 5000
        asked.extend(part)
    assert asked == list(expected_instants(look))


def test_instants_are_written_as_exact_decimals() -> None:
    assert decimal(milliseconds(NOON + timedelta(milliseconds=7))) == f"{int(NOON_SECONDS)}.007"
    assert decimal(1500) == "1.500"


@pytest.mark.parametrize("width", [timedelta(), timedelta(microseconds=1500), -MINUTE])
def test_a_width_that_prometheus_cannot_step_is_a_bug(width: timedelta) -> None:
    look = Look(query=Query.plain("q"), start=NOON, end=NOON + MINUTE, width=width)
    with pytest.raises(ValueError, match="whole number of milliseconds"):
        expected_instants(look)
