"""Pull requests: opened, listed, judged mergeable, merged in three ways, closed and reopened, as on GitHub."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.lab.github.call import Refusal
from tests.lab.github_world import BRANCH, FILE, NEW, OLD, REPO, GitHubWorld, running_github

PULLS = f"/repos/{REPO}/pulls"


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path) -> Iterator[GitHubWorld]:
    with running_github(tmp_path) as world:
        yield world


def merge(world: GitHubWorld, number: int, **how: object) -> tuple[int, str]:
    answer = world.http.put(f"{PULLS}/{number}/merge", json=how)
    return answer.status_code, answer.json()["message"]


# --- open and list ---


def test_a_new_pull_request_has_not_been_tried_yet(world: GitHubWorld) -> None:
    world.lab.commit_as("liftlock", REPO, BRANCH, {FILE: NEW}, "Promote")
    made = world.http.post(PULLS, json={"title": "T", "head": f"acme:{BRANCH}", "base": "main", "body": None}).json()
    assert (made["mergeable"], made["mergeable_state"], made["merge_commit_sha"]) == (None, "unknown", None)
    found = world.pull(made["number"])
    assert (found["mergeable"], found["mergeable_state"], found["body"]) == (True, "clean", None)


def test_a_second_one_from_the_same_branch_is_refused(world: GitHubWorld) -> None:
    world.propose()
    answer = world.http.post(PULLS, json={"title": "T", "head": BRANCH, "base": "main"})
    said = {
        "resource": "PullRequest",
        "code": "custom",
        "message": f"A pull request already exists for acme:{BRANCH}.",
    }
    assert (answer.status_code, answer.json()["message"], answer.json()["errors"]) == (422, "Validation Failed", [said])


@pytest.mark.parametrize(
    ("head", "base", "error"),
    [
        ("same", "main", {"resource": "PullRequest", "code": "custom", "message": "No commits between main and same"}),
        ("gone", "main", {"resource": "PullRequest", "field": "head", "code": "invalid"}),
        ("same", "gone", {"resource": "PullRequest", "field": "base", "code": "invalid"}),
    ],
)
def test_one_that_cannot_be_is_refused(world: GitHubWorld, head: str, base: str, error: dict[str, str]) -> None:
    sha = world.lab.head(REPO, "main")
    world.http.post(f"/repos/{REPO}/git/refs", json={"ref": "refs/heads/same", "sha": sha}).raise_for_status()
    answer = world.http.post(PULLS, json={"title": "T", "head": head, "base": base})
    assert (answer.status_code, answer.json()["errors"]) == (422, [error])


def test_the_list_is_filtered_sorted_and_paged(world: GitHubWorld) -> None:
    for index in range(3):
        world.clock.advance(timedelta(minutes=1))
        world.propose(f"liftlock/{index}", NEW + f"# {index}\n")
    world.lab.close_pull(REPO, 2, "dana")

    def numbers(query: str) -> list[int]:
        return [one["number"] for one in world.http.get(f"{PULLS}?{query}").json()]

    assert numbers("") == [3, 1]
    assert numbers("state=all") == [3, 2, 1]
    assert numbers("state=closed") == [2]
    assert numbers("state=all&direction=asc") == [1, 2, 3]
    assert numbers("head=acme:liftlock/0") == [1]
    assert numbers("head=other:liftlock/0") == []
    assert numbers("head=liftlock/0") == [3, 1]
    assert numbers("base=other") == []
    first = world.http.get(f"{PULLS}?state=all&per_page=2")
    assert [one["number"] for one in first.json()] == [3, 2]
    assert [one["number"] for one in world.http.get(first.links["next"]["url"]).json()] == [1]
    assert first.links["next"] == {**first.links["last"], "rel": "next"}


# --- merge ---


def test_a_merge_is_a_real_merge_commit(world: GitHubWorld) -> None:
    number = world.propose()
    base, head = world.lab.head(REPO, "main"), world.head_of(number)
    world.clock.advance(timedelta(hours=1))
    assert merge(world, number, sha=head, commit_title="Title", commit_message="Body\n\nKey: value")[0] == 200
    commit = world.lab.log(REPO, "main")[0]
    assert (commit.parents, commit.message) == ((base, head), "Title\n\nBody\n\nKey: value")
    assert (commit.author.name, commit.committer.name) == ("liftlock", "GitHub")
    assert commit.committed_at == world.clock.now()
    assert world.lab.read(REPO, "main", FILE) == NEW
    assert world.pull(number)["merge_commit_sha"] == commit.sha


@pytest.mark.parametrize(("method", "is_signed"), [("merge", True), ("squash", True), ("rebase", False)])
def test_github_signs_what_it_commits_itself(world: GitHubWorld, method: str, is_signed: bool) -> None:
    assert merge(world, world.propose(), merge_method=method)[0] == 200
    told = world.http.get(f"/repos/{REPO}/commits/{world.lab.head(REPO, 'main')}").json()["commit"]
    assert told["verification"]["verified"] is is_signed
    assert (told["committer"]["email"] == "noreply@github.com") is is_signed


def test_a_merge_without_texts_gets_githubs_own(world: GitHubWorld) -> None:
    world.lab.merge_pull(REPO, world.propose(), "dana")
    commit = world.lab.log(REPO, "main")[0]
    assert commit.message == f"Merge pull request #1 from acme/{BRANCH}\n\nPromote"
    assert commit.author.name == "dana"


def test_a_squash_makes_one_commit_of_the_pull_requests_author(world: GitHubWorld) -> None:
    number = world.propose()
    world.lab.commit_as("dana", REPO, BRANCH, {"more": "x"}, "More")
    base = world.lab.head(REPO, "main")
    assert merge(world, number, merge_method="squash")[0] == 200
    commit = world.lab.log(REPO, "main")[0]
    assert (commit.parents, commit.author.name) == ((base,), "liftlock")
    assert commit.message == f"Promote (#1)\n\n* Promote checkout on {BRANCH}\n\n* More"


def test_a_rebase_replays_the_commits_on_the_base(world: GitHubWorld) -> None:
    number = world.propose()
    world.lab.commit_as("dana", REPO, BRANCH, {"more": "x"}, "More")
    newest = world.lab.commit_as("dana", REPO, "main", {"other": "y"}, "Other")
    assert merge(world, number, merge_method="rebase")[0] == 200
    log = world.lab.log(REPO, "main")
    assert [one.message for one in log[:3]] == ["More", f"Promote checkout on {BRANCH}", "Other"]
    assert log[1].parents == (newest,)
    assert [one.author.name for one in log[:2]] == ["dana", "liftlock"]
    assert world.lab.read(REPO, "main", FILE) == NEW
    assert world.lab.read(REPO, "main", "other") == "y"


def test_a_merge_of_another_head_than_seen_is_refused(world: GitHubWorld) -> None:
    number = world.propose()
    seen = world.head_of(number)
    world.lab.commit_as("dana", REPO, BRANCH, {"sneaked": "in"}, "Sneak")
    before = world.lab.head(REPO, "main")
    assert merge(world, number, sha=seen) == (409, "Head branch was modified. Review and try the merge again.")
    assert world.lab.head(REPO, "main") == before
    assert world.pull(number)["state"] == "open"


def test_conflicts_closed_ones_and_drafts_are_not_merged(world: GitHubWorld) -> None:
    number = world.propose()
    world.lab.commit_as("dana", REPO, "main", {FILE: OLD + "\n# moved\n", "x": "y"}, "Move")
    world.lab.commit_as("dana", REPO, "main", {FILE: 'image:\n  tag: "9"\n'}, "Conflict")
    assert (world.pull(number)["mergeable"], world.pull(number)["mergeable_state"]) == (False, "dirty")
    assert merge(world, number) == (405, "Pull Request is not mergeable")
    world.lab.close_pull(REPO, number, "dana")
    assert merge(world, number) == (405, "Pull Request is not mergeable")
    world.lab.commit_as("dana", REPO, "draft", {"x": "z"}, "Draft")
    draft = world.http.post(PULLS, json={"title": "T", "head": "draft", "base": "main", "draft": True}).json()["number"]
    assert world.pull(draft)["mergeable_state"] == "draft"
    assert merge(world, draft) == (405, "Pull Request is still a draft")


def test_required_checks_and_reviews_block_until_they_are_there(world: GitHubWorld) -> None:
    number = world.propose()
    head = world.head_of(number)
    world.lab.protect(REPO, "main", required_contexts=["ci", "build"], required_approvals=1)
    assert merge(world, number) == (
        405,
        "At least 1 approving review is required by reviewers with write access.",
    )
    world.lab.review_as("dana", REPO, number, "APPROVED")
    assert merge(world, number) == (405, 'Required status check "ci" is expected.')
    world.lab.set_status(REPO, head, "ci", "pending")
    assert merge(world, number) == (405, 'Required status check "ci" is pending.')
    world.lab.set_status(REPO, head, "ci", "failure")
    assert merge(world, number) == (405, 'Required status check "ci" is failing.')
    assert world.pull(number)["mergeable_state"] == "blocked"
    world.lab.set_status(REPO, head, "ci", "success")
    world.lab.add_check_run(REPO, head, "build")
    assert world.pull(number)["mergeable_state"] == "clean"
    assert merge(world, number)[0] == 200


def test_a_failing_check_that_is_not_required_makes_it_unstable(world: GitHubWorld) -> None:
    number = world.propose()
    world.lab.add_check_run(REPO, world.head_of(number), "lint", conclusion="failure")
    assert (world.pull(number)["mergeable"], world.pull(number)["mergeable_state"]) == (True, "unstable")


def test_a_new_head_dismisses_stale_approvals_where_the_branch_says_so(world: GitHubWorld) -> None:
    number = world.propose()
    world.lab.protect(REPO, "main", required_approvals=1, dismiss_stale_reviews=True)
    world.lab.review_as("dana", REPO, number, "APPROVED")
    world.lab.commit_as("dana", REPO, BRANCH, {"more": "x"}, "More")
    assert [one["state"] for one in world.http.get(f"{PULLS}/{number}/reviews").json()] == ["DISMISSED"]
    assert merge(world, number)[0] == 405


def test_mergeability_may_take_a_few_looks(world: GitHubWorld) -> None:
    world.lab.compute_mergeability_slowly(2)
    number = world.propose()
    assert [world.pull(number)["mergeable"] for _ in range(3)] == [None, None, True]


def test_the_branch_goes_with_the_merge_where_the_repository_says_so(world: GitHubWorld) -> None:
    world.lab.create_repository("acme/tidy", files={"a": "1"}, delete_branch_on_merge=True)
    world.lab.commit_as("dana", "acme/tidy", "b", {"a": "2"}, "Change")
    number = world.lab.open_pull_as("dana", "acme/tidy", "b", "Change")
    world.lab.merge_pull("acme/tidy", number, "dana")
    assert world.lab.head("acme/tidy", "b") is None
    assert world.lab.pull("acme/tidy", number).merged_at is not None


# --- close and reopen ---


def test_who_closed_it_is_told(world: GitHubWorld) -> None:
    number = world.propose()
    world.lab.close_pull(REPO, number, "dana")
    assert world.http.get(f"/repos/{REPO}/issues/{number}").json()["closed_by"]["login"] == "dana"
    world.lab.reopen_pull(REPO, number, "dana")
    assert world.http.get(f"/repos/{REPO}/issues/{number}").json()["closed_by"] is None
    assert world.pull(number)["state"] == "open"


def test_a_closed_one_whose_branch_is_gone_stays_closed(world: GitHubWorld) -> None:
    number = world.propose()
    world.lab.delete_branch_as("dana", REPO, BRANCH)
    with pytest.raises(Refusal, match="Validation Failed"):
        world.lab.reopen_pull(REPO, number, "dana")
    assert world.http.patch(f"{PULLS}/{number}", json={"state": "open"}).status_code == 422
    assert world.pull(number)["state"] == "closed"


def test_a_protected_branch_is_not_deleted_and_refs_move_forward_only(world: GitHubWorld) -> None:
    world.lab.protect(REPO, "keep")
    first = str(world.lab.head(REPO, "main"))
    later = str(world.lab.commit_as("dana", REPO, "keep", {"a": "1"}, "Keep"))
    refs = f"/repos/{REPO}/git/refs"
    assert world.http.delete(f"{refs}/heads/keep").json()["message"] == "Cannot delete protected branch"
    world.http.post(refs, json={"ref": "refs/heads/free", "sha": later}).raise_for_status()
    refused = world.http.patch(f"{refs}/heads/free", json={"sha": first})
    assert (refused.status_code, refused.json()["message"]) == (422, "Update is not a fast forward")
    assert world.http.delete(f"{refs}/heads/none").json()["message"] == "Reference does not exist"
