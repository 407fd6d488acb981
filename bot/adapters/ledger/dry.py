"""A ledger and a board for dry runs: they read what is there and keep what is new in memory only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from bot.domain.argo import Mark, Memory, remember
from bot.records import NOTHING_KNOWN, Arrival, Board, Event, EventKind, Kept, Ledger, Posting, Sightings


class DryLedger:
    """Reads from `real`, writes to `scratch`, and answers with both, the newer first where one must be chosen."""

    def __init__(self, *, real: Ledger, scratch: Ledger) -> None:
        self._real = real
        self._scratch = scratch

    def record(self, event: Event) -> None:
        """Keep the entry in memory."""
        self._scratch.record(event)

    def events(self, *, service: str | None = None, kind: EventKind | None = None, limit: int = 100) -> Sequence[Event]:
        """Return the newest entries of both, newest first."""
        new = self._scratch.events(service=service, kind=kind, limit=limit)
        old = self._real.events(service=service, kind=kind, limit=limit)
        return [*new, *old][:limit]

    def latest(self, kind: EventKind) -> Mapping[str, Event]:
        """Return each service's newest entry of a kind."""
        return {**self._real.latest(kind), **self._scratch.latest(kind)}

    def began(self, service: str) -> datetime | None:
        """Return when the first entry of a service was recorded, in either."""
        return self._real.began(service) or self._scratch.began(service)

    def numbers(self, arrivals: Sequence[Arrival]) -> Mapping[Arrival, Kept]:
        """Return the numbers of both; the real ones count where both have one."""
        new, old = self._scratch.numbers(arrivals), self._real.numbers(arrivals)
        return {
            arrival: {
                fingerprint: {**new[arrival].get(fingerprint, {}), **old[arrival].get(fingerprint, {})}
                for fingerprint in (*new[arrival], *old[arrival])
            }
            for arrival in arrivals
        }

    def keep_numbers(self, numbers: Mapping[Arrival, Kept]) -> None:
        """Keep numbers in memory."""
        self._scratch.keep_numbers(numbers)

    def noted(self, keys: Sequence[str]) -> Mapping[str, str]:
        """Return the notes of both; the newer ones are in memory."""
        return {**self._real.noted(keys), **self._scratch.noted(keys)}

    def note(self, key: str, value: str) -> None:
        """Keep the note in memory."""
        self._scratch.note(key, value)


class DrySightings:
    """Reads from `real`, writes to `scratch`, and recalls both."""

    def __init__(self, *, real: Sightings, scratch: Sightings) -> None:
        self._real = real
        self._scratch = scratch

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
        """Note a look in memory."""
        self._scratch.saw_health(service, stage, seen, at, gap=gap, since=since)

    def saw_members(self, service: str, stage: str, members: Sequence[str], at: datetime) -> None:
        """Note a look in memory."""
        self._scratch.saw_members(service, stage, members, at)

    def mark(self, arrival: Arrival, mark: Mark) -> None:
        """Note it in memory."""
        self._scratch.mark(arrival, mark)

    def recall(self, arrival: Arrival, since: datetime, until: datetime) -> Memory:
        """Return what both know, oldest first."""
        old, new = (kept.recall(arrival, since, until) for kept in (self._real, self._scratch))
        spells = sorted([*old.spells, *new.spells], key=lambda spell: (spell.first_seen, spell.application))
        return remember(spells, [*old.memberships, *new.memberships], [*old.marks, *new.marks], until)


class DryBoard:
    """Shows what is on the real board and takes no postings."""

    def __init__(self, real: Board) -> None:
        self._real = real

    def post(self, posting: Posting) -> None:
        """Drop the posting."""

    def remove(self, subject: str) -> None:
        """Leave the subject where it is."""

    def postings(self) -> Sequence[Posting]:
        """Return all postings of the real board."""
        return self._real.postings()
