"""Read from Prometheus what all services need, with as few queries as there are kinds of questions.

For each release under observation the ledger has the numbers of earlier looks; only the tiles since then are asked
for, of all services together, and kept. Normal polling and catching up after a time down are the same code, and come to
the same numbers. What fails becomes a `Trouble` of the rules that it concerns, and of no others (I13).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from bot.domain.gates.measuring import has_no_bucket
from bot.domain.model import Samples, Trouble
from bot.domain.observation import Observation
from bot.domain.observed import Measurement, measurements, stage_liveness
from bot.domain.policy import Policy
from bot.domain.queries import Query, source_name
from bot.domain.rules import Ask, BaselineGate, BurnRateGate, CountGate, Counts
from bot.ports import Look, Metrics, OutsideError
from bot.records import Arrival, Kept, KeptNumbers

_MOST_BOUNDS_ASKED = 10
"""For how many wrong thresholds the bounds of the histogram are looked up in one sweep."""
_SHARES = CountGate | BaselineGate | BurnRateGate
_MOST_BOUNDS_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A service that is sampled: its policy, and what was seen of it so far."""

    policy: Policy
    seen: Observation


Force = Callable[[Policy, Query], Query | Trouble]
"""What a query of a policy becomes before it is sent, by what the settings force; a trouble: it is not sent."""


def as_it_is(_policy: Policy, query: Query) -> Query:
    """Force nothing."""
    return query


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How sources are asked, by their ids, and what is forced on queries.

    `lags` are how old a tile must be before it is read, of sources that have a lag of their own. `most` is how many
    looks one service may have at a source in one sweep: no policy alone keeps a source busy.
    """

    lags: Mapping[str, timedelta] = field(default_factory=dict)
    most: Mapping[str, int] = field(default_factory=dict)
    force: Force = as_it_is


_AS_IT_IS = Asking()


class Sampler:
    """Reads samples, for one sweep at a time; `lag` is how old a tile must be before it is read.

    The numbers of releases that are still measured are remembered from sweep to sweep; the ledger has them all.
    """

    def __init__(self, *, metrics: Metrics, ledger: KeptNumbers, lag: timedelta, asking: Asking = _AS_IT_IS) -> None:
        self._metrics = metrics
        self._ledger = ledger
        self._lags = defaultdict(lambda: lag, asking.lags)
        self._asking = asking
        self._remembered: dict[Arrival, Kept] = {}

    def sample(self, subjects: Sequence[Subject]) -> list[Observation]:
        """Return each subject's observation with the samples of every rule that is measured now."""
        opened = [list(self._open(subject)) for subject in subjects]
        stages = [stage for some in opened for stage in some]
        self._recall(stages)
        self._read(stages)
        self._remembered = {stage.arrival: stage.numbers for stage in stages if stage.trouble is None}
        lookups = iter(range(_MOST_BOUNDS_ASKED))
        return [
            _with_samples(subject.seen, {stage.arrival.stage: self._samples(stage, lookups) for stage in some})
            for subject, some in zip(subjects, opened, strict=True)
        ]

    def _open(self, subject: Subject) -> Iterator[_Stage]:
        """Yield the stages that have anything to measure."""
        policy, seen = subject.policy, subject.seen
        for stage in policy.stages:
            tags = seen.stage(stage.name).tags
            if isinstance(tags, Trouble):
                continue
            liveness = stage_liveness(policy, stage, seen.stage(stage.name), tags, seen.at)
            items = measurements(policy, stage, liveness, seen)
            if items:
                arrival = Arrival(service=policy.service, stage=stage.name, commit=tags.introduced.commit)
                yield _Stage.open(arrival, items, seen.at, lags=self._lags, force=partial(self._asking.force, policy))

    def _recall(self, stages: Sequence[_Stage]) -> None:
        """Give each stage the numbers of earlier looks; the ledger is asked only for those not seen before."""
        new = [stage for stage in stages if stage.arrival not in self._remembered]
        known = self._remembered
        try:
            known = {**known, **self._ledger.numbers([stage.arrival for stage in new])} if new else known
        except OutsideError as error:
            _trouble_all(new, error)
        for stage in stages:
            stage.take(known.get(stage.arrival, {}))

    def _read(self, stages: Sequence[_Stage]) -> None:
        """Ask for what is missing, of all stages together, and keep what comes; nothing is judged that is not kept."""
        wanted = [(stage, *missing) for stage in stages if not stage.trouble for missing in stage.missing()]
        asked = list(self._within_budget(wanted))
        answers = self._metrics.read([look for *_, look in asked])
        fresh: dict[Arrival, dict[str, dict[datetime, float | None]]] = {}
        for (stage, (series, back), look), answer in zip(asked, answers, strict=True):
            if isinstance(answer, OutsideError):
                stage.failed[series, back] = answer.as_trouble()
            else:
                starts = (look.start + n * look.width for n in range(len(answer)))
                found = fresh.setdefault(stage.arrival, {}).setdefault(series, {})
                found.update(zip(starts, answer, strict=True))
        try:
            self._ledger.keep_numbers(fresh)
        except OutsideError as error:
            _trouble_all([stage for stage in stages if stage.arrival in fresh], error)
        for stage in stages:
            stage.take(fresh.get(stage.arrival, {}))

    def _within_budget(self, wanted: Sequence[_Wanted]) -> Iterator[_Wanted]:
        """Give the looks that may be had now; one that is too many fails, and says so."""
        counted: Counter[tuple[str, str]] = Counter()
        for stage, series, look in wanted:
            source, service = look.query.source, stage.arrival.service
            counted[source, service] += 1
            most = self._asking.most.get(source)
            if most is not None and counted[source, service] > most:
                stage.failed[series] = Trouble(system=source_name(source), sentence=_too_many(service, most))
            else:
                yield stage, series, look

    def _samples(self, stage: _Stage, lookups: Iterator[int]) -> dict[str, Samples | Trouble]:
        found: dict[str, Samples | Trouble] = dict(stage.refused)
        for item in stage.items:
            samples = stage.samples(item, self._metrics)
            histogram = _missed_histogram(item, samples)
            if isinstance(samples, Samples) and histogram is not None and next(lookups, None) is not None:
                samples = replace(samples, note=self._bounds(stage.force(histogram), samples))
            found[item.key] = samples
        return found

    def _bounds(self, histogram: Query | Trouble, samples: Samples) -> str:
        """Name the bounds that the histogram has, for a threshold that is none of them."""
        if isinstance(histogram, Trouble):
            return f"its bounds could not be read: {histogram.sentence}"
        try:
            bounds = self._metrics.bucket_bounds(histogram.text, samples.start, samples.end, histogram.source)
        except OutsideError as error:
            return f"its bounds could not be read: {error.sentence}"
        more = ", …" if len(bounds) > _MOST_BOUNDS_SHOWN else ""
        return f"its bounds are {', '.join(bounds[:_MOST_BOUNDS_SHOWN])}{more}" if bounds else ""


