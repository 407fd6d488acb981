"""Numbers of single queries in place of joined tiles: every gate kind keeps the same rows.

What the tiles of earlier versions held is read from Prometheus again where it is still needed.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.adapters.ledger.tables import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, and drop the one that it replaces."""
    op.create_table(
        "numbers",
        sa.Column("service", sa.Text, primary_key=True),
        sa.Column("stage", sa.Text, primary_key=True),
        sa.Column("introduced_by", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.Text, primary_key=True),
        sa.Column("start", UtcDateTime, primary_key=True),
        sa.Column("value", sa.Double),
    )
    op.drop_table("tiles")
