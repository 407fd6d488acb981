from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from bot.lab.answerer import PrometheusAnswerer
from bot.lab.clock import ManualClock
from bot.lab.cluster import Cluster, failing
from bot.lab.serving import Served

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
IMAGE = "ghcr.io/acme/checkout"
ERRORS = 'sum by (namespace) (increase(http_requests_total{namespace="staging",code=~"5.."}[10s]))'
TOTAL = 'sum by (namespace) (increase(http_requests_total{namespace="staging"}[10s]))'


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    clock: ManualClock
    cluster: Cluster
    answerer: PrometheusAnswerer
    http: httpx.Client

    def ask(self, query: str, at: datetime | None = None) -> Any:
        parameters = {"query": query} if at is None else {"query": query, "time": str(at.timestamp())}
        return self.http.get("/api/v1/query", params=parameters).json()

    def ask_range(self, query: str, start: str, end: str, step: str) -> httpx.Response:
        form = {"query": query, "start": start, "end": end, "step": step}
        return self.http.post("/api/v1/query_range", data=form)


@pytest.fixture(name="world")
def fixture_world() -> Iterator[World]:
    clock = ManualClock(T0)
    cluster = Cluster(clock)
    cluster.behave(IMAGE, "1", failing(0.1))
    cluster.deploy("staging", IMAGE, "1", T0 - timedelta(seconds=1))
    clock.advance(timedelta(seconds=60))
    answerer = PrometheusAnswerer(cluster)
    with Served(answerer.app) as served, httpx.Client(base_url=served.url, timeout=5) as http:
        yield World(clock=clock, cluster=cluster, answerer=answerer, http=http)


def test_an_instant_query_counts_over_its_window(world: World) -> None:
    answer = world.ask(ERRORS, T0 + timedelta(seconds=30))
    assert answer == {
        "status": "success",
        "data": {
            "resultType": "vector",
            "result": [{"metric": {"namespace": "staging"}, "value": [(T0 + timedelta(seconds=30)).timestamp(), "20"]}],
        },
    }


def test_an_instant_query_without_time_is_of_now(world: World) -> None:
    assert world.ask(TOTAL)["data"]["result"][0]["value"] == [(T0 + timedelta(seconds=60)).timestamp(), "200"]


def test_a_range_query_gives_one_point_a_step(world: World) -> None:
    end = T0 + timedelta(seconds=60)
    answer = world.ask_range(TOTAL, (end - timedelta(seconds=20)).isoformat(), str(end.timestamp()), "10s").json()
    values = answer["data"]["result"][0]["values"]
    assert values == [[end.timestamp() + offset, "200"] for offset in (-20, -10, 0)]


def test_get_and_post_give_the_same_answer(world: World) -> None:
    asked = {"query": TOTAL, "start": str(T0.timestamp()), "end": str(T0.timestamp() + 60), "step": "20"}
    got = world.http.get("/api/v1/query_range", params=asked)
    assert got.json()["data"]["result"]
    assert got.json() == world.http.post("/api/v1/query_range", data=asked).json()


def test_windows_without_a_series_have_no_point(world: World) -> None:
    start = (T0 - timedelta(seconds=20)).timestamp()
    answer = world.ask_range(TOTAL, str(start), str(start + 40), "10").json()
    assert [point[1] for point in answer["data"]["result"][0]["values"]] == ["200", "200"]


def test_unknown_series_give_an_empty_result_not_a_zero(world: World) -> None:
    assert world.ask(TOTAL.replace("staging", "elsewhere"))["data"]["result"] == []
    assert world.ask("sum(increase(no_such_metric[10s]))")["data"]["result"] == []


def test_nothing_is_told_of_the_future(world: World) -> None:
    end = T0 + timedelta(seconds=60)
    assert world.ask(TOTAL, end + timedelta(seconds=5))["data"]["result"][0]["value"][1] == "100"
    assert world.ask(TOTAL, end + timedelta(seconds=10))["data"]["result"] == []


