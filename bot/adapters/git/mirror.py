"""One bare partial mirror on disk: made when needed, locked, mended, made again.

The promisor remote is known only to `fetch`, by its environment: every other command works on what is there and can
never reach the network by surprise, for a lazy fetch of an unknown commit would bring its whole history.

Races, all accepted: threads are serialised by a lock, processes on one machine by `flock` on a file beside the mirror;
so any `*.lock` that git finds while we hold both was left by a killed process. Two machines never share a mirror.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import tenacity

from bot.adapters.git.complaints import (
    Attempted,
    explain,
    first_line,
    is_damage,
    is_passing,
    is_servers_word,
    is_stale_lock,
)
from bot.adapters.git.names import SYSTEM
from bot.adapters.git.own_branches import OwnBranches
from bot.adapters.git.processes import HungGit, Outcome, Run, run_git
from bot.adapters.git.recollection import Recollection
from bot.adapters.git.settings import GitLimits, GitSettings, TokenFor
from bot.domain.model import Sha
from bot.ports import Permanent, Transient

if TYPE_CHECKING:
    from bot.adapters.git.index import BranchIndex

T = TypeVar("T")

_KNOWN_COMMITS = 4096
_PROMISOR = (
    ("remote.origin.promisor", "true"),
    ("remote.origin.partialclonefilter", "blob:none"),
    ("remote.origin.tagOpt", "--no-tags"),
)


class Damaged(Exception):
    """Git found the mirror broken, or failed at something that cannot fail on a whole one."""


class StaleLock(Exception):
    """A lock file was in the way."""


class Mirror:
    """The mirror of one repository. Use it only inside `work`, which holds the lock."""

    def __init__(self, settings: GitSettings, repository: str, token: TokenFor) -> None:
        self.repository = repository
        self.limits: GitLimits = settings.limits
        self.known: dict[Sha, None] = {}
        self.absent: set[Sha] = set()
        self.own = OwnBranches()
        self.answers = Recollection()
        self.indexes: dict[str, BranchIndex] = {}
        self._url = settings.url.replace("{repository}", repository)
        self._token = token
        self._directory = settings.mirrors / f"{repository}.git"
        self._thread_lock = threading.RLock()
        self._was_mended = False

    @property
    def directory(self) -> Path:
        """Where the mirror lies."""
        return self._directory

    def work(self, task: Callable[[Mirror], T]) -> T:
        """Do the task under the lock. A stale lock is removed and a broken mirror made again, once each."""
        with self._held():
            self._prepare()
            for mend in (self._remove_leftovers, self._make):
                try:
                    return task(self)
                except StaleLock:
                    mend()
                except Damaged:
                    self._make()
            return self._last_try(task)

    def _last_try(self, task: Callable[[Mirror], T]) -> T:
        try:
            return task(self)
        except (StaleLock, Damaged) as error:
            raise Transient(
                SYSTEM, f"the mirror of {self.repository} was made again and still fails: {error}"
            ) from error

    # --- git commands ---

    def ask(self, *arguments: str, stdin: bytes = b"", allowed: Sequence[int] = (0,)) -> Outcome:
        """Run a command on the mirror alone; raise `Damaged` unless it ends with an allowed status."""
        outcome = self._run(Run(arguments=arguments, stdin=stdin, deadline=self.limits.local))
        # A "no" of git's that comes with a complaint about a missing object is no answer.
        trouble = self._trouble(outcome.err) if outcome.status != 0 else None
        if outcome.status in allowed and trouble is None:
            return outcome
        raise trouble or Damaged(f"git {arguments[0]} said: {first_line(outcome.err)}")

    def write(self, *arguments: str, stdin: bytes) -> str:
        """Run a command that makes an object and return its name."""
        outcome = self.run_writer(*arguments, stdin=stdin)
        if outcome.status == 0:
            return outcome.out.decode("ascii").strip()
        raise Damaged(f"git {arguments[0]} said: {first_line(outcome.err)}")

    def run_writer(
        self,
        *arguments: str,
        stdin: bytes,
        env: Mapping[str, str] | None = None,
        config: Sequence[tuple[str, str]] = (),
    ) -> Outcome:
        """Run a command that makes an object; the caller judges a failure that is not the mirror's own."""
        run = Run(arguments=arguments, stdin=stdin, env=env or {}, config=config, deadline=self.limits.local)
        outcome = self._run(run)
        trouble = self._trouble(outcome.err) if outcome.status != 0 else None
        if trouble is not None:
            raise trouble
        return outcome

    def repack(self) -> Outcome:
        """Put all packs into one. What the server promised to have stays promised; nothing is asked of it."""
        run = Run(arguments=("repack", "-a", "-d", "-q"), config=_PROMISOR, deadline=self.limits.first_fetch)
        return self._run(run)

    def fetch(
        self, *refspecs: str, config: Sequence[tuple[str, str]] = (), depth: str | None = None, prunes: bool = False
    ) -> Outcome:
        """Fetch from the server, as a partial clone does; the caller judges a failure. Tried again when it may pass.

        `depth` is git's option for how much history is to come; `prunes` drops what a pattern of `refspecs` brought
        once and the server has no more.
        """
        options = (*((depth,) if depth else ()), *(("--prune",) if prunes else ()))
        flags = ("--quiet", "--no-tags", "--no-write-fetch-head", *options, "--stdin")
        run = Run(
            arguments=("fetch", *flags, "origin"),
            stdin="".join(f"{refspec}\n" for refspec in refspecs).encode(),
            config=(*_PROMISOR, *config, *self._remote()),
            deadline=self.limits.first_fetch if depth or self._is_empty() else self.limits.network,
        )
        return self._with_retries(run)

    def read_remote(self, ref: str) -> Sha | None:
        """Ask the server where a ref is; None if it has none."""
        arguments = ("ls-remote", "--refs", "--", "origin", ref)
        run = Run(arguments=arguments, config=self._remote(), deadline=self.limits.network)
        attempted = Attempted(what=f"the look at {ref}", repository=self.repository)
        outcome = self._with_retries(run)
        if outcome.status != 0:
            raise self._trouble(outcome.err) or explain(outcome.err, attempted)
        rows = (line.split("\t") for line in outcome.out.decode("utf-8", "replace").splitlines())
        return next((Sha(sha) for sha, name in rows if name == ref), None)

    def send(self, *arguments: str) -> Outcome:
        """Run `push` once: what a failure means, and whether to try again, is for the caller to find out. May hang."""
        # Without it git packs all it has, and dies on what the mirror left out, once the server has a newer commit.
        config = (("push.negotiate", "true"), *self._remote())
        run = Run(arguments=("push", *arguments), config=config, deadline=self.limits.network)
        return run_git(self._directory, run)

    def has_commit(self, sha: Sha) -> bool:
        """Say whether the mirror holds a commit, without asking the server."""
        if sha in self.known:
            return True
        found = self.ask("cat-file", "--batch-check", stdin=f"{sha}\n".encode()).out.split()
        if found[1:2] != [b"commit"]:
            return False
        self.remember(sha)
        return True

    def remember(self, sha: Sha) -> None:
        """Note that the mirror holds a commit."""
        while len(self.known) >= _KNOWN_COMMITS:
            self.known.pop(next(iter(self.known)))
        self.known[sha] = None
        self.absent.discard(sha)

    def _run(self, run: Run) -> Outcome:
        try:
            return run_git(self._directory, run)
        except HungGit as error:
            seconds = run.deadline.total_seconds()
            sentence = f"git {run.arguments[0]} for {self.repository} did not end within {seconds:g} s and was stopped"
            raise Transient(SYSTEM, sentence) from error

    def _with_retries(self, run: Run) -> Outcome:
        """Try a read again while it fails in a way that may pass. A hung one is not tried again: its time is spent."""

        def may_pass(outcome: Outcome) -> bool:
            return outcome.status != 0 and is_passing(outcome.err) and self._trouble(outcome.err) is None

        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.limits.attempts),
            wait=tenacity.wait_random_exponential(multiplier=self.limits.pause.total_seconds(), max=5),
            retry=tenacity.retry_if_result(may_pass),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        outcome: Outcome = retrying(self._run, run)
        return outcome

    def _trouble(self, stderr: str) -> Exception | None:
        """Name what is wrong with the mirror itself, if that is what git complains about."""
        if "No space left" in stderr:
            return explain(stderr, Attempted(what="work in the mirror", repository=self.repository))
        if is_stale_lock(stderr):
            return StaleLock(first_line(stderr))
        if is_damage(stderr) or str(self._directory) in stderr:
            return Damaged(first_line(stderr))
        return None

    def explain_fetch(self, stderr: str) -> Exception:
        """Turn a failed fetch into the error it means.

        Git has too many words for a broken mirror to know them all: where the server answers and did not complain, the
        mirror is to blame.
        """
        trouble = self._trouble(stderr)
        if trouble is None and not is_servers_word(stderr) and self._server_answers():
            return Damaged(first_line(stderr))
        return trouble or explain(stderr, Attempted(what="the fetch", repository=self.repository))

    def _server_answers(self) -> bool:
        arguments = ("ls-remote", "--quiet", "--", "origin", "HEAD")
        return self._run(Run(arguments=arguments, config=self._remote(), deadline=self.limits.network)).status == 0

    def _remote(self) -> tuple[tuple[str, str], ...]:
        """The server's address and the credential, given by the environment so that neither stands on the disk."""
        address = ("remote.origin.url", self._url)
        parts = urlsplit(self._url)
        token = self._read_token() if parts.scheme in ("http", "https") else None
        if token is None:
            return (address,)
        basic = base64.b64encode(f"x-access-token:{token}".encode()).decode("ascii")
        return (address, (f"http.{parts.scheme}://{parts.netloc}/.extraHeader", f"Authorization: Basic {basic}"))

    def _read_token(self) -> str | None:
        try:
            token = self._token(self.repository)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise Permanent(SYSTEM, f"the token for {self.repository} could not be read: {reason}") from error
        if token is None:
            return None
        token = token.strip()
        if not token or not token.isascii() or not token.isprintable():
            raise Permanent(SYSTEM, f"the token for {self.repository} is empty or holds characters that no token has")
        return token

    # --- the mirror's life ---

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        with self._thread_lock:
            handle = self._open_lock()
            try:
                _take(handle, self.limits.network, self.repository)
                yield
            finally:
                # Closing the file gives the lock back.
                os.close(handle)

    def _open_lock(self) -> int:
        try:
            self._directory.parent.mkdir(parents=True, exist_ok=True)
            return os.open(self._directory.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            sentence = f"the folder {self._directory.parent} for mirrors cannot be used ({reason}): set one that can"
            raise Permanent(SYSTEM, sentence) from error

    def _is_empty(self) -> bool:
        return not any(self._directory.glob("objects/pack/*.pack"))

    def _prepare(self) -> None:
        if not (self._directory / "HEAD").is_file():
            self._make()
        elif not self._was_mended:
            self._remove_leftovers()
        self._was_mended = True

    def _make(self) -> None:
        """Put an empty mirror in the place of whatever is there."""
        self.known.clear()
        self.absent.clear()
        self.own.forget()
        self.answers.clear()
        self.indexes.clear()
        shutil.rmtree(self._directory, ignore_errors=True)
        if self._directory.is_symlink() or self._directory.is_file():
            self._directory.unlink()
        arguments = ("init", "--quiet", "--bare", "--template=", "--initial-branch=liftlock")
        outcome = self._run(Run(arguments=arguments, deadline=self.limits.local))
        if outcome.status != 0:
            raise Transient(SYSTEM, f"no mirror of {self.repository} could be made: {first_line(outcome.err)}")

    def _remove_leftovers(self) -> None:
        """Remove what a killed git left: lock files, and half-received packs."""
        for pattern in ("*.lock", "refs/**/*.lock", "objects/pack/*.lock", "objects/**/tmp_*"):
            for path in self._directory.glob(pattern):
                with contextlib.suppress(OSError):
                    path.unlink()


def _take(handle: int, deadline: timedelta, repository: str) -> None:
    """Wait for the lock between processes, but not for ever."""
    ends = time.monotonic() + deadline.total_seconds()
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > ends:
                raise Transient(
                    SYSTEM, f"another process has been using the mirror of {repository} for too long"
                ) from None
            time.sleep(0.02)
        else:
            return
