"""Every shipped template, filled in by the real policy parser and asked of real servers with a known history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

import pytest

from bot.adapters.http import Endpoint
from bot.adapters.prometheus import PrometheusMetrics
from bot.adapters.prometheus_access import Access, Dialect
from bot.domain.model import Numbers
from bot.domain.queries import Query
from bot.domain.rules import MeasuredRule
from bot.policy import parse_policy, shipped_gate_templates
from bot.ports import OutsideError, Transient
from tests.adapters.backends import (
    LIMITS,
    a_look,
    a_storage,
    import_history,
    needs_prometheus,
    needs_victoriametrics,
    prometheus_on,
    read,
    rounded,
    victoriametrics_in,
)
from tests.adapters.template_histories import a_template_history

pytestmark = pytest.mark.prometheus
ILL, WELL = {"namespace": "ill"}, {"namespace": "well"}
NONE = (None,) * 5
ZEROS = (0,) * 5
TEMPLATES = shipped_gate_templates()
ONLY_PROMETHEUS = ("http-latency-native",)
"""What asks for native histograms, which VictoriaMetrics has not."""
OPTIONS = {
    "queue-age": "metric: oldest_message_seconds, above: 60",
    "kafka-lag": "above: 60",
    "rabbitmq-ready": "above: 5",
    "promql": "query: 'max by ($key) (max_over_time(rabbitmq_queue_messages_ready{$selector}[$tile]))', above: 5",
}
"""What a policy must say beside the template's name."""


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
def metrics(dialect: Dialect, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusMetrics]:
    history, folder = a_template_history(), tmp_path_factory.mktemp("server")
    if dialect is Dialect.PROMETHEUS:
        storage = a_storage(tmp_path_factory.mktemp("history"), history)
        with prometheus_on(folder, storage) as (url, _), opened(url, dialect) as it:
            yield it
    else:
        with victoriametrics_in(folder) as url:
            import_history(url, history)
            with opened(url, dialect) as it:
                yield it


@pytest.fixture(params=sorted(TEMPLATES))
def name(request: pytest.FixtureRequest, dialect: Dialect) -> str:
    """The name of each template that the server knows all functions of."""
    chosen: str = request.param
    if dialect is Dialect.VICTORIAMETRICS and chosen in ONLY_PROMETHEUS:
        pytest.skip("VictoriaMetrics has no native histograms")
    return chosen


def opened(url: str, dialect: Dialect) -> PrometheusMetrics:
    return PrometheusMetrics(Endpoint(system="Prometheus", url=url), access=Access(dialect=dialect), limits=LIMITS)


def a_rule(template: str, labels: Mapping[str, str]) -> MeasuredRule:
    """Return the rule that a policy's entry comes to in a stage of these labels."""
    kind = TEMPLATES[template]
    options = [f"use: {template}"]
    if kind.kind == "share":
        options.append("limit: 1%")
    if any(parameter.type == "duration" for parameter in kind.parameters):
        options.append("slower_than: 500ms")
    if template in OPTIONS:
        options.append(OPTIONS[template])
    selected = ", ".join(f"{name}: '{value}'" for name, value in labels.items())
    text = (
        "apiVersion: liftlock.dev/v1\nservice: a\nimage: r/a\ngitops: {repository: acme/deploy}\nstages:\n"
        f"  - {{name: one, argocd: a, edit: {{kustomize: a}}, metrics: {{{selected}}}, window: {{for: 10m}},\n"
        f"     gates: [{{{', '.join(options)}}}]}}\n"
    )
    (gate,) = parse_policy(text, file="a.yaml", templates=TEMPLATES).stages[0].gates
    assert isinstance(gate, MeasuredRule)
    assert gate.tile == timedelta(minutes=1)
    return gate


def ask(
    metrics: PrometheusMetrics, template: str, *stages: Mapping[str, str], role: str = "value", start: int = 10
) -> list[Numbers]:
    """Read five tiles of one of the rule's queries, of several stages in one batch."""
    before = metrics.cost()
    looks = [a_look(a_rule(template, stage).asks[role].query, start=start, tiles=5) for stage in stages]
    found = read(metrics, *looks)
    # PromQL of a policy's own is asked for each stage alone.
    assert metrics.cost().since(before).queries == (len(stages) if template == "promql" else 1)
    return [tuple(rounded(number) for number in numbers) for numbers in found]


# --- all of them ------------------------------------------------------------------------------------------------------


def test_every_shipped_template_is_a_query_that_the_server_takes(metrics: PrometheusMetrics, name: str) -> None:
    rules = [a_rule(name, {"namespace": "none", "pod": pod}) for pod in ('a"b', "a.b", "c")]
    for role in rules[0].asks:
        looks = [a_look(rule.asks[role].query, tiles=2) for rule in rules]
        assert read(metrics, looks[0]) == [(None, None)]
        assert read(metrics, *looks) == [(None, None)] * 3


def test_stages_of_two_clusters_get_together_what_they_get_alone(metrics: PrometheusMetrics, name: str) -> None:
    """Their namespaces and pods have the same names, so every join of two metrics must be within a stage."""
    rules = [a_rule(name, {"cluster": cluster, "namespace": "shop"}) for cluster in ("ill", "well")]
    for role in rules[0].asks:
        looks = [a_look(rule.asks[role].query, start=9, tiles=12) for rule in rules]
        alone = [read(metrics, look)[0] for look in looks]
        assert read(metrics, *looks) == alone


