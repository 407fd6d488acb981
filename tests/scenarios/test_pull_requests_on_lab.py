"""What people do to a promotion's pull request on the lab's GitHub, each row of the table in docs/pull-requests.md."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from bot.domain.decision import State
from bot.lab.github.nouns import MergeQueue
from bot.lab.stories import GOOD
from bot.lab.world import BRANCH, GITOPS, Lab
from tests.scenarios.promoting import (
    CHECK,
    FAILING,
    PLANNED,
    candidate,
    live,
    merged,
    merges,
    pass_window,
    promote_by,
    promoted,
    ready,
    says,
    state,
    tell_no_source,
    the_pull,
    update_branch,
)
from tests.stage import Stage, the_judgement

pytestmark = pytest.mark.usefixtures("no_source")
BEGIN, END = "<!-- liftlock:begin -->", "<!-- liftlock:end -->"


@pytest.fixture
def no_source(lab: Lab) -> None:
    tell_no_source(lab)


# --- the branch ------------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I7")
def test_a_push_of_more_than_the_planned_edit_is_neither_merged_nor_pushed_over(stage: Stage) -> None:
    pull = live(stage)
    theirs = stage.lab.github.commit_as("dana", GITOPS, pull.head, {"apps/checkout/notes.md": "Mine.\n"}, "Note")
    changed = stage.lab.text("checkout", "production") + "# more\n"
    stage.lab.github.commit_as("dana", GITOPS, BRANCH, {PLANNED: changed}, "Comment")
    pass_window(stage)
    assert state(stage) is State.HALTED
    assert "not exactly the planned edit" in candidate(stage).reason
    assert stage.lab.github.head(GITOPS, pull.head) == theirs
    assert not promoted(stage.lab)


@pytest.mark.invariant("I2")
def test_the_button_update_branch_keeps_the_planned_edit_and_is_merged_at_the_new_head(
    stage: Stage, tmp_path: Path
) -> None:
    pull = live(stage)
    before = pull.head_sha
    stage.lab.github.commit_as("dana", GITOPS, BRANCH, {"README.md": "Elsewhere.\n"}, "Change the readme")
    update_branch(stage.lab, "dana", pull, tmp_path)
    assert the_pull(stage).head_sha != before
    pass_window(stage)
    assert merged(stage).head_sha != before
    assert stage.lab.github.read(GITOPS, BRANCH, "README.md") == "Elsewhere.\n"


@pytest.mark.invariant("I7")
def test_a_deleted_branch_rejects_the_release(stage: Stage) -> None:
    pull = ready(stage)
    stage.lab.github.delete_branch_as("dana", GITOPS, pull.head)
    assert state(stage) is State.REJECTED_BY_HUMAN
    assert state(stage) is State.REJECTED_BY_HUMAN
    assert not the_pull(stage).is_open
    assert pull.head not in stage.lab.github.branches(GITOPS)


# --- its texts -------------------------------------------------------------------------------------------------------


def test_an_edited_title_stays_and_does_not_hinder(stage: Stage) -> None:
    live(stage)
    stage.lab.github.edit_pull_as("alice", GITOPS, 1, title="Please look at this one")
    pass_window(stage)
    assert merged(stage).title == "Please look at this one"


def test_what_people_write_around_the_section_stays_while_the_section_is_written(stage: Stage) -> None:
    before = live(stage).body or ""
    stage.lab.github.edit_pull_as("alice", GITOPS, 1, body=f"Ticket 12.\n\n{before}\n\n- [ ] told support\n")
    pass_window(stage)
    stage.sweeper.sweep()
    stage.look_after(3)
    body = merged(stage).body or ""
    assert body.startswith("Ticket 12.\n\n")
    assert body.endswith("- [ ] told support\n")
    assert (body.count(BEGIN), body.count(END)) == (1, 1)
    assert before not in body


def test_a_section_that_a_person_took_out_is_not_written_again_and_the_comment_goes_on(stage: Stage) -> None:
    live(stage)
    stage.lab.github.edit_pull_as("alice", GITOPS, 1, body="No robots here.")
    stage.look_after(3)
    told = says(stage)
    pass_window(stage)
    merged(stage)
    stage.look_after(3)
    assert the_pull(stage).body == "No robots here."
    assert says(stage) != told


# --- open, closed, merged --------------------------------------------------------------------------------------------


@pytest.mark.invariant("I7")
def test_closed_by_a_person_is_rejected_and_goes_on_where_it_stood_when_reopened(stage: Stage) -> None:
    ready(stage)
    stage.lab.github.close_pull(GITOPS, 1, "alice")
    assert state(stage) is State.REJECTED_BY_HUMAN
    assert "closed by alice" in candidate(stage).reason
    stage.lab.github.reopen_pull(GITOPS, 1, "dana")
    assert merged(stage).number == 1


def test_a_retry_on_the_closed_pull_request_opens_another(stage: Stage) -> None:
    ready(stage)
    stage.lab.github.close_pull(GITOPS, 1, "alice")
    assert state(stage) is State.REJECTED_BY_HUMAN
    stage.leap(1)
    stage.lab.github.comment_as("dana", GITOPS, 1, "/liftlock retry")
    for _ in range(3):
        stage.look_after(1)
    first, second = stage.lab.pulls("checkout")
    assert not first.is_open
    assert first.merged_at is None
    assert promoted(stage.lab) or second.is_open


def test_one_that_the_bot_withdrew_is_not_closed_again_when_a_person_reopens_it(stage: Stage) -> None:
    promote_by(stage.lab, "merge: human")
    pull = ready(stage)
    head = pull.head_sha
    stage.lab.cluster.behave("ghcr.io/acme/checkout", "1.9.0", FAILING, namespace="checkout-staging")
    for _ in range(5):
        stage.look_after(5)
        if not the_pull(stage).is_open:
            break
    assert the_pull(stage).closed_by is not None
    assert the_pull(stage).closed_by.login == stage.lab.github.bot_login  # type: ignore[union-attr]
    assert pull.head not in stage.lab.github.branches(GITOPS)
    restore_branch(stage, pull.head, head)
    stage.lab.github.reopen_pull(GITOPS, 1, "alice")
    for _ in range(3):
        assert state(stage, 3) is not State.REJECTED_BY_HUMAN
    assert the_pull(stage).is_open
    assert not promoted(stage.lab)


@pytest.mark.invariant("I7")
def test_a_superseded_one_that_a_person_reopens_stays_open_and_is_not_merged(stage: Stage) -> None:
    promote_by(stage.lab, "merge: human")
    pull = ready(stage)
    head = pull.head_sha
    stage.lab.release("checkout", "1.10.0", in_staging=GOOD, in_production=GOOD)
    for _ in range(4):
        stage.look_after(2)
    first, second = stage.lab.pulls("checkout")
    assert (first.is_open, second.is_open) == (False, True)
    restore_branch(stage, pull.head, head)
    stage.lab.github.reopen_pull(GITOPS, 1, "alice")
    for _ in range(3):
        stage.look_after(2)
    assert [one.is_open for one in stage.lab.pulls("checkout")] == [True, True]
    assert not promoted(stage.lab)


def restore_branch(stage: Stage, branch: str, head: str) -> None:
    """Press the button *Restore branch* as dana."""
    token = stage.lab.github.token_of("dana")
    answer = httpx.post(
        f"{stage.lab.github.api_url}/repos/{GITOPS}/git/refs",
        json={"ref": f"refs/heads/{branch}", "sha": head},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.status_code == 201, answer.text


def test_a_merge_by_a_person_counts_and_is_watched_and_its_branch_is_deleted(stage: Stage) -> None:
    pull = live(stage)
    stage.lab.github.ready_as("alice", GITOPS, 1)
    stage.lab.github.merge_pull(GITOPS, 1, "alice")
    assert is_watched(stage)
    assert pull.head not in stage.lab.github.branches(GITOPS)
    assert merges(stage.lab) == 0


@pytest.mark.invariant("I7")
def test_a_merge_against_the_gates_counts_too_and_what_was_pushed_after_it_stays(stage: Stage) -> None:
    pull = live(stage, staging=FAILING)
    pass_window(stage)
    assert state(stage) is State.UNHEALTHY
    stage.lab.github.ready_as("alice", GITOPS, 1)
    stage.lab.github.merge_pull(GITOPS, 1, "alice")
    theirs = stage.lab.github.commit_as("dana", GITOPS, pull.head, {"README.md": "Mine.\n"}, "More")
    assert is_watched(stage)
    stage.look_after(1)
    assert stage.lab.github.head(GITOPS, pull.head) == theirs


def is_watched(stage: Stage) -> bool:
    """Let production be synced, and say whether 1.9.0 is watched there."""
    stage.leap(3)
    running = the_judgement(stage.look_after(1), "production", "running")
    assert running.release is not None
    return running.release.tag == "1.9.0" and running.state is State.WATCHING


# --- hold it ---------------------------------------------------------------------------------------------------------


def test_the_label_hold_holds_until_it_is_taken_off(stage: Stage) -> None:
    ready(stage)
    stage.lab.github.label_as("alice", GITOPS, 1, "liftlock/hold")
    assert state(stage) is State.HELD_BY_HUMAN
    assert state(stage) is State.HELD_BY_HUMAN
    assert not promoted(stage.lab)
    stage.lab.github.unlabel_as("alice", GITOPS, 1, "liftlock/hold")
    merged(stage)


def test_other_labels_assignees_and_reviewers_change_nothing(stage: Stage) -> None:
    live(stage)
    github = stage.lab.github
    github.label_as("alice", GITOPS, 1, "needs-discussion")
    with github.acting():
        pull = the_pull(stage)
        pull.assignees.append(github.world.account("dana"))
        pull.reviewers.append(github.world.account("alice"))
    pass_window(stage)
    pull = merged(stage)
    assert [label.name for label in pull.labels] == ["needs-discussion"]
    assert [who.login for who in (*pull.assignees, *pull.reviewers)] == ["dana", "alice"]


def test_the_reviewers_and_assignees_of_the_policy_are_asked_by_their_logins(stage: Stage) -> None:
    """A policy writes `@alice`; GitHub knows nobody of that name, and its refusal said so on every opening."""
    promote_by(stage.lab, "merge: auto, reviewers: ['@alice'], assignees: ['@dana']")
    pull = live(stage)
    assert [who.login for who in pull.reviewers] == ["alice"]
    assert [who.login for who in pull.assignees] == ["dana"]


def test_a_draft_made_by_a_person_holds_until_it_is_ready(stage: Stage) -> None:
    ready(stage)
    stage.lab.github.convert_to_draft_as("dana", GITOPS, 1)
    assert state(stage) is State.HELD_BY_HUMAN
    assert "dana made #1 a draft" in candidate(stage).reason
    assert the_pull(stage).draft
    stage.lab.github.ready_as("dana", GITOPS, 1)
    merged(stage)


def test_the_early_draft_made_ready_too_soon_stays_ready_and_is_merged_only_when_it_has_passed(stage: Stage) -> None:
    live(stage)
    stage.lab.github.ready_as("dana", GITOPS, 1)
    assert state(stage) is State.OBSERVING
    assert state(stage) is State.OBSERVING
    assert not the_pull(stage).draft
    pass_window(stage)
    merged(stage)


# --- reviews ---------------------------------------------------------------------------------------------------------


def test_an_approving_review_counts_where_the_branch_demands_one(stage: Stage) -> None:
    stage.lab.github.protect(GITOPS, BRANCH, required_approvals=1)
    ready_or_waiting(stage)
    assert state(stage) is State.WAITING_FOR_REVIEW
    stage.lab.github.review_as("alice", GITOPS, 1, "APPROVED")
    merged(stage)


def ready_or_waiting(stage: Stage) -> None:
    live(stage)
    pass_window(stage)
    stage.sweeper.sweep()
    assert not the_pull(stage).draft


def test_requested_changes_wait_until_the_review_changes(stage: Stage) -> None:
    ready(stage)
    stage.lab.github.review_as("alice", GITOPS, 1, "CHANGES_REQUESTED")
    assert state(stage) is State.WAITING_FOR_HUMAN
    assert "alice asked for changes" in candidate(stage).reason
    assert not promoted(stage.lab)
    stage.lab.github.review_as("alice", GITOPS, 1, "APPROVED")
    merged(stage)


# --- GitHub's own ways to merge --------------------------------------------------------------------------------------


def test_auto_merge_armed_by_a_person_stays_armed_and_github_merges(stage: Stage) -> None:
    stage.lab.github.protect(GITOPS, BRANCH, required_contexts=["ci/lint", CHECK])
    stage.lab.github.allow_auto_merge(GITOPS)
    head = live(stage).head_sha
    stage.lab.github.ready_as("dana", GITOPS, 1)
    stage.lab.github.arm_auto_merge_as("dana", GITOPS, 1)
    pass_window(stage)
    assert state(stage) is State.WAITING_TO_BE_MERGED
    assert the_pull(stage).auto_merge is not None
    stage.lab.github.set_status(GITOPS, head, "ci/lint", "success")
    pull = merged(stage)
    assert pull.merged_by is not None
    assert pull.merged_by.login == "dana"


@pytest.mark.invariant("I2")
def test_auto_merge_armed_by_a_person_does_not_pass_the_required_check_before_the_gates(stage: Stage) -> None:
    stage.lab.github.protect(GITOPS, BRANCH, required_contexts=[CHECK])
    stage.lab.github.allow_auto_merge(GITOPS)
    live(stage)
    stage.lab.github.ready_as("dana", GITOPS, 1)
    stage.lab.github.arm_auto_merge_as("dana", GITOPS, 1)
    assert state(stage) is State.OBSERVING
    assert the_pull(stage).is_open
    assert the_pull(stage).auto_merge is not None
    pass_window(stage)
    merged(stage)


def test_what_a_person_put_into_the_merge_queue_waits_for_the_queue(stage: Stage) -> None:
    stage.lab.github.protect(GITOPS, BRANCH, merge_queue=MergeQueue())
    promote_by(stage.lab, "merge: human")
    ready(stage)
    stage.lab.github.enqueue_as("dana", GITOPS, 1)
    waiting = candidate(stage)
    assert (waiting.state, "merge queue" in waiting.reason) == (State.WAITING_TO_BE_MERGED, True)
    entry = the_pull(stage).queue_entry
    assert entry is not None
    assert entry.enqueuer.login == "dana"
    stage.leap(301)
    assert promoted(stage.lab)


@pytest.mark.invariant("I2")
def test_one_that_was_pointed_at_another_branch_is_left_to_people(stage: Stage) -> None:
    ready(stage)
    stage.lab.github.commit_as("dana", GITOPS, "release", {"README.md": "Another branch.\n"}, "Branch off")
    stage.lab.github.edit_pull_as("dana", GITOPS, 1, base="release")
    assert state(stage) is State.HALTED
    assert "another branch" in candidate(stage).reason
    stage.look_after(2)
    assert the_pull(stage).is_open
    assert not promoted(stage.lab)
