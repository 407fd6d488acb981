"""Judge the release that runs in a stage: is it live, does it prove itself, must it be taken back?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.domain.calendar import Closed, judge_calendar
from bot.domain.decision import AskRefresh, Halt, Judgement, RollBack, StartSync, State, WaitsOn
from bot.domain.gates.judging import judge_triggers
from bot.domain.gates.measuring import NEWEST
from bot.domain.health_window import judge_observed, window_end
from bot.domain.model import NOT_SET, Release, Trouble
from bot.domain.naming import revert_branch
from bot.domain.nudges import nudges
from bot.domain.observation import Observation
from bot.domain.observed import (
    expected_release,
    is_restored,
    is_revert,
    is_under_observation,
    is_watched,
    liveness_of,
    past_freeze,
    running_release,
    taken_along,
    watch_end,
    way_back_of,
    why_barred,
)
from bot.domain.orders import standing
from bot.domain.policy import Policy, Road, Rollback, Stage
from bot.domain.pulls import Proposal, PullState
from bot.domain.running_case import RunningCase, because
from bot.domain.stance import Stance
from bot.domain.text import count_of, format_date_instant, format_duration, format_instant
from bot.domain.verdicts import MeasuredEvidence, Verdict, VerdictKind, combine, deciding, worst

_A_DAY = timedelta(days=1)
_SHORT = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What the running release of a stage came to: the judgement, and what follows for this stage.

    `is_live` says that it is live at this moment, `window_end` when its health window is over at the earliest; None
    where there is none, or nobody knows yet since when it is live. `parts` are the judgements of several stages that
    speak as one.
    """

    judgement: Judgement
    actions: tuple[RollBack | Halt | AskRefresh | StartSync, ...] = ()
    is_live: bool = False
    window_end: datetime | None = None
    parts: tuple[Judgement, ...] = ()

    @property
    def is_proven(self) -> bool:
        """Whether every gate of the stage answered healthy for this release, or it needs none to move on from here."""
        return self.judgement.state in {State.PROVEN, State.LET_PASS, State.OFFERED}


def judge_running(policy: Policy, stage: Stage, observation: Observation, now: datetime) -> Running:
    """Judge the release that Git says should run in `stage`."""
    seen = observation.stage(stage.name)
    if isinstance(seen.tags, Trouble):
        return Running(judgement=_unreadable(stage, seen.tags))
    if seen.tags.tag == NOT_SET:
        return Running(judgement=_nothing_yet(stage))
    expected = expected_release(policy, stage, seen.tags, barred=why_barred(seen.tags, observation))
    liveness = liveness_of(seen, expected, now)
    case = RunningCase(
        policy=policy,
        stage=stage,
        observation=observation,
        seen=seen,
        tags=seen.tags,
        release=running_release(policy, seen.tags),
        liveness=liveness,
        now=now,
    )
    asks = nudges(seen, expected, liveness, now)
    back = _ordered_back(case) or _back_with_later(case)
    if back is not None:
        return back
    calendars = policy.calendars_of(stage)
    if stage.rollback is not None and is_watched(stage.rollback, seen.tags, liveness, now, calendars):
        watched = _judge_watched(case, stage.rollback)
        decides = watched.judgement.state in {State.ROLLING_BACK, State.HALTED}
        under_way = None if decides else _under_way(case)
        if under_way is not None:
            return under_way
        if decides:
            asks = tuple(ask for ask in asks if not isinstance(ask, StartSync))
        if decides or not is_under_observation(policy, stage, observation):
            return Running(judgement=watched.judgement, actions=(*watched.actions, *asks))
    return _judge_unwatched(case, asks)


def _judge_unwatched(case: RunningCase, asks: tuple[AskRefresh | StartSync, ...]) -> Running:
    under_way = _under_way(case)
    if under_way is not None:
        return under_way
    if case.seen.apart:
        why = _apart(case.seen.apart)
        return Running(judgement=case.judge(State.CANNOT_TELL, WaitsOn.PROMOTION, why), actions=asks)
    stage, is_live = case.stage, case.liveness.stance is Stance.LIVE
    if stage.window is not None and is_under_observation(case.policy, stage, case.observation):
        judgement = judge_observed(case, stage.window)
        halts = (Halt(stage=stage.name, reason=judgement.reason),) if _asks_human(judgement) else ()
        end = window_end(case, stage.window)
        return Running(judgement=judgement, actions=(*halts, *asks), is_live=is_live, window_end=end)
    rollback = stage.rollback
    if rollback is not None and is_restored(rollback, case.tags, case.liveness, case.now):
        return replace(_judge_restored(case, rollback, asks), is_live=is_live)
    return Running(judgement=_judge_settled(case), actions=asks, is_live=is_live)


