"""Carry out a decision's actions: each is one conditional write that may be tried again at any time (I9, I10).

What is written is made anew from the mirror at this moment, never replayed: the edit is recomputed on the file as it
is, the push names the head it expects, the merge names the head that was checked. A refusal is an outcome in words.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import assert_never

import tenacity

from bot.domain.argo import Mark, MarkKind
from bot.domain.decision import (
    Action,
    AskRefresh,
    ClosePromotion,
    Decision,
    Halt,
    Judgement,
    MergePromotion,
    OpenPromotion,
    RollBack,
    StartSync,
    UpdatePromotion,
    Wait,
)
from bot.domain.edit import Edited, EditRefused
from bot.domain.model import NOT_SET, Release, Sha, TagHistory, Trouble
from bot.domain.observation import Observation, StageObservation
from bot.domain.policy import Policy, Road, Stage
from bot.domain.pulls import Proposal
from bot.domain.text import format_date_instant, one_line
from bot.observe import World
from bot.planned import Planner
from bot.ports import Conflict, FileCommit, MergeText, OutsideError, Permanent, PullText, SyncOrder, Transient
from bot.records import Arrival
from bot.render.commits import promotion_commit, revert_commit
from bot.render.markdown import (
    closing_comment,
    evidence_comment,
    promotion_body,
    promotion_title,
    revert_body,
    revert_title,
)
from bot.render.views import CommentView, MoveView, RevertView

_ROLLBACK_TRIES = 3
_SHORT = 7
_MARKER = "liftlock:evidence"


class _LostRace(Conflict):
    """The branch moved between the look and the push."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """What of the settings the texts depend on: the forge's base URL for links, and how often a comment may change."""

    forge_url: str
    comment_every: timedelta


