"""What people do to a promotion's pull request, each with its defined effect (docs/pull-requests.md), on fakes.

| a person                                  | effect                                                        |
|-------------------------------------------|---------------------------------------------------------------|
| pushes to the branch                      | not made anew, not merged unless it is the planned edit still |
| takes the bot's section out of the body   | it is not written again; the comment goes on                  |
| closes                                    | rejected for the stage, until reopened or `/liftlock retry`   |
| reopens                                   | goes on                                                       |
| merges                                    | the promotion counts, and is watched                          |
| labels `liftlock/hold`                    | held until it is taken off                                    |
| requests changes                          | waits                                                         |
| makes it a draft                          | held until it is ready                                        |
| marks the early draft ready               | stays ready; merged only when it has passed                   |
| comments a command                        | heard once, recorded, shown                                   |
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.authority import Permission
from bot.domain.decision import State
from bot.domain.policy import EvidenceIn, Merge, Opens, Proposing, Road
from bot.domain.pulls import PullState, Reviews
from bot.forge import Reaction, Urgency
from bot.ports import Permanent, Transient
from tests.builders import NEW, OLD, a_policy
from tests.fake_world import PRODUCTION_FILE, FakeWorld, values

EARLY = Proposing(opens=Opens.EARLY)


def proposed(*, proposing: Proposing | None = None, merge: Merge = Merge.AUTO) -> FakeWorld:
    """1.9.0 is live in staging; its pull request was opened early, as a draft."""
    world = FakeWorld(policy=a_policy(proposing=proposing or EARLY, merge=merge))
    world.forge.permissions = {"dana": Permission.MAINTAIN, "bob": Permission.WRITE, "eve": Permission.READ}
    world.release()
    world.sweep()
    world.sweep()
    assert list(world.forge.pulls) == [1]
    assert world.forge.pulls[1].draft
    return world


def candidate_state(world: FakeWorld) -> State:
    return next(
        item.state for item in world.sweep().judgements if (item.stage, item.role) == ("production", "candidate")
    )


def passed(world: FakeWorld) -> FakeWorld:
    world.pass_time(34)
    return world


def is_promoted(world: FakeWorld) -> bool:
    return world.tag_in(PRODUCTION_FILE) == values(NEW)


# --- the life of one -------------------------------------------------------------------------------------------------


def test_an_early_draft_is_marked_ready_when_the_window_has_passed_and_then_merged() -> None:
    world = proposed()
    assert world.forge.bodies[1].splitlines()[2].startswith("**Not yet.**")
    passed(world).sweep()
    assert not world.forge.pulls[1].draft
    world.sweep_until_settled()
    assert is_promoted(world)
    assert list(world.forge.pulls) == [1]


def test_the_comment_fills_in_while_it_is_observed() -> None:
    world = proposed()
    world.pass_time(10)
    world.sweep()
    first = world.forge.comment(1)
    world.pass_time(5)
    world.sweep()
    assert world.forge.comment(1) != first
    assert "http-errors" in world.forge.comment(1)


def test_with_evidence_in_the_body_no_comment_is_written() -> None:
    world = proposed(proposing=replace(EARLY, evidence=EvidenceIn.BODY))
    world.pass_time(10)
    world.sweep()
    assert world.forge.comments == {}
    assert "http-errors" in world.forge.bodies[1]


def test_the_check_on_the_head_waits_while_it_is_observed_and_passes_with_the_window() -> None:
    world = proposed()
    (check,) = world.signals.checks.values()
    assert (check.name, check.state) == ("liftlock/production", "waiting")
    passed(world).sweep()
    world.sweep()
    assert world.signals.checks["acme/deploy", world.forge.pulls[1].head, "liftlock/production"].state == "passed"


def test_the_check_of_an_unhealthy_release_fails_and_its_draft_stays() -> None:
    world = proposed()
    world.metrics.bad_share = {"http-errors": 0.3}
    world.pass_time(12)
    world.sweep()
    world.sweep()
    assert candidate_state(world) is State.UNHEALTHY
    assert world.forge.pulls[1].state is PullState.OPEN
    assert world.signals.checks["acme/deploy", world.forge.pulls[1].head, "liftlock/production"].state == "failed"


@pytest.mark.invariant("I16")
def test_a_newer_release_gets_its_own_pull_request_and_both_link_each_other() -> None:
    world = proposed()
    world.release("1.10.0")
    world.sweep()
    world.sweep()
    assert world.forge.pulls[1].state is PullState.CLOSED
    assert world.forge.pulls[2].state is PullState.OPEN
    assert "#2" in world.forge.comments[1, "liftlock:closing"]
    assert "#1" in world.forge.bodies[2]


def test_no_more_are_opened_within_an_hour_than_the_limit() -> None:
    world = FakeWorld(policy=a_policy(proposing=EARLY))
    world.openings_per_hour = 1
    world.restart()
    world.release()
    world.sweep()
    world.release("1.10.0")
    world.sweep()
    world.sweep()
    assert [pull.state for pull in world.forge.pulls.values()] == [PullState.CLOSED]
    world.pass_time(61)
    world.sweep()
    assert len(world.forge.pulls) == 2


# --- the branch ------------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I7")
def test_a_persons_push_is_neither_overwritten_nor_merged() -> None:
    world = proposed()
    branch = world.forge.pulls[1].branch
    theirs = world.repositories.commit(branch, {"CODEOWNERS": "* @eve"}, "Mine")
    world.repositories.commit("main", {PRODUCTION_FILE: values(OLD) + "replicas: 3\n"}, "Scale")
    passed(world).sweep_until_settled()
    assert candidate_state(world) is State.HALTED
    assert world.repositories.branches[branch] == theirs
    assert not is_promoted(world)


@pytest.mark.invariant("I2")
def test_a_branch_whose_file_changed_in_the_base_is_made_anew_and_merged_at_its_new_head() -> None:
    world = proposed()
    before = world.forge.pulls[1].head
    world.repositories.commit("main", {PRODUCTION_FILE: values(OLD) + "replicas: 3\n"}, "Scale")
    passed(world).sweep()
    assert world.repositories.branches[world.forge.pulls[1].branch] != before
    world.sweep_until_settled()
    assert world.tag_in(PRODUCTION_FILE) == values(NEW) + "replicas: 3\n"
    assert list(world.forge.pulls) == [1]


@pytest.mark.invariant("I7")
def test_a_persons_push_is_not_deleted_with_the_pull_request_that_is_superseded() -> None:
    world = proposed()
    branch = world.forge.pulls[1].branch
    theirs = world.repositories.commit(branch, {"CODEOWNERS": "* @eve"}, "Mine")
    world.release("1.10.0")
    world.sweep()
    assert world.forge.pulls[1].state is PullState.CLOSED
    assert world.repositories.branches[branch] == theirs


@pytest.mark.invariant("I7")
def test_where_the_notes_were_lost_no_branch_is_made_anew() -> None:
    world = proposed()
    world.ledger.notes.clear()
    world.repositories.commit("main", {PRODUCTION_FILE: values(OLD) + "replicas: 3\n"}, "Scale")
    passed(world).sweep_until_settled()
    assert candidate_state(world) is State.HALTED


@pytest.mark.invariant("I2")
def test_a_merge_that_was_decided_is_not_done_where_the_world_has_moved_since() -> None:
    world = proposed()
    passed(world).sweep()
    looked = world.forge.look_again

    def and_a_push(repository: str, number: int, urgency: Urgency) -> object:
        pull = looked(repository, number, urgency)
        world.repositories.commit(pull.branch, {"CODEOWNERS": "* @eve"}, "Mine")
        return pull

    world.forge.look_again = and_a_push  # type: ignore[method-assign,assignment]  # a push at the worst moment
    report = world.report()
    assert any("#1 was not merged" in outcome for _, outcome in report.outcomes)
    assert not is_promoted(world)


# --- open and closed -------------------------------------------------------------------------------------------------


def test_closed_by_a_person_is_rejected_until_it_is_opened_again() -> None:
    world = proposed()
    world.forge.edit(1, state=PullState.CLOSED, closed_by="dana", closed_at=world.clock.now())
    passed(world)
    assert candidate_state(world) is State.REJECTED_BY_HUMAN
    assert list(world.forge.pulls) == [1]
    world.forge.edit(1, state=PullState.OPEN, closed_by=None, closed_at=None, reopened_by="dana")
    world.sweep_until_settled()
    assert is_promoted(world)


def test_a_retry_on_a_closed_pull_request_opens_another() -> None:
    world = proposed()
    world.forge.edit(1, state=PullState.CLOSED, closed_by="bob", closed_at=world.clock.now())
    world.pass_time(1)
    world.forge.say(1, "/liftlock retry", by="bob")
    world.sweep()
    assert world.forge.pulls[2].state is PullState.OPEN


def test_a_merge_by_a_person_counts_and_is_watched() -> None:
    world = proposed()
    world.forge.edit(1, draft=False)
    promotion = world.repositories.commits[world.forge.pulls[1].head].message
    world.forge.merge(1, promotion, by="dana")
    world.sync()
    states = {(item.stage, item.role): item.state for item in world.sweep().judgements}
    assert states["production", "running"] is State.WATCHING


def test_a_draft_made_ready_too_soon_stays_ready_and_waits() -> None:
    world = proposed()
    world.forge.edit(1, draft=False)
    world.pass_time(5)
    world.sweep_until_settled()
    assert not world.forge.pulls[1].draft
    assert not is_promoted(world)


@pytest.mark.parametrize(
    ("does", "takes_back"),
    [
        ({"draft": True, "draft_by": "dana"}, {"draft": False, "draft_by": None}),
        ({"labels": ("liftlock/hold",)}, {"labels": ()}),
    ],
    ids=["draft", "label"],
)
def test_a_draft_or_a_hold_label_of_a_person_holds_until_it_is_taken_back(
    does: dict[str, object], takes_back: dict[str, object]
) -> None:
    world = proposed()
    world.forge.edit(1, **does)
    passed(world)
    assert candidate_state(world) is State.HELD_BY_HUMAN
    world.forge.edit(1, **takes_back)
    world.sweep_until_settled()
    assert is_promoted(world)


def test_requested_changes_wait_until_they_are_dismissed() -> None:
    world = proposed()
    passed(world).sweep()
    world.forge.edit(1, reviews=Reviews(changes_requested_by=("dana",)))
    assert candidate_state(world) is State.WAITING_FOR_HUMAN
    world.forge.edit(1, reviews=Reviews())
    world.sweep_until_settled()
    assert is_promoted(world)


def test_a_section_that_a_person_took_out_is_not_written_again() -> None:
    world = proposed()
    world.forge.sections_gone.add(1)
    before = world.forge.bodies[1]
    passed(world).sweep()
    assert world.forge.bodies[1] == before


def test_the_call_for_a_person_is_taken_back_when_nobody_has_to_act_any_more() -> None:
    world = proposed(merge=Merge.HUMAN)
    assert (1, "liftlock:attention") not in world.forge.comments
    passed(world).sweep()
    world.sweep()
    assert "A person must act" in world.forge.comments[1, "liftlock:attention"]
    promotion = world.repositories.commits[world.forge.pulls[1].head].message
    world.forge.merge(1, promotion, by="dana")
    world.sync()
    world.sweep()
    assert "Nobody has to act" in world.forge.comments[1, "liftlock:attention"]


# --- commands --------------------------------------------------------------------------------------------------------


def test_a_hold_by_command_stands_until_it_is_resumed() -> None:
    world = proposed()
    comment = world.forge.say(1, "/liftlock hold the sale runs", by="bob")
    passed(world)
    assert candidate_state(world) is State.HELD_BY_HUMAN
    assert world.forge.reactions[comment] is Reaction.DONE
    assert "the sale runs" in world.forge.comment(1)
    world.forge.say(1, "/liftlock resume", by="bob")
    world.sweep_until_settled()
    assert is_promoted(world)


def test_a_command_is_heard_once_even_if_it_is_edited_or_deleted_afterwards() -> None:
    world = proposed()
    world.forge.say(1, "/liftlock hold the sale runs", by="bob")
    world.sweep()
    world.forge.edit(1, remarks=())
    world.sweep()
    assert len([event for event in world.ledger.recorded if event.kind == "command"]) == 1
    assert candidate_state(world) is State.HELD_BY_HUMAN


def test_an_edited_comment_is_no_command() -> None:
    world = proposed()
    world.forge.say(1, "/liftlock hold the sale runs", by="bob")
    remark = replace(world.forge.pulls[1].remarks[0], was_edited=True)
    world.forge.edit(1, remarks=(remark,))
    world.sweep()
    assert candidate_state(world) is State.OBSERVING
    assert world.forge.reactions == {remark.id: Reaction.CONFUSED}


def test_an_apps_comment_is_no_command() -> None:
    world = proposed()
    world.forge.say(1, "/liftlock hold the sale runs", by="bob")
    world.forge.edit(1, remarks=(replace(world.forge.pulls[1].remarks[0], is_app=True),))
    world.sweep()
    assert candidate_state(world) is State.OBSERVING
    assert world.forge.reactions == {}


DENIED = [
    ("/liftlock hold no", "eve"),
    ("/liftlock resume", "eve"),
    ("/liftlock approve", "eve"),
    ("/liftlock reject no", "eve"),
    ("/liftlock retry", "eve"),
    ('/liftlock promote --override http-errors "known noise"', "bob"),
    ("/liftlock rollback no", "eve"),
    ("/liftlock lift no", "bob"),
]


@pytest.mark.parametrize(("words", "by"), DENIED, ids=[words.split()[1] for words, _ in DENIED])
def test_a_command_without_the_right_is_denied_and_explained_once(words: str, by: str) -> None:
    world = proposed()
    world.pass_time(1)
    comment = world.forge.say(1, words, by=by)
    world.sweep()
    world.sweep()
    events = [event for event in world.ledger.recorded if event.kind == "answer"]
    assert [event.body["accepted"] for event in events] == [False]
    assert by in str(events[0].body["effect"])
    assert world.forge.reactions[comment] is Reaction.REFUSED
    assert candidate_state(world) is State.OBSERVING


@pytest.mark.parametrize("words", ["status", "explain", "help"])
def test_everybody_who_reads_may_ask(words: str) -> None:
    world = proposed()
    comment = world.forge.say(1, f"/liftlock {words}", by="eve")
    world.sweep()
    assert world.forge.reactions[comment] is Reaction.DONE
    assert f"/liftlock {words}" in world.forge.comment(1)


@pytest.mark.invariant("I16")
def test_an_approval_lets_the_bot_merge_at_the_head_it_was_given_for() -> None:
    world = proposed(merge=Merge.HUMAN)
    passed(world).sweep()
    world.pass_time(1)
    world.sweep_until_settled()
    assert not is_promoted(world)
    world.forge.say(1, "/liftlock approve", by="bob")
    world.sweep_until_settled()
    assert is_promoted(world)


@pytest.mark.invariant("I16")
def test_an_approval_is_refused_if_the_head_moved_after_it() -> None:
    world = proposed(merge=Merge.HUMAN)
    passed(world).sweep()
    world.pass_time(1)
    world.forge.say(1, "/liftlock approve", by="bob")
    branch = world.forge.pulls[1].branch
    world.repositories.commit(branch, {"CODEOWNERS": "* @eve"}, "Mine")
    world.sweep_until_settled()
    assert not is_promoted(world)


@pytest.mark.invariant("I1")
def test_an_override_of_a_named_gate_lets_an_unhealthy_release_move() -> None:
    world = proposed()
    world.metrics.bad_share = {"http-errors": 0.3}
    world.pass_time(12)
    world.sweep()
    assert candidate_state(world) is State.UNHEALTHY
    world.forge.say(1, "/liftlock promote --override http-errors a known noisy probe", by="dana")
    world.metrics.bad_share = {"http-errors": 0.3}
    passed(world).sweep_until_settled()
    assert is_promoted(world)
    message = " ".join(world.repositories.commits[world.head].message.split())
    assert "overridden by a person: http-errors" in message
    assert "dana: a known noisy probe" in message


@pytest.mark.invariant("I3")
def test_a_rejected_release_is_withdrawn_and_stays_away() -> None:
    world = proposed()
    world.forge.say(1, "/liftlock reject it breaks invoices", by="bob")
    passed(world).sweep_until_settled()
    assert world.forge.pulls[1].state is PullState.CLOSED
    assert candidate_state(world) is State.REJECTED_BY_HUMAN
    assert list(world.forge.pulls) == [1]


def test_a_rollback_by_command_takes_the_release_back() -> None:
    world = proposed()
    passed(world).sweep_until_settled()
    assert is_promoted(world)
    world.sync()
    world.pass_time(5)
    world.forge.say(1, "/liftlock rollback invoices are wrong", by="bob")
    world.sweep_until_settled()
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)
    revert = world.repositories.commits[world.head].message
    assert "bob ordered it: invoices are wrong" in revert


def test_too_many_commands_of_one_account_are_answered_once() -> None:
    world = proposed()
    for _ in range(25):
        world.forge.say(1, "/liftlock status", by="eve")
    world.sweep()
    events = [event for event in world.ledger.recorded if event.kind == "answer"]
    assert len(events) == 21


def test_a_command_that_could_not_be_judged_is_heard_at_a_later_sweep() -> None:
    world = proposed()
    world.forge.fail["permission_of"] = Transient("GitHub", "no answer")
    world.forge.say(1, "/liftlock hold the sale runs", by="bob")
    world.sweep()
    assert candidate_state(world) is State.OBSERVING
    world.forge.fail.clear()
    world.sweep()
    assert candidate_state(world) is State.HELD_BY_HUMAN


def test_a_reaction_that_fails_takes_nothing_back() -> None:
    world = proposed()
    world.forge.fail["react"] = Transient("GitHub", "no answer")
    world.forge.say(1, "/liftlock hold the sale runs", by="bob")
    world.sweep()
    assert candidate_state(world) is State.HELD_BY_HUMAN


def test_a_reaction_that_was_lost_with_the_process_is_given_later_and_the_command_heard_once() -> None:
    world = proposed()
    comment = world.forge.say(1, "/liftlock hold the sale runs", by="bob")
    # A process that is killed right before the reaction leaves the same behind.
    world.forge.fail["react"] = Transient("GitHub", "no answer")
    world.sweep()
    assert world.forge.reactions == {}
    world.restart()
    world.forge.fail.clear()
    world.sweep()
    assert world.forge.reactions == {comment: Reaction.DONE}
    world.sweep()
    assert len([event for event in world.ledger.recorded if event.kind == "command"]) == 1


def test_a_reaction_that_github_refuses_for_good_is_not_tried_again() -> None:
    world = proposed()
    world.forge.say(1, "/liftlock hold the sale runs", by="bob")
    world.forge.fail["react"] = Permanent("GitHub", "the conversation is locked")
    for _ in range(3):
        world.sweep()
    assert world.forge.calls.count("react") == 1


def test_a_named_approver_and_a_member_of_a_named_team_may_approve_and_nobody_else_by_role() -> None:
    for by, teams, may in (("eve", {}, True), ("zoe", {"acme/release": {"zoe"}}, True), ("bob", {}, False)):
        world = proposed(proposing=replace(EARLY, approvers=("@eve", "@acme/release")), merge=Merge.HUMAN)
        world.forge.teams = {name: set(members) for name, members in teams.items()}
        passed(world).sweep()
        world.pass_time(1)
        world.forge.say(1, "/liftlock approve", by=by)
        world.sweep_until_settled()
        assert is_promoted(world) is may, by


@pytest.mark.parametrize("command", ["promote --override http-errors I know", "reject it is bad", "approve"])
@pytest.mark.parametrize("permission", [Permission.NONE, Permission.READ])
def test_a_named_approver_who_has_no_access_any_more_is_not_obeyed(command: str, permission: Permission) -> None:
    team = "acme/release"
    world = proposed(proposing=replace(EARLY, approvers=("@eve", f"@{team}")), merge=Merge.HUMAN)
    world.forge.teams = {team: {"zoe"}}
    world.forge.permissions |= {"eve": permission, "zoe": permission}
    world.pass_time(1)
    said = [world.forge.say(1, f"/liftlock {command}", by=by) for by in ("eve", "zoe")]
    world.sweep()
    is_obeyed = permission is Permission.READ
    assert [world.forge.reactions[one] for one in said] == [Reaction.DONE if is_obeyed else Reaction.REFUSED] * 2
    told = [str(event.body["effect"]) for event in world.ledger.recorded if event.kind == "answer"]
    assert [line.partition("; ")[2] for line in told] == (
        [] if is_obeyed else [f"{by} has no access here, or another name by now." for by in ("eve", "zoe")]
    )


def test_a_dry_run_hears_nothing() -> None:
    world = proposed()
    world.forge.say(1, "/liftlock hold the sale runs", by="bob")
    world.dry_run = True
    world.restart()
    world.sweep()
    assert world.forge.reactions == {}
    assert not [event for event in world.ledger.recorded if event.kind == "command"]


# --- without a pull request ------------------------------------------------------------------------------------------


def test_a_promotion_by_commit_needs_no_pull_request_and_is_watched() -> None:
    world = FakeWorld(policy=a_policy(proposing=Proposing(by=Road.COMMIT)))
    world.release()
    world.sweep()
    passed(world).sweep_until_settled()
    assert is_promoted(world)
    assert world.forge.pulls == {}
    world.sync()
    states = {(item.stage, item.role): item.state for item in world.sweep().judgements}
    assert states["production", "running"] is State.WATCHING
