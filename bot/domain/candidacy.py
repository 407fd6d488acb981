"""A release on its way into a stage: what its rungs look at, and what they answer with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from bot.domain.approvals import Ballot, Tally, tally_of
from bot.domain.calendar import GATE as CALENDAR
from bot.domain.calendar import Closed, judge_calendar
from bot.domain.commands import Verb
from bot.domain.decision import (
    Action,
    ClosePromotion,
    DisarmPromotion,
    Halt,
    Judgement,
    MergePromotion,
    State,
    UpdatePromotion,
    Wait,
    WaitsOn,
)
from bot.domain.model import Digest, Release, Sha, TagHistory, Trouble
from bot.domain.observation import ForgeFacts, StageObservation
from bot.domain.orders import Order, Standing
from bot.domain.policy import Policy, Stage
from bot.domain.pulls import MergeRoad, Proposal, Pull, PullState
from bot.domain.running import Running
from bot.domain.stops import Stop
from bot.domain.verdicts import Verdict, VerdictKind, combine, deciding

HOLD_LABEL = "liftlock/hold"
"""Whoever may label a pull request may hold it."""
OVERRIDDEN = "overridden by a person"
"""What a reason says where a person's word stands in for a proof, or for the calendar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What became of the release that waits before a stage."""

    judgement: Judgement
    actions: tuple[Action, ...]


