"""One query is judged: what is wrong, where, which function was meant, and what VictoriaMetrics may take."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.policy.promql import Flaw, judge_promql
from bot.policy.promql_names import METRICSQL, PROMQL

UNCHECKED = Flaw(
    reason="more than 250 brackets and operators, 1,000 words or 16,384 characters: it was not checked",
    is_certain=False,
)


@pytest.mark.parametrize(
    "query",
    [
        'sum by (a) (increase(requests_total{a="b",code=~"5.."}[1m]))',
        "max(a) # what for",
        'a{b="c\\"d"} and on () b offset 5m',
        "quantile_over_time(0.9, a[5m:1m] @ end())",
        "1h",
    ],
)
def test_promql_is_right(query: str) -> None:
    assert judge_promql(query) is None


# promtool names the same characters, but for a bracket too many (one later) and a wrong pattern (its label).
@pytest.mark.parametrize(
    ("query", "at", "reason"),
    [
        ("rate(a[5m]) b", 12, "a syntax error"),
        ("sum by foo (a)", 7, "a syntax error"),
        ("sum(a) by", 9, "a syntax error"),
        ("a +", 3, "a syntax error"),
        ("a + # more\n", 3, "a syntax error"),
        ("a offset x", 9, "a syntax error"),
        ("sum without (a b) (c)", 15, "a syntax error"),
        ("a = b", 2, "a syntax error"),
        ('a{b=="c"}', 4, "unexpected '=' in label matching, expected string"),
        ("a == )", 5, "unexpected right parenthesis ')'"),
        ("* a", 0, "a syntax error"),
        ('a{b="c"', 7, "unexpected end of input inside braces"),
        ("a{b=c}", 4, "unexpected identifier 'c' in label matching, expected string"),
        ("a[5m", 4, "unexpected end of input inside brackets"),
        ("sum(rate(a[5m])", 15, "unclosed left parenthesis"),
        ("sum(a))", 6, "unexpected right parenthesis ')'"),
        ('a{b="c}', 4, 'unterminated quoted string "'),
        ("é", 0, "unexpected character: 'é'"),
        ('a{b=~"("}', 5, "illegal regex for ("),
        ("a[5x]", 2, "bad number or duration syntax: 5x"),
        ("histogram_quantile(a)", 0, "expected 2 argument(s) in call to 'histogram_quantile', got 1"),
        ("topk()", None, "no arguments for aggregate expression 'topk' provided"),
        ("round() + round(a, b)", None, "expected at least 1 argument(s) in call to 'round', got 0"),
        ("", None, "no expression found in input"),
        ("# nothing", None, "no expression found in input"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(query: str, at: int | None, reason: str) -> None:
    assert judge_promql(query) == Flaw(reason=reason, at=at)


@pytest.mark.parametrize(
    ("query", "at", "near"),
    [
        ("max(max_over_tiem(a[1m]))", 4, "max_over_time"),
        ("rte(a[1m])", 0, "rate"),
        ("zzz + zzz(a)", 6, ""),
    ],
)
def test_an_unknown_function_is_named_and_the_one_that_is_near(query: str, at: int, near: str) -> None:
    flaw = judge_promql(query)
    assert flaw is not None
    assert (flaw.at, flaw.near, flaw.is_certain) == (at, near, True)
    assert flaw.reason.startswith("an unknown function ")


@pytest.mark.parametrize(
    "query",
    [
        "a default 0",
        "WITH (x = 1) x",
        "a if b",
        "sum(a) limit 5",
        "rate(a) keep_metric_names",
        "rate(a)",
        "median_over_time(a[5m])",
        "Rate(a[5m])",
        "a[3i]",
        "1.5Ki",
        "0b101",
        "a[1.5m]",
        "sum(a, b)",
        'histogram_quantile(0.9, a, "x")',
        "a and 1",
        '{a=~".*"}',
        "sum(a[1m])",
        "sum(a,)",
        "foo\\-bar",
    ],
)
def test_what_victoriametrics_takes_is_never_called_wrong_for_certain(query: str) -> None:
    flaw = judge_promql(query)
    assert flaw is not None
    assert not flaw.is_certain


@pytest.mark.parametrize("query", ["(" * 5000 + "a" + ")" * 5000, "-" * 100_000 + "a", "a+" * 20_000 + "a", "a^" * 300])
def test_what_the_parser_would_die_of_is_not_given_to_it(query: str) -> None:
    assert judge_promql(query) == UNCHECKED


@pytest.mark.parametrize(
    "query",
    [f"a{' AND a' * 251}", f"a{' or a' * 6000}", f"a{' atan2 a' * 251}", "a " * 1001, f'a{{b="{"c" * 16_384}"}}'],
)
def test_a_chain_of_operators_that_are_words_is_not_given_to_the_parser_and_nothing_endless_is(query: str) -> None:
    assert judge_promql(query) == UNCHECKED


def test_of_a_syntax_error_among_very_many_words_no_place_is_looked_for() -> None:
    assert judge_promql("a " * 200) == Flaw(reason="a syntax error", at=2)
    assert judge_promql("a " * 201) == Flaw(reason="a syntax error")


def test_a_query_of_just_so_many_operators_is_checked() -> None:
    assert judge_promql("-" * 250 + "a") is None
    assert judge_promql(f"a{' and a' * 250}") is None
    assert judge_promql("a{" + ",".join(['b="c(((-"'] * 124) + "}") is None


def test_the_parser_knows_all_functions_of_promql_and_none_that_only_metricsql_has() -> None:
    def is_known(name: str) -> bool:
        flaw = judge_promql(f"{name}(a)")
        return flaw is None or "unknown function" not in flaw.reason

    assert [name for name in sorted(PROMQL) if not is_known(name)] == []
    assert [name for name in sorted(METRICSQL) if is_known(name)] == []


_PARTS = st.sampled_from(
    ["a", "b{", "}", "(", ")", "[", "]", "5m", ":", "sum", "by", "rate", '"x"', '"', "\\", "=", "=~", ",", "-", "^",
     "and", "offset", "@", "end()", "1", "0x", "é", "\u2028", "\x00", "#", "\n", "bool", "group_left", "😀", "'", "`",
     "$", "1i", "999999999999y", '"\\u12"', '"\\U00110000"', "\ud800"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(_PARTS, max_size=12).map("".join)))
def test_any_text_is_judged_and_a_place_lies_within_it(query: str) -> None:
    flaw = judge_promql(query)
    if flaw is not None:
        assert flaw.reason
        assert "\n" not in flaw.reason
        assert flaw.at is None or 0 <= flaw.at <= len(query)
