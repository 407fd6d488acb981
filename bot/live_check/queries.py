"""What Prometheus says of gates and triggers: does each query answer, with how many series, and why with none?

Where a query has no series, the metrics and labels that it selects are asked for one by one: which condition, taken
away alone, would give some, and which values the label has then.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from bot.adapters.prometheus_series import QueryRefused
from bot.domain.policy import Policy, Stage
from bot.domain.queries import RELEASE_TAG, Query, source_name
from bot.domain.rules import (
    ArgoHealthyGate,
    BaselineGate,
    Counts,
    Gate,
    MeasuredRule,
    Trigger,
    ValueGate,
)
from bot.domain.text import count_of, join_words
from bot.live_check.gitops import tag_of
from bot.live_check.series import Blame, blame
from bot.live_check.subject import Look, Subject, World
from bot.policy.findings import Finding

_RULE = "live-query"


def rules_of(stage: Stage, path: str) -> Iterator[tuple[str, Gate | Trigger]]:
    """Give the gates and triggers of a stage, each with its path."""
    yield from ((f"{path}.gates[{number}]", gate) for number, gate in enumerate(stage.gates))
    if stage.rollback is not None:
        triggers = enumerate(stage.rollback.triggers)
        yield from ((f"{path}.rollback.triggers[{number}]", trigger) for number, trigger in triggers)


def looks(world: World, subject: Subject) -> Iterator[Look]:
    """Give what is asked of Prometheus about a policy's queries."""
    for number, stage in enumerate(subject.policy.stages):
        for path, rule in rules_of(stage, f"stages[{number}]"):
            if isinstance(rule, MeasuredRule) or (isinstance(rule, ArgoHealthyGate) and rule.history):
                ask = partial(_look, world, subject, stage, path, rule)
                yield Look(subject=subject, path=path, ask=ask)


def filled(world: World, policy: Policy, stage: Stage, query: Query) -> Query | None:
    """Return a query for the tag that its stage has now; None where it asks for one and there is none."""
    if all(value != RELEASE_TAG for _, value in query.labels):
        return query
    tag = tag_of(world, policy, stage)
    return None if tag is None else query.of_release(tag)


def values(world: World, source: str, query: str, *, system: str = "") -> tuple[float, ...]:
    """Return the value of each series of a query now, asked once however many policies have it."""
    reader = world.reader(source)
    return world.reach.ask(system or source_name(source), ("values", source, query), lambda: reader.values(query))


def _look(
    world: World, subject: Subject, stage: Stage, path: str, rule: MeasuredRule | ArgoHealthyGate
) -> Iterator[Finding]:
    asked = {role: filled(world, subject.policy, stage, ask.query) for role, ask in rule.asks.items()}
    queries = {role: world.forced(subject.policy, query) for role, query in asked.items() if query is not None}
    counts: dict[str, int] = {}
    for role, query in queries.items():
        try:
            counts[role] = len(values(world, query.source, query.text))
        except QueryRefused as refused:
            yield subject.fault(_RULE, path, f"no answer: {refused.sentence}", "a query that Prometheus takes")
            return
    if isinstance(rule, ArgoHealthyGate):
        # How often applications were ill: no series means never, or that nobody collects that.
        return
    many = {role: number for role, number in counts.items() if number > 1}
    for role, number in many.items():
        expected = f"one, or none yet: sum them in the query, or select fewer ({role})"
        yield subject.fault(_RULE, path, f"{number} series of {rule.name}", expected)
    empty = [role for role in _needed(rule, counts) if counts.get(role) == 0]
    if empty:
        yield _without_series(world, subject, path, queries[empty[0]], empty[0])
    elif counts and not many:
        said = join_words([f"{role} {count_of(number, 'series', 'series')}" for role, number in counts.items()])
        yield subject.note(_RULE, path, f"an answer for {rule.name}: {said}")


def _needed(rule: MeasuredRule, counts: dict[str, int]) -> list[str]:
    """Return the roles without whose series there is no verdict. Bad events may be missing: there were none."""
    if isinstance(rule, ValueGate):
        return ["value"] if rule.alive is None else [role for role in ("alive",) if not counts.get("value")]
    needed = ["total", *_good(rule.counts, "counted")]
    return [*needed, "base total", *_good(rule.counts, "base counted")] if isinstance(rule, BaselineGate) else needed


def _good(kind: Counts, role: str) -> tuple[str, ...]:
    return (role,) if kind is Counts.GOOD else ()


def _without_series(world: World, subject: Subject, path: str, query: Query, role: str) -> Finding:
    if not world.is_free(query.source):
        # To look for the condition that leaves none would ask for series of others: also where the query had the
        # matchers before they were forced on it, and is as it was.
        expected = "some with the labels that the policy says and those that the settings force"
        return subject.warning(_RULE, path, f"no series ({role})", expected)
    reader = world.reader(query.source)
    found: Blame = world.reach.ask(
        source_name(query.source),
        ("blame", query.source, query.text),
        lambda: blame(partial(values, world, query.source), reader, query.text),
    )
    where = path if found.label is None else _place_of(subject, path, found.label)
    return subject.warning(_RULE, where, f"{found.found} ({role})", found.expected)


def _place_of(subject: Subject, path: str, label: str) -> str:
    """Return where the policy says the value of a label: in the entry, or among the stage's own; else the entry."""
    stage = path.partition("]")[0] + "]"
    places = (f"{path}.labels.{label}", f"{path}.against.labels.{label}", f"{stage}.metrics.{label}")
    return next((place for place in places if subject.has(place)), path)
