"""A bot in a process of its own that kills itself, by SIGKILL, at the n-th place of a sweep where it writes something.

Places are counted in the order in which a sweep, or the start, reaches them: before each transaction that writes to the
ledger, before and behind each write to GitHub, each push and each wish to Argo CD. Nothing of the bot knows of it.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import structlog

from bot.adapters.argocd import ArgoDeployments
from bot.adapters.git.mirror import Mirror
from bot.adapters.github.clients import Clients
from bot.adapters.github.writes import Pacing
from bot.adapters.ledger.connections import Connections
from bot.compose.whole import compose
from bot.settings import load_settings
from tests.stage import with_pacing

# A fork of a process with threads may inherit a lock that nobody gives back; the server that forks these has none.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([__name__])


class Places:
    """Counts the places where something is written; dies at one of them (0: at none)."""

    def __init__(self, deadly: int) -> None:
        self.begin(deadly)

    def begin(self, deadly: int) -> None:
        """Count from one again."""
        self.reached: list[str] = []
        self._deadly = deadly

    def at(self, what: str) -> None:
        self.reached.append(what)
        if len(self.reached) == self._deadly:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, owner: type, name: str) -> None:
        original: Callable[..., Any] = getattr(owner, name)

        @functools.wraps(original)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.at(f"before {name}")
            done = original(*args, **kwargs)
            self.at(f"behind {name}")
            return done

        setattr(owner, name, wrapped)

    def before_transactions(self) -> None:
        original = Connections.writing

        @contextmanager
        def writing(connections: Connections) -> Iterator[Any]:
            self.at("before a transaction")
            with original(connections) as connection:
                yield connection

        setattr(Connections, "writing", writing)  # noqa: B010  (a type checker would want a method)


class SharedClock:
    """The lab's time, as the test's process sets it."""

    def __init__(self, seconds: Synchronized[float]) -> None:
        self._seconds = seconds

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._seconds.value, UTC)


def serve(wishes: Connection, settings: Path, seconds: Synchronized[float], deadly: int) -> None:
    """Start, dying at a place of the start if so told; sweep whenever told the deadly place of that sweep.

    Answers to both are the places that were reached. Ends with the connection.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    places, clock, slept = Places(deadly), SharedClock(seconds), 0.0
    for owner, name in (
        (Clients, "write"),
        (Mirror, "send"),
        (ArgoDeployments, "ask_refresh"),
        (ArgoDeployments, "start_sync"),
    ):
        places.around(owner, name)
    places.before_transactions()

    def sleep(duration: float) -> None:
        nonlocal slept
        slept += duration

    pacing = Pacing(monotonic=lambda: clock.now().timestamp() + slept, sleep=sleep)
    with compose(load_settings(settings), clock=clock) as bot:
        sweeper = with_pacing(bot.sweeper, pacing)
        wishes.send(places.reached)
        while True:
            try:
                places.begin(wishes.recv())
            except EOFError:
                return
            sweeper.sweep()
            wishes.send(places.reached)


class BotProcess:
    """The process, as the test sees it. `places` are those that its last sweep reached, or its start."""

    def __init__(self, settings: Path, seconds: Synchronized[float], *, deadly: int = 0) -> None:
        self.places: list[str] = []
        self._wishes, theirs = PROCESSES.Pipe()
        self._process: BaseProcess = PROCESSES.Process(target=serve, args=(theirs, settings, seconds, deadly))
        self._process.start()
        theirs.close()
        self.is_alive = self._hear()

    def sweep(self, *, deadly: int = 0) -> bool:
        """Let it sweep; return False where it died of that."""
        try:
            self._wishes.send(deadly)
        except BrokenPipeError:
            return False
        self.is_alive = self._hear()
        return self.is_alive

    def _hear(self) -> bool:
        try:
            self.places = self._wishes.recv()
        except (EOFError, ConnectionResetError):
            self._process.join()
            return False
        return True

    @property
    def was_killed(self) -> bool:
        """Whether it ended by its own hand."""
        return self._process.exitcode == -signal.SIGKILL

    def close(self) -> None:
        """Let it end."""
        self._wishes.close()
        self._process.join()
