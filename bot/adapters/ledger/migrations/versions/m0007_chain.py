"""A chain of hashes over all events, and triggers that let nothing of one be changed but an old body taken away."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from bot.adapters.ledger.chain import BEGIN, digest_of, link_of
from bot.records import Event

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ROWS_AT_ONCE = 1000
_NAMES = ("id", "at", "service", "stage", "kind", "digest", "link")
_SAID = "events of the ledger are never changed or deleted"


def upgrade() -> None:
    """Add the hashes, link what is there in its order, and guard it anew."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    op.execute("DROP TRIGGER events_no_update" if is_sqlite else "DROP TRIGGER events_append_only ON events")
    for name in ("digest", "link"):
        op.add_column("events", sa.Column(name, sa.Text, nullable=False, server_default=""))
    _link_all()
    _guard_on_sqlite() if is_sqlite else _guard_on_postgresql()


def _link_all() -> None:
    connection, before, last = op.get_bind(), BEGIN, 0
    events = sa.table("events", *(sa.column(name) for name in (*_NAMES, "body")))
    update = sa.update(events).where(events.c.id == sa.bindparam("of"))
    change = update.values(digest=sa.bindparam("new_digest"), link=sa.bindparam("new_link"))
    while True:
        query = sa.select(events).where(events.c.id > last).order_by(events.c.id).limit(_ROWS_AT_ONCE)
        rows = connection.execute(query).all()
        if not rows:
            return
        changes = []
        for row in rows:
            digest = digest_of(row.body)
            before = link_of(before, _event(row), digest)
            changes.append({"of": row.id, "new_digest": digest, "new_link": before})
            last = row.id
        connection.execute(change, changes)


def _event(row: sa.Row[tuple[object, ...]]) -> Event:
    at = datetime.fromisoformat(row.at) if isinstance(row.at, str) else row.at
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return Event(at=at, service=row.service, stage=row.stage, kind=row.kind, body={})


def _guard_on_sqlite() -> None:
    same = " AND ".join(f"NEW.{name} IS OLD.{name}" for name in _NAMES)
    op.execute(
        "CREATE TRIGGER events_no_update BEFORE UPDATE ON events "
        f"WHEN NOT (NEW.body = '' AND {same}) BEGIN SELECT RAISE(ABORT, '{_SAID}'); END"
    )


def _guard_on_postgresql() -> None:
    same = " AND ".join(f"NEW.{name} = OLD.{name}" for name in _NAMES)
    op.execute(
        "CREATE OR REPLACE FUNCTION events_are_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP = 'UPDATE' AND NEW.body = '' AND {same} THEN RETURN NEW; END IF; "
        f"RAISE EXCEPTION '{_SAID}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE ON events "
        "FOR EACH ROW EXECUTE FUNCTION events_are_append_only()"
    )
