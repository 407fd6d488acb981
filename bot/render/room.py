"""How much a text may show: GitHub takes 65,536 characters, so long lists are shortened, and it is said which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bot.domain.text import join_words

LONGEST = 65_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How many of each list are shown. `rows` are those of an evidence table: the worst ones stay."""

    queries: bool = True
    charts: bool = True
    history: int = 30
    orders: int = 10
    commits: int = 20
    rows: int = 200

    @property
    def left_out(self) -> str:
        """What is shortened, as one line; empty if nothing is."""
        full = Room()
        short = [
            ("the exact queries", self.queries < full.queries),
            ("charts", self.charts < full.charts),
            ("older changes of state", self.history < full.history),
            ("older commands", self.orders < full.orders),
            ("older commits", self.commits < full.commits),
            ("the better gates", self.rows < full.rows),
        ]
        words = [name for name, is_short in short if is_short]
        if not words:
            return ""
        return f"*Too long for one text, so {join_words(words)} may be left out. `liftlock status --json` has all.*"


_ROOMS = (
    Room(),
    Room(queries=False),
    Room(queries=False, charts=False),
    Room(queries=False, charts=False, history=10, commits=10, orders=5),
    Room(queries=False, charts=False, history=3, commits=3, orders=3, rows=50),
    Room(queries=False, charts=False, history=1, commits=1, orders=1, rows=20),
    Room(queries=False, charts=False, history=0, commits=0, orders=0, rows=5),
)


def fit(write: Callable[[Room], list[str]]) -> str:
    """Return the parts that `write` makes in the largest room in which they are short enough, as paragraphs.

    Each list has a least room, and each text in it a greatest length, so that the last room always is.
    """
    for room in _ROOMS:
        text = "\n\n".join(part for part in (*write(room), room.left_out) if part)
        if len(text) <= LONGEST:
            return text
    return text
