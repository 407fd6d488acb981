"""The port `Sightings` on SQL tables: runs of looks with one health or one set of applications, and marks.

Races named: two bots on one database may both start a run for the same look; the two say the same and do no harm.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from bot.adapters.ledger.connections import Connections
from bot.adapters.ledger.tables import health_spells, marks, memberships
from bot.domain.argo import HealthSpell, Mark, MarkKind, Membership, Memory, remember
from bot.records import NOTHING_KNOWN, Arrival


class SqlSightings:
    """The sightings that live in the ledger's database. Safe to share between threads."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

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
        """Note each application's health at a look; after a gap, or another health in between, a new spell starts."""
        if not seen:
            return
        with self._connections.writing() as connection:
            last = _last_spells(connection, service, stage)
            for application, health in sorted(seen.items()):
                spell = last.get(application)
                began = since.get(application, at)
                # A look that a wrong clock dated long after this one would hide the illness until then.
                is_same = spell is not None and spell.health == health and abs(at - spell.last_seen) <= gap
                # Younger than the last look: it was something else in between.
                if spell is None or not is_same or (began < at and began > spell.last_seen):
                    # Argo CD's own time where it may be believed: after all that was seen before.
                    first = began if began < at and (spell is None or began > spell.last_seen) else at
                    row = {"service": service, "stage": stage, "application": application, "health": health}
                    connection.execute(sa.insert(health_spells), row | {"first_seen": first, "last_seen": at})
                elif at > spell.last_seen:
                    extend = sa.update(health_spells).where(health_spells.c.id == spell.id)
                    connection.execute(extend, {"last_seen": at})

    def saw_members(self, service: str, stage: str, members: Sequence[str], at: datetime) -> None:
        """Note which applications a stage has at a look: others than at the last one start a new run."""
        table = memberships.c
        told = json.dumps(sorted(members))
        of_stage = sa.select(memberships).where(table.service == service, table.stage == stage)
        with self._connections.writing() as connection:
            last = connection.execute(of_stage.order_by(table.id.desc()).limit(1)).one_or_none()
            if last is None or last.members != told:
                row = {"service": service, "stage": stage, "members": told, "first_seen": at, "last_seen": at}
                connection.execute(sa.insert(memberships), row)
            elif at > last.last_seen:
                connection.execute(sa.update(memberships).where(table.id == last.id), {"last_seen": at})

    def mark(self, arrival: Arrival, mark: Mark) -> None:
        """Note something that happened to an application on the way of a release."""
        row = {"application": mark.application, "kind": str(mark.kind), "at": mark.at}
        with self._connections.writing() as connection:
            connection.execute(sa.insert(marks), row | _key(arrival))

    def recall(self, arrival: Arrival, since: datetime, until: datetime) -> Memory:
        """Return what is known of a stage's applications between two instants, oldest first; marks of the arrival."""
        with self._connections.reading() as connection:
            spells = [_spell(row) for row in connection.execute(_spells_since(health_spells, arrival, since))]
            members = [_membership(row) for row in connection.execute(_spells_since(memberships, arrival, since))]
            found = [_mark(row) for row in connection.execute(_marks_of, _key(arrival))]
        return remember(spells, members, found, until)


_marks_of = (
    sa.select(marks)
    .where(*(marks.c[name] == sa.bindparam(name) for name in ("service", "stage", "introduced_by")))
    .order_by(marks.c.id)
)


def _key(arrival: Arrival) -> dict[str, object]:
    return {"service": arrival.service, "stage": arrival.stage, "introduced_by": arrival.commit}


def _spells_since(table: sa.Table, arrival: Arrival, since: datetime) -> sa.Select[tuple[Any, ...]]:
    of_stage = (table.c.service == arrival.service, table.c.stage == arrival.stage)
    return sa.select(table).where(*of_stage, table.c.last_seen >= since).order_by(table.c.first_seen, table.c.id)


def _last_spells(connection: Connection, service: str, stage: str) -> Mapping[str, Row[Any]]:
    table = health_spells.c
    of_stage = (table.service == service, table.stage == stage)
    newest = sa.select(sa.func.max(table.id)).where(*of_stage).group_by(table.application)
    rows = connection.execute(sa.select(health_spells).where(table.id.in_(newest)))
    return {row.application: row for row in rows}


def _spell(row: Row[Any]) -> HealthSpell:
    return HealthSpell(
        application=row.application, health=row.health, first_seen=row.first_seen, last_seen=row.last_seen
    )


def _membership(row: Row[Any]) -> Membership:
    return Membership(members=tuple(json.loads(row.members)), first_seen=row.first_seen, last_seen=row.last_seen)


def _mark(row: Row[Any]) -> Mark:
    return Mark(application=row.application, kind=MarkKind(row.kind), at=row.at)
