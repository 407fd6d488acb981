from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from bot.adapters.clock import StandingClock
from bot.adapters.http import Endpoint, Limits
from bot.adapters.prometheus import PrometheusMetrics
from bot.domain.queries import Query
from bot.ports import Look, Metrics, Permanent, Transient
from tests.adapters.backends import read, read_one
from tests.adapters.scripted import Scripted, an_answer, serving

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RANGE = "/api/v1/query_range"
BUILD = "/api/v1/status/buildinfo"
FAST = Limits(deadline=timedelta(seconds=5), pause=timedelta(milliseconds=1))


@pytest.fixture
def server() -> Iterator[Scripted]:
    with serving() as scripted:
        yield scripted


@pytest.fixture
def metrics(server: Scripted) -> Iterator[PrometheusMetrics]:
    with PrometheusMetrics(an_endpoint(server.url), limits=FAST) as opened:
        yield opened


def an_endpoint(url: str) -> Endpoint:
    return Endpoint(system="Prometheus", url=url, token=lambda: "t0ken-of-nobody")


def a_look(*, tiles: int = 2, query: str = "errors") -> Look:
    return Look(query=Query.plain(query), start=NOON, end=NOON + tiles * MINUTE, width=MINUTE)


def a_matrix(*values: tuple[int, str], **more: object) -> Response:
    """One series with values at minutes after noon; none where there are no values."""
    points = [[(NOON + minute * MINUTE).timestamp(), value] for minute, value in values]
    series = [{"metric": {}, "values": points}] if points else []
    return an_answer({"status": "success", "data": {"resultType": "matrix", "result": series}, **more})


def a_part() -> Response:
    """A whole matrix under a status that says that it is not whole."""
    answer = a_matrix((1, "1"))
    answer.status_code = 206
    return answer


def an_error(kind: str, said: str, *, status: int) -> Response:
    return an_answer({"status": "error", "errorType": kind, "error": said}, status=status)


def ranges(server: Scripted) -> int:
    """Return how many range queries came in."""
    return sum(asked.path == RANGE for asked in server.asked)


def test_a_look_gives_a_number_for_each_tile_and_none_where_there_is_no_point(
    server: Scripted, metrics: PrometheusMetrics
) -> None:
    server.plan(RANGE, a_matrix((1, "100"), (3, "200.5")))
    port: Metrics = metrics
    assert port.read([a_look(tiles=3)]) == [(100.0, None, 200.5)]


def test_answers_come_in_the_order_of_the_looks(server: Scripted, metrics: PrometheusMetrics) -> None:
    def answer(request: Request) -> Response:
        form = parse_qs(request._body.decode())
        return a_matrix((1, form["query"][0]))

    server.plan(RANGE, answer)
    assert read(metrics, *(a_look(query=str(n), tiles=1) for n in range(20))) == [(float(n),) for n in range(20)]


def test_the_backend_is_named_with_its_version(server: Scripted, metrics: PrometheusMetrics) -> None:
    server.plan(BUILD, an_answer({"status": "success", "data": {"version": "2.42.0"}}))
    assert metrics.describe() == f"Prometheus 2.42.0 at {server.url}"


def test_a_query_travels_in_the_form_body_with_explicit_times(server: Scripted, metrics: PrometheusMetrics) -> None:
    server.plan(RANGE, a_matrix())
    read(metrics, a_look(query='sum(x{a="b&c"})'))
    asked = server.asked[0]
    form = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
    assert (asked.method, asked.query) == ("POST", "")
    assert asked.headers["authorization"] == "Bearer t0ken-of-nobody"
    assert 0 < float(form.pop("timeout")) < 5
    start = int(NOON.timestamp())
    assert form == {
        "query": 'sum(x{a="b&c"})',
        "start": f"{start + 60}.000",
        "end": f"{start + 120}.000",
        "step": "60.000",
    }


def test_nothing_to_ask_asks_nothing(server: Scripted, metrics: PrometheusMetrics) -> None:
    assert metrics.read([]) == []
    assert metrics.read([a_look(tiles=0)]) == [()]
    assert server.asked == []


def test_a_long_range_is_asked_in_parts(server: Scripted, metrics: PrometheusMetrics) -> None:
    server.plan(RANGE, a_matrix())
    assert len(read_one(metrics, a_look(tiles=5001))) == 5001
    assert ranges(server) == 2


