"""The whole loop over regions in waves: one wave after the other, a pause between, and back out of all together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from bot.domain.argo import NamedApplication
from bot.domain.decision import State
from bot.domain.edit import HelmEdit
from bot.domain.policy import Opens, Proposing
from tests.builders import IMAGE, NEW, OLD, a_policy
from tests.fake_world import FakeWorld, values

WAVES = (("eu",), ("us", "asia"))
REGIONS = [region for wave in WAVES for region in wave]
PAUSE = timedelta(minutes=20)


def a_world() -> FakeWorld:
    """What a stage `production` with these waves, a pause and `together` comes to."""
    policy = a_policy(proposing=Proposing(opens=Opens.ON_PASS))
    staging, production = policy.stages
    assert production.rollback is not None
    regions = [
        replace(
            production,
            name=region,
            source="staging" if region == "eu" else "eu",
            edit=HelmEdit(file=f"{region}.yaml", tag="image.tag"),
            applications=(NamedApplication(name=f"checkout-{region}"),),
            window=staging.window,
            gates=(staging.gates[0],),
            rollback=replace(production.rollback, also=also),
            proposing=replace(production.proposing, pause=timedelta(0) if region == "eu" else PAUSE),
        )
        for region, also in (("eu", ()), ("us", ("eu", "asia")), ("asia", ("eu", "us")))
    ]
    world = FakeWorld(policy=replace(policy, stages=(staging, *regions)))
    world.repositories.commit("main", {f"{region}.yaml": values(OLD) for region in REGIONS}, "Add the regions")
    sync(world)
    world.restart()
    return world


def sync(world: FakeWorld) -> None:
    world.sync()
    for region, tag in tags(world).items():
        world.deployments.sync(f"checkout-{region}", world.head, f"{IMAGE}:{tag}")


def tags(world: FakeWorld) -> Mapping[str, str]:
    texts = {region: world.tag_in(f"{region}.yaml") for region in REGIONS}
    return {region: text.rpartition('"')[0].rpartition('"')[2] for region, text in texts.items()}


def candidates(world: FakeWorld) -> dict[str, State]:
    return {one.stage: one.state for one in world.sweep().judgements if one.role == "candidate"}


def go_on(world: FakeWorld, minutes: int) -> None:
    """Let time pass, with a sweep each five minutes and Argo CD at once behind each merge."""
    for _ in range(0, minutes, 5):
        world.pass_time(5)
        world.sweep_until_settled()
        changed = {name: world.tag_in(f"{name}.yaml") for name in REGIONS}
        if changed != getattr(world, "synced", None):
            sync(world)
            world.synced = changed  # type: ignore[attr-defined]


def test_a_wave_moves_when_the_one_before_has_passed_its_window_and_the_pause_is_over() -> None:
    world = a_world()
    world.release()
    go_on(world, 40)
    assert tags(world) == {"eu": NEW, "us": OLD, "asia": OLD}
    go_on(world, 35)
    found = candidates(world)
    assert (found["us"], found["asia"]) == (State.PAUSED, State.PAUSED)
    assert tags(world) == {"eu": NEW, "us": OLD, "asia": OLD}
    go_on(world, 30)
    assert tags(world) == {"eu": NEW, "us": NEW, "asia": NEW}


def test_a_release_that_turns_ill_in_the_pause_goes_no_further() -> None:
    world = a_world()
    world.release()
    go_on(world, 75)
    assert tags(world) == {"eu": NEW, "us": OLD, "asia": OLD}
    world.metrics.bad_share = {"http-errors": 0.5}
    go_on(world, 40)
    assert tags(world) == {"eu": OLD, "us": OLD, "asia": OLD}
    assert set(candidates(world).values()) == {State.QUARANTINED}


def test_a_rollback_in_one_region_takes_it_back_out_of_all_that_had_it() -> None:
    world = a_world()
    world.release()
    go_on(world, 105)
    assert tags(world) == {"eu": NEW, "us": NEW, "asia": NEW}
    world.metrics.bad_share = {"http-errors": 0.5}
    go_on(world, 20)
    assert tags(world) == {"eu": OLD, "us": OLD, "asia": OLD}
    reverts = [one for one in world.repositories.line(world.head) if "Liftlock-Reverts" in one.message]
    assert len(reverts) == len(REGIONS)
