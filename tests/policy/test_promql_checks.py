"""Queries of policies and of own templates are checked with their places filled, at the very character."""

from __future__ import annotations

import pytest

from bot.policy import GateTemplates, parse_template, shipped_gate_templates
from bot.policy.findings import Finding, Severity
from bot.policy.promql_checks import Lines, check_entries, check_template
from bot.policy.tree import read_tree
from tests.policy.a_rule import HEAD, SHARE, TEMPLATES, with_gate, with_trigger

TYPED = """\
name: typed
kind: value
title: t
description: d
above: 1
parameters:
  series: {type: promql, description: a range of a gauge}
  of: {type: text, default: x, description: a regular expression}
  counter: {type: metric, default: x_total, description: a counter}
  label: {type: label, default: code, description: a label}
  bound: {type: duration, default: 500ms, description: a bound}
query: max by ($key) (rate($series)) + max by ($key) (y{$selector,z=~$of})
alive: count(${counter}_x{$selector,$label="$$",$bound_bucket} offset ${bound}) / $bound_seconds > bool $tile
"""


def in_policy(text: str, *, templates: GateTemplates = TEMPLATES) -> list[Finding]:
    tree = read_tree(text, file="a.yaml", faults=[])
    return list(check_entries(tree, templates, Lines(of={"a.yaml": text.splitlines()})))


def in_template(text: str) -> list[Finding]:
    template = parse_template(text, file="jobs.yaml")
    tree = read_tree(text, file="jobs.yaml", faults=[])
    return list(check_template(tree, template, Lines(of={"jobs.yaml": text.splitlines()})))


def said(findings: list[Finding]) -> list[str]:
    return [f"{finding.rule}: {finding.fault}" for finding in findings]


# --- policies ---


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        (
            "'sum(a{$selector}[$tile]))'",
            (
                "13:65: stages[0].gates[1].query: found a query that goes wrong at character 25: unexpected right "
                "parenthesis ')', expected PromQL"
            ),
        ),
        (
            '"max_over_tiem(a{$selector}[${tile}])"',
            (
                "13:41: stages[0].gates[1].query: found a query that goes wrong at character 1: an unknown function "
                'max_over_tiem, expected PromQL; did you mean "max_over_time"?'
            ),
        ),
        (
            "'sum by ($key) (a{$selector}'",
            (
                "13:68: stages[0].gates[1].query: found a query that goes wrong at its end: unclosed left parenthesis, "
                "expected PromQL"
            ),
        ),
        (
            "'topk() + a{$selector}'",
            (
                "13:40: stages[0].gates[1].query: found a query that goes wrong: no arguments for aggregate expression "
                "'topk' provided, expected PromQL"
            ),
        ),
    ],
)
def test_promql_of_a_policy_is_checked_at_its_character(query: str, sentence: str) -> None:
    (finding,) = in_policy(with_gate(f"{{use: promql, above: 1, query: {query}}}"))
    assert str(finding.fault) == f"a.yaml:{sentence}"
    assert (finding.rule, finding.severity) == ("promql", Severity.FAULT)


def test_triggers_are_checked_as_gates_are() -> None:
    (finding,) = in_policy(with_trigger("{use: promql, above: 1, query: sum(}"))
    assert finding.fault.path == "stages[1].rollback.triggers[1].query"


def test_what_victoriametrics_may_take_is_a_warning() -> None:
    (finding,) = in_policy(with_gate("{use: promql, above: 1, query: 'a{$selector} default 0'}"))
    assert (finding.rule, finding.severity) == ("promql-dialect", Severity.WARNING)
    assert finding.fault.expected == "PromQL, unless it is meant for VictoriaMetrics"


def test_a_text_that_is_no_regular_expression_is_found_in_the_query_it_stands_in() -> None:
    (finding,) = in_policy(with_gate("{use: http-errors, limit: 1%, errors: '5(('}"))
    assert str(finding.fault) == (
        "a.yaml:13:47: stages[0].gates[1].errors: found a query that goes wrong: illegal regex for 5((, expected PromQL"
    )


