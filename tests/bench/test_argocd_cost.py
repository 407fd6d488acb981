"""What one sweep costs of Argo CD: the list of all applications, against the stream that stands in for it.

Every application is told once in three minutes, as Argo CD's own refresh does, and a sweep looks every 30 s. The server
compresses as Argo CD does unless told otherwise: the list as a whole, the stream flushed after each event. Server and
bot are processes of their own, so that neither's time and memory are the other's.

As a program: `serve APPLICATIONS` answers commands on its input; `list`, `stream` and `kept` with a number of
applications measure one way and print the figures as JSON.
"""

from __future__ import annotations

import copy
import gc
import http.server
import json
import os
import random
import subprocess
import sys
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from statistics import median
from typing import Any

import pytest

from bot.adapters.argocd_items import ListAnswer, slim, slim_when_parsed
from bot.adapters.argocd_json import Json
from bot.adapters.argocd_watch import Watch
from bot.adapters.http import Endpoint, HttpClient, Limits, Question, parse_json
from tests.bench.conftest import Show
from tests.bench.measure import mebibytes, peak_memory_bytes, render_table, seconds

SIZES = [int(size) for size in os.environ.get("LIFTLOCK_BENCH_APPLICATIONS", "1000,10000").split(",")]
SWEEPS = 3
SWEEPS_A_REFRESH = 6
SWEEPS_A_RELIST = 10
RESOURCES, HISTORY = 15, 10
KINDS = ("Deployment", "Service", "ConfigMap", "Secret", "Ingress", "ServiceAccount", "HorizontalPodAutoscaler")
LIMITS = Limits(deadline=timedelta(minutes=5), max_bytes=1024 * 1024 * 1024)
PATIENCE_SECONDS = 300.0

Figures = dict[str, float]


# --- the server ------------------------------------------------------------------------------------------------------


def an_application(number: int, draw: random.Random) -> dict[str, Any]:
    """Give an entry of the shape and size that a service of a dozen resources has."""
    name = f"service-{number:05}-production"
    shas = [f"{draw.getrandbits(160):040x}" for _ in range(HISTORY)]
    source = {
        "repoURL": "https://github.com/acme/deploy.git",
        "path": f"apps/service-{number:05}/production",
        "targetRevision": "main",
        "helm": {"valueFiles": ["values.yaml"], "parameters": [{"name": "image.tag", "value": f"v1.{number}.0"}]},
    }
    destination = {"server": f"https://{draw.getrandbits(64):x}.eks.amazonaws.com", "namespace": name}
    resources = [_a_resource(name, place, draw) for place in range(RESOURCES)]
    return {
        "metadata": {
            "name": name,
            "namespace": "argocd",
            "uid": f"{draw.getrandbits(128):032x}",
            "resourceVersion": str(1_000_000 + number),
            "generation": 1234,
            "creationTimestamp": "2025-01-01T00:00:00Z",
            "labels": {"team": f"team-{number % 40}", "app.kubernetes.io/instance": name},
            "annotations": {"notifications.argoproj.io/subscribe.on-sync-failed.slack": f"team-{number % 40}"},
        },
        "spec": {
            "project": f"team-{number % 40}",
            "source": source,
            "destination": destination,
            "syncPolicy": {"automated": {"prune": True, "selfHeal": True}, "syncOptions": ["CreateNamespace=true"]},
        },
        "status": {
            "resources": resources,
            "sync": {
                "status": "Synced",
                "comparedTo": {"source": source, "destination": destination},
                "revision": shas[-1],
            },
            "health": {"status": "Healthy", "lastTransitionTime": "2026-03-01T12:00:00Z"},
            "history": [_a_deployment(place, sha, source) for place, sha in enumerate(shas)],
            "reconciledAt": "2026-03-01T12:05:00Z",
            "operationState": _an_operation(shas[-1], source, resources),
            "sourceType": "Helm",
            "summary": {"images": [f"ghcr.io/acme/service-{number:05}:v1.{number}.{place}" for place in range(3)]},
            "controllerNamespace": "argocd",
        },
    }


