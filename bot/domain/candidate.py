"""Judge a release on its way into a stage: may it be proposed, merged, or must it wait, and for whom?

A ladder of early returns: what forbids the move comes first, then what it waits for, then the move itself. What
concerns an open pull request is in `bot.domain.merging`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from bot.domain.candidacy import HOLD_LABEL, Candidate, Case, blind
from bot.domain.decision import ClosePromotion, RollBack, State, Wait, WaitsOn
from bot.domain.gates.artifact import judge_artifact, subject_of
from bot.domain.joining import any_of
from bot.domain.merging import RUNGS, frozen, merge_now
from bot.domain.model import Artifact, Digest, Offer, Release, TagHistory, Trouble
from bot.domain.observation import ForgeFacts, Observation, StageObservation
from bot.domain.observed import carriers, quarantined_tags, running_release
from bot.domain.opening import commit, early, for_a_commit, may_show, opens_early, to_propose
from bot.domain.orders import Standing, lifted_tags, standing
from bot.domain.policy import Policy, Road, Stage
from bot.domain.pulls import Proposal, Pull, PullState
from bot.domain.running import Running
from bot.domain.stops import hold_of
from bot.domain.text import format_duration, format_instant, one_line
from bot.domain.verdicts import VerdictKind, worst

_SHORT = 7
_DIGEST = len("sha256:") + 12


def judge_candidate(
    policy: Policy,
    target: Stage,
    observation: Observation,
    source: Running,
    running: Mapping[str, Running],
    now: datetime,
) -> Candidate | None:
    """Judge the release of the stage before `target`; None if that release is already there, or unknown.

    `source` is what speaks for the stages before it, `running` what this same decision says of each stage.
    """
    seen = observation.stage(target.name)
    release = source.judgement.release
    if release is None or target.source is None:
        return None
    if isinstance(seen.tags, Trouble):
        return blind(target, release, seen.tags)
    if release.tag == seen.tags.tag:
        return None
    release = _named(release, seen)
    case = Case(
        policy=policy,
        target=target,
        source=source,
        seen=seen,
        there=seen.tags,
        running_there=running[target.name],
        release=release,
        quarantine=quarantined_tags(observation),
        forge=observation.forge or ForgeFacts(),
        standing=_standing(policy, seen, observation, release),
        lifted=lifted_tags(observation.orders, policy.service).get(release.tag),
        trust=judge_artifact(target.artifact, subject_of(seen, release, now)),
        stop=hold_of(observation.stops, policy.service, target.name),
        is_new=not isinstance(observation.offer, Offer) or observation.offer.is_new,
        sources=carriers(target, observation),
        observed_before=tuple(_observed_before(policy, target, observation)),
        policy_since=observation.policy_since,
        leaving=_left(release, running),
        now=now,
    )
    return _climb(_with_the_first_proof(case, any_of(target, running)))


def _named(release: Release, seen: StageObservation) -> Release:
    """Return a release as the registry names it now, with digest and source commit."""
    if not isinstance(seen.artifact, Artifact):
        return release
    return Release(image=release.image, tag=release.tag, digest=seen.artifact.digest, revision=seen.artifact.revision)


def _standing(policy: Policy, seen: StageObservation, observation: Observation, release: Release) -> Standing:
    """Say what people have commanded of a release in a stage, at the head of its pull request, that still stands."""
    return standing(
        observation.orders,
        service=policy.service,
        stage=seen.stage,
        release=release.name,
        head=seen.promotion.branch_head if isinstance(seen.promotion, Proposal) else None,
        policy_since=observation.policy_since,
    )


def _climb(case: Case) -> Candidate:
    """Return the answer of the first rung that has one; the move itself where none is in the way."""
    road = case.target.proposing.by
    rungs = (
        *(_forbidden, _leaving, _rejected, _held, _apart, _moved_bytes, _not_trusted),
        *(_set_by_a_person, _not_proven, _unknown, _not_verified, _paused),
        *_ROADS[road],
    )
    for rung in rungs:
        answer = rung(case)
        if answer is not None:
            return answer
    return commit(case) if road is Road.COMMIT else merge_now(case)


def _left(release: Release, running: Mapping[str, Running]) -> str:
    """Name a stage that this same decision takes the release out of."""
    taken = (
        name
        for name, run in running.items()
        for action in run.actions
        if isinstance(action, RollBack) and action.release.tag == release.tag
    )
    return next(taken, "")


def _with_the_first_proof(case: Case, enough: Sequence[Running]) -> Case:
    """Where one proof is enough, let the stage speak that had it first, also by what a person overrode there."""
    cases = [replace(case, source=one) for one in enough if one.judgement.stage in case.sources]
    proven = [one for one in cases if one.is_proven]
    return min(proven, key=lambda one: one.source.window_end or one.now, default=case)


def _observed_before(policy: Policy, target: Stage, observation: Observation) -> Iterable[tuple[str, Digest]]:
    """Give which bytes ran in each stage before, and which it has verified of the release that is set there.

    Each look at a tag may find others; whoever may push could have one set verified and another one moved.
    """
    for name in carriers(target, observation):
        before, seen = policy.stage(name), observation.stage(name)
        ran = running_release(policy, seen.tags) if isinstance(seen.tags, TagHistory) else None
        if ran is not None and ran.digest is not None:
            yield name, ran.digest
        artifact = seen.artifact if before.source is None else None
        if before.intake is not None and seen.set_there is not None:
            artifact = seen.set_there.artifact
        if before.artifact and isinstance(artifact, Artifact):
            yield name, artifact.digest


# --- what forbids the move -------------------------------------------------------------------------------------------


def _forbidden(case: Case) -> Candidate | None:
    reverted = case.quarantine.get(case.release.tag)
    if reverted is not None:
        stage, commit = reverted
        reason = f"it was rolled back from {stage} by {commit[:_SHORT]}; only a person may move it there again"
        return case.answer(State.QUARANTINED, WaitsOn.HUMAN, reason, *_unless_reopened(case, reason))
    if isinstance(case.seen.promotion, Trouble):
        trouble = case.seen.promotion
        return case.answer(State.CANNOT_TELL, WaitsOn.PROMOTION, f"{trouble.system}: {trouble.sentence}")
    pull = case.pull
    if pull is not None and pull.state is PullState.MERGED and not _was_freed_since(case, pull):
        reason = (
            f"#{pull.number} was merged, but {case.target.name} says {case.there.tag}: "
            "either the merge has not reached the mirror yet, or someone changed the tag since"
        )
        return case.answer(State.WAITING_FOR_HUMAN, WaitsOn.HUMAN, reason)
    return None


def _was_freed_since(case: Case, merged: Pull) -> bool:
    """Whether a person has lifted the quarantine since: then what was merged was taken back, and is proposed anew."""
    return case.lifted is not None and merged.closed_at is not None and case.lifted > merged.closed_at


def _leaving(case: Case) -> Candidate | None:
    """What is being taken back somewhere enters no stage any more: by the next look it is quarantined."""
    if not case.leaving:
        return None
    return case.answer(State.HALTED, WaitsOn.RUNTIME, f"it is being taken back out of {case.leaving}")


def _rejected(case: Case) -> Candidate | None:
    """A release that a person closed or rejected waits until a person says otherwise."""
    order = case.standing.rejected
    if order is not None:
        reason = f"{order.by_login} rejected this release: {order.reason}"
        return case.answer(State.REJECTED_BY_HUMAN, WaitsOn.HUMAN, reason, *_unless_reopened(case, reason))
    pull = case.pull
    if pull is None or pull.state is not PullState.CLOSED or pull.closed_by_bot or _is_lifted(case, pull):
        return None
    who = pull.closed_by or "someone"
    reason = f"#{pull.number} was closed by {who} without a merge, which rejects this release"
    return case.answer(State.REJECTED_BY_HUMAN, WaitsOn.HUMAN, reason)


def _unless_reopened(case: Case, reason: str) -> tuple[ClosePromotion, ...]:
    """Withdraw it, unless a person has opened it again: it stays open then, and is not merged (I7)."""
    pull = case.open_pull
    return () if pull is not None and pull.reopened_by is not None else case.withdrawal(reason)


def _is_lifted(case: Case, pull: Pull) -> bool:
    """Whether a person has asked to try it again after it was closed."""
    retried = case.standing.retried
    return retried is not None and (pull.closed_at is None or retried.at >= pull.closed_at)


def _held(case: Case) -> Candidate | None:
    order, pull = case.standing.hold, case.open_pull
    reason = None
    if case.stop is not None:
        reason = case.stop.sentence
    elif order is not None:
        reason = f"{order.by_login} holds {case.target.name}: {order.reason}"
    elif pull is not None and HOLD_LABEL in pull.labels:
        reason = f"#{pull.number} has the label {HOLD_LABEL}; take it off to go on"
    elif pull is not None and pull.draft and pull.draft_by is not None:
        reason = f"{pull.draft_by} made #{pull.number} a draft; mark it ready to go on"
    if reason is None:
        return None
    # People resume where they read of it, so a draft is opened for that as well: but not of what is another's.
    is_trusted = all(one.kind is not VerdictKind.UNHEALTHY for one in case.unverified)
    actions = early(case, reason) if is_trusted and may_show(case) else ()
    return case.answer(State.HELD_BY_HUMAN, WaitsOn.HUMAN, reason, *actions)


def _apart(case: Case) -> Candidate | None:
    """Somebody has set one of the values that move together by hand: that is not undone (I7)."""
    apart = case.seen.apart
    if isinstance(apart, Trouble):
        return case.answer(State.CANNOT_TELL, WaitsOn.PROMOTION, f"{apart.system}: {apart.sentence}")
    return case.halt(f"{case.target.name}: {apart}") if apart else None


def _not_trusted(case: Case) -> Candidate | None:
    """What is proven to be another's, or not to be so, must not move; whatever the numbers say."""
    against = [one for one in case.unverified if one.kind is VerdictKind.UNHEALTHY]
    if not against:
        return None
    reason = f"{against[0].gate}: {against[0].reason}{case.said_of_void(against[:1])}"
    closes = () if _stays_open(case.open_pull) else case.withdrawal(reason)
    return case.answer(State.NOT_TRUSTED, WaitsOn.HUMAN, reason, *closes)


