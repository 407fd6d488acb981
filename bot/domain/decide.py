"""The one place that decides: `decide(policy, observation, now) -> Decision`. Pure and total.

Every stage is judged twice: the release that runs in it, and the release that waits before it. Nothing is remembered
between two calls; all there is to know is in the observation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.candidacy import Candidate
from bot.domain.candidate import judge_candidate
from bot.domain.decision import (
    Action,
    AskRefresh,
    ClosePromotion,
    CommitPromotion,
    Decision,
    DisarmPromotion,
    Halt,
    Judgement,
    MergePromotion,
    OpenPromotion,
    ReadyPromotion,
    RemakePromotion,
    RollBack,
    StartSync,
    UpdatePromotion,
    Wait,
)
from bot.domain.joining import source_of
from bot.domain.model import Release, Trouble
from bot.domain.naming import release_branch
from bot.domain.observation import Observation, StageObservation
from bot.domain.observed import carriers
from bot.domain.offering import judge_offer
from bot.domain.policy import Policy, Road, Stage
from bot.domain.pulls import Proposal, Pull, PullState
from bot.domain.running import Running, judge_running
from bot.domain.stopping import disarms, stopped
from bot.domain.stops import stop_of_everything
from bot.domain.text import join_words
from bot.domain.verdicts import MeasuredEvidence

_LOOK_AGAIN = timedelta(minutes=1)
_URGENCY = (
    # A later promotion must not be merged by the forge into what is being taken back.
    DisarmPromotion,
    RollBack,
    ClosePromotion,
    MergePromotion,
    CommitPromotion,
    RemakePromotion,
    OpenPromotion,
    ReadyPromotion,
    AskRefresh,
    StartSync,
    Halt,
    UpdatePromotion,
    Wait,
)


def decide(policy: Policy, observation: Observation, now: datetime) -> Decision:
    """Decide what to do for one service. Same inputs, same decision; waiting is an action with a reason."""
    running = {stage.name: judge_running(policy, stage, observation, now) for stage in policy.stages}
    offered = judge_offer(policy, observation)
    if offered is not None:
        running[offered.judgement.stage] = offered
    judgements: list[Judgement] = [] if offered is None else [offered.judgement]
    actions: list[Action] = []
    for stage in policy.stages:
        seen = observation.stage(stage.name)
        here = running[stage.name]
        judgements.append(here.judgement)
        actions.extend(_road(action, seen, policy.gitops.branch) for action in here.actions)
        source = source_of(stage, observation, running) if stage.source is not None else None
        candidate = _candidate(policy, stage, observation, running, source, now)
        if candidate is not None:
            judgements.append(candidate.judgement)
            actions.extend(candidate.actions)
        else:
            actions.extend(_unattended(stage, seen, source))
        actions.extend(_superseded(policy, stage, observation, source))
        actions.extend(_arrival(seen, here))
    decision = Decision(
        service=policy.service,
        at=now,
        policy_version=policy.version,
        judgements=tuple(judgements),
        actions=tuple(sorted(_once(actions), key=lambda action: _URGENCY.index(type(action)))),
        look_again=_look_again(judgements, actions, now),
    )
    stop = stop_of_everything(observation.stops)
    return decision if stop is None else stopped(decision, stop, observation)


def _candidate(
    policy: Policy,
    stage: Stage,
    observation: Observation,
    running: dict[str, Running],
    source: Running | None,
    now: datetime,
) -> Candidate | None:
    if source is None:
        return None
    return judge_candidate(policy, stage, observation, source, running, now)


def _unattended(stage: Stage, seen: StageObservation, source: Running | None) -> Iterable[DisarmPromotion]:
    """Take back what the forge would merge while nobody can tell what waits before the stage: it is not judged then."""
    if source is None or source.judgement.release is not None:
        return ()
    return disarms(seen, f"what waits before {stage.name} is not known: {source.judgement.reason}")


def _once(actions: Iterable[Action]) -> list[Action]:
    """Drop an action that is already there: a comment may be asked for by the candidate and by the arrival."""
    return list(dict.fromkeys(actions))


# --- how a rollback gets to the branch -------------------------------------------------------------------------------


def _road(action: RollBack | Halt | AskRefresh | StartSync, seen: StageObservation, branch: str) -> Action:
    """Turn a rollback by pull request into the step that is next: open it, wait, merge it, or leave it to a person."""
    if not isinstance(action, RollBack):
        return action
    if action.road is Road.COMMIT and not isinstance(seen.revert, Proposal):
        return action
    # Where it was looked for although the policy pushes, the branch has refused that.
    return _by_pull_request(replace(action, road=Road.PULL_REQUEST), seen, branch)


def _by_pull_request(action: RollBack, seen: StageObservation, branch: str) -> Action:
    if seen.revert is None:
        return Wait(stage=action.stage, reason=f"{action.reason}; its pull request was not looked for yet")
    if isinstance(seen.revert, Trouble):
        return Wait(stage=action.stage, reason=f"{seen.revert.system}: {seen.revert.sentence}")
    if seen.revert.deviation is not None:
        what = f"the rollback branch {seen.revert.branch} is not exactly the planned edit: {seen.revert.deviation}"
        return Halt(stage=action.stage, reason=f"{what}; {action.reason}")
    if seen.revert.pull is None or _is_of_before(seen.revert.pull, seen):
        return action
    return _merge_revert(action, seen.revert, seen.revert.pull, branch)


def _is_of_before(pull: Pull, seen: StageObservation) -> bool:
    """Whether a rollback was merged before the release came again: then it is no part of what is to be done now."""
    came = None if isinstance(seen.tags, Trouble) else seen.tags.introduced.at
    ended = pull.closed_at
    return pull.state is PullState.MERGED and ended is not None and came is not None and ended < came


def _merge_revert(action: RollBack, proposal: Proposal, pull: Pull, branch: str) -> Action:
    if pull.state is PullState.CLOSED and not pull.closed_by_bot:
        who = pull.closed_by or "someone"
        return Halt(stage=action.stage, reason=f"{who} closed the rollback #{pull.number}; {action.reason}")
    if pull.state is not PullState.OPEN:
        return Wait(stage=action.stage, reason=f"the rollback #{pull.number} is {pull.state}; the mirror lags behind")
    halts, waits = _against_revert(proposal, pull, branch)
    if halts is not None:
        return Halt(stage=action.stage, reason=f"the rollback #{pull.number} {halts}; {action.reason}")
    if waits is not None:
        return Wait(stage=action.stage, reason=f"the rollback #{pull.number} {waits}")
    return MergePromotion(
        stage=action.stage,
        number=pull.number,
        branch=pull.branch,
        head=pull.head,
        release=action.release,
        replaces=action.back_to,
        reason=action.reason,
        reverts=action.promotion,
    )


def _against_revert(proposal: Proposal, pull: Pull, branch: str) -> tuple[str | None, str | None]:
    """Return why a person must look at a rollback's pull request, and what it waits for; None for neither."""
    halts = waits = None
    if pull.base != branch:
        halts = "was pointed at another branch"
    elif pull.reviews.changes_requested_by:
        halts = f"has changes requested by {', '.join(pull.reviews.changes_requested_by)}"
    elif pull.draft:
        halts = "was made a draft"
    elif pull.mergeable is False:
        halts = f"conflicts with {pull.base}"
    elif proposal.branch_head != pull.head:
        waits = "waits until GitHub has seen its head"
    elif pull.reviews.is_short:
        waits = "needs an approving review"
    elif pull.checks.failed or pull.checks.pending or pull.checks.missing:
        names = pull.checks.failed or (*pull.checks.pending, *pull.checks.missing)
        waits = f"waits for checks: {', '.join(names)}"
    elif pull.mergeable is None:
        waits = "waits until GitHub says whether it can be merged"
    return halts, waits


