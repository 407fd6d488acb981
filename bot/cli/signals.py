"""What ends a command that goes on until it is told to stop: Ctrl-C and SIGTERM, in good order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def told_to_stop() -> Iterator[threading.Event]:
    """Yield what is set by Ctrl-C or SIGTERM, and give the signals back at the end. Main thread only."""
    asked = threading.Event()

    def ask(_: int, __: FrameType | None) -> None:
        asked.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
