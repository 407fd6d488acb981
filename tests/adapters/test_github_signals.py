"""Checks, statuses, deployments and the commits between two releases, at GitHub."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.adapters.github import AppCredentials
from bot.domain.model import Sha
from bot.forge import CheckState, CheckText, DeploymentText, SourceCommit, Span, StatusText
from tests.adapters.githubparts import BAD_GATEWAY, HEAD, LOST, OLD_HEAD, REPO, Parts, once, parts_for
from tests.adapters.githubserver import Answer, FakeGitHub, fake_github
from tests.adapters.githubworld import Json, user
from tests.adapters.gitserver import StoppedClock

CHECK = CheckText(
    name="liftlock/production",
    state="waiting",
    title="12 of 30 min",
    summary="| a |",
    started_at=datetime(2026, 3, 1, 11, tzinfo=UTC),
    url="https://lift.test/checkout",
)
STATUS = StatusText(context="liftlock/staging", state="pending", description="observing")
DEPLOYMENT = DeploymentText(
    environment="production", ref=HEAD, state="in_progress", description="syncing", is_production=True
)
UNCLEAR = pytest.mark.parametrize("fault", [BAD_GATEWAY, LOST], ids=["502", "connection cut"])


@pytest.fixture(name="github")
def fixture_github() -> Iterator[FakeGitHub]:
    with fake_github() as github:
        yield github


@pytest.fixture(name="parts")
def fixture_parts(github: FakeGitHub) -> Iterator[Parts]:
    with parts_for(github) as parts:
        yield parts


@pytest.fixture(name="key", scope="module")
def fixture_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


@pytest.fixture(name="app")
def fixture_app(github: FakeGitHub, key: str) -> Iterator[Parts]:
    credentials = AppCredentials(github.url, app_id=7, private_key=lambda: key, clock=StoppedClock())
    with parts_for(github, credentials) as parts:
        yield parts


# --- checks ----------------------------------------------------------------------------------------------------------


def test_a_check_is_created_edited_in_place_and_an_equal_one_is_not_written(app: Parts, github: FakeGitHub) -> None:
    app.signals.set_check(REPO, HEAD, CHECK)
    app.signals.set_check(REPO, HEAD, CHECK)
    assert [(run["status"], run["conclusion"]) for run in github.check_runs] == [("in_progress", None)]
    app.signals.set_check(REPO, HEAD, replace(CHECK, state="passed", title="Healthy"))
    app.signals.set_check(REPO, HEAD, replace(CHECK, state="failed", title="Unhealthy"))
    assert len(github.check_runs) == 1
    assert (github.count("POST", "check-runs"), github.count("PATCH", "check-runs")) == (1, 2)
    assert github.check_runs[0]["output"] == {"title": "Unhealthy", "summary": "| a |"}


def test_a_completed_check_waits_again_by_a_newer_run_since_github_reopens_none(app: Parts, github: FakeGitHub) -> None:
    app.signals.set_check(REPO, HEAD, replace(CHECK, state="passed", title="Healthy"))
    app.signals.set_check(REPO, HEAD, CHECK)
    app.signals.set_check(REPO, HEAD, CHECK)
    assert [run["status"] for run in github.check_runs] == ["completed", "in_progress"]


def test_a_check_of_the_same_name_by_another_app_is_left_alone(app: Parts, github: FakeGitHub) -> None:
    foreign = {"id": 99, "name": CHECK.name, "head_sha": HEAD, "app": {"id": 666}, "status": "completed"}
    github.check_runs.append(dict(foreign))
    app.signals.set_check(REPO, HEAD, CHECK)
    assert (github.check_runs[0], len(github.check_runs)) == (foreign, 2)


@UNCLEAR
def test_a_check_whose_answer_is_lost_is_made_once(app: Parts, github: FakeGitHub, fault: Answer) -> None:
    github.after = once(fault, "POST", "/check-runs")
    app.signals.set_check(REPO, HEAD, CHECK)
    assert len(github.check_runs) == 1


@pytest.mark.parametrize(("state", "said"), [("waiting", "pending"), ("passed", "success"), ("failed", "failure")])
def test_with_a_token_the_check_is_a_commit_status_of_the_same_name(
    parts: Parts, github: FakeGitHub, state: CheckState, said: str
) -> None:
    parts.signals.set_check(REPO, HEAD, replace(CHECK, state=state))
    (made,) = github.statuses
    assert (made["context"], made["state"], made["description"]) == (CHECK.name, said, CHECK.title)
    assert github.check_runs == []


# --- statuses --------------------------------------------------------------------------------------------------------


@UNCLEAR
def test_a_status_is_set_once_and_again_only_when_it_changes(parts: Parts, github: FakeGitHub, fault: Answer) -> None:
    github.after = once(fault, "POST", HEAD)
    parts.signals.set_status(REPO, HEAD, STATUS)
    parts.signals.set_status(REPO, HEAD, STATUS)
    parts.signals.set_status(REPO, HEAD, replace(STATUS, state="success", description="d" * 200))
    assert [one["state"] for one in github.statuses] == ["pending", "success"]
    assert len(github.statuses[1]["description"]) == 140


def test_a_status_behind_a_hundred_newer_ones_of_others_is_found(parts: Parts, github: FakeGitHub) -> None:
    parts.signals.set_status(REPO, HEAD, STATUS)
    github.statuses += [{"context": f"ci/{number}", "state": "success"} for number in range(150)]
    parts.signals.set_status(REPO, HEAD, STATUS)
    assert github.count("POST", "/statuses/") == 1


# --- deployments -----------------------------------------------------------------------------------------------------


@UNCLEAR
def test_a_deployment_is_created_once_and_its_state_told(parts: Parts, github: FakeGitHub, fault: Answer) -> None:
    github.after = once(fault, "POST", "/deployments")
    number = parts.signals.set_deployment(REPO, DEPLOYMENT, None)
    done = replace(DEPLOYMENT, state="success", description="healthy")
    assert parts.signals.set_deployment(REPO, done, number) == number
    assert parts.signals.set_deployment(REPO, done, number) == number
    assert parts.signals.set_deployment(REPO, done, None) == number
    made = github.deployments
    assert [one["state"] for one in made[0]["states"]] == ["in_progress", "success"]
    assert (len(made), made[0]["auto_merge"], made[0]["required_contexts"]) == (1, False, [])
    assert made[0]["production_environment"] is True


def test_a_known_deployment_that_is_gone_is_made_anew(parts: Parts, github: FakeGitHub) -> None:
    assert parts.signals.set_deployment(REPO, DEPLOYMENT, 12345) == github.deployments[0]["id"]


def test_a_deployment_by_somebody_else_is_not_used(parts: Parts, github: FakeGitHub) -> None:
    same = {"environment": "production", "ref": HEAD, "task": "deploy:liftlock"}
    github.deployments.append({"id": 5, "creator": user("dana"), "states": [], **same})
    assert parts.signals.set_deployment(REPO, DEPLOYMENT, None) != 5


# --- sources ---------------------------------------------------------------------------------------------------------


def test_only_merged_pull_requests_brought_a_commit(parts: Parts, github: FakeGitHub) -> None:
    github.commit_pulls = [{"number": 4, "merged_at": "2026-03-01T11:00:00Z"}, {"number": 5, "merged_at": None}]
    assert list(parts.signals.pulls_of(REPO, HEAD)) == [4]


@pytest.mark.parametrize(
    "answer", [(404, {"message": "Not Found"}, {}), (422, {"message": "No commit found for SHA: a"}, {})]
)
def test_a_commit_that_github_does_not_know_came_by_none(parts: Parts, github: FakeGitHub, answer: Answer) -> None:
    github.before = lambda method, path: answer
    assert list(parts.signals.pulls_of(REPO, HEAD)) == []


def commit(n: int) -> Json:
    message = f"Change {n}\n\nLong text"
    author = user("dana") if n % 2 else None
    return {"sha": f"{n:040x}", "author": author, "commit": {"message": message, "author": {"name": "Dana D"}}}


def span(parts: Parts, limit: int) -> Span:
    found = parts.signals.span(REPO, OLD_HEAD, HEAD, limit=limit)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("total", "limit", "count", "requests"),
    [(0, 10, 0, 1), (3, 10, 3, 1), (100, 5, 5, 1), (105, 20, 20, 2), (305, 50, 50, 3), (300, 50, 50, 2)],
)
def test_a_span_has_the_newest_commits_first_and_the_whole_count(
    parts: Parts, github: FakeGitHub, total: int, limit: int, count: int, requests: int
) -> None:
    commits = [commit(n) for n in range(1, total + 1)]
    github.compared[f"{OLD_HEAD}...{HEAD}"] = {"status": "ahead", "commits": commits}
    found = span(parts, limit)
    assert (found.total, found.is_forward, len(github.requests)) == (total, True, requests)
    assert [one.title for one in found.commits] == [f"Change {n}" for n in range(total, total - count, -1)]


def test_a_commit_of_a_span_names_the_account_or_else_who_wrote_it(parts: Parts, github: FakeGitHub) -> None:
    github.compared[f"{OLD_HEAD}...{HEAD}"] = {"status": "ahead", "commits": [commit(1), commit(2)]}
    assert span(parts, 10).commits == (
        SourceCommit(sha=Sha(f"{2:040x}"), author="Dana D", title="Change 2"),
        SourceCommit(sha=Sha(f"{1:040x}"), author="dana", title="Change 1"),
    )


@pytest.mark.parametrize(
    ("status", "forward"), [("ahead", True), ("identical", True), ("behind", False), ("diverged", False)]
)
def test_a_span_is_forward_only_where_the_new_one_descends_from_the_old_one(
    parts: Parts, github: FakeGitHub, status: str, forward: bool
) -> None:
    github.compared[f"{OLD_HEAD}...{HEAD}"] = {"status": status, "commits": []}
    assert span(parts, 10).is_forward is forward


def test_a_span_of_a_commit_that_is_not_known_is_none(parts: Parts) -> None:
    assert parts.signals.span(REPO, OLD_HEAD, HEAD, limit=10) is None
