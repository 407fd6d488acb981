"""A stand-in for Prometheus' HTTP API where no real one is on the machine: exact answers from the simulated cluster.

It answers the query shapes of the shipped gates (`bot.lab.shapes`) in Prometheus' JSON and refuses all others. An
increase is the exact difference of the counters over `(t - window, t]`, restarts included; Prometheus itself estimates
it from scrapes and extrapolates. Nothing after the cluster's present instant is ever told.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from bot.lab.cluster import Cluster
from bot.lab.counters import Labels, Run, growth
from bot.lab.faults import Faults
from bot.lab.shapes import IncreaseQuery, UnknownShape, parse_duration, parse_query

MAX_POINTS = 11_000
_API = r" /api/v1/"
_BUILD = {
    "version": "2.42.0-lab",
    "revision": "lab",
    "branch": "lab",
    "buildUser": "liftlock-lab",
    "buildDate": "19700101-00:00:00",
    "goVersion": "none",
}

_Parameters = Mapping[str, str]


class BadParameter(Exception):
    """A request parameter that Prometheus would refuse too, in its words."""


class PrometheusAnswerer:
    """The server: serve `app`, and make it misbehave by the other methods."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._lock = threading.Lock()
        self._warnings: list[str] = []
        self.faults = Faults()
        self.app: ASGIApp = self.faults.wrap(self._build())

    def fail_next(self, status: int, body: str | None = None, *, times: int = 1) -> None:
        """Answer the next API requests with `status` and `body` (None: an error in Prometheus' JSON)."""
        told = json.dumps(_error("internal", "injected by the lab")) if body is None else body
        kind = "application/json" if told.startswith("{") else "text/plain"
        self.faults.fail_next(_API, status, body=told, times=times, headers={"content-type": kind})

    def warn_next(self, warning: str) -> None:
        """Put a warning beside the data of the next successful query."""
        with self._lock:
            self._warnings.append(warning)

    def hang(self) -> None:
        """Leave API requests without an answer until `release`."""
        self.faults.hang(_API)

    def release(self) -> None:
        """Let waiting requests go on."""
        self.faults.release()

    def down(self) -> None:
        """Answer everything with 503 until `up`."""
        self.faults.take_down()

    def up(self) -> None:
        """Undo `down`."""
        self.faults.bring_up()

    def _build(self) -> Starlette:
        both = ["GET", "POST"]
        return Starlette(
            routes=[
                Route("/api/v1/query", self._query, methods=both),
                Route("/api/v1/query_range", self._query_range, methods=both),
                Route("/api/v1/labels", self._labels, methods=both),
                Route("/api/v1/label/{name}/values", self._label_values),
                Route("/api/v1/status/buildinfo", _build_information),
                Route("/-/ready", _ready),
                Route("/-/healthy", _ready),
                Route("/", _ready),
            ]
        )

    async def _query(self, request: Request) -> Response:
        return await _guarded(request, self._answer_instant)

    async def _query_range(self, request: Request) -> Response:
        return await _guarded(request, self._answer_range)

    async def _labels(self, _request: Request) -> Response:
        names = {name for sample in self._cluster.samples() for name, _ in sample.labels}
        return JSONResponse({"status": "success", "data": sorted({"__name__", *names})})

    async def _label_values(self, request: Request) -> Response:
        wanted = request.path_params["name"]
        samples = self._cluster.samples()
        values = {value for sample in samples for name, value in sample.labels if name == wanted}
        names = {sample.metric for sample in samples} if wanted == "__name__" else set()
        return JSONResponse({"status": "success", "data": sorted(values | names)})

    def _answer_instant(self, parameters: _Parameters) -> dict[str, object]:
        text = parameters.get("time")
        at = _parse_time("time", text) if text else self._cluster.now()
        if parameters.get("query") == "1":
            return self._success("scalar", _point(at, 1.0))
        query = parse_query(parameters.get("query", ""))
        found = self._evaluate(query, at, self._cluster.runs())
        result = [{"metric": dict(group), "value": _point(at, value)} for group, value in sorted(found.items())]
        return self._success("vector", result)

    def _answer_range(self, parameters: _Parameters) -> dict[str, object]:
        query = parse_query(parameters.get("query", ""))
        series: dict[Labels, list[object]] = {}
        runs = self._cluster.runs()
        for at in _instants(parameters):
            for group, value in self._evaluate(query, at, runs).items():
                series.setdefault(group, []).append(_point(at, value))
        result = [{"metric": dict(group), "values": values} for group, values in sorted(series.items())]
        return self._success("matrix", result)

    def _evaluate(self, query: IncreaseQuery, at: datetime, runs: Sequence[Run]) -> Mapping[Labels, float]:
        until = min(at, self._cluster.now())
        sums: dict[Labels, float] = {}
        if until <= at - query.window:
            return sums
        for labels, value in growth(runs, query.metric, at - query.window, until).items():
            if query.accepts(dict(labels)):
                group = query.group_of(dict(labels))
                sums[group] = sums.get(group, 0.0) + value
        return sums

    def _success(self, kind: str, result: Sequence[object]) -> dict[str, object]:
        answer: dict[str, object] = {"status": "success", "data": {"resultType": kind, "result": result}}
        with self._lock:
            warnings, self._warnings = self._warnings, []
        return {**answer, "warnings": warnings} if warnings else answer


