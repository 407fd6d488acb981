"""Several Prometheus servers by ids: each look is asked of its own, and no server's trouble is another's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs

import pytest
from starlette.requests import Request
from starlette.responses import Response

from bot.adapters.breaker import Breaker
from bot.adapters.http import Endpoint
from bot.adapters.prometheus import PrometheusMetrics
from bot.adapters.prometheus_sources import PrometheusSources
from bot.domain.model import Numbers
from bot.domain.queries import DEFAULT_SOURCE
from bot.ports import Look, Metrics, OutsideError, Permanent, Transient
from tests.adapters.scripted import Scripted, an_answer, serving
from tests.adapters.test_prometheus import BUILD, FAST, MINUTE, NOON, RANGE, a_matrix
from tests.adapters.test_prometheus_batches import a_look as a_shared_look
from tests.adapters.test_prometheus_batches import a_number_each

NAMES = (DEFAULT_SOURCE, "eu", "us")


@pytest.fixture
def servers() -> Iterator[dict[str, Scripted]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(serving()) for name in NAMES}


@pytest.fixture
def sources(servers: dict[str, Scripted]) -> Iterator[PrometheusSources]:
    made = {
        name: PrometheusMetrics(
            Endpoint(system="Prometheus" if name == DEFAULT_SOURCE else f"Prometheus {name}", url=server.url),
            limits=FAST,
            breaker=Breaker(failures=2),
        )
        for name, server in servers.items()
    }
    with PrometheusSources(made) as opened:
        yield opened


def at(source: str, look: Look | None = None) -> Look:
    look = look or a_shared_look("s7")
    return replace(look, query=replace(look.query, source=source))


def read(metrics: Metrics, *looks: Look) -> list[Numbers | OutsideError]:
    return list(metrics.read(looks))


def test_each_look_is_answered_by_its_own_source(servers: dict[str, Scripted], sources: PrometheusSources) -> None:
    for number, server in enumerate(servers.values()):
        server.plan(RANGE, a_matrix((1, str(number)), (2, "5")))
    found = read(sources, at("us"), at(DEFAULT_SOURCE), at("eu"), at("us"))
    assert found == [(2.0, 5.0), (0.0, 5.0), (1.0, 5.0), (2.0, 5.0)]
    assert [len(server.asked) for server in servers.values()] == [1, 1, 1]
    assert sources.cost().queries == 3
    assert (sources.cost().series, sources.cost().points) == (3, 6)


def test_queries_are_put_together_within_one_source_only(
    servers: dict[str, Scripted], sources: PrometheusSources
) -> None:
    for server in servers.values():
        server.plan(RANGE, a_number_each)
    looks = [at(NAMES[number % 2], a_shared_look(f"s{number}")) for number in range(8)]
    assert read(sources, *looks) == [(float(number), float(number)) for number in range(8)]
    texts = {name: parse_qs(server.asked[0].body.decode())["query"] for name, server in servers.items() if server.asked}
    assert texts == {
        DEFAULT_SOURCE: ['sum by (service) (requests{service=~"s0|s2|s4|s6"})'],
        "eu": ['sum by (service) (requests{service=~"s1|s3|s5|s7"})'],
    }


def test_a_source_that_is_down_is_the_trouble_of_those_who_ask_it(
    servers: dict[str, Scripted], sources: PrometheusSources
) -> None:
    servers["eu"].plan(RANGE, Response("no backend", status_code=503))
    servers["us"].plan(RANGE, a_number_each)
    for _ in range(3):
        down, up = read(sources, at("eu"), at("us"))
        assert isinstance(down, Transient)
        sentence = down.sentence
        assert down.system == "Prometheus eu"
        assert up == (7.0, 7.0)
    assert "failed 2 times in a row" in sentence  # The breaker of one stops nobody else.


def test_an_id_that_the_settings_do_not_name_is_told_with_those_that_they_do(
    servers: dict[str, Scripted], sources: PrometheusSources
) -> None:
    servers["us"].plan(RANGE, a_number_each)
    unknown, known = read(sources, at("asia"), at("us"))
    assert isinstance(unknown, Permanent)
    assert str(unknown) == "Prometheus asia: the settings name no Prometheus 'asia'; they name: eu, prometheus, us"
    assert known == (7.0, 7.0)
    with pytest.raises(Permanent, match="no Prometheus 'asia'"):
        sources.bucket_bounds("x", NOON, NOON + MINUTE, "asia")
    assert (sources.describe("asia"), sources.scrape_interval("asia")) == ("Prometheus asia", None)


def test_the_evidence_names_the_source_that_answered(servers: dict[str, Scripted], sources: PrometheusSources) -> None:
    servers["eu"].plan(BUILD, an_answer({"status": "success", "data": {"version": "2.53.0"}}))
    assert sources.describe("eu") == f"Prometheus eu 2.53.0 at {servers['eu'].url}"
    assert sources.describe() == f"Prometheus at {servers[DEFAULT_SOURCE].url}"


def test_bounds_and_intervals_are_asked_of_the_source_that_is_meant(
    servers: dict[str, Scripted], sources: PrometheusSources
) -> None:
    servers["us"].plan("/api/v1/label/le/values", an_answer({"status": "success", "data": ["1", "0.5"]}))
    config = {"status": "success", "data": {"yaml": "global:\n  scrape_interval: 30s\n"}}
    servers["us"].plan("/api/v1/status/config", an_answer(config))
    assert sources.bucket_bounds("x", NOON, NOON + MINUTE, "us") == ("0.5", "1")
    assert sources.scrape_interval("us") == timedelta(seconds=30)
    assert not servers["eu"].asked


def test_sources_are_asked_at_the_same_time(servers: dict[str, Scripted], sources: PrometheusSources) -> None:
    together = threading.Barrier(2, timeout=20)

    def answer(request: Request) -> Response:
        together.wait()
        return a_number_each(request)

    servers["eu"].plan(RANGE, answer)
    servers["us"].plan(RANGE, answer)
    assert read(sources, at("eu"), at("us")) == [(7.0, 7.0)] * 2


def test_nothing_asked_is_nothing_read(sources: PrometheusSources) -> None:
    assert read(sources) == []
