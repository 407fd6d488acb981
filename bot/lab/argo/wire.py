"""Render applications in the JSON of Argo CD's REST API. Timestamps have whole seconds there, as in Kubernetes."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from bot.lab.argo.model import (
    Deployed,
    HydrateOperation,
    HydrationStatus,
    Managed,
    OperationState,
    ResourceReport,
    SourceRevisions,
    Status,
    SyncRequest,
)
from bot.lab.argo.specification import ApplicationSpec, Source, SourceHydrator

ARGOCD_NAMESPACE = "argocd"
_SERVER = "https://kubernetes.default.svc"
_FINALIZER = "resources-finalizer.argocd.argoproj.io"

Json = dict[str, object]


def render_application(app: Managed, *, transition_times: bool) -> Json:
    """Return one application as the API tells it."""
    spec = app.spec
    told: Json = {
        "metadata": _metadata(app),
        "spec": _spec(spec),
        "status": _status(app, transition_times=transition_times),
    }
    return told | _given(operation=_operation(app.pending) if app.pending else None)


def _metadata(app: Managed) -> Json:
    spec = app.spec
    annotations = dict(spec.annotations)
    if app.refresh_kind:
        annotations["argocd.argoproj.io/refresh"] = app.refresh_kind
    metadata: Json = {
        "name": spec.name,
        "namespace": ARGOCD_NAMESPACE,
        "uid": str(uuid5(NAMESPACE_URL, f"liftlock-lab/{spec.name}/{app.serial}")),
        "resourceVersion": str(app.resource_version),
        "generation": app.resource_version,
        "creationTimestamp": _time(app.created_at),
    }
    deleted = {}
    if app.deletion_asked_at is not None:
        deleted = {"deletionTimestamp": _time(app.deletion_asked_at), "finalizers": [_FINALIZER]}
    return metadata | deleted | _given(labels=dict(spec.labels), annotations=annotations)


def _spec(spec: ApplicationSpec) -> Json:
    told: Json = {"project": spec.project, "destination": _destination(spec)}
    return told | _sources_of(spec) | _given(syncPolicy=_sync_policy(spec))


def _sources_of(spec: ApplicationSpec) -> Json:
    if spec.hydrator is not None:
        return {"sourceHydrator": _source_hydrator(spec.hydrator)}
    if spec.has_multiple_sources:
        return {"sources": [_source(source) for source in spec.sources]}
    return {"source": _source(spec.compared_sources[0])}


def _sync_policy(spec: ApplicationSpec) -> Json:
    if not spec.automated and not spec.tells_disabled:
        return {}
    automated = _given(prune=spec.prune, selfHeal=spec.self_heal)
    return {"automated": automated if spec.automated else {"enabled": False} | automated}


def _destination(spec: ApplicationSpec) -> Json:
    return {"server": _SERVER, "namespace": spec.namespace}


def _source(source: Source) -> Json:
    helm = {"valueFiles": list(source.value_files)} if source.value_files else None
    return {"repoURL": source.repo_url} | _given(
        path=source.path,
        targetRevision=source.target_revision,
        chart=source.chart,
        ref=source.ref,
        name=source.name,
        helm=helm,
    )


def _source_hydrator(hydrator: SourceHydrator) -> Json:
    dry = hydrator.dry
    told: Json = {
        "drySource": {"repoURL": dry.repo_url, "targetRevision": dry.target_revision, "path": dry.path},
        "syncSource": {"targetBranch": hydrator.branch, "path": hydrator.path},
    }
    return told | _given(hydrateTo={"targetBranch": hydrator.hydrate_to} if hydrator.hydrate_to else None)


def _compared(target: SourceRevisions) -> Json:
    """Return `source` or `sources`. Argo CD's `source` is never absent: beside `sources` it names an empty URL."""
    if target.multiple:
        return {"source": {"repoURL": ""}, "sources": [_source(source) for source in target.sources]}
    return {"source": _source(target.sources[0]) if target.sources else {"repoURL": ""}}


def _revisions(target: SourceRevisions) -> Json:
    if target.multiple:
        return {"revisions": list(target.revisions)}
    return _given(revision=target.revision)


