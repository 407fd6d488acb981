from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.lab.clock import ManualClock
from bot.lab.cluster import Behaviour, Cluster, crashing, failing, silent, slow
from bot.lab.counters import DURATION, REQUESTS

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
IMAGE = "ghcr.io/acme/checkout"
STAGING = "checkout-staging"


def seconds(amount: float) -> timedelta:
    return timedelta(seconds=amount)


def a_cluster() -> tuple[ManualClock, Cluster]:
    clock = ManualClock(T0)
    return clock, Cluster(clock)


def counts(cluster: Cluster, at: datetime, metric: str = REQUESTS) -> dict[tuple[str, str], float]:
    """Return each series' value by version and code (or bucket)."""
    found = [(dict(sample.labels), sample.value) for sample in cluster.samples(at) if sample.metric == metric]
    return {(labels["version"], labels.get("code") or labels.get("le", "")): value for labels, value in found}


def grown(cluster: Cluster, after: datetime, until: datetime, metric: str = REQUESTS) -> dict[str, float]:
    """Return the increase by code (or bucket), over all versions."""
    sums: dict[str, float] = {}
    for labels, value in cluster.growth(metric, after, until).items():
        key = dict(labels).get("code") or dict(labels).get("le", "")
        sums[key] = sums.get(key, 0.0) + value
    return sums


def test_requests_are_counted_from_when_the_rollout_ended() -> None:
    _, cluster = a_cluster()
    cluster.behave(IMAGE, "1", Behaviour(requests_per_second=10, start_after=seconds(5)))
    cluster.deploy(STAGING, IMAGE, "1", T0)
    assert counts(cluster, T0 + seconds(4)) == {}
    assert counts(cluster, T0 + seconds(15)) == {("1", "200"): 100.0}


def test_an_error_series_exists_only_after_the_first_error() -> None:
    _, cluster = a_cluster()
    cluster.behave(IMAGE, "1", Behaviour(requests_per_second=10, error_ratio=0.1, start_after=seconds(0)))
    cluster.deploy(STAGING, IMAGE, "1", T0)
    assert ("1", "500") not in counts(cluster, T0 + seconds(0.9))
    assert counts(cluster, T0 + seconds(1)) == {("1", "200"): 9.0, ("1", "500"): 1.0}


def test_a_release_goes_bad_only_after_its_delay() -> None:
    _, cluster = a_cluster()
    cluster.behave(IMAGE, "1", failing(0.5, after=seconds(30)))
    cluster.deploy(STAGING, IMAGE, "1", T0)
    turn = T0 + seconds(31)
    assert grown(cluster, T0, turn) == {"200": 600.0}
    assert grown(cluster, turn, turn + seconds(10)) == {"200": 100.0, "500": 100.0}


def test_a_new_version_starts_its_counters_at_zero_and_ends_the_old_ones() -> None:
    _, cluster = a_cluster()
    cluster.deploy(STAGING, IMAGE, "1", T0)
    cluster.deploy(STAGING, IMAGE, "2", T0 + seconds(100))
    assert counts(cluster, T0 + seconds(100.5)) == {("1", "200"): 1990.0}
    assert counts(cluster, T0 + seconds(102)) == {("2", "200"): 20.0}


def test_growth_over_a_change_of_versions_counts_both() -> None:
    _, cluster = a_cluster()
    cluster.deploy(STAGING, IMAGE, "1", T0)
    cluster.deploy(STAGING, IMAGE, "2", T0 + seconds(100))
    assert grown(cluster, T0 + seconds(96), T0 + seconds(106)) == {"200": 200.0}


def test_growth_over_a_return_to_an_earlier_version_is_never_negative() -> None:
    _, cluster = a_cluster()
    for index, tag in enumerate(["1", "2", "1"]):
        cluster.deploy(STAGING, IMAGE, tag, T0 + seconds(60 * index))
    growth = cluster.growth(REQUESTS, T0 + seconds(55), T0 + seconds(130))
    assert {dict(labels)["version"]: value for labels, value in growth.items()} == {"1": 6 * 20 + 9 * 20, "2": 60 * 20}


def test_deploying_what_runs_already_restarts_nothing() -> None:
    _, cluster = a_cluster()
    cluster.deploy(STAGING, IMAGE, "1", T0)
    cluster.deploy(STAGING, IMAGE, "1", T0 + seconds(10))
    assert counts(cluster, T0 + seconds(21)) == {("1", "200"): 400.0}


def test_the_old_version_serves_on_when_the_new_one_crashes_at_its_start() -> None:
    _, cluster = a_cluster()
    cluster.behave(IMAGE, "2", crashing())
    cluster.deploy(STAGING, IMAGE, "1", T0)
    cluster.deploy(STAGING, IMAGE, "2", T0 + seconds(60))
    later = T0 + seconds(120)
    assert {version for version, _ in counts(cluster, later)} == {"1"}
    assert cluster.health(STAGING, at=later) == "Degraded"
    assert {one.tag for one in cluster.running(STAGING, later)} == {"1", "2"}


def test_a_release_that_crashes_later_was_healthy_before_and_stops_counting() -> None:
    _, cluster = a_cluster()
    cluster.behave(IMAGE, "1", crashing(after=seconds(30)))
    cluster.deploy(STAGING, IMAGE, "1", T0)
    assert cluster.health(STAGING, at=T0 + seconds(20)) == "Healthy"
    assert cluster.health(STAGING, at=T0 + seconds(40)) == "Degraded"
    assert counts(cluster, T0 + seconds(40)) == {}


