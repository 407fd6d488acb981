"""Which bytes move where the registry offers releases, and what people are told and may override."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import count

import pytest

from bot.domain.authority import Permission
from bot.domain.model import Artifact, Digest
from bot.domain.policy import Opens, Proposing, Road
from bot.domain.stops import Stop
from tests.builders import IMAGE, NEW
from tests.scenarios.from_registry import (
    SIGNED,
    STRANGE,
    a_world,
    push,
    trailers_of,
)
from tests.scenarios.test_after_a_rollback_on_fakes import play
from tests.scenarios.test_trust_on_fakes import a_world as a_trusting_world
from tests.scenarios.test_trust_on_fakes import promoted
from tests.trusted import DIGEST, REVISION, a_signature_rule


@pytest.mark.invariant("I11")
@pytest.mark.invariant("I16")
@pytest.mark.parametrize("from_registry", [True, False])
def test_a_tag_that_means_other_bytes_at_the_next_look_moves_nowhere(from_registry: bool) -> None:
    """Whoever may push could have one set verified and another one moved, by changing the tag to and fro."""
    if from_registry:
        world = a_world(a_signature_rule())
        push(world, NEW)
        world.release()
    else:
        world = a_trusting_world(staging=(a_signature_rule(),))
    evil = Digest(f"sha256:{'e' * 64}")
    world.proving.proofs = {DIGEST: SIGNED}
    looked = world.registry.find_artifact
    turns = count()

    def flapping(image: str, tag: str) -> Artifact | None:
        if tag != NEW:
            return looked(image, tag)
        return Artifact(digest=evil if next(turns) % 2 == 0 else DIGEST, revision=REVISION)

    world.registry.find_artifact = flapping  # type: ignore[method-assign]
    play(world, 45)
    assert not promoted(world)


@pytest.mark.invariant("I16")
def test_a_tag_that_moves_after_the_decision_changes_nothing_of_what_is_written() -> None:
    world = a_world(a_signature_rule())
    world.proving.proofs = {DIGEST: SIGNED}
    evil, turns = Digest(f"sha256:{'e' * 64}"), count()
    looked = world.registry.find_artifact

    def moving(image: str, tag: str) -> Artifact | None:
        if tag != NEW:
            return looked(image, tag)
        return Artifact(digest=evil if next(turns) > 0 else DIGEST)

    push(world, NEW)
    world.registry.find_artifact = moving  # type: ignore[method-assign]
    world.pass_time(1)
    world.sweep()
    assert trailers_of(world, "staging").release == f"{IMAGE}:{NEW}@{DIGEST}"
    (summary,) = world.summaries.kept.values()
    assert json.loads(summary.statement)["subject"][0]["digest"]["sha256"] == DIGEST.removeprefix("sha256:")
    assert trailers_of(world, "staging").summary == summary.digest


def test_a_person_may_override_what_staging_verifies_of_a_release_that_was_set_by_hand() -> None:
    world = a_world(a_signature_rule())
    first, second = world.policy.stages
    world.policy = replace(world.policy, stages=(first, replace(second, proposing=Proposing(opens=Opens.EARLY))))
    push(world, NEW)
    world.release()
    play(world, 40)
    number = max(world.forge.pulls)
    world.forge.permissions["dana"] = Permission.ADMIN
    world.pass_time(1)
    world.forge.say(number, "/liftlock promote --override artifact-signature we built it by hand")
    play(world, 5)
    assert promoted(world)


def test_the_check_of_what_comes_from_the_registry_passes_where_nothing_is_asked_of_it() -> None:
    world = a_world(by=Road.PULL_REQUEST)
    push(world, NEW)
    play(world, 4)
    assert [check.state for (_, _, name), check in world.signals.checks.items() if name == "liftlock/staging"] == [
        "passed"
    ]


@pytest.mark.invariant("I11")
def test_what_is_another_s_gets_no_draft_while_its_stage_is_held() -> None:
    world = a_world(a_signature_rule(), by=Road.PULL_REQUEST)
    world.proving.proofs = {DIGEST: STRANGE}
    world.stops = (Stop(who="HOLD", reason="x", service="checkout", stage="staging"),)
    push(world, NEW)
    play(world, 3)
    assert not world.forge.pulls
