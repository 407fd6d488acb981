"""Who may command what: a command, who said it and what it is about → `Accepted` or `Denied`, in one sentence.

Nothing here asks the forge: permissions and team memberships come in as they were read at that time, never as a comment
shows them. Logins, reasons and gates are outside text, and raw in all values; whoever shows them escapes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from enum import IntEnum
from typing import Literal

from bot.domain.commands import Command, Mistake, Verb, parse_comment
from bot.domain.model import Sha
from bot.domain.orders import BOUND, QUESTIONS, Order
from bot.domain.pulls import PullState
from bot.domain.text import join_words, one_line

MOST_IN_AN_HOUR = 20
"""How many commands of one account are answered within an hour."""
NO_ACCESS = "no access here, or another name by now"
"""What somebody has whom the forge lets do nothing: the login may be another account's."""
_HOUR = timedelta(hours=1)
_FULL_SHA = 40
_SHORT = 7


class Permission(IntEnum):
    """What the forge lets an account do in the repository; each includes those before it."""

    NONE = 0
    READ = 1
    TRIAGE = 2
    WRITE = 3
    MAINTAIN = 4
    ADMIN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """An account. `id` is its number, which a renamed login does not change; 0 where the account is gone."""

    id: int
    login: str
    is_app: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A comment. `number` is its pull request's, `head` that one's head when the bot first saw the comment."""

    comment: int
    number: int
    author: Author
    body: str
    created_at: datetime
    was_edited: bool = False
    head: Sha | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """What the author may do, read now. `is_approver`: the policy names them, or a team that they are in.

    `is_asked`: they are one of those from whom the policy wants approvals, which gives them that right alone.
    """

    permission: Permission
    is_approver: bool = False
    is_asked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a command is about: the move of `release` from `source` into `stage`, and its pull request as it is now.

    `head_since` is when the head came, None where that is not known. `gates` are the names of the source's gates.
    `has_approvers` says that the policy names some, or from whom it wants approvals; `counts_approvals` that one alone
    decides nothing there. `is_present` says that this pull request's merge is what brought
    the stage its present release, `is_quarantined` that the release was taken back somewhere.
    """

    service: str
    source: str
    stage: str
    release: str
    state: PullState
    head: Sha
    head_since: datetime | None = None
    gates: tuple[str, ...] = ()
    has_approvers: bool = False
    counts_approvals: bool = False
    is_present: bool = False
    is_quarantined: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A command that its author may give. One that only asks (status, explain, help) leaves no order.

    `is_counted` is of an approval that is one of several, and may not be among those that count.
    """

    command: Command
    by: Author
    order: Order | None = None
    is_counted: bool = False
    kind: Literal["accepted"] = "accepted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """A command that is not carried out, with one sentence: who, what, why, and what it would take."""

    reason: str
    kind: Literal["denied"] = "denied"


# --- Who is heard ----------------------------------------------------------------------------------------------------


def hear(said: Said, *, own_id: int | None) -> tuple[Command | Mistake, ...]:
    """Read the commands of a comment that may hold some; `own_id` is the account of the bot, where it is known.

    Apps, the bot and accounts that are gone are not heard, and get no answer: two bots would talk for ever. An edited
    comment gets one answer: what it said when others read it is not known.
    """
    if said.author.is_app or said.author.id in {0, own_id}:
        return ()
    found = parse_comment(said.body)
    if found and said.was_edited:
        return (Mistake(sentence=_EDITED),)
    return found


_EDITED = "A comment that was edited is not read for commands: write the command in a new one."


def too_many(earlier: Iterable[datetime], now: datetime) -> bool:
    """Say whether one more command is beyond twenty within an hour; `earlier` are those of the same account.

    All that were heard count, refused ones too. The first that is beyond is explained (`is_first_too_many`), and those
    behind it get no answer.
    """
    return _within_an_hour(earlier, now) >= MOST_IN_AN_HOUR


def is_first_too_many(earlier: Iterable[datetime], now: datetime) -> bool:
    """Say whether this command is the one with which it becomes too many."""
    return _within_an_hour(earlier, now) == MOST_IN_AN_HOUR


def _within_an_hour(earlier: Iterable[datetime], now: datetime) -> int:
    # What a clock that runs ahead puts into the future counts, too.
    return sum(now - at < _HOUR for at in earlier)


def too_many_sentence(author: Author) -> str:
    """Explain that an account's commands are not answered for a while."""
    return f"@{author.login} gave more than {MOST_IN_AN_HOUR} commands within an hour: later ones are not answered."


