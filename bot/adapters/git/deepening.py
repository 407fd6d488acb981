"""A mirror begins with the newest commit alone, and gets history only as far as a question needs it.

In a shallow mirror a commit at the boundary looks like a first commit: as if it had added every file, and had no
ancestors. So no answer counts that could be otherwise if the boundary were further back: it is asked again, deeper,
until it is certain or the history is whole. What git finds (an ancestor, a fork) is always true; what it does not find
is true only if no boundary was met on the way.

Source: Documentation/technical/shallow in git's repository; `fetch --deepen` counts from the present boundary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

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
        if answer is not None or not deepen(mirror, head, step):
            return answer
        step *= _FACTOR


def deepen(mirror: Mirror, head: Sha, commits: int) -> bool:
    """Fetch more history below `head`; False if there is none, or the limit of the settings is reached."""
    before = boundary(mirror)
    if not before or mirror.deepened >= mirror.limits.history_commits:
        return False
    commits = min(commits, mirror.limits.history_commits - mirror.deepened)
    outcome = mirror.fetch(head, depth=f"--deepen={commits}")
    if outcome.status != 0:
        raise mirror.explain_fetch(outcome.err)
    mirror.deepened += commits
    return boundary(mirror) != before


def boundary(mirror: Mirror) -> frozenset[Sha]:
    """Return the commits whose parents the mirror has not been given; none where its history is whole."""
    try:
        text = (mirror.directory / "shallow").read_text(encoding="ascii")
    except FileNotFoundError:
        return frozenset()
    return frozenset(Sha(line) for line in text.split())


def meets_boundary(mirror: Mirror, tips: Sequence[Sha], *, without: Sequence[Sha]) -> bool:
    """Say whether the history of `tips`, without what `without` contain, runs into the boundary."""
    edge = boundary(mirror)
    if not edge:
        return False
    names = [*tips, *(f"^{sha}" for sha in without)]
    found = mirror.ask("rev-list", "--stdin", stdin="".join(f"{name}\n" for name in names).encode()).out
    return not edge.isdisjoint(Sha(line) for line in found.decode("ascii").split())
