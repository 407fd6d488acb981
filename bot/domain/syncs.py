"""Which syncs an application has had of a release, since when in a row, and whether its status is newer than the last.

Argo CD keeps few syncs (`revisionHistoryLimit`, ten by default), and self-heal may sync a release many times: so the
first one is noted as a mark in the ledger. Two questions are kept apart. Since when the release *proves itself* may be
answered too late, never too early. Since when it is *watched* must not be answered too late: a release that ran for
days would be taken back for what happens today.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.domain.argo import Ancestry, Application, Deployed, Mark, MarkKind, Operation
from bot.domain.model import Carries


class Before(StrEnum):
    """What is known of the time before the oldest sync of a run."""

    ANOTHER = "another release ran"
    NOTHING = "it was the application's first sync"
    FORGOTTEN = "Argo CD has forgotten it"
    UNCLEAR = "Git could not tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The syncs of a release in a row, up to the newest of all. The first known one ended at `at`, began at `began_at`.

    What went before it says how far `at` may be trusted: as a proof it is never too early.
    """

    at: datetime
    began_at: datetime | None
    before: Before


def run_of(app: Application, ancestry: Ancestry, marks: Sequence[Mark]) -> Run | None:
    """Return the run of syncs of the release; None if the newest sync is of something else, or nobody knows.

    Self-heal or a click syncs a release again and again, which moves nothing. A sync of another revision in between, by
    hand, does: what ran then was not the release.
    """
    first, before = _walk(app, ancestry)
    if first is None:
        return _by_mark_alone(app, ancestry, marks)
    noted = _active(marks, MarkKind.SYNCED)
    if before is Before.FORGOTTEN and noted is not None and noted <= first.at:
        return Run(at=noted, began_at=first.started_at if noted == first.at else None, before=Before.ANOTHER)
    return Run(at=first.at, began_at=first.started_at, before=before)


def watched_since(app: Application, ancestry: Ancestry, marks: Sequence[Mark]) -> datetime | None:
    """Return when the release came to an application that ran another one before; None where that is not known.

    All that was ever seen counts, whatever came in between. An application's own first sync is not enough: it may have
    been made anew, or its history have been wiped.
    """
    noted = [mark.at for mark in marks if mark.kind is MarkKind.SYNCED]
    if noted:
        return min(noted)
    found, before = None, None
    for entry in syncs_of(app):
        if ancestry.all_carry(entry.revisions):
            found, before = entry, None
        elif found is not None and before is None:
            before = entry
    return found.at if found is not None and _lacks(before, ancestry) else None


def marks_due(app: Application, ancestry: Ancestry, marks: Sequence[Mark], now: datetime) -> tuple[Mark, ...]:
    """Return what is to be noted of an application's syncs: that it runs, the first of a run, and that a run has ended.

    A first sync is noted only where it is known that another release ran before: it is taken for certain later.
    """
    first, before = _walk(app, ancestry)
    noted, ran = _active(marks, MarkKind.SYNCED), _active(marks, MarkKind.RAN)
    ended = Mark(application=app.name, kind=MarkKind.LEFT, at=now)
    if first is None:
        is_over = (noted or ran) is not None and _lacks(next(syncs_of(app), None), ancestry)
        return (ended,) if is_over else ()
    due = [] if ran is not None else [Mark(application=app.name, kind=MarkKind.RAN, at=first.at)]
    if before is Before.ANOTHER and noted != first.at:
        # With a mark of an earlier run, its end was not seen: the bot was down.
        due = [*([ended] if noted is not None else []), *due]
        due.append(Mark(application=app.name, kind=MarkKind.SYNCED, at=first.at))
    return tuple(due)


def was_synced(app: Application, ancestry: Ancestry, marks: Iterable[Mark]) -> bool:
    """Say whether an application was ever synced to the release, be it that something else runs there now.

    One that has never been synced at all was made anew under an old name.
    """
    if app.operation is None and not app.history:
        return False
    if any(mark.kind in {MarkKind.SYNCED, MarkKind.RAN} for mark in marks):
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
    if app.operation.is_under_way:
        return False
    return app.reconciled_at is not None and app.reconciled_at > app.operation.finished_at


def _walk(app: Application, ancestry: Ancestry) -> tuple[Deployed | None, Before]:
    """Return the oldest known sync of the run, and what is known of before."""
    first = None
    for entry in syncs_of(app):
        if not ancestry.all_carry(entry.revisions):
            return first, Before.ANOTHER if _lacks(entry, ancestry) else Before.UNCLEAR
        first = entry
    is_first_of_all = bool(app.history) and app.history[0].number == 0
    return first, Before.NOTHING if is_first_of_all else Before.FORGOTTEN


def _lacks(entry: Deployed | None, ancestry: Ancestry) -> bool:
    """Say whether a sync is known to be of something else; that Git could not tell is another matter."""
    if entry is None:
        return False
    found = [ancestry.carries.get(revision, Carries.UNKNOWN) for revision in entry.revisions]
    return any(carries in {Carries.BEHIND, Carries.OTHER_TAG} for carries in found)


def _active(marks: Sequence[Mark], kind: MarkKind) -> datetime | None:
    """Return the first mark of a kind since the run before ended; marks come in the order of their writing."""
    found = None
    for mark in marks:
        if mark.kind is MarkKind.LEFT:
            found = None
        elif mark.kind is kind and found is None:
            found = mark.at
    return found


def _by_mark_alone(app: Application, ancestry: Ancestry, marks: Sequence[Mark]) -> Run | None:
    """Where Argo CD keeps no history, self-heal leaves nothing behind of the sync that it heals."""
    operation, ran = app.operation, _active(marks, MarkKind.RAN)
    if ran is None or app.history or operation is None or not operation.is_partial:
        return None
    is_of_release = ancestry.all_carry(operation.revisions)
    return Run(at=ran, began_at=None, before=Before.FORGOTTEN) if is_of_release else None


def _succeeded(operation: Operation) -> bool:
    return operation.phase == "Succeeded" and not operation.is_partial
