"""What GitHub does by itself: auto-merge, the merge queue, and merges in the background."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.lab.github.automatic import Unprocessable
from bot.lab.github.nouns import MergeQueue
from tests.contract.graphql_conformance import github_violations
from tests.lab.github_world import BRANCH, FILE, NEW, REPO, GitHubWorld, running_github

PULL = f"/repos/{REPO}/pulls/1"
ASYNC = f"{PULL}/merge-async"


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path) -> Iterator[GitHubWorld]:
    with running_github(tmp_path) as world:
        world.lab.allow_auto_merge(REPO)
        yield world
        asked = [one for one in world.lab.exchanges if one.path.startswith("/api/")]
        assert [said for one in asked for said in github_violations(one)] == []


def events(world: GitHubWorld, number: int = 1) -> list[str]:
    return [one.kind for one in world.lab.pull(REPO, number).events]


def reasons(world: GitHubWorld, kind: str) -> list[object]:
    return [one.facts["reason"] for one in world.lab.pull(REPO, 1).events if one.kind == kind]


# --- auto-merge ---


def armed(world: GitHubWorld) -> str:
    """Open a pull request that waits for a check, and arm it; return its head."""
    head = world.head_of(world.propose())
    world.lab.protect(REPO, "main", required_contexts=["build"])
    world.lab.arm_auto_merge_as("dana", REPO, 1, method="squash")
    return head


def test_it_is_merged_once_the_last_requirement_is_met(world: GitHubWorld) -> None:
    head = armed(world)
    world.lab.protect(REPO, "main", required_contexts=["build"], required_approvals=1)
    assert world.pull(1)["auto_merge"] is not None
    world.lab.add_check_run(REPO, head, "build")
    assert world.pull(1)["merged"] is False
    world.lab.review_as("dana", REPO, 1, "APPROVED")
    merged = world.pull(1)
    assert (merged["merged"], merged["auto_merge"]) == (True, None)
    assert world.lab.pull(REPO, 1).merged_by is world.lab.world.account("dana")
    assert world.lab.log(REPO, "main")[0].message.endswith("(#1)")
    assert events(world) == ["AutoMergeEnabledEvent", "MergedEvent", "ClosedEvent"]


def test_a_failed_check_a_draft_and_a_conflict_hold_it_up(world: GitHubWorld) -> None:
    head = armed(world)
    world.lab.add_check_run(REPO, head, "build", conclusion="failure")
    world.lab.convert_to_draft_as("dana", REPO, 1)
    world.lab.add_check_run(REPO, head, "build")
    assert world.pull(1)["merged"] is False
    world.lab.commit_as("dana", REPO, "main", {FILE: 'image:\n  tag: "9"\n'}, "Conflict")
    world.lab.ready_as("dana", REPO, 1)
    assert (world.pull(1)["merged"], world.pull(1)["auto_merge"] is None) == (False, False)


def test_a_push_by_who_may_not_write_disarms_it_and_one_by_who_may_does_not(world: GitHubWorld) -> None:
    armed(world)
    world.lab.commit_as("dana", REPO, BRANCH, {"more": "x"}, "More")
    assert world.lab.pull(REPO, 1).auto_merge is not None
    world.lab.commit_as("mallory", REPO, BRANCH, {"more": "y"}, "Sneak")
    assert world.lab.pull(REPO, 1).auto_merge is None
    assert reasons(world, "AutoMergeDisabledEvent") == ["Head branch was pushed to by a user without write access"]


def test_another_base_a_close_and_its_owner_disarm_it(world: GitHubWorld) -> None:
    armed(world)
    world.lab.commit_as("dana", REPO, "next", {"a": "1"}, "Next")
    world.lab.edit_pull_as("dana", REPO, 1, base="next")
    world.lab.edit_pull_as("dana", REPO, 1, base="main")
    world.lab.arm_auto_merge_as("dana", REPO, 1)
    world.lab.close_pull(REPO, 1, "dana")
    world.lab.reopen_pull(REPO, 1, "dana")
    world.lab.arm_auto_merge_as("dana", REPO, 1)
    world.lab.disarm_auto_merge_as("dana", REPO, 1)
    said = ["Base branch was modified", "Pull request was closed", None]
    assert reasons(world, "AutoMergeDisabledEvent") == said


def test_what_could_be_merged_at_once_is_not_armed(world: GitHubWorld) -> None:
    world.propose()
    with pytest.raises(Unprocessable, match="Protected branch rules not configured for this branch"):
        world.lab.arm_auto_merge_as("dana", REPO, 1)
    world.lab.protect(REPO, "main")
    with pytest.raises(Unprocessable, match="Pull request is in clean status"):
        world.lab.arm_auto_merge_as("dana", REPO, 1)
    world.lab.add_check_run(REPO, world.head_of(1), "lint", conclusion="failure")
    with pytest.raises(Unprocessable, match="Pull request is in unstable status"):
        world.lab.arm_auto_merge_as("dana", REPO, 1)
    world.lab.world.repository(REPO).allow_auto_merge = False
    with pytest.raises(Unprocessable, match="Auto merge is not allowed for this repository"):
        world.lab.arm_auto_merge_as("dana", REPO, 1)


def test_a_required_check_of_another_app_does_not_count(world: GitHubWorld) -> None:
    head = world.head_of(world.propose())
    world.lab.protect(REPO, "main", required_contexts=["build"], integrations={"build": 99})
    world.lab.add_check_run(REPO, head, "build")
    world.lab.set_status(REPO, head, "build", "success")
    refused = world.http.put(f"{PULL}/merge")
    assert (refused.status_code, refused.json()["message"]) == (405, 'Required status check "build" is expected.')


def test_an_approval_of_who_may_not_write_does_not_count(world: GitHubWorld) -> None:
    world.propose()
    world.lab.protect(REPO, "main", required_approvals=1)
    world.lab.review_as("rita", REPO, 1, "APPROVED")
    assert world.http.put(f"{PULL}/merge").status_code == 405
    world.lab.review_as("dana", REPO, 1, "APPROVED")
    assert world.http.put(f"{PULL}/merge").status_code == 200


# --- the merge queue ---


def queued(world: GitHubWorld) -> None:
    world.propose()
    world.lab.protect(REPO, "main", merge_queue=MergeQueue(method="squash", build=timedelta(minutes=5)))
    world.lab.enqueue_as("dana", REPO, 1)


def test_a_branch_with_a_queue_refuses_direct_merges_and_merges_by_its_queue(world: GitHubWorld) -> None:
    queued(world)
    refused = world.http.put(f"{PULL}/merge")
    assert (refused.status_code, refused.json()["message"]) == (405, "Changes must be made through the merge queue")
    world.clock.advance(timedelta(minutes=4))
    assert world.pull(1)["merged"] is False
    world.clock.advance(timedelta(minutes=1))
    assert world.pull(1)["merged"] is True
    assert events(world) == ["AddedToMergeQueueEvent", "MergedEvent", "ClosedEvent"]


def test_a_queue_merges_in_turn(world: GitHubWorld) -> None:
    queued(world)
    world.clock.advance(timedelta(minutes=3))
    world.lab.commit_as("liftlock", REPO, "other", {"other": "1"}, "Other")
    world.lab.open_pull_as("liftlock", REPO, "other", "Other")
    world.lab.enqueue_as("dana", REPO, 2)
    world.clock.advance(timedelta(minutes=2))
    assert (world.pull(1)["merged"], world.pull(2)["merged"]) == (True, False)
    world.clock.advance(timedelta(minutes=3))
    assert world.pull(2)["merged"] is True
    subjects = [one.message for one in world.lab.log(REPO, "main")[:2]]
    assert subjects == ["Other (#2)", f"Promote checkout on {BRANCH} (#1)"]


def test_a_check_that_fails_in_the_queue_puts_it_out(world: GitHubWorld) -> None:
    world.propose()
    world.lab.add_check_run(REPO, world.head_of(1), "build")
    world.lab.protect(REPO, "main", merge_queue=MergeQueue(), required_contexts=["build"])
    world.lab.enqueue_as("dana", REPO, 1)
    world.lab.add_check_run(REPO, world.head_of(1), "build", conclusion="failure")
    world.clock.advance(timedelta(minutes=5))
    assert world.pull(1)["merged"] is False
    assert reasons(world, "RemovedFromMergeQueueEvent") == ["failed_checks"]


def test_a_push_and_a_draft_put_it_out_of_the_queue(world: GitHubWorld) -> None:
    queued(world)
    world.lab.commit_as("dana", REPO, BRANCH, {"more": "x"}, "More")
    world.lab.enqueue_as("dana", REPO, 1)
    world.lab.convert_to_draft_as("dana", REPO, 1)
    assert reasons(world, "RemovedFromMergeQueueEvent") == ["new_commits", "converted_to_draft"]
    with pytest.raises(Unprocessable, match="Pull request is a draft"):
        world.lab.enqueue_as("dana", REPO, 1)


def test_auto_merge_enters_the_queue_once_it_may(world: GitHubWorld) -> None:
    head = world.head_of(world.propose())
    world.lab.protect(REPO, "main", merge_queue=MergeQueue(), required_contexts=["build"])
    world.lab.arm_auto_merge_as("dana", REPO, 1)
    world.lab.add_check_run(REPO, head, "build")
    assert world.lab.pull(REPO, 1).queue_entry is not None
    world.clock.advance(timedelta(minutes=5))
    assert world.pull(1)["merged"] is True


def test_webhooks_are_told_what_github_does_by_itself(world: GitHubWorld) -> None:
    told: list[str | None] = []
    world.lab.world.listeners.append(lambda happening: told.append(happening.action))
    head = world.head_of(world.propose())
    world.lab.protect(REPO, "main", merge_queue=MergeQueue(), required_contexts=["build"])
    world.lab.arm_auto_merge_as("dana", REPO, 1)
    world.lab.disarm_auto_merge_as("dana", REPO, 1)
    world.lab.add_check_run(REPO, head, "build")
    world.lab.enqueue_as("dana", REPO, 1)
    world.lab.add_check_run(REPO, head, "build", conclusion="failure")
    world.clock.advance(timedelta(minutes=5))
    world.pull(1)
    expected = ["opened", "auto_merge_enabled", "auto_merge_disabled", "enqueued", "dequeued"]
    assert [action for action in told if action] == expected


# --- in the background ---


def ask(world: GitHubWorld, **how: object) -> tuple[int, dict[str, Any]]:
    answer = world.http.put(ASYNC, json=how)
    return answer.status_code, answer.json()


def result(world: GitHubWorld, uuid: object) -> dict[str, Any]:
    found: dict[str, Any] = world.http.get(f"{ASYNC}/{uuid}").raise_for_status().json()
    return found


def test_a_merge_in_the_background_is_asked_for_and_asked_about(world: GitHubWorld) -> None:
    world.lab.merge_in_background_for(timedelta(seconds=30))
    head = world.head_of(world.propose())
    status, said = ask(world, sha=head, merge_method="squash", commit_title="Title")
    details = said["details"]
    assert (status, said["status"], details["message"]) == (202, "pending", "Merge request enqueued.")
    uuid = details["uuid"]
    assert details == {**details, "merge_method": "squash", "merge_action": "default", "expected_head_sha": head}
    again, there = ask(world)
    assert (again, there["status"], there["details"]["uuid"]) == (409, "pending", uuid)
    assert result(world, uuid)["status"] == "pending"
    world.clock.advance(timedelta(seconds=30))
    merged = {"message": "Pull request was merged.", "sha": world.lab.head(REPO, "main")}
    assert result(world, uuid) == {"status": "merged", "details": merged}
    assert world.lab.log(REPO, "main")[0].message == "Title"
    assert ask(world) == (200, {"status": "merged", "details": merged})
    world.clock.advance(timedelta(hours=24))
    assert world.http.get(f"{ASYNC}/{uuid}").status_code == 404


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"sha": "0" * 40}, "Head branch was modified. Review and try the merge again."),
        ({"merge_action": "merge_queue"}, "Pull request does not target a branch that requires a merge queue"),
        ({}, 'Required status check "build" is expected.'),
    ],
)
def test_rules_are_looked_at_when_the_merge_runs(world: GitHubWorld, how: dict[str, object], message: str) -> None:
    world.propose()
    world.lab.protect(REPO, "main", required_contexts=["build"])
    status, said = ask(world, **how)
    assert status == 202
    assert result(world, said["details"]["uuid"]) == {"status": "failed", "details": {"message": message}}


def test_a_merge_in_the_background_enters_the_queue_without_parameters_only(world: GitHubWorld) -> None:
    world.propose()
    world.lab.protect(REPO, "main", merge_queue=MergeQueue())
    _, said = ask(world, merge_method="squash")
    message = "Custom merge params are not supported when merging via a merge queue"
    assert result(world, said["details"]["uuid"]) == {"status": "failed", "details": {"message": message}}
    status, said = ask(world, merge_action="merge_queue", merge_method="squash")
    assert (status, str(said["message"])[:43]) == (422, "Custom merge params (merge_method, commit_t")
    _, said = ask(world)
    enqueued = {"status": "enqueued", "details": {"message": "Pull request was added to the merge queue."}}
    assert result(world, said["details"]["uuid"]) == enqueued
    assert ask(world) == (200, enqueued)
    assert world.lab.pull(REPO, 1).merged_at is None


def test_drafts_and_closed_ones_are_not_merged_in_the_background(world: GitHubWorld) -> None:
    world.propose()
    world.lab.convert_to_draft_as("dana", REPO, 1)
    assert ask(world)[0] == 400
    world.lab.ready_as("dana", REPO, 1)
    world.lab.close_pull(REPO, 1, "dana")
    assert ask(world) == (400, {"status": "failed", "details": {"message": "Pull request is closed."}})
    assert world.lab.read(REPO, "main", FILE) != NEW
