"""Freshness: the last sweep is not older than ten intervals."""

from __future__ import annotations

from datetime import timedelta

from bot.engine.freshness import Freshness, judge_freshness, oldest_allowed
from tests.builders import NOON

LIMIT = timedelta(minutes=5)


def test_ten_intervals_may_pass() -> None:
    assert oldest_allowed(timedelta(seconds=30)) == LIMIT


def test_a_sweep_is_fresh_up_to_the_limit() -> None:
    judged = judge_freshness(NOON, NOON + LIMIT, LIMIT)
    assert judged == Freshness(is_fresh=True, sentence="the last sweep ended 300 s ago (limit 300 s)")


def test_a_sweep_is_stale_after_it() -> None:
    judged = judge_freshness(NOON, NOON + timedelta(seconds=301), LIMIT)
    assert judged == Freshness(is_fresh=False, sentence="the last sweep ended 301 s ago (limit 300 s)")


def test_a_bot_that_has_not_swept_is_not_fresh() -> None:
    assert judge_freshness(None, NOON, LIMIT) == Freshness(is_fresh=False, sentence="no sweep has ended yet")
