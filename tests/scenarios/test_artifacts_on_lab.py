"""Artifacts on the lab, with real signatures: what is signed as the policy asks is promoted, and nothing else ever.

Each signature is made by a Sigstore instance of the lab's own, lies in the lab's registry or is kept by its GitHub, and
is verified by the same code as one of the public instance.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.decision import State, WaitsOn
from bot.domain.model import Digest
from bot.lab.github.attestations import keep_attestation
from bot.lab.sigstore import Fault
from bot.lab.stories import GOOD
from bot.lab.world import Lab, workflow_identity
from tests.scenarios.promoting import candidate, merged, promoted, says, state, tell_no_source, use
from tests.stage import Stage

TAG = "1.9.0"
WORKFLOW = "https://github.com/acme/checkout/.github/workflows/release.yml"
ARTIFACT = f"""
    artifact:
      signer:
        identity: {WORKFLOW}@refs/tags/v{{version}}
        repository_id: 1296269
        ref: refs/tags/v{{version}}
        triggers: [push]
      require:
        - {{use: signature}}
        - {{use: provenance, builder: "https://github.com/actions/runner/*"}}"""


@pytest.fixture(autouse=True)
def _policy(lab: Lab) -> None:
    tell_no_source(lab)
    use(lab, "\n    from: staging", f"\n    from: staging{ARTIFACT}")


def released(stage: Stage) -> Digest:
    """1.9.0 is in staging; nobody has signed it."""
    digest = stage.lab.build("checkout", TAG, in_staging=GOOD, in_production=GOOD)
    stage.lab.release("checkout", TAG)
    return digest


def observed(stage: Stage) -> None:
    """It has passed its window in staging."""
    for _ in range(4):
        stage.look_after(2)
    stage.leap(20)


def test_a_release_that_its_workflow_has_signed_and_attested_is_promoted(stage: Stage) -> None:
    stage.lab.sign("checkout", TAG, released(stage))
    observed(stage)
    merged(stage)
    (pull,) = stage.lab.pulls("checkout")
    body = (pull.body or "").replace("\u2060", "")
    assert f"signature by {WORKFLOW}@refs/tags/v{TAG}" in body
    assert "rekor.lab.example entry" in body
    assert "`artifact-provenance`" in body


@pytest.mark.invariant("I11")
def test_a_release_that_nobody_has_signed_waits_for_it_and_is_promoted_once_it_is_signed(stage: Stage) -> None:
    digest = released(stage)
    observed(stage)
    assert state(stage) is State.WAITING_FOR_BUILD
    assert "no signature was found beside" in says(stage)
    assert not promoted(stage.lab)
    stage.lab.sign("checkout", TAG, digest)
    merged(stage)


@pytest.mark.invariant("I11")
def test_a_release_that_another_workflow_has_signed_is_not_to_be_trusted(stage: Stage) -> None:
    stage.lab.sign("checkout", TAG, released(stage), workflow="pull-request.yml")
    observed(stage)
    judgement = candidate(stage)
    assert judgement.state is State.NOT_TRUSTED
    assert "its identity is https://github.com/acme/checkout/.github/workflows/pull-request.yml@" in judgement.reason
    for _ in range(4):
        stage.look_after(2)
    assert not promoted(stage.lab)
    assert not stage.lab.pulls("checkout")


@pytest.mark.invariant("I11")
@pytest.mark.parametrize("fault", [Fault.OTHER_AUTHORITY, Fault.NO_LOG_ENTRY, Fault.EXPIRED, Fault.BAD_SIGNATURE])
def test_a_signature_that_does_not_hold_proves_nothing(stage: Stage, fault: Fault) -> None:
    lab, digest = stage.lab, released(stage)
    by = workflow_identity("checkout", TAG, lab.sources.commit_of("checkout", TAG))
    lab.registry.push_bundle("acme/checkout", digest, lab.sigstore.sign_image(by, digest, fault))
    observed(stage)
    judgement = candidate(stage)
    assert judgement.state is State.NOT_TRUSTED
    assert "proves nothing: " in judgement.reason
    assert not promoted(lab)


@pytest.mark.invariant("I11")
def test_a_signature_of_other_bytes_proves_nothing_of_these(stage: Stage) -> None:
    lab, digest = stage.lab, released(stage)
    other = lab.build("checkout", "1.8.9")
    by = workflow_identity("checkout", TAG, lab.sources.commit_of("checkout", TAG))
    lab.registry.push_bundle("acme/checkout", digest, lab.sigstore.sign_image(by, other))
    observed(stage)
    assert state(stage) is State.NOT_TRUSTED
    assert not promoted(lab)


@pytest.mark.invariant("I11")
@pytest.mark.invariant("I5")
def test_a_registry_that_is_down_makes_it_wait_and_is_no_reason_to_withdraw_it(stage: Stage) -> None:
    stage.lab.sign("checkout", TAG, released(stage))
    for _ in range(4):
        stage.look_after(2)
    stage.leap(20)
    for _ in range(3):
        # Never five failures in a row, after which it would be left alone.
        stage.lab.registry.fail_next(".*/referrers/.*", 503, times=3)
        judgement = candidate(stage, 2)
        assert (judgement.state, judgement.waits_on) == (State.CANNOT_TELL, WaitsOn.BUILD)
        assert judgement.reason.startswith("artifact-signature: registry: ")
        stage.lab.registry.faults.clear()
    assert not promoted(stage.lab)
    assert [pull.is_open for pull in stage.lab.pulls("checkout")] == [True]
    merged(stage)


@pytest.mark.invariant("I16")
def test_a_tag_that_moved_to_other_signed_bytes_after_it_was_observed_is_refused(stage: Stage) -> None:
    lab = stage.lab
    lab.sign("checkout", TAG, released(stage))
    for _ in range(4):
        stage.look_after(2)
    other = lab.build("checkout", "1.9.1")
    lab.sign("checkout", TAG, other)
    lab.registry.retag("acme/checkout", TAG, other)
    stage.leap(20)
    assert state(stage) is State.HALTED
    assert "means sha256:" in says(stage).replace("\u2060", "")
    assert not promoted(lab)


# --- at GitHub -------------------------------------------------------------------------------------------------------


def look_at_github(lab: Lab) -> None:
    """Let the policy look for proofs at GitHub as well; what is told to the source goes by the way."""
    use(lab, "gitops:", "source: acme/checkout\ngitops:")
    use(lab, "    artifact:\n", "    artifact:\n      found_in: [registry, github]\n")


@pytest.mark.parametrize("is_inline", [False, True], ids=["by address", "inline"])
def test_a_release_whose_proofs_only_github_keeps_is_promoted(stage: Stage, *, is_inline: bool) -> None:
    look_at_github(stage.lab)
    stage.lab.sign("checkout", TAG, released(stage), at="github")
    source = stage.lab.github.world.repository("acme/checkout")
    source.attestations = [replace(one, is_inline=is_inline) for one in source.attestations]
    observed(stage)
    merged(stage)
    (pull,) = stage.lab.pulls("checkout")
    assert f"signature by {WORKFLOW}@refs/tags/v{TAG}" in (pull.body or "").replace("\u2060", "")


@pytest.mark.invariant("I11")
def test_what_only_github_keeps_does_not_count_where_the_policy_looks_in_the_registry(stage: Stage) -> None:
    digest = released(stage)
    stage.lab.sign("checkout", TAG, digest, at="github")
    observed(stage)
    assert state(stage) is State.WAITING_FOR_BUILD
    assert not promoted(stage.lab)
    look_at_github(stage.lab)
    # With another policy it proves itself anew.
    observed(stage)
    merged(stage)


@pytest.mark.invariant("I11")
@pytest.mark.invariant("I5")
@pytest.mark.parametrize("path", ["/repos/*/attestations/*", "/attestations/*"], ids=["list", "storage"])
def test_a_github_that_does_not_answer_makes_it_wait_and_is_no_reason_to_withdraw_it(stage: Stage, path: str) -> None:
    lab, digest = stage.lab, released(stage)
    look_at_github(lab)
    for _ in range(4):
        stage.look_after(2)
    stage.leap(20)
    lab.sign("checkout", TAG, digest, at="github")
    for _ in range(2):
        lab.github.fail_next("GET", path, 503, times=3)
        judgement = candidate(stage, 2)
        assert (judgement.state, judgement.waits_on) == (State.CANNOT_TELL, WaitsOn.BUILD)
        assert judgement.reason.startswith("artifact-signature: GitHub: ")
    assert not promoted(lab)
    assert [pull.is_open for pull in lab.pulls("checkout")] == [True]
    merged(stage)


@pytest.mark.invariant("I11")
def test_an_attestation_at_github_of_another_digest_proves_nothing(stage: Stage) -> None:
    lab, digest = stage.lab, released(stage)
    look_at_github(lab)
    other = lab.build("checkout", "1.8.9")
    lab.sign("checkout", TAG, other, at="github")
    observed(stage)
    assert state(stage) is State.WAITING_FOR_BUILD
    by = workflow_identity("checkout", TAG, lab.sources.commit_of("checkout", TAG))
    keep_attestation(lab.github.world, "acme/checkout", digest, lab.sigstore.sign_image(by, other))
    assert state(stage) is State.NOT_TRUSTED
    assert not promoted(lab)
