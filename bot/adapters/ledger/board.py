"""The port `Board` on the ledger's database: one row for each subject, replaced by every sweep."""

from __future__ import annotations

import json
from collections.abc import Sequence

import sqlalchemy as sa

from bot.adapters.ledger.connections import Connections
from bot.adapters.ledger.tables import board
from bot.records import Posting


class SqlBoard:
    """The board beside an open ledger; the ledger's `close` ends it too. Safe to share between threads."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def post(self, posting: Posting) -> None:
        """Replace what the board says of a subject, in one transaction."""
        row = {"subject": posting.subject, "at": posting.at, "body": json.dumps(posting.body, sort_keys=True)}
        with self._connections.writing() as connection:
            connection.execute(sa.delete(board).where(board.c.subject == posting.subject))
            connection.execute(sa.insert(board), row)

    def remove(self, subject: str) -> None:
        """Take a subject off the board."""
        with self._connections.writing() as connection:
            connection.execute(sa.delete(board).where(board.c.subject == subject))

    def postings(self) -> Sequence[Posting]:
        """Return all postings in the order of their subjects."""
        with self._connections.reading() as connection:
            rows = connection.execute(sa.select(board).order_by(board.c.subject)).all()
        return tuple(Posting(subject=row.subject, at=row.at, body=json.loads(row.body)) for row in rows)
