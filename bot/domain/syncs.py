"""Which syncs an application has had of a release, since when in a row, and whether its status is newer than the last.

Argo CD keeps few syncs (`revisionHistoryLimit`, ten by default), and self-heal may sync a release many times: so the
first one is noted as a mark in the ledger. Where neither history nor mark reach back to it, that is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.domain.argo import Ancestry, Application, Deployed, Mark, MarkKind, Operation
from bot.domain.model import Carries

UNDER_WAY = frozenset({"Running", "Terminating"})
"""Argo CD's phases of an operation that goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The syncs of a release in a row, up to the newest of all. The first ended at `at` and began at `began_at`.

    `is_certain` is false where earlier ones may have been forgotten: then the release runs since `at` at the latest.
    """

    at: datetime
    began_at: datetime | None
    is_certain: bool


def run_of(app: Application, ancestry: Ancestry, marks: Sequence[Mark]) -> Run | None:
    """Return the run of syncs of the release; None if the newest sync is of something else, or nobody knows.

    Self-heal or a click syncs a release again and again, which moves nothing. A sync of another revision in between, by
    hand, does: what ran then was not the release.
    """
    first, is_start = _walk(app, ancestry)
    known = _synced_mark(marks)
    if first is None:
        return _by_mark_alone(app, ancestry, known)
    if is_start:
        return Run(at=first.at, began_at=first.started_at, is_certain=True)
    if known is not None and known <= first.at:
        return Run(at=known, began_at=first.started_at if known == first.at else None, is_certain=True)
    return Run(at=first.at, began_at=first.started_at, is_certain=False)


def marks_due(app: Application, ancestry: Ancestry, marks: Sequence[Mark], now: datetime) -> tuple[Mark, ...]:
    """Return what is to be noted of an application's syncs: the first of a run, and that a run has ended.

    A first sync that may not be the first is never noted: it would be taken for certain later.
    """
    first, is_start = _walk(app, ancestry)
    known = _synced_mark(marks)
    ended = Mark(application=app.name, kind=MarkKind.LEFT, at=now)
    if first is None:
        return (ended,) if known is not None and _lacks(_newest(app), ancestry) else ()
    synced = Mark(application=app.name, kind=MarkKind.SYNCED, at=first.at)
    if not is_start or known == first.at:
        return ()
    return (synced,) if known is None else (ended, synced)


def was_synced(app: Application, ancestry: Ancestry, marks: Iterable[Mark]) -> bool:
    """Say whether an application was ever synced to the release, be it that something else runs there now."""
    if any(mark.kind is MarkKind.SYNCED for mark in marks):
        return True
    return any(ancestry.all_carry(entry.revisions) for entry in syncs_of(app))


def syncs_of(app: Application) -> Iterator[Deployed]:
    """Yield the syncs that are known to have succeeded, newest first: in Argo CD's own order, since clocks may jump."""
    operation = app.operation
    if operation is not None and _succeeded(operation) and operation.finished_at is not None:
        yield Deployed(revisions=operation.revisions, at=operation.finished_at, started_at=operation.started_at)
    yield from reversed(app.history)


def is_fresh(app: Application) -> bool:
    """Say whether the health is newer than the last operation: a stale Healthy is of the version before."""
    if app.operation_pending or app.operation is None or app.operation.finished_at is None:
        return False
    # Between two attempts it is Running, and has an end.
    if app.operation.phase in UNDER_WAY:
        return False
    return app.reconciled_at is not None and app.reconciled_at > app.operation.finished_at


def _walk(app: Application, ancestry: Ancestry) -> tuple[Deployed | None, bool]:
    """Return the oldest known sync of the run, and whether it is known that none came before it."""
    first = None
    for entry in syncs_of(app):
        if not ancestry.all_carry(entry.revisions):
            return first, _lacks(entry, ancestry)
        first = entry
    is_first_of_all = bool(app.history) and app.history[0].number == 0
    return first, is_first_of_all


def _lacks(entry: Deployed | None, ancestry: Ancestry) -> bool:
    """Say whether a sync is known to be of something else; that Git could not tell is another matter."""
    if entry is None:
        return False
    found = [ancestry.carries.get(revision, Carries.UNKNOWN) for revision in entry.revisions]
    return any(carries in {Carries.BEHIND, Carries.OTHER_TAG} for carries in found)


def _newest(app: Application) -> Deployed | None:
    return next(syncs_of(app), None)


def _synced_mark(marks: Sequence[Mark]) -> datetime | None:
    """Return the first sync as it was noted, unless it was noted later that the run had ended."""
    known = None
    for mark in marks:
        if mark.kind is MarkKind.LEFT:
            known = None
        elif mark.kind is MarkKind.SYNCED:
            known = mark.at if known is None else min(known, mark.at)
    return known


def _by_mark_alone(app: Application, ancestry: Ancestry, known: datetime | None) -> Run | None:
    """Where Argo CD keeps no history, self-heal leaves nothing behind of the sync that it heals."""
    operation = app.operation
    if known is None or app.history or operation is None or not operation.is_partial:
        return None
    return Run(at=known, began_at=None, is_certain=True) if ancestry.all_carry(operation.revisions) else None


def _succeeded(operation: Operation) -> bool:
    return operation.phase == "Succeeded" and not operation.is_partial
