"""The rungs of an open pull request: is it exactly the planned edit, who is it waiting for, and how is it merged?"""

from __future__ import annotations

from bot.domain.approvals import sentence_of
from bot.domain.candidacy import Candidate, Case
from bot.domain.commands import Verb
from bot.domain.decision import ReadyPromotion, RemakePromotion, State, Wait, WaitsOn
from bot.domain.model import Release
from bot.domain.naming import check_name
from bot.domain.observation import ForgeFacts
from bot.domain.observed import is_revert
from bot.domain.policy import AutoMerge, Merge, Stage
from bot.domain.pulls import MergeRoad, Proposal, Pull
from bot.domain.text import format_instant


def _pull(case: Case) -> Pull:
    pull = case.open_pull
    assert pull is not None  # noqa: S101 - the rungs before have proposed otherwise
    return pull


# --- is it the time ---------------------------------------------------------------------------------------------------


def frozen(case: Case) -> Candidate | None:
    """Nothing moves while the calendar is closed, unless a person overrides that."""
    closed = case.frozen
    if closed is None:
        return None
    wait = Wait(stage=case.target.name, reason=closed.reason, until=closed.until)
    return case.answer(State.FROZEN, WaitsOn.PROMOTION, closed.reason, wait)


def _frozen_proposal(case: Case) -> Candidate | None:
    """Meanwhile a draft stays one, and nothing is made anew; what only a person can mend is told at once.

    It comes before all that a ready proposal waits for: its check must not pass, or the forge could merge it for
    somebody who has armed that.
    """
    if case.frozen is None:
        return None
    answers = (rung(case) for rung in (_not_planned, _not_bound))
    halted = next((one for one in answers if one is not None and one.judgement.state is State.HALTED), None)
    return halted or frozen(case)


# --- is it the planned edit ------------------------------------------------------------------------------------------


def _not_planned(case: Case) -> Candidate | None:
    proposal, pull = case.proposal, _pull(case)
    if proposal.branch_head != pull.head:
        return case.answer(State.WAITING_FOR_CHECKS, WaitsOn.PROMOTION, f"GitHub has yet to see #{pull.number}'s head")
    if proposal.deviation is not None:
        reason = f"#{pull.number} is not exactly the planned edit, so only a person may merge it: {proposal.deviation}"
        return case.halt(reason)
    if pull.base != case.policy.gitops.branch:
        return case.halt(f"#{pull.number} was pointed at another branch, so only a person may merge it")
    return None


def _not_bound(case: Case) -> Candidate | None:
    """Is it for the very bytes that were observed (I16)?"""
    proposal, pull = case.proposal, _pull(case)
    if _lacks_digest(case):
        what = f"#{pull.number} was made before the digest of {case.release.tag} was known"
        return case.answer(State.WAITING_FOR_CHECKS, WaitsOn.PROMOTION, what, _remake(case, what))
    if proposal.release is None:
        return case.halt(f"a commit on #{pull.number} is not the bot's, so only a person may merge it")
    if not is_bound_to(proposal, case.release):
        reason = f"#{pull.number} was made for other bytes than the tag means now: {moved(proposal, case.release)}"
        return case.halt(reason)
    return None


def _lacks_digest(case: Case) -> bool:
    """Whether the bot's own head names the very tag without the digest that is known by now."""
    plain = Release(image=case.release.image, tag=case.release.tag)
    return case.release.digest is not None and case.proposal.release == plain.name and case.proposal.is_own_head


def _remake(case: Case, what: str) -> RemakePromotion:
    pull = _pull(case)
    return RemakePromotion(
        stage=case.target.name,
        source_stage=case.source_stage,
        number=pull.number,
        branch=pull.branch,
        head=pull.head,
        release=case.release,
        replaces=case.replaces,
        reason=f"{what}; it is made anew",
    )


def _out_of_date(case: Case) -> Candidate | None:
    """Make it anew where the base has moved under the edit; never where a person has pushed to it (I7)."""
    proposal, pull = case.proposal, _pull(case)
    if proposal.base_moved:
        return _anew(case, f"{' or '.join(case.target.files)} has changed in {pull.base} since #{pull.number} was made")
    if pull.mergeable is False and not proposal.is_current:
        return _anew(case, f"#{pull.number} conflicts with {pull.base}")
    # What forks at the base's very head conflicts with nothing: the forge has not looked again yet. What is armed or
    # queued stays so meanwhile, or it would be taken back at every push to the base.
    if pull.mergeable or case.is_armed:
        return None
    reason = f"GitHub is still computing whether #{pull.number} can be merged"
    return case.answer(State.WAITING_FOR_CHECKS, WaitsOn.PROMOTION, reason)


