"""Prometheus fails at the very moment at which a release is to be taken back: nothing is reverted, and it is said why.

From that moment on the trigger's condition is true; time stands, and only what Prometheus answers differs from look to
look. When it answers as it should, the next look takes the release back.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.adapters.prometheus_sources import PrometheusSources
from bot.domain.decision import State
from bot.domain.queries import DEFAULT_SOURCE
from bot.lab.answerer import PrometheusAnswerer
from bot.lab.world import Lab
from tests.scenarios.promoting import FAILING, live, merged, pass_window, tell_no_source, use
from tests.stage import Stage, decision_for, the_judgement

QUERIES = 2
"""What one look at the trigger asks: bad requests, and all."""
STARTS_AND_TWO_TILES_SECONDS = 20
NOT_USED = "so the result is not used"
WARNING = "PromQL warning: a store could not be reached"


@pytest.fixture(name="due")
def fixture_due(stage: Stage) -> Stage:
    """Production runs 1.9.0 and fails; by what Prometheus knows now, the next look takes it back."""
    tell_no_source(stage.lab)
    use(stage.lab, "watch: 16s", "watch: 60s")
    live(stage, production=FAILING)
    pass_window(stage)
    merged(stage)
    stage.leap(STARTS_AND_TWO_TILES_SECONDS)
    return stage


def answerer(stage: Stage) -> PrometheusAnswerer:
    found = stage.lab.answerer
    assert found is not None
    return found


def ask_once(stage: Stage, *, within: float) -> None:
    """Let the bot ask Prometheus a single time at each look, and wait for the answer for so many seconds."""
    sources = stage.sweeper.world.metrics
    assert isinstance(sources, PrometheusSources)
    metrics = sources._servers[DEFAULT_SOURCE]
    metrics._limits = replace(metrics._limits, attempts=1, deadline=timedelta(seconds=within))


def reverts(lab: Lab) -> int:
    return sum("Liftlock-Reverts" in message for message in lab.messages())


def reason(stage: Stage) -> str:
    """Look once, at the same instant; nothing may be taken back. Return why not."""
    found = the_judgement(decision_for(stage.sweeper.sweep(), "checkout"), "production")
    assert found.state is State.WATCHING
    assert reverts(stage.lab) == 0
    assert stage.lab.has_tag("checkout", "production", "1.9.0")
    return found.reason


def is_taken_back_at_the_next_look(stage: Stage) -> bool:
    found = the_judgement(decision_for(stage.sweeper.sweep(), "checkout"), "production")
    return (found.state, reverts(stage.lab)) == (State.ROLLING_BACK, 1)


def answer_instead(stage: Stage, status: int, **more: object) -> None:
    """Answer the queries of one look without any series, and with something beside them."""
    data = {"resultType": "matrix", "result": []}
    body = json.dumps({"status": "success", "data": data, **more})
    answerer(stage).fail_next(status, body, times=QUERIES)


FAULTS: dict[str, tuple[Callable[[Stage], None], str]] = {
    "down": (lambda stage: answerer(stage).down(), "failed (HTTP 503)"),
    "warnings": (
        lambda stage: answer_instead(stage, 200, warnings=[WARNING]),
        f"answered with warnings, {NOT_USED}: {WARNING}",
    ),
    "cut in the middle": (
        lambda stage: answerer(stage).faults.cut_next(" /api/v1/query_range", times=QUERIES),
        "the connection broke",
    ),
    "a part of the data": (
        lambda stage: answer_instead(stage, 200, isPartial=True),
        f"answered with a part of the data only, {NOT_USED}",
    ),
    "an HTML page": (
        lambda stage: answerer(stage).faults.garbage_next(" /api/v1/query_range", times=QUERIES),
        "answered something that is no query result",
    ),
    "HTTP 206": (
        lambda stage: answer_instead(stage, 206),
        f"answered with a part of the data only (HTTP 206), {NOT_USED}",
    ),
}
"""What goes wrong, and what is said of it. Never five failures in a row, after which it would be left alone."""


@pytest.mark.invariant("I5")
def test_whatever_prometheus_answers_but_the_data_delays_the_rollback_and_is_told(due: Stage) -> None:
    ask_once(due, within=20)
    for name, (begin, says) in FAULTS.items():
        begin(due)
        told = reason(due)
        answerer(due).faults.clear()
        assert told.startswith("http-errors: Prometheus could not be asked: Prometheus at http://127.0.0.1:"), name
        assert says in told, name
        assert told.partition("; ")[2].startswith("no trigger has fired; watched until "), name
    assert is_taken_back_at_the_next_look(due)


@pytest.mark.invariant("I5")
def test_a_prometheus_that_hangs_delays_the_rollback_and_is_told(due: Stage) -> None:
    ask_once(due, within=0.3)
    answerer(due).hang()
    assert "did not answer within 0.3 s; no trigger has fired; watched until " in reason(due)
    answerer(due).release()
    ask_once(due, within=20)
    assert is_taken_back_at_the_next_look(due)


@pytest.mark.invariant("I5")
def test_series_that_are_missing_delay_the_rollback_until_there_are_two_tiles_again(due: Stage) -> None:
    answer_instead(due, 200)
    told = "looks; the query gave no series; no trigger has fired; watched until "
    assert told in reason(due)
    # What a look did not find is not asked for again: it takes two tiles that are measured.
    due.leap(4)
    assert "http-errors: 3 of the newest 5 looks found no data; no trigger has fired; " in reason(due)
    due.leap(4)
    assert is_taken_back_at_the_next_look(due)
