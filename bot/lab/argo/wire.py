"""Render applications in the JSON of Argo CD's REST API. Timestamps have whole seconds there, as in Kubernetes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from bot.lab.argo.model import ApplicationSpec, Deployed, Managed, OperationState, Status, SyncRequest

ARGOCD_NAMESPACE = "argocd"
_SERVER = "https://kubernetes.default.svc"

Json = dict[str, object]


def render_application(app: Managed, *, transition_times: bool) -> Json:
    """Return one application as the API tells it."""
    spec = app.spec
    annotations = {"argocd.argoproj.io/refresh": app.refresh_kind} if app.refresh_kind else {}
    metadata: Json = {
        "name": spec.name,
        "namespace": ARGOCD_NAMESPACE,
        "uid": str(uuid5(NAMESPACE_URL, f"liftlock-lab/{spec.name}")),
        "resourceVersion": str(app.resource_version),
        "generation": app.resource_version,
        "creationTimestamp": _time(app.created_at),
    }
    told: Json = {
        "metadata": metadata | _given(labels=dict(spec.labels), annotations=annotations),
        "spec": _spec(spec),
        "status": _status(app, transition_times=transition_times),
    }
    return told | _given(operation=_operation(app.pending, spec) if app.pending else None)


def _spec(spec: ApplicationSpec) -> Json:
    policy = {"syncPolicy": {"automated": {"prune": True, "selfHeal": True}}} if spec.automated else {}
    return {
        "project": spec.project,
        "source": _source(spec),
        "destination": {"server": _SERVER, "namespace": spec.namespace},
        **policy,
    }


def _source(spec: ApplicationSpec) -> Json:
    return {"repoURL": spec.repo_url, "path": spec.path, "targetRevision": spec.target_revision}


def _status(app: Managed, *, transition_times: bool) -> Json:
    status, spec = app.status, app.spec
    if status.reconciled_at is None:
        # A new application has an almost empty status until the controller looks at it for the first time.
        return {"health": {}, "summary": {}, "sync": {"status": "", "comparedTo": {"source": {}, "destination": {}}}}
    conditions = [
        {"type": one.type, "message": one.message, "lastTransitionTime": _time(one.since)} for one in status.conditions
    ]
    compared = {"source": _source(spec), "destination": {"server": _SERVER, "namespace": spec.namespace}}
    sync: Json = {"status": status.sync, "comparedTo": compared} | _given(revision=status.revision)
    told: Json = {
        "sync": sync,
        "health": _health(status, transition_times=transition_times),
        "reconciledAt": _time(status.reconciled_at),
        "summary": _given(images=list(status.images)),
        "resources": _resources(app),
        "controllerNamespace": ARGOCD_NAMESPACE,
    }
    return told | _given(
        conditions=conditions,
        history=[_deployed(entry, spec) for entry in status.history],
        operationState=_operation_state(status.operation, spec) if status.operation else None,
    )


def _health(status: Status, *, transition_times: bool) -> Json:
    health = status.health
    since = _time(health.since) if health.since and transition_times else None
    return {"status": health.status} | _given(message=health.message, lastTransitionTime=since)


def _resources(app: Managed) -> list[Json]:
    status = app.status
    return [
        {
            "group": "apps",
            "version": "v1",
            "kind": "Deployment",
            "namespace": app.spec.namespace,
            "name": image.name.rsplit("/", 1)[-1],
            "status": status.sync,
            "health": {"status": status.health.status},
        }
        for image in app.live
    ]


def _operation(request: SyncRequest, spec: ApplicationSpec) -> Json:
    by = {"automated": True} if request.automated else {"username": request.username}
    sync = _given(
        revision=request.revision or "", prune=request.prune or request.automated, dryRun=request.dry_run or None
    )
    return {"sync": sync or {"revision": spec.target_revision}, "initiatedBy": by, "retry": {"limit": 5}}


def _operation_state(operation: OperationState, spec: ApplicationSpec) -> Json:
    finished = _time(operation.finished_at) if operation.finished_at else None
    result = {"revision": operation.revision, "source": _source(spec)} if operation.revision else None
    told: Json = {
        "operation": _operation(operation.request, spec),
        "phase": operation.phase,
        "message": operation.message,
        "startedAt": _time(operation.started_at),
    }
    return told | _given(finishedAt=finished, syncResult=result)


def _deployed(entry: Deployed, spec: ApplicationSpec) -> Json:
    return {
        "id": entry.id,
        "revision": entry.revision,
        "deployStartedAt": _time(entry.started_at),
        "deployedAt": _time(entry.deployed_at),
        "source": _source(spec),
        "initiatedBy": {"automated": True} if entry.automated else {"username": entry.username},
    }


def _given(**fields: object) -> Json:
    """Return the fields that are not empty, as Go's `omitempty` leaves the others out."""
    return {name: value for name, value in fields.items() if value not in (None, "", {}, [], False)}


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- field projection ------------------------------------------------------------------------------------------------

_PROJECTABLE = (
    "metadata.name",
    "metadata.namespace",
    "metadata.annotations",
    "metadata.labels",
    "metadata.creationTimestamp",
    "metadata.deletionTimestamp",
    "spec",
    "status.sourceHydrator",
    "status.sync.status",
    "status.health",
    "status.summary",
    "status.operationState.startedAt",
    "status.operationState.finishedAt",
    "status.resources",
    "operation.sync",
    "status.operationState.phase",
    "status.operationState.operation.sync",
)
"""All that Argo CD can project (its forwarder overwrite, as of 3.x); other names are silently left out there too."""


def projection(fields: str, prefix: str) -> Callable[[Mapping[str, object]], Json]:
    """Return a function that keeps the fields of a `fields=` parameter (a leading `-`: all but these).

    `prefix` stands before each name: `items.` in lists, `result.application.` in the stream.
    """
    exclude = fields.startswith("-")
    named = set(fields.removeprefix("-").split(","))
    kept = [field for field in _PROJECTABLE if (prefix + field in named) != exclude]

    def project(application: Mapping[str, object]) -> Json:
        projected: Json = {}
        for field in kept:
            _put(projected, field.split("."), _get(application, _read_from(field).split(".")))
        return projected

    return project


def _read_from(field: str) -> str:
    """Argo CD answers `status.operationState.operation.sync` with the sync *result*."""
    return "status.operationState.syncResult" if field == "status.operationState.operation.sync" else field


def _get(found: object, path: list[str]) -> object:
    for part in path:
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _put(target: Json, path: list[str], value: object) -> None:
    if value is None:
        return
    for part in path[:-1]:
        inner = target.setdefault(part, {})
        if not isinstance(inner, dict):
            return
        target = inner
    target[path[-1]] = value
