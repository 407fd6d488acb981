"""Commands in comments on the lab's GitHub: who is heard, what becomes of it, and what is not a command at all.

| account | role there | in a team                   |
|---------|------------|-----------------------------|
| mia     | maintain   |                             |
| dana    | write      |                             |
| eve     | read       |                             |
| zoe     | read       | acme/release, an approver   |
| pete    | read       | acme/release, only invited  |
"""

from __future__ import annotations

import pytest

from bot.domain.decision import State
from bot.lab.world import GITOPS, Lab
from tests.scenarios.promoting import (
    FAILING,
    candidate,
    live,
    merged,
    pass_window,
    promote_by,
    promoted,
    ready,
    says,
    state,
    tell_no_source,
    the_pull,
    words_of,
)
from tests.stage import Stage


@pytest.fixture(autouse=True)
def _people(lab: Lab) -> None:
    tell_no_source(lab)
    for login, role in (("mia", "maintain"), ("eve", "read"), ("zoe", "read"), ("pete", "read")):
        lab.github.add_user(login, {GITOPS: role})  # type: ignore[dict-item]  # a role, one of the four


def say(stage: Stage, words: str, *, by: str = "dana") -> int:
    """Let somebody comment a second after what came before: GitHub tells whole seconds."""
    stage.leap(1)
    return stage.lab.github.comment_as(by, GITOPS, 1, words)


# --- with the right --------------------------------------------------------------------------------------------------


def test_a_hold_stands_until_it_is_resumed_and_each_is_acknowledged(stage: Stage) -> None:
    ready(stage)
    held = say(stage, "/liftlock hold the sale runs")
    assert state(stage) is State.HELD_BY_HUMAN
    assert words_of(stage.lab, held) == ["+1"]
    assert "the sale runs" in says(stage)
    resumed = say(stage, "/liftlock resume", by="alice")
    merged(stage)
    assert words_of(stage.lab, resumed) == ["+1"]


@pytest.mark.invariant("I16")
def test_an_approval_lets_the_bot_merge_where_the_policy_leaves_that_to_people(stage: Stage) -> None:
    promote_by(stage.lab, "merge: human")
    ready(stage)
    assert state(stage) is State.WAITING_FOR_HUMAN
    say(stage, f"/liftlock approve {the_pull(stage).head_sha}")
    assert merged(stage).merged_by is not None


@pytest.mark.invariant("I16")
def test_an_approval_before_a_push_holds_for_no_other_head(stage: Stage) -> None:
    promote_by(stage.lab, "merge: human")
    pull = ready(stage)
    approved = say(stage, f"/liftlock approve {pull.head_sha}")
    text = stage.lab.github.read(GITOPS, pull.head, "README.md")
    stage.lab.github.commit_as("dana", GITOPS, pull.head, {"README.md": "Mine.\n"}, "One more")
    stage.lab.github.commit_as("dana", GITOPS, pull.head, {"README.md": text}, "And back")
    for _ in range(3):
        stage.look_after(1)
    assert words_of(stage.lab, approved) == ["-1"]
    assert "look at what it proposes now" in says(stage)
    assert not promoted(stage.lab)


@pytest.mark.invariant("I1")
def test_a_maintainer_overrides_a_gate_and_the_commit_names_who_and_why(stage: Stage) -> None:
    live(stage, staging=FAILING)
    pass_window(stage)
    assert state(stage) is State.UNHEALTHY
    say(stage, "/liftlock promote --override http-errors a known noisy probe", by="mia")
    merged(stage)
    message = " ".join(next(iter(stage.lab.messages())).split())
    assert "overridden by a person: http-errors" in message
    assert "mia: a known noisy probe" in message


@pytest.mark.invariant("I3")
def test_a_rejected_release_is_closed_and_stays_away_until_a_retry(stage: Stage) -> None:
    ready(stage)
    say(stage, "/liftlock reject it breaks invoices")
    stage.look_after(1)
    assert state(stage) is State.REJECTED_BY_HUMAN
    pull = the_pull(stage)
    assert pull.closed_by is not None
    assert (pull.is_open, pull.closed_by.login) == (False, stage.lab.github.bot_login)
    say(stage, "/liftlock retry")
    for _ in range(4):
        stage.look_after(1)
    assert len(stage.lab.pulls("checkout")) == 2


