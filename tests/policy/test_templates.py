from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.queries import matchers, quote
from bot.domain.rules import Counts, Side
from bot.policy import PolicyError, parse_template, shipped_gate_templates
from bot.policy.templates import (
    Parameter,
    TemplateKind,
    bucket_matcher,
    parameter_words,
    promql_duration,
    read_templates,
)

GATES = Path(__file__).resolve().parents[2] / "policies" / "gates"
GOOD = """\
name: queue-age
title: messages older than $older_than
description: The share of messages that waited too long.
counts: good
parameters:
  older_than: {type: duration, description: a bucket's bound}
  queue: {type: text, default: main, description: the queue}
query: sum by ($key) (increase(age_bucket{$selector,$older_than_bucket,queue=$queue}[$tile]))
total: sum by ($key) (increase(age_count{$selector,queue=$queue}[$tile]))
"""


def faults_of(text: str, *, file: str = "queue.yaml") -> list[str]:
    with pytest.raises(PolicyError) as caught:
        parse_template(text, file=file)
    return [str(fault) for fault in caught.value.faults]


def test_the_shipped_templates_are_found() -> None:
    templates = shipped_gate_templates()
    assert {file.stem for file in GATES.glob("*.yaml")} == set(templates)
    assert templates["http-errors"].counts is Counts.BAD
    assert templates["http-latency"].counts is Counts.GOOD
    assert all(template.description for template in templates.values())


def test_every_shipped_template_but_promql_is_joint() -> None:
    assert {name for name, template in shipped_gate_templates().items() if not template.is_joint} == {"promql"}


_LABEL = re.compile(r"[{,]([a-z_$]+)(?:=~|!=|=)")


@pytest.mark.parametrize("name", sorted(name for name in shipped_gate_templates() if name.endswith("-errors")))
def test_the_total_of_errors_requires_every_label_that_tells_errors(name: str) -> None:
    template = shipped_gate_templates()[name]
    assert template.total is not None
    needed, required = _LABEL.findall(template.query), _LABEL.findall(template.total)
    assert needed
    assert set(needed) == set(required)
    # Of one metric, so that the label of the one is that of the other.
    assert template.query.partition("{")[0] == template.total.partition("{")[0]
    assert '!=""' in template.total


def test_shipped_templates_cannot_be_changed_by_their_reader() -> None:
    with pytest.raises(TypeError):
        shipped_gate_templates()["x"] = parse_template(GOOD, file="x")  # type: ignore[index]  # the point of the test


