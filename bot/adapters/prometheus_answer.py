"""Read what Prometheus answered to a range query. Pure: JSON in, plain values out.

Nothing here guesses: a warning, a point that was not asked for, a value that is no finite number or a second series
makes the whole answer unusable, since half an answer looks exactly like health (invariant I5).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from bot.adapters.scrub import as_sentence
from bot.domain.text import parse_duration
from bot.ports import Look

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_INTERVAL = re.compile(r"^global:\n(?:[ ]+.*\n)*?[ ]+scrape_interval: (\S{1,40})$", re.MULTILINE)
_BEYOND = re.compile(r"\b(?:too many|exceed(?:s|ed|ing)?|limit)\b", re.IGNORECASE)
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"|\{[^{}]*\}')
"""Queries and series in an error's text, whose names may hold any word."""
_AGAIN = re.compile(r'(?:error when executing query=|cannot evaluate )"(?:\\.|[^"\\])*"[^:"]*: ')
"""How VictoriaMetrics begins an error: with the query and a part of it, before it comes to the cause."""
MOST_INSTANTS = 5000
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


def is_beyond_limits(said: str) -> bool:
    """Say whether an error is that a query asks for more than is allowed, as Prometheus, Thanos and Mimir word it."""
    return _BEYOND.search(_QUOTED.sub("", said)) is not None


def cause_of(said: str) -> str:
    """Return what an error says beside the query, which is shown anyway."""
    return _AGAIN.sub("", said)


def split_range(request: Look) -> Iterator[tuple[int, int, int]]:
    """Yield first instant, last instant and step in milliseconds, for at most 5,000 points each.

    Prometheus refuses a query of more than 11,000 points.
    """
    instants = expected_instants(request)
    step = request.width // _MILLISECOND
    for at in range(0, len(instants), MOST_INSTANTS):
        part = instants[at : at + MOST_INSTANTS]
        yield part[0], part[-1], step


def expected_instants(request: Look) -> Sequence[int]:
    """Return the instants at which the tiles end."""
    if request.width < _MILLISECOND or request.width % _MILLISECOND:
        raise ValueError("a tile's width is a whole number of milliseconds")
    step = request.width // _MILLISECOND
    count = max(0, (request.end - request.start) // request.width)
    first = milliseconds(request.start) + step
    return range(first, first + count * step, step)


def parse_matrix(answer: Mapping[str, object], query: str) -> Sequence[Mapping[str, object]]:
    """Return the series of an answer as they are. Raise `UnusableAnswer` for what is no matrix, or is in doubt."""
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
    return series


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


def too_many(series: Sequence[Mapping[str, object]], query: str) -> str:
    """Say which series there are where one is needed."""
    labels = "; ".join(_show_labels(one.get("metric")) for one in series[:_MOST_LABELS])
    more = f" and {len(series) - _MOST_LABELS} more" if len(series) > _MOST_LABELS else ""
    return (
        f"has {len(series)} series for {show_query(query)}, where one is needed: {labels}{more}; sum them in the query"
    )


def _show_labels(metric: object) -> str:
    pairs = metric.items() if isinstance(metric, dict) else ()
    return as_sentence("{" + ", ".join(f'{name}="{value}"' for name, value in pairs) + "}", longest=120)


def parse_points(series: Mapping[str, object], query: str, asked: Sequence[int], *, is_count: bool) -> Points:
    """Return a series' values by instant. Raise `UnusableAnswer` for any that is no finite number, or no count."""
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
        points[at] = _checked(number, query, is_count=is_count)
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


def _checked(number: float, query: str, *, is_count: bool) -> float:
    if not math.isfinite(number):
        noun = "count" if is_count else "finite number"
        raise UnusableAnswer(f"answered {show_query(query)} with {number}, which is no {noun}")
    if is_count and number < 0:
        raise UnusableAnswer(
            f"answered {show_query(query)} with {number:g}, and a count is never below 0", lasting=True
        )
    return number


def sorted_bounds(values: object) -> tuple[str, ...]:
    """Return the values of a histogram's label `le` by size, each bound once however it is written."""
    found: dict[float, str] = {}
    for value in values if isinstance(values, list) else ():
        try:
            found.setdefault(float(value), as_sentence(str(value), longest=20))
        except (TypeError, ValueError):
            continue
    return tuple(found[bound] for bound in sorted(found))


def interval_of(configuration: object) -> timedelta | None:
    """Return the global `scrape_interval` of a configuration in YAML; None where there is none that can be read."""
    found = _INTERVAL.search(configuration) if isinstance(configuration, str) else None
    if found is None:
        return None
    try:
        return parse_duration(found[1])
    except ValueError:
        return None
