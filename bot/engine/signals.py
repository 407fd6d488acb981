"""SIGTERM and SIGINT as something that can be waited for, by the main thread.

A handler runs between any two steps of the main thread, also where that holds the lock of an event or a log: setting an
event there may wait for a lock that is given back only behind the handler, which is for ever. So a handler does nothing
but write a byte to a pipe, and all else is done by who waits for it.
"""

from __future__ import annotations

import os
import selectors
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType


class StopAsked:
    """Whether one of the signals came, and which."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self.signal: signal.Signals | None = None

    def wait(self, seconds: float | None = None) -> bool:
        """Return True as soon as a signal came, False after `seconds`; None waits for as long as it takes."""
        if self.signal is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._pipe, selectors.EVENT_READ)
                if selector.select(seconds):
                    self.signal = signal.Signals(os.read(self._pipe, 1)[0])
        return self.signal is not None


@contextmanager
def stop_signals() -> Iterator[StopAsked]:
    """Yield what Ctrl-C and SIGTERM are told to, and give the signals back at the end. Main thread only."""
    reads, writes = os.pipe()
    # A thousand signals that nobody reads must not block the handler.
    os.set_blocking(writes, False)

    def ask(number: int, _: FrameType | None) -> None:
        with suppress(BlockingIOError):
            os.write(writes, bytes([number]))

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield StopAsked(reads)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reads)
        os.close(writes)
