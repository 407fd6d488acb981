"""Who wrote the commits between two of a source repository: authors, co-authors and committers, by their accounts.

What a commit says of its author is a claim: whoever may push can write another's address into it. GitHub itself is
nobody: not as the committer of what was done on its pages, and a merge that it made and signed was written by no one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bot.adapters.github.answers import SYSTEM, NotThere
from bot.adapters.github.asking import Query, Read
from bot.adapters.github.clients import PER_PAGE, Clients
from bot.adapters.github.documents import MOST_AT_ONCE, authors_document
from bot.adapters.github.identity import Account, account_of_rest
from bot.adapters.github.names import check_repository
from bot.adapters.github.nodes import Node
from bot.domain.approvals import Writer, Writers
from bot.domain.model import Sha
from bot.ports import Permanent, Transient

MOST_COMMITS = 1000
"""Of more nobody is told who wrote them: reading them costs a request for each hundred."""
_NAMELESS = "somebody without a name"
_GITHUB = "noreply@github.com"
_OF_A_BOT = re.compile(r"(\d{1,18})\+([A-Za-z0-9-]{1,100}\[bot\])@users\.noreply\.github\.com")
"""The address that GitHub gives to an app's commits; the number is the account's."""
_CO_AUTHORED = re.compile(r"(?im)^[ \t]*co-authored-by[ \t]*:")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hand:
    """Somebody who had a hand in a commit, as it names them; `account` None: GitHub knows none by that address."""

    account: Account | None
    name: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """A commit with those whom it names itself, and whether it also names co-authors."""

    sha: Sha
    hands: tuple[_Hand, ...]
    has_co_authors: bool


def read_writers(clients: Clients, repository: str, before: Sha, after: Sha) -> Writers | None:
    """Return who wrote the commits that `after` has and `before` lacks; None where GitHub knows one of the two not.

    A request for each hundred commits, and one for each fifty that name co-authors. Raise Permanent for more than a
    thousand, and Transient where not all of them were told.
    """
    check_repository(repository)
    try:
        commits = _commits(clients, repository, before, after)
    except NotThere:
        return None
    named = [commit.sha for commit in commits if commit.has_co_authors]
    hands = [hand for commit in commits for hand in commit.hands]
    for start in range(0, len(named), MOST_AT_ONCE):
        hands += _co_authors(clients, repository, named[start : start + MOST_AT_ONCE])
    return _each_once(hands)


def _commits(clients: Clients, repository: str, before: Sha, after: Sha) -> Sequence[_Written]:
    tried = f"find out who wrote the commits from {before[:7]} to {after[:7]} of {repository}"
    found: list[_Written] = []
    page, total = 1, 1
    while len(found) < total:
        read = Read(
            path=f"/repos/{repository}/compare/{before}...{after}",
            params={"per_page": PER_PAGE, "page": page},
            tried=tried,
        )
        total, listed = clients.read(repository, read, _parse_page)
        if total > MOST_COMMITS:
            raise Permanent(SYSTEM, f"could not {tried}: there are {total:,}, more than {MOST_COMMITS:,}")
        if total and not listed:
            raise Transient(SYSTEM, f"could not {tried}: {len(found)} of {total} were told")
        found += listed
        page += 1
    return found


def _parse_page(answer: object) -> tuple[int, list[_Written]]:
    node = Node(answer)
    return node.number("total_commits"), [_parse_commit(commit) for commit in node.items("commits")]


def _parse_commit(node: Node) -> _Written:
    written = node.node("commit")
    committer = _hand(node, "committer")
    is_by_github = committer.address == _GITHUB
    hands = () if is_by_github else (committer,)
    if not (is_by_github and _is_signed_merge(node)):
        hands = (_hand(node, "author"), *hands)
    return _Written(
        sha=node.sha("sha"),
        hands=hands,
        has_co_authors=_CO_AUTHORED.search(written.text("message")) is not None,
    )


def _is_signed_merge(node: Node) -> bool:
    verification = node.node("commit").maybe_node("verification")
    return len(list(node.items("parents"))) > 1 and verification is not None and verification.flag("verified")


def _hand(node: Node, role: str) -> _Hand:
    """Read author or committer. GitHub writes an empty object, too, where it knows no account."""
    account = node.raw(role) or None
    said = node.node("commit").maybe_node(role)
    return _Hand(
        account=None if account is None else account_of_rest(Node(account)),
        name=(said.maybe_text("name") if said is not None else None) or "",
        address=((said.maybe_text("email") if said is not None else None) or "").lower(),
    )


# --- co-authors ------------------------------------------------------------------------------------------------------


def _co_authors(clients: Clients, repository: str, commits: Sequence[Sha]) -> Sequence[_Hand]:
    """Ask for all authors of commits: which account has a co-author's address, only GraphQL tells."""
    owner, _, name = repository.partition("/")
    tried = f"find out who is named as co-author in {repository}"
    query = Query(
        document=authors_document(len(commits)),
        tried=tried,
        variables={"owner": owner, "name": name, **{f"c{i}": commit for i, commit in enumerate(commits)}},
    )

    def parse(data: Node) -> list[_Hand]:
        limit = data.maybe_node("rateLimit")
        if limit is not None:
            clients.note_points(repository, limit.number("cost"))
        found = data.node("repository")
        return [
            hand for i in range(len(commits)) for hand in _parse_authors(found.node(f"c{i}").node("authors"), tried)
        ]

    return clients.query(repository, query, parse)


def _parse_authors(authors: Node, tried: str) -> Iterator[_Hand]:
    if authors.node("pageInfo").flag("hasNextPage"):
        raise Permanent(SYSTEM, f"could not {tried}: a commit names more than a hundred")
    for node in authors.items("nodes"):
        user = node.maybe_node("user")
        account = None
        if user is not None:
            account = Account(login=user.text("login"), id=user.number("databaseId"), is_app=False)
        address = (node.maybe_text("email") or "").lower()
        yield _Hand(account=account, name=node.maybe_text("name") or "", address=address)


# --- each once -------------------------------------------------------------------------------------------------------


def _each_once(hands: Iterable[_Hand]) -> Writers:
    accounts: dict[int, str] = {}
    unknown: dict[str, str] = {}
    for hand in hands:
        known = _known(hand)
        if known is not None:
            accounts.setdefault(known.id, known.login)
        else:
            unknown.setdefault(hand.address or hand.name, hand.name or _NAMELESS)
    return Writers(
        accounts=tuple(Writer(id=number, login=login) for number, login in sorted(accounts.items())),
        unknown=tuple(name for _, name in sorted(unknown.items())),
    )


def _known(hand: _Hand) -> Writer | None:
    if hand.account is not None and hand.account.id is not None:
        return Writer(id=hand.account.id, login=hand.account.login)
    of_bot = _OF_A_BOT.fullmatch(hand.address)
    return None if of_bot is None else Writer(id=int(of_bot[1]), login=of_bot[2])
