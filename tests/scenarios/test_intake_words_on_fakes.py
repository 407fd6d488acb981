"""Whose word counts where the registry offers releases: what people set stays until there is something newer (I7)."""

from __future__ import annotations

import pytest

from bot.domain.policy import Road
from bot.ports import Transient
from tests.builders import IMAGE, NEW, OLD
from tests.fake_world import STAGING_FILE, FakeWorld, kustomization
from tests.scenarios.from_registry import (
    SIGNED,
    a_world,
    push,
    says,
    staged,
)
from tests.scenarios.test_after_a_rollback_on_fakes import play
from tests.trusted import DIGEST, a_signature_rule


@pytest.mark.invariant("I7")
def test_what_the_registry_had_before_the_bot_came_is_not_set_over_what_people_have() -> None:
    world = FakeWorld(policy=a_world().policy)
    push(world, NEW)
    play(world, 5)
    assert "set staging to 1.8.2 when the registry had 1.9.0 already" in says(world)
    push(world, "1.9.1")
    play(world, 3)
    assert staged(world, "1.9.1")


@pytest.mark.invariant("I7")
@pytest.mark.parametrize("by", list(Road))
@pytest.mark.parametrize("for_good", [True, False])
def test_a_tag_that_the_registry_lacks_makes_no_older_one_new(by: Road, for_good: bool) -> None:
    world = a_world(by=by)
    for tag in ("1.8.9", NEW):
        push(world, tag)
    play(world, 5)
    world.release("1.7.0")
    play(world, 3)
    gone = world.registry.artifacts.pop(f"{IMAGE}:{NEW}")
    play(world, 2)
    if not for_good:
        world.registry.artifacts[f"{IMAGE}:{NEW}"] = gone
    play(world, 5)
    assert staged(world, "1.7.0")


@pytest.mark.invariant("I7")
def test_what_was_pushed_while_the_registry_was_down_was_there_before_a_later_word() -> None:
    world = a_world()
    world.registry.fail["list_tags"] = Transient("registry", "connection refused")
    push(world, NEW)
    play(world, 2)
    world.release("1.7.0")
    play(world, 2)
    world.registry.fail.clear()
    play(world, 5)
    assert staged(world, "1.7.0")


@pytest.mark.invariant("I7")
def test_with_the_ledger_it_is_forgotten_what_is_new_and_nothing_is() -> None:
    world = a_world(a_signature_rule())
    push(world, NEW)
    play(world, 3)
    world.release("1.7.0")
    world.proving.proofs = {DIGEST: SIGNED}
    world.ledger.notes.clear()
    world.restart()
    play(world, 5)
    assert staged(world, "1.7.0")


@pytest.mark.invariant("I7")
def test_a_word_counts_from_when_it_was_pushed_not_from_when_it_was_committed() -> None:
    world = a_world(a_signature_rule())
    pinned = world.repositories._make(world.head, {STAGING_FILE: kustomization("1.7.0")}, "Pin 1.7.0", "alice")
    world.pass_time(10)
    push(world, NEW)
    play(world, 2)
    world.repositories.branches["main"] = pinned
    world.sync()
    world.proving.proofs = {DIGEST: SIGNED}
    play(world, 5)
    assert staged(world, "1.7.0")


@pytest.mark.invariant("I7")
def test_a_branch_that_is_set_back_past_the_bots_commit_is_a_word_as_well() -> None:
    world = a_world()
    before = world.head
    push(world, NEW)
    play(world, 3)
    world.repositories.branches["main"] = before
    world.sync()
    play(world, 5)
    assert staged(world, OLD)
