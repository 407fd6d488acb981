"""Judge a release on its way into a stage: may it be proposed, merged, or must it wait, and for whom?

A ladder of early returns: what forbids the move comes first, then what it waits for, then the move itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.decision import (
    Action,
    ClosePromotion,
    Halt,
    Judgement,
    MergePromotion,
    OpenPromotion,
    State,
    UpdatePromotion,
    Wait,
    WaitsOn,
)
from bot.domain.model import Artifact, Release, TagHistory, Trouble
from bot.domain.naming import release_branch
from bot.domain.observation import Observation, StageObservation
from bot.domain.observed import quarantined_tags
from bot.domain.policy import Merge, Policy, Stage
from bot.domain.pulls import Proposal, Pull, PullState
from bot.domain.running import Running

_SHORT = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What became of the release that waits before a stage."""

    judgement: Judgement
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """Everything the rungs below look at: `source` is the running release of the stage before, `there` the target."""

    policy: Policy
    target: Stage
    source: Running
    seen: StageObservation
    there: TagHistory
    running_there: Running
    release: Release
    quarantine: Mapping[str, tuple[str, str]]

    @property
    def source_stage(self) -> str:
        return self.source.judgement.stage

    @property
    def replaces(self) -> Release:
        return Release(image=self.policy.image, tag=self.there.tag)

    @property
    def pull(self) -> Pull | None:
        return self.seen.promotion.pull if isinstance(self.seen.promotion, Proposal) else None

    @property
    def open_pull(self) -> Pull | None:
        pull = self.pull
        return pull if pull is not None and pull.state is PullState.OPEN else None


def judge_candidate(
    policy: Policy, target: Stage, observation: Observation, source: Running, running_there: Running
) -> Candidate | None:
    """Judge the release of the stage before `target`; None if that release is already there, or unknown."""
    seen = observation.stage(target.name)
    release = source.judgement.release
    if release is None or target.source is None:
        return None
    if isinstance(seen.tags, Trouble):
        return _blind(target, release, seen.tags)
    if release.tag == seen.tags.tag:
        return None
    if isinstance(seen.artifact, Artifact):
        release = Release(
            image=release.image, tag=release.tag, digest=seen.artifact.digest, revision=seen.artifact.revision
        )
    case = _Case(
        policy=policy,
        target=target,
        source=source,
        seen=seen,
        there=seen.tags,
        running_there=running_there,
        release=release,
        quarantine=quarantined_tags(observation),
    )
    for rung in (_forbidden, _not_proven, _unknown, _to_propose, _not_mergeable, _for_a_person):
        answer = rung(case)
        if answer is not None:
            return answer
    return _merge(case)


# --- what the answers look like --------------------------------------------------------------------------------------


def _blind(target: Stage, release: Release, trouble: Trouble) -> Candidate:
    reason = f"{trouble.system}: {trouble.sentence}"
    judgement = Judgement(
        stage=target.name,
        role="candidate",
        release=release,
        state=State.CANNOT_TELL,
        waits_on=WaitsOn.PROMOTION,
        reason=reason,
    )
    return Candidate(judgement=judgement, actions=(Wait(stage=target.name, reason=reason),))


def _answer(case: _Case, state: State, waits_on: WaitsOn, reason: str, *actions: Action) -> Candidate:
    pull = case.pull
    judgement = Judgement(
        stage=case.target.name,
        role="candidate",
        release=case.release,
        state=state,
        waits_on=waits_on,
        reason=reason,
        pull=pull.number if pull is not None else None,
    )
    if not actions:
        actions = (Wait(stage=case.target.name, reason=reason),)
    if case.open_pull is not None and not any(isinstance(action, ClosePromotion) for action in actions):
        update = UpdatePromotion(stage=case.target.name, number=case.open_pull.number, release=case.release)
        actions = (update, *actions)
    return Candidate(judgement=judgement, actions=actions)


