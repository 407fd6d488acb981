"""Judge whether Argo CD fails to sync an application to the release (trigger `argocd-sync-failed`).

Only a failure that can be of nothing but the release counts, as the ladder says (`bot.domain.ladder`): of exactly its
commit, before it was ever synced there, ended by nobody, and called Failed, not Error. It counts from the end of the
attempt on: whoever tries again gets the time anew.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.domain.argo import Application
from bot.domain.liveness import Liveness
from bot.domain.model import Trouble
from bot.domain.observation import StageObservation
from bot.domain.rules import SyncFailedTrigger
from bot.domain.text import format_duration
from bot.domain.verdicts import ApplicationEvidence, Verdict, VerdictKind


def judge_sync_failed(trigger: SyncFailedTrigger, seen: StageObservation, liveness: Liveness, now: datetime) -> Verdict:
    """Judge the stage's applications by the last sync of each."""
    stances = {item.name: item for item in liveness.applications}
    found = {
        stances[app.name].reason: now - app.operation.finished_at
        for app in seen.applications
        if isinstance(app, Application)
        and stances[app.name].sync_failed
        and app.operation is not None
        and app.operation.finished_at is not None
    }
    sentence = max(found, key=lambda reason: found[reason], default="")
    lasted = found.get(sentence, timedelta(0))
    blind = next((item.sentence for item in seen.applications if isinstance(item, Trouble)), None)
    if found and lasted >= trigger.lasting:
        kind, change = VerdictKind.UNHEALTHY, "a sync that succeeds"
        reason = f"{sentence}; {format_duration(lasted)} ago, limit {format_duration(trigger.lasting)}"
    elif blind is not None:
        kind, reason, change = VerdictKind.CANNOT_TELL, blind, "an answer from Argo CD"
    elif found:
        left = format_duration(trigger.lasting - lasted)
        kind, change = VerdictKind.NOT_YET, f"{left} more without a new try, or a sync that succeeds"
        reason = f"{sentence}; fires {format_duration(trigger.lasting)} after it"
    else:
        kind, reason, change = VerdictKind.HEALTHY, "no sync of this release has failed", "a sync that fails"
    return Verdict(
        gate=trigger.name,
        kind=kind,
        reason=reason,
        would_change=change,
        evidence=ApplicationEvidence(sentences=tuple(found)),
    )
