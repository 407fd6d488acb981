"""Judge whether an application has been Degraded for long enough to take the release back (trigger `argocd-degraded`).

Only an application that runs the release counts: one that Argo CD has not synced to it says nothing about it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.domain.argo import Application, Operation
from bot.domain.model import Trouble
from bot.domain.observation import StageObservation
from bot.domain.rules import DegradedTrigger
from bot.domain.text import format_duration
from bot.domain.verdicts import ApplicationEvidence, Verdict, VerdictKind


def judge_degraded(trigger: DegradedTrigger, seen: StageObservation, since: datetime, now: datetime) -> Verdict:
    """Judge the stage's applications; illness before `since`, the promotion's instant, is not the release's."""
    sentences, longest, blind = [], timedelta(0), []
    for item in seen.applications:
        if isinstance(item, Trouble):
            blind.append(item.sentence)
        elif isinstance(item, Application) and (synced := _sync_of_the_ill(item, seen)) is not None:
            began = max(since, synced.started_at or synced.finished_at or now, _ill_since(item, seen, now))
            lasted = max(timedelta(0), now - began)
            sentences.append(f"{item.name}: Degraded for {format_duration(lasted)}{_said(item)}")
            longest = max(longest, lasted)
    evidence = ApplicationEvidence(sentences=tuple(sentences))
    if sentences and longest >= trigger.lasting:
        kind, reason = VerdictKind.UNHEALTHY, f"{sentences[0]}, limit {format_duration(trigger.lasting)}"
        change = "an application that is Healthy again"
    elif blind:
        kind, reason, change = VerdictKind.CANNOT_TELL, blind[0], "an answer from Argo CD"
    elif sentences:
        kind, reason = VerdictKind.NOT_YET, f"{sentences[0]}; fires at {format_duration(trigger.lasting)}"
        change = f"{format_duration(trigger.lasting - longest)} more of it, or an application that is Healthy again"
    else:
        kind, reason, change = VerdictKind.HEALTHY, "no application is Degraded", "an application that is Degraded"
    return Verdict(gate=trigger.name, kind=kind, reason=reason, would_change=change, evidence=evidence)


def _sync_of_the_ill(app: Application, seen: StageObservation) -> Operation | None:
    """Return the sync of the release if the application is Degraded since; None otherwise.

    That Argo CD has compared with the release says nothing of what runs, so its last operation must carry it. Illness
    counts from the start of that operation: what was ill before was ill of the release before.
    """
    operation = app.operation
    if app.health != "Degraded" or operation is None:
        return None
    return operation if seen.ancestry.all_carry(operation.revisions) else None


def _ill_since(app: Application, seen: StageObservation, now: datetime) -> datetime:
    """Return when the present illness began: Argo CD's own timestamp, else the bot's first look at it."""
    if app.health_since is not None:
        return app.health_since
    spells = [spell for spell in seen.memory.spells if spell.application == app.name]
    newest = max(spells, key=lambda spell: spell.last_seen, default=None)
    return newest.first_seen if newest is not None and newest.health == "Degraded" else now


def _said(app: Application) -> str:
    return f" ({app.health_message})" if app.health_message else ""
