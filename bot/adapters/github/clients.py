"""Ask GitHub through lent PyGithub clients: reads with few retries and ETags, writes in their queue and sent once.

Each answer is parsed inside the call, so that one that makes no sense is told apart from one that says no. What a
request costs is counted before it is sent, per installation (`budget`), and the writes of an installation stand in one
queue (`writes`).
"""

from __future__ import annotations

import contextlib
import json
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Self, TypeVar

import tenacity
from github import Github
from github.GithubException import GithubException

from bot.adapters.github.answers import FAILURES, SYSTEM, LimitMet, Unanswered, translate, until_reset
from bot.adapters.github.asking import GRAPHQL, Query, Read, Write
from bot.adapters.github.budget import QUERY, READ, Allowance, Budget, Cost, Right
from bot.adapters.github.cache import AnswerCache, CacheKey, Kept, asker_of
from bot.adapters.github.credentials import Credentials
from bot.adapters.github.deadline import Deadline, Overdue
from bot.adapters.github.graph_answers import read_graph
from bot.adapters.github.identity import Identity
from bot.adapters.github.nodes import Node
from bot.adapters.github.redirects import NO_REDIRECTS, REDIRECTED, moved
from bot.adapters.github.settings import GitHubSettings
from bot.adapters.github.their_clock import TheirClock, headers_of
from bot.adapters.github.wire import Answer, LentToken, raise_for_status, send, timed_out
from bot.adapters.github.writes import Pacing, WriteQueue
from bot.ports import Clock, Transient

T = TypeVar("T")

_USER_AGENT = "liftlock"
_ACCEPT = "application/vnd.github+json"
PER_PAGE = 100
_PATIENCE_OF_READS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Account:
    """The budget and the queue of one installation."""

    budget: Budget
    queue: WriteQueue


class _TokenForgotten(Transient):
    """GitHub refused a token that was kept; the next request gets a new one."""


