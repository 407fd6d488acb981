"""Whatever a policy writes into a parameter, a query keeps the shape that its template gave it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.queries import Query, quote
from bot.domain.rules import CountGate, ValueGate
from bot.policy import parse_policy, parse_template
from bot.policy.templates import GateTemplate, parameter_words
from tests.policy.a_rule import SHARE, TEMPLATES, gate, the_fault, with_gate

_LITERAL = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_UNQUOTE = {"n": "\n", "\\": "\\", '"': '"'}
HOSTILE = [
    "$selector",
    "$key",
    "$tile",
    "$$",
    "${selector}",
    "$queue",
    'a"b',
    "a\\",
    '\\"',
    'x"}) or vector(0) or (y{z="',
    "a\nb",
    "# a comment",
    "`a`",
    "'a'",
]


def unquoted(literal: str) -> str:
    return re.sub(r"\\(.)", lambda found: _UNQUOTE[found[1]], literal[1:-1])


def skeleton(query: str) -> str:
    """Return a query with every string literal emptied."""
    return _LITERAL.sub('""', query)


def filled(template: GateTemplate, **texts: str) -> Query:
    words = {"tile": "1m"}
    for parameter in template.parameters:
        words |= parameter_words(parameter, texts.get(parameter.name, parameter.default or ""))
    return template.fill(template.query, words, (("namespace", "one"),), is_count=True)


def yaml(text: str) -> str:
    """Return a text as YAML's double quotes have it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_stays_a_quoted_literal_as_it_is(text: str) -> None:
    query = gate(f"{{use: jobs, limit: 1%, queue: {yaml(text)}}}", CountGate).query
    assert query.parts == ("sum by (namespace) (increase(jobs_failed_total{", f",queue={quote(text)}}}[1m]))")
    last = _LITERAL.findall(query.text)[-1]
    assert unquoted(last) == text


@pytest.mark.parametrize("text", HOSTILE)
def test_a_label_s_value_stays_a_quoted_literal_as_it_is(text: str) -> None:
    query = gate(f"{{use: jobs, limit: 1%, labels: {{app: {yaml(text)}}}}}", CountGate).query
    assert query.text == (
        f'sum by (app, namespace) (increase(jobs_failed_total{{app={quote(text)},namespace="one",queue="main"}}[1m]))'
    )


def test_label_values_cannot_leave_their_quotes() -> None:
    labels = "metrics: {namespace: 'a\"} or vector(0) or b{c=\"', path: 'a\\b', pod: \"x\\ny\"}"
    text = with_gate("{use: http-errors, limit: 1%}").replace("metrics: {namespace: one}", labels, 1)
    found = parse_policy(text, file="a.yaml", templates=TEMPLATES).stages[0].gates[1]
    assert isinstance(found, CountGate)
    assert r'{namespace="a\"} or vector(0) or b{c=\"",path="a\\b",pod="x\ny",code=~"5.."}' in found.query.text
    assert "sum by (namespace, path, pod)" in found.query.text


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_with_a_dollar_stays_in_the_title_as_it_is(text: str) -> None:
    found = gate(f"{{use: jobs, limit: 1%, queue: {yaml(text)}}}", CountGate)
    assert found.title == f"failed jobs of {text} below 1 %"


@pytest.mark.parametrize(
    "text",
    ["a\x00b", "a\x1bb", "a\u202eb", "a\u200bb", "a\x7fb"],
    ids=["nul", "escape", "bidi", "zero-width", "delete"],
)
def test_a_text_that_hides_something_is_refused(text: str) -> None:
    escaped = "".join(f"\\u{ord(character):04x}" for character in text)
    fault = the_fault(with_gate(f'{{use: jobs, limit: 1%, queue: "{escaped}"}}'))
    assert "queue: found" in fault
    assert "with control or invisible characters, expected a text: the queue" in fault


TEXTS = st.text(st.characters(exclude_characters="\0"))
"""The parser refuses U+0000, which stands for the label matchers while a query is filled in."""


@settings(max_examples=300, deadline=None)
@given(TEXTS, TEXTS)
def test_any_two_texts_fill_in_queries_that_differ_only_inside_string_literals(one: str, two: str) -> None:
    template = TEMPLATES["jobs"]
    first, second = filled(template, queue=one).text, filled(template, queue=two).text
    assert skeleton(first) == skeleton(second)
    assert unquoted(_LITERAL.findall(first)[-1]) == one


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(TEMPLATES)), TEXTS)
def test_no_text_parameter_of_a_shipped_template_changes_the_shape_of_a_query(name: str, text: str) -> None:
    template = TEMPLATES[name]
    samples = {"metric": "a_metric", "label": "a_label", "duration": "500ms", "promql": "up{$selector}"}
    usual = {item.name: samples.get(item.type, "x") for item in template.parameters}
    changed = {item.name: text if item.type == "text" else usual[item.name] for item in template.parameters}
    assert skeleton(filled(template, **usual).text) == skeleton(filled(template, **changed).text)


# --- promql ---


def test_promql_is_taken_as_it_is_with_the_places_that_every_query_has() -> None:
    entry = "{use: promql, above: 1, query: 'max by ($key) (max_over_time(a{$selector}[${tile}]))', called: depth}"
    found = gate(entry, ValueGate)
    assert found.title == "depth not above 1"
    assert found.query == Query(
        parts=("(max by (namespace) (max_over_time(a{", "}[1m]))\n)"),
        labels=(("namespace", "one"),),
        is_count=False,
    )


@pytest.mark.parametrize("query", ["sum(a{$selector})", "sum by ($key) (a{$selector})"])
def test_promql_of_a_policy_is_never_asked_for_several_stages_at_once(query: str) -> None:
    assert gate(f"{{use: promql, above: 1, query: '{query}'}}", ValueGate).query.shape is None


def test_promql_need_not_be_about_a_stage() -> None:
    assert gate("{use: promql, above: 1, query: vector(1)}", ValueGate).query == Query(
        parts=("(vector(1)\n)",), labels=(("namespace", "one"),), is_count=False
    )


@pytest.mark.parametrize("comment", ["# not above 1", "# )", "#"])
def test_a_comment_at_the_end_of_promql_does_not_take_the_parenthesis(comment: str) -> None:
    found = gate(f"{{use: promql, above: 1, query: 'max(a{{$selector}}) {comment}'}}", ValueGate)
    assert found.query.text == f'(max(a{{namespace="one"}}) {comment}\n)'


def test_two_dollars_are_one_in_promql() -> None:
    found = gate("{use: promql, above: 1, query: 'sum(a{$selector,b=~\"x$$\"})'}", ValueGate)
    assert found.query.text == '(sum(a{namespace="one",b=~"x$"})\n)'


@pytest.mark.parametrize("query", ["a{$called}", "a{$labels}", "a{b=~'x$'}", "''", "' '", "$1", "a{$query}", "${"])
def test_promql_with_any_other_place_is_refused(query: str) -> None:
    text = query if query.startswith("'") else yaml(query)
    assert "query: found " in the_fault(with_gate(f"{{use: promql, above: 1, query: {text}}}"))


@pytest.mark.parametrize("name", ["selector", "key", "tile", "use", "limit", "against", "hard", "at_most", "absent"])
def test_a_parameter_never_takes_the_name_of_something_else(name: str) -> None:
    text = SHARE.replace("queue: {", f"{name}: {{").replace("$queue", f"${name}")
    with pytest.raises(Exception, match=f'found the parameter "{name}", expected a name of a-z, 0-9 and _, none of'):
        parse_template(text, file="jobs.yaml")
