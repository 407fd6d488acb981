"""What the bot needs of the outside world, in domain words. Adapters implement these; tests have stateful fakes.

Every method may raise `Transient` (the world is unreachable: this service waits) or `Permanent` (asking again will not
help until a person changes something). Every call has a deadline of its adapter's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from bot.domain.argo import Application, NoApplication, Target
from bot.domain.model import Artifact, Digest, ImageFacts, Numbers, Sha, Trouble
from bot.domain.policy import CommitsBy
from bot.domain.proofs import Proofs
from bot.domain.queries import DEFAULT_SOURCE, Query
from bot.domain.summaries import Summary


class OutsideError(Exception):
    """Something outside the bot did not answer, refused, or answered nonsense. `sentence` is fit for users."""

    def __init__(self, system: str, sentence: str) -> None:
        super().__init__(f"{system}: {sentence}")
        self.system = system
        self.sentence = sentence

    def as_trouble(self) -> Trouble:
        """Fold the error into a value that a decision can explain."""
        return Trouble(system=self.system, sentence=self.sentence)


class Transient(OutsideError):
    """Trying again later may help; not before `retry_after` where the system named one."""

    def __init__(self, system: str, sentence: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(system, sentence)
        self.retry_after = retry_after


class Permanent(OutsideError):
    """Trying again will not help until a person changes something: a wrong token, a missing repository."""


class Conflict(Permanent):
    """A conditional write was refused because the world had moved: the next sweep looks and decides anew."""


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> datetime:
        """Return the present instant in UTC."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FileVersion:
    """A commit of the branch's first-parent line that touched a file. `content` names the text then (None: no file).

    `written_at` is when its author wrote the change. `message` is the commit's; where the commit is a merge whose own
    message has no Liftlock trailers, the message of its second parent follows after a blank line, since that is where a
    person's merge of the bot's branch keeps them.
    """

    commit: Sha
    at: datetime
    author: str
    message: str
    content: Sha | None
    written_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileHistory:
    """Versions of a file, newest first.

    `joins` says that they end just above the commit that the caller knows already; `complete` that they go back to the
    file's first commit.
    """

    versions: tuple[FileVersion, ...]
    complete: bool
    joins: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchChange:
    """What a branch changes: its head, the commit where it left the base, the paths that differ.

    `message` is that of its newest commit; merges that only bring the base into the branch are passed over.
    """

    head: Sha
    fork: Sha
    paths: tuple[str, ...]
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Descent:
    """How a commit is related to another, its ancestor or not.

    `contains` says whether it is that one or descends from it. Where it is an ancestor of that one itself, `behind` is
    how many commits of the first-parent line it lacks; None where it is not, or where nobody knows.
    """

    contains: bool
    behind: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCommit:
    """A commit to be made: each path of `files` gets its text on top of `parent`. Nothing else changes."""

    repository: str
    parent: Sha
    files: Mapping[str, str]
    message: str
    by: CommitsBy = CommitsBy.GIT


@dataclass(frozen=True, slots=True, kw_only=True)
class FileContent:
    """A file as it is to be: its path from the root, `100644` or `100755` (executable), and its text, as UTF-8."""

    path: str
    mode: str
    text: str


class Repositories(Protocol):
    """The Git repositories whose files say what should run where, named `owner/name`."""

    def refresh(self, repository: str, branch: str, paths: Sequence[str] = ()) -> Sha:
        """Bring the mirror up to date and return the branch's head. Called once a sweep and repository.

        `paths` are the files that will be asked for, so that what they need comes with few requests.
        """
        ...

    def read_file(self, repository: str, commit: Sha, path: str) -> str | None:
        """Return a regular file's text at a commit, None where there is none; refuse symlinks and submodules."""
        ...

    def file_history(
        self, repository: str, head: Sha, path: str, *, limit: int, since: Sha | None = None
    ) -> FileHistory:
        """Return the newest `limit` first-parent commits up to `head` that touched `path`, or those after `since`."""
        ...

    def read_contents(self, repository: str, contents: Sequence[Sha]) -> Mapping[Sha, str | None]:
        """Return the texts that `FileVersion.content` names; None for one that is no text."""
        ...

    def descent(self, repository: str, commit: Sha, ancestor: Sha) -> Descent | None:
        """Say how `commit` is related to `ancestor`; None if one of them is unknown even after a fetch."""
        ...

    def branch_change(self, repository: str, base: Sha, branch: str, *, is_fresh: bool = True) -> BranchChange | None:
        """Ask the server for `branch` and compare it with `base`; None if there is no such branch.

        Where it need not be fresh, one of the bot's own branches is taken as the last `refresh` found it.
        """
        ...

    def commit_file(self, plan: FileCommit) -> Sha:
        """Make a commit in the mirror only, without a work tree. The file's mode is kept."""
        ...

    def push(self, repository: str, branch: str, commit: Sha, *, expected: Sha | None) -> None:
        """Set the server's `branch` to `commit` if it is at `expected` (None: absent). Raise Conflict if it is not."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderListing:
    """The files of a folder at a commit, by their path below it; `tree` is the same where all of them are the same.

    `files` names each one's content; `refused` says in words what something is that is no regular file.
    """

    tree: Sha
    files: Mapping[str, Sha]
    refused: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderCommit:
    """A commit of the branch's first-parent line that touched files of a folder: `paths` are those below it."""

    commit: Sha
    parent: Sha | None
    at: datetime
    paths: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderHistory:
    """Commits that touched a folder, newest first.

    `joins` says that they end just above the commit that the caller knows already; `complete` that they go back to the
    first one.
    """

    commits: tuple[FolderCommit, ...]
    complete: bool
    joins: bool = False