def _withdraw(case: _Case, reason: str) -> tuple[ClosePromotion, ...]:
    pull = case.open_pull
    if pull is None:
        return ()
    return (ClosePromotion(stage=case.target.name, number=pull.number, branch=pull.branch, reason=reason),)


def _halt(case: _Case, reason: str) -> Candidate:
    return _answer(case, State.HALTED, WaitsOn.HUMAN, reason, Halt(stage=case.target.name, reason=reason))


# --- the rungs -------------------------------------------------------------------------------------------------------


def _forbidden(case: _Case) -> Candidate | None:
    reverted = case.quarantine.get(case.release.tag)
    if reverted is not None:
        stage, commit = reverted
        reason = f"it was rolled back from {stage} by {commit[:_SHORT]}; only a person may move it there again"
        return _answer(case, State.QUARANTINED, WaitsOn.HUMAN, reason, *_withdraw(case, reason))
    if isinstance(case.seen.promotion, Trouble):
        trouble = case.seen.promotion
        return _answer(case, State.CANNOT_TELL, WaitsOn.PROMOTION, f"{trouble.system}: {trouble.sentence}")
    pull = case.pull
    if pull is not None and pull.state is PullState.CLOSED and not pull.closed_by_bot:
        who = pull.closed_by or "someone"
        reason = f"#{pull.number} was closed by {who} without a merge, which rejects this release"
        return _answer(case, State.REJECTED_BY_HUMAN, WaitsOn.HUMAN, reason)
    if pull is not None and pull.state is PullState.MERGED:
        reason = (
            f"#{pull.number} was merged, but {case.target.name} says {case.there.tag}: "
            "either the merge has not reached the mirror yet, or someone changed the tag since"
        )
        return _answer(case, State.WAITING_FOR_HUMAN, WaitsOn.HUMAN, reason)
    return None


def _not_proven(case: _Case) -> Candidate | None:
    source = case.source.judgement
    if case.source.is_proven:
        return None
    reason = f"{case.source_stage}: {source.reason}"
    if source.state is State.UNHEALTHY:
        return _answer(case, State.UNHEALTHY, WaitsOn.HUMAN, reason, *_withdraw(case, reason))
    return _answer(case, source.state, source.waits_on, reason)


def _unknown(case: _Case) -> Candidate | None:
    if case.running_there.judgement.state is State.ROLLING_BACK:
        reason = f"{case.target.name} is being rolled back first"
        return _answer(case, State.HALTED, WaitsOn.RUNTIME, reason)
    if isinstance(case.seen.artifact, Trouble):
        trouble = case.seen.artifact
        reason = f"the registry could not say which bytes the tag means: {trouble.sentence}"
        return _answer(case, State.CANNOT_TELL, WaitsOn.BUILD, reason)
    return None


def _to_propose(case: _Case) -> Candidate | None:
    proposal = case.seen.promotion
    if proposal is None:
        return _answer(case, State.CANNOT_TELL, WaitsOn.PROMOTION, "pull requests were not looked at")
    assert isinstance(proposal, Proposal)  # noqa: S101 - Trouble was answered by the first rung
    if case.open_pull is not None:
        return None
    if proposal.branch_head is not None and proposal.deviation is not None:
        return _halt(case, f"the branch {proposal.branch} exists and is not the bot's: {proposal.deviation}")
    if proposal.branch_head is not None and not _names_release(proposal, case.release):
        return _halt(case, f"the branch {proposal.branch} was made for other bytes: {_moved(proposal, case.release)}")
    reason = f"{case.source_stage}: {case.source.judgement.reason}"
    action = OpenPromotion(
        stage=case.target.name,
        source_stage=case.source_stage,
        branch=release_branch(case.policy.service, case.target.name, case.release),
        release=case.release,
        replaces=case.replaces,
        reason=reason,
    )
    return _answer(case, State.READY_TO_PROPOSE, WaitsOn.PROMOTION, reason, action)


