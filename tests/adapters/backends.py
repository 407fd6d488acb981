"""Real metric backends with one history: half an hour of scrapes, and the requests that tests ask of it."""

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

from bot.adapters.http import Limits
from bot.domain.model import Samples
from bot.ports import SampleRequest

START = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
SCRAPE = timedelta(seconds=15)
MINUTE = timedelta(minutes=1)
SCRAPES = 4 * 30
LIMITS = Limits(deadline=timedelta(seconds=20))

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="no prometheus and promtool on the PATH",
)
needs_victoriametrics = pytest.mark.skipif(
    shutil.which("victoria-metrics") is None, reason="no victoria-metrics on the PATH"
)


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


def a_storage(folder: Path) -> Path:
    """Have promtool make Prometheus' storage of the history, in a folder."""
    (folder / "history.txt").write_text(a_history())
    subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(folder / "history.txt"), str(folder / "data")],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return folder / "data"


@contextmanager
def prometheus_on(folder: Path, storage: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run Prometheus on a storage folder; it has stopped when this ends."""
    port = _a_free_port()
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
            _wait_until_answers(url + "/-/ready", process)
            yield url, process
        finally:
            process.kill()
            process.wait(timeout=10)


@contextmanager
def victoriametrics_in(folder: Path) -> Iterator[str]:
    port = _a_free_port()
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
            _wait_until_answers(url + "/health", process)
            yield url
        finally:
            process.terminate()
            process.wait(timeout=20)


def import_history(url: str) -> None:
    """Give a VictoriaMetrics the history, and have it searchable."""
    for path, body in (("/api/v1/import/prometheus", _as_exposition(a_history())), ("/internal/force_flush", None)):
        with urllib.request.urlopen(url + path, data=body, timeout=20):  # noqa: S310 - our own http address
            pass


def _as_exposition(history: str) -> bytes:
    """Return an OpenMetrics text as VictoriaMetrics takes it in: timestamps are milliseconds there."""
    lines = []
    for line in history.splitlines():
        if not line.startswith("#"):
            sample, _, seconds = line.rpartition(" ")
            lines.append(f"{sample} {round(float(seconds) * 1000)}")
    return "\n".join([*lines, ""]).encode()


def _a_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _wait_until_answers(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        assert process.poll() is None, "the backend ended at once"
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310 - our own http address
                if answer.status == 200:
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError("the backend did not become ready")


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