@pytest.mark.parametrize(
    ("answer", "error", "sentence"),
    [
        (an_error("bad_data", "parse error", status=400), Permanent, "refuses the query `errors`: parse error"),
        (an_error("timeout", "query timed out", status=503), Transient, "timeout.*query timed out"),
        (an_error("execution", "expanding series", status=422), Transient, "execution.*expanding series"),
        (an_error("internal", "disk", status=500), Transient, "internal.*disk"),
        (an_error("unavailable", "starting", status=503), Transient, "unavailable.*starting"),
        (an_error("timeout", "odd", status=200), Transient, "timeout.*odd"),
        (HTMLResponse("<html>sign in</html>"), Transient, r"no query result \(text/html"),
        (PlainTextResponse('{"status":"success","data":{"resu'), Transient, "no query result"),
        (HTMLResponse("bad gateway", status_code=502), Transient, r"failed \(HTTP 502\)"),
        (Response(status_code=401), Permanent, "refused the token"),
        (Response(status_code=404), Permanent, "check the address"),
        (Response(status_code=405), Permanent, "HTTP 405"),
        (RedirectResponse("/elsewhere"), Permanent, "redirects to"),
        (RedirectResponse("https://other.example/x"), Permanent, r"redirects to https://other\.example/x"),
        (a_matrix((1, "1"), warnings=["a store is away"]), Transient, "a store is away"),
        (a_matrix((1, "NaN")), Transient, "no count"),
        (a_part(), Transient, r"a part of the data only \(HTTP 206\), so the result is not used"),
    ],
)
def test_every_failure_is_classed_and_never_a_count(
    server: Scripted, metrics: PrometheusMetrics, answer: Response, error: type[Exception], sentence: str
) -> None:
    server.plan(RANGE, answer)
    with pytest.raises(error, match=sentence) as caught:
        read(metrics, a_look())
    assert f"Prometheus at {server.url} " in str(caught.value)


def test_an_error_is_a_value_and_only_of_the_look_that_it_concerns(
    server: Scripted, metrics: PrometheusMetrics
) -> None:
    def answer(request: Request) -> Response:
        slow = b"slow" in request._body
        return an_error("timeout", "too slow", status=503) if slow else a_matrix((1, "1"))

    server.plan(RANGE, answer)
    good, bad, other = metrics.read([a_look(), a_look(query="slow"), a_look(query="other")])
    assert good == other == (1.0, None)
    assert isinstance(bad, Transient)
    assert "`slow`" in bad.sentence


def test_a_gateway_s_failure_is_tried_again_but_a_query_that_timed_out_is_not(
    server: Scripted, metrics: PrometheusMetrics
) -> None:
    server.plan(RANGE, Response(status_code=502), a_matrix())
    read(metrics, a_look())
    server.asked.clear()
    server.plan(RANGE, an_error("timeout", "slow", status=503))
    with pytest.raises(Transient):
        read(metrics, a_look())
    assert len(server.asked) == 1


def test_a_quota_says_when_to_come_back(server: Scripted, metrics: PrometheusMetrics) -> None:
    server.plan(RANGE, Response(status_code=429, headers={"Retry-After": "120"}))
    with pytest.raises(Transient) as caught:
        read(metrics, a_look())
    assert caught.value.retry_after == timedelta(minutes=2)


def test_nothing_listening_is_transient_and_short() -> None:
    with PrometheusMetrics(an_endpoint("http://127.0.0.1:1"), limits=FAST) as metrics:
        with pytest.raises(Transient) as caught:
            read(metrics, a_look())
        assert caught.value.sentence == "Prometheus at http://127.0.0.1:1 could not be reached: Connection refused"
        with pytest.raises(Transient, match="Connection refused"):
            metrics.check_connection()
        assert metrics.describe() == "Prometheus at http://127.0.0.1:1"


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "127.0.0.1", "http://h:port"])
def test_an_unusable_address_is_permanent(url: str) -> None:
    with (
        PrometheusMetrics(an_endpoint(url), limits=FAST) as metrics,
        pytest.raises(Permanent, match="not a usable http or https address"),
    ):
        read(metrics, a_look())


class Held(Response):
    """Waits until it may answer, and counts how many wait at once."""

    def __init__(self, gate: threading.Event) -> None:
        super().__init__()
        self._gate = gate
        self.now = 0
        self.most = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.to_thread(self._gate.wait, 5)
        self.now -= 1
        await a_matrix()(scope, receive, send)


