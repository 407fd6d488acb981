"""PromQL questions: one for a stage, or one question for many stages at once.

A question keeps the places of its label matchers open, so that the same question about other stages becomes one query
with the stages' values in one matcher: the cost grows with the number of questions, not of services. Values are
quoted, and escaped where they stand in a regular expression, so no value can change the shape of a query.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

Labels = tuple[tuple[str, str], ...]
"""Label names with values, sorted by name."""

DEFAULT_SOURCE = "prometheus"
"""The id of the data source that the settings' section `[prometheus]` is, which is asked where a policy names none."""

RELEASE_TAG = "$tag"
"""The label value that stands for the running release's tag."""

_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")
"""What RE2 reads as more than itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """An instant expression over one tile that gives at most one number for a stage.

    `parts` are the text around each place where the label matchers go. `labels` select the stage's series. `is_shared`
    says that the result is grouped by the names of `labels`, so that several stages can be told apart in it. A count
    is finite and never below 0; what is none may be any finite number. `source` is the id of the data source that is
    asked.
    """

    parts: tuple[str, ...]
    labels: Labels = ()
    is_shared: bool = False
    is_count: bool = True
    source: str = DEFAULT_SOURCE

    @classmethod
    def plain(cls, text: str, *, is_count: bool = True) -> Query:
        """Return a query that has its matchers already; it is always asked alone."""
        return cls(parts=(text,), is_count=is_count)

    def of_release(self, tag: str) -> Query:
        """Return the query with the release's tag where a label's value stands for it."""
        return replace(
            self, labels=tuple((name, tag if value == RELEASE_TAG else value) for name, value in self.labels)
        )

    def of_labels(self, **labels: str) -> Query:
        """Return the query for the series that have these labels."""
        return replace(self, labels=tuple(sorted(labels.items())))

    @property
    def text(self) -> str:
        """The PromQL for this stage alone."""
        return matchers(dict(self.labels)).join(self.parts)

    @property
    def shape(self) -> tuple[object, ...] | None:
        """What two queries have in common that can be asked as one; None for one that is always asked alone."""
        if not self.is_shared or len(self.parts) < 2 or not self.labels:
            return None
        return (self.parts, tuple(name for name, _ in self.labels), self.is_count, self.source)

    def fingerprint(self, width: timedelta) -> str:
        """Return what the numbers of this question are kept under: the same text, over tiles of the same width.

        What was read as a value is not kept for a count: it may be a number that no count can be. Nor is what one
        source said kept for another. (That of the default source stands for itself: a ledger may be older than ids.)
        """
        source = "" if self.source == DEFAULT_SOURCE else f"\n{self.source}"
        text = f"{self.text}\n{width.total_seconds()}\n{self.is_count}{source}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def joint_text(queries: Sequence[Query]) -> str:
    """Return one PromQL for several queries of one shape; each value of a label once.

    With several labels it selects their combinations too. Those come back with keys of their own, and are left out.
    """
    first = queries[0]
    if len(queries) == 1:
        return first.text
    joined = []
    for at, (name, _) in enumerate(first.labels):
        values = sorted({query.labels[at][1] for query in queries})
        joined.append(f"{name}={quote(values[0])}" if len(values) == 1 else f"{name}=~{quote(_one_of(values))}")
    return ",".join(joined).join(first.parts)


def source_name(source: str) -> str:
    """Return what people call a data source: `Prometheus`, or `Prometheus eu`."""
    return "Prometheus" if source == DEFAULT_SOURCE else f"Prometheus {source}"


def _one_of(values: Iterable[str]) -> str:
    return "|".join(literal(value) for value in values)


def literal(value: str) -> str:
    """Return a regular expression that matches this text and nothing else."""
    return _SPECIAL.sub(r"\\\g<0>", value)


def quote(value: str) -> str:
    """Return a PromQL string literal."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def matchers(labels: Mapping[str, str]) -> str:
    """Return label matchers, `namespace="checkout-staging"`."""
    return ",".join(f"{name}={quote(value)}" for name, value in sorted(labels.items()))
