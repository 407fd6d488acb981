"""The sampler with several data sources: lags, evidence, budgets, and what is forced on queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.decide import decide
from bot.domain.model import Samples, Trouble
from bot.domain.observation import Observation
from bot.domain.policy import Policy
from bot.domain.queries import Query
from bot.domain.rules import CountGate, Counts
from bot.domain.verdicts import VerdictKind
from bot.sampling import Asking, Sampler
from tests.builders import MINUTE, a_baseline_gate, a_count_gate, a_value_gate
from tests.fakes import an_error
from tests.test_sampling import LAG, Bench, at, with_gates


class SourcesBench(Bench):
    """A bench whose sampler asks in a way that a test sets."""

    asking: Asking = Asking()

    def restart(self) -> None:
        self.sampler = Sampler(metrics=self.metrics, ledger=self.ledger, lag=LAG, asking=self.asking)


def a_bench(*policies: Policy, **asking: object) -> SourcesBench:
    bench = SourcesBench(policies=policies)
    bench.asking = replace(Asking(), **asking)  # type: ignore[arg-type]  # As a test says.
    bench.restart()
    return bench


def of(gate: CountGate, source: str) -> CountGate:
    return replace(gate, query=replace(gate.query, source=source), total=replace(gate.total, source=source))


def marked(policy: Policy, query: Query) -> Query | Trouble:
    """Force a mark, or refuse what says so."""
    if "refused" in query.text:
        return Trouble(system="settings", sentence=f"{policy.service} may not ask {query.text}")
    return replace(query, parts=(f"forced {query.text}",))


def samples(found: Mapping[str, Samples | Trouble], key: str) -> Samples:
    one = found[key]
    assert isinstance(one, Samples)
    return one


def test_the_evidence_names_the_source_of_each_rule() -> None:
    bench = a_bench(with_gates(a_count_gate(), of(a_count_gate(name="other"), "eu")))
    found = bench.staged(10)
    assert samples(found, "gate:http-errors").backend == "Prometheus (fake)"
    assert samples(found, "gate:other").backend == "Prometheus eu (fake)"


def test_a_baseline_in_another_source_names_both_and_waits_for_the_later_one() -> None:
    gate = a_baseline_gate()
    elsewhere = replace(
        gate,
        base_query=replace(gate.base_query, source="eu"),
        base_total=replace(gate.base_total, source="eu"),
    )
    bench = a_bench(with_gates(elsewhere, a_count_gate()), lags={"eu": 3 * MINUTE})
    found = bench.staged(10)
    compared = samples(found, "gate:not-worse")
    assert compared.backend == "Prometheus (fake) and Prometheus eu (fake)"
    assert (compared.end, compared.lag) == (at(7), 3 * MINUTE)
    alone = samples(found, "gate:http-errors")
    assert (alone.end, alone.lag) == (at(10), LAG)


def test_a_lag_of_a_source_is_of_its_rules_only() -> None:
    gates = (a_count_gate(), of(a_count_gate(name="other"), "eu"))
    bench = a_bench(with_gates(*gates), lags={"eu": timedelta(0)})
    bench.staged(10)
    assert {samples(bench.staged(11), key).lag for key in ("gate:http-errors", "gate:other")} == {LAG, timedelta(0)}


def test_numbers_of_one_source_are_not_taken_for_those_of_another() -> None:
    here = a_count_gate()
    bench = a_bench(with_gates(here))
    bench.staged(10)
    bench.policies = [with_gates(of(here, "eu"))]
    bench.restart()
    bench.staged(10)
    assert {look.query.source for look in bench.metrics.asked} == {"eu"}


@pytest.mark.invariant("I13")
def test_a_source_that_fails_troubles_the_rules_that_ask_it_and_they_cannot_tell() -> None:
    gates = (a_count_gate(), of(a_count_gate(name="other"), "asia"))
    policy = with_gates(*gates)
    bench = a_bench(policy)
    bench.metrics.history = {"bad-http-errors": (0.0,)}
    bench.metrics.broken = {"total-other"}
    (seen,) = bench.sample(60)
    assert kinds(policy, seen) == {"http-errors": VerdictKind.HEALTHY, "other": VerdictKind.CANNOT_TELL}


def kinds(policy: Policy, seen: Observation) -> dict[str, VerdictKind]:
    judgement = decide(policy, seen, seen.at).judgements[0]
    return {verdict.gate: verdict.kind for verdict in judgement.verdicts}


# --- what is forced ---


def test_what_is_sent_is_the_forced_query_and_the_evidence_shows_it() -> None:
    bench = a_bench(with_gates(a_count_gate()), force=marked)
    found = samples(bench.staged(10), "gate:http-errors")
    assert set(bench.spans()) == {"forced bad-http-errors", "forced total-http-errors"}
    assert found.queries == ("forced bad-http-errors", "forced total-http-errors")


def test_numbers_that_were_read_without_the_labels_are_not_used_with_them() -> None:
    bench = a_bench(with_gates(a_count_gate()))
    bench.staged(10)
    bench.asking = Asking(force=marked)
    bench.restart()
    bench.staged(10)
    assert len(bench.metrics.asked) == 2


@pytest.mark.invariant("I5")
def test_a_rule_whose_query_is_not_sent_cannot_tell_and_the_others_are_measured() -> None:
    policy = with_gates(a_count_gate(), a_count_gate(name="refused"))
    bench = a_bench(policy, force=marked)
    bench.metrics.history = {"forced bad-http-errors": (0.0,)}
    (seen,) = bench.sample(60)
    assert set(bench.spans()) == {"forced bad-http-errors", "forced total-http-errors"}
    found = seen.stage("staging").samples
    assert found["gate:refused"] == Trouble(system="settings", sentence="checkout may not ask bad-refused")
    assert kinds(policy, seen) == {"http-errors": VerdictKind.HEALTHY, "refused": VerdictKind.CANNOT_TELL}


@pytest.mark.parametrize(
    ("text", "histograms", "note"),
    [
        ("buckets", ["forced buckets"], "its bounds are 0.1, 0.5"),
        ("refused", [], "its bounds could not be read: checkout may not ask refused"),
    ],
)
def test_bounds_are_asked_for_with_the_labels_or_not_at_all(text: str, histograms: list[str], note: str) -> None:
    gate = replace(a_count_gate(name="slow"), counts=Counts.GOOD, buckets=Query.plain(text))
    bench = a_bench(with_gates(gate), force=marked)
    bench.metrics.history = {"forced bad-slow": (None,)}
    assert samples(bench.staged(10), "gate:slow").note == note
    assert bench.metrics.histograms == histograms


# --- budgets ---


def test_one_service_alone_cannot_keep_a_source_busy() -> None:
    greedy = with_gates(*(a_count_gate(name=f"g{number}") for number in range(3)))
    modest = with_gates(a_value_gate(), service="modest")
    bench = a_bench(greedy, modest, most={"prometheus": 4})
    first, second = (one.stage("staging").samples for one in bench.sample(10))
    refused = [key for key, one in first.items() if isinstance(one, Trouble)]
    assert refused == ["gate:g2"]
    assert first["gate:g2"] == Trouble(
        system="Prometheus",
        sentence=(
            "checkout may have 4 series of numbers in a sweep, and its policy asks for more: raise most_per_service "
            "in the settings, or measure less"
        ),
    )
    assert isinstance(second["gate:lag"], Samples)


def test_the_budget_of_one_source_is_not_that_of_another() -> None:
    gates = (a_count_gate(), of(a_count_gate(name="other"), "eu"))
    bench = a_bench(with_gates(*gates), most={"prometheus": 2, "eu": 1})
    found = bench.staged(10)
    assert isinstance(found["gate:http-errors"], Samples)
    assert isinstance(found["gate:other"], Trouble)


def test_a_forced_query_of_a_source_that_is_down_is_its_own_trouble() -> None:
    bench = a_bench(with_gates(a_count_gate()), force=marked)
    bench.metrics.fail["read"] = an_error("no answer", "Prometheus")
    assert bench.staged(10)["gate:http-errors"] == Trouble(system="Prometheus", sentence="no answer")
