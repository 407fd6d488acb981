"""What GitHub lets one installation do, counted by us, so that its limits are never met and a rollback always fits.

Enters: each request before it is sent, and the rate headers of each answer. Leaves: how long a request has to wait and
why. It never sleeps and never sends anything.

The figures are GitHub's ("Rate limits for the REST API"): 900 REST and 2,000 GraphQL points a minute, where a read
costs one point and a write five; 80 requests that create content a minute and 500 an hour; and the primary limit of an
hour that the answers' headers tell. Counted is what is sent, also where the answer is a refusal. A part of each is a
reserve for rollbacks. Two bots with the same installation know nothing of each other's sums; GitHub's own refusal,
which is obeyed, is then what holds.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

_MINUTE, _HOUR = 60.0, 3600.0
_LONGEST_STANDING = 2 * _HOUR


class Resource(StrEnum):
    """GitHub's names of the two primary limits."""

    REST = "core"
    GRAPHQL = "graphql"


class Right(StrEnum):
    """What a request is for: who may still go on when little is left.

    VITAL are the reads that a merge needs. A read that is made for a write has the right of that write, so that no
    comment uses up what is kept for a rollback.
    """

    ROLLBACK = "rollback"
    VITAL = "vital"
    WRITE = "write"
    READ = "read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a request costs. `content` is 1 for one that creates content that people see."""

    resource: Resource = Resource.REST
    points: int = 1
    content: int = 0


