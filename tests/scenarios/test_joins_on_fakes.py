"""The whole loop with a stage behind two: one pull request with the evidence of both, one commit that names both."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.argo import NamedApplication
from bot.domain.decision import State
from bot.domain.edit import KustomizeEdit
from bot.domain.model import Artifact, Digest, Sha
from bot.domain.policy import Join, Opens, Proposing
from bot.domain.trailers import parse_trailers
from tests.builders import IMAGE, NEW, OLD, a_policy
from tests.fake_world import PRODUCTION_FILE, FakeWorld, kustomization, values

FILES = {"eu": "eu.yaml", "us": "us.yaml"}


def a_world(join: Join = Join.ALL) -> FakeWorld:
    policy = a_policy(proposing=Proposing(opens=Opens.EARLY))
    staging, production = policy.stages
    first = [
        replace(
            staging,
            name=name,
            edit=KustomizeEdit(file=file),
            applications=(NamedApplication(name=f"checkout-{name}"),),
        )
        for name, file in FILES.items()
    ]
    stages = (*first, replace(production, source="eu", beside=("us",), join=join))
    world = FakeWorld(policy=replace(policy, stages=stages))
    world.repositories.commit("main", {file: kustomization(OLD) for file in FILES.values()}, "Add both")
    sync(world)
    world.restart()
    return world


def sync(world: FakeWorld) -> None:
    world.sync()
    for name, file in FILES.items():
        tag = world.tag_in(file).rpartition('"')[0].rpartition('"')[2]
        world.deployments.sync(f"checkout-{name}", world.head, f"{IMAGE}:{tag}")


def release(world: FakeWorld, name: str, tag: str = NEW) -> Sha:
    commit = world.repositories.commit("main", {FILES[name]: kustomization(tag)}, f"Release {tag} in {name}")
    sync(world)
    return commit


def candidate(world: FakeWorld) -> tuple[State, str]:
    decision = world.sweep()
    found = next(one for one in decision.judgements if (one.stage, one.role) == ("production", "candidate"))
    return found.state, found.reason


def test_it_waits_for_the_second_stage_and_then_moves_with_the_evidence_of_both() -> None:
    world = a_world()
    release(world, "eu")
    world.pass_time(40)
    assert candidate(world) == (State.OBSERVING, f"us: it still runs {OLD}")
    assert not world.forge.pulls
    release(world, "us")
    world.pass_time(5)
    world.sweep()
    (pull,) = world.forge.pulls.values()
    assert pull.draft
    body = world.forge.bodies[pull.number]
    assert "### Evidence from `us`" in body
    assert "### Evidence from `eu`" in body
    world.pass_time(40)
    world.sweep_until_settled()
    assert world.tag_in(PRODUCTION_FILE) == values(NEW)
    message = world.repositories.commits[world.head].message
    assert message.startswith(f"Promote checkout to production: {OLD} -> {NEW} (#1)\n")
    assert f"{NEW} has passed eu and us: both gates are healthy." in message
    trailers = parse_trailers(message)
    assert trailers is not None
    assert trailers.promotes == "eu, us -> production"


def test_a_promotion_out_of_two_stages_is_watched_and_taken_back_as_any() -> None:
    world = a_world()
    for name in FILES:
        release(world, name)
    world.pass_time(45)
    world.sweep_until_settled()
    sync(world)
    world.metrics.bad_share = {"http-errors": 0.5}
    world.pass_time(10)
    world.sweep_until_settled()
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)
    trailers = parse_trailers(world.repositories.commits[world.head].message)
    assert trailers is not None
    assert trailers.reverts is not None
    sync(world)
    assert candidate(world)[0] is State.QUARANTINED


def test_with_any_the_first_that_is_proven_is_enough() -> None:
    world = a_world(Join.ANY)
    release(world, "us")
    world.pass_time(45)
    world.sweep_until_settled()
    assert world.tag_in(PRODUCTION_FILE) == values(NEW)
    trailers = parse_trailers(world.repositories.commits[world.head].message)
    assert trailers is not None
    assert trailers.promotes == "us -> production"


@pytest.mark.parametrize("late", ["eu", "us"])
def test_a_newer_release_in_one_of_them_takes_the_place_of_the_one_that_waits(late: str) -> None:
    world = a_world()
    for name in FILES:
        release(world, name)
    world.pass_time(5)
    world.sweep()
    (first,) = world.forge.pulls.values()
    release(world, late, "1.9.1")
    world.pass_time(5)
    other = next(name for name in FILES if name != late)
    assert candidate(world) == (State.OBSERVING, f"{other}: it still runs {NEW}")
    assert world.forge.pulls[first.number].state == "closed"
    world.pass_time(60)
    world.sweep()
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)


def test_bytes_that_the_tag_meant_in_one_stage_only_stop_it_whichever_came_first() -> None:
    world = a_world()
    tag = f"{IMAGE}:{NEW}"
    first, other = Digest("sha256:" + "a" * 64), Digest("sha256:" + "b" * 64)
    world.registry.artifacts[tag] = Artifact(digest=first)
    release(world, "us")
    world.pass_time(5)
    world.sweep()
    release(world, "eu")
    world.registry.artifacts[tag] = Artifact(digest=other)
    world.pass_time(45)
    state, reason = candidate(world)
    assert state is State.HALTED
    assert f"{first[:19]} was observed in us" in reason
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)


def test_a_merged_pull_request_goes_on_showing_the_evidence_of_each_stage_that_spoke_for_it() -> None:
    world = a_world()
    for name in FILES:
        release(world, name)
    world.pass_time(45)
    world.sweep_until_settled()
    (number,) = world.forge.pulls
    assert world.forge.pulls[number].state == "merged"
    sync(world)
    for name in ("us", "eu"):
        release(world, name, "1.9.1")
        # When the watch is over, the body is written anew.
        world.pass_time(90)
        world.sweep()
        body = world.forge.bodies[number]
        assert "### Evidence from `us`" in body
        assert "### Evidence from `eu`" in body