def _behind(case: Case) -> Candidate | None:
    """Bring it up to date where the branch demands that; last, since a new head takes reviews and approvals away."""
    return None if _pull(case).reviews.is_short else _brought_up_to_date(case)


def _brought_up_to_date(case: Case) -> Candidate | None:
    pull = _pull(case)
    if not pull.is_behind or case.proposal.is_current:
        return None
    return _anew(case, f"#{pull.number} is behind {pull.base}, which must not be")


def _anew(case: Case, what: str) -> Candidate:
    if not case.proposal.is_own_head:
        return case.halt(f"{what}, and somebody has pushed to it: resolve it and merge by hand, or close it")
    action = _remake(case, what)
    return case.answer(State.WAITING_FOR_CHECKS, WaitsOn.PROMOTION, action.reason, action)


# --- whom it waits for -----------------------------------------------------------------------------------------------


def _own_draft(case: Case) -> Candidate | None:
    pull = _pull(case)
    if not pull.draft:
        return None
    reason = case.why_proven
    action = ReadyPromotion(stage=case.target.name, number=pull.number, reason=reason)
    return case.answer(State.READY_TO_PROPOSE, WaitsOn.PROMOTION, reason, action)


def _objections(case: Case) -> Candidate | None:
    pull = _pull(case)
    if pull.reviews.changes_requested_by:
        who = ", ".join(pull.reviews.changes_requested_by)
        return case.answer(State.WAITING_FOR_HUMAN, WaitsOn.HUMAN, f"{who} asked for changes on #{pull.number}")
    if pull.checks.failed:
        reason = f"checks failed on #{pull.number}: {', '.join(pull.checks.failed)}"
        return case.answer(State.WAITING_FOR_CHECKS, WaitsOn.PROMOTION, reason)
    return None


def _not_approved(case: Case) -> Candidate | None:
    """Nothing merges it before as many people have approved this very head as the policy asks for.

    Where it is behind and nobody has approved it yet, it is brought up to date before they do: approvals are of one
    head.
    """
    tally, pull = case.approvals, _pull(case)
    if tally is None or tally.is_enough:
        return None
    stale = None if tally.given else _brought_up_to_date(case)
    if stale is not None:
        return stale
    state = State.CANNOT_TELL if tally.trouble else State.WAITING_FOR_REVIEW
    return case.answer(state, WaitsOn.HUMAN, sentence_of(tally, pull.number))


def _under_way_by_others(case: Case) -> Candidate | None:
    """A person has handed it to the forge: nobody has to act, also where the policy leaves the merge to people."""
    pull = _pull(case)
    if pull.is_queued and not pull.queued_by_bot:
        return case.answer(State.WAITING_TO_BE_MERGED, WaitsOn.PROMOTION, _in_queue(pull))
    if pull.armed_by is None or pull.armed_by_bot or not (pull.checks.pending or pull.checks.missing):
        return None
    reason = f"{pull.armed_by} armed auto-merge on #{pull.number}: GitHub merges it when its checks are green"
    return case.answer(State.WAITING_TO_BE_MERGED, WaitsOn.PROMOTION, reason)


def _left_to_people(case: Case) -> Candidate | None:
    pull = _pull(case)
    is_approved = case.approved is not None
    if case.target.merge is Merge.HUMAN and not is_approved:
        reason = f"the policy leaves the merge of #{pull.number} to a person{_outdated(case)}"
        return case.answer(State.WAITING_FOR_HUMAN, WaitsOn.HUMAN, reason)
    if case.had_before and not is_approved:
        reason = f"{case.target.name} had this release before, so only a person may merge #{pull.number}"
        reason += _outdated(case)
        return case.answer(State.WAITING_FOR_HUMAN, WaitsOn.HUMAN, reason)
    return None


def cooling_down(case: Case) -> Candidate | None:
    """After a rollback nothing is merged for a while, unless a person says so: what proved the last one was wrong."""
    last, rollback = case.there.introduced, case.target.rollback
    if rollback is None or not is_revert(last) or case.approved is not None:
        return None
    until = last.at + rollback.cool_down
    if case.now >= until:
        return None
    taken = f" of {last.old}" if last.old else ""
    reason = f"{case.target.name} cools down until {format_instant(until)}, after the rollback{taken}"
    wait = Wait(stage=case.target.name, reason=reason, until=until)
    return case.answer(State.COOLING_DOWN, WaitsOn.PROMOTION, reason, wait)


