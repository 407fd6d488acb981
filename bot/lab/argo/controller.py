"""The reconcilers of the simulated Argo CD, as events on a timeline.

An application is refreshed (Git and the cluster are looked at, the status is written), operated on (a sync runs and
deploys) and hydrated. Each happens at its own times, so a status can say Succeeded beside the health of before the
sync: only the refresh that follows an operation sees what the operation did. `tick` plays everything that is due;
played twice with the same clock and repository, it ends in the same state. A refresh reads the repository as it is
when `tick` runs: to play a commit between two refreshes, commit between two ticks.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from heapq import heapify, heappop, heappush
from pathlib import Path
from typing import Literal

from bot.lab.argo.commit_server import CommitServer
from bot.lab.argo.hydrator import Hydrator, is_hydrating
from bot.lab.argo.manifests import ManifestReader
from bot.lab.argo.model import Managed, SourceRevisions, Status, SyncRequest
from bot.lab.argo.operator import Operator
from bot.lab.argo.reconciler import Reconciler
from bot.lab.argo.repositories import GitRepositories, ManifestError
from bot.lab.argo.specification import ApplicationSpec, ArgoOptions
from bot.lab.argo.targets import Targets
from bot.lab.argo.windows import SyncWindow, can_sync
from bot.lab.argo.wire import render_application
from bot.lab.cluster import Cluster
from bot.ports import Clock

_EVENTS_KEPT = 2000

_EventKind = Literal["gone", "health", "hydrate", "operate", "refresh"]


class Refused(Exception):
    """A request that Argo CD does not accept in the application's present state."""


class BlockedByWindow(Refused):
    """A sync window does not let anybody sync."""

    def __init__(self) -> None:
        super().__init__("cannot sync: blocked by sync window")


