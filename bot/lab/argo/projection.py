"""Project applications on the fields that a request asks for, with Argo CD's own gaps."""

from __future__ import annotations

from collections.abc import Callable, Mapping

Json = dict[str, object]

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
