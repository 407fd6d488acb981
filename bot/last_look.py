"""The last look at a pull request before the bot merges it: what was decided may be true no more (I2)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.domain.approvals import still_missing
from bot.domain.calendar import GATE as CALENDAR
from bot.domain.calendar import Closed, judge_calendar
from bot.domain.candidacy import HOLD_LABEL
from bot.domain.decision import MergePromotion
from bot.domain.naming import check_name
from bot.domain.orders import standing
from bot.domain.pulls import MergeRoad, Pull, PullState, without_own
from bot.domain.text import count_of
from bot.forge import Urgency
from bot.hearing import commands_wait
from bot.making import Maker
from bot.observe import World
from bot.ports import Conflict
from bot.proposals import Branch, examine

_SHORT = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class LastLook:
    """What is asked again at the moment of a merge, or of a commit without a pull request."""

    world: World
    maker: Maker

    def check(self, action: MergePromotion) -> None:
        """Look again at this very moment (I2): the head, what people said since, the diff, and the file in the base."""
        pull = self.world.merging.look_again(self.maker.repository, action.number, urgency_of(action))
        pull = replace(pull, checks=without_own(pull.checks, check_name(action.stage)))
        waits_for_checks = action.road is MergeRoad.ARM
        if pull.head != action.head:
            against: str | None = f"its head is {pull.head[:_SHORT]} now, not the checked {action.head[:_SHORT]}"
        else:
            against = _objection(pull, self.maker.policy.gitops.branch, waits_for_checks=waits_for_checks)
        # Nobody's question holds up a rollback; what people say on its pull request is heard nowhere.
        if against is None and action.reverts is None and commands_wait(self.world, self.maker.repository, pull):
            against = "a command waits to be heard"
        if against is None and action.reverts is None:
            against = self._unapproved_now(action, pull)
        if against is None and action.reverts is None and not self._is_calendar_overridden(action):
            against = self.frozen_now(action.stage)
        if against is None:
            against = self._not_planned_now(action)
        if against is not None:
            raise Conflict("GitHub", f"#{action.number} was not merged: {against}; look again")

    def _unapproved_now(self, action: MergePromotion, pull: Pull) -> str | None:
        """Say whether an approval that was counted was taken back since; what came since is counted next time."""
        judgement = self.maker.judgement(action.stage, "candidate")
        tally = judgement.approvals if judgement is not None else None
        missing = still_missing(tally, pull) if tally is not None else 0
        gone = f"{count_of(missing, 'approval')} of those that counted {'is' if missing == 1 else 'are'} gone"
        return gone if missing else None

    def frozen_now(self, stage: str) -> str | None:
        """Return why the calendar lets nothing move by now: it may have closed since the sweep looked."""
        judged = judge_calendar(self.maker.policy.calendars_of(self.maker.policy.stage(stage)), self.world.clock.now())
        return judged.reason if isinstance(judged, Closed) else None

    def _is_calendar_overridden(self, action: MergePromotion) -> bool:
        seen = self.maker.observation
        stands = standing(
            seen.orders,
            service=seen.service,
            stage=action.stage,
            release=action.release.name,
            head=action.head,
            policy_since=seen.policy_since,
        )
        return CALENDAR in stands.overrides

    def _not_planned_now(self, action: MergePromotion) -> str | None:
        """Compare the branch with the planned edit on the base as the server has it now."""
        stage = self.maker.policy.stage(action.stage)
        branch = self.maker.policy.gitops.branch
        base = self.world.repositories.refresh(self.maker.repository, branch, stage.files)
        plan = self.maker.plan_of(action)
        found = examine(
            self.world, self.maker.policy, stage, Branch(base=base, name=action.branch, plan=plan, head=action.head)
        )
        if found.branch_head != action.head:
            return "its branch has moved"
        if found.deviation is not None:
            return f"it is not exactly the planned edit: {found.deviation}"
        # A promotion is made anew then. What a rollback takes back is the same, whatever else the file has got since.
        is_stale = found.base_moved and action.reverts is None
        return f"{' or '.join(stage.files)} has changed in {branch} since" if is_stale else None


def _objection(pull: Pull, base: str, *, waits_for_checks: bool) -> str | None:
    """Return what speaks against the merge at this moment, whatever was so when it was decided."""
    checks = pull.checks
    undone = () if waits_for_checks else (*checks.pending, *checks.missing)
    objections = (
        (pull.state is not PullState.OPEN, f"it is {pull.state}"),
        (pull.base != base, "it was pointed at another branch"),
        (pull.draft, "it was made a draft"),
        (HOLD_LABEL in pull.labels, f"it has the label {HOLD_LABEL}"),
        (bool(pull.reviews.changes_requested_by), "changes were requested"),
        (pull.reviews.is_short and not waits_for_checks, "a review is missing"),
        (bool(checks.failed or undone), f"its checks changed: {', '.join((*checks.failed, *undone))}"),
    )
    return next((said for stands, said in objections if stands), None)


def urgency_of(action: MergePromotion) -> Urgency:
    """Say which writes and questions of the forge go first: those of a rollback."""
    return Urgency.MERGE if action.reverts is None else Urgency.ROLLBACK
