"""What each option of a gate or trigger means: from an entry of a policy to a frozen rule."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.queries import Query
from bot.domain.rules import (
    BURN_WINDOWS,
    Accept,
    ArgoHealthyGate,
    Ask,
    BaselineGate,
    BurnRateGate,
    BurnWindow,
    CountGate,
    Counts,
    Side,
    SoakGate,
    ValueGate,
)
from bot.domain.statistics import EFFECT_POINTS, EFFECT_TIMES
from bot.policy import parse_policy, parse_template
from tests.policy.a_rule import DEPTH, TEMPLATES, gate, trigger, with_gate

MINUTE = timedelta(minutes=1)
FAILED = ("sum by (namespace) (increase(jobs_failed_total{", ',queue="main"}[1m]))')
ALL = ("sum by (namespace) (increase(jobs_total{", ',queue="main"}[1m]))')


def asked(*parts: str, is_count: bool = True, **labels: str) -> Query:
    pairs = tuple(labels.items()) or (("namespace", "one"),)
    return Query(parts=parts, labels=pairs, is_shared=True, is_count=is_count)


# --- a share below a limit ---


def test_a_limit_makes_a_share_a_ratio() -> None:
    assert gate("{use: jobs, limit: 1%}", CountGate) == CountGate(
        name="jobs",
        template="jobs",
        title="failed jobs of main below 1 %",
        limit=0.01,
        counts=Counts.BAD,
        query=asked(*FAILED),
        total=asked(*ALL),
        tile=MINUTE,
    )


@pytest.mark.parametrize(
    ("text", "floor"), [("1", 1.0), ("100", 100.0), ("1.5", 1.5), ("999999999999999", 999_999_999_999_999.0)]
)
def test_a_floor_is_the_least_number_of_events(text: str, floor: float) -> None:
    assert gate(f"{{use: jobs, limit: 1%, floor: {text}}}", CountGate).floor == floor


def test_a_gate_can_accept_what_is_not_shown_to_be_bad() -> None:
    assert gate("{use: jobs, limit: 1%}", CountGate).accept is Accept.PROVEN
    assert gate("{use: jobs, limit: 1%, accept: proven}", CountGate).accept is Accept.PROVEN
    assert gate("{use: jobs, limit: 1%, accept: not-shown-bad}", CountGate).accept is Accept.NOT_SHOWN_BAD


def test_parameters_override_their_defaults() -> None:
    entry = "{use: http-errors, limit: 1%, metric: http_server_requests_total, code_label: status, errors: '5..|429'}"
    text = gate(entry, CountGate).query.text
    assert 'http_server_requests_total{namespace="one",status=~"5..|429"}' in text


def test_a_latency_gate_knows_its_histogram() -> None:
    found = gate("{use: http-latency, slower_than: 500ms, limit: 5%}", CountGate)
    assert found.title == "HTTP requests slower than 500ms below 5 %"
    assert found.counts is Counts.GOOD
    assert found.buckets is not None
    assert found.buckets.text == 'http_request_duration_seconds_bucket{namespace="one"}'


# --- what every entry has ---


def test_an_entry_in_the_shadow_is_marked() -> None:
    assert gate("{use: jobs, limit: 1%, mode: shadow}", CountGate).is_shadow
    assert gate("{use: depth, above: 1, mode: shadow}", ValueGate).is_shadow
    assert gate("{use: soak, mode: shadow}", SoakGate).is_shadow
    assert not gate("{use: jobs, limit: 1%, mode: decide}", CountGate).is_shadow


def test_an_entry_s_labels_are_added_to_its_stage_s() -> None:
    found = gate("{use: jobs, limit: 1%, labels: {app: worker}}", CountGate)
    assert found.query.labels == (("app", "worker"), ("namespace", "one"))
    assert found.query.text.startswith(
        'sum by (app, namespace) (increase(jobs_failed_total{app="worker",namespace="one",'
    )


def test_an_entry_s_label_goes_before_its_stage_s() -> None:
    found = gate("{use: kafka-lag, above: 100, labels: {namespace: kafka}}", ValueGate)
    assert found.query.text == 'sum by (namespace) (kafka_consumergroup_lag{namespace="kafka"})'


def test_a_label_s_value_can_stand_for_the_tag_of_the_release() -> None:
    query = gate("{use: jobs, limit: 1%, labels: {version: $tag}}", CountGate).query
    assert query.labels == (("namespace", "one"), ("version", "$tag"))
    assert query.of_release("1.2.3").labels == (("namespace", "one"), ("version", "1.2.3"))


# --- a share against a baseline ---


def test_another_stage_is_a_baseline() -> None:
    assert gate("{use: jobs, against: two}", BaselineGate) == BaselineGate(
        name="jobs",
        template="jobs",
        title="failed jobs of main, no worse than two",
        counts=Counts.BAD,
        query=asked(*FAILED),
        total=asked(*ALL),
        base_query=asked(*FAILED, namespace="two"),
        base_total=asked(*ALL, namespace="two"),
        base="two",
        base_stage="two",
        tile=MINUTE,
        times=EFFECT_TIMES,
        points=EFFECT_POINTS,
    )


def test_an_entry_s_labels_select_in_a_stage_that_is_the_baseline_too() -> None:
    found = gate("{use: jobs, against: two, labels: {app: worker}}", BaselineGate)
    assert found.base_query.labels == (("app", "worker"), ("namespace", "two"))


def test_labels_in_place_of_the_entry_s_are_a_baseline() -> None:
    entry = "{use: jobs, labels: {version: $tag}, against: {labels: {version: stable}}}"
    found = gate(entry, BaselineGate)
    assert found.query.labels == (("namespace", "one"), ("version", "$tag"))
    assert found.base_query.labels == (("namespace", "one"), ("version", "stable"))
    assert (found.base, found.base_stage, found.past) == ("version=stable", None, timedelta(0))


@pytest.mark.parametrize("ago", ["6h", "7d", "366d"])
def test_the_past_is_a_baseline_of_the_same_series(ago: str) -> None:
    found = gate(f"{{use: jobs, against: {{ago: {ago}}}}}", BaselineGate)
    assert (found.base, found.base_stage) == (f"itself {ago} ago", None)
    assert found.base_query == found.query
    assert found.asks["base counted"] == Ask(query=found.query, back=found.past)


def test_how_much_worse_is_worse_can_be_said() -> None:
    found = gate("{use: jobs, against: two, times: 1, points: 0.1%}", BaselineGate)
    assert (found.times, found.points) == (1.0, 0.001)
    assert gate("{use: jobs, against: two, times: 150%}", BaselineGate).times == 1.5


def test_a_trigger_can_be_compared_with_a_stage_and_with_labels() -> None:
    assert trigger("{use: jobs, against: twin}", BaselineGate).base_stage == "twin"
    entry = "{use: jobs, labels: {version: $tag}, against: {labels: {version: a}}}"
    assert trigger(entry, BaselineGate).base == "version=a"


# --- a burn rate ---


def test_an_objective_makes_a_share_a_burn_rate() -> None:
    found = trigger("{use: jobs, objective: 99.9%}", BurnRateGate)
    assert found.title == "failed jobs of main within an objective of 99.9 %"
    assert found.objective == pytest.approx(0.999)
    assert (found.windows, found.least_bad) == (BURN_WINDOWS, 10.0)
    assert found.reach == timedelta(hours=6)
    assert found.query == asked(*FAILED, namespace="two")


def test_burn_windows_can_be_chosen() -> None:
    windows = "[{long: 30m, short: 1m, factor: 10}, {long: 3d, short: 6h, factor: 1}]"
    found = gate(f"{{use: jobs, objective: 0.99, windows: {windows}, least_bad: 1}}", BurnRateGate)
    assert found.windows == (
        BurnWindow(long=timedelta(minutes=30), short=MINUTE, factor=10.0),
        BurnWindow(long=timedelta(days=3), short=timedelta(hours=6), factor=1.0),
    )
    assert found.least_bad == 1.0


# --- values ---


def test_a_value_must_not_be_beyond_its_bound() -> None:
    assert gate("{use: depth, above: 100}", ValueGate) == ValueGate(
        name="depth",
        template="depth",
        title="jobs that wait not above 100",
        query=asked("sum by (namespace) (jobs_waiting{", "})", is_count=False),
        bound=100.0,
        side=Side.ABOVE,
        tile=MINUTE,
        bad_tiles=3,
        of_tiles=5,
    )


@pytest.mark.parametrize(
    ("bound", "number", "side"),
    [
        ("above: 0", 0.0, Side.ABOVE),
        ("above: -5.5", -5.5, Side.ABOVE),
        ("above: 80%", 0.8, Side.ABOVE),
        ("above: 512Mi", 512 * 1024**2, Side.ABOVE),
        ("below: 1.5Gi", 1.5 * 1024**3, Side.BELOW),
        ("above: 2k", 2_000, Side.ABOVE),
        ("below: 999999999999999", 999_999_999_999_999.0, Side.BELOW),
        ("below: -0.000000000001", -0.000000000001, Side.BELOW),
    ],
)
def test_a_bound_is_any_number(bound: str, number: float, side: Side) -> None:
    found = gate(f"{{use: depth, {bound}}}", ValueGate)
    assert (found.bound, found.side) == (number, side)


def test_a_template_s_bound_and_tiles_stand_in_for_what_is_left_out() -> None:
    found = gate("{use: alerts}", ValueGate)
    assert (found.bound, found.side, found.bad_tiles, found.of_tiles) == (0.0, Side.ABOVE, 1, 1)
    found = gate("{use: alerts, below: 5, tiles: 2 of 3}", ValueGate)
    assert (found.bound, found.side, found.bad_tiles, found.of_tiles) == (5.0, Side.BELOW, 2, 3)


def test_tiles_and_a_hard_bound_can_be_chosen() -> None:
    found = gate("{use: depth, above: 10, tiles: 30 of 100, hard: 20}", ValueGate)
    assert (found.bad_tiles, found.of_tiles, found.hard) == (30, 100, 20.0)
    assert gate("{use: depth, below: 10, hard: 5}", ValueGate).hard == 5.0


# --- events ---


def test_events_are_summed_over_the_window() -> None:
    found = gate("{use: crashes}", ValueGate)
    assert found.title == "crashes, at most 0"
    assert (found.bound, found.is_sum, found.side) == (0.0, True, Side.ABOVE)
    assert found.query.is_count
    assert found.alive == asked("count by (namespace) (worker_info{", "})")
    assert gate("{use: crashes, at_most: 3}", ValueGate).bound == 3.0


def test_silence_counts_as_zero_only_where_the_source_is_known_to_be_measured() -> None:
    assert gate("{use: crashes, absent: zero}", ValueGate).alive is not None
    assert gate("{use: crashes, absent: no-data}", ValueGate).alive is None
    assert gate("{use: alerts}", ValueGate).alive is not None
    assert gate("{use: depth, above: 1}", ValueGate).alive is None
    assert gate("{use: depth, above: 1, absent: no-data}", ValueGate).alive is None


# --- built in ---


def test_soak_asks_nothing() -> None:
    assert gate("{use: soak, name: an-hour}", SoakGate) == SoakGate(name="an-hour")


def test_argo_cd_s_history_is_asked_for_each_application_by_its_name() -> None:
    text = with_gate("{use: soak}").replace("argocd: one", "argocd: [argo/a, b, other/b]")
    text = text.replace("{use: argocd-healthy}", "{use: argocd-healthy, history: my:argo_info}")
    found = parse_policy(text, file="a.yaml", templates=TEMPLATES).stages[0].gates[0]
    assert isinstance(found, ArgoHealthyGate)
    assert [query.text for query in found.history] == [
        'count by (name) (count_over_time(my:argo_info{name="a",health_status=~"Degraded|Missing"}[1m]))',
        'count by (name) (count_over_time(my:argo_info{name="b",health_status=~"Degraded|Missing"}[1m]))',
    ]


def test_argo_cd_s_history_can_be_left_out() -> None:
    text = with_gate("{use: soak}").replace("{use: argocd-healthy}", "{use: argocd-healthy, history: none}")
    assert parse_policy(text, file="a.yaml", templates=TEMPLATES).stages[0].gates[0] == ArgoHealthyGate(
        name="argocd-healthy"
    )


# --- what a template says itself ---


def test_a_value_template_can_have_a_bound_below_and_tiles() -> None:
    template = parse_template(f"{DEPTH}below: 0.5\ntiles: 2 of 4\n", file="depth.yaml")
    found = gate("{use: depth}", ValueGate, templates={"depth": template})
    assert (found.bound, found.side, found.bad_tiles, found.of_tiles) == (0.5, Side.BELOW, 2, 4)
    assert found.title == "jobs that wait not below 0.5"


def test_queries_of_two_stages_differ_only_in_their_labels() -> None:
    one, two = gate("{use: jobs, limit: 1%}", CountGate), trigger("{use: jobs, limit: 1%}", CountGate)
    assert one.query != two.query
    assert one.query.shape == two.query.shape is not None
