"""The `edit:` of a stage: each kind as it is written, and each fault with its place."""

from __future__ import annotations

import pytest

from bot.domain.edit import (
    ArgoApplicationEdit,
    DocumentWhere,
    Edit,
    HelmEdit,
    Holds,
    KustomizeEdit,
    ManifestEdit,
    PathEdit,
    RegexEdit,
)
from bot.domain.policy import CommitsBy, Policy
from bot.policy import PolicyError, parse_policy, shipped_gate_templates

TEMPLATES = shipped_gate_templates()


def policy_with(edit: str, gitops: str = "{repository: acme/deploy}") -> Policy:
    text = (
        f"apiVersion: liftlock.dev/v1\nservice: a\nimage: r/a\ngitops: {gitops}\n"
        f"stages: [{{name: one, argocd: a, edit: {edit}}}]\n"
    )
    return parse_policy(text, file="a.yaml", templates=TEMPLATES)


DOCUMENT = DocumentWhere(kind="Rollout", name="web", namespace="shop", index=2)
IN_DOCUMENT = "document: {kind: Rollout, name: web, namespace: shop, index: 2}"


@pytest.mark.parametrize(
    ("text", "edit"),
    [
        ("{kustomize: a.yaml}", KustomizeEdit(file="a.yaml")),
        (
            f"{{kustomize: {{file: a.yaml, name: app, create: true, pin: digest, {IN_DOCUMENT}}}}}",
            KustomizeEdit(file="a.yaml", name="app", create=True, pin=True, document=DOCUMENT),
        ),
        ("{kustomize: {file: a.yaml, create: false, pin: none}}", KustomizeEdit(file="a.yaml")),
        (
            "{helm: {file: a.yaml, tag: i.tag, digest: i.digest, repository: i.repo, pin: digest}}",
            HelmEdit(file="a.yaml", tag="i.tag", digest="i.digest", repository="i.repo", pin=True),
        ),
        (
            f"{{helm: {{file: a.yaml, image: 'web[0].image', {IN_DOCUMENT}}}}}",
            HelmEdit(file="a.yaml", image="web[0].image", document=DOCUMENT),
        ),
        ("{manifest: a.yaml}", ManifestEdit(file="a.yaml")),
        (
            f"{{manifest: {{file: a.yaml, container: web, pin: digest, {IN_DOCUMENT}}}}}",
            ManifestEdit(file="a.yaml", container="web", pin=True, document=DOCUMENT),
        ),
        (
            "{argocd-application: {file: a.yaml, holds: helm, path: image.tag, name: web, source: chart}}",
            ArgoApplicationEdit(file="a.yaml", holds=Holds.HELM, path="image.tag", application="web", source="chart"),
        ),
        (
            "{argocd-application: {file: a.yaml, holds: kustomize, pin: digest}}",
            ArgoApplicationEdit(file="a.yaml", holds=Holds.KUSTOMIZE, pin=True),
        ),
        (
            "{argocd-application: {file: a.yaml, holds: target-revision}}",
            ArgoApplicationEdit(file="a.yaml", holds=Holds.TARGET_REVISION),
        ),
        (
            f"{{path: {{file: a.json, path: web.tag, pin: digest, {IN_DOCUMENT}}}}}",
            PathEdit(file="a.json", path="web.tag", pin=True, document=DOCUMENT),
        ),
        (
            "{regex: {file: a.env, pattern: '^TAG=(.*)$', pin: digest}}",
            RegexEdit(file="a.env", pattern="^TAG=(.*)$", pin=True),
        ),
    ],
)
def test_each_kind_of_edit_is_read(text: str, edit: Edit) -> None:
    assert policy_with(text).stages[0].edit == edit


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{kustomize: [a]}", "edit.kustomize: found a list, expected a path inside the repository, or a mapping"),
        ("{kustomize: {name: app}}", "edit.kustomize.file: found nothing, expected a path inside"),
        ("{kustomize: {file: a, create: yes}}", 'edit.kustomize.create: found "yes", expected true or false'),
        ("{kustomize: {file: a, pin: tag}}", 'edit.kustomize.pin: found "tag", expected digest or none'),
        ("{kustomize: {file: a, name: A b}}", "edit.kustomize.name: found"),
        ("{kustomize: {file: a, document: {}}}", "edit.kustomize.document: found a mapping, expected one of"),
        ("{kustomize: {file: a, document: {index: -1}}}", "edit.kustomize.document.index: found"),
        ("{kustomize: {file: a, document: x}}", "edit.kustomize.document: found"),
        ("{helm: a.yaml}", "edit.helm: found"),
        ("{helm: {file: a.yaml}}", "edit.helm: found neither, expected tag or image: a path such as"),
        ("{helm: {file: a.yaml, tag: a, image: b}}", "edit.helm: found both, expected tag or image"),
        ("{helm: {file: a.yaml, image: a, digest: b}}", "edit.helm: found digest or repository beside image"),
        ("{helm: {file: a.yaml, tag: 'a..b'}}", 'edit.helm.tag: found "a..b", expected a path such as'),
        ("{manifest: '/a'}", "edit.manifest: found"),
        ("{manifest: {container: a}}", "edit.manifest.file: found nothing"),
        ("{argocd-application: a}", "edit.argocd-application: found"),
        ("{argocd-application: {file: a}}", "edit.argocd-application.holds: found nothing, expected one of helm"),
        ("{argocd-application: {file: a, holds: helm}}", "edit.argocd-application.path: found nothing"),
        ("{argocd-application: {file: a, holds: x}}", 'edit.argocd-application.holds: found "x", expected one of helm'),
        (
            "{argocd-application: {file: a, holds: kustomize, path: b}}",
            "edit.argocd-application.path: found an unknown key",
        ),
        ("{path: a}", "edit.path: found"),
        ("{path: {file: a}}", "edit.path.path: found nothing"),
        ("{regex: a}", "edit.regex: found"),
        ("{regex: {file: a}}", "edit.regex.pattern: found nothing"),
        ("{regex: {file: a, pattern: 'a'}}", "edit.regex.pattern: found a pattern with 0 groups, expected an RE2"),
        ("{regex: {file: a, pattern: '(?=a)(b)'}}", "edit.regex.pattern: found no valid RE2 pattern"),
        ("{}", "edit: found none of them, expected exactly one of kustomize"),
        ("{path: {file: a, path: b}, regex: {}}", "edit: found path and regex, expected exactly one"),
    ],
)
def test_each_fault_of_an_edit_is_named_with_its_place(text: str, fault: str) -> None:
    with pytest.raises(PolicyError) as caught:
        policy_with(text)
    assert any(f"stages[0].{fault}" in str(found) for found in caught.value.faults), str(caught.value)


