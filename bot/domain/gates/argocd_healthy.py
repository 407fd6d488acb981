"""Judge that every application of a stage is live and stays Healthy for the whole window (gate `argocd-healthy`)."""

from __future__ import annotations

from datetime import datetime

from bot.domain.liveness import Liveness, Stance
from bot.domain.policy import ArgoHealthyGate, HealthWindow
from bot.domain.text import format_instant
from bot.domain.verdicts import ApplicationEvidence, Verdict, VerdictKind

_KINDS = {
    Stance.UNHEALTHY: VerdictKind.UNHEALTHY,
    Stance.CANNOT_TELL: VerdictKind.CANNOT_TELL,
    Stance.WAITING: VerdictKind.NOT_YET,
}


def judge_argocd_healthy(
    gate: ArgoHealthyGate,
    liveness: Liveness,
    window: HealthWindow,
    now: datetime,
    *,
    policy_since: datetime | None = None,
) -> Verdict:
    """Judge by the stage's liveness: healthy needs the release live without an illness for the window's length.

    A policy that came into force later makes the window start again then (I6).
    """
    evidence = ApplicationEvidence(sentences=tuple(item.reason for item in liveness.applications))
    if liveness.stance is not Stance.LIVE:
        return Verdict(
            gate=gate.name,
            kind=_KINDS[liveness.stance],
            reason=liveness.reason,
            would_change="every application synced and Healthy",
            evidence=evidence,
        )
    assert liveness.proof_since is not None  # noqa: S101 - a live stage always has it
    began = max(liveness.proof_since, policy_since or liveness.proof_since)
    proven_at = began + window.warmup + window.length
    since = f"every application synced and Healthy since {format_instant(liveness.proof_since)}"
    if now < proven_at:
        ends = f"window ends {format_instant(proven_at)}"
        return Verdict(
            gate=gate.name,
            kind=VerdictKind.NOT_YET,
            reason=f"{since}; {ends}",
            would_change=ends,
            evidence=evidence,
        )
    return Verdict(
        gate=gate.name,
        kind=VerdictKind.HEALTHY,
        reason=since,
        would_change="an application that is not Healthy",
        evidence=evidence,
    )
