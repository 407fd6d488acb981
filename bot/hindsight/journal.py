"""The journal of a backtest: what was read so far, so that an interrupted run goes on where it was.

A file of lines of JSON. The first says of which backtest it is, by all that goes into it; each further one holds tiles
of one query. Lines are only ever appended. The last one may be cut off where a run was killed, and is left out then.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

_VERSION = 1


class ForeignJournal(Exception):
    """The file is the journal of another backtest, or no journal at all; the text says what differs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """All that goes into a backtest, by name, as a user would name it; and the range that was looked at."""

    of: Mapping[str, str]
    since: datetime
    until: datetime


@dataclass(slots=True, kw_only=True)
class Journal:
    """What was read of one backtest. `path` None keeps nothing; `is_empty` says that nothing was kept yet."""

    path: Path | None
    inputs: Inputs
    is_empty: bool = True
    _tiles: dict[str, dict[datetime, float | None]] = field(default_factory=dict)

    def tiles(self) -> Mapping[str, Mapping[datetime, float | None]]:
        """Return the tiles that earlier runs read, by the fingerprint of their query."""
        return self._tiles

    def keep(self, series: str, tiles: Mapping[datetime, float | None]) -> None:
        """Append tiles that follow one another."""
        if self.path is None or not tiles:
            return
        starts = list(tiles)
        width = (starts[1] - starts[0]).total_seconds() if len(starts) > 1 else 0
        line = {"series": series, "start": starts[0].isoformat(), "width": width, "numbers": list(tiles.values())}
        with self.path.open("ab") as file:
            file.write(_line(line))
        self.is_empty = False

    def remove(self) -> None:
        """Take the file away: the backtest is done."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def open_journal(path: Path | None, inputs: Inputs) -> Journal:
    """Open the journal of a backtest, or begin one. One that is there goes on over the range that it has.

    Raise ForeignJournal where the file is of another backtest; it is left as it is then.
    """
    if path is None:
        return Journal(path=None, inputs=inputs)
    head, body = _line(_head(inputs)), path.read_bytes() if path.exists() else b""
    if len(body) < len(head) and head.startswith(body):
        # New, or its run was killed while it began.
        path.write_bytes(head)
        return Journal(path=path, inputs=inputs)
    journal, whole = _read(path, body, inputs)
    if whole < len(body):
        # The next line must not be joined to one that was cut off.
        with path.open("r+b") as file:
            file.truncate(whole)
    return journal


def _read(path: Path, body: bytes, inputs: Inputs) -> tuple[Journal, int]:
    """Return what a file holds, and how much of it are whole lines."""
    whole = body.rfind(b"\n") + 1
    try:
        head, *lines = [json.loads(line) for line in body[:whole].splitlines()]
    except (ValueError, RecursionError):
        raise ForeignJournal(f"{path} is no journal of a backtest") from None
    known = _inputs(head, path)
    differing = [name for name in inputs.of if known.of.get(name) != inputs.of[name]]
    if differing or known.of.keys() != inputs.of.keys():
        name = differing[0] if differing else "what goes into it"
        raise ForeignJournal(f"{path} is of another backtest: {name} is not the same")
    journal = Journal(path=path, inputs=known)
    for line in lines:
        _take(journal, line)
    return journal, whole


def _head(inputs: Inputs) -> Mapping[str, object]:
    return {
        "backtest": _VERSION,
        "of": dict(inputs.of),
        "since": inputs.since.isoformat(),
        "until": inputs.until.isoformat(),
    }


def _line(value: Mapping[str, object]) -> bytes:
    return json.dumps(value).encode() + b"\n"


def _inputs(head: Any, path: Path) -> Inputs:
    try:
        if head["backtest"] != _VERSION:
            raise ForeignJournal(f"{path} is of another version of Liftlock")
        return Inputs(of=dict(head["of"]), since=_instant(head["since"]), until=_instant(head["until"]))
    except (KeyError, TypeError, ValueError):
        raise ForeignJournal(f"{path} is no journal of a backtest") from None


def _take(journal: Journal, line: Any) -> None:
    try:
        start, numbers = _instant(line["start"]), line["numbers"]
        step = timedelta(seconds=line["width"])
        journal.is_empty = False
        kept = journal._tiles.setdefault(line["series"], {})  # noqa: SLF001 - it is being made here
        for at, number in enumerate(numbers):
            kept[start + at * step] = None if number is None else float(number)
    except (KeyError, TypeError, ValueError):
        raise ForeignJournal(f"{journal.path} is no journal of a backtest") from None


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
