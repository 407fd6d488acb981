from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.policy import Counts
from bot.policy import PolicyError, parse_template, shipped_gate_templates
from bot.policy.templates import (
    Parameter,
    bucket_matcher,
    parameter_words,
    promql_duration,
    quote,
    read_templates,
    selector,
)

GATES = Path(__file__).resolve().parents[2] / "policies" / "gates"
GOOD = """\
name: queue-age
title: messages older than $older_than below $limit
description: The share of messages that waited too long.
counts: good
parameters:
  older_than: {type: duration, description: a bucket's bound}
  queue: {type: text, default: main, description: the queue}
query: sum by ($key) (increase(age_bucket{$selector,$older_than_bucket,queue=$queue}[$tile]))
total: sum by ($key) (increase(age_count{$selector,queue=$queue}[$tile]))
"""


def faults_of(text: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        parse_template(text, file="queue.yaml")
    return [str(fault) for fault in caught.value.faults]


def test_the_shipped_templates_are_found() -> None:
    templates = shipped_gate_templates()
    assert {file.stem for file in GATES.glob("*.yaml")} == set(templates)
    assert templates["http-errors"].counts is Counts.BAD
    assert templates["http-latency"].counts is Counts.GOOD
    assert all(template.description for template in templates.values())


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
    text = "name: a\ntitle: b\ndescription: c\ncounts: bad\nquery: x\ntotal: y\n"
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
        ("$older_than below", "$p99 below", "title: found $p99, expected only $key, $limit, $older_than, "),
        ("$older_than below", "100$ below", "title: found a $ that begins no name, expected only $key"),
        ("name: queue-age", "name: argocd-healthy", 'name: found "argocd-healthy", expected a name of a-z, 0-9 and -'),
        ("older_than:", "limit:", "expected a name of a-z, 0-9 and _, none of selector, key, tile, limit, use, name"),
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
    assert selector({"b": "2", "a": "1"}) == selector({"a": "1", "b": "2"}) == 'a="1",b="2"'


def test_quotes_backslashes_and_line_breaks_stay_inside_a_promql_string() -> None:
    assert quote('a"b\\c\nd') == r'"a\"b\\c\nd"'
