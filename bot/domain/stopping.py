"""What a stop of everything makes of a decision: it is judged as ever, and nothing is done.

But for one thing: where the forge would merge by itself what the bot had armed or queued, that is taken back, or the
stop would stop nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from bot.domain.decision import (
    Action,
    AskRefresh,
    Decision,
    DisarmPromotion,
    Halt,
    Judgement,
    StartSync,
    State,
    Wait,
    WaitsOn,
)
from bot.domain.model import TagHistory
from bot.domain.observation import Observation, StageObservation
from bot.domain.observed import is_revert
from bot.domain.pulls import Proposal, PullState
from bot.domain.stops import Stop
from bot.domain.storm import is_rollback


def stopped(decision: Decision, stop: Stop, seen: Observation) -> Decision:
    """Let nothing of a decision be done but what the stop lets be done; what waits says that it is held."""
    going_back = {stage.stage for stage in seen.stages if _is_going_back(stage)} if stop.lets_roll_back else set()
    actions = (*_disarms(seen, stop), *(_stopped_action(action, stop, going_back) for action in decision.actions))
    judgements = tuple(_stopped_judgement(one, decision.actions, stop) for one in decision.judgements)
    return replace(decision, judgements=judgements, actions=tuple(dict.fromkeys(actions)))


def _disarms(seen: Observation, stop: Stop) -> Iterable[DisarmPromotion]:
    return (disarm for stage in seen.stages for disarm in disarms(stage, stop.sentence))


def disarms(stage: StageObservation, reason: str) -> Iterable[DisarmPromotion]:
    """Take back whatever the forge would merge into a stage by itself on the bot's behalf."""
    current = stage.promotion.pull if isinstance(stage.promotion, Proposal) else None
    for pull in (*((current,) if current is not None else ()), *stage.superseded):
        if pull.state is PullState.OPEN and (pull.armed_by_bot or pull.queued_by_bot):
            yield DisarmPromotion(stage=stage.stage, number=pull.number, reason=reason)


def _is_going_back(stage: StageObservation) -> bool:
    return isinstance(stage.tags, TagHistory) and bool(stage.tags.changes) and is_revert(stage.tags.introduced)


def _stopped_action(action: Action, stop: Stop, going_back: Collection[str]) -> Action:
    """What is taken back must also arrive: where the bot starts the syncs, nobody else does."""
    brings_back = isinstance(action, StartSync | AskRefresh) and action.stage in going_back
    if brings_back or (stop.lets_roll_back and is_rollback(action)) or isinstance(action, Wait | Halt):
        return action
    return Wait(stage=action.stage, reason=stop.sentence)


def _stopped_judgement(judgement: Judgement, actions: Sequence[Action], stop: Stop) -> Judgement:
    due = any(is_rollback(action) and action.stage == judgement.stage for action in actions)
    if judgement.role == "candidate":
        return replace(judgement, state=State.HELD_BY_HUMAN, waits_on=WaitsOn.HUMAN, reason=stop.sentence)
    if due and not stop.lets_roll_back:
        reason = f"{stop.sentence}; else it would be taken back: {judgement.reason}"
        return replace(judgement, state=State.HELD_BY_HUMAN, waits_on=WaitsOn.HUMAN, reason=reason)
    return judgement
