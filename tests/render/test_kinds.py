"""How the evidence of each kind of rule reads, in a pull request and in the terminal: golden files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.decision import Decision, Judgement, State, WaitsOn
from bot.domain.gates.baseline import judge_baseline
from bot.domain.gates.burn_rate import judge_burn_rate
from bot.domain.gates.counts import judge_counts
from bot.domain.gates.measuring import REVERT, STOP
from bot.domain.gates.values import judge_values
from bot.domain.model import Numbers, Samples
from bot.domain.queries import Query
from bot.domain.rules import Accept, BurnWindow, Gate
from bot.domain.tiles import MeasuringWindow
from bot.domain.verdicts import Verdict
from bot.render.course import charts
from bot.render.evidence import data_quality, evidence_table, exact_queries
from bot.render.terminal import narrow_tiles, verdict_lines
from tests.builders import MINUTE, NOON, a_baseline_gate, a_burn_gate, a_count_gate, a_policy, a_value_gate

GOLDEN = Path(__file__).parents[2] / "fixtures" / "golden"
WINDOW = MeasuringWindow(
    start=NOON, required_until=NOON + 10 * MINUTE, width=MINUTE, before=(NOON - 5 * MINUTE, NOON - MINUTE)
)
OPEN = replace(WINDOW, required_until=NOON + 30 * MINUTE)
LAG = replace(
    a_value_gate(name="kafka-lag", title="Kafka consumer lag not above 1,000", bound=1000.0),
    query=Query.plain('sum by (namespace) (kafka_consumergroup_lag{namespace="orders"})', is_count=False),
)
RESTARTS = replace(
    LAG, name="restarts", title="container restarts, at most 0", bound=0.0, is_sum=True, query=Query.plain("restarts")
)
BASELINE = a_baseline_gate()
BURN = a_burn_gate(name="slo", objective=0.999, window=BurnWindow(long=5 * MINUTE, short=MINUTE, factor=14.4))


def measured(*, early: int = 0, scrape: int = 15, **numbers: Sequence[float | None]) -> Samples:
    """Numbers of one minute each by role (with _ for a space); the first `early` ones are of before the window."""
    by_role: dict[str, Numbers] = {role.replace("_", " "): tuple(some) for role, some in numbers.items()}
    start = NOON - early * MINUTE
    return Samples(
        start=start,
        end=start + max(map(len, by_role.values())) * MINUTE,
        width=MINUTE,
        numbers=by_role,
        queries=tuple(f"query of {role}" for role in by_role),
        backend="Prometheus 2.42.0 at http://prometheus:9090",
        lag=timedelta(seconds=15),
        scrape=timedelta(seconds=scrape),
    )


def verdicts() -> list[Verdict]:
    good, bad = [100.0] * 10, [0.0] * 10
    busy = [1000.0] * 10
    few = replace(a_count_gate(name="few-requests"), accept=Accept.NOT_SHOWN_BAD)
    soon = replace(LAG, name="lag-so-far")
    return [
        judge_counts(few, measured(counted=bad, total=[7.0] * 10), WINDOW, STOP),
        judge_values(LAG, measured(value=[400.0, 800.0, None, *[1500.0] * 2, *[300.0] * 5]), WINDOW, STOP),
        judge_values(soon, measured(value=[400.0, 800.0, 950.0], scrape=30), OPEN, STOP),
        judge_values(replace(LAG, name="lag-bad"), measured(value=[*[400.0] * 6, *[2500.5] * 4]), WINDOW, STOP),
        judge_values(RESTARTS, measured(value=[0.0, 2.0, 0.0, 1.0, *[0.0] * 6]), WINDOW, REVERT),
        judge_values(replace(RESTARTS, name="restarts-none"), measured(value=bad), WINDOW, STOP),
        judge_baseline(
            BASELINE, measured(counted=[1.0] * 10, total=busy, base_counted=[2.0] * 10, base_total=busy), WINDOW, STOP
        ),
        judge_baseline(
            replace(BASELINE, name="worse"),
            measured(counted=[80.0] * 10, total=busy, base_counted=[10.0] * 10, base_total=busy),
            WINDOW,
            STOP,
        ),
        judge_baseline(
            replace(BASELINE, name="alone"),
            measured(counted=bad, total=good, base_counted=bad, base_total=bad),
            WINDOW,
            STOP,
        ),
        judge_burn_rate(BURN, measured(counted=[1.0] * 10, total=busy), replace(WINDOW, before=None), STOP),
        judge_burn_rate(
            replace(BURN, name="burning"),
            measured(early=5, counted=[*[0.0] * 5, *[50.0] * 10], total=[1000.0] * 15),
            WINDOW,
            REVERT,
        ),
        judge_burn_rate(
            replace(BURN, name="burned-before"),
            measured(early=5, counted=[50.0] * 15, total=[1000.0] * 15),
            WINDOW,
            REVERT,
        ),
    ]


def a_stage_with_all() -> str:
    stage = a_policy().stages[0]
    rules: list[Gate] = [a_count_gate(name="few-requests"), BASELINE, BURN, LAG, RESTARTS]
    stage = replace(stage, gates=tuple(rules))
    found = verdicts()
    return "\n\n".join([evidence_table(stage, found), data_quality(found), charts(found), exact_queries(found)])


def a_terminal() -> str:
    judgement = Judgement(
        stage="staging",
        role="running",
        release=None,
        state=State.OBSERVING,
        waits_on=WaitsOn.RUNTIME,
        reason="the reason",
        verdicts=tuple(verdicts()),
    )
    decision = Decision(
        service="orders", at=NOON, policy_version="v", judgements=(judgement,), actions=(), look_again=NOON
    )
    return "\n".join([*verdict_lines(decision, [judgement]), *narrow_tiles([judgement])])


@pytest.mark.parametrize(("name", "write"), [("kinds.md", a_stage_with_all), ("kinds.txt", a_terminal)])
def test_each_kind_reads_as_it_was_reviewed(name: str, write: object) -> None:
    assert callable(write)
    text = f"{write()}\n"
    path = GOLDEN / name
    if os.environ.get("LIFTLOCK_WRITE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
