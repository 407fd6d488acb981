"""The adapter's parts, put together for a test: no pauses, and seconds that pass only where somebody sleeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

from bot.adapters.github import (
    Clients,
    Credentials,
    GitHubConversation,
    GitHubForge,
    GitHubMerging,
    GitHubSettings,
    GitHubSignals,
    Pacing,
    TokenCredentials,
)
from bot.domain.model import Sha
from tests.adapters.githubserver import TOKEN, Answer, FakeGitHub
from tests.adapters.gitserver import StoppedClock

REPO = "acme/deploy"
BRANCH = "liftlock/checkout/production/1a2b"
HEAD = Sha("a" * 40)
OLD_HEAD = Sha("b" * 40)
BAD_GATEWAY: Answer = (502, {"message": "Server Error"}, {})
LOST: Answer = (0, None, {})


class Seconds:
    """Monotonic seconds that pass only by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    @property
    def pacing(self) -> Pacing:
        return Pacing(monotonic=self.monotonic, sleep=self.sleep)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """All ports on one set of clients."""

    clients: Clients
    clock: StoppedClock
    seconds: Seconds
    forge: GitHubForge = field(init=False)
    merging: GitHubMerging = field(init=False)
    conversation: GitHubConversation = field(init=False)
    signals: GitHubSignals = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "forge", GitHubForge(self.clients))
        object.__setattr__(self, "merging", GitHubMerging(self.clients))
        object.__setattr__(self, "conversation", GitHubConversation(self.clients))
        object.__setattr__(self, "signals", GitHubSignals(self.clients))


def settings_for(github: FakeGitHub, **more: object) -> GitHubSettings:
    quick = GitHubSettings(api_url=github.url, pause=timedelta(milliseconds=2), write_pause=timedelta(0))
    return replace(quick, **more)  # type: ignore[arg-type]  # the names are GitHubSettings' own


@contextmanager
def parts_for(
    github: FakeGitHub, credentials: Credentials | None = None, settings: GitHubSettings | None = None
) -> Iterator[Parts]:
    clock, seconds = StoppedClock(), Seconds()
    known = credentials or TokenCredentials(lambda: TOKEN)
    with Clients(settings or settings_for(github), credentials=known, clock=clock, pacing=seconds.pacing) as clients:
        yield Parts(clients=clients, clock=clock, seconds=seconds)


def once(answer: Answer, method: str, ending: str) -> Callable[[str, str], Answer | None]:
    """Give `answer` to the first matching request only."""
    left = [answer]

    def fault(asked: str, path: str) -> Answer | None:
        return left.pop() if left and asked == method and path.endswith(ending) else None

    return fault


def always(answer: Answer) -> Callable[[str, str], Answer | None]:
    """Give `answer` to every request."""
    return lambda method, path: answer