@dataclass(frozen=True, kw_only=True)
class Case:
    """Everything the rungs look at: `source` is the running release of the stage before, `there` the target's tags.

    `trust` are the verdicts on the artifact, as the target asks for them. `is_new` says of one from the registry
    that it came after the last word in Git. `observed_before` are the bytes that each stage before had or verified,
    in this same look; `leaving` is a stage that it is being taken out of now; `sources` are those that run it.
    `standing` is what people have commanded of this release in this stage and still stands, `lifted` when a person
    lifted its quarantine for the last time. `stop` is a hold of the stage beside those. `policy_since` is when the
    policy in force came, None for one that the ledger begins with.
    """

    policy: Policy
    target: Stage
    source: Running
    seen: StageObservation
    there: TagHistory
    running_there: Running
    release: Release
    quarantine: Mapping[str, tuple[str, str]]
    forge: ForgeFacts
    standing: Standing
    lifted: datetime | None
    trust: tuple[Verdict, ...]
    is_new: bool = True
    observed_before: tuple[tuple[str, Digest], ...] = ()
    sources: tuple[str, ...] = ()
    leaving: str = ""
    stop: Stop | None = None
    policy_since: datetime | None = None
    now: datetime

    @property
    def source_stage(self) -> str:
        """The stage before."""
        return self.source.judgement.stage

    @property
    def replaces(self) -> Release:
        """What the target runs now."""
        return Release(image=self.policy.image, tag=self.there.tag)

    @property
    def proposal(self) -> Proposal:
        """The proposal, where it could be looked at; the first rung has answered where it could not."""
        return self.seen.promotion if isinstance(self.seen.promotion, Proposal) else Proposal(branch="", pull=None)

    @property
    def pull(self) -> Pull | None:
        """The newest pull request of this release, in any state."""
        return self.proposal.pull

    @property
    def open_pull(self) -> Pull | None:
        """The pull request if it is open."""
        pull = self.pull
        return pull if pull is not None and pull.state is PullState.OPEN else None

    @cached_property
    def overridden(self) -> tuple[Verdict, ...]:
        """The verdicts that stand against the release and that a person with the right to has overridden (I1)."""
        verdicts = deciding((*self.source.judgement.verdicts, *self.trust))
        names = self.standing.overrides
        return tuple(one for one in verdicts if one.gate in names and one.kind is not VerdictKind.HEALTHY)

    @property
    def unverified(self) -> tuple[Verdict, ...]:
        """The verdicts on the artifact that stand against the release, or leave it open (I11)."""
        return tuple(one for one in self.trust if one.kind is not VerdictKind.HEALTHY and one not in self.overridden)

    @cached_property
    def is_proven(self) -> bool:
        """Whether every gate is healthy, or overridden, for a release that is live now."""
        if self.source.is_proven:
            return True
        rest = [one for one in deciding(self.source.judgement.verdicts) if one not in self.overridden]
        is_cleared = not rest or combine(rest) is VerdictKind.HEALTHY
        return bool(self.overridden) and self.source.is_live and is_cleared

    @cached_property
    def closed(self) -> Closed | None:
        """Why the calendar lets nothing move at this moment, whatever a person says of that; None where it does."""
        judged = judge_calendar(self.policy.calendars_of(self.target), self.now)
        return judged if isinstance(judged, Closed) else None

    @property
    def frozen(self) -> Closed | None:
        """The same where no person with the right to has overridden it."""
        if self.closed is None or CALENDAR in self.standing.overrides:
            return None
        return replace(self.closed, reason=f"{self.closed.reason}{self._said_of_void_at(CALENDAR)}")

    @property
    def why_proven(self) -> str:
        """Why the release may move, in one sentence that names what was overridden and by whom."""
        said = {one.gate: self._said_of(one) for one in self.overridden}
        # Where only the time was not right, the release has proven itself all the same.
        proof = f"{self.source_stage}:" if said else f"{self.source_stage}: {self.source.judgement.reason};"
        if self.closed is not None and self.frozen is None:
            said[CALENDAR] = f"{CALENDAR} ({self.closed.reason})"
        if not said:
            return proof.removesuffix(";")
        orders = [self.standing.overrides[gate] for gate in said]
        who = "; ".join(dict.fromkeys(f"{order.by_login}: {order.reason}" for order in orders))
        return f"{proof} {OVERRIDDEN}: {', '.join(said.values())}; {who}"

    def _said_of(self, verdict: Verdict) -> str:
        """Say which gate was overridden and what it said; of several stages, in each of them."""
        parts = [
            (part.stage, one)
            for part in self.source.parts
            for one in deciding(part.verdicts)
            if one.gate == verdict.gate and one.kind is not VerdictKind.HEALTHY
        ]
        reasons = [f"{stage}: {one.reason}" for stage, one in parts] or [verdict.reason]
        return f"{verdict.gate} ({'; '.join(reasons)})"

    def said_of_void(self, verdicts: Sequence[Verdict]) -> str:
        """Say which overrides of these count no more, to go on after a reason; empty where none was given."""
        against = dict.fromkeys(one.gate for one in verdicts if one.kind is not VerdictKind.HEALTHY)
        return "".join(self._said_of_void_at(gate) for gate in against)

    def _said_of_void_at(self, gate: str) -> str:
        orders = [order for order in self.standing.void if order.kind is Verb.PROMOTE and order.gate == gate]
        return "".join(f"; {order.by_login} overrode {gate} under another policy" for order in orders)

    @property
    def had_before(self) -> bool:
        """Whether the stage has had the release before the present one, and nobody has freed it since."""
        came = [change.at for change in self.there.changes if change.new == self.release.tag]
        return bool(came) and (self.lifted is None or self.lifted <= max(came))

    @cached_property
    def approvals(self) -> Tally | None:
        """Who has approved the open pull request; None where there is none, or the policy asks for no approvals."""
        wanted, pull = self.target.proposing.approvals, self.open_pull
        if wanted is None or pull is None:
            return None
        ballot = Ballot(
            pull=pull,
            standing=self.standing,
            facts=self.seen.approving,
            policy_since=self.policy_since,
            passed_at=self._passed_at,
        )
        return tally_of(wanted, ballot)

    @property
    def approved(self) -> Order | None:
        """The newest command that approved it; where approvals are counted, of those that count, if they are enough."""
        if self.target.proposing.approvals is None:
            return self.standing.approved
        tally = self.approvals
        if tally is None or not tally.is_enough:
            return None
        accounts = {one.id for one in tally.given}
        since = self.policy_since
        voted = [one for one in self.standing.approvals if since is None or one.at >= since]
        counted = [order for order in voted if order.by_id in accounts]
        return max(counted, key=lambda order: order.at, default=None)

    @property
    def _passed_at(self) -> datetime | None:
        """When it had passed: at the end of its window, or when a person overrode the last gate; None: it has not."""
        if self.source.is_proven:
            return self.source.window_end
        overrides = [self.standing.overrides[one.gate].at for one in self.overridden]
        return max(overrides) if self.is_proven else None

    # --- answers ---

    def answer(self, state: State, waits_on: WaitsOn, reason: str, *actions: Action) -> Candidate:
        """Judge the candidate; keep what its open pull request shows up to date, and disarm what must not merge."""
        pull, open_pull = self.pull, self.open_pull
        judgement = Judgement(
            stage=self.target.name,
            role="candidate",
            release=self.release,
            state=state,
            waits_on=waits_on,
            reason=reason,
            verdicts=self.trust,
            pull=pull.number if pull is not None else None,
            sources=self.sources,
            approvals=self.approvals,
        )
        if not actions:
            actions = (Wait(stage=self.target.name, reason=reason),)
        if any(isinstance(action, ClosePromotion) for action in actions):
            return Candidate(judgement=judgement, actions=actions)
        if open_pull is None:
            return Candidate(judgement=judgement, actions=(*self._last_word(), *actions))
        if self.is_armed and state is not State.WAITING_TO_BE_MERGED and not _keeps_armed(actions):
            actions = (DisarmPromotion(stage=self.target.name, number=open_pull.number, reason=reason), *actions)
        update = UpdatePromotion(stage=self.target.name, number=open_pull.number, release=self.release)
        return Candidate(judgement=judgement, actions=(update, *actions))

    def _last_word(self) -> tuple[UpdatePromotion, ...]:
        """Keep a closed pull request from saying what is true no more."""
        pull = self.pull
        if pull is None or pull.state is not PullState.CLOSED:
            return ()
        return (UpdatePromotion(stage=self.target.name, number=pull.number, release=self.release),)

    def halt(self, reason: str) -> Candidate:
        """Stop for a person."""
        return self.answer(State.HALTED, WaitsOn.HUMAN, reason, Halt(stage=self.target.name, reason=reason))

    def withdrawal(self, reason: str) -> tuple[ClosePromotion, ...]:
        """Return what closes the open pull request; nothing where there is none."""
        pull = self.open_pull
        if pull is None:
            return ()
        return (ClosePromotion(stage=self.target.name, number=pull.number, branch=pull.branch, reason=reason),)

    @property
    def is_armed(self) -> bool:
        """Whether the forge would merge by itself because the bot asked for it."""
        pull = self.open_pull
        return pull is not None and (pull.armed_by_bot or pull.queued_by_bot)

    def merge(self, head: Sha, reason: str, road: MergeRoad) -> MergePromotion:
        """Return the merge of the open pull request at a head."""
        pull = self.open_pull
        assert pull is not None  # noqa: S101 - asked only by rungs about an open one
        return MergePromotion(
            stage=self.target.name,
            number=pull.number,
            branch=pull.branch,
            head=head,
            release=self.release,
            replaces=self.replaces,
            reason=reason,
            road=road,
            method=self.target.proposing.method,
        )


def _keeps_armed(actions: tuple[Action, ...]) -> bool:
    return any(isinstance(action, MergePromotion) for action in actions)


def blind(target: Stage, release: Release, trouble: Trouble) -> Candidate:
    """Answer for a stage whose file could not be read."""
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
