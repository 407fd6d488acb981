"""What a client may ask for: syncs at positions, hard refreshes, sync windows; and what it is refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.lab.argocd import Source
from bot.lab.serving import Served
from tests.lab.argo_world import APP, IMAGE, PATH, REPOSITORY, ArgoWorld, a_spec

ONE = f"/api/v1/applications/{APP}"
CHARTS = "https://charts.example.org"
VALUES = "values/checkout.yaml"


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path) -> ArgoWorld:
    world = ArgoWorld(tmp_path)
    world.release("1.0")
    world.argocd.publish_chart(CHARTS, "service", "3.1.0")
    return world


@pytest.fixture(name="http")
def fixture_http(world: ArgoWorld) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {world.argocd.token}"}
    with Served(world.argocd.app) as served, httpx.Client(base_url=served.url, headers=headers, timeout=10) as http:
        yield http


def settle(world: ArgoWorld, *, automated: bool = True) -> None:
    world.argocd.add(a_spec(automated=automated))
    world.run(10)


def settle_with_a_chart(world: ArgoWorld, *, automated: bool) -> str:
    """Add a chart beside its values; return the values' commit."""
    head = world.commit({VALUES: "image:\n  tag: 1.0.0\n"})
    chart = Source(repo_url=CHARTS, chart="service", target_revision="3.x", value_files=(f"$values/{VALUES}",))
    world.argocd.add(a_spec(sources=(chart, Source(repo_url=REPOSITORY, ref="values")), automated=automated))
    world.run(10)
    return head


def sync(http: httpx.Client, body: dict[str, object]) -> tuple[int, Any]:
    answer = http.post(f"{ONE}/sync", json=body)
    told = answer.json()
    return answer.status_code, (told["code"], told["message"]) if answer.status_code != 200 else told


# --- sync -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("position", ["2", 2], ids=["as JSON writes 64 bits", "as a number"])
def test_a_sync_may_name_the_revision_of_one_source(http: httpx.Client, world: ArgoWorld, position: object) -> None:
    first = settle_with_a_chart(world, automated=False)
    world.commit({VALUES: "image:\n  tag: 2.0.0\n"})
    status, told = sync(http, {"revisions": [first], "sourcePositions": [position]})
    assert (status, told["operation"]["sync"]["revisions"]) == (200, ["3.1.0", first])
    world.run(5)
    done = http.get(ONE).json()["status"]
    assert done["operationState"]["syncResult"]["revisions"] == ["3.1.0", first]
    assert done["operationState"]["syncResult"]["sources"] == http.get(ONE).json()["spec"]["sources"]
    assert done["summary"]["images"] == [f"{IMAGE}:1.0.0"]


def test_a_sync_at_a_position_that_does_not_exist_is_refused(http: httpx.Client, world: ArgoWorld) -> None:
    settle_with_a_chart(world, automated=False)
    body: dict[str, object] = {"revisions": ["main"], "sourcePositions": ["3"]}
    assert sync(http, body) == (500, (2, "source position is out of range"))


@pytest.mark.parametrize(
    "body",
    [{"revisions": [], "sourcePositions": [1]}, {"revisions": ["x"], "sourcePositions": ["one"]}, {"revisions": 3}],
)
def test_positions_and_revisions_that_do_not_fit_are_refused(
    http: httpx.Client, world: ArgoWorld, body: dict[str, object]
) -> None:
    settle_with_a_chart(world, automated=False)
    assert sync(http, body)[0] == 400


def test_an_automated_application_is_not_synced_to_another_revision_of_a_source(
    http: httpx.Client, world: ArgoWorld
) -> None:
    first = settle_with_a_chart(world, automated=True)
    said = f"Cannot sync source {REPOSITORY} to {first}: auto-sync currently set to main"
    assert sync(http, {"revisions": [first], "sourcePositions": ["2"]}) == (400, (9, said))


def test_an_automated_application_is_not_synced_to_another_revision(http: httpx.Client, world: ArgoWorld) -> None:
    settle(world)
    head = world.argocd.status(APP).revision
    assert sync(http, {"revision": head}) == (400, (9, f"Cannot sync to {head}: auto-sync currently set to main"))
    assert sync(http, {"revision": "main"})[0] == 200


def test_a_dry_run_may_name_another_revision_and_changes_nothing(http: httpx.Client, world: ArgoWorld) -> None:
    settle(world)
    first = world.argocd.status(APP).revision
    world.argocd.block_sync(APP, manual_sync=True)
    world.release("2.0")
    assert sync(http, {"revision": first, "dryRun": True})[0] == 200
    world.run(5)
    status = http.get(ONE).json()["status"]
    assert status["operationState"]["operation"]["sync"]["dryRun"] is True
    assert len(status["history"]) == 1


def test_a_branch_is_resolved_when_the_sync_is_asked_for(http: httpx.Client, world: ArgoWorld) -> None:
    settle(world, automated=False)
    head = world.release("2.0")
    status, told = sync(http, {})
    world.release("3.0")
    world.run(5)
    assert (status, told["operation"]["sync"]["revision"]) == (200, head)
    assert world.argocd.status(APP).images == (f"{IMAGE}:2.0",)


def test_a_revision_that_does_not_exist_is_refused(http: httpx.Client, world: ArgoWorld) -> None:
    settle(world, automated=False)
    status, (code, message) = sync(http, {"revision": "nowhere"})
    assert (status, code) == (400, 9)
    assert message.startswith("error resolving repo revision")


def test_a_commit_that_does_not_exist_fails_the_operation(http: httpx.Client, world: ArgoWorld) -> None:
    settle(world, automated=False)
    assert sync(http, {"revision": "0" * 40})[0] == 200
    world.run(5)
    operation = world.argocd.status(APP).operation
    assert operation is not None
    assert operation.phase == "Failed"