class OutOfRange(Exception):
    """A source position that the application does not have, or one without a revision."""


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

    def __init__(
        self, clock: Clock, cluster: Cluster, repositories: Callable[[str], Path], options: ArgoOptions
    ) -> None:
        if min(options.refresh_every, options.sync_takes) <= timedelta(0):
            raise ValueError("an Argo CD that refreshes or syncs in no time would never come to an end")
        git = GitRepositories(repositories)
        reader = ManifestReader(git)
        self._clock = clock
        self._options = options
        self._targets = Targets(git)
        self._lock = threading.RLock()
        self._managed: dict[str, Managed] = {}
        self._reconciler = Reconciler(cluster, self._targets, reader, options.refresh_every)
        self._operator = Operator(cluster, reader, options)
        self._hydrator = Hydrator(self._targets, reader, CommitServer(git), self._managed.values)
        self._events: deque[WatchEvent] = deque(maxlen=_EVENTS_KEPT)
        self._event_count = 0
        self._version = 1000

    # --- what there is ------------------------------------------------------------------------------------------------

    def add(self, spec: ApplicationSpec, *, adopted: bool = False) -> None:
        """Create an application; its first refresh is due at once. `adopted`: what it is to run runs already."""
        now = self._clock.now()
        with self._lock:
            if spec.name in self._managed:
                raise ValueError(f"there is an application {spec.name!r} already")
            app = Managed(spec=spec, created_at=now, refresh_at=now, serial=self._version, adopts=adopted)
            self._managed[spec.name] = app
            self._announce(app, "ADDED")

    def delete(self, name: str, *, takes: timedelta | None = None) -> None:
        """Delete an application; what it deployed stays in the cluster. `takes`: a finalizer keeps it for so long."""
        with self._lock:
            if takes is None:
                self._announce(self._managed.pop(name), "DELETED")
                return
            now = self._clock.now()
            self.change(name, deletion_asked_at=now, gone_at=now + takes)

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

    def freeze(self, name: str, *, frozen: bool, until_hard_refresh: bool = False) -> None:
        """Stop or resume all work on an application. What was due meanwhile happens when it resumes."""
        wakes_at = None if frozen else self._clock.now()
        self.change(name, frozen=frozen, wakes_at=wakes_at, wakes_on_hard_refresh=until_hard_refresh)

    def set_windows(self, name: str, windows: Sequence[SyncWindow]) -> None:
        """Replace the sync windows of an application: a running operation is held or goes on."""
        with self._lock:
            app = self._managed[name]
            before = app.status
            app.windows = tuple(windows)
            running = app.running
            if running is not None and can_sync(app.windows, by_hand=not running.request.automated):
                self._operator.release(app, self._clock.now())
            elif running is not None:
                self._operator.hold(app)
            self._announce_if_changed(app, before)

    def publish_chart(self, repo_url: str, chart: str, version: str) -> None:
        """Offer one more version of a chart in a Helm repository."""
        with self._lock:
            self._targets.publish_chart(repo_url, chart, version)

    # --- what is told -------------------------------------------------------------------------------------------------

    def specs(self) -> Sequence[ApplicationSpec]:
        """Return the specifications of all applications, by name."""
        with self._lock:
            return tuple(self._managed[name].spec for name in sorted(self._managed))

    def status(self, name: str) -> Status:
        """Return an application's status; KeyError if there is none."""
        with self._lock:
            return self._managed[name].status

    def windows(self, name: str) -> Sequence[SyncWindow]:
        """Return the sync windows of an application; KeyError if there is none."""
        with self._lock:
            return self._managed[name].windows

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

    # --- what is asked for --------------------------------------------------------------------------------------------

    def refresh(self, name: str, kind: str) -> None:
        """Refresh one application now; a frozen one only gets the annotation, unless a hard refresh wakes it."""
        now = self._clock.now()
        with self._lock:
            app = self._managed[name]
            if app.frozen and app.wakes_on_hard_refresh and kind == "hard":
                self.freeze(name, frozen=False)
            if app.frozen:
                app.refresh_kind = kind
                self._announce(app, "MODIFIED")
                return
            app.refresh_at = now
            app.hydration_asked = True
        self.tick()

    def look(self, name: str) -> None:
        """Refresh one application now because the script changed its world; a frozen one does not look."""
        self.change(name, refresh_at=self._clock.now())
        self.tick()

    def request_sync(self, name: str, request: SyncRequest) -> SyncRequest:
        """Ask for an operation and return it with what it resolved to; raise Refused where Argo CD does."""
        with self._lock:
            app = self._managed[name]
            if not can_sync(app.windows, by_hand=True):
                raise BlockedByWindow
            if app.deletion_asked_at is not None:
                raise Refused("application is deleting")
            resolved = replace(request, target=self._resolve(app.spec, request))
            if app.pending is not None or app.running is not None:
                raise Refused("another operation is already in progress")
            app.pending = resolved
            app.status = replace(app.status, operation=None)
            self._announce(app, "MODIFIED")
            return resolved

    def _resolve(self, spec: ApplicationSpec, request: SyncRequest) -> SourceRevisions:
        asked = _asked_revisions(spec, request)
        if spec.automated and not request.dry_run:
            _require_the_targets(spec, asked)
        try:
            # Argo CD looks branches up anew for an operation that somebody asks for.
            self._targets.look_again()
            return self._targets.resolve_all(spec, asked)
        except ManifestError as error:
            raise Refused(f"error resolving repo revision: {error}") from error

    # --- the timeline -------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Play everything that is due up to now, in order of time, then by name."""
        now = self._clock.now()
        with self._lock:
            self._targets.look_again()
            due = [one for name in self._managed for one in self._due(name, now)]
            heapify(due)
            while due:
                first = heappop(due)
                # What was overtaken by what was played before it is due no longer, or at another time.
                if first in self._due(first.name, now):
                    for name in self._play(first):
                        for new in self._due(name, now):
                            heappush(due, new)

    def _due(self, name: str, now: datetime) -> Sequence[_Due]:
        app = self._managed.get(name)
        if app is None or app.frozen:
            return ()
        instants = ((kind, max(at, app.wakes_at) if app.wakes_at else at) for kind, at in self._next(app))
        return [_Due(at=at, name=name, kind=kind) for kind, at in instants if at <= now]

    def _next(self, app: Managed) -> Iterable[tuple[_EventKind, datetime]]:
        yield "refresh", app.refresh_at
        operates_at = self._operator.next_at(app)
        if operates_at is not None:
            yield "operate", operates_at
        if app.status.hydration is not None and is_hydrating(app) and not self._hydrator.is_held(app):
            yield "hydrate", app.status.hydration.current.started_at + self._options.hydration_takes
        if app.health_to_come:
            yield "health", app.health_to_come[0][0]
        if app.gone_at is not None:
            yield "gone", app.gone_at

    def _play(self, due: _Due) -> Iterable[str]:
        """Play one event; return the names of the applications that have other things due now."""
        app = self._managed[due.name]
        before = app.status
        others: tuple[str, ...] = ()
        match due.kind:
            case "refresh":
                others = self._hydrate(self._hydrator.begin_if_needed(app, due.at))
                before = app.status
                self._reconciler.refresh(app, due.at)
            case "operate":
                self._operator.advance(app, due.at)
            case "hydrate":
                return self._hydrate(self._hydrator.finish(app, due.at))
            case "health":
                app.forced_health = app.health_to_come[0][1]
                app.health_to_come = app.health_to_come[1:]
                app.refresh_at = due.at
            case "gone":
                self.delete(due.name)
                return ()
        self._announce_if_changed(app, before)
        return (due.name, *others)

    def _hydrate(self, apps: Sequence[Managed]) -> tuple[str, ...]:
        """Announce what the hydrator did to applications; return their names."""
        for app in apps:
            self._announce(app, "MODIFIED")
        return tuple(app.spec.name for app in apps)

    def _announce_if_changed(self, app: Managed, before: Status) -> None:
        if app.status != before:
            self._announce(app, "MODIFIED")

    def _announce(self, app: Managed, kind: Literal["ADDED", "MODIFIED", "DELETED"]) -> None:
        self._version += 1
        app.resource_version = self._version
        told = render_application(app, transition_times=self._options.transition_times)
        self._event_count += 1
        self._events.append(WatchEvent(number=self._event_count, type=kind, application=told))


def _asked_revisions(spec: ApplicationSpec, request: SyncRequest) -> tuple[str, ...]:
    """Return the revision that is asked for at each source, empty where none is."""
    if not spec.has_multiple_sources:
        return (request.revision or "",)
    asked = [""] * len(spec.compared_sources)
    for position, revision in request.at_positions:
        if not 1 <= position <= len(asked):
            raise OutOfRange("source position is out of range")
        asked[position - 1] = revision
    return tuple(asked)


def _require_the_targets(spec: ApplicationSpec, asked: tuple[str, ...]) -> None:
    """Refuse another revision than the target: automated sync would take it back at once."""
    for source, revision in zip(spec.compared_sources, asked, strict=True):
        if revision not in {"", source.target_revision or "HEAD"}:
            which = f"source {source.repo_url} " if spec.has_multiple_sources else ""
            raise Refused(f"Cannot sync {which}to {revision}: auto-sync currently set to {source.target_revision}")
