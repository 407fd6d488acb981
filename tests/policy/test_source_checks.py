"""What policies ask of data sources that these settings do not answer is warned of, where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from bot.domain.tenancy import Tenancy, Tenant
from bot.policy import parse_policy
from bot.policy.checking import Measures, check_policies
from bot.policy.findings import RULES
from bot.policy.source_checks import check_sources
from bot.policy.tree import read_tree
from tests.policy.a_rule import HEAD, TEMPLATES, with_gate, with_trigger
from tests.policy.test_cautions import SCRAPE

FREE = Tenancy()
JOBS = "{use: jobs, limit: 1%}"


def warnings(text: str, **tenancies: Tenancy) -> list[str]:
    policy = parse_policy(text, file="a.yaml", templates=TEMPLATES)
    tree = read_tree(text, file="a.yaml", faults=[])
    found = [caution.at(tree) for caution in check_sources(policy, tree, {"prometheus": FREE, **tenancies})]
    assert all(one.rule in RULES for one in found)
    return [f"{one.rule}: {one.fault}" for one in sorted(set(found))]


def forced(**labels: str) -> Tenancy:
    return Tenancy(always=tuple(labels.items()))


def test_nothing_is_said_where_nothing_is_forced() -> None:
    assert warnings(with_gate(JOBS)) == []
    assert warnings(with_trigger("{use: depth, above: 1, metrics_from: kafka}"), kafka=FREE) == []


def test_a_source_that_the_settings_do_not_name_is_warned_of_where_it_stands() -> None:
    expected = 'one of kafka, prometheus; did you mean "kafka"?: the settings name no other, so the gate cannot tell'
    assert warnings(with_gate("{use: depth, above: 1, metrics_from: kafak}"), kafka=FREE) == [
        f'unknown-source: a.yaml:13:46: stages[0].gates[1].metrics_from: found "kafak", expected {expected}'
    ]
    (first, *others) = warnings(
        HEAD.replace("    argocd: one\n", "    argocd: one\n    metrics_from: us\n"), kafka=FREE
    )
    assert first.startswith('unknown-source: a.yaml:9:19: stages[0].metrics_from: found "us", expected one of kafka, ')
    assert others == []


def test_a_baseline_s_source_that_is_unknown_is_told_at_the_rule() -> None:
    later = (
        "  - {name: two, from: one, edit: {kustomize: two}, argocd: two, metrics: {namespace: two}, metrics_from: us}\n"
    )
    text = HEAD + "      - {use: jobs, against: two}\n" + later
    (said,) = warnings(text)
    assert said.startswith('unknown-source: a.yaml:13:9: stages[0].gates[1]: found "us", expected one of prometheus: ')


def test_a_service_that_no_tenant_names_is_warned_of_once() -> None:
    tenancy = Tenancy(tenants=(Tenant(services=("shop-*",), matchers=(("team", "shop"),)),))
    assert warnings(with_gate(JOBS), prometheus=tenancy) == [
        (
            'no-tenant: a.yaml:2:10: service: found "a", expected a service that a tenant of prometheus names '
            "in the settings: no query for this one is sent"
        )
    ]


@pytest.mark.parametrize(
    ("entry", "place"),
    [
        (JOBS, "a.yaml:9:26: stages[0].metrics.namespace"),
        ("{use: jobs, limit: 1%, labels: {namespace: one}}", "a.yaml:13:52: stages[0].gates[1].labels.namespace"),
    ],
    ids=["of the stage", "of the entry"],
)
def test_a_label_that_contradicts_a_forced_one_is_warned_of_where_it_stands(entry: str, place: str) -> None:
    assert warnings(with_gate(entry), prometheus=forced(namespace="{service}-*")) == [
        (
            f'forced-label: {place}: found namespace "one", expected namespace=~"a-.*", '
            "which the settings force at prometheus: no series has both"
        )
    ]


def test_the_labels_of_a_baseline_are_looked_at_too() -> None:
    entry = "{use: jobs, against: {labels: {namespace: other}}}"
    (said,) = warnings(with_gate(entry), prometheus=forced(namespace="one"))
    assert said.startswith(
        'forced-label: a.yaml:13:9: stages[0].gates[1]: found namespace "other", expected namespace="'
    )


@pytest.mark.parametrize(
    "labels", [{"namespace": "one"}, {"namespace": "o*"}, {"cluster": "eu"}], ids=["equal", "allowed", "another"]
)
def test_a_label_that_goes_together_with_the_forced_ones_is_warned_of_nothing(labels: Mapping[str, str]) -> None:
    assert warnings(with_gate(JOBS), prometheus=forced(**labels)) == []


def test_nobody_knows_the_tag_before_it_runs() -> None:
    entry = "{use: jobs, limit: 1%, labels: {version: $tag}}"
    assert warnings(with_gate(entry), prometheus=forced(version="v*")) == []


def test_a_query_into_which_no_label_can_be_put_is_warned_of() -> None:
    entry = "{use: promql, query: 'info(x{$selector})', above: 1}"
    assert warnings(with_gate(entry), prometheus=forced(team="a")) == [
        (
            "not-forced: a.yaml:13:9: stages[0].gates[1]: found a query that calls info(), which reads series that no "
            "selector names, expected one in which the labels can be forced that the settings want at prometheus: "
            "it is not sent"
        )
    ]


def test_the_check_of_files_warns_only_where_it_knows_the_settings(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(with_gate("{use: kafka-lag, above: 1, metrics_from: us}"))
    for tenancies, found in ((None, 0), ({"prometheus": FREE}, 1), ({"prometheus": FREE, "us": FREE}, 0)):
        checked = check_policies([tmp_path], TEMPLATES, measures=Measures(scrape=SCRAPE, tenancies=tenancies))
        assert [one.rule for one in checked.findings] == ["unknown-source"] * found
