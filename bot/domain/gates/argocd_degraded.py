"""Judge whether an application has been Degraded for long enough to take the release back (trigger `argocd-degraded`).

Only an application that runs the release counts: one that Argo CD has not synced to it says nothing about it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.domain.model import (
    Application,
    ApplicationEvidence,
    Carries,
    StageObservation,
    Trouble,
    Verdict,
    VerdictKind,
)
from bot.domain.policy import DegradedTrigger
from bot.domain.text import format_duration


def judge_degraded(trigger: DegradedTrigger, seen: StageObservation, since: datetime, now: datetime) -> Verdict:
    """Judge the stage's applications; illness before `since`, the promotion's instant, is not the release's."""
    sentences, longest, blind = [], timedelta(0), []
    for item in seen.applications:
        if isinstance(item, Trouble):
            blind.append(item.sentence)
        elif isinstance(item, Application) and _is_ill_with_release(item, seen):
            lasted = max(timedelta(0), now - max(since, _synced_from(item, now), _ill_since(item, seen, now)))
            sentences.append(f"{item.name}: Degraded for {format_duration(lasted)}{_said(item)}")
            longest = max(longest, lasted)
    evidence = ApplicationEvidence(sentences=tuple(sentences))
    if sentences and longest >= trigger.lasting:
        kind, reason = VerdictKind.UNHEALTHY, f"{sentences[0]}, limit {format_duration(trigger.lasting)}"
    elif blind:
        kind, reason = VerdictKind.CANNOT_TELL, blind[0]
    elif sentences:
        kind, reason = VerdictKind.NOT_YET, f"{sentences[0]}; fires at {format_duration(trigger.lasting)}"
    else:
        kind, reason = VerdictKind.HEALTHY, "no application is Degraded"
    return Verdict(gate=trigger.name, kind=kind, reason=reason, evidence=evidence)


def _is_ill_with_release(app: Application, seen: StageObservation) -> bool:
    """Say whether the release was synced; that Argo CD has compared with it says nothing of what runs."""
    if app.health != "Degraded" or app.operation is None or not app.operation.revisions:
        return False
    return all(seen.carries.get(revision) is Carries.YES for revision in app.operation.revisions)


def _synced_from(app: Application, now: datetime) -> datetime:
    """Return when the release's sync began; illness from before is the release's before it."""
    operation = app.operation
    if operation is None:
        return now
    return operation.started_at or operation.finished_at or now


def _ill_since(app: Application, seen: StageObservation, now: datetime) -> datetime:
    """Return when the present illness began: Argo CD's own timestamp, else the bot's first look at it."""
    if app.health_since is not None:
        return app.health_since
    spells = [spell for spell in seen.spells if spell.application == app.name]
    newest = max(spells, key=lambda spell: spell.last_seen, default=None)
    return newest.first_seen if newest is not None and newest.health == "Degraded" else now


def _said(app: Application) -> str:
    return f" ({app.health_message})" if app.health_message else ""
