"""What all questions of a live check share: each is asked once, and what is not answered is told as just that."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from bot.live_check.asking import look_at
from bot.live_check.reach import Reach, say_why
from bot.live_check.subject import Look, Subject
from bot.policy import parse_policy, shipped_gate_templates
from bot.policy.checking import KeptPolicy
from bot.policy.findings import Finding
from bot.policy.tree import read_tree
from bot.ports import Permanent, Transient
from bot.settings import SettingsError

POLICY = Path(__file__).parents[1] / "policies" / "examples" / "checkout.yaml"


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


# --- what is not answered --------------------------------------------------------------------------------------------


def a_subject() -> Subject:
    text = POLICY.read_text(encoding="utf-8")
    tree = read_tree(text, file="checkout.yaml", faults=[])
    policy = parse_policy(text, file="checkout.yaml", templates=shipped_gate_templates())
    return Subject(read=KeptPolicy(policy=policy, tree=tree, file="checkout.yaml"))


def a_look(error: Exception | None, path: str, *, hangs: threading.Event | None = None) -> Look:
    subject = a_subject()

    def ask() -> Iterator[Finding]:
        if hangs is not None:
            hangs.wait(20)
        if error is not None:
            raise error
        yield subject.note("live-edit", path, "all right")

    return Look(subject=subject, path=path, ask=ask)


def told(*looks: Look, within: timedelta = timedelta(seconds=20)) -> list[str]:
    return [str(finding.fault) for finding in look_at(looks, within)]


def test_what_gives_no_answer_for_one_reason_is_told_once_at_the_first_value_that_it_concerns() -> None:
    away = Transient("Prometheus", "Prometheus is away")
    later, sooner = a_look(away, "stages[1].metrics"), a_look(away, "stages[0].metrics")
    other = a_look(Permanent("GitHub", "no"), "gitops.repository")
    fine = a_look(None, "service")
    assert told(later, sooner, other, fine) == [
        "checkout.yaml:2:10: service: found all right, expected ",
        (
            "checkout.yaml:5:22: gitops.repository: found no answer: GitHub: no, "
            "expected one: 1 question about this policy stayed open"
        ),
        (
            "checkout.yaml:10:14: stages[0].metrics: found no answer: Prometheus is away, "
            "expected one: 2 questions about this policy stayed open"
        ),
    ]


def test_a_bug_and_settings_that_cannot_be_used_hide_nothing_of_the_others() -> None:
    lines = told(
        a_look(ZeroDivisionError("secret"), "image"),
        a_look(SettingsError("no token"), "source"),
        a_look(None, "service"),
    )
    assert [line.partition(", expected")[0] for line in lines] == [
        "checkout.yaml:2:10: service: found all right",
        (
            "checkout.yaml:3:8: image: found no answer: ZeroDivisionError, "
            "which is a fault of Liftlock's: please report it"
        ),
        "checkout.yaml:4:9: source: found no answer: no token",
    ]


def test_what_takes_longer_than_all_may_take_is_told_as_not_asked() -> None:
    hangs = threading.Event()
    lines = told(a_look(None, "image", hangs=hangs), within=timedelta(milliseconds=50))
    hangs.set()
    assert "found no answer: not within the 50ms that all questions may take together" in lines[0]