def _not_mergeable(case: _Case) -> Candidate | None:
    proposal, pull = case.seen.promotion, case.open_pull
    assert isinstance(proposal, Proposal)  # noqa: S101 - the rungs above answered otherwise
    assert pull is not None  # noqa: S101 - likewise
    if proposal.branch_head != pull.head:
        reason = f"GitHub has yet to see #{pull.number}'s head"
        return _answer(case, State.WAITING_FOR_CHECKS, WaitsOn.PROMOTION, reason)
    if proposal.deviation is not None:
        reason = f"#{pull.number} is not exactly the planned edit, so only a person may merge it: {proposal.deviation}"
        return _halt(case, reason)
    if pull.base != case.policy.gitops.branch:
        return _halt(case, f"#{pull.number} was pointed at another branch, so only a person may merge it")
    if not _names_release(proposal, case.release):
        reason = f"#{pull.number} was made for other bytes than the tag means now: {_moved(proposal, case.release)}"
        return _halt(case, reason)
    return _conflicting(case, pull)


def _conflicting(case: _Case, pull: Pull) -> Candidate | None:
    if pull.mergeable is None:
        reason = f"GitHub is still computing whether #{pull.number} can be merged"
        return _answer(case, State.WAITING_FOR_CHECKS, WaitsOn.PROMOTION, reason)
    if not pull.mergeable:
        reason = f"#{pull.number} conflicts with {pull.base}: resolve it and merge by hand, or close it"
        return _halt(case, reason)
    return None


def _for_a_person(case: _Case) -> Candidate | None:
    pull = case.open_pull
    assert pull is not None  # noqa: S101 - the rungs above answered otherwise
    if pull.draft:
        return _answer(case, State.WAITING_FOR_HUMAN, WaitsOn.HUMAN, f"#{pull.number} is a draft")
    if pull.reviews.changes_requested_by:
        who = ", ".join(pull.reviews.changes_requested_by)
        return _answer(case, State.WAITING_FOR_HUMAN, WaitsOn.HUMAN, f"{who} asked for changes on #{pull.number}")
    if pull.checks.failed or pull.checks.pending:
        word, names = ("failed", pull.checks.failed) if pull.checks.failed else ("not done", pull.checks.pending)
        reason = f"checks {word} on #{pull.number}: {', '.join(names)}"
        return _answer(case, State.WAITING_FOR_CHECKS, WaitsOn.PROMOTION, reason)
    if case.target.merge is Merge.HUMAN:
        reason = f"the policy leaves the merge of #{pull.number} to a person"
        return _answer(case, State.WAITING_FOR_HUMAN, WaitsOn.HUMAN, reason)
    if any(change.new == case.release.tag for change in case.there.changes):
        reason = f"{case.target.name} had this release before, so only a person may merge #{pull.number}"
        return _answer(case, State.WAITING_FOR_HUMAN, WaitsOn.HUMAN, reason)
    return None


def _merge(case: _Case) -> Candidate:
    pull = case.open_pull
    assert pull is not None  # noqa: S101 - the rungs above answered otherwise
    reason = f"{case.source_stage}: {case.source.judgement.reason}"
    action = MergePromotion(
        stage=case.target.name,
        number=pull.number,
        branch=pull.branch,
        head=pull.head,
        release=case.release,
        replaces=case.replaces,
        reason=reason,
    )
    return _answer(case, State.READY_TO_MERGE, WaitsOn.PROMOTION, reason, action)


# --- which bytes a proposal is bound to (I16) ------------------------------------------------------------------------


def _names_release(proposal: Proposal, release: Release) -> bool:
    """Say whether the proposal's commit names this release; without any name in it, it is not bound to it."""
    named = proposal.release
    if named is None:
        return False
    return named == release.name or (release.digest is None and named.partition("@")[0] == release.name)


def _moved(proposal: Proposal, release: Release) -> str:
    return f"the commit names {proposal.release or 'no release'}, the registry now says {release.name}"