# --- Who may ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Right:
    """What a command needs: at least this role, or to be an approver where `or_approver` says so."""

    act: str
    least: Permission
    or_approver: bool = False


_ASK = "ask about {service} in {stage}"
_RIGHTS: Mapping[Verb, _Right] = {
    Verb.STATUS: _Right(act=_ASK, least=Permission.READ),
    Verb.EXPLAIN: _Right(act=_ASK, least=Permission.READ),
    Verb.HELP: _Right(act=_ASK, least=Permission.READ),
    Verb.HOLD: _Right(act="hold {service} in {stage}", least=Permission.WRITE),
    Verb.RESUME: _Right(act="resume {service} in {stage}", least=Permission.WRITE),
    Verb.RETRY: _Right(act="ask for another try in {stage}", least=Permission.WRITE),
    Verb.APPROVE: _Right(act="approve releases for {stage}", least=Permission.WRITE, or_approver=True),
    Verb.PROMOTE: _Right(act="override gates in {stage}", least=Permission.MAINTAIN, or_approver=True),
    Verb.REJECT: _Right(act="reject releases for {stage}", least=Permission.WRITE, or_approver=True),
    Verb.ROLLBACK: _Right(act="roll back releases in {stage}", least=Permission.WRITE, or_approver=True),
    Verb.LIFT: _Right(act="lift a quarantine in {stage}", least=Permission.MAINTAIN, or_approver=True),
}


def judge_command(command: Command, said: Said, authority: Authority, subject: Subject) -> Accepted | Denied:
    """Decide whether a command that was heard is carried out: who may, what it is about, and for which head."""
    refusal = _lacks_right(command.verb, said.author, authority, subject)
    if refusal is not None:
        return Denied(reason=refusal)
    obstacle = _obstacle(command, said, subject)
    if obstacle is not None:
        return Denied(reason=f"@{said.author.login}'s `/liftlock {command.verb}` is not carried out: {obstacle}.")
    if command.verb in QUESTIONS:
        return Accepted(command=command, by=said.author)
    is_counted = command.verb is Verb.APPROVE and subject.counts_approvals
    return Accepted(command=command, by=said.author, order=_order(command, said, subject), is_counted=is_counted)


def _order(command: Command, said: Said, subject: Subject) -> Order:
    return Order(
        kind=command.verb,
        service=subject.service,
        stage=subject.stage,
        release=subject.release,
        by_id=said.author.id,
        by_login=said.author.login,
        at=said.created_at,
        comment=said.comment,
        line=command.line,
        number=said.number,
        gate=command.gate,
        reason=command.reason,
        head=subject.head if command.verb in BOUND else None,
    )


def _lacks_right(verb: Verb, author: Author, authority: Authority, subject: Subject) -> str | None:
    if author.is_app:
        return f"@{author.login} is an app, and only people command."
    right = _RIGHTS[verb]
    # Where the policy names approvers, the role to write is no longer enough to approve.
    least = Permission.ADMIN if verb is Verb.APPROVE and subject.has_approvers else right.least
    if authority.permission >= least or (right.or_approver and authority.is_approver):
        return None
    if verb is Verb.APPROVE and authority.is_asked:
        return None
    needs = f"the {least.name.lower()} role"
    if right.or_approver and subject.has_approvers:
        needs += " or to be an approver of the policy"
    act = right.act.format(service=subject.service, stage=subject.stage)
    has = authority.permission.name.lower() if authority.permission else NO_ACCESS
    return f"@{author.login} may not {act}: that needs {needs}; {author.login} has {has}."


# --- What stands in the way ------------------------------------------------------------------------------------------


def _obstacle(command: Command, said: Said, subject: Subject) -> str | None:
    pull = f"pull request {said.number}"
    if command.verb in BOUND:
        return _not_bindable(command, said, subject) or _no_override(command, subject)
    if command.verb is Verb.REJECT and subject.state is PullState.MERGED:
        return f"{pull} is merged already, and `/liftlock rollback REASON` is what takes a release back"
    if command.verb is Verb.ROLLBACK and not subject.is_present:
        return _nothing_to_roll_back(pull, subject)
    if command.verb is Verb.RETRY and subject.is_quarantined:
        return f"{subject.release} was taken back and is quarantined; `/liftlock lift REASON` is what frees it"
    if command.verb is Verb.LIFT and not subject.is_quarantined:
        return f"{subject.release} is not quarantined"
    return None


