"""A folder of policies in a Git repository, as its commits have it: which files there are, their texts, what they say.

Nothing is read twice: contents go by their names in Git, and what was parsed by the names of all that it rests on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from bot.domain.model import Sha
from bot.domain.policy import Origin, Policy
from bot.policy.directory import PolicyDirectory
from bot.policy.faults import PolicyError
from bot.policy.files import is_yaml_name
from bot.policy.folders import Folder, Held, HeldFolder
from bot.policy.holds import FILE as HOLD
from bot.policy.own_templates import FOLDER
from bot.policy.tree import MAX_BYTES
from bot.ports import FolderListing, Folders

SHARED = "defaults.yaml"
"""A file beside the policies that all of them may rest on."""
_MOST_SNAPSHOTS = 150
"""How many are held while older versions are looked for: more than are looked at for one file."""
_MOST_KEPT = 10
"""How many of them are held from one load to the next."""
MOST_AT_ONCE = 1_000
"""How many older versions are parsed in one load: a sweep waits for it."""


class Enough(Exception):
    """One load has done as much as it may; what is left follows at the next."""


DirectoryOf = Callable[[Folder], PolicyDirectory]
"""Makes what reads and parses the policies of a folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the policies are: a repository (`owner/name`), its branch, and the folder's path, `.` for the root."""

    repository: str
    branch: str
    folder: str

    def origin(self, commit: Sha, since: datetime | None = None) -> Origin:
        """Return this place at a commit."""
        return Origin(repository=self.repository, commit=commit, since=since)


def is_read(path: str) -> bool:
    """Say whether a file is one that the bot reads: a policy, a gate template, or the stops."""
    folder, _, name = path.rpartition("/")
    return path == HOLD or (folder in ("", FOLDER) and is_yaml_name(name))


def is_shared(path: str) -> bool:
    """Say whether what several policies rest on is in a file."""
    return path in (SHARED, FOLDER) or (path.startswith(f"{FOLDER}/") and is_read(path))


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The folder at one commit."""

    commit: Sha
    listing: FolderListing

    @cached_property
    def read(self) -> Mapping[str, Sha]:
        """The files that are read, by path, with the names of their contents."""
        return {path: content for path, content in self.listing.files.items() if is_read(path)}

    @cached_property
    def _shared(self) -> tuple[tuple[str, str], ...]:
        named = [*self.read.items(), *self.listing.refused.items()]
        return tuple(sorted((path, word) for path, word in named if is_shared(path)))

    def has(self, path: str) -> bool:
        """Say whether there is something of that name, also if it is not to be read."""
        return path in self.listing.files or path in self.listing.refused

    def rests_on(self, file: str) -> tuple[object, ...]:
        """Return what a file's policy follows from: where this is the same, so is the policy."""
        return (file, self.listing.files.get(file), self.listing.refused.get(file), self._shared)

    def only(self, files: Collection[str]) -> frozenset[str]:
        """Return the paths of all that the policies of some files follow from."""
        return frozenset((*(path for path, _ in self._shared), *(file for file in files if self.has(file))))


@dataclass(slots=True, kw_only=True)
class Snapshots:
    """Reads snapshots. Every method may raise what `Folders` does."""

    folders: Folders
    place: Place
    directory_of: DirectoryOf
    _contents: dict[Sha, bytes | str] = field(default_factory=dict, init=False)
    _parsed: dict[tuple[object, ...], Policy | PolicyError] = field(default_factory=dict, init=False)
    _kept: dict[Sha, Snapshot] = field(default_factory=dict, init=False)
    _used: set[tuple[object, ...]] = field(default_factory=set, init=False)
    _left: int = field(default=0, init=False)

    def at(self, commit: Sha) -> Snapshot | None:
        """Return the folder at a commit; None where there is none."""
        found = self._kept.pop(commit, None)
        if found is None:
            listing = self.folders.list_folder(self.place.repository, commit, self.place.folder, inside=(FOLDER,))
            if listing is None:
                return None
            found = Snapshot(commit=commit, listing=listing)
        # The one that was asked for last is the last to go.
        self._kept[commit] = found
        self._drop_snapshots(_MOST_SNAPSHOTS)
        return found

    def _drop_snapshots(self, most: int) -> None:
        for commit in list(self._kept)[:-most]:
            del self._kept[commit]

    def texts(self, snapshot: Snapshot, paths: Iterable[str]) -> Mapping[str, bytes | str]:
        """Return files as `HeldFolder` holds them; contents that are not known yet are read together."""
        chosen = list(paths)
        files = {path: snapshot.read[path] for path in chosen if path in snapshot.read}
        unread = [content for content in files.values() if content not in self._contents]
        if unread:
            self._contents |= self.folders.read_small(self.place.repository, unread, most_bytes=MAX_BYTES)
        refused = snapshot.listing.refused
        words = {path: refused[path] for path in chosen if path in refused}
        return {**{path: self._contents[content] for path, content in files.items()}, **words}

    def begin(self) -> None:
        """Begin the work of one load."""
        self._left, self._used = MOST_AT_ONCE, set()

    def policy_at(self, commit: Sha, file: str) -> Policy | PolicyError | None:
        """Return what a file said at a commit, whatever stood beside it; None where it was not there.

        Raise `Enough` where it would have to be parsed, and this load has parsed as much as it may.
        """
        snapshot = self.at(commit)
        if snapshot is None or not snapshot.has(file):
            return None
        key = snapshot.rests_on(file)
        self._used.add(key)
        if key not in self._parsed:
            if self._left == 0:
                raise Enough
            held = Held()
            held.hold(self.texts(snapshot, snapshot.only([file])))
            found = self.directory_of(HeldFolder(held=held, label=file)).load()
            self._left -= 1
            self.learn(snapshot, {name: item for name, item in found.items() if name == file})
        return self._parsed.get(key)

    def learn(self, snapshot: Snapshot, found: Mapping[str, Policy | PolicyError]) -> None:
        """Keep what was parsed of a snapshot."""
        known = {snapshot.rests_on(file): item for file, item in found.items()}
        self._parsed |= known
        self._used |= known.keys()

    def forget_parsed(self) -> None:
        """Forget what was parsed: something changed that all of it rests on."""
        self._parsed.clear()

    def forget_all_but(self, snapshot: Snapshot) -> None:
        """Let go of contents that are not in a snapshot, and of what this load did not ask for."""
        current = set(snapshot.read.values())
        self._contents = {content: one for content, one in self._contents.items() if content in current}
        self._parsed = {key: one for key, one in self._parsed.items() if key in self._used}
        self._drop_snapshots(_MOST_KEPT)