async def _guarded(request: Request, answer: Callable[[_Parameters], dict[str, object]]) -> Response:
    try:
        return JSONResponse(await run_in_threadpool(answer, await _parameters(request)))
    except (BadParameter, UnknownShape) as error:
        return JSONResponse(_error("bad_data", str(error)), 400)


async def _parameters(request: Request) -> _Parameters:
    """Return the query string's parameters and the form's; the form wins, as in Go's `FormValue`."""
    form = parse_qsl((await request.body()).decode("utf-8", "replace")) if request.method == "POST" else []
    return {**dict(request.query_params), **dict(form)}


async def _ready(_request: Request) -> Response:
    return PlainTextResponse("The lab's built-in answerer is Ready.\n")


async def _build_information(_request: Request) -> Response:
    return JSONResponse({"status": "success", "data": _BUILD})


def _error(kind: str, sentence: str) -> dict[str, object]:
    return {"status": "error", "errorType": kind, "error": sentence}


def _instants(parameters: _Parameters) -> Iterator[datetime]:
    start = _parse_time("start", parameters.get("start", ""))
    end = _parse_time("end", parameters.get("end", ""))
    step = _parse_step(parameters.get("step", ""))
    if end < start:
        raise BadParameter('invalid parameter "end": end timestamp must not be before start time')
    steps = (end - start) // step
    if steps > MAX_POINTS:
        raise BadParameter(
            "exceeded maximum resolution of 11,000 points per timeseries. "
            "Try decreasing the query resolution (?step=XX)"
        )
    return (start + index * step for index in range(steps + 1))


def _parse_time(name: str, text: str) -> datetime:
    """Parse seconds since the epoch, with or without a fraction, or RFC 3339; milliseconds are kept."""
    try:
        parsed = datetime.fromisoformat(text) if "T" in text.upper() else _from_seconds(text)
    except (ValueError, OverflowError, OSError) as error:
        raise BadParameter(f'invalid parameter "{name}": cannot parse "{text}" to a valid timestamp') from error
    if parsed.tzinfo is None:
        raise BadParameter(f'invalid parameter "{name}": cannot parse "{text}" to a valid timestamp')
    return parsed.astimezone(UTC)


def _from_seconds(text: str) -> datetime:
    return datetime.fromtimestamp(round(float(text), 3), UTC)


def _parse_step(text: str) -> timedelta:
    try:
        step = timedelta(seconds=float(text))
    except (ValueError, OverflowError):
        try:
            step = parse_duration(text)
        except UnknownShape as error:
            raise BadParameter(f'invalid parameter "step": cannot parse "{text}" to a valid duration') from error
    if step <= timedelta(0):
        raise BadParameter(
            'invalid parameter "step": zero or negative query resolution step widths are not accepted. '
            "Try a positive integer"
        )
    return step


def _point(at: datetime, value: float) -> list[object]:
    seconds = round(at.timestamp(), 3)
    return [int(seconds) if seconds.is_integer() else seconds, repr(value).removesuffix(".0")]
