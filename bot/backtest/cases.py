"""What is judged again: each move of a release to a later stage, and each watch over one that came.

A move is seen as if the release had not reached the later stage yet: when it may go there is what is asked. A watch is
seen as if Liftlock had brought the release. A policy is cut down to the stages that a case concerns, so that what is
judged is exactly one question; what cannot be known of the past is taken for granted, and listed (`blind_spots`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from bot.backtest.facts import Facts, Live, Stand, tags_at
from bot.backtest.fates import entry_of
from bot.domain.argo import Ancestry, Application, Deployed, Operation
from bot.domain.model import Carries, Release, Sha, TagHistory, Trailers
from bot.domain.observation import Observation, StageObservation
from bot.domain.observed import past_freeze
from bot.domain.policy import Merge, Policy, Proposing, Road, Stage
from bot.domain.rules import ArgoHealthyGate, BaselineGate, MeasuredRule
from bot.domain.tiles import align_up

_BEFORE = Sha("1" * 40)
_A_MOMENT = timedelta(milliseconds=1)
_MINUTE = timedelta(minutes=1)
_READ_AHEAD = timedelta(days=1)


class Question(StrEnum):
    """What is asked of a release in a stage: may it move on, or must it be taken back?"""

    MOVE = "move"
    WATCH = "watch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One release in one stage, and one question. `target` is where it would move to, empty for a watch.

    `hidden` is the commit by which the release really entered `target`, None where it did not.
    """

    question: Question
    stand: Stand
    target: str = ""
    hidden: Sha | None = None

    @property
    def name(self) -> str:
        """The question as a heading has it."""
        return f"{self.stand.stage} → {self.target}" if self.target else f"watch in {self.stand.stage}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """What cannot be judged, and why."""

    asked: Asked
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is asked, with all that answers it: `policy` is the part of the policy that does.

    `until` is when the release was replaced, or the end of what is looked at: `is_cut` says that it is the latter.
    """

    asked: Asked
    facts: Facts
    policy: Policy
    live: Live
    until: datetime
    is_cut: bool

    @property
    def stand(self) -> Stand:
        """The release, for as long as it stood in the stage."""
        return self.asked.stand

    @property
    def stage(self) -> Stage:
        """The stage that is judged, as the cut policy has it."""
        return self.policy.stage(self.stand.stage)

    @property
    def width(self) -> timedelta:
        """How far two looks are apart: as long as the narrowest tile."""
        rollback = self.stage.rollback
        rules = self.stage.gates if self.asked.question is Question.MOVE else rollback.triggers if rollback else ()
        return min((one.tile for one in rules if isinstance(one, MeasuredRule | ArgoHealthyGate)), default=_MINUTE)

    @property
    def last(self) -> datetime:
        """Up to when it is looked at: until it was replaced, or its watch ended."""
        rollback = self.stage.rollback
        if self.asked.question is Question.MOVE or rollback is None:
            return self.until
        watched = past_freeze(rollback, self.live.at + rollback.watch, self.policy.calendars_of(self.stage))
        return min(self.until, watched - _A_MOMENT)

    def looks(self, lag: timedelta) -> Iterator[datetime]:
        """Yield the instants at which it is looked at: whenever another tile is old enough to be read."""
        now = align_up(self.live.at, self.width) + lag
        while now <= self.last:
            yield now
            now += self.width

    def read_ahead(self, now: datetime, lag: timedelta) -> datetime:
        """Return up to when to read at once what the looks from `now` on need: mostly the whole window or watch."""
        window, ends = self.stage.window, [now + _READ_AHEAD]
        if self.asked.question is Question.WATCH:
            ends = [self.last]
        elif window is not None:
            spans = (window.warmup + window.length, max(window.deadline, window.warmup + window.length))
            ends = [self.live.at + span + 2 * self.width + lag for span in spans] + ends
        return min(self.last, next(end for end in ends if end >= now))

    @property
    def alarms_stand(self) -> bool:
        """Whether no alarm is taken away again, as it is where a baseline in another stage ends to be one."""
        return not any(isinstance(gate, BaselineGate) and gate.base_stage is not None for gate in self.stage.gates)

    def waits_for_alarms(self, now: datetime) -> bool:
        """Say whether nothing but an alarm can decide at a look: in a watch, and before a window can be complete."""
        window = self.stage.window
        if not self.alarms_stand:
            return False
        if self.asked.question is Question.WATCH or window is None:
            return True
        return now < self.live.at + window.warmup + window.length

    def is_replaced_before(self, at: datetime) -> bool:
        """Say whether another release took its place, and not only what is looked at ended."""
        return not self.is_cut and self.until <= at

    def observe(self, now: datetime) -> Observation:
        """Return what the bot would have seen at an instant, but for what was measured."""
        return Observation(
            service=self.policy.service,
            at=now,
            stages=tuple(self._stage(stage, now) for stage in self.facts.policy.stages),
        )

    def _stage(self, stage: Stage, now: datetime) -> StageObservation:
        history = self.facts.tags[stage.name]
        if stage.name == self.stand.stage:
            return self._judged(tags_at(history, min(now, self.until - _A_MOMENT)))
        hidden = self.asked.hidden if stage.name == self.asked.target else None
        return StageObservation(stage=stage.name, tags=tags_at(history, now, before=hidden), samples={})

    def _judged(self, tags: TagHistory | object) -> StageObservation:
        assert isinstance(tags, TagHistory)  # noqa: S101 - a stand was read from it
        if self.asked.question is Question.WATCH:
            tags = replace(tags, changes=(replace(tags.introduced, trailers=self._trailers()), *tags.changes[1:]))
        commit = tags.introduced.commit
        return StageObservation(
            stage=self.stand.stage,
            tags=tags,
            applications=tuple(
                an_application(name, commit, self.live.at) for name in self.facts.members[self.stand.stage]
            ),
            ancestry=Ancestry(carries={commit: Carries.YES, _BEFORE: Carries.OTHER_TAG}),
            samples={},
        )

    def _trailers(self) -> Trailers:
        name = Release(image=self.policy.image, tag=self.stand.tag).name
        stage = self.stand.stage
        return Trailers(service=self.policy.service, stage=stage, release=name, promotes=f"before -> {stage}")