def _status(app: Managed, *, transition_times: bool) -> Json:
    status, spec = app.status, app.spec
    hydration = _hydration(status.hydration) if status.hydration else None
    if status.reconciled_at is None:
        # A new application has an almost empty status until the controller looks at it for the first time.
        empty: Json = {"source": {"repoURL": ""}, "destination": {}}
        told: Json = {"health": {}, "summary": {}, "sync": {"status": "", "comparedTo": empty}}
        return told | _given(sourceHydrator=hydration, operationState=_last_operation(status))
    sources = SourceRevisions(sources=spec.compared_sources, multiple=spec.has_multiple_sources)
    compared = _compared(sources) | {"destination": _destination(spec)}
    told = {
        "sync": {"status": status.sync, "comparedTo": compared} | _revisions(status.compared),
        "health": _health(status, transition_times=transition_times),
        "reconciledAt": _time(status.reconciled_at),
        "summary": _given(images=list(status.images)),
        "resources": [_resource(one, spec) for one in status.resources],
        "controllerNamespace": ARGOCD_NAMESPACE,
    }
    return told | _given(
        conditions=[
            {"type": one.type, "message": one.message, "lastTransitionTime": _time(one.since)}
            for one in status.conditions
        ],
        history=[_deployed(entry) for entry in status.history],
        operationState=_last_operation(status),
        sourceHydrator=hydration,
    )


def _health(status: Status, *, transition_times: bool) -> Json:
    health = status.health
    since = _time(health.since) if health.since and transition_times else None
    return {"status": health.status} | _given(message=health.message, lastTransitionTime=since)


def _resource(report: ResourceReport, spec: ApplicationSpec) -> Json:
    resource = report.resource
    told: Json = {"version": "v1", "kind": resource.kind, "namespace": spec.namespace, "name": resource.name}
    return told | _given(
        group=resource.group,
        status=report.sync,
        health={"status": report.health} if report.health else None,
        requiresPruning=report.requires_pruning,
    )


def _operation(request: SyncRequest) -> Json:
    by: Json = {"automated": True} if request.automated else {"username": request.username}
    target = request.target
    sources = _compared(target) if not target.multiple else {"sources": [_source(one) for one in target.sources]}
    sync = _revisions(target) | sources | _given(prune=request.prune, dryRun=request.dry_run)
    retry = {"limit": request.retry_limit} if request.retry_limit else {}
    return {"sync": sync, "initiatedBy": by, "retry": retry}


def _last_operation(status: Status) -> Json | None:
    return _operation_state(status.operation) if status.operation else None


def _operation_state(operation: OperationState) -> Json:
    target = operation.target
    told: Json = {
        "operation": _operation(operation.request),
        "phase": operation.phase,
        "message": operation.message,
        "startedAt": _time(operation.started_at),
        "syncResult": {"revision": ""} | _revisions(target) | _compared(target),
    }
    finished = _time(operation.finished_at) if operation.finished_at else None
    return told | _given(finishedAt=finished, retryCount=operation.retry_count)


def _deployed(entry: Deployed) -> Json:
    told: Json = {
        "id": entry.id,
        "deployStartedAt": _time(entry.started_at),
        "deployedAt": _time(entry.deployed_at),
        "initiatedBy": {"automated": True} if entry.automated else {"username": entry.username},
    }
    return told | _revisions(entry.target) | _compared(entry.target)


def _hydration(hydration: HydrationStatus) -> Json:
    last = hydration.last_successful
    return {"currentOperation": _hydrate_operation(hydration.current)} | _given(
        lastSuccessfulOperation=_hydrated(last) if last else None,
        lastComparedDryRevision=hydration.last_compared_dry,
    )


def _hydrate_operation(operation: HydrateOperation) -> Json:
    told: Json = {
        "phase": operation.phase,
        "message": operation.message,
        "startedAt": _time(operation.started_at),
    }
    finished = _time(operation.finished_at) if operation.finished_at else None
    return told | _hydrated(operation) | _given(finishedAt=finished)


def _hydrated(operation: HydrateOperation) -> Json:
    return {"sourceHydrator": _source_hydrator(operation.hydrator)} | _given(
        drySHA=operation.dry_sha, hydratedSHA=operation.hydrated_sha
    )


def _given(**fields: object) -> Json:
    """Return the fields that are not empty, as Go's `omitempty` leaves the others out."""
    return {name: value for name, value in fields.items() if value not in (None, "", 0, {}, [], False)}


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
