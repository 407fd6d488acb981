"""Merging at GitHub: only the head that was checked, once, by the right road, and each refusal with its meaning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from bot.adapters.github.refusals import MergeRefused, Obstacle
from bot.domain.pulls import MergeMethod, MergeRoad, PullState
from bot.forge import MergeOrder, MergeText
from bot.ports import Conflict, OutsideError, Permanent, Transient
from tests.adapters.githubparts import BAD_GATEWAY, BRANCH, HEAD, LOST, OLD_HEAD, REPO, Parts, once, parts_for
from tests.adapters.githubserver import Answer, FakeGitHub, fake_github
from tests.adapters.githubworld import Json

TEXT = MergeText(title="Promote", message="Liftlock-Service: checkout\n")
NOW = MergeOrder(number=1, head=HEAD, method=MergeMethod.MERGE, text=TEXT)
ARM = replace(NOW, road=MergeRoad.ARM, method=MergeMethod.SQUASH)
QUEUE = replace(NOW, road=MergeRoad.QUEUE)
MERGED_AS = "c" * 40
UNCLEAR = pytest.mark.parametrize("fault", [BAD_GATEWAY, LOST], ids=["502", "connection cut"])


@pytest.fixture(name="github")
def fixture_github() -> Iterator[FakeGitHub]:
    with fake_github() as github:
        github.add_pull(BRANCH)
        yield github


@pytest.fixture(name="parts")
def fixture_parts(github: FakeGitHub) -> Iterator[Parts]:
    with parts_for(github) as parts:
        yield parts


# --- at once ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", list(MergeMethod))
def test_a_merge_names_the_checked_head_and_the_method(parts: Parts, github: FakeGitHub, method: MergeMethod) -> None:
    assert parts.merging.merge_promotion(REPO, replace(NOW, method=method)) == MERGED_AS
    sent = github.bodies[-1]
    assert (sent["sha"], sent["merge_method"]) == (HEAD, method.value)
    assert sent.get("commit_title") == (None if method is MergeMethod.REBASE else "Promote")
    assert github.requests == [("PUT", "/repos/acme/deploy/pulls/1/merge")]


def test_a_moved_head_is_a_conflict_and_nothing_is_merged(parts: Parts, github: FakeGitHub) -> None:
    github.pulls[0].head = OLD_HEAD
    with pytest.raises(Conflict, match="is at bbbbbbbbbbbb now, not at the checked aaaaaaaaaaaa"):
        parts.merging.merge_promotion(REPO, NOW)
    assert github.pulls[0].state == "open"


def test_a_closed_one_is_a_conflict(parts: Parts, github: FakeGitHub) -> None:
    github.pulls[0].state = "closed"
    with pytest.raises(Conflict, match="closed without being merged"):
        parts.merging.merge_promotion(REPO, NOW)


@pytest.mark.parametrize("order", [NOW, ARM, QUEUE], ids=["now", "arm", "queue"])
def test_one_that_a_person_has_merged_at_that_head_is_merged(
    parts: Parts, github: FakeGitHub, order: MergeOrder
) -> None:
    github.pulls[0].state, github.pulls[0].merged_as = "closed", MERGED_AS
    assert parts.merging.merge_promotion(REPO, order) == MERGED_AS


@UNCLEAR
def test_a_merge_whose_answer_is_lost_is_looked_up_and_not_sent_again(
    parts: Parts, github: FakeGitHub, fault: Answer
) -> None:
    github.after = once(fault, "PUT", "/merge")
    assert parts.merging.merge_promotion(REPO, NOW) == MERGED_AS
    assert github.count("PUT") == 1


@UNCLEAR
def test_a_merge_that_was_not_done_is_sent_once_more(parts: Parts, github: FakeGitHub, fault: Answer) -> None:
    github.before = once(fault, "PUT", "/merge")
    assert parts.merging.merge_promotion(REPO, NOW) == MERGED_AS
    assert github.count("PUT") == 2


def test_a_head_that_moves_while_an_answer_is_lost_is_a_conflict_and_not_merged(
    parts: Parts, github: FakeGitHub
) -> None:
    def move(method: str, path: str) -> Answer | None:
        if method != "PUT":
            return None
        github.pulls[0].head = OLD_HEAD
        return BAD_GATEWAY

    github.before = move
    with pytest.raises(Conflict):
        parts.merging.merge_promotion(REPO, NOW)
    assert github.count("PUT") == 1


# GitHub's words, and what they mean.
@pytest.mark.parametrize(
    ("status", "said", "kind", "obstacle"),
    [
        (405, "Pull Request is still a draft", MergeRefused, Obstacle.DRAFT),
        (409, "Head branch was modified. Review and try the merge again.", Conflict, None),
        (409, "Something new", Conflict, None),
        (405, "Base branch was modified. Review and try the merge again.", Conflict, None),
        (405, "Merge already in progress", Transient, None),
        (405, "Pull Request is not mergeable", MergeRefused, Obstacle.NOT_MERGEABLE),
        (405, 'Required status check "ci" is expected.', MergeRefused, Obstacle.CHECKS),
        (405, "2 of 3 required status checks have not succeeded: 1 expected.", MergeRefused, Obstacle.CHECKS),
        (405, "At least 1 approving review is required by reviewers with write access.", MergeRefused,
         Obstacle.REVIEWS),
        (405, "Waiting on code owner review from acme/sre.", MergeRefused, Obstacle.REVIEWS),
        (405, "Changes have been requested.", MergeRefused, Obstacle.REVIEWS),
        (405, "A conversation must be resolved before this pull request can be merged.", MergeRefused,
         Obstacle.CONVERSATIONS),
        (405, "Merge commits are not allowed on this repository.", MergeRefused, Obstacle.METHOD),
        (405, "This branch must not contain merge commits.", MergeRefused, Obstacle.METHOD),
        (405, "Repository rule violations found\n\nChanges must be made through the merge queue", MergeRefused,
         Obstacle.QUEUE_REQUIRED),
        (405, "You're not authorized to push to this branch.", MergeRefused, Obstacle.RIGHTS),
        (405, "Head branch is out of date", MergeRefused, Obstacle.BEHIND),
        (405, "Commits must have verified signatures.", MergeRefused, Obstacle.SIGNATURES),
        (422, "Validation Failed", Permanent, Obstacle.OTHER),
        (403, "Resource not accessible by integration", Permanent, None),
    ],
)  # fmt: skip
def test_each_refusal_of_a_merge_has_its_meaning_and_githubs_words(
    parts: Parts, github: FakeGitHub, status: int, said: str, kind: type[OutsideError], obstacle: Obstacle | None
) -> None:
    github.merge_refusal = (status, said)
    with pytest.raises(kind) as caught:
        parts.merging.merge_promotion(REPO, NOW)
    assert " ".join(said.split())[:60] in caught.value.sentence
    assert "pull request #1 of acme/deploy" in caught.value.sentence
    assert getattr(caught.value, "obstacle", None) == obstacle
    assert isinstance(caught.value, Conflict) == (kind is Conflict)
    assert github.count("PUT") == 1


# --- asynchronously --------------------------------------------------------------------------------------------------


def pending() -> Json:
    details = {
        "uuid": "u/1",
        "message": "Merging",
        "merge_method": "merge",
        "merge_action": "default",
        "expected_head_sha": HEAD,
    }
    return {"status": "pending", "details": details}


def test_a_repository_that_merges_asynchronously_only_is_followed_to_the_end(parts: Parts, github: FakeGitHub) -> None:
    github.merge_refusal = (405, "This repository requires the merge-async endpoint.")
    merged = {"status": "merged", "details": {"message": "ok", "sha": MERGED_AS}}
    github.async_answers = [pending(), pending(), merged]
    assert parts.merging.merge_promotion(REPO, NOW) == MERGED_AS
    assert github.bodies[1]["sha"] == HEAD
    assert parts.seconds.slept == [1.0, 1.0]


@pytest.mark.parametrize("last", ["pending", "enqueued"])
def test_an_asynchronous_merge_that_takes_long_is_still_to_come(parts: Parts, github: FakeGitHub, last: str) -> None:
    github.merge_refusal = (405, "asynchronous merges only")
    github.async_answers = [pending()] + [{**pending(), "status": last} for _ in range(5)]
    assert parts.merging.merge_promotion(REPO, NOW) is None
    assert github.count("GET", "merge-async") == (5 if last == "pending" else 1)


@pytest.mark.parametrize("at_once", [True, False])
def test_an_asynchronous_merge_that_fails_says_why(parts: Parts, github: FakeGitHub, at_once: bool) -> None:
    github.merge_refusal = (405, "asynchronous merges only")
    failed = {"status": "failed", "details": {"message": "Base branch was modified"}}
    github.async_answers = [failed] if at_once else [pending(), failed]
    with pytest.raises(Conflict, match="Base branch was modified"):
        parts.merging.merge_promotion(REPO, NOW)


# --- by GitHub itself ------------------------------------------------------------------------------------------------


def handed_over(github: FakeGitHub) -> tuple[str | None, str | None]:
    return github.pulls[0].armed_by, github.pulls[0].queued_by


def test_arming_names_the_checked_head_and_arming_again_writes_nothing(parts: Parts, github: FakeGitHub) -> None:
    assert parts.merging.merge_promotion(REPO, ARM) is None
    assert parts.merging.merge_promotion(REPO, ARM) is None
    assert [(a["expectedHeadOid"], a["mergeMethod"], a["commitHeadline"]) for a in github.armed] == [
        (HEAD, "SQUASH", "Promote")
    ]
    assert github.pulls[0].armed_by == "lift-bot"


def test_enqueuing_names_the_checked_head(parts: Parts, github: FakeGitHub) -> None:
    assert parts.merging.merge_promotion(REPO, QUEUE) is None
    assert github.bodies[-1]["variables"]["input"] == {"pullRequestId": "PR_1", "expectedHeadOid": HEAD}
    assert github.pulls[0].queued_by == "lift-bot"


@pytest.mark.parametrize("order", [ARM, QUEUE], ids=["arm", "queue"])
def test_a_head_that_moved_is_neither_armed_nor_enqueued(parts: Parts, github: FakeGitHub, order: MergeOrder) -> None:
    github.pulls[0].head = OLD_HEAD
    with pytest.raises(Conflict):
        parts.merging.merge_promotion(REPO, order)
    assert handed_over(github) == (None, None)


@pytest.mark.parametrize("order", [ARM, QUEUE], ids=["arm", "queue"])
def test_a_handing_over_whose_answer_is_lost_is_looked_up(parts: Parts, github: FakeGitHub, order: MergeOrder) -> None:
    github.after = lambda method, path: LOST if len(github.requests) == 2 else None
    assert parts.merging.merge_promotion(REPO, order) is None
    changes = [body for body in github.bodies if body["query"].startswith("mutation")]
    assert len(changes) == 1


@pytest.mark.parametrize(
    ("said", "obstacle"),
    [
        ("Pull request Pull request is in clean status", Obstacle.CLEAN),
        ("Pull request is in draft state", Obstacle.DRAFT),
        ("Pull request is in unstable status", Obstacle.CLEAN),
        ("Auto merge is not allowed for this repository", Obstacle.CANNOT_ARM),
        ("Protected branch rules not configured for this branch", Obstacle.CANNOT_ARM),
        ("Pull request does not target a branch that requires a merge queue", Obstacle.NO_QUEUE),
        ("Something new", Obstacle.OTHER),
    ],
)
def test_a_refusal_to_arm_says_why(parts: Parts, github: FakeGitHub, said: str, obstacle: Obstacle) -> None:
    github.merge_refusal = (0, said)
    with pytest.raises(MergeRefused, match=said) as caught:
        parts.merging.merge_promotion(REPO, ARM)
    assert caught.value.obstacle is obstacle


def test_disarming_takes_back_both_and_disarming_again_writes_nothing(parts: Parts, github: FakeGitHub) -> None:
    github.pulls[0].armed_by, github.pulls[0].queued_by = "dana", "rita"
    parts.merging.disarm(REPO, 1)
    assert handed_over(github) == (None, None)
    github.requests.clear()
    parts.merging.disarm(REPO, 1)
    assert len(github.requests) == 1


def test_disarming_whose_answer_is_lost_is_looked_up(parts: Parts, github: FakeGitHub) -> None:
    github.pulls[0].armed_by = "lift-bot"
    github.after = lambda method, path: BAD_GATEWAY if len(github.requests) == 2 else None
    parts.merging.disarm(REPO, 1)
    assert handed_over(github) == (None, None)
    assert len(github.requests) == 3


def test_a_merged_one_is_seen_merged(parts: Parts, github: FakeGitHub) -> None:
    parts.merging.merge_promotion(REPO, NOW)
    found = parts.merging.look_again(REPO, 1)
    assert (found.state, found.merge_commit, found.merged_by) == (PullState.MERGED, MERGED_AS, "lift-bot")
