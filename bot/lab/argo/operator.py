"""An operation: taken up a while after it was asked for, then step by step through its script to its end.

An attempt first works for the server's usual time, then waits as the script says, then succeeds or fails. What it
applies is in the cluster before a wait that needs it there, so that the status can look finished while a hook runs.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from bot.lab.argo.manifests import ManifestReader
from bot.lab.argo.model import Attempt, Deployed, Managed, OperationState
from bot.lab.argo.operations import (
    AT_WORK,
    BLOCKED,
    PLAIN,
    SUCCEEDED,
    OperationScript,
    Wait,
    failed_for_good,
    retrying,
)
from bot.lab.argo.reconciler import deploy
from bot.lab.argo.repositories import ManifestError
from bot.lab.argo.specification import ArgoOptions
from bot.lab.argo.windows import can_sync
from bot.lab.cluster import Cluster

_HISTORY_LIMIT = 10


class Operator:
    """Runs operations; the caller holds the lock and announces what changed."""

    def __init__(self, cluster: Cluster, reader: ManifestReader, options: ArgoOptions) -> None:
        self._cluster = cluster
        self._reader = reader
        self._options = options

    def next_at(self, app: Managed) -> datetime | None:
        """Return when there is something to do for an application; None if there is nothing, or a window holds it."""
        if app.running is not None:
            return app.attempt.next_at if app.attempt else None
        return app.pending.requested_at + self._options.operation_lag if app.pending else None

    def advance(self, app: Managed, at: datetime) -> None:
        """Do what is due."""
        running = app.running
        if running is None:
            self._take_up(app, at)
        elif not can_sync(app.windows, by_hand=not running.request.automated):
            self.hold(app)
        elif app.attempt is None or app.attempt.backing_off:
            self._begin_attempt(app, at, f"Retrying operation. Attempt #{running.retry_count}")
        elif app.attempt.step < len(self._script(app).waits):
            self._wait(app, at, self._script(app).waits[app.attempt.step])
        else:
            self._end_attempt(app, at)

    def hold(self, app: Managed) -> None:
        """Leave a running operation where it is until `release`: a sync window blocks it."""
        if app.running is not None:
            _say(app, BLOCKED)
            app.attempt = replace(app.attempt, next_at=None) if app.attempt else None

    def release(self, app: Managed, at: datetime) -> None:
        """Let an operation that was held go on."""
        if app.running is None:
            return
        if app.attempt is None:
            self._begin_attempt(app, at, AT_WORK)
        elif app.attempt.next_at is None:
            _say(app, AT_WORK)
            app.attempt = replace(app.attempt, next_at=at)

    def _script(self, app: Managed) -> OperationScript:
        return app.script or PLAIN

    def _take_up(self, app: Managed, at: datetime) -> None:
        if app.pending is None:
            return
        request = app.pending
        if app.script is not None:
            request = replace(request, retry_limit=app.script.retry_limit)
        operation = OperationState(
            request=request, phase="Running", message=AT_WORK, target=request.target, started_at=at
        )
        app.pending = request
        app.status = replace(app.status, operation=operation)
        app.attempt = None
        if can_sync(app.windows, by_hand=not request.automated):
            self._begin_attempt(app, at, AT_WORK)
        else:
            _say(app, BLOCKED)

    def _begin_attempt(self, app: Managed, at: datetime, message: str) -> None:
        operation = app.running
        if operation is None:
            return
        app.status = replace(app.status, operation=replace(operation, message=message, finished_at=None))
        app.attempt = Attempt(next_at=at + self._options.sync_takes)
        if self._script(app).health:
            app.refresh_at = min(app.refresh_at, at)

    def _wait(self, app: Managed, at: datetime, wait: Wait) -> None:
        if app.attempt is None:
            return
        step = app.attempt.step + 1
        try:
            applied = self._apply(app, at) if wait.applied else app.attempt.applied
        except ManifestError as error:
            self._fail(app, at, str(error))
            return
        app.attempt = Attempt(next_at=at + wait.takes, step=step, applied=applied)
        _say(app, wait.message)

    def _end_attempt(self, app: Managed, at: datetime) -> None:
        operation = app.running
        if operation is None:
            return
        if self._script(app).fails(operation.retry_count):
            self._fail(app, at, self._script(app).failure)
            return
        try:
            self._apply(app, at)
        except ManifestError as error:
            self._fail(app, at, str(error))
            return
        self._end(app, at, replace(operation, phase="Succeeded", message=SUCCEEDED, finished_at=at))
        self._record(app, at)

    def _apply(self, app: Managed, at: datetime) -> bool:
        """Bring the release to the cluster, once an attempt."""
        operation = app.running
        if operation is None or operation.request.dry_run or (app.attempt is not None and app.attempt.applied):
            return True
        manifests = self._reader.manifests(app.spec, operation.target)
        deploy(self._cluster, app, manifests, at)
        app.live = manifests
        # Argo CD asks for a look whenever a resource of the application changes.
        app.refresh_at = min(app.refresh_at, at + self._options.settle_after)
        return True

    def _fail(self, app: Managed, at: datetime, failure: str) -> None:
        operation = app.running
        if operation is None:
            return
        retries = operation.retry_count
        if retries >= operation.request.retry_limit or not self._script(app).failure:
            message = failed_for_good(failure, retries)
            self._end(app, at, replace(operation, phase="Failed", message=message, finished_at=at))
            return
        again = self._script(app).next_attempt_at(at, retries)
        waiting = replace(
            operation,
            message=retrying(failure, retries + 1, again),
            finished_at=at,
            retry_count=retries + 1,
        )
        app.status = replace(app.status, operation=waiting)
        app.attempt = Attempt(next_at=again, backing_off=True)

    def _end(self, app: Managed, at: datetime, done: OperationState) -> None:
        if done.phase == "Succeeded" and done.request.prune and not done.request.dry_run:
            app.leftovers = ()
        app.pending = None
        app.attempt = None
        app.script = None
        app.refresh_at = min(app.refresh_at, at + self._options.settle_after)
        app.status = replace(app.status, operation=done)

    def _record(self, app: Managed, at: datetime) -> None:
        operation = app.status.operation
        if operation is None or operation.request.dry_run:
            return
        last = app.status.history[-1].id if app.status.history else -1
        entry = Deployed(
            id=last + 1,
            target=operation.target,
            started_at=operation.started_at,
            deployed_at=at,
            automated=operation.request.automated,
            username=operation.request.username,
        )
        app.status = replace(app.status, history=(*app.status.history, entry)[-_HISTORY_LIMIT:])


def _say(app: Managed, message: str) -> None:
    operation = app.running
    if operation is not None:
        app.status = replace(app.status, operation=replace(operation, message=message))
