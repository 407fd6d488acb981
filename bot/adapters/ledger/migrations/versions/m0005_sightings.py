"""What was seen of a stage's applications, and what was asked of Argo CD for a release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.adapters.ledger.tables import RowNumber, UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "memberships",
        sa.Column("id", RowNumber, primary_key=True, autoincrement=True),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("members", sa.Text, nullable=False),
        sa.Column("first_seen", UtcDateTime, nullable=False),
        sa.Column("last_seen", UtcDateTime, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("memberships_by_stage", "memberships", ["service", "stage", "id"])
    op.create_table(
        "marks",
        sa.Column("id", RowNumber, primary_key=True, autoincrement=True),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("introduced_by", sa.Text, nullable=False),
        sa.Column("application", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("marks_by_arrival", "marks", ["service", "stage", "introduced_by"])
