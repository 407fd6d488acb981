"""Wakes: any number before a sweep are one, none is lost, and what is held for them is bounded."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from bot.engine.waking import Waker


def test_a_wake_before_the_wait_is_not_lost() -> None:
    waker = Waker()
    waker.wake("acme/deploy")
    assert waker.wait() == {"acme/deploy"}


def test_a_wake_ends_the_wait_of_another_thread() -> None:
    waker = Waker()
    found: list[frozenset[str]] = []
    waiting = threading.Thread(target=lambda: found.append(waker.wait(20)))
    waiting.start()
    waker.wake("acme/deploy")
    waiting.join(20)
    assert found == [frozenset({"acme/deploy"})]


def test_wakes_are_taken_once_and_all_together() -> None:
    waker = Waker()
    for name in ("acme/a", "acme/b", "acme/a"):
        waker.wake(name)
    assert waker.wait(0) == {"acme/a", "acme/b"}
    assert waker.wait(0) == frozenset()


def test_what_was_taken_ends_no_further_wait() -> None:
    waker = Waker()
    waker.wake("acme/deploy")
    waker.wait()
    waiting = threading.Thread(target=waker.wait)
    waiting.start()
    waiting.join(0.1)
    assert waiting.is_alive()
    waker.nudge()
    waiting.join(20)
    assert not waiting.is_alive()


def test_a_nudge_ends_the_wait_and_names_nothing() -> None:
    waker = Waker()
    waker.nudge()
    assert waker.wait() == frozenset()


@given(st.lists(st.integers(0, 10_000)))
def test_what_is_held_is_bounded(numbers: list[int]) -> None:
    waker = Waker()
    for number in numbers:
        waker.wake(f"acme/r{number}")
    held = waker.wait(0)
    assert len(held) == min(100, len(set(numbers)))
    assert held <= {f"acme/r{number}" for number in numbers}


def test_wakes_from_many_threads_are_all_heard() -> None:
    waker = Waker()
    threads = [threading.Thread(target=waker.wake, args=(f"acme/r{number}",)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert waker.wait(0) == {f"acme/r{number}" for number in range(20)}
