"""What people do to pull requests, and what their timelines then say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.lab.github.call import Refusal
from tests.lab.github_world import BRANCH, FILE, NEW, OLD, REPO, GitHubWorld, running_github

R = f"/repos/{REPO}"


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path) -> Iterator[GitHubWorld]:
    with running_github(tmp_path) as world:
        world.propose()
        yield world


def story(world: GitHubWorld) -> list[tuple[str, str | None]]:
    return [(one.kind, one.actor.login if one.actor else None) for one in world.lab.pull(REPO, 1).events]


def test_what_people_do_is_in_the_timeline(world: GitHubWorld) -> None:
    lab = world.lab
    lab.convert_to_draft_as("dana", REPO, 1)
    lab.convert_to_draft_as("dana", REPO, 1)
    lab.ready_as("rita", REPO, 1)
    lab.label_as("dana", REPO, 1, "hold")
    lab.label_as("dana", REPO, 1, "Hold")
    lab.unlabel_as("rita", REPO, 1, "HOLD")
    lab.edit_pull_as("dana", REPO, 1, title="New", body="Text")
    lab.close_pull(REPO, 1, "dana")
    lab.reopen_pull(REPO, 1, "rita")
    lab.merge_pull(REPO, 1, "dana")
    lab.delete_branch_as("rita", REPO, BRANCH)
    assert story(world) == [
        ("ConvertToDraftEvent", "dana"),
        ("ReadyForReviewEvent", "rita"),
        ("LabeledEvent", "dana"),
        ("UnlabeledEvent", "rita"),
        ("RenamedTitleEvent", "dana"),
        ("ClosedEvent", "dana"),
        ("ReopenedEvent", "rita"),
        ("MergedEvent", "dana"),
        ("ClosedEvent", "dana"),
        ("HeadRefDeletedEvent", "rita"),
    ]


def test_what_the_api_does_is_in_the_timeline_too(world: GitHubWorld) -> None:
    http = world.http
    world.lab.commit_as("dana", REPO, "next", {"a": "1"}, "Next")
    http.post(f"{R}/issues/1/labels", json={"labels": ["a", "b"]}).raise_for_status()
    http.put(f"{R}/issues/1/labels", json={"labels": ["b", "c"]}).raise_for_status()
    http.delete(f"{R}/issues/1/labels").raise_for_status()
    http.patch(f"{R}/pulls/1", json={"title": "New", "base": "next", "state": "closed"}).raise_for_status()
    http.delete(f"{R}/git/refs/heads/{BRANCH}").raise_for_status()
    kinds = [kind.removesuffix("Event") for kind, who in story(world) if who == "liftlock"]
    assert kinds == [
        *["Labeled", "Labeled", "Unlabeled", "Labeled", "Unlabeled", "Unlabeled"],
        *["RenamedTitle", "BaseRefChanged", "Closed", "HeadRefDeleted"],
    ]


def test_a_push_that_rewrites_the_branch_is_told_from_one_that_adds_to_it(world: GitHubWorld) -> None:
    before = world.head_of(1)
    world.lab.commit_as("dana", REPO, BRANCH, {"more": "x"}, "More")
    assert story(world) == []
    after = str(world.lab.commit_as("dana", REPO, "fresh", {FILE: NEW + "# again\n"}, "Again"))
    moved = world.http.patch(f"{R}/git/refs/heads/{BRANCH}", json={"sha": after, "force": True})
    assert moved.status_code == 200
    (event,) = world.lab.pull(REPO, 1).events
    assert (event.kind, event.facts["afterCommit"]) == ("HeadRefForcePushedEvent", after)
    assert event.facts["beforeCommit"] != before


def test_a_branch_that_comes_back_is_told(world: GitHubWorld) -> None:
    head = world.head_of(1)
    world.lab.delete_branch_as("dana", REPO, BRANCH)
    world.http.post(f"{R}/git/refs", json={"ref": f"refs/heads/{BRANCH}", "sha": head}).raise_for_status()
    assert [kind for kind, _ in story(world)] == ["ClosedEvent", "HeadRefDeletedEvent", "HeadRefRestoredEvent"]


def test_comments_are_edited_deleted_and_reacted_to(world: GitHubWorld) -> None:
    lab = world.lab
    first, second = lab.comment_as("dana", REPO, 1, "One"), lab.comment_as("dana", REPO, 1, "Two")
    lab.edit_comment_as("rita", REPO, first, "Changed")
    lab.delete_comment_as("dana", REPO, second)
    lab.react_as("rita", REPO, first, "eyes")
    (comment,) = lab.pull(REPO, 1).comments
    assert (comment.body, comment.edited_at) == ("Changed", world.clock.now())
    assert comment.edited_by is lab.world.account("rita")
    assert [one["content"] for one in world.http.get(f"{R}/issues/comments/{first}/reactions").json()] == ["eyes"]
    with pytest.raises(KeyError):
        lab.edit_comment_as("dana", REPO, second, "Gone")


def test_a_base_that_is_not_there_is_refused(world: GitHubWorld) -> None:
    with pytest.raises(Refusal):
        world.lab.edit_pull_as("dana", REPO, 1, base="none")
    assert world.lab.read(REPO, "main", FILE) == OLD


def test_an_emptied_body_is_none(world: GitHubWorld) -> None:
    world.lab.edit_pull_as("dana", REPO, 1, body="Text")
    assert world.pull(1)["body"] == "Text"
    world.lab.edit_pull_as("dana", REPO, 1, body="")
    assert world.pull(1)["body"] is None
