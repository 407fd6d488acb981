"""Which data source each query of a policy goes to, and what is no id of one."""

from __future__ import annotations

import pytest

from bot.domain.queries import DEFAULT_SOURCE
from bot.domain.rules import ArgoHealthyGate, BaselineGate, CountGate, MeasuredRule, ValueGate
from bot.policy import PolicyError, parse_policy
from bot.policy.templates import parse_template
from tests.policy.a_rule import HEAD, TEMPLATES

STAGE = "    metrics: {namespace: one}\n"
LATER = """\
  - name: two
    from: one
    edit: {kustomize: two}
    argocd: two
    metrics: {namespace: two}
"""


def entries_of(*entries: str, stage: str = "", more: str = "") -> list[MeasuredRule | ArgoHealthyGate]:
    """Return the gates of a stage that says `stage` beside its metrics; `more` is a further stage."""
    text = HEAD.replace(STAGE, STAGE + stage) + "".join(f"      - {{{entry}}}\n" for entry in entries) + more
    gates = parse_policy(text, file="a.yaml", templates=TEMPLATES).stages[0].gates
    return [gate for gate in gates if isinstance(gate, MeasuredRule | ArgoHealthyGate)]


def sources_of(gate: MeasuredRule | ArgoHealthyGate) -> dict[str, str]:
    return {role: ask.query.source for role, ask in gate.asks.items()}


def refusal(entry: str = "use: soak", *, stage: str = "", more: str = "") -> str:
    with pytest.raises(PolicyError) as error:
        entries_of(entry, stage=stage, more=more)
    (fault,) = error.value.faults
    return str(fault)


def test_a_policy_that_names_no_source_is_measured_by_the_section_prometheus() -> None:
    for gate in entries_of("use: jobs, limit: 1%", "use: depth, above: 3", "use: crashes"):
        assert set(sources_of(gate).values()) == {DEFAULT_SOURCE}


def test_all_that_a_stage_measures_is_asked_of_its_own_source() -> None:
    entries = (
        "use: jobs, limit: 1%",
        "use: depth, above: 3",
        "use: crashes",
        "use: http-latency, slower_than: 1s,limit: 1%",
    )
    gates = entries_of(*entries, stage="    metrics_from: eu\n")
    assert [sources_of(gate) for gate in gates] == [
        {"ill 0": "eu"},
        {"counted": "eu", "total": "eu"},
        {"value": "eu"},
        {"value": "eu", "alive": "eu"},
        {"counted": "eu", "total": "eu"},
    ]
    latency = gates[-1]
    assert isinstance(latency, CountGate)
    assert latency.buckets is not None
    assert latency.buckets.source == "eu"


def test_an_entry_may_be_asked_of_another_source_than_its_stage() -> None:
    _, depth, jobs = entries_of(
        "use: depth, above: 3, metrics_from: kafka", "use: jobs, limit: 1%", stage="    metrics_from: eu\n"
    )
    assert isinstance(depth, ValueGate)
    assert (depth.query.source, sources_of(jobs)["total"]) == ("kafka", "eu")


def test_triggers_are_asked_of_the_source_of_their_stage_or_their_own() -> None:
    triggers = "[{use: depth, above: 3}, {use: jobs, limit: 5%, metrics_from: kafka}]"
    more = f"{LATER}    metrics_from: us\n    rollback: {{watch: 1h, triggers: {triggers}}}\n"
    text = HEAD + more
    rollback = parse_policy(text, file="a.yaml", templates=TEMPLATES).stages[1].rollback
    assert rollback is not None
    found = [sources_of(one) for one in rollback.triggers if isinstance(one, MeasuredRule)]
    assert found == [{"value": "us"}, {"counted": "kafka", "total": "kafka"}]


def test_the_history_of_argo_cd_may_be_kept_elsewhere() -> None:
    own = HEAD.replace("use: argocd-healthy", "use: argocd-healthy, metrics_from: platform")
    (gate,) = parse_policy(own, file="a.yaml", templates=TEMPLATES).stages[0].gates
    assert isinstance(gate, ArgoHealthyGate)
    assert sources_of(gate) == {"ill 0": "platform"}
    members = own.replace("argocd: one", 'argocd: {selector: "app=one"}')
    (gate,) = parse_policy(members, file="a.yaml", templates=TEMPLATES).stages[0].gates
    assert isinstance(gate, ArgoHealthyGate)
    assert sources_of(gate.with_members(["one-eu"])) == {"ill 0": "platform"}


