"""Judge one application of a stage: does it run the release (DESIGN.md, section 5)? A ladder, its first rung answers.

Argo CD runs two reconcilers, one for operations and one for health: `Succeeded` beside the `Healthy` of the version
before is common, so health is believed only if Argo CD looked again after its operation had finished.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.argo import Ancestry, Application, MarkKind, Memory, NoApplication, Operation
from bot.domain.model import Carries, Sha, Trouble
from bot.domain.stance import CONSENT, ILL, ApplicationStance, Case, Expected, Stance, Want
from bot.domain.syncs import Before, is_fresh, run_of, syncs_of, was_synced, watched_since
from bot.domain.text import format_duration, format_instant, in_words, times

_BROKEN_SPECS = frozenset({"ComparisonError", "InvalidSpecError", "UnknownError", "DeletionError"})
_TERMINATED = "Operation terminated"
"""Argo CD's message of an operation that a person ended; its phase is Failed."""
_SHORT = 7


def judge_application(
    seen: Application | NoApplication | Trouble, expected: Expected, ancestry: Ancestry, now: datetime, memory: Memory
) -> ApplicationStance:
    """Judge one application, or its absence. Total: every fact that is missing has a rung of its own."""
    if isinstance(seen, Trouble):
        return ApplicationStance(name=seen.system, stance=Stance.CANNOT_TELL, reason=seen.sentence)
    if isinstance(seen, NoApplication):
        return ApplicationStance(name=seen.name, stance=Stance.WAITING, reason=f"{seen.name}: {_absence(seen, memory)}")
    marks = tuple(mark for mark in memory.marks if mark.application == seen.name)
    stance = _climb(Case(app=seen, expected=expected, ancestry=ancestry, now=now, marks=marks))
    run = run_of(seen, ancestry, marks)
    return replace(
        stance,
        saw_at=next((mark.at for mark in marks if mark.kind is MarkKind.SAW), None),
        began_at=run.began_at if run is not None else None,
        deployed_at=max(run.at, expected.since) if run is not None else None,
        before=run.before if run is not None else Before.FORGOTTEN,
        came_at=watched_since(seen, ancestry, marks) if run is not None else None,
        runs_release=_runs(seen, expected),
        is_out_of_sync=stance.stance is Stance.LIVE and seen.sync != "Synced",
    )


def _absence(seen: NoApplication, memory: Memory) -> str:
    if seen.is_selector:
        before = memory.members_before
        gone = f"; it had {', '.join(before[:3])} before" if before else ""
        return f"Argo CD has no application with these labels, or the token may not see them{gone}"
    last = max((spell.last_seen for spell in memory.spells if spell.application == seen.name), default=None)
    if last is None:
        return "Argo CD has no such application yet, or the token may not see it"
    when = format_instant(last)
    return f"Argo CD has it no more: it was there at {when}, and was deleted or renamed, or the token may not see it"


def _climb(case: Case) -> ApplicationStance:
    for rung in (
        _is_being_deleted,
        _spec_is_broken,
        _revision_lacks_release,
        _operation_is_open,
        _operation_lacks_release,
        _operation_failed,
        _status_is_stale,
    ):
        answer = rung(case)
        if answer is not None:
            return answer
    return _judge_health(case)


# --- the rungs -------------------------------------------------------------------------------------------------------


def _is_being_deleted(case: Case) -> ApplicationStance | None:
    return case.says(Stance.WAITING, "it is being deleted") if case.app.is_being_deleted else None


def _spec_is_broken(case: Case) -> ApplicationStance | None:
    for condition in case.app.conditions:
        if condition.type in _BROKEN_SPECS:
            return case.says(Stance.CANNOT_TELL, f"Argo CD reports {condition.type}: {condition.message}")
    return None


