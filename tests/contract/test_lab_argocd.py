"""What the simulated Argo CD answers conforms to Argo CD's published API, endpoint by endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from bot.lab.argocd import OperationScript, Source, SourceHydrator, post_sync_hook
from bot.lab.exchanges import ExchangeRecorder
from bot.lab.serving import Served
from tests.lab.argo_world import APP, PATH, REPOSITORY, ArgoWorld, a_spec

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


def test_an_application_of_several_sources_conforms(
    wire: ExchangeRecorder, http: httpx.Client, world: ArgoWorld
) -> None:
    charts = "https://charts.example.org"
    world.argocd.publish_chart(charts, "service", "3.1.0")
    head = world.commit({"values.yaml": "image:\n  tag: 1.0.0\n"})
    chart = Source(repo_url=charts, chart="service", target_revision="3.x", value_files=("$values/values.yaml",))
    sources = (chart, Source(repo_url=REPOSITORY, ref="values", name="values"))
    world.argocd.add(a_spec("several", sources=sources, automated=False))
    world.run(5)
    several = "/api/v1/applications/several"
    http.get(several)
    http.post(f"{several}/sync", json={"revisions": [head], "sourcePositions": ["2"]})
    http.get(several)
    world.run(5)
    http.get(several)
    assert_conforms(wire, statuses=[200] * 4)


def test_a_hydrated_application_conforms_in_every_phase(
    wire: ExchangeRecorder, http: httpx.Client, world: ArgoWorld
) -> None:
    dry = Source(repo_url=REPOSITORY, path=PATH)
    hydrator = SourceHydrator(dry=dry, branch="env/staging", path="checkout", hydrate_to="env/staging-next")
    world.argocd.add(a_spec("hydrated", hydrator=hydrator))
    hydrated = "/api/v1/applications/hydrated"
    http.get(hydrated)
    world.run(0.5)
    http.get(hydrated)
    world.run(5)
    http.get(hydrated)
    world.argocd.fail_hydration("hydrated", "no")
    world.release("2.0")
    world.run(10)
    http.get(hydrated)
    http.get("/api/v1/applications?selector=team in (shop)")
    assert_conforms(wire, statuses=[200] * 5)


def test_operations_that_wait_and_are_retried_conform(
    wire: ExchangeRecorder, http: httpx.Client, world: ArgoWorld
) -> None:
    waits = (post_sync_hook("batch/Job/smoke", timedelta(seconds=2)),)
    script = OperationScript(waits=waits, failure="one or more objects failed to apply", retry_limit=1)
    world.argocd.script_next_sync(APP, script)
    world.argocd.leave_unpruned(APP, "/Service/old", "rbac.authorization.k8s.io/Role/old")
    world.argocd.drift(APP, "autoscaling/HorizontalPodAutoscaler/checkout")
    world.release("2.0")
    for _ in range(8):
        world.run(2)
        http.get(ONE)
    assert_conforms(wire, statuses=[200] * 8)


def test_windows_switched_off_automation_and_deletion_conform(
    wire: ExchangeRecorder, http: httpx.Client, world: ArgoWorld
) -> None:
    http.get(f"{ONE}/syncwindows")
    world.argocd.block_sync(APP, "deny", "0 22 * * *", "8h")
    http.get(f"{ONE}/syncwindows?project=default")
    http.post(f"{ONE}/sync", json={})
    world.argocd.hold_sync(APP, tells_disabled=True)
    world.argocd.annotate(APP, {"liftlock.dev/authorized-stage": "checkout:staging"})
    world.argocd.delete(APP, takes=timedelta(seconds=60))
    http.get(ONE)
    assert_conforms(wire, statuses=[200, 200, 403, 200])


def test_an_error_on_the_stream_conforms(wire: ExchangeRecorder, http: httpx.Client, world: ArgoWorld) -> None:
    with http.stream("GET", "/api/v1/stream/applications", params={"resourceVersion": "1"}) as answer:
        world.argocd.fail_streams("informer is not synced")
        assert len(list(answer.iter_lines())) == 1
    assert_conforms(wire, statuses=[200])
