"""The Metrics adapter against a real Prometheus whose history promtool made from an OpenMetrics text."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.adapters.http import Endpoint, Limits
from bot.adapters.prometheus import PrometheusMetrics
from bot.domain.model import Samples
from bot.domain.policy import CountGate, Counts
from bot.policy import parse_policy, shipped_gate_templates
from bot.ports import Permanent, SampleRequest, Transient

pytestmark = [
    pytest.mark.prometheus,
    pytest.mark.skipif(
        shutil.which("prometheus") is None or shutil.which("promtool") is None,
        reason="no prometheus and promtool on the PATH",
    ),
]

START = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
SCRAPE = timedelta(seconds=15)
MINUTE = timedelta(minutes=1)
SCRAPES = 4 * 30
LIMITS = Limits(deadline=timedelta(seconds=20))


def a_history() -> str:
    """Half an hour of scrapes of five services, as OpenMetrics text."""
    requests: dict[str, Callable[[int], int | None]] = {
        'service="ok",code="200"': lambda n: 15 * n,
        'service="idle",code="200"': lambda _: 7,
        'service="ill",code="200"': lambda n: 12 * n,
        'service="ill",code="500"': lambda n: 3 * n,
        'service="restarted",code="200"': lambda n: 15 * (n % 60),
        'service="gone",code="200"': lambda n: 15 * n if n < 60 else None,
    }
    buckets: dict[str, Callable[[int], int | None]] = {
        'service="ok",le="0.5"': lambda n: 12 * n,
        'service="ok",le="+Inf"': lambda n: 15 * n,
    }
    lines = ["# TYPE requests counter", *_samples("requests_total", requests)]
    lines += ["# TYPE latency histogram", *_samples("latency_bucket", buckets), "# EOF", ""]
    return "\n".join(lines)


def _samples(name: str, series: Mapping[str, Callable[[int], int | None]]) -> Iterator[str]:
    for labels, value_at in series.items():
        for n in range(SCRAPES):
            value = value_at(n)
            if value is not None:
                yield f"{name}{{{labels}}} {value} {(START + n * SCRAPE).timestamp():.3f}"


@contextmanager
def running(folder: Path, storage: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run Prometheus on a storage folder; it has stopped when this ends."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    config = folder / "prometheus.yml"
    config.write_text("scrape_configs: []\n")
    url = f"http://127.0.0.1:{port}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={storage}",
                "--storage.tsdb.retention.time=100y",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_ready(url, process)
            yield url, process
        finally:
            process.kill()
            process.wait(timeout=10)


def _wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        assert process.poll() is None, "Prometheus ended at once"
        try:
            with urllib.request.urlopen(url + "/-/ready", timeout=1) as answer:  # noqa: S310 - our own http address
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("Prometheus did not become ready")


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("history")
    (folder / "history.txt").write_text(a_history())
    subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(folder / "history.txt"), str(folder / "data")],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return folder / "data"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, storage: Path) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("server"), storage) as (address, _):
        yield address


@pytest.fixture
def metrics(url: str) -> Iterator[PrometheusMetrics]:
    with PrometheusMetrics(Endpoint(system="Prometheus", url=url), limits=LIMITS) as opened:
        yield opened


def increase(selector: str) -> str:
    return f"sum(increase({selector}[1m]))"


def a_request(service: str, *, start: int = 10, tiles: int = 3) -> SampleRequest:
    begin = START + start * MINUTE
    return SampleRequest(
        query=increase(f'requests_total{{service="{service}",code=~"5.."}}'),
        total=increase(f'requests_total{{service="{service}"}}'),
        counts_good=False,
        start=begin,
        end=begin + tiles * MINUTE,
        width=MINUTE,
    )


def a_latency_request(bound: str) -> SampleRequest:
    begin = START + 10 * MINUTE
    return SampleRequest(
        query=increase(f'latency_bucket{{service="ok",le="{bound}"}}'),
        total=increase('latency_bucket{service="ok",le="+Inf"}'),
        counts_good=True,
        start=begin,
        end=begin + 2 * MINUTE,
        width=MINUTE,
    )


def counts(samples: Samples) -> list[tuple[float | None, float | None]]:
    return [
        (None if tile.total is None else round(tile.total, 6), None if tile.bad is None else round(tile.bad, 6))
        for tile in samples.tiles
    ]


def test_the_server_is_found_and_named(metrics: PrometheusMetrics, url: str) -> None:
    metrics.check_connection()
    assert metrics.describe().startswith("Prometheus 2.")
    assert metrics.describe().endswith(f" at {url}")


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
    assert all(total is not None and 0 < total <= 61 for total, _ in seen)


def test_slow_requests_are_all_that_are_in_no_fast_bucket(metrics: PrometheusMetrics) -> None:
    assert counts(metrics.fetch_samples(a_latency_request("0.5"))) == [(60.0, 12.0)] * 2


def test_a_threshold_that_is_no_bucket_bound_is_told(metrics: PrometheusMetrics) -> None:
    with pytest.raises(Permanent, match="is the threshold a bucket bound"):
        metrics.fetch_samples(a_latency_request("0.4"))


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
        running(tmp_path, copy) as (url, process),
        PrometheusMetrics(Endpoint(system="Prometheus", url=url), limits=LIMITS) as metrics,
    ):
        assert counts(metrics.fetch_samples(a_request("ok"))) == [(60.0, 0.0)] * 3
        process.kill()
        process.wait(timeout=10)
        with pytest.raises(Transient, match="could not be reached"):
            metrics.fetch_samples(a_request("ok"))
