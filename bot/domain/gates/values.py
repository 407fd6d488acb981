"""Judge a value against its bound, tile by tile (gate kinds `threshold`, `alerts`, `restarts` and `rollout`).

Beyond the bound in k of n successive tiles, or beyond the hard limit in one, is *unhealthy*; at the revert bar it must
stand so for two tiles. Where values are events, their sum over the window counts instead. Nothing here is a test of
chance: a bound on a value is what the policy says it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.domain.gates.measuring import (
    Answer,
    Bar,
    batched,
    just_bad,
    measured,
    no_measurement,
    opened,
    what_is_missing,
)
from bot.domain.model import Numbers, Samples, Trouble
from bot.domain.rules import Side, ValueGate
from bot.domain.text import count_of, format_number
from bot.domain.tiles import MeasuringWindow
from bot.domain.verdicts import ValueEvidence, Verdict, VerdictKind


def judge_values(gate: ValueGate, samples: Samples | Trouble | None, window: MeasuringWindow, bar: Bar) -> Verdict:
    """Judge the tiles seen so far. `samples` is None before the first tile could be asked for."""
    found = opened(gate.name, samples, window)
    if isinstance(found, Verdict):
        return found
    values = _values(found)
    own = _between(found, values, window.start, found.end)
    evidence = _weigh(gate, found, own, window)
    kind, reason, change = _judge(gate, own, evidence, bar)
    is_older = kind is VerdictKind.UNHEALTHY and _was_beyond(gate, found, values, window) and _went_on(gate, own)
    return Verdict(
        gate=gate.name,
        kind=kind,
        reason=f"{reason}; it was so before this release came" if is_older else reason,
        would_change=change,
        evidence=evidence,
        began_before=is_older,
    )


def _values(samples: Samples) -> Numbers:
    """Return the value of each tile; where the source was measured and there is no series, that is 0."""
    values = samples.numbers["value"]
    alive = samples.numbers.get("alive")
    if alive is None:
        return values
    return tuple(0.0 if value is None and lives else value for value, lives in zip(values, alive, strict=True))


def _between(samples: Samples, values: Numbers, since: datetime, until: datetime) -> Numbers:
    return tuple(value for start, value in zip(samples.starts, values, strict=True) if since <= start < until)


def _weigh(gate: ValueGate, samples: Samples, values: Numbers, window: MeasuringWindow) -> ValueEvidence:
    present = [value for value in values if value is not None]
    last = sum(present) if gate.is_sum else (present[-1] if present else None)
    return ValueEvidence(
        measured=measured(samples, window, [value is not None for value in values]),
        last=last if present else None,
        worst=_worst(gate, present),
        bound=gate.bound,
        side=str(gate.side),
        is_sum=gate.is_sum,
        tiles_beyond=sum(_is_beyond(value, gate.bound, gate.side) for value in present),
        course=tuple(_worst(gate, [value for value in some if value is not None]) for some in batched(values)),
    )


def _worst(gate: ValueGate, values: Sequence[float]) -> float | None:
    if not values:
        return None
    return max(values) if gate.side is Side.ABOVE else min(values)


def _judge(gate: ValueGate, values: Numbers, found: ValueEvidence, bar: Bar) -> Answer:
    nothing = no_measurement(found.measured)
    if nothing is not None:
        return nothing
    bound = f"{gate.side} {format_number(gate.bound)}"
    if bar.is_reached(_standing(gate, values)):
        return VerdictKind.UNHEALTHY, _alarm(gate, found, bound), "nothing: an alarm stands for this release"
    said = _said(gate, found)
    waits = what_is_missing(found.measured, said)
    if waits is None and _is_just_beyond(gate, values):
        waits = just_bad(said)
    if waits is not None:
        return waits
    return VerdictKind.HEALTHY, f"{said}; bad is {bound}", "an alarm"


def _is_just_beyond(gate: ValueGate, values: Numbers) -> bool:
    newest = next((value for value in reversed(values) if value is not None), None)
    return not gate.is_sum and newest is not None and _is_beyond(newest, gate.bound, gate.side)


def _standing(gate: ValueGate, values: Sequence[float | None]) -> list[bool]:
    """Return, for each tile that was measured, whether the rule is broken when it has been seen."""
    beyond: list[bool] = []
    broken: list[bool] = []
    total = 0.0
    for value in values:
        if value is None:
            continue
        total += value
        beyond.append(_is_beyond(value, gate.bound, gate.side))
        is_hard = gate.hard is not None and _is_beyond(value, gate.hard, gate.side)
        if gate.is_sum:
            broken.append(_is_beyond(total, gate.bound, gate.side))
        else:
            broken.append(is_hard or sum(beyond[-gate.of_tiles :]) >= gate.bad_tiles)
    return broken


def _is_beyond(value: float, bound: float, side: Side) -> bool:
    return value > bound if side is Side.ABOVE else value < bound


def _was_beyond(gate: ValueGate, samples: Samples, values: Numbers, window: MeasuringWindow) -> bool:
    """Say whether the rule was broken when the release came, or the newest tile before it was beyond the bound.

    What had begun by then is not the release's, even if it takes until after it to break the rule.
    """
    if window.before is None:
        return False
    earlier = [value for value in _between(samples, values, *window.before) if value is not None]
    if not earlier:
        return False
    return _standing(gate, earlier)[-1] or _is_beyond(earlier[-1], gate.bound, gate.side)


def _went_on(gate: ValueGate, own: Numbers) -> bool:
    """Say whether the release's tiles were all beyond the bound until the rule was broken: no other illness began."""
    present = [value for value in own if value is not None]
    until = _standing(gate, present).index(True) + 1
    return all(_is_beyond(value, gate.bound, gate.side) for value in present[:until])


def _alarm(gate: ValueGate, found: ValueEvidence, bound: str) -> str:
    if gate.is_sum:
        return f"{format_number(found.last or 0.0)} in the window, and bad is {bound}"
    tiles = f"in {count_of(found.tiles_beyond, 'tile')}"
    return f"{format_number(found.worst or 0.0)} at the worst, {bound} {tiles} of {found.measured.tiles_present}"


def _said(gate: ValueGate, found: ValueEvidence) -> str:
    if gate.is_sum:
        return f"{format_number(found.last or 0.0)} in the window"
    beyond = f", {count_of(found.tiles_beyond, 'tile')} beyond the bound" if found.tiles_beyond else ""
    return f"{format_number(found.last or 0.0)} now, {format_number(found.worst or 0.0)} at the worst{beyond}"