def _revision_lacks_release(case: Case) -> ApplicationStance | None:
    app = case.app
    if not app.revisions:
        if app.targets and app.reconciled_at is None:
            return case.says(Stance.WAITING, "Argo CD has not compared it with Git yet")
        none = "Argo CD names no commit that it was compared with"
        why = none if app.targets else "none of its sources comes from the stage's repository"
        return case.says(Stance.CANNOT_TELL, why)
    lacking = _lacking(case, app.revisions)
    if lacking is None:
        return None
    if app.hydration is not None and app.hydration.phase != "Hydrated":
        return _judge_hydration(case)
    stance, why = lacking
    pinned = _pinned(case)
    want = Want.NOTICE if stance is Stance.WAITING and pinned is None else None
    tracks = f"; it tracks {pinned}" if pinned is not None else ""
    asked = _asked(case, "refresh", MarkKind.ASKED_REFRESH, MarkKind.ASKED_HARD_REFRESH)
    return case.says(stance, f"Argo CD still reports revision {why}{tracks}{asked}", want=want)


def _judge_hydration(case: Case) -> ApplicationStance:
    hydration = case.app.hydration
    assert hydration is not None  # noqa: S101 - the rung before asked
    of = f" of {hydration.dry[:_SHORT]}" if hydration.dry else ""
    if hydration.phase == "Failed":
        return case.says(Stance.CANNOT_TELL, f"Argo CD could not hydrate the manifests{of}: {hydration.message}")
    why = f"Argo CD is hydrating the manifests{of}" if hydration.phase else "Argo CD has not hydrated the manifests yet"
    return case.says(Stance.WAITING, why)


def _operation_is_open(case: Case) -> ApplicationStance | None:
    app, operation = case.app, case.app.operation
    if app.operation_pending:
        return case.says(Stance.WAITING, "a sync is about to start")
    if operation is None:
        return _unsynced(case, "it has never been synced")
    if not operation.is_under_way:
        return None
    began = f" since {format_instant(operation.started_at)}" if operation.started_at else ""
    tries = f", tried again {times(operation.retries)}" if operation.retries else ""
    said = f": {operation.message}" if operation.message else ""
    return case.says(Stance.WAITING, f"a sync is running{began}{tries}{said}")


def _operation_lacks_release(case: Case) -> ApplicationStance | None:
    operation = _ended(case)
    if operation.is_partial:
        if run_of(case.app, case.ancestry, case.marks) is not None:
            return None
        last = "its last sync was a dry run, or of some resources only"
        if case.app.history:
            return _unsynced(case, last)
        return case.says(Stance.CANNOT_TELL, f"{last}, and Argo CD keeps no history of others (revisionHistoryLimit)")
    if not operation.revisions:
        return case.says(Stance.CANNOT_TELL, "Argo CD does not say which revision its last sync was of")
    lacking = _lacking(case, operation.revisions)
    if lacking is None:
        return None
    stance, why = lacking
    last = f"its last sync was of revision {why}"
    return _unsynced(case, last) if stance is Stance.WAITING else case.says(stance, last)


def _unsynced(case: Case, last: str) -> ApplicationStance:
    """Say who or what an application waits for that knows the release and was not synced to it."""
    app = case.app
    if app.blocked:
        return case.says(Stance.WAITING, f"{last}; {app.blocked}")
    if app.windows_unknown:
        last = f"{last}; whether a sync window is in the way is not known: {app.windows_unknown}"
    if app.automated:
        by_bot = "; it has automated sync on, so the bot leaves it to Argo CD" if case.expected.authority else ""
        return case.says(Stance.WAITING, f"{last}{by_bot}")
    if not case.expected.authority:
        return case.says(Stance.WAITING, f"{last}; auto-sync is off, so somebody must sync it")
    against = _against_sync(case)
    if against is not None:
        return case.says(Stance.WAITING, f"{last}; auto-sync is off, and the bot does not sync it: {against}")
    asked = _asked(case, "sync", MarkKind.ASKED_SYNC) or "; the bot will start a sync"
    return case.says(Stance.WAITING, f"{last}; auto-sync is off{asked}", want=Want.SYNC)


