"""What the shipped gates ask, through the real policy parser, is what the built-in answerer can answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.rules import CountGate
from bot.lab.clock import ManualClock
from bot.lab.cluster import Behaviour, Cluster
from bot.lab.counters import growth
from bot.lab.files import policy_text
from bot.lab.pace import COMPRESSED
from bot.lab.shapes import parse_query
from bot.policy import shipped_gate_templates
from bot.policy.parsing import parse_policy

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
IMAGE = "ghcr.io/acme/checkout"


def count_gates() -> list[CountGate]:
    """Return the count gates and triggers of the lab's policy."""
    text = policy_text("checkout", IMAGE, "acme/deploy", COMPRESSED, merge="auto", rollback="commit")
    policy = parse_policy(text, file="checkout.yaml", templates=shipped_gate_templates())
    watched = [stage.rollback.triggers for stage in policy.stages if stage.rollback]
    gates = [gate for stage in policy.stages for gate in stage.gates] + [one for some in watched for one in some]
    return [gate for gate in gates if isinstance(gate, CountGate)]


def test_the_labs_policy_uses_the_templates_of_the_metrics_that_its_services_have() -> None:
    used = {gate.template for gate in count_gates()}
    assert used == {"http-errors", "http-latency"}
    assert used < set(shipped_gate_templates())


@pytest.mark.parametrize("query", sorted({ask.query.text for gate in count_gates() for ask in gate.asks.values()}))
def test_a_shipped_query_selects_series_of_the_simulated_services(query: str) -> None:
    clock = ManualClock(T0)
    cluster = Cluster(clock)
    cluster.behave(IMAGE, "1", Behaviour(error_ratio=0.5, slow_ratio=0.5))
    for namespace in ("checkout-staging", "checkout-production"):
        cluster.deploy(namespace, IMAGE, "1", T0)
    parsed = parse_query(query)
    found = growth(cluster.runs(), parsed.metric, T0, T0 + timedelta(seconds=60))
    selected = {parsed.group_of(dict(labels)) for labels in found if parsed.accepts(dict(labels))}
    assert len(selected) == 1


def test_a_wrong_name_of_the_code_label_is_no_data_and_not_zero_errors() -> None:
    text = policy_text("checkout", IMAGE, "acme/deploy", COMPRESSED, merge="auto", rollback="commit")
    wrong = text.replace("use: http-errors", "use: http-errors, code_label: status")
    assert wrong != text
    clock = ManualClock(T0)
    cluster = Cluster(clock)
    cluster.behave(IMAGE, "1", Behaviour(error_ratio=0.5))
    cluster.deploy("checkout-staging", IMAGE, "1", T0)
    for policy, has_data in ((text, True), (wrong, False)):
        parsed = parse_query(errors_of_staging(policy).total.text)
        found = growth(cluster.runs(), parsed.metric, T0, T0 + timedelta(seconds=60))
        assert any(parsed.accepts(dict(labels)) for labels in found) is has_data


def errors_of_staging(text: str) -> CountGate:
    """Return the gate on HTTP errors of the first stage."""
    policy = parse_policy(text, file="checkout.yaml", templates=shipped_gate_templates())
    (gate,) = (one for one in policy.stages[0].gates if isinstance(one, CountGate) and one.template == "http-errors")
    return gate
