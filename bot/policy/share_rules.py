"""Rules on a share of events of their own: ratios and burn rates."""

from __future__ import annotations

from bot.domain.rules import (
    BURN_WINDOWS,
    Accept,
    BurnRateGate,
    BurnWindow,
    CountGate,
)
from bot.domain.text import format_duration, format_limit, format_number
from bot.policy.filling import Filling, at_least_one, some_events
from bot.policy.grammar import A_COUNT, A_DURATION, A_LIMIT
from bot.policy.reading import Section, positive_duration, share
from bot.policy.tree import Value

_MOST_TILES = 5_000
"""How many tiles a burn rate may look back: more would be read and gone through at every look."""
_ROUNDING = 1e-9
"""How far a product of two numbers that a person wrote can be from what they meant."""


def read_ratio(filling: Filling) -> CountGate | None:
    """Read a share that must stay below a limit."""
    limit = filling.section.read("limit", share, A_LIMIT)
    floor = None
    if filling.section.get("floor") is not None:
        floor = filling.section.read("floor", some_events, "the least number of events, such as 100")
    accept = filling.section.read("accept", Accept, "proven or not-shown-bad", default=Accept.PROVEN)
    if limit is None or accept is None:
        return None
    query, total = filling.counts(filling.labels)
    return CountGate(
        name=filling.name,
        template=filling.template.name,
        title=f"{filling.title} below {format_limit(limit)}",
        limit=limit,
        counts=filling.template.counts,
        query=query,
        total=total,
        tile=filling.around.tile,
        floor=floor,
        accept=accept,
        buckets=filling.buckets(),
        is_shadow=filling.is_shadow,
    )


def read_burn_rate(filling: Filling) -> BurnRateGate | None:
    """Read an objective whose error budget must not burn."""
    objective = filling.section.read("objective", share, "the share of good events, such as 99.9%")
    windows = _windows(filling)
    least = filling.section.read("least_bad", some_events, A_COUNT, default=10.0)
    if objective is None or not windows or least is None:
        return None
    never = [window for window in windows if window.factor * (1 - objective) > 1 - _ROUNDING]
    if never:
        most = f"{format_number(never[0].factor)} times an objective of {format_limit(objective)}"
        value = filling.section.entries["objective"]
        filling.section.faults.note(value, filling.section.at("objective"), most, "what less than all events can reach")
        return None
    query, total = filling.counts(filling.labels)
    return BurnRateGate(
        name=filling.name,
        template=filling.template.name,
        title=f"{filling.title} within an objective of {format_limit(objective)}",
        objective=objective,
        counts=filling.template.counts,
        query=query,
        total=total,
        tile=filling.around.tile,
        windows=windows,
        least_bad=least,
        buckets=filling.buckets(),
        is_shadow=filling.is_shadow,
    )


def _windows(filling: Filling) -> tuple[BurnWindow, ...]:
    listed = filling.section.get("windows")
    if listed is None:
        _check_usual_windows(filling)
        return BURN_WINDOWS
    if listed.kind == "list" and not listed.items:
        expected = "at least one pair of windows"
        filling.section.faults.note(listed, filling.section.at("windows"), "an empty list", expected)
    found = [_window(filling, path, value) for path, value in filling.section.items("windows")]
    return tuple(window for window in found if window is not None)


def _check_usual_windows(filling: Filling) -> None:
    """Refuse the usual windows where no tile fits into one: it would be empty, and nothing would ever burn."""
    tile = filling.around.tile
    if any(window.short < tile or window.long > _MOST_TILES * tile for window in BURN_WINDOWS):
        longest = format_duration(_MOST_TILES * tile)
        expected = f"windows of which the short ones are at least {format_duration(tile)}, none over {longest}"
        filling.section.faults.note(filling.section.value, filling.section.at("windows"), "nothing", expected)


def _window(filling: Filling, path: str, value: Value) -> BurnWindow | None:
    section = Section.of(value, path, filling.section.faults)
    if section is None:
        return None
    long = section.read("long", positive_duration, A_DURATION)
    short = section.read("short", positive_duration, A_DURATION)
    factor = section.read("factor", at_least_one, "a number of at least 1, such as 14.4")
    section.finish()
    if long is None or short is None or factor is None:
        return None
    if not filling.around.tile <= short < long:
        expected = f"short at least {format_duration(filling.around.tile)}, and less than long"
        section.faults.note(value, path, "windows of this length", expected)
    elif long > _MOST_TILES * filling.around.tile or long % filling.around.tile or short % filling.around.tile:
        tile = format_duration(filling.around.tile)
        expected = f"multiples of the tile, {tile}, and at most {_MOST_TILES:,} of it"
        section.faults.note(value, path, "windows of this length", expected)
    return BurnWindow(long=long, short=short, factor=factor)
