"""Is a window long enough for the traffic? The events of the last day are set against the floor of each gate.

A rate that is known from a day says what to expect of the next window, not what will come: so this only warns. Of
narrow tiles fewer hours are looked at, since each tile costs the server an evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

from bot.adapters.prometheus_series import QueryRefused
from bot.domain import statistics
from bot.domain.policy import HealthWindow, Stage
from bot.domain.queries import source_name
from bot.domain.rules import Accept, CountGate
from bot.domain.text import format_count, format_duration, format_limit, format_number
from bot.live_check.queries import filled, values
from bot.live_check.subject import Look, Subject, World
from bot.policy.findings import Finding
from bot.policy.templates import promql_duration

_RULE = "live-traffic"
_MINUTE = timedelta(minutes=1)
_LONGEST = timedelta(days=366)
_PAST, _MOST_TILES = timedelta(days=1), 5_000


def looks(world: World, subject: Subject) -> Iterator[Look]:
    """Give what is asked about the windows of a policy."""
    for number, stage in enumerate(subject.policy.stages):
        for gate in stage.gates:
            decides = isinstance(gate, CountGate) and gate.accept is Accept.PROVEN and not gate.is_shadow
            if isinstance(gate, CountGate) and decides and stage.window is not None:
                path = f"stages[{number}].window.for"
                ask = partial(_look, world, subject, stage, gate, path)
                yield Look(subject=subject, path=path, ask=ask)


def _look(world: World, subject: Subject, stage: Stage, gate: CountGate, path: str) -> Iterator[Finding]:
    query = filled(world, subject.policy, stage, gate.total)
    if query is None or stage.window is None:
        return
    past = promql_duration(min(_PAST, _MOST_TILES * gate.tile))
    query = world.forced(subject.policy, query)
    # A tile without data is none of a quiet minute: the service may be a day old.
    average = f"avg_over_time(({query.text}\n)[{past}:{promql_duration(gate.tile)}])"
    # These questions are long ones: that they take too long does not speak against the others.
    try:
        found = values(world, query.source, average, system=f"{source_name(query.source)}, of a day")
    except QueryRefused:
        # Too much for this server; what is wrong with the query itself is told of the query.
        return
    if len(found) == 1 and math.isfinite(found[0]):
        yield from _judge(subject, gate, stage.window, found[0] / (gate.tile / _MINUTE), path)


def _judge(subject: Subject, gate: CountGate, window: HealthWindow, each_minute: float, path: str) -> Iterator[Finding]:
    floor = statistics.traffic_floor(gate.limit) if gate.floor is None else gate.floor
    seen = each_minute * (window.length / _MINUTE)
    if seen >= floor:
        return
    length = format_duration(window.length)
    found = f"{length}, in which {gate.name} sees {format_count(seen)} events at {format_number(each_minute)} a minute"
    needed = _needed(floor, each_minute)
    whose = f"the floor of {gate.name}" if gate.floor is not None else f"the limit of {format_limit(gate.limit)}"
    expected = f"a window of {needed}: {whose} needs {format_count(floor)}"
    yield subject.warning(_RULE, path, found, f"{expected}; or accept: not-shown-bad")


def _needed(floor: float, each_minute: float) -> str:
    """Return how long it takes to see so many events, in whole minutes."""
    minutes = floor / each_minute if each_minute > 0 else math.inf
    if minutes * _MINUTE.total_seconds() > _LONGEST.total_seconds():
        return "more than a year"
    return format_duration(math.ceil(minutes) * _MINUTE)
