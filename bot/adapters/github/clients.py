"""Lend PyGithub clients to threads, and wrap every call: reads with bounded retries, writes paced and sent once."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Self, TypeVar

import tenacity
from github import Github
from github.Auth import Auth

from bot.adapters.github.answers import FAILURES, Unanswered, translate
from bot.adapters.github.credentials import Credentials
from bot.ports import Clock

T = TypeVar("T")

_USER_AGENT = "liftlock"
_PER_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHubSettings:
    """Where GitHub is and how it is asked.

    `api_url` is the REST root (`https://HOST/api/v3` for GitHub Enterprise Server); `ca_file` a private authority.
    `timeout` bounds each wait for the network, in whole seconds; `write_pause` is kept between two writes, as GitHub
    asks; `pause` is the first wait before a retry.
    """

    api_url: str = "https://api.github.com"
    ca_file: str | None = None
    timeout: timedelta = timedelta(seconds=15)
    attempts: int = 3
    pause: timedelta = timedelta(milliseconds=500)
    write_pause: timedelta = timedelta(seconds=1)


class LentToken(Auth):
    """The credential of one lent client: reads the token of the repository in hand anew for every request."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self.repository: str | None = None

    @property
    def token_type(self) -> str:
        """The scheme of the Authorization header."""
        return "Bearer"

    @property
    def token(self) -> str:
        """The present token."""
        return self._credentials.token_for(self.repository)


class Pace:
    """Keeps a pause between writes across all threads: each takes the next free instant and waits for it."""

    def __init__(self, pause: timedelta) -> None:
        self._pause = pause.total_seconds()
        self._lock = threading.Lock()
        self._next = 0.0

    def wait(self) -> None:
        """Return when the next write may be sent."""
        with self._lock:
            now = time.monotonic()
            start = max(now, self._next)
            self._next = start + self._pause
        time.sleep(start - now)


class Clients:
    """A pool of PyGithub clients. Safe to share between threads; `close` it at the end."""

    def __init__(self, settings: GitHubSettings, *, credentials: Credentials, clock: Clock) -> None:
        self._settings = settings
        self._credentials = credentials
        self._clock = clock
        self._lock = threading.Lock()
        self._idle: list[tuple[Github, LentToken]] = []
        self._pace = Pace(settings.write_pause)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections of all idle clients."""
        with self._lock:
            idle, self._idle = self._idle, []
        for github, _ in idle:
            github.close()

    def read(self, repository: str | None, tried: str, ask: Callable[[Github], T]) -> T:
        """Ask something that may be asked again; a failure that may pass is tried again, a used-up limit is not."""
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._settings.attempts),
            wait=tenacity.wait_random_exponential(multiplier=self._settings.pause.total_seconds(), max=5),
            retry=tenacity.retry_if_exception_type(Unanswered),
            reraise=True,
        )
        answer: T = retrying(self._call, repository, tried, ask)
        return answer

    def write(self, repository: str, tried: str, send: Callable[[Github], T]) -> T:
        """Send a write a single time; `Unanswered` says that nobody knows whether it was done."""
        self._pace.wait()
        return self._call(repository, tried, send)

    def write_once(
        self, repository: str, tried: str, send: Callable[[Github], T], *, look: Callable[[], T | None]
    ) -> T:
        """Send a write; if its answer is lost, `look` whether it was done before sending it one more time (I15)."""
        try:
            return self.write(repository, tried, send)
        except Unanswered:
            # GitHub's lists may lag a moment behind a write.
            time.sleep(random.uniform(0.5, 1) * self._settings.pause.total_seconds())  # noqa: S311  (jitter)
            found = look()
            if found is not None:
                return found
        try:
            return self.write(repository, tried, send)
        except Unanswered:
            found = look()
            if found is not None:
                return found
            raise

    def _call(self, repository: str | None, tried: str, ask: Callable[[Github], T]) -> T:
        try:
            with self._lend(repository) as github:
                return ask(github)
        except FAILURES as error:
            raise translate(error, tried, now=self._clock.now()) from error

    @contextlib.contextmanager
    def _lend(self, repository: str | None) -> Iterator[Github]:
        with self._lock:
            github, token = self._idle.pop() if self._idle else self._make()
        token.repository = repository
        try:
            yield github
        finally:
            with self._lock:
                self._idle.append((github, token))

    def _make(self) -> tuple[Github, LentToken]:
        token = LentToken(self._credentials)
        github = Github(
            auth=token,
            base_url=self._settings.api_url.rstrip("/"),
            timeout=max(1, round(self._settings.timeout.total_seconds())),
            user_agent=_USER_AGENT,
            per_page=_PER_PAGE,
            verify=self._settings.ca_file or True,
            retry=None,
            seconds_between_requests=None,
            seconds_between_writes=None,
            lazy=True,
        )
        return github, token
