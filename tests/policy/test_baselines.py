"""Which stage can be another one's baseline: none that had the release before it."""

from __future__ import annotations

import pytest

from bot.domain.policy import Policy
from bot.domain.rules import BaselineGate
from bot.policy import parse_policy
from tests.policy.a_rule import TEMPLATES, faults_of, the_fault

LATER = "expected a stage with metrics that gets the release later"
HEAD = """\
apiVersion: liftlock.dev/v1
service: a
image: r/a
gitops: {repository: acme/deploy}
stages:
"""


def stage(name: str, source: str | None = None, *, against: str | None = None) -> str:
    """Return a stage that releases may leave, with a gate that compares it with another."""
    compared = f", {{use: jobs, against: {against}}}" if against is not None else ""
    return f"""\
  - name: {name}
{f"    from: {source}" if source is not None else "    # the first"}
    edit: {{kustomize: {name}}}
    argocd: {name}
    metrics: {{namespace: {name}}}
    window: {{for: 30m}}
    gates: [{{use: argocd-healthy}}{compared}]
"""


def policy(*stages: str) -> Policy:
    return parse_policy(HEAD + "".join(stages), file="a.yaml", templates=TEMPLATES)


def baseline(found: Policy, index: int) -> str | None:
    gate = found.stages[index].gates[1]
    assert isinstance(gate, BaselineGate)
    return gate.base_stage


@pytest.mark.parametrize("earlier", ["a", "b", "c"])
def test_a_stage_that_had_the_release_before_is_no_baseline(earlier: str) -> None:
    text = HEAD + stage("a") + stage("b", "a") + stage("c", "b", against=earlier) + stage("d", "c")
    assert the_fault(text).endswith(f'stages[2].gates[1].against: found "{earlier}", {LATER}: one of d')


@pytest.mark.parametrize("earlier", ["a", "b", "c"])
def test_the_last_stage_is_told_what_else_could_be_a_baseline(earlier: str) -> None:
    text = HEAD + stage("a") + stage("b", "a") + stage("c", "b", against=earlier)
    assert the_fault(text).endswith(f'stages[2].gates[1].against: found "{earlier}", expected labels or ago')


def test_a_stage_that_gets_the_release_later_is_a_baseline_however_far_away() -> None:
    found = policy(stage("a", against="c"), stage("b", "a", against="c"), stage("c", "b"))
    assert (baseline(found, 0), baseline(found, 1)) == ("c", "c")


def test_a_stage_on_another_branch_is_a_baseline() -> None:
    found = policy(stage("a"), stage("b", "a", against="c"), stage("c", "a", against="b"))
    assert (baseline(found, 1), baseline(found, 2)) == ("c", "b")


def test_the_order_of_the_stages_does_not_say_which_had_the_release_before() -> None:
    assert baseline(policy(stage("c", "b"), stage("b", "a"), stage("a", against="c")), 2) == "c"
    text = HEAD + stage("c", "b", against="a") + stage("b", "a") + stage("a")
    assert the_fault(text).endswith('stages[0].gates[1].against: found "a", expected labels or ago')


def test_a_trigger_is_not_compared_with_a_stage_that_had_the_release_before() -> None:
    rollback = "    rollback: {watch: 1h, triggers: [{use: jobs, against: a}]}\n"
    text = HEAD + stage("a") + stage("b", "a") + rollback + stage("c", "b")
    assert the_fault(text).endswith(f'stages[1].rollback.triggers[0].against: found "a", {LATER}: one of c')


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_circle_of_from_ends_also_where_a_baseline_is_looked_for(size: int) -> None:
    names = "abc"[:size]
    circle = [stage(name, names[index - 1], against=names[0]) for index, name in enumerate(names)]
    faults = faults_of(HEAD + "".join(circle) + stage("z", names[-1], against="a"))
    refused = [fault for fault in faults if ".against: found" in fault]
    # In a circle each has the release before each.
    assert [fault.partition("against: ")[2] for fault in refused] == [
        *[f'found "a", {LATER}: one of z'] * size,
        'found "a", expected labels or ago',
    ]
    assert any(".from: found" in fault for fault in faults)


def test_an_unknown_from_is_told_only_where_it_stands() -> None:
    text = HEAD + stage("a") + stage("b", "nowhere", against="a")
    assert the_fault(text).partition("stages")[2].startswith('[1].from: found "nowhere", ')


@pytest.mark.parametrize(
    ("other", "sentences"),
    [
        ("{from: a, edit: {kustomize: x}, argocd: x, metrics: {namespace: x}}", ["stages[2].name: found nothing"]),
        (
            "{name: [x], from: a, edit: {kustomize: x}, argocd: x, metrics: {namespace: x}}",
            ["stages[2].name: found a list"],
        ),
        ("production", ['stages[2]: found "production", expected a mapping']),
        ("{}", ["stages[2].name: found", "stages[2].edit: found", "stages[2].argocd: found"]),
    ],
    ids=["without-a-name", "a-list-for-a-name", "a-text", "nothing"],
)
def test_a_stage_without_a_name_does_not_hide_the_others(other: str, sentences: list[str]) -> None:
    text = HEAD + stage("a", against="b") + stage("b", "a") + f"  - {other}\n"
    faults = faults_of(text)
    assert [any(sentence in fault for fault in faults) for sentence in sentences] == [True] * len(sentences)
    assert not any("against" in fault for fault in faults)
    refused = [fault for fault in faults_of(text.replace("against: b", "against: a")) if "against" in fault]
    assert [fault.partition("against: ")[2] for fault in refused] == [f'found "a", {LATER}: one of b']


def test_a_stage_without_a_name_itself_is_told_only_that() -> None:
    nameless = stage("b", "a", against="c").replace("  - name: b\n    from", "  - from")
    assert the_fault(HEAD + stage("a") + nameless + stage("c", "a")).endswith(
        "stages[1].name: found nothing, expected a name of a-z, 0-9 and -, at most 63 long"
    )
