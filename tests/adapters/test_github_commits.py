"""Commits through GitHub's API, against the lab's GitHub: what is made, what is sent, and what is said of refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.adapters.github import (
    AppCredentials,
    Clients,
    Credentials,
    GitHubCommits,
    GitHubSettings,
    TokenCredentials,
)
from bot.domain.model import Sha
from bot.lab.exchanges import Exchange
from bot.lab.github.git import GITHUB as GITHUB_ITSELF
from bot.lab.github.git import Bare, Commit, Signature, TreeEntry
from bot.ports import Conflict, FileContent, Permanent, Transient
from tests.contract.conformance import GITHUB
from tests.lab.github_world import FILE, NEW, REPO, T0, GitHubWorld, running_github

SCRIPT = "apps/checkout/check.sh"
MESSAGE = "Promote checkout to 1.5\n\nIt is healthy.\n\nLiftlock-Service: checkout"
NOWHERE = Sha("0123456789" * 4)
CHANGE = FileContent(path=FILE, mode="100644", text=NEW)
TREES, COMMITS = f"/repos/{REPO}/git/trees", f"/repos/{REPO}/git/commits"


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path) -> Iterator[GitHubWorld]:
    """A repository whose main branch also holds an executable file."""
    with running_github(tmp_path) as world:
        bare, parent = bare_of(world), head_of(world)
        script = TreeEntry(path=SCRIPT, mode="100755", sha=bare.write_blob("#!/bin/sh\n"))
        signature = Signature(author=GITHUB_ITSELF, committer=GITHUB_ITSELF, at=T0)
        tree = bare.change_tree(parent.tree, [script])
        bare.set_ref("refs/heads/main", bare.write_commit(tree, [parent.sha], "Add a script", signature))
        yield world


@pytest.fixture(name="commits")
def fixture_commits(world: GitHubWorld) -> Iterator[GitHubCommits]:
    with commits_by(world, TokenCredentials(lambda: world.lab.token)) as commits:
        yield commits


@contextmanager
def commits_by(world: GitHubWorld, credentials: Credentials) -> Iterator[GitHubCommits]:
    settings = GitHubSettings(api_url=world.lab.api_url, write_pause=timedelta(0))
    with Clients(settings, credentials=credentials, clock=world.clock) as clients:
        yield GitHubCommits(clients)


def bare_of(world: GitHubWorld) -> Bare:
    return Bare(world.lab.git_directory(REPO))


def head_of(world: GitHubWorld) -> Commit:
    bare = bare_of(world)
    return bare.commit(str(bare.branch("main")))


def files_of(world: GitHubWorld, tree: str) -> dict[str, tuple[str, str]]:
    """All files of a tree: mode and text by path."""
    listed = bare_of(world).run("ls-tree", "-r", "-z", tree).decode().split("\0")
    rows = [line.split("\t", 1) for line in filter(None, listed)]
    return {
        path: (facts[:6], bare_of(world).run("cat-file", "blob", facts.split()[2]).decode()) for facts, path in rows
    }


def create(world: GitHubWorld, commits: GitHubCommits, *files: FileContent, repository: str = REPO) -> tuple[Sha, Sha]:
    head = head_of(world)
    wanted = files or (CHANGE,)
    return commits.create(repository, parent=Sha(head.sha), base_tree=Sha(head.tree), files=wanted, message=MESSAGE)


def asked(world: GitHubWorld) -> list[Exchange]:
    return [one for one in world.lab.exchanges if one.path.startswith("/api/v3")]


# --- what is made ---


def test_the_tree_is_the_old_one_with_the_files_in_their_places(world: GitHubWorld, commits: GitHubCommits) -> None:
    before = files_of(world, head_of(world).tree)
    script = FileContent(path=SCRIPT, mode="100755", text="#!/bin/sh\necho Größe\r\n")
    added = FileContent(path="apps/new/values.yaml", mode="100644", text="")
    _, tree = create(world, commits, CHANGE, script, added)
    changed = {FILE: ("100644", NEW), SCRIPT: ("100755", script.text), added.path: ("100644", "")}
    assert files_of(world, tree) == before | changed
    assert set(before) == {FILE, SCRIPT, "README.md"}


def test_the_commit_has_that_parent_tree_and_message(world: GitHubWorld, commits: GitHubCommits) -> None:
    head = head_of(world)
    sha, tree = create(world, commits)
    made = bare_of(world).commit(sha)
    assert (made.parents, made.tree, made.message) == ((head.sha,), tree, MESSAGE)
    assert tree != head.tree


def test_no_ref_moves(world: GitHubWorld, commits: GitHubCommits) -> None:
    before = bare_of(world).refs()
    create(world, commits)
    assert bare_of(world).refs() == before


def test_two_writes_are_sent_and_nothing_is_read(world: GitHubWorld, commits: GitHubCommits) -> None:
    create(world, commits)
    assert [(one.method, one.path.removeprefix("/api/v3")) for one in asked(world)] == [
        ("POST", TREES),
        ("POST", COMMITS),
    ]
    assert set(json.loads(asked(world)[1].request_body)) == {"message", "tree", "parents"}


def test_what_is_sent_and_answered_conforms(world: GitHubWorld, commits: GitHubCommits) -> None:
    create(world, commits)
    assert [said for one in asked(world) for said in GITHUB.violations(one)] == []


def test_a_commit_of_an_app_is_verified_and_the_bots_own(world: GitHubWorld) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    world.lab.add_app(7, public.decode())
    app = AppCredentials(world.lab.api_url, app_id=7, private_key=lambda: pem, clock=world.clock)
    with commits_by(world, app) as commits:
        sha, tree = create(world, commits)
    seen = world.http.get(f"/repos/{REPO}/commits/{sha}").json()
    assert (seen["sha"], seen["commit"]["tree"]["sha"]) == (sha, tree)
    assert seen["commit"]["verification"]["verified"] is True
    assert (seen["author"]["login"], seen["committer"]["login"]) == ("app-7[bot]", "app-7[bot]")


# --- what goes wrong ---


@pytest.mark.parametrize("after_write", [False, True], ids=["not done", "done, but the answer is lost"])
@pytest.mark.parametrize("path", [TREES, COMMITS], ids=["tree", "commit"])
def test_a_failing_server_is_transient_and_the_call_may_be_made_again(
    world: GitHubWorld, commits: GitHubCommits, path: str, after_write: bool
) -> None:
    before = bare_of(world).refs()
    world.lab.fail_next("POST", path, 502, after_write=after_write)
    with pytest.raises(Transient, match=f"in {REPO}: GitHub failed \\(HTTP 502\\)"):
        create(world, commits)
    assert len([one for one in asked(world) if one.path.endswith(path)]) == 1
    sha, _ = create(world, commits)
    assert bare_of(world).commit(sha).message == MESSAGE
    assert bare_of(world).refs() == before


def test_a_used_up_limit_says_when_to_come_back(world: GitHubWorld, commits: GitHubCommits) -> None:
    world.lab.limit_secondary(17)
    with pytest.raises(Transient) as caught:
        create(world, commits)
    assert caught.value.retry_after == timedelta(seconds=17)


def test_a_tree_that_github_does_not_find_yet_is_transient(world: GitHubWorld, commits: GitHubCommits) -> None:
    world.lab.fail_next("POST", COMMITS, 422, body={"message": "Tree SHA does not exist"})
    with pytest.raises(Transient, match="a moment ago"):
        create(world, commits)


@pytest.mark.parametrize("unknown", ["parent", "base_tree"])
def test_what_github_does_not_have_is_a_conflict(world: GitHubWorld, commits: GitHubCommits, unknown: str) -> None:
    head = head_of(world)
    names = {"parent": Sha(head.sha), "base_tree": Sha(head.tree), unknown: NOWHERE}
    with pytest.raises(Conflict, match="look again"):
        commits.create(REPO, parent=names["parent"], base_tree=names["base_tree"], files=[CHANGE], message=MESSAGE)


def test_a_token_that_may_only_read_is_permanent(world: GitHubWorld) -> None:
    rita = TokenCredentials(lambda: world.lab.token_of("rita"))
    with commits_by(world, rita) as commits, pytest.raises(Permanent, match="the token may not do that") as caught:
        create(world, commits)
    assert world.lab.token_of("rita") not in str(caught.value)


@pytest.mark.parametrize(
    ("repository", "sentence"),
    [("acme/none", "GitHub knows no such thing"), ("acme/../deploy", "cannot be used as a repository")],
    ids=["unknown", "no name"],
)
def test_another_repository_is_permanent(
    world: GitHubWorld, commits: GitHubCommits, repository: str, sentence: str
) -> None:
    with pytest.raises(Permanent, match=sentence):
        create(world, commits, repository=repository)


@pytest.mark.parametrize("path", ["../up.yaml", "/etc/passwd", ".git/config"])
def test_a_path_that_is_none_is_permanent(world: GitHubWorld, commits: GitHubCommits, path: str) -> None:
    with pytest.raises(Permanent, match=r"refused to write the files of a commit .* tree\.path"):
        create(world, commits, FileContent(path=path, mode="100644", text="x"))


@pytest.mark.parametrize("mode", ["120000", "040000", "160000", "644"])
def test_only_plain_files_are_sent(world: GitHubWorld, commits: GitHubCommits, mode: str) -> None:
    with pytest.raises(Permanent, match="plain files only"):
        create(world, commits, FileContent(path="link", mode=mode, text="/etc/passwd"))
    assert asked(world) == []


@pytest.mark.parametrize("path", [TREES, COMMITS], ids=["tree", "commit"])
@pytest.mark.parametrize(
    "body", [{}, {"sha": None}, {"sha": ""}, {"sha": "abc123"}, {"sha": "main"}, {"sha": "A" * 40}, {"sha": "a" * 39}]
)
def test_an_answer_without_a_full_name_is_permanent(
    world: GitHubWorld, commits: GitHubCommits, path: str, body: dict[str, object]
) -> None:
    world.lab.fail_next("POST", path, 201, body=body)
    with pytest.raises(Permanent, match="where the name of an object belongs"):
        create(world, commits)
