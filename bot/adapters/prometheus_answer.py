"""Read what Prometheus answered to a range query, and join two answers into tiles. Pure: JSON in, frozen values out.

Nothing here guesses: a warning, a point that was not asked for, a value that is no finite number or a second series
makes the whole answer unusable, since half an answer looks exactly like health (invariant I5).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from bot.adapters.scrub import as_sentence
from bot.domain.model import Tile
from bot.ports import SampleRequest

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_MOST_POINTS = 5000
_MOST_LABELS = 5
_LONGEST_QUERY = 160

Points = Mapping[int, float]
"""Values by their instant in milliseconds since 1970."""


class UnusableAnswer(Exception):
    """An answer that must not be counted. `lasting` says that only a person can change that."""

    def __init__(self, found: str, *, lasting: bool = False) -> None:
        super().__init__(found)
        self.found = found
        self.lasting = lasting


def milliseconds(at: datetime) -> int:
    """Return an instant as Prometheus keeps it: whole milliseconds since 1970."""
    return round((at - _EPOCH) / _MILLISECOND)


def decimal(millis: int) -> str:
    """Write milliseconds as decimal seconds, exactly."""
    return f"{millis // 1000}.{millis % 1000:03d}"


def show_query(query: str) -> str:
    """Return a query as an error may show it."""
    return f"`{as_sentence(query, longest=_LONGEST_QUERY)}`"


def split_range(request: SampleRequest) -> Iterator[tuple[int, int, int]]:
    """Yield first instant, last instant and step in milliseconds, for at most 5,000 points each.

    Prometheus refuses a query of more than 11,000 points.
    """
    instants = expected_instants(request)
    step = request.width // _MILLISECOND
    for at in range(0, len(instants), _MOST_POINTS):
        part = instants[at : at + _MOST_POINTS]
        yield part[0], part[-1], step


def expected_instants(request: SampleRequest) -> Sequence[int]:
    """Return the instants at which the tiles end."""
    if request.width < _MILLISECOND or request.width % _MILLISECOND:
        raise ValueError("a tile's width is a whole number of milliseconds")
    step = request.width // _MILLISECOND
    count = max(0, (request.end - request.start) // request.width)
    first = milliseconds(request.start) + step
    return range(first, first + count * step, step)


def parse_matrix(answer: Mapping[str, object], query: str, asked: Sequence[int]) -> Points:
    """Return the one series of an answer, none at all as no points. Raise `UnusableAnswer` for anything else."""
    _refuse_doubts(answer)
    data = answer.get("data")
    if answer.get("status") != "success" or not isinstance(data, dict):
        raise UnusableAnswer("answered something that is no query result")
    kind, series = data.get("resultType"), data.get("result")
    if kind != "matrix":
        shown = as_sentence(str(kind), longest=40)
        raise UnusableAnswer(f"answered {show_query(query)} with a {shown}, where a matrix is needed", lasting=True)
    if not isinstance(series, list) or not all(isinstance(one, dict) for one in series):
        raise UnusableAnswer("answered a matrix that is no list of series")
    if len(series) > 1:
        raise UnusableAnswer(_too_many(series, query), lasting=True)
    return _parse_points(series[0], query, asked) if series else {}


def _refuse_doubts(answer: Mapping[str, object]) -> None:
    """Refuse what the server itself doubts. Its `infos` are advice on the query and say nothing against the data."""
    said = answer.get("warnings")
    if said:
        first = said[0] if isinstance(said, list) else said
        raise UnusableAnswer(
            f"answered with warnings, so the result is not used: {as_sentence(str(first), longest=200)}"
        )
    if answer.get("isPartial"):
        raise UnusableAnswer("answered with a part of the data only, so the result is not used")


def _too_many(series: Sequence[Mapping[str, object]], query: str) -> str:
    labels = "; ".join(_show_labels(one.get("metric")) for one in series[:_MOST_LABELS])
    more = f" and {len(series) - _MOST_LABELS} more" if len(series) > _MOST_LABELS else ""
    return (
        f"has {len(series)} series for {show_query(query)}, where one is needed: {labels}{more}; sum them in the query"
    )


def _show_labels(metric: object) -> str:
    pairs = metric.items() if isinstance(metric, dict) else ()
    return as_sentence("{" + ", ".join(f'{name}="{value}"' for name, value in pairs) + "}", longest=120)


def _parse_points(series: Mapping[str, object], query: str, asked: Sequence[int]) -> Points:
    if series.get("histograms"):
        raise UnusableAnswer(f"answered {show_query(query)} with histograms, where numbers are needed", lasting=True)
    values = series.get("values")
    if not isinstance(values, list):
        raise UnusableAnswer("answered a series without values")
    points: dict[int, float] = {}
    for value in values:
        at, number = _parse_point(value)
        if at not in asked:
            raise UnusableAnswer(f"answered {show_query(query)} for an instant that was not asked for")
        if at in points:
            raise UnusableAnswer(f"answered {show_query(query)} twice for one instant")
        points[at] = _count(number, query)
    return points


def _parse_point(value: object) -> tuple[int, float]:
    match value:
        case [int() | float() as at, str() as number]:
            try:
                return round(at * 1000), float(number)
            except (ValueError, OverflowError) as error:
                raise UnusableAnswer("answered a point that is no number") from error
        case _:
            raise UnusableAnswer("answered a point that is no pair of time and value")


def _count(number: float, query: str) -> float:
    if not math.isfinite(number):
        raise UnusableAnswer(f"answered {show_query(query)} with {number}, which is no count")
    if number < 0:
        raise UnusableAnswer(
            f"answered {show_query(query)} with {number:g}, and a count is never below 0", lasting=True
        )
    return number


# --- joining ---------------------------------------------------------------------------------------------------------


def join_tiles(request: SampleRequest, counted: Points, total: Points) -> tuple[Tile, ...]:
    """Return every tile that was asked for; one without a usable count has None in both places.

    | total  | counted | counts bad        | counts good                                     |
    |--------|---------|-------------------|-------------------------------------------------|
    | absent | any     | no tile           | no tile                                         |
    | t      | b       | min(b, t)         | max(0, t - b)                                   |
    | t      | absent  | 0: no such series | t = 0: 0; series absent everywhere: an error;   |
    |        |         |                   | series absent only here: no tile                |
    """
    if request.counts_good and not counted and any(total.values()):
        sentence = (
            f"has traffic, but no bucket of {show_query(request.query)} matches; is the threshold a bucket bound?"
        )
        raise UnusableAnswer(sentence, lasting=True)
    bad_at = _bad_of_good if request.counts_good else _bad_of_bad
    return tuple(
        _tile(request, nth, total.get(at), bad_at(total.get(at), counted.get(at)))
        for nth, at in enumerate(expected_instants(request))
    )


def _bad_of_bad(total: float | None, counted: float | None) -> float | None:
    if total is None:
        return None
    return min(counted or 0.0, total)


def _bad_of_good(total: float | None, counted: float | None) -> float | None:
    if total is None:
        return None
    if counted is None:
        return 0.0 if total == 0 else None
    return max(0.0, total - counted)


def _tile(request: SampleRequest, nth: int, total: float | None, bad: float | None) -> Tile:
    known = bad is not None
    return Tile(start=request.start + nth * request.width, width=request.width, total=total if known else None, bad=bad)
