"""The two reconcilers of the simulated Argo CD, as events on a timeline.

An application is refreshed (Git and the cluster are looked at, the status is written) and operated on (a sync runs
and deploys). Both happen at their own times, so a status can say Succeeded beside the health of before the sync: only
the refresh that follows an operation sees what the operation did. `tick` plays everything that is due; played twice
with the same clock and repository, it ends in the same state. A refresh reads the repository as it is when `tick`
runs: to play a commit between two refreshes, commit between two ticks.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from bot.lab.argo.manifests import ManifestError, ManifestReader
from bot.lab.argo.model import (
    ApplicationSpec,
    ArgoOptions,
    ConditionReport,
    Deployed,
    HealthReport,
    Image,
    Managed,
    OperationState,
    Status,
    SyncRequest,
)
from bot.lab.argo.wire import render_application
from bot.lab.cluster import Cluster
from bot.ports import Clock

_HISTORY_LIMIT = 10
_EVENTS_KEPT = 2000
_ERRORS_OF_COMPARISON = frozenset({"ComparisonError", "InvalidSpecError", "UnknownError"})
_WORST_FIRST = ("Degraded", "Missing", "Progressing", "Healthy")

_EventKind = Literal["refresh", "take up", "finish"]


class Refused(Exception):
    """A request that Argo CD does not accept in the application's present state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchEvent:
    """One event of the watch stream; `number` grows by one with each."""

    number: int
    type: Literal["ADDED", "MODIFIED", "DELETED"]
    application: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class _Due:
    at: datetime
    name: str
    kind: _EventKind


