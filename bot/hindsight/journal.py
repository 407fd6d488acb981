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
    """What was read of one backtest. `path` None keeps nothing."""

    path: Path | None
    inputs: Inputs
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
        self._append(line)

    def _append(self, line: Mapping[str, object]) -> None:
        assert self.path is not None  # noqa: S101 - the caller asked
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def remove(self) -> None:
        """Take the file away: the backtest is done."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def open_journal(path: Path | None, inputs: Inputs) -> Journal:
    """Open the journal of a backtest, or begin one. One that is there goes on over the range that it has.

    Raise ForeignJournal where the file is of another backtest.
    """
    if path is None or not path.exists() or not path.stat().st_size:
        journal = Journal(path=path, inputs=inputs)
        if path is not None:
            journal._append(_head(inputs))  # noqa: SLF001 - it is being made here
        return journal
    head, *lines = _lines(path)
    known = _inputs(head, path)
    differing = [name for name in inputs.of if known.of.get(name) != inputs.of[name]]
    if differing or known.of.keys() != inputs.of.keys():
        name = differing[0] if differing else "what goes into it"
        raise ForeignJournal(f"{path} is of another backtest: {name} is not the same")
    journal = Journal(path=path, inputs=known)
    for line in lines:
        _take(journal, line)
    return journal


def _head(inputs: Inputs) -> Mapping[str, object]:
    return {
        "backtest": _VERSION,
        "of": dict(inputs.of),
        "since": inputs.since.isoformat(),
        "until": inputs.until.isoformat(),
    }


def _lines(path: Path) -> list[Any]:
    """Return the whole lines. A last one that was cut off is taken away, or the next would be joined to it."""
    body = path.read_bytes()
    whole = body[: body.rfind(b"\n") + 1]
    if len(whole) < len(body):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    try:
        found = [json.loads(line) for line in whole.decode("utf-8").splitlines()]
    except (ValueError, RecursionError):
        raise ForeignJournal(f"{path} is no journal of a backtest") from None
    if not found:
        raise ForeignJournal(f"{path} is no journal of a backtest")
    return found


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
        kept = journal._tiles.setdefault(line["series"], {})  # noqa: SLF001 - it is being made here
        for at, number in enumerate(numbers):
            kept[start + at * step] = None if number is None else float(number)
    except (KeyError, TypeError, ValueError):
        raise ForeignJournal(f"{journal.path} is no journal of a backtest") from None


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
