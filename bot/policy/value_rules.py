"""Rules on a value or on a number of events."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.rules import (
    Side,
    ValueGate,
)
from bot.domain.text import format_duration, format_number
from bot.policy.filling import Filling
from bot.policy.grammar import A_COUNT, A_NUMBER, A_TILES, parse_count, parse_number, parse_tiles
from bot.policy.reading import one_of, shown
from bot.policy.templates import read_bound


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bound:
    """What a value may not be beyond, how often, and what people are told."""

    value: float
    side: Side
    said: str
    tiles: tuple[int, int] = (1, 1)
    hard: float | None = None
    is_sum: bool = False


def read_value(filling: Filling) -> ValueGate | None:
    """Read a value that must not be beyond a bound."""
    bound, side = _bound(filling)
    usual = filling.template.tiles
    tiles = filling.section.read("tiles", parse_tiles, A_TILES, default=usual) or usual
    _check_span(filling, tiles[0])
    hard = _hard(filling, bound, side)
    if bound is None:
        return None
    said = f"{filling.title} not {side} {format_number(bound)}"
    return _gate(filling, _Bound(value=bound, side=side, said=said, tiles=tiles, hard=hard))


def _bound(filling: Filling) -> tuple[float | None, Side]:
    section = filling.section
    if section.get("above") is not None or section.get("below") is not None:
        return read_bound(section)
    if filling.template.bound is None:
        section.faults.note(section.value, section.at("above"), "nothing", f"above or below: {A_NUMBER}")
    return filling.template.bound, filling.template.side


def _check_span(filling: Filling, bad_tiles: int) -> None:
    """Refuse a rule that is over before it could be broken: it would be healthy whatever happens."""
    tile, span = filling.around.tile, filling.around.span
    # A trigger must stand on two tiles in a row.
    needed = bad_tiles + filling.around.is_trigger
    if span is not None and needed * tile > span:
        value, found = filling.section.entries.get("tiles", filling.section.value), f"{bad_tiles} bad tiles"
        one_more = " with the one more that a trigger needs" if filling.around.is_trigger else ""
        expected = f"no more than fit into {format_duration(span)}{one_more}, at {format_duration(tile)} each"
        filling.section.faults.note(value, filling.section.at("tiles"), found, expected)


def _hard(filling: Filling, bound: float | None, side: Side) -> float | None:
    value = filling.section.get("hard")
    if value is None:
        return None
    hard = filling.section.read("hard", parse_number, A_NUMBER)
    if hard is not None and bound is not None and not (hard > bound if side is Side.ABOVE else hard < bound):
        expected = f"a number {side} {format_number(bound)}, the bound"
        filling.section.faults.note(value, filling.section.at("hard"), shown(value), expected)
    return hard


def read_events(filling: Filling) -> ValueGate | None:
    """Read events of which there may be so many in the window."""
    most = filling.section.read("at_most", parse_count, A_COUNT, default=filling.template.bound)
    if most is None:
        return None
    said = f"{filling.title}, at most {format_number(most)}"
    return _gate(filling, _Bound(value=most, side=Side.ABOVE, said=said, is_sum=True))


def _gate(filling: Filling, bound: _Bound) -> ValueGate:
    alive = _alive(filling)
    return ValueGate(
        name=filling.name,
        template=filling.template.name,
        title=bound.said,
        query=filling.query(filling.template.query, filling.labels, is_count=bound.is_sum),
        bound=bound.value,
        side=bound.side,
        tile=filling.around.tile,
        bad_tiles=bound.tiles[0],
        of_tiles=bound.tiles[1],
        hard=bound.hard,
        is_sum=bound.is_sum,
        alive=filling.query(alive, filling.labels, is_count=True) if alive is not None else None,
        is_shadow=filling.is_shadow,
    )


def _alive(filling: Filling) -> str | None:
    """Return the query that tells silence from zero, where the policy wants it told."""
    alive = filling.template.alive
    absent = filling.section.read(
        "absent", one_of(("no-data", "zero")), "no-data or zero", default="zero" if alive else "no-data"
    )
    if absent == "zero" and alive is None:
        expected = "no-data: this template cannot tell silence from zero, it has no alive"
        filling.section.faults.note(filling.section.entries["absent"], filling.section.at("absent"), '"zero"', expected)
    return alive if absent == "zero" else None
