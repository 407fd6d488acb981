"""Say on a pull request how its release stands: its section of the body, one comment, and a second one for a person.

Each text is written only where it changed, at once when the state changed and otherwise at a measured pace. What was
written last is kept as a note, which may be lost: then it is compared with what stands there.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from bot.between import Remembered
from bot.domain.decision import ClosePromotion, Judgement, MergePromotion, OpenPromotion, State, UpdatePromotion
from bot.domain.model import Release, TagChange
from bot.domain.naming import check_name
from bot.domain.observed import waiting_tag
from bot.domain.orders import lifted_tags, standing
from bot.domain.path import path_of
from bot.domain.policy import EvidenceIn, Stage
from bot.domain.pulls import Proposal, Pull, PullState
from bot.forge import CheckText
from bot.hearing import answers_of
from bot.making import Maker, Move
from bot.ports import OutsideError
from bot.render.markdown import (
    attention_comment,
    attention_over_comment,
    closing_comment,
    evidence_comment,
    promotion_body,
    superseded_comment,
)
from bot.render.signals import check_text, withdrawn_text
from bot.render.views import (
    AnswerView,
    ChangeView,
    Circumstances,
    CommentView,
    MoveView,
    OverrideView,
    SupersededView,
)

EVIDENCE = "liftlock:evidence"
ATTENTION = "liftlock:attention"
CLOSING = "liftlock:closing"
_MOST_CHANGES = 30
_SELDOM = 30
_MOVING = frozenset({State.OBSERVING, State.WATCHING, State.WAITING_FOR_ROLLOUT, State.CANNOT_TELL, State.ROLLING_BACK})
_MOST_ANSWERS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What of the settings the texts depend on: the base of all links, and how often a text may change by itself.

    `between` remembers what lies between two releases.
    """

    forge_url: str
    comment_every: timedelta
    between: Remembered = field(default_factory=Remembered)


