"""A real Prometheus that holds the series of one test: the port `Metrics`.

Series are sent by remote write to a server that scrapes nothing. A server takes no samples of its own future, and the
bot believes no answer about it; so a test of the future is moved into the past as a whole, by 28 years or a multiple of
them: until 2099, days of the week and of the year fall alike then. Only a query that compares `time()` with an instant
that the series themselves hold would notice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from bot.adapters.http import Endpoint
from bot.adapters.prometheus import PrometheusMetrics
from bot.adapters.prometheus_process import PrometheusDidNotStart, PrometheusProcess
from bot.adapters.remote_write import Sample, Series, write_series
from bot.domain.model import Numbers
from bot.domain.queries import DEFAULT_SOURCE
from bot.ports import Cost, Look, Metrics, OutsideError, Permanent, Transient
from bot.trial.cases import Case, GivenSeries
from bot.trial.notation import Special

_FLAGS = ("--storage.tsdb.retention.time=100y", "--web.enable-remote-write-receiver")
_CYCLE = timedelta(days=28 * 365 + 7)
_MARGIN = timedelta(hours=1)
"""How far in the past a test must end: what the server's clock says is not ours."""


class SwitchedMetrics(Metrics, Protocol):
    """Metrics that a test can turn off and on."""

    up: bool


@dataclass(slots=True, kw_only=True)
class TrialMetrics:
    """Asks the server of a test about times that are `shift` earlier there; while it is not `up`, nobody answers.

    It stands for every data source: the series of a test are what all of them have.
    """

    server: PrometheusMetrics
    shift: timedelta
    up: bool = field(default=True)

    def read(self, looks: Sequence[Look]) -> Sequence[Numbers | OutsideError]:
        """Answer each look, as the server does."""
        if not self.up:
            return [self._down() for _ in looks]
        return self.server.read([replace(one, start=one.start - self.shift, end=one.end - self.shift) for one in looks])

    def bucket_bounds(
        self, histogram: str, start: datetime, end: datetime, _source: str = DEFAULT_SOURCE, /
    ) -> Sequence[str]:
        """Return the bounds of a histogram's buckets."""
        if not self.up:
            raise self._down()
        return self.server.bucket_bounds(histogram, start - self.shift, end - self.shift)

    def describe(self, _source: str = DEFAULT_SOURCE, /) -> str:
        """Return the server's name and version; its address would be another one each time."""
        return self.server.describe().partition(" at ")[0]

    def scrape_interval(self, _source: str = DEFAULT_SOURCE, /) -> timedelta | None:
        """Return the interval of the samples."""
        return self.server.scrape_interval()

    def cost(self) -> Cost:
        """Return what the looks have cost."""
        return self.server.cost()

    def _down(self) -> OutsideError:
        return Transient("Prometheus", "could not be reached: the test says that it is down")


@contextmanager
def measured(binary: Path, case: Case, interval: timedelta, now: datetime) -> Iterator[TrialMetrics]:
    """Run a Prometheus with the series of a test; it has stopped when this ends. `now` is the time of this machine.

    Raise OutsideError where it does not start, or does not take the series.
    """
    shift = _shift(case.at + case.end, now)
    try:
        with (
            PrometheusProcess(binary, targets=(), scrape_interval=interval, flags=_FLAGS) as process,
            PrometheusMetrics(Endpoint(system="Prometheus", url=process.url)) as server,
        ):
            found = [_series(one, case.at - shift, interval) for one in case.series]
            write_series(process.url, [one for one in found if one.samples])
            yield TrialMetrics(server=server, shift=shift)
    except (PrometheusDidNotStart, OSError) as error:
        raise Permanent("Prometheus", f"did not start: {error}") from error


def _shift(end: datetime, now: datetime) -> timedelta:
    shift = timedelta(0)
    while end - shift > now - _MARGIN:
        shift += _CYCLE
    return shift


def _series(given: GivenSeries, start: datetime, interval: timedelta) -> Series:
    first = start - given.before
    times = (first + number * interval for number in range(len(given.values)))
    samples = [
        Sample(at=round(at.timestamp() * 1000), value=None if isinstance(value, Special) else value)
        for at, value in zip(times, given.values, strict=True)
        if value is not Special.MISSING
    ]
    return Series(labels=given.labels, samples=samples)
