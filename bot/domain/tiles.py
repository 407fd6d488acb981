"""When a release is measured: windows cut into non-overlapping tiles that are aligned to the epoch.

Alignment makes a look repeatable: whoever asks for the same window, whenever, asks for the same tiles.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.domain.model import Tile

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def align_up(instant: datetime, width: timedelta) -> datetime:
    """Return the first multiple of `width` since the epoch that is not before `instant`."""
    return _EPOCH + -((_EPOCH - instant) // width) * width


def align_down(instant: datetime, width: timedelta) -> datetime:
    """Return the last multiple of `width` since the epoch that is not after `instant`."""
    return _EPOCH + ((instant - _EPOCH) // width) * width


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuringWindow:
    """From `start`, tiles of `width` are counted; the proof is complete when they reach `required_until`."""

    start: datetime
    required_until: datetime
    width: timedelta

    def seen_until(self, now: datetime, lag: timedelta) -> datetime:
        """Return the end of the last tile that is whole and `lag` old at `now`; `start` if there is none yet."""
        return max(self.start, align_down(now - lag, self.width))

    def tiles_until(self, seen_until: datetime) -> int:
        """Return how many tiles there are from the start to `seen_until`."""
        return max(0, (seen_until - self.start) // self.width)

    def without_hole(self, tiles: Iterable[Tile], end: datetime) -> tuple[list[Tile], datetime]:
        """Return the kept tiles from the start on up to the first that is missing, and where that would begin.

        A gate and a trigger with the same queries share their tiles, but not their windows: what one has kept may
        begin later than what the other needs.
        """
        by_start = {tile.start: tile for tile in tiles if tile.end <= end}
        kept: list[Tile] = []
        after = self.start
        while after in by_start:
            kept.append(by_start[after])
            after = by_start[after].end
        return kept, after


def measuring_window(
    *, first: datetime, proof_since: datetime, warmup: timedelta, length: timedelta, width: timedelta
) -> MeasuringWindow:
    """Lay a window of tiles: counting starts `warmup` after `first`, the proof lasts `length` from `proof_since`.

    `proof_since` is later than `first` when something in between made the proof start again; what was counted before
    stays counted, so that an alarm is never forgotten.
    """
    start = align_up(first + warmup, width)
    proof_from = align_up(proof_since + warmup, width)
    return MeasuringWindow(start=start, required_until=align_up(proof_from + length, width), width=width)
