"""What a policy asks of which data source."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.policy import Policy
from bot.domain.queries import DEFAULT_SOURCE, Query
from bot.domain.questions import questions_of, services_by_source
from bot.domain.rules import ArgoHealthyGate, DegradedTrigger, SoakGate
from tests.builders import MINUTE, a_count_gate, a_policy, a_rollback, a_value_gate


def at(source: str, text: str = "x") -> Query:
    return replace(Query.plain(text), source=source)


def test_every_query_is_told_with_the_place_of_its_rule() -> None:
    gates = (
        SoakGate(name="soak"),
        a_count_gate(),
        ArgoHealthyGate(name="argo", history=(at("eu"),), of_members=at("us")),
    )
    triggers = (DegradedTrigger(name="degraded", lasting=MINUTE), replace(a_value_gate(), query=at("kafka")))
    policy = a_policy(gates=gates, rollback=a_rollback(triggers=triggers))
    assert [(one.path, one.query.source) for one in questions_of(policy)] == [
        ("stages[0].gates[1]", DEFAULT_SOURCE),
        ("stages[0].gates[1]", DEFAULT_SOURCE),
        ("stages[0].gates[2]", "eu"),
        ("stages[0].gates[2]", "us"),
        ("stages[1].rollback.triggers[1]", "kafka"),
    ]


def test_the_sources_are_told_with_the_services_that_are_measured_by_them() -> None:
    def of(service: str, source: str) -> Policy:
        gate = replace(a_value_gate(), query=at(source))
        return replace(a_policy(gates=(gate,), rollback=a_rollback(triggers=())), service=service)

    found = services_by_source([of("cart", "eu"), of("shop", "eu"), of("shop", "us")])
    assert found == {"eu": {"cart", "shop"}, "us": {"shop"}}
