"""Compare gates and triggers: each with the one of its name, kind by kind and field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from bot.domain.queries import DEFAULT_SOURCE, Query
from bot.domain.rules import (
    Accept,
    ArgoHealthyGate,
    BaselineGate,
    BurnRateGate,
    BurnWindow,
    CountGate,
    DegradedTrigger,
    Gate,
    Side,
    SoakGate,
    SyncFailedTrigger,
    Trigger,
    ValueGate,
)
from bot.domain.statistics import traffic_floor
from bot.domain.text import format_count, format_duration, format_limit, format_number
from bot.policy.comparing.orders import (
    Aspect,
    Change,
    Judge,
    Way,
    aspect,
    below,
    differs,
    higher_is_stricter,
    listed,
    lower_is_stricter,
    nothing_is_weakest,
    of_one_kind,
    or_nothing,
    ranked,
    said,
    together,
)
from bot.policy.templates import promql_duration

Rule = Gate | Trigger
R = TypeVar("R", CountGate, BaselineGate, BurnRateGate)
_NOT_THERE = "nothing"


def compare_rules(old: Sequence[Rule], new: Sequence[Rule], path: str) -> Iterator[Change]:
    """Give what is different of two lists of rules. What is in the shadow in both decides in neither."""
    before, after = ({rule.name: rule for rule in rules} for rules in (old, new))
    for name in dict.fromkeys([*before, *after]):
        yield from _compare(before.get(name), after.get(name), f"{path}[{name}]")


def _compare(old: Rule | None, new: Rule | None, path: str) -> Iterator[Change]:
    mode = higher_is_stricter(_rank(old), _rank(new))
    if mode is not None:
        key = "mode" if old is not None and new is not None else ""
        yield Change(
            way=mode, path=below(path, key), old=_mode(old, is_alone=not key), new=_mode(new, is_alone=not key)
        )
    elif old is not None and new is not None and not old.is_shadow:
        yield from compare_rule(old, new, path)


def compare_rule(old: Rule, new: Rule, path: str) -> Iterator[Change]:
    """Give what is different of two rules that both decide."""
    yield from of_one_kind(RULES, old, new, path)


def _rank(rule: Rule | None) -> int:
    return int(rule is not None and not rule.is_shadow)


def _mode(rule: Rule | None, *, is_alone: bool) -> str:
    if rule is None:
        return _NOT_THERE
    shadow = " (in the shadow)" if rule.is_shadow else ""
    return f"{rule.title}{shadow}" if is_alone else "shadow" if rule.is_shadow else "decide"


# --- what they ask ---------------------------------------------------------------------------------------------------


def _texts(query: Query | None, tile: timedelta) -> str:
    """Return a query's text, open for labels and for the tile, which stands in the window and not in the gate."""
    if query is None:
        return _NOT_THERE
    text = "…".join(query.parts) + (f" at {query.source}" if query.source != DEFAULT_SOURCE else "")
    # One for many stages rests on a promise of its template, that a stage's number comes from its own series only.
    text += "" if query.is_shared else " by itself"
    return text.replace(f"[{promql_duration(tile)}]", "[$tile]")


def _asked(rule: CountGate | BaselineGate | BurnRateGate) -> str:
    texts = [_texts(query, rule.tile) for query in (rule.query, rule.total, rule.buckets)]
    return f"{rule.template}, {rule.counts}: {'; '.join(texts)}"


def _labels(*queries: Query | None) -> str:
    """Return the labels of queries, told once where all have the same."""
    found = (listed(f"{name}={value}" for name, value in query.labels) for query in queries if query is not None)
    return "; ".join(dict.fromkeys(found))


def _share_of(rule_type: type[R]) -> tuple[Aspect[R], Aspect[R]]:
    del rule_type  # It tells the reader, and the checker of types, of which kind the aspects are.
    return (
        aspect("template query total buckets counts", "", _asked, differs, str),
        aspect("query", "labels", lambda gate: _labels(gate.query, gate.total, gate.buckets), differs, str),
    )


def _floor(gate: CountGate) -> float:
    return traffic_floor(gate.limit) if gate.floor is None else gate.floor


def _judge_floor(old: CountGate, new: CountGate) -> Way | None:
    # Where nobody says how many, it follows from the limit, which is compared already.
    return None if old.floor is new.floor is None else higher_is_stricter(_floor(old), _floor(new))


COUNT: Sequence[Aspect[CountGate]] = (
    *_share_of(CountGate),
    aspect("limit", "limit", lambda gate: gate.limit, lower_is_stricter, format_limit),
    aspect("accept", "accept", lambda gate: gate.accept, ranked(Accept.NOT_SHOWN_BAD, Accept.PROVEN), str),
    Aspect(
        fields=("floor",),
        key="floor",
        judge=_judge_floor,
        show=lambda gate: format_count(_floor(gate)),
    ),
)


def _base(gate: BaselineGate) -> object:
    return gate.base, gate.base_stage, gate.past, _against(gate)


def _against(gate: BaselineGate) -> str:
    texts = [_texts(query, gate.tile) for query in (gate.base_query, gate.base_total)]
    return f"{gate.base}, {_labels(gate.base_query, gate.base_total)}: {'; '.join(texts)}"


BASELINE: Sequence[Aspect[BaselineGate]] = (
    *_share_of(BaselineGate),
    Aspect(
        fields=("base", "base_stage", "past", "base_query", "base_total"),
        key="against",
        judge=lambda old, new: differs(_base(old), _base(new)),
        show=_against,
    ),
    aspect("times", "times", lambda gate: gate.times, lower_is_stricter, format_number),
    aspect("points", "points", lambda gate: gate.points, lower_is_stricter, format_limit),
)