def test_templates_are_the_yaml_files_of_a_directory(tmp_path: Path) -> None:
    (tmp_path / "queue.yaml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "README.md").write_text("name: [", encoding="utf-8")
    assert set(read_templates(tmp_path)) == {"queue-age"}


def test_a_template_is_read() -> None:
    template = parse_template(GOOD, file="queue.yaml")
    assert [(item.name, item.type, item.default) for item in template.parameters] == [
        ("older_than", "duration", None),
        ("queue", "text", "main"),
    ]


def test_a_parameter_may_have_digits_in_its_name() -> None:
    text = GOOD.replace("older_than", "p99")
    assert parse_template(text, file="queue.yaml").parameters[0].name == "p99"


def test_a_second_template_of_one_name_does_not_replace_the_first(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(GOOD, encoding="utf-8")
    with pytest.raises(PolicyError) as caught:
        read_templates(tmp_path)
    assert str(caught.value) == "b.yaml: found a second queue-age, expected each name once"


def test_a_template_needs_no_parameters() -> None:
    text = "name: a\ntitle: b\ndescription: c\ncounts: bad\nquery: x{$selector}\ntotal: y{$selector}\n"
    assert parse_template(text, file="a.yaml").parameters == ()


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("name: queue-age", "name: Queue", 'queue.yaml:1:7: name: found "Queue", expected a name of a-z, 0-9 and -'),
        ("counts: good", "counts: ugly", 'queue.yaml:4:9: counts: found "ugly", expected bad or good'),
        ("type: text", "type: regex", "parameters.queue.type: found"),
        ("default: main, description: the queue", "default: main", "parameters.queue.description: found nothing"),
        (
            "{type: text, default: main, description: the queue}",
            "main",
            'parameters.queue: found "main", expected a mapping',
        ),
        ("type: text, default: main", "type: metric, default: a-b", 'queue.default: found "a-b", expected a metric'),
        ("[$tile]))\ntotal", "[$tilt]))\ntotal", "query: found $tilt, expected only $"),
        ("than $older_than", "than $p99", "title: found $p99, expected only $older_than, $older_than_bucket, "),
        ("than $older_than", "than 100$", "title: found a $ that begins no name, expected only $older_than"),
        ("name: queue-age", "name: argocd-healthy", 'name: found "argocd-healthy", expected a name of a-z, 0-9 and -'),
        ("older_than:", "limit:", "expected a name of a-z, 0-9 and _, none of selector, key, tile, use, name, "),
        ("queue: {", "Queue: {", 'parameters.Queue: found the parameter "Queue"'),
        ("default: main", "default: [main]", "parameters.queue.default: found a list, expected a text"),
        (
            "queue: {type: text, default: main, description: the queue}",
            "queue:",
            "parameters.queue: found nothing, expected a mapping",
        ),
        ("total: ", "totl: ", "total: found nothing, expected PromQL"),
    ],
)
def test_a_broken_template_names_file_line_and_reason(old: str, new: str, sentence: str) -> None:
    assert old in GOOD
    assert any(sentence in fault for fault in faults_of(GOOD.replace(old, new, 1)))


VALUE = "name: depth\nkind: value\ntitle: t\ndescription: d\nquery: x{$selector}\n"
EVENTS = VALUE.replace("kind: value", "kind: events")


def test_a_value_template_says_its_bound_its_tiles_and_what_is_alive() -> None:
    template = parse_template(f"{VALUE}below: 80%\ntiles: 1 of 2\nalive: up{{$selector}}\n", file="a.yaml")
    assert (template.kind, template.bound, template.side) == (TemplateKind.VALUE, 0.8, Side.BELOW)
    assert (template.tiles, template.alive) == ((1, 2), "up{$selector}")


def test_a_value_template_needs_no_bound() -> None:
    template = parse_template(VALUE, file="a.yaml")
    assert (template.bound, template.tiles, template.alive) == (None, (3, 5), None)


def test_an_events_template_allows_none_unless_it_says_how_many() -> None:
    assert parse_template(EVENTS, file="a.yaml").bound == 0.0
    assert parse_template(f"{EVENTS}at_most: 2\n", file="a.yaml").bound == 2.0


JOINT = VALUE.replace("x{", "sum by ($key) (x{").replace("}", "})")


def shape_of(text: str) -> object:
    """Return what two stages' queries of a template have in common; None where each is asked alone."""
    template = parse_template(text, file="a.yaml")
    words = {"tile": "1m"}
    for parameter in template.parameters:
        words |= parameter_words(parameter, parameter.default or "")
    return template.fill(template.query, words, (("namespace", "one"),), is_count=False).shape


def test_only_a_joint_template_is_asked_for_many_stages_in_one_query() -> None:
    assert shape_of(f"{JOINT}joint: true\n") is not None
    assert shape_of(f"{JOINT}joint: false\n") is None
    assert shape_of(JOINT) is None


def test_a_joint_template_without_the_key_is_asked_for_each_stage_alone() -> None:
    assert shape_of(f"{VALUE}joint: true\n") is None


def test_a_joint_template_with_promql_of_a_policy_is_asked_for_each_stage_alone() -> None:
    # Also where the parameter is not in this query: what a policy brings in promises nothing.
    parameter = "parameters:\n  a: {type: promql, description: d, default: 'sum by ($key) (y{$selector})'}\n"
    assert shape_of(f"{JOINT}joint: true\n{parameter}") is None
    assert shape_of(f"{JOINT.replace('x{$selector}', '$a')}joint: true\n{parameter}") is None


@pytest.mark.parametrize("word", ["yes", "True", "1", "''"])
def test_joint_is_true_or_false(word: str) -> None:
    (fault,) = faults_of(f"{VALUE}joint: {word}\n", file="a.yaml")
    assert fault.startswith("a.yaml:6:8: joint: found ")
    assert fault.partition(";")[0].endswith(", expected true or false")


SHARES = GOOD + "buckets: age_bucket{$selector}\n"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (SHARES.replace("increase(age_bucket{$selector,", "increase(age_bucket{"), "query"),
        (SHARES.replace("age_count{$selector,", "age_count{"), "total"),
        (SHARES.replace("buckets: age_bucket{$selector}", "buckets: age_bucket"), "buckets"),
        (SHARES.replace("buckets: age_bucket{$selector}", 'buckets: age_bucket{a="$$selector"}'), "buckets"),
        (VALUE.replace("{$selector}", " by ($key)"), "query"),
        (f"{VALUE}alive: up\n", "alive"),
        (EVENTS.replace("{$selector}", "[$tile]"), "query"),
        (f"{EVENTS}alive: up\n", "alive"),
    ],
)
def test_every_query_of_a_template_selects_the_series_of_one_stage(text: str, key: str) -> None:
    (fault,) = faults_of(text, file="a.yaml")
    expected = "found no $selector, expected $selector, which selects the series of one stage"
    assert fault.partition(": ")[2] == f"{key}: {expected}"


def test_promql_of_a_policy_stands_for_the_selector() -> None:
    parameter = "parameters:\n  a: {type: promql, description: d}\n"
    for text in (f"{VALUE.replace('x{$selector}', '$a')}{parameter}", f"{VALUE}alive: $a\n{parameter}"):
        assert parse_template(text, file="a.yaml").parameters[0].type == "promql"
    (fault,) = faults_of(f"{VALUE.replace('x{$selector}', '$a')}{parameter.replace('promql', 'metric')}")
    assert "found no $selector" in fault