def test_a_query_without_by_sums_everything(world: World) -> None:
    result = world.ask("sum(increase(http_requests_total[10s]))")["data"]["result"]
    assert [(series["metric"], series["value"][1]) for series in result] == [({}, "200")]


def test_by_several_labels_gives_a_series_each(world: World) -> None:
    result = world.ask("sum by (version, code) (increase(http_requests_total[10s]))")["data"]["result"]
    assert [(series["metric"], series["value"][1]) for series in result] == [
        ({"code": "200", "version": "1"}, "180"),
        ({"code": "500", "version": "1"}, "20"),
    ]


def test_any_other_query_is_refused_in_prometheus_json(world: World) -> None:
    answer = world.http.get("/api/v1/query", params={"query": "rate(http_requests_total[10s])"})
    told = answer.json()
    assert answer.status_code == 400
    assert (told["status"], told["errorType"]) == ("error", "bad_data")
    assert "it answers only sum by" in told["error"]


@pytest.mark.parametrize(
    ("start", "end", "step", "sentence"),
    [
        ("soon", "60", "10", 'invalid parameter "start": cannot parse "soon" to a valid timestamp'),
        ("2026-03-01T12:00:00", "60", "10", 'invalid parameter "start"'),
        ("nan", "60", "10", 'invalid parameter "start"'),
        ("0", "1e99", "10", 'invalid parameter "end"'),
        ("60", "0", "10", "end timestamp must not be before start time"),
        ("0", "60", "0", "zero or negative query resolution step"),
        ("0", "60", "-5", "zero or negative query resolution step"),
        ("0", "60", "often", 'invalid parameter "step": cannot parse "often" to a valid duration'),
        ("0", "11001", "1", "exceeded maximum resolution of 11,000 points"),
    ],
)
def test_bad_parameters_are_refused(world: World, start: str, end: str, step: str, sentence: str) -> None:
    answer = world.ask_range(TOTAL, start, end, step)
    assert answer.status_code == 400
    assert sentence in answer.json()["error"]


def test_eleven_thousand_points_are_still_answered(world: World) -> None:
    start = T0.timestamp()
    answer = world.ask_range(TOTAL, str(start - 10_990), str(start + 10), "1")
    assert answer.status_code == 200
    assert len(answer.json()["data"]["result"][0]["values"]) == 10


def test_an_injected_failure_is_used_up(world: World) -> None:
    world.answerer.fail_next(503)
    assert world.ask(TOTAL)["status"] == "error"
    assert world.ask(TOTAL)["status"] == "success"


def test_an_injected_body_is_sent_as_it_is(world: World) -> None:
    world.answerer.fail_next(502, "<html>")
    answer = world.http.get("/api/v1/query", params={"query": TOTAL})
    assert (answer.status_code, answer.text) == (502, "<html>")


def test_a_warning_stands_beside_the_data_once(world: World) -> None:
    world.answerer.warn_next("partial response")
    assert world.ask(TOTAL)["warnings"] == ["partial response"]
    assert "warnings" not in world.ask(TOTAL)


def test_a_hanging_server_answers_when_released(world: World) -> None:
    world.answerer.hang()
    with pytest.raises(httpx.ReadTimeout):
        world.http.post("/api/v1/query", data={"query": TOTAL}, timeout=0.2)
    world.answerer.release()
    assert world.http.post("/api/v1/query", data={"query": TOTAL}).json()["status"] == "success"


def test_a_server_that_is_down_says_so_until_it_is_up(world: World) -> None:
    world.answerer.down()
    assert world.http.get("/-/ready").status_code == 503
    world.answerer.up()
    assert world.http.get("/-/ready").status_code == 200


def test_discovery_endpoints_answer(world: World) -> None:
    assert world.http.get("/api/v1/status/buildinfo").json()["data"]["version"]
    assert world.http.get("/api/v1/labels").json()["data"][0] == "__name__"
    assert world.http.get("/api/v1/label/namespace/values").json()["data"] == ["staging"]
    assert "http_requests_total" in world.http.get("/api/v1/label/__name__/values").json()["data"]
