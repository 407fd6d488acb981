"""What the lab's GitHub answers, and what PyGithub sends to it, conforms to GitHub's published description."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from time import time

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from github import Auth, Github

from bot.domain.model import Digest
from bot.lab.github.attestations import keep_attestation
from bot.lab.github.nouns import MergeQueue
from tests.contract.graphql_conformance import github_violations
from tests.lab.github_world import BRANCH, FILE, OLD, REPO, GitHubWorld, running_github

R = f"/repos/{REPO}"


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path) -> Iterator[GitHubWorld]:
    with running_github(tmp_path) as world:
        yield world


def violations(world: GitHubWorld, *, any_status: bool = False) -> list[str]:
    asked = [exchange for exchange in world.lab.exchanges if exchange.path.startswith("/api/")]
    assert asked
    return [each for exchange in asked for each in github_violations(exchange, any_status=any_status)]


def prepare(world: GitHubWorld) -> None:
    """Fill every list: a pull request with comment, label, review, reviewer, status and check run."""
    number = world.propose()
    head = world.head_of(number)
    world.lab.comment_as("dana", REPO, number, "Looks good")
    world.lab.review_as("dana", REPO, number, "APPROVED", body="Yes")
    world.lab.set_status(REPO, head, "ci", "success")
    world.lab.add_check_run(REPO, head, "build")
    world.lab.add_check_run(REPO, head, "slow", status="in_progress")
    world.http.post(f"{R}/issues/1/labels", json={"labels": ["liftlock"]}).raise_for_status()
    world.http.post(f"{R}/pulls/1/requested_reviewers", json={"reviewers": ["rita"]}).raise_for_status()
    world.http.post(f"{R}/issues/1/assignees", json={"assignees": ["dana"]}).raise_for_status()


@pytest.mark.parametrize(
    "path",
    [
        "/user",
        "/rate_limit",
        R,
        f"{R}/branches",
        f"{R}/branches?protected=true",
        f"{R}/branches/main",
        f"{R}/branches/{BRANCH}",
        f"{R}/git/ref/heads/main",
        f"{R}/git/matching-refs/heads/liftlock",
        f"{R}/commits",
        f"{R}/commits?path={FILE}&sha={BRANCH}",
        f"{R}/commits/main",
        f"{R}/commits/{BRANCH}/status",
        f"{R}/commits/{BRANCH}/statuses",
        f"{R}/commits/{BRANCH}/check-runs?filter=all&check_name=build",
        f"{R}/compare/main...{BRANCH}",
        f"{R}/contents/{FILE}",
        f"{R}/contents/apps?ref={BRANCH}",
        f"{R}/pulls?state=all&head=acme:{BRANCH}&base=main&sort=updated&direction=asc&per_page=1",
        f"{R}/pulls/1",
        f"{R}/pulls/1/files",
        f"{R}/pulls/1/commits",
        f"{R}/pulls/1/reviews",
        f"{R}/pulls/1/requested_reviewers",
        f"{R}/issues/1",
        f"{R}/issues/1/comments",
        f"{R}/issues/1/labels",
        f"{R}/labels",
        f"{R}/labels/liftlock",
        f"{R}/collaborators/dana/permission",
        f"{R}/collaborators/dependabot/permission",
        f"{R}/rules/branches/main",
    ],
)
def test_an_answer_conforms(world: GitHubWorld, path: str) -> None:
    prepare(world)
    assert world.http.get(path).status_code in (200, 404)
    assert violations(world) == []


def _refs(world: GitHubWorld) -> None:
    sha = str(world.lab.head(REPO, "main"))
    later = str(world.lab.commit_as("dana", REPO, "main", {FILE: OLD + "\n"}, "Later"))
    http = world.http
    assert http.post(f"{R}/git/refs", json={"ref": "refs/heads/x/y", "sha": sha}).status_code == 201
    assert http.post(f"{R}/git/refs", json={"ref": "refs/heads/x/y", "sha": sha}).status_code == 422
    assert http.patch(f"{R}/git/refs/heads/x/y", json={"sha": later}).status_code == 200
    assert http.patch(f"{R}/git/refs/heads/x/y", json={"sha": sha, "force": False}).status_code == 422
    assert http.delete(f"{R}/git/refs/heads/x/y").status_code == 204
    assert http.delete(f"{R}/git/refs/heads/x/y").status_code == 422


def _pulls(world: GitHubWorld) -> None:
    prepare(world)
    http, body = world.http, {"title": "Again", "head": BRANCH, "base": "main"}
    assert http.post(f"{R}/pulls", json=body).status_code == 422
    assert http.post(f"{R}/pulls", json={"title": "T", "head": "main", "base": "main"}).status_code == 422
    assert http.patch(f"{R}/pulls/1", json={"title": "New", "body": "Text", "state": "closed"}).status_code == 200
    assert http.patch(f"{R}/pulls/1", json={"state": "open"}).status_code == 200
    assert http.get(f"{R}/pulls/1/merge").status_code == 404
    assert http.put(f"{R}/pulls/1/merge", json={"sha": "0" * 40}).status_code == 409
    assert http.put(f"{R}/pulls/1/merge", json={"merge_method": "squash", "commit_title": "T"}).status_code == 200
    assert http.put(f"{R}/pulls/1/merge").status_code == 405
    assert http.get(f"{R}/pulls/1/merge").status_code == 204
    assert http.get(f"{R}/pulls/1").json()["merged"] is True


def _conversation(world: GitHubWorld) -> None:
    prepare(world)
    http = world.http
    made = http.post(f"{R}/issues/1/comments", json={"body": "one"})
    assert made.status_code == 201
    here = f"{R}/issues/comments/{made.json()['id']}"
    assert http.get(here).status_code == 200
    assert http.patch(here, json={"body": "two"}).status_code == 200
    assert http.post(f"{here}/reactions", json={"content": "eyes"}).status_code == 201
    assert http.post(f"{here}/reactions", json={"content": "eyes"}).status_code == 200
    assert http.post(f"{R}/issues/1/comments", json={"body": ""}).status_code == 422
    assert http.delete(here).status_code == 204
    assert http.post(f"{R}/pulls/1/reviews", json={"event": "COMMENT", "body": "Hm"}).status_code == 200
    assert http.post(f"{R}/pulls/1/reviews", json={"event": "APPROVE"}).status_code == 422


def _labels(world: GitHubWorld) -> None:
    prepare(world)
    http = world.http
    assert http.post(f"{R}/labels", json={"name": "hold", "color": "ff0000", "description": "Stop"}).status_code == 201
    assert http.post(f"{R}/labels", json={"name": "hold"}).status_code == 422
    assert http.put(f"{R}/issues/1/labels", json={"labels": ["hold", "liftlock"]}).status_code == 200
    assert http.delete(f"{R}/issues/1/labels/hold").status_code == 200
    assert http.delete(f"{R}/issues/1/labels/hold").status_code == 404
    assert http.delete(f"{R}/issues/1/labels").status_code == 204
    assert http.patch(f"{R}/issues/1", json={"labels": ["liftlock"], "state": "closed"}).status_code == 200


def _statuses(world: GitHubWorld) -> None:
    sha = str(world.lab.head(REPO, "main"))
    body = {"state": "pending", "context": "liftlock", "description": "Waiting", "target_url": "https://x.example/"}
    assert world.http.post(f"{R}/statuses/{sha}", json=body).status_code == 201


def _protection(world: GitHubWorld) -> None:
    world.lab.add_user("root", {REPO: "admin"})
    with world.client(world.lab.token_of("root")) as root:
        assert root.get(f"{R}/branches/main/protection").status_code == 404
        world.lab.protect(REPO, "main", required_contexts=["ci"], required_approvals=1)
        assert root.get(f"{R}/branches/main/protection").status_code == 200
        assert root.get(f"{R}/branches/main").status_code == 200
        assert root.get(f"{R}/rules/branches/main").json() == []
        world.lab.protect(REPO, "main", required_contexts=["ci"], required_approvals=1, ruleset=True)
        assert len(root.get(f"{R}/rules/branches/main").json()) == 4


def _refusals(world: GitHubWorld) -> None:
    assert world.http.get(f"{R}/pulls/99").status_code == 404
    assert world.http.get("/repos/acme/other").status_code == 404
    with world.client("wrong") as stranger:
        assert stranger.get("/user").status_code == 401
        assert stranger.get(R).status_code == 401
    with world.client(world.lab.token_of("rita")) as rita:
        assert rita.put(f"{R}/pulls/{world.propose()}/merge").status_code == 403
    world.lab.limit_secondary(60)
    assert world.http.get(R).status_code == 403
    world.lab.limit_rate(0, world.clock.now() + timedelta(minutes=5))
    assert world.http.get(R).status_code == 403


def _unchanged(world: GitHubWorld) -> None:
    etag = world.http.get(R).headers["etag"]
    assert world.http.get(R, headers={"If-None-Match": etag}).status_code == 304


@contextmanager
def an_app(world: GitHubWorld) -> Iterator[tuple[httpx.Client, int]]:
    """Register an app; give a client that holds its web token, and the installation's id."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    installation = world.lab.add_app(7, pem)
    claims = {"iss": "7", "iat": int(time()) - 10, "exp": int(time()) + 300}
    with world.client(jwt.encode(claims, key, algorithm="RS256")) as app:
        yield app, installation


