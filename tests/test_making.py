"""What a merged pull request shows must not change with what runs there later."""

from __future__ import annotations

from tests.builders import NEW, OLD
from tests.fake_world import FakeWorld


def merged_world() -> FakeWorld:
    """1.9.0 has passed staging and was merged; production runs it and is watched."""
    world = FakeWorld()
    world.release()
    for _ in range(60):
        world.pass_time(1)
        world.sweep()
        if world.forge.merges:
            break
    world.sync()
    return world


def body_of_the_first(world: FakeWorld) -> str:
    return world.forge.bodies[min(world.forge.bodies)]


def settled_world() -> FakeWorld:
    """The watch of 1.9.0 in production has ended quietly."""
    world = merged_world()
    for _ in range(90):
        world.pass_time(1)
        world.sweep()
    return world


def test_a_merged_pull_request_still_says_what_it_replaced_and_on_what_it_was_merged() -> None:
    body = body_of_the_first(settled_world())
    assert "**Done.** `1.9.0` runs in `production`." in body
    assert f"| tag | `{OLD}` | `{NEW}` |" in body
    assert "### Evidence from `staging`" in body
    assert "window ends" not in body
    assert "✅\u00a0healthy" in body


def test_evidence_of_a_later_release_is_never_shown_for_an_earlier_one() -> None:
    world = merged_world()
    world.release("1.10.0")
    for _ in range(30):
        world.pass_time(1)
        world.sweep()
    first = body_of_the_first(world)
    assert "window ends" not in first.partition("### Evidence from `staging`")[2]
    assert "✅\u00a0healthy" in first.partition("### Evidence from `staging`")[2]
    assert f"| tag | `{OLD}` | `{NEW}` |" in first