def _too_many(service: str, most: int) -> str:
    found = f"{service} may have {most:,} series of numbers in a sweep, and its policy asks for more"
    return f"{found}: raise most_per_service in the settings, or measure less"


def _forced(item: Measurement, force: Callable[[Query], Query | Trouble]) -> Measurement | Trouble:
    """Return what is measured with the queries as they are sent, or why one of them is not."""
    asks: dict[str, Ask] = {}
    for role, ask in item.asks.items():
        query = force(ask.query)
        if isinstance(query, Trouble):
            return query
        asks[role] = ask if query is ask.query else replace(ask, query=query)
    return replace(item, asks=asks)


def _trouble_all(stages: Sequence[_Stage], error: OutsideError) -> None:
    for stage in stages:
        stage.trouble = error.as_trouble()


def _with_samples(seen: Observation, found: Mapping[str, Mapping[str, Samples | Trouble]]) -> Observation:
    return replace(seen, stages=tuple(replace(stage, samples=found.get(stage.stage, {})) for stage in seen.stages))


def _missed_histogram(item: Measurement, samples: Samples | Trouble) -> Query | None:
    """Return the histogram of a rule whose threshold is none of its bounds."""
    if not isinstance(item.rule, _SHARES) or item.rule.counts is Counts.BAD or isinstance(samples, Trouble):
        return None
    return item.rule.buckets if has_no_bucket(samples.numbers["counted"], samples.numbers["total"]) else None


