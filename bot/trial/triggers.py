"""The verdicts of a stage's gates and of its triggers apart: a judgement shows those that decided."""

from __future__ import annotations

from bot.domain.decision import Decision
from bot.domain.gates.judging import judge_triggers
from bot.domain.model import Trouble
from bot.domain.observation import Observation
from bot.domain.observed import is_restored, is_watched, stage_liveness
from bot.domain.policy import Policy, Stage
from bot.domain.verdicts import Verdict


def trigger_verdicts(policy: Policy, stage: Stage, seen: Observation) -> tuple[Verdict, ...]:
    """Return what the triggers of a stage say, as the decision asked them; none while nothing is watched there."""
    tags = seen.stage(stage.name).tags
    if stage.rollback is None or isinstance(tags, Trouble) or not tags.changes:
        return ()
    liveness = stage_liveness(policy, stage, seen.stage(stage.name), tags, seen.at)
    rollback = stage.rollback
    is_asked = is_watched(rollback, tags, liveness, seen.at, policy.calendars_of(stage))
    if not is_asked and not is_restored(rollback, tags, liveness, seen.at):
        return ()
    return judge_triggers(stage, rollback, tags, liveness, seen, seen.at)


def gate_verdicts(policy: Policy, stage: Stage, seen: Observation, decision: Decision) -> tuple[Verdict, ...]:
    """Return what the gates of a stage say of the release that runs there; none while nothing waits for them."""
    shown = next((one.verdicts for one in decision.judgements if (one.stage, one.role) == (stage.name, "running")), ())
    return () if shown == trigger_verdicts(policy, stage, seen) else shown
