"""SIGTERM and SIGINT as something that can be waited for."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from bot.engine.signals import StopAsked, stop_signals


@pytest.fixture(name="asked")
def fixture_asked() -> Iterator[StopAsked]:
    with stop_signals() as asked:
        yield asked


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_wait_and_is_named(asked: StopAsked, number: signal.Signals) -> None:
    os.kill(os.getpid(), number)
    assert asked.wait()
    assert asked.signal is number


def test_without_a_signal_the_wait_ends_by_itself_and_says_no(asked: StopAsked) -> None:
    assert not asked.wait(0)
    assert asked.signal is None


def test_a_signal_counts_for_all_later_waits(asked: StopAsked) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    assert [asked.wait(0), asked.wait(0)] == [True, True]


def test_the_signals_are_given_back_at_the_end() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with stop_signals():
        pass
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_a_signal_at_any_moment_of_a_wait_does_not_hang_it(asked: StopAsked) -> None:
    """Set by a handler, an event hung for ever where the main thread held its lock at that moment."""
    waits = 300
    done = threading.Event()

    def disturb() -> None:
        # A pause, or the handlers leave the main thread no time for anything else.
        while not done.wait(0.0005):
            os.kill(os.getpid(), signal.SIGTERM)

    disturbing = threading.Thread(target=disturb)
    disturbing.start()
    try:
        for _ in range(waits):
            asked.wait(0.01)
            asked.signal = None
    finally:
        done.set()
        disturbing.join()
    # All that came before may have been read.
    os.kill(os.getpid(), signal.SIGTERM)
    assert asked.wait()


def test_more_signals_than_a_pipe_holds_do_not_block_the_handler(asked: StopAsked) -> None:
    for _ in range(70_000):
        signal.raise_signal(signal.SIGTERM)
    assert asked.wait()
