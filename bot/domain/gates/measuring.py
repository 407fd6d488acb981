"""What all rules that measure have in common: before there is anything to judge, gaps, and the window's end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from bot.domain.model import Numbers, Samples, Tile, Trouble
from bot.domain.rules import Counts
from bot.domain.text import format_instant
from bot.domain.tiles import MeasuringWindow
from bot.domain.verdicts import Measured, Slice, Verdict, VerdictKind

SLICES = 24
"""Into how many slices a window is put together at the most, for people to see how it went."""
TILES_NEEDED = 0.8
"""The share of the tiles that must hold data before a gate may say healthy, of as many as the proof lasts."""
NEWEST = 5
"""How many of the newest tiles with traffic must not be bad by themselves before a gate may say healthy.

An average over hours hides a failure that has just begun.
"""
_EVENTS_EXPECTED = 20

T = TypeVar("T")

Answer = tuple[VerdictKind, str, str]
"""A verdict's kind, its reason, and what would change it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """How much evidence it takes to say unhealthy.

    `alarm` is the e-value to reach (dimensionless; 1 / the false-alarm probability), `bad_events` the least number of
    bad events, `in_a_row` on how many successive tiles the alarm must stand.
    """

    alarm: float
    bad_events: float
    in_a_row: int

    def split(self, gates: int) -> Bar:
        """Return the bar of each of several gates that together may raise no more false alarms than one."""
        return Bar(alarm=self.alarm * max(1, gates), bad_events=self.bad_events, in_a_row=self.in_a_row)

    def strongest(self, e_values: Sequence[float]) -> float:
        """Return the largest e-value that stood on `in_a_row` successive tiles; 1.0 where there are fewer."""
        rows = (e_values[at : at + self.in_a_row] for at in range(len(e_values) - self.in_a_row + 1))
        return max((min(row) for row in rows), default=1.0)

    def is_reached(self, standing: Sequence[bool]) -> bool:
        """Say whether the alarm ever stood on enough successive tiles."""
        row = 0
        for stands in standing:
            row = row + 1 if stands else 0
            if row >= self.in_a_row:
                return True
        return False


STOP = Bar(alarm=20, bad_events=2, in_a_row=1)
"""Stops a promotion: false alarm in at most 5 % of releases that are exactly at the limit (Ville's inequality)."""
REVERT = Bar(alarm=100, bad_events=3, in_a_row=2)
"""Takes a release back: false alarm in at most 1 %, and never on one tile alone."""


def opened(name: str, samples: Samples | Trouble | None, window: MeasuringWindow) -> Samples | Verdict:
    """Return the samples if there is anything to judge; else the verdict: no answer, or no tile of the window yet."""
    if isinstance(samples, Trouble):
        return Verdict(
            gate=name,
            kind=VerdictKind.CANNOT_TELL,
            reason=f"{samples.system} could not be asked: {samples.sentence}",
            would_change=f"an answer from {samples.system}",
        )
    if samples is None or samples.end <= window.start:
        opens = f"counting starts at {format_instant(window.start)}"
        return Verdict(gate=name, kind=VerdictKind.NOT_YET, reason=opens, would_change=opens)
    return samples


def measured(samples: Samples, window: MeasuringWindow, present: Sequence[bool]) -> Measured:
    """Return what a measurement says of itself; `present` says of each tile of the window whether it holds data."""
    newest = present if window.newest is None else present[-window.newest :]
    return Measured(
        window_start=window.start,
        window_end=window.required_until,
        seen_until=samples.end,
        tile=samples.width,
        tiles_present=sum(present),
        tiles_expected=len(present),
        newest_present=sum(newest),
        newest_expected=len(newest),
        lately_absent=sum(not there for there in present[-NEWEST:]),
        queries=samples.queries,
        backend=samples.backend,
        lag=samples.lag,
        scrape=samples.scrape,
    )


def what_is_missing(found: Measured, so_far: str) -> Answer | None:
    """Return why the window proves nothing yet, whatever was measured in it: it is open, or has too many gaps."""
    if found.seen_until < found.window_end:
        ends = f"window ends {format_instant(found.window_end)}"
        return VerdictKind.NOT_YET, f"{so_far} so far; {ends}", ends
    if found.newest_present < TILES_NEEDED * found.newest_expected:
        reason = f"only {found.newest_present} of {found.newest_expected} looks found data"
        return VerdictKind.NO_DATA, reason, "measurements without gaps"
    if found.lately_absent > 1:
        reason = f"{found.lately_absent} of the newest {NEWEST} looks found no data"
        return VerdictKind.NO_DATA, reason, "measurements without gaps"
    return None


def fell_silent(tiles: Sequence[Tile]) -> bool:
    """Say whether the newest tiles are without traffic, where there used to be so much that this is no chance.

    With 20 events expected, none at all has a probability of e^-20.
    """
    present = present_tiles(tiles)
    newest = present[-NEWEST:]
    usual = sums(present)[1] / max(1, len(present))
    return sums(newest)[1] <= 0 and usual * len(newest) >= _EVENTS_EXPECTED


def silence(said: str) -> Answer:
    """Return the answer where traffic has ended."""
    return VerdictKind.NO_DATA, f"{said}, but no traffic in the newest {NEWEST} tiles", "traffic"


def just_bad(said: str) -> Answer:
    """Return the answer where the window is good, and its newest tiles are not."""
    reason = f"{said}, but the newest tiles are bad by themselves"
    return VerdictKind.NOT_YET, reason, "newest tiles that are good"


def no_measurement(found: Measured) -> Answer | None:
    """Return the answer where not one tile holds data."""
    if found.tiles_present > 0:
        return None
    reason = f"no measurement at all in {found.tiles_expected} looks; the query gave no series"
    return VerdictKind.NO_DATA, reason, "measurements"


# --- counts ----------------------------------------------------------------------------------------------------------


def count_tiles(samples: Samples, counts: Counts, *, base: str = "") -> tuple[Tile, ...]:
    """Join two counts into tiles; one without a usable count has None in both places. `base` is the roles' prefix.

    | total  | counted | counts bad        | counts good                            |
    |--------|---------|-------------------|----------------------------------------|
    | absent | any     | no tile           | no tile                                |
    | t      | b       | min(b, t)         | max(0, t - b)                          |
    | t      | absent  | 0: no such series | t = 0: 0; else no tile: a lost bucket  |
    """
    bad_of = _bad_of_good if counts is Counts.GOOD else _bad_of_bad
    counted, totals = samples.numbers[f"{base}counted"], samples.numbers[f"{base}total"]
    tiles = []
    for start, one, total in zip(samples.starts, counted, totals, strict=True):
        bad = None if total is None else bad_of(total, one)
        tiles.append(Tile(start=start, width=samples.width, total=total if bad is not None else None, bad=bad))
    return tuple(tiles)


def _bad_of_bad(total: float, counted: float | None) -> float | None:
    return min(counted or 0.0, total)


def _bad_of_good(total: float, counted: float | None) -> float | None:
    if counted is None:
        return 0.0 if total == 0 else None
    return max(0.0, total - counted)


def has_no_bucket(counted: Numbers, totals: Numbers) -> bool:
    """Say whether good events are absent everywhere under traffic: then the query names no bucket that there is."""
    return all(one is None for one in counted) and any(totals)


def no_bucket(name: str, samples: Samples) -> Verdict:
    """Return the verdict for a threshold that is the bound of no bucket, with the bounds that there are."""
    bounds = f"; {samples.note}" if samples.note else ""
    return Verdict(
        gate=name,
        kind=VerdictKind.CANNOT_TELL,
        reason=f"there is traffic, but the histogram has no bucket with this bound{bounds}",
        would_change="a threshold that is the bound of a bucket",
    )


def present_tiles(tiles: Sequence[Tile]) -> list[Tile]:
    """Return the tiles that were measured."""
    return [tile for tile in tiles if tile.total is not None]


def pairs(tiles: Sequence[Tile]) -> list[tuple[float, float]]:
    """Return bad and total of tiles, as the statistics take them."""
    return [(tile.bad or 0.0, tile.total or 0.0) for tile in tiles]


def sums(tiles: Sequence[Tile]) -> tuple[float, float]:
    """Return how many events were bad, and how many there were."""
    return sum(tile.bad or 0.0 for tile in tiles), sum(tile.total or 0.0 for tile in tiles)


def course(tiles: Sequence[Tile]) -> tuple[Slice, ...]:
    """Put tiles together, the same number in each slice but the last, so that there are at most `SLICES`."""
    return tuple(_slice(some) for some in batched(tiles))


def batched(items: Sequence[T]) -> list[Sequence[T]]:
    """Cut into at most `SLICES` pieces of one length, but the last."""
    size = max(1, math.ceil(len(items) / SLICES))
    return [items[first : first + size] for first in range(0, len(items), size)]


def _slice(tiles: Sequence[Tile]) -> Slice:
    present = present_tiles(tiles)
    bad, total = sums(present)
    return Slice(
        start=tiles[0].start,
        end=tiles[-1].end,
        bad=bad if present else None,
        total=total if present else None,
    )