# --- baselines ---


def baseline(entry: str, *, stage: str = "", more: str = "") -> tuple[str, str]:
    (gate,) = [gate for gate in entries_of(entry, stage=stage, more=more) if isinstance(gate, BaselineGate)]
    assert (gate.total.source, gate.base_total.source) == (gate.query.source, gate.base_query.source)
    return gate.query.source, gate.base_query.source


def test_a_baseline_stage_is_asked_of_its_own_source() -> None:
    more = f"{LATER}    metrics_from: us\n"
    assert baseline("use: jobs, against: two", more=more) == (DEFAULT_SOURCE, "us")
    assert baseline("use: jobs, against: two", stage="    metrics_from: eu\n", more=more) == ("eu", "us")
    assert baseline("use: jobs, against: two", stage="    metrics_from: eu\n", more=LATER) == ("eu", DEFAULT_SOURCE)


def test_an_entry_that_names_a_source_asks_it_for_its_baseline_too() -> None:
    more = f"{LATER}    metrics_from: us\n"
    assert baseline("use: jobs, against: two, metrics_from: all", more=more) == ("all", "all")


@pytest.mark.parametrize("against", ["{labels: {version: stable}}", "{ago: 7d}"])
def test_a_baseline_of_other_labels_or_of_the_past_is_asked_of_the_source_of_its_gate(against: str) -> None:
    found = baseline(f"use: jobs, against: {against}, labels: {{version: a}}", stage="    metrics_from: eu\n")
    assert found == ("eu", "eu")


def test_the_same_labels_in_another_source_are_other_series() -> None:
    more = LATER.replace("namespace: two", "namespace: one")
    elsewhere = f"{more}    metrics_from: us\n"
    assert baseline("use: jobs, against: two", more=elsewhere) == (DEFAULT_SOURCE, "us")
    assert 'against: found "two", expected labels or ago' in refusal("use: jobs, against: two", more=more)
    same = "use: jobs, against: two, metrics_from: us"
    assert 'against: found "two", expected labels or ago' in refusal(same, more=elsewhere)


# --- what is no id ---

SENTENCE = (
    "expected the id of a data source: prometheus, or the NAME of a section [prometheus_servers.NAME] of the settings; "
    "addresses stand there, never in a policy"
)


@pytest.mark.parametrize(
    "text",
    ["https://prometheus.acme.example", "prometheus:9090", "EU", "eu_1", "-eu", "eu.west", '""', "{url: a}", "[eu]"],
)
def test_an_address_is_no_id_and_the_fault_says_where_addresses_stand(text: str) -> None:
    found = text if text.startswith(('"', "{", "[")) else f'"{text}"'
    said = refusal(stage=f"    metrics_from: {found}\n")
    assert said.startswith("a.yaml:10:19: stages[0].metrics_from: found ")
    assert said.endswith(SENTENCE)
    said = refusal(f"use: depth, above: 3, metrics_from: {found}")
    assert "stages[0].gates[1].metrics_from: found " in said
    assert said.endswith(SENTENCE)


def test_an_empty_id_is_a_fault() -> None:
    assert "metrics_from: found nothing" in refusal(stage="    metrics_from:\n")


def test_what_is_wrong_with_another_stage_s_source_is_told_once() -> None:
    more = f"{LATER}    metrics_from: {{a: b}}\n"
    assert "stages[1].metrics_from: found a mapping" in refusal("use: jobs, against: two", more=more)
    nameless = "  - {metrics_from: us}\n"
    with pytest.raises(PolicyError) as error:
        entries_of("use: jobs, limit: 1%", more=nameless)
    assert not any("gates" in fault.path for fault in error.value.faults)


def test_no_parameter_of_a_template_is_called_like_the_source() -> None:
    text = (
        "name: own\nkind: value\ntitle: t\ndescription: d\nquery: a{$selector,b=$metrics_from}\n"
        "parameters: {metrics_from: {type: text, description: d}}\n"
    )
    with pytest.raises(PolicyError, match='the parameter "metrics_from"'):
        parse_template(text, file="own.yaml")
