"""Several values that move together: one commit sets them, one takes them back, and nothing moves while they differ."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.argo import Application
from bot.domain.decision import State
from bot.domain.edit import HelmEdit, KustomizeEdit
from bot.domain.policy import Opens, Place, Proposing, Road
from bot.domain.pulls import PullState
from bot.domain.trailers import parse_trailers
from tests.builders import IMAGE, NEW, OLD, a_policy, a_rollback
from tests.fake_world import PRODUCTION_FILE, STAGING_FILE, FakeWorld, kustomization

WORKER = "ghcr.io/acme/checkout-worker"
FLAGS = "apps/checkout/production/flags.yaml"
KEPT = "replicas: 2  # ours\n"


def staging(tag: str, worker: str | None = None) -> str:
    return f'{kustomization(tag)}  - name: {WORKER}\n    newTag: "{worker or tag}"\n'


def production(tag: str) -> str:
    return f'image:\n  repository: {IMAGE}\n  tag: "{tag}"\nworker: {{tag: {tag}}}\n{KEPT}'


def flags(tag: str) -> str:
    return f"# shown to users\nversion: {tag}\n"


def a_world(*, by: Road = Road.COMMIT) -> FakeWorld:
    """Staging has two images in one file; production has the worker in the same file, and the tag in a second one."""
    policy = a_policy(proposing=Proposing(opens=Opens.ON_PASS), rollback=a_rollback(by=by))
    first, second = policy.stages
    first = replace(first, together=(Place(image=WORKER, edit=KustomizeEdit(file=STAGING_FILE)),))
    places = (
        Place(image=WORKER, edit=HelmEdit(file=PRODUCTION_FILE, tag="worker.tag")),
        Place(image=IMAGE, edit=HelmEdit(file=FLAGS, tag="version")),
    )
    world = FakeWorld(policy=replace(policy, stages=(first, replace(second, together=places))))
    files = {STAGING_FILE: staging(OLD), PRODUCTION_FILE: production(OLD), FLAGS: flags(OLD)}
    world.repositories.commit("main", files, "Start")
    sync(world)
    world.restart()
    return world


def sync(world: FakeWorld, *, worker: str | None = None) -> None:
    """Argo CD runs both images of each stage, the worker at another tag where one is given."""
    for name, path in (("checkout-staging", STAGING_FILE), ("checkout-production", PRODUCTION_FILE)):
        tag = NEW if NEW in world.tag_in(path) else OLD
        world.deployments.sync(name, world.head, f"{IMAGE}:{tag}")
        found = world.deployments.applications[name]
        assert isinstance(found, Application)
        images = (f"{IMAGE}:{tag}", f"{WORKER}:{worker or tag}")
        world.deployments.applications[name] = replace(found, images=images)


def release(world: FakeWorld) -> None:
    world.repositories.commit("main", {STAGING_FILE: staging(NEW)}, f"Release {NEW}")
    sync(world)


def judged(world: FakeWorld, stage: str, role: str) -> tuple[State, str]:
    found = next(one for one in world.sweep().judgements if (one.stage, one.role) == (stage, role))
    return found.state, found.reason


def promoted_world(*, by: Road = Road.COMMIT) -> FakeWorld:
    world = a_world(by=by)
    release(world)
    world.pass_time(40)
    world.sweep_until_settled()
    sync(world)
    return world


def test_one_pull_request_sets_all_values_and_says_each() -> None:
    world = a_world()
    release(world)
    world.pass_time(40)
    world.sweep()
    (pull,) = world.forge.pulls.values()
    body = world.forge.bodies[pull.number]
    assert f"`{IMAGE}`, and `{WORKER}` with it, in `{PRODUCTION_FILE}` and `{FLAGS}`:" in body
    assert f"- `{PRODUCTION_FILE}` line 3, `image.tag`: `{OLD}` → `{NEW}`" in body
    assert f"- `{FLAGS}` line 2, `version`: `{OLD}` → `{NEW}`" in body
    world.sweep_until_settled()
    assert world.tag_in(PRODUCTION_FILE) == production(NEW)
    assert world.tag_in(FLAGS) == flags(NEW)
    message = world.repositories.commits[world.head].message
    assert f"Changed in {PRODUCTION_FILE}:\n- image.tag: {OLD} -> {NEW}\n- worker.tag: {OLD} -> {NEW}\n" in message
    assert f"Changed in {FLAGS}:\n- version: {OLD} -> {NEW}\n" in message
    assert parse_trailers(message) is not None


def test_one_commit_takes_all_values_back_to_the_byte() -> None:
    world = promoted_world()
    later = {PRODUCTION_FILE: production(NEW).replace("replicas: 2", "replicas: 5")}
    world.repositories.commit("main", later, "Scale")
    sync(world)
    before = len(world.repositories.pushes)
    world.metrics.bad_share = {"http-errors": 0.5}
    world.pass_time(10)
    world.sweep_until_settled()
    assert len(world.repositories.pushes) == before + 1
    assert world.tag_in(PRODUCTION_FILE) == production(OLD).replace("replicas: 2", "replicas: 5")
    assert world.tag_in(FLAGS) == flags(OLD)
    trailers = parse_trailers(world.repositories.commits[world.head].message)
    assert trailers is not None
    assert trailers.reverts is not None


def test_a_rollback_by_pull_request_has_both_files_in_one() -> None:
    world = promoted_world(by=Road.PULL_REQUEST)
    world.metrics.bad_share = {"http-errors": 0.5}
    world.pass_time(10)
    for _ in range(4):
        world.sweep()
    assert world.tag_in(PRODUCTION_FILE) == production(OLD)
    assert world.tag_in(FLAGS) == flags(OLD)
    assert [pull.state for pull in world.forge.pulls.values()] == [PullState.MERGED, PullState.MERGED]


def test_a_value_that_somebody_has_set_since_is_not_taken_back_over_them() -> None:
    world = promoted_world()
    world.repositories.commit("main", {FLAGS: flags("1.9.1")}, "Mine")
    sync(world)
    world.metrics.bad_share = {"http-errors": 0.5}
    world.pass_time(10)
    state, reason = judged(world, "production", "running")
    assert state is State.HALTED
    assert reason.endswith(f"but {FLAGS} says 1.9.1 for {IMAGE}, and {PRODUCTION_FILE} says {NEW}: set both to one tag")
    assert world.tag_in(FLAGS) == flags("1.9.1")
    assert world.tag_in(PRODUCTION_FILE) == production(NEW)


def test_nothing_moves_into_a_stage_whose_values_differ() -> None:
    world = a_world()
    world.repositories.commit("main", {FLAGS: flags("1.8.1")}, "Try something")
    release(world)
    world.pass_time(40)
    state, reason = judged(world, "production", "candidate")
    assert state is State.HALTED
    assert reason == (
        f"production: {FLAGS} says 1.8.1 for {IMAGE}, and {PRODUCTION_FILE} says {OLD}: set both to one tag"
    )
    assert not world.forge.pulls


def test_nothing_moves_out_of_a_stage_whose_values_differ() -> None:
    world = a_world()
    world.repositories.commit("main", {STAGING_FILE: staging(NEW, worker=OLD)}, "The first half")
    sync(world)
    world.pass_time(40)
    assert judged(world, "staging", "running") == (
        State.CANNOT_TELL,
        f"{STAGING_FILE} says {OLD} for {WORKER}, and {STAGING_FILE} says {NEW}: set both to one tag",
    )
    assert judged(world, "production", "candidate")[0] is State.CANNOT_TELL
    world.repositories.commit("main", {STAGING_FILE: staging(NEW)}, "The second half")
    sync(world)
    world.pass_time(40)
    world.sweep_until_settled()
    assert world.tag_in(PRODUCTION_FILE) == production(NEW)


@pytest.mark.parametrize(
    ("text", "told", "said"),
    [
        ("version: {a: 1}\n", State.HALTED, f"{FLAGS}, line 1, version: the value is a mapping"),
        ("other: 1\n", State.HALTED, FLAGS),
        (None, State.CANNOT_TELL, f"Git: {FLAGS} is gone"),
    ],
    ids=["no text", "not there", "no file"],
)
def test_a_value_that_cannot_be_read_stops_the_move_and_is_told(text: str | None, told: State, said: str) -> None:
    world = a_world()
    if text is None:
        del world.repositories.commits[world.head].files[FLAGS]  # type: ignore[attr-defined]  # a fake's own dict
    else:
        world.repositories.commit("main", {FLAGS: text}, "Break it")
    release(world)
    world.pass_time(40)
    state, reason = judged(world, "production", "candidate")
    assert state is told
    assert said in reason


def test_a_release_is_not_live_while_an_application_runs_the_other_image_at_another_tag() -> None:
    world = a_world()
    release(world)
    sync(world, worker=OLD)
    world.pass_time(40)
    state, reason = judged(world, "staging", "running")
    assert state is State.WAITING_FOR_ROLLOUT
    assert "the images it runs do not include the release yet" in reason


def test_a_pull_request_that_changes_one_value_only_is_not_the_planned_edit() -> None:
    world = a_world()
    world.policy = replace(
        world.policy,
        stages=(
            world.policy.stages[0],
            replace(world.policy.stages[1], proposing=Proposing(opens=Opens.EARLY)),
        ),
    )
    release(world)
    world.pass_time(5)
    world.sweep()
    (pull,) = world.forge.pulls.values()
    world.repositories.commit(pull.branch, {FLAGS: flags(OLD)}, "Leave that out", parent=pull.head)
    world.pass_time(40)
    for _ in range(3):
        world.sweep()
    state, reason = judged(world, "production", "candidate")
    assert state is State.HALTED
    assert f"{FLAGS} differs from the edit that only sets {NEW}" in reason
    assert world.tag_in(PRODUCTION_FILE) == production(OLD)
