"""What Prometheus and VictoriaMetrics answer alike: the Metrics adapter against both, with one history."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from bot.adapters.http import Endpoint
from bot.adapters.prometheus import PrometheusMetrics
from bot.adapters.prometheus_access import Access, Dialect
from bot.domain.gates.measuring import has_no_bucket
from bot.domain.queries import Query
from bot.domain.rules import Counts
from bot.ports import Cost, Permanent, Transient
from tests.adapters.backends import (
    HOSTILE,
    LIMITS,
    MINUTE,
    START,
    a_look,
    a_storage,
    counts,
    import_history,
    increase,
    latency_of,
    needs_prometheus,
    needs_victoriametrics,
    prometheus_on,
    read,
    read_one,
    requests_of,
    victoriametrics_in,
)

pytestmark = pytest.mark.prometheus


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(Dialect.PROMETHEUS, marks=needs_prometheus),
        pytest.param(Dialect.VICTORIAMETRICS, marks=needs_victoriametrics),
    ],
)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    chosen: Dialect = request.param
    return chosen


@pytest.fixture(scope="module")
def url(dialect: Dialect, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("backend")
    if dialect is Dialect.PROMETHEUS:
        with prometheus_on(folder, a_storage(tmp_path_factory.mktemp("history"))) as (address, _):
            yield address
    else:
        with victoriametrics_in(folder) as address:
            import_history(address)
            yield address


@pytest.fixture
def metrics(url: str, dialect: Dialect) -> Iterator[PrometheusMetrics]:
    endpoint = Endpoint(system="Prometheus", url=url)
    with PrometheusMetrics(endpoint, access=Access(dialect=dialect), limits=LIMITS) as opened:
        yield opened


def test_the_server_is_found(metrics: PrometheusMetrics) -> None:
    metrics.check_connection()
    assert metrics.describe().startswith("Prometheus")


def test_a_missing_error_series_under_traffic_is_zero_errors(metrics: PrometheusMetrics) -> None:
    assert counts(metrics, requests_of("ok")) == [(60.0, 0.0)] * 3


def test_errors_are_counted(metrics: PrometheusMetrics) -> None:
    assert counts(metrics, requests_of("ill")) == [(60.0, 12.0)] * 3


def test_a_counter_without_traffic_is_zero_requests_and_not_absent(metrics: PrometheusMetrics) -> None:
    assert counts(metrics, requests_of("idle")) == [(0.0, 0.0)] * 3


def test_an_absent_series_is_absent_data(metrics: PrometheusMetrics) -> None:
    assert counts(metrics, requests_of("nobody")) == [(None, None)] * 3


def test_a_series_that_vanishes_is_absent_from_then_on(metrics: PrometheusMetrics) -> None:
    seen = counts(metrics, requests_of("gone", start=13, tiles=5))
    assert seen[0] == (60.0, 0.0)
    assert seen[-2:] == [(None, None)] * 2


def test_a_counter_that_restarts_never_counts_backwards(metrics: PrometheusMetrics, dialect: Dialect) -> None:
    seen = counts(metrics, requests_of("restarted", start=12, tiles=6))
    assert all(total is not None and 0 <= total <= 61 for total, _ in seen)
    if dialect is Dialect.PROMETHEUS:
        assert all(total != 0 for total, _ in seen)


def test_a_scrape_gap_is_absent_data_and_what_came_after_it_is_counted(metrics: PrometheusMetrics) -> None:
    seen = counts(metrics, requests_of("gap", start=13, tiles=8))
    assert seen[0] == (60.0, 0.0)
    assert seen[3] == (None, None)
    assert seen[-2:] == [(60.0, 0.0)] * 2
    # VictoriaMetrics counts what grew in the gap at its end, Prometheus does not know it.
    assert all(total is None or 0 <= total <= 240 for total, _ in seen)


def test_slow_requests_are_all_that_are_in_no_fast_bucket(metrics: PrometheusMetrics) -> None:
    assert counts(metrics, latency_of("0.5"), counting=Counts.GOOD) == [(60.0, 12.0)] * 2


def test_a_threshold_that_is_no_bucket_bound_has_no_good_events_under_traffic(metrics: PrometheusMetrics) -> None:
    fast, total = read(metrics, *latency_of("0.4"))
    assert has_no_bucket(fast, total)


def test_the_bounds_of_a_histogram_are_named(metrics: PrometheusMetrics) -> None:
    assert metrics.bucket_bounds('latency_bucket{service="ok"}', START, START + 5 * MINUTE) == ("0.5", "+Inf")
    assert metrics.bucket_bounds('latency_bucket{service="none"}', START, START + 5 * MINUTE) == ()


def test_a_query_that_does_not_parse_is_refused_with_the_server_s_words(metrics: PrometheusMetrics) -> None:
    with pytest.raises((Permanent, Transient), match=r"`sum\(`"):
        read(metrics, a_look("sum("))


def test_a_value_that_is_no_count_may_be_negative(metrics: PrometheusMetrics) -> None:
    query = replace(increase("requests_total", labels={"service": "ok"}), is_count=False)
    below = replace(query, parts=("0 - " + query.parts[0], query.parts[1]))
    assert [round(value or 0) for value in read_one(metrics, a_look(below))] == [-60] * 3


# --- batches ---------------------------------------------------------------------------------------------------------


def of_service(name: str) -> Query:
    return increase("many_total", labels={"service": name})


def test_a_batch_of_three_hundred_services_gives_what_single_looks_give(metrics: PrometheusMetrics) -> None:
    looks = [a_look(of_service(f"s{n:03}")) for n in range(300)]
    before = metrics.cost()
    together = metrics.read(looks)
    assert metrics.cost().since(before) == Cost(queries=1, series=300, points=900)
    assert together == [read_one(metrics, look) for look in looks]
    assert len(set(together)) == 300


def test_services_that_lag_behind_get_what_they_would_get_alone(metrics: PrometheusMetrics) -> None:
    looks = [a_look(of_service(f"s{n:03}"), start=20 - n, tiles=1 + n) for n in range(19)]
    before = metrics.cost()
    together = metrics.read(looks)
    assert metrics.cost().since(before).queries == 5
    assert together == [read_one(metrics, look) for look in looks]


@pytest.mark.parametrize("together", [1, 3, 1000], ids=["alone", "by three", "all at once"])
def test_label_values_that_are_special_select_their_own_series_only(url: str, dialect: Dialect, together: int) -> None:
    endpoint = Endpoint(system="Prometheus", url=url)
    with PrometheusMetrics(endpoint, access=Access(dialect=dialect), limits=LIMITS, together=together) as metrics:
        found = read(metrics, *(a_look(of_service(name), tiles=1) for name in HOSTILE))
    # Four scrapes are 3/4 of the minute and are extrapolated to the whole of it.
    assert [round(number or 0, 6) for (number,) in found] == [4.0 * (1 + pace) for pace in range(len(HOSTILE))]


def test_values_that_are_no_numbers_are_never_counts_and_concern_their_own_look_only(
    metrics: PrometheusMetrics, dialect: Dialect
) -> None:
    looks = [a_look(increase("requests_total", labels={"service": name})) for name in ("ok", "not a number", "endless")]
    good, not_a_number, endless = metrics.read(looks)
    assert good == read_one(metrics, looks[0])
    if dialect is Dialect.PROMETHEUS:
        assert all(isinstance(one, Transient) and "no count" in one.sentence for one in (not_a_number, endless))
    else:
        assert not_a_number == endless == (None, None, None)


def test_a_service_without_series_is_absent_beside_others(metrics: PrometheusMetrics) -> None:
    assert read(metrics, a_look(of_service("none")), a_look(of_service("s000"))) == [
        (None, None, None),
        read_one(metrics, a_look(of_service("s000"))),
    ]
