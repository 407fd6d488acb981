"""GitHub's limits: so many calls or points an hour for each account, told in every answer; and the secondary ones.

The secondary limits are enforced on demand only: 900 points a minute for REST (a read 1, a write 5), 2,000 for GraphQL
(a query 1, a mutation 5), 80 content-creating calls a minute and 500 an hour. GitHub's "Rate limits for the REST API"
has the numbers. It does not list which calls create content; here they are those that notify people.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.lab.github.call import Json, Refusal
from bot.lab.github.nouns import Account

_LIMIT = 5000
_WINDOW = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)

_CONTENT = re.compile(
    r"POST /repos/[^/]+/[^/]+/(pulls|issues/\{number\}/comments|pulls/\{number\}/(reviews|requested_reviewers))"
    r"|PUT /repos/[^/]+/[^/]+/pulls/\{number\}/merge(-async)?"
)


@dataclass(slots=True)
class _Allowance:
    reset: datetime
    used: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What an account has left of a limit."""

    limit: int
    remaining: int
    used: int
    reset: datetime


class RateLimits:
    """What each account has left of one resource. Guarded by the world's lock."""

    def __init__(self, resource: str) -> None:
        self._resource = resource
        self._allowances: dict[str, _Allowance] = {}
        self._forced: _Allowance | None = None

    def force(self, remaining: int, reset: datetime) -> None:
        """Leave everybody `remaining` calls until `reset`."""
        self._forced = _Allowance(reset, _LIMIT - remaining)

    def _of(self, who: Account | None, now: datetime) -> _Allowance:
        if self._forced is not None and self._forced.reset > now:
            return self._forced
        self._forced = None
        key = "" if who is None else who.login
        found = self._allowances.get(key)
        if found is None or found.reset <= now:
            found = self._allowances[key] = _Allowance(now + _WINDOW)
        return found

    def count(self, who: Account | None, now: datetime, points: int = 1) -> None:
        """Take one call off the account's allowance, or refuse the call."""
        allowance = self._of(who, now)
        if allowance.used + points > _LIMIT:
            name = "user ID 0" if who is None else f"user ID {who.id}"
            raise Refusal(403, f"API rate limit exceeded for {name}.")
        allowance.used += points

    def give_back(self, who: Account | None, now: datetime) -> None:
        """Undo `count`: an answer of 304 costs nothing."""
        self._of(who, now).used -= 1

    def left(self, who: Account | None, now: datetime) -> Left:
        """Return what the account has left."""
        allowance = self._of(who, now)
        return Left(limit=_LIMIT, remaining=_LIMIT - allowance.used, used=allowance.used, reset=allowance.reset)

    def headers(self, who: Account | None, now: datetime) -> dict[str, str]:
        """Return the headers that tell of the allowance."""
        left = self.left(who, now)
        return {
            "x-ratelimit-limit": str(left.limit),
            "x-ratelimit-remaining": str(left.remaining),
            "x-ratelimit-used": str(left.used),
            "x-ratelimit-reset": str(int(left.reset.timestamp())),
            "x-ratelimit-resource": self._resource,
        }

    def overview(self, who: Account | None, now: datetime) -> Json:
        """Return a part of GitHub's `rate-limit-overview`."""
        left = self.left(who, now)
        return {
            "limit": left.limit,
            "remaining": left.remaining,
            "used": left.used,
            "reset": int(left.reset.timestamp()),
        }


@dataclass(slots=True, kw_only=True)
class _Spending:
    """What one account spent lately: instants, and points with theirs."""

    content: deque[datetime] = field(default_factory=deque)
    points: dict[str, deque[tuple[datetime, int]]] = field(default_factory=dict)


class SecondaryLimits:
    """GitHub's limits by the minute, and by the hour for content. A refused call is not counted."""

    def __init__(self) -> None:
        self._spendings: dict[str, _Spending] = {}

    def _of(self, who: Account | None) -> _Spending:
        return self._spendings.setdefault("" if who is None else who.login, _Spending())

    def count_rest(self, who: Account | None, now: datetime, method: str, template: str) -> None:
        """Count a REST call, or refuse it with the seconds to wait."""
        self._count_points(who, now, ("rest", 900), 1 if method == "GET" else 5)
        if _CONTENT.fullmatch(f"{method} {template}"):
            self._count_content(who, now)

    def count_graphql(self, who: Account | None, now: datetime, *, mutation: bool) -> None:
        """Count a document, or refuse it."""
        self._count_points(who, now, ("graphql", 2000), 5 if mutation else 1)

    def _count_points(self, who: Account | None, now: datetime, pool: tuple[str, int], points: int) -> None:
        kind, most = pool
        spent = self._of(who).points.setdefault(kind, deque())
        while spent and spent[0][0] <= now - _MINUTE:
            spent.popleft()
        if sum(cost for _, cost in spent) + points > most:
            said = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
            raise Refusal(403, said, retry_after=_wait(spent[0][0] + _MINUTE, now))
        spent.append((now, points))

    def _count_content(self, who: Account | None, now: datetime) -> None:
        made = self._of(who).content
        while made and made[0] <= now - _WINDOW:
            made.popleft()
        lately = [at for at in made if at > now - _MINUTE]
        said = "You have exceeded a secondary rate limit and have been temporarily blocked from content creation. "
        said += "Please retry your request again later."
        if len(made) >= 500:
            raise Refusal(403, said, retry_after=_wait(made[0] + _WINDOW, now))
        if len(lately) >= 80:
            raise Refusal(403, said, retry_after=_wait(lately[0] + _MINUTE, now))
        made.append(now)


def _wait(until: datetime, now: datetime) -> int:
    return max(1, int((until - now).total_seconds()))
