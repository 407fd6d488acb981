"""The source hydrator: renders dry commits to a branch, for all applications that share one, and says how it went."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.lab.argo.commit_server import CommitServer, Hydrated
from bot.lab.argo.manifests import ManifestReader, render_manifest
from bot.lab.argo.model import HydrateOperation, HydrationStatus, Managed, SourceRevisions
from bot.lab.argo.repositories import ManifestError
from bot.lab.argo.specification import SourceHydrator
from bot.lab.argo.targets import Targets

_COOL_DOWN = timedelta(minutes=2)
"""A hydration that failed is tried again after this, unless somebody asks or there is a new dry commit."""


class Hydrator:
    """Works for the applications that `applications` yields; the caller holds the lock."""

    def __init__(
        self,
        targets: Targets,
        reader: ManifestReader,
        commits: CommitServer,
        applications: Callable[[], Iterable[Managed]],
    ) -> None:
        self._targets = targets
        self._reader = reader
        self._commits = commits
        self._applications = applications

    def begin_if_needed(self, app: Managed, at: datetime) -> Sequence[Managed]:
        """Begin to hydrate, if there is something new, an application and all that share its branch; return these."""
        asked, app.hydration_asked = app.hydration_asked, False
        if app.spec.hydrator is None or not self._is_needed(app, app.spec.hydrator, at, asked=asked):
            return ()
        begun = [one for one in self._group(app) if not is_hydrating(one)]
        for one in begun:
            if one.spec.hydrator is not None:
                operation = HydrateOperation(phase="Hydrating", hydrator=one.spec.hydrator, started_at=at)
                _put(one, operation)
        return begun

    def is_held(self, app: Managed) -> bool:
        """Say whether a script holds the hydration of an application's branch."""
        return any(one.hydration_held for one in self._group(app))

    def finish(self, app: Managed, at: datetime) -> Sequence[Managed]:
        """End the hydration of an application and all that share its branch; return these."""
        group = self._group(app)
        failures = {one.spec.name: one.hydration_failure for one in group if one.hydration_failure}
        if not failures:
            try:
                self._hydrate(group, at)
            except ManifestError as error:
                failures = {one.spec.name: str(error) for one in group}
            else:
                return group
        self._fail(group, failures, at)
        return group

    def _is_needed(self, app: Managed, hydrator: SourceHydrator, at: datetime, *, asked: bool) -> bool:
        if app.status.hydration is None:
            return True
        operation = app.status.hydration.current
        if operation.phase == "Hydrating":
            return False
        if operation.hydrator != hydrator:
            return True
        if operation.phase == "Failed" and (asked or at - (operation.finished_at or at) > _COOL_DOWN):
            return True
        last = app.status.hydration.last_compared_dry
        return bool(last) and self._dry_head(hydrator) not in {"", last}

    def _dry_head(self, hydrator: SourceHydrator) -> str:
        try:
            return self._targets.resolve(hydrator.dry)
        except ManifestError:
            return ""

    def _hydrate(self, group: Sequence[Managed], at: datetime) -> None:
        first = group[0].spec.hydrator
        if first is None:
            return
        dry_sha = self._targets.resolve(first.dry)
        last = group[0].status.hydration.last_successful if group[0].status.hydration else None
        if last is not None and last.dry_sha == dry_sha:
            # Only one application is looked at, as in Argo CD: who joins the group waits for the next dry commit.
            hydrated_sha = last.hydrated_sha
        else:
            hydrated_sha = self._commits.write(self._rendered(group, first, dry_sha, at))
        for one in group:
            if one.status.hydration is not None:
                current = one.status.hydration.current
                done = replace(
                    current, phase="Hydrated", finished_at=at, message="", dry_sha=dry_sha, hydrated_sha=hydrated_sha
                )
                one.status = replace(
                    one.status,
                    hydration=HydrationStatus(current=done, last_successful=done, last_compared_dry=dry_sha),
                )
                one.refresh_at = min(one.refresh_at, at)

    def _rendered(self, group: Sequence[Managed], first: SourceHydrator, dry_sha: str, at: datetime) -> Hydrated:
        manifests: dict[str, str] = {}
        for one in group:
            if one.spec.hydrator is not None:
                dry = SourceRevisions(sources=(one.spec.hydrator.dry,), revisions=(dry_sha,))
                manifests[one.spec.hydrator.path] = render_manifest(self._reader.manifests(one.spec, dry).images)
        return Hydrated(
            repo_url=first.dry.repo_url,
            branch=first.written_branch,
            base=first.branch,
            dry_sha=dry_sha,
            manifests=manifests,
            at=at,
        )

    def _fail(self, group: Sequence[Managed], failures: dict[str, str], at: datetime) -> None:
        first, *others = sorted(failures)
        remainder = f"and {len(others)} more have errors" if others else "has an error"
        for one in group:
            if one.status.hydration is not None and one.spec.hydrator is not None:
                reason = failures.get(one.spec.name, f"cannot hydrate because application {first} {remainder}")
                dry_sha = self._dry_head(one.spec.hydrator)
                failed = replace(
                    one.status.hydration.current,
                    phase="Failed",
                    finished_at=at,
                    message=f"Failed to hydrate: {reason}",
                    dry_sha=dry_sha,
                )
                _put(one, failed, compared=dry_sha)

    def _group(self, app: Managed) -> Sequence[Managed]:
        key = _key(app)
        return [one for one in self._applications() if key is not None and _key(one) == key and not one.frozen]


def is_hydrating(app: Managed) -> bool:
    """Say whether the hydrator is at work for an application."""
    return app.status.hydration is not None and app.status.hydration.current.phase == "Hydrating"


def _key(app: Managed) -> tuple[str, str, str] | None:
    """Return what applications share that are hydrated together."""
    hydrator = app.spec.hydrator
    if hydrator is None:
        return None
    return hydrator.dry.repo_url, hydrator.dry.target_revision, hydrator.written_branch


def _put(app: Managed, operation: HydrateOperation, *, compared: str = "") -> None:
    before = app.status.hydration
    after = (
        HydrationStatus(current=operation)
        if before is None
        else replace(before, current=operation, last_compared_dry=compared or before.last_compared_dry)
    )
    app.status = replace(app.status, hydration=after)