def _app(world: GitHubWorld) -> None:
    with an_app(world) as (app, installation):
        assert app.get("/app").status_code == 200
        assert app.get(f"/app/installations/{installation}").status_code == 200
        assert app.get(f"{R}/installation").json()["id"] == installation
        made = app.post(f"/app/installations/{installation}/access_tokens", json={"repositories": ["deploy"]})
        assert made.status_code == 201
    with world.client(made.json()["token"]) as installed:
        body: dict[str, object] = {"name": "liftlock", "head_sha": world.lab.head(REPO, "main"), "status": "queued"}
        run = installed.post(f"{R}/check-runs", json=body)
        assert run.status_code == 201
        output = {"title": "Healthy", "summary": "All gates"}
        done = {"status": "completed", "conclusion": "success", "output": output}
        assert installed.patch(f"{R}/check-runs/{run.json()['id']}", json=done).status_code == 200
        assert installed.get(f"{R}/check-runs/{run.json()['id']}").json()["conclusion"] == "success"


def _reactions(world: GitHubWorld) -> None:
    prepare(world)
    here = f"{R}/issues/comments/{world.lab.comment_as('dana', REPO, 1, 'Hi')}/reactions"
    made = world.http.post(here, json={"content": "rocket"})
    assert made.status_code == 201
    world.lab.react_as("dana", REPO, world.lab.pull(REPO, 1).comments[-1].id, "heart")
    assert [one["content"] for one in world.http.get(here).json()] == ["rocket", "heart"]
    assert len(world.http.get(f"{here}?content=heart").json()) == 1
    assert world.http.delete(f"{here}/{made.json()['id']}").status_code == 204
    assert world.http.delete(f"{here}/{made.json()['id']}").status_code == 404
    theirs = world.http.get(here).json()[0]["id"]
    with world.client(world.lab.token_of("rita")) as rita:
        assert rita.delete(f"{here}/{theirs}").status_code == 403
    assert world.http.delete(f"{here}/{theirs}").status_code == 204


