"""How a proven release is proposed: as a draft early, as a pull request, or as a commit without one."""

from __future__ import annotations

from bot.domain.candidacy import Candidate, Case
from bot.domain.decision import CommitPromotion, OpenPromotion, State, Wait, WaitsOn
from bot.domain.merging import cooling_down, is_bound_to, moved
from bot.domain.model import Trouble
from bot.domain.naming import release_branch
from bot.domain.policy import Opens, Road
from bot.domain.pulls import Proposal
from bot.domain.text import format_instant


def opens_early(case: Case) -> bool:
    """Whether a draft is due: the release is live, nothing is in its way, and it is still being observed."""
    is_waited_for = case.source.judgement.state in {State.OBSERVING, State.CANNOT_TELL}
    return case.target.proposing.opens is Opens.EARLY and is_waited_for and may_show(case)


def may_show(case: Case) -> bool:
    """Whether a draft may be opened: the release is live, and all that the draft would say is known."""
    if case.target.proposing.by is not Road.PULL_REQUEST or case.open_pull is not None:
        return False
    is_known = not isinstance(case.seen.artifact, Trouble) and isinstance(case.seen.promotion, Proposal)
    is_free = case.running_there.judgement.state is not State.ROLLING_BACK
    return case.source.is_live and is_known and is_free


def early(case: Case, reason: str) -> tuple[OpenPromotion, ...]:
    """Open a draft where nothing stands against it; a branch that is not the bot's is told of when it matters."""
    if _foreign_branch(case) is not None or case.forge.openings_left == 0:
        return ()
    return (_opening(case, reason, is_draft=True),)


def to_propose(case: Case) -> Candidate | None:
    """Propose it by a pull request of its own, where there is none yet and nothing is in the way."""
    if case.seen.promotion is None:
        return case.answer(State.CANNOT_TELL, WaitsOn.PROMOTION, "pull requests were not looked at")
    if case.open_pull is not None:
        return None
    foreign = _foreign_branch(case)
    if foreign is not None:
        return case.halt(foreign)
    if case.forge.openings_left == 0:
        until = case.forge.next_opening
        when = f"; the next may be opened at {format_instant(until)}" if until is not None else ""
        reason = f"as many promotions were opened in {case.policy.gitops.repository} as an hour allows{when}"
        wait = Wait(stage=case.target.name, reason=reason, until=until)
        return case.answer(State.READY_TO_PROPOSE, WaitsOn.PROMOTION, reason, wait)
    if case.frozen is not None:
        # A draft is not merged by mistake, and people may look at it meanwhile.
        reason = case.frozen.reason
        return case.answer(State.FROZEN, WaitsOn.PROMOTION, reason, _opening(case, reason, is_draft=True))
    reason = case.why_proven
    return case.answer(State.READY_TO_PROPOSE, WaitsOn.PROMOTION, reason, _opening(case, reason, is_draft=False))


def _foreign_branch(case: Case) -> str | None:
    """Return why the branch that is there already cannot be used."""
    proposal = case.proposal
    if proposal.branch_head is None:
        return None
    if proposal.deviation is not None:
        return f"the branch {proposal.branch} exists and is not the bot's: {proposal.deviation}"
    if not is_bound_to(proposal, case.release):
        return f"the branch {proposal.branch} was made for other bytes: {moved(proposal, case.release)}"
    return None


def _opening(case: Case, reason: str, *, is_draft: bool) -> OpenPromotion:
    return OpenPromotion(
        stage=case.target.name,
        source_stage=case.source_stage,
        branch=release_branch(case.policy.service, case.target.name, case.release),
        release=case.release,
        replaces=case.replaces,
        reason=reason,
        is_draft=is_draft,
    )


# --- without a pull request ------------------------------------------------------------------------------------------


def for_a_commit(case: Case) -> Candidate | None:
    """Say what keeps a release from being set by a commit without a pull request."""
    pull = case.open_pull
    if pull is not None:
        reason = f"#{pull.number} is open for it: merge it, or close it and say /liftlock retry"
        return case.answer(State.WAITING_FOR_HUMAN, WaitsOn.HUMAN, reason)
    if case.had_before:
        reason = f"{case.target.name} had this release before, so only a person may set it there again"
        return case.answer(State.WAITING_FOR_HUMAN, WaitsOn.HUMAN, reason)
    if not case.forge.rules.takes_pushes:
        branch = case.policy.gitops.branch
        return case.halt(
            f"the branch {branch} takes no direct pushes of the bot: promote by pull-request, or allow them"
        )
    return cooling_down(case)


def commit(case: Case) -> Candidate:
    """Set it by a commit."""
    reason = case.why_proven
    action = CommitPromotion(
        stage=case.target.name,
        source_stage=case.source_stage,
        release=case.release,
        replaces=case.replaces,
        reason=reason,
    )
    return case.answer(State.READY_TO_MERGE, WaitsOn.PROMOTION, reason, action)
