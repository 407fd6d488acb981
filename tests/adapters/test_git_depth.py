"""How much history a mirror holds, how it gets more, and that a boundary is never taken for a beginning."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from bot.adapters.git import GitLimits, GitRepositories, GitSettings, deepening, mirror
from bot.adapters.git.processes import Outcome, Run, run_git
from bot.domain.model import Sha
from bot.ports import FileCommit, Transient
from tests.adapters.gitserver import GitServer, StoppedClock, contains

REPO = "acme/deploy"
FILE = "apps/checkout/values.yaml"
OTHER = "apps/other/values.yaml"


@pytest.fixture
def server(tmp_path: Path) -> GitServer:
    made = GitServer(tmp_path / "server", REPO)
    made.commit({FILE: "tag: v0\n", OTHER: "tag: v0\n", "README.md": "0\n"}, message="first\n")
    return made


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deepening, "FIRST_STEP", 3)


def make_repositories(tmp_path: Path, server: GitServer, *, history: int = 50_000) -> GitRepositories:
    limits = GitLimits(pause=timedelta(milliseconds=5), history_commits=history)
    settings = GitSettings(mirrors=tmp_path / "mirrors", url=server.url, limits=limits)
    return GitRepositories(settings, token=lambda repository: None, clock=StoppedClock())


def fill(server: GitServer, commits: int) -> list[Sha]:
    return [server.commit({"README.md": f"{number}\n"}) for number in range(1, commits + 1)]


def held_commits(tmp_path: Path) -> int:
    """Count the commits that the mirror holds, as far as git follows them."""
    directory = tmp_path / "mirrors" / f"{REPO}.git"
    server = GitServer.__new__(GitServer)
    server.directory = directory
    return int(server.git("rev-list", "--all", "--count"))


@contextmanager
def git_commands(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Note which git commands are run."""
    seen: list[str] = []

    def noted(directory: Path, order: Run) -> Outcome:
        seen.append(order.arguments[0])
        return run_git(directory, order)

    with monkeypatch.context() as patch:
        patch.setattr(mirror, "run_git", noted)
        yield seen


def test_a_mirror_begins_with_the_newest_commit_alone(tmp_path: Path, server: GitServer) -> None:
    fill(server, 20)
    repositories = make_repositories(tmp_path, server)
    head = repositories.refresh(REPO, "main")
    assert held_commits(tmp_path) == 1
    assert repositories.read_file(REPO, head, FILE) == "tag: v0\n"
    made = repositories.commit_file(FileCommit(repository=REPO, parent=head, files={FILE: "tag: v1\n"}, message="m\n"))
    repositories.push(REPO, "main", made, expected=head)
    assert server.head("main") == made
    assert held_commits(tmp_path) <= 2


def test_history_comes_as_far_as_a_question_needs_it(tmp_path: Path, server: GitServer) -> None:
    fill(server, 40)
    set_v1 = server.commit({FILE: "tag: v1\n"})
    fill(server, 5)
    repositories = make_repositories(tmp_path, server)
    head = repositories.refresh(REPO, "main")
    found = repositories.file_history(REPO, head, FILE, limit=1)
    assert [version.commit for version in found.versions] == [set_v1]
    assert not found.complete
    assert held_commits(tmp_path) < 30


def test_a_boundary_commit_is_not_the_one_that_set_the_file(tmp_path: Path, server: GitServer) -> None:
    first = server.head("main")
    fill(server, 2)
    repositories = make_repositories(tmp_path, server)
    head = repositories.refresh(REPO, "main")
    found = repositories.file_history(REPO, head, FILE, limit=9)
    assert [version.commit for version in found.versions] == [first]
    assert found.complete


@pytest.mark.parametrize("restarted", [False, True])
def test_history_at_every_depth_is_the_same(tmp_path: Path, server: GitServer, *, restarted: bool) -> None:
    wanted = [server.head("main")]
    for number in range(1, 8):
        fill(server, number)
        wanted.insert(0, server.commit({FILE: f"tag: v{number}\n"}))
    for limit in range(1, 9):
        repositories = make_repositories(tmp_path, server)
        head = repositories.refresh(REPO, "main")
        found = repositories.file_history(REPO, head, FILE, limit=limit)
        assert [version.commit for version in found.versions] == wanted[:limit]
        if restarted:
            again = make_repositories(tmp_path, server)
            again.refresh(REPO, "main")
            assert again.file_history(REPO, head, FILE, limit=limit).versions == found.versions