def _deployments(world: GitHubWorld) -> None:
    here, http = f"{R}/deployments", world.http
    made = http.post(here, json={"ref": "main", "environment": "staging", "description": "1.9.0", "auto_merge": False})
    assert made.status_code == 201
    assert made.json()["sha"] == world.lab.head(REPO, "main")
    status = {"state": "success", "environment_url": "https://x.example/", "log_url": "https://x.example/log"}
    assert http.post(f"{here}/{made.json()['id']}/statuses", json=status).status_code == 201
    second = http.post(
        here, json={"ref": "main", "environment": "staging", "required_contexts": [], "payload": {"a": 1}}
    )
    assert http.post(f"{here}/{second.json()['id']}/statuses", json=status).status_code == 201
    states = [one["state"] for one in http.get(f"{here}/{made.json()['id']}/statuses").json()]
    assert states == ["inactive", "success"]
    assert [one["id"] for one in http.get(f"{here}?environment=staging").json()] == [
        second.json()["id"],
        made.json()["id"],
    ]
    assert http.get(f"{here}?environment=production").json() == []
    assert http.get(f"{here}/{made.json()['id']}").json()["description"] == "1.9.0"
    assert http.get(f"{here}/1").status_code == 404
    assert http.post(here, json={"ref": "none"}).status_code == 422
    world.lab.set_status(REPO, str(world.lab.head(REPO, "main")), "ci", "failure")
    assert http.post(here, json={"ref": "main"}).status_code == 409


def _settings(world: GitHubWorld) -> None:
    world.lab.add_user("root", {REPO: "admin"})
    world.lab.add_webhook(REPO, "https://hook.example/", "secret", events=["push", "issue_comment"])
    assert world.http.get(f"{R}/hooks").status_code == 404
    world.lab.protect(
        REPO, "main", required_contexts=["ci", "liftlock"], integrations={"liftlock": 7}, ruleset=True,
        merge_queue=MergeQueue(method="squash"),
    )  # fmt: skip
    rules = {one["type"]: one.get("parameters") for one in world.http.get(f"{R}/rules/branches/main").json()}
    assert rules["required_status_checks"]["required_status_checks"] == [
        {"context": "ci"},
        {"context": "liftlock", "integration_id": 7},
    ]
    assert rules["merge_queue"]["merge_method"] == "SQUASH"
    with world.client(world.lab.token_of("root")) as root:
        (hook,) = root.get(f"{R}/hooks").json()
        assert (hook["active"], hook["events"], hook["config"]["secret"]) == (
            True,
            ["push", "issue_comment"],
            "********",
        )
        world.lab.protect(REPO, "main", required_contexts=["liftlock"], integrations={"liftlock": 7})
        shown = root.get(f"{R}/branches/main/protection").json()["required_status_checks"]
        assert shown["checks"] == [{"context": "liftlock", "app_id": 7}]
        told = root.get(f"{R}/collaborators/root/permission").json()
        assert (told["role_name"], told["user"]["id"]) == ("admin", world.lab.world.account("root").id)


