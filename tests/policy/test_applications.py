"""How a stage names the Argo CD applications that deploy it."""

from __future__ import annotations

import pytest

from bot.domain.argo import NamedApplication, Requirement, SelectedApplications, Target
from bot.domain.policy import Policy, SyncBy
from bot.domain.rules import ArgoHealthyGate
from bot.policy import parse_policy, shipped_gate_templates
from tests.policy.a_rule import the_fault

POLICY = """\
apiVersion: liftlock.dev/v1
service: checkout
image: ghcr.io/acme/checkout
gitops: {repository: acme/deploy}
stages:
  - name: staging
    argocd: ARGOCD
    edit: {kustomize: {file: a.yaml}}
    window: {for: 30m}
    gates: [{use: argocd-healthy}]
"""


def parsed(argocd: str, *, more: str = "") -> Policy:
    text = POLICY.replace("ARGOCD", f"{argocd}{more}")
    return parse_policy(text, file="a.yaml", templates=shipped_gate_templates())


def targets(argocd: str) -> tuple[Target, ...]:
    return parsed(argocd).stages[0].applications


def label(name: str, *values: str, negated: bool = False) -> Requirement:
    return Requirement(label=name, values=values, negated=negated)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("checkout", NamedApplication(name="checkout")),
        ("team/checkout", NamedApplication(name="team/checkout")),
        ("eu:checkout", NamedApplication(name="checkout", server="eu")),
        ("eu-1:team/checkout.x", NamedApplication(name="team/checkout.x", server="eu-1")),
    ],
)
def test_an_application_is_named_with_its_server_and_namespace(text: str, expected: Target) -> None:
    assert targets(text) == (expected,)


@pytest.mark.parametrize(
    ("text", "selector"),
    [
        ("app=checkout", (label("app", "checkout"),)),
        ("app==checkout", (label("app", "checkout"),)),
        ("app = checkout , env != test", (label("app", "checkout"), label("env", "test", negated=True))),
        ("tier in (web, api),!canary", (label("tier", "web", "api"), label("canary", negated=True))),
        ("tier notin (a,b),acme.io/app", (label("tier", "a", "b", negated=True), label("acme.io/app"))),
        ("app in (x,x)", (label("app", "x"),)),
    ],
)
def test_a_selector_reads_as_in_kubernetes(text: str, selector: tuple[Requirement, ...]) -> None:
    assert targets(f'{{selector: "{text}"}}') == (SelectedApplications(selector=selector),)


def test_a_selector_may_name_server_and_namespace_and_stand_among_names() -> None:
    found = targets("[checkout, {selector: app=checkout, server: eu, namespace: team}]")
    selector = (label("app", "checkout"),)
    assert found == (
        NamedApplication(name="checkout"),
        SelectedApplications(selector=selector, server="eu", namespace="team"),
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("EU:checkout", 'stages[0].argocd: found "EU:checkout", expected an application as name, '),
        ("a:b:c", 'stages[0].argocd: found "a:b:c", expected an application as name, namespace/name or '),
        ("[checkout, {selector: '!canary'}]", 'stages[0].argocd[1].selector: found "!canary", expected labels such as'),
        ("{selector: ''}", 'stages[0].argocd.selector: found "", expected labels such as'),
        ("{selector: 'app=a,,b=c'}", "stages[0].argocd.selector: found "),
        ("{selector: 'app in ()'}", "stages[0].argocd.selector: found "),
        ("{selector: 'app=a b'}", "stages[0].argocd.selector: found "),
        ("{selector: 'app=\"x\"'}", "stages[0].argocd.selector: found "),
        ("{selector: app=a, sever: eu}", "stages[0].argocd.sever: found an unknown key, expected one of"),
        ("{server: eu}", "stages[0].argocd.selector: found nothing, expected labels such as"),
        (
            "{selector: app=a, server: '-'}",
            'stages[0].argocd.server: found "-", expected the name of an Argo CD server',
        ),
        ("[checkout, checkout]", "found an application twice"),
        ("[{selector: app=a}, {selector: app=a}]", "found an application twice"),
        ("[]", "found an empty list"),
        ("[[a]]", "stages[0].argocd[0]: found a list"),
    ],
)
def test_what_is_no_application_is_told_with_its_place(text: str, fault: str) -> None:
    assert fault in the_fault(POLICY.replace("ARGOCD", text))


def test_syncs_are_left_to_argo_cd_unless_the_policy_says_otherwise() -> None:
    assert parsed("checkout").stages[0].sync is SyncBy.ARGOCD
    assert parsed("checkout", more="\n    sync: bot").stages[0].sync is SyncBy.BOT
    assert "expected argocd or bot" in the_fault(POLICY.replace("ARGOCD", "checkout\n    sync: me"))


def test_the_past_of_selected_applications_is_asked_for_when_they_are_known() -> None:
    (gate,) = parsed("[team/checkout, eu:cart, {selector: app=x}]").stages[0].gates
    assert isinstance(gate, ArgoHealthyGate)
    assert [query.labels for query in gate.history] == [(("name", "checkout"),), (("name", "cart"),)]
    assert gate.of_members is not None
    (named,) = parsed("checkout").stages[0].gates
    assert isinstance(named, ArgoHealthyGate)
    assert named.of_members is None


def test_a_policy_may_call_drift_unhealthy() -> None:
    text = POLICY.replace("ARGOCD", "checkout").replace("argocd-healthy}", "argocd-healthy, out-of-sync: unhealthy}")
    (gate,) = parse_policy(text, file="a.yaml", templates=shipped_gate_templates()).stages[0].gates
    assert isinstance(gate, ArgoHealthyGate)
    assert gate.must_be_synced
