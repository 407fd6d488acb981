"""A policy that changes under a release: nothing of it counts before the release has proven itself under it (I6)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.domain.authority import Permission
from bot.domain.decision import State
from bot.domain.model import Sha
from bot.domain.policy import Merge, Opens, Origin, Policy, Proposing, Stage
from bot.domain.pulls import Reviews
from bot.domain.stops import Stop
from tests.builders import MINUTE, NEW, NOON, OLD, a_count_gate, a_policy
from tests.fake_world import PRODUCTION_FILE, FakeWorld, values
from tests.scenarios.test_loop_on_fakes import failing_world, promoted_world, state_of

WEAKER = replace(a_policy(gates=(a_count_gate(limit=0.5),)), version="weaker")
FIRST = Sha("1" * 40)
SECOND = Sha("2" * 40)


def at(policy: Policy, commit: Sha, since: datetime | None = None) -> Policy:
    """Return a policy as it is read at a commit of the policies' repository."""
    return replace(policy, origin=Origin(repository="acme/policies", commit=commit, since=since))


def observed(minutes: float, **policy: object) -> FakeWorld:
    """1.9.0 has been observed in staging for so long; its window lasts 32 minutes with its warm-up."""
    world = FakeWorld(policy=a_policy(**policy))  # type: ignore[arg-type]  # a test names only what it changes
    world.release()
    world.sweep()
    world.pass_time(minutes)
    world.sweep()
    return world


def promoted_after(world: FakeWorld, *, limit: int = 60) -> float:
    """Sweep each minute until the release is in production; return how many minutes that took."""
    for minutes in range(limit):
        world.sweeper.sweep()
        if world.tag_in(PRODUCTION_FILE) == values(NEW):
            return minutes
        world.pass_time(1)
    raise AssertionError("it was never promoted")


def policy_events(world: FakeWorld) -> list[tuple[datetime, object]]:
    return [(event.at, event.body["version"]) for event in world.ledger.events(service="checkout", kind="policy")]


@pytest.mark.invariant("I6")
@pytest.mark.parametrize("opens", Opens)
def test_a_weaker_gate_lets_a_release_move_only_after_a_whole_window_under_it(opens: Opens) -> None:
    proposing = Proposing(opens=opens)
    world = observed(30, proposing=proposing)
    world.metrics.bad_share = {"http-errors": 0.1}
    world.pass_time(1)
    world.sweep()
    world.policy = replace(WEAKER, stages=with_proposing(WEAKER, proposing))
    world.restart()
    assert promoted_after(world) >= 32


def with_proposing(policy: Policy, proposing: Proposing) -> tuple[Stage, ...]:
    return tuple(replace(stage, proposing=proposing) if stage.source else stage for stage in policy.stages)


@pytest.mark.invariant("I6")
def test_a_draft_that_was_approved_waits_for_the_whole_window_of_the_changed_policy() -> None:
    early = Proposing(opens=Opens.EARLY)
    world = observed(31, proposing=early)
    (number,) = world.forge.pulls
    world.forge.edit(number, reviews=Reviews(approved_by=("dana",)))
    world.policy = replace(WEAKER, stages=with_proposing(WEAKER, early))
    world.restart()
    assert promoted_after(world) >= 32


@pytest.mark.invariant("I6")
def test_a_policy_that_lets_the_bot_merge_now_does_not_merge_what_was_proven_under_the_other() -> None:
    by_human = a_policy(merge=Merge.HUMAN)
    world = FakeWorld(policy=by_human)
    world.release()
    world.sweep()
    world.pass_time(40)
    world.sweep_until_settled()
    assert state_of(world, "production", "candidate") is State.WAITING_FOR_HUMAN
    world.policy = replace(a_policy(merge=Merge.AUTO), version="auto")
    world.restart()
    assert promoted_after(world) >= 32


@pytest.mark.invariant("I6")
def test_a_policy_that_goes_back_to_an_earlier_version_begins_the_window_anew_as_well() -> None:
    world = observed(20)
    before = world.policy
    world.policy = WEAKER
    world.restart()
    world.sweep()
    world.pass_time(11)
    world.policy = before
    world.restart()
    assert promoted_after(world) >= 32
    assert len(policy_events(world)) == 3