def _pulls_of_a_commit(world: GitHubWorld) -> None:
    head = world.head_of(world.propose())

    def found(sha: str) -> list[int]:
        return [one["number"] for one in world.http.get(f"{R}/commits/{sha}/pulls").json()]

    assert found(head) == [1]
    assert found("main") == []
    merged = str(world.lab.merge_pull(REPO, 1, "dana"))
    assert found(merged) == found(head) == [1]


def _auto_merge(world: GitHubWorld) -> None:
    world.propose()
    world.lab.allow_auto_merge(REPO)
    world.lab.protect(REPO, "main", required_contexts=["ci"])
    world.lab.arm_auto_merge_as("dana", REPO, 1)
    assert world.http.get(f"{R}/pulls/1").json()["auto_merge"]["enabled_by"]["login"] == "dana"
    assert world.http.get(R).json()["allow_auto_merge"] is True


def _attestations(world: GitHubWorld) -> None:
    digest = Digest(f"sha256:{'a' * 64}")
    assert world.http.get(f"{R}/attestations/{digest}").status_code == 404
    bundle = b'{"mediaType":"x","verificationMaterial":{"tlogEntries":[]},"dsseEnvelope":{"payload":""}}'
    for is_inline in (True, False):
        keep_attestation(world.lab.world, REPO, digest, bundle, is_inline=is_inline)
    first = world.http.get(f"{R}/attestations/{digest}?per_page=1")
    assert "bundle" not in first.json()["attestations"][0]
    second = world.http.get(first.links["next"]["url"])
    assert second.json()["attestations"][0]["bundle"]["mediaType"] == "x"
    assert "next" not in second.links


@pytest.mark.parametrize(
    "play",
    [
        _attestations,
        _reactions,
        _deployments,
        _settings,
        _pulls_of_a_commit,
        _auto_merge,
        _refs,
        _pulls,
        _conversation,
        _labels,
        _statuses,
        _protection,
        _refusals,
        _unchanged,
        _app,
    ],
    ids=lambda play: play.__name__.strip("_"),
)
def test_a_sequence_of_calls_conforms(world: GitHubWorld, play: Callable[[GitHubWorld], None]) -> None:
    play(world)
    assert violations(world) == []


def test_what_pygithub_sends_conforms(world: GitHubWorld) -> None:
    prepare(world)
    auth = Auth.Token(world.lab.token)
    github = Github(auth=auth, base_url=world.lab.api_url, seconds_between_writes=None, seconds_between_requests=None)
    with github:
        repo = github.get_repo(REPO)
        pull = repo.get_pull(1)
        pull.edit(title="New title", body="New body")
        pull.create_issue_comment("Hello").edit("Good bye")
        pull.create_review(body="Hm", event="COMMENT")
        assert {run.name for run in repo.get_commit(pull.head.sha).get_check_runs()} == {"build", "slow"}
        assert pull.merge(sha=pull.head.sha, commit_title="Title", commit_message="Body").merged
        repo.get_git_ref(f"heads/{BRANCH}").delete()
        assert [found.number for found in repo.get_pulls(state="closed", head=f"acme:{BRANCH}")] == [1]
    assert violations(world) == []


def test_the_description_of_an_installations_account_asks_for_too_much(world: GitHubWorld) -> None:
    # It describes the account as a user and an enterprise at once; GitHub's own answers are one of them.
    with an_app(world) as (app, installation):
        assert [one["id"] for one in app.get("/app/installations").json()] == [installation]
    assert {found.split(" answer 200 ")[1].split(":")[0] for found in violations(world)} == {"$[0].account"}


def test_pygithub_sends_labels_as_a_bare_list(world: GitHubWorld) -> None:
    # GitHub takes it, although the description no longer has it.
    world.propose()
    answer = world.http.post(f"{R}/issues/1/labels", json=["hold"])
    assert [label["name"] for label in answer.json()] == ["hold"]
    assert violations(world) == [f"POST /api/v3{R}/issues/1/labels: request $: ['hold'] is not of type 'object'"]


def test_an_injected_error_breaks_the_contract_by_its_status_only(world: GitHubWorld) -> None:
    world.lab.fail_next("GET", R, 502)
    assert world.http.get(R).status_code == 502
    assert violations(world) == [f"GET /api/v3{R}: status 502 is not listed"]
    assert violations(world, any_status=True) == []
