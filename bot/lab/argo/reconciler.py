"""A refresh: look at Git and at the cluster, write the status, and ask for an automated sync where one is due."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.lab.argo.manifests import ManifestReader
from bot.lab.argo.model import (
    ConditionReport,
    HealthReport,
    Managed,
    Manifests,
    ResourceName,
    ResourceReport,
    SourceRevisions,
    Status,
    SyncRequest,
)
from bot.lab.argo.repositories import ManifestError
from bot.lab.argo.targets import Targets
from bot.lab.argo.windows import can_sync
from bot.lab.cluster import Cluster

_ERRORS_OF_COMPARISON = frozenset({"ComparisonError", "InvalidSpecError", "UnknownError"})
_WORST_FIRST = ("Degraded", "Missing", "Progressing", "Healthy")
_AUTOMATED_RETRIES = 5


class Reconciler:
    """Writes statuses; the caller holds the lock and announces what changed."""

    def __init__(self, cluster: Cluster, targets: Targets, reader: ManifestReader, refresh_every: timedelta) -> None:
        self._cluster = cluster
        self._targets = targets
        self._reader = reader
        self._refresh_every = refresh_every

    def refresh(self, app: Managed, at: datetime) -> None:
        """Look at everything now."""
        app.refresh_at = at + self._refresh_every
        app.refresh_kind = None
        try:
            compared = self._targets.resolve_all(app.spec)
            desired = self._reader.manifests(app.spec, compared)
        except ManifestError as error:
            failed = ConditionReport(type="ComparisonError", message=str(error), since=at)
            app.status = self._observed(app, at, desired=None, found=(failed,))
        else:
            self._adopt_once(app, desired, at)
            app.status = replace(
                self._observed(app, at, desired=desired, found=_sync_error(app, compared, at)), compared=compared
            )
            _ask_for_automated_sync(app, at)

    def _adopt_once(self, app: Managed, desired: Manifests, at: datetime) -> None:
        if app.adopts:
            app.adopts = False
            app.live = desired
            deploy(self._cluster, app, desired, at)

    def _observed(
        self, app: Managed, at: datetime, *, desired: Manifests | None, found: Sequence[ConditionReport]
    ) -> Status:
        conditions = tuple(_since_before(one, app.status.conditions) for one in (*app.forced_conditions, *found))
        broken = any(condition.type in _ERRORS_OF_COMPARISON for condition in conditions)
        synced = desired == app.live and not app.leftovers and not app.drifting
        return replace(
            app.status,
            sync="Unknown" if broken or desired is None else "Synced" if synced else "OutOfSync",
            health=self._health(app, at),
            images=self._running_images(app, at),
            resources=tuple(self._resources(app, desired, at)),
            reconciled_at=at,
            conditions=conditions,
        )

    def _health(self, app: Managed, at: datetime) -> HealthReport:
        old = app.status.health
        during = app.script.health if app.script is not None and app.running is not None else ""
        new = app.forced_health or HealthReport(status=during or self._seen_health(app, at))
        return replace(new, since=old.since if old.status == new.status and old.since else at)

    def _seen_health(self, app: Managed, at: datetime) -> str:
        images = app.live.images if app.live else ()
        seen = [self._cluster.health(app.spec.namespace, image.name, at) for image in images]
        return next((word for word in _WORST_FIRST if word in seen), "Missing")

    def _running_images(self, app: Managed, at: datetime) -> tuple[str, ...]:
        images = app.live.images if app.live else ()
        told = {(image.name, image.version): image.reference for image in images}
        names = {image.name for image in images}
        running = [one for one in self._cluster.running(app.spec.namespace, at) if one.image in names]
        return tuple(sorted(told.get((one.image, one.tag)) or _reference(one.image, one.tag) for one in running))

    def _resources(self, app: Managed, desired: Manifests | None, at: datetime) -> Iterator[ResourceReport]:
        for image in app.live.images if app.live else ():
            name = ResourceName(group="apps", kind="Deployment", name=image.name.rsplit("/", 1)[-1])
            sync = "Unknown" if desired is None else "Synced" if image in desired.images else "OutOfSync"
            if name not in app.drifting:
                health = self._cluster.health(app.spec.namespace, image.name, at)
                yield ResourceReport(resource=name, sync=sync, health=health)
        for name in app.drifting:
            yield ResourceReport(resource=name, sync="OutOfSync", health="Healthy")
        for name in app.leftovers:
            yield ResourceReport(resource=name, sync="OutOfSync", requires_pruning=True)


def deploy(cluster: Cluster, app: Managed, manifests: Manifests, at: datetime) -> None:
    """Roll the cluster to what the manifests name."""
    for image in manifests.images:
        cluster.deploy(app.spec.namespace, image.name, image.version, at)


def _ask_for_automated_sync(app: Managed, at: datetime) -> None:
    """Ask for a sync where Argo CD would: see `autoSync` in its controller, with the reasons to skip in its order.

    Self-healing is played only where it ends: Argo CD would sync again and again what drifts after each sync.
    """
    spec, status = app.spec, app.status
    if not spec.automated or not can_sync(app.windows, by_hand=False) or app.deletion_asked_at is not None:
        return
    if app.pending is not None or app.running is not None or status.sync != "OutOfSync":
        return
    unsynced = [one for one in status.resources if one.sync != "Synced"]
    if not spec.prune and unsynced and all(one.requires_pruning for one in unsynced):
        return
    heals = spec.self_heal and spec.prune and bool(app.leftovers)
    if _was_attempted(status, status.compared) and not heals:
        return
    app.pending = SyncRequest(
        requested_at=at,
        target=status.compared,
        revision=status.revision or None,
        automated=True,
        prune=spec.prune,
        retry_limit=_AUTOMATED_RETRIES,
    )
    app.status = replace(status, operation=None)


def _sync_error(app: Managed, compared: SourceRevisions, at: datetime) -> tuple[ConditionReport, ...]:
    """Say that automated sync gave these revisions up: a condition that is no error of comparison."""
    last = app.status.operation
    is_given_up = last is not None and last.phase == "Failed" and _was_attempted(app.status, compared)
    if last is None or not is_given_up or not app.spec.automated or app.status.sync != "OutOfSync":
        return ()
    message = f"Failed last sync attempt to [{' '.join(compared.revisions)}]: {last.message}"
    return (ConditionReport(type="SyncError", message=message, since=at),)


def _was_attempted(status: Status, target: SourceRevisions) -> bool:
    """Say whether the last operation went to these revisions of these sources: Argo CD does not try again."""
    last = status.operation
    return last is not None and last.target == target and not last.request.dry_run


def _since_before(condition: ConditionReport, before: Sequence[ConditionReport]) -> ConditionReport:
    same = [old for old in before if (old.type, old.message) == (condition.type, condition.message)]
    return same[0] if same else condition


def _reference(image: str, version: str) -> str:
    return f"{image}@{version}" if version.startswith("sha256:") else f"{image}:{version}"
