"""GitHub behind the port `Forge`, through PyGithub: pull requests, their checks and reviews, merges, one comment.

Beside the port stand commits that GitHub makes and signs itself (`commits`).

Enters: repository names, branches, numbers and texts. Leaves: frozen values, or `Transient`, `Permanent` and `Conflict`
with one sentence. It never decides anything, never sends a write again without having looked, and never shows a token.

What PyGithub 2.10 does by itself and what is done here instead, each with a test:

- Its default retry sends a POST again after a 502. Here: no retry of its own (`retry=None`); reads are tried again a
  few times with jitter; a write whose answer was lost is looked up before it is sent one more time (I15).
- It does not retry 429, and waits up to an hour for the primary limit. Here both become `Transient` with `retry_after`.
- Its pauses between requests do not hold across threads. Here they are off, and writes are paced by one shared `Pace`.
- Threads: a PyGithub client keeps mutable state, so one client is used by one thread at a time; `Clients` lends them.
- Its timeout bounds the wait for each piece of an answer, not the whole. Accepted: a server that drips bytes can hold a
  thread; and a GET answered with 202 is asked again by PyGithub without a bound, which no call used here ever is.
"""

from bot.adapters.github.clients import Clients, GitHubSettings
from bot.adapters.github.commits import GitHubCommits
from bot.adapters.github.credentials import AppCredentials, Credentials, TokenCredentials
from bot.adapters.github.forge import GitHubForge

__all__ = [
    "AppCredentials",
    "Clients",
    "Credentials",
    "GitHubCommits",
    "GitHubForge",
    "GitHubSettings",
    "TokenCredentials",
]
