"""What Prometheus knows of Argo CD's applications: an illness that came and went while nobody looked."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from bot.domain.gates.argocd_healthy import judge_argocd_healthy, last_illness
from bot.domain.liveness import Liveness
from bot.domain.model import Numbers, Samples, Trouble
from bot.domain.queries import Query
from bot.domain.rules import ArgoHealthyGate
from bot.domain.stance import ApplicationStance, Stance
from bot.domain.verdicts import ApplicationEvidence, Verdict, VerdictKind
from tests.builders import MINUTE, NOON, a_window

GATE = ArgoHealthyGate(name="argocd-healthy", history=(Query.plain("ill one"), Query.plain("ill two")))
WINDOW = a_window(length=30 * MINUTE, warmup=2 * MINUTE)
NOWHERE: Numbers = (0.0,) * 40
TROUBLE = Trouble(system="Prometheus", sentence="connection refused")


def ill_in(*tiles: int) -> Numbers:
    return tuple(2.0 if at in tiles else 0.0 for at in range(40))


def some(*applications: Numbers) -> Samples:
    return Samples(
        start=NOON,
        end=NOON + 40 * MINUTE,
        width=MINUTE,
        numbers={f"ill {number}": numbers for number, numbers in enumerate(applications)},
        queries=(),
        backend="Prometheus",
    )


def judged(
    history: Samples | Trouble | None,
    *,
    minutes: float,
    stance: Stance = Stance.LIVE,
    policy_since: datetime | None = None,
) -> Verdict:
    said = ApplicationStance(name="checkout", stance=stance, reason="checkout: synced and Healthy")
    liveness = Liveness(stance=stance, reason="why", applications=(said,), proof_since=NOON)
    now = NOON + minutes * MINUTE
    return judge_argocd_healthy(GATE, liveness, WINDOW, now, policy_since=policy_since, history=history)


def test_a_history_without_an_illness_moves_nothing() -> None:
    for history in (some(NOWHERE, NOWHERE), some((None,) * 40), None):
        assert judged(history, minutes=31).kind is VerdictKind.NOT_YET
        verdict = judged(history, minutes=32)
        assert verdict.kind is VerdictKind.HEALTHY
        assert verdict.reason == "every application synced and Healthy since 12:00:00 UTC"


def test_an_illness_that_only_prometheus_saw_begins_the_window_anew() -> None:
    """Ill in the tile from 12:05 to 12:06: the window of 2 and 30 minutes ends at 12:38."""
    verdict = judged(some(NOWHERE, ill_in(3, 5)), minutes=37)
    assert verdict.kind is VerdictKind.NOT_YET
    assert verdict.reason == (
        "Prometheus saw an application ill until 12:06:00 UTC, Healthy since; window ends 12:38:00 UTC"
    )
    assert judged(some(ill_in(5), NOWHERE), minutes=38).kind is VerdictKind.HEALTHY


def test_the_last_illness_of_all_applications_counts() -> None:
    assert last_illness(some(ill_in(9, 2), ill_in(4))) == NOON + 10 * MINUTE
    assert last_illness(some(NOWHERE)) is None
    assert last_illness(TROUBLE) is None


def test_a_policy_that_came_after_the_illness_decides_when_the_window_began() -> None:
    history, since = some(ill_in(5)), NOON + 8 * MINUTE
    assert judged(history, minutes=39, policy_since=since).kind is VerdictKind.NOT_YET
    assert judged(history, minutes=40, policy_since=since).kind is VerdictKind.HEALTHY


@pytest.mark.invariant("I5")
def test_a_history_that_cannot_be_read_proves_nothing_and_counts_against_nobody() -> None:
    verdict = judged(TROUBLE, minutes=32)
    assert verdict.kind is VerdictKind.CANNOT_TELL
    assert verdict.would_change == "an answer from Prometheus"
    assert judged(TROUBLE, minutes=20).kind is VerdictKind.NOT_YET
    assert isinstance(verdict.evidence, ApplicationEvidence)
    assert verdict.evidence.sentences == (
        "checkout: synced and Healthy",
        "what happened between two looks is not known: Prometheus: connection refused",
    )


def test_a_history_does_not_make_healthy_what_argocd_does_not() -> None:
    for stance in (Stance.UNHEALTHY, Stance.CANNOT_TELL, Stance.WAITING):
        assert judged(some(NOWHERE), minutes=600, stance=stance).kind is not VerdictKind.HEALTHY


def test_each_application_is_asked_for_under_a_role_of_its_own() -> None:
    assert {role: ask.query.text for role, ask in GATE.asks.items()} == {"ill 0": "ill one", "ill 1": "ill two"}
    assert not GATE.reach
    assert not ArgoHealthyGate(name="argocd-healthy").asks


def live(*, is_out_of_sync: bool = False, notes: tuple[str, ...] = ()) -> Liveness:
    said = ApplicationStance(
        name="checkout",
        stance=Stance.LIVE,
        reason="checkout: Healthy, and OutOfSync after its sync",
        is_out_of_sync=is_out_of_sync,
    )
    return Liveness(stance=Stance.LIVE, reason="why", applications=(said,), proof_since=NOON, notes=notes)


def test_an_application_out_of_sync_is_unhealthy_only_if_the_policy_says_so() -> None:
    strict = replace(GATE, must_be_synced=True)
    now = NOON + 32 * MINUTE
    assert judge_argocd_healthy(GATE, live(is_out_of_sync=True), WINDOW, now).kind is VerdictKind.HEALTHY
    verdict = judge_argocd_healthy(strict, live(is_out_of_sync=True), WINDOW, now)
    assert (verdict.kind, verdict.reason) == (
        VerdictKind.UNHEALTHY,
        "checkout: Healthy, and OutOfSync after its sync",
    )
    assert judge_argocd_healthy(strict, live(), WINDOW, now).kind is VerdictKind.HEALTHY


def test_a_change_of_the_applications_is_told() -> None:
    verdict = judge_argocd_healthy(GATE, live(notes=("two joined",)), WINDOW, NOON + 10 * MINUTE)
    assert "since 12:00:00 UTC; two joined; window ends" in verdict.reason
    assert isinstance(verdict.evidence, ApplicationEvidence)
    assert "two joined" in verdict.evidence.sentences


def test_members_that_a_selector_finds_are_asked_for_too() -> None:
    query = Query(parts=("ill{", "}"), is_shared=True)
    gate = ArgoHealthyGate(name="argocd-healthy", history=(query.of_labels(name="a"),), of_members=query)
    texts = [ask.query.text for ask in gate.with_members(["b", "a", "c"]).asks.values()]
    assert texts == ['ill{name="a"}', 'ill{name="b"}', 'ill{name="c"}']
    assert gate.with_members([]) == gate
    assert GATE.with_members(["b"]) == GATE
