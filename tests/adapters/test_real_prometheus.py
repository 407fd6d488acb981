"""What only Prometheus is asked: its name, what it refuses, its end."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.adapters.http import Endpoint
from bot.adapters.prometheus import PrometheusMetrics
from bot.ports import Permanent, Transient
from tests.adapters.backends import (
    LIMITS,
    SCRAPE,
    a_look,
    a_storage,
    counts,
    increase,
    needs_prometheus,
    prometheus_on,
    read,
    read_one,
    requests_of,
)

pytestmark = [pytest.mark.prometheus, needs_prometheus]


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_storage(tmp_path_factory.mktemp("history"))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, storage: Path) -> Iterator[str]:
    with prometheus_on(tmp_path_factory.mktemp("server"), storage) as (address, _):
        yield address


@pytest.fixture
def metrics(url: str) -> Iterator[PrometheusMetrics]:
    with PrometheusMetrics(Endpoint(system="Prometheus", url=url), limits=LIMITS) as opened:
        yield opened


def test_the_server_is_found_and_named(metrics: PrometheusMetrics, url: str) -> None:
    metrics.check_connection()
    assert metrics.describe().startswith("Prometheus 2.")
    assert metrics.describe().endswith(f" at {url}")


def test_the_scrape_interval_is_told(metrics: PrometheusMetrics) -> None:
    assert metrics.scrape_interval() == SCRAPE


def test_a_counter_born_at_a_value_counts_from_there_and_not_from_zero(metrics: PrometheusMetrics) -> None:
    seen = counts(metrics, requests_of("born", start=9, tiles=5))
    assert seen[0] == (None, None)
    assert all(total is not None and total < 100 for total, _ in seen[2:])
    assert seen[-2:] == [(60.0, 0.0)] * 2


def test_a_series_that_vanished_is_stale_after_five_minutes(metrics: PrometheusMetrics) -> None:
    """Why a gauge of a pod that is gone is still there for a while: there is no stale marker in this history."""
    seen = read_one(metrics, a_look('sum(requests_total{service="gone"})', start=13, tiles=8))
    assert [value is None for value in seen] == [False] * 6 + [True] * 2


def test_several_series_are_refused_and_listed(metrics: PrometheusMetrics) -> None:
    with pytest.raises(Permanent, match="has 2 series") as caught:
        read(metrics, a_look('increase(requests_total{service="ill"}[1m])'))
    assert 'code="500"' in caught.value.sentence


def test_a_query_that_does_not_parse_is_permanent_with_the_server_s_words(metrics: PrometheusMetrics) -> None:
    with pytest.raises(Permanent, match=r"refuses the query `sum\(`: .*parse error"):
        read(metrics, a_look("sum("))


@pytest.mark.parametrize(("sign", "found"), [("* 0", "nan"), ("+ 0", "inf"), ("* -1", "-inf")])
def test_a_division_by_zero_is_no_count(metrics: PrometheusMetrics, sign: str, found: str) -> None:
    with pytest.raises(Transient, match=f" {found}, which is no count"):
        read(metrics, a_look(f'sum(requests_total{{service="idle"}} {sign}) / 0', tiles=1))


def test_a_long_range_comes_whole_from_several_parts(metrics: PrometheusMetrics) -> None:
    look = a_look("vector(1)", tiles=12_000, width=timedelta(seconds=1))
    assert read_one(metrics, look) == (1.0,) * 12_000
    assert metrics.cost().queries == 3


def test_a_query_beyond_the_servers_limit_of_samples_is_asked_in_smaller_batches(tmp_path: Path, storage: Path) -> None:
    """The server refuses 300 services at once; an error of one service is not made of it."""
    looks = [a_look(increase("many_total", labels={"service": f"s{n:03}"})) for n in range(300)]
    copy = _copied(storage, tmp_path / "data")
    with (
        prometheus_on(tmp_path, copy, "--query.max-samples=600") as (url, _),
        PrometheusMetrics(Endpoint(system="Prometheus", url=url), limits=LIMITS) as metrics,
    ):
        found = read(metrics, *looks)
        assert metrics.cost().queries > 3
    assert all(numbers[0] for numbers in found)
    assert len(set(found)) == 300


def test_a_server_that_is_killed_is_transient(tmp_path: Path, storage: Path) -> None:
    with (
        prometheus_on(tmp_path, _copied(storage, tmp_path / "data")) as (url, process),
        PrometheusMetrics(Endpoint(system="Prometheus", url=url), limits=LIMITS) as metrics,
    ):
        assert counts(metrics, requests_of("ok")) == [(60.0, 0.0)] * 3
        process.kill()
        process.wait(timeout=10)
        with pytest.raises(Transient, match="could not be reached"):
            read(metrics, *requests_of("ok"))


def _copied(storage: Path, to: Path) -> Path:
    return shutil.copytree(storage, to, ignore=shutil.ignore_patterns("lock", "queries.active"))
