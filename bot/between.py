"""What lies between two releases, as the source repository tells: its commits, and an excerpt of its changelog.

It is for show. That it cannot be told is no fault: the pull request then says so, and it is asked for again later.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.domain.changelog import excerpt
from bot.domain.model import Release, Sha
from bot.forge import Span
from bot.observe import World
from bot.ports import OutsideError

_CHANGELOG = "CHANGELOG.md"
_MOST_COMMITS = 100
_MOST_KEPT = 1000
_ASK_AGAIN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """The source commits, None where they are not known, and what the changelog says of the new release."""

    span: Span | None = None
    changelog: str = ""


@dataclass(slots=True)
class Remembered:
    """What was told of two commits never changes, and is asked for once; what was not told, again after a while."""

    _kept: dict[tuple[str, Sha, Sha], tuple[datetime, Between]] = field(default_factory=dict)

    def between(self, world: World, source: str | None, before: Release, after: Release) -> Between:
        """Return what lies between two releases; nothing where their source commits are not known."""
        if source is None or after.revision is None or before.revision is None or before.revision == after.revision:
            return Between()
        key, now = (source, before.revision, after.revision), world.clock.now()
        kept = self._kept.get(key)
        if kept is not None and (kept[1].span is not None or now - kept[0] < _ASK_AGAIN):
            return kept[1]
        found = _ask(world, source, (before.revision, after.revision), after.tag)
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[key] = now, found
        return found


def _ask(world: World, source: str, commits: tuple[Sha, Sha], tag: str) -> Between:
    try:
        span = world.signals.span(source, *commits, limit=_MOST_COMMITS)
        if span is None:
            return Between()
        text = world.signals.read_file(source, commits[1], _CHANGELOG)
    except OutsideError:
        return Between()
    return Between(span=span, changelog=excerpt(text, tag) if text is not None else "")