class Folders(Protocol):
    """Folders of Git repositories, read by the entries of their trees: no link is followed, nothing is checked out."""

    def refresh(self, repository: str, branch: str, paths: Sequence[str] = ()) -> Sha:
        """Bring the mirror up to date and return the branch's head, as for `Repositories`."""
        ...

    def fetched(self, repository: str, branch: str) -> Sha | None:
        """Return the head as the last refresh found it, also before a restart; None if nothing was fetched yet."""
        ...

    def list_folder(self, repository: str, commit: Sha, folder: str, *, inside: Sequence[str]) -> FolderListing | None:
        """Return the files directly in a folder, and in those of its folders named `inside`; None without the folder.

        `folder` is a path, or `.` for the root. Raise Permanent where there are too many files.
        """
        ...

    def read_small(self, repository: str, contents: Sequence[Sha], *, most_bytes: int) -> Mapping[Sha, bytes | str]:
        """Return contents; for one that is larger, or only points to where it is kept, what it is, in words."""
        ...

    def folder_history(
        self, repository: str, head: Sha, folder: str, *, wanted: Collection[str], since: Sha | None = None
    ) -> FolderHistory:
        """Return the first-parent commits up to `head` that touched a folder, or those after `since`.

        They go back as far as it takes to find the last one that touched each of the `wanted` files, within limits.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOrder:
    """To which revisions an application is to be synced, and on whose consent it rests.

    `positions` are the places of the sources that the revisions are for, from 1; empty where there is one source.
    """

    revisions: tuple[Sha, ...]
    positions: tuple[int, ...]
    authority: str


class Deployments(Protocol):
    """What is running, as Argo CD knows it. Applications are named as `application_name` writes them."""

    def find_applications(
        self, targets: Sequence[Target], *, repository: str, branch: str
    ) -> Mapping[Target, tuple[Application | NoApplication | Trouble, ...]]:
        """Return the applications of each target, at least one answer for each; nothing is raised.

        `repository` and its `branch` say which of their sources count. One look at each server serves a sweep.
        """
        ...

    def ask_refresh(self, application: str, *, hard: bool) -> None:
        """Ask for a refresh of one application; a hard one makes Argo CD generate the manifests anew."""
        ...

    def why_blocked(self, application: str, *, automated: bool) -> str:
        """Return why a sync window lets no sync begin now, empty where none is in the way."""
        ...

    def start_sync(self, application: str, order: SyncOrder) -> None:
        """Sync one application that still consents. Raise Conflict if it does not, or is being synced already."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A query over tiles: it is evaluated at `start + width`, `start + 2·width` … `end`."""

    query: Query
    start: datetime
    end: datetime
    width: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What looks have cost a backend: queries, and the series and points in its answers."""

    queries: int = 0
    series: int = 0
    points: int = 0

    def since(self, before: Cost) -> Cost:
        """Return what was added to an earlier cost."""
        return Cost(
            queries=self.queries - before.queries,
            series=self.series - before.series,
            points=self.points - before.points,
        )


class Metrics(Protocol):
    """How releases behave, as Prometheus measured it: one data source or several, by ids."""

    def read(self, looks: Sequence[Look]) -> Sequence[Numbers | OutsideError]:
        """Answer each look, of its query's source, looks of one shape together: a number for each tile, or why none.

        Errors, warnings and unexpected shapes are errors of the looks they concern, they never become zeros. Nothing is
        raised for what the outside does.
        """
        ...

    def bucket_bounds(
        self, histogram: str, start: datetime, end: datetime, source: str = DEFAULT_SOURCE, /
    ) -> Sequence[str]:
        """Return the bounds of a histogram's buckets, smallest first; `histogram` is a series selector."""
        ...

    def describe(self, source: str = DEFAULT_SOURCE, /) -> str:
        """Return the backend's name, version and address for the evidence; never raise, never ask twice."""
        ...

    def scrape_interval(self, source: str = DEFAULT_SOURCE, /) -> timedelta | None:
        """Return how often the backend scrapes, if it tells; never raise, never ask twice."""
        ...

    def cost(self) -> Cost:
        """Return what all looks so far have cost."""
        ...


class Proving(Protocol):
    """What is proven of an artifact: what lies beside it in its registry, or is kept by GitHub, verified."""

    def proofs_of(
        self, image: str, digest: Digest, *, in_registry: bool = True, source: str | None = None
    ) -> Proofs | None:
        """Find and verify all proofs; None when the registry is to be asked and none is configured for the image.

        GitHub is asked for the attestations that it keeps of the repository `source`; None: it is not asked. What is
        found and does not hold is among them, with the reason. Raise OutsideError where one that is asked does not
        answer: then nothing is known, which is not the same as no proof.
        """
        ...


class Summaries(Protocol):
    """Where summaries of what was verified are kept for others, signed by the bot."""

    @property
    def verifier(self) -> str:
        """The URI by which the bot calls itself in them."""
        ...

    def keep(self, name: str, summary: Summary) -> str:
        """Sign and write a summary under a name, and return what was written; a second time it takes its place."""
        ...


class Registry(Protocol):
    """What was built, as the image registry tells."""

    def find_artifact(self, image: str, tag: str) -> Artifact | None:
        """Resolve a tag; None when no registry is configured for the image."""
        ...

    def list_tags(self, image: str) -> Sequence[str]:
        """Return all tags of an image. Raise Permanent where no registry is configured for it."""
        ...

    def read_facts(self, image: str, digest: Digest) -> ImageFacts:
        """Return what an image says of itself; it never changes for a digest. Raise Permanent as `list_tags` does."""
        ...
