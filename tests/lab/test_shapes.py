from __future__ import annotations

from datetime import timedelta

import pytest

from bot.lab.shapes import Matcher, UnknownShape, parse_duration, parse_query


def test_a_gates_query_is_understood_whole() -> None:
    query = parse_query('sum by (namespace, version) (increase(http_requests_total{namespace="a",code=~"5.."}[1m30s]))')
    assert query.metric == "http_requests_total"
    assert query.by == ("namespace", "version")
    assert query.window == timedelta(seconds=90)
    assert query.matchers == (
        Matcher(label="namespace", operator="=", value="a"),
        Matcher(label="code", operator="=~", value="5.."),
    )


@pytest.mark.parametrize(
    "text",
    [
        "sum(increase(up[30s]))",
        " sum  by() ( increase ( up { } [ 30s ] ) ) ",
        "sum(increase(up[30s])) by (a)",
        "sum by (a,) (increase(up{b='x',}[30s]))",
        'sum(increase(up{path=~"/a{2}|}",x!="]",y!~`\\d`}[30s]))',
        "sum by (namespace)\n(\n  increase(up[30s])\n)",
    ],
)
def test_spelling_variants_are_understood(text: str) -> None:
    assert parse_query(text).metric == "up"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "up",
        "increase(up[30s])",
        "sum(rate(up[30s]))",
        "sum by (a) (increase(up[30s])) by (b)",
        "sum without (a) (increase(up[30s]))",
        "sum(increase(up[30s])) / sum(increase(up[30s]))",
        "sum(increase(up[30s] offset 1m))",
        "sum(increase(up[1m:5s]))",
        "sum(increase(up[30s])) > 0",
        "sum(increase(up[0s]))",
        "sum(increase(up[soon]))",
        "sum(increase(up{a}[30s]))",
        'sum(increase(up{a="1" b="2"}[30s]))',
        'sum(increase(up{a=~"("}[30s]))',
        'sum(increase(up{a="\\d"}[30s]))',
        "histogram_quantile(0.99, sum by (le) (increase(up[30s])))",
    ],
)
def test_everything_else_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(UnknownShape, match=r"cannot|not a" "|unknown escape"):
        parse_query(text)


# operator, value, the label's value (None: absent), accepted?
@pytest.mark.parametrize(
    ("operator", "value", "found", "accepted"),
    [
        ("=", "a", "a", True),
        ("=", "a", "ab", False),
        ("=", "", None, True),
        ("!=", "a", None, True),
        ("!=", "a", "a", False),
        ("=~", "5..", "503", True),
        ("=~", "5..", "5034", False),
        ("=~", "a|b", "b", True),
        ("=~", "a|b", "xb", False),
        ("=~", ".+", None, False),
        ("!~", "5..", "503", False),
        ("!~", "5..", None, True),
    ],
)
def test_matchers_follow_prometheus(operator: str, value: str, found: str | None, accepted: bool) -> None:
    query = parse_query(f'sum(increase(up{{code{operator}"{value}"}}[1s]))')
    assert query.accepts({} if found is None else {"code": found}) is accepted


@pytest.mark.parametrize(
    ("text", "expected"),
    [("4s", 4), ("1m", 60), ("1m30s", 90), ("1h30m", 5400), ("500ms", 0.5), ("1d", 86_400), ("1w", 604_800)],
)
def test_durations_are_read(text: str, expected: float) -> None:
    assert parse_duration(text) == timedelta(seconds=expected)


@pytest.mark.parametrize("text", ["", "s", "5", "30s1m", "-1s", "1.5s", "0s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UnknownShape, match="not a duration"):
        parse_duration(text)


def test_how_often_a_series_was_seen_is_answered_only_for_metrics_that_the_lab_has_not() -> None:
    counted = 'count by (name) (count_over_time({}{{name="a"}}[1m]))'
    assert parse_query(counted.format("argocd_app_info")).by == ("name",)
    with pytest.raises(UnknownShape):
        parse_query(counted.format("http_requests_total"))