def _not_verified(case: Case) -> Candidate | None:
    """What is not proven yet may come yet; what cannot be asked for is never taken for proven (I11)."""
    if not case.unverified:
        return None
    first = worst(case.unverified)
    is_asked = first.kind is VerdictKind.CANNOT_TELL
    state = State.CANNOT_TELL if is_asked else State.WAITING_FOR_BUILD
    return case.answer(state, WaitsOn.BUILD, f"{first.gate}: {first.reason}{case.said_of_void([first])}")


def _set_by_a_person(case: Case) -> Candidate | None:
    """What a person set stays until the registry has something newer than their word, or they say to go on (I7)."""
    if case.target.intake is None or not case.there.changes:
        return None
    change, retried = case.there.introduced, case.standing.retried
    is_freed = retried is not None and retried.at > change.at
    if change.trailers is not None or case.is_new or is_freed:
        return None
    who = one_line(change.author, limit=60)
    had = f"{who} set {case.target.name} to {case.there.tag} when the registry had {case.release.tag} already"
    reason = f"{had}: set that there to go on, or wait for the next one"
    return case.answer(State.WAITING_FOR_HUMAN, WaitsOn.HUMAN, reason)


def _not_proven(case: Case) -> Candidate | None:
    source = case.source.judgement
    if case.is_proven:
        return None
    reason = f"{case.source_stage}: {source.reason}{case.said_of_void(source.verdicts)}"
    if source.state is State.UNHEALTHY:
        closes = () if _stays_open(case.open_pull) else case.withdrawal(reason)
        return case.answer(State.UNHEALTHY, WaitsOn.HUMAN, reason, *closes)
    if opens_early(case):
        return case.answer(source.state, source.waits_on, reason, *early(case, reason))
    return case.answer(source.state, source.waits_on, reason)


