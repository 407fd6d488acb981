"""Carry out a decision's actions: each is one conditional write that may be tried again at any time (I9, I10).

What is written is made anew from the mirror at this moment, never replayed: the edit is recomputed on the file as it
is, the push names the head it expects, the merge names the head that was checked. A refusal is an outcome in words.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import assert_never

from bot.domain.argo import Mark, MarkKind
from bot.domain.decision import (
    Action,
    AskRefresh,
    ClosePromotion,
    CommitPromotion,
    Decision,
    DisarmPromotion,
    Halt,
    MergePromotion,
    OpenPromotion,
    ReadyPromotion,
    RemakePromotion,
    RollBack,
    StartSync,
    UpdatePromotion,
    Wait,
)
from bot.domain.model import Release, Sha, Trouble
from bot.domain.naming import revert_branch
from bot.domain.observation import Observation
from bot.domain.observed import is_revert
from bot.domain.policy import Policy
from bot.domain.pulls import MergeMethod, MergeRoad, MergeRules, Proposal, PullState
from bot.forge import MergeOrder, MergeText, PullText
from bot.last_look import LastLook, urgency_of
from bot.making import Maker
from bot.observe import World
from bot.ports import Conflict, OutsideError, Permanent, SyncOrder, Transient
from bot.pushes import own_heads, push_own
from bot.records import Arrival
from bot.render.commits import revert_commit
from bot.render.markdown import promotion_body, promotion_title
from bot.reverting import Reverter
from bot.telling import Teller, Telling

_SHORT = 7
_HOUR = timedelta(hours=1)


@dataclass(slots=True, kw_only=True)
class Applier:
    """Carries out actions through the ports. What it remembers only saves calls and may be lost at any time."""

    world: World
    telling: Telling
    sleep: Callable[[float], None] = time.sleep
    _openings: dict[str, list[datetime]] = field(default_factory=dict)
    _turns: dict[tuple[str, str], threading.Lock] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def turn_on(self, repository: str, branch: str) -> threading.Lock:
        """Return what a rollback holds while it writes on a branch: several of one sweep would outrun each other."""
        with self._lock:
            return self._turns.setdefault((repository, branch), threading.Lock())

    def apply(  # noqa: C901, PLR0912 - one arm for each kind of action
        self, policy: Policy, observation: Observation, decision: Decision, action: Action
    ) -> str:
        """Carry out one action; return one sentence on what came of it. Raise `OutsideError` if it could not be."""
        maker = Maker(
            world=self.world,
            forge_url=self.telling.forge_url,
            policy=policy,
            observation=observation,
            decision=decision,
        )
        step = _Step(applier=self, maker=maker, teller=Teller(maker=maker, telling=self.telling))
        outcome: str
        match action:
            case Wait() | Halt():
                outcome = action.reason
            case OpenPromotion():
                outcome = step.open(action)
            case CommitPromotion():
                outcome = step.commit(action)
            case RemakePromotion():
                outcome = step.remake(action)
            case ReadyPromotion():
                outcome = step.ready(action)
            case UpdatePromotion():
                outcome = step.update(action)
            case MergePromotion():
                outcome = step.merge(action)
            case DisarmPromotion():
                outcome = step.disarm(action)
            case ClosePromotion():
                outcome = step.close(action)
            case RollBack():
                outcome = step.reverter.roll_back(action)
            case AskRefresh():
                outcome = step.refresh(action)
            case StartSync():
                outcome = step.start_sync(action)
            case _:  # pragma: no cover
                assert_never(action)
        return outcome

    def take_opening(self, repository: str, observation: Observation) -> None:
        """Count an opening against the hour's limit, also those of other services in this sweep; raise if none is left.

        The observation counts what the forge had when the sweep looked, this what was opened since.
        """
        left = observation.forge.openings_left if observation.forge is not None else None
        now = self.world.clock.now()
        with self._lock:
            recent = [at for at in self._openings.get(repository, []) if at >= observation.at]
            if left is not None and len(recent) >= left:
                raise Transient("GitHub", f"as many promotions were opened in {repository} as an hour allows")
            self._openings[repository] = [*recent, now]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One action's surroundings."""

    applier: Applier
    maker: Maker
    teller: Teller

    @property
    def world(self) -> World:
        return self.applier.world

    @property
    def policy(self) -> Policy:
        return self.maker.policy

    @property
    def repository(self) -> str:
        return self.maker.repository

    @property
    def base(self) -> str:
        return self.policy.gitops.branch

    @property
    def reverter(self) -> Reverter:
        turn = self.applier.turn_on(self.repository, self.maker.policy.gitops.branch)
        return Reverter(world=self.world, maker=self.maker, sleep=self.applier.sleep, turn=turn)

    @property
    def last_look(self) -> LastLook:
        return LastLook(world=self.world, maker=self.maker)

    # --- proposing ---

    def open(self, action: OpenPromotion) -> str:
        self.applier.take_opening(self.repository, self.maker.observation)
        proposal = self.maker.seen(action.stage).promotion
        if isinstance(proposal, Proposal) and proposal.branch_head is not None:
            # The branch is exactly the planned edit: an opening was interrupted between push and pull request.
            pushed = proposal.branch_head
        else:
            self.maker.keep_summary(action)
            pushed = self.maker.commit_promotion(action)
            push_own(self.world, self.repository, action.branch, pushed, expected=None)
        view, proposing = self.teller.move(action), self.policy.stage(action.stage).proposing
        text = PullText(
            branch=action.branch,
            base=self.base,
            title=promotion_title(view),
            body=promotion_body(view),
            labels=proposing.labels,
            reviewers=_names(proposing.reviewers),
            assignees=_names(proposing.assignees),
            is_draft=action.is_draft,
        )
        pull = self.world.forge.open_promotion(self.repository, text)
        self.teller.opened(action, pull.number)
        return f"opened #{pull.number} at {pushed[:_SHORT]}{' as a draft' if action.is_draft else ''}"

    def commit(self, action: CommitPromotion) -> str:
        frozen = self.last_look.frozen_now(action.stage)
        if frozen is not None:
            raise Conflict("Liftlock", f"{action.release.tag} was not committed: {frozen}; look again")
        self.maker.keep_summary(action)
        commit = self.maker.commit_promotion(action)
        self.world.repositories.push(self.repository, self.base, commit, expected=self.maker.head(action.stage))
        return f"committed {action.release.tag} as {commit[:_SHORT]}"

    def remake(self, action: RemakePromotion) -> str:
        commit = self.maker.commit_promotion(action)
        push_own(self.world, self.repository, action.branch, commit, expected=action.head)
        return f"made #{action.number} anew at {commit[:_SHORT]}"

    def ready(self, action: ReadyPromotion) -> str:
        self.world.forge.mark_ready(self.repository, action.number)
        return f"marked #{action.number} ready"

    def update(self, action: UpdatePromotion) -> str:
        said = self.teller.update(action)
        arrival = self.maker.seen(action.stage).arrival
        pull = arrival.pull if isinstance(arrival, Proposal) else None
        if pull is not None and pull.number == action.number and pull.state is PullState.MERGED:
            self._clear_away(action.stage, pull.branch, str(pull.number), {pull.head})
        self._clear_after_rollback(action.stage)
        return said

    def _clear_after_rollback(self, stage: str) -> None:
        """Delete the branch of a rollback that is done, whoever merged it, or if the bot was killed behind that."""
        tags = self.maker.seen(stage).tags
        if isinstance(tags, Trouble) or not is_revert(tags.introduced) or tags.introduced.old is None:
            return
        taken = Release(image=self.policy.image, tag=tags.introduced.old)
        branch = revert_branch(self.policy.service, stage, taken)
        key = f"{branch}/{tags.introduced.commit}"
        self._clear_away(stage, branch, key, own_heads(self.world, self.repository, branch))

    def _clear_away(self, stage: str, branch: str, key: str, heads: Collection[Sha]) -> None:
        """Delete, once, the branch of what was merged, if it is at one of `heads`: somebody may have pushed since."""
        where = f"cleared/{self.repository}/{key}"
        if where in self.world.ledger.noted([where]):
            return
        change = self.world.repositories.branch_change(self.repository, self.maker.head(stage), branch)
        if change is not None and change.head in heads:
            try:
                self.world.forge.delete_branch(self.repository, branch)
            except Transient:
                raise
            except OutsideError:
                # What is refused now is refused at every sweep of the watch, too.
                self.world.ledger.note(where, "")
                raise
        self.world.ledger.note(where, "")

    # --- merging ---

    def merge(self, action: MergePromotion) -> str:
        self.last_look.check(action)
        if action.reverts is None:
            self.teller.clear_for_merge(action)
            self.maker.keep_summary(action)
        message = self._merge_message(action)
        subject, _, rest = message.partition("\n")
        facts = self.maker.observation.forge
        order = MergeOrder(
            number=action.number,
            head=action.head,
            method=_method(action.method, facts.rules if facts is not None else MergeRules()),
            text=MergeText(title=f"{subject} (#{action.number})", message=rest.strip("\n")),
            road=action.road,
            urgency=urgency_of(action),
        )
        merged = self.world.merging.merge_promotion(self.repository, order)
        if merged is None:
            words = {MergeRoad.ARM: "armed auto-merge on", MergeRoad.QUEUE: "put into the merge queue:"}
            return f"{words.get(action.road, 'started the merge of')} #{action.number}"
        self.world.forge.delete_branch(self.repository, action.branch)
        return f"merged #{action.number} as {merged[:_SHORT]}"

    def _merge_message(self, action: MergePromotion) -> str:
        if action.reverts is None:
            return self.maker.promotion_message(action)
        return revert_commit(self.maker.revert(action))

    def disarm(self, action: DisarmPromotion) -> str:
        self.world.merging.disarm(self.repository, action.number)
        return f"took back the merge of #{action.number}"

    def close(self, action: ClosePromotion) -> str:
        self.teller.say_closed(action)
        # Where a person has pushed, their work is not deleted (I7); nor where it is not known who has.
        seen = self.maker.seen(action.stage)
        promotion = seen.promotion.pull if isinstance(seen.promotion, Proposal) else None
        heads = {pull.number: pull.head for pull in (*seen.superseded, promotion) if pull is not None}
        is_own = heads.get(action.number) in own_heads(self.world, self.repository, action.branch)
        self.world.forge.withdraw(self.repository, action.number, action.branch if is_own else None)
        return f"closed #{action.number}"

    # --- what Argo CD is asked for ---

    def refresh(self, action: AskRefresh) -> str:
        kind = MarkKind.ASKED_HARD_REFRESH if action.is_hard else MarkKind.ASKED_REFRESH
        try:
            self.world.deployments.ask_refresh(action.application, hard=action.is_hard)
        except Transient:
            raise
        except OutsideError:
            # What is refused now is refused at the next sweep, too.
            self._mark(action, kind)
            raise
        self._mark(action, kind)
        return f"asked Argo CD for a {'hard ' if action.is_hard else ''}refresh of {action.application}"

    def start_sync(self, action: StartSync) -> str:
        # Noted before it is asked for: after a lost answer nothing is asked again until the pause is over (I15).
        self._mark(action, MarkKind.ASKED_SYNC)
        order = SyncOrder(revisions=action.revisions, positions=action.positions, authority=action.authority)
        self.world.deployments.start_sync(action.application, order)
        return f"started a sync of {action.application} to {action.revisions[0][:_SHORT]}"

    def _mark(self, action: AskRefresh | StartSync, kind: MarkKind) -> None:
        commit = self.maker.tags(action.stage).introduced.commit
        arrival = Arrival(service=self.policy.service, stage=action.stage, commit=commit)
        self.world.sightings.mark(arrival, Mark(application=action.application, kind=kind, at=self.world.clock.now()))


def _names(handles: Sequence[str]) -> tuple[str, ...]:
    """Return people and teams as the forge's API calls them; the `@` belongs to the texts of people."""
    return tuple(handle.removeprefix("@") for handle in handles)


def _method(wanted: MergeMethod | None, rules: MergeRules) -> MergeMethod:
    """Choose how to merge: as the policy says, if the repository allows it; else a merge commit, a squash, a rebase."""
    if wanted is not None:
        if wanted not in rules.methods:
            raise Permanent("GitHub", f"the policy asks for the method {wanted}, which the repository does not allow")
        return wanted
    for method in MergeMethod:
        if method in rules.methods:
            return method
    raise Permanent("GitHub", "the repository allows no way to merge a pull request")
