"""A clone on this machine is asked how commits are related: never written, nothing fetched, nothing guessed."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.adapters.git.clone import LocalClone
from bot.domain.model import Sha
from bot.ports import Descent, Permanent
from tests.adapters.gitserver import GitServer

REPO = "acme/deploy"
UNKNOWN = Sha("1" * 40)


@pytest.fixture
def server(tmp_path: Path) -> GitServer:
    made = GitServer(tmp_path / "server", REPO)
    for number in range(4):
        made.commit({"README.md": f"{number}\n"})
    return made


def line_of(server: GitServer) -> list[Sha]:
    """The commits of main, oldest first."""
    return [Sha(one) for one in server.git("rev-list", "--reverse", "main").split()]


def git(folder: Path, *arguments: str) -> str:
    quiet = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True, env=quiet)
    return done.stdout.strip()


def clone(server: GitServer, to: Path, *flags: str) -> Path:
    git(to.parent, "clone", "--quiet", *flags, f"file://{server.directory}", str(to))
    return to


def everything_in(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


# --- what is a clone -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flags", [(), ("--bare",), ("--mirror",), ("--no-checkout",)], ids=str)
def test_a_clone_with_or_without_a_work_tree_is_opened(tmp_path: Path, server: GitServer, flags: tuple[str]) -> None:
    found = LocalClone.at(clone(server, tmp_path / "clone", *flags))
    assert found.commit(line_of(server)[1][:9]) == line_of(server)[1]


def test_a_clone_is_opened_by_a_relative_path(
    tmp_path: Path, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone(server, tmp_path / "clone")
    monkeypatch.chdir(tmp_path)
    assert LocalClone.at(Path("clone")).commit(line_of(server)[0]) == line_of(server)[0]
    monkeypatch.chdir(tmp_path / "clone")
    assert LocalClone.at(Path()).commit(line_of(server)[0]) == line_of(server)[0]


def test_a_linked_work_tree_is_opened(tmp_path: Path, server: GitServer) -> None:
    """`git worktree add` makes a folder whose `.git` is a file."""
    main = clone(server, tmp_path / "clone")
    git(main, "worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"))
    assert LocalClone.at(tmp_path / "linked").commit(line_of(server)[0]) == line_of(server)[0]


@pytest.mark.parametrize("kind", ["empty", "not there", "a file", "an empty .git", "inside a clone"])
def test_what_is_no_clone_is_named(tmp_path: Path, server: GitServer, kind: str) -> None:
    folder = tmp_path / "it"
    if kind == "empty":
        folder.mkdir()
    elif kind == "a file":
        folder.write_text("x")
    elif kind == "an empty .git":
        (folder / ".git").mkdir(parents=True)
    elif kind == "inside a clone":
        folder = clone(server, tmp_path / "clone") / "inner"
        folder.mkdir()
    with pytest.raises(Permanent) as caught:
        LocalClone.at(folder)
    assert caught.value.sentence == f"{folder} is no clone of a Git repository"


# --- commits ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["", "main", "HEAD", "abc", "1" * 40, "--all", "HEAD~1", "@{0}", "a b", "zzzzzzz", "1" * 65, "1234\n", "é"]
)
def test_what_names_no_commit_of_the_clone_is_told(tmp_path: Path, server: GitServer, name: str) -> None:
    found = LocalClone.at(clone(server, tmp_path / "clone"))
    with pytest.raises(Permanent) as caught:
        found.commit(name)
    assert caught.value.sentence.startswith("the clone has no commit ")
    assert caught.value.sentence.endswith("; expected a commit's SHA")
    assert caught.value.sentence.isprintable()


def test_a_tree_is_no_commit(tmp_path: Path, server: GitServer) -> None:
    found = LocalClone.at(clone(server, tmp_path / "clone"))
    with pytest.raises(Permanent, match="the clone has no commit"):
        found.commit(server.git("rev-parse", "main^{tree}"))


def test_an_upper_case_name_finds_the_commit(tmp_path: Path, server: GitServer) -> None:
    (first, *_) = line_of(server)
    assert LocalClone.at(clone(server, tmp_path / "clone")).commit(first.upper()) == first


def test_a_commit_tells_when_it_was_made(tmp_path: Path, server: GitServer) -> None:
    (first, *_) = line_of(server)
    seconds = int(server.git("show", "--no-patch", "--format=%ct", first))
    found = LocalClone.at(clone(server, tmp_path / "clone"))
    assert found.committed_at(first) == datetime.fromtimestamp(seconds, UTC)


def test_a_nonsensical_commit_time_is_no_crash(tmp_path: Path, server: GitServer) -> None:
    tree = server.git("rev-parse", "main^{tree}")
    raw = f"tree {tree}\nauthor x <x> 99999999999999999 +0000\ncommitter <> broken\n\nodd\n".encode()
    odd = Sha(server.git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=raw))
    found = LocalClone.at(server.directory)
    assert found.committed_at(found.commit(odd)).tzinfo is UTC


def test_a_commit_time_beyond_all_calendars_is_no_crash(tmp_path: Path, server: GitServer) -> None:
    tree = server.git("rev-parse", "main^{tree}")
    raw = f"tree {tree}\nauthor x <x> 1 +0000\ncommitter x <x> 999999999999999 +0000\n\nodd\n".encode()
    odd = Sha(server.git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=raw))
    found = LocalClone.at(server.directory)
    assert found.committed_at(found.commit(odd)).tzinfo is UTC


# --- ancestry --------------------------------------------------------------------------------------------------------


def test_descent_is_told_as_by_the_mirror(tmp_path: Path, server: GitServer) -> None:
    first, second, third, fourth = line_of(server)
    aside = server.commit({"x": "y\n"}, branch="aside", parents=(first,))
    merge = server.commit({"README.md": "merged\n"}, parents=(fourth, aside))
    found = LocalClone.at(clone(server, tmp_path / "clone"))
    assert found.descent(first, first) == Descent(contains=True)
    assert found.descent(fourth, second) == Descent(contains=True)
    assert found.descent(second, fourth) == Descent(contains=False, behind=2)
    assert found.descent(third, merge) == Descent(contains=False, behind=2)
    assert found.descent(aside, merge) == Descent(contains=False, behind=4)
    assert found.descent(aside, fourth) == Descent(contains=False)
    assert found.descent(UNKNOWN, first) is None
    assert found.descent(first, UNKNOWN) is None


def test_what_a_shallow_clone_has_cut_off_is_not_known(tmp_path: Path, server: GitServer) -> None:
    """A pipeline's clone often holds a few commits, each fetched alone: that they are unrelated is not to be seen."""
    first, *_, head = line_of(server)
    shallow = clone(server, tmp_path / "clone", "--depth=1")
    found = LocalClone.at(shallow)
    assert found.descent(head, first) is None
    git(shallow, "fetch", "--quiet", "--depth=1", "origin", first)
    assert found.descent(head, first) is None
    assert found.descent(first, head) is None


