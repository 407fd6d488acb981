from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.adapters.clock import SystemClock
from bot.adapters.prometheus_process import PrometheusDidNotStart, PrometheusProcess, find_prometheus
from bot.lab.answerer import PrometheusAnswerer
from bot.lab.cluster import Behaviour, Cluster
from bot.lab.exporter import exporter
from bot.lab.serving import Served

_PATIENCE_SECONDS = 60.0

real = pytest.mark.prometheus


@pytest.fixture(name="binary")
def fixture_binary() -> Path:
    found = find_prometheus()
    if found is None:
        pytest.skip("there is no prometheus on the PATH; apt-get install prometheus")
    return found


@pytest.fixture(name="temporary", autouse=True)
def fixture_temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let temporary folders be made where the test can see what is left of them."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def a_program(folder: Path, text: str) -> Path:
    program = folder / "prometheus"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return program


def is_running(pid: int) -> bool:
    """Say whether a process exists and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until(true: Callable[[], bool]) -> None:
    limit = time.monotonic() + _PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < limit, "it did not come true in time"
        time.sleep(0.05)


@real
def test_leaving_the_context_ends_the_process_and_removes_its_folder(binary: Path, temporary: Path) -> None:
    with PrometheusProcess(binary, targets=[]) as prometheus:
        assert httpx.get(f"{prometheus.url}/-/ready").status_code == 200
        pid = prometheus.pid
        assert pid is not None
        assert os.getsid(pid) == pid
        assert list(temporary.iterdir())
    assert not is_running(pid)
    assert list(temporary.iterdir()) == []


@real
def test_an_exception_inside_leaves_no_process_behind(binary: Path, temporary: Path) -> None:
    pids: list[int | None] = []

    def fail() -> None:
        with PrometheusProcess(binary, targets=[]) as prometheus:
            pids.append(prometheus.pid)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert pids[0] is not None
    assert not is_running(pids[0])
    assert list(temporary.iterdir()) == []


@real
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can kill a process when its parent dies")
def test_the_process_dies_when_its_parent_is_killed(binary: Path, tmp_path: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom bot.adapters.prometheus_process import PrometheusProcess\n"
        f"with PrometheusProcess(Path({str(binary)!r}), targets=[]) as prometheus:\n"
        "    print(prometheus.pid, flush=True)\n    sys.stdin.read()\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    wait_until(lambda: not is_running(pid))


def test_a_program_that_ends_at_once_is_reported_with_its_last_words(tmp_path: Path, temporary: Path) -> None:
    program = a_program(tmp_path, "echo starting; echo 'cannot lock the data directory' >&2; exit 3")
    with (
        pytest.raises(PrometheusDidNotStart, match=r"ended with status 3: starting \| cannot lock the data directory"),
        PrometheusProcess(program, targets=[]),
    ):
        pass
    assert list(temporary.iterdir()) == []


def test_a_missing_program_is_reported(tmp_path: Path) -> None:
    with (
        pytest.raises(PrometheusDidNotStart, match="FileNotFoundError"),
        PrometheusProcess(tmp_path / "nothing", targets=[]),
    ):
        pass


def test_a_program_that_never_gets_ready_is_killed(tmp_path: Path, temporary: Path) -> None:
    pid_file = tmp_path / "pid"
    program = a_program(tmp_path, f"trap '' TERM; echo $$ > {pid_file}; while :; do sleep 0.05; done")
    process = PrometheusProcess(
        program, targets=[], start_deadline=timedelta(seconds=2), stop_deadline=timedelta(seconds=0.2)
    )
    with pytest.raises(PrometheusDidNotStart, match="was not ready within 2 s"), process:
        pass
    assert not is_running(int(pid_file.read_text()))
    assert list(temporary.iterdir()) == []


def ask(url: str, query: str, at: float | None = None) -> Any:
    parameters = {"query": query} if at is None else {"query": query, "time": str(at)}
    answer = httpx.get(f"{url}/api/v1/query", params=parameters).json()
    assert answer["status"] == "success", answer
    return answer["data"]["result"]


@real
@pytest.mark.parametrize(
    "query",
    [
        'sum by (namespace) (increase(http_requests_total{namespace="staging"}[4s]))',
        'sum by (namespace) (increase(http_requests_total{namespace="staging",code=~"5.."}[4s]))',
        'sum by (namespace) (increase(http_request_duration_seconds_bucket{namespace=~"staging|x",le="0.5"}[4s]))',
        'sum(increase(http_request_duration_seconds_count{code!="200",version="1"}[4s]))',
    ],
    ids=["requests", "errors", "fast", "count"],
)
def test_the_built_in_answerer_agrees_with_a_real_prometheus(agreement: tuple[str, str, float], query: str) -> None:
    prometheus_url, answerer_url, at = agreement
    (measured,), (exact,) = ask(prometheus_url, query, at), ask(answerer_url, query, at)
    assert measured["metric"] == exact["metric"]
    assert float(measured["value"][1]) == pytest.approx(float(exact["value"][1]), rel=0.15)


@pytest.fixture(name="agreement", scope="module")
def fixture_agreement() -> Any:
    """Run both on the same counters until Prometheus has scraped enough; yield both URLs and a common instant."""
    binary = find_prometheus()
    if binary is None:
        pytest.skip("there is no prometheus on the PATH; apt-get install prometheus")
    cluster = Cluster(SystemClock())
    release = Behaviour(requests_per_second=400, error_ratio=0.25, slow_ratio=0.4, start_after=timedelta(0))
    cluster.behave("acme/checkout", "1", release)
    cluster.deploy("staging", "acme/checkout", "1")
    # Scraped often in the window, and known since before it: Prometheus misses what a series grew before its first
    # scrape.
    scraped = 'count_over_time(http_requests_total{code="500"}[4s]) > 14 and http_requests_total offset 5s'
    last = 'timestamp(http_requests_total{code="500"})'
    with (
        Served(exporter(cluster)) as target,
        Served(PrometheusAnswerer(cluster).app) as answerer,
        PrometheusProcess(binary, targets=[target.url], scrape_interval=timedelta(milliseconds=200)) as prometheus,
    ):
        wait_until(lambda: bool(ask(prometheus.url, scraped)))
        (newest,) = ask(prometheus.url, last)
        yield prometheus.url, answerer.url, float(newest["value"][1])
