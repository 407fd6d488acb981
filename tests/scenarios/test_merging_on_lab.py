"""What a merge is checked against, on the lab's GitHub: each refusal with its meaning, and every road to a merge.

| what is so                                         | what becomes of it                               |
|----------------------------------------------------|--------------------------------------------------|
| head, base, draft or review changed since the look | not merged at that moment; decided anew          |
| the same, after the last look                      | GitHub refuses by the head that goes with it     |
| required check missing, pending, failed            | waits and names it                               |
| method not allowed                                 | another is taken; one that the policy names: said |
| merge queue                                        | enqueued, and merged by the queue                |
| merges in the background only                      | asked for there, and followed                    |
| `auto_merge: bound`, check bound to this app       | armed with the head, taken back on any change    |
| the same, not bound                                | not armed, and said why                          |
| `by: commit` on a protected branch                 | halts                                            |
| owners, workflows or policies in the diff          | never merged                                     |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

import pytest

from bot.domain.decision import State
from bot.domain.trailers import parse_trailers
from bot.lab.clock import ManualClock
from bot.lab.github.nouns import MergeQueue
from bot.lab.stories import GOOD
from bot.lab.world import BRANCH, GITOPS, Lab
from tests.scenarios.promoting import (
    APP_ID,
    CHECK,
    PLANNED,
    a_stage,
    before_the_last_look,
    before_the_request,
    candidate,
    live,
    merged,
    merges,
    once_before,
    outcomes,
    pass_window,
    promote_by,
    promoted,
    ready,
    settings_of_app,
    state,
    tell_no_source,
    the_pull,
    use,
)
from tests.stage import Stage

APP = f"app-{APP_ID}[bot]"


@pytest.fixture(autouse=True)
def _no_source(lab: Lab) -> None:
    tell_no_source(lab)


@pytest.fixture
def app(lab: Lab, clock: ManualClock) -> Iterator[Stage]:
    """The bot as a GitHub App."""
    with a_stage(lab, clock, settings_of_app(lab)) as stage:
        yield stage


# --- what changed since the decision ---------------------------------------------------------------------------------


def push(stage: Stage) -> None:
    branch = the_pull(stage).head
    stage.lab.github.commit_as("mallory", GITOPS, branch, {".github/CODEOWNERS": "* @mallory\n"}, "More")


def change_the_base(stage: Stage) -> None:
    changed = stage.lab.text("checkout", "production").replace("replicaCount: 3", "replicaCount: 4")
    stage.lab.github.commit_as("dana", GITOPS, BRANCH, {PLANNED: changed}, "Scale")


def make_a_draft(stage: Stage) -> None:
    stage.lab.github.convert_to_draft_as("dana", GITOPS, 1)


def hold_it(stage: Stage) -> None:
    stage.lab.github.label_as("alice", GITOPS, 1, "liftlock/hold")


def object_to_it(stage: Stage) -> None:
    stage.lab.github.review_as("alice", GITOPS, 1, "CHANGES_REQUESTED")


def point_elsewhere(stage: Stage) -> None:
    stage.lab.github.commit_as("dana", GITOPS, "release", {"README.md": "Another branch.\n"}, "Branch off")
    stage.lab.github.edit_pull_as("dana", GITOPS, 1, base="release")


def close(stage: Stage) -> None:
    stage.lab.github.close_pull(GITOPS, 1, "alice")


@pytest.mark.invariant("I2")
@pytest.mark.parametrize(
    ("act", "says"),
    [
        (push, "its head is"),
        (change_the_base, "has changed in main since"),
        (make_a_draft, "it was made a draft"),
        (hold_it, "it has the label liftlock/hold"),
        (object_to_it, "changes were requested"),
        (point_elsewhere, "it was pointed at another branch"),
        (close, "it is closed"),
    ],
    ids=["push", "base", "draft", "hold", "review", "retarget", "close"],
)
def test_what_changed_since_the_decision_is_seen_by_the_last_look(
    stage: Stage, act: Callable[[Stage], None], says: str
) -> None:
    ready(stage)
    before_the_last_look(stage, lambda: act(stage))
    stage.leap(1)
    (outcome,) = outcomes(stage.sweeper.sweep(), "merge promotion")
    assert says in outcome
    assert not promoted(stage.lab)


@pytest.mark.invariant("I2")
@pytest.mark.parametrize("act", [push, make_a_draft, close], ids=["push", "draft", "close"])
def test_what_changed_after_the_last_look_is_refused_by_github(stage: Stage, act: Callable[[Stage], None]) -> None:
    ready(stage)
    before_the_request(stage, lambda: act(stage))
    stage.leap(1)
    (outcome,) = outcomes(stage.sweeper.sweep(), "merge promotion")
    assert outcome.startswith("not done: GitHub: ")
    assert not promoted(stage.lab)
    assert state(stage) in {State.HALTED, State.HELD_BY_HUMAN, State.REJECTED_BY_HUMAN}
    assert not promoted(stage.lab)


@pytest.mark.invariant("I2")
def test_where_the_edited_file_changed_it_is_made_anew_and_both_changes_stand(stage: Stage) -> None:
    before = ready(stage).head_sha
    change_the_base(stage)
    pull = merged(stage)
    assert pull.head_sha != before
    assert "replicaCount: 4" in stage.lab.text("checkout", "production")
    assert merges(stage.lab) == 1


def test_one_that_must_be_up_to_date_is_made_anew_on_the_new_base(stage: Stage) -> None:
    stage.lab.github.protect(GITOPS, BRANCH, required_contexts=[CHECK], strict=True)
    before = ready(stage).head_sha
    stage.lab.github.commit_as("dana", GITOPS, BRANCH, {"README.md": "Elsewhere.\n"}, "Change the readme")
    assert merged(stage).head_sha != before


@pytest.mark.invariant("I2")
def test_owners_workflows_and_policies_in_the_diff_are_never_merged(stage: Stage) -> None:
    pull = live(stage)
    files = {
        ".github/CODEOWNERS": "* @mallory\n",
        ".github/workflows/x.yml": "on: push\n",
        "policies/checkout.yaml": "{}\n",
    }
    stage.lab.github.commit_as("mallory", GITOPS, pull.head, files, "A few more")
    stage.lab.github.ready_as("mallory", GITOPS, 1)
    pass_window(stage)
    found = candidate(stage)
    assert found.state is State.HALTED
    assert all(file in found.reason for file in files)
    assert not promoted(stage.lab)


# --- what the branch demands -----------------------------------------------------------------------------------------


def test_a_required_check_that_is_missing_pending_or_failed_is_waited_for_and_named(stage: Stage) -> None:
    stage.lab.github.protect(GITOPS, BRANCH, required_contexts=["ci/lint"])
    head = ready(stage).head_sha
    for report in (None, "pending", "failure"):
        if report is not None:
            stage.lab.github.set_status(GITOPS, head, "ci/lint", report)
        found = candidate(stage)
        assert (found.state, "ci/lint" in found.reason) == (State.WAITING_FOR_CHECKS, True), report
    assert not promoted(stage.lab)
    stage.lab.github.set_status(GITOPS, head, "ci/lint", "success")
    merged(stage)


def test_a_check_that_turned_red_at_the_last_moment_stops_the_merge(stage: Stage) -> None:
    head = ready(stage).head_sha
    before_the_last_look(stage, lambda: stage.lab.github.set_status(GITOPS, head, "ci/lint", "failure"))
    stage.leap(1)
    (outcome,) = outcomes(stage.sweeper.sweep(), "merge promotion")
    assert "its checks changed: ci/lint" in outcome
    assert not promoted(stage.lab)


def test_a_method_that_the_repository_allows_is_taken_and_one_that_the_policy_insists_on_is_said(stage: Stage) -> None:
    stage.lab.github.world.repository(GITOPS).merge_methods = ("squash",)
    promote_by(stage.lab, "merge: auto, method: rebase")
    ready(stage)
    stage.leap(1)
    (outcome,) = outcomes(stage.sweeper.sweep(), "merge promotion")
    assert "rebase, which the repository does not allow" in outcome
    use(stage.lab, ", method: rebase", "")
    stage.look_after(1)
    pass_window(stage)  # another policy judges from its own beginning on
    merged(stage)
    (commit,) = [one for one in stage.lab.github.log(GITOPS, BRANCH) if "(#1)" in one.message]
    assert len(commit.parents) == 1
    assert parse_trailers(commit.message) is not None


# --- other roads -----------------------------------------------------------------------------------------------------


def test_where_a_merge_queue_is_required_the_bot_enqueues_and_the_queue_merges(stage: Stage) -> None:
    stage.lab.github.protect(GITOPS, BRANCH, merge_queue=MergeQueue(build=timedelta(seconds=10)))
    pull = ready(stage)
    assert state(stage) is State.READY_TO_MERGE
    entry = the_pull(stage).queue_entry
    assert entry is not None
    assert entry.enqueuer.login == stage.lab.github.bot_login
    assert state(stage) is State.WAITING_TO_BE_MERGED
    stage.leap(10)
    for _ in range(2):
        stage.look_after(3)
    assert promoted(stage.lab)
    assert pull.head not in stage.lab.github.branches(GITOPS)


def test_what_the_bot_enqueued_is_taken_out_of_the_queue_when_a_person_holds_it(stage: Stage) -> None:
    stage.lab.github.protect(GITOPS, BRANCH, merge_queue=MergeQueue())
    ready(stage)
    stage.look_after(1)
    assert the_pull(stage).queue_entry is not None
    stage.lab.github.label_as("alice", GITOPS, 1, "liftlock/hold")
    assert state(stage) is State.HELD_BY_HUMAN
    assert the_pull(stage).queue_entry is None


@pytest.mark.parametrize("seconds", [0, 30])
def test_where_merges_happen_in_the_background_they_are_asked_for_once_and_followed(app: Stage, seconds: int) -> None:
    app.lab.github.merge_in_background_for(timedelta(seconds=seconds))
    ready(app)
    body = {"message": "Use the merge-async endpoint to merge this pull request."}
    app.lab.github.fail_next("PUT", "/repos/*/pulls/1/merge", 405, times=9, body=body)
    for _ in range(5):
        app.look_after(8)
    assert promoted(app.lab)
    assert merges(app.lab) == 1


@pytest.mark.invariant("I2")
def test_auto_merge_is_armed_with_the_checked_head_where_the_check_is_bound_to_this_app(app: Stage) -> None:
    protect_for(app, {CHECK: APP_ID})
    head = ready(app).head_sha
    assert state(app) is State.WAITING_TO_BE_MERGED
    order = the_pull(app).auto_merge
    assert order is not None
    assert order.enabled_by.login == APP
    app.lab.github.label_as("alice", GITOPS, 1, "liftlock/hold")
    assert state(app) is State.HELD_BY_HUMAN
    assert the_pull(app).auto_merge is None
    app.lab.github.unlabel_as("alice", GITOPS, 1, "liftlock/hold")
    assert state(app) is State.WAITING_TO_BE_MERGED
    app.lab.github.set_status(GITOPS, head, "ci/lint", "success")
    merged(app)
    trailers = parse_trailers(next(iter(app.lab.messages())))
    assert trailers is not None
    assert trailers.promotes == "staging -> production"


@pytest.mark.invariant("I2")
@pytest.mark.parametrize("bound_to", [None, APP_ID + 1], ids=["to nobody", "to another app"])
def test_auto_merge_is_not_armed_where_another_could_report_the_check(app: Stage, bound_to: int | None) -> None:
    protect_for(app, {} if bound_to is None else {CHECK: bound_to})
    ready(app)
    found = candidate(app)
    assert found.state is State.WAITING_FOR_CHECKS
    assert "is not bound to this app" in found.reason
    assert the_pull(app).auto_merge is None


def protect_for(stage: Stage, integrations: dict[str, int]) -> None:
    """Let main require a check and the bot's, and let GitHub merge by itself."""
    contexts = [CHECK, "ci/lint"]
    stage.lab.github.protect(GITOPS, BRANCH, required_contexts=contexts, integrations=integrations, ruleset=True)
    stage.lab.github.allow_auto_merge(GITOPS)
    promote_by(stage.lab, "merge: auto, auto_merge: bound")


