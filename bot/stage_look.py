"""Read what Argo CD says of one stage, and what Git says of the revisions that it reports.

Entered: the targets that a policy names, and the tag history. Left: applications, their ancestry, and what the ledger
remembers of them. It notes in the ledger what was seen; it judges nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.adapters.argocd_sources import as_sha
from bot.domain.argo import (
    DEFAULT_SERVER,
    Ancestry,
    Application,
    Hydration,
    Mark,
    MarkKind,
    Memory,
    NamedApplication,
    NoApplication,
    SelectedApplications,
    Target,
    application_name,
)
from bot.domain.edit import EditRefused, read_tag
from bot.domain.liveness import reported_revisions
from bot.domain.model import Carries, Sha, TagHistory, Trouble
from bot.domain.observation import StageObservation
from bot.domain.policy import Policy, Stage, SyncBy
from bot.domain.stance import NO_PROOF
from bot.domain.syncs import is_fresh, marks_due, was_synced
from bot.ports import Clock, Deployments, OutsideError, Repositories
from bot.records import Arrival, Sightings
from bot.tag_history import TagReader

Seen = Application | NoApplication | Trouble
Found = Mapping[Target, tuple[Seen, ...]]

_METADATA = "hydrator.metadata"
"""The file beside rendered manifests in which Argo CD names the commit that they were rendered from."""
_BLOCKED_AFTER = timedelta(minutes=1)
"""How long a release may wait for its sync before Argo CD is asked whether a sync window is in the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageLook:
    """The look at one stage of one service. `spell_gap` is the longest pause that still counts as one spell."""

    clock: Clock
    repositories: Repositories
    deployments: Deployments
    sightings: Sightings
    tags: TagReader
    spell_gap: timedelta
    policy: Policy
    stage: Stage

    def observe(self, history: TagHistory | Trouble, found: Found) -> StageObservation:
        """Return what is seen of the stage: its applications, their ancestry, and what was noted of them."""
        applications, ancestry = self.applications(found), Ancestry()
        if not isinstance(history, Trouble):
            ancestry = self.ancestry(history, applications)
            applications = self.with_windows(applications, history, ancestry)
        return StageObservation(
            stage=self.stage.name,
            tags=history,
            applications=applications,
            ancestry=ancestry,
            memory=self.memory(history, applications, ancestry),
            samples={},
        )

    def applications(self, found: Found) -> tuple[Seen, ...]:
        """Return the stage's applications, each once; one trouble of a server stands for all that are on it."""
        seen: list[Seen] = []
        for target in self.stage.applications:
            is_named = isinstance(target, NamedApplication)
            seen += [item for item in found[target] if item not in seen and (is_named or not self._names(item))]
        return tuple(seen)

    def _names(self, item: Seen) -> bool:
        """Say whether the policy names an application that a selector has found, too."""
        if not isinstance(item, Application):
            return False
        server, _, full = item.name.rpartition(":")
        alike = {application_name(server or DEFAULT_SERVER, name) for name in (full, full.rpartition("/")[2])}
        return any(isinstance(target, NamedApplication) and target.shown in alike for target in self.stage.applications)

    def ancestry(self, history: TagHistory, applications: Sequence[Seen]) -> Ancestry:
        """Ask Git how each revision that the applications report is related to the release's commit."""
        carries: dict[Sha, Carries] = {}
        behind: dict[Sha, int] = {}
        dry: dict[Sha, Sha] = {}
        for app in _present(applications):
            for reported in reported_revisions(app, history.introduced.at):
                if reported in carries:
                    continue
                revision: Sha | None = reported
                if app.hydration is not None:
                    revision = self._dry(app, reported)
                    if revision is not None:
                        dry[reported] = revision
                carries[reported], lacks = self._related(history, revision)
                if lacks is not None:
                    behind[reported] = lacks
        return Ancestry(carries=carries, behind=behind, dry=dry)

    def with_windows(self, applications: Sequence[Seen], history: TagHistory, ancestry: Ancestry) -> tuple[Seen, ...]:
        """Ask for sync windows where a release waits for its sync for longer than Argo CD needs by itself."""
        is_late = self.clock.now() - history.introduced.at >= _BLOCKED_AFTER
        return tuple(
            self._with_window(item)
            if isinstance(item, Application) and is_late and self._is_synced_for_us(item) and _waits(item, ancestry)
            else item
            for item in applications
        )

    def _is_synced_for_us(self, app: Application) -> bool:
        """Say whether somebody else than a person would sync it, if no window were in the way."""
        return app.automated or self.stage.sync is SyncBy.BOT

    def memory(self, history: TagHistory | Trouble, applications: Sequence[Seen], ancestry: Ancestry) -> Memory:
        """Note the health and the presence of each application, and recall what was noted since the release came."""
        now, service, stage = self.clock.now(), self.policy.service, self.stage.name
        # What is bad counts whenever it is seen; what is good only if it is surely of the release.
        health = {app.name: app.health for app in _present(applications) if is_fresh(app) or app.health in NO_PROOF}
        since = {app.name: at for app in _present(applications) if (at := app.health_since) is not None}
        self.sightings.saw_health(service, stage, health, now, gap=self.spell_gap, since=since)
        if not any(isinstance(item, Trouble) for item in applications) and self._selects():
            self.sightings.saw_members(service, stage, [app.name for app in _present(applications)], now)
        if isinstance(history, Trouble):
            return Memory()
        arrival = Arrival(service=service, stage=stage, commit=history.introduced.commit)
        known = self.sightings.recall(arrival, history.introduced.at, now)
        new = tuple(self._first_sights(_present(applications), ancestry, known))
        for mark in new:
            self.sightings.mark(arrival, mark)
        return replace(known, marks=(*known.marks, *new), gap=self.spell_gap)

    def _selects(self) -> bool:
        return any(isinstance(target, SelectedApplications) for target in self.stage.applications)

    def _first_sights(self, applications: Iterable[Application], ancestry: Ancestry, known: Memory) -> Iterable[Mark]:
        """Yield what is seen for the first time: that Argo CD knows the release's commit, and how it was synced."""
        now = self.clock.now()
        for app in applications:
            marks = [mark for mark in known.marks if mark.application == app.name]
            yield from marks_due(app, ancestry, marks, now)
            if any(mark.kind is MarkKind.SAW for mark in marks) or was_synced(app, ancestry, marks):
                continue
            if app.reconciled_at is not None and ancestry.all_carry(app.revisions):
                yield Mark(application=app.name, kind=MarkKind.SAW, at=_saw_at(app, app.reconciled_at, ancestry))

    # --- Git ---

    def _related(self, history: TagHistory, revision: Sha | None) -> tuple[Carries, int | None]:
        """Return whether a revision has the release, and how many commits it lacks if it is on the way to it."""
        if revision is None:
            return Carries.UNKNOWN, None
        if revision in (history.introduced.commit, history.head):
            return Carries.YES, None
        repository = self.policy.gitops.repository
        try:
            descent = self.repositories.descent(repository, revision, history.introduced.commit)
            if descent is None:
                return Carries.UNKNOWN, None
            if not descent.contains:
                return Carries.BEHIND, descent.behind
            text = self.repositories.read_file(repository, revision, self.stage.edit.file)
            reading = self.tags.reading
            found = None if text is None else read_tag(self.stage.edit, self.policy.image, text, reading=reading)
        except (OutsideError, EditRefused):
            return Carries.UNKNOWN, None
        return (Carries.YES if found == history.tag else Carries.OTHER_TAG), None

    def _dry(self, app: Application, hydrated: Sha) -> Sha | None:
        """Return the commit that a hydrated one was rendered from: Argo CD names the last ones, the files name theirs.

        Where nothing changed in the manifests, Argo CD keeps the hydrated commit and names a newer dry one.
        """
        assert app.hydration is not None  # noqa: S101 - the caller asked
        told = app.hydration.rendered.get(hydrated)
        if told is not None:
            return told
        path = metadata_path(app.hydration)
        try:
            text = self.repositories.read_file(self.policy.gitops.repository, hydrated, path)
        except OutsideError:
            return None
        return dry_commit(text)

    # --- Argo CD ---

    def _with_window(self, app: Application) -> Application:
        try:
            return replace(app, blocked=self.deployments.why_blocked(app.name, automated=app.automated))
        except OutsideError as error:
            return replace(app, windows_unknown=error.sentence)


