"""The first tables: events, tiles and health spells."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.adapters.ledger.tables import RowNumber, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    _create_events()
    _create_tiles()
    _create_health_spells()


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("id", RowNumber, primary_key=True, autoincrement=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("events_by_kind", "events", ["kind", "service", "id"])
    op.create_index("events_by_service", "events", ["service", "id"])


def _create_tiles() -> None:
    op.create_table(
        "tiles",
        sa.Column("service", sa.Text, primary_key=True),
        sa.Column("stage", sa.Text, primary_key=True),
        sa.Column("introduced_by", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.Text, primary_key=True),
        sa.Column("start", UtcDateTime, primary_key=True),
        sa.Column("width_microseconds", sa.BigInteger, nullable=False),
        sa.Column("total", sa.Double),
        sa.Column("bad", sa.Double),
    )


def _create_health_spells() -> None:
    op.create_table(
        "health_spells",
        sa.Column("id", RowNumber, primary_key=True, autoincrement=True),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("application", sa.Text, nullable=False),
        sa.Column("health", sa.Text, nullable=False),
        sa.Column("first_seen", UtcDateTime, nullable=False),
        sa.Column("last_seen", UtcDateTime, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("health_spells_by_stage", "health_spells", ["service", "stage", "last_seen"])
