"""Why has a query no series? Its selectors are asked for one by one, and the first that has none is looked into."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.adapters.prometheus_series import SeriesReader
from bot.domain.text import count_of, join_words, one_line
from bot.policy.promql_selectors import LabelMatcher, Selector, selectors_of

_NEAR = 0.6
_MOST = 3
_NAMED = 60

Values = Callable[[str], Sequence[float]]
"""What asks an instant query, and remembers the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blame:
    """Why there are no series, in words; `label` is the one whose value is to blame, where it is one."""

    found: str
    expected: str
    label: str | None = None


def blame(values: Values, series: SeriesReader, query: str) -> Blame:
    """Return why a query has no series now."""
    for selector in selectors_of(query):
        if not _count(values, selector):
            return _of_selector(values, series, selector)
    expected = "some: are there two samples in a tile, and do both sides of an operator have the same labels?"
    return Blame(found="no series, though there are some of all that it selects", expected=expected)


def _count(values: Values, selector: Selector) -> int:
    found = values(f"count({selector.text})")
    return int(found[0]) if found else 0


def _of_selector(values: Values, series: SeriesReader, selector: Selector) -> Blame:
    metric = selector.metric or "any metric"
    if selector.metric and not _count(values, Selector(metric=selector.metric)):
        near = _near(selector.metric, series.label_values("__name__"))
        expected = f"a metric that is there: {_listed(near)}" if near else "a metric that is there"
        return Blame(found=f"no series of a metric {_shown(selector.metric)}", expected=expected)
    for matcher in selector.matchers:
        rest = selector.without(matcher)
        left = _count(values, rest)
        if left:
            return _of_matcher(series, metric, matcher, rest, left)
    conditions = join_words([_shown(one.text) for one in selector.matchers])
    return Blame(
        found=f"no series of {metric} with {conditions}",
        expected="some; without any one of these conditions there are none either",
    )


def _of_matcher(series: SeriesReader, metric: str, matcher: LabelMatcher, rest: Selector, left: int) -> Blame:
    found = f"no series of {metric} with {_shown(matcher.text)}"
    there = series.label_values(matcher.label, rest.text)
    if not there:
        names = [name for name in series.label_names(rest.text) if name != "__name__"]
        near = _near(matcher.label, names) or names
        expected = f"a label that these series have: {_listed(near)}"
        found = f"{found}, and none with a label {_shown(matcher.label)}"
        return Blame(found=found, expected=expected, label=matcher.label)
    chosen = _near(matcher.value, there) or list(there)
    without = count_of(left, "series", "series")
    expected = (
        f"a value of {matcher.label} that has some: {_listed(chosen)}; without this condition there are {without}"
    )
    return Blame(found=found, expected=expected, label=matcher.label)


def _near(word: str, known: Sequence[str]) -> list[str]:
    return difflib.get_close_matches(word, known, n=_MOST, cutoff=_NEAR)


def _listed(words: Sequence[str]) -> str:
    more = f" and {len(words) - _MOST} more" if len(words) > _MOST else ""
    return f"{', '.join(_shown(word) for word in words[:_MOST])}{more}"


def _shown(text: str) -> str:
    return one_line(text, limit=_NAMED)