@pytest.mark.invariant("I16")
def test_a_rollback_by_command_takes_back_what_was_merged(stage: Stage) -> None:
    ready(stage)
    merged(stage)
    stage.look_after(5)
    ordered = say(stage, "/liftlock rollback invoices are wrong")
    for _ in range(3):
        stage.look_after(1)
    assert words_of(stage.lab, ordered) == ["+1"]
    assert stage.lab.has_tag("checkout", "production", "1.8.2")
    assert "dana ordered it: invoices are wrong" in next(iter(stage.lab.messages()))


@pytest.mark.invariant("I3")
def test_a_quarantine_that_a_maintainer_lifts_lets_the_release_be_proposed_anew(stage: Stage) -> None:
    ready(stage)
    merged(stage)
    stage.look_after(5)
    say(stage, "/liftlock rollback invoices are wrong")
    for _ in range(3):
        stage.look_after(1)
    assert state(stage) is State.QUARANTINED
    refused = say(stage, "/liftlock lift please", by="dana")
    assert state(stage) is State.QUARANTINED
    lifted = say(stage, "/liftlock lift it was the database", by="mia")
    assert state(stage) is not State.QUARANTINED
    assert [words_of(stage.lab, comment) for comment in (refused, lifted)] == [["-1"], ["+1"]]
    for _ in range(3):
        stage.look_after(1)
    assert [pull.is_open for pull in stage.lab.pulls("checkout") if pull.title.startswith("Promote")] == [False, True]


def test_everybody_who_can_read_may_ask_and_the_comment_shows_the_answer(stage: Stage) -> None:
    live(stage)
    asked = [say(stage, f"/liftlock {verb}", by="eve") for verb in ("status", "explain", "help")]
    stage.look_after(1)
    assert [words_of(stage.lab, comment) for comment in asked] == [["+1"]] * 3
    assert all(f"/liftlock {verb}" in says(stage) for verb in ("status", "explain", "help"))


# --- without the right -----------------------------------------------------------------------------------------------

DENIED = [
    ("/liftlock hold no", "eve"),
    ("/liftlock resume", "eve"),
    ("/liftlock approve", "eve"),
    ("/liftlock reject no", "eve"),
    ("/liftlock rollback no", "eve"),
    ("/liftlock retry", "eve"),
    ("/liftlock promote --override http-errors no", "dana"),
    ("/liftlock lift no", "dana"),
]


def test_without_the_right_each_command_is_denied_once_and_changes_nothing(stage: Stage) -> None:
    live(stage)
    comments = [say(stage, words, by=by) for words, by in DENIED]
    assert state(stage) is State.OBSERVING
    stage.look_after(1)
    assert [words_of(stage.lab, comment) for comment in comments] == [["-1"]] * len(DENIED)
    told = says(stage)
    rows = [line for line in told.splitlines() if "refused:" in line and line.startswith("|")]
    assert [any(f"`{words}`" in row for row in rows) for words, _ in DENIED] == [True] * len(DENIED)
    assert len(rows) == len(DENIED)
    pass_window(stage)
    merged(stage)


def test_where_the_policy_names_a_team_its_active_members_approve_and_writers_do_not(stage: Stage) -> None:
    stage.lab.github.add_team("acme", "release", {"zoe": "member"})
    promote_by(stage.lab, 'merge: human, approvers: ["@acme/release"]')
    ready(stage)
    refused = [say(stage, "/liftlock approve", by=by) for by in ("dana", "pete")]
    assert state(stage) is State.WAITING_FOR_HUMAN
    assert [words_of(stage.lab, comment) for comment in refused] == [["-1"], ["-1"]]
    allowed = say(stage, "/liftlock approve", by="zoe")
    merged(stage)
    assert words_of(stage.lab, allowed) == ["+1"]


