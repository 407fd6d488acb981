"""Expose the simulated pods' counters for a real Prometheus to scrape.

One endpoint stands for all pods of the cluster, so the series bring their own `namespace`; scrape it with
`honor_labels: true`. Pods that ended are not exposed any more, which Prometheus notices as staleness.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from bot.lab.cluster import Cluster
from bot.lab.counters import DURATION, REQUESTS, Labels, Sample

_FAMILIES = (
    (REQUESTS, "counter", "Requests answered, by status code."),
    (DURATION, "histogram", "Time until a request was answered, in seconds."),
)
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
CONTENT_TYPE = "text/plain; version=0.0.4"


def exporter(cluster: Cluster) -> ASGIApp:
    """Return an ASGI application that exposes the cluster's present counters at `/metrics`."""

    def metrics(_request: Request) -> Response:
        return PlainTextResponse(render_exposition(cluster.samples()), media_type=CONTENT_TYPE)

    return Starlette(routes=[Route("/metrics", metrics)])


def render_exposition(samples: Iterable[Sample]) -> str:
    """Render samples in Prometheus' text format, grouped by family."""
    ordered = sorted(samples, key=lambda sample: (_family(sample.metric), sample.metric))
    lines: list[str] = []
    for family, members in groupby(ordered, key=lambda sample: _family(sample.metric)):
        kind, text = next((kind, text) for name, kind, text in _FAMILIES if name == family)
        lines += [f"# HELP {family} {text}", f"# TYPE {family} {kind}"]
        lines += [_line(sample) for sample in members]
    return "".join(f"{line}\n" for line in lines)


def _family(metric: str) -> str:
    return DURATION if metric.startswith(DURATION) else metric


def _line(sample: Sample) -> str:
    return f"{sample.metric}{{{_labels(sample.labels)}}} {sample.value!r}"


def _labels(labels: Labels) -> str:
    return ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in labels)
