"""What of a policy its tests have exercised: each gate was healthy once and unhealthy once, each trigger fired once.

Gates of a stage that no other comes from are never judged, so no test is asked for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from bot.domain.decision import Decision, State
from bot.domain.observation import Observation
from bot.domain.policy import Policy, Stage
from bot.domain.rules import SoakGate
from bot.domain.verdicts import VerdictKind
from bot.trial.triggers import gate_verdicts, trigger_verdicts


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercise:
    """Notes look by look which verdicts were given, by stage and name; `frozen` are stages a calendar kept shut."""

    policy: Policy
    gates: dict[tuple[str, str], set[VerdictKind]] = field(default_factory=dict)
    triggers: dict[tuple[str, str], set[VerdictKind]] = field(default_factory=dict)
    frozen: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, policy: Policy) -> Exercise:
        """Begin with nothing exercised."""
        return cls(policy=policy)

    def note(self, decision: Decision, seen: Observation) -> None:
        """Note what was said at one look."""
        for stage in self.policy.stages:
            for verdict in gate_verdicts(self.policy, stage, seen, decision):
                self.gates.setdefault((stage.name, verdict.gate), set()).add(verdict.kind)
            for verdict in trigger_verdicts(self.policy, stage, seen):
                self.triggers.setdefault((stage.name, verdict.gate), set()).add(verdict.kind)
        self.frozen.update(one.stage for one in decision.judgements if one.state is State.FROZEN)

    def unexercised(self) -> tuple[str, ...]:
        """Return what was not exercised, in the order of the policy, each with what is missing."""
        return tuple(said for stage in self.policy.stages for said in self._of_stage(stage))

    def _of_stage(self, stage: Stage) -> Iterator[str]:
        if self.policy.targets_of(stage):
            yield from self._gates_of(stage)
        for trigger in stage.rollback.triggers if stage.rollback is not None else ():
            kinds = self.triggers.get((stage.name, trigger.name), set())
            if VerdictKind.UNHEALTHY not in kinds:
                yield f"{stage.name} trigger {trigger.name} (never {'fired' if kinds else 'watched'})"
        if self.policy.calendars_of(stage) and stage.source is not None and stage.name not in self.frozen:
            yield f"{stage.name} calendar (never closed)"
        if stage.artifact:
            yield f"{stage.name} artifact (taken as proven)"

    def _gates_of(self, stage: Stage) -> Iterator[str]:
        for gate in stage.gates:
            kinds = self.gates.get((stage.name, gate.name), set())
            missing = [VerdictKind.HEALTHY] if VerdictKind.HEALTHY not in kinds else []
            # Time alone is never unhealthy.
            if VerdictKind.UNHEALTHY not in kinds and not isinstance(gate, SoakGate):
                missing.append(VerdictKind.UNHEALTHY)
            if missing:
                said = " nor ".join(missing) if kinds else "judged"
                yield f"{stage.name} gate {gate.name} (never {said})"
