"""When a release is measured: windows cut into non-overlapping tiles that are aligned to the epoch.

Alignment makes a look repeatable: whoever asks for the same window, whenever, asks for the same tiles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.domain.model import Numbers

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def align_up(instant: datetime, width: timedelta) -> datetime:
    """Return the first multiple of `width` since the epoch that is not before `instant`."""
    return _EPOCH + -((_EPOCH - instant) // width) * width


def align_down(instant: datetime, width: timedelta) -> datetime:
    """Return the last multiple of `width` since the epoch that is not after `instant`."""
    return _EPOCH + ((instant - _EPOCH) // width) * width


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuringWindow:
    """From `start`, tiles of `width` are counted; the proof is complete when they reach `required_until`.

    `before` bounds the tiles before the release that are measured too, to tell what began before it; None for none.
    `length` is how long the proof lasts: over the newest stretch of this length there may be few gaps; None for the
    whole window.
    """

    start: datetime
    required_until: datetime
    width: timedelta
    before: tuple[datetime, datetime] | None = None
    length: timedelta | None = None

    @property
    def newest(self) -> int | None:
        """How many tiles the proof lasts; None for all there are."""
        return None if self.length is None else self.length // self.width

    @property
    def first(self) -> datetime:
        """Where the first tile begins that must be measured."""
        return self.start if self.before is None else min(self.start, self.before[0])

    def seen_until(self, now: datetime, lag: timedelta) -> datetime:
        """Return the end of the last tile that is whole and `lag` old at `now`; `first` if there is none yet."""
        return max(self.first, align_down(now - lag, self.width))

    def tiles_until(self, seen_until: datetime) -> int:
        """Return how many tiles there are from the start to `seen_until`."""
        return max(0, (seen_until - self.start) // self.width)

    def without_hole(self, kept: Mapping[datetime, float | None], end: datetime) -> tuple[Numbers, datetime]:
        """Return the kept numbers from the first on up to the first that is missing, and where that would begin.

        A gate and a trigger with the same query share its numbers, but not their windows: what one has kept may begin
        later than what the other needs.
        """
        numbers: list[float | None] = []
        after = self.first
        while after in kept and after < end:
            numbers.append(kept[after])
            after += self.width
        return tuple(numbers), after


def before_release(at: datetime, reach: timedelta, width: timedelta) -> tuple[datetime, datetime] | None:
    """Return the tiles that lie within `reach` before a release came at `at`; None where nothing is looked for."""
    if reach <= timedelta(0):
        return None
    end = align_down(at, width)
    return align_down(end - reach, width), end


def measuring_window(
    *,
    first: datetime,
    proof_since: datetime,
    warmup: timedelta,
    length: timedelta,
    width: timedelta,
    before: tuple[datetime, datetime] | None = None,
) -> MeasuringWindow:
    """Lay a window of tiles: counting starts `warmup` after `first`, the proof lasts `length` from `proof_since`.

    `proof_since` is later than `first` when something in between made the proof start again; what was counted before
    stays counted, so that an alarm is never forgotten.
    """
    start = align_up(first + warmup, width)
    proof_from = align_up(proof_since + warmup, width)
    required_until = align_up(proof_from + length, width)
    return MeasuringWindow(
        start=start, required_until=required_until, width=width, before=before, length=required_until - proof_from
    )
