"""What the bot keeps, in domain words: the ledger, what was seen of applications, and the board of the present state.

As for the ports of the outside world, adapters implement these, and every method may raise `Transient` or `Permanent`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal, Protocol

from bot.domain.argo import Mark, Memory
from bot.domain.model import Sha

SWEEP = "(sweep)"
"""The board's subject for the sweep itself: what the health check looks at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One arrival of a release in a stage: what its numbers are kept under. `commit` introduced it."""

    service: str
    stage: str
    commit: Sha


Kept = Mapping[str, Mapping[datetime, float | None]]
"""Numbers of tiles by the fingerprint of their query and the start of the tile; None where there was no series."""


EventKind = Literal[
    "policy", "beginning", "observation", "decision", "action", "outcome", "command", "answer", "summary", "error"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One entry of the ledger. `body` is a JSON object; `stage` is empty where the entry is of the whole service."""

    at: datetime
    service: str
    kind: EventKind
    body: Mapping[str, object]
    stage: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An event as it stands in the ledger: `link` is its hash in the chain, `digest` that of its body.

    `body` is the body's text; None where it was taken away because it is old, and `event.body` is empty then.
    """

    number: int
    event: Event
    body: str | None
    digest: str
    link: str


class Archive(Protocol):
    """The ledger as a whole: for who reads it to the end, and who keeps it small."""

    def entries(self, *, after: int = 0, limit: int = 1000) -> Sequence[Entry]:
        """Return entries with a number above `after`, oldest first."""
        ...

    def thin(self, before: datetime) -> int:
        """Take away the bodies of what is older and no longer read; return how many. Commands and policies stay."""
        ...


class KeptNumbers(Protocol):
    """What was measured of releases before."""

    def numbers(self, arrivals: Sequence[Arrival]) -> Mapping[Arrival, Kept]:
        """Return all numbers kept of each arrival."""
        ...

    def keep_numbers(self, numbers: Mapping[Arrival, Kept]) -> None:
        """Keep numbers; one that is kept already is left as it was first seen."""
        ...


class Ledger(KeptNumbers, Protocol):
    """The append-only record of what was seen, decided and done. Safety never depends on it."""

    def record(self, event: Event) -> None:
        """Append one entry, durably, before this returns."""
        ...

    def events(self, *, service: str | None = None, kind: EventKind | None = None, limit: int = 100) -> Sequence[Event]:
        """Return the newest entries, newest first."""
        ...

    def latest(self, kind: EventKind) -> Mapping[str, Event]:
        """Return each service's newest entry of a kind."""
        ...

    def began(self, service: str) -> datetime | None:
        """Return when the first entry of a service was recorded; None where there is none."""
        ...

    def noted(self, keys: Sequence[str]) -> Mapping[str, str]:
        """Return the notes under these keys, as far as there are any. Notes only save calls: they may be lost."""
        ...

    def note(self, key: str, value: str) -> None:
        """Replace the note under a key."""
        ...


NOTHING_KNOWN: Mapping[str, datetime] = MappingProxyType({})
"""Since when nothing has its health, as far as Argo CD tells."""


class Sightings(Protocol):
    """What was seen of applications at earlier looks, and what was asked of Argo CD. May be lost at any time."""

    def saw_health(
        self,
        service: str,
        stage: str,
        seen: Mapping[str, str],
        at: datetime,
        *,
        gap: timedelta,
        since: Mapping[str, datetime] = NOTHING_KNOWN,
    ) -> None:
        """Note each application's health at a look. A look more than `gap` after the last one starts a new spell.

        So does one that finds the health younger than the last look, by `since`: another one lay between.
        """
        ...

    def saw_members(self, service: str, stage: str, members: Sequence[str], at: datetime) -> None:
        """Note which applications a stage has at a look."""
        ...

    def mark(self, arrival: Arrival, mark: Mark) -> None:
        """Note, durably, something that happened to an application on the way of a release."""
        ...

    def recall(self, arrival: Arrival, since: datetime, until: datetime) -> Memory:
        """Return what is known of a stage's applications between two instants, oldest first; marks of the arrival."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """The present state of one subject: a service, a policy file that cannot be read, or the sweep itself."""

    subject: str
    at: datetime
    body: Mapping[str, object]


class Board(Protocol):
    """The present state of everything, for people and health checks; overwritten by every sweep."""

    def post(self, posting: Posting) -> None:
        """Replace what the board says of a subject."""
        ...

    def remove(self, subject: str) -> None:
        """Take a subject off the board: its policy is gone."""
        ...

    def postings(self) -> Sequence[Posting]:
        """Return all postings in the order of their subjects."""
        ...
