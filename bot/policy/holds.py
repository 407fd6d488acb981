"""The file `HOLD` beside the policies: with it Git, or whoever may write there, stops the bot when all else is down."""

from __future__ import annotations

from bot.domain.stops import Stop, parse_stops
from bot.policy.faults import PolicyError
from bot.policy.files import read_text
from bot.policy.folders import Folder

FILE = "HOLD"


def read_stops(directory: Folder) -> tuple[Stop, ...]:
    """Return what the file stops; nothing where there is none. One that cannot be read stops everything."""
    file = directory / FILE
    if not file.is_symlink() and not file.exists():
        return ()
    try:
        return parse_stops(read_text(file, file=FILE), file=FILE)
    except PolicyError as error:
        fault = error.faults[0]
        return (Stop(who=FILE, reason=f"found {fault.found}, expected {fault.expected}"),)