def test_at_the_limit_of_the_settings_a_history_is_incomplete_and_ancestry_is_not_known(
    tmp_path: Path, server: GitServer
) -> None:
    first = server.head("main")
    assert first
    fill(server, 60)
    repositories = make_repositories(tmp_path, server, history=10)
    head = repositories.refresh(REPO, "main")
    found = repositories.file_history(REPO, head, FILE, limit=5)
    assert (found.versions, found.complete) == ((), False)
    assert held_commits(tmp_path) < 20
    stranger = server.commit({"x": "y"}, branch="side", parents=(first,))
    assert contains(repositories, REPO, head, stranger) is None
    assert contains(repositories, REPO, head, head) is True


def test_ancestry_is_found_beyond_the_boundary(tmp_path: Path, server: GitServer) -> None:
    first, middle = server.head("main"), fill(server, 20)[9]
    assert first
    side = server.commit({"x": "y"}, branch="side", parents=(first,))
    repositories = make_repositories(tmp_path, server)
    head = repositories.refresh(REPO, "main")
    assert contains(repositories, REPO, head, middle) is True
    assert contains(repositories, REPO, head, first) is True
    assert contains(repositories, REPO, head, side) is False
    assert contains(repositories, REPO, middle, head) is False
    assert contains(repositories, REPO, side, middle) is False


def test_a_branch_that_left_long_ago_is_compared_with_the_commit_where_it_did(
    tmp_path: Path, server: GitServer
) -> None:
    first = server.head("main")
    assert first
    fill(server, 20)
    side = server.commit({OTHER: "mine\n"}, branch="liftlock/x", parents=(first,))
    repositories = make_repositories(tmp_path, server)
    head = repositories.refresh(REPO, "main")
    change = repositories.branch_change(REPO, head, "liftlock/x")
    assert change is not None
    assert (change.head, change.fork, change.paths) == (side, first, (OTHER,))


def test_a_branch_that_left_before_the_limit_is_not_compared(tmp_path: Path, server: GitServer) -> None:
    first = server.head("main")
    assert first
    fill(server, 60)
    server.commit({OTHER: "mine\n"}, branch="liftlock/x", parents=(first,))
    repositories = make_repositories(tmp_path, server, history=10)
    head = repositories.refresh(REPO, "main")
    with pytest.raises(Transient, match="left its base too long ago"):
        repositories.branch_change(REPO, head, "liftlock/x")


def test_two_tracked_branches_share_a_mirror(tmp_path: Path, server: GitServer) -> None:
    fork = fill(server, 6)[2]
    set_there = server.commit({FILE: "tag: r1\n"}, branch="release", parents=(fork,))
    repositories = make_repositories(tmp_path, server)
    head = repositories.refresh(REPO, "main")
    assert repositories.file_history(REPO, head, FILE, limit=9).complete
    there = repositories.refresh(REPO, "release")
    found = repositories.file_history(REPO, there, FILE, limit=9)
    assert found.versions[0].commit == set_there
    assert len(found.versions) == 2
    assert len(repositories.file_history(REPO, head, FILE, limit=9).versions) == 1


# --- what is carried forward -----------------------------------------------------------------------------------------


