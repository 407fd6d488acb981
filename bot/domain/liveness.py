"""Judge whether a release is live in a stage, and since when (DESIGN.md, section 5).

In goes what Git and Argo CD said; out comes one stance and one reason per application. Argo CD runs two reconcilers,
one for operations and one for health: `Succeeded` beside the `Healthy` of the version before is common, so health is
believed only if Argo CD looked again after its operation had finished.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from bot.domain.model import (
    Application,
    Carries,
    Deployed,
    HealthSpell,
    NoApplication,
    Operation,
    Sha,
    StageObservation,
    TagHistory,
    Trouble,
)
from bot.domain.text import format_instant

_BROKEN_SPECS = frozenset({"ComparisonError", "InvalidSpecError", "UnknownError", "DeletionError"})
_ILL = frozenset({"Degraded", "Missing"})
_SHORT = 7


class Stance(StrEnum):
    """Where one application stands with the release; the worst one of a stage counts."""

    LIVE = "live"
    WAITING = "waiting"
    CANNOT_TELL = "cannot tell"
    UNHEALTHY = "unhealthy"


_BADNESS = (Stance.UNHEALTHY, Stance.CANNOT_TELL, Stance.WAITING, Stance.LIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationStance:
    """One application's stance with its reason. `stale` asks for a refresh.

    The first sync of the release lasted from `began_at` to `deployed_at`; the one may not be known where the other is.
    """

    name: str
    stance: Stance
    reason: str
    deployed_at: datetime | None = None
    began_at: datetime | None = None
    stale: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Liveness:
    """A stage's stance. Instants are None until they have come.

    `deployed_at`: every application has synced the release, each for the first time: a later sync of the same release
    moves nothing. `reached_at`: the first of them has; `came_at`: the sync that did it, or any other, first began, None
    where that is not known. `first_live`: since then all were live for the first
    time. `proof_since`: as `first_live`, but later if an application was ill in between: proof must be continuous.
    """

    stance: Stance
    reason: str
    applications: tuple[ApplicationStance, ...]
    deployed_at: datetime | None = None
    reached_at: datetime | None = None
    came_at: datetime | None = None
    first_live: datetime | None = None
    proof_since: datetime | None = None


def judge_liveness(seen: StageObservation, tags: TagHistory, image: str, now: datetime) -> Liveness:
    """Judge the release that Git says should run: `image` at `tags.tag`, introduced by `tags.introduced`."""
    wanted = f"{image}:{tags.tag}"
    stances = tuple(_judge_application(item, seen, wanted, tags.introduced.at) for item in seen.applications)
    if not stances:
        return Liveness(stance=Stance.CANNOT_TELL, reason="no Argo CD application was looked at", applications=())
    worst = min(stances, key=lambda item: _BADNESS.index(item.stance))
    deployed = [item.deployed_at for item in stances if item.deployed_at is not None]
    began = [item.began_at for item in stances if item.deployed_at is not None]
    found = Liveness(
        stance=worst.stance,
        reason=worst.reason,
        applications=stances,
        reached_at=min(deployed, default=None),
        came_at=None if None in began else min((at for at in began if at is not None), default=None),
    )
    if len(deployed) < len(stances):
        return found
    deployed_at = max(deployed)
    first, since = _live_instants(seen, deployed_at, worst.stance, now)
    return replace(found, deployed_at=deployed_at, first_live=first, proof_since=since)


def reported_revisions(app: Application, since: datetime) -> Iterable[Sha]:
    """Yield every revision that matters for a release of `since`: compared, synced last, or deployed from then on."""
    yield from app.revisions
    if app.operation is not None:
        yield from app.operation.revisions
    for deployed in app.history:
        if deployed.at >= since:
            yield from deployed.revisions


def is_fresh(app: Application) -> bool:
    """Say whether the health is newer than the last operation: a stale Healthy is of the version before."""
    if app.operation_pending or app.operation is None or app.operation.finished_at is None:
        return False
    return app.reconciled_at is not None and app.reconciled_at > app.operation.finished_at


# --- one application: a ladder, the first rung that holds is the answer ----------------------------------------------


def _judge_application(
    seen: Application | NoApplication | Trouble, stage: StageObservation, wanted: str, since: datetime
) -> ApplicationStance:
    if isinstance(seen, Trouble):
        return ApplicationStance(name=seen.system, stance=Stance.CANNOT_TELL, reason=seen.sentence)
    if isinstance(seen, NoApplication):
        reason = f"{seen.name}: Argo CD has no such application yet, or the token may not see it"
        return ApplicationStance(name=seen.name, stance=Stance.WAITING, reason=reason)
    return _climb(seen, stage, wanted, since)


def _climb(app: Application, stage: StageObservation, wanted: str, since: datetime) -> ApplicationStance:
    for rung in (_spec_is_broken, _revision_lacks_release, _operation_is_open, _operation_lacks_release):
        answer = rung(app, stage)
        if answer is not None:
            return answer
    assert app.operation is not None  # noqa: S101 - the rung above answered where there is none
    finished_at = app.operation.finished_at
    if app.reconciled_at is None or finished_at is None or app.reconciled_at <= finished_at:
        reason = f"{app.name}: Argo CD has synced, but has not looked at the result yet"
        return ApplicationStance(name=app.name, stance=Stance.WAITING, reason=reason, stale=True)
    stance, reason = _judge_health(app, wanted)
    last = Deployed(revisions=app.operation.revisions, at=finished_at, started_at=app.operation.started_at)
    first = min([*_deployed(app, stage, since), last], key=lambda entry: entry.at)
    return ApplicationStance(
        name=app.name, stance=stance, reason=f"{app.name}: {reason}", deployed_at=first.at, began_at=first.started_at
    )


def _deployed(app: Application, stage: StageObservation, since: datetime) -> Iterable[Deployed]:
    """Yield the syncs of the release, by Argo CD's history: self-heal or a click syncs it again and again."""
    for entry in app.history:
        if entry.at >= since and all(stage.carries.get(revision) is Carries.YES for revision in entry.revisions):
            yield entry


