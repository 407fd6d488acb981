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
from bot.adapters.ledger.connections import Connections
from bot.adapters.ledger.sightings import SqlSightings
from bot.adapters.ledger.tables import events, notes
from bot.adapters.ledger.tables import numbers as _numbers
from bot.records import Arrival, Event, EventKind, Kept

_NEWEST_FIRST = events.c.id.desc()
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
        row = {
            "at": event.at,
            "service": event.service,
            "stage": event.stage,
            "kind": event.kind,
            "body": _to_json(event.body),
        }
        with self.connections.writing() as connection:
            connection.execute(sa.insert(events), row)

    def events(self, *, service: str | None = None, kind: EventKind | None = None, limit: int = 100) -> Sequence[Event]:
        """Return the newest entries, newest first."""
        query = sa.select(events).order_by(_NEWEST_FIRST).limit(limit)
        if service is not None:
            query = query.where(events.c.service == service)
        if kind is not None:
            query = query.where(events.c.kind == kind)
        with self.connections.reading() as connection:
            return tuple(_event(row) for row in connection.execute(query))

    def latest(self, kind: EventKind) -> Mapping[str, Event]:
        """Return each service's newest entry of a kind."""
        newest = sa.select(sa.func.max(events.c.id)).where(events.c.kind == kind).group_by(events.c.service)
        query = sa.select(events).where(events.c.id.in_(newest)).order_by(events.c.service)
        with self.connections.reading() as connection:
            return {row.service: _event(row) for row in connection.execute(query)}

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


def _to_json(body: Mapping[str, object]) -> str:
    """Write one JSON text for one value, so that a later hash over it means something."""
    return json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _event(row: Row[Any]) -> Event:
    return Event(at=row.at, service=row.service, stage=row.stage, kind=row.kind, body=json.loads(row.body))


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
