"""Releases from the registry in the whole loop on fakes: found by the rule, verified, set in staging, promoted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.cli.check import max_code
from bot.domain.decide import decide
from bot.domain.decision import ClosePromotion, State, WaitsOn
from bot.domain.intake import REGISTRY, FollowRule, NewestRule, SemverRule
from bot.domain.model import Artifact, ImageFacts
from bot.domain.path import path_of
from bot.domain.policy import Road
from bot.domain.pulls import PullState
from bot.ports import Transient
from bot.render.way import way_line
from tests.builders import IMAGE, NEW, OLD
from tests.fake_world import STAGING_FILE, FakeWorld, kustomization
from tests.scenarios.from_registry import (
    SIGNED,
    STRANGE,
    a_world,
    digest_of,
    push,
    says,
    staged,
)
from tests.scenarios.test_after_a_rollback_on_fakes import play
from tests.scenarios.test_loop_on_fakes import state_of
from tests.scenarios.test_trust_on_fakes import promoted
from tests.trusted import DIGEST, REVISION, a_signature_rule


def test_a_release_that_is_pushed_comes_to_staging_and_then_to_production() -> None:
    world = a_world()
    play(world, 3)
    assert state_of(world, REGISTRY, "running") is State.OFFERED
    assert staged(world, OLD)
    push(world, NEW)
    play(world, 2)
    assert staged(world)
    message = world.repositories.commits[world.head].message
    assert message.startswith(f"Promote checkout to staging: {OLD} -> {NEW}")
    assert "Liftlock-Promotes: registry -> staging" in message
    assert f"Liftlock-Release: {IMAGE}:{NEW}@{DIGEST}" in message
    play(world, 40)
    assert promoted(world)


def test_by_pull_request_it_is_opened_when_it_is_found_and_merged() -> None:
    world = a_world(by=Road.PULL_REQUEST)
    push(world, NEW)
    play(world, 4)
    assert staged(world)
    assert world.forge.pulls[1].state is PullState.MERGED
    assert world.forge.pulls[1].branch.startswith("liftlock/checkout/staging/1-9-0")
    play(world, 40)
    assert promoted(world)


def test_a_newer_release_in_the_registry_takes_the_place_of_a_proposed_one_and_says_so() -> None:
    world = a_world(by=Road.PULL_REQUEST)
    push(world, NEW)
    play(world, 1)
    (first,) = world.forge.pulls
    assert world.forge.pulls[first].state is PullState.OPEN
    push(world, "1.9.1")
    world.pass_time(1)
    closings = [action for action in world.sweep().actions if isinstance(action, ClosePromotion)]
    assert [(one.number, one.reason) for one in closings] == [
        (first, "the registry has 1.9.1; this pull request was for another release")
    ]
    assert world.forge.pulls[first].state is PullState.CLOSED


@pytest.mark.invariant("I11")
def test_what_nobody_has_signed_waits_before_staging_and_comes_when_it_is_signed() -> None:
    world = a_world(a_signature_rule())
    play(world, 1)
    push(world, NEW)
    play(world, 10)
    assert state_of(world, "staging", "candidate") is State.WAITING_FOR_BUILD
    assert not staged(world)
    world.proving.proofs = {DIGEST: SIGNED}
    play(world, 2)
    assert staged(world)
    play(world, 40)
    assert promoted(world)


@pytest.mark.invariant("I11")
def test_what_others_have_signed_never_comes_to_staging() -> None:
    world = a_world(a_signature_rule())
    play(world, 1)
    world.proving.proofs = {DIGEST: STRANGE}
    push(world, NEW)
    play(world, 20)
    assert state_of(world, "staging", "candidate") is State.NOT_TRUSTED
    assert not staged(world)


@pytest.mark.invariant("I11")
def test_what_was_set_by_hand_is_verified_all_the_same_before_it_moves_on() -> None:
    world = a_world(a_signature_rule())
    play(world, 1)
    push(world, NEW)
    world.release()
    play(world, 40)
    assert state_of(world, "staging", "running") is State.OBSERVING
    assert "no signature was found" in says(world, role="running")
    assert not promoted(world)
    world.proving.proofs = {DIGEST: SIGNED}
    play(world, 3)
    assert promoted(world)


@pytest.mark.invariant("I11")
def test_what_was_verified_when_it_came_is_verified_again_before_it_moves_on() -> None:
    world = a_world(a_signature_rule())
    world.proving.proofs = {DIGEST: SIGNED}
    push(world, NEW)
    play(world, 3)
    assert staged(world)
    world.proving.proofs = {}
    play(world, 40)
    assert not promoted(world)


@pytest.mark.invariant("I5")
def test_a_registry_that_is_down_makes_it_wait_and_takes_nothing_back() -> None:
    world = a_world()
    push(world, NEW)
    world.registry.fail["list_tags"] = Transient("registry", "connection refused")
    play(world, 5)
    assert says(world, REGISTRY, "running") == "registry: connection refused"
    assert state_of(world, REGISTRY, "running") is State.CANNOT_TELL
    assert staged(world, OLD)
    world.registry.fail.clear()
    play(world, 2)
    assert staged(world)


def test_a_release_that_the_rule_does_not_take_stays_out() -> None:
    world = a_world()
    push(world, "2.0.0")
    push(world, "nightly")
    play(world, 5)
    assert staged(world, OLD)


def test_a_registry_without_a_tag_that_the_rule_takes_says_so() -> None:
    world = a_world(rule=SemverRule(constraint=">=3"))
    assert (
        says(world, REGISTRY, "running") == f"{IMAGE} has no tag that the policy takes: the highest version within >=3"
    )
    assert staged(world, OLD)


def test_a_tag_that_is_gone_from_the_registry_is_no_reason_to_go_back() -> None:
    world = a_world()
    del world.registry.artifacts[f"{IMAGE}:{OLD}"]
    play(world, 5)
    assert staged(world, OLD)


@pytest.mark.invariant("I7")
def test_an_older_release_that_a_person_sets_stays_until_the_registry_has_a_newer_one() -> None:
    world = a_world()
    push(world, NEW)
    play(world, 3)
    assert staged(world)
    world.release("1.7.0")
    play(world, 10)
    assert state_of(world, "staging", "candidate") is State.WAITING_FOR_HUMAN
    assert "set staging to 1.7.0 when the registry had 1.9.0 already" in says(world)
    assert staged(world, "1.7.0")
    push(world, "1.9.1")
    play(world, 3)
    assert staged(world, "1.9.1")


@pytest.mark.invariant("I7")
@pytest.mark.invariant("I9")
def test_a_person_has_the_last_word_also_after_a_restart() -> None:
    world = a_world()
    push(world, NEW)
    play(world, 3)
    world.release("1.7.0")
    world.restart()
    play(world, 10)
    assert staged(world, "1.7.0")


@pytest.mark.invariant("I3")
def test_a_release_that_was_taken_out_of_staging_does_not_come_back() -> None:
    world = a_world()
    push(world, NEW)
    play(world, 3)
    head = world.head
    text = f"Revert it\n\nLiftlock-Service: checkout\nLiftlock-Stage: staging\nLiftlock-Release: {IMAGE}:{NEW}\n"
    world.repositories.commit("main", {STAGING_FILE: kustomization(OLD)}, f"{text}Liftlock-Reverts: {head}\n")
    world.sync()
    play(world, 10)
    assert state_of(world, "staging", "candidate") is State.QUARANTINED
    assert staged(world, OLD)


def test_the_registry_is_asked_for_tags_as_often_as_the_policy_says() -> None:
    world = a_world()
    for _ in range(6):
        world.pass_time(0.25)
        world.sweep()
    assert world.registry.calls.count("list_tags") == 2


def test_whoever_says_that_there_is_a_new_tag_makes_the_registry_asked_at_once() -> None:
    world = a_world()
    world.sweep()
    push(world, NEW)
    world.offers.expect("acme/checkout")
    world.sweep()
    assert staged(world)


def test_two_services_of_one_image_are_both_told() -> None:
    world = a_world()
    other = replace(world.policy, service="checkout-eu", file="checkout-eu.yaml")
    world.more_policies = (other,)
    world.sweep()
    world.offers.expect("checkout")
    world.sweep()
    assert world.registry.calls.count("list_tags") == 4


def test_a_hint_is_not_lost_with_an_answer_that_did_not_come() -> None:
    world = a_world()
    world.sweep()
    push(world, NEW)
    world.offers.expect("acme/checkout")
    world.registry.fail["list_tags"] = Transient("registry", "connection refused")
    world.sweep()
    world.registry.fail.clear()
    world.pass_time(0.6)
    world.sweep()
    assert staged(world)


def test_hints_of_what_no_policy_has_are_forgotten_in_time() -> None:
    world = a_world()
    world.sweep()
    world.offers.expect("acme/checkout")
    for number in range(10_000):
        world.offers.expect(f"acme/other-{number}")
    world.sweep()
    assert world.registry.calls.count("list_tags") == 1


def test_an_image_of_another_name_that_was_pushed_is_not_taken_for_it() -> None:
    world = a_world()
    world.sweep()
    world.offers.expect("checkout-worker")
    world.offers.expect("out")
    world.sweep()
    assert world.registry.calls.count("list_tags") == 1


def test_the_newest_by_its_own_time_is_taken_and_images_without_one_are_not() -> None:
    world = a_world(rule=NewestRule())
    world.pass_time(1)
    push(world, "9.9.9", dated=False)
    push(world, NEW)
    play(world, 3)
    assert staged(world)


@pytest.mark.invariant("I7")
def test_a_newest_image_that_the_registry_lost_is_no_reason_to_go_back() -> None:
    world = a_world(rule=NewestRule())
    for tag in ("1.8.9", NEW):
        world.pass_time(1)
        push(world, tag)
    play(world, 3)
    assert staged(world)
    del world.registry.artifacts[f"{IMAGE}:{NEW}"]
    play(world, 5)
    assert staged(world)


def test_where_no_image_says_when_it_was_created_none_is_the_newest() -> None:
    world = a_world(rule=NewestRule(), dated=False)
    assert says(world, REGISTRY, "running") == f"no image of {IMAGE} that the policy takes says when it was created"


def test_more_images_than_can_be_asked_for_their_time_are_refused_with_the_way_out() -> None:
    world = a_world(rule=NewestRule())
    for number in range(201):
        push(world, f"build-{number}")
    world.pass_time(1)
    assert "narrow it down by newest: TEMPLATE" in says(world, REGISTRY, "running")


def test_the_release_that_a_moving_tag_means_is_found_by_the_version_on_its_label() -> None:
    world = a_world(rule=FollowRule(tag="stable"))
    move_stable(world, OLD)
    play(world, 2)
    assert staged(world, OLD)
    push(world, NEW)
    move_stable(world, NEW)
    play(world, 2)
    assert staged(world)


def move_stable(world: FakeWorld, tag: str) -> None:
    world.registry.artifacts[f"{IMAGE}:stable"] = Artifact(digest=digest_of(tag), revision=REVISION)
    world.registry.facts[digest_of(tag)] = ImageFacts(version=tag)


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        (None, "which has no label org.opencontainers.image.version to name its release by"),
        ("9.9.9", "and no tag of its version means the same"),
        ("1.7.0", "and no tag of its version means the same"),
        ("stable", "and no tag of its version means the same"),
    ],
)
def test_a_moving_tag_whose_release_has_no_name_of_its_own_is_not_followed(version: str | None, reason: str) -> None:
    world = a_world(rule=FollowRule(tag="stable"))
    move_stable(world, NEW)
    world.registry.facts[DIGEST] = ImageFacts(version=version)
    world.pass_time(1)
    assert says(world, REGISTRY, "running") == f"stable of {IMAGE} means {DIGEST[:19]} now, {reason}"
    assert staged(world, OLD)


def test_without_a_registry_in_the_settings_a_moving_tag_cannot_be_followed() -> None:
    world = a_world(rule=FollowRule(tag="stable"))
    assert says(world, REGISTRY, "running") == f"registry: no registry is configured for {IMAGE}"


def test_the_whole_way_of_a_release_is_told_from_the_registry_on() -> None:
    world = a_world(a_signature_rule())
    push(world, NEW)
    world.pass_time(1)
    decision = world.sweep()
    candidate = next(one for one in decision.judgements if one.role == "candidate")
    assert candidate.waits_on is WaitsOn.BUILD
    told = way_line(path_of(candidate, decision.judgements))
    assert told == "built ✓ → verified – → signed … → staging · → observed · → production ·"


def test_nothing_is_said_of_the_registry_on_source_commits() -> None:
    world = a_world()
    push(world, NEW)
    play(world, 3)
    contexts = {context for _, _, context in world.signals.statuses}
    assert not [one for one in contexts if REGISTRY in one]


def test_another_image_of_the_policy_is_asked_for_at_once() -> None:
    world = a_world()
    first, second = world.policy.stages
    assert first.intake is not None
    slow = replace(first, intake=replace(first.intake, every=timedelta(days=1)))
    world.policy = replace(world.policy, stages=(slow, second))
    world.sweep()
    asked = world.registry.calls.count("list_tags")
    world.policy = replace(world.policy, image="ghcr.io/acme/other", version="e" * 64)
    world.sweep()
    assert world.registry.calls.count("list_tags") == asked + 1


def test_a_slow_registry_is_asked_for_ten_seconds_a_sweep_and_then_in_the_next() -> None:
    world = a_world(rule=NewestRule())
    for number in range(100):
        world.pass_time(1)
        push(world, f"build-{number}")
    seconds = iter(range(0, 100_000, 1))
    world.offers.seconds = lambda: float(next(seconds))
    said = []
    for _ in range(12):
        world.pass_time(1)
        said.append(says(world, REGISTRY, "running"))
    assert said[0].endswith("of 102 images were asked when they were created: the others come next")
    assert said[-1] == "the newest image by its own time of creation"


def test_a_registry_that_fails_is_let_be_for_a_while() -> None:
    world = a_world()
    world.registry.fail["list_tags"] = Transient("registry", "connection refused")
    world.pass_time(1)
    for _ in range(5):
        assert says(world, REGISTRY, "running") == "registry: connection refused"
    assert world.registry.calls.count("list_tags") == 2


def test_an_observation_of_before_there_were_offers_is_judged_as_one_that_was_not_asked_for() -> None:
    """An older version's record is decided again by `liftlock replay`, and names no offer."""
    world = a_world()
    report = world.report()
    assert report.observation is not None
    decision = decide(world.policy, replace(report.observation, offer=None), report.observation.at)
    offer = next(one for one in decision.judgements if one.stage == REGISTRY)
    assert (offer.state, offer.reason) == (State.CANNOT_TELL, "the registry was not asked")


def test_a_settled_service_is_at_rest_whatever_the_registry_offers() -> None:
    world = a_world()
    play(world, 3)
    assert max_code(world.sweep().judgements) == 0
