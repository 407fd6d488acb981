"""Joins, pauses, approvals and what moves together: which of two policies is stricter."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.edit import PathEdit
from bot.domain.policy import Approvals, ApprovedWhen, Join, Place, Policy, Proposing
from bot.policy import parse_policy, shipped_gate_templates
from bot.policy.comparing import Way, compare_policies
from bot.policy.floor import ReadPolicy, faults_below, parse_floor
from bot.policy.reading import Faults
from bot.policy.tree import read_tree
from bot.policy.waves import expand_waves
from tests.builders import a_count_gate, a_policy

# --- several stages before one, and approvals ------------------------------------------------------------------------


def moved(**changes: object) -> Policy:
    """Three stages, of which `world` may come from one or both of the others."""
    policy = a_policy()
    staging, production = policy.stages
    world = replace(production, name="world", **changes)  # type: ignore[arg-type]  # as each test names them
    return replace(policy, stages=(staging, replace(staging, name="us"), world))


def ways(old: Policy, new: Policy) -> list[str]:
    return [f"{change.way} {change.path}: {change}" for change in compare_policies(old, new)]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ({}, {"beside": ("us",)}, "stricter stages[world].from: staging -> all of staging and us"),
        (
            {"beside": ("us",)},
            {"beside": ("us",), "join": Join.ANY},
            "weaker stages[world].from: all of staging and us -> any of staging and us",
        ),
        ({}, {"beside": ("us",), "join": Join.ANY}, "changed stages[world].from: staging -> any of staging and us"),
        (
            {"proposing": Proposing(pause=timedelta(hours=1))},
            {"proposing": Proposing()},
            "weaker stages[world].promote.pause: 1h -> 0s",
        ),
        (
            {"proposing": Proposing(approvals=Approvals(need=2, people=("@a",), four_eyes=True))},
            {"proposing": Proposing(approvals=Approvals(need=1, people=("@a",), four_eyes=True))},
            (
                "weaker stages[world].promote.approvals: 2 approvals, from @a, four eyes -> 1 approval, from @a, "
                "four eyes"
            ),
        ),
        (
            {"proposing": Proposing(approvals=Approvals(need=2))},
            {"proposing": Proposing()},
            "weaker stages[world].promote.approvals: 2 approvals -> nothing",
        ),
        (
            {"proposing": Proposing(approvals=Approvals(need=1, when=ApprovedWhen.AFTER_WINDOW))},
            {"proposing": Proposing(approvals=Approvals(need=2))},
            "changed stages[world].promote.approvals: 1 approval, after-window -> 2 approvals",
        ),
        (
            {"together": ()},
            {"together": (Place(image="x/worker", edit=PathEdit(file="a.yaml", path="tag")),)},
            "changed stages[world].with: nothing -> x/worker in path, file a.yaml, path tag",
        ),
    ],
)
def test_what_stands_between_stages_is_ordered_too(old: dict[str, object], new: dict[str, object], said: str) -> None:
    assert ways(moved(**old), moved(**new)) == [said]
    (back,) = compare_policies(moved(**new), moved(**old))
    assert back.way is compare_policies(moved(**old), moved(**new))[0].way.opposite


def test_a_query_of_another_data_source_is_another_query() -> None:
    policy = a_policy()
    staging, production = policy.stages
    gate = a_count_gate()
    there = replace(gate, query=replace(gate.query, source="eu"))
    (change,) = compare_policies(
        replace(policy, stages=(replace(staging, gates=(gate,)), production)),
        replace(policy, stages=(replace(staging, gates=(there,)), production)),
    )
    assert change.way is Way.CHANGED
    assert " at eu" in change.new


# --- the floor -------------------------------------------------------------------------------------------------------

SHIPPED = shipped_gate_templates()
TEXT = """\
apiVersion: liftlock.dev/v1
service: checkout
image: ghcr.io/acme/checkout
source: acme/checkout
gitops: {repository: acme/deploy}
stages:
  - name: eu
    edit: {kustomize: eu.yaml}
    argocd: eu
    metrics: {namespace: eu}
    window: {for: 30m}
    gates: [{use: http-errors, limit: 1%}]
  - name: us
    edit: {kustomize: us.yaml}
    argocd: us
    metrics: {namespace: us}
    window: {for: 10m}
    gates: [{use: http-errors, limit: 1%}]
  - name: production
    from: [eu, us]
    edit: {helm: {file: "{region}.yaml", tag: image.tag}}
    argocd: production
    promote: {approvers: ["@acme/release"], approvals: {need: 1}}
"""


def below(rule: str, text: str = TEXT) -> list[str]:
    floor = parse_floor(
        f"apiVersion: liftlock.dev/v1\nfloor:\n  - every: promoted\n    {rule}\n", file="floor.yaml", templates=SHIPPED
    )
    policy = parse_policy(text, file="a.yaml", templates=SHIPPED)
    tree = expand_waves(read_tree(text, file="a.yaml", faults=[]), Faults(file="a.yaml"))
    read = ReadPolicy(policy=policy, tree=tree, templates=SHIPPED)
    return [str(fault).removeprefix("a.yaml:") for fault in faults_below(read, floor)]


def test_each_of_several_stages_before_must_be_on_the_floor() -> None:
    assert below("before: {window: {for: 10m}}") == []
    (found,) = below("before: {window: {for: 30m}}")
    assert found.startswith("17:19: stages[us].window.for: found 10m, expected 30m or stricter")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("{need: 1}", []),
        ("{need: 1, from: ['@acme/release', '@dana']}", []),
        ("{need: 2}", ["1 approval, from @acme/release"]),
        ("{need: 1, from: ['@dana']}", ["1 approval, from @acme/release"]),
        ("{need: 1, four_eyes: true}", ["1 approval, from @acme/release"]),
        ("{need: 1, when: after-window}", ["1 approval, from @acme/release"]),
    ],
)
def test_approvals_of_the_floor_must_be_asked_for_at_least(asked: str, found: list[str]) -> None:
    told = below(f"promote: {{approvals: {asked}}}")
    assert [one.partition("found ")[2].partition(", expected")[0] for one in told] == found


def test_without_any_a_floor_of_approvals_is_not_met() -> None:
    without = TEXT.replace(", approvals: {need: 1}", "")
    (found,) = below("promote: {approvals: {need: 1}}", without)
    assert "stages[production].promote.approvals: found nothing, expected 1 approval, from @acme/release" in found or (
        "stages[production].promote.approvals: found nothing, expected 1 approval" in found
    )


def test_a_stage_in_waves_is_on_the_floor_in_each_region() -> None:
    waves = TEXT.replace("    from: [eu, us]\n", "    from: eu\n    waves: {regions: [[one, two]]}\n").replace(
        "    promote: {approvers", "    metrics: {region: '{region}'}\n    promote: {approvers"
    )
    assert [one.partition(" found")[0] for one in below("rollback: {watch: 1h}", waves)] == [
        "19:5: stages[production-one].rollback:",
        "19:5: stages[production-two].rollback:",
    ]
