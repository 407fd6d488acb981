"""Policies from a folder of a Git repository, all of them as one commit of its branch has them (invariant I6).

What is in force follows from Git alone, also after a restart: of a broken file, its newest version on the branch that
parses, with the gate templates that stood beside it then. Without the server, what was fetched last stays in force.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial

from bot.domain.model import Sha
from bot.domain.policy import Policy
from bot.domain.stops import Stop
from bot.policy.directory import BelowFloor, PolicyDirectory, is_second
from bot.policy.faults import PolicyError
from bot.policy.files import fault_of
from bot.policy.floor import FloorError, FloorFile
from bot.policy.folders import Held, HeldFolder
from bot.policy.holds import read_stops
from bot.policy.in_force import Broken, Found, InForce, with_last_good
from bot.policy.own_templates import FOLDER, read_own_templates
from bot.policy.past import Past
from bot.policy.snapshots import DirectoryOf, Enough, Place, Snapshot, Snapshots
from bot.ports import Folders, OutsideError

_SHORT = 7


@dataclass(slots=True, kw_only=True)
class CommittedPolicies:
    """The policies at the head of a branch. Not to be shared between threads.

    With a `floor`, which `directory_of` judges by as well: when it is another one, all of them are judged anew.
    """

    folders: Folders
    place: Place
    directory_of: DirectoryOf
    floor: FloorFile | None = None
    _held: Held = field(default_factory=Held, init=False)
    _directory: PolicyDirectory = field(init=False)
    _snapshots: Snapshots = field(init=False)
    _past: Past = field(init=False)
    _head: Snapshot | None = field(default=None, init=False)
    _loaded: InForce | None = field(default=None, init=False)
    _is_unfinished: bool = field(default=False, init=False)
    _judged_by: object = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Keep what was read and parsed from one load to the next."""
        self._directory = self.directory_of(self._folder)
        self._snapshots = Snapshots(folders=self.folders, place=self.place, directory_of=self.directory_of)
        self._past = Past(snapshots=self._snapshots)

    def load(self) -> InForce:
        """Read the folder at the head of the branch; nothing is raised for what the outside does."""
        try:
            return self._load_at(self.folders.refresh(self.place.repository, self.place.branch))
        except OutsideError as error:
            return replace(self._without_news(), trouble=error.as_trouble())

    def stops(self) -> tuple[Stop, ...]:
        """Return what the file `HOLD` stops, as of the last load; also where no policy can be used."""
        return read_stops(self._folder)

    @property
    def _folder(self) -> HeldFolder:
        return HeldFolder(held=self._held, label=self.place.repository)

    def _without_news(self) -> InForce:
        """Return what is in force without the server: after a restart, what was fetched before it."""
        head, loaded = self._head, self._loaded
        self._forget_what_was_judged_otherwise()
        if head is not None and loaded is not None and (self._loaded is None or self._is_unfinished):
            self._loaded = replace(self._judged(head), at=loaded.at)
        if self._loaded is not None:
            return self._loaded
        return self._as_fetched()

    def _as_fetched(self) -> InForce:
        try:
            head = self.folders.fetched(self.place.repository, self.place.branch)
            return self._load_at(head) if head is not None else InForce()
        except OutsideError:
            # What is missing on this machine, only the server has.
            return InForce()

    def _load_at(self, commit: Sha) -> InForce:
        snapshot = self._snapshots.at(commit)
        if snapshot is None:
            self._held.hold({})
            self._head, self._loaded = None, self._no_folder(commit)
            return self._loaded
        texts = self._snapshots.texts(snapshot, [*snapshot.read, *snapshot.listing.refused])
        self._forget_what_was_judged_otherwise()
        is_same = self._head is not None and self._head.listing.tree == snapshot.listing.tree
        was_known = self._head is not None and self._past.is_known_at(self._head)
        holds_still = self._past.follow(snapshot)
        loaded = self._loaded
        if loaded is None or self._is_unfinished or not (is_same and was_known and holds_still):
            self._held.hold(texts)
            loaded = self._judged(snapshot)
            if not self._is_unfinished:
                self._snapshots.forget_all_but(snapshot)
        self._head, self._loaded = snapshot, replace(loaded, at=self.place.origin(commit))
        return self._loaded

    def _forget_what_was_judged_otherwise(self) -> None:
        """Let nothing stay in force that was judged by another basis than today's."""
        before, self._judged_by = self._judged_by, self._basis()
        if before != self._judged_by:
            self._snapshots.forget_parsed()
            self._loaded = None

    def _basis(self) -> object:
        """Return what all policies rest on beside their folder: the floor, and what is wrong with its file."""
        try:
            found = self.floor.read() if self.floor is not None else None
        except FloorError as error:
            return str(error)
        # The same fault is another error at each look.
        return found and (found.floor, str(found.error))

    def _no_folder(self, commit: Sha) -> InForce:
        where = f"{self.place.repository}@{commit[:_SHORT]}"
        error = PolicyError([fault_of(where, f"no folder {self.place.folder}", "a folder of policies")])
        return self._as_a_whole(where, error, commit)

    def _as_a_whole(self, file: str, error: PolicyError, commit: Sha) -> InForce:
        return InForce(broken=(Broken(file=file, error=error, is_whole=True),), at=self.place.origin(commit))

    def _judged(self, head: Snapshot) -> InForce:
        self._is_unfinished = False
        self._snapshots.begin()
        try:
            found = self._found(head)
        except PolicyError as error:
            return self._as_a_whole(error.faults[0].file, error, head.commit)
        own = read_own_templates(self._folder).files
        placed = {
            file: replace(item, origin=self._past.origin_of(item, head, own)) if isinstance(item, Policy) else item
            for file, item in found.items()
        }
        self._snapshots.learn(head, {file: item for file, item in found.items() if isinstance(item, Policy)})
        last_good = partial(self._last_good, head=head)
        return with_last_good(placed, last_good, self._directory.meant_service)

    def _found(self, head: Snapshot) -> Found:
        found = self._directory.load()
        word = head.listing.refused.get(FOLDER)
        if word is None:
            return found
        # Whichever policies use a template of their own would silently get one that is shipped.
        error = PolicyError([fault_of(FOLDER, word, "a folder of gate templates")])
        return {FOLDER: error, **dict.fromkeys(found, error)}

    def _last_good(self, file: str, error: PolicyError, head: Snapshot) -> Broken:
        broken = Broken(file=file, error=error)
        if isinstance(error, FloorError):
            # It is on the bot's machine: no commit of this repository broke it.
            return broken
        if self._past.is_known_at(head):
            try:
                return self._past.last_good(broken, head)
            except OutsideError:
                self._past.forget()
            except Enough:
                self._is_unfinished = True
        # It cannot be told now: what was in force stays, and it is asked again at the next load.
        is_out = is_second(error) or isinstance(error, BelowFloor)
        before = self._loaded.policies if self._loaded is not None and not is_out else ()
        return replace(broken, kept=next((one for one in before if one.file == file), None))
