"""What probes and Prometheus are told, on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.engine.sweep import ServiceReport
from tests.web.served import LIMIT, Web, served


@pytest.fixture
def web() -> Iterator[Web]:
    with served() as web:
        yield web


def sweep(web: Web) -> None:
    web.numbers.note_sweep([ServiceReport(subject="checkout", error="x")], web.clock.now(), 1)


def told(web: Web, path: str) -> tuple[int, dict[str, str]]:
    answer = web.get(path)
    return answer.status_code, answer.json()


def test_health_is_good_while_the_last_sweep_is_fresh(web: Web) -> None:
    sweep(web)
    web.clock.advance(LIMIT)
    assert told(web, "/healthz") == (200, {"sentence": "the last sweep ended 300 s ago (limit 300 s)"})
    web.clock.advance(timedelta(seconds=1))
    assert told(web, "/healthz") == (503, {"sentence": "the last sweep ended 301 s ago (limit 300 s)"})


def test_health_is_bad_before_the_first_sweep_has_ended(web: Web) -> None:
    assert told(web, "/healthz") == (503, {"sentence": "no sweep has ended yet"})


def test_sweeps_that_fail_do_not_keep_the_bot_healthy(web: Web) -> None:
    sweep(web)
    web.clock.advance(LIMIT * 2)
    web.numbers.note_failed_sweep()
    assert told(web, "/healthz")[0] == 503


def test_the_bot_is_ready_between_its_first_sweep_and_its_end(web: Web) -> None:
    assert told(web, "/readyz") == (503, {"sentence": "no sweep has ended yet"})
    sweep(web)
    web.clock.advance(LIMIT * 2)
    assert told(web, "/readyz") == (200, {"sentence": "the bot sweeps"})
    web.stopping.set()
    assert told(web, "/readyz") == (503, {"sentence": "the bot is stopping"})


def test_prometheus_can_read_the_numbers(web: Web) -> None:
    sweep(web)
    answer = web.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert families["liftlock_prometheus_queries"].samples[0].value == 3
    assert families["liftlock_webhook_deliveries"].type == "counter"
    assert [name for name in families if not name.startswith("liftlock_")] == []


def test_open_metrics_are_told_to_who_asks_for_them(web: Web) -> None:
    answer = web.get("/metrics", {"accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_a_bug_is_told_without_its_text(web: Web) -> None:
    def broken() -> None:
        raise RuntimeError("hush")

    web.numbers._cost = broken  # type: ignore[assignment]  # the bug
    answer = web.get("/metrics")
    assert answer.status_code == 500
    assert answer.json() == {"sentence": "this failed by a bug of Liftlock; the log has the traceback"}
