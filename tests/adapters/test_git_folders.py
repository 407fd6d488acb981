"""Folders as commits have them, and policies in force, on real repositories over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.adapters.git import GitLimits, GitRepositories, GitSettings
from bot.domain.model import Sha
from bot.domain.stops import Stop
from bot.policy.committed import CommittedPolicies
from bot.policy.in_force import InForce
from bot.policy.snapshots import Place
from bot.ports import FolderListing, Permanent, Transient
from tests.adapters.gitserver import GitServer, HttpFaults, StoppedClock, served_over_http
from tests.policy.a_repository import directory_of
from tests.policy.test_committed import BROKEN, CHECKOUT, commit_of, extending, of_service, the_broken, window

REPO = "acme/policies"
MIB = 1024 * 1024


@pytest.fixture(name="server")
def fixture_server(tmp_path: Path) -> GitServer:
    return GitServer(tmp_path / "server", REPO)


@pytest.fixture(name="http")
def fixture_http(server: GitServer) -> Iterator[tuple[str, HttpFaults]]:
    with served_over_http(server) as served:
        yield served


def repositories(tmp_path: Path, url: str, *, history: int = 50_000) -> GitRepositories:
    """Start the bot anew: only the mirror on the disk is as it was."""
    limits = GitLimits(pause=timedelta(milliseconds=5), history_commits=history)
    settings = GitSettings(mirrors=tmp_path / "mirrors", url=url, limits=limits)
    return GitRepositories(settings, token=lambda _: None, clock=StoppedClock())


def policies_of(git: GitRepositories, *, folder: str = "policies") -> CommittedPolicies:
    place = Place(repository=REPO, branch="main", folder=folder)
    return CommittedPolicies(folders=git, place=place, directory_of=directory_of)


def listing(git: GitRepositories, folder: str = "policies") -> FolderListing | None:
    head = git.refresh(REPO, "main")
    return git.list_folder(REPO, head, folder, inside=("gates",))


def services(loaded: InForce) -> list[str]:
    return [policy.service for policy in loaded.policies]


# --- what is in a folder ---------------------------------------------------------------------------------------------


def test_a_folder_has_its_files_and_those_of_the_named_folders_in_it(
    tmp_path: Path, server: GitServer, http: tuple[str, HttpFaults]
) -> None:
    link, module = ("120000", server.blob("/etc/passwd")), ("160000", "1" * 40)
    run = ("100755", server.blob("b"))
    files: dict[str, str | tuple[str, str]] = {"a.yaml": "a", "run.yaml": run, "gates/g.yaml": "c", "other/o.yaml": "d"}
    more = {"link.yaml": link, "module.yaml": module, "gates/link.yaml": link}
    server.commit({f"policies/{path}": content for path, content in {**files, **more}.items()} | {"a.yaml": "root"})
    git = repositories(tmp_path, http[0])
    found = listing(git)
    assert found is not None
    assert sorted(found.files) == ["a.yaml", "gates/g.yaml", "run.yaml"]
    assert found.refused == {
        "gates/link.yaml": "a symbolic link, which is never followed",
        "link.yaml": "a symbolic link, which is never followed",
        "module.yaml": "a submodule, which is never entered",
        "other": "a folder",
    }
    assert git.read_small(REPO, [found.files["a.yaml"]], most_bytes=MIB) == {found.files["a.yaml"]: b"a"}
    root = listing(git, ".")
    assert root is not None
    assert sorted(root.files) == ["a.yaml"]


def test_a_folder_that_is_not_there_or_is_a_file_is_none_and_a_link_is_refused(
    tmp_path: Path, server: GitServer, http: tuple[str, HttpFaults]
) -> None:
    link = ("120000", server.blob("policies"))
    server.commit({"policies/a.yaml": "a", "file": "x", "link": link, "deep/link": link})
    git = repositories(tmp_path, http[0])
    assert (listing(git, "nothing"), listing(git, "file"), listing(git, "file/below")) == (None, None, None)
    for folder in ("link", "deep/link"):
        with pytest.raises(Permanent, match="a symbolic link, which is never followed"):
            listing(git, folder)
    with pytest.raises(Permanent, match="a symbolic link, which is never followed"):
        listing(git, "link/below")


@pytest.mark.parametrize("folder", ["../policies", "/policies", "-r", "a/../b", ".git/hooks", ""])
def test_a_folder_outside_the_repository_is_refused(tmp_path: Path, server: GitServer, folder: str) -> None:
    head = server.commit({"policies/a.yaml": "a"})
    git = repositories(tmp_path, server.url)
    with pytest.raises(Permanent, match="cannot be used as a path"):
        git.list_folder(REPO, head, folder, inside=())
    with pytest.raises(Permanent, match="cannot be used as a path"):
        git.folder_history(REPO, head, folder, wanted=())


def test_too_many_files_are_refused(tmp_path: Path, server: GitServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.adapters.git.folders.MOST_FILES", 2)
    server.commit({"policies/a.yaml": "a", "policies/b.yaml": "b", "policies/gates/c.yaml": "c"})
    with pytest.raises(Permanent, match="policies in acme/policies has 3 files, more than the 2 allowed"):
        listing(repositories(tmp_path, server.url))


def test_a_content_that_is_too_large_or_kept_elsewhere_is_said_in_words(
    tmp_path: Path, server: GitServer, http: tuple[str, HttpFaults]
) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 5\n"
    contents: dict[str, bytes | str] = {"big": b"x" * 2 * MIB, "just": b"y" * MIB, "lfs": pointer, "odd": b"\xff\x00"}
    server.commit({f"policies/{path}.yaml": content for path, content in contents.items()})
    git = repositories(tmp_path, http[0])
    found = listing(git)
    assert found is not None
    read = git.read_small(REPO, list(found.files.values()), most_bytes=MIB)
    assert {path: read[sha] for path, sha in found.files.items()} == {
        "big.yaml": "more than 1 MiB",
        "just.yaml": b"y" * MIB,
        "lfs.yaml": "a pointer of Git LFS, which keeps the text elsewhere",
        "odd.yaml": b"\xff\x00",
    }
    small = git.read_small(REPO, [found.files["lfs.yaml"]], most_bytes=10)
    assert list(small.values()) == ["more than 10 bytes"]
    assert git.read_small(REPO, [], most_bytes=MIB) == {}


# --- its history -----------------------------------------------------------------------------------------------------


def test_the_history_of_a_folder_is_what_touched_it_and_goes_on_from_where_it_was(
    tmp_path: Path, server: GitServer, http: tuple[str, HttpFaults]
) -> None:
    first = server.commit({"policies/a.yaml": "1", "policies/gates/g.yaml": "1"})
    server.commit({"elsewhere": "x"})
    second = server.commit({"policies/b.yaml": "1", "elsewhere": "y"})
    git = repositories(tmp_path, http[0])
    head = git.refresh(REPO, "main")
    whole = git.folder_history(REPO, head, "policies", wanted={"a.yaml"})
    assert [(one.commit, sorted(one.paths)) for one in whole.commits] == [
        (second, ["b.yaml"]),
        (first, ["a.yaml", "gates/g.yaml"]),
    ]
    assert (whole.complete, whole.joins) == (True, False)
    assert git.folder_history(REPO, head, ".", wanted=()).commits[1].paths == {"elsewhere"}
    third = server.commit({"policies/a.yaml": None})
    server.commit({"elsewhere": "z"})
    later = git.refresh(REPO, "main")
    newer = git.folder_history(REPO, later, "policies", wanted=(), since=head)
    assert ([one.commit for one in newer.commits], newer.joins) == ([third], True)
    assert newer.commits[0].paths == {"a.yaml"}
    assert git.folder_history(REPO, later, "policies", wanted=(), since=later).commits == ()


def test_history_comes_only_as_far_as_the_wanted_files_need_it_and_never_beyond_its_limit(
    tmp_path: Path, server: GitServer, http: tuple[str, HttpFaults], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.adapters.git.deepening.FIRST_STEP", 2)
    oldest = server.commit({"policies/old.yaml": "1"})
    made = [server.commit({"policies/new.yaml": str(number)}) for number in range(20)]
    git = repositories(tmp_path, http[0])
    head = git.refresh(REPO, "main")
    near = git.folder_history(REPO, head, "policies", wanted={"new.yaml"})
    assert (near.commits[0].commit, near.complete) == (made[-1], False)
    assert len(near.commits) < 5
    far = git.folder_history(REPO, head, "policies", wanted={"new.yaml", "old.yaml"})
    assert (far.commits[-1].commit, far.complete) == (oldest, True)
    short = repositories(tmp_path / "other", http[0], history=5)
    head = short.refresh(REPO, "main")
    assert not short.folder_history(REPO, head, "policies", wanted={"old.yaml"}).complete
    monkeypatch.setattr("bot.adapters.git.folders._LONGEST_LINE", 6)
    bounded = repositories(tmp_path / "third", http[0])
    head = bounded.refresh(REPO, "main")
    found = bounded.folder_history(REPO, head, "policies", wanted={"old.yaml"})
    assert (len(found.commits), found.complete) == (6, False)


def test_after_a_force_push_the_history_is_that_of_the_branch_as_it_is(tmp_path: Path, server: GitServer) -> None:
    first = server.commit({"policies/a.yaml": "1"})
    server.commit({"policies/a.yaml": "2"})
    git = repositories(tmp_path, server.url)
    before = git.refresh(REPO, "main")
    server.git("update-ref", "refs/heads/main", first)
    other = server.commit({"policies/a.yaml": "3"})
    head = git.refresh(REPO, "main")
    found = git.folder_history(REPO, head, "policies", wanted=(), since=before)
    assert ([one.commit for one in found.commits], found.joins) == ([other, first], False)
    unknown = git.folder_history(REPO, head, "policies", wanted=(), since=Sha("9" * 40))
    assert [one.commit for one in unknown.commits] == [other, first]


def test_the_head_that_was_fetched_last_is_known_after_a_restart(
    tmp_path: Path, server: GitServer, http: tuple[str, HttpFaults]
) -> None:
    assert repositories(tmp_path, http[0]).fetched(REPO, "main") is None
    head = server.commit({"policies/a.yaml": "1"})
    repositories(tmp_path, http[0]).refresh(REPO, "main")
    server.commit({"policies/a.yaml": "2"})
    http[1].status_for = lambda _: 503
    git = repositories(tmp_path, http[0])
    with pytest.raises(Transient):
        git.refresh(REPO, "main")
    assert git.fetched(REPO, "main") == head
    assert git.fetched(REPO, "other") is None


# --- policies in force -----------------------------------------------------------------------------------------------


@pytest.mark.invariant("I6")
def test_a_broken_version_keeps_the_last_good_one_of_the_branch_also_after_a_restart(
    tmp_path: Path, server: GitServer, http: tuple[str, HttpFaults]
) -> None:
    server.commit({"policies/checkout.yaml": window(20)})
    good = server.commit({"policies/checkout.yaml": window(25)})
    other = server.commit({"policies/web.yaml": of_service("web")})
    running = policies_of(repositories(tmp_path, http[0]))
    assert services(running.load()) == ["checkout", "web"]
    broke = server.commit({"policies/checkout.yaml": BROKEN})
    for policies in (
        running,
        policies_of(repositories(tmp_path, http[0])),
        policies_of(repositories(tmp_path / "new", http[0])),
    ):
        loaded = policies.load()
        assert (commit_of(loaded), commit_of(loaded, "web"), the_broken(loaded).newest) == (good, other, broke)
    mended = server.commit({"policies/checkout.yaml": window(40)})
    assert (commit_of(running.load()), running.load().broken) == (mended, ())


def test_a_version_that_only_a_merged_branch_had_was_never_in_force(
    tmp_path: Path, server: GitServer, http: tuple[str, HttpFaults]
) -> None:
    good = server.commit({"policies/checkout.yaml": window(20)})
    server.git("branch", "work", good)
    server.commit({"policies/checkout.yaml": window(45)}, branch="work")
    tip = server.commit({"policies/checkout.yaml": BROKEN}, branch="work")
    merge = server.commit({"policies/checkout.yaml": BROKEN}, parents=(good, tip), message="Merge\n")
    loaded = policies_of(repositories(tmp_path, http[0])).load()
    assert (commit_of(loaded), the_broken(loaded).newest) == (good, merge)


def test_a_server_that_is_down_leaves_the_policies_and_the_holds_as_they_were(
    tmp_path: Path, server: GitServer, http: tuple[str, HttpFaults]
) -> None:
    at = server.commit({"policies/checkout.yaml": CHECKOUT, "policies/HOLD": "all: lunch\n"})
    policies = policies_of(repositories(tmp_path, http[0]))
    before = policies.load()
    server.commit({"policies/checkout.yaml": window(40), "policies/HOLD": None})
    http[1].status_for = lambda _: 503
    for source in (policies, policies_of(repositories(tmp_path, http[0]))):
        loaded = source.load()
        assert (loaded.policies, commit_of(loaded)) == (before.policies, at)
        assert loaded.trouble is not None
        assert [stop.reason for stop in source.stops()] == ["lunch"]
    http[1].status_for = lambda _: None
    assert policies.load().trouble is None
    assert policies.stops() == ()


def test_where_nothing_could_ever_be_fetched_nothing_is_decided(
    tmp_path: Path, server: GitServer, http: tuple[str, HttpFaults]
) -> None:
    server.commit({"policies/checkout.yaml": CHECKOUT})
    http[1].status_for = lambda _: 403
    loaded = policies_of(repositories(tmp_path, http[0])).load()
    assert (loaded.policies, loaded.at) == ((), None)
    assert loaded.trouble is not None
    assert "give the bot a valid token" in loaded.trouble.sentence


def test_policies_in_the_root_of_a_repository_are_read_from_there(
    tmp_path: Path, server: GitServer, http: tuple[str, HttpFaults]
) -> None:
    server.commit({"checkout.yaml": CHECKOUT, "docs/web.yaml": of_service("web")})
    assert services(policies_of(repositories(tmp_path, http[0]), folder=".").load()) == ["checkout"]


def test_a_folder_by_the_name_of_a_file_is_no_such_file_and_not_nothing(
    tmp_path: Path, server: GitServer, http: tuple[str, HttpFaults]
) -> None:
    server.commit({"policies/checkout.yaml": CHECKOUT, "policies/web.yaml": extending("web")})
    names = ("HOLD/why.txt", "defaults.yaml/x.yaml", "shop.yaml/x", "docs/readme.md", "gates/mine.yaml/x")
    server.commit({f"policies/{name}": "x" for name in names})
    policies = policies_of(repositories(tmp_path, http[0]))
    loaded = policies.load()
    assert policies.stops() == (Stop(who="HOLD", reason="found a folder, expected a file that can be read"),)
    assert [one.file for one in loaded.broken] == ["gates/mine.yaml", "shop.yaml", "web.yaml"]
    assert "defaults.yaml: found a folder, expected a file that can be read" in str(
        the_broken(loaded, "web.yaml").error
    )
    assert services(loaded) == ["checkout"]


def test_links_and_large_files_and_lfs_are_errors_of_the_file_alone(
    tmp_path: Path, server: GitServer, http: tuple[str, HttpFaults]
) -> None:
    good = server.commit({"policies/checkout.yaml": CHECKOUT, "policies/web.yaml": of_service("web")})
    server.commit(
        {
            "policies/checkout.yaml": ("120000", server.blob("web.yaml")),
            "policies/big.yaml": b"#" * 2 * MIB,
            "policies/lfs.yaml": "version https://git-lfs.github.com/spec/v1\n",
        }
    )
    loaded = policies_of(repositories(tmp_path, http[0])).load()
    assert services(loaded) == ["checkout", "web"]
    assert commit_of(loaded) == good
    assert [str(one.error) for one in loaded.broken] == [
        "big.yaml: found more than 1 MiB, expected a file that can be read",
        "checkout.yaml: found a symbolic link, which is never followed, expected a file that can be read",
        "lfs.yaml: found a pointer of Git LFS, which keeps the text elsewhere, expected a file that can be read",
    ]


def test_a_sweep_without_news_asks_the_server_once(
    tmp_path: Path, server: GitServer, http: tuple[str, HttpFaults]
) -> None:
    server.commit({f"policies/s{number}.yaml": of_service(f"s{number}") for number in range(3)})
    policies = policies_of(repositories(tmp_path, http[0]))
    policies.load()
    http[1].asked.clear()
    policies.load()
    once = len(http[1].asked)
    server.commit({"policies/s1.yaml": of_service("s1").replace("for: 30m", "for: 31m")})
    http[1].asked.clear()
    policies.load()
    # The news itself, and the one content that is new.
    assert once <= 2
    assert len(http[1].asked) <= once + 4
