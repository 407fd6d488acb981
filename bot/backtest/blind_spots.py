"""What of a policy cannot be tried on the past, in one sentence each: it is taken to pass, or left out."""

from __future__ import annotations

from collections.abc import Iterator

from bot.domain.policy import Merge, Policy, Road, Stage
from bot.domain.rules import ArgoHealthyGate, DegradedTrigger, SyncFailedTrigger
from bot.domain.text import join_words


def blind_spots(policy: Policy) -> tuple[str, ...]:
    """Return what a backtest of this policy does not look at."""
    return tuple(sentence for stage in policy.stages for sentence in _of_stage(policy, stage))


def _of_stage(policy: Policy, stage: Stage) -> Iterator[str]:
    if stage.artifact:
        yield f"{stage.name}: what must be proven of the artifact is taken to be proven"
    if stage.window is not None and policy.targets_of(stage):
        for gate in stage.gates:
            if isinstance(gate, ArgoHealthyGate):
                yield f"{stage.name}: {gate.name} is taken to be healthy from when a release was live; {_history(gate)}"
    if stage.source is not None:
        yield from _entering(stage)
    if stage.beside:
        names = join_words(stage.sources)
        yield f"{stage.name}: a release is judged in {names} one by one, not in {stage.join} of them together"
    if stage.together:
        yield f"{stage.name}: only the value of its own edit is looked at, not what moves with it"


def _history(gate: ArgoHealthyGate) -> str:
    if not gate.asks:
        return "it asks for no history"
    return "only an illness that Argo CD's metrics in Prometheus show counts"


def _entering(stage: Stage) -> Iterator[str]:
    if stage.proposing.by is Road.PULL_REQUEST:
        people = ", and so is a person who merges at once" if stage.merge is Merge.HUMAN else ""
        yield f"{stage.name}: reviews and checks are taken to be there at once{people}"
    if stage.intake is not None:
        yield f"{stage.name}: when the registry had a release is not known, so only what came there is looked at"
    for trigger in stage.rollback.triggers if stage.rollback is not None else ():
        if isinstance(trigger, DegradedTrigger | SyncFailedTrigger):
            yield f"{stage.name}: {trigger.name} never fires, since what Argo CD said then is not known"
