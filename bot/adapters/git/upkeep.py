"""Keep a mirror small and quick over months: every fetch leaves a pack, every commit of ours a few loose objects.

Runs inside `Mirror.work`, right after a fetch, so that no commit of ours is between being made and being pushed on
this thread. Objects that are dropped here can be fetched again: the server has all that was ever pushed.
"""

from __future__ import annotations

import time
from contextlib import suppress

import structlog

from bot.adapters.git.complaints import first_line
from bot.adapters.git.mirror import Mirror

_LOOSE_DAYS = 7


def tidy(mirror: Mirror) -> None:
    """Pack the mirror anew if it has too many packs, and drop old loose objects that no branch reaches."""
    packs = sum(1 for _ in mirror.directory.glob("objects/pack/*.pack"))
    if packs <= mirror.limits.packs:
        return
    outcome = mirror.repack()
    if outcome.status != 0:
        # It goes on as it is, only slower; the next fetch tries again.
        structlog.get_logger().warning(
            "mirror not packed", repository=mirror.repository, reason=first_line(outcome.err)
        )
        return
    oldest = time.time() - _LOOSE_DAYS * 86400
    for path in mirror.directory.glob("objects/[0-9a-f][0-9a-f]/*"):
        with suppress(OSError):
            if path.stat().st_mtime < oldest:
                path.unlink()
    # What was dropped must not count as known.
    mirror.known.clear()
