"""Operations that take their time, fail, wait behind a window, or leave something OutOfSync."""

from __future__ import annotations

from datetime import timedelta
from itertools import groupby
from pathlib import Path

import pytest

from bot.lab.argo.controller import BlockedByWindow
from bot.lab.argo.model import OperationState, ResourceName, ResourceReport
from bot.lab.argocd import OperationScript, healthy_wave, post_sync_hook, pre_sync_hook
from tests.lab.argo_world import APP, IMAGE, ArgoWorld, a_spec

REFUSED = "one or more objects failed to apply, reason: admission webhook denied the request"


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path) -> ArgoWorld:
    world = ArgoWorld(tmp_path)
    world.release("1.0")
    world.argocd.add(a_spec())
    world.run(10)
    return world


def operation(world: ArgoWorld) -> OperationState:
    found = world.argocd.status(APP).operation
    assert found is not None
    return found


def messages(world: ArgoWorld, seconds: float) -> list[str]:
    """Let time pass and return what the operation said, in turn."""
    seen: list[str] = []
    for _ in range(round(seconds * 10)):
        world.run(0.1)
        last = world.argocd.status(APP).operation
        seen.append(last.message if last else "")
    return [message for message, _ in groupby(seen)]


# --- hooks and waves --------------------------------------------------------------------------------------------------


def test_an_operation_waits_for_its_hooks_and_waves_and_says_for_which(world: ArgoWorld) -> None:
    five = timedelta(seconds=5)
    waits = (pre_sync_hook("batch/Job/migrate", five), healthy_wave("apps/Deployment/checkout", five))
    world.argocd.script_next_sync(APP, OperationScript(waits=waits))
    world.release("2.0")
    said = messages(world, 20)
    assert [one for one in said if one.startswith("waiting")] == [
        "waiting for completion of hook batch/Job/migrate",
        "waiting for healthy state of apps/Deployment/checkout",
    ]
    assert said[-1] == "successfully synced (all tasks run)"


def test_nothing_is_applied_while_a_hook_before_the_sync_runs(world: ArgoWorld) -> None:
    script = OperationScript(waits=(pre_sync_hook("batch/Job/migrate", timedelta(minutes=1)),))
    world.argocd.script_next_sync(APP, script)
    world.release("2.0")
    world.run(20)
    status = world.argocd.status(APP)
    assert (status.sync, status.images, operation(world).phase) == ("OutOfSync", (f"{IMAGE}:1.0",), "Running")


def test_a_hook_after_the_sync_runs_while_the_status_looks_finished(world: ArgoWorld) -> None:
    script = OperationScript(waits=(post_sync_hook("batch/Job/smoke", timedelta(minutes=1)),))
    world.argocd.script_next_sync(APP, script)
    head = world.release("2.0")
    world.run(20)
    status = world.argocd.status(APP)
    assert (status.sync, status.health.status, status.revision) == ("Synced", "Healthy", head)
    assert status.images == (f"{IMAGE}:2.0",)
    assert operation(world).phase == "Running"
    assert len(status.history) == 1


def test_a_hook_that_fails_fails_the_operation_though_the_release_runs(world: ArgoWorld) -> None:
    waits = (post_sync_hook("batch/Job/smoke", timedelta(seconds=5)),)
    failure = "one or more synchronization tasks completed unsuccessfully"
    world.argocd.script_next_sync(APP, OperationScript(waits=waits, failure=failure))
    world.release("2.0")
    world.run(20)
    assert (operation(world).phase, operation(world).message) == ("Failed", failure)
    assert world.argocd.status(APP).sync == "Synced"


def test_health_can_be_bad_only_while_the_operation_runs(world: ArgoWorld) -> None:
    waits = (healthy_wave("apps/Deployment/checkout", timedelta(seconds=10)),)
    world.argocd.script_next_sync(APP, OperationScript(waits=waits, health="Degraded"))
    world.release("2.0")
    world.run(8)
    assert (operation(world).phase, world.argocd.status(APP).health.status) == ("Running", "Degraded")
    world.run(12)
    assert (operation(world).phase, world.argocd.status(APP).health.status) == ("Succeeded", "Healthy")