def _paused(case: Case) -> Candidate | None:
    """Between two stages the policy may want time in which nothing moves; the gates go on being judged meanwhile."""
    pause, end = case.target.proposing.pause, case.source.window_end
    approved = case.approved
    is_ended = approved is not None and end is not None and approved.at >= end
    if not pause or end is None or is_ended or case.now >= end + pause:
        return None
    until = end + pause
    passed = f"it has passed {case.source_stage} and pauses for {format_duration(pause)}"
    reason = f"{passed}, until {format_instant(until)}"
    shows = early(case, reason) if may_show(case) else ()
    return case.answer(
        State.PAUSED, WaitsOn.PROMOTION, reason, *shows, Wait(stage=case.target.name, reason=reason, until=until)
    )


def _stays_open(pull: Pull | None) -> bool:
    """A draft cannot be merged by mistake, and a person who opened it again knows what they do (I7)."""
    return pull is not None and (pull.draft or pull.reopened_by is not None)


def _unknown(case: Case) -> Candidate | None:
    if case.running_there.judgement.state is State.ROLLING_BACK:
        reason = f"{case.target.name} is being rolled back first"
        return case.answer(State.HALTED, WaitsOn.RUNTIME, reason)
    if isinstance(case.seen.artifact, Trouble):
        trouble = case.seen.artifact
        reason = f"the registry could not say which bytes the tag means: {trouble.sentence}"
        return case.answer(State.CANNOT_TELL, WaitsOn.BUILD, reason)
    return None


def _moved_bytes(case: Case) -> Candidate | None:
    """The evidence is of the bytes that ran in the stage before; a tag that was set anew since means others (I16)."""
    artifact = case.seen.artifact
    if not isinstance(artifact, Artifact):
        return None
    seen = list(case.observed_before)
    if artifact.first_digest is not None:
        seen.append((artifact.first_in or case.source_stage, artifact.first_digest))
    other = next(((name, digest) for name, digest in seen if digest != artifact.digest), None)
    if other is None:
        return None
    what = f"the tag {case.release.tag} means {artifact.digest[:_DIGEST]} now"
    return case.halt(f"{what}, and {other[1][:_DIGEST]} was observed in {other[0]}: build a release of its own")


_ROADS = {Road.PULL_REQUEST: (to_propose, *RUNGS), Road.COMMIT: (for_a_commit, frozen)}