def _judge_windows(old: Sequence[BurnWindow], new: Sequence[BurnWindow]) -> Way | None:
    """Judge pair by pair: it burns in any of them, so that one less is weaker, as is a higher factor."""
    before, after = ({(one.long, one.short): one.factor for one in windows} for windows in (old, new))
    pairs = dict.fromkeys([*before, *after])
    # A pair that is not there never burns.
    never = float("inf")
    return together(*(lower_is_stricter(before.get(pair, never), after.get(pair, never)) for pair in pairs))


def _burn_window(window: BurnWindow) -> str:
    return f"{format_duration(window.long)}/{format_duration(window.short)} × {format_number(window.factor)}"


BURN_RATE: Sequence[Aspect[BurnRateGate]] = (
    *_share_of(BurnRateGate),
    aspect("objective", "objective", lambda gate: gate.objective, higher_is_stricter, format_limit),
    aspect(
        "windows",
        "windows",
        lambda gate: gate.windows,
        _judge_windows,
        lambda windows: listed(_burn_window(one) for one in windows),
    ),
    aspect("least_bad", "least_bad", lambda gate: gate.least_bad, lower_is_stricter, format_count),
)


# --- values ----------------------------------------------------------------------------------------------------------


def _judge_bound(old: ValueGate, new: ValueGate) -> Way | None:
    if old.side is not new.side:
        return Way.CHANGED
    return _beyond(old.side)(old.bound, new.bound)


def _judge_hard(old: ValueGate, new: ValueGate) -> Way | None:
    # On which side it is stands in the bound.
    return None if old.side is not new.side else nothing_is_weakest(_beyond(old.side))(old.hard, new.hard)


def _beyond(side: Side) -> Judge[float]:
    return lower_is_stricter if side is Side.ABOVE else higher_is_stricter


def _judge_tiles(old: ValueGate, new: ValueGate) -> Way | None:
    fewer_bad = lower_is_stricter(old.bad_tiles, new.bad_tiles)
    return together(fewer_bad, higher_is_stricter(old.of_tiles, new.of_tiles))


def _judge_silence(old: ValueGate, new: ValueGate) -> Way | None:
    """Judge what no series means: zero, which is healthy below a bound, or no data, which never is."""
    if old.alive is None or new.alive is None:
        way = higher_is_stricter(old.alive is None, new.alive is None)
        return way if way is None or old.side is new.side is Side.ABOVE else Way.CHANGED
    return differs(_texts(old.alive, old.tile), _texts(new.alive, new.tile))


VALUE: Sequence[Aspect[ValueGate]] = (
    aspect(
        "template query is_sum",
        "",
        lambda gate: f"{gate.template}{', summed up' if gate.is_sum else ''}: {_texts(gate.query, gate.tile)}",
        differs,
        str,
    ),
    aspect("query", "labels", lambda gate: _labels(gate.query, gate.alive), differs, str),
    Aspect(
        fields=("bound", "side"),
        key=lambda gate: "at_most" if gate.is_sum else str(gate.side),
        judge=_judge_bound,
        show=lambda gate: f"not {gate.side} {format_number(gate.bound)}",
    ),
    Aspect(fields=("hard",), key="hard", judge=_judge_hard, show=lambda gate: or_nothing(format_number)(gate.hard)),
    Aspect(
        fields=("bad_tiles", "of_tiles"),
        key="tiles",
        judge=_judge_tiles,
        show=lambda gate: f"{gate.bad_tiles} of {gate.of_tiles}",
    ),
    Aspect(
        fields=("alive",),
        key="absent",
        judge=_judge_silence,
        show=lambda gate: "no-data" if gate.alive is None else f"zero while {_texts(gate.alive, gate.tile)}",
    ),
)


# --- what is built in ------------------------------------------------------------------------------------------------


def _history(gate: ArgoHealthyGate) -> str | None:
    """Return the question about the past, without the names of applications; None where it is not asked."""
    asked = dict.fromkeys(_texts(query, gate.tile) for query in (*gate.history, gate.of_members) if query is not None)
    return "; ".join(asked) or None


ARGO_HEALTHY: Sequence[Aspect[ArgoHealthyGate]] = (
    aspect(
        "must_be_synced",
        "out-of-sync",
        lambda gate: gate.must_be_synced,
        higher_is_stricter,
        lambda must: "unhealthy" if must else "report",
    ),
    aspect("history of_members", "history", _history, nothing_is_weakest(differs), said),
)
DEGRADED: Sequence[Aspect[DegradedTrigger]] = (
    aspect("lasting", "for", lambda one: one.lasting, lower_is_stricter, format_duration),
)
SYNC_FAILED: Sequence[Aspect[SyncFailedTrigger]] = (
    aspect("lasting", "for", lambda one: one.lasting, lower_is_stricter, format_duration),
)
SOAK: Sequence[Aspect[SoakGate]] = ()

RULES: Mapping[type, Sequence[Aspect[Any]]] = {
    CountGate: COUNT,
    BaselineGate: BASELINE,
    BurnRateGate: BURN_RATE,
    ValueGate: VALUE,
    ArgoHealthyGate: ARGO_HEALTHY,
    DegradedTrigger: DEGRADED,
    SyncFailedTrigger: SYNC_FAILED,
    SoakGate: SOAK,
}
"""What is compared of each kind, beside its name and whether it is in the shadow."""
