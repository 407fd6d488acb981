"""The Git database of the lab's GitHub: trees and commits, who may make them, and what is refused in its words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from bot.lab.github.git import Bare, Commit
from tests.contract.conformance import GITHUB
from tests.lab.github_world import FILE, NEW, OLD, REPO, GitHubWorld, git, running_github

R = f"/repos/{REPO}"
TREES, COMMITS = f"{R}/git/trees", f"{R}/git/commits"
NOWHERE = "0123456789" * 4
CONTENT_OR_SHA = "Must supply either tree.sha or tree.content. Request will be rejected if both are present."
DANA = {"name": "Dana", "email": "dana@acme.example"}


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path) -> Iterator[GitHubWorld]:
    with running_github(tmp_path) as world:
        yield world


def head_of(world: GitHubWorld) -> Commit:
    return world.lab.log(REPO, "main")[0]


def an_entry(**changes: object) -> dict[str, object]:
    return {"path": FILE, "mode": "100644", "type": "blob", "content": NEW, **changes}


def post_tree(world: GitHubWorld, *entries: Mapping[str, object]) -> httpx.Response:
    return world.http.post(TREES, json={"base_tree": head_of(world).tree, "tree": list(entries)})


def a_commit(world: GitHubWorld, **changes: object) -> dict[str, object]:
    head = head_of(world)
    return {"message": "Change", "tree": head.tree, "parents": [head.sha], **changes}


def app_client(world: GitHubWorld, **permissions: str) -> httpx.Client:
    """Return a client that acts as the installation of an app."""
    world.lab.add_app(7, "")
    held = permissions or {"contents": "write"}
    with world.lab.world.lock:
        token, _ = world.lab.world.issue_installation_token(world.lab.world.apps[7], held, None)
    return world.client(token)


def violations(world: GitHubWorld) -> list[str]:
    return [said for one in world.lab.exchanges if one.path.startswith("/api/") for said in GITHUB.violations(one)]


# --- trees ---


def test_a_tree_is_its_base_with_the_entries_in_their_places(world: GitHubWorld) -> None:
    made = post_tree(world, an_entry(), an_entry(path="run.sh", mode="100755", content="#!/bin/sh\n"))
    assert made.status_code == 201
    body = made.json()
    rows = [(one["path"], one["mode"], one["type"]) for one in body["tree"]]
    assert rows == [("README.md", "100644", "blob"), ("apps", "040000", "tree"), ("run.sh", "100755", "blob")]
    assert [one.get("size") for one in body["tree"]] == [23, None, 10]
    assert world.lab.read(REPO, body["sha"], FILE) == NEW
    assert made.headers["location"] == body["url"] == f"{world.lab.api_url}{TREES}/{body['sha']}"
    assert violations(world) == []


def test_a_tree_without_a_base_has_the_entries_only(world: GitHubWorld) -> None:
    body = world.http.post(TREES, json={"tree": [an_entry(path="a")]}).json()
    assert [one["path"] for one in body["tree"]] == ["a"]


def test_an_entry_takes_the_place_of_a_directory(world: GitHubWorld) -> None:
    body = post_tree(world, an_entry(path="apps", content="a file now")).json()
    assert [(one["path"], one["type"]) for one in body["tree"]] == [("README.md", "blob"), ("apps", "blob")]


def test_an_entry_may_name_a_blob_or_delete_a_file(world: GitHubWorld) -> None:
    readme = next(one for one in post_tree(world, an_entry()).json()["tree"] if one["path"] == "README.md")
    copied = {"path": "COPY.md", "mode": "100644", "type": "blob", "sha": readme["sha"]}
    deleted = {"path": "README.md", "mode": "100644", "type": "blob", "sha": None}
    body = post_tree(world, copied, deleted).json()
    assert [one["path"] for one in body["tree"]] == ["COPY.md", "apps"]
    assert violations(world) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mode": "644"}, "Must supply a valid tree.mode"),
        ({"mode": None}, "Must supply a valid tree.mode"),
        ({"mode": "040000"}, "A subdirectory may not have content"),
        ({"path": None}, "Must supply a valid tree.path"),
        ({"path": "/a"}, "tree.path cannot start with a slash"),
        ({"path": "apps/../../a"}, "tree.path contains a malformed path component"),
        ({"path": "apps//a"}, "tree.path contains a malformed path component"),
        ({"path": ".GIT/config"}, "tree.path contains a malformed path component"),
        ({"content": None}, CONTENT_OR_SHA),
        ({"sha": NOWHERE}, CONTENT_OR_SHA),
        ({"content": None, "sha": NOWHERE}, f"tree.sha {NOWHERE} is not a valid blob"),
    ],
)
def test_an_entry_that_cannot_be_is_refused(world: GitHubWorld, changes: dict[str, object], message: str) -> None:
    refused = post_tree(world, an_entry(**changes))
    assert (refused.status_code, refused.json()["message"]) == (422, message)
    assert set(refused.json()) == {"message", "documentation_url", "status"}
    answers = [said for said in violations(world) if " answer " in said]
    assert answers == []


def test_a_file_that_is_not_there_is_not_deleted(world: GitHubWorld) -> None:
    refused = post_tree(world, {"path": "none", "mode": "100644", "type": "blob", "sha": None})
    assert (refused.status_code, refused.json()["message"]) == (422, "GitRPC::BadObjectState")


@pytest.mark.parametrize("base", [NOWHERE, "main", "a commit"])
def test_a_base_that_is_no_tree_is_refused(world: GitHubWorld, base: str) -> None:
    named = head_of(world).sha if base == "a commit" else base
    refused = world.http.post(TREES, json={"base_tree": named, "tree": [an_entry()]})
    assert (refused.status_code, refused.json()["message"]) == (422, "base_tree is not a valid tree oid")
    assert violations(world) == []


@pytest.mark.parametrize("tree", [None, [], "a", ["a"]])
def test_a_list_that_is_none_is_refused(world: GitHubWorld, tree: object) -> None:
    refused = world.http.post(TREES, json={"tree": tree})
    assert (refused.status_code, refused.json()["message"]) == (422, "Invalid tree info")


# --- commits ---


def test_a_commit_of_a_user_is_the_users_and_unsigned(world: GitHubWorld) -> None:
    before = world.lab.branches(REPO)
    world.clock.advance(timedelta(minutes=5))
    made = world.http.post(COMMITS, json=a_commit(world, message="Change\n\nWhy"))
    body, head = made.json(), head_of(world)
    assert made.status_code == 201
    assert made.headers["location"] == body["url"] == f"{world.lab.api_url}{COMMITS}/{body['sha']}"
    assert (body["message"], body["tree"]["sha"]) == ("Change\n\nWhy", head.tree)
    assert [one["sha"] for one in body["parents"]] == [head.sha]
    assert body["author"] == body["committer"]
    assert (body["author"]["name"], body["author"]["date"]) == ("liftlock", "2026-03-01T12:05:00Z")
    assert (body["verification"]["verified"], body["verification"]["reason"]) == (False, "unsigned")
    assert world.lab.branches(REPO) == before
    assert violations(world) == []


def test_a_commit_of_an_app_is_signed_for_its_bot(world: GitHubWorld) -> None:
    with app_client(world) as app:
        body = app.post(COMMITS, json=a_commit(world)).json()
    bot = world.lab.world.account("app-7[bot]")
    assert body["author"] == body["committer"] == {
        "name": "app-7[bot]",
        "email": f"{bot.id}+app-7[bot]@users.noreply.github.com",
        "date": "2026-03-01T12:00:00Z",
    }  # fmt: skip
    said = body["verification"]
    assert (said["verified"], said["reason"], said["verified_at"]) == (True, "valid", "2026-03-01T12:00:00Z")
    raw = Bare(world.lab.git_directory(REPO)).run("cat-file", "commit", body["sha"]).decode()
    folded = said["signature"].rstrip("\n").replace("\n", "\n ")
    assert raw == said["payload"].replace("\n\nChange", f"\ngpgsig {folded}\n\nChange")
    assert world.http.get(f"{R}/commits/{body['sha']}").json()["commit"]["verification"] == said
    assert violations(world) == []


def test_a_signed_commit_is_fetched_by_its_name_and_is_sound(world: GitHubWorld, tmp_path: Path) -> None:
    with app_client(world) as app:
        sha = app.post(COMMITS, json=a_commit(world)).json()["sha"]
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    git("init", "--quiet", "--bare", ".", cwd=mirror)
    git("fetch", "--quiet", world.lab.clone_url(REPO, "rita"), sha, cwd=mirror)
    git("fsck", "--strict", "--no-dangling", sha, cwd=mirror)
    assert git("log", "--format=%s", "--max-count=1", sha, cwd=mirror).stdout == "Change\n"


@pytest.mark.parametrize("own", [{"author": DANA}, {"committer": DANA}, {"author": DANA, "signature": "mine"}])
def test_a_commit_of_an_app_with_words_of_its_own_is_unsigned(world: GitHubWorld, own: dict[str, object]) -> None:
    with app_client(world) as app:
        body = app.post(COMMITS, json=a_commit(world, **own)).json()
    assert body["verification"] == {
        "verified": False, "reason": "unsigned", "signature": None, "payload": None, "verified_at": None,
    }  # fmt: skip
    assert violations(world) == []


def test_who_wrote_a_commit_committed_it_unless_another_is_named(world: GitHubWorld) -> None:
    author = {**DANA, "date": "2025-12-24T18:00:00+01:00"}
    body = world.http.post(COMMITS, json=a_commit(world, author=author)).json()
    assert body["author"] == body["committer"] == {**DANA, "date": "2025-12-24T17:00:00Z"}
    committer = {"name": "Rita", "email": "rita@acme.example"}
    body = world.http.post(COMMITS, json=a_commit(world, author=author, committer=committer)).json()
    assert body["author"] == {**DANA, "date": "2025-12-24T17:00:00Z"}
    assert body["committer"] == {**committer, "date": "2026-03-01T12:00:00Z"}
    assert violations(world) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"message": None}, "Validation Failed"),
        ({"tree": None}, "Validation Failed"),
        ({"tree": NOWHERE}, "Tree SHA does not exist"),
        ({"tree": "main"}, "Tree SHA does not exist"),
        ({"parents": [NOWHERE]}, "Parent SHA does not exist or is not a commit object"),
        ({"parents": ["main"]}, "Parent SHA does not exist or is not a commit object"),
        ({"author": {"name": "Dana"}}, "Validation Failed"),
        ({"author": {**DANA, "date": "yesterday"}}, "Invalid request.\n\n'yesterday' is not a date/time."),
    ],
)
def test_a_commit_that_cannot_be_is_refused(world: GitHubWorld, changes: dict[str, object], message: str) -> None:
    refused = world.http.post(COMMITS, json=a_commit(world, **changes))
    assert (refused.status_code, refused.json()["message"]) == (422, message)
    answers = [said for said in violations(world) if " answer " in said]
    assert answers == []


def test_a_commit_becomes_visible_by_a_ref(world: GitHubWorld) -> None:
    tree = post_tree(world, an_entry()).json()["sha"]
    sha = world.http.post(COMMITS, json=a_commit(world, tree=tree)).json()["sha"]
    assert world.lab.read(REPO, "main", FILE) == OLD
    world.http.patch(f"{R}/git/refs/heads/main", json={"sha": sha}).raise_for_status()
    assert world.lab.read(REPO, "main", FILE) == NEW
    assert violations(world) == []


# --- who may ---


@pytest.mark.parametrize("path", ["trees", "commits"])
@pytest.mark.parametrize(
    ("login", "repository", "status"),
    [("rita", REPO, 403), ("nobody", REPO, 404), ("liftlock", "acme/none", 404), ("dana", REPO, 422)],
)
def test_only_who_may_write_makes_objects(
    world: GitHubWorld, path: str, login: str, repository: str, status: int
) -> None:
    with world.client(world.lab.token_of(login)) as http:
        assert http.post(f"/repos/{repository}/git/{path}", json={}).status_code == status


@pytest.mark.parametrize("path", [TREES, COMMITS])
def test_an_app_needs_the_right_to_write_contents(world: GitHubWorld, path: str) -> None:
    with app_client(world, contents="read", pull_requests="write") as app:
        refused = app.post(path, json={})
    assert (refused.status_code, refused.json()["message"]) == (403, "Resource not accessible by integration")
