"""A repository of policies as a fake of the port `Folders`: commits in dictionaries, and failures on demand."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bot.domain.model import Sha
from bot.policy import PolicyDirectory, shipped_gate_templates
from bot.policy.committed import CommittedPolicies
from bot.policy.folders import Folder
from bot.policy.snapshots import Place
from bot.ports import FolderCommit, FolderHistory, FolderListing, OutsideError, Transient

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PLACE = Place(repository="acme/policies", branch="main", folder="policies")
DOWN = Transient("git", "no answer")
Files = Mapping[str, str | None]


@dataclass(frozen=True)
class Made:
    """A commit: its parent, and all files of the folder then; a text that begins with `!` says what is refused."""

    parent: Sha | None
    files: Mapping[str, str]
    at: datetime


@dataclass
class FakeFolders:
    """One branch with a line of commits. `fail` makes a method raise; `asked` counts what was asked for."""

    commits: dict[Sha, Made] = field(default_factory=dict)
    head: Sha | None = None
    last_fetched: Sha | None = None
    fail: dict[str, OutsideError] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    read: list[Sha] = field(default_factory=list)
    texts: dict[Sha, str] = field(default_factory=dict)
    longest: int = 1000

    def commit(self, files: Files, *, onto: Sha | None = None) -> Sha:
        """Commit changes as a person does; None deletes. `onto` forces the branch to go on from there."""
        parent = onto or self.head
        before = dict(self.commits[parent].files) if parent else {}
        changed = {**before, **files}
        now = {path: text for path, text in changed.items() if text is not None}
        sha = name(f"{parent}{sorted(now.items())}{len(self.commits)}")
        self.commits[sha] = Made(parent=parent, files=now, at=NOON + timedelta(minutes=len(self.commits)))
        self.head = sha
        return sha

    def refresh(self, repository: str, branch: str, paths: Sequence[str] = ()) -> Sha:
        del paths
        self._called("refresh")
        assert (repository, branch) == (PLACE.repository, PLACE.branch)
        assert self.head is not None
        self.last_fetched = self.head
        return self.head

    def fetched(self, repository: str, branch: str) -> Sha | None:
        self._called("fetched")
        assert (repository, branch) == (PLACE.repository, PLACE.branch)
        return self.last_fetched

    def list_folder(self, repository: str, commit: Sha, folder: str, *, inside: Sequence[str]) -> FolderListing | None:
        self._called("list_folder")
        assert (repository, folder, tuple(inside)) == (PLACE.repository, PLACE.folder, ("gates",))
        files = self.commits[commit].files
        if not files:
            return None
        self.texts |= {name(text): text for text in files.values()}
        return FolderListing(
            tree=name(str(sorted(files.items()))),
            files={path: name(text) for path, text in files.items() if not text.startswith("!")},
            refused={path: text[1:] for path, text in files.items() if text.startswith("!")},
        )

    def read_small(self, repository: str, contents: Sequence[Sha], *, most_bytes: int) -> Mapping[Sha, bytes | str]:
        self._called("read_small")
        assert repository == PLACE.repository
        self.read += contents
        texts = {content: self.texts[content].encode() for content in contents}
        return {content: text if len(text) <= most_bytes else "more than 1 MiB" for content, text in texts.items()}

    def folder_history(
        self, repository: str, head: Sha, folder: str, *, wanted: Collection[str], since: Sha | None = None
    ) -> FolderHistory:
        del wanted
        self._called("folder_history")
        assert (repository, folder) == (PLACE.repository, PLACE.folder)
        found: list[FolderCommit] = []
        at: Sha | None = head
        while at is not None and at != since and len(found) < self.longest:
            made = self.commits[at]
            before = self.commits[made.parent].files if made.parent else {}
            paths = frozenset(path for path in {**before, **made.files} if before.get(path) != made.files.get(path))
            found.append(FolderCommit(commit=at, parent=made.parent, at=made.at, paths=paths))
            at = made.parent
        if since is not None and at != since:
            return self.folder_history(repository, head, folder, wanted=())
        return FolderHistory(commits=tuple(found), complete=at is None, joins=since is not None)

    def _called(self, method: str) -> None:
        self.asked.append(method)
        if method in self.fail:
            raise self.fail[method]


def name(text: str) -> Sha:
    """Return a name for something, as Git makes them."""
    return Sha(hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


def directory_of(folder: Folder) -> PolicyDirectory:
    """Read policies with the shipped templates."""
    return PolicyDirectory(path=folder, templates=shipped_gate_templates())


def policies_of(folders: FakeFolders) -> CommittedPolicies:
    """Start the bot anew on a repository: whatever it held in memory is gone."""
    return CommittedPolicies(folders=folders, place=PLACE, directory_of=directory_of)
