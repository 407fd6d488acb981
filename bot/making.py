"""Make the edits and commits of one decision's actions, and the views of the texts that go with them.

What is written is made anew from the mirror at this moment, never replayed: the edit is recomputed on the file as it
is. Nothing is pushed here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pydantic import TypeAdapter, ValidationError

from bot.domain.approvals import Tally
from bot.domain.candidacy import OVERRIDDEN
from bot.domain.decision import (
    CommitPromotion,
    Decision,
    Judgement,
    MergePromotion,
    OpenPromotion,
    RemakePromotion,
    RollBack,
    State,
)
from bot.domain.edit import EditRefused
from bot.domain.intake import REGISTRY
from bot.domain.joining import told_of
from bot.domain.model import NOT_SET, Release, Sha, TagHistory, Trouble
from bot.domain.observation import Observation, StageObservation
from bot.domain.policy import Policy, Stage
from bot.domain.proofs import Proven, Signature
from bot.domain.summaries import Passed, Summary, summary_of
from bot.domain.text import format_date_instant, join_words, one_line
from bot.domain.verdicts import Verdict
from bot.observe import World
from bot.planned import Planned, Planner
from bot.ports import Conflict, FileCommit, OutsideError, Permanent
from bot.records import Event
from bot.render.commits import promotion_commit, revert_commit
from bot.render.views import MoveView, RevertView

_SHORT = 7
_JUDGEMENT = TypeAdapter(Judgement)
_TALLY = TypeAdapter(Tally)
_ANY_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""What stands for the time where two summaries are compared."""

