"""What GitPython does when it is used as its README shows, and that none of it can happen through this adapter.

Each hazard is shown on GitPython itself first, so that a test here cannot pass because the hazard has gone by another
name: then the same outside value is given to the adapter.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import git
import pytest

from bot.adapters.git import GitRepositories, GitSettings
from bot.domain.model import Sha
from bot.ports import FileCommit, Permanent
from tests.adapters.gitserver import GitServer, StoppedClock, children_of_this_process, open_files

REPO = "acme/deploy"
FILE = "values.yaml"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def server(tmp_path: Path) -> GitServer:
    made = GitServer(tmp_path / "server", REPO)
    made.commit({FILE: "tag: v1\n"}, message="first\n")
    return made


@pytest.fixture
def repositories(tmp_path: Path, server: GitServer) -> GitRepositories:
    settings = GitSettings(mirrors=tmp_path / "mirrors", url=server.url)
    return GitRepositories(settings, token=lambda repository: None, clock=StoppedClock())


@pytest.fixture
def clone(tmp_path: Path, server: GitServer) -> git.Repo:
    return git.Repo.clone_from(str(server.directory), tmp_path / "clone")


def test_an_upload_pack_option_in_the_place_of_a_name_runs_nothing(
    tmp_path: Path, server: GitServer, repositories: GitRepositories, clone: git.Repo
) -> None:
    ran = tmp_path / "ran"
    evil = f"--upload-pack=touch {ran};"
    with pytest.raises(git.GitCommandError):
        clone.git.fetch(evil, str(server.directory), "main")
    assert ran.exists(), "GitPython gives the option to git"
    ran.unlink()
    clone.close()
    for call in (
        lambda: repositories.refresh(evil, "main"),
        lambda: repositories.refresh(REPO, evil),
        lambda: repositories.branch_change(REPO, Sha("1" * 40), evil),
        lambda: repositories.push(REPO, evil, Sha("1" * 40), expected=None),
        lambda: repositories.descent(REPO, Sha(evil), Sha("1" * 40)),
    ):
        with pytest.raises(Permanent, match="cannot be used as a"):
            call()
    assert not ran.exists()


def test_a_url_that_looks_like_an_option_runs_nothing(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    settings = GitSettings(mirrors=tmp_path / "mirrors", url=f"--upload-pack=touch {ran}; {{repository}}")
    repositories = GitRepositories(settings, token=lambda repository: None, clock=StoppedClock())
    with pytest.raises(Exception, match="acme/deploy"):
        repositories.refresh(REPO, "main")
    assert not ran.exists()


def test_an_output_option_in_the_place_of_a_name_writes_no_file(
    tmp_path: Path, server: GitServer, repositories: GitRepositories, clone: git.Repo
) -> None:
    for command in ("log", "diff", "archive"):
        written = tmp_path / command
        getattr(clone.git, command)(f"--output={written}", "HEAD")
        assert written.exists(), f"GitPython lets git {command} write"
        written.unlink()
    clone.close()
    written = tmp_path / "written"
    evil, head = f"--output={written}", repositories.refresh(REPO, "main")
    plan = FileCommit(repository=REPO, parent=head, files={evil: "x"}, message="m")
    for call in (
        lambda: repositories.file_history(REPO, Sha(evil), FILE, limit=1),
        lambda: repositories.file_history(REPO, head, evil, limit=1),
        lambda: repositories.file_history(REPO, head, FILE, limit=1, since=Sha(evil)),
        lambda: repositories.read_file(REPO, Sha(evil), FILE),
        lambda: repositories.read_file(REPO, head, evil),
        lambda: repositories.read_contents(REPO, [Sha(evil)]),
        lambda: repositories.branch_change(REPO, Sha(evil), "main"),
        lambda: repositories.refresh(REPO, "main", [evil]),
        lambda: repositories.commit_file(plan),
    ):
        with pytest.raises(Permanent, match="cannot be used as a"):
            call()
    assert not written.exists()


def test_a_branch_that_begins_with_a_dash_is_refused(
    server: GitServer, repositories: GitRepositories, clone: git.Repo
) -> None:
    assert clone.create_head("-x").name == "-x", "GitPython accepts it"
    clone.close()
    head = repositories.refresh(REPO, "main")
    with pytest.raises(Permanent, match="cannot be used as a branch"):
        repositories.push(REPO, "-x", head, expected=None)
    assert server.head("-x") is None


def test_a_hook_that_came_with_the_mirror_does_not_run(
    tmp_path: Path, repositories: GitRepositories, clone: git.Repo
) -> None:
    ran = tmp_path / "ran"

    def lay_hooks(folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        for name in ("pre-commit", "post-commit", "pre-push", "reference-transaction", "post-rewrite"):
            (folder / name).write_text(f"#!/bin/sh\ntouch {ran}\n")
            (folder / name).chmod(0o755)

    lay_hooks(Path(clone.git_dir) / "hooks")
    clone.index.commit("x", author=git.Actor("a", "a@b"), committer=git.Actor("a", "a@b"))
    assert ran.exists(), "GitPython runs it"
    ran.unlink()
    clone.close()
    head = repositories.refresh(REPO, "main")
    lay_hooks(tmp_path / "mirrors" / f"{REPO}.git" / "hooks")
    plan = FileCommit(repository=REPO, parent=head, files={FILE: "tag: v2\n"}, message="m\n")
    repositories.push(REPO, "main", repositories.commit_file(plan), expected=head)
    repositories.refresh(REPO, "main")
    assert not ran.exists()


def test_a_credential_of_an_address_is_kept_by_gitpython_and_never_by_a_mirror(
    tmp_path: Path, server: GitServer
) -> None:
    secret = "ghp_" + "s" * 36
    repository = git.Repo.init(tmp_path / "clone")
    repository.create_remote("origin", f"https://x:{secret}@git.example/acme/deploy.git")
    assert secret in (tmp_path / "clone" / ".git" / "config").read_text(), "GitPython keeps it"
    repository.close()
    settings = GitSettings(mirrors=tmp_path / "mirrors", url=server.url)
    made = GitRepositories(settings, token=lambda repository: secret, clock=StoppedClock())
    head = made.refresh(REPO, "main")
    plan = FileCommit(repository=REPO, parent=head, files={FILE: "tag: v2\n"}, message="m\n")
    made.push(REPO, "main", made.commit_file(plan), expected=head)
    kept = [path for path in (tmp_path / "mirrors").rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if secret.encode() in path.read_bytes()]


def test_an_open_repo_object_keeps_processes_and_the_adapter_keeps_none(
    server: GitServer, repositories: GitRepositories, clone: git.Repo
) -> None:
    before = open_files(), children_of_this_process()
    assert clone.head.commit.tree["values.yaml"].data_stream.read() == b"tag: v1\n"
    clone.commit(server.head("main"))
    assert len(children_of_this_process()) > len(before[1]), "GitPython keeps them"
    clone.close()
    before = open_files(), children_of_this_process()
    for _ in range(5):
        head = repositories.refresh(REPO, "main", [FILE])
        repositories.file_history(REPO, head, FILE, limit=5)
        repositories.read_file(REPO, head, FILE)
    assert (open_files(), children_of_this_process()) == before


def test_no_module_uses_more_of_gitpython_than_its_command_layer() -> None:
    for path in (ROOT / "bot").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        used = re.findall(r"^[ \t]*(?:from|import) git\b.*$", text, re.MULTILINE)
        assert used in ([], ["from git.cmd import Git"]), path
        assert ".Repo(" not in text, path
        assert not re.search(r"\bgit\.[a-z_]+\(", text) or "lab" in path.parts, path


def test_nothing_of_the_environment_makes_git_ask_a_person(
    tmp_path: Path, repositories: GitRepositories, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = tmp_path / "ran"
    asking = tmp_path / "ask"
    asking.write_text(f"#!/bin/sh\ntouch {ran}\n")
    asking.chmod(0o755)
    for name in ("GIT_ASKPASS", "SSH_ASKPASS", "GIT_EDITOR", "GIT_PROXY_COMMAND", "GIT_SSH_COMMAND", "GIT_PAGER"):
        monkeypatch.setenv(name, str(asking))
    repositories.refresh(REPO, "main")
    assert not ran.exists()
    assert os.environ["GIT_ASKPASS"] == str(asking)
