"""Which module judges which kind of rule: one verdict for each gate of a window and each trigger of a watch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bot.domain.gates.argocd_degraded import judge_degraded
from bot.domain.gates.argocd_healthy import judge_argocd_healthy
from bot.domain.gates.argocd_sync_failed import judge_sync_failed
from bot.domain.gates.baseline import judge_baseline
from bot.domain.gates.burn_rate import judge_burn_rate
from bot.domain.gates.counts import judge_counts
from bot.domain.gates.measuring import REVERT, STOP, Bar
from bot.domain.gates.soak import judge_soak
from bot.domain.gates.values import judge_values
from bot.domain.liveness import Liveness
from bot.domain.model import Samples, TagHistory, Trouble
from bot.domain.observation import Observation
from bot.domain.observed import Measurement, gate_measurements, trigger_measurements
from bot.domain.policy import HealthWindow, Rollback, Stage
from bot.domain.rules import (
    ArgoHealthyGate,
    BaselineGate,
    CountGate,
    DegradedTrigger,
    Gate,
    MeasuredRule,
    SoakGate,
    SyncFailedTrigger,
    Trigger,
    ValueGate,
)
from bot.domain.verdicts import Verdict, VerdictKind


def judge_gates(
    stage: Stage, window: HealthWindow, tags: TagHistory, liveness: Liveness, observation: Observation, now: datetime
) -> tuple[Verdict, ...]:
    """Judge the running release by each gate of the stage, in the policy's order."""
    found = {item.key: item for item in gate_measurements(stage, tags, liveness, observation)}
    seen = observation.stage(stage.name)
    bar = STOP.split(_chances(stage.gates))
    since = observation.policy_since

    def judge(gate: Gate) -> Verdict:
        key = f"gate:{gate.name}"
        if isinstance(gate, SoakGate):
            return judge_soak(gate, liveness, window, now, policy_since=since)
        if isinstance(gate, ArgoHealthyGate):
            history = seen.samples.get(key)
            return judge_argocd_healthy(gate, liveness, window, now, policy_since=since, history=history)
        if key not in found:
            return _nothing_counted(gate.name, "the release is not live yet, so nothing is counted")
        return _judge(gate, seen.samples.get(key), found[key], bar, tags, observation)

    return _shaded(stage.gates, [judge(gate) for gate in stage.gates])


def judge_triggers(
    stage: Stage, rollback: Rollback, tags: TagHistory, liveness: Liveness, observation: Observation, now: datetime
) -> tuple[Verdict, ...]:
    """Judge the running release by each trigger of the stage, in the policy's order."""
    seen = observation.stage(stage.name)
    found = {item.key: item for item in trigger_measurements(stage, tags, liveness)}
    bar = REVERT.split(_chances(rollback.triggers))

    def judge(trigger: Trigger) -> Verdict:
        key = f"trigger:{trigger.name}"
        if isinstance(trigger, DegradedTrigger):
            return judge_degraded(trigger, seen, liveness, tags.introduced.at, now)
        if isinstance(trigger, SyncFailedTrigger):
            return judge_sync_failed(trigger, seen, liveness, now)
        if key not in found:
            return _nothing_counted(trigger.name, "the release is not deployed yet, so nothing is counted")
        return _judge(trigger, seen.samples.get(key), found[key], bar, tags, observation)

    return _shaded(rollback.triggers, [judge(trigger) for trigger in rollback.triggers])


def judge_measured(rule: MeasuredRule, samples: Samples | Trouble | None, item: Measurement, bar: Bar) -> Verdict:
    """Judge what Prometheus measured for one rule."""
    if isinstance(rule, CountGate):
        return judge_counts(rule, samples, item.window, bar)
    if isinstance(rule, ValueGate):
        return judge_values(rule, samples, item.window, bar)
    if isinstance(rule, BaselineGate):
        return judge_baseline(rule, samples, item.window, bar)
    return judge_burn_rate(rule, samples, item.window, bar)


def _judge(
    rule: MeasuredRule,
    samples: Samples | Trouble | None,
    item: Measurement,
    bar: Bar,
    tags: TagHistory,
    observation: Observation,
) -> Verdict:
    """Judge what was measured; against another stage only what was measured before that had this release, too."""
    base = rule.base_stage if isinstance(rule, BaselineGate) else None
    there = observation.stage(base).tags if base is not None else None
    if isinstance(there, Trouble):
        return _no_baseline(rule, f"{base} could not be read", f"an answer from {there.system}")
    if there is None or there.tag != tags.tag:
        return judge_measured(rule, samples, item, bar)
    if isinstance(samples, Samples):
        samples = _until(samples, there.introduced.at)
    verdict = judge_measured(rule, samples, item, bar)
    if verdict.kind in {VerdictKind.HEALTHY, VerdictKind.UNHEALTHY}:
        return verdict
    return _no_baseline(rule, f"{base} has this release, too", f"another release in {base}")


def _until(samples: Samples, at: datetime) -> Samples:
    """Return what was measured until an instant."""
    count = max(0, (min(at, samples.end) - samples.start) // samples.width)
    numbers = {role: some[:count] for role, some in samples.numbers.items()}
    return replace(samples, end=samples.start + count * samples.width, numbers=numbers)


def _no_baseline(rule: MeasuredRule, what: str, change: str) -> Verdict:
    reason = f"{what}, so there is nothing to compare with"
    return Verdict(gate=rule.name, kind=VerdictKind.CANNOT_TELL, reason=reason, would_change=change)


def _chances(rules: Sequence[Gate | Trigger]) -> int:
    """Return how many rules could raise a false alarm by chance: they share what one may raise (Bonferroni)."""
    return sum(isinstance(rule, CountGate | BaselineGate) and not rule.is_shadow for rule in rules)


def _nothing_counted(gate: str, reason: str) -> Verdict:
    live = "the release live: every application synced and Healthy"
    return Verdict(gate=gate, kind=VerdictKind.NOT_YET, reason=reason, would_change=live)


def _shaded(rules: Sequence[Gate | Trigger], verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """Mark the verdicts of rules in the shadow."""
    pairs = zip(rules, verdicts, strict=True)
    return tuple(replace(verdict, is_shadow=True) if rule.is_shadow else verdict for rule, verdict in pairs)
