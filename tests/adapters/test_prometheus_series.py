"""How many series there are, and what labels have: whole answers only, and a refusal is no silence."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.responses import JSONResponse, Response

from bot.adapters.http import Endpoint
from bot.adapters.prometheus_access import Access, Dialect
from bot.adapters.prometheus_series import QueryRefused, SeriesReader
from bot.ports import Permanent, Transient
from tests.adapters.scripted import Scripted, serving

QUERY, VALUES, NAMES = "/api/v1/query", "/api/v1/label/job/values", "/api/v1/labels"


@pytest.fixture
def server() -> Iterator[Scripted]:
    with serving() as scripted:
        yield scripted


@pytest.fixture
def series(server: Scripted) -> Iterator[SeriesReader]:
    access = Access(dialect=Dialect.VICTORIAMETRICS, tenant="shop")
    with SeriesReader(Endpoint(system="Prometheus", url=server.url), access) as reader:
        yield reader


def data(value: object) -> JSONResponse:
    return JSONResponse({"status": "success", "data": value})


def failed(status: int, said: str) -> JSONResponse:
    return JSONResponse({"status": "error", "errorType": "bad_data", "error": said}, status)


@pytest.mark.parametrize(
    ("answer", "values"),
    [
        ({"resultType": "vector", "result": []}, ()),
        ({"resultType": "vector", "result": [{"metric": {}, "value": [1, "2.5"]}, {"value": [1, "NaN"]}]}, (2.5, None)),
        ({"resultType": "scalar", "result": [1, "7"]}, (7.0,)),
        ({"resultType": "vector", "result": [{"histogram": [1, {}]}, {"value": [1]}]}, (0.0, 0.0)),
    ],
    ids=["none", "two", "scalar", "no numbers"],
)
def test_each_series_has_a_value(
    server: Scripted, series: SeriesReader, answer: object, values: tuple[float | None, ...]
) -> None:
    server.plan(QUERY, data(answer))
    found = series.values("up")
    assert [None if math.isnan(value) else value for value in found] == list(values)


def test_a_query_travels_in_the_body_with_who_we_are_and_the_dialects_parameters(
    server: Scripted, series: SeriesReader
) -> None:
    server.plan(QUERY, data({"resultType": "vector", "result": []}))
    series.values("up")
    (asked,) = server.asked
    assert (asked.method, asked.query, asked.headers["x-scope-orgid"]) == ("POST", "", "shop")
    assert asked.body == b"query=up&timeout=9s&deny_partial_response=1&nocache=1"


@pytest.mark.parametrize("status", [400, 422])
def test_a_query_that_the_server_does_not_take_is_refused(server: Scripted, series: SeriesReader, status: int) -> None:
    server.plan(QUERY, failed(status, "many-to-many matching not allowed"))
    with pytest.raises(QueryRefused, match="refuses it: many-to-many matching not allowed"):
        series.values("a * b")


def test_a_matrix_is_no_answer_to_an_instant_query(server: Scripted, series: SeriesReader) -> None:
    server.plan(QUERY, data({"resultType": "matrix", "result": []}))
    with pytest.raises(QueryRefused, match="with a matrix, where a vector is needed"):
        series.values("up[5m]")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Response("nothing here", 400), Permanent),
        (Response("busy", 503), Transient),
        (Response("slow down", 429), Transient),
        (Response("who are you?", 401), Permanent),
        (Response("<html>", 200), Transient),
    ],
    ids=["no API", "failing", "overloaded", "no token", "a page"],
)
def test_what_is_no_answer_of_the_api_is_no_refusal_of_the_query(
    server: Scripted, series: SeriesReader, answer: Response, error: type[Exception]
) -> None:
    server.plan(QUERY, answer)
    with pytest.raises(error) as raised:
        series.values("up")
    assert not isinstance(raised.value, QueryRefused)


def test_values_and_names_of_labels_are_asked_for_the_series_of_a_selector(
    server: Scripted, series: SeriesReader
) -> None:
    server.plan(VALUES, data(["b", "a"]))
    server.plan(NAMES, data(["job", "__name__"]), data(None))
    assert series.label_values("job", 'up{a="b"}') == ("a", "b")
    assert series.label_names("up") == ("__name__", "job")
    assert series.label_names("up") == ()
    assert [one.method for one in server.asked] == ["GET", "GET", "GET"]
    assert "match%5B%5D=up%7Ba%3D%22b%22%7D" in server.asked[0].query


def test_an_authority_that_cannot_be_read_is_told_at_the_first_question(tmp_path: Path) -> None:
    endpoint = Endpoint(system="Prometheus", url="https://127.0.0.1:9", ca_file=tmp_path / "none.pem")
    with SeriesReader(endpoint, Access()) as reader, pytest.raises(Permanent, match="CA file"):
        reader.values("up")
