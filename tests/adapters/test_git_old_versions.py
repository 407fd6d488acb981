"""Files of a folder at a revision of a person's own clone, on a real git."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bot.adapters.git.old_versions import yaml_files_at
from bot.ports import Permanent


def git(clone: Path, *arguments: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@b.example", "-c", "commit.gpgsign=false")
    ran = subprocess.run(["git", "-C", str(clone), *who, *arguments], check=True, capture_output=True, text=True)
    return ran.stdout.strip()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    root = tmp_path / "clone"
    (root / "team" / "policies" / "gates").mkdir(parents=True)
    git(tmp_path, "init", "--quiet", "--initial-branch=main", str(root))
    policies = root / "team" / "policies"
    (policies / "a.yaml").write_bytes(b"first\r\n")
    (policies / "b.yml").write_bytes(b"")
    (policies / "README.md").write_text("no policy")
    (policies / "gates" / "c.yaml").write_text("gate")
    (policies / "link.yaml").symlink_to("/etc/passwd")
    (root / "top.yaml").write_text("top")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message=first")
    git(root, "tag", "v1")
    (policies / "a.yaml").write_text("second")
    git(root, "commit", "--quiet", "--all", "--message=second")
    (policies / "a.yaml").write_text("not committed")
    return root


def test_the_yaml_files_of_a_folder_are_read_byte_by_byte_without_links_and_folders(clone: Path) -> None:
    policies = clone / "team" / "policies"
    # Of a link it is told that it was there, and nothing of what it leads to.
    assert yaml_files_at("v1", policies) == {"a.yaml": b"first\r\n", "b.yml": b"", "link.yaml": b""}
    assert (yaml_files_at("HEAD", policies) or {})["a.yaml"] == b"second"
    assert yaml_files_at("HEAD~1", policies / "gates") == {"c.yaml": b"gate"}
    assert yaml_files_at("main", clone) == {"top.yaml": b"top"}


def test_a_folder_that_was_not_there_is_no_folder_without_files(clone: Path) -> None:
    assert yaml_files_at("HEAD", clone / "new") is None
    (clone / "bare").mkdir()
    (clone / "bare" / "README.md").write_text("no policy")
    git(clone, "add", "bare")
    git(clone, "commit", "--quiet", "--message=bare")
    assert yaml_files_at("HEAD", clone / "bare") == {}


def test_a_folder_behind_a_link_in_the_clone_is_refused(clone: Path) -> None:
    git(clone, "mv", "team", "moved")
    (clone / "team").symlink_to("moved")
    (clone / "policies").symlink_to("moved/policies")
    for place in (clone / "team" / "policies", clone / "policies"):
        with pytest.raises(Permanent, match="is behind a symbolic link in its repository"):
            yaml_files_at("HEAD", place)


def test_a_clone_behind_a_link_is_read(clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other").symlink_to(clone)
    assert yaml_files_at("v1", tmp_path / "other") == {"top.yaml": b"top"}
    monkeypatch.chdir(tmp_path / "other")
    assert yaml_files_at("v1", Path("team/../team/policies/gates")) == {"c.yaml": b"gate"}


def test_nothing_is_changed_in_the_clone(clone: Path) -> None:
    before = git(clone, "status", "--porcelain"), (clone / ".git" / "index").read_bytes()
    yaml_files_at("v1", clone / "team" / "policies")
    assert (git(clone, "status", "--porcelain"), (clone / ".git" / "index").read_bytes()) == before


def test_a_clone_whose_git_directory_is_elsewhere_is_read(clone: Path, tmp_path: Path) -> None:
    git(clone, "worktree", "add", "--quiet", str(tmp_path / "tree"), "v1")
    assert (yaml_files_at("HEAD", tmp_path / "tree" / "team" / "policies") or {})["a.yaml"] == b"first\r\n"


@pytest.mark.parametrize("revision", ["none", "--exec=touch x", "-", "", "v1:team", "HEAD\nHEAD", "a\0b"])
def test_what_is_no_revision_is_refused_and_is_never_an_option(clone: Path, revision: str) -> None:
    with pytest.raises(Permanent, match="revision"):
        yaml_files_at(revision, clone / "team" / "policies")
    assert not (clone / "x").exists()


def test_a_folder_in_no_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="lies in no Git repository"):
        yaml_files_at("HEAD", tmp_path)


def test_files_that_are_too_large_together_are_not_read(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.adapters.git.old_versions._MOST_BYTES", 3)
    with pytest.raises(Permanent, match="too large"):
        yaml_files_at("v1", clone / "team" / "policies")


def test_an_object_that_the_clone_does_not_have_is_told(clone: Path) -> None:
    blob = git(clone, "rev-parse", "v1:team/policies/a.yaml")
    place = clone / ".git" / "objects" / blob[:2] / blob[2:]
    place.unlink()
    with pytest.raises(Permanent, match="does not have all files of that revision"):
        yaml_files_at("v1", clone / "team" / "policies")