# --- pull requests of other releases ---------------------------------------------------------------------------------


def _superseded(
    policy: Policy, stage: Stage, observation: Observation, source: Running | None
) -> Iterable[ClosePromotion]:
    """Close open proposals for releases that are not the one before the stage any more: one PR, one release (I16)."""
    seen = observation.stage(stage.name)
    release = source.judgement.release if source is not None else None
    if release is None or isinstance(seen.tags, Trouble):
        return
    current = release_branch(policy.service, stage.name, release)
    for pull in seen.superseded:
        # What a person opened again is theirs (I7).
        if pull.branch != current and pull.reopened_by is None:
            reason = f"{_where(stage, observation)} {release.tag}; this pull request was for another release"
            yield ClosePromotion(
                stage=stage.name, number=pull.number, branch=pull.branch, reason=reason, is_superseded=True
            )


def _where(stage: Stage, observation: Observation) -> str:
    if stage.intake is not None:
        return "the registry has"
    names = carriers(stage, observation)
    return f"{join_words(names)} now {'run' if len(names) > 1 else 'runs'}"


def _arrival(seen: StageObservation, here: Running) -> Iterable[UpdatePromotion]:
    """Keep the evidence comment of the pull request that brought the running release up to date while it is watched."""
    release = here.judgement.release
    arrival = seen.arrival
    if release is None or not isinstance(arrival, Proposal) or arrival.pull is None:
        return
    yield UpdatePromotion(stage=seen.stage, number=arrival.pull.number, release=_of_arrival(arrival, release))


def _of_arrival(arrival: Proposal, running: Release) -> Release:
    return (Release.parse(arrival.release) if arrival.release else None) or running


def _look_again(judgements: Iterable[Judgement], actions: Iterable[Action], now: datetime) -> datetime:
    ends = [
        verdict.evidence.measured.window_end
        for judgement in judgements
        for verdict in judgement.verdicts
        if isinstance(verdict.evidence, MeasuredEvidence) and verdict.evidence.measured.window_end > now
    ]
    waits = [action.until for action in actions if isinstance(action, Wait) and action.until is not None]
    return min([now + _LOOK_AGAIN, *ends, *(until for until in waits if until > now)])
