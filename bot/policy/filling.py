"""What is needed to fill in a template for one entry of a policy, whatever kind of rule comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from bot.domain.policy import HealthWindow
from bot.domain.queries import DEFAULT_SOURCE, Query
from bot.policy.grammar import parse_count, parse_number
from bot.policy.reading import Section
from bot.policy.templates import GateTemplate


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an entry is read in: its stage's labels (None for none), the width of a tile, what may be a baseline.

    `stages` are the labels of stages that get a release later. `source` is the id of the data source that has the
    stage's series, `sources` those that stages name, by the stages' names.
    `is_trigger` says that it may take a release back: then there is a `watch`, else a `window`; None for faulty ones.
    """

    labels: Mapping[str, str] | None
    stages: Mapping[str, Mapping[str, str]]
    tile: timedelta
    window: HealthWindow | None
    watch: timedelta | None = None
    is_trigger: bool = False
    source: str = DEFAULT_SOURCE
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def span(self) -> timedelta | None:
        """For how long a rule looks at a release, at least."""
        return self.watch if self.window is None else self.window.length


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """An entry with its template, the words for it, and the labels that select its series.

    `more` are those that the entry adds to its stage's. `own_source` is the data source that the entry itself names.
    """

    section: Section
    name: str
    is_shadow: bool
    template: GateTemplate
    around: Surroundings
    labels: Mapping[str, str]
    more: Mapping[str, str]
    words: Mapping[str, str]
    title: str
    own_source: str | None = None

    @property
    def source(self) -> str:
        """The id of the data source that is asked: the entry's own, or its stage's."""
        return self.own_source or self.around.source

    def counts(self, labels: Mapping[str, str], *, source: str | None = None) -> tuple[Query, Query]:
        """Return the two queries of a share: what counts bad or good events, and what counts all."""
        texts = self.template.query, self.template.total or self.template.query
        bad, total = (self.query(text, labels, is_count=True) for text in texts)
        return replace(bad, source=source or self.source), replace(total, source=source or self.source)

    def buckets(self) -> Query | None:
        """Return what selects the buckets of the stage's histogram; None where the template names none."""
        text = self.template.buckets
        return None if text is None else self.query(text, self.labels, is_count=True)

    def query(self, text: str, labels: Mapping[str, str], *, is_count: bool) -> Query:
        """Fill one of the template's texts for series of these labels."""
        query = self.template.fill(text, self.words, tuple(sorted(labels.items())), is_count=is_count)
        return replace(query, source=self.source)


def some_events(text: str) -> float:
    """Parse a number of events, at least one."""
    number = parse_count(text)
    if number < 1:
        raise ValueError(text)
    return number


def at_least_one(text: str) -> float:
    """Parse a number that is at least 1."""
    number = parse_number(text)
    if number < 1:
        raise ValueError(text)
    return number
