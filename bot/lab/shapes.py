"""Parse the few shapes of PromQL that the shipped gates use. Anything else is refused, never half understood."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

ANSWERABLE = 'sum by (label, …) (increase(metric{label="value", …}[duration])), with or without `by (…)`'

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r"[a-zA-Z_][a-zA-Z0-9_]*"
_LABELS = rf"\(\s*(?:{_LABEL}(?:\s*,\s*{_LABEL})*\s*,?)?\s*\)"
_STRING = r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`[^`]*`"
_MATCHER = rf"\s*(?P<label>{_LABEL})\s*(?P<operator>=~|!~|!=|=)\s*(?P<string>{_STRING})\s*"
_SUM = re.compile(
    rf"\s*sum\s*(?:by\s*(?P<before>{_LABELS})\s*)?\(\s*increase\s*\(\s*(?P<metric>{_NAME})\s*"
    rf"(?:\{{(?P<matchers>(?:[^{{}}\"'`]|{_STRING})*)\}}\s*)?\[\s*(?P<range>[0-9a-z]+)\s*\]\s*\)\s*\)"
    rf"\s*(?:by\s*(?P<after>{_LABELS})\s*)?",
    re.DOTALL,
)
_COUNT = re.compile(
    rf"\s*count\s*by\s*(?P<before>{_LABELS})\s*\(\s*count_over_time\s*\(\s*(?P<metric>{_NAME})\s*"
    rf"\{{(?P<matchers>(?:[^{{}}\"'`]|{_STRING})*)\}}\s*\[\s*(?P<range>[0-9a-z]+)\s*\]\s*\)\s*\)\s*",
    re.DOTALL,
)
_ONE_MATCHER = re.compile(rf"{_MATCHER}(?P<comma>,|\Z)", re.DOTALL)
_OWN = ("http_",)
"""How the metrics of the lab's services begin."""
_UNITS = {"y": 31_536_000_000, "w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_DURATION = re.compile(
    r"(?:(?P<y>\d+)y)?(?:(?P<w>\d+)w)?(?:(?P<d>\d+)d)?(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m(?!s))?(?:(?P<s>\d+)s)?(?:(?P<ms>\d+)ms)?"
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'"}

Operator = Literal["=", "!=", "=~", "!~"]


class UnknownShape(Exception):
    """The query is none that the answerer can answer; the text says what was found and what can be answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """One label matcher; regular expressions are anchored at both ends, as in Prometheus."""

    label: str
    operator: Operator
    value: str

    def accepts(self, labels: Mapping[str, str]) -> bool:
        """Say whether a label set passes; an absent label counts as empty."""
        found = labels.get(self.label, "")
        if self.operator in {"=", "!="}:
            return (found == self.value) == (self.operator == "=")
        return (re.fullmatch(self.value, found) is not None) == (self.operator == "=~")


@dataclass(frozen=True, slots=True, kw_only=True)
class IncreaseQuery:
    """`sum by (by…) (increase(metric{matchers}[window]))`."""

    metric: str
    matchers: tuple[Matcher, ...]
    window: timedelta
    by: tuple[str, ...]

    def accepts(self, labels: Mapping[str, str]) -> bool:
        """Say whether a series is selected."""
        return all(matcher.accepts(labels) for matcher in self.matchers)

    def group_of(self, labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """Return the labels of the result that a series is summed into; absent labels stay absent."""
        return tuple((name, labels[name]) for name in sorted(self.by) if labels.get(name))


def parse_query(text: str) -> IncreaseQuery:
    """Parse one query; raise UnknownShape for any other.

    How often a series was seen depends on scrapes, of which the answerer has none: that is answered only for metrics
    that the lab does not have, such as Argo CD's own, and then there is nothing.
    """
    found = _SUM.fullmatch(text)
    seen = _COUNT.fullmatch(text)
    if found is None and seen is not None and not seen["metric"].startswith(_OWN):
        return IncreaseQuery(
            metric=seen["metric"],
            matchers=tuple(_parse_matchers(str(seen["matchers"]))),
            window=parse_duration(str(seen["range"])),
            by=tuple(re.findall(_LABEL, str(seen["before"]))),
        )
    if found is None or (found["before"] and found["after"]):
        raise UnknownShape(f"the lab's built-in answerer cannot answer {text!r}; it answers only {ANSWERABLE}")
    by = found["before"] or found["after"] or ""
    return IncreaseQuery(
        metric=found["metric"],
        matchers=tuple(_parse_matchers(found["matchers"] or "")),
        window=parse_duration(found["range"]),
        by=tuple(re.findall(_LABEL, by)),
    )


def parse_duration(text: str) -> timedelta:
    """Parse a Prometheus duration such as `4s`, `1m30s` or `500ms`; it must be positive."""
    found = _DURATION.fullmatch(text)
    parts = {unit: amount for unit, amount in (found.groupdict() if found else {}).items() if amount}
    milliseconds = sum(int(amount) * _UNITS[unit] for unit, amount in parts.items())
    if milliseconds <= 0:
        raise UnknownShape(f"{text!r} is not a duration like 30s or 1m30s")
    return timedelta(milliseconds=milliseconds)


def _parse_matchers(text: str) -> Iterator[Matcher]:
    position = 0
    while text[position:].strip():
        found = _ONE_MATCHER.match(text, position)
        if found is None:
            raise UnknownShape(f"the label matchers {text!r} cannot be read at {text[position:]!r}")
        yield _matcher(found)
        position = found.end()


def _matcher(found: re.Match[str]) -> Matcher:
    value = _unquote(found["string"])
    operator: Operator
    match found["operator"]:
        case "=":
            operator = "="
        case "!=":
            operator = "!="
        case "=~":
            operator = "=~"
        case _:
            operator = "!~"
    if operator in {"=~", "!~"}:
        _check_pattern(value)
    return Matcher(label=found["label"], operator=operator, value=value)


def _check_pattern(pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise UnknownShape(f"{pattern!r} is not a regular expression: {error}") from error


def _unquote(literal: str) -> str:
    inner = literal[1:-1]
    if literal.startswith("`"):
        return inner
    return re.sub(r"\\(.)", lambda found: _unescape(found[1]), inner, flags=re.DOTALL)


def _unescape(letter: str) -> str:
    if letter not in _ESCAPES:
        raise UnknownShape(f"unknown escape sequence \\{letter} in a string; write \\\\{letter} for a backslash")
    return _ESCAPES[letter]
