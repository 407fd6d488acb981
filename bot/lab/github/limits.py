"""GitHub's primary rate limit: so many calls an hour for each account, told in the headers of every answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.lab.github.call import Json, Refusal
from bot.lab.github.nouns import Account

_LIMIT = 5000
_WINDOW = timedelta(hours=1)


@dataclass(slots=True)
class _Allowance:
    reset: datetime
    used: int = 0


class RateLimits:
    """What each account has left. Guarded by the world's lock."""

    def __init__(self) -> None:
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

    def count(self, who: Account | None, now: datetime) -> None:
        """Take one call off the account's allowance, or refuse the call."""
        allowance = self._of(who, now)
        if allowance.used >= _LIMIT:
            name = "user ID 0" if who is None else f"user ID {who.id}"
            raise Refusal(403, f"API rate limit exceeded for {name}.")
        allowance.used += 1

    def give_back(self, who: Account | None, now: datetime) -> None:
        """Undo `count`: an answer of 304 costs nothing."""
        self._of(who, now).used -= 1

    def headers(self, who: Account | None, now: datetime) -> dict[str, str]:
        """Return the headers that tell of the allowance."""
        allowance = self._of(who, now)
        return {
            "x-ratelimit-limit": str(_LIMIT),
            "x-ratelimit-remaining": str(_LIMIT - allowance.used),
            "x-ratelimit-used": str(allowance.used),
            "x-ratelimit-reset": str(int(allowance.reset.timestamp())),
            "x-ratelimit-resource": "core",
        }

    def overview(self, who: Account | None, now: datetime) -> Json:
        """GitHub's `rate-limit-overview`."""
        allowance = self._of(who, now)
        core = {
            "limit": _LIMIT,
            "remaining": _LIMIT - allowance.used,
            "used": allowance.used,
            "reset": int(allowance.reset.timestamp()),
        }
        full = {"limit": _LIMIT, "remaining": _LIMIT, "used": 0, "reset": core["reset"]}
        return {"resources": {"core": core, "search": full, "graphql": full}, "rate": core}
