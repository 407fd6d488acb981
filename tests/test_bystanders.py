"""Pull requests that promote nothing get the required check passed, once for each head, and promotions never by it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.bystanders import tell_bystanders
from bot.domain.model import Release, Sha
from bot.domain.naming import revert_branch
from bot.domain.pulls import Bystander, MergeRules, Proposals, RequiredCheck
from bot.ports import Transient
from tests.builders import IMAGE, NEW, a_pull
from tests.fake_world import FakeWorld

REPO, NAME = "acme/deploy", "liftlock/production"
STAGES = {"production"}
HEAD, OTHER = Sha("1" * 40), Sha("2" * 40)
THEIRS = Bystander(number=3, head=HEAD)
RULES = MergeRules(required_checks=(RequiredCheck(name=NAME, app_id=42), RequiredCheck(name="ci")))


def told(**more: object) -> Proposals:
    return replace(Proposals(others=(THEIRS,), rules=RULES, own_app_id=42), **more)  # type: ignore[arg-type]


def states(world: FakeWorld) -> dict[Sha, str]:
    return {commit: check.state for (_, commit, _), check in world.signals.checks.items()}


def test_another_pull_request_is_passed_once_for_each_head() -> None:
    world = FakeWorld()
    tell_bystanders(world.world, REPO, told(), STAGES)
    tell_bystanders(world.world, REPO, told(), STAGES)
    assert states(world) == {HEAD: "passed"}
    assert world.signals.calls.count("set_check") == 1
    tell_bystanders(world.world, REPO, told(others=(replace(THEIRS, head=OTHER),)), STAGES)
    assert states(world) == {HEAD: "passed", OTHER: "passed"}


@pytest.mark.parametrize(
    "rules",
    [
        MergeRules(),
        MergeRules(required_checks=(RequiredCheck(name="ci"),)),
        MergeRules(required_checks=(RequiredCheck(name=NAME, app_id=7),)),
        MergeRules(required_checks=(RequiredCheck(name="liftlock/security-scan"),)),
    ],
    ids=["nothing required", "another check required", "required of another app", "another tool's of a like name"],
)
def test_where_the_check_is_not_required_of_the_bot_nothing_is_written(rules: MergeRules) -> None:
    world = FakeWorld()
    tell_bystanders(world.world, REPO, told(rules=rules), STAGES)
    assert states(world) == {}


def test_a_rollback_is_passed_and_says_what_it_is() -> None:
    world = FakeWorld()
    branch = revert_branch("checkout", "production", Release(image=IMAGE, tag=NEW))
    tell_bystanders(world.world, REPO, told(others=(), open=(replace(a_pull(), branch=branch, head=OTHER),)), STAGES)
    (check,) = world.signals.checks.values()
    assert check.title == "This takes a release back: there is nothing to wait for"


@pytest.mark.invariant("I1")
def test_a_promotion_is_never_passed_so_nor_is_another_pull_request_of_the_same_commit() -> None:
    world = FakeWorld()
    promotion = replace(a_pull(), head=HEAD)
    tell_bystanders(world.world, REPO, told(open=(promotion,)), STAGES)
    assert states(world) == {}


def test_a_persons_branch_under_the_bots_prefix_is_passed_as_any_other() -> None:
    world = FakeWorld()
    theirs = replace(a_pull(), branch="liftlock/mine", head=OTHER)
    tell_bystanders(world.world, REPO, told(others=(), open=(theirs,)), STAGES)
    assert states(world) == {OTHER: "passed"}


def test_a_forge_that_fails_stops_nothing_and_is_asked_again() -> None:
    world = FakeWorld()
    world.signals.fail["set_check"] = Transient("GitHub", "no answer")
    tell_bystanders(world.world, REPO, told(), STAGES)
    world.signals.fail.clear()
    tell_bystanders(world.world, REPO, told(), STAGES)
    assert states(world) == {HEAD: "passed"}


@pytest.mark.invariant("I13")
def test_a_bug_with_them_stops_no_service() -> None:
    world = FakeWorld()
    world.forge.rules, world.forge.own_app_id, world.forge.others = RULES, 42, (THEIRS,)
    world.signals.fail["set_check"] = ZeroDivisionError()  # a bug, no trouble of the world
    assert world.report().decision is not None


def test_a_sweep_tells_them_and_a_dry_run_does_not() -> None:
    for is_dry in (True, False):
        world = FakeWorld(dry_run=is_dry)
        world.forge.rules, world.forge.own_app_id, world.forge.others = RULES, 42, (THEIRS,)
        world.sweep()
        assert bool(states(world)) is not is_dry


def test_a_promotion_is_passed_for_other_stages_than_its_own() -> None:
    world = FakeWorld()
    rules = MergeRules(required_checks=(RequiredCheck(name=NAME), RequiredCheck(name="liftlock/us")))
    promotion = replace(a_pull(), head=HEAD)
    tell_bystanders(world.world, REPO, told(others=(), open=(promotion,), rules=rules), {"production", "us"})
    assert [name for _, _, name in world.signals.checks] == ["liftlock/us"]
