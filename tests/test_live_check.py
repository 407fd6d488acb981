"""What all questions of a live check share: each is asked once, and a system that is silent is left alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from bot.live_check.reach import Reach, say_why
from bot.ports import Permanent, Transient


def failing(error: Exception, asked: list[str]) -> Callable[[], str]:
    def question() -> str:
        asked.append("asked")
        raise error

    return question


def test_a_question_is_asked_once_and_whoever_comes_second_waits_for_the_answer() -> None:
    reach = Reach()
    asked: list[str] = []
    begun, goes_on = threading.Event(), threading.Event()

    def slow() -> str:
        asked.append("slow")
        begun.set()
        goes_on.wait(10)
        return "an answer"

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(reach.ask, "Prometheus", "a", slow)
        begun.wait(10)
        second = pool.submit(reach.ask, "Prometheus", "a", slow)
        goes_on.set()
        assert (first.result(), second.result()) == ("an answer", "an answer")
    assert asked == ["slow"]


def test_the_same_words_to_another_system_are_another_question() -> None:
    reach = Reach()
    assert reach.ask("Prometheus", "a", lambda: 1) == 1
    assert reach.ask("GitHub", "a", lambda: 2) == 2


def test_an_error_is_remembered_as_an_answer_is() -> None:
    reach = Reach()
    asked: list[str] = []
    for _ in range(3):
        with pytest.raises(Permanent):
            reach.ask("GitHub", "a", failing(Permanent("GitHub", "no"), asked))
    assert asked == ["asked"]


def test_a_system_that_was_silent_twice_is_not_asked_again_and_others_are() -> None:
    reach = Reach()
    asked: list[str] = []
    for number in range(5):
        with pytest.raises(Transient, match="GitHub: away"):
            reach.ask("GitHub", number, failing(Transient("GitHub", "away"), asked))
    assert len(asked) == 2
    assert reach.ask("Prometheus", "a", lambda: 1) == 1


def test_a_system_that_refuses_is_asked_on() -> None:
    reach = Reach()
    asked: list[str] = []
    for number in range(5):
        with pytest.raises(Permanent):
            reach.ask("GitHub", number, failing(Permanent("GitHub", "no"), asked))
    assert len(asked) == 5


def test_a_system_is_named_once() -> None:
    assert say_why(Permanent("GitHub", "GitHub at x refused")) == "GitHub at x refused"
    assert say_why(Permanent("settings", "no credentials")) == "settings: no credentials"