class Clients:
    """A pool of PyGithub clients, the budgets and the write queues. Safe to share between threads; `close` at the end.

    Of PyGithub's own retries and pauses nothing is used (see the package's docstring).
    """

    def __init__(
        self, settings: GitHubSettings, *, credentials: Credentials, clock: Clock, pacing: Pacing | None = None
    ) -> None:
        self.settings = settings
        self.pacing = pacing or Pacing()
        self.clock = clock
        self.credentials = credentials
        self._lock = threading.Lock()
        self._idle: list[tuple[Github, LentToken]] = []
        self._accounts: dict[str, _Account] = {}
        self._cache = AnswerCache(settings.cache_bytes)
        self._deadline = Deadline(settings.deadline)
        self.their_clock = TheirClock(
            partial(headers_of, settings.api_url, settings.ca_file),
            clock=clock,
            seconds=self._seconds,
        )
        self._identity: Identity | None = None
        self._identity_lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _seconds(self) -> float:
        return self.pacing.monotonic()

    def close(self) -> None:
        """Close the connections of all idle clients."""
        with self._lock:
            idle, self._idle = self._idle, []
        for github, _ in idle:
            github.close()

    def identity(self) -> Identity:
        """Return who the bot is; asked once."""
        with self._identity_lock:
            if self._identity is None:
                # A rollback needs to know it too, also where the bot starts with nearly nothing left.
                read = Read(path="/user", tried="find out who the bot is", right=Right.ROLLBACK)
                self._identity = self.credentials.find_identity(lambda: self.read(None, read, Node))
            return self._identity

    def begin_sweep(self) -> None:
        """Let what only tells wait anew, for `telling_patience`."""
        with self._lock:
            accounts = tuple(self._accounts.values())
        for account in accounts:
            account.queue.begin_sweep()

    def report(self) -> Mapping[str, Mapping[str, float]]:
        """Return the sums of each installation, by owner (`token` where one token serves all)."""
        with self._lock:
            accounts = dict(self._accounts)
        now = self.pacing.monotonic()
        return {
            name: {**account.budget.report(now=now), "writes_waiting": float(account.queue.length)}
            for name, account in accounts.items()
        }

    # --- reads ---

    def read(self, repository: str | None, read: Read, parse: Callable[[object], T]) -> T:
        """Read something by REST; a failure that may pass is tried again, a used-up limit is not.

        `repository` says whose token asks: `owner/name`, an organization alone, or None for the bot itself.
        """
        return self._again(lambda: self._read_once(repository, read, parse)[0])

    def read_page(self, repository: str, read: Read, parse: Callable[[object], T]) -> tuple[T, bool]:
        """Read the one page of a list, and say whether GitHub has another one after it."""
        found, link = self._again(lambda: self._read_once(repository, read, parse))
        return found, 'rel="next"' in link

    def read_pages(
        self, repository: str, read: Read, parse: Callable[[object], list[T]], *, most: int = 10
    ) -> Iterator[T]:
        """Go through the pages of a list, `most` of them."""
        for page in range(1, most + 1):
            asked = replace(read, params={**read.params, "per_page": PER_PAGE, "page": page})
            found, link = self._again(partial(self._read_once, repository, asked, parse))
            yield from found
            if 'rel="next"' not in link:
                return

    def query(self, repository: str, query: Query, parse: Callable[[Node], T]) -> T:
        """Ask by GraphQL."""
        return self._again(lambda: self._query_once(repository, query, parse))

    def _again(self, ask: Callable[[], T]) -> T:
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.settings.attempts),
            wait=tenacity.wait_random_exponential(multiplier=self.settings.pause.total_seconds(), max=5),
            retry=tenacity.retry_if_exception_type(Unanswered),
            sleep=self.pacing.sleep,
            reraise=True,
        )
        try:
            answer: T = retrying(ask)
        except _TokenForgotten:
            answer = retrying(ask)
        return answer

    def _read_once(self, repository: str | None, read: Read, parse: Callable[[object], T]) -> tuple[T, str]:
        account = self._admit(repository, READ, read.right, read.tried)
        with self._translated(account, read.tried):
            token = self._token(repository, of_attestations=read.of_attestations)
            address = f"{read.path}?{json.dumps(read.params, sort_keys=True)}"
            key = CacheKey(asker=asker_of(token), url=address, accept=_ACCEPT)
            kept = self._cache.find(key)
            headers = {"Accept": _ACCEPT, **({"If-None-Match": kept.etag} if kept else {})}
            with self._lend(repository, read.tried, token) as github:
                answer = self._send(github, "GET", read.path, parameters=read.params, headers=headers)
                self._note(account, answer)
            if answer.status == 304 and kept is not None:
                account.budget.note_not_modified()
                # A list may have got a further page while this one stayed as it was.
                kept = replace(kept, link=answer.headers.get("link", kept.link))
                self._cache.keep(key, kept)
                return parse(json.loads(kept.body)), kept.link
            parsed, link = parse(answer.parse()), answer.headers.get("link", "")
            etag = answer.headers.get("etag")
            if etag:
                self._cache.keep(key, Kept(etag=etag, body=answer.text, link=link))
            return parsed, link

    def _query_once(self, repository: str, query: Query, parse: Callable[[Node], T]) -> T:
        account = self._admit(repository, QUERY, query.right, query.tried)
        with self._translated(account, query.tried), self._lend(repository, query.tried) as github:
            return parse(self._ask_graph(github, account, query.document, query.variables, query.tried))

    def _admit(self, repository: str | None, cost: Cost, right: Right, tried: str) -> _Account:
        """Let a read pass, slow it down for a moment, or refuse it so that what matters more has enough left."""
        account = self._account(repository)
        delay = account.budget.delay(cost, right, now=self.pacing.monotonic())
        if delay.seconds > _PATIENCE_OF_READS:
            wait = max(1, round(delay.seconds))
            sentence = f"did not {tried} yet: {delay.reason}; it is tried again in {wait} s"
            raise Transient(SYSTEM, sentence, retry_after=timedelta(seconds=wait))
        if delay.seconds > 0:
            self.pacing.sleep(delay.seconds)
        account.budget.note_sent(cost, now=self.pacing.monotonic())
        return account

    # --- writes ---

    def write(self, repository: str, write: Write, parse: Callable[[object], T]) -> T:
        """Send a write a single time in its turn; `Unanswered` says that nobody knows whether it was done."""
        account = self._account(repository)
        with account.queue.turn(write.urgency, write.cost, write.tried):
            account.budget.note_sent(write.cost, now=self.pacing.monotonic())
            with self._translated(account, write.tried), self._lend(repository, write.tried) as github:
                if write.verb == GRAPHQL:
                    return parse(self._ask_graph(github, account, write.path, {"input": write.body}, write.tried))
                answer = self._send(github, write.verb, write.path, body=write.body, headers={"Accept": _ACCEPT})
                self._note(account, answer)
                return parse(answer.parse())

    def write_once(
        self, repository: str, write: Write, parse: Callable[[object], T], *, look: Callable[[], T | None]
    ) -> T:
        """Send a write; if its answer is lost, `look` whether it was done before sending it one more time (I15)."""
        try:
            return self.write(repository, write, parse)
        except Unanswered:
            found = self._look_after_a_moment(look)
            if found is not None:
                return found
        return self._write_again(repository, write, parse, look)

    def create_once(
        self, repository: str, write: Write, parse: Callable[[object], T], *, look: Callable[[], T | None]
    ) -> T:
        """Send a write that would create a second thing if it were done twice.

        One that timed out may still be under way where no look can find it, so the next sweep looks before it is sent
        again.
        """
        try:
            return self.write(repository, write, parse)
        except Unanswered as unanswered:
            found = self._look_after_a_moment(look)
            if found is not None:
                return found
            if timed_out(unanswered):
                raise
        return self._write_again(repository, write, parse, look)

    def _look_after_a_moment(self, look: Callable[[], T | None]) -> T | None:
        # GitHub's lists may lag a moment behind a write.
        self.pacing.sleep(random.uniform(0.5, 1) * self.settings.pause.total_seconds())  # noqa: S311  (jitter)
        return look()

    def _write_again(
        self, repository: str, write: Write, parse: Callable[[object], T], look: Callable[[], T | None]
    ) -> T:
        try:
            return self.write(repository, write, parse)
        except Unanswered:
            found = look()
            if found is not None:
                return found
            raise

    # --- the wire ---

    def _send(
        self,
        github: Github,
        verb: str,
        path: str,
        *,
        headers: Mapping[str, str],
        parameters: Mapping[str, str | int] | None = None,
        body: object = None,
    ) -> Answer:
        asked = self.their_clock.seconds()
        request = partial(send, github, verb, path, parameters=parameters, headers=headers, body=body)
        answer = self._deadline.hold(request)
        self.their_clock.note(answer.headers, asked=asked)
        return answer

    def _ask_graph(
        self, github: Github, account: _Account, document: str, variables: Mapping[str, object], tried: str
    ) -> Node:
        body = {"query": document, "variables": variables}
        # PyGithub's own `graphql_query` throws the data away that came beside an error, and the limit's meaning.
        answer = self._send(github, "POST", github.requester.graphql_url, body=body, headers={"Accept": _ACCEPT})
        self._note(account, answer)
        return read_graph(answer.parse(), answer.headers, tried, now=self.clock.now())

    def _note(self, account: _Account, answer: Answer) -> None:
        reset = until_reset(answer.headers, now=self.clock.now())
        seconds = None if reset is None else reset.total_seconds()
        account.budget.note_answer(answer.headers, now=self.pacing.monotonic(), until_reset=seconds)
        raise_for_status(answer)

    def note_points(self, repository: str, cost: int) -> None:
        """Count what GitHub says that a query cost."""
        self._account(repository).budget.note_points(cost)

    @contextlib.contextmanager
    def _translated(self, account: _Account, tried: str) -> Iterator[None]:
        try:
            yield
        except LimitMet as met:
            self._heed(account, met)
            raise
        except REDIRECTED as error:
            raise moved(tried) from error
        except FAILURES as error:
            translated = translate(error, tried, now=self.clock.now())
            self._heed(account, translated)
            raise translated from error

    def _heed(self, account: _Account, error: Exception) -> None:
        if isinstance(error, LimitMet) and error.is_secondary and error.retry_after is not None:
            account.budget.note_pause(error.retry_after, now=self.pacing.monotonic())

    def _token(self, repository: str | None, *, of_attestations: bool = False) -> str:
        if repository is not None and "/" not in repository:
            return self.credentials.token_for_owner(repository)
        if repository is not None and of_attestations:
            return self.credentials.token_for_attestations(repository)
        return self.credentials.token_for(repository)

    def _account(self, repository: str | None) -> _Account:
        name = self.credentials.account_of(repository)
        with self._lock:
            if name not in self._accounts:
                budget = Budget(Allowance(reserve=self.settings.reserve))
                queue = WriteQueue(budget, self.settings.patience, self.pacing)
                self._accounts[name] = _Account(budget=budget, queue=queue)
            return self._accounts[name]

    @contextlib.contextmanager
    def _lend(self, repository: str | None, tried: str, token: str | None = None) -> Iterator[Github]:
        """Lend a client with the repository's token. A token that GitHub refuses is forgotten."""
        present = self._token(repository) if token is None else token
        with self._lock:
            github, lent = self._idle.pop() if self._idle else self._make()
        lent.present = present
        is_free = True
        try:
            yield github
        except Overdue:
            is_free = False
            raise
        except GithubException as error:
            if error.status == 401 and self.credentials.forget(repository, present):
                sentence = f"could not {tried}: GitHub no longer takes the App's token; a new one is used next"
                raise _TokenForgotten(SYSTEM, sentence) from error
            raise
        finally:
            if is_free:
                lent.present = ""
                with self._lock:
                    self._idle.append((github, lent))

    def _make(self) -> tuple[Github, LentToken]:
        token = LentToken()
        github = Github(
            auth=token,
            base_url=self.settings.api_url.rstrip("/"),
            timeout=max(1, round(self.settings.timeout.total_seconds())),
            user_agent=_USER_AGENT,
            per_page=PER_PAGE,
            verify=self.settings.ca_file or True,
            retry=NO_REDIRECTS,
            seconds_between_requests=None,
            seconds_between_writes=None,
            lazy=True,
        )
        return github, token