# --- retries ----------------------------------------------------------------------------------------------------------


def test_between_attempts_the_phase_stays_running_and_the_retries_are_counted(world: ArgoWorld) -> None:
    world.argocd.script_next_sync(APP, OperationScript(failure=REFUSED, retry_limit=3, failed_attempts=2))
    world.release("2.0")
    world.run(6)
    waiting = operation(world)
    assert (waiting.phase, waiting.retry_count) == ("Running", 1)
    assert waiting.finished_at is not None
    assert waiting.message == f"{REFUSED}. Retrying attempt #1 at 12:00PM."


def test_an_attempt_that_succeeds_ends_the_retries(world: ArgoWorld) -> None:
    world.argocd.script_next_sync(APP, OperationScript(failure=REFUSED, retry_limit=3, failed_attempts=2))
    world.release("2.0")
    said = messages(world, 40)
    assert "Retrying operation. Attempt #2" in said
    assert (operation(world).phase, operation(world).retry_count) == ("Succeeded", 2)
    assert world.argocd.status(APP).images == (f"{IMAGE}:2.0",)


def test_the_limit_of_retries_ends_in_failed(world: ArgoWorld) -> None:
    world.argocd.script_next_sync(APP, OperationScript(failure=REFUSED, retry_limit=2))
    world.release("2.0")
    world.run(40)
    assert (operation(world).phase, operation(world).retry_count) == ("Failed", 2)
    assert operation(world).message == f"{REFUSED} (retried 2 times)."
    assert world.argocd.status(APP).images == (f"{IMAGE}:1.0",)


def test_automated_sync_says_that_it_gave_a_revision_up_until_there_is_a_new_one(world: ArgoWorld) -> None:
    world.argocd.fail_next_sync(APP, REFUSED)
    head = world.release("2.0")
    world.run(20)
    (condition,) = world.argocd.status(APP).conditions
    assert (condition.type, condition.message) == ("SyncError", f"Failed last sync attempt to [{head}]: {REFUSED}")
    world.release("2.1")
    world.run(20)
    assert world.argocd.status(APP).conditions == ()


# --- sync windows -----------------------------------------------------------------------------------------------------


def test_a_blocked_application_does_not_sync_by_itself(world: ArgoWorld) -> None:
    world.argocd.block_sync(APP)
    head = world.release("2.0")
    world.run(20)
    status = world.argocd.status(APP)
    assert (status.sync, status.revision, status.images) == ("OutOfSync", head, (f"{IMAGE}:1.0",))
    world.argocd.unblock_sync(APP)
    world.run(10)
    assert world.argocd.status(APP).images == (f"{IMAGE}:2.0",)


@pytest.mark.parametrize("kind", ["deny", "allow"])
def test_nobody_may_sync_a_blocked_application(world: ArgoWorld, kind: str) -> None:
    world.argocd.block_sync(APP, "deny" if kind == "deny" else "allow")
    with pytest.raises(BlockedByWindow, match="cannot sync: blocked by sync window"):
        world.argocd.sync(APP)


def test_a_window_may_let_people_sync_all_the_same(world: ArgoWorld) -> None:
    world.argocd.block_sync(APP, manual_sync=True)
    world.release("2.0")
    world.run(10)
    assert world.argocd.status(APP).sync == "OutOfSync"
    world.argocd.sync(APP)
    world.run(5)
    assert world.argocd.status(APP).images == (f"{IMAGE}:2.0",)


