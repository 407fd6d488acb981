"""The board: the present state of each service, overwritten by every sweep."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.adapters.ledger.tables import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "board",
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
