"""Commits of several files, signed commits, commits that the server makes, and a mirror's upkeep."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from bot.adapters.git import GitLimits, GitRepositories, GitSettings, SignatureFormat, Signing
from bot.adapters.git.commits import ServerCommits
from bot.domain.edit import KustomizeEdit, write_tag
from bot.domain.model import Sha
from bot.domain.policy import CommitsBy
from bot.ports import Conflict, FileCommit, FileContent, Permanent, Transient
from tests.adapters.gitserver import GitServer, StoppedClock

REPO = "acme/deploy"
FILES = {
    "apps/a/values.yaml": "tag: v1\n",
    "apps/b/values.yaml": "tag: v1\n",
    "apps/b/deep/x.yaml": "t\n",
    "top": "1\n",
}


@pytest.fixture
def server(tmp_path: Path) -> GitServer:
    made = GitServer(tmp_path / "server", REPO)
    made.commit({**FILES, "apps/run.sh": ("100755", made.blob("#!/bin/sh\n"))}, message="first\n")
    return made


def make_repositories(
    tmp_path: Path,
    server: GitServer,
    *,
    signing: Signing | None = None,
    made_by: ServerCommits | None = None,
    packs: int = 60,
) -> GitRepositories:
    limits = GitLimits(pause=timedelta(milliseconds=5), packs=packs)
    settings = GitSettings(mirrors=tmp_path / "mirrors", url=server.url, limits=limits, signing=signing)
    return GitRepositories(settings, token=lambda repository: None, clock=StoppedClock(), server=made_by)


def plan_of(parent: Sha, files: dict[str, str], by: CommitsBy = CommitsBy.GIT) -> FileCommit:
    return FileCommit(repository=REPO, parent=parent, files=files, message="Promote\n\nA: b\n", by=by)


# --- several files ---------------------------------------------------------------------------------------------------


def test_a_commit_of_several_files_changes_these_and_nothing_else(tmp_path: Path, server: GitServer) -> None:
    repositories = make_repositories(tmp_path, server)
    head = repositories.refresh(REPO, "main")
    new = {"apps/a/values.yaml": "a2\n", "apps/b/deep/x.yaml": "x2\n", "top": "t2\n", "apps/run.sh": "#!/bin/sh\nls\n"}
    made = repositories.commit_file(plan_of(head, new))
    repositories.push(REPO, "main", made, expected=head)
    assert {path: server.show(made, path).decode() for path in new} == new
    raw = server.git("diff-tree", "-r", head, made).splitlines()
    assert sorted(row.split("\t")[1] for row in raw) == sorted(new)
    assert {row.split(" ")[1] for row in raw if row.endswith("run.sh")} == {"100755"}
    server.git("fsck", "--strict")


def test_files_that_say_so_already_are_left_out_and_all_of_them_are_a_conflict(
    tmp_path: Path, server: GitServer
) -> None:
    repositories = make_repositories(tmp_path, server)
    head = repositories.refresh(REPO, "main")
    made = repositories.commit_file(plan_of(head, {"top": "1\n", "apps/a/values.yaml": "tag: v2\n"}))
    repositories.push(REPO, "main", made, expected=head)
    assert server.git("diff-tree", "-r", "--name-only", head, made) == "apps/a/values.yaml"
    with pytest.raises(Conflict, match=r"top and apps/b/values\.yaml in acme/deploy already says"):
        repositories.commit_file(plan_of(head, {"top": "1\n", "apps/b/values.yaml": "tag: v1\n"}))


def test_a_commit_of_several_files_is_made_whole_or_not_at_all(tmp_path: Path, server: GitServer) -> None:
    repositories = make_repositories(tmp_path, server)
    head = repositories.refresh(REPO, "main")
    with pytest.raises(Conflict, match="apps/none is not in acme/deploy"):
        repositories.commit_file(plan_of(head, {"top": "2\n", "apps/none": "x\n"}))
    with pytest.raises(Permanent, match="a commit must change a file"):
        repositories.commit_file(plan_of(head, {}))


# --- signatures ------------------------------------------------------------------------------------------------------


def signed_by_ssh(tmp_path: Path) -> tuple[Signing, Path]:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    allowed = tmp_path / "allowed"
    allowed.write_text(f"liftlock@users.noreply.github.com {key.with_suffix('.pub').read_text()}")
    return Signing(format=SignatureFormat.SSH, key=str(key)), allowed


def test_a_commit_is_signed_with_an_ssh_key(tmp_path: Path, server: GitServer) -> None:
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed")
    signing, allowed = signed_by_ssh(tmp_path)
    repositories = make_repositories(tmp_path, server, signing=signing)
    head = repositories.refresh(REPO, "main")
    made = repositories.commit_file(plan_of(head, {"top": "2\n"}))
    repositories.push(REPO, "main", made, expected=head)
    assert "BEGIN SSH SIGNATURE" in server.git("cat-file", "commit", made)
    server.git("-c", f"gpg.ssh.allowedSignersFile={allowed}", "verify-commit", made)


def test_a_commit_is_signed_with_an_openpgp_key(tmp_path: Path, server: GitServer) -> None:
    if shutil.which("gpg") is None:
        pytest.skip("gpg is not installed")
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)
    env = {"GNUPGHOME": str(home), "PATH": os.environ["PATH"]}
    make = ["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", "bot@acme.test", "ed25519"]
    subprocess.run(make, env=env, check=True, capture_output=True)
    try:
        signing = Signing(format=SignatureFormat.OPENPGP, key="bot@acme.test", gnupg_home=home)
        repositories = make_repositories(tmp_path, server, signing=signing)
        head = repositories.refresh(REPO, "main")
        made = repositories.commit_file(plan_of(head, {"top": "2\n"}))
        repositories.push(REPO, "main", made, expected=head)
        server.git("verify-commit", made, env=env)
    finally:
        subprocess.run(["gpgconf", "--kill", "all"], env=env, check=False)


def test_a_commit_that_cannot_be_signed_is_not_made(tmp_path: Path, server: GitServer) -> None:
    signing = Signing(format=SignatureFormat.SSH, key=str(tmp_path / "no-such-key"))
    repositories = make_repositories(tmp_path, server, signing=signing)
    head = repositories.refresh(REPO, "main")
    with pytest.raises(Permanent, match="the commit for acme/deploy could not be signed"):
        repositories.commit_file(plan_of(head, {"top": "2\n"}))


# --- commits that the server makes -----------------------------------------------------------------------------------


@dataclass
class CommittingServer:
    """Makes commits in the server's repository, on no branch, as GitHub's API does; wrong ones on demand."""

    server: GitServer
    extra: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[Sha, Sha]] = field(default_factory=list)
    hides: bool = False

    def create(
        self, repository: str, *, parent: Sha, base_tree: Sha, files: Sequence[FileContent], message: str
    ) -> tuple[Sha, Sha]:
        self.asked.append((parent, base_tree))
        changes: dict[str, bytes | str | tuple[str, str] | None] = {
            one.path: (one.mode, self.server.blob(one.text)) for one in files
        }
        made = self.server.commit(changes | self.extra, branch="made", message=message, parents=(parent,))
        self.server.git("update-ref", "-d", "refs/heads/made")
        tree = Sha(self.server.git("rev-parse", f"{made}^{{tree}}"))
        return (Sha("2" * 40) if self.hides else made), tree


def test_a_commit_that_the_server_makes_is_fetched_and_pushed_like_any_other(tmp_path: Path, server: GitServer) -> None:
    github = CommittingServer(server)
    repositories = make_repositories(tmp_path, server, made_by=github)
    head = repositories.refresh(REPO, "main")
    made = repositories.commit_file(plan_of(head, {"apps/run.sh": "#!/bin/sh\nls\n"}, CommitsBy.GITHUB))
    repositories.push(REPO, "liftlock/x", made, expected=None)
    assert server.head("liftlock/x") == made
    assert server.git("log", "-1", "--format=%an", made) == "Dana Dev"
    assert server.git("diff-tree", "-r", head, made).split()[:2] == [":100755", "100755"]
    assert github.asked == [(head, Sha(server.git("rev-parse", f"{head}^{{tree}}")))]


def test_a_commit_of_the_server_with_anything_else_in_it_is_not_used(tmp_path: Path, server: GitServer) -> None:
    repositories = make_repositories(tmp_path, server, made_by=CommittingServer(server, extra={"top": "evil\n"}))
    head = repositories.refresh(REPO, "main")
    with pytest.raises(Permanent, match="made another tree than acme/deploy was to get"):
        repositories.commit_file(plan_of(head, {"apps/a/values.yaml": "tag: v2\n"}, CommitsBy.GITHUB))


def test_a_commit_of_the_server_that_cannot_be_fetched_is_waited_for(tmp_path: Path, server: GitServer) -> None:
    repositories = make_repositories(tmp_path, server, made_by=CommittingServer(server, hides=True))
    head = repositories.refresh(REPO, "main")
    with pytest.raises(Transient, match="does not give out the commit"):
        repositories.commit_file(plan_of(head, {"top": "2\n"}, CommitsBy.GITHUB))


def test_without_a_server_for_it_such_a_commit_is_refused(tmp_path: Path, server: GitServer) -> None:
    repositories = make_repositories(tmp_path, server)
    head = repositories.refresh(REPO, "main")
    with pytest.raises(Permanent, match="which is not set up"):
        repositories.commit_file(plan_of(head, {"top": "2\n"}, CommitsBy.GITHUB))


# --- upkeep ----------------------------------------------------------------------------------------------------------


def test_many_fetches_leave_few_packs_and_nothing_is_lost(tmp_path: Path, server: GitServer) -> None:
    repositories = make_repositories(tmp_path, server, packs=5)
    mirror = tmp_path / "mirrors" / f"{REPO}.git"
    repositories.refresh(REPO, "main", list(FILES))
    commits = []
    for number in range(20):
        commits.append(server.commit({"top": f"{number}\n"}))
        head = repositories.refresh(REPO, "main", list(FILES))
        assert len(list(mirror.glob("objects/pack/*.pack"))) <= 7
    history = repositories.file_history(REPO, head, "top", limit=50)
    assert [version.commit for version in history.versions][:20] == commits[::-1]
    assert all(repositories.read_file(REPO, commit, "top") == f"{n}\n" for n, commit in enumerate(commits))
    again = make_repositories(tmp_path, server, packs=5)
    assert again.refresh(REPO, "main") == head
    assert again.file_history(REPO, head, "top", limit=50) == history


def test_old_loose_objects_go_and_what_was_made_just_now_stays(tmp_path: Path, server: GitServer) -> None:
    repositories = make_repositories(tmp_path, server, packs=1)
    mirror = tmp_path / "mirrors" / f"{REPO}.git"
    head = repositories.refresh(REPO, "main")
    repositories.commit_file(plan_of(head, {"top": "old\n"}))
    week_ago = time.time() - 8 * 86400
    for path in mirror.glob("objects/[0-9a-f][0-9a-f]/*"):
        os.utime(path, (week_ago, week_ago))
    young = repositories.commit_file(plan_of(head, {"top": "young\n"}))
    for number in range(3):
        server.commit({"apps/a/values.yaml": f"{number}\n"})
        repositories.refresh(REPO, "main")
        repositories.read_file(REPO, repositories.refresh(REPO, "main"), "apps/a/values.yaml")
    assert all(path.stat().st_mtime > week_ago + 60 for path in mirror.glob("objects/[0-9a-f][0-9a-f]/*"))
    repositories.push(REPO, "liftlock/x", young, expected=None)
    assert server.show(young, "top") == b"young\n"


# --- several services in one repository ------------------------------------------------------------------------------

TWO = "images:\n- name: one\n  newTag: v1\n- name: two\n  newTag: v1\n"


def test_edits_of_two_services_in_one_file_do_not_stand_in_each_others_way(tmp_path: Path, server: GitServer) -> None:
    server.commit({"kustomization.yaml": TWO})
    repositories = make_repositories(tmp_path, server)
    head = repositories.refresh(REPO, "main")
    edit = KustomizeEdit(file="kustomization.yaml")
    for image in ("one", "two"):
        made = repositories.commit_file(plan_of(head, {edit.file: write_tag(edit, image, TWO, "v2")}))
        repositories.push(REPO, f"liftlock/{image}", made, expected=None)
    merged = server.git("merge-tree", "--write-tree", "liftlock/one", "liftlock/two")
    assert server.git("cat-file", "blob", f"{merged}:{edit.file}") == TWO.replace("v1", "v2").strip()


def test_two_writers_on_one_branch_both_land_each_with_its_edit_made_anew(tmp_path: Path, server: GitServer) -> None:
    server.commit({"kustomization.yaml": TWO})
    edit = KustomizeEdit(file="kustomization.yaml")
    writers = {image: make_repositories(tmp_path / image, server) for image in ("one", "two")}
    heads = {image: writer.refresh(REPO, "main") for image, writer in writers.items()}

    def land(image: str, head: Sha) -> None:
        text = writers[image].read_file(REPO, head, edit.file)
        assert text is not None
        made = writers[image].commit_file(plan_of(head, {edit.file: write_tag(edit, image, text, "v2")}))
        writers[image].push(REPO, "main", made, expected=head)

    land("one", heads["one"])
    with pytest.raises(Conflict):
        land("two", heads["two"])
    land("two", writers["two"].refresh(REPO, "main"))
    assert server.show("main", edit.file).decode() == TWO.replace("v1", "v2")
    assert int(server.git("rev-list", "--count", f"{heads['one']}..main")) == 2
