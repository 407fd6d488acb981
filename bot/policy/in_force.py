"""Which policies are in force: those of the files as they are, and of a broken file its last good version.

All or nothing for each service: a new version that cannot be used changes nothing, whatever else of it could be read.
A file that is gone takes its service with it: that is a person's word.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from bot.domain.model import Sha, Trouble
from bot.domain.policy import Origin, Policy
from bot.domain.stops import Stop
from bot.policy.directory import BelowFloor, PolicyDirectory, is_second
from bot.policy.faults import PolicyError
from bot.policy.floor import Floor, FloorError
from bot.policy.holds import read_stops
from bot.policy.snapshots import is_shared
from bot.ports import FolderCommit


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A file that cannot be used as it is, and `kept`, the last good version of its policy, where one is in force.

    `halted` is the service that it is of, as far as can be told, where it has no good version; else it is empty.
    Of a repository, `broken_at` is the first commit since which it is broken without a break, and `newest` the last one
    that changed it or what it rests on; None where that is not known. Where `is_whole`, it is the folder as a whole.
    """

    file: str
    error: PolicyError
    kept: Policy | None = None
    halted: str = ""
    broken_at: FolderCommit | None = None
    newest: Sha | None = None
    is_whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """The policies in force and the files that are broken, as of the commit `at` where they are of a repository.

    With a `trouble` nothing newer could be read: it says why.
    """

    policies: tuple[Policy, ...] = ()
    broken: tuple[Broken, ...] = ()
    at: Origin | None = None
    trouble: Trouble | None = None


Found = Mapping[str, Policy | PolicyError]


def with_last_good(
    found: Found, last_good: Callable[[str, PolicyError], Broken], meant: Callable[[str], str]
) -> InForce:
    """Put the last good version in the place of each broken one, unless another file describes its service by now.

    `meant` tells which service a file without one is of, as far as can be told.
    """
    owners = {item.service: file for file, item in found.items() if isinstance(item, Policy)}
    policies: list[Policy] = []
    broken: list[Broken] = []
    for file, item in found.items():
        if isinstance(item, Policy):
            policies.append(item)
            continue
        one = last_good(file, item)
        if one.kept is None and not isinstance(item, FloorError):
            one = replace(one, halted=meant(file))
        if one.kept is not None and owners.setdefault(one.kept.service, file) == file:
            policies.append(one.kept)
        elif one.kept is not None:
            one = Broken(file=file, error=item, broken_at=one.broken_at, newest=one.newest)
        broken.append(one)
    return InForce(policies=tuple(policies), broken=tuple(broken))


Recall = Callable[[Collection[str]], Mapping[str, Policy] | None]
"""Tells what the policies of some files were before the start, as far as it knows; None where it cannot tell now."""


@dataclass(slots=True, kw_only=True)
class LocalPolicies:
    """The policies of a folder on this machine. Not to be shared between threads.

    `recall` is asked once for a broken file that was not good since the start. With a floor it is not: by which one
    those policies were judged is not remembered.
    """

    directory: PolicyDirectory
    recall: Recall = lambda _: {}
    _good: dict[str, Policy] = field(default_factory=dict, init=False)
    _recalled: dict[str, Policy | None] = field(default_factory=dict, init=False)
    _judged_by: Floor | None = field(default=None, init=False)

    def load(self) -> InForce:
        """Read the folder as it is now."""
        try:
            found = self.directory.load()
        except PolicyError as error:
            file = error.file if isinstance(error, FloorError) else str(self.directory.path)
            return InForce(broken=(Broken(file=file, error=error, is_whole=True),))
        if self._judged_by != self.directory.judged_by:
            # Whatever another floor let through, today's has not seen, and its text is gone.
            self._good, self._judged_by = {}, self.directory.judged_by
        self._recall_what_is_missing(found)
        loaded = with_last_good(found, self._last_good, self.directory.meant_service)
        self._good = {policy.file: policy for policy in loaded.policies}
        return loaded

    def stops(self) -> tuple[Stop, ...]:
        """Read what the file `HOLD` stops, as it is now."""
        return read_stops(self.directory.path)

    def _last_good(self, file: str, error: PolicyError) -> Broken:
        is_out = is_second(error) or isinstance(error, BelowFloor)
        return Broken(file=file, error=error, kept=None if is_out else self._good.get(file) or self._recalled.get(file))

    def _recall_what_is_missing(self, found: Found) -> None:
        # What is gone is not remembered: that is a person's word.
        self._recalled = {file: policy for file, policy in self._recalled.items() if file in found}
        if self._judged_by is not None:
            return
        broken = [file for file, item in found.items() if isinstance(item, PolicyError) and not is_second(item)]
        known = self._good.keys() | self._recalled.keys()
        wanted = [file for file in broken if file not in known and not is_shared(file)]
        told = self.recall(wanted) if wanted else None
        if told is not None:
            self._recalled |= {file: told.get(file) for file in wanted}
