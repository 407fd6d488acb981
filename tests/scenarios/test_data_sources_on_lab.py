"""Data sources of one policy: the gates of one that is down, unknown or shut cannot tell; the others are judged."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from bot.domain.verdicts import CountEvidence, Verdict, VerdictKind
from bot.lab.clock import ManualClock
from bot.lab.world import Lab
from tests.scenarios.promoting import live, pass_window, promoted, tell_no_source, use
from tests.stage import Stage, a_bot, decision_for, the_judgement

DOWN = 'url = "http://127.0.0.1:1"\ntimeout = "2s"\n'
LATENCY = "{use: http-latency, slower_than: 500ms, limit: 5%"


@dataclass(frozen=True)
class Case:
    """The settings of a source that gives the latency gate nothing, and what is said of it."""

    sections: str
    says: str


CASES = {
    "down": Case(f"[prometheus_servers.us]\n{DOWN}", "Prometheus us at http://127.0.0.1:1 could not be reached"),
    "unknown": Case(
        "", "Prometheus us could not be asked: the settings name no Prometheus 'us'; they name: eu, prometheus"
    ),
    "of other tenants": Case(
        f'[prometheus_servers.us]\n{DOWN}[[prometheus_servers.us.tenants]]\nservices = ["search"]\n'
        'matchers = {team = "search"}\n',
        "Prometheus us could not be asked: no query for checkout is sent there: none of its tenants",
    ),
}


@pytest.mark.invariant("I5")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_source_that_answers_nothing_holds_the_release_and_its_gate_says_why(
    lab: Lab, clock: ManualClock, case: Case
) -> None:
    tell_no_source(lab)
    use(lab, "metrics: {namespace: checkout-staging}", "metrics: {namespace: checkout-staging}\n    metrics_from: eu")
    use(lab, LATENCY, f"{LATENCY}, metrics_from: us")
    sections = f'[prometheus_servers.eu]\nurl = "{lab.prometheus_url}"\n{case.sections}'
    with a_bot(lab, clock, sections=sections) as sweeper:
        stage = Stage(lab=lab, clock=clock, sweeper=sweeper)
        live(stage)
        pass_window(stage)
        verdicts = {one.gate: one for one in verdicts_of(stage)}
        assert verdicts["http-latency"].kind is VerdictKind.CANNOT_TELL
        assert case.says in verdicts["http-latency"].reason
        assert verdicts["http-errors"].kind is VerdictKind.HEALTHY
        evidence = verdicts["http-errors"].evidence
        assert isinstance(evidence, CountEvidence)
        assert evidence.measured.backend.startswith("Prometheus eu ")
        assert evidence.measured.backend.endswith(f" at {lab.prometheus_url}")
        stage.look_after(5)
        assert not promoted(lab)


def verdicts_of(stage: Stage) -> tuple[Verdict, ...]:
    return the_judgement(decision_for(stage.sweeper.sweep(), "checkout"), "staging").verdicts