Move = OpenPromotion | RemakePromotion | CommitPromotion | MergePromotion
"""The actions that bring a release into a stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """One decision's surroundings: the policy, and the observation that it follows from. `forge_url` is for links."""

    world: World
    forge_url: str
    policy: Policy
    observation: Observation
    decision: Decision

    @property
    def repository(self) -> str:
        """The repository whose files say what should run."""
        return self.policy.gitops.repository

    def seen(self, stage: str) -> StageObservation:
        """Return what was seen of a stage."""
        return self.observation.stage(stage)

    def tags(self, stage: str) -> TagHistory:
        """Return what Git says of a stage."""
        tags = self.seen(stage).tags
        if isinstance(tags, Trouble):  # pragma: no cover - no action follows from a stage that could not be read
            raise Permanent(tags.system, tags.sentence)
        return tags

    def head(self, stage: str) -> Sha:
        """Return the head of the tracked branch that the decision rests on."""
        return self.tags(stage).head

    # --- promotions ---

    def commit_promotion(self, action: Move) -> Sha:
        """Commit exactly the planned edit on the tracked branch's head, in the mirror only."""
        edited = self.promotion(action)
        return self._commit(self.head(action.stage), edited, self.promotion_message(action))

    def promotion_message(self, action: Move) -> str:
        """Return the message of a promotion's commit."""
        view = replace(self.move(action), summary=self.summary(action))
        if not isinstance(action, MergePromotion):
            # Approvals are of one head, and this makes another one.
            view = replace(view, approvals=None)
        why = ""
        if view.judgement.state is State.OFFERED:
            why = f"came from the registry: {action.reason.partition(': ')[2]}."
        elif isinstance(action, MergePromotion) and OVERRIDDEN in action.reason:
            why = f"moves on from {action.reason}."
        elif isinstance(action, OpenPromotion | RemakePromotion) and not view.is_proven:
            why = f"is observed in {join_words(view.come_from)} still; this is merged only when it has passed."
        elif not view.is_proven:
            why = f"moves on from {action.reason}."
        return promotion_commit(view, why)

    def summary(self, action: Move) -> Summary | None:
        """Summarise what was verified; None for a draft and its like, which nothing has passed yet."""
        passed = self._passed(action)
        if passed is None:
            return None
        # What was summed up at an earlier try, and did not move then, is the same summary still.
        at = self._kept_since(action, passed) or self.observation.at
        return summary_of(self.policy, passed, at, verifier=self.world.summaries.verifier)

    def _passed(self, action: Move) -> Passed | None:
        if isinstance(action, RemakePromotion) or (isinstance(action, OpenPromotion) and action.is_draft):
            return None
        view = self.move(action)
        # What its deadline let pass was not verified, however lenient verdicts it has.
        if any(one.state not in {State.PROVEN, State.OFFERED} for one in view.sources):
            return None
        return Passed(
            release=view.release,
            stages=view.come_from,
            into=view.stage.name,
            verdicts=view.proof,
            inputs=tuple(one.found for one in self._signatures(view)),
        )

    def _kept_since(self, action: Move, passed: Passed) -> datetime | None:
        """Return when the very same was kept, but for the time; None where it was not yet."""
        key = self._summary_key(action)
        basis, _, at = (self.world.ledger.noted([key]).get(key) or "").partition(" ")
        return datetime.fromisoformat(at) if at and basis == self._basis(passed) else None

    def _basis(self, passed: Passed) -> str | None:
        summary = summary_of(self.policy, passed, _ANY_TIME, verifier=self.world.summaries.verifier)
        return summary.digest if summary is not None else None

    def _summary_key(self, action: Move) -> str:
        return f"summary/{self.policy.service}/{action.stage}/{action.release.name}"

    def _signatures(self, view: MoveView) -> Iterable[Signature]:
        """Return what was verified on the way into the stage, and in the stage before."""
        looked: list[object] = [self.seen(view.stage.name).proven]
        for name in view.come_from:
            if name == REGISTRY:
                continue
            before = self.seen(name)
            looked.append(before.set_there.proven if before.set_there is not None else before.proven)
        for proven in looked:
            if isinstance(proven, Proven) and proven.digest == view.release.digest:
                yield from (*proven.signatures, *(one.signature for one in proven.attested))

    def keep_summary(self, action: Move) -> None:
        """Keep the summary that the commit will name, once, before there is such a commit."""
        passed, summary = self._passed(action), self.summary(action)
        if passed is None or summary is None or self._kept_since(action, passed) is not None:
            return
        release, now, short = action.release, self.observation.at, summary.digest.removeprefix("sha256:")[:12]
        kept = self.world.summaries.keep(f"{self.policy.service}-{action.stage}-{release.tag[:64]}-{short}", summary)
        body = {"release": release.name, "digest": summary.digest, "statement": summary.statement, "kept": kept}
        event = Event(at=now, service=self.policy.service, stage=action.stage, kind="summary", body=body)
        self.world.ledger.record(event)
        self.world.ledger.note(self._summary_key(action), f"{self._basis(passed)} {now.isoformat()}")

    def promotion(self, action: Move) -> Planned:
        """Plan the edit of a promotion."""
        planner = self._planner(self.policy.stage(action.stage))
        return _planned(lambda: planner.promotion(self.head(action.stage), action.release))

    def move(self, action: Move) -> MoveView:
        """Return what the texts of a promotion show."""
        stage = self.policy.stage(action.stage)
        view = self._move(stage, action.release, self.sources_of(stage, action.release))
        candidate = self.judgement(action.stage, "candidate")
        # What moves rests on what was judged now, never on what is remembered of another day or other bytes.
        return replace(
            view,
            trust=candidate.verdicts if candidate is not None else (),
            approvals=candidate.approvals if candidate is not None else None,
        )

    def move_of(self, stage_name: str, release: Release) -> MoveView:
        """Return what the texts of a promotion show that is proposed already, or was merged."""
        stage = self.policy.stage(stage_name)
        told = [
            self._measured(name, release) or self._nothing_measured(name) for name in self._spoke_for(stage, release)
        ]
        view = self._move(stage, release, tuple(told))
        return replace(view, watched=self._measured(stage_name, release))

    def _spoke_for(self, stage: Stage, release: Release) -> list[str]:
        """Name the stages whose evidence a move shows; once the release has moved, those that spoke for it then."""
        before = [one.stage for one in self.sources_of(stage, release)]
        if len(stage.sources) < 2:
            return before
        key = f"spoke/{self.policy.service}/{stage.name}/{release.image}:{release.tag}"
        kept = (self.world.ledger.noted([key]).get(key) or "").split()
        candidate = self.judgement(stage.name, "candidate")
        if candidate is None or candidate.release is None or candidate.release.tag != release.tag:
            return [name for name in kept if name in stage.sources] or before
        if kept != before:
            self.world.ledger.note(key, " ".join(before))
        return before

    def sources_of(self, stage: Stage, release: Release) -> tuple[Judgement, ...]:
        """Return the judgements of the stages that a release comes from, at least one: those that it still runs in."""
        told = told_of(stage, release, self.decision.judgements)
        return told or (self.running(stage.source or stage.name),)

    def _move(self, stage: Stage, release: Release, judgements: Sequence[Judgement]) -> MoveView:
        tags, stage_name = self.tags(stage.name), stage.name
        has_arrived = tags.tag == release.tag
        replaces = Release(image=self.policy.image, tag=(tags.introduced.old or NOT_SET) if has_arrived else tags.tag)
        judgement, *beside = judgements
        planner = self._planner(stage)
        edited = _planned(lambda: planner.promotion(self.head(stage_name), release))
        return MoveView(
            trust=self._trust(stage_name, release),
            approvals=self._approvals(stage_name, release),
            policy=self.policy,
            source=self.policy.stage(judgement.stage),
            stage=stage,
            release=self.known(release),
            replaces=self.known(replaces),
            changes=edited.changes,
            forge_url=self.forge_url,
            judgement=judgement,
            beside=tuple(beside),
        )

    def _measured(self, stage: str, release: Release) -> Judgement | None:
        """Return how a release does in a stage; where nothing is measured any more, how it did when last it was.

        What is shown of a merged pull request must not change with what runs there later.
        """
        now, ledger = self.running(stage), self.world.ledger
        key = f"measured/{self.policy.service}/{stage}/{release.image}:{release.tag}"
        kept = ledger.noted([key]).get(key)
        if not now.verdicts or now.release is None or now.release.tag != release.tag:
            return _parse_judgement(kept)
        written = _JUDGEMENT.dump_json(now).decode()
        if written != kept:
            ledger.note(key, written)
        return now

    def _trust(self, stage: str, release: Release) -> tuple[Verdict, ...]:
        """Return the verdicts on a release's artifact; once it has moved, as they were last."""
        key = f"verified/{self.policy.service}/{stage}/{release.image}:{release.tag}"
        kept = self.world.ledger.noted([key]).get(key)
        now = self.judgement(stage, "candidate")
        if now is None or not now.verdicts or now.release is None or now.release.tag != release.tag:
            told = _parse_judgement(kept)
            return told.verdicts if told is not None else ()
        written = _JUDGEMENT.dump_json(now).decode()
        if written != kept:
            self.world.ledger.note(key, written)
        return now.verdicts

    def _approvals(self, stage: str, release: Release) -> Tally | None:
        """Return who has approved a release; once it has moved, who had."""
        key = f"approved/{self.policy.service}/{stage}/{release.image}:{release.tag}"
        kept, now = self.world.ledger.noted([key]).get(key), self.judgement(stage, "candidate")
        if now is None or now.approvals is None or now.release is None or now.release.tag != release.tag:
            return _parse_tally(kept)
        written = _TALLY.dump_json(now.approvals).decode()
        if written != kept:
            self.world.ledger.note(key, written)
        return now.approvals

    def _nothing_measured(self, stage: str) -> Judgement:
        return replace(self.running(stage), verdicts=(), timeline=())

    def known(self, release: Release) -> Release:
        """Add digest and source commit for show, where the registry tells them; it is no fault if it does not."""
        if release.tag == NOT_SET or (release.digest is not None and release.revision is not None):
            return release
        try:
            artifact = self.world.registry.find_artifact(release.image, release.tag)
        except OutsideError:
            return release
        if artifact is None:
            return release
        if release.digest not in (None, artifact.digest):
            # The tag means other bytes by now. What was judged stays what it is called.
            return release
        return Release(image=release.image, tag=release.tag, digest=artifact.digest, revision=artifact.revision)

    def plan_of(self, action: MergePromotion) -> Callable[[Sha], Planned]:
        """Return what plans the edit of a merge on any commit; it raises EditRefused."""
        planner = self._planner(self.policy.stage(action.stage))
        if action.reverts is None:
            return lambda parent: planner.promotion(parent, action.release)
        promotion, back_to = _promotion_and_target(action)
        return lambda parent: planner.revert(parent, promotion=promotion, release=action.release, back_to=back_to)

    # --- reverts ---

    def commit_revert(self, action: RollBack, head: Sha) -> Sha:
        """Commit exactly the revert on `head`, in the mirror only; raise Conflict where the tag was set anew since."""
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
        return self._commit(head, edited, revert_commit(self._revert_view(action, edited)))

    def revert(self, action: RollBack | MergePromotion) -> RevertView:
        """Return what the texts of a rollback show."""
        return self._revert_view(action, self._reverted(action, self.head(action.stage)))

    def _reverted(self, action: RollBack | MergePromotion, head: Sha) -> Planned:
        planner = self._planner(self.policy.stage(action.stage))
        promotion, back_to = _promotion_and_target(action)
        release = action.release
        return _planned(lambda: planner.revert(head, promotion=promotion, release=release, back_to=back_to))

    def _revert_view(self, action: RollBack | MergePromotion, edited: Planned) -> RevertView:
        promotion, back_to = _promotion_and_target(action)
        return RevertView(
            policy=self.policy,
            stage=self.policy.stage(action.stage),
            release=action.release,
            back_to=back_to,
            promotion=promotion,
            changes=edited.changes,
            judgement=self.running(action.stage),
        )

    # --- what both need ---

    def judgement(self, stage: str, role: str) -> Judgement | None:
        """Return a judgement of the decision."""
        found = (item for item in self.decision.judgements if (item.stage, item.role) == (stage, role))
        return next(found, None)

    def running(self, stage: str) -> Judgement:
        """Return the judgement of a stage's running release."""
        judgement = self.judgement(stage, "running")
        assert judgement is not None  # noqa: S101 - decide judges every stage's running release
        return judgement

    def _planner(self, stage: Stage) -> Planner:
        return self.world.planner(self.policy, stage)

    def _commit(self, parent: Sha, edited: Planned, message: str) -> Sha:
        plan = FileCommit(
            repository=self.repository,
            parent=parent,
            files=edited.files,
            message=message,
            by=self.policy.gitops.commits,
        )
        return self.world.repositories.commit_file(plan)


def _parse_judgement(kept: str | None) -> Judgement | None:
    """Read a judgement back; None where there is none, or another version wrote it."""
    try:
        return None if kept is None else _JUDGEMENT.validate_json(kept)
    except ValidationError:
        return None


def _parse_tally(kept: str | None) -> Tally | None:
    try:
        return None if kept is None else _TALLY.validate_json(kept)
    except ValidationError:
        return None


def _planned(plan: Callable[[], Planned]) -> Planned:
    try:
        return plan()
    except EditRefused as error:
        raise Permanent("Git", str(error)) from error


def _promotion_and_target(action: RollBack | MergePromotion) -> tuple[Sha, Release]:
    """Return the promotion that is taken back, and the release that comes back."""
    if isinstance(action, RollBack):
        return action.promotion, action.back_to
    assert action.reverts is not None  # noqa: S101 - only a merge that reverts comes here
    return action.reverts, action.replaces
