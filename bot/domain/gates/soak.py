"""Judge plain time: the release has been live for the whole window (gate kind `soak`)."""

from __future__ import annotations

from datetime import datetime

from bot.domain.liveness import Liveness
from bot.domain.policy import HealthWindow
from bot.domain.rules import SoakGate
from bot.domain.text import format_instant
from bot.domain.verdicts import Verdict, VerdictKind


def judge_soak(
    gate: SoakGate, liveness: Liveness, window: HealthWindow, now: datetime, *, policy_since: datetime | None
) -> Verdict:
    """Judge the time since the release was live without an illness. A policy that came later starts it again (I6)."""
    if liveness.proof_since is None:
        live = "the release live: every application synced and Healthy"
        return Verdict(gate=gate.name, kind=VerdictKind.NOT_YET, reason=liveness.reason, would_change=live)
    ends_at = max(liveness.proof_since, policy_since or liveness.proof_since) + window.warmup + window.length
    ends = f"window ends {format_instant(ends_at)}"
    if now < ends_at:
        return Verdict(gate=gate.name, kind=VerdictKind.NOT_YET, reason=ends, would_change=ends)
    since = f"live since {format_instant(liveness.proof_since)}"
    return Verdict(gate=gate.name, kind=VerdictKind.HEALTHY, reason=since, would_change="nothing: the time has passed")
