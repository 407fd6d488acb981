"""A mirror begins with the newest commit alone, and gets history only as far as a question needs it.

In a shallow mirror a commit at the boundary looks like a first commit: as if it had added every file, and had no
ancestors. So no answer counts that could be otherwise if the boundary were further back: it is asked again, deeper,
until it is certain or the history is whole. What git finds (an ancestor, a fork) is always true; what it does not find
is true only if no boundary was met on the way.

Only the boundary below the commit in question counts: a branch that was force-pushed away or deleted leaves a boundary
of its own behind, which no fetch ever moves again.

Source: Documentation/technical/shallow in git's repository; `fetch --deepen` counts from the present boundary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from bot.adapters.git.complaints import is_unknown_object
from bot.adapters.git.mirror import Mirror
from bot.domain.model import Sha

T = TypeVar("T")

FIRST_STEP = 200
_FACTOR = 5


def ask_deeper(mirror: Mirror, head: Sha, ask: Callable[[], T | None]) -> T | None:
    """Ask until the answer is certain (not None), with more and more history below `head`; None at the limit."""
    step = FIRST_STEP
    while True:
        answer = ask()
        if answer is not None or not _deepen(mirror, head, step):
            return answer
        step *= _FACTOR


def _deepen(mirror: Mirror, head: Sha, commits: int) -> bool:
    """Fetch more history below `head`; False if there is none, or the limit of the settings is reached."""
    before = boundary(mirror)
    room = mirror.limits.history_commits - line_length(mirror, head) if before else 0
    if room <= 0:
        return False
    outcome = mirror.fetch(head, depth=f"--deepen={min(commits, room)}")
    if outcome.status != 0 and is_unknown_object(outcome.err):
        # The server does not know this commit (any more): a force-push, or a commit of ours that nobody has yet.
        return False
    if outcome.status != 0:
        raise mirror.explain_fetch(outcome.err)
    return boundary(mirror) != before


def line_length(mirror: Mirror, head: Sha) -> int:
    """Return how many commits of the line of first parents the mirror holds."""
    return int(mirror.ask("rev-list", "--first-parent", "--count", "--end-of-options", head).out)


def boundary(mirror: Mirror) -> frozenset[Sha]:
    """Return the commits whose parents the mirror has not been given; none where its history is whole."""
    try:
        text = (mirror.directory / "shallow").read_text(encoding="ascii")
    except FileNotFoundError:
        return frozenset()
    return frozenset(Sha(line) for line in text.split())


def line_end(mirror: Mirror, head: Sha) -> Sha | None:
    """Return the boundary commit at the end of a line of first parents; None if the line goes back to its beginning."""
    edge = boundary(mirror)
    if not edge:
        return None
    line = mirror.ask("rev-list", "--first-parent", "--end-of-options", head).out.decode("ascii").split()
    oldest = Sha(line[-1])
    return oldest if oldest in edge else None


def meets_boundary(mirror: Mirror, tips: Sequence[Sha], *, without: Sequence[Sha]) -> bool:
    """Say whether the history of `tips`, without what `without` contain, runs into the boundary."""
    edge = boundary(mirror)
    if not edge:
        return False
    names = [*tips, *(f"^{sha}" for sha in without)]
    found = mirror.ask("rev-list", "--stdin", stdin="".join(f"{name}\n" for name in names).encode()).out
    return not edge.isdisjoint(Sha(line) for line in found.decode("ascii").split())
