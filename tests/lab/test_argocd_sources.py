"""What applications may be made of: several sources, charts, and every kind of target revision."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.lab.argocd import Source
from tests.lab.argo_world import APP, IMAGE, PATH, REPOSITORY, ArgoWorld, a_spec, kustomization

CHARTS = "https://charts.example.org"
VALUES = "values/checkout/production.yaml"


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path) -> ArgoWorld:
    return ArgoWorld(tmp_path)


def a_chart_with_values(world: ArgoWorld, tag: str = "1.0") -> tuple[Source, Source]:
    """Publish version 3.1.0 of a chart and commit its values."""
    world.argocd.publish_chart(CHARTS, "service", "3.1.0")
    world.commit({VALUES: f'image:\n  tag: "{tag}"\n'})
    chart = Source(repo_url=CHARTS, chart="service", target_revision="3.x", value_files=(f"$values/{VALUES}",))
    return chart, Source(repo_url=REPOSITORY, ref="values")


# --- several sources --------------------------------------------------------------------------------------------------


def test_a_chart_beside_its_values_reports_its_version_and_their_commit(world: ArgoWorld) -> None:
    sources = a_chart_with_values(world)
    world.argocd.add(a_spec(sources=sources))
    world.run(10)
    head = world.commit({VALUES: "image:\n  tag: 1.1.0\n"})
    world.run(10)
    status = world.argocd.status(APP)
    assert status.operation is not None
    assert (status.sync, status.revision, status.revisions) == ("Synced", "", ("3.1.0", head))
    assert status.operation.revisions == ("3.1.0", head)
    assert status.history[-1].revisions == ("3.1.0", head)
    assert status.images == (f"{IMAGE}:1.1.0",)


def test_a_new_chart_version_in_range_is_deployed_though_the_images_stay(world: ArgoWorld) -> None:
    world.argocd.add(a_spec(sources=a_chart_with_values(world)))
    world.run(10)
    world.argocd.publish_chart(CHARTS, "service", "3.2.0")
    world.argocd.publish_chart(CHARTS, "service", "4.0.0")
    world.run(10)
    status = world.argocd.status(APP)
    assert status.revisions[0] == "3.2.0"
    assert [entry.revisions[0] for entry in status.history] == ["3.1.0", "3.2.0"]


def test_a_chart_that_nobody_publishes_is_a_comparison_error(world: ArgoWorld) -> None:
    _, values = a_chart_with_values(world)
    missing = Source(repo_url=CHARTS, chart="service", target_revision="9.9.9")
    world.argocd.add(a_spec(sources=(missing, values)))
    world.run(1)
    assert "source 1 of 2: chart 'service' version '9.9.9'" in world.argocd.status(APP).conditions[0].message


def test_values_of_a_ref_that_no_source_has_are_a_comparison_error(world: ArgoWorld) -> None:
    chart, _ = a_chart_with_values(world)
    world.argocd.add(a_spec(sources=(chart,)))
    world.run(1)
    assert "no source has that ref" in world.argocd.status(APP).conditions[0].message


def test_two_sources_of_one_repository_may_follow_two_revisions(world: ArgoWorld) -> None:
    base = world.commit({"base/kustomization.yaml": kustomization("7", image="ghcr.io/acme/proxy")})
    world.tag("v1.0.0")
    head = world.release("1.0")
    sources = (
        Source(repo_url=REPOSITORY, path="base", target_revision="v1.0.0"),
        Source(repo_url=REPOSITORY, path=PATH),
    )
    world.argocd.add(a_spec(sources=sources))
    world.run(10)
    status = world.argocd.status(APP)
    assert status.revisions == (base, head)
    assert status.images == (f"{IMAGE}:1.0", "ghcr.io/acme/proxy:7")


def test_one_entry_of_sources_is_told_as_several_are(world: ArgoWorld) -> None:
    head = world.release("1.0")
    world.argocd.add(a_spec(sources=(Source(repo_url=REPOSITORY, path=PATH),)))
    world.run(10)
    assert (world.argocd.status(APP).revision, world.argocd.status(APP).revisions) == ("", (head,))


# --- target revisions -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["main", "HEAD", "", "v1.2.0", "1.2.0", "~1.2", ">=1.0.0 <2", "release"])
def test_a_target_may_be_a_branch_a_tag_the_head_or_a_range(world: ArgoWorld, target: str) -> None:
    world.commit({"README.md": "old"})
    world.tag("1.1.0")
    head = world.release("1.0")
    world.tag("1.2.0")
    world.tag("v1.2.0")
    world.git("branch", "release", "main")
    world.argocd.add(a_spec(target_revision=target))
    world.run(10)
    assert world.argocd.status(APP).revision == head


def test_a_target_may_be_a_commit_that_is_no_head(world: ArgoWorld) -> None:
    old = world.release("1.0")
    world.release("2.0")
    world.argocd.add(a_spec(target_revision=old))
    world.run(10)
    assert world.argocd.status(APP).images == (f"{IMAGE}:1.0",)


def test_a_range_moves_with_a_new_tag_and_not_with_the_branch(world: ArgoWorld) -> None:
    first = world.release("1.0")
    world.tag("1.0.0")
    world.argocd.add(a_spec(target_revision="1.x"))
    world.run(10)
    second = world.release("2.0")
    world.run(10)
    assert world.argocd.status(APP).revision == first
    world.tag("1.1.0")
    world.run(10)
    assert world.argocd.status(APP).revision == second


def test_a_range_that_no_tag_is_in_is_a_comparison_error(world: ArgoWorld) -> None:
    world.release("1.0")
    world.argocd.add(a_spec(target_revision="7.x"))
    world.run(1)
    assert "unable to resolve '7.x'" in world.argocd.status(APP).conditions[0].message


def test_a_commit_that_does_not_exist_is_a_comparison_error(world: ArgoWorld) -> None:
    world.release("1.0")
    world.argocd.add(a_spec(target_revision="0" * 40))
    world.run(1)
    assert world.argocd.status(APP).sync == "Unknown"
