"""The Git adapter against real repositories on disk: reading, history, commits, pushes, recovery, hostile names."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.adapters.git import Author, GitLimits, GitRepositories, GitSettings, deepening
from bot.domain.model import Sha
from bot.ports import Conflict, Descent, FileCommit, FileVersion, OutsideError, Permanent, Transient
from tests.adapters.gitserver import NOW, GitServer, StoppedClock, children_of_this_process, contains, open_files

REPO = "acme/deploy"
FILE = "apps/checkout/production/values.yaml"
OLD = "image:\n  tag: v1 # keep\n"
NEW = "image:\n  tag: v2 # keep\n"
QUICK = GitLimits(pause=timedelta(milliseconds=5))
UNKNOWN = Sha("1" * 40)


@pytest.fixture
def server(tmp_path: Path) -> GitServer:
    made = GitServer(tmp_path / "server", REPO)
    made.commit({FILE: OLD, "apps/checkout/other.yaml": "a: 1\n", "README.md": "hello\n"}, message="first\n")
    return made


@pytest.fixture
def repositories(tmp_path: Path, server: GitServer) -> GitRepositories:
    return make_repositories(tmp_path / "mirrors", server.url)


def make_repositories(mirrors: Path, url: str, limits: GitLimits = QUICK) -> GitRepositories:
    settings = GitSettings(
        mirrors=mirrors, url=url, limits=limits, author=Author(name="Lift Bot", email="bot@acme.test")
    )
    return GitRepositories(settings, token=lambda repository: None, clock=StoppedClock())


def commit_new(repositories: GitRepositories, parent: Sha, text: str = NEW) -> Sha:
    plan = FileCommit(repository=REPO, parent=parent, files={FILE: text}, message="Promote\n\nLiftlock-Service: x\n")
    return repositories.commit_file(plan)


def text_of(repositories: GitRepositories, version: FileVersion) -> str | None:
    return repositories.read_contents(REPO, [version.content])[version.content] if version.content else None


def mirror_of(tmp_path: Path) -> Path:
    return tmp_path / "mirrors" / f"{REPO}.git"


# --- reading ---------------------------------------------------------------------------------------------------------


def test_all_wanted_texts_of_a_commit_are_read_at_once_and_those_too_large_are_left_out(
    tmp_path: Path, server: GitServer
) -> None:
    repositories = make_repositories(tmp_path / "mirrors", server.url, GitLimits(max_file_bytes=1000))
    server.commit({"big.yaml": "a: b\n" * 300, "ü/x y.yaml": "c: 1\n"})
    head = repositories.refresh(REPO, "main")
    texts = repositories.read_texts(REPO, head, lambda path: path.endswith(".yaml"), most=10)
    assert texts == {FILE: OLD, "apps/checkout/other.yaml": "a: 1\n", "ü/x y.yaml": "c: 1\n"}
    with pytest.raises(Permanent, match=r"has 4 such files, more than 3"):
        repositories.read_texts(REPO, head, lambda path: path.endswith(".yaml"), most=3)
    assert repositories.read_texts(REPO, head, lambda _: False, most=1) == {}


def test_refresh_returns_the_branch_head_and_sees_a_later_commit(
    repositories: GitRepositories, server: GitServer
) -> None:
    assert repositories.refresh(REPO, "main") == server.head("main")
    later = server.commit({FILE: NEW})
    assert repositories.refresh(REPO, "main") == later


def test_refresh_follows_a_force_push(repositories: GitRepositories, server: GitServer) -> None:
    first = repositories.refresh(REPO, "main")
    server.commit({FILE: NEW})
    repositories.refresh(REPO, "main")
    server.git("update-ref", "refs/heads/main", first)
    assert repositories.refresh(REPO, "main") == first


def test_refresh_survives_a_branch_that_became_a_folder_of_branches(
    repositories: GitRepositories, server: GitServer
) -> None:
    server.commit({FILE: NEW}, branch="liftlock")
    repositories.refresh(REPO, "liftlock")
    server.git("update-ref", "-d", "refs/heads/liftlock")
    inner = server.commit({FILE: NEW}, branch="liftlock/a")
    assert repositories.refresh(REPO, "liftlock/a") == inner


@pytest.mark.parametrize(
    "content",
    [
        b"a: 1\n",
        b"\xef\xbb\xbfa: 1\r\nb: 2\n",
        b"no newline at end",
        b"",
        "ä: 💧\n".encode(),
        b"a\rb\x0cc\x85".replace(b"\x85", b""),
    ],
    ids=["plain", "mark and mixed line ends", "no final newline", "empty", "non-ascii", "lone carriage return"],
)
def test_text_is_read_byte_for_byte(repositories: GitRepositories, server: GitServer, content: bytes) -> None:
    head = server.commit({FILE: content})
    repositories.refresh(REPO, "main")
    text = repositories.read_file(REPO, head, FILE)
    assert text is not None
    assert text.encode("utf-8") == content


@pytest.mark.parametrize("path", ["nope.yaml", "apps/nope/values.yaml", "README.md/below"])
def test_a_file_that_is_not_there_reads_as_none(repositories: GitRepositories, path: str) -> None:
    head = repositories.refresh(REPO, "main")
    assert repositories.read_file(REPO, head, path) is None


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("link.yaml", "symbolic link"),
        ("linked/values.yaml", "symbolic link"),
        ("vendor", "submodule"),
        ("vendor/values.yaml", "submodule"),
        ("apps", "folder"),
        ("big.bin", "Git LFS"),
        ("latin.yaml", "not UTF-8"),
        ("huge.yaml", "more than the"),
    ],
)
def test_what_is_no_regular_utf8_file_is_refused_with_its_reason(
    tmp_path: Path, server: GitServer, path: str, reason: str
) -> None:
    first = server.head("main")
    assert first
    head = server.commit(
        {
            "link.yaml": ("120000", server.blob("/etc/passwd")),
            "linked": ("120000", server.blob("apps")),
            "vendor": ("160000", first),
            "big.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n",
            "latin.yaml": b"a: \xe9\n",
            "huge.yaml": "a" * 2000,
        }
    )
    limits = GitLimits(max_file_bytes=1000)
    repositories = make_repositories(tmp_path / "mirrors", server.url, limits)
    repositories.refresh(REPO, "main")
    with pytest.raises(Permanent, match=reason):
        repositories.read_file(REPO, head, path)


def test_a_fresh_mirror_holds_no_file_contents_until_they_are_read(
    tmp_path: Path, repositories: GitRepositories, server: GitServer
) -> None:
    big = server.commit({"big.txt": os.urandom(200_000).hex()})
    repositories.refresh(REPO, "main")
    before = sum(path.stat().st_size for path in mirror_of(tmp_path).rglob("*") if path.is_file())
    assert before < 50_000
    assert repositories.read_file(REPO, big, FILE) == OLD
    assert sum(path.stat().st_size for path in mirror_of(tmp_path).rglob("*") if path.is_file()) < 50_000


def test_reading_works_when_the_server_has_gone_since_the_content_was_fetched(
    repositories: GitRepositories, server: GitServer
) -> None:
    head = repositories.refresh(REPO, "main")
    repositories.read_file(REPO, head, FILE)
    repositories.file_history(REPO, head, FILE, limit=5)
    shutil.rmtree(server.directory)
    assert repositories.read_file(REPO, head, FILE) == OLD
    assert len(repositories.file_history(REPO, head, FILE, limit=5).versions) == 1


# --- history ---------------------------------------------------------------------------------------------------------


def test_history_lists_the_commits_of_the_file_newest_first(repositories: GitRepositories, server: GitServer) -> None:
    first = server.head("main")
    server.commit({"README.md": "other\n"})
    second = server.commit({FILE: NEW}, message="Promote\n\nLiftlock-Service: checkout\n")
    gone = server.commit({FILE: None}, message="remove\n")
    head = repositories.refresh(REPO, "main")
    found = repositories.file_history(REPO, head, FILE, limit=10).versions
    assert [(v.commit, text_of(repositories, v)) for v in found] == [(gone, None), (second, NEW), (first, OLD)]
    assert found[1].message == "Promote\n\nLiftlock-Service: checkout\n"
    assert found[1].author == "Dana Dev"
    assert found[0].at > found[1].at > found[2].at
    assert found[0].at.tzinfo is UTC


def test_history_stops_at_its_limit(repositories: GitRepositories, server: GitServer) -> None:
    newest = [server.commit({FILE: f"tag: {n}\n"}) for n in range(5)][-2:]
    head = repositories.refresh(REPO, "main")
    found = repositories.file_history(REPO, head, FILE, limit=2).versions
    assert [v.commit for v in found] == newest[::-1]


def test_history_shows_a_merge_that_brought_a_change_and_not_the_commits_behind_it(
    repositories: GitRepositories, server: GitServer
) -> None:
    base = server.head("main")
    assert base
    side = server.commit({FILE: NEW}, branch="side", parents=(base,), message="Promote\n\nLiftlock-Service: checkout\n")
    server.commit({"README.md": "meanwhile\n"})
    above = server.head("main")
    assert above
    merge = server.commit({FILE: NEW}, parents=(above, side), message="Merge pull request #7\n")
    head = repositories.refresh(REPO, "main")
    found = repositories.file_history(REPO, head, FILE, limit=10).versions
    assert [v.commit for v in found] == [merge, base]
    assert found[0].message == "Merge pull request #7\n\nPromote\n\nLiftlock-Service: checkout\n"


def test_a_merge_with_trailers_of_its_own_keeps_its_message(repositories: GitRepositories, server: GitServer) -> None:
    base = server.head("main")
    assert base
    side = server.commit({FILE: NEW}, branch="side", parents=(base,), message="Promote\n\nLiftlock-Service: checkout\n")
    own = "Merge\n\nLiftlock-Service: checkout\nLiftlock-Stage: production\n"
    server.commit({FILE: NEW}, parents=(base, side), message=own)
    head = repositories.refresh(REPO, "main")
    assert repositories.file_history(REPO, head, FILE, limit=1).versions[0].message == own


def test_a_past_that_is_no_text_counts_as_no_file(repositories: GitRepositories, server: GitServer) -> None:
    server.commit({FILE: b"\xff\xfe"})
    server.commit({FILE: ("120000", server.blob("README.md"))})
    server.commit({FILE: NEW})
    head = repositories.refresh(REPO, "main")
    texts = [text_of(repositories, v) for v in repositories.file_history(REPO, head, FILE, limit=10).versions]
    assert texts == [NEW, None, None, OLD]


# --- ancestry --------------------------------------------------------------------------------------------------------


def test_contains_knows_ancestors_descendants_and_strangers(repositories: GitRepositories, server: GitServer) -> None:
    first = repositories.refresh(REPO, "main")
    second = server.commit({FILE: NEW})
    repositories.refresh(REPO, "main")
    assert contains(repositories, REPO, second, first) is True
    assert contains(repositories, REPO, first, first) is True
    assert contains(repositories, REPO, first, second) is False
    assert contains(repositories, REPO, UNKNOWN, first) is None


def test_contains_fetches_a_commit_that_is_on_no_branch_of_ours(
    repositories: GitRepositories, server: GitServer
) -> None:
    first = repositories.refresh(REPO, "main")
    elsewhere = server.commit({FILE: NEW}, branch="elsewhere", parents=(first,))
    assert contains(repositories, REPO, elsewhere, first) is True


def test_an_ancestor_is_told_how_many_commits_of_the_line_it_lacks(
    repositories: GitRepositories, server: GitServer
) -> None:
    first = repositories.refresh(REPO, "main")
    second, third = server.commit({FILE: NEW}), server.commit({"README.md": "x\n"})
    fresh = repositories.refresh(REPO, "main")
    assert fresh == third
    assert repositories.descent(REPO, first, third) == Descent(contains=False, behind=2)
    assert repositories.descent(REPO, second, third) == Descent(contains=False, behind=1)
    assert repositories.descent(REPO, third, third) == Descent(contains=True)
    assert repositories.descent(REPO, third, first) == Descent(contains=True)


def test_a_commit_that_went_another_way_is_not_behind_by_any_number(
    repositories: GitRepositories, server: GitServer
) -> None:
    first = repositories.refresh(REPO, "main")
    head = server.commit({FILE: NEW})
    aside = server.commit({"README.md": "aside\n"}, branch="aside", parents=(first,))
    orphan = server.commit({"README.md": "orphan\n"}, branch="orphan", parents=())
    repositories.refresh(REPO, "main")
    for stranger in (aside, orphan):
        assert repositories.descent(REPO, stranger, head) == Descent(contains=False, behind=None)
        assert repositories.descent(REPO, head, stranger) == Descent(contains=False, behind=None)


@pytest.mark.parametrize("restarted", [False, True], ids=["moved on with the branch", "read anew"])
def test_a_merge_counts_as_one_commit_of_the_line_whatever_it_brought(
    tmp_path: Path, repositories: GitRepositories, server: GitServer, restarted: bool
) -> None:
    first = repositories.refresh(REPO, "main")
    inner = server.commit({"a": "1\n"}, branch="side", parents=(first,))
    side = server.commit({"a": "2\n"}, branch="side")
    above = server.commit({"README.md": "meanwhile\n"})
    merge = server.commit({FILE: NEW}, parents=(above, side))
    if restarted:
        repositories = make_repositories(tmp_path / "again", server.url)
    repositories.refresh(REPO, "main")
    assert repositories.descent(REPO, first, merge) == Descent(contains=False, behind=2)
    assert repositories.descent(REPO, above, merge) == Descent(contains=False, behind=1)
    assert repositories.descent(REPO, side, merge) == Descent(contains=False, behind=2)
    assert repositories.descent(REPO, merge, inner) == Descent(contains=True)


def test_how_far_behind_is_counted_through_a_mirror_that_began_shallow(
    tmp_path: Path, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deepening, "FIRST_STEP", 3)
    line = [server.commit({"README.md": f"{number}\n"}) for number in range(30)]
    aside = server.commit({"x": "y\n"}, branch="aside", parents=(line[0],))
    repositories = make_repositories(tmp_path / "shallow", server.url)
    head = repositories.refresh(REPO, "main")
    assert head == line[-1]
    assert repositories.descent(REPO, line[4], head) == Descent(contains=False, behind=25)
    assert repositories.descent(REPO, line[4], line[20]) == Descent(contains=False, behind=16)
    assert repositories.descent(REPO, aside, head) == Descent(contains=False, behind=None)
    assert repositories.descent(REPO, head, line[0]) == Descent(contains=True)


def test_beyond_the_limit_of_the_settings_nobody_says_behind(
    tmp_path: Path, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deepening, "FIRST_STEP", 3)
    first = server.head("main")
    assert first
    for number in range(60):
        server.commit({"README.md": f"{number}\n"})
    limits = GitLimits(pause=timedelta(milliseconds=5), history_commits=10)
    repositories = make_repositories(tmp_path / "short", server.url, limits)
    head = repositories.refresh(REPO, "main")
    found = repositories.descent(REPO, first, head)
    assert found is None or found == Descent(contains=False, behind=None)


def test_a_change_is_dated_by_when_it_was_written_and_a_merge_by_what_it_brought(
    repositories: GitRepositories, server: GitServer
) -> None:
    base = server.head("main")
    assert base
    written = commit_written_at(server, base, NOW - timedelta(days=30))
    merge = server.commit({FILE: NEW}, parents=(base, written), message="Merge pull request #7\n")
    own = server.commit({FILE: OLD})
    found = repositories.file_history(REPO, repositories.refresh(REPO, "main"), FILE, limit=10).versions
    assert [version.commit for version in found] == [own, merge, base]
    assert found[0].written_at == found[0].at
    assert found[1].written_at == NOW - timedelta(days=30)
    assert found[1].at > NOW - timedelta(days=30)


def test_a_merge_with_trailers_of_its_own_is_dated_by_itself(repositories: GitRepositories, server: GitServer) -> None:
    base = server.head("main")
    assert base
    written = commit_written_at(server, base, NOW - timedelta(days=30))
    server.commit({FILE: NEW}, parents=(base, written), message="Promote\n\nLiftlock-Service: checkout\n")
    (found, _) = repositories.file_history(REPO, repositories.refresh(REPO, "main"), FILE, limit=10).versions
    assert found.written_at == found.at


def commit_written_at(server: GitServer, parent: Sha, when: datetime) -> Sha:
    """Commit NEW on top of `parent`, written at `when` and committed later, as after a rebase."""
    tree = server.git("rev-parse", f"{server.commit({FILE: NEW}, branch='tree', parents=(parent,))}^{{tree}}")
    people = {f"GIT_{role}_{fact}": "x" for role in ("AUTHOR", "COMMITTER") for fact in ("NAME", "EMAIL")}
    dates = {
        "GIT_AUTHOR_DATE": f"@{int(when.timestamp())} +0000",
        "GIT_COMMITTER_DATE": f"@{int(NOW.timestamp())} +0000",
    }
    return Sha(server.git("commit-tree", tree, "-p", parent, stdin=b"Promote\n", env=people | dates))


def test_branch_change_tells_fork_head_message_and_every_kind_of_difference(
    repositories: GitRepositories, server: GitServer
) -> None:
    fork = repositories.refresh(REPO, "main")
    readme = server.blob("hello\n")
    change = {FILE: NEW, "apps/checkout/other.yaml": None, "README.md": ("100755", readme), "ö ü.txt": "new\n"}
    head = server.commit(change, branch="liftlock/x", parents=(fork,), message="Promote\n")
    base = server.commit({"unrelated": "1\n"})
    repositories.refresh(REPO, "main")
    found = repositories.branch_change(REPO, base, "liftlock/x")
    assert found is not None
    assert (found.head, found.fork, found.message) == (head, fork, "Promote\n")
    assert found.paths == tuple(sorted(change))


def test_branch_change_is_none_where_the_server_has_no_such_branch_any_more(
    repositories: GitRepositories, server: GitServer
) -> None:
    base = repositories.refresh(REPO, "main")
    server.commit({FILE: NEW}, branch="liftlock/x", parents=(base,))
    assert repositories.branch_change(REPO, base, "liftlock/x") is not None
    server.git("update-ref", "-d", "refs/heads/liftlock/x")
    assert repositories.branch_change(REPO, base, "liftlock/x") is None


def test_branches_that_were_asked_for_come_with_the_next_fetch_of_the_tracked_one(
    repositories: GitRepositories, server: GitServer
) -> None:
    fork = repositories.refresh(REPO, "main")
    first = server.commit({FILE: NEW}, branch="liftlock/x", parents=(fork,))
    for name in ("liftlock/x", "liftlock/none"):
        repositories.branch_change(REPO, fork, name, is_fresh=False)
    second = server.commit({FILE: NEW, "more": "1\n"}, branch="liftlock/x", parents=(first,))
    repositories.refresh(REPO, "main")
    # With the server gone, all is known that was asked for before.
    server.directory.rename(server.directory.with_suffix(".away"))
    found = repositories.branch_change(REPO, fork, "liftlock/x", is_fresh=False)
    assert found is not None
    assert found.head == second
    assert repositories.branch_change(REPO, fork, "liftlock/none", is_fresh=False) is None
    with pytest.raises(OutsideError):
        repositories.branch_change(REPO, fork, "liftlock/x")


def test_after_a_fetch_that_failed_no_branch_is_where_an_earlier_one_found_it(
    repositories: GitRepositories, server: GitServer
) -> None:
    fork = repositories.refresh(REPO, "main")
    server.commit({FILE: NEW}, branch="liftlock/x", parents=(fork,))
    repositories.branch_change(REPO, fork, "liftlock/x", is_fresh=False)
    repositories.refresh(REPO, "main")
    server.directory.rename(server.directory.with_suffix(".away"))
    with pytest.raises(OutsideError):
        repositories.refresh(REPO, "main")
    with pytest.raises(OutsideError):
        repositories.branch_change(REPO, fork, "liftlock/x", is_fresh=False)


def test_a_branch_that_is_gone_or_was_never_asked_for_is_not_taken_from_an_earlier_fetch(
    repositories: GitRepositories, server: GitServer
) -> None:
    fork = repositories.refresh(REPO, "main")
    server.commit({FILE: NEW}, branch="liftlock/x", parents=(fork,))
    assert repositories.branch_change(REPO, fork, "liftlock/x", is_fresh=False) is not None
    server.git("update-ref", "-d", "refs/heads/liftlock/x")
    late = server.commit({FILE: NEW}, branch="liftlock/x-late", parents=(fork,))
    repositories.refresh(REPO, "main")
    assert repositories.branch_change(REPO, fork, "liftlock/x", is_fresh=False) is None
    found = repositories.branch_change(REPO, fork, "liftlock/x-late", is_fresh=False)
    assert found is not None
    assert found.head == late


def test_merges_of_the_base_into_a_branch_do_not_hide_what_it_was_made_for(
    repositories: GitRepositories, server: GitServer
) -> None:
    fork = repositories.refresh(REPO, "main")
    own = server.commit({FILE: NEW}, branch="liftlock/x", parents=(fork,), message="Promote\n")
    base = server.commit({"unrelated": "1\n"})
    head = server.commit({"unrelated": "1\n"}, branch="liftlock/x", parents=(own, base), message="Merge main\n")
    again = server.commit({"unrelated": "2\n"})
    head = server.commit({"unrelated": "2\n"}, branch="liftlock/x", parents=(head, again), message="Merge main\n")
    repositories.refresh(REPO, "main")
    found = repositories.branch_change(REPO, again, "liftlock/x")
    assert found is not None
    assert (found.head, found.fork, found.paths, found.message) == (head, again, (FILE,), "Promote\n")


def test_a_merge_of_anything_else_into_a_branch_speaks_for_itself(
    repositories: GitRepositories, server: GitServer
) -> None:
    fork = repositories.refresh(REPO, "main")
    own = server.commit({FILE: NEW}, branch="liftlock/x", parents=(fork,), message="Promote\n")
    side = server.commit({"side": "1\n"}, branch="side", parents=(fork,))
    server.commit({"side": "1\n"}, branch="liftlock/x", parents=(own, side), message="Merge side\n")
    found = repositories.branch_change(REPO, fork, "liftlock/x")
    assert found is not None
    assert (found.paths, found.message) == ((FILE, "side"), "Merge side\n")


def test_branches_merged_into_each_other_hide_no_path(repositories: GitRepositories, server: GitServer) -> None:
    # Two forks: the branch took main's change into itself and main took the branch's; each fork hides one of them.
    base = server.head("main")
    assert base
    left = server.commit({"left": "1\n"}, parents=(base,))
    right = server.commit({"right": "1\n"}, branch="liftlock/x", parents=(base,))
    main = server.commit({"right": "1\n"}, parents=(left, right))
    server.commit({"left": "1\n"}, branch="liftlock/x", parents=(right, left))
    found = repositories.branch_change(REPO, main, "liftlock/x")
    assert found is not None
    assert found.paths == ("left", "right")


# --- commits ---------------------------------------------------------------------------------------------------------


def test_a_commit_changes_one_file_and_nothing_else(repositories: GitRepositories, server: GitServer) -> None:
    head = repositories.refresh(REPO, "main")
    made = commit_new(repositories, head)
    assert server.head("main") == head
    repositories.push(REPO, "main", made, expected=head)
    assert server.git("diff-tree", "-r", "--name-status", head, made) == f"M\t{FILE}"
    assert server.show(made, FILE) == NEW.encode()
    assert server.git("rev-parse", f"{made}^") == head
    server.git("fsck", "--strict")


def test_a_commit_carries_author_committer_time_and_message_as_given(
    repositories: GitRepositories, server: GitServer
) -> None:
    head = repositories.refresh(REPO, "main")
    made = commit_new(repositories, head)
    repositories.push(REPO, "main", made, expected=head)
    shown = server.git("show", "-s", "--format=%an <%ae>|%cn <%ce>|%at|%ct|%B", made)
    at = int(NOW.timestamp())
    assert shown == f"Lift Bot <bot@acme.test>|Lift Bot <bot@acme.test>|{at}|{at}|Promote\n\nLiftlock-Service: x"


def test_the_same_plan_at_the_same_time_makes_the_same_commit(repositories: GitRepositories) -> None:
    head = repositories.refresh(REPO, "main")
    assert commit_new(repositories, head) == commit_new(repositories, head)


@pytest.mark.parametrize("mode", ["100644", "100755"])
def test_a_commit_keeps_the_file_mode(repositories: GitRepositories, server: GitServer, mode: str) -> None:
    head = server.commit({FILE: (mode, server.blob(OLD))}, message="mode\n", branch="modes")
    repositories.refresh(REPO, "modes")
    made = commit_new(repositories, head)
    repositories.push(REPO, "modes", made, expected=head)
    assert server.git("ls-tree", made, FILE).split()[0] == mode


def test_a_commit_of_bytes_with_mark_and_carriage_returns_keeps_them(
    repositories: GitRepositories, server: GitServer
) -> None:
    head = repositories.refresh(REPO, "main")
    made = commit_new(repositories, head, text="\ufeffa: 1\r\nb: 2")
    repositories.push(REPO, "main", made, expected=head)
    assert server.show(made, FILE) == b"\xef\xbb\xbfa: 1\r\nb: 2"


def test_git_attributes_of_the_repository_change_nothing(repositories: GitRepositories, server: GitServer) -> None:
    head = server.commit({".gitattributes": "* text=auto eol=crlf ident\n", FILE: "a: $Id$\r\n"})
    repositories.refresh(REPO, "main")
    made = commit_new(repositories, head, text="b: $Id$\r\n")
    repositories.push(REPO, "main", made, expected=head)
    assert server.show(made, FILE) == b"b: $Id$\r\n"


def test_a_commit_that_would_change_nothing_is_refused(repositories: GitRepositories) -> None:
    head = repositories.refresh(REPO, "main")
    with pytest.raises(Conflict, match="already says"):
        commit_new(repositories, head, text=OLD)


def test_a_commit_to_a_file_that_is_gone_is_refused(repositories: GitRepositories, server: GitServer) -> None:
    head = server.commit({FILE: None})
    repositories.refresh(REPO, "main")
    with pytest.raises(Conflict, match="is not in"):
        commit_new(repositories, head)


def test_a_commit_over_a_symbolic_link_is_refused(repositories: GitRepositories, server: GitServer) -> None:
    head = server.commit({FILE: ("120000", server.blob("README.md"))})
    repositories.refresh(REPO, "main")
    with pytest.raises(Permanent, match="symbolic link"):
        commit_new(repositories, head)


def test_a_root_file_with_odd_neighbours_is_committed_into_an_intact_tree(
    repositories: GitRepositories, server: GitServer
) -> None:
    head = server.commit({"a.b/x": "1", "a/x": "1", "a-b": "1", "tab\tand ünï": "1", "sub": ("160000", "1" * 40)})
    repositories.refresh(REPO, "main")
    plan = FileCommit(repository=REPO, parent=head, files={"a-b": "2"}, message="m\n")
    made = repositories.commit_file(plan)
    repositories.push(REPO, "main", made, expected=head)
    assert server.git("diff-tree", "-r", "--name-status", head, made) == "M\ta-b"
    server.git("fsck", "--strict")


# --- pushes ----------------------------------------------------------------------------------------------------------


def test_a_new_branch_of_the_bot_is_made(repositories: GitRepositories, server: GitServer) -> None:
    made = commit_new(repositories, repositories.refresh(REPO, "main"))
    repositories.push(REPO, "liftlock/x", made, expected=None)
    assert server.head("liftlock/x") == made


def test_pushing_the_same_commit_again_changes_nothing_and_succeeds(
    repositories: GitRepositories, server: GitServer
) -> None:
    made = commit_new(repositories, repositories.refresh(REPO, "main"))
    repositories.push(REPO, "liftlock/x", made, expected=None)
    repositories.push(REPO, "liftlock/x", made, expected=None)
    assert server.head("liftlock/x") == made


def test_the_bots_own_branch_is_replaced_only_from_the_expected_head(
    repositories: GitRepositories, server: GitServer
) -> None:
    base = repositories.refresh(REPO, "main")
    first, second = commit_new(repositories, base), commit_new(repositories, base, text="x: 2\n")
    repositories.push(REPO, "liftlock/x", first, expected=None)
    with pytest.raises(Conflict, match="moved"):
        repositories.push(REPO, "liftlock/x", second, expected=None)
    with pytest.raises(Conflict, match="moved"):
        repositories.push(REPO, "liftlock/x", second, expected=base)
    assert server.head("liftlock/x") == first
    repositories.push(REPO, "liftlock/x", second, expected=first)
    assert server.head("liftlock/x") == second


def test_a_branch_of_others_is_never_moved_backwards(repositories: GitRepositories, server: GitServer) -> None:
    base = repositories.refresh(REPO, "main")
    stale = commit_new(repositories, base)
    moved = server.commit({"README.md": "meanwhile\n"})
    repositories.refresh(REPO, "main")
    with pytest.raises(Permanent, match="would lose commits"):
        repositories.push(REPO, "main", stale, expected=moved)
    assert server.head("main") == moved


def test_a_branch_that_was_set_back_below_the_expected_head_is_not_pushed_to(
    repositories: GitRepositories, server: GitServer
) -> None:
    # A plain fast-forward push would succeed here and bring back what somebody took away.
    first = server.head("main")
    assert first
    server.commit({FILE: "tag: bad\n"})
    head = repositories.refresh(REPO, "main")
    made = commit_new(repositories, head)
    server.git("update-ref", "refs/heads/main", first)
    with pytest.raises(Conflict, match="moved"):
        repositories.push(REPO, "main", made, expected=head)
    assert server.head("main") == first


def test_of_two_writers_racing_on_one_branch_exactly_one_wins(tmp_path: Path, server: GitServer) -> None:
    writers = [make_repositories(tmp_path / f"mirror-{n}", server.url) for n in range(2)]
    made = [
        commit_new(writer, writer.refresh(REPO, "main"), text=f"tag: {place}\n") for place, writer in enumerate(writers)
    ]
    base = server.head("main")
    gate = threading.Barrier(2)
    results: list[OutsideError | None] = [None, None]

    def write(place: int) -> None:
        gate.wait()
        try:
            writers[place].push(REPO, "main", made[place], expected=base)
        except OutsideError as error:
            results[place] = error

    threads = [threading.Thread(target=write, args=(place,)) for place in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [place for place in range(2) if results[place] is None]
    assert len(winners) == 1
    assert server.head("main") == made[winners[0]]
    assert isinstance(results[1 - winners[0]], Conflict)


def test_a_loser_that_looks_again_and_makes_its_edit_anew_loses_nothing(tmp_path: Path, server: GitServer) -> None:
    one, two = (make_repositories(tmp_path / f"mirror-{n}", server.url) for n in range(2))
    base = one.refresh(REPO, "main")
    assert two.refresh(REPO, "main") == base
    one.push(REPO, "main", commit_new(one, base), expected=base)
    plan = FileCommit(repository=REPO, parent=base, files={"README.md": "mine\n"}, message="m\n")
    with pytest.raises(Conflict):
        two.push(REPO, "main", two.commit_file(plan), expected=base)
    again = two.refresh(REPO, "main")
    plan = FileCommit(repository=REPO, parent=again, files={"README.md": "mine\n"}, message="m\n")
    made = two.commit_file(plan)
    two.push(REPO, "main", made, expected=again)
    assert (server.show(made, FILE), server.show(made, "README.md")) == (NEW.encode(), b"mine\n")


def test_a_push_that_protection_refuses_is_permanent_and_says_githubs_reason(
    repositories: GitRepositories, server: GitServer
) -> None:
    server.hook("pre-receive", 'echo "error: GH006: Protected branch update failed for refs/heads/main." >&2\nexit 1')
    base = repositories.refresh(REPO, "main")
    with pytest.raises(Permanent, match="GH006: Protected branch update failed") as caught:
        repositories.push(REPO, "main", commit_new(repositories, base), expected=base)
    assert not isinstance(caught.value, Conflict)
    assert server.head("main") == base


def test_what_a_hook_says_reaches_the_user_without_tokens_and_control_characters(
    repositories: GitRepositories, server: GitServer
) -> None:
    server.hook(
        "pre-receive", "printf 'no \\033[31mred ghp_%s\\n' 0123456789012345678901234567890123456789 >&2\nexit 1"
    )
    base = repositories.refresh(REPO, "main")
    with pytest.raises(Permanent) as caught:
        repositories.push(REPO, "main", commit_new(repositories, base), expected=base)
    assert "\033" not in caught.value.sentence
    assert "ghp_" not in caught.value.sentence
    assert "red ***" in caught.value.sentence


def test_a_server_that_dies_before_the_push_is_done_is_tried_once_more_and_nothing_is_written_twice(
    tmp_path: Path, repositories: GitRepositories, server: GitServer
) -> None:
    tries = tmp_path / "tries"
    server.hook("pre-receive", f"echo x >> {tries}\nkill -9 $PPID")
    base = repositories.refresh(REPO, "main")
    with pytest.raises(Transient, match="as it was"):
        repositories.push(REPO, "main", commit_new(repositories, base), expected=base)
    assert server.head("main") == base
    assert tries.read_text().count("x") == 2


def test_a_server_that_dies_once_does_not_stop_the_push(
    tmp_path: Path, repositories: GitRepositories, server: GitServer
) -> None:
    server.hook("pre-receive", f"test -e {tmp_path}/died && exit 0\ntouch {tmp_path}/died\nkill -9 $PPID")
    base = repositories.refresh(REPO, "main")
    made = commit_new(repositories, base)
    repositories.push(REPO, "main", made, expected=base)
    assert server.head("main") == made


def test_a_server_that_dies_after_the_push_was_done_counts_as_success(
    tmp_path: Path, repositories: GitRepositories, server: GitServer
) -> None:
    tries = tmp_path / "tries"
    server.hook("post-receive", f"echo x >> {tries}\nkill -9 $PPID")
    base = repositories.refresh(REPO, "main")
    made = commit_new(repositories, base)
    repositories.push(REPO, "main", made, expected=base)
    assert server.head("main") == made
    assert tries.read_text().count("x") == 1


def test_a_lost_answer_counts_as_success_even_if_somebody_built_on_the_commit_meanwhile(
    repositories: GitRepositories, server: GitServer
) -> None:
    base = repositories.refresh(REPO, "main")
    made = commit_new(repositories, base)
    script = (
        "export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a\n"
        "git update-ref refs/heads/main $(git commit-tree main^{tree} -p main -m later)\nkill -9 $PPID"
    )
    server.hook("post-receive", script)
    repositories.push(REPO, "main", made, expected=base)
    assert server.git("rev-parse", "main^") == made


def test_a_lost_answer_is_a_conflict_if_somebody_else_moved_the_branch(
    repositories: GitRepositories, server: GitServer
) -> None:
    base = repositories.refresh(REPO, "main")
    made = commit_new(repositories, base)
    other = server.commit({"README.md": "x\n"}, branch="other", parents=(base,))
    server.hook("pre-receive", f"env -u GIT_QUARANTINE_PATH git update-ref refs/heads/main {other}\nkill -9 $PPID")
    with pytest.raises(Conflict, match="moved"):
        repositories.push(REPO, "main", made, expected=base)
    assert server.head("main") == other


# --- recovery --------------------------------------------------------------------------------------------------------


def _empty_packs(mirror: Path) -> None:
    for pack in (mirror / "objects").rglob("*.pack"):
        pack.chmod(0o600)
        pack.write_bytes(b"")


def _remove_objects(mirror: Path) -> None:
    shutil.rmtree(mirror / "objects")


def _scribble_refs(mirror: Path) -> None:
    for ref in (mirror / "refs").rglob("*"):
        if ref.is_file():
            ref.write_text("nonsense\n")


def _scribble_config(mirror: Path) -> None:
    (mirror / "config").write_text("[core\nrepositoryformatversion = banana")


def _cut_packs(mirror: Path) -> None:
    for pack in (mirror / "objects").rglob("*.pack"):
        pack.chmod(0o600)
        whole = pack.read_bytes()
        pack.write_bytes(whole[: len(whole) // 2])


def _put_a_file_there(mirror: Path) -> None:
    shutil.rmtree(mirror)
    mirror.write_text("not a folder")


@pytest.mark.parametrize(
    "damage",
    [_empty_packs, _remove_objects, _scribble_refs, _scribble_config, _cut_packs, _put_a_file_there, shutil.rmtree],
)
@pytest.mark.parametrize("restarted", [True, False], ids=["restarted", "running"])
def test_a_corrupt_mirror_is_made_again_without_help(
    tmp_path: Path, server: GitServer, damage: object, restarted: bool
) -> None:
    assert callable(damage)
    repositories = make_repositories(tmp_path / "mirrors", server.url)
    repositories.refresh(REPO, "main")
    damage(mirror_of(tmp_path))
    if restarted:
        repositories = make_repositories(tmp_path / "mirrors", server.url)
    head = repositories.refresh(REPO, "main")
    assert head == server.head("main")
    assert repositories.read_file(REPO, head, FILE) == OLD
    assert len(repositories.file_history(REPO, head, FILE, limit=5).versions) == 1
    made = commit_new(repositories, head)
    repositories.push(REPO, "main", made, expected=head)
    assert server.head("main") == made


@pytest.mark.parametrize("damage", [_empty_packs, _remove_objects, _scribble_config, _cut_packs])
def test_a_mirror_that_breaks_between_two_reads_is_made_again_in_the_middle_of_the_read(
    tmp_path: Path, repositories: GitRepositories, server: GitServer, damage: object
) -> None:
    assert callable(damage)
    head = repositories.refresh(REPO, "main")
    damage(mirror_of(tmp_path))
    assert repositories.read_file(REPO, head, FILE) == OLD


def test_a_commit_that_was_lost_with_its_mirror_is_a_conflict_not_a_wrong_push(
    tmp_path: Path, repositories: GitRepositories, server: GitServer
) -> None:
    base = repositories.refresh(REPO, "main")
    made = commit_new(repositories, base)
    shutil.rmtree(mirror_of(tmp_path))
    with pytest.raises(Conflict, match="not in the mirror"):
        repositories.push(REPO, "main", made, expected=base)
    assert server.head("main") == base


@pytest.mark.parametrize("lock", ["refs", "packed-refs.lock", "shallow.lock"])
@pytest.mark.parametrize("restarted", [True, False], ids=["restarted", "running"])
def test_a_lock_file_left_by_a_killed_git_is_removed(
    tmp_path: Path, server: GitServer, lock: str, restarted: bool
) -> None:
    repositories = make_repositories(tmp_path / "mirrors", server.url)
    repositories.refresh(REPO, "main")
    mirror = mirror_of(tmp_path)
    ref = next(path for path in (mirror / "refs" / "liftlock").rglob("*") if path.is_file())
    (ref.with_name(f"{ref.name}.lock") if lock == "refs" else mirror / lock).touch()
    later = server.commit({FILE: NEW})
    if restarted:
        repositories = make_repositories(tmp_path / "mirrors", server.url)
    assert repositories.refresh(REPO, "main") == later
    assert repositories.read_file(REPO, later, FILE) == NEW


def test_half_received_packs_of_a_killed_git_are_removed_at_the_next_start(tmp_path: Path, server: GitServer) -> None:
    make_repositories(tmp_path / "mirrors", server.url).refresh(REPO, "main")
    left = mirror_of(tmp_path) / "objects" / "pack" / "tmp_pack_abc"
    left.write_bytes(b"x" * 1000)
    make_repositories(tmp_path / "mirrors", server.url).refresh(REPO, "main")
    assert not left.exists()


# --- hostile names ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "branch",
    ["-x", "--upload-pack=touch /tmp/x", "", "a..b", "a b", "a\nb", "x.lock", "/a", "a/", "a//b", ".a", "a/.b", "@",
     "a~1", "a^", "a:b", "a?", "a*", "a[", "a\\b", "a@{1}", "a.", "HEAD", "\udc80", "x" * 300],
)  # fmt: skip
def test_a_branch_name_that_is_none_is_refused_before_git_sees_it(repositories: GitRepositories, branch: str) -> None:
    head = repositories.refresh(REPO, "main")
    for call in (
        lambda: repositories.refresh(REPO, branch),
        lambda: repositories.branch_change(REPO, head, branch),
        lambda: repositories.push(REPO, branch, head, expected=None),
    ):
        with pytest.raises(Permanent, match="cannot be used as a branch"):
            call()


@pytest.mark.parametrize(
    "path",
    ["-x", "--output=x", "", "/etc/passwd", "../x", "a/../b", "a//b", "./a", "a/.", ".git/config", "a/.GIT/config",
     "GIT~1/config", ".g\u200cit/config", ".git /config", ".git::$INDEX_ALLOCATION/x", "a\nb", "a\0b",
     "a\\b", "\udc80"],
)  # fmt: skip
def test_a_path_that_leaves_the_repository_is_refused_before_git_sees_it(
    repositories: GitRepositories, path: str
) -> None:
    head = repositories.refresh(REPO, "main")
    plan = FileCommit(repository=REPO, parent=head, files={path: "x"}, message="m")
    for call in (
        lambda: repositories.read_file(REPO, head, path),
        lambda: repositories.file_history(REPO, head, path, limit=1),
        lambda: repositories.commit_file(plan),
    ):
        with pytest.raises(Permanent, match="cannot be used as a path"):
            call()


@pytest.mark.parametrize("sha", ["--all", "HEAD", "main", "1" * 39, "1" * 40 + "\n", "A" * 40, ""])
def test_only_a_full_object_name_is_a_commit(repositories: GitRepositories, sha: str) -> None:
    head = repositories.refresh(REPO, "main")
    wrong = Sha(sha)
    for call in (
        lambda: repositories.read_file(REPO, wrong, FILE),
        lambda: repositories.descent(REPO, wrong, head),
        lambda: repositories.descent(REPO, head, wrong),
        lambda: repositories.push(REPO, "liftlock/x", wrong, expected=None),
        lambda: repositories.push(REPO, "liftlock/x", head, expected=wrong),
    ):
        with pytest.raises(Permanent, match="cannot be used as a commit"):
            call()


@pytest.mark.parametrize(
    "repository", ["acme", "-a/b", "acme/..", "../etc/passwd", "acme/-x", "a/b/c", "acme/de ploy", "a\n/b"]
)
def test_a_repository_name_that_is_none_is_refused(repositories: GitRepositories, repository: str) -> None:
    with pytest.raises(Permanent, match="cannot be used as a repository"):
        repositories.refresh(repository, "main")


@pytest.mark.parametrize("path", ["*.yaml", ":(top)x", ":!README.md", "a[b].yaml", "--x/y".replace("--", "x-")])
def test_path_magic_and_wildcards_mean_only_themselves(
    repositories: GitRepositories, server: GitServer, path: str
) -> None:
    head = server.commit({path: "mine\n", "zz.yaml": "other\n"})
    repositories.refresh(REPO, "main")
    assert repositories.read_file(REPO, head, path) == "mine\n"
    assert [text_of(repositories, v) for v in repositories.file_history(REPO, head, path, limit=9).versions] == [
        "mine\n"
    ]


def test_a_url_template_with_a_protocol_that_runs_commands_is_refused_by_git(tmp_path: Path, server: GitServer) -> None:
    made = make_repositories(tmp_path / "mirrors", f"ext::sh -c touch% {tmp_path}/ran% {{repository}}")
    with pytest.raises(Permanent, match="protocol"):
        made.refresh(REPO, "main")
    assert not (tmp_path / "ran").exists()


def test_no_hook_and_no_configuration_of_the_user_runs(
    tmp_path: Path, repositories: GitRepositories, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    hooks = home / "hooks"
    hooks.mkdir(parents=True)
    for name in ("pre-push", "post-commit", "reference-transaction"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        (hooks / name).chmod(0o755)
    evil = f'[core]\nhooksPath = {hooks}\nfsmonitor = "touch {tmp_path}/ran"\n[init]\ntemplateDir = {home}\n'
    (home / ".gitconfig").write_text(evil)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", f"'core.hooksPath'='{hooks}'")
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(home))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_TRACE", str(tmp_path / "ran"))
    base = repositories.refresh(REPO, "main")
    repositories.push(REPO, "main", commit_new(repositories, base), expected=base)
    assert not (tmp_path / "ran").exists()


# --- long runs -------------------------------------------------------------------------------------------------------


@pytest.fixture
def nothing_leaks() -> Iterator[None]:
    before = open_files(), children_of_this_process()
    yield
    assert (open_files(), children_of_this_process()) == before


@pytest.mark.usefixtures("nothing_leaks")
def test_many_operations_leave_no_process_and_no_file_handle(repositories: GitRepositories, server: GitServer) -> None:
    for turn in range(15):
        head = repositories.refresh(REPO, "main")
        repositories.read_file(REPO, head, FILE)
        repositories.file_history(REPO, head, FILE, limit=5)
        repositories.descent(REPO, UNKNOWN, head)
        repositories.branch_change(REPO, head, "liftlock/none")
        made = commit_new(repositories, head, text=f"tag: {turn}\n")
        repositories.push(REPO, "main", made, expected=head)
        with pytest.raises(Conflict):
            repositories.push(REPO, "main", commit_new(repositories, head), expected=head)


def test_threads_share_one_adapter(repositories: GitRepositories, server: GitServer) -> None:
    head = repositories.refresh(REPO, "main")
    errors: list[OutsideError] = []

    def work(place: int) -> None:
        try:
            made = commit_new(repositories, repositories.refresh(REPO, "main"), text=f"tag: {place}\n")
            repositories.push(REPO, f"liftlock/{place}", made, expected=None)
        except OutsideError as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert [server.git("rev-parse", f"liftlock/{place}^") for place in range(8)] == [head] * 8


def test_a_nonsensical_commit_time_does_not_stop_a_history(repositories: GitRepositories, server: GitServer) -> None:
    tree = server.git("rev-parse", "main^{tree}")
    raw = f"tree {tree}\nauthor x <x> 99999999999999999 +0000\ncommitter <> broken\n\nodd\n".encode()
    odd = server.git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=raw)
    server.git("update-ref", "refs/heads/odd", odd)
    head = repositories.refresh(REPO, "odd")
    found = repositories.file_history(REPO, head, FILE, limit=3).versions
    assert found[0].at == datetime(1970, 1, 1, tzinfo=UTC)


def test_a_folder_for_mirrors_that_cannot_be_used_is_named(tmp_path: Path, server: GitServer) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Permanent, match="for mirrors cannot be used"):
        make_repositories(tmp_path / "file", server.url).refresh(REPO, "main")


def test_a_mirror_that_another_process_holds_is_waited_for_but_not_for_ever(tmp_path: Path, server: GitServer) -> None:
    limits = GitLimits(network=timedelta(milliseconds=100), pause=timedelta(milliseconds=5))
    repositories = make_repositories(tmp_path / "mirrors", server.url, limits)
    repositories.refresh(REPO, "main")
    holder = subprocess.Popen(
        ["flock", str(mirror_of(tmp_path).with_suffix(".lock")), "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdin.write(b"held\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Transient, match="another process"):
            repositories.read_file(REPO, server.commit({FILE: NEW}), FILE)
        holder.stdin.close()
    assert repositories.refresh(REPO, "main") == server.head("main")