def test_an_application_that_is_being_deleted_tells_so_and_is_not_synced(http: httpx.Client, world: ArgoWorld) -> None:
    settle(world)
    world.argocd.delete(APP, takes=timedelta(minutes=1))
    metadata = http.get(ONE).json()["metadata"]
    assert (metadata["deletionTimestamp"], len(metadata["finalizers"])) == ("2026-03-01T12:00:10Z", 1)
    assert sync(http, {}) == (400, (9, "application is deleting"))


def test_the_lab_counts_the_syncs_that_it_accepted(http: httpx.Client, world: ArgoWorld) -> None:
    settle(world)
    head = world.argocd.status(APP).revision
    sync(http, {"revision": head})
    sync(http, {"prune": True})
    (seen,) = world.argocd.syncs(APP)
    assert (seen.target.revisions, seen.prune, seen.username) == ((head,), True, "liftlock")


# --- refresh ----------------------------------------------------------------------------------------------------------


def test_the_lab_tells_hard_refreshes_from_normal_ones(http: httpx.Client, world: ArgoWorld) -> None:
    settle(world)
    for kind in ("normal", "hard", "normal"):
        http.get(ONE, params={"refresh": kind})
    world.argocd.refresh(APP)
    assert world.argocd.refreshes(APP) == ["normal", "hard", "normal"]


def test_a_stale_application_wakes_of_a_hard_refresh_through_the_api(http: httpx.Client, world: ArgoWorld) -> None:
    settle(world)
    world.argocd.freeze(APP, until_hard_refresh=True)
    head = world.release("2.0")
    assert http.get(ONE, params={"refresh": "normal"}).json()["status"]["sync"]["revision"] != head
    assert http.get(ONE, params={"refresh": "hard"}).json()["status"]["sync"]["revision"] == head


# --- sync windows -----------------------------------------------------------------------------------------------------


def test_a_sync_in_a_window_is_refused_as_the_real_server_does(http: httpx.Client, world: ArgoWorld) -> None:
    settle(world)
    world.argocd.block_sync(APP)
    assert sync(http, {}) == (403, (7, "cannot sync: blocked by sync window"))


def test_windows_are_told(http: httpx.Client, world: ArgoWorld) -> None:
    settle(world)
    assert http.get(f"{ONE}/syncwindows").json() == {"canSync": True}
    world.argocd.block_sync(APP, schedule="0 22 * * *", duration="8h")
    window = {"kind": "deny", "schedule": "0 22 * * *", "duration": "8h", "manualSync": False}
    told = http.get(f"{ONE}/syncwindows").json()
    assert told == {"canSync": False, "activeWindows": [window], "assignedWindows": [window]}


def test_a_window_that_allows_but_is_not_open_is_only_assigned(http: httpx.Client, world: ArgoWorld) -> None:
    settle(world)
    world.argocd.block_sync(APP, "allow", "0 6 * * *", "2h", manual_sync=True)
    told = http.get(f"{ONE}/syncwindows").json()
    assert (told["canSync"], "activeWindows" in told, len(told["assignedWindows"])) == (True, False, 1)


# --- what else is told ------------------------------------------------------------------------------------------------


def test_automated_sync_is_told_on_off_or_not_at_all(http: httpx.Client, world: ArgoWorld) -> None:
    settle(world)
    assert http.get(ONE).json()["spec"]["syncPolicy"] == {"automated": {"prune": True, "selfHeal": True}}
    world.argocd.hold_sync(APP, tells_disabled=True)
    assert http.get(ONE).json()["spec"]["syncPolicy"]["automated"]["enabled"] is False
    world.argocd.hold_sync(APP)
    assert "syncPolicy" not in http.get(ONE).json()["spec"]


def test_labels_and_annotations_change_at_once(http: httpx.Client, world: ArgoWorld) -> None:
    settle(world)
    world.argocd.relabel(APP, {"team": "ops"})
    world.argocd.annotate(APP, {"liftlock.dev/authorized-stage": "checkout:production"})
    assert http.get("/api/v1/applications", params={"selector": "team in (shop)"}).json()["items"] == []
    metadata = http.get(ONE).json()["metadata"]
    assert metadata["labels"] == {"team": "ops"}
    assert metadata["annotations"] == {"liftlock.dev/authorized-stage": "checkout:production"}


def test_an_application_that_was_made_anew_has_another_uid(http: httpx.Client, world: ArgoWorld) -> None:
    settle(world)
    before = http.get(ONE).json()["metadata"]["uid"]
    world.argocd.delete(APP)
    world.argocd.add(a_spec())
    assert http.get(ONE).json()["metadata"]["uid"] != before


def test_a_list_is_narrowed_by_the_first_source_of_several(http: httpx.Client, world: ArgoWorld) -> None:
    settle_with_a_chart(world, automated=True)
    for url, count in ((CHARTS, 1), (REPOSITORY, 0)):
        assert len(http.get("/api/v1/applications", params={"repo": url}).json()["items"]) == count


def test_several_sources_are_told_beside_an_empty_source(http: httpx.Client, world: ArgoWorld) -> None:
    head = settle_with_a_chart(world, automated=True)
    told = http.get(ONE).json()
    sync_status, result = told["status"]["sync"], told["status"]["operationState"]["syncResult"]
    assert "source" not in told["spec"]
    assert "revision" not in sync_status
    assert (sync_status["revisions"], result["revisions"], result["revision"]) == (["3.1.0", head],) * 2 + ("",)
    assert sync_status["comparedTo"]["source"] == result["source"] == {"repoURL": ""}
    assert told["status"]["history"][0]["sources"] == told["spec"]["sources"]
    assert PATH not in str(told["spec"])
