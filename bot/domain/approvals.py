"""Who has approved a pull request at its head, who of them counts, and how many more it takes (I16).

Enters: the newest review of each person, the commands that stand, and what the forge says of those people now. Leaves:
a `Tally`. A review and a command of one account count once. What cannot be found out counts for nothing, and is told.
Logins and names are outside text, and raw in all values but sentences; whoever shows them escapes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.domain.authority import NO_ACCESS, Permission
from bot.domain.model import Sha, Trouble
from bot.domain.orders import Standing
from bot.domain.policy import Approvals, ApprovedWhen
from bot.domain.pulls import Pull
from bot.domain.text import in_words, join_words, one_line

REVIEW, COMMAND = "review", "command"
_SHORT = 7
_LONGEST_NAME = 60
_MOST_SHOWN = 3


# --- what was seen ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """An account that wrote, committed or is named as co-author of a source commit. `id` is its number."""

    id: int
    login: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Writers:
    """Who wrote the source commits between two releases, each once.

    `unknown` are the names of those whom the forge knows no account of, one for each address.
    """

    accounts: tuple[Writer, ...] = ()
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Voter:
    """Somebody who approved, and what the forge says of them now.

    `name` is the one of the policy's people that they are, or are in. `trouble` is why that could not be found out.
    """

    id: int
    permission: Permission = Permission.NONE
    name: str = ""
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Approving:
    """What was asked of the forge about those who approved. `writers` None: the policy does not ask who they are."""

    voters: tuple[Voter, ...] = ()
    writers: Writers | Trouble | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """All that is counted of one open pull request.

    `facts` None: nobody was looked up. `policy_since` is when the policy in force replaced another one, `passed_at`
    when the release had passed in the stage before; None while it has not.
    """

    pull: Pull
    standing: Standing
    facts: Approving | None
    policy_since: datetime | None = None
    passed_at: datetime | None = None


# --- what it comes to ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Approver:
    """Somebody whose approval counts; `ways` are `review`, `command` or both."""

    id: int
    login: str
    ways: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Discounted:
    """Somebody whose approval does not count; `why` goes on after their name."""

    login: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many approvals there are of those that are needed.

    `unknown` are the writers whom the forge has no account of: each may be one of those who approve, so that for each
    of them one more is needed. `trouble` is what could not be found out, where it might make up what is missing.
    """

    need: int
    people: tuple[str, ...]
    given: tuple[Approver, ...] = ()
    others: tuple[Discounted, ...] = ()
    unknown: tuple[str, ...] = ()
    trouble: str = ""

    @property
    def required(self) -> int:
        """How many it takes in all."""
        return self.need + len(self.unknown)

    @property
    def missing(self) -> int:
        """How many more it takes."""
        return max(0, self.required - len(self.given))

    @property
    def is_enough(self) -> bool:
        """Whether it may be merged as far as approvals go."""
        return self.missing == 0


def voters_of(pull: Pull, standing: Standing) -> tuple[tuple[int, str], ...]:
    """Return number and login of each account that must be looked up: people who approved the present head.

    Those who commanded come first; a login is the newest that is known of the account.
    """
    votes = [vote for vote in _votes(pull, standing) if vote.head == pull.head and vote.id and not vote.is_app]
    return tuple({vote.id: (vote.id, vote.login) for vote in votes}.values())


def tally_of(wanted: Approvals, ballot: Ballot) -> Tally:
    """Count the approvals. One more never makes it less, and whoever is not known to count does not."""
    votes: dict[int, list[_Vote]] = {}
    for number, vote in enumerate(_votes(ballot.pull, ballot.standing)):
        # Accounts that are gone have no number to tell them apart by.
        votes.setdefault(vote.id or -number - 1, []).append(vote)
    given: list[Approver] = []
    others: list[Discounted] = []
    for cast in votes.values():
        judged = [(vote, _against(vote, wanted, ballot)) for vote in cast]
        good = [vote for vote, why in judged if not why]
        if good:
            given.append(Approver(id=good[-1].id, login=good[-1].login, ways=tuple(vote.way for vote in good)))
        else:
            newest, why = max(judged, key=lambda one: one[0].at)
            others.append(Discounted(login=newest.login, why=why))
    writers = _writers(wanted, ballot)
    tally = Tally(
        need=wanted.need,
        people=wanted.people,
        given=tuple(sorted(given, key=lambda one: one.id)),
        others=tuple(others),
        unknown=writers.unknown if isinstance(writers, Writers) else (),
    )
    return tally if tally.is_enough else _with_trouble(tally, wanted, ballot)


def still_missing(tally: Tally, pull: Pull) -> int:
    """Say how many approvals are missing by now: `pull` is as it is at this moment, and reviews may be gone since."""
    approving = {one.by_id for one in pull.reviews.given if one.approves and one.head == pull.head}
    objecting = {one.by_id for one in pull.reviews.given if not one.approves}
    stands = [one for one in tally.given if one.id not in objecting and (COMMAND in one.ways or one.id in approving)]
    return max(0, tally.required - len(stands))


# --- one approval ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Vote:
    id: int
    login: str
    at: datetime
    head: Sha | None
    way: str
    is_app: bool = False


def _votes(pull: Pull, standing: Standing) -> Sequence[_Vote]:
    commanded = [
        _Vote(id=order.by_id, login=order.by_login, at=order.at, head=order.head, way=COMMAND)
        for order in standing.approvals
    ]
    reviewed = [
        _Vote(id=one.by_id, login=one.by, at=one.at, head=one.head, way=REVIEW, is_app=one.is_app)
        for one in pull.reviews.given
        if one.approves
    ]
    return [*commanded, *reviewed]