class Controller:
    """Keeps the applications. Every public method may be called from any thread."""

    def __init__(self, clock: Clock, cluster: Cluster, reader: ManifestReader, options: ArgoOptions) -> None:
        if min(options.refresh_every, options.sync_takes) <= timedelta(0):
            raise ValueError("an Argo CD that refreshes or syncs in no time would never come to an end")
        self._clock = clock
        self._cluster = cluster
        self._reader = reader
        self._options = options
        self._lock = threading.RLock()
        self._managed: dict[str, Managed] = {}
        self._events: deque[WatchEvent] = deque(maxlen=_EVENTS_KEPT)
        self._event_count = 0
        self._version = 1000

    def add(self, spec: ApplicationSpec) -> None:
        """Create an application; its first refresh is due at once."""
        now = self._clock.now()
        with self._lock:
            if spec.name in self._managed:
                raise ValueError(f"there is an application {spec.name!r} already")
            app = Managed(spec=spec, created_at=now, refresh_at=now)
            self._managed[spec.name] = app
            self._announce(app, "ADDED")

    def delete(self, name: str) -> None:
        """Delete an application; what it deployed stays in the cluster."""
        with self._lock:
            self._announce(self._managed.pop(name), "DELETED")

    def change(self, name: str, **changes: object) -> None:
        """Set fields of an application's state (see `Managed`) and announce it."""
        with self._lock:
            app = self._managed[name]
            for field, value in changes.items():
                setattr(app, field, value)
            self._announce(app, "MODIFIED")

    def respecify(self, name: str, spec: ApplicationSpec) -> None:
        """Replace an application's specification; it is refreshed at once."""
        self.change(name, spec=spec, refresh_at=self._clock.now())

    def freeze(self, name: str, *, frozen: bool) -> None:
        """Stop or resume all work on an application. What was due meanwhile happens when it resumes."""
        self.change(name, frozen=frozen, wakes_at=None if frozen else self._clock.now())

    def specs(self) -> Sequence[ApplicationSpec]:
        """Return the specifications of all applications, by name."""
        with self._lock:
            return tuple(self._managed[name].spec for name in sorted(self._managed))

    def status(self, name: str) -> Status:
        """Return an application's status; KeyError if there is none."""
        with self._lock:
            return self._managed[name].status

    def render(self, name: str) -> Mapping[str, object]:
        """Return an application as the API tells it; KeyError if there is none."""
        with self._lock:
            return render_application(self._managed[name], transition_times=self._options.transition_times)

    def list_version(self) -> str:
        """Return the resource version of the whole list."""
        with self._lock:
            return str(self._version)

    def events_after(self, number: int) -> Sequence[WatchEvent]:
        """Return the watch events after a number, oldest first."""
        with self._lock:
            return tuple(event for event in self._events if event.number > number)

    def last_event(self) -> int:
        """Return the newest event's number."""
        with self._lock:
            return self._event_count

    def tick(self) -> None:
        """Play everything that is due up to now, in order of time, then by name."""
        now = self._clock.now()
        with self._lock:
            self._reader.look_again()
            while due := min(self._due(now), default=None):
                self._play(due)

    def refresh(self, name: str, kind: str) -> None:
        """Refresh one application now; a frozen one only gets the annotation."""
        now = self._clock.now()
        with self._lock:
            app = self._managed[name]
            if app.frozen:
                app.refresh_kind = kind
                self._announce(app, "MODIFIED")
                return
            app.refresh_at = now
        self.tick()

    def request_sync(self, name: str, request: SyncRequest) -> None:
        """Ask for an operation; raise Refused while another one is in progress."""
        with self._lock:
            app = self._managed[name]
            if app.pending is not None or app.running is not None:
                raise Refused("another operation is already in progress")
            if request.revision is not None and app.spec.automated and not request.dry_run:
                raise Refused(
                    f"Cannot sync to {request.revision}: auto-sync currently set to {app.spec.target_revision}"
                )
            app.pending = request
            app.status = replace(app.status, operation=None)
            self._announce(app, "MODIFIED")

    def _due(self, now: datetime) -> Iterable[_Due]:
        for name, app in self._managed.items():
            if app.frozen:
                continue
            for kind, at in self._next(app):
                instant = max(at, app.wakes_at) if app.wakes_at else at
                if instant <= now:
                    yield _Due(at=instant, name=name, kind=kind)

    def _next(self, app: Managed) -> Iterable[tuple[_EventKind, datetime]]:
        yield "refresh", app.refresh_at
        if app.running is not None:
            yield "finish", app.running.started_at + self._options.sync_takes
        elif app.pending is not None:
            yield "take up", app.pending.requested_at + self._options.operation_lag

    def _play(self, due: _Due) -> None:
        app = self._managed[due.name]
        if due.kind == "refresh":
            self._refresh(app, due.at)
        elif due.kind == "take up":
            self._take_up(app, due.at)
        else:
            self._finish(app, due.at)

    def _refresh(self, app: Managed, at: datetime) -> None:
        app.refresh_at = at + self._options.refresh_every
        app.refresh_kind = None
        before = app.status
        try:
            revision = self._reader.resolve(app.spec)
            desired = self._reader.images(app.spec, revision)
        except ManifestError as error:
            failed = ConditionReport(type="ComparisonError", message=str(error), since=at)
            app.status = self._observed(app, at, sync="Unknown", found=(failed,))
        else:
            synced = desired == app.live
            seen = self._observed(app, at, sync="Synced" if synced else "OutOfSync", found=())
            app.status = replace(seen, revision=revision)
            self._sync_if_automated(app, at)
        self._announce_if_changed(app, before)

    def _observed(self, app: Managed, at: datetime, *, sync: str, found: Sequence[ConditionReport]) -> Status:
        conditions = tuple(_since_before(one, app.status.conditions) for one in (*app.forced_conditions, *found))
        broken = any(condition.type in _ERRORS_OF_COMPARISON for condition in conditions)
        return replace(
            app.status,
            sync="Unknown" if broken else sync,
            health=self._health(app, at),
            images=self._running_images(app, at),
            reconciled_at=at,
            conditions=conditions,
        )

    def _health(self, app: Managed, at: datetime) -> HealthReport:
        old = app.status.health
        seen = [self._cluster.health(app.spec.namespace, image.name, at) for image in app.live]
        worst = next((word for word in _WORST_FIRST if word in seen), "Missing")
        new = app.forced_health or HealthReport(status=worst)
        return replace(new, since=old.since if old.status == new.status and old.since else at)

    def _running_images(self, app: Managed, at: datetime) -> tuple[str, ...]:
        told = {(image.name, image.version): image.reference for image in app.live}
        names = {image.name for image in app.live}
        running = [one for one in self._cluster.running(app.spec.namespace, at) if one.image in names]
        return tuple(sorted(told.get((one.image, one.tag)) or _reference(one.image, one.tag) for one in running))

    def _sync_if_automated(self, app: Managed, at: datetime) -> None:
        status = app.status
        busy = app.pending is not None or app.running is not None
        if not app.spec.automated or busy or status.sync != "OutOfSync":
            return
        last = status.operation
        if last is not None and last.revision == status.revision and last.phase in {"Failed", "Error"}:
            # Argo CD does not try a revision again that it attempted already.
            return
        app.pending = SyncRequest(requested_at=at, revision=status.revision, automated=True)

    def _take_up(self, app: Managed, at: datetime) -> None:
        request = app.pending
        if request is None:
            return
        before = app.status
        try:
            revision = self._reader.resolve(app.spec, request.revision)
        except ManifestError as error:
            operation = OperationState(
                request=request, phase="Error", message=str(error), revision="", started_at=at, finished_at=at
            )
        else:
            operation = OperationState(
                request=request,
                phase="Running",
                message="one or more tasks are running",
                revision=revision,
                started_at=at,
            )
        app.pending = request if operation.phase == "Running" else None
        app.status = replace(app.status, operation=operation)
        self._announce_if_changed(app, before)

    def _finish(self, app: Managed, at: datetime) -> None:
        running = app.running
        if running is None:
            return
        before = app.status
        app.pending = None
        app.refresh_at = min(app.refresh_at, at + self._options.settle_after)
        outcome = app.next_failure
        app.next_failure = None
        try:
            images = self._reader.images(app.spec, running.revision)
        except ManifestError as error:
            outcome, images = outcome or str(error), ()
        if outcome is not None:
            done = replace(running, phase="Failed", message=outcome, finished_at=at)
            app.status = replace(app.status, operation=done)
        else:
            done = replace(running, phase="Succeeded", message="successfully synced (all tasks run)", finished_at=at)
            app.status = replace(app.status, operation=done)
            self._deploy(app, done, images, at)
        self._announce_if_changed(app, before)

    def _deploy(self, app: Managed, done: OperationState, images: Sequence[Image], at: datetime) -> None:
        if done.request.dry_run:
            return
        for image in images:
            self._cluster.deploy(app.spec.namespace, image.name, image.version, at)
        app.live = tuple(images)
        last = app.status.history[-1].id if app.status.history else -1
        entry = Deployed(
            id=last + 1,
            revision=done.revision,
            started_at=done.started_at,
            deployed_at=at,
            automated=done.request.automated,
            username=done.request.username,
        )
        app.status = replace(app.status, history=(*app.status.history, entry)[-_HISTORY_LIMIT:])

    def _announce_if_changed(self, app: Managed, before: Status) -> None:
        if app.status != before:
            self._announce(app, "MODIFIED")

    def _announce(self, app: Managed, kind: Literal["ADDED", "MODIFIED", "DELETED"]) -> None:
        self._version += 1
        app.resource_version = self._version
        told = render_application(app, transition_times=self._options.transition_times)
        self._event_count += 1
        self._events.append(WatchEvent(number=self._event_count, type=kind, application=told))


def _since_before(condition: ConditionReport, before: Sequence[ConditionReport]) -> ConditionReport:
    same = [old for old in before if (old.type, old.message) == (condition.type, condition.message)]
    return same[0] if same else condition


def _reference(image: str, version: str) -> str:
    return f"{image}@{version}" if version.startswith("sha256:") else f"{image}:{version}"
