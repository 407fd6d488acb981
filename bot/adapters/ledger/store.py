"""The port `Ledger` on SQL tables. Safe to share between threads; each call is one transaction.

Race named: two bots on one database may both keep a number of the same tile; it stays as whoever came first saw it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Row

from bot.adapters.ledger.board import SqlBoard
from bot.adapters.ledger.chain import BEGIN, canonical, digest_of, link_of
from bot.adapters.ledger.connections import Connections
from bot.adapters.ledger.sightings import SqlSightings
from bot.adapters.ledger.tables import events, notes
from bot.adapters.ledger.tables import numbers as _numbers
from bot.records import Arrival, Entry, Event, EventKind, Kept

_NEWEST_FIRST = events.c.id.desc()
_HAS_BODY = events.c.body != ""
_HEAD = sa.select(events.c.link).order_by(_NEWEST_FIRST).limit(1)
_KEPT = ("command", "policy", "summary")
_CHAIN_LOCK = 0x6C6966746C636861
_ROWS_AT_ONCE = 5_000
_KEYS_AT_ONCE = 500
"""SQLite takes no more than some thousand values in one statement."""


class SqlLedger:
    """An open ledger. `close` gives its connections back; it is a context manager that does so."""

    def __init__(self, connections: Connections) -> None:
        self.connections = connections

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self.connections.close()

    @property
    def board(self) -> SqlBoard:
        """The board that lives in the same database."""
        return SqlBoard(self.connections)

    @property
    def sightings(self) -> SqlSightings:
        """What was seen of applications, in the same database."""
        return SqlSightings(self.connections)

    def record(self, event: Event) -> None:
        """Append one entry, durably, before this returns."""
        body = canonical(event.body)
        digest = digest_of(body)
        row = {"at": event.at, "service": event.service, "stage": event.stage, "kind": event.kind, "body": body}
        with self.connections.writing() as connection:
            if connection.dialect.name == "postgresql":
                # SQLite's writers take turns anyway; here two could follow on the same entry.
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_CHAIN_LOCK)))
            before = connection.execute(_HEAD).scalar() or BEGIN
            connection.execute(sa.insert(events), row | {"digest": digest, "link": link_of(before, event, digest)})

    def events(self, *, service: str | None = None, kind: EventKind | None = None, limit: int = 100) -> Sequence[Event]:
        """Return the newest entries, newest first."""
        query = sa.select(events).where(_HAS_BODY).order_by(_NEWEST_FIRST).limit(limit)
        if service is not None:
            query = query.where(events.c.service == service)
        if kind is not None:
            query = query.where(events.c.kind == kind)
        with self.connections.reading() as connection:
            return tuple(_event(row) for row in connection.execute(query))

    def latest(self, kind: EventKind) -> Mapping[str, Event]:
        """Return each service's newest entry of a kind."""
        of_kind = sa.select(sa.func.max(events.c.id)).where(events.c.kind == kind, _HAS_BODY)
        newest = of_kind.group_by(events.c.service)
        query = sa.select(events).where(events.c.id.in_(newest)).order_by(events.c.service)
        with self.connections.reading() as connection:
            return {row.service: _event(row) for row in connection.execute(query)}

    def began(self, service: str) -> datetime | None:
        """Return when the first entry of a service was recorded; None where there is none."""
        query = sa.select(events.c.at).where(events.c.service == service).order_by(events.c.id).limit(1)
        with self.connections.reading() as connection:
            found: datetime | None = connection.execute(query).scalar()
        return found

    # --- the archive ---

    def entries(self, *, after: int = 0, limit: int = 1000) -> Sequence[Entry]:
        """Return entries with a number above `after`, oldest first."""
        query = sa.select(events).where(events.c.id > after).order_by(events.c.id).limit(limit)
        with self.connections.reading() as connection:
            return tuple(_entry(row) for row in connection.execute(query))

    def thin(self, before: datetime) -> int:
        """Take away the bodies of older entries, and the numbers of older tiles; a transaction for some at a time.

        Commands stand until they are taken back and policies are what old decisions are replayed with, so both stay,
        and so does the newest entry of each kind and service: that is read at every sweep.
        """
        newest = sa.select(sa.func.max(events.c.id)).group_by(events.c.service, events.c.kind)
        old = (
            sa.select(events.c.id)
            .where(events.c.at < before, _HAS_BODY, events.c.kind.not_in(_KEPT), events.c.id.not_in(newest))
            .limit(_ROWS_AT_ONCE)
        )
        thinned = 0
        while True:
            with self.connections.writing() as connection:
                found = [row.id for row in connection.execute(old)]
                for start in range(0, len(found), _KEYS_AT_ONCE):
                    some = events.c.id.in_(found[start : start + _KEYS_AT_ONCE])
                    connection.execute(sa.update(events).where(some).values(body=""))
            thinned += len(found)
            if len(found) < _ROWS_AT_ONCE:
                break
        with self.connections.writing() as connection:
            connection.execute(sa.delete(_numbers).where(_numbers.c.start < before))
        return thinned

    # --- numbers and notes ---

    def numbers(self, arrivals: Sequence[Arrival]) -> Mapping[Arrival, Kept]:
        """Return all numbers kept of each arrival."""
        with self.connections.reading() as connection:
            return {arrival: _kept(connection.execute(_of_arrival, _key(arrival))) for arrival in arrivals}

    def keep_numbers(self, numbers: Mapping[Arrival, Kept]) -> None:
        """Keep numbers, in one transaction; one that is kept already is left as it was first seen."""
        rows = [
            _key(arrival) | {"fingerprint": fingerprint, "start": start, "value": value}
            for arrival, kept in numbers.items()
            for fingerprint, found in kept.items()
            for start, value in found.items()
        ]
        if not rows:
            return
        with self.connections.writing() as connection:
            connection.execute(_insert(connection, _numbers).on_conflict_do_nothing(), rows)

    def noted(self, keys: Sequence[str]) -> Mapping[str, str]:
        """Return the notes under these keys, as far as there are any."""
        found: dict[str, str] = {}
        with self.connections.reading() as connection:
            for start in range(0, len(keys), _KEYS_AT_ONCE):
                some = keys[start : start + _KEYS_AT_ONCE]
                rows = connection.execute(sa.select(notes.c.key, notes.c.value).where(notes.c.key.in_(some)))
                found.update({row.key: row.value for row in rows})
        return found

    def note(self, key: str, value: str) -> None:
        """Replace the note under a key."""
        with self.connections.writing() as connection:
            store = _insert(connection, notes).values(key=key, value=value)
            connection.execute(store.on_conflict_do_update(index_elements=["key"], set_={"value": value}))


def _event(row: Row[Any]) -> Event:
    body = json.loads(row.body) if row.body else {}
    return Event(at=row.at, service=row.service, stage=row.stage, kind=row.kind, body=body)


def _entry(row: Row[Any]) -> Entry:
    return Entry(number=row.id, event=_event(row), body=row.body or None, digest=row.digest, link=row.link)


def _key(arrival: Arrival) -> dict[str, object]:
    return {"service": arrival.service, "stage": arrival.stage, "introduced_by": arrival.commit}


_of_arrival = sa.select(_numbers.c.fingerprint, _numbers.c.start, _numbers.c.value).where(
    *(_numbers.c[name] == sa.bindparam(name) for name in ("service", "stage", "introduced_by"))
)


def _kept(rows: Iterable[Row[Any]]) -> Kept:
    found: dict[str, dict[datetime, float | None]] = {}
    for row in rows:
        found.setdefault(row.fingerprint, {})[row.start] = row.value
    return found


def _insert(connection: Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """Both databases spell `ON CONFLICT` the same way, but SQLAlchemy has it in each dialect only."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)
