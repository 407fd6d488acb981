"""Show what stands on the board again and again: in place in a terminal, elsewhere anew whenever it changed.

A board that cannot be read for once does not end it: the sentence stands there until it can be read again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from bot.ports import OutsideError
from bot.records import Posting
from bot.settings import SettingsError

Board = Sequence[Posting]

_INSTANTS = frozenset({"at", "look_again"})
"""What a decision says anew at every sweep, though nothing else has changed."""


class Shows(Protocol):
    """What shows one reading of the board after another."""

    def show(self, board: Board) -> None:
        """Show a reading."""
        ...

    def complain(self, sentence: str) -> None:
        """Say why there is no reading."""
        ...


def watch(first: Board, read: Callable[[], Board], shows: Shows, is_over: Callable[[], bool]) -> None:
    """Show the first reading, then another one each time that `is_over`, which lets the time pass, says no."""
    shows.show(first)
    while not is_over():
        try:
            board = read()
        except (SettingsError, OutsideError) as error:
            shows.complain(f"liftlock: {error}")
        else:
            shows.show(board)


@dataclass(slots=True, kw_only=True)
class InPlace:
    """Shows in a terminal: each reading takes the place of the last one."""

    live: Live
    view: Callable[[Board], RenderableType]
    _last: RenderableType = ""

    def show(self, board: Board) -> None:
        """Show a reading in the place of the last one."""
        self._last = self.view(board)
        self.live.update(self._last, refresh=True)

    def complain(self, sentence: str) -> None:
        """Say it below the last reading."""
        self.live.update(Group(self._last, Text(sentence, style="red")), refresh=True)


@dataclass(slots=True, kw_only=True)
class Anew:
    """Prints for pipes and files: a reading whose `key` differs from the last one's. Complaints go to stderr."""

    text: Callable[[Board], str]
    key: Callable[[Board], object]
    _shown: object = None
    _complaint: str = ""

    def show(self, board: Board) -> None:
        """Print a reading that differs from the last one."""
        self._complaint = ""
        key = self.key(board)
        if key != self._shown:
            self._shown = key
            typer.echo(self.text(board))

    def complain(self, sentence: str) -> None:
        """Say it once, as long as it stays the same."""
        if sentence != self._complaint:
            self._complaint = sentence
            typer.echo(sentence, err=True)


def without_instants(value: object) -> object:
    """Return JSON values without the instants at which it was looked, and is to be looked again."""
    if isinstance(value, dict):
        return {name: without_instants(inner) for name, inner in value.items() if name not in _INSTANTS}
    return [without_instants(inner) for inner in value] if isinstance(value, list) else value