@dataclass(frozen=True, slots=True, kw_only=True)
class Teller:
    """Tells of one decision."""

    maker: Maker
    telling: Telling

    @property
    def _repository(self) -> str:
        return self.maker.repository

    # --- a new pull request ---

    def move(self, action: Move) -> MoveView:
        """Return what the body of a pull request shows."""
        view = self.maker.move(action)
        standing_view = self.view(action.stage, action.release)
        return replace(self._with_source(view), standing=standing_view)

    def _with_source(self, view: MoveView) -> MoveView:
        """Add what lies between the two releases."""
        found = self.telling.between.between(self.maker.world, view.policy.source, view.replaces, view.release)
        return replace(view, span=found.span, changelog=found.changelog)

    def opened(self, action: OpenPromotion, number: int) -> None:
        """Keep what a new pull request carries, and tell those whose place it took where it is."""
        self.maker.world.ledger.note(self._tag_key(number), action.release.tag)
        for gone in self._superseded(action.stage, action.release):
            self._comment(gone.number, CLOSING, superseded_comment(number))

    # --- an open or merged one ---

    def update(self, action: UpdatePromotion) -> str:
        """Bring what stands on a pull request up to date; return one sentence on what was written."""
        pull = self._pull(action)
        view = self.view(action.stage, action.release, number=action.number)
        in_body = self.maker.policy.stage(action.stage).proposing.evidence is EvidenceIn.BODY
        key = _state_key(view)
        written = [] if in_body else [self._write(action.number, EVIDENCE, evidence_comment(view), key)]
        if pull is not None:
            written.append(self._write_body(action, view, key, is_whole=in_body))
        if pull is not None and pull.state is PullState.OPEN:
            written.append(self._set_check(view, pull))
        written.append(self._call_a_person(action.number, view, key))
        done = [what for what in written if what]
        return f"wrote {' and '.join(done)} on #{action.number}" if done else "the evidence is up to date"

    def _call_a_person(self, number: int, view: CommentView, key: str) -> str:
        """Write the second comment while a person must act, and say so when nobody has to any more."""
        attention = attention_comment(view)
        if attention is None and self._noted(f"comment/{self._repository}/{number}/{ATTENTION}") is None:
            return ""
        return self._write(number, ATTENTION, attention or attention_over_comment(), key)

    def clear_for_merge(self, action: MergePromotion) -> None:
        """Set the check to what it is now: a branch that requires it refuses the merge otherwise."""
        pull = self._current_pull(action.stage, action.number)
        if pull is not None:
            self._set_check(self.view(action.stage, action.release, number=action.number), pull)

    def _set_check(self, view: CommentView, pull: Pull) -> str:
        """Set the check on the head, so that the branch can require it; a new head needs it again.

        Where it cannot be set, nothing else is left unsaid for it.
        """
        check = check_text(view, pull.opened_at or self.maker.observation.at, pull.url)
        where = f"check/{self._repository}/{pull.head}/{check.name}"
        return self._try_check(pull, check, check.state) if self._is_due(where, repr(check), check.state) else ""

    def _try_check(self, pull: Pull, check: CheckText, key: str) -> str:
        where = f"check/{self._repository}/{pull.head}/{check.name}"
        try:
            self.maker.world.signals.set_check(self._repository, pull.head, check)
        except OutsideError as error:
            log = structlog.get_logger()
            log.warning("check not set", pull=pull.number, system=error.system, reason=error.sentence)
            return ""
        self._keep(where, repr(check), key)
        return "the check"

    def say_closed(self, action: ClosePromotion) -> None:
        """Say why a pull request is withdrawn, and keep which were superseded, to link the new one."""
        self._comment(action.number, CLOSING, closing_comment(action.reason))
        self._end(action)
        release = self._next_release(action.stage) if action.is_superseded else None
        if release is None:
            return
        gone = SupersededView(number=action.number, tag=self._noted(self._tag_key(action.number)) or "")
        before = [one for one in self._superseded(action.stage, release) if one.number != gone.number]
        kept = json.dumps([[one.number, one.tag] for one in (*before, gone)])
        self.maker.world.ledger.note(self._superseded_key(action.stage, release), kept)

    def _end(self, action: ClosePromotion) -> None:
        """Take back what a withdrawn pull request must not say any more: that it passed, or waits for people."""
        seen = self.maker.seen(action.stage)
        pulls = [*seen.superseded]
        pulls += [seen.promotion.pull] if isinstance(seen.promotion, Proposal) and seen.promotion.pull else []
        for pull in pulls:
            if pull.number == action.number:
                check = withdrawn_text(check_name(action.stage), action.reason, self.maker.observation.at)
                self._try_check(pull, check, "failed")
        if self._noted(f"comment/{self._repository}/{action.number}/{ATTENTION}") is not None:
            self._write(action.number, ATTENTION, attention_over_comment(), "over")

    def _next_release(self, stage: str) -> Release | None:
        tag = waiting_tag(self.maker.policy.stage(stage), self.maker.observation)
        return Release(image=self.maker.policy.image, tag=tag) if tag is not None else None

    # --- views ---

    def view(self, stage_name: str, release: Release, *, number: int | None = None) -> CommentView:
        """Return how a release stands in a stage, or on its way there; `number` is its pull request."""
        policy, maker = self.maker.policy, self.maker
        stage, tags = policy.stage(stage_name), maker.tags(stage_name)
        newest, arrived = tags.introduced, tags.tag == release.tag
        reverted = self._is_over(newest, release, stage_name, number)
        candidate = None if arrived else maker.judgement(stage.name, "candidate")
        there = maker.running(stage.name)
        running = there if arrived else None
        sources = maker.sources_of(stage, release) if stage.source and not arrived and not reverted else ()
        return CommentView(
            policy=policy,
            stage=stage,
            release=release,
            forge_url=self.telling.forge_url,
            source=sources[0] if sources else None,
            beside=sources[1:],
            candidate=candidate,
            running=running,
            reverted_by=newest.commit if reverted else None,
            reverted_at=newest.at if reverted else None,
            reverted_why=self._why_reverted(stage_name, release) if reverted else None,
            path=path_of(candidate, maker.decision.judgements) if candidate is not None and not reverted else (),
            did_not_help=there.reason if reverted and there.state is State.HALTED else None,
            circumstances=self._circumstances(stage, release, number, running or candidate),
        )

    def _is_over(self, newest: TagChange, release: Release, stage: str, number: int | None) -> bool:
        """Whether it was taken back. What a person has freed since is on its way again, in a new pull request."""
        if newest.trailers is None or newest.trailers.reverts is None or newest.old != release.tag:
            return False
        lifted = lifted_tags(self.maker.observation.orders, self.maker.policy.service).get(release.tag)
        pull = self._current_pull(stage, number)
        is_under_way = pull is None or pull.state is PullState.OPEN
        return lifted is None or lifted <= newest.at or not is_under_way

    def _circumstances(
        self, stage: Stage, release: Release, number: int | None, judgement: Judgement | None
    ) -> Circumstances:
        facts = self.maker.observation.forge
        pull = self._current_pull(stage.name, number)
        circumstances = Circumstances(
            now=self.maker.observation.at,
            pull=pull,
            overrides=self._overrides(stage, release, pull),
            supersedes=self._superseded(stage.name, release),
            answers=self._answers(number),
            history=self._history(stage, release, judgement),
        )
        return circumstances if facts is None else replace(circumstances, rules=facts.rules)

    def _current_pull(self, stage: str, number: int | None) -> Pull | None:
        seen = self.maker.seen(stage)
        for proposal in (seen.promotion, seen.arrival):
            if isinstance(proposal, Proposal) and proposal.pull is not None and proposal.pull.number == number:
                return proposal.pull
        return None

    def _pull(self, action: UpdatePromotion) -> Pull | None:
        return self._current_pull(action.stage, action.number)

    def _overrides(self, stage: Stage, release: Release, pull: Pull | None) -> tuple[OverrideView, ...]:
        head = pull.head if pull is not None else None
        found = standing(
            self.maker.observation.orders,
            service=self.maker.policy.service,
            stage=stage.name,
            release=release.name,
            head=head,
            policy_since=self.maker.observation.policy_since,
        ).overrides
        return tuple(OverrideView(gate=gate, by=order.by_login, reason=order.reason) for gate, order in found.items())

    def _answers(self, number: int | None) -> tuple[AnswerView, ...]:
        if number is None:
            return ()
        ledger, service = self.maker.world.ledger, self.maker.policy.service
        return answers_of(ledger, service, number)[:_MOST_ANSWERS]

    def _history(self, stage: Stage, release: Release, judgement: Judgement | None) -> tuple[ChangeView, ...]:
        """Return the states of the release on its way, newest first; a new one is noted."""
        if judgement is None:
            return ()
        key = f"history/{self.maker.policy.service}/{stage.name}/{release.image}:{release.tag}"
        kept = _parse_history(self._noted(key))
        if kept and kept[0].state == str(judgement.state):
            return kept
        now = ChangeView(at=self.maker.observation.at, state=str(judgement.state), reason=judgement.reason)
        kept = (now, *kept)[:_MOST_CHANGES]
        written = [[one.at.isoformat(), one.state, one.reason] for one in kept]
        self.maker.world.ledger.note(key, json.dumps(written))
        return kept

    def _tag_key(self, number: int) -> str:
        return f"tag/{self._repository}/{number}"

    def _superseded_key(self, stage: str, release: Release) -> str:
        return f"superseded/{self.maker.policy.service}/{stage}/{release.image}:{release.tag}"

    def _superseded(self, stage: str, release: Release) -> tuple[SupersededView, ...]:
        return _parse_superseded(self._noted(self._superseded_key(stage, release)))

    def _why_reverted(self, stage: str, release: Release) -> str | None:
        """Return the reason of the rollback as the ledger has it; None if the ledger was lost since."""
        for event in self.maker.world.ledger.events(service=self.maker.policy.service, kind="action"):
            done = event.body.get("action")
            if event.stage != stage or not isinstance(done, dict) or done.get("release") is None:
                continue
            if done.get("kind") == "roll back" and done["release"].get("tag") == release.tag:
                return str(done.get("reason"))
        return None

    # --- writing what changed ---

    def _noted(self, key: str) -> str | None:
        return self.maker.world.ledger.noted([key]).get(key)

    def _write(self, number: int, marker: str, body: str, key: str) -> str:
        """Write a comment if its text changed; a change of the numbers alone waits for its turn."""
        where = f"comment/{self._repository}/{number}/{marker}"
        if not self._is_due(where, body, key):
            return ""
        self._comment(number, marker, body)
        self._keep(where, body, key)
        return "the evidence" if marker == EVIDENCE else "that a person must act"

    def _comment(self, number: int, marker: str, body: str) -> None:
        where = f"comment-id/{self._repository}/{number}/{marker}"
        known = self._noted(where)
        number_of = int(known) if known and known.isdecimal() else None
        conversation = self.maker.world.conversation
        written = conversation.write_comment(self._repository, number, marker=marker, body=body, known=number_of)
        if str(written) != known:
            self.maker.world.ledger.note(where, str(written))

    def _write_body(self, action: UpdatePromotion, view: CommentView, key: str, *, is_whole: bool) -> str:
        """Write the body's section anew when the state changed, and with the numbers where it carries the evidence."""
        shown = view if is_whole else replace(view, circumstances=replace(view.circumstances, now=None))
        move = self.maker.move_of(action.stage, action.release)
        body = promotion_body(replace(self._with_source(move), standing=shown))
        where = f"body/{self._repository}/{action.number}"
        if not self._is_due(where, body, key, by_itself=is_whole):
            return ""
        is_there = self.maker.world.forge.edit_promotion(self._repository, action.number, body)
        self._keep(where, body, key)
        return "the body" if is_there else ""

    def _is_due(self, where: str, body: str, key: str, *, by_itself: bool = True) -> bool:
        """Whether a text is to be written: at once with a new state, and else, if `by_itself`, at a measured pace."""
        kept = _parse_written(self._noted(where))
        if kept is None:
            return True
        if kept.digest == _digest(body):
            return False
        if kept.key != key:
            return True
        return by_itself and self.maker.world.clock.now() - kept.at >= self._pace

    @property
    def _pace(self) -> timedelta:
        """How often numbers alone are written: seldom where nothing is being observed, since nothing rests on them."""
        moves = any(item.state in _MOVING for item in self.maker.decision.judgements)
        return self.telling.comment_every if moves else self.telling.comment_every * _SELDOM

    def _keep(self, where: str, body: str, key: str) -> None:
        now = self.maker.world.clock.now()
        self.maker.world.ledger.note(where, json.dumps([_digest(body), key, now.isoformat()]))