def _against(vote: _Vote, wanted: Approvals, ballot: Ballot) -> str:
    """Return why an approval does not count, to go on after the login; empty if it does."""
    return _not_of_this(vote, wanted, ballot) or _not_by_one_of_them(vote, wanted, ballot)


def _not_of_this(vote: _Vote, wanted: Approvals, ballot: Ballot) -> str:
    """Say whether it is of another head, or of another time."""
    head, standing = ballot.pull.head, ballot.standing
    is_early = ballot.passed_at is None or vote.at < ballot.passed_at
    objections = (one.at for one in ballot.pull.reviews.given if not one.approves and one.by_id == vote.id)
    # What came in the second in which something else did may have come before it: the forge tells no more.
    rungs = (
        (vote.is_app, "is an app"),
        (vote.id == 0, "has no account"),
        (vote.head is None, "approved a commit that is gone"),
        (vote.head != head, f"approved the earlier head {(vote.head or '')[:_SHORT]}"),
        (standing.stopped_at is not None and vote.at <= standing.stopped_at, "approved before it was rejected"),
        (ballot.policy_since is not None and vote.at < ballot.policy_since, "approved under another policy"),
        (wanted.when is ApprovedWhen.AFTER_WINDOW and is_early, "approved before the release had passed"),
        (any(at >= vote.at for at in objections), "asked for changes since"),
    )
    return next((why for stands, why in rungs if stands), "")


def _not_by_one_of_them(vote: _Vote, wanted: Approvals, ballot: Ballot) -> str:
    """Say whether it is by somebody who is not asked, or must not be asked."""
    voter = _voters(ballot).get(vote.id)
    if voter is None:
        return "was not looked up"
    writers = _writers(wanted, ballot)
    if isinstance(writers, Trouble):
        return _not_asked(voter, wanted) or "may have written a source commit"
    wrote = vote.id in {one.id for one in writers.accounts}
    return _not_asked(voter, wanted) or ("wrote a source commit" if wrote else "")


def _not_asked(voter: Voter, wanted: Approvals) -> str:
    in_team = "in " if len(wanted.people) == 1 and "/" in wanted.people[0] else ""
    rungs = (
        (voter.trouble is not None, "could not be looked up"),
        (voter.permission is Permission.NONE, f"has {NO_ACCESS}"),
        (wanted.people and not voter.name, f"is not {in_team}{_named(wanted.people)}"),
        (not wanted.people and voter.permission < Permission.WRITE, "may not write in the repository"),
    )
    return next((why for stands, why in rungs if stands), "")


def _voters(ballot: Ballot) -> Mapping[int, Voter]:
    return {} if ballot.facts is None else {one.id: one for one in ballot.facts.voters}


def _writers(wanted: Approvals, ballot: Ballot) -> Writers | Trouble:
    """Return who wrote what comes; nobody where the policy does not ask for it."""
    if not wanted.four_eyes:
        return Writers()
    found = None if ballot.facts is None else ballot.facts.writers
    return Trouble(system="Liftlock", sentence="who wrote the source commits was not asked") if found is None else found


def _with_trouble(tally: Tally, wanted: Approvals, ballot: Ballot) -> Tally:
    """Add what could not be found out, if knowing it might be enough."""
    writers = _writers(wanted, ballot)
    unclear = [one.trouble for one in _voters(ballot).values() if one.trouble is not None]
    troubles = [writers] if isinstance(writers, Trouble) else unclear
    return replace(tally, trouble=f"{troubles[0].system}: {troubles[0].sentence}") if troubles else tally


# --- words -----------------------------------------------------------------------------------------------------------


def has_of(tally: Tally) -> str:
    """Say how many approvals there are of how many, and whose."""
    count, required = len(tally.given), tally.required
    if count == 0 and required == 1:
        return "no approval"
    whose = f" ({join_words([_shown(one.login) for one in tally.given])})" if tally.given else ""
    noun = "approval" if required == 1 else "approvals"
    return f"{'none' if count == 0 else in_words(count)} of {in_words(required)} {noun}{whose}"


def clauses_of(tally: Tally, most: int = _MOST_SHOWN) -> Sequence[str]:
    """Say who does not count and why, and why more are needed than the policy says."""
    said = [f"{_shown(one.login)} {one.why} and does not count" for one in tally.others[:most]]
    more = len(tally.others) - most
    said += [f"{in_words(more)} more {'does' if more == 1 else 'do'} not count"] if more > 0 else []
    if tally.unknown:
        count = len(tally.unknown)
        who = join_words([_shown(name) for name in tally.unknown[:most]])
        rest = f" and {in_words(count - most)} more" if count > most else ""
        wrote = f"no account is known of {who}{rest}, who wrote source commits and may be among those who approve"
        said.append(f"{wrote}, so {in_words(count)} more {'is' if count == 1 else 'are'} needed")
    return said


def needs_of(tally: Tally) -> str:
    """Say how many more are needed, and from whom."""
    more = f"{in_words(tally.missing)}{' more' if tally.given else ''}"
    whoever = "somebody who may write" if tally.missing == 1 else "people who may write"
    return f"needs {more} from {_named(tally.people) if tally.people else whoever}"


def sentence_of(tally: Tally, number: int) -> str:
    """Say how it stands with the approvals of pull request `number`, in one sentence without a full stop."""
    parts = [f"#{number} has {has_of(tally)}", *clauses_of(tally)]
    parts += [tally.trouble] if tally.trouble else []
    return "; ".join([*parts, needs_of(tally)] if tally.missing else parts)


def _named(people: Iterable[str]) -> str:
    return join_words([name.removeprefix("@") for name in people], "or")


def _shown(name: str) -> str:
    return one_line(name, limit=_LONGEST_NAME)
