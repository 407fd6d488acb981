"""Hear what people command in comments: each command once, with the rights that its author has at this moment.

Enters: the comments that a look at the forge brought. Leaves: the observation with all orders that were ever accepted,
as the ledger has them. An accepted or denied command is recorded before it is acknowledged by a reaction; a comment
that was heard is not heard again, whatever becomes of its text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from bot.approving import name_among
from bot.domain.authority import (
    Accepted,
    Author,
    Authority,
    Denied,
    Permission,
    Said,
    Subject,
    effect_sentence,
    hear,
    is_first_too_many,
    judge_command,
    too_many,
    too_many_sentence,
)
from bot.domain.calendar import GATE as CALENDAR
from bot.domain.commands import USAGE, Command, Mistake
from bot.domain.model import Artifact, Release, Trouble
from bot.domain.observation import Observation, StageObservation
from bot.domain.observed import quarantined_tags, waiting_tag
from bot.domain.orders import Order, as_json
from bot.domain.policy import Policy, Stage
from bot.domain.pulls import Proposal, Pull, Remark
from bot.domain.text import join_words, one_line
from bot.forge import Reaction
from bot.observe import World
from bot.ordered import orders_of
from bot.ports import OutsideError, Transient
from bot.pushes import own_heads
from bot.records import Event, Ledger
from bot.render.views import AnswerView

_SEVERAL, _MISTAKEN = "(several)", "/liftlock"
"""What is recorded as said by whom commands too much, and where a command was not understood."""
_OWED = "owes "
"""Before the reaction that a heard comment has not got yet."""
_MOST_EVENTS = 500
"""How many of each kind are looked through for what is to be shown, and for who has commanded too much."""


def with_orders(world: World, policy: Policy, seen: Observation, *, is_dry: bool = False) -> Observation:
    """Hear the comments that the observation brought, and add the orders that they hold.

    A dry run hears nothing: it neither records nor answers. Comments are taken out: they are no part of a decision.
    """
    heard = tuple(_without_remarks(stage) for stage in seen.stages)
    subjects = () if is_dry else tuple(_subjects(policy, seen))
    for subject in subjects:
        _Ear(world=world, policy=policy, subject=subject).hear_all()
    # Without a comment nothing can have come to what the look began with.
    orders = orders_of(world.ledger, policy.service) if subjects else seen.orders
    return replace(seen, stages=heard, orders=orders)


def _heard(ledger: Ledger, service: str) -> Sequence[Event]:
    """Return the newest commands of all kinds, newest first: those that changed something, and the others."""
    orders = ledger.events(service=service, kind="command", limit=_MOST_EVENTS)
    answers = ledger.events(service=service, kind="answer", limit=_MOST_EVENTS)
    return sorted((*orders, *answers), key=lambda event: event.at, reverse=True)


def answers_of(ledger: Ledger, service: str, number: int) -> tuple[AnswerView, ...]:
    """Return what came of the commands on a pull request, newest first."""
    return tuple(
        AnswerView(
            by=str(event.body.get("author")),
            order=str(event.body.get("said")),
            at=event.at,
            is_accepted=event.body.get("accepted") is True,
            effect=str(event.body.get("effect")),
        )
        for event in _heard(ledger, service)
        if event.body.get("number") == number
    )


def commands_wait(world: World, repository: str, pull: Pull) -> bool:
    """Say whether somebody has commanded something on a pull request that was not heard yet."""
    known = world.ledger.noted([_heard_key(repository, remark) for remark in pull.remarks])
    unheard = [remark for remark in pull.remarks if _heard_key(repository, remark) not in known]
    return any(hear(_said(remark, pull), own_id=None) for remark in unheard)


def _heard_key(repository: str, remark: Remark) -> str:
    return f"heard/{repository}/{remark.id}"


def _said(remark: Remark, pull: Pull) -> Said:
    return Said(
        comment=remark.id,
        number=pull.number,
        author=Author(id=remark.author_id, login=remark.author, is_app=remark.is_app),
        body=remark.body,
        created_at=remark.created_at,
        was_edited=remark.was_edited,
        head=pull.head,
    )


def _without_remarks(stage: StageObservation) -> StageObservation:
    def silent(proposal: Proposal | Trouble | None) -> Proposal | Trouble | None:
        if not isinstance(proposal, Proposal) or proposal.pull is None:
            return proposal
        return replace(proposal, pull=replace(proposal.pull, remarks=()))

    return replace(
        stage,
        promotion=silent(stage.promotion),
        arrival=silent(stage.arrival),
        revert=silent(stage.revert),
        superseded=tuple(replace(pull, remarks=()) for pull in stage.superseded),
    )


# --- which comments are about what -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _About:
    """A pull request with comments, and the release and stage that it is about."""

    stage: Stage
    pull: Pull
    release: str
    is_present: bool
    is_quarantined: bool


def _subjects(policy: Policy, seen: Observation) -> Iterable[_About]:
    barred = quarantined_tags(seen)
    numbers: set[int] = set()
    for stage in policy.stages:
        here = seen.stage(stage.name)
        if stage.source is None or isinstance(here.tags, Trouble):
            continue
        for proposal, waiting in ((here.promotion, _waiting(policy, stage, seen)), (here.arrival, None)):
            if not isinstance(proposal, Proposal) or proposal.pull is None or not proposal.pull.remarks:
                continue
            # A branch that is gone names no release, nor does one on which a person's commit stands: people are heard
            # there all the same, on the release that the branch is named after.
            release = (Release.parse(proposal.release) if proposal.release is not None else None) or waiting
            if release is None or proposal.pull.number in numbers:
                continue
            numbers.add(proposal.pull.number)
            yield _About(
                stage=stage,
                pull=proposal.pull,
                release=release.name,
                is_present=release.tag == here.tags.tag,
                is_quarantined=release.tag in barred,
            )


def _waiting(policy: Policy, stage: Stage, seen: Observation) -> Release | None:
    """Return the release that waits before a stage."""
    tag = waiting_tag(stage, seen)
    if tag is None:
        return None
    artifact = seen.stage(stage.name).artifact
    digest = artifact.digest if isinstance(artifact, Artifact) else None
    return Release(image=policy.image, tag=tag, digest=digest)


# --- hearing them ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ear:
    """Hears the comments of one pull request."""

    world: World
    policy: Policy
    subject: _About

    @property
    def _repository(self) -> str:
        return self.policy.gitops.repository

    def hear_all(self) -> None:
        remarks = self.subject.pull.remarks
        known = self.world.ledger.noted([_heard_key(self._repository, remark) for remark in remarks])
        for remark in remarks:
            note = known.get(_heard_key(self._repository, remark))
            if note is not None:
                self._acknowledge_late(remark.id, note)
                continue
            said = _said(remark, self.subject.pull)
            found = hear(said, own_id=None)
            if not found:
                continue
            try:
                self._hear(said, found)
            except OutsideError as error:
                # Heard at a later sweep: the comment stays, and nothing was recorded of it.
                structlog.get_logger().warning("command not heard", system=error.system, reason=error.sentence)

    def _hear(self, said: Said, found: Sequence[Command | Mistake]) -> None:
        # What was recorded when a process was killed is not judged anew: a lift would be denied, since there is nothing
        # to be lifted any more.
        done = self._recorded(said.comment)
        now, earlier = self.world.clock.now(), self._earlier(said.author.id)
        if _is_of_several(done) or (not done and too_many(earlier, now)):
            if not done and is_first_too_many(earlier, now):
                self._record(said, _SEVERAL, effect=too_many_sentence(said.author))
            self._note_heard(said.comment, "too many")
            return
        authority = self._authority(said.author)
        rest = found[len(done) :]
        results = [self._judged(command, said, authority) for command in rest]
        for command, result in zip(rest, results, strict=True):
            self._record_result(said, command, result)
        reaction = _reaction([*map(_reaction_of, done), *map(_reaction_to, results)])
        self._note_heard(said.comment, f"{_OWED}{reaction.value}")
        self._acknowledge(said.comment, reaction)

    def _recorded(self, comment: int) -> Sequence[Event]:
        """Return what was recorded of a comment's commands already; they are recorded in their order."""
        return [one for one in _heard(self.world.ledger, self.policy.service) if one.body.get("comment") == comment]

    def _earlier(self, author: int) -> Sequence[datetime]:
        events = _heard(self.world.ledger, self.policy.service)
        return [event.at for event in events if event.body.get("author_id") == author]

    def _authority(self, author: Author) -> Authority:
        permission = self.world.conversation.permission_of(self._repository, author.id, author.login)
        if permission is Permission.NONE:
            # The login may be another account's by now: no name and no team is asked for it.
            return Authority(permission=permission)
        approvers, asked = self.subject.stage.proposing.approvers, self._asked
        is_approver = bool(name_among(self.world, approvers, author.login))
        is_asked = is_approver if asked == approvers else bool(name_among(self.world, asked, author.login))
        return Authority(permission=permission, is_approver=is_approver, is_asked=is_asked)

    @property
    def _asked(self) -> Sequence[str]:
        """From whom the policy wants approvals, where it names them."""
        approvals = self.subject.stage.proposing.approvals
        return approvals.people if approvals is not None else ()

    def _judged(self, command: Command | Mistake, said: Said, authority: Authority) -> Accepted | Denied | Mistake:
        if isinstance(command, Mistake):
            return command
        about = self.subject
        before = [self.policy.stage(name) for name in about.stage.sources or (about.stage.name,)]
        pushed = own_heads(self.world, self._repository, about.pull.branch)
        subject = Subject(
            service=self.policy.service,
            source=join_words([one.name for one in before], "or"),
            stage=about.stage.name,
            release=about.release,
            state=about.pull.state,
            head=about.pull.head,
            head_since=about.pull.head_at or pushed.get(about.pull.head),
            gates=tuple(dict.fromkeys(name for one in before for name in self._gates(one))),
            has_approvers=bool(about.stage.proposing.approvers or self._asked),
            counts_approvals=about.stage.proposing.approvals is not None,
            is_present=about.is_present,
            is_quarantined=about.is_quarantined,
        )
        return judge_command(command, said, authority, subject)

    def _gates(self, source: Stage) -> tuple[str, ...]:
        """Return the gates of the move: of the stage before, of the artifact, and the calendar where there is one."""
        # Where releases come from nowhere or from the registry, what is set by hand is verified on its way out.
        is_verified_there = source.source is None or source.intake is not None
        of_artifact = (*self.subject.stage.artifact, *(source.artifact if is_verified_there else ()))
        calendar = (CALENDAR,) if self.policy.calendars_of(self.subject.stage) else ()
        names = (*(gate.name for gate in source.gates), *(rule.name for rule in of_artifact), *calendar)
        return tuple(dict.fromkeys(names))

    def _record_result(self, said: Said, command: Command | Mistake, result: Accepted | Denied | Mistake) -> None:
        match result:
            case Accepted():
                effect = effect_sentence(result)
            case Denied():
                effect = result.reason
            case Mistake():
                effect = result.sentence
        order = result.order if isinstance(result, Accepted) else None
        words = _MISTAKEN if isinstance(command, Mistake) else _words(command)
        self._record(said, words, effect=effect, accepted=isinstance(result, Accepted), order=order)

    def _record(
        self, said: Said, words: str, *, effect: str, accepted: bool = False, order: Order | None = None
    ) -> None:
        body: Mapping[str, object] = {
            "comment": said.comment,
            "number": said.number,
            "author": said.author.login,
            "author_id": said.author.id,
            "said": words,
            "accepted": accepted,
            "effect": effect,
            "order": as_json(order) if order is not None else None,
        }
        event = Event(
            at=self.world.clock.now(),
            service=self.policy.service,
            stage=self.subject.stage.name,
            kind="command" if order is not None else "answer",
            body=body,
        )
        self.world.ledger.record(event)
        structlog.get_logger().info(
            "command",
            service=self.policy.service,
            stage=self.subject.stage.name,
            by=said.author.login,
            accepted=accepted,
            effect=effect,
        )

    def _note_heard(self, comment: int, note: str) -> None:
        self.world.ledger.note(f"heard/{self._repository}/{comment}", note)

    def _acknowledge(self, comment: int, reaction: Reaction) -> None:
        """React to the comment; that it fails takes nothing back, and the answer stands in the bot's own comment.

        Until the forge has taken it or will never, the reaction is owed, so that it is not lost with the process.
        """
        try:
            self.world.conversation.react(self._repository, comment, reaction)
        except OutsideError as error:
            structlog.get_logger().warning("no reaction", system=error.system, reason=error.sentence)
            if isinstance(error, Transient):
                return
        self._note_heard(comment, "heard")

    def _acknowledge_late(self, comment: int, note: str) -> None:
        """React to what was heard before, if that is still owed."""
        owed = note.removeprefix(_OWED)
        if note.startswith(_OWED) and owed in {one.value for one in Reaction}:
            self._acknowledge(comment, Reaction(owed))


def _is_of_several(events: Iterable[Event]) -> bool:
    return any(event.body.get("said") == _SEVERAL for event in events)


def _reaction(of_each: Sequence[Reaction]) -> Reaction:
    """Return one reaction to several commands: the worst news first."""
    return next(one for one in (Reaction.REFUSED, Reaction.CONFUSED, Reaction.DONE) if one in of_each)


def _reaction_to(result: Accepted | Denied | Mistake) -> Reaction:
    if isinstance(result, Accepted):
        return Reaction.DONE
    return Reaction.REFUSED if isinstance(result, Denied) else Reaction.CONFUSED


def _reaction_of(event: Event) -> Reaction:
    if event.body.get("accepted") is True:
        return Reaction.DONE
    return Reaction.CONFUSED if event.body.get("said") == _MISTAKEN else Reaction.REFUSED


def _words(command: Command) -> str:
    """Write the command as it was meant, on one line."""
    gate = f'"{command.gate}"' if " " in command.gate else command.gate
    override = f"--override {gate}" if gate else ""
    named = " ".join(part for part in (override, command.sha or "", command.reason) if part)
    return one_line(f"{USAGE[command.verb].split(' ')[0]} {command.verb} {named}".strip())
