"""A policy whose stage sets several values is tested as any other: all of them move with a release, and back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bot.trial.coverage import Exercise
from bot.trial.running import run_case
from bot.trial.world import Trial, made_up
from tests.trial.a_trial import POLICY, SwitchedFake, a_trial, with_expectation

WORKER = "ghcr.io/acme/worker"
EDIT = "{{kustomize: shop/{stage}/kustomization.yaml}}"
WITH_HELM = "{edit: {helm: {file: flags.yaml, tag: version}}}"
WITH_WORKER = f"{{image: {WORKER}, edit: {{kustomize: shop/production/kustomization.yaml}}}}"
WITH_PIN = "{edit: {helm: {file: flags.yaml, tag: version, pin: digest}}}"
BEGUN, RELEASED = "1.0.0", "1.1.0"


def with_values(stage: str, *values: str) -> str:
    """Return the policy with further values in a stage, whose edit is in a kustomization."""
    policy = POLICY.replace("{regex: {file: shop.env, pattern: '^TAG=(.*)$'}}", EDIT.format(stage="production"))
    edit = f"    edit: {EDIT.format(stage=stage)}\n"
    return policy.replace(edit, f"{edit}    with: [{', '.join(values)}]\n")


def until(trial: Trial, minutes: int) -> None:
    """Let the bot look each minute."""
    for _ in range(minutes):
        trial.clock.at += timedelta(minutes=1)
        trial.cluster.follow()
        trial.look()


def tags_in_git(trial: Trial, stage: str) -> list[tuple[str, str]]:
    """Return the image and the tag that each file of a stage says."""
    files = trial.repositories.commits[trial.repositories.branches["main"]].files
    texts = [text.splitlines() for path, text in files.items() if path.startswith(f"shop/{stage}/")]
    return [(name.rpartition(" ")[2], tag.partition('"')[2].rstrip('"')) for _, name, tag, *_ in texts]


@pytest.mark.parametrize(
    ("values", "images"),
    [
        ([WITH_HELM], ["shop", "shop"]),
        ([WITH_WORKER], ["shop", "worker"]),
        ([WITH_HELM, WITH_WORKER], ["shop", "shop", "worker"]),
        ([WITH_PIN], ["shop", "shop"]),
    ],
    ids=["the same image in Helm", "another image in the same file", "both", "with its digest"],
)
def test_all_values_of_a_stage_are_promoted_and_taken_back(
    tmp_path: Path, values: list[str], images: list[str]
) -> None:
    timeline = f"{{at: 0m, release: {RELEASED}}}, {{at: 20m, argocd: shop-production, health: Degraded}}"
    expected = (
        f"{{at: 15m, stage: production, did: merge promotion, tag: {RELEASED}}}",
        f"{{at: 30m, stage: production, did: roll back, tag: {BEGUN}, state: quarantined, release: {RELEASED}}}",
    )
    text = with_expectation(*expected, timeline=timeline)
    file = a_trial(tmp_path, text, policy=with_values("production", *values))
    _, failures = run_case(file, file.cases[0], SwitchedFake(), Exercise.of(file.policy))
    assert failures == ()

    with made_up(file, file.cases[0], SwitchedFake()) as trial:
        released, degraded = file.cases[0].timeline
        before = [(f"ghcr.io/acme/{image}", BEGUN) for image in images]
        assert tags_in_git(trial, "production") == before
        assert trial.happen(released.what) is None
        until(trial, 20)
        assert tags_in_git(trial, "production") == [(f"ghcr.io/acme/{image}", RELEASED) for image in images]
        assert trial.happen(degraded.what) is None
        until(trial, 10)
        assert tags_in_git(trial, "production") == before


def test_a_release_sets_all_values_of_its_stage(tmp_path: Path) -> None:
    policy = with_values("staging", WITH_HELM, WITH_WORKER.replace("production", "staging"))
    text = with_expectation(f"{{at: 15m, stage: production, tag: {RELEASED}}}")
    file = a_trial(tmp_path, text, policy=policy)
    _, failures = run_case(file, file.cases[0], SwitchedFake(), Exercise.of(file.policy))
    assert failures == ()
    with made_up(file, file.cases[0], SwitchedFake()) as trial:
        assert trial.happen(file.cases[0].timeline[0].what) is None
        images = ("ghcr.io/acme/shop", "ghcr.io/acme/shop", WORKER)
        assert tags_in_git(trial, "staging") == [(image, RELEASED) for image in images]
