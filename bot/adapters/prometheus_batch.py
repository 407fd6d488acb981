"""Put looks together that one range query can answer, and take its answer apart again. Pure.

Looks go together that ask the same question of other stages (`Query.shape`), over tiles of one width that end together.
Ranges of different length are joined where the longer is at most twice the shorter, so that a service that must catch
up does not make all others read their past again; and with that the number of queries does not grow with the number of
services, but with the logarithm of how far they are behind each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bot.adapters.prometheus_answer import (
    MOST_INSTANTS,
    Points,
    UnusableAnswer,
    expected_instants,
    parse_points,
    show_query,
    too_many,
)
from bot.domain.model import Numbers
from bot.domain.queries import Labels, Query, joint_text
from bot.ports import Look

_MOST_POINTS = 500_000
"""How many points one answer may have: about half of what an answer may be long."""
Series = Mapping[str, object]
"""One series of an answer, as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Looks that one query answers: `look` is the query of all of them over the whole range.

    `members` are the numbers of the looks in the caller's list, with the looks themselves.
    """

    text: str
    look: Look
    members: tuple[tuple[int, Look], ...]

    @property
    def queries(self) -> list[Query]:
        """The queries of the members, each once."""
        return list(dict.fromkeys(look.query for _, look in self.members))

    def halves(self) -> tuple[Batch, Batch] | None:
        """Return the batch in two, by queries; None where there is one query only."""
        queries = self.queries
        if len(queries) < 2:
            return None
        first = frozenset(queries[: len(queries) // 2])
        return (
            _batch([item for item in self.members if item[1].query in first]),
            _batch([item for item in self.members if item[1].query not in first]),
        )


def plan(looks: Sequence[Look], *, most: int) -> list[Batch]:
    """Return the batches that answer all looks that ask for anything, with at most `most` queries in one."""
    groups: dict[object, list[tuple[int, Look]]] = defaultdict(list)
    for number, look in enumerate(looks):
        tiles = len(expected_instants(look))
        if tiles:
            shape = look.query.shape or look.query
            groups[shape, look.width, look.end, tiles.bit_length()].append((number, look))
    return [batch for members in groups.values() for batch in _split(members, _at_most(members, most))]


def _at_most(members: Sequence[tuple[int, Look]], most: int) -> int:
    """Return how many queries may be asked together, so that their answer does not become too long."""
    longest = max(len(expected_instants(look)) for _, look in members)
    return max(1, min(most, _MOST_POINTS // min(longest, MOST_INSTANTS)))


def _split(members: Sequence[tuple[int, Look]], most: int) -> Iterator[Batch]:
    queries = list(dict.fromkeys(look.query for _, look in members))
    for at in range(0, len(queries), most):
        some = frozenset(queries[at : at + most])
        yield _batch([item for item in members if item[1].query in some])


def _batch(members: Sequence[tuple[int, Look]]) -> Batch:
    looks = [look for _, look in members]
    whole = replace(looks[0], start=min(look.start for look in looks), end=max(look.end for look in looks))
    text = joint_text(list(dict.fromkeys(look.query for look in looks)))
    return Batch(text=text, look=whole, members=tuple(members))


def sort_series(batch: Batch, series: Sequence[Series]) -> Mapping[Labels, Sequence[Series]]:
    """Return the series of each query by its labels. Raise `UnusableAnswer` where they cannot be told apart."""
    queries = batch.queries
    if len(queries) == 1:
        return {queries[0].labels: series}
    names = [name for name, _ in queries[0].labels]
    found: dict[Labels, list[Series]] = defaultdict(list)
    for one in series:
        metric = one.get("metric")
        labels = metric if isinstance(metric, dict) else {}
        if any(name not in labels for name in names):
            missing = f"answered {show_query(batch.text)} with a series that lacks one of the labels {', '.join(names)}"
            raise UnusableAnswer(f"{missing}; group the query by them", lasting=True)
        found[tuple((name, str(labels[name])) for name in names)].append(one)
    return found


def points_of(series: Sequence[Series], look: Look, batch: Batch) -> Points:
    """Return the points of the one series that a look has; none where there is no series."""
    if len(series) > 1:
        raise UnusableAnswer(too_many(series, look.query.text), lasting=True)
    if not series:
        return {}
    return parse_points(series[0], look.query.text, expected_instants(batch.look), is_count=look.query.is_count)


def numbers_of(look: Look, points: Points) -> Numbers:
    """Return the number of each tile that a look asks for."""
    return tuple(points.get(at) for at in expected_instants(look))
