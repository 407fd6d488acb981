"""Read what a test begins with: the tags of the stages, and the series of Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from bot.domain.text import parse_duration
from bot.policy.grammar import A_DURATION
from bot.policy.reading import Section, matching, one_of_these, shown
from bot.trial.cases import GivenSeries
from bot.trial.names import A_TAG, TAG, Names
from bot.trial.notation import NotationError, parse_series, parse_values

T = TypeVar("T")
MOST_SAMPLES = 2_000_000
"""How many samples all series of a test may have together."""
_NOTATION = "text in the notation of promtool's unit tests"
_TAG = "1.0.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What tests begin with: of the file for all of them, with a test's own in its place."""

    tags: Mapping[str, str]
    series: tuple[GivenSeries, ...] = ()

    @classmethod
    def nothing(cls, names: Names) -> Given:
        """Return what a file begins with that says nothing."""
        return cls(tags=dict.fromkeys(names.stages, _TAG))

    def and_of(self, section: Section) -> Given:
        """Return this with what a section of a test file says of it, its series in place of those with their labels."""
        own = {_key(one): one for one in _read_series(section)}
        kept = {_key(one): one for one in self.series}
        return Given(tags=_read_tags(section, self.tags), series=tuple({**kept, **own}.values()))


def _key(series: GivenSeries) -> frozenset[tuple[str, str]]:
    return frozenset(series.labels.items())


def _read_tags(section: Section, usual: Mapping[str, str]) -> Mapping[str, str]:
    """Read the tag of each stage at the start."""
    tags = dict(usual)
    given = section.section("given")
    if given is None:
        return tags
    for stage in given.entries:
        if stage in tags:
            tags[stage] = given.read(stage, matching(TAG), A_TAG) or _TAG
        else:
            place = (given.value.keys or {})[stage]
            given.asked.add(stage)
            given.faults.note_at(place, given.at(stage[:60]), "no stage of the policy", one_of_these(stage, tags))
    given.finish()
    return tags


def _read_series(section: Section) -> Iterator[GivenSeries]:
    """Read the series of a section, each once."""
    count = 0
    seen: set[frozenset[tuple[str, str]]] = set()
    for path, value in section.items("series"):
        one = Section.of(value, path, section.faults)
        found = _one_series(one) if one is not None else None
        if found is None:
            continue
        if _key(found) in seen:
            section.faults.note(value, f"{path}.series", "a series that is there already", "each series once")
        seen.add(_key(found))
        count += len(found.values)
        if count > MOST_SAMPLES:
            section.faults.note(value, path, f"more than {MOST_SAMPLES:,} samples in a test", "fewer")
            return
        yield found


def _one_series(section: Section) -> GivenSeries | None:
    labels = _noted(section, "series", parse_series)
    values = _noted(section, "values", parse_values)
    before = section.read("before", parse_duration, A_DURATION, default=timedelta(0))
    section.finish()
    if labels is None or values is None or before is None:
        return None
    return GivenSeries(labels=labels, values=values, before=before)


def _noted(section: Section, key: str, parse: Callable[[str], T]) -> T | None:
    """Parse a text in promtool's notation; what is wrong with it is said in its own words."""
    value = section.need(key, _NOTATION)
    if value is None:
        return None
    if value.kind != "text":
        section.faults.note(value, section.at(key), shown(value), _NOTATION)
        return None
    try:
        return parse(value.text)
    except NotationError as error:
        section.faults.note(value, section.at(key), error.found, error.expected)
        return None
