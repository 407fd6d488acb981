"""Real metric backends with one history: half an hour of scrapes, and the looks that tests ask of it."""

from __future__ import annotations

import math
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from bot.adapters.http import Limits
from bot.domain.gates.measuring import count_tiles
from bot.domain.model import Numbers, Samples
from bot.domain.queries import Query, quote
from bot.domain.rules import Counts
from bot.ports import Look, Metrics, OutsideError

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


HOSTILE = ("a.b", "axb", "a|b", "c+d", "(x)", "ü", 'q"q', "b\\b", "a{2}", "$", "^", ".*", "l\nl")
"""Values of the label `service` that mean something else in a regular expression or a string, each with its pace."""


def a_history() -> str:
    """Half an hour of scrapes of some services, as OpenMetrics text."""
    requests: dict[str, Callable[[int], float | None]] = {
        'service="ok",code="200"': lambda n: 15 * n,
        'service="idle",code="200"': lambda _: 7,
        'service="ill",code="200"': lambda n: 12 * n,
        'service="ill",code="500"': lambda n: 3 * n,
        'service="restarted",code="200"': lambda n: 15 * (n % 60),
        'service="gone",code="200"': lambda n: 15 * n if n < 60 else None,
        'service="gap",code="200"': lambda n: None if 60 <= n < 72 else 15 * n,
        'service="born",code="200"': lambda n: 1000 + 15 * (n - 42) if n >= 42 else None,
        'service="not a number",code="200"': lambda _: math.nan,
        'service="endless",code="200"': lambda _: math.inf,
    }
    buckets: dict[str, Callable[[int], float | None]] = {
        'service="ok",le="0.5"': lambda n: 12 * n,
        'service="ok",le="+Inf"': lambda n: 15 * n,
    }
    lines = ["# TYPE requests counter", *samples("requests_total", requests)]
    lines += ["# TYPE latency histogram", *samples("latency_bucket", buckets)]
    lines += ["# TYPE many counter", *samples("many_total", _many()), "# EOF", ""]
    return "\n".join(lines)


def _many() -> dict[str, Callable[[int], float | None]]:
    """Return services of hostile names and three hundred of plain ones, each with a pace of its own."""
    names = [*HOSTILE, *(f"s{n:03}" for n in range(300))]
    return {f"service={quote(name)}": partial(_at_pace, 1 + pace) for pace, name in enumerate(names)}


def _at_pace(pace: int, scrape: int) -> float:
    return pace * scrape


def samples(name: str, series: Mapping[str, Callable[[int], float | None]]) -> Iterator[str]:
    """Yield the lines of a metric: what each series has at each scrape."""
    for labels, value_at in series.items():
        for n in range(SCRAPES):
            value = value_at(n)
            if value is not None:
                yield f"{name}{{{labels}}} {value} {(START + n * SCRAPE).timestamp():.3f}"


def a_storage(folder: Path, history: str | None = None) -> Path:
    """Have promtool make Prometheus' storage of a history, in a folder."""
    (folder / "history.txt").write_text(history or a_history(), encoding="utf-8")
    subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(folder / "history.txt"), str(folder / "data")],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return folder / "data"


@contextmanager
def prometheus_on(folder: Path, storage: Path, *flags: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run Prometheus on a storage folder; it has stopped when this ends."""
    port = _a_free_port()
    config = folder / "prometheus.yml"
    config.write_text(f"global: {{scrape_interval: {SCRAPE.total_seconds():.0f}s}}\n")
    url = f"http://127.0.0.1:{port}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={storage}",
                "--storage.tsdb.retention.time=100y",
                f"--web.listen-address=127.0.0.1:{port}",
                *flags,
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


def import_history(url: str, history: str | None = None) -> None:
    """Give a VictoriaMetrics a history, and have it searchable."""
    body = _as_exposition(history or a_history())
    for path, sent in (("/api/v1/import/prometheus", body), ("/internal/force_flush", None)):
        with urllib.request.urlopen(url + path, data=sent, timeout=20):  # noqa: S310 - our own http address
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


def increase(metric: str, *, labels: Mapping[str, str], more: str = "") -> Query:
    """Ask how much a counter grew in a tile; several services can be asked at once."""
    key = ", ".join(sorted(labels))
    parts = (f"sum by ({key}) (increase({metric}{{", f"{more}}}[1m]))")
    return Query(parts=parts, labels=tuple(sorted(labels.items())), is_shared=True)


def a_look(query: Query | str, *, start: int = 10, tiles: int = 3, width: timedelta = MINUTE) -> Look:
    """Ask for tiles from a minute of the history on."""
    asked = Query.plain(query) if isinstance(query, str) else query
    begin = START + start * MINUTE
    return Look(query=asked, start=begin, end=begin + tiles * width, width=width)


def requests_of(service: str, *, start: int = 10, tiles: int = 3) -> tuple[Look, Look]:
    """Ask for a service's failed requests, and for all."""
    labels = {"service": service}
    return (
        a_look(increase("requests_total", labels=labels, more=',code=~"5.."'), start=start, tiles=tiles),
        a_look(increase("requests_total", labels=labels), start=start, tiles=tiles),
    )


def latency_of(bound: str) -> tuple[Look, Look]:
    """Ask for the requests of the service "ok" within a bound, and for all."""
    labels = {"service": "ok"}
    return (
        a_look(increase("latency_bucket", labels=labels, more=f',le="{bound}"'), tiles=2),
        a_look(increase("latency_bucket", labels=labels, more=',le="+Inf"'), tiles=2),
    )


def read(metrics: Metrics, *looks: Look) -> list[Numbers]:
    """Read looks; raise the first error that there is."""
    answers = metrics.read(looks)
    for answer in answers:
        if isinstance(answer, OutsideError):
            raise answer
    return [answer for answer in answers if not isinstance(answer, OutsideError)]


def read_one(metrics: Metrics, look: Look) -> Numbers:
    """Read one look; raise its error."""
    (numbers,) = read(metrics, look)
    return numbers


def counts(
    metrics: Metrics, looks: tuple[Look, Look], *, counting: Counts = Counts.BAD
) -> list[tuple[float | None, float | None]]:
    """Read what is counted and the total, and return total and bad of each tile as the domain joins them."""
    counted, total = read(metrics, *looks)
    samples = Samples(
        start=looks[0].start,
        end=looks[0].end,
        width=looks[0].width,
        numbers={"counted": counted, "total": total},
        queries=(),
        backend="",
    )
    return [(rounded(tile.total), rounded(tile.bad)) for tile in count_tiles(samples, counting)]


def rounded(number: float | None) -> float | None:
    """Return a number without what floating point adds to it."""
    return None if number is None else round(number, 6)