@dataclass(slots=True, kw_only=True)
class Applier:
    """Carries out actions through the ports. What it remembers only saves calls and may be lost at any time."""

    world: World
    texts: Texts
    sleep: Callable[[float], None] = time.sleep
    _commented: dict[tuple[str, int], tuple[datetime, str]] = field(default_factory=dict)

    def apply(self, policy: Policy, observation: Observation, decision: Decision, action: Action) -> str:
        """Carry out one action; return one sentence on what came of it. Raise `OutsideError` if it could not be."""
        step = _Step(applier=self, policy=policy, observation=observation, decision=decision)
        outcome: str
        match action:
            case Wait() | Halt():
                outcome = action.reason
            case OpenPromotion():
                outcome = step.open(action)
            case UpdatePromotion():
                outcome = step.comment(action)
            case MergePromotion():
                outcome = step.merge(action)
            case ClosePromotion():
                outcome = step.close(action)
            case RollBack():
                outcome = step.roll_back(action)
            case AskRefresh():
                outcome = step.refresh(action)
            case StartSync():
                outcome = step.start_sync(action)
            case _:  # pragma: no cover
                assert_never(action)
        return outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One action's surroundings: the policy, and the observation and decision that it follows from."""

    applier: Applier
    policy: Policy
    observation: Observation
    decision: Decision

    @property
    def world(self) -> World:
        return self.applier.world

    @property
    def repository(self) -> str:
        return self.policy.gitops.repository

    @property
    def texts(self) -> Texts:
        return self.applier.texts

    # --- proposing and merging ---

    def open(self, action: OpenPromotion) -> str:
        stage, proposal = self.policy.stage(action.stage), self._seen(action.stage).promotion
        if isinstance(proposal, Proposal) and proposal.branch_head is not None:
            # The branch is exactly the planned edit: an opening was interrupted between push and pull request.
            pushed = proposal.branch_head
        else:
            edited = self._promotion(action)
            message = promotion_commit(self._move(action, edited))
            pushed = self._commit(stage, self._head(action.stage), edited, message)
            self.world.repositories.push(self.repository, action.branch, pushed, expected=None)
        view = self._move(action, self._promotion(action))
        text = PullText(
            branch=action.branch,
            base=self.policy.gitops.branch,
            title=promotion_title(view),
            body=promotion_body(view),
        )
        pull = self.world.forge.open_promotion(self.repository, text)
        return f"opened #{pull.number} at {pushed[:_SHORT]}"

    def merge(self, action: MergePromotion) -> str:
        message = self._merge_message(action)
        subject, _, rest = message.partition("\n")
        text = MergeText(title=f"{subject} (#{action.number})", message=rest.strip("\n"))
        merged = self.world.forge.merge_promotion(self.repository, action.number, head=action.head, text=text)
        self.world.forge.delete_branch(self.repository, action.branch)
        return f"merged #{action.number} as {merged[:_SHORT]}"

    def _merge_message(self, action: MergePromotion) -> str:
        if action.reverts is None:
            return promotion_commit(self._move(action, self._promotion(action)))
        edited = self._reverted(action, self._head(action.stage))
        return revert_commit(self._revert(action, edited))

    def close(self, action: ClosePromotion) -> str:
        self._write_comment(action.number, closing_comment(action.reason), key="closed")
        self.world.forge.close_promotion(self.repository, action.number)
        self.world.forge.delete_branch(self.repository, action.branch)
        return f"closed #{action.number}"

    # --- rolling back ---

    def roll_back(self, action: RollBack) -> str:
        if action.road is Road.PULL_REQUEST:
            return self._propose_revert(action)
        branch = self.policy.gitops.branch
        race = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(_ROLLBACK_TRIES),
            wait=tenacity.wait_random_exponential(multiplier=0.2, max=2),
            # Only a lost race: what somebody set since, or a branch that refuses, is as true at the next try.
            retry=tenacity.retry_if_exception_type(_LostRace),
            sleep=self.applier.sleep,
            reraise=True,
        )
        revert: Sha = race(self._push_revert, action, branch)
        return f"reverted by {revert[:_SHORT]}"

    def _push_revert(self, action: RollBack, branch: str) -> Sha:
        head = self.world.repositories.refresh(self.repository, branch)
        revert = self._revert_commit(action, head)
        try:
            self.world.repositories.push(self.repository, branch, revert, expected=head)
        except Conflict as error:
            # Somebody pushed between the fetch and the push; the edit is made anew on the new head.
            sentence = f"{branch} moved {_ROLLBACK_TRIES} times while reverting; it is tried again at the next sweep"
            raise _LostRace("Git", sentence) from error
        return revert

    def _revert_commit(self, action: RollBack, head: Sha) -> Sha:
        stage = self.policy.stage(action.stage)
        tags = self.world.tags.read(self.policy, stage, head)
        if isinstance(tags, Trouble):
            raise Permanent(tags.system, tags.sentence)
        if tags.tag != action.release.tag:
            since = tags.introduced
            when = format_date_instant(since.at)
            who = f"{one_line(since.author, limit=60)} set {action.stage} to {tags.tag} at {when}"
            raise Conflict("Git", f"{who} ({since.commit[:_SHORT]}); nothing is reverted over that")
        edited = self._reverted(action, head)
        return self._commit(stage, head, edited, revert_commit(self._revert(action, edited)))

    def _propose_revert(self, action: RollBack) -> str:
        seen = self._seen(action.stage).revert
        if not (isinstance(seen, Proposal) and seen.branch_head is not None):
            revert = self._revert_commit(action, self._head(action.stage))
            self.world.repositories.push(self.repository, action.branch, revert, expected=None)
        view = self._revert(action, self._reverted(action, self._head(action.stage)))
        text = PullText(
            branch=action.branch,
            base=self.policy.gitops.branch,
            title=revert_title(view),
            body=revert_body(view),
        )
        pull = self.world.forge.open_promotion(self.repository, text)
        return f"opened the rollback #{pull.number}"

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
        commit = self._tags(action.stage).introduced.commit
        arrival = Arrival(service=self.policy.service, stage=action.stage, commit=commit)
        self.world.sightings.mark(arrival, Mark(application=action.application, kind=kind, at=self.world.clock.now()))

    # --- edits and commits ---

    def _seen(self, stage: str) -> StageObservation:
        return self.observation.stage(stage)

    def _tags(self, stage: str) -> TagHistory:
        tags = self._seen(stage).tags
        if isinstance(tags, Trouble):  # pragma: no cover - no action follows from a stage that could not be read
            raise Permanent(tags.system, tags.sentence)
        return tags

    def _head(self, stage: str) -> Sha:
        return self._tags(stage).head

    def _planner(self, stage: Stage) -> Planner:
        return self.world.planner(self.policy, stage)

    def _planned(self, plan: Callable[[], Edited]) -> Edited:
        try:
            return plan()
        except EditRefused as error:
            raise Permanent("Git", str(error)) from error

    def _promotion(self, action: OpenPromotion | MergePromotion) -> Edited:
        planner = self._planner(self.policy.stage(action.stage))
        return self._planned(lambda: planner.promotion(self._head(action.stage), action.release))

    def _reverted(self, action: RollBack | MergePromotion, head: Sha) -> Edited:
        planner = self._planner(self.policy.stage(action.stage))
        promotion, back_to = _promotion_and_target(action)
        release = action.release
        return self._planned(lambda: planner.revert(head, promotion=promotion, release=release, back_to=back_to))

    def _commit(self, stage: Stage, parent: Sha, edited: Edited, message: str) -> Sha:
        """Commit exactly the planned edit on top of `parent`, in the mirror only."""
        plan = FileCommit(
            repository=self.repository,
            parent=parent,
            files={stage.edit.file: edited.text},
            message=message,
            by=self.policy.gitops.commits,
        )
        return self.world.repositories.commit_file(plan)

    # --- what the texts show ---

    def _judgement(self, stage: str, role: str) -> Judgement | None:
        found = (item for item in self.decision.judgements if (item.stage, item.role) == (stage, role))
        return next(found, None)

    def _running(self, stage: str) -> Judgement:
        judgement = self._judgement(stage, "running")
        assert judgement is not None  # noqa: S101 - decide judges every stage's running release
        return judgement

    def _move(self, action: OpenPromotion | MergePromotion, edited: Edited) -> MoveView:
        stage = self.policy.stage(action.stage)
        source = self.policy.stage(stage.source or stage.name)
        return MoveView(
            policy=self.policy,
            source=source,
            stage=stage,
            release=action.release,
            replaces=self._known(action.replaces),
            changes=edited.changes,
            forge_url=self.texts.forge_url,
            judgement=self._running(source.name),
        )

    def _known(self, release: Release) -> Release:
        """Add digest and source commit for show, where the registry tells them; it is no fault if it does not."""
        if release.tag == NOT_SET:
            return release
        try:
            artifact = self.world.registry.find_artifact(release.image, release.tag)
        except OutsideError:
            return release
        if artifact is None:
            return release
        return Release(image=release.image, tag=release.tag, digest=artifact.digest, revision=artifact.revision)

    def _revert(self, action: RollBack | MergePromotion, edited: Edited) -> RevertView:
        promotion, back_to = _promotion_and_target(action)
        return RevertView(
            policy=self.policy,
            stage=self.policy.stage(action.stage),
            release=action.release,
            back_to=back_to,
            promotion=promotion,
            changes=edited.changes,
            judgement=self._running(action.stage),
        )

    # --- the evidence comment ---

    def comment(self, action: UpdatePromotion) -> str:
        view = self._comment_view(action)
        key = f"{view.candidate.state if view.candidate else ''}/{view.running.state if view.running else ''}"
        return self._write_comment(action.number, evidence_comment(view), key=f"{key}/{view.reverted_by}")

    def _comment_view(self, action: UpdatePromotion) -> CommentView:
        stage, tags = self.policy.stage(action.stage), self._tags(action.stage)
        newest = tags.introduced
        trailers = newest.trailers
        reverted = trailers is not None and trailers.reverts is not None and newest.old == action.release.tag
        arrived = tags.tag == action.release.tag
        return CommentView(
            policy=self.policy,
            stage=stage,
            release=action.release,
            forge_url=self.texts.forge_url,
            source=self._running(stage.source) if stage.source and not arrived and not reverted else None,
            candidate=None if arrived else self._judgement(stage.name, "candidate"),
            running=self._running(stage.name) if arrived else None,
            reverted_by=newest.commit if reverted else None,
            reverted_at=newest.at if reverted else None,
            reverted_why=self._why_reverted(action) if reverted else None,
        )

    def _why_reverted(self, action: UpdatePromotion) -> str | None:
        """Return the reason of the rollback as the ledger has it; None if the ledger was lost since."""
        for event in self.world.ledger.events(service=self.policy.service, kind="action"):
            done = event.body.get("action")
            if event.stage != action.stage or not isinstance(done, dict) or done.get("release") is None:
                continue
            if done.get("kind") == "roll back" and done["release"].get("tag") == action.release.tag:
                return str(done.get("reason"))
        return None

    def _write_comment(self, number: int, body: str, *, key: str) -> str:
        """Write the comment if its text changed; a change of the numbers alone waits for its turn."""
        now, where = self.world.clock.now(), (self.repository, number)
        digest = hashlib.sha256(body.encode()).hexdigest()
        if self.world.ledger.comment_digest(*where) == digest:
            return "the evidence is up to date"
        last = self.applier._commented.get(where)  # noqa: SLF001 - a step is a part of its applier
        if last is not None and last[1] == key and now - last[0] < self.texts.comment_every:
            return "the evidence was written a moment ago"
        self.world.forge.write_comment(self.repository, number, marker=_MARKER, body=body)
        self.applier._commented[where] = (now, key)  # noqa: SLF001 - likewise
        self.world.ledger.comment_digest(*where, replace_with=digest)
        return f"wrote the evidence on #{number}"


def _promotion_and_target(action: RollBack | MergePromotion) -> tuple[Sha, Release]:
    """Return the promotion that is taken back, and the release that comes back."""
    if isinstance(action, RollBack):
        return action.promotion, action.back_to
    assert action.reverts is not None  # noqa: S101 - only a merge that reverts comes here
    return action.reverts, action.replaces