def _spec_is_broken(app: Application, _: StageObservation) -> ApplicationStance | None:
    for condition in app.conditions:
        if condition.type in _BROKEN_SPECS:
            reason = f"{app.name}: Argo CD reports {condition.type}: {condition.message}"
            return ApplicationStance(name=app.name, stance=Stance.CANNOT_TELL, reason=reason)
    return None


def _revision_lacks_release(app: Application, stage: StageObservation) -> ApplicationStance | None:
    if not app.revisions:
        reason = f"{app.name}: none of its sources comes from the stage's repository, or it was never compared"
        return ApplicationStance(name=app.name, stance=Stance.CANNOT_TELL, reason=reason)
    return _first_lack(app, app.revisions, stage, "Argo CD still reports revision")


def _operation_is_open(app: Application, _: StageObservation) -> ApplicationStance | None:
    if app.operation_pending:
        return ApplicationStance(name=app.name, stance=Stance.WAITING, reason=f"{app.name}: a sync is about to start")
    if app.operation is None:
        return ApplicationStance(name=app.name, stance=Stance.WAITING, reason=f"{app.name}: it has never been synced")
    if app.operation.phase in {"Running", "Terminating"}:
        began = f" since {format_instant(app.operation.started_at)}" if app.operation.started_at else ""
        reason = f"{app.name}: a sync is running{began}"
        return ApplicationStance(name=app.name, stance=Stance.WAITING, reason=reason)
    return None


