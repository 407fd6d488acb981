"""The template for native histograms, asked of a real Prometheus with histograms that were sent to it just now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import pytest

from bot.adapters.http import Endpoint
from bot.adapters.prometheus import PrometheusMetrics
from bot.domain.rules import CountGate, Counts
from bot.policy import parse_policy, shipped_gate_templates
from bot.ports import Look
from tests.adapters.backends import LIMITS, MINUTE, SCRAPE, counts, needs_prometheus, prometheus_on, read
from tests.adapters.remote_write import NativeHistogram, write_histograms

pytestmark = [pytest.mark.prometheus, needs_prometheus]
# The head block takes what is at most an hour older than its newest sample, and nothing that is much older than now.
NOW = datetime.now(UTC).replace(second=0, microsecond=0)
FIRST = NOW - 10 * MINUTE
TILES = 3
FAST, SLOW = -2, 1
"""Buckets: 0.125 s to 0.25 s, and 1 s to 2 s."""


def a_course(buckets: Callable[[int], dict[int, int]]) -> list[NativeHistogram]:
    """Return the histograms of ten minutes of scrapes."""
    return [NativeHistogram(at=FIRST + n * SCRAPE, buckets=buckets(n)) for n in range(41)]


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusMetrics]:
    flags = ("--enable-feature=native-histograms", "--web.enable-remote-write-receiver")
    folder = tmp_path_factory.mktemp("server")
    with prometheus_on(folder, folder / "data", *flags) as (url, _):
        courses: dict[str, Callable[[int], dict[int, int]]] = {
            "ill": lambda n: {FAST: 9 * n, SLOW: 6 * n},
            "well": lambda n: {FAST: 15 * n, SLOW: 0},
            "idle": lambda _: {FAST: 100, SLOW: 7},
            "restarted": lambda n: {FAST: 9 * (n % 22), SLOW: 6 * (n % 22)},
        }
        series = [
            ({"namespace": name, "pod": pod}, a_course(course))
            for name, course in courses.items()
            for pod in ("a", "b")
        ]
        write_histograms(url, "http_request_duration_seconds", series)
        with PrometheusMetrics(Endpoint(system="Prometheus", url=url), limits=LIMITS) as opened:
            yield opened


def looks(namespace: str, *, slower_than: str = "500ms", start: int = 2) -> tuple[Look, Look]:
    """Ask for the fast requests of a namespace, and for all."""
    text = (
        "apiVersion: liftlock.dev/v1\nservice: a\nimage: r/a\ngitops: {repository: acme/deploy}\nstages:\n"
        f"  - {{name: one, argocd: a, edit: {{kustomize: a}}, metrics: {{namespace: {namespace}}},\n"
        f"     window: {{for: 5m}}, gates: [{{use: http-latency-native, limit: 1%, slower_than: {slower_than}}}]}}\n"
    )
    (gate,) = parse_policy(text, file="a.yaml", templates=shipped_gate_templates()).stages[0].gates
    assert isinstance(gate, CountGate)
    begin = FIRST + start * MINUTE
    asked = [Look(query=q, start=begin, end=begin + TILES * MINUTE, width=MINUTE) for q in (gate.query, gate.total)]
    return asked[0], asked[1]


def shares(metrics: PrometheusMetrics, pair: tuple[Look, Look]) -> Sequence[tuple[float | None, float | None]]:
    return counts(metrics, pair, counting=Counts.GOOD)


def test_requests_slower_than_a_buckets_bound_are_counted_exactly(metrics: PrometheusMetrics) -> None:
    assert shares(metrics, looks("ill")) == [(120.0, 48.0)] * TILES
    assert shares(metrics, looks("well")) == [(120.0, 0.0)] * TILES


@pytest.mark.parametrize("slower_than", ["150ms", "200ms"])
def test_a_time_within_a_bucket_counts_between_none_and_all_of_that_bucket(
    metrics: PrometheusMetrics, slower_than: str
) -> None:
    for total, slow in shares(metrics, looks("ill", slower_than=slower_than)):
        assert total == 120.0
        assert slow is not None
        assert 48.0 < slow < 120.0


def test_no_traffic_is_zero_of_zero_and_no_trouble(metrics: PrometheusMetrics) -> None:
    fast, total = read(metrics, *looks("idle"))
    assert fast == (None,) * TILES
    assert total == (0.0,) * TILES
    assert shares(metrics, looks("idle")) == [(0.0, 0.0)] * TILES


def test_no_histogram_is_absent_data(metrics: PrometheusMetrics) -> None:
    assert shares(metrics, looks("nobody")) == [(None, None)] * TILES


def test_a_histogram_that_starts_anew_never_counts_backwards(metrics: PrometheusMetrics) -> None:
    for total, slow in shares(metrics, looks("restarted", start=4)):
        assert total is not None
        assert slow is not None
        assert 0 < total <= 130
        assert slow == pytest.approx(total * 0.4, rel=1e-6)


def test_services_together_get_what_they_get_alone(metrics: PrometheusMetrics) -> None:
    pairs = [looks(name) for name in ("ill", "idle", "nobody", "well", "restarted")]
    before = metrics.cost()
    together = metrics.read([look for pair in pairs for look in pair])
    assert metrics.cost().since(before).queries == 2
    assert together == [read(metrics, look)[0] for pair in pairs for look in pair]