def an_application(name: str, commit: Sha, live_at: datetime) -> Application:
    """Return an application that was synced to a commit, and is Healthy ever since."""
    operation = Operation(phase="Succeeded", revisions=(commit,), started_at=live_at, finished_at=live_at)
    return Application(
        name=name,
        sync="Synced",
        health="Healthy",
        revisions=(commit,),
        operation=operation,
        reconciled_at=live_at + _A_MOMENT,
        health_since=live_at,
        history=(
            Deployed(revisions=(_BEFORE,), at=live_at - _MINUTE, number=0),
            Deployed(revisions=(commit,), at=live_at, started_at=live_at, number=1),
        ),
    )


# --- which cases there are -------------------------------------------------------------------------------------------


def cases_of(facts: Facts, since: datetime, until: datetime) -> Iterator[Case | Unknown]:
    """Yield all that is to be judged of the releases that came from `since` on, stage by stage, oldest first."""
    for stage in facts.policy.stages:
        for stand in facts.stands(stage.name):
            if since <= stand.at < until and not stand.is_return:
                yield from _moves(facts, stage, stand, until)
                yield from _watches(facts, stage, stand, until)


def _moves(facts: Facts, stage: Stage, stand: Stand, until: datetime) -> Iterator[Case | Unknown]:
    if stage.window is None:
        return
    for target in facts.policy.targets_of(stage):
        entry = entry_of(facts, stand, target.name, until)
        hidden = entry.since.commit if entry is not None else None
        asked = Asked(question=Question.MOVE, stand=stand, target=target.name, hidden=hidden)
        yield _case(asked, facts, _for_a_move(facts.policy, stage, target), until)


def _watches(facts: Facts, stage: Stage, stand: Stand, until: datetime) -> Iterator[Case | Unknown]:
    if stage.source is not None and stage.rollback is not None:
        yield _case(Asked(question=Question.WATCH, stand=stand), facts, _for_a_watch(facts.policy, stage), until)


def _case(asked: Asked, facts: Facts, policy: Policy, until: datetime) -> Case | Unknown:
    stand = asked.stand
    live = facts.live.get((stand.stage, stand.since.commit))
    ended = stand.until.at if stand.until is not None and stand.until.at <= until else None
    if live is None:
        return Unknown(asked=asked, reason=f"it is not known since when it was live in {stand.stage}")
    if live.at >= (ended or until):
        what = "it was replaced before it was live" if ended is not None else "it was not live yet"
        return Unknown(asked=asked, reason=f"{what} in {stand.stage}")
    is_cut = ended is None
    return Case(asked=asked, facts=facts, policy=policy, live=live, until=ended or until, is_cut=is_cut)


def _for_a_move(policy: Policy, stage: Stage, target: Stage) -> Policy:
    """Keep what says whether a release may leave `stage` for `target`. That is by commit: nobody is to be asked."""
    here = replace(_alone(stage), rollback=None)
    rollback = replace(target.rollback, triggers=(), also=()) if target.rollback is not None else None
    there = replace(
        _alone(target),
        source=stage.name,
        window=None,
        gates=(),
        rollback=rollback,
        merge=Merge.AUTO,
        proposing=Proposing(by=Road.COMMIT, pause=target.proposing.pause),
    )
    return replace(policy, stages=(here, there))


def _for_a_watch(policy: Policy, stage: Stage) -> Policy:
    return replace(policy, stages=(replace(_alone(stage), window=None, gates=()),))


def _alone(stage: Stage) -> Stage:
    """Leave out what ties a stage to others, and what of it no file of the past is read for."""
    return replace(stage, source=None, beside=(), intake=None, artifact=(), together=())
