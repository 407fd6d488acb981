"""Applications come, change their names and labels, go stale and go; health flaps; several servers run side by side."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.lab.argo.controller import Refused
from bot.lab.argocd import ArgoLab
from bot.lab.cluster import Cluster
from tests.lab.argo_world import APP, ArgoWorld, a_spec


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path) -> ArgoWorld:
    world = ArgoWorld(tmp_path)
    world.release("1.0")
    world.argocd.add(a_spec())
    world.run(10)
    return world


def test_a_deletion_with_a_finalizer_takes_its_time(world: ArgoWorld) -> None:
    world.argocd.delete(APP, takes=timedelta(seconds=5))
    world.run(4)
    assert world.argocd.status(APP).sync == "Synced"
    world.run(2)
    with pytest.raises(KeyError):
        world.argocd.status(APP)


def test_an_application_that_is_being_deleted_is_not_synced(world: ArgoWorld) -> None:
    world.argocd.delete(APP, takes=timedelta(minutes=5))
    world.release("2.0")
    world.run(10)
    assert world.argocd.status(APP).sync == "OutOfSync"
    with pytest.raises(Refused, match="application is deleting"):
        world.argocd.sync(APP)


def test_a_renamed_application_begins_anew(world: ArgoWorld) -> None:
    world.argocd.rename(APP, "checkout-eu")
    with pytest.raises(KeyError):
        world.argocd.status(APP)
    assert world.argocd.status("checkout-eu").operation is None
    world.run(10)
    assert len(world.argocd.status("checkout-eu").history) == 1


def test_an_application_may_be_added_long_after_the_commit(world: ArgoWorld) -> None:
    head = world.release("2.0")
    world.run(60)
    world.argocd.add(a_spec("checkout-eu"))
    world.run(10)
    assert world.argocd.status("checkout-eu").revision == head


def test_an_adopted_application_is_synced_without_any_operation(world: ArgoWorld) -> None:
    world.argocd.add(a_spec("checkout-eu"), adopted=True)
    world.run(10)
    status = world.argocd.status("checkout-eu")
    assert (status.sync, status.health.status) == ("Synced", "Healthy")
    assert (status.operation, status.history) == (None, ())


def test_health_flaps_as_scripted_and_then_is_as_in_the_cluster(world: ArgoWorld) -> None:
    second = timedelta(seconds=1)
    world.argocd.flap(APP, (second, "Degraded", "probe failed"), (second, "Progressing", ""), (second, "", ""))
    seen = []
    for _ in range(4):
        seen.append((world.argocd.status(APP).health.status, world.argocd.status(APP).health.message))
        world.run(1)
    assert seen == [("Healthy", ""), ("Degraded", "probe failed"), ("Progressing", ""), ("Healthy", "")]


def test_an_application_can_be_missing(world: ArgoWorld) -> None:
    world.argocd.set_health(APP, "Missing")
    world.run(5)
    assert world.argocd.status(APP).health.status == "Missing"


def test_a_stale_application_may_wake_of_a_hard_refresh_only(world: ArgoWorld) -> None:
    world.argocd.freeze(APP, until_hard_refresh=True)
    head = world.release("2.0")
    world.run(10)
    world.argocd.refresh(APP)
    assert world.argocd.status(APP).revision != head
    world.argocd.refresh(APP, kind="hard")
    assert world.argocd.status(APP).revision == head


def test_a_restart_keeps_what_is_stored(world: ArgoWorld) -> None:
    before = world.argocd.status(APP)
    world.argocd.restart()
    assert world.argocd.status(APP) == before


def test_two_servers_have_their_own_applications(world: ArgoWorld, tmp_path: Path) -> None:
    other = ArgoLab(world.clock, Cluster(world.clock), lambda name: tmp_path / f"{name}.git", token="other")
    other.add(replace(a_spec(), project="cart"))
    other.tick()
    world.argocd.delete(APP)
    assert other.status(APP).sync == "OutOfSync"
