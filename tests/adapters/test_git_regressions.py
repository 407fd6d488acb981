"""Faults that were found in the Git adapter, each with the smallest world that shows it."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

from bot.adapters.git import GitLimits, GitRepositories, GitSettings, deepening
from bot.adapters.git.complaints import Attempted, explain
from bot.domain.model import Sha, Trouble
from bot.ports import FileCommit, Permanent, Transient
from bot.tag_history import TagReader
from tests.adapters.gitserver import GitServer, StoppedClock, contains
from tests.builders import a_policy
from tests.fake_world import PRODUCTION_FILE, values

REPO = "acme/deploy"
FILE = "values.yaml"


@pytest.fixture
def server(tmp_path: Path) -> GitServer:
    made = GitServer(tmp_path / "server", REPO)
    made.commit({FILE: "tag: v1\n", "other": "0\n", "unread": "0\n"}, message="first\n")
    return made


def make_repositories(tmp_path: Path, server: GitServer, limits: GitLimits | None = None) -> GitRepositories:
    settings = GitSettings(
        mirrors=tmp_path / "mirrors", url=server.url, limits=limits or GitLimits(pause=timedelta(milliseconds=5))
    )
    return GitRepositories(settings, token=lambda repository: None, clock=StoppedClock())


def commit(repositories: GitRepositories, parent: Sha, text: str = "tag: v2\n") -> Sha:
    plan = FileCommit(repository=REPO, parent=parent, files={FILE: text}, message="m\n")
    return repositories.commit_file(plan)


def test_upkeep_keeps_a_commit_of_ours_that_somebody_built_on(tmp_path: Path, server: GitServer) -> None:
    repositories = make_repositories(tmp_path, server, GitLimits(packs=1))
    first = repositories.refresh(REPO, "main")
    ours = commit(repositories, first)
    repositories.push(REPO, "main", ours, expected=first)
    repositories.refresh(REPO, "main")
    server.commit({"other": "1\n"})
    repositories.refresh(REPO, "main")
    week_ago = time.time() - 8 * 86400
    for path in (tmp_path / "mirrors").rglob("objects/??/*"):
        os.utime(path, (week_ago, week_ago))
    for number in range(3):
        server.commit({"other": f"{number + 2}\n"})
        head = repositories.refresh(REPO, "main")
        repositories.read_file(REPO, head, "other")
    again = make_repositories(tmp_path, server)
    assert contains(again, REPO, head, first) is True
    assert again.read_file(REPO, ours, FILE) == "tag: v2\n"


def test_a_no_of_git_that_comes_with_a_missing_object_is_no_answer(tmp_path: Path, server: GitServer) -> None:
    repositories = make_repositories(tmp_path, server)
    first = repositories.refresh(REPO, "main")
    ours = commit(repositories, first)
    repositories.push(REPO, "main", ours, expected=first)
    above = server.commit({"other": "1\n"})
    head = repositories.refresh(REPO, "main")
    (tmp_path / "mirrors" / f"{REPO}.git" / "objects" / ours[:2] / ours[2:]).unlink()
    again = make_repositories(tmp_path, server)
    assert contains(again, REPO, head, first) is True
    assert head == above


def test_a_branch_of_ours_is_pushed_although_main_has_moved_unseen(tmp_path: Path, server: GitServer) -> None:
    repositories = make_repositories(tmp_path, server)
    made = commit(repositories, repositories.refresh(REPO, "main"))
    server.commit({"z": "1\n"})
    repositories.push(REPO, "liftlock/x", made, expected=None)
    assert server.head("liftlock/x") == made


def test_a_file_whose_path_was_once_a_folder_has_its_whole_history(tmp_path: Path, server: GitServer) -> None:
    server.commit({"conf": "1\n"})
    server.commit({"conf": "2\n"})
    server.commit({"conf": None, "conf/x": "1\n"})
    for number in range(2, 5):
        server.commit({"conf/x": f"{number}\n"})
    server.commit({"conf/x": None, "conf": "3\n"})
    repositories = make_repositories(tmp_path, server)
    head = repositories.refresh(REPO, "main")
    for limit in (4, 50):
        assert len(repositories.file_history(REPO, head, "conf", limit=limit).versions) == 4


def test_a_force_push_right_after_the_first_fetch_leaves_no_incomplete_mirror(
    tmp_path: Path, server: GitServer
) -> None:
    good = server.head("main")
    assert good
    server.commit({"other": "1\n"})
    server.commit({"other": "2\n"})
    repositories = make_repositories(tmp_path, server)
    repositories.refresh(REPO, "main")
    server.git("update-ref", "refs/heads/main", good)
    server.commit({"other": "3\n"})
    for reader in (repositories, make_repositories(tmp_path, server)):
        head = reader.refresh(REPO, "main")
        history = reader.file_history(REPO, head, FILE, limit=50)
        assert ([version.commit for version in history.versions], history.complete) == ([good], True)


def test_a_history_that_is_not_known_is_not_a_file_that_does_not_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deepening, "FIRST_STEP", 1)
    server = GitServer(tmp_path / "server", REPO)
    server.commit({PRODUCTION_FILE: values("1")})
    for number in range(30):
        server.commit({"other": f"{number}\n"})
    repositories = make_repositories(tmp_path, server, GitLimits(history_commits=5))
    head = repositories.refresh(REPO, "main", [PRODUCTION_FILE])
    policy = a_policy()
    found = TagReader(repositories=repositories).read(policy, policy.stage("production"), head)
    assert isinstance(found, Trouble)
    assert found.sentence.startswith(f"the history that is known of {PRODUCTION_FILE} does not reach the commit")


def test_a_backward_push_of_a_commit_that_nobody_has_is_not_known_to_be_forward(
    tmp_path: Path, server: GitServer
) -> None:
    for number in range(5):
        server.commit({"other": f"{number}\n"})
    repositories = make_repositories(tmp_path, server)
    old = repositories.refresh(REPO, "main")
    made = commit(repositories, old)
    newer = server.commit({"other": "9\n"})
    with pytest.raises((Permanent, Transient), match=r"would lose commits|not known whether the push"):
        repositories.push(REPO, "main", made, expected=newer)
    assert server.head("main") == newer


@pytest.mark.parametrize(
    ("stderr", "words"),
    [
        ("fatal: mismatched algorithms: client sha1; server sha256", "object names of another kind (SHA-256)"),
        (
            "error: Server does not allow request for unadvertised object 1234",
            "set uploadpack.allowAnySHA1InWant on the server",
        ),
    ],
)
def test_what_a_server_cannot_do_is_said_and_not_blamed_on_the_mirror(stderr: str, words: str) -> None:
    error = explain(stderr, Attempted(what="the fetch", repository=REPO))
    assert isinstance(error, Permanent)
    assert words in error.sentence


def test_a_repository_with_sha256_names_is_refused_with_its_reason(tmp_path: Path) -> None:
    server = GitServer(tmp_path / "server", REPO)
    for path in sorted(server.directory.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    server.git("init", "--quiet", "--bare", "--initial-branch=main", "--object-format=sha256")
    server.commit({FILE: "tag: v1\n"})
    with pytest.raises(Permanent, match=r"object names of another kind \(SHA-256\)"):
        make_repositories(tmp_path, server).refresh(REPO, "main")
