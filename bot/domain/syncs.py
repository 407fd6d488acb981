"""Which syncs an application has had of a release, and whether its status is newer than the last one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from bot.domain.argo import Ancestry, Application, Deployed, Mark, MarkKind, Operation

UNDER_WAY = frozenset({"Running", "Terminating"})
"""Argo CD's phases of an operation that goes on."""


def deployment_of(app: Application, ancestry: Ancestry) -> tuple[Deployed | None, bool]:
    """Return the first sync of the release, and whether it is known that something else was synced before it.

    None if the newest sync of all is of something else. Self-heal or a click syncs a release again and again, which
    moves nothing. A sync of another revision in between, by hand, does: what ran then was not the release.
    """
    first = None
    for entry in sorted(syncs_of(app), key=lambda one: one.at, reverse=True):
        if not ancestry.all_carry(entry.revisions):
            return first, True
        first = entry
    return first, False


def deployed_at(app: Application, ancestry: Ancestry, marks: Iterable[Mark]) -> datetime | None:
    """Return when the release was first synced: Argo CD keeps ten syncs only, so an older one is known by its mark."""
    first, is_first = deployment_of(app, ancestry)
    if first is None:
        return None
    known = max((mark.at for mark in marks if mark.kind is MarkKind.SYNCED), default=first.at)
    return first.at if is_first else min(first.at, known)


def syncs_of(app: Application) -> Iterable[Deployed]:
    """Yield all syncs that are known to have succeeded: the history is cut at ten, the last operation may be new."""
    operation = app.operation
    if operation is not None and _succeeded(operation) and operation.finished_at is not None:
        yield Deployed(revisions=operation.revisions, at=operation.finished_at, started_at=operation.started_at)
    yield from app.history


def _succeeded(operation: Operation) -> bool:
    return operation.phase == "Succeeded" and not operation.is_partial


def is_fresh(app: Application) -> bool:
    """Say whether the health is newer than the last operation: a stale Healthy is of the version before."""
    if app.operation_pending or app.operation is None or app.operation.finished_at is None:
        return False
    # Between two attempts it is Running, and has an end.
    if app.operation.phase in UNDER_WAY:
        return False
    return app.reconciled_at is not None and app.reconciled_at > app.operation.finished_at
