"""Deployments, and which pull requests a commit came by: what is refused, and what webhooks are told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.github_world import REPO, GitHubWorld, running_github

DEPLOYMENTS = f"/repos/{REPO}/deployments"


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path) -> Iterator[GitHubWorld]:
    with running_github(tmp_path) as world:
        yield world


def deploy(world: GitHubWorld, environment: str, state: str, **more: object) -> int:
    made = world.http.post(DEPLOYMENTS, json={"ref": "main", "environment": environment, **more}).json()
    answer = world.http.post(f"{DEPLOYMENTS}/{made['id']}/statuses", json={"state": state})
    assert answer.status_code == 201
    return int(made["id"])


def states(world: GitHubWorld, number: int) -> list[str]:
    return [one["state"] for one in world.http.get(f"{DEPLOYMENTS}/{number}/statuses").json()]


def test_a_success_retires_the_one_before_in_its_environment_but_none_in_production(world: GitHubWorld) -> None:
    old, other = deploy(world, "staging", "success"), deploy(world, "test", "success")
    failed, production = deploy(world, "staging", "failure"), deploy(world, "production", "success")
    deploy(world, "staging", "success")
    deploy(world, "production", "success")
    assert states(world, old) == ["inactive", "success"]
    assert states(world, failed) == ["failure"]
    assert states(world, other) == states(world, production) == ["success"]


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("", {}, 422, "Validation Failed"),
        ("", {"ref": "none"}, 422, "No ref found for: none"),
        ("", {"ref": "main", "required_contexts": ["ci"]}, 409, "Conflict: Commit status checks failed for main."),
        ("/{}/statuses", {"state": "nonsense"}, 422, "Validation Failed"),
        ("/{}/statuses", {}, 422, "Validation Failed"),
        ("/1/statuses", {"state": "success"}, 404, "Not Found"),
    ],
)
def test_what_cannot_be_is_refused(
    world: GitHubWorld, path: str, body: dict[str, Any], status: int, message: str
) -> None:
    number = deploy(world, "staging", "queued")
    refused = world.http.post(DEPLOYMENTS + path.format(number), json=body)
    assert (refused.status_code, refused.json()["message"]) == (status, message)


def test_a_reader_deploys_nothing(world: GitHubWorld) -> None:
    with world.client(world.lab.token_of("rita")) as rita:
        assert rita.get(DEPLOYMENTS).status_code == 200
        assert rita.post(DEPLOYMENTS, json={"ref": "main"}).status_code == 403


def test_webhooks_are_told_of_deployments(world: GitHubWorld) -> None:
    world.lab.add_webhook(REPO, "http://127.0.0.1:9/", "s", events=["deployment", "deployment_status"])
    deploy(world, "staging", "success")
    assert [one.event for one in world.lab.deliveries] == ["deployment", "deployment_status"]


def test_a_commit_that_is_not_there_came_by_no_pull_request(world: GitHubWorld) -> None:
    refused = world.http.get(f"/repos/{REPO}/commits/{'0' * 40}/pulls")
    assert (refused.status_code, refused.json()["message"]) == (422, f"No commit found for SHA: {'0' * 40}")


def test_a_closed_pull_requests_commits_came_by_none(world: GitHubWorld) -> None:
    head = world.head_of(world.propose())
    world.lab.close_pull(REPO, 1, "dana")
    assert world.http.get(f"/repos/{REPO}/commits/{head}/pulls").json() == []