def _state_key(view: CommentView) -> str:
    states = [str(one.state) if one is not None else "" for one in (view.candidate, view.running)]
    pull = view.circumstances.pull
    answered = view.circumstances.answers[0].at.isoformat() if view.circumstances.answers else ""
    head = str(pull.head) if pull is not None else ""
    helped = "" if view.did_not_help is None else "did not help"
    tally = view.candidate.approvals if view.candidate is not None else None
    approved = [] if tally is None else [_digest(repr(tally))]
    return "/".join([*states, str(view.reverted_by or ""), helped, head, answered, *approved])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """What was written last in one place: the text's digest, the state that it told, and when."""

    digest: str
    key: str
    at: datetime


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


def _parse_written(noted: str | None) -> _Written | None:
    try:
        digest, key, at = json.loads(noted or "null")
        return _Written(digest=str(digest), key=str(key), at=datetime.fromisoformat(at))
    except (TypeError, ValueError):
        return None


def _parse_history(noted: str | None) -> tuple[ChangeView, ...]:
    try:
        return tuple(
            ChangeView(at=datetime.fromisoformat(at), state=str(state), reason=str(reason))
            for at, state, reason in json.loads(noted or "[]")
        )
    except (TypeError, ValueError):
        return ()


def _parse_superseded(noted: str | None) -> tuple[SupersededView, ...]:
    try:
        return tuple(SupersededView(number=int(number), tag=str(tag)) for number, tag in json.loads(noted or "[]"))
    except (TypeError, ValueError):
        return ()
