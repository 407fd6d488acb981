"""What lies between two releases is asked for once, shown where it is known, and no fault where it is not."""

from __future__ import annotations

from bot.between import Between, Remembered
from bot.domain.model import Release, Sha
from bot.forge import SourceCommit, Span
from bot.ports import Transient
from tests.builders import IMAGE, NEW, OLD
from tests.fake_world import FakeWorld

OLD_COMMIT, NEW_COMMIT = Sha("1" * 40), Sha("2" * 40)
BEFORE = Release(image=IMAGE, tag=OLD, revision=OLD_COMMIT)
AFTER = Release(image=IMAGE, tag=NEW, revision=NEW_COMMIT)
SPAN = Span(commits=(SourceCommit(sha=NEW_COMMIT, author="dana", title="Round up"),), total=1, is_forward=True)
SOURCE = "acme/checkout"


def a_world() -> FakeWorld:
    world = FakeWorld()
    world.signals.spans[OLD_COMMIT, NEW_COMMIT] = SPAN
    return world


def test_commits_and_the_changelogs_section_are_told() -> None:
    world = a_world()
    world.signals.files[NEW_COMMIT, "CHANGELOG.md"] = f"## {NEW}\n- Rounds up\n"
    assert Remembered().between(world.world, SOURCE, BEFORE, AFTER) == Between(span=SPAN, changelog="- Rounds up")


def test_it_is_asked_for_once() -> None:
    world, memory = a_world(), Remembered()
    for _ in range(3):
        assert memory.between(world.world, SOURCE, BEFORE, AFTER).span == SPAN
    assert world.signals.calls == ["span", "read_file"]


def test_what_cannot_be_told_is_asked_for_again_after_a_while() -> None:
    world, memory = a_world(), Remembered()
    world.signals.fail["span"] = Transient("GitHub", "no answer")
    for _ in range(3):
        assert memory.between(world.world, SOURCE, BEFORE, AFTER) == Between()
    assert world.signals.calls.count("span") == 1
    world.signals.fail.clear()
    world.pass_time(11)
    assert memory.between(world.world, SOURCE, BEFORE, AFTER).span == SPAN


def test_nothing_is_asked_where_a_source_commit_is_not_known() -> None:
    world, memory = a_world(), Remembered()
    plain = Release(image=IMAGE, tag=NEW)
    assert memory.between(world.world, None, BEFORE, AFTER) == Between()
    assert memory.between(world.world, SOURCE, plain, AFTER) == Between()
    assert memory.between(world.world, SOURCE, BEFORE, plain) == Between()
    assert memory.between(world.world, SOURCE, AFTER, AFTER) == Between()
    assert world.signals.calls == []


def test_a_repository_that_does_not_know_the_commits_tells_nothing() -> None:
    world = FakeWorld()
    assert Remembered().between(world.world, SOURCE, BEFORE, AFTER) == Between()
    assert world.signals.calls == ["span"]
