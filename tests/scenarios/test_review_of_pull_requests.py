"""What a review of the life of pull requests found, each with the world in which it went wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.authority import Permission
from bot.domain.decision import Judgement, State
from bot.domain.model import Artifact, Digest
from bot.domain.naming import release_branch
from bot.domain.policy import Merge, Opens, Proposing, Road
from bot.domain.pulls import Pull, PullState
from bot.forge import Reaction, Urgency
from bot.ports import Permanent, Transient
from bot.records import Event
from tests.builders import IMAGE, NEW, OLD, a_policy
from tests.fake_world import PRODUCTION_FILE, FakeWorld, values
from tests.scenarios.test_people_on_fakes import EARLY, candidate_state, is_promoted, passed, proposed

A, B = Digest("sha256:" + "a" * 64), Digest("sha256:" + "b" * 64)


def the_candidate(world: FakeWorld) -> Judgement:
    found = [item for item in world.sweep().judgements if (item.stage, item.role) == ("production", "candidate")]
    return found[0]


def reopened(world: FakeWorld, number: int) -> None:
    pull = world.forge.pulls[number]
    branches = world.repositories.branches
    branches.setdefault(pull.branch, pull.head)
    world.forge.edit(
        number, state=PullState.OPEN, closed_by=None, closed_by_bot=False, closed_at=None, reopened_by="dana"
    )


# --- which bytes -----------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I16")
@pytest.mark.parametrize("proposing", [EARLY, Proposing(opens=Opens.ON_PASS), Proposing(by=Road.COMMIT)])
def test_a_tag_that_was_set_anew_while_it_was_observed_is_not_promoted(proposing: Proposing) -> None:
    world = FakeWorld(policy=a_policy(proposing=proposing))
    world.registry.artifacts[f"{IMAGE}:{NEW}"] = Artifact(digest=A)
    world.release()
    world.sweep()
    world.registry.artifacts[f"{IMAGE}:{NEW}"] = Artifact(digest=B)
    passed(world).sweep_until_settled()
    assert candidate_state(world) is State.HALTED
    assert not is_promoted(world)


def test_a_digest_that_became_known_later_makes_the_bots_branch_anew() -> None:
    world = proposed()
    world.registry.artifacts[f"{IMAGE}:{NEW}"] = Artifact(digest=A)
    passed(world).sweep_until_settled()
    assert is_promoted(world)
    assert f"{IMAGE}:{NEW}@{A}" in world.repositories.commits[world.head].message


def test_a_persons_empty_commit_on_the_branch_is_said_to_be_no_commit_of_the_bots() -> None:
    world = proposed()
    branch = world.forge.pulls[1].branch
    world.repositories.commit(branch, {}, "Run the checks again")
    passed(world).sweep()
    waits = the_candidate(world)
    assert waits.state is State.HALTED
    assert waits.reason == "a commit on #1 is not the bot's, so only a person may merge it"


def test_an_approval_that_an_older_head_took_with_it_is_said_to_be_of_that_one() -> None:
    world = proposed(merge=Merge.HUMAN)
    head = passed(world).forge.pulls[1].head
    world.sweep()
    world.forge.edit(1, head_at=world.clock.now())
    world.pass_time(1)
    world.forge.say(1, "/liftlock approve", by="dana")
    world.forge.permissions["dana"] = Permission.ADMIN
    world.forge.edit(1, mergeable=None)
    world.sweep()
    world.repositories.commit("main", {PRODUCTION_FILE: values(OLD) + "replicas: 3\n"}, "Scale")
    world.forge.edit(1, mergeable=True)
    world.sweep()
    waits = the_candidate(world)
    now = world.repositories.branches[world.forge.pulls[1].branch]
    assert waits.state is State.WAITING_FOR_HUMAN
    assert waits.reason.endswith(f"; the approval of dana was for {head[:7]}, and the head is {now[:7]} now")


# --- what is refused for good ---


def entries(world: FakeWorld) -> int:
    return len([event for event in world.ledger.recorded if event.kind in {"action", "outcome", "decision"}])


def test_what_was_refused_for_good_is_tried_again_after_a_while_and_not_at_every_sweep() -> None:
    world = FakeWorld(policy=a_policy(proposing=EARLY))
    world.forge.fail["open_promotion"] = Permanent("GitHub", "the token may not do that")
    world.release()
    for _ in range(3):
        world.sweep()
    before, tries = entries(world), world.forge.calls.count("open_promotion")
    assert tries == 1
    for _ in range(4):
        world.pass_time(0.5)
        outcomes = dict(world.report().outcomes)
    assert (entries(world), world.forge.calls.count("open_promotion")) == (before, tries)
    said = next(outcome for action, outcome in outcomes.items() if action.kind == "open promotion")
    assert said == "not done: GitHub: the token may not do that; it is tried again at 12:05:00 UTC"
    world.forge.fail.clear()
    world.pass_time(4)
    world.sweep()
    assert list(world.forge.pulls) == [1]


def test_a_command_has_what_was_refused_tried_again_at_once() -> None:
    world = proposed()
    world.forge.fail["mark_ready"] = Permanent("GitHub", "the token may not do that")
    passed(world).sweep()
    world.sweep()
    assert world.forge.calls.count("mark_ready") == 1
    world.forge.fail.clear()
    world.forge.say(1, "/liftlock retry", by="bob")
    world.sweep()
    assert world.forge.calls.count("mark_ready") == 2


@pytest.mark.invariant("I15")
def test_what_could_not_be_reached_is_tried_at_every_sweep() -> None:
    world = FakeWorld(policy=a_policy(proposing=EARLY))
    world.forge.fail["open_promotion"] = Transient("GitHub", "no answer")
    world.release()
    for _ in range(4):
        world.sweep()
    assert world.forge.calls.count("open_promotion") >= 3


# --- what stands -----------------------------------------------------------------------------------------------------


def test_no_number_of_questions_pushes_a_hold_out_of_force() -> None:
    world = proposed()
    world.forge.say(1, "/liftlock hold the sale runs", by="bob")
    world.sweep()
    for _ in range(1200):
        answer = Event(at=world.clock.now(), service="checkout", stage="production", kind="answer", body={"number": 1})
        world.ledger.recorded.append(answer)
    assert candidate_state(passed(world)) is State.HELD_BY_HUMAN


@pytest.mark.invariant("I3")
def test_a_rejected_release_stays_rejected_when_the_ledger_is_lost() -> None:
    world = proposed()
    world.forge.say(1, "/liftlock reject it breaks invoices", by="bob")
    world.sweep_until_settled()
    world.ledger.recorded.clear()
    world.ledger.notes.clear()
    world.restart()
    passed(world).sweep_until_settled()
    assert candidate_state(world) is State.REJECTED_BY_HUMAN
    assert list(world.forge.pulls) == [1]


def test_a_held_stage_shows_the_next_release_so_that_people_can_resume_it() -> None:
    world = proposed()
    world.forge.say(1, "/liftlock hold the sale runs", by="bob")
    world.sweep()
    world.release("1.10.0")
    world.sweep_until_settled()
    assert world.forge.pulls[2].draft
    passed(world).sweep_until_settled()
    assert candidate_state(world) is State.HELD_BY_HUMAN
    world.forge.say(2, "/liftlock resume", by="bob")
    world.sweep_until_settled()
    assert world.tag_in(PRODUCTION_FILE) == values("1.10.0")


@pytest.mark.invariant("I7")
def test_what_a_person_opens_again_after_a_rejection_is_not_closed_again() -> None:
    world = proposed()
    world.forge.say(1, "/liftlock reject it breaks invoices", by="bob")
    world.sweep_until_settled()
    reopened(world, 1)
    passed(world).sweep_until_settled()
    assert world.forge.pulls[1].state is PullState.OPEN
    assert not is_promoted(world)


@pytest.mark.invariant("I3")
def test_the_pull_request_of_a_quarantined_release_is_looked_for_and_withdrawn() -> None:
    world = proposed()
    passed(world).sweep_until_settled()
    world.sync()
    world.metrics.bad_share = {"http-errors": 0.3}
    for _ in range(8):
        world.pass_time(1)
        world.sweep()
    assert candidate_state(world) is State.QUARANTINED
    assert world.forge.pulls[1].branch in world.forge.looks[-1][1]


def test_a_retry_of_a_quarantined_release_is_denied() -> None:
    world = proposed()
    passed(world).sweep_until_settled()
    world.sync()
    world.pass_time(1)
    world.forge.say(1, "/liftlock rollback invoices are wrong", by="bob")
    world.sweep_until_settled()
    world.pass_time(1)
    comment = world.forge.say(1, "/liftlock retry", by="bob")
    world.sweep()
    assert world.forge.reactions[comment] is Reaction.REFUSED


# --- at the moment of the merge --------------------------------------------------------------------------------------


@pytest.mark.invariant("I2")
@pytest.mark.parametrize(
    "what", ["a hold label", "a command", "a draft", "closed"], ids=["hold label", "command", "draft", "closed"]
)
def test_what_people_do_between_look_and_merge_keeps_it_from_being_merged(what: str) -> None:
    world = proposed()
    passed(world).sweep()
    looked = world.forge.look_again

    def and_then(repository: str, number: int, urgency: Urgency = Urgency.MERGE) -> Pull:
        if what == "a command":
            world.forge.say(number, "/liftlock hold wait", by="bob")
        changes: dict[str, dict[str, object]] = {
            "a hold label": {"labels": ("liftlock/hold",)},
            "a draft": {"draft": True, "draft_by": "dana"},
            "closed": {"state": PullState.CLOSED, "closed_by": "dana"},
        }
        world.forge.edit(number, **changes.get(what, {}))
        return looked(repository, number, urgency)

    world.forge.look_again = and_then  # type: ignore[method-assign]  # a person at the worst moment
    world.sweep()
    assert not is_promoted(world)


# --- rollbacks by command --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("road", [Road.COMMIT, Road.PULL_REQUEST, None], ids=["commit", "pull request", "no rollback"])
def test_a_rollback_is_heard_long_after_the_watch_and_without_one(road: Road | None) -> None:
    policy = a_policy(proposing=EARLY)
    production = policy.stages[1]
    assert production.rollback is not None
    rollback = replace(production.rollback, by=road) if road is not None else None
    world = FakeWorld(policy=replace(policy, stages=(policy.stages[0], replace(production, rollback=rollback))))
    world.forge.permissions = {"bob": Permission.WRITE}
    world.release()
    world.sweep()
    passed(world).sweep_until_settled()
    assert is_promoted(world)
    world.sync()
    world.pass_time(20 * 60)
    world.sweep()
    world.forge.say(1, "/liftlock rollback invoices are wrong", by="bob")
    world.sweep_until_settled()
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)


def test_a_rollback_by_pull_request_is_merged_also_when_the_file_has_changed_elsewhere_since() -> None:
    policy = a_policy(proposing=EARLY)
    production = policy.stages[1]
    assert production.rollback is not None
    by_pull = replace(production, rollback=replace(production.rollback, by=Road.PULL_REQUEST))
    world = FakeWorld(policy=replace(policy, stages=(policy.stages[0], by_pull)))
    world.release()
    world.sweep()
    passed(world).sweep_until_settled()
    world.sync()
    world.metrics.bad_share = {"http-errors": 0.3}
    while len(world.forge.pulls) == 1:
        world.pass_time(1)
        world.sweep()
    world.repositories.commit("main", {PRODUCTION_FILE: values(NEW) + "replicas: 3\n"}, "Scale")
    for _ in range(10):
        world.pass_time(1)
        world.sweep()
    assert world.forge.pulls[2].state is PullState.MERGED


# --- what is left standing -------------------------------------------------------------------------------------------


def test_a_withdrawn_pull_request_does_not_say_any_more_that_it_passed_or_waits_for_people() -> None:
    world = proposed(merge=Merge.HUMAN)
    passed(world).sweep()
    world.sweep()
    head = world.forge.pulls[1].head
    assert world.signals.checks["acme/deploy", head, "liftlock/production"].state == "passed"
    world.release("1.10.0")
    world.sweep_until_settled()
    assert world.signals.checks["acme/deploy", head, "liftlock/production"].state == "failed"
    assert "Nobody has to act" in world.forge.comments[1, "liftlock:attention"]


def test_a_merged_pull_request_says_so_in_its_body() -> None:
    world = proposed()
    passed(world).sweep_until_settled()
    world.sync()
    world.sweep()
    assert "Not yet" not in world.forge.bodies[1]
    assert "Merges by itself" not in world.forge.bodies[1]


def test_a_pull_request_that_only_waits_for_a_person_is_not_written_every_minute() -> None:
    world = proposed(merge=Merge.HUMAN)
    world.restart(comment_every=timedelta(minutes=1))
    passed(world).sweep_until_settled()
    before = dict(world.forge.written), world.forge.calls.count("edit_promotion"), len(world.signals.calls)
    for _ in range(20):
        world.pass_time(1)
        world.sweep()
    after = dict(world.forge.written), world.forge.calls.count("edit_promotion"), len(world.signals.calls)
    assert after == before


def test_a_switch_to_commits_waits_for_the_pull_request_that_is_open() -> None:
    world = proposed()
    passed(world).sweep()
    world.forge.edit(1, draft=True, draft_by=None)
    production = replace(world.policy.stages[1], proposing=Proposing(by=Road.COMMIT))
    world.policy = replace(world.policy, version="e" * 64, stages=(world.policy.stages[0], production))
    world.sweep()
    passed(world)
    assert candidate_state(world) is State.WAITING_FOR_HUMAN
    assert not is_promoted(world)


@pytest.mark.parametrize("value", ["", "x", "null", "[]", '{"a": 1}', "a=b c", "a=2026-01-01T00:00:00", "\x00"])
def test_notes_of_any_kind_stop_nothing(value: str) -> None:
    world = proposed()
    branch = release_branch("checkout", "production", next(iter([world.sweep().judgements[0].release])))  # type: ignore[arg-type]
    assert world.ledger.notes
    for key in world.ledger.notes:
        if not key.startswith("digest/"):
            world.ledger.notes[key] = value
    assert branch in world.repositories.branches
    passed(world).sweep_until_settled()
    assert is_promoted(world) or candidate_state(world) is State.HALTED