def _against_sync(case: Case) -> str | None:
    """Return why the bot must not sync an application to the release's commit; None if it may."""
    app, expected = case.app, case.expected
    if expected.barred:
        return expected.barred
    if app.consents != expected.authority:
        return f"it lacks the annotation {CONSENT}: {expected.authority}"
    pinned = _pinned(case)
    if pinned is not None:
        return f"it follows {pinned}, not {expected.branch}"
    if was_synced(app, case.ancestry, case.marks):
        return "it was synced to the release before, and somebody took it back by hand"
    newest = next(syncs_of(app), None)
    apart = [one for one in newest.revisions if one not in case.ancestry.behind] if newest is not None else []
    # Synced to what is no ancestor of the release: from another branch, say. That is not undone (I7).
    return f"it runs {min(apart)[:_SHORT]}, which is not on the way to it" if apart else None


def _operation_failed(case: Case) -> ApplicationStance | None:
    """A failed sync counts against the release only if it was of exactly its commit, and the first one of it.

    A later commit beside it may be what failed, and a release that was synced once runs.
    """
    operation = _ended(case)
    if operation.phase == "Succeeded":
        return None
    said = f": {operation.message}" if operation.message else ""
    if operation.phase not in {"Failed", "Error"}:
        phase = operation.phase or "nothing"
        return case.says(Stance.CANNOT_TELL, f"Argo CD reports {phase} as the phase of its last sync{said}")
    ended = f"ended as {operation.phase}{said}"
    unclear = _other_blame(case, operation, ended)
    if unclear is not None:
        return case.says(Stance.CANNOT_TELL, unclear)
    return replace(case.says(Stance.UNHEALTHY, f"the sync of this release {ended}"), sync_failed=True)


def _other_blame(case: Case, operation: Operation, ended: str) -> str | None:
    """Return what else than the release a failed sync may be the fault of; None if there is nothing else."""
    of = ", ".join(revision[:_SHORT] for revision in operation.revisions)
    earlier = run_of(case.app, case.ancestry, case.marks)
    if earlier is not None:
        return f"this release was synced at {format_instant(earlier.at)}, but a later sync, of {of}, {ended}"
    if operation.message.startswith(_TERMINATED):
        return f"somebody terminated the sync of {of}"
    if operation.phase == "Error":
        return f"the sync of this release {ended}, which may be the fault of Argo CD or of the cluster"
    if any(case.ancestry.dry.get(one, one) != case.expected.commit for one in operation.revisions):
        return f"the sync of {of}, which has more commits than the release's, {ended}"
    return None


def _status_is_stale(case: Case) -> ApplicationStance | None:
    if is_fresh(case.app):
        return None
    asked = _asked(case, "refresh", MarkKind.ASKED_REFRESH, MarkKind.ASKED_HARD_REFRESH)
    ended = _ended(case).finished_at
    when = f" at {format_instant(ended)}" if ended is not None else ""
    looked = case.app.reconciled_at
    last = f" (last look at {format_instant(looked)})" if looked is not None else ""
    why = f"Argo CD has synced{when}, but has not looked at the result yet{last}{asked}"
    return case.says(Stance.WAITING, why, want=Want.LOOK)


def _judge_health(case: Case) -> ApplicationStance:
    app = case.app
    if app.health in ILL:
        return case.says(Stance.UNHEALTHY, f"Argo CD reports it {app.health}{_said(app)}")
    if app.health in {"Progressing", "Suspended"}:
        return case.says(Stance.WAITING, f"Argo CD reports it {app.health}{_said(app)}")
    if app.health != "Healthy":
        return case.says(Stance.CANNOT_TELL, f"Argo CD reports its health as {app.health or 'nothing'}{_said(app)}")
    if not _runs(app, case.expected):
        return case.says(Stance.WAITING, "Healthy, but the images it runs do not include the release yet")
    return _judge_drift(case)


