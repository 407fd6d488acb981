"""What to ask of Argo CD so that a release gets on: to look at Git, to look at its own result, or to sync.

Each is asked once, or again after a pause, by what the ledger remembers; a lost ledger costs one more question.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from bot.domain.argo import Application, Mark, MarkKind
from bot.domain.decision import AskRefresh, StartSync
from bot.domain.liveness import Liveness
from bot.domain.observation import StageObservation
from bot.domain.stance import ApplicationStance, Expected, Want

NOTICE_WITHIN = timedelta(hours=1)
"""For how long after its commit Argo CD is asked to notice it: later, something else is the matter."""
LOOK_AFTER = timedelta(seconds=10)
"""How long Argo CD is left alone after an operation: it looks at the result by itself, as a rule."""
LOOK_PAUSE = timedelta(minutes=1)
HARD_PAUSE = timedelta(minutes=10)
"""A hard refresh throws away Argo CD's cache of the manifests, which its repository server feels."""
SYNC_PAUSE = timedelta(minutes=5)


def nudges(
    seen: StageObservation, expected: Expected, liveness: Liveness, now: datetime
) -> tuple[AskRefresh | StartSync, ...]:
    """Return what would bring the stage's applications on, and is due."""
    applications = {app.name: app for app in seen.applications if isinstance(app, Application)}
    found: list[AskRefresh | StartSync | None] = []
    for stance in liveness.applications:
        app = applications.get(stance.name)
        if app is None or stance.want is None:
            continue
        marks = [mark for mark in seen.memory.marks if mark.application == app.name]
        if stance.want is Want.SYNC:
            found.append(_sync(seen.stage, app, stance, expected, marks, now))
        elif stance.want is Want.NOTICE:
            found.append(_notice(seen.stage, stance, expected, marks, now))
        else:
            found.append(_look(seen.stage, app, stance, marks, now))
    return tuple(one for one in found if one is not None)


def _notice(
    stage: str, stance: ApplicationStance, expected: Expected, marks: Sequence[Mark], now: datetime
) -> AskRefresh | None:
    asked = _last(marks, MarkKind.ASKED_REFRESH)
    if asked is not None or now - expected.since >= NOTICE_WITHIN:
        return None
    return AskRefresh(stage=stage, application=stance.name, reason=stance.reason)


def _look(
    stage: str, app: Application, stance: ApplicationStance, marks: Sequence[Mark], now: datetime
) -> AskRefresh | None:
    """Ask normally first; if that has not helped within a minute, hard, and that at most every ten minutes."""
    finished_at = app.operation.finished_at if app.operation is not None else None
    if finished_at is not None and now - finished_at < LOOK_AFTER:
        return None
    since = [mark for mark in marks if finished_at is None or mark.at >= finished_at]
    asked = _last(since, MarkKind.ASKED_REFRESH, MarkKind.ASKED_HARD_REFRESH)
    if asked is None:
        return AskRefresh(stage=stage, application=stance.name, reason=stance.reason)
    hard = _last(marks, MarkKind.ASKED_HARD_REFRESH)
    if now - asked < LOOK_PAUSE or (hard is not None and now - hard < HARD_PAUSE):
        return None
    return AskRefresh(stage=stage, application=stance.name, reason=stance.reason, is_hard=True)


def _sync(
    stage: str,
    app: Application,
    stance: ApplicationStance,
    expected: Expected,
    marks: Sequence[Mark],
    now: datetime,
) -> StartSync | None:
    """Sync to exactly the release's commit; of a hydrated application to the commit rendered from one that has it."""
    asked = _last(marks, MarkKind.ASKED_SYNC)
    if asked is not None and now - asked < SYNC_PAUSE:
        return None
    revisions = app.revisions if app.hydration is not None else (expected.commit,) * len(app.revisions)
    return StartSync(
        stage=stage,
        application=stance.name,
        revisions=revisions,
        positions=app.positions if app.several_sources else (),
        authority=expected.authority,
        reason=stance.reason,
    )


def _last(marks: Iterable[Mark], *kinds: MarkKind) -> datetime | None:
    return max((mark.at for mark in marks if mark.kind in kinds), default=None)