def test_a_silent_release_is_healthy_and_has_no_series() -> None:
    _, cluster = a_cluster()
    cluster.behave(IMAGE, "1", silent())
    cluster.deploy(STAGING, IMAGE, "1", T0)
    later = T0 + seconds(60)
    assert cluster.health(STAGING, at=later) == "Healthy"
    assert cluster.samples(later) == ()
    assert cluster.growth(REQUESTS, T0, later) == {}


def test_health_is_missing_then_progressing_then_healthy() -> None:
    _, cluster = a_cluster()
    cluster.behave(IMAGE, "1", Behaviour(start_after=seconds(20)))
    cluster.deploy(STAGING, IMAGE, "1", T0 + seconds(10))
    words = [cluster.health(STAGING, at=T0 + seconds(at)) for at in (5, 15, 29.9, 30)]
    assert words == ["Missing", "Progressing", "Progressing", "Healthy"]


def test_slow_requests_are_missing_from_the_buckets_below_their_duration() -> None:
    _, cluster = a_cluster()
    cluster.behave(IMAGE, "1", slow(0.25, seconds=0.8))
    cluster.deploy(STAGING, IMAGE, "1", T0)
    buckets = grown(cluster, T0, T0 + seconds(101), f"{DURATION}_bucket")
    assert (buckets["0.5"], buckets["1"], buckets["+Inf"]) == (1500.0, 2000.0, 2000.0)
    assert grown(cluster, T0, T0 + seconds(101), f"{DURATION}_count") == {"": 2000.0}
    assert grown(cluster, T0, T0 + seconds(101), f"{DURATION}_sum")[""] == pytest.approx(500 * 0.8 + 1500 * 0.055)


def test_a_behaviour_can_be_for_one_namespace_only() -> None:
    _, cluster = a_cluster()
    cluster.behave(IMAGE, "1", failing(1.0), namespace="checkout-production")
    for namespace in (STAGING, "checkout-production"):
        cluster.deploy(namespace, IMAGE, "1", T0)
    codes = {
        (dict(sample.labels)["namespace"], dict(sample.labels)["code"])
        for sample in cluster.samples(T0 + seconds(10))
        if sample.metric == REQUESTS
    }
    assert codes == {(STAGING, "200"), ("checkout-production", "500")}


def test_a_behaviour_told_of_a_running_release_changes_the_future_only() -> None:
    clock, cluster = a_cluster()
    cluster.deploy(STAGING, IMAGE, "1", T0)
    clock.advance(seconds(11))
    before = counts(cluster, T0 + seconds(6))
    cluster.behave(IMAGE, "1", failing(1.0))
    assert counts(cluster, T0 + seconds(6)) == before
    assert counts(cluster, T0 + seconds(16)) == {("1", "200"): 200.0, ("1", "500"): 100.0}


def test_a_release_that_never_started_starts_when_it_is_mended() -> None:
    clock, cluster = a_cluster()
    cluster.behave(IMAGE, "1", crashing())
    cluster.deploy(STAGING, IMAGE, "1", T0)
    clock.advance(seconds(60))
    cluster.behave(IMAGE, "1", Behaviour())
    assert cluster.health(STAGING, at=T0 + seconds(59)) == "Degraded"
    assert cluster.health(STAGING, at=T0 + seconds(61)) == "Healthy"
    assert counts(cluster, T0 + seconds(70)) == {("1", "200"): 200.0}


releases = st.lists(
    st.tuples(
        st.sampled_from(["1", "2", "3"]),
        st.floats(1, 50),
        st.builds(
            Behaviour,
            requests_per_second=st.floats(0, 200),
            error_ratio=st.floats(0, 1),
            slow_ratio=st.floats(0, 1),
            crashing=st.booleans(),
            silent=st.booleans(),
            error_after=st.sampled_from([seconds(0), seconds(3)]),
            start_after=st.sampled_from([seconds(0), seconds(2), seconds(7)]),
        ),
    ),
    min_size=1,
    max_size=5,
)


@given(releases, st.floats(0, 100), st.floats(0, 100), st.floats(0, 100))
def test_growth_is_never_negative_and_adds_up_over_adjacent_windows(
    timeline: list[tuple[str, float, Behaviour]], first: float, second: float, third: float
) -> None:
    _, cluster = a_cluster()
    at = T0
    for tag, pause, behaviour in timeline:
        cluster.behave(IMAGE, tag, behaviour)
        cluster.deploy(STAGING, IMAGE, tag, at)
        at += seconds(pause)
    start, middle, end = sorted(T0 + seconds(offset) for offset in (first, second, third))
    for metric in (REQUESTS, f"{DURATION}_bucket", f"{DURATION}_count"):
        parts = grown(cluster, start, middle, metric), grown(cluster, middle, end, metric)
        whole = grown(cluster, start, end, metric)
        assert all(value >= 0 for value in whole.values())
        assert all(parts[0].get(key, 0.0) + parts[1].get(key, 0.0) == value for key, value in whole.items())


@given(st.floats(0, 500), st.floats(0, 1), st.floats(0, 1), st.floats(0, 200))
def test_a_histogram_is_consistent_with_its_count_and_the_requests(
    rate: float, errors: float, slowness: float, offset: float
) -> None:
    _, cluster = a_cluster()
    cluster.behave(IMAGE, "1", Behaviour(requests_per_second=rate, error_ratio=errors, slow_ratio=slowness))
    cluster.deploy(STAGING, IMAGE, "1", T0)
    at = T0 + seconds(offset)
    buckets = counts(cluster, at, f"{DURATION}_bucket")
    in_order = [buckets[("1", le)] for le in ("0.05", "0.1", "0.25", "0.5", "1", "2.5", "+Inf") if buckets]
    assert in_order == sorted(in_order)
    if in_order:
        assert in_order[-1] == sum(counts(cluster, at).values()) == counts(cluster, at, f"{DURATION}_count")[("1", "")]
