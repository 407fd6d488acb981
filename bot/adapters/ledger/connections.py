"""Transactions on the ledger's database, for all that lives in it. What it refuses is said in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import Connection, Engine

from bot.adapters.ledger.failures import speaking_plainly


class Connections:
    """Where the ledger is, and how it is read and written. Safe to share between threads."""

    def __init__(self, engine: Engine, place: str, file: Path | None = None) -> None:
        self.engine = engine
        self._writer = engine.execution_options(writes=True)
        self.place = place
        self.file = file
        self._opened = _identity(file)

    @property
    def has_lost_its_file(self) -> bool:
        """Whether the file is gone, or is another one than was opened: what is written now, nobody finds again."""
        return _identity(self.file) != self._opened

    def note_file(self) -> None:
        """Take the file that is there now for the one that was opened."""
        self._opened = _identity(self.file)

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


def _identity(file: Path | None) -> tuple[int, int] | None:
    """Return what tells a file from all others, whatever it is called; None where there is none."""
    try:
        found = file.stat() if file is not None else None
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if found is not None else None
