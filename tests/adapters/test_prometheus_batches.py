"""Batches over a socket: what is too much is asked in halves, what is in doubt is nobody's number, what it costs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs

import pytest
from starlette.requests import Request
from starlette.responses import Response

from bot.adapters.http import Endpoint
from bot.adapters.prometheus import PrometheusMetrics
from bot.domain.queries import Query
from bot.ports import Cost, Look, Permanent, Transient
from tests.adapters.scripted import Scripted, an_answer, serving
from tests.adapters.test_prometheus import FAST, MINUTE, NOON, RANGE, a_matrix, an_error

PARTS = ("sum by (service) (requests{", "})")
TOO_MANY = "query processing would load too many samples into memory in query execution"


@pytest.fixture
def server() -> Iterator[Scripted]:
    with serving() as scripted:
        yield scripted


@pytest.fixture
def metrics(server: Scripted) -> Iterator[PrometheusMetrics]:
    with PrometheusMetrics(Endpoint(system="Prometheus", url=server.url), limits=FAST) as opened:
        yield opened


def a_look(service: str, *, tiles: int = 2) -> Look:
    query = Query(parts=PARTS, labels=(("service", service),), is_shared=True)
    return Look(query=query, start=NOON, end=NOON + tiles * MINUTE, width=MINUTE)


def services(count: int) -> list[Look]:
    return [a_look(f"s{n}") for n in range(count)]


def asked_for(request: Request) -> list[str]:
    """Return the services that a query asks for."""
    text = parse_qs(request._body.decode())["query"][0]
    (values,) = re.findall(r'service=~?"(.*?)"', text)
    return str(values).split("|")


def a_number_each(request: Request, **more: object) -> Response:
    """Answer each service `s7` with 7 at both minutes."""
    at = [(NOON + minute * MINUTE).timestamp() for minute in (1, 2)]
    series = [
        {"metric": {"service": name}, "values": [[instant, name[1:]] for instant in at]} for name in asked_for(request)
    ]
    return an_answer({"status": "success", "data": {"resultType": "matrix", "result": series}, **more})


def refusing(*, above: int, error: Callable[[], Response]) -> Callable[[Request], Response]:
    """Answer queries for at most so many services, and the others with an error."""
    return lambda request: a_number_each(request) if len(asked_for(request)) <= above else error()


def test_one_query_answers_all_services(server: Scripted, metrics: PrometheusMetrics) -> None:
    server.plan(RANGE, a_number_each)
    assert metrics.read(services(50)) == [(float(n), float(n)) for n in range(50)]
    assert len(server.asked) == 1


@pytest.mark.parametrize("above", [1, 3, 7])
def test_a_query_that_is_too_much_for_the_server_is_asked_in_halves_until_it_works(
    server: Scripted, metrics: PrometheusMetrics, above: int
) -> None:
    server.plan(RANGE, refusing(above=above, error=lambda: an_error("execution", TOO_MANY, status=422)))
    assert metrics.read(services(20)) == [(float(n), float(n)) for n in range(20)]


def test_one_service_alone_that_is_too_much_is_its_own_error(server: Scripted, metrics: PrometheusMetrics) -> None:
    def answer(request: Request) -> Response:
        is_heavy = "s3" in asked_for(request)
        return an_error("execution", TOO_MANY, status=422) if is_heavy else a_number_each(request)

    server.plan(RANGE, answer)
    found = metrics.read(services(8))
    assert isinstance(found[3], Permanent)
    assert "allows no query as large as" in found[3].sentence
    assert [n for n, answer in enumerate(found) if answer == (float(n), float(n))] == [0, 1, 2, 4, 5, 6, 7]


def test_a_query_that_fails_on_the_series_of_one_service_is_an_error_of_that_service_only(
    server: Scripted, metrics: PrometheusMetrics
) -> None:
    def answer(request: Request) -> Response:
        is_odd = {"s3", "s250"} & set(asked_for(request))
        return an_error("execution", "found duplicate series", status=422) if is_odd else a_number_each(request)

    server.plan(RANGE, answer)
    found = metrics.read(services(300))
    assert [n for n, one in enumerate(found) if isinstance(one, Transient)] == [3, 250]
    assert [n for n, one in enumerate(found) if one == (float(n), float(n))] == sorted({*range(300)} - {3, 250})


def test_a_query_that_fails_on_the_series_of_every_service_is_not_asked_for_each_of_them(
    server: Scripted, metrics: PrometheusMetrics
) -> None:
    server.plan(RANGE, an_error("execution", "unknown function", status=422))
    found = metrics.read(services(1000))
    assert all(isinstance(answer, Transient) for answer in found)
    assert len(server.asked) <= 101


def test_a_server_that_is_slow_is_asked_in_halves_a_few_times_only(
    server: Scripted, metrics: PrometheusMetrics
) -> None:
    server.plan(RANGE, an_error("timeout", "query timed out", status=503))
    found = metrics.read(services(1000))
    assert all(isinstance(answer, Transient) for answer in found)
    assert len(server.asked) <= 7


def test_an_answer_longer_than_is_accepted_is_asked_for_in_halves(server: Scripted) -> None:
    server.plan(RANGE, a_number_each)
    small = replace(FAST, max_bytes=1000)
    with PrometheusMetrics(Endpoint(system="Prometheus", url=server.url), limits=small) as metrics:
        assert metrics.read(services(20)) == [(float(n), float(n)) for n in range(20)]
        assert len(server.asked) > 2


def test_a_warning_for_the_series_of_one_service_does_not_blind_most_others(
    server: Scripted, metrics: PrometheusMetrics
) -> None:
    def answer(request: Request) -> Response:
        is_odd = "s3" in asked_for(request)
        return a_number_each(request, warnings=["mixed histograms"]) if is_odd else a_number_each(request)

    server.plan(RANGE, answer)
    found = metrics.read(services(300))
    assert isinstance(found[3], Transient)
    assert sum(isinstance(one, Transient) for one in found) <= 2


def test_a_server_that_doubts_everything_is_asked_a_few_times_only(
    server: Scripted, metrics: PrometheusMetrics
) -> None:
    server.plan(RANGE, lambda request: a_number_each(request, warnings=["a store is away"]))
    found = metrics.read(services(1000))
    assert all(isinstance(one, Transient) for one in found)
    assert len(server.asked) <= 21


def test_half_a_query_may_be_done_in_time(server: Scripted, metrics: PrometheusMetrics) -> None:
    server.plan(RANGE, refusing(above=10, error=lambda: an_error("timeout", "query timed out", status=503)))
    assert metrics.read(services(20)) == [(float(n), float(n)) for n in range(20)]
    assert len(server.asked) == 3


@pytest.mark.parametrize("doubt", [{"warnings": ["a store is away"]}, {"isPartial": True}], ids=["warnings", "partial"])
def test_what_the_server_doubts_is_nobodys_number(
    server: Scripted, metrics: PrometheusMetrics, doubt: dict[str, object]
) -> None:
    server.plan(RANGE, lambda request: a_number_each(request, **doubt))
    found = metrics.read(services(3))
    assert [type(answer) for answer in found] == [Transient] * 3


def test_a_warning_in_one_batch_does_not_concern_another(server: Scripted, metrics: PrometheusMetrics) -> None:
    def answer(request: Request) -> Response:
        return a_matrix((1, "4")) if b"vector" in request._body else a_number_each(request, warnings=["half"])

    server.plan(RANGE, answer)
    plain = Look(query=Query.plain("vector(4)"), start=NOON, end=NOON + MINUTE, width=MINUTE)
    doubted, other, good = metrics.read([*services(2), plain])
    assert isinstance(doubted, Transient)
    assert isinstance(other, Transient)
    assert good == (4.0,)


def test_services_with_the_same_labels_get_the_same_numbers_of_one_series(
    server: Scripted, metrics: PrometheusMetrics
) -> None:
    server.plan(RANGE, a_number_each)
    assert metrics.read([a_look("s5"), a_look("s6"), a_look("s5", tiles=3)]) == [
        (5.0, 5.0),
        (6.0, 6.0),
        (5.0, 5.0, None),
    ]
    assert metrics.read([a_look("s5"), a_look("s5")]) == [(5.0, 5.0)] * 2
    assert metrics.cost() == Cost(queries=3, series=4, points=8)


def test_the_cost_is_of_all_queries_also_of_those_that_failed(server: Scripted, metrics: PrometheusMetrics) -> None:
    assert metrics.cost() == Cost()
    server.plan(RANGE, a_number_each)
    metrics.read(services(4))
    before = metrics.cost()
    assert before == Cost(queries=1, series=4, points=8)
    server.plan(RANGE, an_error("internal", "disk", status=500))
    metrics.read(services(4))
    assert metrics.cost().since(before) == Cost(queries=1)


def test_a_long_range_of_several_services_is_put_together_from_its_parts(
    server: Scripted, metrics: PrometheusMetrics
) -> None:
    def answer(request: Request) -> Response:
        form = parse_qs(request._body.decode())
        first = float(form["start"][0])
        series = [{"metric": {"service": name}, "values": [[first, name[1:]]]} for name in asked_for(request)]
        return an_answer({"status": "success", "data": {"resultType": "matrix", "result": series}})

    server.plan(RANGE, answer)
    for n, found in enumerate(metrics.read([a_look(f"s{n}", tiles=5001) for n in range(2)])):
        assert isinstance(found, tuple)
        assert {at: value for at, value in enumerate(found) if value is not None} == {0: float(n), 5000: float(n)}


BOUNDS = "/api/v1/label/le/values"


def test_bounds_are_the_values_of_the_label_le_of_one_histogram_in_a_stretch_of_time(
    server: Scripted, metrics: PrometheusMetrics
) -> None:
    server.plan(BOUNDS, an_answer({"status": "success", "data": ["+Inf", "10", "2"]}))
    assert metrics.bucket_bounds('x_bucket{a="b"}', NOON, NOON + MINUTE) == ("2", "10", "+Inf")
    start = int(NOON.timestamp())
    assert parse_qs(server.asked[0].query) == {
        "match[]": ['x_bucket{a="b"}'],
        "start": [f"{start}.000"],
        "end": [f"{start + 60}.000"],
    }


@pytest.mark.parametrize(
    "answer",
    [
        an_error("bad_data", "parse error", status=400),
        Response("<html>", status_code=502),
        Response("no JSON"),
        an_answer({"status": "success"}),
    ],
    ids=["an error", "a gateway", "no JSON", "no data"],
)
def test_bounds_that_cannot_be_read_are_transient(
    server: Scripted, metrics: PrometheusMetrics, answer: Response
) -> None:
    server.plan(BOUNDS, answer)
    with pytest.raises(Transient, match="did not tell the bounds of `x_bucket`"):
        metrics.bucket_bounds("x_bucket", NOON, NOON + MINUTE)


CONFIGURATION = "/api/v1/status/config"


def test_the_scrape_interval_is_asked_once_even_if_the_server_does_not_tell(
    server: Scripted, metrics: PrometheusMetrics
) -> None:
    assert metrics.scrape_interval() is None
    yaml = "global:\n  scrape_interval: 30s\n"
    server.plan(CONFIGURATION, an_answer({"status": "success", "data": {"yaml": yaml}}))
    assert metrics.scrape_interval() is None
    assert len(server.asked) == 1


def test_the_scrape_interval_is_read_from_the_configuration(server: Scripted, metrics: PrometheusMetrics) -> None:
    yaml = "global:\n  scrape_interval: 30s\n"
    server.plan(CONFIGURATION, an_answer({"status": "success", "data": {"yaml": yaml}}))
    assert metrics.scrape_interval() == timedelta(seconds=30)
