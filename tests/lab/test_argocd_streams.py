"""Watch streams that go wrong: silent, lossy, cut, foreign, ended by a restart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.lab.argo.streams import Streams
from bot.lab.argocd import ArgoLab
from bot.lab.cluster import Cluster
from bot.lab.serving import Served
from tests.lab.argo_world import APP, ArgoWorld, a_spec

ALL = "/api/v1/applications"
STREAM = "/api/v1/stream/applications"


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path) -> ArgoWorld:
    world = ArgoWorld(tmp_path)
    world.release("1.0")
    world.argocd.add(a_spec())
    world.run(10)
    return world


@pytest.fixture(name="http")
def fixture_http(world: ArgoWorld) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {world.argocd.token}"}
    with Served(world.argocd.app) as served, httpx.Client(base_url=served.url, headers=headers, timeout=10) as http:
        yield http
        world.argocd.stop()


def label(world: ArgoWorld, value: str) -> None:
    """Make exactly one event, which can be told from others."""
    world.argocd.relabel(APP, {"turn": value})


def turn(line: str) -> str:
    labels: dict[str, str] = json.loads(line)["result"]["application"]["metadata"]["labels"]
    return labels.get("turn", "")


def test_a_silenced_stream_stays_open_without_a_word(http: httpx.Client, world: ArgoWorld) -> None:
    with http.stream("GET", STREAM, timeout=0.5) as answer:
        lines = answer.iter_lines()
        next(lines)
        world.argocd.silence_streams()
        label(world, "one")
        with pytest.raises(httpx.ReadTimeout):
            next(lines)


def test_a_new_stream_is_silent_too_until_streams_may_speak(http: httpx.Client, world: ArgoWorld) -> None:
    world.argocd.silence_streams()
    with http.stream("GET", STREAM, timeout=0.5) as answer, pytest.raises(httpx.ReadTimeout):
        next(answer.iter_lines())
    world.argocd.unsilence_streams()
    with http.stream("GET", STREAM) as answer:
        assert json.loads(next(answer.iter_lines()))["result"]["type"] == "ADDED"


def test_a_silenced_stream_stays_silent_when_new_ones_speak_again(http: httpx.Client, world: ArgoWorld) -> None:
    with http.stream("GET", STREAM, timeout=0.5) as answer:
        lines = answer.iter_lines()
        next(lines)
        world.argocd.silence_streams()
        world.argocd.unsilence_streams()
        label(world, "one")
        with pytest.raises(httpx.ReadTimeout):
            next(lines)


def test_events_can_be_lost_and_the_stream_goes_on(http: httpx.Client, world: ArgoWorld) -> None:
    with http.stream("GET", STREAM) as answer:
        lines = answer.iter_lines()
        next(lines)
        world.argocd.lose_events(2)
        for value in ("one", "two", "three"):
            label(world, value)
        assert turn(next(lines)) == "three"


def test_an_error_line_ends_the_stream(http: httpx.Client, world: ArgoWorld) -> None:
    with http.stream("GET", STREAM) as answer:
        lines = answer.iter_lines()
        next(lines)
        world.argocd.fail_streams("informer is not synced")
        error: dict[str, Any] = json.loads(next(lines))["error"]
        assert error == {
            "grpc_code": 14,
            "http_code": 503,
            "http_status": "Service Unavailable",
            "message": "informer is not synced",
        }
        assert list(lines) == []


def test_a_line_said_just_after_a_look_is_sent_before_the_end() -> None:
    feed = Streams().open()
    assert feed.take() == ([], False)
    feed.say((b"last",))
    feed.end()
    assert feed.take() == ([b"last"], True)


def test_a_cut_stream_ends_in_the_middle_of_an_event(http: httpx.Client, world: ArgoWorld) -> None:
    with http.stream("GET", STREAM) as answer:
        lines = answer.iter_lines()
        next(lines)
        world.argocd.cut_streams()
        label(world, "one")
        (rest,) = lines
        with pytest.raises(json.JSONDecodeError):
            json.loads(rest)


def test_a_malformed_line_comes_between_events(http: httpx.Client, world: ArgoWorld) -> None:
    with http.stream("GET", STREAM) as answer:
        lines = answer.iter_lines()
        next(lines)
        world.argocd.send_on_streams(b'{"result":{"type":\n')
        assert next(lines) == '{"result":{"type":'
        label(world, "one")
        assert turn(next(lines)) == "one"


def test_every_event_carries_a_greater_resource_version(http: httpx.Client, world: ArgoWorld) -> None:
    with http.stream("GET", STREAM) as answer:
        lines = answer.iter_lines()
        next(lines)
        label(world, "one")
        label(world, "two")
        told = [json.loads(next(lines))["result"]["application"]["metadata"]["resourceVersion"] for _ in range(2)]
        assert int(told[0]) < int(told[1]) <= int(http.get(ALL).json()["metadata"]["resourceVersion"])


def test_a_restart_ends_the_streams_and_lets_new_ones_begin(http: httpx.Client, world: ArgoWorld) -> None:
    with http.stream("GET", STREAM) as answer:
        lines = answer.iter_lines()
        next(lines)
        assert world.argocd.open_streams() == 1
        world.argocd.restart()
        assert list(lines) == []
    with http.stream("GET", STREAM) as answer:
        assert json.loads(next(answer.iter_lines()))["result"]["application"]["metadata"]["name"] == APP


def test_two_servers_do_not_hear_of_each_other(http: httpx.Client, world: ArgoWorld, tmp_path: Path) -> None:
    other = ArgoLab(world.clock, Cluster(world.clock), lambda name: tmp_path / f"{name}.git", token="other")
    other.add(a_spec("cart"))
    with Served(other.app) as served:
        url = served.url + ALL
        assert httpx.get(url, headers={"authorization": f"Bearer {world.argocd.token}"}).status_code == 401
        items = httpx.get(url, headers={"authorization": "Bearer other"}).json()["items"]
    assert [one["metadata"]["name"] for one in items] == ["cart"]
    assert [one["metadata"]["name"] for one in http.get(ALL).json()["items"]] == [APP]