READ = Cost()
QUERY = Cost(resource=Resource.GRAPHQL)
WRITE = Cost(points=5)
CREATE = Cost(points=5, content=1)
MUTATION = Cost(resource=Resource.GRAPHQL, points=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """The limits. `reserve` is the part of a minute's and of content's that is kept, half of it for rollbacks only.

    Of the primary limit of an hour, reads leave `read_floor`, writes `write_floor`, and what is vital `vital_floor`.
    """

    rest_minute: int = 900
    graphql_minute: int = 2000
    content_minute: int = 80
    content_hour: int = 500
    reserve: float = 0.2
    read_floor: float = 0.10
    write_floor: float = 0.05
    vital_floor: float = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """How long a request must wait, in seconds, and the sentence that says why."""

    seconds: float = 0.0
    reason: str = ""


class _Window:
    """What was spent within the last `length` seconds."""

    def __init__(self, name: str, limit: int, length: float) -> None:
        self.name = name
        self.limit = limit
        self._length = length
        self._spent: deque[tuple[float, int]] = deque()

    def used(self, now: float) -> int:
        while self._spent and self._spent[0][0] <= now - self._length:
            self._spent.popleft()
        return sum(cost for _, cost in self._spent)

    def spend(self, now: float, cost: int) -> None:
        if cost:
            self._spent.append((now, cost))

    def delay(self, now: float, cost: int, share: float) -> Delay:
        """Say when `cost` more fits into `share` of the limit."""
        if not cost:
            return Delay()
        allowed = max(cost, int(self.limit * share))
        used = self.used(now)
        excess = used + cost - allowed
        if excess <= 0:
            return Delay()
        reason = f"{used} of the {allowed} {self.name} that it may use are used"
        for at, spent in self._spent:
            excess -= spent
            if excess <= 0:
                return Delay(seconds=max(0.001, at + self._length - now), reason=reason)
        return Delay(seconds=self._length, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """A primary limit as the last answer told it; `resets_at` in monotonic seconds."""

    limit: int
    remaining: int
    resets_at: float


class Budget:
    """The sums of one installation. Safe to share between threads; `now` are always monotonic seconds."""

    def __init__(self, allowance: Allowance | None = None) -> None:
        self._allowance = allowance or Allowance()
        a = self._allowance
        self._lock = threading.Lock()
        self._points = {
            Resource.REST: _Window("REST points a minute", a.rest_minute, _MINUTE),
            Resource.GRAPHQL: _Window("GraphQL points a minute", a.graphql_minute, _MINUTE),
        }
        self._content_minute = _Window("content-creating requests a minute", a.content_minute, _MINUTE)
        self._content_hour = _Window("content-creating requests an hour", a.content_hour, _HOUR)
        self._standing: dict[Resource, _Standing] = {}
        self._paused_until = 0.0
        self._counts: Counter[str] = Counter()

    # --- asking ---

    def delay(self, cost: Cost, right: Right, *, now: float) -> Delay:
        """Say how long a request has to wait."""
        with self._lock:
            if now < self._paused_until:
                return Delay(seconds=self._paused_until - now, reason="GitHub asked to be left alone")
            reserve = self._allowance.reserve
            share = 1.0 - {Right.ROLLBACK: 0.0, Right.VITAL: reserve / 2}.get(right, reserve)
            delays = (
                self._primary_delay(cost.resource, right, now),
                self._points[cost.resource].delay(now, cost.points, share),
                self._content_minute.delay(now, cost.content, share),
                self._content_hour.delay(now, cost.content, share),
            )
            return max(delays, key=lambda delay: delay.seconds)

    def _primary_delay(self, resource: Resource, right: Right, now: float) -> Delay:
        standing = self._standing.get(resource)
        if standing is None or now >= standing.resets_at:
            return Delay()
        a = self._allowance
        floors = {Right.READ: a.read_floor, Right.WRITE: a.write_floor, Right.VITAL: a.vital_floor}
        kept = int(standing.limit * floors.get(right, 0.0))
        if standing.remaining > kept:
            return Delay()
        what = "REST requests" if resource is Resource.REST else "GraphQL points"
        rest = f"{standing.remaining} of {standing.limit} {what} of the hour are left"
        keeps_for = "rollbacks" if right is Right.VITAL else "merges and rollbacks"
        reason = f"{rest}, and {kept} are kept for {keeps_for}" if kept else rest
        return Delay(seconds=standing.resets_at - now, reason=reason)

    # --- counting ---

    def note_sent(self, cost: Cost, *, now: float) -> None:
        """Count a request that is about to be sent."""
        with self._lock:
            self._points[cost.resource].spend(now, cost.points)
            self._content_minute.spend(now, cost.content)
            self._content_hour.spend(now, cost.content)
            self._counts["rest_requests" if cost.resource is Resource.REST else "graphql_requests"] += 1

    def note_answer(self, headers: Mapping[str, str], *, now: float, until_reset: float | None) -> None:
        """Take over what an answer's headers say. `until_reset` are the seconds from the answer to the reset."""
        limit, remaining = _whole(headers, "x-ratelimit-limit"), _whole(headers, "x-ratelimit-remaining")
        resource = headers.get("x-ratelimit-resource", Resource.REST)
        if limit is None or remaining is None or until_reset is None or resource not in tuple(Resource):
            return
        told = _Standing(limit=limit, remaining=remaining, resets_at=now + min(until_reset, _LONGEST_STANDING))
        with self._lock:
            self._standing[Resource(resource)] = told

    def note_pause(self, wait: timedelta, *, now: float) -> None:
        """Leave GitHub alone for a while: it has said that a secondary limit was met."""
        with self._lock:
            self._paused_until = max(self._paused_until, now + wait.total_seconds())

    def note_refused(self) -> None:
        """Count a write that did not get its turn."""
        self._count("writes_refused", 1)

    def note_not_modified(self) -> None:
        """Count an answer that cost nothing."""
        self._count("not_modified", 1)

    def note_points(self, cost: int) -> None:
        """Count the points that GitHub says a query cost."""
        self._count("graphql_points", cost)

    def _count(self, name: str, by: int) -> None:
        with self._lock:
            self._counts[name] += by

    # --- telling ---

    def report(self, *, now: float) -> Mapping[str, float]:
        """Return the sums for `/metrics` and `liftlock status --cost`.

        `requests_remaining` and `points_remaining` are there once GitHub has told them, and until they are reset.
        """
        with self._lock:
            names = ("rest_requests", "graphql_requests", "graphql_points", "not_modified", "writes_refused")
            sums = {name: float(self._counts[name]) for name in names}
            sums["rest_points_minute"] = float(self._points[Resource.REST].used(now))
            sums["content_minute"] = float(self._content_minute.used(now))
            sums["content_hour"] = float(self._content_hour.used(now))
            for resource, name in ((Resource.REST, "requests_remaining"), (Resource.GRAPHQL, "points_remaining")):
                standing = self._standing.get(resource)
                if standing is not None and now < standing.resets_at:
                    sums[name] = float(standing.remaining)
            return sums


def _whole(headers: Mapping[str, str], name: str) -> int | None:
    value = headers.get(name, "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 12 else None
