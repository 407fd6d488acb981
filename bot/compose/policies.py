"""Where policies come from, as the settings say: a directory on this machine, or a folder of a repository."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from bot.adapters.clock import SystemClock
from bot.compose.git import git_repositories
from bot.compose.github import KnownRepositories, credentials_of
from bot.compose.records import Records, open_records
from bot.domain.policy import Policy
from bot.domain.stops import Stop, with_unknown
from bot.domain.text import format_date_instant, one_line
from bot.engine.record import remembered_policies
from bot.engine.sweep import BrokenPolicy
from bot.ordered import switch_of
from bot.policy import PolicyDirectory, shipped_gate_templates
from bot.policy.committed import CommittedPolicies
from bot.policy.floor import FloorFile
from bot.policy.folders import Folder
from bot.policy.in_force import Broken, InForce, LocalPolicies, Recall
from bot.policy.snapshots import Place
from bot.ports import Folders, OutsideError
from bot.records import Ledger
from bot.settings import Settings

_SHORT = 7
_LONGEST_FILE = 500
_LONGEST_FAULT = 1000


class PolicySource(Protocol):
    """What says which policies are in force. Not to be shared between threads."""

    def load(self) -> InForce:
        """Read them as they are now; nothing is raised for what the outside does."""
        ...

    def stops(self) -> tuple[Stop, ...]:
        """Return what the file `HOLD` beside them stops."""
        ...


def policy_source(settings: Settings, folders: Callable[[], Folders], recall: Recall) -> PolicySource:
    """Return where the policies are in force from: of a repository that `folders` reads, or of a directory.

    `recall` tells of a directory's files what their policies were before the start.
    """
    templates, section = shipped_gate_templates(), settings.policies
    floor = None if settings.bot.floor is None else FloorFile(path=settings.bot.floor, templates=templates)

    def directory_of(folder: Folder) -> PolicyDirectory:
        return PolicyDirectory(path=folder, templates=templates, floor=floor)

    if section is None:
        return LocalPolicies(directory=directory_of(settings.policy_directory), recall=recall)
    place = Place(repository=section.repository, branch=section.branch, folder=section.path)
    return CommittedPolicies(folders=folders(), place=place, directory_of=directory_of, floor=floor)


def recall_from(records: Records, files: Collection[str]) -> Mapping[str, Policy] | None:
    """Return the policies that files had, as far as the ledger has them; None where it cannot be read."""
    try:
        handled = {posting.subject for posting in records.board.postings()}
        return remembered_policies(records.ledger.latest("policy"), handled, files)
    except OutsideError as error:
        log = structlog.get_logger().bind(files=len(files), system=error.system)
        log.warning("last good versions not known", reason=error.sentence)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPolicies:
    """The policies in force, and what the file `HOLD` stops, for a command that reads them once."""

    in_force: InForce
    stops: tuple[Stop, ...]

    @property
    def by_service(self) -> Mapping[str, Policy]:
        """The policies by the names of their services."""
        return {policy.service: policy for policy in self.in_force.policies}

    @property
    def why_none(self) -> str:
        """Why nothing of them could be read; empty where something could."""
        if self.in_force.trouble is not None and self.in_force.at is None:
            return f"{self.in_force.trouble.system}: {self.in_force.trouble.sentence}"
        whole = [one for one in self.in_force.broken if one.is_whole]
        return "; ".join(str(one.error) for one in whole)

    @property
    def halted(self) -> list[str]:
        """The files that are broken and of which nothing is in force."""
        return sorted(one.file for one in self.in_force.broken if one.kept is None)


def read_policies(settings: Settings) -> ReadPolicies:
    """Read the policies in force. Raise SettingsError where the settings do not say how to get at them."""
    clock = SystemClock()

    def folders() -> Folders:
        credentials = credentials_of(settings.github, clock, KnownRepositories())
        return git_repositories(settings, credentials.token_for, clock)

    def recall(files: Collection[str]) -> Mapping[str, Policy] | None:
        try:
            with ExitStack() as stack:
                return recall_from(open_records(stack, settings, dry_run=True), files)
        except OutsideError:
            # The command says what is wrong with the ledger where it needs it.
            return None

    source = policy_source(settings, folders, recall)
    in_force = source.load()
    return ReadPolicies(in_force=in_force, stops=_stops_of(source, in_force))


def _stops_of(source: PolicySource, loaded: InForce) -> tuple[Stop, ...]:
    """Return what the file `HOLD` stops: everything, where a line names no service or stage of the policies."""
    stops = source.stops()
    if any(one.is_whole for one in loaded.broken):
        # No service is known then, and nothing is decided.
        return stops
    promoted = {one.service: [stage.name for stage in one.stages if stage.source] for one in loaded.policies}
    return with_unknown(stops, promoted, {one.halted for one in loaded.broken if one.halted})


# --- for the engine --------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class LoadedPolicies:
    """What the sweeps take of the policies in force: themselves, what is broken, and what people stopped.

    `learn` is told the policies of each load.
    """

    source: PolicySource
    ledger: Ledger
    learn: Callable[[Sequence[Policy]], None]
    last: InForce = field(default_factory=InForce)

    def load(self) -> tuple[Sequence[Policy], Sequence[BrokenPolicy]]:
        """Read the policies anew."""
        self.last = loaded = self.source.load()
        self.learn(loaded.policies)
        return loaded.policies, [*_troubles(loaded, self.source), *map(_told, loaded.broken)]

    def stops(self) -> Sequence[Stop]:
        """Read anew what people have stopped: by the file beside the policies, and by a command."""
        switch, stops = switch_of(self.ledger), _stops_of(self.source, self.last)
        return (*stops, *(() if switch is None else (switch,)))


def _troubles(loaded: InForce, source: PolicySource) -> Sequence[BrokenPolicy]:
    """Tell that nothing newer could be read."""
    if loaded.trouble is None:
        return ()
    subject = source.place.repository if isinstance(source, CommittedPolicies) else "policies"
    sentence = f"{loaded.trouble.system}: {loaded.trouble.sentence}"
    if loaded.at is None:
        nothing = f"{sentence}; nothing has been fetched yet, so that nothing is decided"
        return (BrokenPolicy(subject=subject, file=subject, faults=(nothing,), is_whole=True),)
    in_force = f"what was fetched last, {loaded.at.name}"
    return (BrokenPolicy(subject=subject, file=subject, faults=(sentence,), how="cannot be read", in_force=in_force),)


def _told(broken: Broken) -> BrokenPolicy:
    # Whoever may push chooses the names of files: none may act on a terminal.
    faults = tuple(one_line(str(fault), limit=_LONGEST_FAULT) for fault in broken.error.faults)
    file, kept = one_line(broken.file, limit=_LONGEST_FILE), broken.kept
    if kept is None:
        return BrokenPolicy(subject=file, file=file, faults=faults, is_whole=broken.is_whole)
    at, version = broken.broken_at, f"version {kept.version[:12]}"
    since = f" since commit {at.commit[:_SHORT]} of {format_date_instant(at.at)}" if at is not None else ""
    where = f"the version of {kept.origin.name}" if kept.origin is not None else f"its {version}"
    return BrokenPolicy(
        subject=file,
        file=file,
        faults=faults,
        how=f"broken{since}",
        in_force=f"{where} for {kept.service}",
        service=kept.service,
    )
