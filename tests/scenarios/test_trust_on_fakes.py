"""Artifacts in the whole loop on fakes: what is verified when, what is shown, and that nothing passes unverified."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.decision import State
from bot.domain.model import Artifact, Digest, Sha
from bot.domain.policy import Opens, ProofsIn, Proposing
from bot.domain.proofs import Proofs
from bot.domain.trust import BuildRule, TrustRule
from bot.ports import Transient
from tests.builders import IMAGE, NEW, OLD, a_policy
from tests.fake_world import PRODUCTION_FILE, FakeWorld, values
from tests.scenarios.test_after_a_rollback_on_fakes import play
from tests.scenarios.test_loop_on_fakes import state_of
from tests.trusted import DIGEST, REVISION, a_signature, a_signature_rule

SIGNED = Proofs(digest=DIGEST, signatures=(a_signature(),))
STRANGE = Proofs(digest=DIGEST, signatures=(a_signature(issuer="https://gitlab.com"),))
BUILD = BuildRule(name="artifact-checks", checks=("test",))


def a_world(*rules: TrustRule, staging: tuple[TrustRule, ...] = ()) -> FakeWorld:
    """1.9.0 runs in staging; its tag means DIGEST, and nothing lies beside that."""
    policy = a_policy(proposing=Proposing(opens=Opens.EARLY))
    first, second = policy.stages
    stages = replace(first, artifact=staging), replace(second, artifact=rules)
    world = FakeWorld(policy=replace(policy, stages=stages))
    world.proving.is_configured = True
    world.registry.artifacts = {f"{IMAGE}:{tag}": Artifact(digest=DIGEST, revision=REVISION) for tag in (OLD, NEW)}
    world.release()
    return world


def promoted(world: FakeWorld) -> bool:
    return world.tag_in(PRODUCTION_FILE) == values(NEW)


def test_a_release_that_is_signed_is_promoted_and_its_commit_rests_on_the_signature() -> None:
    world = a_world(a_signature_rule())
    world.proving.proofs = {DIGEST: SIGNED}
    play(world, 40)
    assert promoted(world)
    assert "`artifact-signature`" in world.forge.bodies[1]
    assert "asks for no signature" not in world.forge.bodies[1]


@pytest.mark.invariant("I11")
def test_a_release_waits_for_a_signature_that_comes_later_and_says_so() -> None:
    world = a_world(a_signature_rule())
    play(world, 40)
    assert state_of(world, "production", "candidate") is State.WAITING_FOR_BUILD
    assert world.forge.comment(1).startswith("**Waits for its build.**")
    world.proving.proofs = {DIGEST: SIGNED}
    play(world, 3)
    assert promoted(world)


@pytest.mark.invariant("I11")
def test_a_release_that_others_have_signed_is_never_promoted() -> None:
    world = a_world(a_signature_rule())
    world.proving.proofs = {DIGEST: STRANGE}
    play(world, 60)
    assert state_of(world, "production", "candidate") is State.NOT_TRUSTED
    assert not promoted(world)
    assert not [pull for pull in world.forge.pulls.values() if not pull.draft and pull.state == "open"]


@pytest.mark.invariant("I11")
@pytest.mark.invariant("I5")
def test_a_registry_that_does_not_answer_at_the_moment_of_the_merge_makes_it_wait() -> None:
    world = a_world(a_signature_rule())
    world.proving.proofs = {DIGEST: SIGNED}
    play(world, 20)
    world.proving.fail["proofs_of"] = Transient("registry", "connection refused")
    play(world, 20)
    assert state_of(world, "production", "candidate") is State.CANNOT_TELL
    assert not promoted(world)
    world.proving.fail.clear()
    play(world, 3)
    assert promoted(world)


@pytest.mark.invariant("I11")
def test_a_signature_that_is_gone_at_the_moment_of_the_merge_counts_no_more() -> None:
    world = a_world(a_signature_rule())
    world.proving.proofs = {DIGEST: SIGNED}
    play(world, 20)
    world.proving.proofs = {}
    play(world, 20)
    assert not promoted(world)


@pytest.mark.invariant("I16")
def test_a_tag_that_means_other_bytes_than_were_observed_halts_though_they_are_signed() -> None:
    world = a_world(a_signature_rule())
    world.proving.proofs = {DIGEST: SIGNED}
    play(world, 20)
    other = Digest(f"sha256:{'e' * 64}")
    world.registry.artifacts[f"{IMAGE}:{NEW}"] = Artifact(digest=other, revision=REVISION)
    world.proving.proofs[other] = replace(SIGNED, digest=other)
    play(world, 20)
    assert state_of(world, "production", "candidate") is State.HALTED
    assert not promoted(world)


@pytest.mark.invariant("I11")
def test_what_was_set_by_hand_in_a_first_stage_does_not_move_on_unsigned() -> None:
    world = a_world(staging=(a_signature_rule(),))
    play(world, 40)
    assert state_of(world, "staging", "running") is State.OBSERVING
    assert not promoted(world)
    world.proving.proofs = {DIGEST: SIGNED}
    play(world, 3)
    assert promoted(world)


def test_where_no_registry_is_set_up_nothing_can_be_verified() -> None:
    world = a_world(a_signature_rule(), staging=(a_signature_rule(),))
    world.registry.artifacts.clear()
    world.registry.fail["find_artifact"] = Transient("registry", "connection refused")
    play(world, 3)
    assert state_of(world, "staging", "running") is State.CANNOT_TELL
    world.registry.fail.clear()
    play(world, 40)
    assert state_of(world, "staging", "running") is State.CANNOT_TELL
    assert not promoted(world)


# --- at GitHub -------------------------------------------------------------------------------------------------------


def looking_in(world: FakeWorld, *places: ProofsIn) -> None:
    first, second = world.policy.stages
    world.policy = replace(
        world.policy, source="acme/checkout", stages=(first, replace(second, proofs_in=tuple(places)))
    )


@pytest.mark.invariant("I11")
def test_what_github_keeps_counts_where_the_policy_looks_there_and_nowhere_else() -> None:
    world = a_world(a_signature_rule())
    looking_in(world, ProofsIn.REGISTRY)
    world.proving.at_github = {("acme/checkout", DIGEST): SIGNED}
    play(world, 40)
    assert state_of(world, "production", "candidate") is State.WAITING_FOR_BUILD
    assert not promoted(world)
    looking_in(world, ProofsIn.GITHUB)
    # With another policy it proves itself anew.
    play(world, 40)
    assert promoted(world)


@pytest.mark.invariant("I11")
def test_what_lies_in_the_registry_does_not_count_where_the_policy_looks_at_github_only() -> None:
    world = a_world(a_signature_rule())
    looking_in(world, ProofsIn.GITHUB)
    world.proving.proofs = {DIGEST: SIGNED}
    play(world, 40)
    assert state_of(world, "production", "candidate") is State.WAITING_FOR_BUILD
    looking_in(world, ProofsIn.REGISTRY, ProofsIn.GITHUB)
    play(world, 40)
    assert promoted(world)


# --- the build -------------------------------------------------------------------------------------------------------


def test_a_release_waits_until_the_checks_of_its_source_commit_have_passed() -> None:
    world = a_world(BUILD)
    world.signals.reported = {(REVISION, "test"): "running"}
    play(world, 40)
    assert state_of(world, "production", "candidate") is State.WAITING_FOR_BUILD
    world.signals.fail["checks_of"] = Transient("GitHub", "connection refused")
    world.sweep()
    assert state_of(world, "production", "candidate") is State.CANNOT_TELL
    world.signals.fail.clear()
    world.signals.reported = {(REVISION, "test"): "passed"}
    play(world, 3)
    assert promoted(world)


@pytest.mark.invariant("I11")
def test_whose_checks_count_is_said_by_the_certificate_and_not_by_the_images_label() -> None:
    world = a_world(a_signature_rule(), BUILD)
    label = Sha("e" * 40)
    world.registry.artifacts[f"{IMAGE}:{NEW}"] = Artifact(digest=DIGEST, revision=label)
    world.proving.proofs = {DIGEST: SIGNED}
    world.signals.reported = {(label, "test"): "passed", (REVISION, "test"): "failed"}
    play(world, 40)
    assert state_of(world, "production", "candidate") is State.NOT_TRUSTED
    assert not promoted(world)
