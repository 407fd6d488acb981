"""Approvals on the lab's GitHub: reviews and commands of people in a team, and who wrote the source commits.

The release's source is a pull request that dana wrote and merged, behind a commit of eve's with a co-author.
"""

from __future__ import annotations

import pytest

from bot.domain.decision import State
from bot.lab.world import GITOPS, Lab
from tests.contract.graphql_conformance import github_violations
from tests.scenarios.promoting import (
    CHECK,
    candidate,
    live,
    merged,
    pass_window,
    promote_by,
    promoted,
    ready,
    says,
    state,
    the_pull,
    words_of,
)
from tests.stage import Stage

SOURCE = "acme/checkout"
TEAM = {"dana": "member", "eve": "member", "fay": "member", "zoe": "member", "kim": "maintainer"}
WITH_CO_AUTHOR = "Count faster\n\nCo-authored-by: Fay <{fay}>\nCo-authored-by: A Guest <guest@elsewhere.example>"


@pytest.fixture(autouse=True)
def _people(lab: Lab) -> None:
    for login in ("eve", "fay", "zoe", "kim", "bob"):
        lab.github.add_user(login, {GITOPS: "write", SOURCE: "write"})
    lab.github.add_team("acme", "release", TEAM)  # type: ignore[arg-type]  # roles, as GitHub names them


def asks(lab: Lab, words: str) -> None:
    promote_by(lab, f'merge: auto, approvals: {{from: ["@acme/release"], {words}}}')


def approve(stage: Stage, *by: str) -> None:
    stage.leap(1)
    for login in by:
        stage.lab.github.review_as(login, GITOPS, 1, "APPROVED")


def say(stage: Stage, words: str, *, by: str) -> int:
    stage.leap(1)
    return stage.lab.github.comment_as(by, GITOPS, 1, words)


def check_of(stage: Stage) -> str:
    """The state of the bot's check: a commit status, since it has a token here."""
    found = stage.lab.github.world.repository(GITOPS).statuses
    return [one.state for one in found if (one.sha, one.context) == (the_pull(stage).head_sha, CHECK)][-1]


def test_two_of_a_team_approve_by_a_review_and_by_a_command_and_the_commit_names_them(stage: Stage) -> None:
    asks(stage.lab, "need: 2")
    ready(stage)
    assert state(stage) is State.WAITING_FOR_REVIEW
    assert check_of(stage) == "pending"
    approve(stage, "dana", "bob")
    told = candidate(stage)
    assert told.reason == (
        "#1 has one of two approvals (dana); bob is not in acme/release and does not count; "
        "needs one more from acme/release"
    )
    assert "- `bob` is not in acme/release and does not count" in says(stage)
    heard = say(stage, "/liftlock approve", by="zoe")
    merged(stage)
    assert words_of(stage.lab, heard) == ["+1"]
    message = stage.lab.messages()[0].replace("\n", " ")
    assert "Approved by dana (review) and zoe (command)." in message


def test_nobody_who_had_a_hand_in_the_source_commits_counts_under_four_eyes(stage: Stage) -> None:
    fay = stage.lab.github.world.account("fay").email
    stage.lab.github.commit_as("eve", SOURCE, "main", {"FAST": "yes\n"}, WITH_CO_AUTHOR.format(fay=fay))
    asks(stage.lab, "need: 1, four_eyes: true")
    ready(stage)
    approve(stage, "dana", "eve", "fay")
    tally = candidate(stage).approvals
    assert tally is not None
    assert {(one.login, one.why) for one in tally.others} == {
        ("dana", "wrote a source commit"),
        ("eve", "wrote a source commit"),
        ("fay", "wrote a source commit"),
    }
    # A guest whom nobody knows may be one of those who approve.
    assert (tally.unknown, tally.required) == (("A Guest",), 2)
    approve(stage, "zoe")
    assert state(stage) is State.WAITING_FOR_REVIEW
    approve(stage, "kim")
    merged(stage)
    assert violations(stage) == []


def violations(stage: Stage) -> list[str]:
    """What of all that was said with GitHub its published descriptions do not allow."""
    asked = [one for one in stage.lab.github.exchanges if one.path.startswith("/api/")]
    assert any("authors(first" in one.request_body.decode() for one in asked)
    return sorted({said for one in asked for said in github_violations(one)})


def test_who_only_merged_the_source_pull_request_on_github_counts(stage: Stage) -> None:
    github = stage.lab.github
    github.commit_as("eve", SOURCE, "faster", {"FAST": "yes\n"}, "Count faster")
    github.merge_pull(SOURCE, github.open_pull_as("eve", SOURCE, "faster", "Count faster"), "zoe")
    asks(stage.lab, "need: 1, four_eyes: true")
    ready(stage)
    approve(stage, "eve")
    assert state(stage) is State.WAITING_FOR_REVIEW
    approve(stage, "zoe")
    merged(stage)


@pytest.mark.invariant("I16")
def test_an_approval_of_an_earlier_head_and_one_that_became_a_request_for_changes_do_not_count(stage: Stage) -> None:
    asks(stage.lab, "need: 1")
    ready(stage)
    branch = the_pull(stage).head
    approve(stage, "zoe")
    text = stage.lab.text("checkout", "production")
    stage.lab.github.commit_as("dana", GITOPS, branch, {"README.md": "More.\n"}, "More")
    stage.lab.github.commit_as("dana", GITOPS, branch, {"README.md": "What should run where.\n"}, "Less")
    told = candidate(stage)
    assert told.approvals is not None
    assert told.approvals.given == ()
    assert [one.login for one in told.approvals.others] == ["zoe"]
    assert told.approvals.others[0].why.startswith("approved the earlier head ")
    assert not promoted(stage.lab)
    assert text == stage.lab.text("checkout", "production")


def test_approvals_that_came_early_do_not_count_after_the_window(stage: Stage) -> None:
    asks(stage.lab, "need: 1, when: after-window")
    live(stage)
    approve(stage, "zoe")
    pass_window(stage)
    for _ in range(3):
        told = candidate(stage)
    assert told.state is State.WAITING_FOR_REVIEW
    assert "zoe approved before the release had passed and does not count" in told.reason
    approve(stage, "zoe")
    merged(stage)


def test_a_team_that_is_not_there_has_no_members_and_counts_as_soon_as_it_is(stage: Stage) -> None:
    promote_by(stage.lab, 'merge: auto, approvals: {from: ["@acme/gone"]}')
    ready(stage)
    approve(stage, "zoe")
    assert "zoe is not in acme/gone and does not count" in candidate(stage).reason
    stage.lab.github.add_team("acme", "gone", {"zoe": "member"})
    merged(stage)
