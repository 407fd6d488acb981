"""The whole path of a release on the lab: pushed, found, verified, set in staging, observed, proposed, merged.

Nobody sets a tag: the bot finds what a pipeline has pushed, with real signatures by the lab's own Sigstore.
"""

from __future__ import annotations

import pytest

from bot.domain.decision import State, WaitsOn
from bot.domain.intake import REGISTRY
from bot.domain.model import Digest
from bot.domain.path import path_of
from bot.lab.files import with_intake
from bot.lab.stories import GOOD
from bot.lab.world import Lab
from bot.render.way import way_line
from tests.scenarios.promoting import merged, promoted, says, state, tell_no_source
from tests.stage import Stage, judgement

TAG = "1.9.0"
WORKFLOW = "https://github.com/acme/checkout/.github/workflows/release.yml"


@pytest.fixture(autouse=True)
def _policy(lab: Lab) -> None:
    path = lab.directory / "policies" / "checkout.yaml"
    path.write_text(with_intake(path.read_text(encoding="utf-8"), "checkout"), encoding="utf-8")


def pushed(stage: Stage, *, workflow: str | None = "release.yml") -> Digest:
    """A pipeline pushes 1.9.0, signed by a workflow or by nobody."""
    digest = stage.lab.build("checkout", TAG, in_staging=GOOD, in_production=GOOD)
    if workflow is not None:
        stage.lab.sign("checkout", TAG, digest, workflow=workflow)
    return digest


def staged(lab: Lab) -> bool:
    return lab.has_tag("checkout", "staging", TAG)


def way(stage: Stage, seconds: int) -> str:
    """Where 1.9.0 stands, as of one more sweep."""
    decision = stage.look_after(seconds)
    waiting = next(one for one in decision.judgements if one.role == "candidate")
    return way_line(path_of(waiting, decision.judgements))


def test_what_a_pipeline_pushed_comes_through_all_stages_by_itself(stage: Stage) -> None:
    tell_no_source(stage.lab)
    stage.look_after(2)
    digest = pushed(stage)
    # The registry is asked once a minute.
    assert way(stage, 60) == "built ✓ → verified ✓ → signed ✓ → staging … → observed · → production ·"
    assert staged(stage.lab)
    assert way(stage, 2) == "built ✓ → verified ✓ → signed ✓ → staging … → observed · → production ·"
    for _ in range(3):
        stage.look_after(2)
    assert way(stage, 2) == "built ✓ → verified ✓ → signed ✓ → staging ✓ → observed … → production ·"
    assert "signed ✓ → staging ✓ → **observed …** → production ·" in says(stage)
    stage.leap(20)
    merged(stage)
    to_staging = next(message for message in stage.lab.messages() if "Promote checkout to staging" in message)
    assert f"{TAG} came from the registry: the highest version within >=1.0.0." in to_staging
    assert f"Liftlock-Release: ghcr.io/acme/checkout:{TAG}@{digest}" in to_staging
    assert "Liftlock-Promotes: registry -> staging" in to_staging


@pytest.mark.invariant("I11")
def test_an_unsigned_image_stops_before_staging_and_its_source_commit_says_why(stage: Stage) -> None:
    stage.look_after(2)
    pushed(stage, workflow=None)
    told = way(stage, 60)
    assert told == "built ✓ → verified … → signed … → staging · → observed · → production ·"
    for _ in range(3):
        stage.look_after(60)
    assert not staged(stage.lab)
    decision = stage.look_after(2)
    waiting = judgement(decision, "staging", "candidate")
    assert waiting is not None
    assert (waiting.state, waiting.waits_on) == (State.WAITING_FOR_BUILD, WaitsOn.BUILD)
    commit = stage.lab.sources.commit_of("checkout", TAG)
    statuses = [one for one in stage.lab.github.world.repository("acme/checkout").statuses if one.sha == commit]
    (status,) = [one for one in statuses if one.context == "liftlock/checkout/staging"][-1:]
    assert status.state == "pending"
    said = "staging: waiting for proof of its build: artifact-signature: no signature was found beside"
    assert (status.description or "").startswith(said)
    assert not [one for one in statuses if REGISTRY in one.context]


@pytest.mark.invariant("I11")
def test_an_image_that_another_workflow_signed_never_comes_to_staging(stage: Stage) -> None:
    tell_no_source(stage.lab)
    stage.look_after(2)
    pushed(stage, workflow="pull-request.yml")
    assert way(stage, 60).startswith("built ✓ → verified ✗ → signed ✗ → staging ·")
    stage.look_after(60)
    assert not staged(stage.lab)
    assert not stage.lab.pulls("checkout")


@pytest.mark.invariant("I16")
def test_a_tag_that_is_moved_to_other_signed_bytes_after_it_was_observed_is_refused_with_an_alarm(stage: Stage) -> None:
    lab = stage.lab
    tell_no_source(lab)
    stage.look_after(2)
    pushed(stage)
    stage.look_after(60)
    for _ in range(4):
        stage.look_after(2)
    other = lab.build("checkout", "1.9.1-rc.1")
    lab.sign("checkout", TAG, other)
    lab.registry.retag("acme/checkout", TAG, other)
    stage.leap(20)
    assert state(stage) is State.HALTED
    assert "build a release of its own" in says(stage).replace("\u2060", "")
    assert "**A person must act**" in says(stage, "liftlock:attention")
    assert not promoted(lab)


@pytest.mark.invariant("I5")
@pytest.mark.invariant("I11")
def test_a_registry_that_is_down_is_waited_for(stage: Stage) -> None:
    lab = stage.lab
    tell_no_source(lab)
    stage.look_after(2)
    pushed(stage)
    lab.registry.fail_next(".*/tags/list.*", 503, times=3)
    decision = stage.look_after(60)
    offer = judgement(decision, REGISTRY, "running")
    assert offer is not None
    assert offer.state is State.CANNOT_TELL
    assert offer.reason.startswith("registry: ")
    assert not staged(lab)
    lab.registry.faults.clear()
    stage.look_after(60)
    assert staged(lab)
