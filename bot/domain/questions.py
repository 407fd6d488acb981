"""What a policy asks of which data source, rule by rule. For those who must know it before anything is measured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bot.domain.policy import Policy
from bot.domain.queries import Query
from bot.domain.rules import ArgoHealthyGate, Gate, MeasuredRule, Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A query of a policy; `path` is where in the policy its rule stands, such as `stages[0].gates[1]`."""

    path: str
    query: Query


def questions_of(policy: Policy) -> Iterator[Question]:
    """Give all queries of a policy, in its order."""
    for number, stage in enumerate(policy.stages):
        triggers = stage.rollback.triggers if stage.rollback is not None else ()
        lists: list[tuple[str, Iterable[Gate | Trigger]]] = [("gates", stage.gates), ("rollback.triggers", triggers)]
        for name, rules in lists:
            for at, rule in enumerate(rules):
                path = f"stages[{number}].{name}[{at}]"
                yield from (Question(path=path, query=query) for query in _queries(rule))


def _queries(rule: Gate | Trigger) -> Iterator[Query]:
    if isinstance(rule, MeasuredRule | ArgoHealthyGate):
        yield from (ask.query for ask in rule.asks.values())
    if isinstance(rule, ArgoHealthyGate) and rule.of_members is not None:
        yield rule.of_members


def services_by_source(policies: Iterable[Policy]) -> Mapping[str, set[str]]:
    """Return the ids of the data sources that policies name, each with the services that are measured by it."""
    found: dict[str, set[str]] = defaultdict(set)
    for policy in policies:
        for question in questions_of(policy):
            found[question.query.source].add(policy.service)
    return dict(found)
