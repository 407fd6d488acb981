"""What the simulated Argo CD answers conforms to Argo CD's published API, endpoint by endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bot.lab.exchanges import ExchangeRecorder
from bot.lab.serving import Served
from tests.lab.argo_world import APP, ArgoWorld

conformance = pytest.importorskip("tests.contract.conformance", reason="the conformance checker is not written yet")

ONE = f"/api/v1/applications/{APP}"


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path) -> ArgoWorld:
    world = ArgoWorld(tmp_path)
    world.release("1.0")
    world.add()
    world.run(10)
    return world


@pytest.fixture(name="wire")
def fixture_wire(world: ArgoWorld) -> ExchangeRecorder:
    return ExchangeRecorder(world.argocd.app)


@pytest.fixture(name="http")
def fixture_http(world: ArgoWorld, wire: ExchangeRecorder) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {world.argocd.token}"}
    with Served(wire) as served, httpx.Client(base_url=served.url, headers=headers, timeout=10) as http:
        yield http


def assert_conforms(wire: ExchangeRecorder, *, statuses: list[int]) -> None:
    """Say that these exchanges took place, and that none breaks the contract."""
    assert [exchange.status for exchange in wire.exchanges] == statuses
    violations = [violation for exchange in wire.exchanges for violation in conformance.ARGOCD.violations(exchange)]
    assert violations == []


def test_a_settled_application_conforms(wire: ExchangeRecorder, http: httpx.Client) -> None:
    for path in (ONE, "/api/v1/applications", f"/api/v1/applications?name={APP}&projects=default"):
        http.get(path)
    assert_conforms(wire, statuses=[200, 200, 200])


def test_an_application_in_every_state_conforms(wire: ExchangeRecorder, http: httpx.Client, world: ArgoWorld) -> None:
    world.add("new")
    http.get("/api/v1/applications/new")
    world.argocd.hold_sync(APP)
    world.release("2.0")
    http.get(f"{ONE}?refresh=hard")
    http.post(f"{ONE}/sync", json={"prune": True})
    http.get(ONE)
    world.run(0.5)
    http.get(ONE)
    world.run(5)
    world.argocd.set_condition(APP, "ComparisonError", "rpc error")
    world.argocd.set_health(APP, "Degraded", "pods crash")
    world.argocd.freeze(APP)
    http.get(f"{ONE}?refresh=normal")
    assert_conforms(wire, statuses=[200] * 6)


def test_refusals_conform(wire: ExchangeRecorder, http: httpx.Client) -> None:
    http.get("/api/v1/applications/gone")
    http.get("/api/v1/applications/gone?project=default")
    http.get(ONE, headers={"authorization": "Bearer wrong"})
    http.post(f"{ONE}/sync", json={})
    http.post(f"{ONE}/sync", json={})
    assert_conforms(wire, statuses=[403, 404, 401, 200, 400])


def test_the_stream_conforms(wire: ExchangeRecorder, http: httpx.Client, world: ArgoWorld) -> None:
    with http.stream("GET", "/api/v1/stream/applications") as answer:
        lines = answer.iter_lines()
        next(lines)
        world.argocd.delete(APP)
        next(lines)
        world.argocd.end_streams()
        assert list(lines) == []
    assert_conforms(wire, statuses=[200])


def test_user_and_version_conform(wire: ExchangeRecorder, http: httpx.Client) -> None:
    http.get("/api/v1/session/userinfo")
    http.get("/api/version")
    assert_conforms(wire, statuses=[200, 200])