@pytest.mark.invariant("I7")
def test_commands_are_heard_where_a_person_has_pushed_or_deleted_the_branch(stage: Stage) -> None:
    pull = live(stage)
    stage.lab.github.commit_as("dana", GITOPS, pull.head, {"README.md": "Mine.\n"}, "One more")
    held = say(stage, "/liftlock hold the sale runs")
    assert state(stage) is State.HELD_BY_HUMAN
    stage.lab.github.delete_branch_as("dana", GITOPS, pull.head)
    resumed, retried = say(stage, "/liftlock resume"), say(stage, "/liftlock retry")
    for _ in range(3):
        stage.look_after(1)
    assert [words_of(stage.lab, one) for one in (held, resumed, retried)] == [["+1"]] * 3
    assert len(stage.lab.pulls("checkout")) == 2


def test_a_right_that_was_taken_away_counts_from_the_next_sweep_on(stage: Stage) -> None:
    ready(stage)
    say(stage, "/liftlock hold the sale runs")
    assert state(stage) is State.HELD_BY_HUMAN
    stage.lab.github.add_user("dana", {GITOPS: "read"})
    refused = say(stage, "/liftlock resume")
    assert state(stage) is State.HELD_BY_HUMAN
    assert words_of(stage.lab, refused) == ["-1"]


# --- what is no command ----------------------------------------------------------------------------------------------


def test_quoted_edited_and_forwarded_words_command_nothing(stage: Stage) -> None:
    live(stage)
    github = stage.lab.github
    quoted = say(stage, "> /liftlock hold the sale runs\n\nWhy would we?")
    code = say(stage, "Write:\n\n```\n/liftlock hold the sale runs\n```\n")
    github.add_app(88, "")
    by_app = say(stage, "/liftlock hold the sale runs", by="app-88[bot]")
    edited = say(stage, "Nothing to see.", by="eve")
    github.edit_comment_as("dana", GITOPS, edited, "/liftlock hold the sale runs")
    stage.look_after(1)
    assert state(stage) is State.OBSERVING
    assert [words_of(stage.lab, one) for one in (quoted, code, by_app)] == [[], [], []]
    assert words_of(stage.lab, edited) == ["confused"]


def test_a_command_counts_as_it_was_first_seen(stage: Stage) -> None:
    live(stage)
    held = say(stage, "/liftlock hold the sale runs")
    assert state(stage) is State.HELD_BY_HUMAN
    stage.lab.github.edit_comment_as("dana", GITOPS, held, "/liftlock resume")
    assert state(stage) is State.HELD_BY_HUMAN
    stage.lab.github.delete_comment_as("dana", GITOPS, held)
    assert state(stage) is State.HELD_BY_HUMAN
    assert words_like_it(stage) == 1


def words_like_it(stage: Stage) -> int:
    """How many commands the ledger has."""
    return len(stage.sweeper.world.ledger.events(service="checkout", kind="command"))


def test_a_comment_that_was_deleted_before_it_was_seen_is_not_heard(stage: Stage) -> None:
    live(stage)
    held = say(stage, "/liftlock hold the sale runs")
    stage.lab.github.delete_comment_as("dana", GITOPS, held)
    assert state(stage) is State.OBSERVING
    assert words_like_it(stage) == 0


def test_the_same_words_of_another_account_do_not_borrow_the_rights_of_the_first(stage: Stage) -> None:
    live(stage)
    dana, eve = (say(stage, "/liftlock hold the sale runs", by=by) for by in ("dana", "eve"))
    assert state(stage) is State.HELD_BY_HUMAN
    assert (words_of(stage.lab, dana), words_of(stage.lab, eve)) == (["+1"], ["-1"])
    resumed = say(stage, "/liftlock resume", by="eve")
    assert state(stage) is State.HELD_BY_HUMAN
    assert words_of(stage.lab, resumed) == ["-1"]


def test_the_bots_own_comment_commands_nothing_whatever_it_says(stage: Stage) -> None:
    live(stage)
    stage.lab.github.comment_as(stage.lab.github.bot_login, GITOPS, 1, "/liftlock hold the sale runs")
    assert state(stage) is State.OBSERVING


def test_what_is_not_understood_is_answered_with_what_was_expected(stage: Stage) -> None:
    live(stage)
    unknown = say(stage, "/liftlock lgtm")
    stage.look_after(1)
    assert words_of(stage.lab, unknown) == ["confused"]
    assert "approve" in says(stage)
    assert candidate(stage).state is State.OBSERVING
