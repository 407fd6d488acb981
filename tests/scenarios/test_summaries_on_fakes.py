"""Summaries of what was verified in the whole loop on fakes: one for each move that was, and no other."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bot.domain.policy import AtDeadline, Opens, Proposing
from bot.domain.trailers import parse_trailers
from bot.ports import Conflict, Permanent
from tests.builders import MINUTE, NEW, OLD, a_policy, a_window
from tests.fake_world import FakeWorld
from tests.scenarios.from_registry import (
    SIGNED,
    a_world,
    push,
    staged,
    trailers_of,
)
from tests.scenarios.test_after_a_rollback_on_fakes import play
from tests.scenarios.test_trust_on_fakes import a_world as a_trusting_world
from tests.scenarios.test_trust_on_fakes import promoted
from tests.trusted import DIGEST, a_signature_rule


def test_the_commit_of_each_move_names_the_summary_of_what_was_verified() -> None:
    world = a_world(a_signature_rule())
    world.proving.proofs = {DIGEST: SIGNED}
    push(world, NEW)
    play(world, 45)
    assert promoted(world)
    kept = {summary.digest: json.loads(summary.statement) for summary in world.summaries.kept.values()}
    of = {stage: kept[str(trailers_of(world, stage).summary)]["predicate"] for stage in ("staging", "production")}
    assert of["staging"]["verifiedLevels"] == ["LIFTLOCK_SIGNATURE"]
    assert of["production"]["verifiedLevels"] == ["LIFTLOCK_HEALTHY_IN_STAGING", "LIFTLOCK_SIGNATURE"]
    inputs = [found["inputAttestations"] for found in of.values()]
    assert inputs == [[{"digest": {"sha256": "b" * 64}}]] * 2
    events = [event.body for event in world.ledger.events(kind="summary")]
    assert [body["digest"] for body in reversed(events)] == list(kept)


@pytest.mark.invariant("I8")
def test_a_summary_that_cannot_be_kept_keeps_the_release_where_it_is() -> None:
    world = a_world(a_signature_rule())
    world.proving.proofs = {DIGEST: SIGNED}
    push(world, NEW)
    world.summaries.fail["keep"] = Permanent("summaries", "key.pem: cannot be read")
    play(world, 3)
    assert staged(world, OLD)
    world.summaries.fail.clear()
    play(world, 10)
    assert staged(world)


@pytest.mark.invariant("I11")
def test_a_draft_that_nothing_has_passed_yet_names_no_summary() -> None:
    world = a_world()
    first, second = world.policy.stages
    world.policy = replace(world.policy, stages=(first, replace(second, proposing=Proposing(opens=Opens.EARLY))))
    push(world, NEW)
    play(world, 8)
    (draft,) = [pull for pull in world.forge.pulls.values() if pull.draft]
    told = parse_trailers(world.repositories.commits[draft.head].message)
    assert told is not None
    assert told.summary is None


def test_a_summary_of_what_failed_to_move_is_kept_once() -> None:
    world = a_world(a_signature_rule())
    world.proving.proofs = {DIGEST: SIGNED}
    world.repositories.fail["push"] = Conflict("Git", "moved")
    push(world, NEW)
    play(world, 10)
    assert len(world.ledger.events(kind="summary")) == 1
    world.repositories.fail.clear()
    play(world, 2)
    (summary,) = world.summaries.kept.values()
    assert trailers_of(world, "staging").summary == summary.digest


@pytest.mark.invariant("I11")
def test_what_a_deadline_let_pass_has_no_summary() -> None:
    window = a_window(length=30 * MINUTE, deadline=50 * MINUTE, at_deadline=AtDeadline.PROMOTE)
    world = FakeWorld(policy=a_policy(window=window))
    world.metrics.per_minute = 3.0
    push(world, NEW)
    world.release()
    play(world, 60)
    assert promoted(world)
    assert not world.summaries.kept


@pytest.mark.invariant("I11")
def test_what_an_earlier_policy_asked_for_is_in_no_summary() -> None:
    world = a_trusting_world(a_signature_rule())
    world.proving.proofs = {DIGEST: SIGNED}
    play(world, 10)
    first, second = world.policy.stages
    world.policy = replace(world.policy, stages=(first, replace(second, artifact=())), version="e" * 64)
    world.proving.proofs = {}
    play(world, 45)
    assert promoted(world)
    (summary,) = world.summaries.kept.values()
    assert "LIFTLOCK_SIGNATURE" not in summary.statement
