"""The whole loop with time under control: observe, decide, record, apply, again and again, against stateful fakes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.apply import Applier
from bot.domain.decision import State
from bot.domain.edit import KustomizeEdit
from bot.domain.model import Artifact, Digest, Release, Sha
from bot.domain.naming import revert_branch
from bot.domain.policy import Merge, Road
from bot.domain.pulls import PullState, Reviews
from bot.domain.trailers import parse_trailers
from bot.engine.record import replay
from bot.forge import PullText
from bot.observe import observe
from bot.ports import Conflict, Permanent, Transient
from tests.builders import IMAGE, NEW, OLD, a_policy, a_rollback
from tests.fake_world import PRODUCTION_FILE, STAGING_FILE, FakeWorld, values
from tests.fakes import FakeClock


def promoted_world(**policy: object) -> FakeWorld:
    """1.9.0 has passed staging and was promoted by the bot; Argo CD has not synced production yet."""
    world = FakeWorld(policy=a_policy(**policy))  # type: ignore[arg-type]  # a test names only what it changes
    world.release()
    world.sweep()
    world.pass_time(34)
    world.sweep_until_settled()
    assert world.tag_in(PRODUCTION_FILE) == values(NEW)
    return world


def failing_world(**policy: object) -> FakeWorld:
    """1.9.0 was promoted, deployed, and has failed for long enough that a trigger fires at the next sweep."""
    world = promoted_world(**policy)
    world.sync()
    world.metrics.bad_share = {"http-errors": 0.3}
    world.pass_time(4)
    return world


def protect_main(world: FakeWorld) -> None:
    """Let the server refuse pushes to main, as a protected branch does."""
    pushed = world.repositories.push

    def push(repository: str, branch: str, commit: Sha, *, expected: Sha | None) -> None:
        if branch == "main":
            raise Permanent("Git", "the server does not let the bot push to main of acme/deploy: protected")
        pushed(repository, branch, commit, expected=expected)

    world.repositories.push = push  # type: ignore[method-assign]  # likewise


def state_of(world: FakeWorld, stage: str, role: str) -> State:
    return next(item.state for item in world.sweep().judgements if (item.stage, item.role) == (stage, role))


# --- a good release --------------------------------------------------------------------------------------------------


def test_a_good_release_passes_its_window_is_proposed_and_merged() -> None:
    world = promoted_world()
    assert world.forge.merges == [1]
    assert world.forge.pulls[1].branch not in world.repositories.branches
    trailers = parse_trailers(world.repositories.commits[world.head].message)
    assert trailers is not None
    assert (trailers.service, trailers.stage, trailers.release) == ("checkout", "production", f"{IMAGE}:{NEW}")
    assert trailers.promotes == "staging -> production"
    assert (trailers.evidence or "").startswith("sha256:")


@pytest.mark.invariant("I1")
def test_nothing_is_proposed_before_the_window_has_passed() -> None:
    world = FakeWorld()
    world.release()
    for _ in range(32):
        world.sweep()
        assert world.forge.pulls == {}
        world.pass_time(1)
    world.pass_time(2)
    world.sweep()
    assert list(world.forge.pulls) == [1]


def test_a_window_that_is_watched_all_the_time_and_one_that_is_caught_up_give_the_same_evidence() -> None:
    watched, caught_up = FakeWorld(), FakeWorld()
    for world in (watched, caught_up):
        world.release()
        world.sweep()
    for _ in range(68):
        watched.pass_time(0.5)
        watched.sweep()
    caught_up.pass_time(34)
    caught_up.restart()
    caught_up.sweep()
    hashes = {
        (parse_trailers(commit.message) or pytest.fail("no trailers")).evidence
        for world in (watched, caught_up)
        for commit in world.repositories.commits.values()
        if "Liftlock-Promotes" in commit.message and commit.author == "liftlock" and commit.at == caught_up.clock.now()
    }
    assert len(hashes) <= 1


def test_the_same_release_is_proposed_once_however_often_the_bot_looks() -> None:
    world = FakeWorld(policy=a_policy(merge=Merge.HUMAN))
    world.release()
    world.sweep()
    world.pass_time(34)
    for _ in range(5):
        world.sweep()
        world.restart()
    assert list(world.forge.pulls) == [1]
    assert world.forge.merges == []


def test_the_merge_is_left_to_a_person_where_the_policy_says_so() -> None:
    world = FakeWorld(policy=a_policy(merge=Merge.HUMAN))
    world.release()
    world.sweep()
    world.pass_time(34)
    world.sweep()
    assert state_of(world, "production", "candidate") is State.WAITING_FOR_HUMAN


def test_a_pull_request_that_a_person_closes_is_not_opened_again() -> None:
    world = FakeWorld(policy=a_policy(merge=Merge.HUMAN))
    world.release()
    world.sweep()
    world.pass_time(34)
    world.sweep()
    world.forge.edit(1, state=PullState.CLOSED, closed_by="alice")
    world.sweep_until_settled()
    assert list(world.forge.pulls) == [1]
    assert state_of(world, "production", "candidate") is State.REJECTED_BY_HUMAN


def test_a_newer_release_closes_the_pull_request_of_the_older_one() -> None:
    world = FakeWorld(policy=a_policy(merge=Merge.HUMAN))
    world.release()
    world.sweep()
    world.pass_time(34)
    world.sweep()
    world.release("1.9.1")
    world.sweep()
    assert world.forge.pulls[1].state is PullState.CLOSED


def test_a_persons_push_to_the_branch_is_never_merged_or_overwritten() -> None:
    world = FakeWorld(policy=a_policy())
    world.release()
    world.sweep()
    world.pass_time(34)
    world.sweep()
    branch = world.forge.pulls[1].branch
    pushed = world.repositories.commit(branch, {"CODEOWNERS": "* @mallory"}, "One more thing")
    world.sweep_until_settled()
    assert world.forge.merges == []
    assert world.repositories.branches[branch] == pushed


def test_the_comment_shows_the_evidence_and_follows_the_release_into_production() -> None:
    world = promoted_world()
    world.sync()
    world.pass_time(5)
    world.sweep()
    assert "http-errors" in world.forge.comment(1)
    assert "argocd-degraded" in world.forge.comment(1)


# --- a bad release ---------------------------------------------------------------------------------------------------


def test_a_release_that_fails_in_staging_is_never_proposed() -> None:
    world = FakeWorld()
    world.metrics.bad_share = {"http-errors": 0.2}
    world.release()
    for _ in range(45):
        world.sweep()
        world.pass_time(1)
    assert world.forge.pulls == {}
    assert state_of(world, "staging", "running") is State.UNHEALTHY


@pytest.mark.invariant("I4")
def test_a_release_that_fails_in_production_is_reverted_once_and_quarantined() -> None:
    world = promoted_world()
    world.sync()
    world.metrics.bad_share = {"http-errors": 0.3}
    for _ in range(8):
        world.pass_time(1)
        world.sweep()
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)
    reverts = [commit for commit in world.repositories.line(world.head) if "Liftlock-Reverts" in commit.message]
    assert len(reverts) == 1
    assert reverts[0].message.startswith('Revert "')
    assert state_of(world, "production", "candidate") is State.QUARANTINED
    assert world.forge.comment(1).startswith("**Rolled back.**")
    assert "**Why:** http-errors: 60 of 200 bad" in world.forge.comment(1)


@pytest.mark.parametrize("helps", [True, False])
def test_people_are_told_whether_a_rollback_has_helped(helps: bool) -> None:
    world = failing_world()
    world.sweep()
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)
    world.sync()
    world.metrics.bad_share = {"http-errors": 0.0 if helps else 0.3}
    for _ in range(10):
        world.pass_time(1)
        decision = world.sweep()
    running = next(one for one in decision.judgements if (one.stage, one.role) == ("production", "running"))
    if helps:
        assert running.state is State.ROLLED_BACK
        assert (1, "liftlock:attention") not in world.forge.comments
    else:
        assert running.reason.startswith("the rollback of 1.9.0 to 1.8.2 did not help: http-errors: ")
        assert "did not help" in world.forge.comments[1, "liftlock:attention"]
    reverts = [commit for commit in world.repositories.line(world.head) if "Liftlock-Reverts" in commit.message]
    assert len(reverts) == 1


def test_a_rollback_leaves_what_others_changed_in_the_file_since() -> None:
    world = promoted_world()
    world.repositories.commit("main", {PRODUCTION_FILE: values(NEW) + "replicas: 3\n"}, "More replicas")
    world.sync()
    world.metrics.bad_share = {"http-errors": 0.3}
    world.pass_time(4)
    world.sweep()
    assert world.tag_in(PRODUCTION_FILE) == values(OLD) + "replicas: 3\n"


def test_a_quarantined_release_stays_out_when_the_ledger_is_lost() -> None:
    world = failing_world()
    world.sweep()
    world.metrics.bad_share = {}
    world.ledger.recorded.clear()
    world.ledger.kept.clear()
    world.sightings.health.clear()
    world.sightings.marks.clear()
    world.restart()
    for _ in range(5):
        world.pass_time(20)
        world.sweep()
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)
    assert len(world.forge.pulls) == 1


def test_an_application_that_crashes_in_production_is_reverted() -> None:
    world = promoted_world()
    world.sync(production="Degraded")
    world.pass_time(2)
    world.sweep()
    assert world.tag_in(PRODUCTION_FILE) == values(NEW)
    world.pass_time(2)
    world.sweep()
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)


def test_a_rollback_by_pull_request_is_opened_and_merged() -> None:
    world = failing_world(rollback=a_rollback(by=Road.PULL_REQUEST))
    world.sweep_until_settled()
    assert world.forge.merges == [1, 2]
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)


@pytest.mark.invariant("I4")
@pytest.mark.parametrize("road", list(Road))
def test_a_rollback_passes_over_a_release_that_had_no_time_to_prove_itself(road: Road) -> None:
    world = FakeWorld(policy=a_policy(rollback=a_rollback(by=road)))
    world.pass_time(90)
    world.repositories.commit("main", {PRODUCTION_FILE: values("1.8.3")}, "Hotfix")
    world.release()
    world.sweep()
    world.pass_time(34)
    world.sweep_until_settled()
    assert world.tag_in(PRODUCTION_FILE) == values(NEW)
    world.sync()
    world.metrics.bad_share = {"http-errors": 0.3}
    world.pass_time(4)
    world.sweep_until_settled()
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)
    said = "the last one that has proven itself there: the release before, 1.8.3, stood in production for 34m only"
    decisions = [event.body["decision"] for event in world.ledger.events(kind="decision", limit=1000)]
    assert any(said in str(decision) for decision in decisions)


def test_a_branch_that_takes_no_push_gets_its_rollback_by_a_pull_request_and_the_next_one_at_once() -> None:
    world = failing_world()
    protect_main(world)
    outcomes = [outcome for action, outcome in world.report().outcomes if action.kind == "roll back"]
    assert outcomes == [
        "opened the rollback #2, since the server does not let the bot push to main of acme/deploy: protected"
    ]
    world.sweep_until_settled()
    assert world.forge.merges == [1, 2]
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)


@pytest.mark.invariant("I9")
def test_a_rollback_by_pull_request_that_the_branch_forced_goes_on_after_a_restart_without_the_notes() -> None:
    world = failing_world()
    protect_main(world)
    world.sweep()
    assert list(world.forge.pulls) == [1, 2]
    world.ledger.notes.clear()
    world.restart()
    # The first one only finds the branch again.
    for _ in range(2):
        world.sweep()
    assert world.forge.merges == [1, 2]
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)


def test_a_rollback_by_pull_request_that_waits_for_a_review_outlasts_the_watch() -> None:
    world = failing_world(rollback=a_rollback(by=Road.PULL_REQUEST))
    world.sweep()
    world.forge.edit(2, reviews=Reviews(is_short=True))
    world.pass_time(300)
    assert state_of(world, "production", "running") is State.ROLLING_BACK
    world.forge.edit(2, reviews=Reviews(approved_by=("dana",)))
    world.sweep_until_settled()
    assert world.forge.merges == [1, 2]
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)


@pytest.mark.invariant("I9")
def test_the_branch_of_a_rollback_goes_though_the_bot_was_killed_behind_its_merge() -> None:
    # The kill matrix found it: behind the write that merged the rollback, and before the one that deletes its branch.
    world = failing_world(rollback=a_rollback(by=Road.PULL_REQUEST))
    world.sweep()
    branch = world.forge.pulls[2].branch
    world.forge.fail["delete_branch"] = Transient("GitHub", "killed here")
    world.sweep()
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)
    assert branch in world.repositories.branches
    world.forge.fail.clear()
    world.restart()
    world.sweep()
    assert branch not in world.repositories.branches
    calls = world.forge.calls.count("delete_branch")
    world.sweep()
    assert world.forge.calls.count("delete_branch") == calls


def test_a_branch_on_which_somebody_has_pushed_since_is_left_after_a_rollback() -> None:
    world = failing_world(rollback=a_rollback(by=Road.PULL_REQUEST))
    world.sweep()
    branch = world.forge.pulls[2].branch
    world.forge.fail["delete_branch"] = Transient("GitHub", "killed here")
    world.sweep()
    world.forge.fail.clear()
    world.repositories.commit(branch, {"notes.txt": "mine"}, "Mine")
    world.sweep()
    assert branch in world.repositories.branches


def test_a_persons_own_pull_request_from_the_rollbacks_branch_takes_nothing_back_after_the_watch() -> None:
    world = failing_world(rollback=a_rollback(by=Road.PULL_REQUEST))
    world.sweep()
    world.forge.edit(2, is_own=False, reviews=Reviews(is_short=True))
    world.pass_time(300)
    assert state_of(world, "production", "running") is State.SETTLED


# --- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["read"])
def test_a_prometheus_that_is_down_neither_promotes_nor_reverts(method: str) -> None:
    world = promoted_world()
    world.sync()
    world.metrics.bad_share = {"http-errors": 0.3}
    world.metrics.fail[method] = Transient("Prometheus", "connection refused")
    world.pass_time(10)
    world.sweep()
    assert world.tag_in(PRODUCTION_FILE) == values(NEW)
    assert state_of(world, "production", "running") is State.WATCHING


def test_a_silent_service_is_never_promoted() -> None:
    world = FakeWorld()
    world.metrics.silent = True
    world.release()
    for _ in range(10):
        world.sweep()
        world.pass_time(10)
    assert world.forge.pulls == {}


@pytest.mark.parametrize(
    ("port", "method"),
    [
        ("repositories", "push"),
        ("repositories", "commit_file"),
        ("forge", "open_promotion"),
        ("forge", "merge_promotion"),
        ("forge", "write_comment"),
        ("forge", "delete_branch"),
        ("forge", "look_at"),
        ("forge", "look_again"),
        ("repositories", "refresh"),
        ("repositories", "file_history"),
        ("repositories", "branch_change"),
        ("deployments", "find_applications"),
        ("sightings", "saw_health"),
        ("sightings", "recall"),
        ("sightings", "mark"),
        ("registry", "find_artifact"),
        ("metrics", "read"),
        ("ledger", "record"),
        ("ledger", "tiles"),
        ("ledger", "post"),
    ],
)
@pytest.mark.invariant("I9")
def test_a_fault_at_any_port_only_delays_the_promotion(port: str, method: str) -> None:
    world = FakeWorld()
    world.release()
    world.sweep()
    world.pass_time(34)
    failing = getattr(world, port)
    failing.fail[method] = Transient(port, "out of order")
    for _ in range(4):
        try:
            world.sweeper.sweep()
        except Transient:
            assert port == "ledger"
    del failing.fail[method]
    world.pass_time(1)
    world.sweep_until_settled()
    assert world.tag_in(PRODUCTION_FILE) == values(NEW)
    assert world.forge.merges == [1]


@pytest.mark.invariant("I8")
def test_no_decision_that_cannot_be_recorded_is_acted_upon() -> None:
    world = FakeWorld()
    world.release()
    world.sweep()
    world.pass_time(34)
    world.ledger.fail["record"] = Transient("ledger", "disk full")
    report = world.report()
    assert report.error == "ledger: disk full"
    assert world.forge.pulls == {}
    assert world.repositories.pushes == []


def test_a_lost_race_for_the_branch_is_run_again_at_once_in_a_rollback() -> None:
    world = failing_world()
    pushed = world.repositories.push
    tries = []

    def race(repository: str, branch: str, commit: object, *, expected: object) -> None:
        tries.append(branch)
        if len(tries) == 1:
            world.repositories.commit("main", {"other": "x"}, "Somebody else")
            raise Conflict("Git", "fetch first")
        pushed(repository, branch, commit, expected=expected)  # type: ignore[arg-type]  # passed through

    world.repositories.push = race  # type: ignore[method-assign]  # the race is the fake's
    world.sweep()
    assert tries == ["main", "main"]
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)
    assert world.tag_in("other") == "x"


@pytest.mark.invariant("I7")
def test_a_tag_that_a_person_changed_since_is_not_rolled_back() -> None:
    world = failing_world()
    refreshed = world.repositories.refresh
    looks = []

    def meddle(repository: str, branch: str, paths: Sequence[str] = ()) -> object:
        looks.append(branch)
        if len(looks) == 2:
            world.repositories.commit("main", {PRODUCTION_FILE: values("1.9.1")}, "Hotfix")
        return refreshed(repository, branch, paths)

    world.repositories.refresh = meddle  # type: ignore[method-assign,assignment]  # a person between look and write
    outcomes = [outcome for _, outcome in world.report().outcomes]
    assert world.tag_in(PRODUCTION_FILE) == values("1.9.1")
    assert any("alice set production to 1.9.1 at 2026-03-02 " in outcome for outcome in outcomes), outcomes
    assert any("nothing is reverted over that" in outcome for outcome in outcomes)


def test_a_branch_that_never_stands_still_is_given_up_for_this_sweep_with_growing_pauses() -> None:
    world = failing_world()
    pushed, pauses = world.repositories.push, world.pauses

    def race(repository: str, branch: str, commit: Sha, *, expected: Sha | None) -> None:
        world.repositories.commit("main", {"other": str(len(pauses))}, "Meanwhile")
        pushed(repository, branch, commit, expected=expected)

    world.repositories.push = race  # type: ignore[method-assign]  # the race is the fake's
    outcomes = [outcome for _, outcome in world.report().outcomes]
    assert any("main moved 3 times while reverting; it is tried again at the next sweep" in one for one in outcomes)
    assert len(pauses) == 2
    assert all(0 <= pause <= 2 for pause in pauses)
    assert world.tag_in(PRODUCTION_FILE) == values(NEW)


def test_rollbacks_on_one_branch_wait_for_each_other_from_the_look_to_the_push() -> None:
    world = failing_world()
    applier: Applier = world.sweeper.apply.__self__  # type: ignore[attr-defined]  # a bound method
    pushed, is_held = world.repositories.push, []

    def push(repository: str, branch: str, commit: Sha, *, expected: Sha | None) -> None:
        is_held.append((applier.turn_on(repository, branch).locked(), applier.turn_on(repository, "other").locked()))
        pushed(repository, branch, commit, expected=expected)

    world.repositories.push = push  # type: ignore[method-assign]  # looks at the moment of the push
    world.sweep()
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)
    assert is_held == [(True, False)]
    assert not applier.turn_on("acme/deploy", "main").locked()


# --- bytes, replay, dry run ------------------------------------------------------------------------------------------


def test_a_tag_that_moves_to_other_bytes_after_it_was_proposed_is_not_merged() -> None:
    world = FakeWorld(policy=a_policy(merge=Merge.HUMAN))
    name = f"{IMAGE}:{NEW}"
    world.registry.artifacts[name] = Artifact(digest=Digest(f"sha256:{'a' * 64}"))
    world.release()
    world.sweep()
    world.pass_time(34)
    world.sweep()
    world.policy = replace(a_policy(), version=world.policy.version)
    world.registry.artifacts[name] = Artifact(digest=Digest(f"sha256:{'b' * 64}"))
    world.sweep()
    world.pass_time(34)
    world.sweep_until_settled()
    assert world.forge.merges == []
    assert state_of(world, "production", "candidate") is State.HALTED


@pytest.mark.invariant("I8")
def test_every_recorded_decision_is_replayed_to_the_same_decision() -> None:
    world = promoted_world()
    world.sync()
    world.metrics.bad_share = {"http-errors": 0.3}
    for _ in range(6):
        world.pass_time(1)
        world.sweep()
    policy = next(event.body["policy"] for event in world.ledger.recorded if event.kind == "policy")
    decisions = [event for event in world.ledger.recorded if event.kind == "decision"]
    assert len(decisions) >= 5
    for event in decisions:
        recorded, again = replay(event.body, policy)  # type: ignore[arg-type]  # a mapping by construction
        assert recorded == again


def test_each_write_stands_in_the_ledger_before_and_after() -> None:
    world = promoted_world()
    kinds = [(event.kind, event.body["action"]["kind"]) for event in world.ledger.recorded if "action" in event.body]  # type: ignore[index]  # JSON
    assert kinds == [
        ("action", "open promotion"),
        ("outcome", "open promotion"),
        ("action", "merge promotion"),
        ("outcome", "merge promotion"),
    ]


def test_a_dry_run_changes_nothing() -> None:
    world = FakeWorld(dry_run=True)
    world.release()
    world.sweep()
    world.pass_time(34)
    before = dict(world.repositories.branches)
    decision = world.sweep()
    assert "open promotion" in [action.kind for action in decision.actions]
    assert world.repositories.branches == before
    assert (world.forge.pulls, world.forge.comments) == ({}, {})


def test_staging_is_never_touched() -> None:
    world = promoted_world()
    changed = [branch for branch, _ in world.repositories.pushes]
    assert STAGING_FILE in world.repositories.commits[world.head].files
    assert all(branch.startswith("liftlock/") for branch in changed)


# --- found by a review -----------------------------------------------------------------------------------------------


def test_many_other_edits_of_the_file_do_not_hide_the_promotion() -> None:
    world = promoted_world()
    for number in range(60):
        world.repositories.commit("main", {PRODUCTION_FILE: values(NEW) + f"replicas: {number}\n"}, "Scale")
    world.sync()
    world.metrics.bad_share = {"http-errors": 0.3}
    world.pass_time(4)
    world.sweep()
    assert world.tag_in(PRODUCTION_FILE) == values(OLD) + "replicas: 59\n"


def test_a_tag_that_no_commit_in_reach_set_is_a_fault_and_not_a_guess() -> None:
    world = FakeWorld()
    text = values(OLD)
    for number in range(3300):
        world.repositories.commit("main", {PRODUCTION_FILE: text + f"replicas: {number}\n"}, "Scale")
    reasons = [item.reason for item in world.sweep().judgements if item.stage == "production"]
    assert "do not reach the one that set the tag" in reasons[0]


def test_a_staging_that_cannot_be_read_does_not_hold_up_a_rollback_by_pull_request() -> None:
    world = promoted_world(rollback=a_rollback(by=Road.PULL_REQUEST))
    world.sync()
    world.metrics.bad_share = {"http-errors": 0.3}
    world.repositories.commit("main", {STAGING_FILE: "images: [\n"}, "Break it")
    world.pass_time(4)
    world.sweep_until_settled()
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)


def test_a_persons_commit_on_the_rollback_branch_is_never_overwritten() -> None:
    world = promoted_world(rollback=a_rollback(by=Road.PULL_REQUEST))
    world.sync()
    world.metrics.bad_share = {"http-errors": 0.3}
    branch = revert_branch("checkout", "production", Release(image=IMAGE, tag=NEW))
    mine = world.repositories.commit(branch, {"notes": "x"}, "My own idea", parent=world.head)
    world.pass_time(4)
    world.sweep_until_settled()
    assert world.repositories.branches[branch] == mine


def test_a_persons_branch_beside_the_bots_is_not_closed() -> None:
    world = FakeWorld()
    branch = "liftlock/checkout/production/alice-fix"
    world.repositories.commit(branch, {"notes": "x"}, "My own idea", parent=world.head)
    world.forge.open_promotion("acme/deploy", PullText(branch=branch, base="main", title="Mine", body=""))
    world.sweep_until_settled()
    assert world.forge.pulls[1].state is PullState.OPEN


def test_tiles_that_another_window_did_not_need_are_read_after_all() -> None:
    policy = a_policy()
    production = replace(
        policy.stages[1],
        window=policy.stages[0].window,
        gates=(policy.stages[1].rollback.triggers[0],),  # type: ignore[union-attr,arg-type]  # a count gate
    )
    last = replace(policy.stages[1], name="edge", source="production", rollback=None)
    world = promoted_world()
    world.policy = replace(policy, stages=(policy.stages[0], production, last))
    world.sync()
    world.metrics.bad_share = {"http-errors": 0.4}
    world.pass_time(3.5)
    world.metrics.fail["read"] = Transient("Prometheus", "down")
    world.sweep()
    del world.metrics.fail["read"]
    world.sweep()
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)


def test_the_first_promotion_adds_the_entry_where_the_policy_says_so_and_is_never_reverted_to_nothing() -> None:
    world = FakeWorld()
    production = world.policy.stage("production")
    edit = KustomizeEdit(file=PRODUCTION_FILE, create=True)
    stages = (world.policy.stages[0], replace(production, edit=edit))
    world.policy = replace(world.policy, stages=stages)
    world.repositories.commit("main", {PRODUCTION_FILE: "resources: [a.yaml]\n"}, "No image yet")
    world.restart()
    world.release()
    world.pass_time(40)
    world.sweep()
    (pull,) = world.forge.pulls.values()
    message = world.repositories.commits[pull.head].message
    assert message.startswith("Promote checkout to production: nothing -> 1.9.0\n")
    assert "| tag | nothing | `1.9.0` |" in world.forge.bodies[pull.number]
    for _ in range(3):
        world.sweep()
    assert world.tag_in(PRODUCTION_FILE) == f"resources: [a.yaml]\nimages:\n- name: {IMAGE}\n  newTag: 1.9.0\n"
    world.sync()
    world.metrics.bad_share = {"http-errors": 0.5}
    world.pass_time(10)
    running = next(one for one in world.sweep().judgements if (one.stage, one.role) == ("production", "running"))
    assert running.state is State.HALTED
    assert "1.9.0" in world.tag_in(PRODUCTION_FILE)


def test_a_look_as_of_then_knows_nothing_of_what_was_seen_later() -> None:
    world = FakeWorld()
    world.release()
    world.sweep()
    world.pass_time(10)
    world.sync(staging="Degraded")
    world.sweep()
    head = world.repositories.branches["main"]
    then = replace(world.world, clock=FakeClock(world.clock.now() - timedelta(minutes=5)))
    seen = observe(then, world.policy, head, None)
    assert {spell.health for spell in seen.stage("staging").memory.spells} == {"Healthy"}
    assert all(spell.last_seen <= seen.at for spell in seen.stage("staging").memory.spells)
    now = observe(world.world, world.policy, head, None)
    assert {spell.health for spell in now.stage("staging").memory.spells} == {"Healthy", "Degraded"}