def test_who_makes_the_commits_is_the_policys_choice() -> None:
    assert policy_with("{kustomize: a}").gitops.commits is CommitsBy.GIT
    chosen = policy_with("{kustomize: a}", "{repository: acme/deploy, commits: github}")
    assert chosen.gitops.commits is CommitsBy.GITHUB
    with pytest.raises(PolicyError, match=r'gitops\.commits: found "x", expected git or github'):
        policy_with("{kustomize: a}", "{repository: acme/deploy, commits: x}")


def policy_of_gates(gates: str) -> Policy:
    text = (
        "apiVersion: liftlock.dev/v1\nservice: a\nimage: r/a\ngitops: {repository: acme/deploy}\nstages:\n"
        "  - {name: one, argocd: a, edit: {kustomize: a}, metrics: {x: y}, window: {for: 5m}, gates: " + gates + "}\n"
        "  - {name: two, from: one, argocd: b, edit: {kustomize: b}, metrics: {x: y},\n"
        "     rollback: {watch: 1h, triggers: [{use: argocd-degraded, mode: shadow}]}}\n"
    )
    return parse_policy(text, file="a.yaml", templates=TEMPLATES)


def test_gates_and_triggers_may_be_in_the_shadow() -> None:
    policy = policy_of_gates("[{use: http-errors, limit: 1%, mode: shadow}, {use: argocd-healthy, mode: decide}]")
    assert [gate.is_shadow for gate in policy.stages[0].gates] == [True, False]
    rollback = policy.stages[1].rollback
    assert rollback is not None
    assert [trigger.is_shadow for trigger in rollback.triggers] == [True]


def test_a_stage_that_releases_move_on_from_needs_a_gate_that_decides() -> None:
    with pytest.raises(PolicyError, match="a window and at least one gate that decides"):
        policy_of_gates("[{use: argocd-healthy, mode: shadow}]")
    with pytest.raises(PolicyError, match='mode: found "dark", expected decide or shadow'):
        policy_of_gates("[{use: argocd-healthy, mode: dark}]")
