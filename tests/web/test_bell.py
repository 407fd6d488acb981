"""What a webhook that was taken does, and in which order."""

from __future__ import annotations

from bot.engine.waking import Waker
from bot.web.bell import Bell
from bot.web.deliveries import Outcome, Result
from tests.web.served import logged


def test_every_image_that_was_pushed_is_expected_before_the_bot_is_woken() -> None:
    waker = Waker()
    seen: list[tuple[str, frozenset[str]]] = []
    bell = Bell(waker=waker, expect=lambda name: seen.append((name, waker.wait(0))))
    bell.ring(Outcome(status=202, result=Result.ACCEPTED, sentence="", pushed=("acme/cart", "acme/checkout")))
    assert seen == [("acme/cart", frozenset()), ("acme/checkout", frozenset())]
    assert waker.wait(0) == {"acme/cart", "acme/checkout"}


def test_what_is_no_image_wakes_and_is_not_expected() -> None:
    waker, expected = Waker(), list[str]()
    bell = Bell(waker=waker, expect=expected.append)
    with logged() as log:
        bell.ring(Outcome(status=202, result=Result.ACCEPTED, sentence="", wakes="acme/deploy"))
    assert waker.wait(0) == {"acme/deploy"}
    assert expected == []
    assert log == [{"event": "webhook", "log_level": "debug", "woken_by": "acme/deploy"}]


def test_what_names_nothing_does_nothing() -> None:
    waker, expected = Waker(), list[str]()
    with logged() as log:
        Bell(waker=waker, expect=expected.append).ring(Outcome(status=202, result=Result.IGNORED, sentence=""))
    assert (waker.wait(0), expected, log) == (frozenset(), [], [])