@dataclass(slots=True, kw_only=True)
class _Stage:
    """One stage that is sampled: its measurements, and the numbers it has by now, by series and start of the tile.

    A series is named by its query's fingerprint and tile width. `failed` are looks, by their series and how far back
    they are: the past of a series may fail alone. `trouble` is the ledger's, and of all rules. `refused` are the rules
    whose queries are not sent, by their keys.
    """

    arrival: Arrival
    items: tuple[Measurement, ...]
    at: datetime
    lags: Mapping[str, timedelta]
    force: Callable[[Query], Query | Trouble]
    refused: Mapping[str, Trouble]
    numbers: dict[str, dict[datetime, float | None]] = field(default_factory=dict)
    failed: dict[tuple[str, timedelta], Trouble] = field(default_factory=dict)
    trouble: Trouble | None = None

    @classmethod
    def open(
        cls,
        arrival: Arrival,
        items: Sequence[Measurement],
        at: datetime,
        *,
        lags: Mapping[str, timedelta],
        force: Callable[[Query], Query | Trouble],
    ) -> _Stage:
        """Begin with a stage, by what is measured of it."""
        forced = {item.key: _forced(item, force) for item in items}
        sent = tuple(item for item in forced.values() if isinstance(item, Measurement))
        refused = {key: one for key, one in forced.items() if isinstance(one, Trouble)}
        return cls(arrival=arrival, items=sent, at=at, lags=lags, force=force, refused=refused)

    def take(self, numbers: Kept) -> None:
        """Take numbers in; one that is there already stays as it was first seen."""
        for series, found in numbers.items():
            self.numbers[series] = {**found, **self.numbers.get(series, {})}

    def missing(self) -> Iterator[tuple[tuple[str, timedelta], Look]]:
        """Yield a look for each series that lacks tiles; of rules that share one, from the first that any lacks."""
        looks: dict[tuple[str, timedelta], Look] = {}
        for item, ask in self._asks():
            series, shift = ask.query.fingerprint(item.window.width), ask.back
            _, after = item.window.without_hole(self._known(item, ask), self._end(item))
            look = Look(query=ask.query, start=after - shift, end=self._end(item) - shift, width=item.window.width)
            if look.start < look.end:
                known = looks.get((series, shift), look)
                looks[series, shift] = replace(look, start=min(look.start, known.start), end=max(look.end, known.end))
        yield from looks.items()

    def samples(self, item: Measurement, metrics: Metrics) -> Samples | Trouble:
        """Return what a rule has by now, or the first trouble of any of its queries."""
        series = [(ask.query.fingerprint(item.window.width), ask.back) for ask in item.asks.values()]
        troubles = [self.failed.get(one) for one in series]
        trouble = self.trouble or next((one for one in troubles if one is not None), None)
        if trouble is not None:
            return trouble
        end, sources = self._end(item), _sources(item)
        intervals = [scrape for source in sources if (scrape := metrics.scrape_interval(source)) is not None]
        return Samples(
            start=item.window.first,
            end=end,
            width=item.window.width,
            numbers={role: item.window.without_hole(self._known(item, ask), end)[0] for role, ask in item.asks.items()},
            queries=tuple(dict.fromkeys(ask.query.text for ask in item.asks.values())),
            backend=" and ".join(metrics.describe(source) for source in sources),
            lag=self._lag(item),
            scrape=max(intervals, default=None),
        )

    def _asks(self) -> Iterator[tuple[Measurement, Ask]]:
        for item in self.items:
            for ask in item.asks.values():
                yield item, ask

    def _end(self, item: Measurement) -> datetime:
        return item.window.seen_until(self.at, self._lag(item))

    def _lag(self, item: Measurement) -> timedelta:
        """Return how old a tile must be, so that all the rule's sources have it."""
        return max(self.lags[source] for source in _sources(item))

    def _known(self, item: Measurement, ask: Ask) -> Mapping[datetime, float | None]:
        """Return the numbers of a query by the rule's own tiles."""
        found = self.numbers.get(ask.query.fingerprint(item.window.width), {})
        return {start + ask.back: value for start, value in found.items()} if ask.back else found


def _sources(item: Measurement) -> list[str]:
    """Return the ids of the sources that a rule asks, each once."""
    return list(dict.fromkeys(ask.query.source for ask in item.asks.values()))


_Wanted = tuple[_Stage, tuple[str, timedelta], Look]
"""A look, with its stage, and its series and how far back it is."""