def _apart(apart: str | Trouble) -> str:
    return apart if isinstance(apart, str) else f"{apart.system}: {apart.sentence}"


def _ordered_back(case: RunningCase) -> Running | None:
    """Take back what a person ordered back since it came; also after the watch, and without any trigger."""
    came = case.tags.introduced
    if case.stage.source is None or (came.trailers is not None and came.trailers.reverts is not None):
        return None
    orders, service, release = case.observation.orders, case.policy.service, case.release.name
    order = standing(orders, service=service, stage=case.stage.name, release=release, head=None).rollback
    if order is None or order.at <= came.at:
        return None
    road = case.stage.rollback.by if case.stage.rollback is not None else Road.COMMIT
    return _take_back(case, road, f"{order.by_login} ordered it: {order.reason}", ())


def _back_with_later(case: RunningCase) -> Running | None:
    """Take back what a later stage was taken back from, where its policy says `also`."""
    along = taken_along(case.policy, case.stage, case.tags, case.observation)
    if along is None:
        return None
    why = (
        f"{along.stage} was taken back from it by {along.commit[:_SHORT]}, and the policy says: also {case.stage.name}"
    )
    return _take_back(case, along.rollback.by, why, ())


def _under_way(case: RunningCase) -> Running | None:
    """Go on with a rollback by pull request, though no trigger fires any more or the watch is over.

    It was decided, and may wait for a review only. People close it where it is not to be.
    """
    revert = case.seen.revert
    pull = revert.pull if isinstance(revert, Proposal) else None
    if pull is None or pull.state is not PullState.OPEN or not pull.is_own:
        return None
    why, frozen = f"its rollback #{pull.number} was opened when a trigger had fired", _frozen(case)
    return _halt(case, f"{why}; {frozen}", ()) if frozen else _take_back(case, Road.PULL_REQUEST, why, ())


def _frozen(case: RunningCase) -> str:
    """Return why the calendar keeps back rollbacks as well, which only a policy that says so lets it; empty if not."""
    if case.stage.rollback is None or case.stage.rollback.during_freeze:
        return ""
    judged = judge_calendar(case.policy.calendars_of(case.stage), case.now)
    if not isinstance(judged, Closed):
        return ""
    return (
        f"but {case.stage.name} is {judged.reason}, and the policy takes nothing back then: "
        "a person must look, or order it by /liftlock rollback"
    )


def _unreadable(stage: Stage, trouble: Trouble) -> Judgement:
    return Judgement(
        stage=stage.name,
        role="running",
        release=None,
        state=State.CANNOT_TELL,
        waits_on=WaitsOn.HUMAN,
        reason=f"{trouble.system}: {trouble.sentence}",
    )


def _nothing_yet(stage: Stage) -> Judgement:
    return Judgement(
        stage=stage.name,
        role="running",
        release=None,
        state=State.SETTLED,
        waits_on=WaitsOn.NOTHING,
        reason="no release is set here yet; the first promotion adds it",
    )


def _asks_human(judgement: Judgement) -> bool:
    return judgement.state is State.DEADLINE_PASSED and judgement.waits_on is WaitsOn.HUMAN


# --- watched after a promotion ---------------------------------------------------------------------------------------


def _judge_watched(case: RunningCase, rollback: Rollback) -> Running:
    verdicts = judge_triggers(case.stage, rollback, case.tags, case.liveness, case.observation, case.now)
    fired = [verdict for verdict in deciding(verdicts) if verdict.kind is VerdictKind.UNHEALTHY]
    blamed = [verdict for verdict in fired if not verdict.began_before]
    if blamed:
        against = _against_automatic(case, rollback)
        why = because(blamed[0])
        return _halt(case, f"{why}; {against}", verdicts) if against else _take_back(case, rollback.by, why, verdicts)
    if fired:
        return _halt(case, f"{because(fired[0])}, so it is not taken back", verdicts)
    watched = _watched_until(case, rollback)
    if case.liveness.stance is not Stance.LIVE:
        reason = f"{case.liveness.reason}; {watched}"
        return Running(judgement=case.judge(State.WATCHING, WaitsOn.RUNTIME, reason, verdicts))
    kind = combine(verdicts) if deciding(verdicts) else VerdictKind.HEALTHY
    is_blind = kind in {VerdictKind.CANNOT_TELL, VerdictKind.NO_DATA}
    trouble = f"{because(worst(verdicts))}; " if is_blind else _gone_silent(verdicts)
    reason = f"{trouble}no trigger has fired; {watched}"
    return Running(judgement=case.judge(State.WATCHING, WaitsOn.RUNTIME, reason, verdicts))