def _outdated(case: Case) -> str:
    """Say whose approval an older head or another policy took with it: it was bound to that one."""
    order, pull = case.standing.outdated, _pull(case)
    void = next((one for one in case.standing.void if one.kind is Verb.APPROVE), None)
    if void is not None:
        return f"; {void.by_login} approved under another policy"
    if order is None or order.head is None:
        return ""
    return f"; the approval of {order.by_login} was for {order.head[:7]}, and the head is {pull.head[:7]} now"


def _in_queue(pull: Pull) -> str:
    return f"#{pull.number} is in the merge queue"


def _for_the_forge(case: Case) -> Candidate | None:
    """What the forge still waits for; there the policy may have its auto-merge armed."""
    pull = _pull(case)
    if pull.is_queued:
        return case.answer(State.WAITING_TO_BE_MERGED, WaitsOn.PROMOTION, _in_queue(pull))
    state, reason = _missing(pull)
    if state is None:
        return None
    refusal = why_not_armed(case.target, case.policy.gitops.branch, case.forge)
    if refusal is None and pull.armed_by_bot:
        return case.answer(State.WAITING_TO_BE_MERGED, WaitsOn.PROMOTION, f"{reason}; auto-merge is armed")
    if refusal is None:
        # The forge makes the commit with the text that it is given now, which says why the release may move.
        action = case.merge(pull.head, case.why_proven, MergeRoad.ARM)
        return case.answer(State.WAITING_TO_BE_MERGED, WaitsOn.PROMOTION, reason, action)
    told = f"{reason}; {refusal}" if refusal else reason
    return case.answer(state, WaitsOn.HUMAN if state is State.WAITING_FOR_REVIEW else WaitsOn.PROMOTION, told)


def _missing(pull: Pull) -> tuple[State | None, str]:
    """Return what the branch demands that is not there yet."""
    if pull.reviews.is_short:
        return State.WAITING_FOR_REVIEW, f"#{pull.number} needs an approving review"
    names = (*pull.checks.pending, *pull.checks.missing)
    if names:
        return State.WAITING_FOR_CHECKS, f"checks not done on #{pull.number}: {', '.join(names)}"
    return None, ""


def why_not_armed(target: Stage, branch: str, forge: ForgeFacts) -> str | None:
    """Return why the forge's auto-merge is not used; empty where the policy does not ask for it, None if it may be.

    Between arming and merging nobody looks at the gates, so the branch must require the bot's own check, and from this
    very app: any other could report a check of the same name.
    """
    wanted, rules = target.proposing.auto_merge, forge.rules
    if wanted is AutoMerge.NEVER:
        return ""
    if not rules.may_arm:
        return "the repository does not allow auto-merge"
    if wanted is AutoMerge.ANY:
        return None
    name = check_name(target.name)
    required = [check for check in rules.required_checks if check.name == name]
    if not required:
        return f"auto-merge is not used: {branch} does not require the check {name}"
    if forge.own_app_id is None or any(check.app_id != forge.own_app_id for check in required):
        return f"auto-merge is not used: the check {name} is not bound to this app"
    return None


# --- merge it --------------------------------------------------------------------------------------------------------


def merge_now(case: Case) -> Candidate:
    """Merge it, or ask the merge queue to where merges go through one."""
    pull, reason = _pull(case), case.why_proven
    road = MergeRoad.QUEUE if case.forge.rules.has_queue else MergeRoad.NOW
    return case.answer(State.READY_TO_MERGE, WaitsOn.PROMOTION, reason, case.merge(pull.head, reason, road))


RUNGS = (
    _frozen_proposal,
    _not_planned,
    _not_bound,
    _out_of_date,
    _own_draft,
    _objections,
    _not_approved,
    _under_way_by_others,
    _left_to_people,
    cooling_down,
    _behind,
    _for_the_forge,
)


# --- which bytes a proposal is bound to (I16) ------------------------------------------------------------------------


def is_bound_to(proposal: Proposal, release: Release) -> bool:
    """Say whether the proposal's commit names this release; without any name in it, it is not bound to it."""
    named = proposal.release
    if named is None:
        return False
    return named == release.name or (release.digest is None and named.partition("@")[0] == release.name)


def moved(proposal: Proposal, release: Release) -> str:
    """Say which bytes a proposal was made for, and which the tag means now."""
    return f"the commit names {proposal.release or 'no release'}, the registry now says {release.name}"