def test_what_is_wrong_with_a_query_as_a_whole_is_said_of_the_entry() -> None:
    templates = {"typed": parse_template(TYPED, file="typed.yaml")}
    (finding,) = in_policy(with_gate("{use: typed, series: 'a{$selector}'}"), templates=templates)
    assert (finding.fault.path, finding.fault.line, finding.fault.column) == ("stages[0].gates[1]", 13, 9)
    assert finding.severity is Severity.WARNING
    assert in_policy(with_gate("{use: typed, series: 'a{$selector}[$tile]'}"), templates=templates) == []


@pytest.mark.parametrize(
    "entry",
    [
        "{use: promql, above: 1}",
        "{use: promql, above: 1, query: {a: b}}",
        "{use: http-latency, limit: 1%, slower_than: soon}",
        "{use: nothing, limit: 1%}",
        "{limit: 1%}",
        "{use: argocd-healthy}",
        "[a]",
        "a",
        "{use: http-errors, limit: 1%, errors: '5..|4\\d\\d'}",
    ],
)
def test_what_is_told_elsewhere_and_what_is_right_is_not_told_here(entry: str) -> None:
    assert in_policy(with_gate(entry)) == []


@pytest.mark.parametrize(
    "text", ["a", "[a]", "stages: a", "stages: [a, {gates: a, rollback: a}, {rollback: {}}]", HEAD]
)
def test_a_policy_without_queries_has_nothing_to_check(text: str) -> None:
    assert in_policy(text) == []


def test_a_fault_of_a_template_is_told_in_its_own_file_only() -> None:
    broken = parse_template(
        SHARE.replace("sum by ($key) (increase(jobs_total", "sum (($key) (jobs_total"), file="a.yaml"
    )
    assert in_policy(with_gate("{use: jobs, limit: 1%}"), templates={"jobs": broken}) == []


# --- templates ---


@pytest.mark.parametrize("text", [SHARE, TYPED])
def test_the_queries_of_a_right_template_are_right(text: str) -> None:
    assert in_template(text) == []


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "queue=$queue}[$tile]))\ntotal",
            "queue=$queue}[$tile])))\ntotal",
            (
                "promql: jobs.yaml:8:82: query: found a query that goes wrong at character 75: unexpected right "
                "parenthesis ')', expected PromQL"
            ),
        ),
        (
            "total: sum by ($key) (increase(jobs_total{$selector,queue=$queue}[$tile]))",
            "total: |\n  sum by ($key) (\n    increase(jobs_total{$selector,queue==$queue}[$tile]))",
            (
                "promql: jobs.yaml:11:41: total: found a query that goes wrong at character 55: unexpected '=' in "
                "label matching, expected string, expected PromQL"
            ),
        ),
        (
            "total: sum by ($key) (increase(jobs_total{",
            "total: sum by ($key) ((increase(jobs_total{",
            (
                "promql: jobs.yaml:9:76: total: found a query that goes wrong at its end: unclosed left parenthesis, "
                "expected PromQL"
            ),
        ),
        (
            "total: sum by",
            "buckets: lag(x{$selector})\ntotal: sum by",
            (
                "promql-dialect: jobs.yaml:9:10: buckets: found a query that goes wrong at character 1: an unknown "
                "function lag, expected PromQL, unless it is meant for VictoriaMetrics"
            ),
        ),
    ],
)
def test_a_fault_of_a_template_is_found_at_its_character(old: str, new: str, sentence: str) -> None:
    assert old in SHARE
    assert said(in_template(SHARE.replace(old, new))) == [sentence]


def test_every_shipped_template_is_right_with_whatever_parameters() -> None:
    samples = {
        "metric": "a_metric",
        "label": "a_label",
        "duration": "500ms",
        "promql": "max(a{$selector})",
        "text": "x",
    }
    ways = {"share": "limit: 1%", "value": "above: 1", "events": "at_most: 1"}
    for template in shipped_gate_templates().values():
        options = [f"{item.name}: '{samples[item.type]}'" for item in template.parameters]
        entry = f"{{use: {', '.join([template.name, ways[template.kind], *options])}}}"
        assert in_policy(with_gate(entry)) == [], template.name
