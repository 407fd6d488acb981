"""Transactions on the ledger's database, for all that lives in it. What it refuses is said in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import Connection, Engine

from bot.adapters.ledger.failures import speaking_plainly


class Connections:
    """Where the ledger is, and how it is read and written. Safe to share between threads."""

    def __init__(self, engine: Engine, place: str) -> None:
        self.engine = engine
        self._writer = engine.execution_options(writes=True)
        self.place = place

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that only reads."""
        with speaking_plainly(self.place), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a transaction that writes; it is on the disk when this ends."""
        with speaking_plainly(self.place), self._writer.begin() as connection:
            yield connection