def test_a_window_that_begins_holds_the_running_operation_until_it_ends(world: ArgoWorld) -> None:
    script = OperationScript(waits=(pre_sync_hook("batch/Job/migrate", timedelta(seconds=5)),))
    world.argocd.script_next_sync(APP, script)
    world.release("2.0")
    world.run(5)
    world.argocd.block_sync(APP)
    world.run(60)
    assert (operation(world).phase, operation(world).message) == ("Running", "Sync operation blocked by sync window")
    world.argocd.unblock_sync(APP)
    world.run(10)
    assert operation(world).phase == "Succeeded"


def test_an_operation_that_was_asked_for_before_the_window_is_taken_up_and_held(world: ArgoWorld) -> None:
    world.argocd.sync(APP)
    world.argocd.block_sync(APP)
    world.run(30)
    assert (operation(world).phase, operation(world).message) == ("Running", "Sync operation blocked by sync window")
    world.argocd.unblock_sync(APP)
    world.run(5)
    assert operation(world).phase == "Succeeded"


# --- OutOfSync that stays ---------------------------------------------------------------------------------------------


def test_what_is_left_unpruned_stays_out_of_sync_after_a_sync_without_prune(world: ArgoWorld) -> None:
    world.argocd.respecify(APP, a_spec(prune=False))
    world.argocd.leave_unpruned(APP, "/Service/old")
    world.release("2.0")
    world.run(20)
    status = world.argocd.status(APP)
    left = ResourceReport(resource=ResourceName.parse("/Service/old"), sync="OutOfSync", requires_pruning=True)
    assert (status.sync, operation(world).phase, status.images) == ("OutOfSync", "Succeeded", (f"{IMAGE}:2.0",))
    assert left in status.resources
    assert len(status.history) == 2


def test_a_sync_that_prunes_ends_it(world: ArgoWorld) -> None:
    world.argocd.respecify(APP, a_spec(prune=False))
    world.argocd.leave_unpruned(APP, "/Service/old")
    world.run(10)
    assert world.argocd.status(APP).sync == "OutOfSync"
    world.argocd.sync(APP)
    world.run(5)
    assert world.argocd.status(APP).sync == "Synced"


def test_automated_sync_with_prune_and_self_heal_prunes_by_itself(world: ArgoWorld) -> None:
    world.argocd.leave_unpruned(APP, "/Service/old")
    world.run(10)
    assert world.argocd.status(APP).sync == "Synced"


def test_what_drifts_is_out_of_sync_right_after_success_and_is_not_synced_for_ever(world: ArgoWorld) -> None:
    world.argocd.drift(APP, "autoscaling/HorizontalPodAutoscaler/checkout")
    world.release("2.0")
    world.run(60)
    status = world.argocd.status(APP)
    assert (status.sync, status.health.status, operation(world).phase) == ("OutOfSync", "Healthy", "Succeeded")
    assert [(one.resource.kind, one.sync) for one in status.resources] == [
        ("Deployment", "Synced"),
        ("HorizontalPodAutoscaler", "OutOfSync"),
    ]
    assert len(status.history) == 2


def test_what_drifts_no_longer_is_synced(world: ArgoWorld) -> None:
    world.argocd.drift(APP, "apps/Deployment/checkout")
    world.argocd.drift(APP)
    assert world.argocd.status(APP).sync == "Synced"


# --- automated or not -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tells_disabled", [False, True])
def test_automated_sync_that_is_off_does_not_sync(world: ArgoWorld, tells_disabled: bool) -> None:
    world.argocd.hold_sync(APP, tells_disabled=tells_disabled)
    world.release("2.0")
    world.run(20)
    assert world.argocd.status(APP).images == (f"{IMAGE}:1.0",)
    world.argocd.resume_sync(APP)
    world.run(10)
    assert world.argocd.status(APP).images == (f"{IMAGE}:2.0",)


def test_a_pending_operation_hides_how_the_last_one_ended(world: ArgoWorld) -> None:
    assert operation(world).phase == "Succeeded"
    world.release("2.0")
    world.argocd.refresh(APP)
    assert world.argocd.status(APP).operation is None
