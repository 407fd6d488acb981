"""The series that a query selects: each metric with its label matchers, to be asked for one by one.

`promql-parser` reads the query; one that it does not take has no selectors that are known. It is imported here and in
`promql`, and by nothing that the bot runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import promql_parser

from bot.domain.queries import quote
from bot.policy.promql import judge_promql

_NAME = "__name__"
_OPERATORS = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}
_BELOW = ("expr", "lhs", "rhs", "vector_selector", "param")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelMatcher:
    """One condition on a label, as PromQL has it."""

    label: str
    operator: str
    value: str

    @property
    def text(self) -> str:
        """The matcher as PromQL."""
        return f"{self.label}{self.operator}{quote(self.value)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """A metric's name, empty for any, and the conditions on its labels."""

    metric: str
    matchers: tuple[LabelMatcher, ...] = ()

    @property
    def text(self) -> str:
        """The selector as PromQL; one without a name and conditions selects everything that has a name."""
        inner = ",".join(one.text for one in self.matchers)
        if not self.metric and not any(one.operator == "=" and one.value for one in self.matchers):
            # Prometheus wants one condition that no series without the label could meet.
            inner = ",".join(part for part in (f'{_NAME}=~".+"', inner) if part)
        return f"{self.metric}{{{inner}}}" if inner else self.metric

    def without(self, matcher: LabelMatcher) -> Selector:
        """Return the selector without one of its conditions."""
        return Selector(metric=self.metric, matchers=tuple(one for one in self.matchers if one != matcher))


def selectors_of(query: str) -> tuple[Selector, ...]:
    """Return the selectors of a query, each once, in its order; none of a query that is no certain PromQL."""
    if judge_promql(query) is not None:
        return ()
    return tuple(dict.fromkeys(_selectors(promql_parser.parse(query))))


def _selectors(part: object) -> Iterator[Selector]:
    if isinstance(part, promql_parser.VectorSelector):
        yield from _selector(part)
        return
    for name in _BELOW:
        below = getattr(part, name, None)
        if below is not None:
            yield from _selectors(below)
    for argument in getattr(part, "args", None) or ():
        yield from _selectors(argument)


def _selector(part: promql_parser.VectorSelector) -> Iterator[Selector]:
    """Give a selector; none where it has alternatives, which are VictoriaMetrics' and no list of conditions."""
    if part.matchers.or_matchers:
        return
    found = tuple(
        LabelMatcher(label=one.name, operator=_OPERATORS[str(one.op).rpartition(".")[2]], value=one.value)
        for one in part.matchers.matchers
    )
    names = [one for one in found if one.label == _NAME and one.operator == "="]
    rest = tuple(one for one in found if one not in names[:1])
    yield Selector(metric=part.name or (names[0].value if names else ""), matchers=rest)
