"""What the history of a branch says of its policies: which commit a version is of, and what the last good one was.

The line of first parents counts: what the branch pointed at, not what was merged into it on the way. Where the history
cannot be read, nothing of this is known, and it is asked for again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise

from bot.domain.model import Sha
from bot.domain.policy import Origin, Policy
from bot.domain.rules import MeasuredRule
from bot.policy.directory import BelowFloor, is_second, said_service
from bot.policy.faults import PolicyError
from bot.policy.in_force import Broken
from bot.policy.snapshots import SHARED, Snapshot, Snapshots, is_read, is_shared
from bot.ports import FolderCommit, OutsideError

MOST_VERSIONS = 50
"""How far back the last good version of a file is looked for."""
MOST_LOOKED_AT = 100
"""How many commits are looked at for that: most of those that change something shared change nothing of the file."""
_MOST_COMMITS = 5_000
_MOST_RENAMED = 20


@dataclass(slots=True, kw_only=True)
class Past:
    """The commits that touched the policies, followed as the branch moves."""

    snapshots: Snapshots
    commits: tuple[FolderCommit, ...] = ()
    _followed_to: Sha | None = None
    _touching: dict[str, list[int]] = field(default_factory=dict)
    _shared: list[int] = field(default_factory=list)

    def follow(self, snapshot: Snapshot) -> bool:
        """Learn the commits up to a snapshot's; return whether what was known of older ones still holds."""
        if snapshot.commit == self._followed_to:
            return True
        place, wanted = self.snapshots.place, frozenset(snapshot.read)
        try:
            found = self.snapshots.folders.folder_history(
                place.repository, snapshot.commit, place.folder, wanted=wanted, since=self._followed_to
            )
        except OutsideError:
            self.forget()
            return False
        commits = (*found.commits, *self.commits) if found.joins else found.commits
        self.commits, self._followed_to = commits[:_MOST_COMMITS], snapshot.commit
        self._index()
        return found.joins

    def _index(self) -> None:
        self._touching, self._shared = {}, []
        for number, one in enumerate(self.commits):
            for path in one.paths:
                self._touching.setdefault(path, []).append(number)
            if any(map(is_shared, one.paths)):
                self._shared.append(number)

    def forget(self) -> None:
        """Let the history be read anew the next time."""
        self._followed_to = None

    def is_known_at(self, snapshot: Snapshot) -> bool:
        """Say whether the history up to a snapshot is known."""
        return snapshot.commit == self._followed_to

    def origin_of(self, policy: Policy, head: Snapshot, own: Mapping[str, str]) -> Origin:
        """Return the last commit that changed what a policy of the head rests on; at least one that has it as it is.

        `own` are the files of a team's own templates by the name of each.
        """
        if not self.is_known_at(head) or not self.commits:
            return self.snapshots.place.origin(head.commit)
        triggers = [one for stage in policy.stages if stage.rollback is not None for one in stage.rollback.triggers]
        rules = [*(gate for stage in policy.stages for gate in stage.gates), *triggers]
        used = {own[rule.template] for rule in rules if isinstance(rule, MeasuredRule) and rule.template in own}
        places = [self._touching[path][0] for path in (policy.file, SHARED, *used) if path in self._touching]
        # What no commit of these touched was already so at the oldest one.
        last = self.commits[min(places, default=len(self.commits) - 1)]
        return self.snapshots.place.origin(last.commit, last.at)

    def last_good(self, broken: Broken, head: Snapshot) -> Broken:
        """Add to a broken file of the head since when it is, and its newest version that parses, if there is one.

        Templates have none: what uses them has. Nor has what is below the floor, and nothing older than such a version
        comes back: where the floor was raised, no commit is at fault. May raise what `Folders` does, and `Enough`.
        """
        file = broken.file
        own = self._touching.get(file, [])
        if is_shared(file) or is_second(broken.error):
            return self._since(broken, own[0], own[0]) if own else broken
        touching = sorted({*own, *self._shared})[:MOST_LOOKED_AT]
        return self._searched(broken, touching, head) if touching else broken

    def _searched(self, broken: Broken, touching: Sequence[int], head: Snapshot) -> Broken:
        """Go back through the commits that may have changed a policy to the newest at which it was none of its errors.

        A commit that changed nothing of the file, and at which the same was wrong before, is no version of it.
        """
        file, error, is_below = broken.file, broken.error, isinstance(broken.error, BelowFloor)
        newest, created, versions = None, touching[-1], 1
        for newer, older in pairwise(touching):
            found = self.snapshots.policy_at(self.commits[older].commit, file)
            if isinstance(found, PolicyError) and file not in self.commits[newer].paths and str(found) == str(error):
                continue
            newest, versions = newer if newest is None else newest, versions + 1
            if isinstance(found, Policy):
                kept = None if is_below else self._at(self.commits[older].commit, self.commits[older].at, found)
                return replace(self._since(broken, newest, newer), kept=kept)
            if isinstance(found, BelowFloor):
                return broken if is_below else self._since(broken, newest, newer)
            if found is None or versions == MOST_VERSIONS:
                created = newer
                break
            error = found
        if is_below:
            return broken
        told = self._since(broken, created if newest is None else newest, created)
        return replace(told, kept=self._before_renaming(file, self.commits[created], head))

    def _since(self, broken: Broken, newest: int, first: int) -> Broken:
        return replace(broken, newest=self.commits[newest].commit, broken_at=self.commits[first])

    def _at(self, commit: Sha, since: datetime, policy: Policy) -> Policy:
        return replace(policy, origin=self.snapshots.place.origin(commit, since))

    def _before_renaming(self, file: str, created: FolderCommit, head: Snapshot) -> Policy | None:
        """Return the policy of a file that went when this one came, if this one is meant for the same service."""
        before = self.snapshots.at(created.parent) if created.parent is not None else None
        after = self.snapshots.at(created.commit)
        meant = _meant_service(self.snapshots.texts(head, [file]).get(file))
        if before is None or after is None or meant is None or before.has(file):
            return None
        gone = [path for path in sorted(created.paths) if before.has(path) and not after.has(path) and is_read(path)]
        for path in gone[:_MOST_RENAMED]:
            found = self.snapshots.policy_at(before.commit, path)
            if isinstance(found, Policy) and found.service == meant:
                return self._at(before.commit, created.at, found)
        return None


def _meant_service(content: bytes | str | None) -> str | None:
    """Return which service a broken file says it is of; None where it cannot be read so far."""
    return said_service(content.decode("utf-8", "replace")) if isinstance(content, bytes) else None
