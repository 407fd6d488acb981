"""What only Prometheus is asked: its name, every shipped template, what it refuses, its end."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.adapters.http import Endpoint
from bot.adapters.prometheus import PrometheusMetrics
from bot.domain.policy import CountGate, Counts
from bot.policy import parse_policy, shipped_gate_templates
from bot.ports import Permanent, SampleRequest, Transient
from tests.adapters.backends import LIMITS, MINUTE, START, a_request, a_storage, counts, needs_prometheus, prometheus_on

pytestmark = [pytest.mark.prometheus, needs_prometheus]


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_storage(tmp_path_factory.mktemp("history"))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, storage: Path) -> Iterator[str]:
    with prometheus_on(tmp_path_factory.mktemp("server"), storage) as (address, _):
        yield address


@pytest.fixture
def metrics(url: str) -> Iterator[PrometheusMetrics]:
    with PrometheusMetrics(Endpoint(system="Prometheus", url=url), limits=LIMITS) as opened:
        yield opened


def test_the_server_is_found_and_named(metrics: PrometheusMetrics, url: str) -> None:
    metrics.check_connection()
    assert metrics.describe().startswith("Prometheus 2.")
    assert metrics.describe().endswith(f" at {url}")


@pytest.mark.parametrize("name", sorted(shipped_gate_templates()))
def test_every_shipped_template_is_a_query_that_the_server_takes(metrics: PrometheusMetrics, name: str) -> None:
    bound = ", slower_than: 500ms" if name.endswith("-latency") else ""
    text = (
        "apiVersion: liftlock.dev/v1\nservice: a\nimage: r/a\ngitops: {repository: acme/deploy}\nstages:\n"
        "  - {name: one, argocd: a, edit: {kustomize: a}, metrics: {namespace: x, pod: 'a\"b'}, window: {for: 5m},\n"
        f"     gates: [{{use: {name}, limit: 1%{bound}}}]}}\n"
    )
    (gate,) = parse_policy(text, file="a.yaml", templates=shipped_gate_templates()).stages[0].gates
    assert isinstance(gate, CountGate)
    request = SampleRequest(
        query=gate.query,
        total=gate.total,
        counts_good=gate.counts is Counts.GOOD,
        start=START,
        end=START + 2 * MINUTE,
        width=MINUTE,
    )
    assert counts(metrics.fetch_samples(request)) == [(None, None)] * 2


def test_several_series_are_refused_and_listed(metrics: PrometheusMetrics) -> None:
    request = a_request("ill")
    several = SampleRequest(
        query='increase(requests_total{service="ill"}[1m])',
        total=request.total,
        counts_good=False,
        start=request.start,
        end=request.end,
        width=request.width,
    )
    with pytest.raises(Permanent, match="has 2 series") as caught:
        metrics.fetch_samples(several)
    assert 'code="500"' in caught.value.sentence


def test_a_query_that_does_not_parse_is_permanent_with_the_server_s_words(metrics: PrometheusMetrics) -> None:
    request = SampleRequest(
        query="sum(", total="vector(1)", counts_good=False, start=START, end=START + MINUTE, width=MINUTE
    )
    with pytest.raises(Permanent, match=r"refuses the query `sum\(`: .*parse error"):
        metrics.fetch_samples(request)


def test_a_division_by_zero_is_no_count(metrics: PrometheusMetrics) -> None:
    begin = START + 10 * MINUTE
    request = SampleRequest(
        query='sum(requests_total{service="idle"} * 0) / 0',
        total="vector(1)",
        counts_good=False,
        start=begin,
        end=begin + MINUTE,
        width=MINUTE,
    )
    with pytest.raises(Transient, match="nan, which is no count"):
        metrics.fetch_samples(request)


def test_a_long_range_comes_whole_from_several_parts(metrics: PrometheusMetrics) -> None:
    step = timedelta(seconds=1)
    request = SampleRequest(
        query="vector(0)",
        total="vector(1)",
        counts_good=False,
        start=START,
        end=START + 12_000 * step,
        width=step,
    )
    assert counts(metrics.fetch_samples(request)) == [(1.0, 0.0)] * 12_000


def test_a_server_that_is_killed_is_transient(tmp_path: Path, storage: Path) -> None:
    copy = shutil.copytree(storage, tmp_path / "data", ignore=shutil.ignore_patterns("lock", "queries.active"))
    with (
        prometheus_on(tmp_path, copy) as (url, process),
        PrometheusMetrics(Endpoint(system="Prometheus", url=url), limits=LIMITS) as metrics,
    ):
        assert counts(metrics.fetch_samples(a_request("ok"))) == [(60.0, 0.0)] * 3
        process.kill()
        process.wait(timeout=10)
        with pytest.raises(Transient, match="could not be reached"):
            metrics.fetch_samples(a_request("ok"))