@pytest.mark.invariant("I6")
def test_a_restart_between_does_not_shorten_the_window_that_a_change_began() -> None:
    world = observed(31)
    world.policy = WEAKER
    world.restart()
    world.sweep()
    for _ in range(3):
        world.pass_time(8)
        world.restart()
        world.sweep()
        assert world.tag_in(PRODUCTION_FILE) == values(OLD)
    assert promoted_after(world) >= 8


@pytest.mark.invariant("I6")
def test_a_change_while_the_bot_was_down_counts_from_when_it_was_seen() -> None:
    world = observed(20)
    world.pass_time(60)
    world.policy = WEAKER
    world.restart()
    assert promoted_after(world) >= 32


@pytest.mark.invariant("I6")
def test_a_service_that_is_renamed_and_loosened_at_once_begins_the_window_anew() -> None:
    world = failed_in_staging()
    world.policy = replace(WEAKER, service="shop")
    world.restart()
    assert promoted_after(world) >= 32


def failed_in_staging() -> FakeWorld:
    """The window is over, and 2 % were bad: too many for this policy."""
    world = FakeWorld()
    world.release()
    world.metrics.bad_share = {"http-errors": 0.02}
    world.sweep()
    world.pass_time(33)
    assert state_of(world, "staging", "running") is State.UNHEALTHY
    return world


@pytest.mark.invariant("I6")
def test_a_service_that_comes_later_begins_its_window_when_its_policy_comes() -> None:
    world = FakeWorld(policy=replace(a_policy(), service="other", image="registry.example/other"))
    world.release()
    world.sweeper.sweep()
    world.pass_time(60)
    world.policy = a_policy()
    world.restart()
    assert promoted_after(world) >= 32


def test_all_policies_of_the_first_sweep_judge_what_was_live_before_it() -> None:
    world = FakeWorld()
    world.more_policies = tuple(replace(a_policy(), service=name) for name in ("cart", "shop"))
    world.release()
    world.pass_time(60)
    for _ in range(2):
        told = [report.decision for report in world.sweeper.sweep()]
        states = [one.state for decision in told if decision for one in decision.judgements if one.stage == "staging"]
        assert states == [State.PROVEN] * 3
        world.restart()


@pytest.mark.invariant("I6")
def test_an_override_of_the_policy_before_lets_nothing_move_and_the_comment_says_so() -> None:
    early = Proposing(opens=Opens.EARLY)
    world = spoken("/liftlock promote --override http-errors known noise of the old query", early, bad=0.02)
    world.policy = replace(WEAKER, stages=with_proposing(WEAKER, early))
    world.restart()
    world.stops = ()
    world.sweep()
    assert "dana overrode http-errors under another policy" in world.forge.comment(1)
    assert "**Overridden" not in world.forge.comment(1)
    assert promoted_after(world) >= 32


@pytest.mark.invariant("I6")
def test_an_approval_of_the_policy_before_does_not_merge_what_is_left_to_people() -> None:
    early = Proposing(opens=Opens.EARLY)
    world = spoken("/liftlock approve", early, merge=Merge.HUMAN)
    world.policy = replace(
        a_policy(merge=Merge.HUMAN, gates=(a_count_gate(limit=0.5),), proposing=early), version="weaker"
    )
    world.restart()
    world.stops = ()
    for _ in range(40):
        world.sweep()
        world.pass_time(1)
    told = next(one for one in world.sweep().judgements if (one.stage, one.role) == ("production", "candidate"))
    assert told.state is State.WAITING_FOR_HUMAN
    assert told.reason == "the policy leaves the merge of #1 to a person; dana approved under another policy"
    world.forge.say(1, "/liftlock approve", by="dana", at=world.clock.now())
    assert promoted_after(world) <= 2


