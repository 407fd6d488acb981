from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.prometheus_answer import (
    UnusableAnswer,
    decimal,
    expected_instants,
    join_tiles,
    milliseconds,
    parse_matrix,
    split_range,
)
from bot.domain.model import Tile
from bot.ports import SampleRequest

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NOON_SECONDS = NOON.timestamp()
MINUTE = timedelta(minutes=1)


def a_request(*, tiles: int = 2, counts_good: bool = False, width: timedelta = MINUTE) -> SampleRequest:
    return SampleRequest(
        query="errors", total="requests", counts_good=counts_good, start=NOON, end=NOON + tiles * width, width=width
    )


def a_matrix(*series: Mapping[str, object], **more: object) -> dict[str, object]:
    return {"status": "success", "data": {"resultType": "matrix", "result": list(series)}, **more}


def a_series(*values: Any, **metric: str) -> dict[str, object]:
    return {"metric": metric, "values": list(values)}


ASKED = expected_instants(a_request())
FIRST, SECOND = ASKED
GOOD_POINT = [NOON_SECONDS + 60, "5"]


def test_one_series_becomes_points_by_instant() -> None:
    answer = a_matrix(a_series(GOOD_POINT, [NOON_SECONDS + 120, "0.5"]))
    assert parse_matrix(answer, "q", ASKED) == {FIRST: 5.0, SECOND: 0.5}


def test_advice_on_the_query_does_not_spoil_its_result() -> None:
    advised = a_matrix(a_series(GOOD_POINT), infos=["metric might not be a counter"])
    assert parse_matrix(advised, "q", ASKED) == parse_matrix(a_matrix(a_series(GOOD_POINT)), "q", ASKED)


def test_no_series_is_no_points_and_no_error() -> None:
    assert parse_matrix(a_matrix(), "q", ASKED) == {}


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
        parse_matrix(answer, "q", ASKED)
    assert caught.value.lasting is lasting


def test_several_series_are_listed_up_to_five() -> None:
    answer = a_matrix(*(a_series(GOOD_POINT, pod=f"p{n}") for n in range(7)))
    with pytest.raises(UnusableAnswer, match="has 7 series for `q`") as caught:
        parse_matrix(answer, "q", ASKED)
    assert caught.value.lasting
    assert '{pod="p4"} and 2 more; sum them' in caught.value.found
    assert "p5" not in caught.value.found


def test_a_long_query_is_cut_in_a_message() -> None:
    with pytest.raises(UnusableAnswer) as caught:
        parse_matrix(a_matrix(a_series(), a_series()), "sum(" + "x" * 5000, ASKED)
    assert len(caught.value.found) < 400


# --- joining ---------------------------------------------------------------------------------------------------------


def tile(nth: int, total: float | None, bad: float | None) -> Tile:
    return Tile(start=NOON + nth * MINUTE, width=MINUTE, total=total, bad=bad)


@pytest.mark.parametrize(
    ("counts_good", "counted", "total", "expected"),
    [
        (False, None, None, (None, None)),
        (False, 3.0, None, (None, None)),
        (False, None, 10.0, (10.0, 0.0)),
        (False, None, 0.0, (0.0, 0.0)),
        (False, 3.0, 10.0, (10.0, 3.0)),
        (False, 10.4, 10.0, (10.0, 10.0)),
        (True, None, None, (None, None)),
        (True, 8.0, None, (None, None)),
        (True, None, 0.0, (0.0, 0.0)),
        (True, None, 10.0, (None, None)),
        (True, 8.0, 10.0, (10.0, 2.0)),
        (True, 10.4, 10.0, (10.0, 0.0)),
    ],
)
def test_the_table_of_joining(
    counts_good: bool, counted: float | None, total: float | None, expected: tuple[float | None, float | None]
) -> None:
    # The second tile keeps the good series from being absent everywhere.
    counts = {SECOND: 1.0} | ({} if counted is None else {FIRST: counted})
    totals = {SECOND: 1.0} | ({} if total is None else {FIRST: total})
    tiles = join_tiles(a_request(counts_good=counts_good), counts, totals)
    assert tiles == (tile(0, *expected), tile(1, 1.0, 0.0 if counts_good else 1.0))


def test_good_events_that_are_absent_under_traffic_are_a_wrong_bucket_not_slowness() -> None:
    with pytest.raises(UnusableAnswer, match="is the threshold a bucket bound") as caught:
        join_tiles(a_request(counts_good=True), {}, {FIRST: 0.0, SECOND: 1.0})
    assert caught.value.lasting


def test_good_events_that_are_absent_without_traffic_are_no_error() -> None:
    assert join_tiles(a_request(counts_good=True), {}, {FIRST: 0.0}) == (tile(0, 0.0, 0.0), tile(1, None, None))


counts = st.dictionaries(st.sampled_from(ASKED), st.floats(0, 1e9))


@given(counted=counts, total=counts)
def test_bad_is_never_below_zero_nor_above_total_and_absence_is_never_a_count(
    counted: dict[int, float], total: dict[int, float]
) -> None:
    for seen, at in zip(join_tiles(a_request(), counted, total), ASKED, strict=True):
        assert (seen.total is None) == (seen.bad is None) == (at not in total)
        assert seen.total is None or (seen.bad is not None and 0 <= seen.bad <= seen.total)


# --- instants --------------------------------------------------------------------------------------------------------


def test_tiles_end_on_the_grid_and_a_rest_is_left_for_the_next_look() -> None:
    request = a_request(tiles=2)
    longer = SampleRequest(
        query="q", total="t", counts_good=False, start=NOON, end=request.end + MINUTE / 2, width=MINUTE
    )
    assert list(expected_instants(longer)) == [milliseconds(NOON + MINUTE), milliseconds(NOON + 2 * MINUTE)]
    assert list(expected_instants(a_request(tiles=0))) == []


@pytest.mark.parametrize("tiles", [1, 4999, 5000, 5001, 12_345])
def test_a_long_range_is_split_without_losing_or_repeating_an_instant(tiles: int) -> None:
    request = a_request(tiles=tiles)
    asked: list[int] = []
    for first, last, step in split_range(request):
        part = range(first, last + 1, step)
        assert len(part) <= 5000
        asked.extend(part)
    assert asked == list(expected_instants(request))


def test_instants_are_written_as_exact_decimals() -> None:
    assert decimal(milliseconds(NOON + timedelta(milliseconds=7))) == f"{int(NOON_SECONDS)}.007"
    assert decimal(1500) == "1.500"


@pytest.mark.parametrize("width", [timedelta(), timedelta(microseconds=1500), -MINUTE])
def test_a_width_that_prometheus_cannot_step_is_a_bug(width: timedelta) -> None:
    request = SampleRequest(query="q", total="t", counts_good=False, start=NOON, end=NOON + MINUTE, width=width)
    with pytest.raises(ValueError, match="whole number of milliseconds"):
        expected_instants(request)
