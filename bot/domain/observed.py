"""Which releases are under observation, and which tiles each of their gates needs.

Shared by the shell, which must know what to ask Prometheus for, and by the decision, which must judge exactly that:
one rule in one place, so that what is read and what is judged cannot differ.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.liveness import Liveness
from bot.domain.model import NOT_SET, Observation, StageObservation, TagHistory, Trouble
from bot.domain.policy import CountGate, Policy, Rollback, Stage
from bot.domain.tiles import MeasuringWindow, measuring_window

ROLLOUT_GRACE = timedelta(minutes=5)
"""How long after its first sync a release is given to become live before its triggers count all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A gate or trigger that counts, the key of its samples in the observation, and its window."""

    key: str
    gate: CountGate
    window: MeasuringWindow

    @property
    def fingerprint(self) -> str:
        """What makes two measurements one: the same queries, counted the same way, in tiles of the same width."""
        gate = self.gate
        text = "\n".join((gate.query, gate.total, gate.counts, str(gate.tile.total_seconds())))
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def is_candidate_pending(stage: Stage, target: Stage, seen: Observation) -> bool:
    """Say whether the release that runs in `stage` may still have to move into `target`."""
    here, there = seen.stage(stage.name).tags, seen.stage(target.name).tags
    if isinstance(here, Trouble) or isinstance(there, Trouble):
        return False
    return here.tag not in (NOT_SET, there.tag) and here.tag not in quarantined_tags(seen)


def is_under_observation(policy: Policy, stage: Stage, seen: Observation) -> bool:
    """Say whether the gates of `stage` have anything to decide: a next stage that does not have its release."""
    return any(is_candidate_pending(stage, target, seen) for target in policy.targets_of(stage))


def reverted_tags(tags: TagHistory) -> dict[str, str]:
    """Return the tags that a Liftlock rollback took out of the stage, each with the revert commit, newest first.

    Only what the trailers say counts, and only of commits that changed this stage's tag: quarantine stands in Git.
    """
    found: dict[str, str] = {}
    for change in tags.changes:
        if change.trailers is not None and change.trailers.reverts is not None and change.old is not None:
            found.setdefault(change.old, change.commit)
    return found


def quarantined_tags(seen: Observation) -> dict[str, tuple[str, str]]:
    """Return the quarantined tags, each with the stage and commit of its rollback: bad in one, bad in all."""
    found: dict[str, tuple[str, str]] = {}
    for stage in seen.stages:
        if isinstance(stage.tags, TagHistory):
            for tag, commit in reverted_tags(stage.tags).items():
                found.setdefault(tag, (stage.stage, commit))
    return found


def is_watched(rollback: Rollback, tags: TagHistory, liveness: Liveness, now: datetime) -> bool:
    """Say whether the running release came by a promotion of Liftlock's whose watch has not ended."""
    trailers = tags.introduced.trailers
    if trailers is None or trailers.promotes is None:
        return False
    return now < watch_end(rollback, tags, liveness)


def watch_end(rollback: Rollback, tags: TagHistory, liveness: Liveness) -> datetime:
    """Return when the watch ends: `watch` after the release was deployed, or after its commit while it is not."""
    return (liveness.deployed_at or tags.introduced.at) + rollback.watch


def gate_measurements(stage: Stage, liveness: Liveness, seen: Observation) -> tuple[Measurement, ...]:
    """Return what the stage's gates must measure; nothing before the release was live for the first time."""
    if stage.window is None or liveness.first_live is None:
        return ()
    first = liveness.first_live
    proof_since = liveness.proof_since or seen.at
    if seen.policy_since is not None:
        first, proof_since = max(first, seen.policy_since), max(proof_since, seen.policy_since)
    window = stage.window
    return tuple(
        Measurement(
            key=f"gate:{gate.name}",
            gate=gate,
            window=measuring_window(
                first=first,
                proof_since=proof_since,
                warmup=window.warmup,
                length=window.length,
                width=gate.tile,
            ),
        )
        for gate in stage.gates
        if isinstance(gate, CountGate)
    )


def trigger_measurements(stage: Stage, liveness: Liveness) -> tuple[Measurement, ...]:
    """Return what the stage's triggers must measure: from when the release is live, or some time after its sync.

    While old pods are still being replaced their errors are not the release's; but one that never becomes live, or
    not everywhere, is judged all the same after `ROLLOUT_GRACE`.
    """
    reached = liveness.reached_at
    if stage.rollback is None or reached is None:
        return ()
    late = reached + ROLLOUT_GRACE
    since = min(liveness.first_live or late, late)
    return tuple(
        Measurement(
            key=f"trigger:{trigger.name}",
            gate=trigger,
            window=measuring_window(
                first=since,
                proof_since=since,
                warmup=timedelta(0),
                length=stage.rollback.watch,
                width=trigger.tile,
            ),
        )
        for trigger in stage.rollback.triggers
        if isinstance(trigger, CountGate)
    )


def measurements(policy: Policy, stage: Stage, liveness: Liveness, seen: Observation) -> tuple[Measurement, ...]:
    """Return all that must be measured of a stage now: of releases under observation or watched, of no others."""
    tags = stage_tags(seen.stage(stage.name))
    if tags is None:
        return ()
    wanted: tuple[Measurement, ...] = ()
    if is_under_observation(policy, stage, seen):
        wanted += gate_measurements(stage, liveness, seen)
    if stage.rollback is not None and is_watched(stage.rollback, tags, liveness, seen.at):
        wanted += trigger_measurements(stage, liveness)
    return wanted


def stage_tags(stage: StageObservation) -> TagHistory | None:
    """Return the stage's tag history if Git could be read."""
    return None if isinstance(stage.tags, Trouble) else stage.tags
