"""Keep a mirror small and quick over months: every fetch leaves a pack, every commit of ours a few loose objects.

Runs inside `Mirror.work`, right after a fetch. A repack in a partial mirror leaves out loose objects that the server's
own objects name (a commit of ours that somebody built on), so that what may go is asked of git: only what no branch
reaches, and what is old enough that no thread can be between making and pushing it. All of it can be made or fetched
again.
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
    _drop_loose(mirror)


def _drop_loose(mirror: Mirror) -> None:
    oldest = time.time() - _LOOSE_DAYS * 86400
    loose = {path.parent.name + path.name: path for path in mirror.directory.glob("objects/[0-9a-f][0-9a-f]/*")}
    old = {name: path for name, path in loose.items() if path.stat().st_mtime < oldest}
    if not old:
        return
    reached = mirror.ask("rev-list", "--objects", "--all", "--missing=allow-any", "--no-object-names").out
    for name in old.keys() - set(reached.decode("ascii").split()):
        with suppress(OSError):
            old[name].unlink()
    # What was dropped must not count as known.
    mirror.known.clear()