def test_a_stage_is_known_to_be_measured_where_nothing_happens(metrics: PrometheusMetrics, name: str) -> None:
    if "alive" in a_rule(name, ILL).asks:
        for numbers in ask(metrics, name, ILL, WELL, role="alive"):
            assert all(number is not None and number >= 1 for number in numbers)


def test_a_title_names_the_parameters_and_not_their_places() -> None:
    for name in TEMPLATES:
        assert "$" not in a_rule(name, ILL).title


# --- restarts ---------------------------------------------------------------------------------------------------------


def test_restarts_are_whole_numbers_by_tile_and_those_of_before_are_none(metrics: PrometheusMetrics) -> None:
    """One of a pod that was there, two of a pod that was born at 0, two of one born in that tile."""
    assert ask(metrics, "kubernetes-restarts", ILL, WELL) == [(0, 1, 0, 2, 2), ZEROS]


def test_a_pod_that_vanishes_takes_no_restarts_with_it_and_none_away(metrics: PrometheusMetrics) -> None:
    assert ask(metrics, "kubernetes-restarts", ILL, start=15) == [(1, 0, 0, 0, 0)]


def test_restarts_are_not_counted_anew_when_their_source_comes_back_or_moves(metrics: PrometheusMetrics) -> None:
    seen = [
        number for start in (10, 15, 20, 25) for number in ask(metrics, "kubernetes-restarts", WELL, start=start)[0]
    ]
    assert set(seen) == {0}


def test_restarts_for_want_of_memory_are_those_of_the_container_that_was_killed(metrics: PrometheusMetrics) -> None:
    ill, well = ask(metrics, "kubernetes-oom-kills", ILL, WELL, start=13)
    assert [number or 0 for number in ill] == [0, 0, 1, 0, 0]
    assert [number or 0 for number in well] == [0] * 5


# --- other states of Kubernetes and Argo CD ---------------------------------------------------------------------------


def test_a_crash_loop_is_one_container_in_each_tile_that_it_touches(metrics: PrometheusMetrics) -> None:
    assert ask(metrics, "kubernetes-crash-loops", ILL, WELL) == [(None, 1, 1, None, None), NONE]


def test_replicas_that_are_old_or_missing_and_a_change_not_yet_seen_count_and_a_surge_does_not(
    metrics: PrometheusMetrics,
) -> None:
    assert ask(metrics, "kubernetes-rollout", ILL, WELL) == [(0, 2, 1, 1, 0), ZEROS]


def test_memory_is_the_most_of_any_container_with_a_limit(metrics: PrometheusMetrics) -> None:
    assert ask(metrics, "kubernetes-memory", ILL, WELL) == [(0.5, 0.95, 0.5, 0.5, 0.5), (0.25,) * 5]


def test_throttled_periods_are_a_share_of_all(metrics: PrometheusMetrics) -> None:
    assert ask(metrics, "kubernetes-cpu-throttling", ILL, WELL, role="counted") == [(12,) * 5, ZEROS]
    assert ask(metrics, "kubernetes-cpu-throttling", ILL, WELL, role="total") == [(60,) * 5] * 2


def test_an_ill_application_is_one_whatever_else_changes_about_it(metrics: PrometheusMetrics) -> None:
    assert ask(metrics, "argocd-health", ILL, WELL) == [(None, 1, 1, None, None), NONE]


# --- queues, alerts, and questions of one's own -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "ill", "well"),
    [
        ("kafka-lag", (2, 102, 102, 102, 102), 3),
        ("rabbitmq-ready", (2, 9, 9, 9, 9), 3),
        ("queue-age", (2, 90, 90, 90, 90), 2),
        ("promql", (2, 7, 7, 7, 7), 2),
    ],
)
def test_a_queue_has_its_length_or_its_oldest_age_at_the_end_of_each_tile(
    metrics: PrometheusMetrics, template: str, ill: Numbers, well: float
) -> None:
    assert ask(metrics, template, ILL, WELL) == [ill, (well,) * 5]


def test_alerts_are_those_that_fire_of_any_name_and_severity(metrics: PrometheusMetrics) -> None:
    assert ask(metrics, "alerts", ILL, WELL) == [(None, None, 1, 2, 2), NONE]


def test_no_answer_in_half_an_hour_is_an_error(metrics: PrometheusMetrics, name: str) -> None:
    rules = [a_rule(name, labels) for labels in (ILL, WELL)]
    looks = [a_look(item.query, start=0, tiles=30) for rule in rules for item in rule.asks.values()]
    assert [answer for answer in metrics.read(looks) if isinstance(answer, OutsideError)] == []


def test_a_join_that_fails_on_one_stages_series_is_that_stages_error_only(metrics: PrometheusMetrics) -> None:
    """Two sources tell at once that a container of the ill stage waits, so that its pod has two partners."""
    parts = ("sum by (namespace) (kube_pod_info{", "} - on (namespace, pod) (kube_pod_container_status_waiting_reason{")
    waiting = (*parts, ',reason="CrashLoopBackOff"} or on (namespace, pod) kube_pod_info{', "}))")
    looks = [
        a_look(Query(parts=waiting, labels=(("namespace", name),), is_shared=True), start=11, tiles=1)
        for name in ("ill", "well", "none")
    ]
    ill, well, none = metrics.read(looks)
    assert isinstance(ill, Transient)
    assert "duplicate" in ill.sentence
    assert (well, none) == ((0.0,), (None,))
