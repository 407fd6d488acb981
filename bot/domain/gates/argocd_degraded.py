"""Judge whether an application has been Degraded for long enough to take the release back (trigger `argocd-degraded`).

Only an application that runs the release counts, and only health that Argo CD has seen of it: one that Argo CD has not
synced to it, or not looked at since, says nothing about it. What was ill already before is not taken back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.argo import Application
from bot.domain.liveness import Liveness
from bot.domain.model import Trouble
from bot.domain.observation import StageObservation
from bot.domain.rules import DegradedTrigger
from bot.domain.stance import ApplicationStance
from bot.domain.text import format_duration, format_instant
from bot.domain.verdicts import ApplicationEvidence, Verdict, VerdictKind


@dataclass(frozen=True, slots=True, kw_only=True)
class _Illness:
    """How long an application is ill of the release, in a sentence; `before` where it was ill before that came."""

    sentence: str
    lasted: timedelta
    before: bool


def judge_degraded(
    trigger: DegradedTrigger, seen: StageObservation, liveness: Liveness, since: datetime, now: datetime
) -> Verdict:
    """Judge the stage's applications; illness before `since`, the promotion's instant, is not the release's."""
    stances = {item.name: item for item in liveness.applications}
    blind = [item.sentence for item in seen.applications if isinstance(item, Trouble)]
    found = [
        _illness(item, stances[item.name], seen, max(since, start), now)
        for item in seen.applications
        if isinstance(item, Application)
        and item.health == "Degraded"
        and (start := _runs_since(item, stances[item.name], seen)) is not None
    ]
    evidence = ApplicationEvidence(sentences=tuple(one.sentence for one in found))
    # What is the release's own comes first: another application that was ill before must not hide it.
    worst = max(found, key=lambda one: (one.lasted >= trigger.lasting and not one.before, one.lasted), default=None)
    fires = worst is not None and worst.lasted >= trigger.lasting
    if worst is not None and fires:
        kind, reason = VerdictKind.UNHEALTHY, f"{worst.sentence}, limit {format_duration(trigger.lasting)}"
        change = "an application that is Healthy again"
    elif blind:
        kind, reason, change = VerdictKind.CANNOT_TELL, blind[0], "an answer from Argo CD"
    elif worst is not None:
        kind, reason = VerdictKind.NOT_YET, f"{worst.sentence}; fires at {format_duration(trigger.lasting)}"
        change = (
            f"{format_duration(trigger.lasting - worst.lasted)} more of it, or an application that is Healthy again"
        )
    else:
        kind, reason, change = VerdictKind.HEALTHY, "no application is Degraded", "an application that is Degraded"
    return Verdict(
        gate=trigger.name,
        kind=kind,
        reason=reason,
        would_change=change,
        evidence=evidence,
        began_before=worst is not None and fires and worst.before,
    )


def _runs_since(app: Application, stance: ApplicationStance, seen: StageObservation) -> datetime | None:
    """Return since when the health that Argo CD shows may be the release's; None if it is of something else.

    A release that never becomes healthy may keep its first sync from ending: then the images that run must say that it
    is there.
    """
    looked, operation = app.reconciled_at, app.operation
    if looked is None:
        return None
    if stance.deployed_at is not None:
        return (stance.began_at or stance.deployed_at) if looked > stance.deployed_at else None
    if operation is None or operation.is_partial or operation.started_at is None:
        return None
    # A later attempt to sync the same release is not its coming.
    started = min(operation.started_at, stance.saw_at or operation.started_at)
    is_there = bool(app.images) and stance.runs_release and looked > started
    return started if is_there and seen.ancestry.all_carry(operation.revisions) else None


def _illness(
    app: Application, stance: ApplicationStance, seen: StageObservation, start: datetime, now: datetime
) -> _Illness:
    ill_since = _ill_since(app, seen, now)
    before = ill_since < (stance.began_at or start)
    lasted = max(timedelta(0), now - max(start, ill_since))
    said = f" ({app.health_message})" if app.health_message else ""
    when = f", since {format_instant(ill_since)}, before the release came" if before else ""
    return _Illness(
        sentence=f"{app.name}: Degraded for {format_duration(lasted)}{said}{when}", lasted=lasted, before=before
    )


def _ill_since(app: Application, seen: StageObservation, now: datetime) -> datetime:
    """Return when the present illness began: Argo CD's own timestamp, else the bot's first look at it."""
    if app.health_since is not None:
        return app.health_since
    spells = [spell for spell in seen.memory.spells if spell.application == app.name]
    newest = max(spells, key=lambda spell: spell.last_seen, default=None)
    return newest.first_seen if newest is not None and newest.health == "Degraded" else now