def _a_resource(name: str, place: int, draw: random.Random) -> dict[str, Any]:
    kind = KINDS[place % len(KINDS)]
    told: dict[str, Any] = {
        "group": "apps" if kind == "Deployment" else "",
        "version": "v1",
        "kind": kind,
        "namespace": name,
        "name": f"{name}-{draw.getrandbits(24):06x}",
        "status": "Synced",
    }
    return told | ({"health": {"status": "Healthy"}} if kind in {"Deployment", "Service", "Ingress"} else {})


def _a_deployment(place: int, sha: str, source: Json) -> dict[str, Any]:
    return {
        "revision": sha,
        "deployedAt": f"2026-02-{place + 1:02}T10:01:00Z",
        "id": place,
        "source": source,
        "deployStartedAt": f"2026-02-{place + 1:02}T10:00:00Z",
        "initiatedBy": {"automated": True},
    }


def _an_operation(sha: str, source: Json, resources: list[dict[str, Any]]) -> dict[str, Any]:
    results = [
        {key: one[key] for key in ("group", "version", "kind", "namespace", "name")}
        | {"status": "Synced", "message": f"{one['kind']} configured", "hookPhase": "Running", "syncPhase": "Sync"}
        for one in resources
    ]
    return {
        "operation": {
            "sync": {"revision": sha, "prune": True},
            "initiatedBy": {"automated": True},
            "retry": {"limit": 5},
        },
        "phase": "Succeeded",
        "message": "successfully synced (all tasks run)",
        "syncResult": {"resources": results, "revision": sha, "source": source},
        "startedAt": "2026-02-10T10:00:00Z",
        "finishedAt": "2026-02-10T10:01:00Z",
    }


class Server:
    """All applications, their list ready to be sent, and the one stream that is open."""

    def __init__(self, applications: int) -> None:
        draw = random.Random(applications)
        self._items = [an_application(number, draw) for number in range(applications)]
        self._version = 2_000_000
        self._told = 0
        self._list = b""
        self._packer = zlib.compressobj(wbits=31)
        self._stream: http.server.BaseHTTPRequestHandler | None = None
        self._ended = threading.Event()

    def prepare(self) -> dict[str, int]:
        """Make the list, so that making it is no part of what the bot waits for."""
        whole = {"metadata": {"resourceVersion": str(self._version)}, "items": self._items}
        text = json.dumps(whole, separators=(",", ":")).encode()
        packer = zlib.compressobj(wbits=31)
        self._list = packer.compress(text) + packer.flush()
        return {"wire": len(self._list), "json": len(text)}

    def burst(self, events: int) -> dict[str, int]:
        """Tell so many applications on the stream, in turn."""
        assert self._stream is not None
        size = 0
        for _ in range(events):
            item = self._items[self._told % len(self._items)]
            self._version, self._told = self._version + 1, self._told + 1
            item["metadata"]["resourceVersion"] = str(self._version)
            item["status"]["reconciledAt"] = f"2026-03-01T12:{self._told // 60 % 60:02}:{self._told % 60:02}Z"
            event = {"result": {"type": "MODIFIED", "application": item}}
            text = json.dumps(event, separators=(",", ":")).encode() + b"\n"
            size += len(text)
            self._write(text)
        return {"json": size}

    def _write(self, text: bytes) -> None:
        assert self._stream is not None
        packed = self._packer.compress(text) + self._packer.flush(zlib.Z_SYNC_FLUSH)
        self._stream.wfile.write(b"%x\r\n%b\r\n" % (len(packed), packed))

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("content-encoding", "gzip")
        if "/stream/" not in request.path:
            request.send_header("content-length", str(len(self._list)))
            request.end_headers()
            request.wfile.write(self._list)
            return
        request.send_header("transfer-encoding", "chunked")
        request.end_headers()
        self._stream = request
        self._ended.wait()


