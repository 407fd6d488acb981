from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
from prometheus_client.parser import text_string_to_metric_families

from bot.lab.clock import ManualClock
from bot.lab.cluster import Cluster, failing
from bot.lab.counters import Sample
from bot.lab.exporter import exporter, render_exposition
from bot.lab.serving import Served

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
IMAGE = "ghcr.io/acme/checkout"


def test_what_is_exposed_parses_and_holds_every_sample() -> None:
    clock = ManualClock(T0)
    cluster = Cluster(clock)
    cluster.behave(IMAGE, "1", failing(0.5))
    for namespace in ("staging", "production"):
        cluster.deploy(namespace, IMAGE, "1", T0)
    clock.advance(timedelta(seconds=61))
    with Served(exporter(cluster)) as served:
        answer = httpx.get(f"{served.url}/metrics")
    families = list(text_string_to_metric_families(answer.text))
    assert {(family.name, family.type) for family in families} == {
        ("http_requests", "counter"),
        ("http_request_duration_seconds", "histogram"),
    }
    told = {(one.name, tuple(sorted(one.labels.items())), one.value) for family in families for one in family.samples}
    assert told == {(one.metric, tuple(sorted(one.labels)), one.value) for one in cluster.samples()}


def test_only_running_versions_are_exposed() -> None:
    clock = ManualClock(T0)
    cluster = Cluster(clock)
    cluster.deploy("staging", IMAGE, "1", T0)
    cluster.deploy("staging", IMAGE, "2", T0 + timedelta(seconds=10))
    clock.advance(timedelta(seconds=20))
    text = render_exposition(cluster.samples())
    assert 'version="2"' in text
    assert 'version="1"' not in text


def test_label_values_are_escaped() -> None:
    hostile = Sample(metric="http_requests_total", labels=(("namespace", 'a"\\\n}'),), value=1.0)
    (family,) = text_string_to_metric_families(render_exposition([hostile]))
    assert family.samples[0].labels == {"namespace": 'a"\\\n}'}


def test_a_cluster_without_pods_exposes_nothing() -> None:
    assert render_exposition([]) == ""
