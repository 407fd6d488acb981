from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from bot.adapters.breaker import Breaker, LeftAlone
from bot.ports import Permanent, Transient


class Seconds:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def breaker(clock: Seconds) -> Breaker:
    return Breaker(failures=3, pause=timedelta(seconds=30), clock=clock)


def fail(breaker: Breaker, error: Exception | None = None) -> None:
    error = error or Transient("x", "away")
    with pytest.raises(type(error)), breaker.call():
        raise error


def succeed(breaker: Breaker) -> None:
    with breaker.call():
        pass


def test_after_enough_failures_in_a_row_the_server_is_left_alone(breaker: Breaker, clock: Seconds) -> None:
    for _ in range(3):
        fail(breaker)
    clock.at = 10
    with pytest.raises(LeftAlone) as alone, breaker.call():
        pytest.fail("the call went through")
    assert (alone.value.failures, alone.value.seconds) == (3, 20)


def test_a_success_between_failures_counts_them_anew(breaker: Breaker) -> None:
    for _ in range(4):
        fail(breaker)
        fail(breaker)
        succeed(breaker)
    succeed(breaker)


def test_a_refusal_is_an_answer_and_a_bug_is_none(breaker: Breaker) -> None:
    for _ in range(5):
        fail(breaker, Permanent("x", "no"))
    succeed(breaker)
    for _ in range(3):
        fail(breaker, ZeroDivisionError("bug"))
    with pytest.raises(LeftAlone):
        succeed(breaker)


def test_after_the_pause_one_call_tries_and_its_success_lets_all_through(breaker: Breaker, clock: Seconds) -> None:
    for _ in range(3):
        fail(breaker)
    clock.at = 30
    with breaker.call(), pytest.raises(LeftAlone):
        succeed(breaker)
    succeed(breaker)
    succeed(breaker)


def test_after_the_pause_one_failure_is_enough_to_be_left_alone_again(breaker: Breaker, clock: Seconds) -> None:
    for _ in range(3):
        fail(breaker)
    clock.at = 31
    fail(breaker)
    clock.at = 60
    with pytest.raises(LeftAlone) as alone:
        succeed(breaker)
    assert (alone.value.failures, alone.value.seconds) == (4, 1)
    clock.at = 61
    succeed(breaker)


def test_calls_run_beside_each_other(breaker: Breaker) -> None:
    inside = threading.Barrier(4, timeout=10)

    def call() -> None:
        with breaker.call():
            inside.wait()

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)
    assert not inside.broken
