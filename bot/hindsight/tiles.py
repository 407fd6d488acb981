"""The tiles of the past, each asked for once: a port `Metrics` that keeps what another one answers.

What came is in a journal before it is used, so that a run that was interrupted goes on without asking for it again. A
tile is known by its query, its width and its start, so that what is kept can never be taken for something else.
Prometheus is asked for few looks at once, with a pause in between. One that fails again and again ends the run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot.domain.model import Numbers
from bot.domain.queries import DEFAULT_SOURCE
from bot.hindsight.journal import Journal
from bot.ports import Cost, Look, Metrics, OutsideError, Transient

_FAILURES_IN_A_ROW = 3
"""After so many looks in a row without an answer the server is taken to be down."""


@dataclass(slots=True, kw_only=True)
class PastTiles:
    """Answers looks from what is known, and asks `metrics` for the rest, `at_once` looks together.

    `asked` is how many looks were asked for. `earliest` is where the first tile begins that held anything.
    """

    metrics: Metrics
    journal: Journal
    sleep: Callable[[float], None]
    at_once: int = 1
    pause: timedelta = timedelta(0)
    asked: int = 0
    earliest: datetime | None = None
    _known: dict[str, dict[datetime, float | None]] = field(default_factory=dict)
    _refused: dict[tuple[str, datetime], OutsideError] = field(default_factory=dict)
    _bounds: dict[tuple[str, str], Sequence[str]] = field(default_factory=dict)
    _failures: int = 0

    def __post_init__(self) -> None:
        for series, tiles in self.journal.tiles().items():
            self._learn(series, tiles)

    def read(self, looks: Sequence[Look]) -> Sequence[Numbers | OutsideError]:
        """Answer each look. Raise Transient where the server does not answer any more."""
        lacking = [gap for look in looks if (gap := self._gap(look)) is not None]
        for first in range(0, len(lacking), self.at_once):
            self._ask(lacking[first : first + self.at_once])
        return [self._answer(look) for look in looks]

    def _gap(self, look: Look) -> Look | None:
        """Return the part of a look that was not asked for yet."""
        series, known = _series(look), self._known.get(_series(look), {})
        lacking = [start for start in _starts(look) if start not in known]
        if not lacking or (series, lacking[0]) in self._refused:
            return None
        return replace(look, start=lacking[0], end=lacking[-1] + look.width)

    def _ask(self, looks: Sequence[Look]) -> None:
        if self.asked and self.pause:
            self.sleep(self.pause.total_seconds())
        self.asked += len(looks)
        for look, answer in zip(looks, self.metrics.read(looks), strict=True):
            if isinstance(answer, OutsideError):
                self._note_failure(look, answer)
                continue
            self._failures = 0
            tiles = dict(zip(_starts(look), answer, strict=True))
            self.journal.keep(_series(look), tiles)
            self._learn(_series(look), tiles)

    def _note_failure(self, look: Look, error: OutsideError) -> None:
        """What one query is refused concerns what it measures; a server that answers nothing ends the run."""
        self._refused[_series(look), look.start] = error
        self._failures = self._failures + 1 if isinstance(error, Transient) else 0
        if self._failures >= _FAILURES_IN_A_ROW:
            raise error

    def _learn(self, series: str, tiles: Mapping[datetime, float | None]) -> None:
        self._known.setdefault(series, {}).update(tiles)
        held = min((start for start, value in tiles.items() if value is not None), default=None)
        if held is not None and (self.earliest is None or held < self.earliest):
            self.earliest = held

    def _answer(self, look: Look) -> Numbers | OutsideError:
        series = _series(look)
        known = self._known.get(series, {})
        lacking = next((start for start in _starts(look) if start not in known), None)
        if lacking is not None:
            return self._refused[series, lacking]
        return tuple(known[start] for start in _starts(look))

    # --- the rest of the port ---

    def bucket_bounds(
        self, histogram: str, start: datetime, end: datetime, source: str = DEFAULT_SOURCE, /
    ) -> Sequence[str]:
        """Return the bounds of a histogram's buckets; each histogram is asked for once."""
        if (source, histogram) not in self._bounds:
            self._bounds[source, histogram] = self.metrics.bucket_bounds(histogram, start, end, source)
        return self._bounds[source, histogram]

    def describe(self, source: str = DEFAULT_SOURCE, /) -> str:
        """Return the backend's name, version and address."""
        return self.metrics.describe(source)

    def scrape_interval(self, source: str = DEFAULT_SOURCE, /) -> timedelta | None:
        """Return how often the backend scrapes, if it tells."""
        return self.metrics.scrape_interval(source)

    def cost(self) -> Cost:
        """Return what all looks so far have cost."""
        return self.metrics.cost()


def _series(look: Look) -> str:
    return look.query.fingerprint(look.width)


def _starts(look: Look) -> Sequence[datetime]:
    return [look.start + n * look.width for n in range((look.end - look.start) // look.width)]