def _nothing_to_roll_back(pull: str, subject: Subject) -> str:
    if subject.state is PullState.MERGED:
        return f"{pull} is not what brought {subject.stage} its present release; write it in the one that did"
    return f"{pull} is not merged, and `/liftlock reject REASON` is what keeps its release out of {subject.stage}"


def _no_override(command: Command, subject: Subject) -> str | None:
    if command.verb is not Verb.PROMOTE:
        return None
    if subject.is_quarantined:
        return (
            f"{subject.release} was taken back and is quarantined, and no override moves it: release a new one, or "
            "write `/liftlock lift REASON`"
        )
    if command.gate in subject.gates:
        return None
    wanted = f'{subject.source} has no gate "{one_line(command.gate, limit=60)}"'
    if not subject.gates:
        return f"{wanted}; it has no gates at all"
    near = get_close_matches(command.gate[:200], subject.gates, n=1)
    perhaps = f', perhaps "{near[0]}" was meant' if near else ""
    quotes = "; a name with spaces stands in quotes" if any(" " in gate for gate in subject.gates) else ""
    return f"{wanted}{perhaps}; its gates are {join_words(subject.gates)}{quotes}"


def _not_bindable(command: Command, said: Said, subject: Subject) -> str | None:
    """Say why an approval or override cannot be bound to the present head, so that it never slides to another one.

    A full SHA binds by itself. A short one can be forged by whoever may push, and none at all names nothing: these
    count only for a head that was there before the comment, and still was when the bot first saw it.
    """
    pull, head = f"pull request {said.number}", subject.head[:_SHORT]
    if subject.state is not PullState.OPEN:
        return f"{pull} is {subject.state}, and only an open one moves a release"
    again = "then write the command again"
    if command.verb is Verb.APPROVE:
        again = f"then write `/liftlock approve {subject.head}`"
    if command.sha is not None and not subject.head.startswith(command.sha):
        return f"the head of {pull} is {head} and not {command.sha[:_SHORT]}; look at what it proposes now, {again}"
    if command.sha is not None and len(command.sha) >= _FULL_SHA:
        return None
    if subject.head_since is None:
        return f"since when {pull} has its head {head} is not known; look at what it proposes now, {again}"
    # The forge tells whole seconds: what came in the same one may have come after the comment.
    if said.head != subject.head or subject.head_since >= said.created_at:
        return f"{pull} moved to {head} after the comment; look at what it proposes now, {again}"
    return None


# --- What it does ----------------------------------------------------------------------------------------------------

_EFFECTS: Mapping[Verb, str] = {
    Verb.HOLD: "Held by {who}: nothing moves into {stage} until `/liftlock resume`.",
    Verb.RESUME: "Resumed by {who}: releases may move into {stage} again.",
    Verb.APPROVE: "Approved by {who}: {release} may move into {stage} with commit {head} and no other.",
    Verb.PROMOTE: 'Overridden by {who}: the gate "{gate}" does not stop {release} from moving into {stage} with commit '
    "{head}.",
    Verb.REJECT: "Rejected by {who}: {release} does not move into {stage} until `/liftlock retry` or "
    "`/liftlock approve`.",
    Verb.ROLLBACK: "Rollback asked for by {who}: the promotion of {release} into {stage} is taken back.",
    Verb.RETRY: "Another try asked for by {who}: {release} is judged anew for {stage}, and a rejection of it no longer "
    "stands.",
    Verb.LIFT: "Quarantine lifted by {who}: {release} may move again, past the same gates as any other release.",
}


_COUNTED = (
    "Approved by {who}: {release} with commit {head} and no other. How many that makes is told with the approvals."
)


def effect_sentence(accepted: Accepted) -> str:
    """Say in one sentence of plain text what an accepted command does."""
    order = accepted.order
    if order is None:
        return f"Answered {accepted.by.login}'s `/liftlock {accepted.command.verb}`."
    effect = _COUNTED if accepted.is_counted else _EFFECTS[order.kind]
    return effect.format(
        who=order.by_login,
        stage=order.stage,
        release=order.release,
        gate=order.gate,
        head=(order.head or "")[:_SHORT],
    )