def _judge_drift(case: Case) -> ApplicationStance:
    """Tell what differs from Git after the sync: a webhook that sets defaults, an autoscaler, what waits for pruning.

    It is no fault of the release. That Argo CD does not know whether anything differs is another matter.
    """
    app = case.app
    if app.sync == "Synced":
        return case.says(Stance.LIVE, "synced and Healthy")
    if app.sync == "OutOfSync":
        return case.says(Stance.LIVE, f"Healthy, and OutOfSync after its sync{_leftovers(app)}")
    return case.says(Stance.CANNOT_TELL, f"Healthy, but Argo CD reports its sync status as {app.sync}")


# --- words -----------------------------------------------------------------------------------------------------------


def _runs(app: Application, expected: Expected) -> bool:
    """Say whether the images that run include the release's; they do where Argo CD lists none.

    Where several move together, an application runs some of them: each that it runs at all must be the release's.
    """
    running = {image.partition("@")[0] for image in app.images}
    ours = {
        image
        for image in (expected.image, *expected.together)
        if any(one.rpartition(":")[0] == image for one in running)
    }
    return not app.images or (bool(ours) and all(f"{image}:{expected.tag}" in running for image in ours))


def _pinned(case: Case) -> str | None:
    """Return what an application follows in place of the branch; None if that follows the branch."""
    return min((target for target in case.app.targets if not case.expected.tracks(target)), default=None)


def _ended(case: Case) -> Operation:
    assert case.app.operation is not None  # noqa: S101 - the rungs below answer only where there was one
    return case.app.operation


def _lacking(case: Case, revisions: Iterable[Sha]) -> tuple[Stance, str] | None:
    """Return why the first of these revisions that lacks the release does; the worst of them first, then by name."""
    found = [(revision, case.ancestry.carries.get(revision, Carries.UNKNOWN)) for revision in revisions]
    lacking = [(revision, carries) for revision, carries in found if carries is not Carries.YES]
    if not lacking:
        return None
    revision, carries = min(lacking, key=lambda item: (item[1] is not Carries.UNKNOWN, item[0]))
    name = revision[:_SHORT]
    dry = case.ancestry.dry.get(revision)
    name = f"{name}, hydrated from {dry[:_SHORT]}" if dry else name
    match carries:
        case Carries.BEHIND:
            return Stance.WAITING, f"{name}, {_behind(case, revision)}"
        case Carries.OTHER_TAG:
            return Stance.WAITING, f"{name}, in which the tag is another one"
        case _:
            return Stance.CANNOT_TELL, f"{name}, which the repository's mirror does not know"


def _behind(case: Case, revision: Sha) -> str:
    count = case.ancestry.behind.get(revision)
    if count is None:
        return f"which does not have {case.commit}"
    return f"{in_words(count)} {'commit' if count == 1 else 'commits'} behind {case.commit}"


def _asked(case: Case, what: str, *kinds: MarkKind) -> str:
    asked = case.asked(*kinds)
    if asked is None:
        return ""
    seconds = max(timedelta(0), case.now - asked) // timedelta(seconds=1)
    return f"; {what} asked {format_duration(timedelta(seconds=seconds))} ago"


def _said(app: Application) -> str:
    if app.health_message:
        return f" ({app.health_message})"
    return f" ({', '.join(app.leftovers.ill)})" if app.leftovers.ill else ""


def _leftovers(app: Application) -> str:
    left = app.leftovers
    if left.prunable_count:
        what = "resource waits" if left.prunable_count == 1 else "resources wait"
        return f": {in_words(left.prunable_count)} {what} for pruning ({', '.join(left.prunable)})"
    if left.out_of_sync_count:
        what = "resource differs" if left.out_of_sync_count == 1 else "resources differ"
        return f": {in_words(left.out_of_sync_count)} {what} from Git ({', '.join(left.out_of_sync)})"
    return ""