def _operation_lacks_release(app: Application, stage: StageObservation) -> ApplicationStance | None:
    operation = app.operation
    assert operation is not None  # noqa: S101 - the rung before answered where there is none
    if not operation.revisions:
        reason = f"{app.name}: Argo CD does not say which revision its last sync was of"
        return ApplicationStance(name=app.name, stance=Stance.CANNOT_TELL, reason=reason)
    lack = _first_lack(app, operation.revisions, stage, "its last sync was of revision")
    if lack is not None:
        return lack
    if operation.phase != "Succeeded":
        return ApplicationStance(name=app.name, stance=Stance.UNHEALTHY, reason=_failure(app, operation))
    return None


def _failure(app: Application, operation: Operation) -> str:
    said = f": {operation.message}" if operation.message else ""
    return f"{app.name}: the sync of this release ended as {operation.phase}{said}"


def _first_lack(
    app: Application, revisions: Iterable[str], stage: StageObservation, lead: str
) -> ApplicationStance | None:
    says = {
        Carries.BEHIND: (Stance.WAITING, "which does not have the release's commit yet"),
        Carries.OTHER_TAG: (Stance.WAITING, "in which the tag is another one"),
        Carries.UNKNOWN: (Stance.CANNOT_TELL, "which the repository's mirror does not know"),
    }
    for revision in revisions:
        carries = stage.carries.get(revision, Carries.UNKNOWN)
        if carries is not Carries.YES:
            stance, why = says[carries]
            reason = f"{app.name}: {lead} {revision[:_SHORT]}, {why}"
            return ApplicationStance(name=app.name, stance=stance, reason=reason)
    return None


def _judge_health(app: Application, wanted: str) -> tuple[Stance, str]:
    said = f" ({app.health_message})" if app.health_message else ""
    if app.health in _ILL:
        return Stance.UNHEALTHY, f"Argo CD reports it {app.health}{said}"
    if app.health in {"Progressing", "Suspended"}:
        return Stance.WAITING, f"Argo CD reports it {app.health}{said}"
    if app.health != "Healthy":
        return Stance.CANNOT_TELL, f"Argo CD reports its health as {app.health or 'nothing'}"
    if app.images and not any(image.partition("@")[0] == wanted for image in app.images):
        return Stance.WAITING, "Healthy, but the images it runs do not include the release yet"
    return Stance.LIVE, "synced and Healthy" if app.sync == "Synced" else f"Healthy, and {app.sync} after its sync"


# --- since when ------------------------------------------------------------------------------------------------------


def _live_instants(
    stage: StageObservation, deployed_at: datetime, stance: Stance, now: datetime
) -> tuple[datetime | None, datetime | None]:
    """Return since when all applications were live for the first time, and since when without an illness between."""
    applications = [app for app in stage.applications if isinstance(app, Application)]
    firsts = [_healthy_since(app, stage.spells, deployed_at, stance, now) for app in applications]
    if None in firsts:
        return None, None
    first = max(deployed_at, *(at for at in firsts if at is not None))
    ill_until = [spell.last_seen for spell in stage.spells if spell.health in _ILL and spell.last_seen > first]
    if not ill_until:
        return first, first
    recovered = [_healthy_since(app, stage.spells, max(ill_until), stance, now) for app in applications]
    if None in recovered:
        return first, None
    return first, max(first, *(at for at in recovered if at is not None))


def _healthy_since(
    app: Application, spells: Iterable[HealthSpell], after: datetime, stance: Stance, now: datetime
) -> datetime | None:
    """Return the first instant from `after` on at which `app` was Healthy, None if it was not since.

    The ledger's spells know of a Healthy time that a later blip of Progressing (autoscaling) has ended; Argo CD's own
    timestamp knows when the present one began. Where neither is there the answer is now: later is always safe.
    """
    known = [
        max(spell.first_seen, after)
        for spell in spells
        if spell.application == app.name and spell.health == "Healthy" and spell.last_seen >= after
    ]
    if app.health == "Healthy" and app.health_since is not None:
        known.append(max(app.health_since, after))
    if not known and stance is Stance.LIVE:
        return now
    return min(known, default=None)