def test_a_template_without_a_kind_is_a_share() -> None:
    assert parse_template(GOOD, file="a.yaml").kind is TemplateKind.SHARE


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            VALUE.replace("kind: value", "kind: valeu"),
            'a.yaml:2:7: kind: found "valeu", expected share, value or events',
        ),
        (f"{VALUE}above: 1\nbelow: 2\n", "a.yaml:7:8: below: found a second bound, expected above or below"),
        (
            f"{VALUE}above: x\n",
            'a.yaml:6:8: above: found "x", expected a number such as 100, 0.8, 80% or 512Mi',
        ),
        (
            f"{VALUE}tiles: 2\n",
            (
                'a.yaml:6:8: tiles: found "2", '
                "expected how many tiles of how many in a row, such as 3 of 5, at most of 100"
            ),
        ),
        (f"{VALUE}alive: up{{$x}}\n", "a.yaml:6:8: alive: found $x, expected only $key, $selector, $tile"),
        (
            f"{VALUE}total: y\n",
            (
                "a.yaml:6:1: total: found an unknown key, expected one of above, alive, below, description, joint, "
                "kind, name, parameters, query, tiles, title"
            ),
        ),
        (f"{EVENTS}at_most: -1\n", 'a.yaml:6:10: at_most: found "-1", expected a number of events, such as 10'),
        (
            f"{EVENTS}above: 1\n",
            (
                "a.yaml:6:1: above: found an unknown key, expected one of alive, at_most, description, joint, kind, "
                "name, parameters, query, title"
            ),
        ),
        (VALUE.replace("title: t", "title: $selector"), "a.yaml:3:8: title: found $selector, expected only $tile"),
        (
            VALUE.replace("depth", "a" * 64),
            (f'a.yaml:1:7: name: found "{"a" * 59}…", expected a name of a-z, 0-9 and -, other than the built-in ones'),
        ),
        (
            VALUE.replace("depth", "soak"),
            'a.yaml:1:7: name: found "soak", expected a name of a-z, 0-9 and -, other than the built-in ones',
        ),
        (
            (
                f"{VALUE}parameters:\n  a: {{type: duration, description: d}}\n"
                "  a_bucket: {type: text, description: d}\n"
            ),
            (
                "a.yaml:8:13: parameters.a_bucket: found a second $a_bucket, "
                "expected a name that no other parameter fills in"
            ),
        ),
    ],
)
def test_a_fault_of_a_template_of_another_kind_reads(text: str, sentence: str) -> None:
    (fault,) = faults_of(text, file="a.yaml")
    assert fault.partition("; did you mean")[0] == sentence


@pytest.mark.parametrize(
    ("kind", "default"),
    [("promql", "a{$x}"), ("promql", "' '"), ("label", "a-b"), ("duration", "0s")],
)
def test_a_default_is_of_its_type(kind: str, default: str) -> None:
    text = f"{VALUE}parameters:\n  a: {{type: {kind}, description: d, default: '{default.strip(chr(39))}'}}\n"
    (fault,) = faults_of(text, file="a.yaml")
    assert f"expected a {kind}" in fault


def test_a_template_is_a_mapping() -> None:
    assert faults_of("[]") == ["queue.yaml:1:1: found a list, expected a mapping"]


@pytest.mark.parametrize(
    ("threshold", "matcher"),
    [
        (timedelta(milliseconds=500), 'le="0.5"'),
        (timedelta(milliseconds=5), 'le="0.005"'),
        (timedelta(milliseconds=2500), 'le="2.5"'),
        (timedelta(milliseconds=1_234_567), 'le="1234.567"'),
        (timedelta(seconds=1), r'le=~"1|1\\.0"'),
        (timedelta(seconds=10), r'le=~"10|10\\.0"'),
    ],
)
def test_a_bucket_is_matched_as_client_libraries_write_it(threshold: timedelta, matcher: str) -> None:
    assert bucket_matcher(threshold) == matcher


def test_a_bucket_of_milliseconds_is_matched_as_proxies_write_it() -> None:
    words = parameter_words(Parameter(name="slower_than", type="duration", description=""), "2500ms")
    assert words["slower_than_bucket_ms"] == r'le=~"2500|2500\\.0"'
    assert words["slower_than_bucket"] == 'le="2.5"'


@pytest.mark.parametrize(
    ("duration", "written"),
    [
        (timedelta(hours=2), "2h"),
        (timedelta(minutes=90), "90m"),
        (timedelta(seconds=90), "90s"),
        (timedelta(milliseconds=1500), "1500ms"),
    ],
)
def test_durations_are_written_for_promql(duration: timedelta, written: str) -> None:
    assert promql_duration(duration) == written


def test_selectors_do_not_depend_on_the_order_of_labels() -> None:
    assert matchers({"b": "2", "a": "1"}) == matchers({"a": "1", "b": "2"}) == 'a="1",b="2"'


def test_quotes_backslashes_and_line_breaks_stay_inside_a_promql_string() -> None:
    assert quote('a"b\\c\nd') == r'"a\"b\\c\nd"'
