"""Git over HTTP: who may read and push, protected branches, and pull requests that follow what is pushed."""

from __future__ import annotations

import gzip
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from tests.lab.github_world import BRANCH, FILE, NEW, OLD, REPO, GitHubWorld, git, running_github


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path) -> Iterator[GitHubWorld]:
    with running_github(tmp_path) as world:
        yield world


def clone(world: GitHubWorld, folder: Path, login: str = "liftlock", *options: str) -> Path:
    git("clone", "--quiet", *options, world.lab.clone_url(REPO, login), str(folder / login), cwd=folder)
    return folder / login


def commit(work: Path, branch: str, text: str) -> str:
    git("checkout", "--quiet", "-B", branch, cwd=work)
    (work / FILE).write_text(text, encoding="utf-8")
    git("commit", "--quiet", "--all", "--message=Change", cwd=work)
    return git("rev-parse", "HEAD", cwd=work).stdout.strip()


def push(work: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return git("push", "--quiet", "origin", *arguments, cwd=work, check=False)


def test_a_partial_bare_clone_reads_and_a_push_arrives(world: GitHubWorld, tmp_path: Path) -> None:
    work = clone(world, tmp_path)
    sha = commit(work, BRANCH, NEW)
    assert push(work, BRANCH).returncode == 0
    assert world.lab.head(REPO, BRANCH) == sha
    mirror = clone(world, tmp_path, "rita", "--bare", "--filter=blob:none")
    assert git("cat-file", "blob", f"{sha}:{FILE}", cwd=mirror).stdout == NEW


def test_one_commit_can_be_fetched_by_its_name(world: GitHubWorld, tmp_path: Path) -> None:
    first = str(world.lab.head(REPO, "main"))
    world.lab.commit_as("dana", REPO, "main", {FILE: NEW}, "Later")
    git("init", "--quiet", "--bare", ".", cwd=tmp_path)
    git("fetch", "--quiet", "--depth=1", world.lab.clone_url(REPO, "rita"), first, cwd=tmp_path)
    assert git("cat-file", "blob", f"{first}:{FILE}", cwd=tmp_path).stdout == OLD


def test_protocol_version_2_is_spoken_with_gzipped_requests(world: GitHubWorld) -> None:
    url = f"{world.lab.url}/{REPO}.git"
    ask = gzip.compress(b"0014command=ls-refs\n00010009peel\n0000")
    with httpx.Client(auth=("x-access-token", world.lab.token), trust_env=False) as http:
        offered = http.get(f"{url}/info/refs?service=git-upload-pack", headers={"git-protocol": "version=2"})
        assert b"version 2" in offered.content
        headers = {
            "git-protocol": "version=2",
            "content-encoding": "gzip",
            "content-type": "application/x-git-upload-pack-request",
        }
        told = http.post(f"{url}/git-upload-pack", content=ask, headers=headers)
    assert f"{world.lab.head(REPO, 'main')} refs/heads/main".encode() in told.content


@pytest.mark.parametrize(
    ("login", "repository", "status"),
    [(None, REPO, 401), ("wrong", REPO, 401), ("nobody", REPO, 404), ("rita", "acme/other", 404), ("rita", REPO, 200)],
)
def test_reading_needs_a_known_token_that_may_see_the_repository(
    world: GitHubWorld, login: str | None, repository: str, status: int
) -> None:
    token = "wrong" if login == "wrong" else world.lab.token_of(login or "")
    auth = None if login is None else ("any", token)
    url = f"{world.lab.url}/{repository}.git/info/refs?service=git-upload-pack"
    answer = httpx.get(url, auth=auth, trust_env=False)
    assert answer.status_code == status
    assert ("www-authenticate" in answer.headers) == (status == 401)


def test_a_reader_may_not_push(world: GitHubWorld, tmp_path: Path) -> None:
    work = clone(world, tmp_path, "rita")
    commit(work, BRANCH, NEW)
    refused = push(work, BRANCH)
    assert refused.returncode != 0
    assert "403" in refused.stderr
    assert world.lab.head(REPO, BRANCH) is None


def test_a_protected_branch_refuses_a_push_in_githubs_words(world: GitHubWorld, tmp_path: Path) -> None:
    world.lab.protect(REPO, "main", restrict_pushes=True)
    before = world.lab.head(REPO, "main")
    work = clone(world, tmp_path)
    commit(work, "main", NEW)
    git("branch", BRANCH, cwd=work)
    refused = push(work, "main", BRANCH)
    assert "remote: error: GH006: Protected branch update failed for refs/heads/main." in refused.stderr
    assert "Changes must be made through a pull request." in refused.stderr
    assert world.lab.head(REPO, "main") == before
    assert world.lab.head(REPO, BRANCH) is not None


def test_who_may_push_to_a_protected_branch_may_not_rewrite_it(world: GitHubWorld, tmp_path: Path) -> None:
    world.lab.protect(REPO, "main", may_push=["dana"])
    work = clone(world, tmp_path, "dana")
    sha = commit(work, "main", NEW)
    assert push(work, "main").returncode == 0
    git("commit", "--quiet", "--amend", "--message=Other", cwd=work)
    assert "Cannot force-push to this branch" in push(work, "--force", "main").stderr
    assert "Cannot delete this branch" in push(work, ":main").stderr
    assert world.lab.head(REPO, "main") == sha


def test_a_pull_request_follows_its_branch(world: GitHubWorld, tmp_path: Path) -> None:
    number = world.propose()
    work = clone(world, tmp_path)
    git("checkout", "--quiet", BRANCH, cwd=work)
    sha = commit(work, BRANCH, NEW + "# more\n")
    push(work, BRANCH)
    found = world.pull(number)
    assert (found["state"], found["commits"]) == ("open", 2)
    assert world.head_of(number) == sha
    mirror = git("ls-remote", "origin", f"refs/pull/{number}/head", cwd=work).stdout
    assert mirror.startswith(sha)


def test_a_pull_request_whose_branch_is_deleted_is_closed(world: GitHubWorld, tmp_path: Path) -> None:
    number = world.propose()
    push(clone(world, tmp_path, "dana"), f":{BRANCH}")
    found = world.http.get(f"/repos/{REPO}/issues/{number}").json()
    assert (found["state"], found["closed_by"]["login"]) == ("closed", "dana")
    assert world.pull(number)["merged"] is False


@pytest.mark.parametrize("fast_forward", [True, False])
def test_a_pull_request_that_is_merged_by_a_push_is_merged(
    world: GitHubWorld, tmp_path: Path, fast_forward: bool
) -> None:
    number = world.propose()
    work = clone(world, tmp_path, "dana")
    git("merge", "--quiet", "--ff" if fast_forward else "--no-ff", f"origin/{BRANCH}", cwd=work)
    push(work, "main")
    found = world.pull(number)
    assert (found["merged"], found["state"]) == (True, "closed")
    assert found["merge_commit_sha"] == git("rev-parse", "HEAD", cwd=work).stdout.strip()
    merged_by = world.lab.pull(REPO, number).merged_by
    assert merged_by is not None
    assert merged_by.login == "dana"
    assert len(world.http.get(f"/repos/{REPO}/pulls/{number}/files").json()) == 1


def test_commits_of_the_lab_carry_the_clocks_time(world: GitHubWorld) -> None:
    world.clock.advance(timedelta(hours=3))
    world.lab.commit_as("dana", REPO, "main", {FILE: NEW, "README.md": None}, "Later")
    newest = world.lab.log(REPO, "main")[0]
    assert (newest.authored_at, newest.committed_at) == (world.clock.now(), world.clock.now())
    assert world.lab.read(REPO, "main", "README.md") is None
    assert world.lab.read(REPO, "main", FILE) == NEW


def test_a_push_whose_answer_is_lost_has_arrived(world: GitHubWorld, tmp_path: Path) -> None:
    work = clone(world, tmp_path)
    sha = commit(work, BRANCH, NEW)
    world.lab.fail_next("POST", f"/{REPO}.git/git-receive-pack", 502, after_write=True)
    assert push(work, BRANCH).returncode != 0
    assert world.lab.head(REPO, BRANCH) == sha


def test_a_commit_is_made_without_a_folder_beside_the_lab_that_an_interrupt_would_leave(
    world: GitHubWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "no-such-folder"))
    world.lab.commit_as("alice", REPO, "main", {FILE: "changed\n"}, "Change")