def _saw_at(app: Application, reconciled_at: datetime, ancestry: Ancestry) -> datetime:
    """Return when Argo CD knew the commit at the latest: a sync of it may have begun before the status was written."""
    operation = app.operation
    if operation is None or operation.started_at is None or not ancestry.all_carry(operation.revisions):
        return reconciled_at
    return min(reconciled_at, operation.started_at)


def metadata_path(hydration: Hydration) -> str:
    """Return where the file lies that names the dry commit of rendered manifests."""
    return "/".join(part for part in (hydration.path.strip("/"), _METADATA) if part not in {"", "."})


def _present(applications: Iterable[Seen]) -> list[Application]:
    return [item for item in applications if isinstance(item, Application)]


def _waits(app: Application, ancestry: Ancestry) -> bool:
    """Say whether an application knows the release, and nobody syncs it."""
    operation = app.operation
    if app.operation_pending or (operation is not None and operation.is_under_way):
        return False
    if app.sync != "OutOfSync" or not ancestry.all_carry(app.revisions):
        return False
    return operation is None or not ancestry.all_carry(operation.revisions)


def dry_commit(text: str | None) -> Sha | None:
    """Return the commit that a `hydrator.metadata` names; None for a text that names none."""
    if text is None:
        return None
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return None
    dry = told.get("drySha") if isinstance(told, dict) else None
    return as_sha(dry) if isinstance(dry, str) else None
