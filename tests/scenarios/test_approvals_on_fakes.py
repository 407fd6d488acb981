"""Approvals in the whole loop on fakes: by reviews and commands, with four eyes, and with a forge that fails."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from bot.domain.approvals import Writer, Writers
from bot.domain.authority import Permission
from bot.domain.decision import State
from bot.domain.model import Artifact, Digest, Sha
from bot.domain.policy import Approvals, ApprovedWhen, AutoMerge, Merge, Opens, Proposing
from bot.domain.proofs import Proofs
from bot.domain.pulls import Checks, MergeRules, Pull, Review, Reviews
from bot.engine.record import replay
from bot.forge import Reaction, Urgency
from bot.ports import Permanent, Transient
from bot.trial.memory.forge import account_of
from tests.builders import IMAGE, NEW, OLD, a_policy
from tests.fake_world import PRODUCTION_FILE, FakeWorld, values
from tests.scenarios.test_after_a_rollback_on_fakes import play
from tests.scenarios.test_loop_on_fakes import failing_world, state_of
from tests.trusted import DIGEST, REVISION, a_signature, a_signature_rule

PASSED = 36
CHECK = "liftlock/production"
TEAM = "@acme/release"
BEFORE, AFTER = Sha("1" * 40), Sha("2" * 40)


def a_world(approvals: Approvals, *, merge: Merge = Merge.AUTO, **proposing: object) -> FakeWorld:
    """1.9.0 was just released to staging; dana, erin and eve are in the release team, bob may only write."""
    chosen = replace(
        Proposing(opens=Opens.EARLY, approvals=approvals),
        **proposing,  # type: ignore[arg-type]  # a test names only what it changes
    )
    world = FakeWorld(policy=a_policy(proposing=chosen, merge=merge))
    world.forge.permissions = dict.fromkeys(("dana", "erin", "eve", "bob"), Permission.WRITE)
    world.forge.teams = {"acme/release": {"dana", "erin", "eve"}}
    world.release()
    return world


def with_sources(world: FakeWorld, found: Writers | None) -> FakeWorld:
    """The images name their source commits, and the forge knows who wrote what lies between them."""
    for tag, commit in ((OLD, BEFORE), (NEW, AFTER)):
        digest = Digest(f"sha256:{commit[0] * 64}")
        world.registry.artifacts[f"{IMAGE}:{tag}"] = Artifact(digest=digest, revision=commit)
    if found is not None:
        world.signals.writers[BEFORE, AFTER] = found
    return world


def two_of_team(**changes: object) -> Approvals:
    return replace(Approvals(need=2, people=(TEAM,)), **changes)  # type: ignore[arg-type]  # likewise


def account(login: str) -> int:
    """The number that the fake gives to who comments."""
    return account_of(login)


def review(world: FakeWorld, *by: str, approves: bool = True, at: datetime | None = None, number: int = 1) -> None:
    """Review the present head as people do; a newer review takes the place of an older one."""
    pull = world.forge.pulls[number]
    head = world.repositories.branches.get(pull.branch, pull.head)
    made = [
        Review(by_id=account(one), by=one, at=at or world.clock.now(), head=head, approves=approves) for one in by
    ]  # fmt: skip
    kept = [one for one in pull.reviews.given if one.by not in by]
    refused = () if approves else by
    world.forge.edit(number, reviews=Reviews(given=(*kept, *made), changes_requested_by=refused))


def dismiss(world: FakeWorld, by: str) -> None:
    kept = tuple(one for one in world.forge.pulls[1].reviews.given if one.by != by)
    world.forge.edit(1, reviews=Reviews(given=kept))


def is_promoted(world: FakeWorld) -> bool:
    return world.tag_in(PRODUCTION_FILE) == values(NEW)


def is_handed_over(world: FakeWorld) -> bool:
    """Whether the forge would merge it by itself."""
    return world.forge.pulls[1].armed_by_bot or world.forge.pulls[1].queued_by_bot


def check_of(world: FakeWorld) -> tuple[str, str]:
    found = world.signals.checks["acme/deploy", world.forge.pulls[1].head, CHECK]
    return found.state, found.title


def reason(world: FakeWorld) -> str:
    decision = world.sweep()
    return next(one.reason for one in decision.judgements if (one.stage, one.role) == ("production", "candidate"))


# --- by reviews and commands -----------------------------------------------------------------------------------------


def test_a_release_waits_until_two_of_the_team_have_approved_it() -> None:
    world = a_world(two_of_team())
    play(world, PASSED)
    assert state_of(world, "production", "candidate") is State.WAITING_FOR_REVIEW
    assert check_of(world) == (
        "waiting",
        "Waits for approvals: #1 has none of two approvals; needs two from acme/release",
    )
    review(world, "dana", "bob")
    assert reason(world) == (
        "#1 has one of two approvals (dana); bob is not in acme/release and does not count; "
        "needs one more from acme/release"
    )
    world.forge.say(1, "/liftlock approve", by="erin", at=world.clock.now())
    play(world, 3)
    assert is_promoted(world)
    (order,) = world.forge.orders
    assert "Approved by dana (review) and erin (command)." in order.text.message.replace("\n", " ")


def test_the_comment_and_the_body_say_who_approved_who_does_not_count_and_who_is_asked() -> None:
    world = a_world(two_of_team())
    play(world, PASSED)
    review(world, "dana", "bob")
    world.sweep()
    comment = world.forge.comment(1)
    assert comment.startswith(
        "**Waits for approvals.** `1.9.0` has proven itself in `staging`. Do not merge this before"
    )
    assert "- **Why:** It has one of two approvals \\(dana\\); one more does not count, as told below." in comment
    assert "**Approvals:** 1 of 2: `dana` (review). It needs one more from `@acme/release`." in comment
    assert "- `bob` is not in acme/release and does not count" in comment
    assert "**Approvals:** 1 of 2: `dana` (review)." in world.forge.bodies[1]
    assert "It waits for `@acme/release`." in world.forge.comments[1, "liftlock:attention"]
    review(world, "erin")
    play(world, 3)
    assert is_promoted(world)
    assert "**Approvals:** 2 of 2: " in world.forge.bodies[1]


def test_one_who_reviews_and_commands_counts_once() -> None:
    world = a_world(two_of_team())
    play(world, PASSED)
    review(world, "dana")
    comment = world.forge.say(1, "/liftlock approve", by="dana", at=world.clock.now())
    play(world, 3)
    assert world.forge.reactions[comment] is Reaction.DONE
    assert not is_promoted(world)
    assert "1 of 2: `dana` (command and review)" in world.forge.comment(1)
    assert "How many that makes is told with the approvals." in world.forge.comment(1)


def test_whoever_is_asked_may_command_it_without_the_role_to_write_and_nobody_else() -> None:
    world = a_world(Approvals(need=1, people=(TEAM,)))
    world.forge.permissions = {"bob": Permission.WRITE}
    play(world, PASSED)
    refused = world.forge.say(1, "/liftlock approve", by="bob", at=world.clock.now())
    play(world, 1)
    assert world.forge.reactions[refused] is Reaction.REFUSED
    heard = world.forge.say(1, "/liftlock approve", by="erin", at=world.clock.now())
    other = world.forge.say(1, "/liftlock reject no", by="dana", at=world.clock.now())
    play(world, 3)
    assert world.forge.reactions[heard] is Reaction.DONE
    assert world.forge.reactions[other] is Reaction.REFUSED
    assert is_promoted(world)


def test_who_asks_for_changes_after_approving_has_not_approved() -> None:
    world = a_world(Approvals(need=1))
    play(world, PASSED - 5)
    review(world, "dana")
    world.pass_time(1)
    review(world, "dana", approves=False)
    play(world, 6)
    assert state_of(world, "production", "candidate") is State.WAITING_FOR_HUMAN
    assert not is_promoted(world)


@pytest.mark.invariant("I16")
def test_a_new_head_takes_the_approvals_away() -> None:
    world = a_world(two_of_team())
    play(world, PASSED)
    review(world, "dana")
    old = world.repositories.branches[world.forge.pulls[1].branch]
    changed = world.repositories.commits[world.head].files[PRODUCTION_FILE].replace("image:", "# here\nimage:")
    world.repositories.commit("main", {PRODUCTION_FILE: changed}, "Say where")
    play(world, 2)
    assert world.repositories.branches[world.forge.pulls[1].branch] != old
    review(world, "erin")
    assert reason(world).startswith("#1 has one of two approvals (erin); dana approved the earlier head ")
    assert not is_promoted(world)


@pytest.mark.invariant("I6")
def test_a_change_of_the_policy_asks_for_approvals_anew() -> None:
    world = a_world(Approvals(need=1))
    play(world, 5)
    review(world, "dana")
    world.sweep()
    world.pass_time(1)
    world.policy = replace(world.policy, version="e" * 64)
    play(world, PASSED + 10)
    assert "dana approved under another policy and does not count" in reason(world)
    review(world, "dana")
    play(world, 3)
    assert is_promoted(world)


def test_after_window_takes_only_what_came_when_the_release_had_passed() -> None:
    world = a_world(Approvals(need=1, when=ApprovedWhen.AFTER_WINDOW))
    play(world, 10)
    review(world, "dana")
    play(world, PASSED)
    assert "dana approved before the release had passed and does not count" in reason(world)
    review(world, "dana")
    play(world, 3)
    assert is_promoted(world)


def test_somebody_who_has_left_the_team_does_not_count_any_more() -> None:
    world = a_world(two_of_team())
    play(world, PASSED)
    review(world, "dana")
    assert "one of two approvals (dana)" in reason(world)
    world.forge.teams["acme/release"].discard("dana")
    assert "dana is not in acme/release and does not count" in reason(world)


def test_the_merge_is_left_to_people_with_a_green_check_only_once_it_is_approved() -> None:
    world = a_world(Approvals(need=1), merge=Merge.HUMAN)
    play(world, PASSED)
    assert check_of(world)[0] == "waiting"
    world.forge.edit(1, checks=Checks(failed=("lint",)))
    play(world, 1)
    assert check_of(world)[0] == "waiting"
    world.forge.edit(1, checks=Checks())
    review(world, "dana")
    play(world, 2)
    assert check_of(world)[0] == "passed"
    assert state_of(world, "production", "candidate") is State.WAITING_FOR_HUMAN


@pytest.mark.parametrize("rules", [MergeRules(may_arm=True), MergeRules(has_queue=True)], ids=["armed", "queued"])
def test_what_the_forge_would_merge_is_taken_back_as_an_approval_is_withdrawn(rules: MergeRules) -> None:
    world = a_world(Approvals(need=1), auto_merge=AutoMerge.ANY)
    world.forge.rules = rules
    play(world, 5)
    world.forge.edit(1, checks=Checks(pending=("build",)) if rules.may_arm else Checks())
    play(world, PASSED)
    assert not world.forge.orders
    review(world, "dana")
    play(world, 2)
    assert is_handed_over(world)
    dismiss(world, "dana")
    play(world, 1)
    assert not is_handed_over(world)
    assert not is_promoted(world)


def test_what_was_decided_is_not_merged_where_an_approval_is_gone_since() -> None:
    world = a_world(Approvals(need=1))
    play(world, PASSED)
    review(world, "dana")
    looked = world.forge.look_again

    def later(repository: str, number: int, urgency: Urgency = Urgency.MERGE) -> Pull:
        dismiss(world, "dana")
        return looked(repository, number, urgency)

    world.forge.look_again = later  # type: ignore[method-assign]  # somebody dismisses it while the sweep goes on
    outcomes = [outcome for action, outcome in world.report().outcomes if action.kind == "merge promotion"]
    assert outcomes == [
        "not done: GitHub: #1 was not merged: 1 approval of those that counted is gone; look again",
    ]
    assert not is_promoted(world)


def test_a_rollback_needs_no_approvals() -> None:
    world = failing_world(proposing=Proposing(opens=Opens.ON_PASS))
    first, second = world.policy.stages
    asking = replace(second, proposing=replace(second.proposing, approvals=two_of_team()))
    world.policy = replace(world.policy, stages=(first, asking))
    play(world, 2)
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)


# --- four eyes -------------------------------------------------------------------------------------------------------

BY_EVE = Writers(accounts=(Writer(id=account("eve"), login="eve"),))


def test_who_wrote_a_source_commit_does_not_count_under_four_eyes() -> None:
    world = with_sources(a_world(two_of_team(four_eyes=True)), BY_EVE)
    play(world, PASSED)
    review(world, "dana", "eve")
    assert reason(world) == (
        "#1 has one of two approvals (dana); eve wrote a source commit and does not count; "
        "needs one more from acme/release"
    )
    review(world, "erin")
    play(world, 3)
    assert is_promoted(world)


def test_a_writer_without_an_account_takes_one_approval_more() -> None:
    world = with_sources(a_world(Approvals(need=1, four_eyes=True)), Writers(unknown=("Dev `x`\n@all",)))
    play(world, PASSED)
    review(world, "dana")
    world.sweep()
    assert "1 of 2: `dana` (review)" in world.forge.comment(1)
    assert "``Dev `x` @all`` wrote source commits without a known account" in world.forge.comment(1)
    review(world, "erin")
    play(world, 3)
    assert is_promoted(world)


@pytest.mark.invariant("I5")
@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ("before", "the registry: 1.8.2 does not say which source commit it was built from"),
        ("after", "the registry: 1.9.0 does not say which source commit it was built from"),
        ("span", "GitHub: acme/checkout does not have both 1111111 and 2222222"),
        ("source", "Liftlock: production has no release yet"),
    ],
)
def test_nobody_counts_where_it_is_not_known_who_wrote_the_commits(missing: str, says: str) -> None:
    world = with_sources(a_world(Approvals(need=1, four_eyes=True)), None if missing == "span" else BY_EVE)
    if missing in ("before", "after"):
        name = f"{IMAGE}:{OLD if missing == 'before' else NEW}"
        world.registry.artifacts[name] = replace(world.registry.artifacts[name], revision=None)
    if missing == "source":
        world.policy = replace(world.policy, source=None)
    play(world, PASSED)
    review(world, "dana")
    play(world, 2)
    assert state_of(world, "production", "candidate") is State.CANNOT_TELL
    assert says in reason(world)
    assert not is_promoted(world)


def test_a_release_that_was_built_anew_from_the_same_commit_has_no_new_authors() -> None:
    world = with_sources(a_world(Approvals(need=1, four_eyes=True)), None)
    name = f"{IMAGE}:{NEW}"
    world.registry.artifacts[name] = replace(world.registry.artifacts[name], revision=BEFORE)
    play(world, PASSED)
    review(world, "eve")
    play(world, 2)
    assert is_promoted(world)


def test_a_tag_of_what_runs_that_was_set_anew_hides_no_author() -> None:
    world = with_sources(a_world(Approvals(need=1, four_eyes=True)), BY_EVE)
    play(world, PASSED)
    review(world, "dana")
    play(world, 80)
    assert is_promoted(world)
    later, commit = "1.10.0", Sha("3" * 40)
    world.registry.artifacts[f"{IMAGE}:{later}"] = Artifact(digest=Digest(f"sha256:{'3' * 64}"), revision=commit)
    world.release(later)
    play(world, PASSED)
    # As if what runs had been built from the very commits that come.
    world.registry.artifacts[f"{IMAGE}:{NEW}"] = Artifact(digest=Digest(f"sha256:{'4' * 64}"), revision=commit)
    review(world, "dana", number=2)
    play(world, 2)
    assert "the tag 1.9.0 means other bytes now than production runs" in reason(world)
    assert is_promoted(world)
    world.signals.writers[AFTER, commit] = Writers()
    world.registry.artifacts[f"{IMAGE}:{NEW}"] = Artifact(digest=Digest(f"sha256:{'2' * 64}"), revision=AFTER)
    play(world, 2)
    assert world.tag_in(PRODUCTION_FILE) == values(later)


@pytest.mark.parametrize("asking", ["production", "staging"])
def test_where_a_certificate_names_the_source_commit_a_forged_label_hides_no_author(asking: str) -> None:
    world = with_sources(a_world(Approvals(need=1, four_eyes=True)), None)
    stages = [
        replace(stage, artifact=(a_signature_rule(),) if stage.name == asking else ()) for stage in world.policy.stages
    ]  # fmt: skip
    world.policy = replace(world.policy, stages=tuple(stages))
    world.registry.artifacts[f"{IMAGE}:{NEW}"] = Artifact(digest=DIGEST, revision=BEFORE)
    world.proving.is_configured, world.proving.proofs = (
        True,
        {DIGEST: Proofs(digest=DIGEST, signatures=(a_signature(),))},
    )
    world.signals.writers[BEFORE, REVISION] = BY_EVE
    play(world, PASSED)
    review(world, "eve")
    assert "eve wrote a source commit and does not count" in reason(world)
    review(world, "dana")
    play(world, 3)
    assert is_promoted(world)


# --- a forge that fails ----------------------------------------------------------------------------------------------


@pytest.mark.invariant("I5")
@pytest.mark.parametrize("port", ["is_member", "permission_of"])
@pytest.mark.parametrize("error", [Transient("GitHub", "no answer"), Permanent("GitHub", "may not read members")])
def test_a_lookup_that_fails_approves_nothing_and_refuses_nothing_for_good(port: str, error: Exception) -> None:
    world = a_world(Approvals(need=1, people=(TEAM,)))
    play(world, PASSED)
    review(world, "dana")
    world.forge.fail[port] = error
    play(world, 2)
    assert state_of(world, "production", "candidate") is State.CANNOT_TELL
    assert "dana could not be looked up and does not count" in reason(world)
    assert not is_promoted(world)
    del world.forge.fail[port]
    play(world, 2)
    assert is_promoted(world)


def test_the_writers_are_asked_for_again_when_the_forge_is_back() -> None:
    world = with_sources(a_world(Approvals(need=1, four_eyes=True)), BY_EVE)
    play(world, PASSED)
    review(world, "dana")
    world.signals.fail["writers_of"] = Transient("GitHub", "no answer")
    play(world, 2)
    assert "dana may have written a source commit and does not count; GitHub: no answer" in reason(world)
    del world.signals.fail["writers_of"]
    play(world, 2)
    assert is_promoted(world)


# --- the ledger ------------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I8")
def test_each_approval_is_in_the_ledger_and_the_decision_can_be_replayed() -> None:
    world = with_sources(a_world(two_of_team(four_eyes=True)), BY_EVE)
    play(world, PASSED)
    before = len([event for event in world.ledger.recorded if event.kind == "decision"])
    review(world, "dana")
    play(world, 1)
    policy = next(event.body["policy"] for event in world.ledger.recorded if event.kind == "policy")
    decisions = [event for event in world.ledger.recorded if event.kind == "decision"]
    assert len(decisions) == before + 1
    recorded, again = replay(decisions[-1].body, policy)  # type: ignore[arg-type]  # a mapping by construction
    assert recorded == again
    (tally,) = (one.approvals for one in again.judgements if one.approvals is not None)
    assert [one.login for one in tally.given] == ["dana"]
    review(world, "erin")
    play(world, 3)
    newest = [event for event in world.ledger.recorded if event.kind == "decision"]
    merging = next(event for event in reversed(newest) if "merge promotion" in str(event.body["meaning"]))
    recorded, again = replay(merging.body, policy)  # type: ignore[arg-type]  # likewise
    assert recorded == again
    (tally,) = (one.approvals for one in again.judgements if one.approvals is not None)
    assert {one.login for one in tally.given} == {"dana", "erin"}


@pytest.mark.invariant("I9")
def test_a_bot_that_is_started_again_counts_the_same() -> None:
    world = a_world(two_of_team())
    play(world, PASSED)
    review(world, "dana")
    world.forge.say(1, "/liftlock approve", by="erin", at=world.clock.now())
    world.restart()
    play(world, 3)
    assert is_promoted(world)
    assert world.forge.merges == [1]