def spoken(command: str, proposing: Proposing, *, merge: Merge = Merge.AUTO, bad: float = 0.0) -> FakeWorld:
    """A person has commanded something of the early draft while its stage was held."""
    world = FakeWorld(policy=a_policy(proposing=proposing, merge=merge))
    world.forge.permissions = {"dana": Permission.MAINTAIN}
    world.metrics.bad_share = {"http-errors": bad}
    world.release()
    for _ in range(2):
        world.sweep()
        world.pass_time(1)
    world.stops = (Stop(who="ops", reason="a look first", service="checkout", stage="production"),)
    world.forge.say(1, command, by="dana", at=world.clock.now())
    world.pass_time(1)
    world.sweep()
    return world


@pytest.mark.invariant("I6")
def test_where_the_ledger_is_lost_a_loosened_policy_still_begins_its_window_with_its_commit() -> None:
    world = FakeWorld(policy=at(a_policy(), FIRST, since=NOON - 60 * MINUTE))
    world.release()
    world.sweep()
    world.pass_time(30)
    world.policy = at(WEAKER, SECOND, since=world.clock.now())
    world.restart()
    world.sweep()
    world.pass_time(3)
    world.ledger.recorded.clear()
    world.ledger.kept.clear()
    world.restart()
    assert promoted_after(world) >= 29


@pytest.mark.invariant("I6")
def test_after_a_lost_ledger_any_change_of_a_directorys_file_begins_the_windows_anew() -> None:
    """A directory does not tell since when its policy is in force: docs/ledger.md says what to do then."""
    world = observed(40, merge=Merge.AUTO)
    world.ledger.recorded.clear()
    world.stops = (Stop(who="ops", reason="the ledger was lost", service="checkout", stage="production"),)
    world.policy = WEAKER
    world.restart()
    world.sweep()
    world.policy = replace(WEAKER, version="a comment more")
    world.sweep()
    world.stops = ()
    assert promoted_after(world) >= 32


def test_where_the_ledger_is_lost_a_policy_of_long_ago_judges_what_was_live_before() -> None:
    world = FakeWorld(policy=at(a_policy(), FIRST, since=NOON - 60 * MINUTE))
    world.release()
    world.pass_time(40)
    assert promoted_after(world) <= 2


@pytest.mark.invariant("I6")
def test_the_same_policy_at_another_commit_changes_nothing() -> None:
    world = FakeWorld(policy=at(a_policy(), FIRST))
    world.release()
    world.sweep()
    world.pass_time(20)
    world.policy = at(world.policy, SECOND)
    world.restart()
    assert 12 <= promoted_after(world) <= 16
    assert len(policy_events(world)) == 1


@pytest.mark.invariant("I6")
def test_another_policy_at_another_commit_begins_the_window_anew() -> None:
    world = FakeWorld(policy=at(a_policy(), FIRST))
    world.release()
    world.sweep()
    world.pass_time(20)
    world.policy = at(WEAKER, SECOND)
    world.restart()
    assert promoted_after(world) >= 32


@pytest.mark.invariant("I16")
def test_each_decision_stands_in_the_ledger_with_the_commit_of_the_policy_that_judged() -> None:
    world = FakeWorld(policy=at(a_policy(), FIRST))
    world.release()
    world.sweep()
    (newest, *_) = world.ledger.events(service="checkout", kind="decision")
    assert newest.body["policy"] == {
        "file": world.policy.file,
        "version": world.policy.version,
        "repository": "acme/policies",
        "commit": FIRST,
    }


def test_a_change_during_the_watch_forgets_nothing_that_was_counted_since_the_release_came() -> None:
    world = failing_world()
    assert world.policy.stages[1].rollback is not None
    stricter = replace(world.policy, version="changed")
    world.policy = stricter
    world.restart()
    world.sweep()
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)


def test_a_policy_that_changes_after_a_promotion_takes_nothing_back_by_itself() -> None:
    world = promoted_world()
    world.sync()
    world.policy = replace(world.policy, version="changed")
    world.restart()
    for _ in range(3):
        world.pass_time(5)
        world.sweep()
    assert world.tag_in(PRODUCTION_FILE) == values(NEW)
    assert world.clock.now() - policy_events(world)[0][0] >= timedelta(minutes=10)
