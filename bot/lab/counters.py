"""The counters of simulated services as pure functions of time.

What enters is how a set of pods served over time (`Run`); what leaves is the value of each of their counters at an
instant, or their growth over a window. A run's counters start at zero, because new pods do. Nothing here keeps state:
any past instant can be asked for, as often as wanted, with the same answer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

REQUESTS = "http_requests_total"
DURATION = "http_request_duration_seconds"
BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

_FAST_SHARES = (0.6, 0.9, 1.0, 1.0, 1.0, 1.0)
"""Cumulative: of the requests that are not slow, this share is at or below each bucket's bound."""
_FAST_MEAN_SECONDS = 0.055
_ROUNDING = 1e-6
"""Added before counting whole events, so that 20/s for 0.05 s is one event and not 0.9999999."""

Labels = tuple[tuple[str, str], ...]
"""A label set, sorted by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One series' value at an instant."""

    metric: str
    labels: Labels
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A stretch of time with constant rates; `end` is None while it lasts. Ratios are shares of 1."""

    start: datetime
    end: datetime | None
    requests_per_second: float
    error_ratio: float
    slow_ratio: float
    slow_seconds: float

    def seconds_until(self, at: datetime) -> float:
        """Return how much of the piece had passed at an instant."""
        end = at if self.end is None else min(at, self.end)
        return max(0.0, (end - self.start).total_seconds())


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The life of one set of pods, from their first request to their end: pieces without gaps, oldest first."""

    namespace: str
    service: str
    version: str
    pieces: tuple[Piece, ...]

    @property
    def start(self) -> datetime:
        """When the pods took up traffic."""
        return self.pieces[0].start

    @property
    def end(self) -> datetime | None:
        """When the pods ended; None while they run."""
        return self.pieces[-1].end

    def is_running(self, at: datetime) -> bool:
        """Say whether the pods exist at an instant."""
        return self.start <= at and (self.end is None or at < self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Totals:
    """Real-valued integrals over a run; `fast` are the requests that were not slow."""

    good: float = 0.0
    errors: float = 0.0
    seconds: float = 0.0
    under: tuple[float, ...] = (0.0,) * len(BUCKETS)


def samples_of(run: Run, at: datetime) -> Iterator[Sample]:
    """Yield the series that the run's pods have at an instant (or had at their end, if that was earlier).

    A series appears with its first event, as with real client libraries.
    """
    totals = _integrate(run, at)
    good, errors = _whole(totals.good), _whole(totals.errors)
    base = (("namespace", run.namespace), ("service", run.service), ("version", run.version))
    if good:
        yield Sample(metric=REQUESTS, labels=(("code", "200"), *base), value=good)
    if errors:
        yield Sample(metric=REQUESTS, labels=(("code", "500"), *base), value=errors)
    if good or errors:
        yield from _histogram(base, totals, good + errors)


def growth(runs: Sequence[Run], metric: str, after: datetime, until: datetime) -> Mapping[Labels, float]:
    """Return each series' exact increase over `(after, until]`, over all restarts; absent series do not appear."""
    grown: dict[Labels, float] = {}
    for run in runs:
        if run.start >= until or (run.end is not None and run.end <= after):
            continue
        before = {sample.labels: sample.value for sample in samples_of(run, after) if sample.metric == metric}
        for sample in samples_of(run, until):
            if sample.metric == metric:
                gain = sample.value - before.get(sample.labels, 0.0)
                grown[sample.labels] = grown.get(sample.labels, 0.0) + gain
    return grown


def sum_by_series(samples: Iterable[Sample]) -> tuple[Sample, ...]:
    """Add up samples with the same labels, so that no series is exposed twice."""
    values: dict[tuple[str, Labels], float] = {}
    for sample in samples:
        key = (sample.metric, sample.labels)
        values[key] = values.get(key, 0.0) + sample.value
    return tuple(Sample(metric=metric, labels=labels, value=value) for (metric, labels), value in values.items())


def _histogram(base: Labels, totals: _Totals, count: float) -> Iterator[Sample]:
    bounds = [(str(bound).removesuffix(".0"), under) for bound, under in zip(BUCKETS, totals.under, strict=True)]
    for bound, under in bounds:
        value = min(count, _whole(under))
        yield Sample(metric=f"{DURATION}_bucket", labels=(("le", bound), *base), value=value)
    yield Sample(metric=f"{DURATION}_bucket", labels=(("le", "+Inf"), *base), value=count)
    yield Sample(metric=f"{DURATION}_count", labels=base, value=count)
    yield Sample(metric=f"{DURATION}_sum", labels=base, value=round(totals.seconds, 6))


def _integrate(run: Run, at: datetime) -> _Totals:
    good = errors = seconds = 0.0
    under = [0.0] * len(BUCKETS)
    for piece in run.pieces:
        requests = piece.requests_per_second * piece.seconds_until(at)
        slow = requests * piece.slow_ratio
        fast = requests - slow
        errors += requests * piece.error_ratio
        good += requests * (1 - piece.error_ratio)
        seconds += fast * _FAST_MEAN_SECONDS + slow * piece.slow_seconds
        for index, bound in enumerate(BUCKETS):
            under[index] += fast * _FAST_SHARES[index] + (slow if piece.slow_seconds <= bound else 0.0)
    return _Totals(good=good, errors=errors, seconds=seconds, under=tuple(under))


def _whole(events: float) -> float:
    return float(math.floor(events + _ROUNDING))