# --- without a pull request ------------------------------------------------------------------------------------------


def by_commit(stage: Stage) -> None:
    use(stage.lab, "promote: {by: pull-request, merge: auto}", "promote: {by: commit}")
    stage.lab.release("checkout", "1.9.0", in_staging=GOOD, in_production=GOOD)
    for _ in range(3):
        stage.look_after(2)


@pytest.mark.invariant("I2")
def test_a_direct_commit_halts_where_the_branch_takes_none_and_goes_on_where_it_does(stage: Stage) -> None:
    by_commit(stage)
    stage.lab.github.protect(GITOPS, BRANCH, required_approvals=1)
    pass_window(stage)
    found = candidate(stage)
    assert found.state is State.HALTED
    assert "takes no direct pushes" in found.reason
    stage.lab.github.unprotect(GITOPS, BRANCH)
    stage.look_after(1)
    assert promoted(stage.lab)
    assert not stage.lab.pulls("checkout")


@pytest.mark.invariant("I2")
def test_a_direct_commit_that_the_branch_refuses_at_the_last_moment_is_said(stage: Stage) -> None:
    by_commit(stage)
    protect = partial(stage.lab.github.protect, GITOPS, BRANCH, restrict_pushes=True)
    once_before(stage.sweeper.world.repositories, "push", protect)
    stage.leap(20)
    (outcome,) = outcomes(stage.sweeper.sweep(), "commit promotion")
    assert outcome.startswith("not done: ")
    assert "protected" in outcome.lower()
    assert not promoted(stage.lab)
