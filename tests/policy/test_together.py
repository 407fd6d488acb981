"""`with` of a stage: what moves with its edit, and what may not."""

from __future__ import annotations

import pytest

from bot.domain.edit import HelmEdit, KustomizeEdit
from bot.domain.policy import Place, Policy
from bot.policy import PolicyError, parse_policy, shipped_gate_templates

IMAGE, WORKER = "ghcr.io/acme/checkout", "ghcr.io/acme/worker"
HEAD = f"""\
apiVersion: liftlock.dev/v1
service: checkout
image: {IMAGE}
gitops: {{repository: acme/deploy}}
stages:
  - name: staging
    edit: {{kustomize: staging.yaml}}
    argocd: checkout
"""
TEMPLATES = shipped_gate_templates()


def parse(text: str) -> Policy:
    return parse_policy(HEAD + text, file="a.yaml", templates=TEMPLATES)


def faults_of(text: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        parse(text)
    return [str(fault).removeprefix("a.yaml:") for fault in caught.value.faults]


def test_other_images_and_other_places_of_the_same_move_with_the_edit() -> None:
    policy = parse(
        f"    with:\n"
        f"      - {{image: {WORKER}, edit: {{kustomize: staging.yaml}}}}\n"
        f"      - {{edit: {{helm: {{file: flags.yaml, tag: version}}}}}}\n"
    )
    stage = policy.stage("staging")
    assert stage.together == (
        Place(image=WORKER, edit=KustomizeEdit(file="staging.yaml")),
        Place(image=IMAGE, edit=HelmEdit(file="flags.yaml", tag="version")),
    )
    assert stage.files == ("staging.yaml", "flags.yaml")
    assert policy.places_of(stage)[0] == Place(image=IMAGE, edit=KustomizeEdit(file="staging.yaml"))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "    with: []\n",
            "9:11: stages[0].with: found an empty list, expected at least one value that is set with the edit",
        ),
        ("    with: [worker]\n", '9:12: stages[0].with[0]: found "worker", expected a mapping'),
        ("    with: [{image: x}]\n", "9:12: stages[0].with[0].edit: found nothing, expected a mapping"),
        (
            "    with: [{image: 'x:1', edit: {kustomize: a.yaml}}]\n",
            (
                '9:20: stages[0].with[0].image: found "x:1", expected an image without tag or digest, such as '
                "ghcr.io/acme/checkout"
            ),
        ),
        (
            "    with: [{edit: {kustomize: staging.yaml}}]\n",
            "6:5: stages[0].with[0].edit: found a value that it has already, expected a value of its own",
        ),
        (
            f"    with: [{{image: {WORKER}, edit: {{kustomize: {{file: a.yaml, pin: digest}}}}}}]\n",
            (
                f"9:12: stages[0].with[0].edit: found pin: digest for {WORKER}, expected no pin: which digest moves is "
                f"known of {IMAGE} only"
            ),
        ),
        (
            (f"    with: [{{image: {WORKER}, edit: {{kustomize: a.yaml}}}}]\n"
            f"    artifact: {{signer: {{key: release}}, require: [{{use: signature}}]}}\n"),
            (
                f"6:5: stages[0].with[0].edit: found {WORKER} beside an artifact that must be proven, expected only "
                f"{IMAGE}, whose proofs are looked at, or no artifact in any stage"
            ),
        ),
        (
            ("    with: [{edit: {helm: {file: a.yaml, tag: t}}}]\n"
            "  - name: other\n    argocd: other\n    edit: {helm: {file: a.yaml, tag: t}}\n"),
            "10:5: stages[1].edit: found the value that stage staging has, expected a value of its own",
        ),
    ],
)  # fmt: skip
def test_what_cannot_move_along_is_named_at_its_place(text: str, fault: str) -> None:
    assert faults_of(text) == [fault]


def test_the_same_image_at_a_second_place_may_be_proven() -> None:
    parse(
        "    with: [{edit: {kustomize: {file: a.yaml, pin: digest}}}]\n"
        "    artifact: {signer: {key: release}, require: [{use: signature}]}\n"
    )


def test_two_names_in_one_kustomization_are_two_values() -> None:
    parse("    with: [{edit: {kustomize: {file: staging.yaml, name: other}}}]\n")
