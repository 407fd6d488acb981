"""Run by Alembic: apply the migrations on the connection, and in the transaction, that `open_ledger` hands over."""

from __future__ import annotations

from alembic import context

from bot.adapters.ledger.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
