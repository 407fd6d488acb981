"""Where GitHub is, how it is asked, and how long anything waits for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from bot.adapters.github.writes import Patience


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHubSettings:
    """Where GitHub is and how it is asked.

    `api_url` is the REST root (`https://HOST/api/v3` for GitHub Enterprise Server); `ca_file` a private authority.
    `timeout` bounds each wait for the network, in whole seconds, `deadline` a whole answer; `write_pause` is kept
    between two writes, as GitHub asks; `pause` is the first wait before a retry. `reserve` is the part of the limits
    that only a rollback may use, `write_patience` how long a write waits for its place in them, a rollback
    `rollback_patience`. After `telling_patience` of a sweep, what only tells waits no more.
    """

    api_url: str = "https://api.github.com"
    ca_file: str | None = None
    timeout: timedelta = timedelta(seconds=15)
    deadline: timedelta = timedelta(seconds=60)
    attempts: int = 3
    pause: timedelta = timedelta(milliseconds=500)
    write_pause: timedelta = timedelta(seconds=1)
    reserve: float = 0.2
    write_patience: timedelta = timedelta(seconds=5)
    rollback_patience: timedelta = timedelta(seconds=30)
    telling_patience: timedelta = timedelta(seconds=30)
    cache_bytes: int = 16 * 1024 * 1024

    @property
    def patience(self) -> Patience:
        """How long writes wait."""
        return Patience(
            pause=self.write_pause,
            budget=self.write_patience,
            rollback=self.rollback_patience,
            telling=self.telling_patience,
        )