def _watched_until(case: RunningCase, rollback: Rollback) -> str:
    own = watch_end(rollback, case.tags, case.liveness)
    end = past_freeze(rollback, own, case.policy.calendars_of(case.stage))
    if end == own:
        return f"watched until {format_instant(own)}"
    return f"watched until the calendar has opened again, to {format_date_instant(end)}"


def _gone_silent(verdicts: tuple[Verdict, ...]) -> str:
    """Say which trigger has lost its measurements of late, though its watch goes on: that is no health either (I5)."""
    for verdict in deciding(verdicts):
        evidence = verdict.evidence
        if isinstance(evidence, MeasuredEvidence) and evidence.measured.lately_absent > 1:
            absent = evidence.measured.lately_absent
            return f"{verdict.gate}: {absent} of the newest {NEWEST} looks found no data; "
    return ""


def _against_automatic(case: RunningCase, rollback: Rollback) -> str:
    """Return what speaks against taking it back without a person: the calendar, or how many were of late."""
    frozen = _frozen(case)
    if frozen:
        return frozen
    fleet = case.observation.fleet
    if fleet is not None and fleet.is_storm:
        total, within = count_of(fleet.done + fleet.due, "release"), format_duration(fleet.within)
        return (
            f"but with it {total} would be taken back within {within}, and at most {fleet.most} may: "
            "look at the platform and the measurements first, or order it by /liftlock rollback"
        )
    since = case.now - _A_DAY
    recent = [change for change in case.tags.changes if change.at > since and is_revert(change)]
    if len(recent) < rollback.at_most:
        return ""
    return (
        f"but {case.stage.name} was rolled back {count_of(len(recent), 'time')} within a day already: "
        "a person must look, or order it by /liftlock rollback"
    )


def _take_back(case: RunningCase, road: Road, why: str, verdicts: tuple[Verdict, ...]) -> Running:
    """Revert the promotion, or halt where the way back is unknown or itself quarantined (I4), or people are at it."""
    # What could not be read for a moment keeps nothing back: the edit itself reads it, and refuses what does not fit.
    if case.seen.apart and isinstance(case.seen.apart, str):
        return _halt(case, f"{why}; but {case.seen.apart}", verdicts)
    way = way_back_of(case.stage, case.tags, case.observation)
    back_to = way.tag
    if back_to is None:
        return _halt(case, f"{why}; but {way.reason}", verdicts)
    reason = f"{why}; taken back to {back_to}{f', {way.reason}' if way.reason else ''}"
    action = RollBack(
        stage=case.stage.name,
        road=road,
        branch=revert_branch(case.policy.service, case.stage.name, case.release),
        promotion=case.tags.introduced.commit,
        release=case.release,
        back_to=Release(image=case.policy.image, tag=back_to),
        reason=why,
    )
    judgement = case.judge(State.ROLLING_BACK, WaitsOn.NOTHING, reason, verdicts)
    return Running(judgement=judgement, actions=(action,))


def _halt(case: RunningCase, reason: str, verdicts: tuple[Verdict, ...]) -> Running:
    judgement = case.judge(State.HALTED, WaitsOn.HUMAN, reason, verdicts)
    return Running(judgement=judgement, actions=(Halt(stage=case.stage.name, reason=reason),))


def _judge_restored(case: RunningCase, rollback: Rollback, asks: tuple[AskRefresh | StartSync, ...]) -> Running:
    """See whether a rollback has helped. If not, people must know; a revert is never reverted (I4)."""
    verdicts = judge_triggers(case.stage, rollback, case.tags, case.liveness, case.observation, case.now)
    fired = [verdict for verdict in deciding(verdicts) if verdict.kind is VerdictKind.UNHEALTHY]
    if not fired:
        return Running(judgement=replace(_judge_settled(case), verdicts=verdicts), actions=asks)
    taken = case.tags.introduced.old or "the release before"
    reason = f"the rollback of {taken} to {case.release.tag} did not help: {because(fired[0])}"
    halted = _halt(case, reason, verdicts)
    return replace(halted, actions=(*halted.actions, *asks))


# --- nothing to decide -----------------------------------------------------------------------------------------------


def _judge_settled(case: RunningCase) -> Judgement:
    trailers = case.tags.introduced.trailers
    if trailers is not None and trailers.reverts is not None:
        taken = case.tags.introduced.old or "the release before"
        reason = f"restored by a rollback of {taken}; {case.liveness.reason}"
        return case.judge(State.ROLLED_BACK, WaitsOn.NOTHING, reason)
    if case.liveness.stance is Stance.LIVE:
        return case.judge(State.SETTLED, WaitsOn.NOTHING, "live, and nothing is left to decide")
    state = State.CANNOT_TELL if case.is_unclear else State.WAITING_FOR_ROLLOUT
    return case.judge(state, WaitsOn.RUNTIME, case.liveness.reason)
