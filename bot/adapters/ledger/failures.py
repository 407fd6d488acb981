"""Turn what a database refuses into one sentence that says what to do, with the ledger's place and no password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc
from sqlalchemy.engine import URL

from bot.adapters.http import quote
from bot.ports import OutsideError, Permanent, Transient

SYSTEM = "ledger"
NOT_WRITABLE = "may not be written: give the bot's user the right to write the file and its directory"

# The words are SQLite's own (its result code texts); the library gives no finer class than OperationalError.
_PASSING = (
    ("locked", "is locked by another process: wait for it, or stop the other bot"),
    ("busy", "is locked by another process: wait for it, or stop the other bot"),
    ("full", "cannot be written because the disk is full: free some space"),
    ("disk i/o", "cannot be read or written, the disk reports an I/O error"),
)
_LASTING = (
    ("not a database", "is no SQLite database: move the file away or name another one"),
    ("malformed", "is damaged: restore it from a copy, or move it away (history is lost, nothing unsafe happens)"),
    ("readonly", NOT_WRITABLE),
    ("unable to open", "cannot be opened: check that it is a file in a directory which the bot's user may write"),
)


def shown_place(url: URL) -> str:
    """Return where the ledger is, for messages: the path of a SQLite file, else the URL without its password."""
    if url.get_backend_name() == "sqlite":
        return url.database or "in memory"
    return url.render_as_string(hide_password=True)


@contextmanager
def speaking_plainly(place: str) -> Iterator[None]:
    """Raise `Transient` or `Permanent` for what the database refuses; let programming errors through."""
    try:
        yield
    except exc.TimeoutError as error:
        raise Transient(SYSTEM, f"the ledger {place} had no connection free in time") from error
    except exc.DBAPIError as error:
        if isinstance(error, exc.IntegrityError | exc.ProgrammingError | exc.DataError):
            raise
        raise _failure(place, error) from error


def _failure(place: str, error: exc.DBAPIError) -> OutsideError:
    said = str(error.orig)
    for word, sentence in _PASSING:
        if word in said.lower():
            return Transient(SYSTEM, f"the ledger {place} {sentence}")
    for word, sentence in _LASTING:
        if word in said.lower():
            return Permanent(SYSTEM, f"the ledger {place} {sentence}")
    first_line = said.strip().partition("\n")[0]
    return Transient(SYSTEM, f"the ledger {place} did not do what was asked: {quote(first_line)}")
