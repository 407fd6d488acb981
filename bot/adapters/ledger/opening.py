"""Open the ledger: connect, bring the tables up to this version by the migrations that are shipped in this package."""

from __future__ import annotations

import os
import threading
from datetime import timedelta
from functools import partial
from pathlib import Path

import sqlalchemy as sa
import tenacity
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event, exc
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from bot.adapters.http import quote
from bot.adapters.ledger.connections import Connections
from bot.adapters.ledger.failures import NOT_WRITABLE, SYSTEM, shown_place, speaking_plainly
from bot.adapters.ledger.store import SqlLedger
from bot.ports import Permanent

MIGRATIONS = Path(__file__).parent / "migrations"
_MEMORY = (None, "", ":memory:")
_POSTGRESQL_LOCK = 0x6C6966746C6F636B  # "liftlock" in ASCII; any number that no other program picks will do.
# Alembic keeps the migration under way in module globals, so threads of one process must take turns.
_ONE_AT_A_TIME = threading.Lock()


def open_ledger(url: str, *, patience: timedelta = timedelta(seconds=10), for_reading: bool = False) -> SqlLedger:
    """Open the ledger at a database URL (`sqlite:////var/lib/liftlock/ledger.db`, `postgresql://…`), ready for use.

    `patience` is how long to wait for another writer. Who only reads changes no tables: a ledger of an older version is
    refused, since the bot that writes it could not read it any more. Raise `Permanent` for a place that cannot hold a
    ledger and for a ledger that a newer version wrote, `Transient` for one that is locked.
    """
    parsed = _parse_url(url)
    place = shown_place(parsed)
    _require_place(parsed, place)
    engine = _create_engine(parsed, patience)
    try:
        with speaking_plainly(place), engine.execution_options(writes=not for_reading).begin() as connection:
            _migrate(connection, place, may_change=not for_reading)
    except BaseException:
        engine.dispose()
        raise
    return SqlLedger(Connections(engine, place, _file_of(parsed)))


def reopen_if_lost(ledger: SqlLedger) -> bool:
    """Begin a new ledger where the file was taken away under an open one; return whether it was.

    The system lets the bot go on writing to a deleted file, which is gone when the bot ends. Raise as `open_ledger`.
    """
    connections = ledger.connections
    if not connections.has_lost_its_file:
        return False
    place = connections.place
    _require_place(connections.engine.url, place)
    connections.engine.dispose()
    with speaking_plainly(place), connections.engine.execution_options(writes=True).begin() as connection:
        _migrate(connection, place, may_change=True)
    connections.note_file()
    return True


def _parse_url(url: str) -> URL:
    try:
        parsed = sa.make_url(url)
    except exc.ArgumentError as error:
        # The text itself stays unsaid: it may hold a password.
        raise Permanent(
            SYSTEM, "the ledger's address is no database URL: write sqlite:///PATH or postgresql://…"
        ) from error
    if parsed.drivername in ("postgres", "postgresql"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        kind = quote(parsed.drivername, longest=40)
        raise Permanent(SYSTEM, f"the ledger cannot live in {kind}: write sqlite:///PATH or postgresql://…")
    return parsed


def _require_place(url: URL, place: str) -> None:
    """Refuse a place that cannot be written now: SQLite opens it all the same, and fails at the first entry."""
    file = _file_of(url)
    if file is None:
        return
    if not file.parent.is_dir():
        raise Permanent(SYSTEM, f"the ledger {place} has no directory to be in: create {file.parent}")
    if not os.access(file.parent, os.W_OK | os.X_OK) or (file.exists() and not os.access(file, os.W_OK)):
        raise Permanent(SYSTEM, f"the ledger {place} {NOT_WRITABLE}")


def _file_of(url: URL) -> Path | None:
    """Return the file of a SQLite database; None for one in memory, and for a server."""
    if url.get_backend_name() != "sqlite" or url.database is None or url.database in _MEMORY:
        return None
    return Path(url.database)


def _create_engine(url: URL, patience: timedelta) -> Engine:
    if url.get_backend_name() == "sqlite":
        return _sqlite_engine(url, patience)
    try:
        return sa.create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": 10})
    except ImportError as error:
        sentence = f"the ledger {shown_place(url)} needs the Python package psycopg, which is not installed"
        raise Permanent(SYSTEM, sentence) from error


def _sqlite_engine(url: URL, patience: timedelta) -> Engine:
    # A database in memory lives in its one connection, so its pool has exactly one, which threads wait for.
    pool = {"pool_size": 1, "max_overflow": 0} if url.database in _MEMORY else {"pool_size": 5, "max_overflow": 10}
    engine = sa.create_engine(
        url,
        poolclass=QueuePool,
        pool_timeout=patience.total_seconds(),
        connect_args={"timeout": patience.total_seconds(), "check_same_thread": False},
        **pool,
    )
    event.listen(engine, "connect", partial(_prepare_connection, patience=patience))
    event.listen(engine, "begin", _begin)
    return engine


def _prepare_connection(connection: DBAPIConnection, _: ConnectionPoolEntry, *, patience: timedelta) -> None:
    """Leave transactions to `_begin`; let readers and a writer work at once; be on the disk before a commit returns."""
    connection.isolation_level = None
    cursor = connection.cursor()
    # SQLite's own busy timeout does not cover the change of the journal mode, so two first openers would collide.
    patiently = tenacity.Retrying(
        stop=tenacity.stop_after_delay(patience),
        wait=tenacity.wait_random(0.005, 0.05),
        retry=tenacity.retry_if_exception(lambda error: "locked" in str(error)),
        reraise=True,
    )
    patiently(cursor.execute, "PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _begin(connection: Connection) -> None:
    """Start a transaction. A writer takes the lock at once: one that first reads could never get it by waiting."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _migrate(connection: Connection, place: str, *, may_change: bool) -> None:
    """Bring the tables up to date inside the caller's transaction; refuse a ledger from the future.

    Several bots may start at once: SQLite's transaction holds its write lock already, PostgreSQL is asked for one.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_POSTGRESQL_LOCK)))
    config = Config()
    # Alembic reads its options through ConfigParser, where a percent sign is special.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    script = ScriptDirectory.from_config(config)
    known = {revision.revision for revision in script.walk_revisions()}
    present = MigrationContext.configure(connection).get_current_revision()
    if present is not None and present not in known:
        sentence = (
            f"the ledger {place} was written by a newer Liftlock (its tables are at {quote(present)}): use that version"
        )
        raise Permanent(SYSTEM, sentence)
    head = script.get_current_head()
    if present != head and not may_change:
        found = f"was written by an older Liftlock (its tables are at {present})" if present else "is empty"
        sentence = f"the ledger {place} {found}: `liftlock run` brings it up to date, looking at it does not"
        raise Permanent(SYSTEM, sentence)
    if present != head:
        with _ONE_AT_A_TIME:
            command.upgrade(config, "head")