def serve(applications: int) -> None:
    """Answer the commands `prepare` and `burst N` with a line of JSON each, until the input ends."""
    server = Server(applications)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            server.answer(self)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that http.server passes
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        served.daemon_threads = True
        threading.Thread(target=served.serve_forever, daemon=True).start()
        _say({"port": served.server_address[1]})
        for line in sys.stdin:
            word, _, number = line.strip().partition(" ")
            _say(server.burst(int(number)) if word == "burst" else server.prepare())


def _say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


# --- the bot ---------------------------------------------------------------------------------------------------------


class Served:
    """The server's process, and how the bot asks it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.endpoint = Endpoint(system="Argo CD", url=f"http://127.0.0.1:{self._answer()['port']}")
        self._client = HttpClient(self.endpoint, LIMITS)

    def command(self, line: str) -> dict[str, int]:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self._answer()

    def read_list(self) -> ListAnswer:
        """Read the list as the adapter does."""
        answer = self._client.read(Question(path="/api/v1/applications"))
        told: Any = parse_json(self.endpoint, answer, expected="application list", slim=slim_when_parsed)
        return ListAnswer(items=tuple(told["items"]), resource_version=told["metadata"]["resourceVersion"])

    def _answer(self) -> dict[str, int]:
        assert self._process.stdout is not None
        answer: dict[str, int] = json.loads(self._process.stdout.readline())
        return answer


@contextmanager
def served_apart(applications: int) -> Iterator[Served]:
    command = [sys.executable, "-m", "tests.bench.test_argocd_cost", "serve", str(applications)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Served(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()


def measure_list(applications: int) -> Figures:
    """Sweep by reading the list; the entries of the last sweep are held while the next one reads, as the bot does."""
    with served_apart(applications) as served:
        sizes, idle = served.command("prepare"), peak_memory_bytes()
        waits, works, kept = [], [], ListAnswer(items=(), resource_version="")
        for _ in range(SWEEPS):
            waited, worked = time.perf_counter(), time.process_time()
            kept = served.read_list()
            waits.append(time.perf_counter() - waited)
            works.append(time.process_time() - worked)
        assert len(kept.items) == applications
        return {**sizes, "waited": median(waits), "worked": median(works), "peak": peak_memory_bytes() - idle}


def measure_stream(applications: int) -> Figures:
    """Let the stream earn its trust, then sweep; what it did between two sweeps is its work, too."""
    events = applications // SWEEPS_A_REFRESH
    long = timedelta(hours=1)
    with served_apart(applications) as served:
        served.command("prepare")
        idle = peak_memory_bytes()
        watch = Watch(served.endpoint, served.read_list, params={}, relist=long, silence=long)
        watch.start()
        watch.snapshot()
        eventually(lambda: watch.cost().connections == 1)
        served.command("burst 1")
        eventually(lambda: watch.cost().events == 1)
        watch.snapshot()
        swept = [sweep_once(served, watch, events) for _ in range(SWEEPS)]
        _check(watch, applications, told=1 + SWEEPS * events)
        watch.close()
        return {key: median(one[key] for one in swept) for key in swept[0]} | {"peak": peak_memory_bytes() - idle}


def sweep_once(served: Served, watch: Watch, events: int) -> Figures:
    before, worked = watch.cost(), time.process_time()
    size = served.command(f"burst {events}")["json"]
    eventually(lambda: watch.cost().events == before.events + events)
    waited = time.perf_counter()
    watch.snapshot()
    ends, cost = time.perf_counter(), watch.cost()
    assert cost.lists == before.lists, "the stream was not trusted"
    return {
        "wire": cost.bytes - before.bytes,
        "json": size,
        "waited": ends - waited,
        "worked": time.process_time() - worked,
    }


def _check(watch: Watch, applications: int, *, told: int) -> None:
    """The mirror has every application, and the newest version of each that was told."""
    found: Any = watch.snapshot()
    newest = sorted(int(item["metadata"]["resourceVersion"]) for item in found)[-told:]
    assert len(found) == applications
    assert newest == list(range(2_000_001, 2_000_001 + told))


def measure_kept(applications: int) -> Figures:
    """Count what whole and slim entries take, as they come with a list and as they come one by one."""
    draw = random.Random(applications)
    texts = [json.dumps(an_application(number, draw)) for number in range(min(applications, 1000))]
    together = f"[{','.join(texts)}]"
    times = applications / len(texts)
    return {
        "entry": sum(map(len, texts)) / len(texts),
        "whole": times * allocated(lambda: json.loads(together)),
        "listed": times * allocated(lambda: [slim(one) for one in json.loads(together)]),
        "told": times * allocated(lambda: [slim(json.loads(one)) for one in texts]),
        "slim": sum(len(json.dumps(slim(json.loads(one)))) for one in texts) / len(texts),
    }


def allocated(make: Callable[[], object]) -> int:
    gc.collect()
    tracemalloc.start()
    kept = copy.copy(make())
    gc.collect()
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del kept
    return size


def eventually(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < ends, "it never came to hold"
        time.sleep(0.01)


# --- the figures -----------------------------------------------------------------------------------------------------


def measured_apart(way: str, applications: int) -> Figures:
    command = [sys.executable, "-m", "tests.bench.test_argocd_cost", way, str(applications)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=1200)
    figures: Figures = json.loads(done.stdout)
    return figures


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("applications", SIZES)
def test_what_a_sweep_costs_of_argo_cd(applications: int, show: Show) -> None:
    listed, told, kept = (measured_apart(way, applications) for way in ("list", "stream", "kept"))
    shared = {key: told[key] + listed[key] / SWEEPS_A_RELIST for key in ("wire", "json", "waited", "worked")}
    rows = [
        _row("the list", listed),
        _row(f"the stream ({applications // SWEEPS_A_REFRESH:,} events)", told),
        _row("the stream, and a tenth of a list (every 5 min)", shared),
        ["list / stream and tenth", *(f"{listed[key] / shared[key]:.1f} x" for key in shared)],
    ]
    header = ["a sweep", "MiB on the wire", "MiB of JSON", "s to wait", "s of processor"]
    show(render_table(f"Argo CD, {applications:,} applications, a sweep every 30 s", header, rows))
    show(_render_memory(applications, listed, told, kept))
    assert told["wire"] < listed["wire"] / 2
    assert kept["listed"] < kept["whole"] / 2


def _row(name: str, found: Figures) -> list[str]:
    return [
        name,
        mebibytes(found["wire"]),
        mebibytes(found["json"]),
        seconds(found["waited"]),
        seconds(found["worked"]),
    ]


def _render_memory(applications: int, listed: Figures, told: Figures, kept: Figures) -> str:
    rows = [
        ["entries as they come", mebibytes(kept["whole"]), f"{kept['entry'] / 1024:.1f}"],
        ["slim, from the list", mebibytes(kept["listed"]), f"{kept['slim'] / 1024:.1f}"],
        ["slim, from the stream", mebibytes(kept["told"]), f"{kept['slim'] / 1024:.1f}"],
        ["the bot's peak, with lists", mebibytes(listed["peak"]), "-"],
        ["the bot's peak, with the stream and its two lists", mebibytes(told["peak"]), "-"],
    ]
    return render_table(f"Memory, {applications:,} applications", ["what is kept", "MiB", "KiB of JSON, each"], rows)


WAYS = {"list": measure_list, "stream": measure_stream, "kept": measure_kept}

if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    else:
        _say(WAYS[sys.argv[1]](int(sys.argv[2])))
