"""What Prometheus and VictoriaMetrics answer alike: the Metrics adapter against both, with one history."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.adapters.http import Endpoint
from bot.adapters.prometheus import PrometheusMetrics
from bot.adapters.prometheus_access import Access, Dialect
from bot.ports import Permanent, SampleRequest, Transient
from tests.adapters.backends import (
    LIMITS,
    MINUTE,
    START,
    a_latency_request,
    a_request,
    a_storage,
    counts,
    import_history,
    needs_prometheus,
    needs_victoriametrics,
    prometheus_on,
    victoriametrics_in,
)

pytestmark = pytest.mark.prometheus


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(Dialect.PROMETHEUS, marks=needs_prometheus),
        pytest.param(Dialect.VICTORIAMETRICS, marks=needs_victoriametrics),
    ],
)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    chosen: Dialect = request.param
    return chosen


@pytest.fixture(scope="module")
def url(dialect: Dialect, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("backend")
    if dialect is Dialect.PROMETHEUS:
        with prometheus_on(folder, a_storage(tmp_path_factory.mktemp("history"))) as (address, _):
            yield address
    else:
        with victoriametrics_in(folder) as address:
            import_history(address)
            yield address


@pytest.fixture
def metrics(url: str, dialect: Dialect) -> Iterator[PrometheusMetrics]:
    endpoint = Endpoint(system="Prometheus", url=url)
    with PrometheusMetrics(endpoint, access=Access(dialect=dialect), limits=LIMITS) as opened:
        yield opened


def test_the_server_is_found(metrics: PrometheusMetrics) -> None:
    metrics.check_connection()
    assert metrics.describe().startswith("Prometheus")


def test_a_missing_error_series_under_traffic_is_zero_errors(metrics: PrometheusMetrics) -> None:
    assert counts(metrics.fetch_samples(a_request("ok"))) == [(60.0, 0.0)] * 3


def test_errors_are_counted(metrics: PrometheusMetrics) -> None:
    assert counts(metrics.fetch_samples(a_request("ill"))) == [(60.0, 12.0)] * 3


def test_a_counter_without_traffic_is_zero_requests_and_not_absent(metrics: PrometheusMetrics) -> None:
    assert counts(metrics.fetch_samples(a_request("idle"))) == [(0.0, 0.0)] * 3


def test_an_absent_series_is_absent_data(metrics: PrometheusMetrics) -> None:
    assert counts(metrics.fetch_samples(a_request("nobody"))) == [(None, None)] * 3


def test_a_series_that_vanishes_is_absent_from_then_on(metrics: PrometheusMetrics) -> None:
    seen = counts(metrics.fetch_samples(a_request("gone", start=13, tiles=5)))
    assert seen[0] == (60.0, 0.0)
    assert seen[-2:] == [(None, None)] * 2


def test_a_counter_that_restarts_never_counts_backwards(metrics: PrometheusMetrics, dialect: Dialect) -> None:
    seen = counts(metrics.fetch_samples(a_request("restarted", start=12, tiles=6)))
    assert all(total is not None and 0 <= total <= 61 for total, _ in seen)
    if dialect is Dialect.PROMETHEUS:
        assert all(total != 0 for total, _ in seen)


def test_slow_requests_are_all_that_are_in_no_fast_bucket(metrics: PrometheusMetrics) -> None:
    assert counts(metrics.fetch_samples(a_latency_request("0.5"))) == [(60.0, 12.0)] * 2


def test_a_threshold_that_is_no_bucket_bound_is_told(metrics: PrometheusMetrics) -> None:
    with pytest.raises(Permanent, match="is the threshold a bucket bound"):
        metrics.fetch_samples(a_latency_request("0.4"))


def test_a_query_that_does_not_parse_is_refused_with_the_server_s_words(metrics: PrometheusMetrics) -> None:
    request = SampleRequest(
        query="sum(", total="vector(1)", counts_good=False, start=START, end=START + MINUTE, width=MINUTE
    )
    with pytest.raises((Permanent, Transient), match=r"`sum\(`"):
        metrics.fetch_samples(request)