def test_nothing_is_fetched_by_a_clone_that_fetches_on_demand(tmp_path: Path, server: GitServer) -> None:
    partial = clone(server, tmp_path / "clone", "--filter=blob:none", "--no-checkout")
    before = everything_in(partial)
    later = server.commit({"README.md": "later\n"})
    found = LocalClone.at(partial)
    assert found.descent(later, line_of(server)[0]) is None
    with pytest.raises(Permanent, match="the clone has no commit"):
        found.commit(later)
    assert everything_in(partial) == before


def test_nothing_is_written(tmp_path: Path, server: GitServer) -> None:
    folder = clone(server, tmp_path / "clone")
    before = everything_in(folder)
    found = LocalClone.at(folder)
    first, *_, head = line_of(server)
    found.committed_at(found.commit(first[:7]))
    found.descent(first, head)
    assert everything_in(folder) == before


def test_no_configuration_of_the_clone_changes_an_answer_or_runs_a_command(tmp_path: Path, server: GitServer) -> None:
    folder = clone(server, tmp_path / "clone")
    ran = tmp_path / "ran"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch {ran}\n")
    script.chmod(0o755)
    for key, value in (
        ("core.fsmonitor", script),
        ("core.pager", script),
        ("core.sshCommand", script),
        ("diff.external", script),
        ("gpg.program", script),
        ("log.showSignature", "true"),
        ("log.date", "relative"),
        ("format.pretty", "oneline"),
        ("color.ui", "always"),
    ):
        git(folder, "config", key, str(value))
    first, *_, head = line_of(server)
    found = LocalClone.at(folder)
    assert found.committed_at(head).year == 2026
    assert found.descent(first, head) == Descent(contains=False, behind=3)
    assert not ran.exists()


def test_a_clone_tells_where_it_is_from_and_a_folder_of_its_own_does_not(server: GitServer, tmp_path: Path) -> None:
    found = LocalClone.at(clone(server, tmp_path / "clone"))
    assert (found.origin(), found.origin_branch()) == (f"file://{server.directory}", "main")
    git(tmp_path, "init", "--quiet", "own")
    own = LocalClone.at(tmp_path / "own")
    assert (own.origin(), own.origin_branch()) == ("", "")
