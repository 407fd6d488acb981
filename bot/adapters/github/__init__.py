"""GitHub behind the ports of `bot.forge`, through PyGithub: proposals, merges, conversation and signals.

Beside the ports stand commits that GitHub makes and signs itself (`commits`), and attestations that it keeps
(`attestations`).

Enters: repository names, branches, numbers and texts. Leaves: frozen values, or `Transient`, `Permanent` and `Conflict`
with one sentence. It never decides anything, never sends a write again without having looked, and never shows a token.

What PyGithub 2.10 does by itself and what is done here instead, each with a test:

- Its default retry sends a POST again after a 502. Here: none of its own retries; reads are tried again a
  few times with jitter; a write whose answer was lost is looked up before it is sent one more time (I15).
- It gives 429 up, or sleeps in the call where there is a `Retry-After`, and waits up to an hour for the primary limit.
  Here all become `Transient` with `retry_after`.
- It raises a GraphQL `RATE_LIMITED`, which comes with HTTP 200, as a 400, and throws away the data that came beside an
  error. Here GraphQL's answers are read by `graph_answers`.
- Its pauses between requests do not hold across threads. Here they are off, and the writes of an installation stand in
  one queue (`writes`), within the sums that GitHub allows (`budget`).
- Threads: a PyGithub client keeps mutable state, so one client is used by one thread at a time; `Clients` lends them.
- Its timeout bounds the wait for each piece of an answer, not the whole. Here a whole exchange has its `deadline`,
  which also bounds how long PyGithub goes on asking where a GET is answered with 202.
"""

from bot.adapters.github.attestations import GitHubAttestations
from bot.adapters.github.clients import Clients
from bot.adapters.github.commits import GitHubCommits
from bot.adapters.github.conversation import GitHubConversation
from bot.adapters.github.credentials import AppCredentials, Credentials, TokenCredentials
from bot.adapters.github.forge import GitHubForge
from bot.adapters.github.identity import Identity
from bot.adapters.github.merging import GitHubMerging
from bot.adapters.github.settings import GitHubSettings
from bot.adapters.github.signals import GitHubSignals
from bot.adapters.github.writes import Pacing

__all__ = [
    "AppCredentials",
    "Clients",
    "Credentials",
    "GitHubAttestations",
    "GitHubCommits",
    "GitHubConversation",
    "GitHubForge",
    "GitHubMerging",
    "GitHubSettings",
    "GitHubSignals",
    "Identity",
    "Pacing",
    "TokenCredentials",
]
