"""What the bot keeps: opened for the bot itself, or for a command that only reads what it has kept.

Such a command needs nothing else of the bot, and a probe runs it every few seconds: nothing else is imported here.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path

import structlog

from bot.adapters.ledger import DryBoard, DryLedger, DrySightings, SqlLedger, open_ledger, reopen_if_lost
from bot.records import Archive, Board, Ledger, Posting, Sightings
from bot.settings import Settings, SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """What the bot keeps: all in one database, or in a dry run what is new in memory."""

    ledger: Ledger
    sightings: Sightings
    board: Board
    archive: Archive | None = None
    written: SqlLedger | None = None

    def begin_sweep(self) -> None:
        """See that what is recorded now will be found again: somebody may have deleted the file under the bot."""
        if self.written is not None and reopen_if_lost(self.written):
            place = self.written.connections.place
            structlog.get_logger().warning("the ledger was taken away, and a new one begins", ledger=place)


def open_records(stack: ExitStack, settings: Settings, *, dry_run: bool) -> Records:
    """Open the ledger and the board. A dry run reads the real ones, if there are any, and writes to memory."""
    if dry_run:
        scratch = stack.enter_context(open_ledger("sqlite://"))
        if not _has_ledger(settings):
            return Records(ledger=scratch, sightings=scratch.sightings, board=scratch.board)
        real = stack.enter_context(open_ledger(settings.ledger_url, for_reading=True))
        return Records(
            ledger=DryLedger(real=real, scratch=scratch),
            sightings=DrySightings(real=real.sightings, scratch=scratch.sightings),
            board=DryBoard(real.board),
        )
    make_state_directory(settings.bot.state)
    ledger = stack.enter_context(open_ledger(settings.ledger_url))
    return Records(ledger=ledger, sightings=ledger.sightings, board=ledger.board, archive=ledger, written=ledger)


def _has_ledger(settings: Settings) -> bool:
    return settings.ledger.url is not None or (settings.bot.state / "ledger.db").is_file()


def make_state_directory(path: Path) -> None:
    """Make the state directory, for this user only. Raise SettingsError if that cannot be."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"bot.state: the directory {path} cannot be made: {error.strerror}") from error


def read_ledger(settings: Settings) -> AbstractContextManager[Ledger]:
    """Open the ledger for reading; raise SettingsError where no bot has run with these settings yet."""
    return _for_reading(settings)


def read_archive(settings: Settings) -> AbstractContextManager[Archive]:
    """Open the whole ledger for reading, as `read_ledger` does."""
    return _for_reading(settings)


def write_ledger(settings: Settings) -> AbstractContextManager[Ledger]:
    """Open the ledger of a bot for what a person orders; raise SettingsError where none has run yet."""
    if not _has_ledger(settings):
        raise _no_ledger(settings)
    return open_ledger(settings.ledger_url)


def _no_ledger(settings: Settings) -> SettingsError:
    return SettingsError(f"bot.state: there is no ledger in {settings.bot.state} yet: start `liftlock run`")


def _for_reading(settings: Settings) -> SqlLedger:
    if not _has_ledger(settings):
        raise _no_ledger(settings)
    return open_ledger(settings.ledger_url, for_reading=True)


def read_board(settings: Settings) -> Sequence[Posting]:
    """Return what the last sweep posted; nothing where no bot has run with these settings yet."""
    if not _has_ledger(settings):
        return ()
    with open_ledger(settings.ledger_url, for_reading=True) as ledger:
        return ledger.board.postings()
