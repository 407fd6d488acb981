"""The Prometheus servers of the settings, by the ids that policies name: the port `Metrics` over all of them.

Each has its own connections, limits and breaker, and queries are put together within one of them only. They are asked
at the same time, so that one which is down makes those who ask it wait, and nobody judges by another's answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Self

from bot.adapters.prometheus import PrometheusMetrics
from bot.domain.model import Numbers
from bot.domain.queries import DEFAULT_SOURCE, source_name
from bot.ports import Cost, Look, OutsideError, Permanent


class PrometheusSources:
    """Several Prometheus servers, at least one. A look at one that nobody configured fails, and nothing else does."""

    def __init__(self, servers: Mapping[str, PrometheusMetrics]) -> None:
        self._servers = servers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        for server in self._servers.values():
            server.close()

    def read(self, looks: Sequence[Look]) -> Sequence[Numbers | OutsideError]:
        """Answer each look by its source; the sources are asked at once, each for all that concerns it."""
        places: dict[str, list[int]] = defaultdict(list)
        for number, look in enumerate(looks):
            places[look.query.source].append(number)
        found: list[Numbers | OutsideError] = [() for _ in looks]
        with ThreadPoolExecutor(max_workers=len(self._servers), thread_name_prefix="sources") as pool:
            answers = pool.map(lambda name: self._ask(name, [looks[number] for number in places[name]]), places)
            for numbers, answer in zip(places.values(), answers, strict=True):
                for number, one in zip(numbers, answer, strict=True):
                    found[number] = one
        return found

    def _ask(self, name: str, looks: Sequence[Look]) -> Sequence[Numbers | OutsideError]:
        server = self._servers.get(name)
        return [self._unknown(name)] * len(looks) if server is None else server.read(looks)

    def bucket_bounds(
        self, histogram: str, start: datetime, end: datetime, source: str = DEFAULT_SOURCE, /
    ) -> Sequence[str]:
        """Return the bounds of a histogram's buckets at a source; raise `Permanent` for an unknown one."""
        server = self._servers.get(source)
        if server is None:
            raise self._unknown(source)
        return server.bucket_bounds(histogram, start, end)

    def describe(self, source: str = DEFAULT_SOURCE, /) -> str:
        """Return a source's name, version and address for the evidence."""
        server = self._servers.get(source)
        return source_name(source) if server is None else server.describe()

    def scrape_interval(self, source: str = DEFAULT_SOURCE, /) -> timedelta | None:
        """Return how often a source scrapes, if it tells."""
        server = self._servers.get(source)
        return None if server is None else server.scrape_interval()

    def cost(self) -> Cost:
        """Return what all looks so far have cost, at all sources together."""
        costs = [server.cost() for server in self._servers.values()]
        return Cost(
            queries=sum(cost.queries for cost in costs),
            series=sum(cost.series for cost in costs),
            points=sum(cost.points for cost in costs),
        )

    def _unknown(self, name: str) -> Permanent:
        known = ", ".join(sorted(self._servers))
        return Permanent(source_name(name), f"the settings name no Prometheus {name!r}; they name: {known}")
