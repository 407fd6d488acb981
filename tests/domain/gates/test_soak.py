"""Plain time: it passes while the release is live, starts again after an illness, and measures nothing."""

from __future__ import annotations

from datetime import datetime

from bot.domain.gates.soak import judge_soak
from bot.domain.liveness import Liveness
from bot.domain.rules import SoakGate
from bot.domain.stance import Stance
from bot.domain.verdicts import Verdict, VerdictKind
from tests.builders import MINUTE, NOON, a_window

GATE = SoakGate(name="soak")


def judged(
    minutes: float, *, live_since: datetime | None = NOON, policy_since: datetime | None = None, reason: str = ""
) -> Verdict:
    stance = Stance.LIVE if live_since else Stance.WAITING
    liveness = Liveness(stance=stance, reason=reason, applications=(), proof_since=live_since)
    window = a_window(length=30 * MINUTE, warmup=2 * MINUTE)
    return judge_soak(GATE, liveness, window, NOON + minutes * MINUTE, policy_since=policy_since)


def test_soak_is_not_yet_until_warmup_and_window_have_passed() -> None:
    verdict = judged(31.9)
    assert (verdict.kind, verdict.reason) == (VerdictKind.NOT_YET, "window ends 12:32:00 UTC")


def test_soak_is_healthy_when_warmup_and_window_have_passed() -> None:
    verdict = judged(32)
    assert (verdict.kind, verdict.reason) == (VerdictKind.HEALTHY, "live since 12:00:00 UTC")


def test_a_release_that_is_not_live_does_not_soak_however_long_it_takes() -> None:
    verdict = judged(6000, live_since=None, reason="a sync is running")
    assert (verdict.kind, verdict.reason) == (VerdictKind.NOT_YET, "a sync is running")
    assert verdict.would_change.startswith("the release live")


def test_an_illness_starts_the_time_again() -> None:
    assert judged(41, live_since=NOON + 10 * MINUTE).kind is VerdictKind.NOT_YET
    assert judged(42, live_since=NOON + 10 * MINUTE).kind is VerdictKind.HEALTHY


def test_a_policy_that_came_later_starts_the_time_again() -> None:
    assert judged(41, policy_since=NOON + 10 * MINUTE).kind is VerdictKind.NOT_YET
    assert judged(42, policy_since=NOON + 10 * MINUTE).kind is VerdictKind.HEALTHY


def test_a_policy_that_came_earlier_changes_nothing() -> None:
    assert judged(32, policy_since=NOON - 10 * MINUTE).kind is VerdictKind.HEALTHY
