"""The Metrics adapter against a real VictoriaMetrics, with the history that the tests of Prometheus have."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.adapters.http import Endpoint
from bot.adapters.prometheus import PrometheusMetrics
from bot.adapters.prometheus_access import Access, Dialect
from bot.ports import Permanent, Transient
from tests.adapters.test_real_prometheus import (
    LIMITS,
    a_history,
    a_latency_request,
    a_request,
    counts,
)

pytestmark = [
    pytest.mark.prometheus,
    pytest.mark.skipif(shutil.which("victoria-metrics") is None, reason="no victoria-metrics on the PATH"),
]


def as_exposition(history: str) -> bytes:
    """Return an OpenMetrics text as VictoriaMetrics takes it in: timestamps are milliseconds there."""
    lines = []
    for line in history.splitlines():
        if not line.startswith("#"):
            sample, _, seconds = line.rpartition(" ")
            lines.append(f"{sample} {round(float(seconds) * 1000)}")
    return "\n".join([*lines, ""]).encode()


@contextmanager
def running(folder: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    flags = [
        f"-storageDataPath={folder / 'data'}",
        f"-httpListenAddr=127.0.0.1:{port}",
        "-retentionPeriod=100y",
        "-search.latencyOffset=0s",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["victoria-metrics", *flags], stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait_until(lambda: _get(url + "/health") == b"OK", process)
            yield url
        finally:
            process.terminate()
            process.wait(timeout=20)


def _get(url: str, body: bytes | None = None) -> bytes:
    try:
        with urllib.request.urlopen(url, data=body, timeout=5) as answer:  # noqa: S310 - our own http address
            content: bytes = answer.read()
            return content
    except OSError:
        return b""


def _wait_until(is_true: object, process: subprocess.Popen[bytes]) -> None:
    assert callable(is_true)
    until = time.monotonic() + 30
    while not is_true():
        assert process.poll() is None, "VictoriaMetrics ended at once"
        assert time.monotonic() < until, "VictoriaMetrics did not become ready"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("victoria")) as address:
        _get(address + "/api/v1/import/prometheus", as_exposition(a_history()))
        _get(address + "/internal/force_flush")
        yield address


@pytest.fixture
def metrics(url: str) -> Iterator[PrometheusMetrics]:
    endpoint = Endpoint(system="Prometheus", url=url)
    with PrometheusMetrics(endpoint, access=Access(dialect=Dialect.VICTORIAMETRICS), limits=LIMITS) as opened:
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


def test_a_counter_that_restarts_never_counts_backwards(metrics: PrometheusMetrics) -> None:
    seen = counts(metrics.fetch_samples(a_request("restarted", start=12, tiles=6)))
    assert all(total is not None and 0 <= total <= 61 for total, _ in seen)


def test_slow_requests_are_all_that_are_in_no_fast_bucket(metrics: PrometheusMetrics) -> None:
    assert counts(metrics.fetch_samples(a_latency_request("0.5"))) == [(60.0, 12.0)] * 2


def test_a_threshold_that_is_no_bucket_bound_is_told(metrics: PrometheusMetrics) -> None:
    with pytest.raises(Permanent, match="is the threshold a bucket bound"):
        metrics.fetch_samples(a_latency_request("0.4"))


def test_a_query_that_does_not_parse_is_refused_with_the_server_s_words(metrics: PrometheusMetrics) -> None:
    request = a_request("ok")
    broken = type(request)(
        query="sum(",
        total=request.total,
        counts_good=False,
        start=request.start,
        end=request.end,
        width=request.width,
    )
    with pytest.raises((Permanent, Transient), match=r"`sum\(`"):
        metrics.fetch_samples(broken)
