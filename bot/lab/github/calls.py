"""What the APIs were asked and what it cost: counters for tests, and the limits that every call is measured by."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from bot.lab.github.limits import RateLimits, SecondaryLimits
from bot.lab.github.nouns import Account


@dataclass(slots=True)
class Calls:
    """How often what was asked since the last `reset`. REST by method, path template and status; 304 included."""

    rest: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    graphql: Counter[str] = field(default_factory=Counter)
    """By `query` and `mutation`."""
    graphql_points: int = 0

    def note_rest(self, method: str, template: str, status: int) -> None:
        """Count a call of the REST API."""
        self.rest[method, template, status] += 1

    def note_graphql(self, kind: str, points: int) -> None:
        """Count a document that was carried out, with its points."""
        self.graphql[kind] += 1
        self.graphql_points += points

    @property
    def requests(self) -> int:
        """All calls of both APIs."""
        return self.rest.total() + self.graphql.total()

    @property
    def unchanged(self) -> int:
        """REST calls that were answered with 304 and so cost nothing."""
        return sum(count for (_, _, status), count in self.rest.items() if status == 304)

    @property
    def rest_requests(self) -> int:
        """REST calls that counted against the limit."""
        return self.rest.total() - self.unchanged

    @property
    def writes(self) -> int:
        """REST calls that change something, and mutations."""
        return sum(count for (method, _, _), count in self.rest.items() if method != "GET") + self.graphql["mutation"]

    def reset(self) -> None:
        """Start to count anew."""
        self.rest.clear()
        self.graphql.clear()
        self.graphql_points = 0


class Traffic:
    """The counters and limits of one server. Guarded by the world's lock."""

    def __init__(self) -> None:
        self.calls = Calls()
        self.core = RateLimits("core")
        self.graphql = RateLimits("graphql")
        self.graphql_limit_word = "RATE_LIMITED"
        self.secondary: SecondaryLimits | None = None
        self._numbers = itertools.count(1)

    def next_number(self) -> int:
        """Return the number of an answer."""
        return next(self._numbers)

    def spend_secondary(self, who: Account, now: datetime, *, mutation: bool) -> None:
        """Take a document's points off the minute's, or refuse it, where that limit is enforced."""
        if self.secondary is not None:
            self.secondary.count_graphql(who, now, mutation=mutation)