def test_files_that_did_not_change_cost_no_process_after_the_branch_moved(
    tmp_path: Path, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    repositories = make_repositories(tmp_path, server)
    head = repositories.refresh(REPO, "main", [FILE, OTHER])
    before = repositories.file_history(REPO, head, FILE, limit=9)
    repositories.file_history(REPO, head, OTHER, limit=9)
    fill(server, 3)
    changed = server.commit({OTHER: "tag: v1\n"})
    with git_commands(monkeypatch) as refreshing:
        head = repositories.refresh(REPO, "main", [FILE, OTHER])
    assert refreshing == ["fetch", "rev-parse", "log"]
    with git_commands(monkeypatch) as asking:
        assert repositories.file_history(REPO, head, FILE, limit=9) == before
        assert repositories.file_history(REPO, head, FILE, limit=9, since=before.versions[0].commit).joins
    assert asking == []
    since = repositories.file_history(REPO, head, OTHER, limit=9, since=before.versions[0].commit)
    assert ([version.commit for version in since.versions], since.joins) == ([changed], True)


def test_all_watched_files_are_read_with_the_fetches_of_one(
    tmp_path: Path, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"apps/{number}/values.yaml": f"tag: v{number}\n" for number in range(30)}
    server.commit(files)
    repositories = make_repositories(tmp_path, server)
    with git_commands(monkeypatch) as seen:
        head = repositories.refresh(REPO, "main", list(files))
        for path, text in files.items():
            history = repositories.file_history(REPO, head, path, limit=9)
            (version,) = history.versions
            assert version.content is not None
            assert repositories.read_contents(REPO, [version.content]) == {version.content: text}
            assert repositories.read_file(REPO, head, path) == text
    # The branch, more history, and the contents.
    assert seen.count("fetch") == 3
    assert seen.count("log") <= 2


def test_a_file_is_read_at_an_older_commit_of_the_line_as_it_was_then(tmp_path: Path, server: GitServer) -> None:
    repositories = make_repositories(tmp_path, server)
    repositories.refresh(REPO, "main", [FILE])
    seen = []
    for number in range(1, 5):
        server.commit({FILE: f"tag: v{number}\n"})
        fill(server, 1)
        head = repositories.refresh(REPO, "main", [FILE])
        repositories.file_history(REPO, head, FILE, limit=9)
        seen.append((head, f"tag: v{number}\n"))
    for commit, text in seen:
        assert repositories.read_file(REPO, commit, FILE) == text
        assert contains(repositories, REPO, seen[-1][0], commit) is True


def test_a_file_that_becomes_a_link_or_vanishes_is_not_read_as_it_was(tmp_path: Path, server: GitServer) -> None:
    repositories = make_repositories(tmp_path, server)
    head = repositories.refresh(REPO, "main", [FILE, OTHER])
    assert repositories.read_file(REPO, head, FILE) == "tag: v0\n"
    server.commit({FILE: None})
    head = repositories.refresh(REPO, "main", [FILE, OTHER])
    assert repositories.read_file(REPO, head, FILE) is None
    assert repositories.file_history(REPO, head, FILE, limit=1).versions[0].content is None


@pytest.mark.parametrize("how", ["set back", "rewritten", "merged the other way round"])
def test_a_branch_that_did_not_simply_move_on_is_read_anew(tmp_path: Path, server: GitServer, how: str) -> None:
    base = server.head("main")
    assert base
    repositories = make_repositories(tmp_path, server)
    server.commit({FILE: "tag: v1\n"})
    old = server.head("main")
    head = repositories.refresh(REPO, "main", [FILE])
    known = repositories.file_history(REPO, head, FILE, limit=9).versions[0].commit
    if how == "set back":
        server.git("update-ref", "refs/heads/main", base)
    elif how == "rewritten":
        server.commit({FILE: "tag: v9\n"}, parents=(base,))
    else:
        side = server.commit({"x": "1\n"}, branch="side", parents=(base,))
        server.commit({FILE: "tag: v1\n"}, parents=(side, str(old)))
    head = repositories.refresh(REPO, "main", [FILE])
    again = make_repositories(tmp_path / "fresh", server)
    again.refresh(REPO, "main")
    anew = again.file_history(REPO, head, FILE, limit=9)
    assert repositories.file_history(REPO, head, FILE, limit=9) == anew
    assert not repositories.file_history(REPO, head, FILE, limit=9, since=known).joins


def test_a_path_with_line_breaks_beside_it_is_not_taken_for_the_watched_one(tmp_path: Path, server: GitServer) -> None:
    repositories = make_repositories(tmp_path, server)
    head = repositories.refresh(REPO, "main", [FILE])
    before = repositories.file_history(REPO, head, FILE, limit=9).versions
    server.commit({"\n" + FILE: "tag: evil\n", FILE + "\n": "tag: evil\n"})
    head = repositories.refresh(REPO, "main", [FILE])
    assert repositories.file_history(REPO, head, FILE, limit=9).versions == before
    assert repositories.read_file(REPO, head, FILE) == "tag: v0\n"
