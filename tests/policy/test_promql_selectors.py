"""The selectors of a query are found wherever they stand in it, and each is PromQL of its own."""

from __future__ import annotations

import promql_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.policy.promql_selectors import LabelMatcher, Selector, selectors_of


@pytest.mark.parametrize(
    ("query", "selectors"),
    [
        ("up", ["up"]),
        ('up{job="a"}', ['up{job="a"}']),
        ('sum by (job) (increase(a_total{job="a",code=~"5.."}[1m]))', ['a_total{job="a",code=~"5.."}']),
        ('a{x!="1"} / on (job) -b{x!~"2"} > bool 3', ['a{x!="1"}', 'b{x!~"2"}']),
        ("max_over_time((rate(a[1m]))[1h:1m]) + (b offset 5m)", ["a", "b"]),
        ("topk(scalar(many), a)", ["a", "many"]),
        ("histogram_quantile(0.9, sum by (le) (a_bucket))", ["a_bucket"]),
        ("a + a", ["a"]),
        ('{__name__="a",job="b"}', ['a{job="b"}']),
        ('{job=~"b.*"}', ['{__name__=~".+",job=~"b.*"}']),
        ('{__name__=~"a.*"}', ['{__name__=~".+",__name__=~"a.*"}']),
        ('{job="b"}', ['{job="b"}']),
        ("1 + time()", []),
        ('a{job="b" or job="c"}', []),
        ("sum(a", []),
        ("a default 1", []),
    ],
)
def test_selectors_are_found_each_once(query: str, selectors: list[str]) -> None:
    assert [one.text for one in selectors_of(query)] == selectors


def test_a_selector_without_one_of_its_conditions_keeps_the_others() -> None:
    job, code = (LabelMatcher(label=label, operator="=", value="x") for label in ("job", "code"))
    selector = Selector(metric="a", matchers=(job, code))
    assert selector.without(job).text == 'a{code="x"}'
    assert selector.without(job).without(code).text == "a"
    assert Selector(metric="").text == '{__name__=~".+"}'


@given(st.text(min_size=1), st.sampled_from(["=", "!="]))
def test_any_value_of_a_label_comes_back_as_it_went_in(value: str, operator: str) -> None:
    selector = Selector(metric="a", matchers=(LabelMatcher(label="b", operator=operator, value=value),))
    promql_parser.parse(selector.text)
    assert selectors_of(selector.text) == (selector,)
