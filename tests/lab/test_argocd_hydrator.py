"""The source hydrator: dry commits become commits of another branch, with a lag, or fail."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from bot.lab.argo.model import HydrateOperation
from bot.lab.argocd import Source, SourceHydrator
from bot.lab.serving import Served
from tests.lab.argo_world import APP, IMAGE, PATH, REPOSITORY, ArgoWorld, a_spec, kustomization

BRANCH = "environments/staging"


def a_hydrator(path: str = PATH, *, to: str = "checkout", hydrate_to: str = "") -> SourceHydrator:
    dry = Source(repo_url=REPOSITORY, path=path)
    return SourceHydrator(dry=dry, branch=BRANCH, path=to, hydrate_to=hydrate_to)


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path) -> ArgoWorld:
    world = ArgoWorld(tmp_path)
    world.release("1.0")
    world.argocd.add(a_spec(hydrator=a_hydrator()))
    return world


@pytest.fixture(name="settled")
def fixture_settled(world: ArgoWorld) -> ArgoWorld:
    world.run(10)
    return world


def current(world: ArgoWorld, name: str = APP) -> HydrateOperation:
    hydration = world.argocd.status(name).hydration
    assert hydration is not None
    return hydration.current


def test_a_dry_commit_is_hydrated_then_synced(settled: ArgoWorld) -> None:
    dry = settled.release("2.0")
    settled.run(10)
    status, operation = settled.argocd.status(APP), current(settled)
    hydrated = settled.git("rev-parse", BRANCH)
    assert (operation.phase, operation.dry_sha, operation.hydrated_sha) == ("Hydrated", dry, hydrated)
    assert (status.sync, status.revision, status.images) == ("Synced", hydrated, (f"{IMAGE}:2.0",))
    assert hydrated != dry


def test_the_hydrated_branch_names_the_dry_commit_at_its_root_and_in_each_path(settled: ArgoWorld) -> None:
    dry = settled.git("rev-parse", "main")
    root = json.loads(settled.show(f"{BRANCH}:hydrator.metadata"))
    inner = json.loads(settled.show(f"{BRANCH}:checkout/hydrator.metadata"))
    assert (root["drySha"], root["repoURL"], root["subject"]) == (dry, REPOSITORY, "Change")
    assert inner == {"repoURL": REPOSITORY, "drySha": dry}
    assert f"image: {IMAGE}:1.0" in settled.show(f"{BRANCH}:checkout/manifest.yaml")


def test_a_dry_commit_that_changes_no_manifest_makes_a_note_and_no_commit(settled: ArgoWorld) -> None:
    before = settled.git("rev-parse", BRANCH)
    dry = settled.commit({"README.md": "Nothing of this is deployed."})
    settled.run(10)
    assert settled.git("rev-parse", BRANCH) == before
    assert (current(settled).dry_sha, current(settled).hydrated_sha) == (dry, before)
    note = settled.git("notes", "--ref=hydrator.metadata", "show", before)
    assert json.loads(note) == {"drySha": dry}
    assert json.loads(settled.show(f"{BRANCH}:hydrator.metadata"))["drySha"] != dry


def test_the_status_tells_the_old_hydration_until_the_new_one_is_done(settled: ArgoWorld) -> None:
    old = current(settled)
    settled.argocd.hold_hydration(APP)
    dry = settled.release("2.0")
    settled.run(10)
    held, status = current(settled), settled.argocd.status(APP)
    assert (held.phase, held.dry_sha, held.finished_at) == ("Hydrating", "", None)
    assert status.hydration is not None
    assert status.hydration.last_successful == old
    assert (status.sync, status.revision) == ("Synced", old.hydrated_sha)
    settled.argocd.resume_hydration(APP)
    settled.run(5)
    assert (current(settled).phase, current(settled).dry_sha) == ("Hydrated", dry)


def test_a_hydration_that_fails_says_why_and_waits_for_a_new_commit_or_two_minutes(settled: ArgoWorld) -> None:
    settled.argocd.fail_hydration(APP, "failed to get manifests: kustomize build failed")
    dry = settled.release("2.0")
    settled.run(10)
    failed = current(settled)
    assert (failed.phase, failed.dry_sha) == ("Failed", dry)
    assert failed.message == "Failed to hydrate: failed to get manifests: kustomize build failed"
    assert settled.argocd.status(APP).images == (f"{IMAGE}:1.0",)
    settled.run(60)
    assert current(settled).started_at == failed.started_at
    settled.run(70)
    assert current(settled).started_at > failed.started_at


def test_a_failed_hydration_goes_on_when_it_is_told_to(settled: ArgoWorld) -> None:
    settled.argocd.fail_hydration(APP, "no")
    dry = settled.release("2.0")
    settled.run(10)
    settled.argocd.resume_hydration(APP)
    settled.run(10)
    assert (current(settled).phase, current(settled).dry_sha) == ("Hydrated", dry)
    assert settled.argocd.status(APP).images == (f"{IMAGE}:2.0",)


def test_a_refresh_that_is_asked_for_tries_a_failed_hydration_again(settled: ArgoWorld) -> None:
    settled.argocd.fail_hydration(APP, "no")
    settled.release("2.0")
    settled.run(10)
    failed = current(settled)
    settled.argocd.refresh(APP)
    assert current(settled).started_at > failed.started_at


def test_a_dry_path_that_cannot_be_rendered_fails_the_hydration(settled: ArgoWorld) -> None:
    settled.commit({f"{PATH}/kustomization.yaml": "images: ["})
    settled.run(10)
    assert current(settled).phase == "Failed"
    assert "error unmarshaling" in current(settled).message


def test_applications_that_share_a_branch_are_hydrated_in_one_commit(settled: ArgoWorld) -> None:
    path = "apps/cart/staging"
    settled.argocd.add(a_spec("cart-staging", hydrator=a_hydrator(path, to="cart")))
    settled.commit({f"{path}/kustomization.yaml": kustomization("5", image="ghcr.io/acme/cart")})
    settled.run(10)
    assert current(settled).hydrated_sha == current(settled, "cart-staging").hydrated_sha
    assert settled.argocd.status("cart-staging").images == ("ghcr.io/acme/cart:5",)


def test_one_application_that_fails_fails_all_that_share_its_branch(settled: ArgoWorld) -> None:
    path = "apps/cart/staging"
    settled.commit({f"{path}/kustomization.yaml": kustomization("5", image="ghcr.io/acme/cart")})
    settled.argocd.add(a_spec("cart-staging", hydrator=a_hydrator(path, to="cart")))
    settled.argocd.fail_hydration("cart-staging", "no")
    settled.release("2.0")
    settled.run(10)
    said = "Failed to hydrate: cannot hydrate because application cart-staging has an error"
    assert current(settled).message == said


def test_with_hydrate_to_the_application_waits_for_somebody_to_bring_the_commit_over(settled: ArgoWorld) -> None:
    before = settled.argocd.status(APP).revision
    settled.argocd.respecify(APP, a_spec(hydrator=a_hydrator(hydrate_to=f"{BRANCH}-next")))
    settled.release("2.0")
    settled.run(10)
    assert settled.argocd.status(APP).revision == before
    settled.git("update-ref", f"refs/heads/{BRANCH}", f"{BRANCH}-next")
    settled.run(10)
    assert settled.argocd.status(APP).images == (f"{IMAGE}:2.0",)


def test_before_the_first_hydration_the_branch_does_not_exist(world: ArgoWorld) -> None:
    world.argocd.hold_hydration(APP)
    world.clock.advance(timedelta(seconds=1))
    world.argocd.tick()
    assert f"unable to resolve '{BRANCH}'" in world.argocd.status(APP).conditions[0].message


def test_a_list_can_be_projected_on_the_hydration(settled: ArgoWorld) -> None:
    with Served(settled.argocd.app) as served:
        answer = httpx.get(
            served.url + "/api/v1/applications",
            params={"fields": "items.status.sourceHydrator"},
            headers={"authorization": f"Bearer {settled.argocd.token}"},
        )
    (item,) = answer.json()["items"]
    told = item["status"]["sourceHydrator"]
    dry = settled.git("rev-parse", "main")
    assert told["lastSuccessfulOperation"]["drySHA"] == told["lastComparedDryRevision"] == dry
    assert told["currentOperation"]["sourceHydrator"]["syncSource"] == {"targetBranch": BRANCH, "path": "checkout"}