def test_a_silent_server_is_given_up_at_the_deadline(server: Scripted) -> None:
    gate = threading.Event()
    server.plan(RANGE, Held(gate))
    hasty = Limits(deadline=timedelta(milliseconds=150))
    with (
        PrometheusMetrics(an_endpoint(server.url), limits=hasty) as metrics,
        pytest.raises(Transient, match="did not answer within"),
    ):
        read(metrics, a_look())
    gate.set()


def test_queries_under_way_at_once_are_bounded(server: Scripted) -> None:
    gate = threading.Event()
    held = Held(gate)
    server.plan(RANGE, held)
    with PrometheusMetrics(an_endpoint(server.url), limits=FAST, at_once=2) as metrics, ThreadPoolExecutor(6) as pool:
        looks = [pool.submit(metrics.read, [a_look(), a_look(query="requests")]) for _ in range(6)]
        gate.set()
        assert [look.result() for look in looks] == [[(None, None)] * 2] * 6
    assert 1 <= held.most <= 2


def test_the_backend_is_described_once_and_a_strange_version_is_left_out(
    server: Scripted, metrics: PrometheusMetrics
) -> None:
    server.plan(BUILD, an_answer({"status": "success", "data": {"version": "<b>2</b>"}}))
    assert metrics.describe() == metrics.describe() == f"Prometheus at {server.url}"
    assert len(server.asked) == 1


def test_the_connection_check_asks_the_address_itself(server: Scripted, metrics: PrometheusMetrics) -> None:
    server.plan("/", Response(status_code=503), PlainTextResponse("Prometheus"))
    with pytest.raises(Transient, match="does not answer as a Prometheus"):
        metrics.check_connection()
    metrics.check_connection()


def test_the_connection_check_does_not_follow_a_redirect_to_another_host(
    server: Scripted, metrics: PrometheusMetrics
) -> None:
    with serving() as elsewhere:
        server.plan("/", RedirectResponse(elsewhere.url + "/login"))
        with pytest.raises(Permanent, match="which is not followed"):
            metrics.check_connection()
        assert elsewhere.asked == []


def test_the_token_is_read_anew_for_every_query(server: Scripted) -> None:
    tokens = iter(f"token-{n}" for n in range(9))
    server.plan(RANGE, a_matrix())
    endpoint = Endpoint(system="Prometheus", url=server.url, token=lambda: next(tokens))
    with PrometheusMetrics(endpoint, limits=FAST) as metrics:
        for _ in range(3):
            read(metrics, a_look())
    seen = [asked.headers["authorization"] for asked in server.asked]
    assert seen == ["Bearer token-0", "Bearer token-1", "Bearer token-2"]


def test_a_server_that_breaks_off_is_transient(server: Scripted, metrics: PrometheusMetrics) -> None:
    def break_off(_: Request) -> Response:
        return Response(b'{"status":"success"', headers={"content-length": "500"})

    server.plan(RANGE, break_off)
    with pytest.raises(Transient, match="Prometheus at"):
        read(metrics, a_look())


# --- whose clock -----------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I5")
@pytest.mark.parametrize(
    ("said", "is_used"),
    [
        ("Sun, 01 Mar 2026 12:00:58 GMT", True),
        ("Sun, 01 Mar 2026 12:00:57 GMT", False),
        ("Sun, 01 Mar 2026 11:01:00 GMT", False),
        ("Sun, 01 Mar 2026 13:01:00 GMT", True),
        ("yesterday", True),
        ("", True),
    ],
)
def test_a_range_that_has_not_passed_at_the_server_is_not_used(said: str, is_used: bool) -> None:
    with serving(StandingClock(NOON)) as server, PrometheusMetrics(an_endpoint(server.url), limits=FAST) as metrics:
        answer = a_matrix()
        answer.headers["date"] = said
        server.plan(RANGE, answer)
        (found,) = metrics.read([a_look(tiles=1)])
        assert ranges(server) == 1
    if is_used:
        assert found == (None,)
    else:
        assert isinstance(found, Transient)
        clock = said.split()[4]
        assert found.sentence == (
            f"Prometheus at {server.url} was asked about 2026-03-01 12:01:00 UTC when its clock said "
            f"2026-03-01 {clock} UTC, so the result is not used; check both clocks"
        )
