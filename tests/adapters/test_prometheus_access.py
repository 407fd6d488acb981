"""How other servers that speak Prometheus' API are asked, who we are to them, and when they are left alone."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from starlette.responses import Response

from bot.adapters.breaker import Breaker
from bot.adapters.http import Endpoint
from bot.adapters.prometheus import PrometheusMetrics
from bot.adapters.prometheus_access import Access, Dialect
from bot.ports import Permanent, Transient
from tests.adapters.backends import read
from tests.adapters.scripted import Scripted, serving
from tests.adapters.test_prometheus import FAST, RANGE, a_look, a_matrix, an_error


@pytest.fixture
def server() -> Iterator[Scripted]:
    with serving() as scripted:
        scripted.plan(RANGE, a_matrix((1, "5")))
        yield scripted


def asked(server: Scripted, access: Access) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Ask once; return the form and the headers that arrived."""
    endpoint = Endpoint(system="Prometheus", url=server.url)
    with PrometheusMetrics(endpoint, access=access, limits=FAST) as metrics:
        read(metrics, a_look())
    first = next(one for one in server.asked if one.path == RANGE)
    return parse_qs(first.body.decode()), {name.lower(): value for name, value in first.headers.items()}


@pytest.mark.parametrize(
    ("dialect", "parameters"),
    [
        (Dialect.PROMETHEUS, {}),
        (Dialect.MIMIR, {}),
        (Dialect.THANOS, {"partial_response": "false", "dedup": "true", "max_source_resolution": "0s"}),
        (Dialect.VICTORIAMETRICS, {"deny_partial_response": "1", "nocache": "1"}),
    ],
)
def test_each_dialect_is_asked_for_whole_and_raw_answers(
    server: Scripted, dialect: Dialect, parameters: dict[str, str]
) -> None:
    form, _ = asked(server, Access(dialect=dialect))
    own = {"query", "start", "end", "step", "timeout"}
    assert {name: value for name, (value,) in form.items() if name not in own} == parameters


def test_a_tenant_a_user_and_headers_say_who_we_are(server: Scripted) -> None:
    access = Access(tenant="team-a", user="bot", password=lambda: "s3cret\n", headers={"X-Gateway-Key": lambda: "k3y"})
    _, headers = asked(server, access)
    assert headers["x-scope-orgid"] == "team-a"
    assert headers["authorization"] == "Basic " + base64.b64encode(b"bot:s3cret").decode()
    assert headers["x-gateway-key"] == "k3y"
    assert "s3cret" not in repr(access)
    assert "k3y" not in repr(access)


def test_a_rotated_password_is_seen_at_the_next_query(server: Scripted) -> None:
    passwords = iter(["one", "two", "three", "four", "five"])
    endpoint = Endpoint(system="Prometheus", url=server.url)
    access = Access(user="bot", password=lambda: next(passwords))
    with PrometheusMetrics(endpoint, access=access, limits=FAST) as metrics:
        read(metrics, a_look())
        read(metrics, a_look())
    sent = [dict(one.headers)["authorization"] for one in server.asked if one.path == RANGE]
    assert len(set(sent)) == len(sent) == 2


@pytest.mark.parametrize("secret", ["", "a\nb", "ü"])
def test_a_secret_that_no_header_can_carry_is_refused_without_saying_it(server: Scripted, secret: str) -> None:
    with pytest.raises(Permanent, match="the header X-Key is empty or holds characters no header has") as refused:
        asked(server, Access(headers={"X-Key": lambda: secret}))
    assert repr(secret)[1:-1] not in str(refused.value) or not secret


def test_a_secret_file_that_is_gone_is_said(server: Scripted, tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="the password could not be read"):
        asked(server, Access(user="bot", password=(tmp_path / "none").read_text))


def test_a_client_certificate_that_cannot_be_used_is_told_at_start(server: Scripted, tmp_path: Path) -> None:
    broken = tmp_path / "client.pem"
    broken.write_text("no certificate")
    with pytest.raises(Permanent, match=r"the client certificate .*client\.pem could not be used"):
        asked(server, Access(certificate=broken))


@pytest.mark.parametrize(
    "said",
    [
        "query processing would load too many samples into memory in query execution",
        "the query time range exceeds the limit (err-mimir-max-query-length)",
        "the query exceeded the maximum number of chunks (limit: 2000000 chunks) (err-mimir-max-chunks-per-query)",
        "exceeded series limit: rpc error: code = ResourceExhausted desc = limit 100 violated (got 101)",
        "the number of matching timeseries exceeds 300000; either narrow down the search or increase -search.max*",
    ],
)
def test_a_query_beyond_the_servers_limits_is_a_matter_for_a_person(server: Scripted, said: str) -> None:
    server.plan(RANGE, an_error("execution", said, status=422))
    with pytest.raises(Permanent, match="allows no query as large as `errors`"):
        asked(server, Access())


@pytest.mark.parametrize(
    "said",
    [
        'found duplicate series {pod="over-the-limit"}: [{__name__="resource_limits"}];many-to-many matching',
        'error when executing query="sum(requests_over_limit)": unknown func "exceed"',
        "expanding series: request_limits_exceeded_total could not be read",
    ],
    ids=["matching", "a query", "a name"],
)
def test_a_limit_in_the_name_of_a_series_is_no_limit_of_the_server(server: Scripted, said: str) -> None:
    server.plan(RANGE, an_error("execution", said, status=422))
    with pytest.raises(Transient, match="failed on the query `errors`"):
        asked(server, Access())


def test_a_partial_answer_is_not_used(server: Scripted) -> None:
    server.plan(RANGE, a_matrix((1, "5"), isPartial=True))
    with pytest.raises(Transient, match="part"):
        asked(server, Access(dialect=Dialect.VICTORIAMETRICS))


def test_a_server_that_is_down_is_left_alone_and_no_service_waits_for_it(server: Scripted) -> None:
    server.plan(RANGE, Response(status_code=502))
    endpoint = Endpoint(system="Prometheus", url=server.url)
    breaker = Breaker(failures=2, pause=timedelta(seconds=60), clock=lambda: 0.0)
    with PrometheusMetrics(endpoint, limits=FAST, breaker=breaker) as metrics:
        for _ in range(2):
            with pytest.raises(Transient, match="HTTP 502"):
                read(metrics, a_look())
        before = len(server.asked)
        with pytest.raises(Transient, match="failed 2 times in a row, so it is asked again in 60 s only") as alone:
            read(metrics, a_look())
    assert len(server.asked) == before
    assert alone.value.retry_after == timedelta(seconds=60)


def test_a_query_that_fails_by_itself_does_not_count_against_the_server(server: Scripted) -> None:
    server.plan(RANGE, an_error("timeout", "slow", status=503))
    endpoint = Endpoint(system="Prometheus", url=server.url)
    with PrometheusMetrics(endpoint, limits=FAST, breaker=Breaker(failures=1)) as metrics:
        for _ in range(3):
            with pytest.raises(Transient, match="timeout"):
                read(metrics, a_look())
