"""Look at the promotions of a repository, in one GraphQL request wherever that is possible.

The list of open ones and the newest of each branch are light. What a decision needs in full is asked for by number: in
the same request for those that were open at the last look, in a further one for those that are new, and not at all for
closed ones that have not changed since (`updatedAt`). Of open ones only the numbers are remembered: every fact of them
is read anew.

Races: what changes between two requests of a look is seen as it is in the later one.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from bot.adapters.github.answers import SYSTEM
from bot.adapters.github.asking import Query
from bot.adapters.github.budget import Right
from bot.adapters.github.checks import Report, parse_report
from bot.adapters.github.clients import Clients
from bot.adapters.github.documents import (
    LOOK_AGAIN,
    MORE_CHECKS,
    MORE_LATEST,
    MORE_OPEN,
    MORE_REMARKS,
    MOST_AT_ONCE,
    OF_BRANCH,
    look_document,
)
from bot.adapters.github.identity import Identity
from bot.adapters.github.names import shown
from bot.adapters.github.nodes import Node
from bot.adapters.github.pull_nodes import Glimpse, WholePull, page_before, parse_glimpse, parse_remarks, parse_whole
from bot.adapters.github.rules import parse_rules, required_approvals, required_checks
from bot.domain.naming import OWN_PREFIX
from bot.domain.pulls import Bystander, MergeRules, Proposals, Pull, PullState, Remark
from bot.ports import Permanent

T = TypeVar("T")

_HOUR = timedelta(hours=1)
_SETTLES = timedelta(seconds=10)
_MOST_PAGES = 20
_MOST_COMMENT_PAGES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Memory:
    """Which numbers to ask for at once, and the closed ones as they were."""

    open: tuple[int, ...] = ()
    closed: Mapping[int, WholePull] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class _Seen:
    """What the requests of one look have brought so far."""

    own: Identity
    base: str
    rules: MergeRules = field(default_factory=MergeRules)
    open: list[Glimpse] = field(default_factory=list)
    latest: list[Glimpse] = field(default_factory=list)
    newest: dict[str, Glimpse] = field(default_factory=dict)
    hidden: list[str] = field(default_factory=list)
    next_open: str | None = None
    next_latest: str | None = None
    whole: dict[int, WholePull] = field(default_factory=dict)

    def open_numbers(self) -> list[int]:
        own = [pull for pull in self.open if pull.branch.startswith(OWN_PREFIX)]
        return [pull.number for pull in own if _is_of_the_branch(pull, self.base)]


class Looks:
    """Reads proposals. Safe to share between threads."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._lock = threading.Lock()
        self._memories: dict[str, _Memory] = {}

    def look_at(self, repository: str, base: str, branches: Collection[str]) -> Proposals:
        """Look at all open promotions and at the newest pull request of each branch."""
        with self._lock:
            memory = self._memories.pop(repository, _Memory())
        # Where this fails, the memory stays dropped: a number that GitHub knows no more spoils no second look.
        seen = self._first(repository, base, sorted(set(branches)), memory)
        self._complete(repository, seen)
        wanted = [*seen.open_numbers(), *(pull.number for pull in seen.newest.values())]
        self._fill(repository, seen, memory, wanted)
        with self._lock:
            self._memories[repository] = _remember(seen, wanted, self._clients.clock.now() - _SETTLES)
        return self._proposals(seen, base)

    def look_again(self, repository: str, number: int, right: Right = Right.VITAL) -> Pull:
        """Read one pull request at this moment, with the rules of the branch that it goes to."""
        tried = f"look at pull request #{number} of {repository}"
        own = self._clients.identity()
        variables = {**_named(repository), "n0": number}
        query = Query(document=LOOK_AGAIN, tried=tried, variables=variables, right=right)

        def parse(data: Node) -> tuple[WholePull, Node]:
            self._note_cost(repository, data)
            found = data.node("repository")
            return parse_whole(found.node("n0"), own), found.node("base").node("baseRef")

        whole, ref = self._clients.query(repository, query, parse)
        whole = self._with_more_remarks(repository, self._with_all_reports(repository, whole, own), own)
        return whole.judged(required_checks(ref), required_approvals(ref), own)

    # --- requests ---

    def _first(self, repository: str, base: str, branches: Sequence[str], memory: _Memory) -> _Seen:
        seen = _Seen(own=self._clients.identity(), base=base)
        some_branches, some_numbers = _chunks(branches), _chunks(memory.open)
        for turn in range(max(len(some_branches), len(some_numbers), 1)):
            ask = _Ask(
                branches=some_branches[turn] if turn < len(some_branches) else (),
                numbers=some_numbers[turn] if turn < len(some_numbers) else (),
                base=base if turn == 0 else None,
            )
            self._ask(repository, ask, seen)
        return seen

    def _ask(self, repository: str, ask: _Ask, seen: _Seen) -> None:
        tried = f"look at the pull requests of {repository}"
        variables = {**_named(repository), **ask.variables()}
        query = Query(document=ask.document(), tried=tried, variables=variables)

        def parse(data: Node) -> None:
            self._note_cost(repository, data)
            _take(data.node("repository"), ask, seen)

        self._clients.query(repository, query, parse)

    def _complete(self, repository: str, seen: _Seen) -> None:
        """Read further pages of open ones, and look behind forks that have a branch of the same name."""
        tried = f"list the open pull requests of {repository}"
        for _ in range(_MOST_PAGES):
            if seen.next_open is None:
                break
            variables = {**_named(repository), "after": seen.next_open}
            more, seen.next_open = self._page(repository, MORE_OPEN, variables, tried)
            seen.open += more
        else:
            raise Permanent(SYSTEM, f"could not {tried}: there are more than {_MOST_PAGES * 100}")
        self._complete_hour(repository, seen)
        for branch in seen.hidden:
            found = self._own_of_branch(repository, branch, seen.base)
            if found is not None:
                seen.newest[branch] = found

    def _complete_hour(self, repository: str, seen: _Seen) -> None:
        """Read on while there may be more of the past hour: what the limit of openings counts must not be cut off."""
        since = self._clients.clock.now() - _HOUR
        tried = f"list the newest pull requests of {repository}"
        for _ in range(_MOST_PAGES):
            if seen.next_latest is None or seen.latest[-1].created_at <= since:
                return
            variables = {**_named(repository), "after": seen.next_latest}
            more, seen.next_latest = self._page(repository, MORE_LATEST, variables, tried)
            seen.latest += more

    def _own_of_branch(self, repository: str, branch: str, base: str) -> Glimpse | None:
        """Return the newest one of the repository's own branch; anybody may open others from a fork."""
        tried = f"find the pull request of {shown(branch)} in {repository}"
        after: str | None = None
        for _ in range(_MOST_PAGES):
            variables = {**_named(repository), "branch": branch, "after": after}
            page, after = self._page(repository, OF_BRANCH, variables, tried)
            found = next((pull for pull in page if _is_of_the_branch(pull, base)), None)
            if found is not None or after is None:
                return found
        raise Permanent(SYSTEM, f"could not {tried}: too many forks have opened one of that name; close them")

    def _page(
        self, repository: str, document: str, variables: Mapping[str, object], tried: str
    ) -> tuple[list[Glimpse], str | None]:
        own = self._clients.identity()

        def parse(data: Node) -> tuple[list[Glimpse], str | None]:
            self._note_cost(repository, data)
            found = data.node("repository")
            connection = found.node("open" if document is MORE_OPEN else "found")
            return [parse_glimpse(node, own) for node in connection.items("nodes")], _next_of(connection)

        return self._clients.query(repository, Query(document=document, tried=tried, variables=variables), parse)

    def _fill(self, repository: str, seen: _Seen, memory: _Memory, wanted: Iterable[int]) -> None:
        """Bring in full what is missing, and the further pages of reports."""
        glimpses = {pull.number: pull for pull in (*seen.open, *seen.newest.values())}
        for number, kept in memory.closed.items():
            glimpse = glimpses.get(number)
            if glimpse is not None and glimpse.state is kept.pull.state and glimpse.updated_at == kept.updated_at:
                seen.whole.setdefault(number, kept)
        missing = [number for number in dict.fromkeys(wanted) if number not in seen.whole]
        for numbers in _chunks(missing):
            self._ask(repository, _Ask(numbers=numbers), seen)
        for number, whole in seen.whole.items():
            read = self._with_all_reports(repository, whole, seen.own)
            seen.whole[number] = self._with_more_remarks(repository, read, seen.own)

    def _with_all_reports(self, repository: str, whole: WholePull, own: Identity) -> WholePull:
        """Read all reports on a head that has more than a page of them."""
        number = whole.pull.number
        tried = f"read the checks of pull request #{number} of {repository}"
        pages = 0
        while whole.more_reports is not None and whole.pull.state is PullState.OPEN:
            pages += 1
            if pages > _MOST_PAGES:
                raise Permanent(SYSTEM, f"could not {tried}: there are more than {_MOST_PAGES * 100}")
            variables = {**_named(repository), "n0": number, "after": whole.more_reports}
            query = Query(document=MORE_CHECKS, tried=tried, variables=variables)
            found, after = self._clients.query(repository, query, lambda data: self._parse_reports(data, own))
            whole = replace(whole, reports=(*whole.reports, *found), more_reports=after)
        return whole

    def _with_more_remarks(self, repository: str, whole: WholePull, own: Identity) -> WholePull:
        """Read further comments back, so that many idle ones do not hide a command; behind some hundred they do."""
        number, pages = whole.pull.number, 0
        while whole.more_remarks is not None and pages < _MOST_COMMENT_PAGES:
            pages += 1
            query = Query(
                document=MORE_REMARKS,
                tried=f"read the comments of pull request #{number} of {repository}",
                variables={**_named(repository), "n0": number, "before": whole.more_remarks},
            )
            found, before = self._clients.query(repository, query, lambda data: _parse_more_remarks(data, own))
            pull = replace(whole.pull, remarks=(*found, *whole.pull.remarks))
            whole = replace(whole, pull=pull, more_remarks=before)
        return replace(whole, more_remarks=None)

    def _parse_reports(self, data: Node, own: Identity) -> tuple[list[Report], str | None]:
        contexts = data.node("repository").node("pullRequest").node("statusCheckRollup").node("contexts")
        return [parse_report(node, own) for node in contexts.items("nodes")], _next_of(contexts)

    def _note_cost(self, repository: str, data: Node) -> None:
        limit = data.maybe_node("rateLimit")
        if limit is not None:
            self._clients.note_points(repository, limit.number("cost"))

    # --- the answer ---

    def _proposals(self, seen: _Seen, base: str) -> Proposals:
        required, own = seen.rules.required_checks, seen.own
        approvals = seen.rules.approvals
        pulls = {number: whole.judged(required, approvals, own) for number, whole in seen.whole.items()}
        since = self._clients.clock.now() - _HOUR
        ours = [pull for pull in seen.latest if pull.is_own and pull.branch.startswith(OWN_PREFIX)]
        return Proposals(
            newest={branch: pulls[glimpse.number] for branch, glimpse in seen.newest.items()},
            open=tuple(pulls[n] for n in seen.open_numbers() if pulls[n].state is PullState.OPEN),
            others=tuple(
                Bystander(number=pull.number, head=pull.head)
                for pull in seen.open
                if pull.base == base and (pull.is_from_fork or not pull.branch.startswith(OWN_PREFIX))
            ),
            opened_at=tuple(sorted(pull.created_at for pull in ours if pull.created_at > since)),
            rules=seen.rules,
            own_app_id=own.app_id,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ask:
    """What one request asks for; `base` is named in the first one only."""

    branches: Sequence[str] = ()
    numbers: Sequence[int] = ()
    base: str | None = None

    def document(self) -> str:
        parts = ("open", "rules") if self.base is not None else ()
        return look_document(len(self.branches), len(self.numbers), parts=parts)

    def variables(self) -> dict[str, object]:
        base = {} if self.base is None else {"base": self.base, "ref": f"refs/heads/{self.base}"}
        branches = {f"b{i}": branch for i, branch in enumerate(self.branches)}
        return {**base, **branches, **{f"n{i}": number for i, number in enumerate(self.numbers)}}


def _take(found: Node, ask: _Ask, seen: _Seen) -> None:
    """Read one answer of a look."""
    if ask.base is not None:
        listed = found.node("open")
        seen.open = [parse_glimpse(node, seen.own) for node in listed.items("nodes")]
        seen.next_open = _next_of(listed)
        latest = found.node("latest")
        seen.latest = [parse_glimpse(node, seen.own) for node in latest.items("nodes")]
        seen.next_latest = _next_of(latest)
        ref = found.maybe_node("ref")
        if ref is None:
            raise Permanent(SYSTEM, f"the repository has no branch “{shown(ask.base)}”: check the policy's branch")
        seen.rules = parse_rules(found, ref)
    for i, branch in enumerate(ask.branches):
        _take_newest(found.node(f"b{i}"), branch, seen)
    for i, number in enumerate(ask.numbers):
        seen.whole[number] = parse_whole(found.node(f"n{i}"), seen.own)


def _take_newest(connection: Node, branch: str, seen: _Seen) -> None:
    glimpses = (parse_glimpse(node, seen.own) for node in connection.items("nodes"))
    found = next((glimpse for glimpse in glimpses if _is_of_the_branch(glimpse, seen.base)), None)
    if found is not None:
        seen.newest[branch] = found
    elif connection.node("pageInfo").flag("hasNextPage"):
        seen.hidden.append(branch)


def _is_of_the_branch(glimpse: Glimpse, base: str) -> bool:
    """Leave out what promotes nothing: what anybody may open from a fork, and a person's to another base."""
    return not glimpse.is_from_fork and (glimpse.is_own or glimpse.base == base)


def _parse_more_remarks(data: Node, own: Identity) -> tuple[tuple[Remark, ...], str | None]:
    comments = data.node("repository").node("pullRequest").node("comments")
    return parse_remarks(comments, own), page_before(comments)


def _next_of(connection: Node) -> str | None:
    page = connection.node("pageInfo")
    return page.text("endCursor") if page.flag("hasNextPage") else None


def _remember(seen: _Seen, wanted: Iterable[int], settled: datetime) -> _Memory:
    """Keep closed ones that had not changed for a moment: `updatedAt` does not tell two changes of a second apart."""
    whole = {number: seen.whole[number] for number in wanted}
    return _Memory(
        open=tuple(number for number, one in whole.items() if one.pull.state is PullState.OPEN),
        closed={
            number: one
            for number, one in whole.items()
            if one.pull.state is not PullState.OPEN and one.updated_at < settled
        },
    )


def _chunks(items: Sequence[T]) -> list[Sequence[T]]:
    return [items[start : start + MOST_AT_ONCE] for start in range(0, len(items), MOST_AT_ONCE)]


def _named(repository: str) -> dict[str, object]:
    owner, _, name = repository.partition("/")
    return {"owner": owner, "name": name}
