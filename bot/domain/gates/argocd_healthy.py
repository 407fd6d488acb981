"""Judge that every application of a stage is live and stays Healthy for the whole window (gate `argocd-healthy`)."""

from __future__ import annotations

from datetime import datetime

from bot.domain.liveness import Liveness
from bot.domain.model import Samples, Trouble
from bot.domain.policy import HealthWindow
from bot.domain.rules import ArgoHealthyGate
from bot.domain.stance import Stance
from bot.domain.text import format_instant
from bot.domain.verdicts import ApplicationEvidence, Verdict, VerdictKind

_KINDS = {
    Stance.UNHEALTHY: VerdictKind.UNHEALTHY,
    Stance.CANNOT_TELL: VerdictKind.CANNOT_TELL,
    Stance.WAITING: VerdictKind.NOT_YET,
    # Live, but nobody knows since when.
    Stance.LIVE: VerdictKind.CANNOT_TELL,
}


def judge_argocd_healthy(
    gate: ArgoHealthyGate,
    liveness: Liveness,
    window: HealthWindow,
    now: datetime,
    *,
    policy_since: datetime | None = None,
    history: Samples | Trouble | None = None,
) -> Verdict:
    """Judge by the stage's liveness: healthy needs the release live without an illness for the window's length.

    A policy that came into force later makes the window start again then (I6). `history` is what Prometheus knows of
    Argo CD's applications: an illness that it saw counts, also one that came and went while the bot was down.
    """
    sentences = [*(item.reason for item in liveness.applications), *liveness.notes]
    if isinstance(history, Trouble):
        sentences.append(_unknown(history))
    kind, reason, would_change = _judge(gate, liveness, window, now, policy_since, history)
    evidence = ApplicationEvidence(sentences=tuple(sentences))
    return Verdict(gate=gate.name, kind=kind, reason=reason, would_change=would_change, evidence=evidence)


def _judge(
    gate: ArgoHealthyGate,
    liveness: Liveness,
    window: HealthWindow,
    now: datetime,
    policy_since: datetime | None,
    history: Samples | Trouble | None,
) -> tuple[VerdictKind, str, str]:
    """Return the verdict's kind, its reason, and what would change it."""
    if liveness.stance is not Stance.LIVE or liveness.proof_since is None:
        return _KINDS[liveness.stance], liveness.reason, "every application synced and Healthy"
    drifted = [item.reason for item in liveness.applications if item.is_out_of_sync]
    if gate.must_be_synced and drifted:
        return VerdictKind.UNHEALTHY, drifted[0], "every application Synced"
    ill_until = last_illness(history)
    began = max(at for at in (liveness.proof_since, policy_since, ill_until) if at is not None)
    proven_at = began + window.warmup + window.length
    since = _since(liveness, liveness.proof_since, ill_until)
    if now < proven_at:
        ends = f"window ends {format_instant(proven_at)}"
        return VerdictKind.NOT_YET, f"{since}; {ends}", ends
    if isinstance(history, Trouble):
        return VerdictKind.CANNOT_TELL, f"{since}; but {_unknown(history)}", f"an answer from {history.system}"
    return VerdictKind.HEALTHY, since, "an application that is not Healthy"


def _unknown(history: Trouble) -> str:
    return f"what happened between two looks is not known: {history.system}: {history.sentence}"


def _since(liveness: Liveness, proof_since: datetime, ill_until: datetime | None) -> str:
    """Say since when it is so, and what else holds."""
    since = f"every application synced and Healthy since {format_instant(proof_since)}"
    if ill_until is not None and ill_until > proof_since:
        since = f"Prometheus saw an application ill until {format_instant(ill_until)}, Healthy since"
    return "; ".join([since, *liveness.notes[:1]])


def last_illness(history: Samples | Trouble | None) -> datetime | None:
    """Return the end of the last tile in which Prometheus saw an application ill; None where it saw none."""
    if not isinstance(history, Samples):
        return None
    ends = [
        start + history.width
        for numbers in history.numbers.values()
        for start, seen in zip(history.starts, numbers, strict=True)
        if seen
    ]
    return max(ends, default=None)
