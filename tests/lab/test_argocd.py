"""The reconcilers: what the status says, and when."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import pytest

from bot.adapters.clock import SystemClock
from bot.lab.argo.controller import Refused
from bot.lab.argocd import ApplicationSpec, ArgoLab, ArgoOptions
from bot.lab.cluster import Behaviour, Cluster, crashing
from tests.lab.argo_world import APP, IMAGE, PATH, REPOSITORY, T0, ArgoWorld, kustomization


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path) -> ArgoWorld:
    world = ArgoWorld(tmp_path)
    world.release("1.0")
    world.add()
    return world


@pytest.fixture(name="settled")
def fixture_settled(world: ArgoWorld) -> ArgoWorld:
    world.run(10)
    return world


def test_an_application_is_synced_by_itself_until_it_is_healthy(world: ArgoWorld) -> None:
    head = world.release("1.1")
    world.run(10)
    status = world.argocd.status(APP)
    assert (status.sync, status.health.status, status.revision) == ("Synced", "Healthy", head)
    assert status.images == (f"{IMAGE}:1.1",)
    assert status.operation is not None
    assert (status.operation.phase, status.operation.revision) == ("Succeeded", head)
    assert [entry.revision for entry in status.history] == [head]


def test_a_succeeded_operation_stands_beside_the_health_of_before(settled: ArgoWorld) -> None:
    settled.cluster.behave(IMAGE, "2.0", Behaviour(start_after=timedelta(seconds=30)))
    head = settled.release("2.0")
    seen: list[tuple[str, str, bool]] = []
    for _ in range(80):
        settled.run(0.1)
        status = settled.argocd.status(APP)
        operation = status.operation
        if operation is not None and operation.revision == head and operation.finished_at and status.reconciled_at:
            fresh = status.reconciled_at > operation.finished_at
            seen.append((operation.phase, status.health.status, fresh))
    assert list(dict.fromkeys(seen)) == [("Succeeded", "Healthy", False), ("Succeeded", "Progressing", True)]


def test_a_status_tells_nothing_new_between_refreshes(settled: ArgoWorld) -> None:
    before = settled.argocd.status(APP)
    settled.release("2.0")
    settled.run(0.1)
    assert settled.argocd.status(APP).revision == before.revision


def test_a_commit_that_touches_nothing_of_the_application_keeps_it_synced(settled: ArgoWorld) -> None:
    head = settled.commit({"README.md": "Nothing of this is deployed."})
    settled.run(5)
    status = settled.argocd.status(APP)
    assert (status.sync, status.revision) == ("Synced", head)
    assert len(status.history) == 1


def test_a_crashing_release_is_degraded_and_shows_both_images(settled: ArgoWorld) -> None:
    settled.cluster.behave(IMAGE, "2.0", crashing())
    settled.release("2.0")
    settled.run(10)
    status = settled.argocd.status(APP)
    assert (status.sync, status.health.status) == ("Synced", "Degraded")
    assert status.images == (f"{IMAGE}:1.0", f"{IMAGE}:2.0")


def test_health_says_since_when_it_is_so(settled: ArgoWorld) -> None:
    since = settled.argocd.status(APP).health.since
    settled.run(10)
    assert settled.argocd.status(APP).health.since == since
    settled.argocd.set_health(APP, "Degraded", "1 of 3 pods crash")
    health = settled.argocd.status(APP).health
    assert (health.status, health.message, health.since) == ("Degraded", "1 of 3 pods crash", settled.clock.now())


def test_a_forced_health_ends_when_it_is_cleared(settled: ArgoWorld) -> None:
    settled.argocd.suspend(APP)
    settled.run(5)
    assert settled.argocd.status(APP).health.status == "Suspended"
    settled.argocd.clear_health(APP)
    assert settled.argocd.status(APP).health.status == "Healthy"


def test_without_automated_sync_a_change_waits_for_a_person(settled: ArgoWorld) -> None:
    settled.argocd.hold_sync(APP)
    head = settled.release("2.0")
    settled.run(10)
    status = settled.argocd.status(APP)
    assert (status.sync, status.revision, status.images) == ("OutOfSync", head, (f"{IMAGE}:1.0",))
    settled.argocd.sync(APP)
    settled.run(5)
    assert settled.argocd.status(APP).images == (f"{IMAGE}:2.0",)
    assert settled.argocd.status(APP).history[-1].username == "admin"


def test_two_operations_at_a_time_are_refused(settled: ArgoWorld) -> None:
    settled.argocd.sync(APP)
    with pytest.raises(Refused, match="another operation is already in progress"):
        settled.argocd.sync(APP)


def test_a_failed_sync_deploys_nothing_and_is_not_tried_again(settled: ArgoWorld) -> None:
    settled.argocd.fail_next_sync(APP, "one or more objects failed to apply")
    settled.release("2.0")
    settled.run(20)
    status = settled.argocd.status(APP)
    assert status.operation is not None
    assert (status.operation.phase, status.operation.message) == ("Failed", "one or more objects failed to apply")
    assert (status.sync, status.images) == ("OutOfSync", (f"{IMAGE}:1.0",))


def test_a_frozen_application_keeps_its_status_and_catches_up_when_thawed(settled: ArgoWorld) -> None:
    settled.argocd.freeze(APP)
    before = settled.argocd.status(APP)
    head = settled.release("2.0")
    settled.run(20)
    settled.argocd.refresh(APP)
    assert settled.argocd.status(APP) == before
    settled.argocd.thaw(APP)
    settled.run(10)
    assert settled.argocd.status(APP).revision == head


def test_an_injected_condition_makes_the_sync_status_unknown(settled: ArgoWorld) -> None:
    settled.argocd.set_condition(APP, "ComparisonError", "rpc error: code = Unavailable")
    since = settled.argocd.status(APP).conditions[0].since
    settled.run(7)
    status = settled.argocd.status(APP)
    assert (status.sync, status.health.status) == ("Unknown", "Healthy")
    assert [(one.type, one.since) for one in status.conditions] == [("ComparisonError", since)]
    settled.argocd.clear_conditions(APP)
    assert settled.argocd.status(APP).sync == "Synced"


@pytest.mark.parametrize(
    "text",
    ["images: [", "- a list", "resources: []\n", f"images:\n  - name: {IMAGE}\n"],
    ids=["no yaml", "no mapping", "no images", "no tag"],
)
def test_manifests_that_cannot_be_read_are_a_comparison_error(settled: ArgoWorld, text: str) -> None:
    settled.commit({f"{PATH}/kustomization.yaml": text})
    settled.run(5)
    status = settled.argocd.status(APP)
    assert status.sync == "Unknown"
    assert [condition.type for condition in status.conditions] == ["ComparisonError"]
    assert status.conditions[0].message.startswith("Failed to load target state")


def test_a_branch_that_does_not_exist_is_a_comparison_error(settled: ArgoWorld) -> None:
    settled.argocd.track(APP, "nowhere")
    settled.run(0.1)
    assert "unable to resolve 'nowhere'" in settled.argocd.status(APP).conditions[0].message


def test_a_helm_values_file_is_read_at_its_dotted_paths(world: ArgoWorld) -> None:
    world.commit({"apps/checkout/production/values.yaml": "image:\n  tag: 3.0.0\nreplicas: 2\n"})
    world.add("checkout-production", path="apps/checkout/production")
    world.run(10)
    assert world.argocd.status("checkout-production").images == (f"{IMAGE}:3.0.0",)


def test_a_kustomization_may_rename_the_image_and_pin_a_digest(world: ArgoWorld) -> None:
    digest = "sha256:" + "a" * 64
    entry = f"images:\n  - name: app\n    newName: {IMAGE}\n    newTag: '2'\n    digest: {digest}\n"
    world.commit({f"{PATH}/kustomization.yaml": entry})
    world.run(10)
    assert world.argocd.status(APP).images == (f"{IMAGE}:2@{digest}",)


def test_several_images_are_deployed_together_and_the_worst_health_counts(world: ArgoWorld) -> None:
    other = "ghcr.io/acme/worker"
    world.cluster.behave(other, "1", crashing())
    both = kustomization("1") + kustomization("1", image=other).removeprefix("images:\n")
    world.commit({f"{PATH}/kustomization.yaml": both})
    world.run(10)
    status = world.argocd.status(APP)
    assert status.images == (f"{IMAGE}:1", f"{other}:1")
    assert status.health.status == "Degraded"


def test_the_cluster_gets_the_release_when_the_operation_succeeds(settled: ArgoWorld) -> None:
    status = settled.argocd.status(APP)
    (deployment,) = settled.cluster.deployments(APP)
    assert status.operation is not None
    assert (deployment.tag, deployment.at) == ("1.0", status.operation.finished_at)


def test_one_late_tick_ends_where_many_small_ones_do(tmp_path: Path) -> None:
    states = []
    for steps in (1, 100):
        directory = tmp_path / str(steps)
        directory.mkdir()
        world = ArgoWorld(directory)
        world.release("1.0")
        world.add()
        for _ in range(steps):
            world.clock.advance(timedelta(seconds=100) / steps)
            world.argocd.tick()
        status = world.argocd.status(APP)
        states.append((status.sync, status.health, status.reconciled_at, len(status.history), status.images))
    assert states[0] == states[1]
    assert states[0][2] is not None
    assert states[0][2] > T0 + timedelta(seconds=90)


def test_time_that_passed_unnoticed_for_a_day_is_played_quickly(settled: ArgoWorld) -> None:
    settled.clock.advance(timedelta(days=1))
    settled.argocd.tick()
    reconciled = settled.argocd.status(APP).reconciled_at
    assert reconciled is not None
    assert settled.clock.now() - reconciled < timedelta(seconds=3)


def test_an_argocd_that_takes_no_time_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="in no time"):
        ArgoWorld(tmp_path, ArgoOptions(refresh_every=timedelta(0)))


def test_two_applications_cannot_have_one_name(world: ArgoWorld) -> None:
    with pytest.raises(ValueError, match="already"):
        world.add()


def test_with_the_machines_clock_a_thread_does_the_work(tmp_path: Path) -> None:
    world = ArgoWorld(tmp_path)
    world.release("1.0")
    quick = timedelta(milliseconds=50)
    options = ArgoOptions(refresh_every=quick, operation_lag=quick, sync_takes=quick, settle_after=quick)
    clock = SystemClock()
    lab = ArgoLab(clock, Cluster(clock), lambda name: tmp_path / f"{name}.git", options)
    lab.add(ApplicationSpec(name=APP, repo_url=REPOSITORY, path=PATH, namespace=APP))
    limit = time.monotonic() + 60
    with lab:
        while lab.status(APP).health.status != "Healthy":
            assert time.monotonic() < limit
            time.sleep(0.02)
