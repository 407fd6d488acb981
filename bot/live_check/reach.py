"""Ask each thing once, however many policies want to know it, and leave a system alone that does not answer."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar

from bot.ports import OutsideError, Transient

T = TypeVar("T")

_ENOUGH = 2
"""How many questions a system may leave without an answer before it is asked no more: each takes seconds."""


class Reach:
    """What was asked so far, with the answers. Safe to share between threads; who comes second waits for the first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: dict[Hashable, Future[Any]] = {}
        self._silences: Counter[str] = Counter()
        self._last: dict[str, Transient] = {}

    def ask(self, system: str, key: Hashable, question: Callable[[], T]) -> T:
        """Return the answer to a question, which `key` names among those to this system.

        Raise what the question raised, and `Transient` without asking where the system was silent too often.
        """
        with self._lock:
            known = self._asked.get((system, key))
            if known is None:
                mine: Future[T] = Future()
                self._asked[system, key] = mine
        if known is not None:
            answer: T = known.result()
            return answer
        try:
            mine.set_result(self._really_ask(system, question))
        except BaseException as error:  # noqa: BLE001 - whoever waits for this answer must hear of it, too
            mine.set_exception(error)
        return mine.result()

    def _really_ask(self, system: str, question: Callable[[], T]) -> T:
        with self._lock:
            last = self._last.get(system)
            if last is not None and self._silences[system] >= _ENOUGH:
                raise Transient(last.system, last.sentence)
        try:
            return question()
        except Transient as error:
            with self._lock:
                self._silences[system] += 1
                self._last[system] = error
            raise


def say_why(error: OutsideError) -> str:
    """Return the sentence of an error, with the system where it does not begin with it."""
    return error.sentence if error.sentence.startswith(error.system) else f"{error.system}: {error.sentence}"
