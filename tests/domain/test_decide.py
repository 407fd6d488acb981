"""The decision: each rung of the running release and of the candidate, and the laws that hold over all of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.argo import HealthSpell, Memory
from bot.domain.decide import decide
from bot.domain.decision import (
    AskRefresh,
    ClosePromotion,
    Decision,
    Halt,
    Judgement,
    MergePromotion,
    OpenPromotion,
    RollBack,
    State,
    UpdatePromotion,
    Wait,
    WaitsOn,
)
from bot.domain.model import Artifact, Digest, Samples, Trouble
from bot.domain.observation import Observation, StageObservation
from bot.domain.policy import Merge, Policy, Road
from bot.domain.pulls import Checks, Proposal, PullState, Reviews
from bot.domain.verdicts import VerdictKind
from tests.builders import (
    HEAD,
    IMAGE,
    MINUTE,
    NEW,
    NOON,
    OLD,
    PROMOTION_COMMIT,
    REVERT_COMMIT,
    a_change,
    a_count_gate,
    a_policy,
    a_proposal,
    a_pull,
    a_revert_proposal,
    a_rollback,
    a_stage,
    a_window,
    an_application,
    an_observation,
    new_production,
    nothing_proposed,
    old_production,
    promoted,
    proven_staging,
    reverted,
    samples,
    sha,
    tags,
)

NO_ANSWER = Trouble(system="GitHub", sentence="no answer")
GOOD, BAD = samples(*[(0.0, 100.0)] * 36), samples((20.0, 100.0), (20.0, 100.0), start=NOON)
QUIET = (Wait, UpdatePromotion, AskRefresh, Halt)


def decided(seen: Observation | None = None, policy: Policy | None = None) -> Decision:
    seen = seen or an_observation()
    return decide(policy or a_policy(), seen, seen.at)


def judgement(decision: Decision, stage: str, role: str) -> Judgement:
    return next(item for item in decision.judgements if (item.stage, item.role) == (stage, role))


def candidate(decision: Decision) -> Judgement:
    return judgement(decision, "production", "candidate")


def running(decision: Decision, stage: str = "production") -> Judgement:
    return judgement(decision, stage, "running")


def writes(decision: Decision) -> list[str]:
    return [action.kind for action in decision.actions if not isinstance(action, QUIET)]


def with_pull(**changes: object) -> StageObservation:
    pull = replace(a_pull(), **changes)  # type: ignore[arg-type]  # a test names only what it changes
    return old_production(promotion=a_proposal(pull))


# --- proposing -------------------------------------------------------------------------------------------------------


def test_a_proven_release_is_proposed() -> None:
    decision = decided()
    action = decision.actions[0]
    assert isinstance(action, OpenPromotion)
    assert (action.stage, action.source_stage) == ("production", "staging")
    assert (action.release.tag, action.replaces.tag) == (NEW, OLD)
    assert candidate(decision).state is State.READY_TO_PROPOSE
    assert running(decision, "staging").state is State.PROVEN


def test_one_healthy_gate_is_said_in_the_singular() -> None:
    policy = a_policy(gates=(a_count_gate(),))
    assert running(decided(policy=policy), "staging").reason == "its gate is healthy"


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        pytest.param(samples((0.0, 100.0)), State.OBSERVING, id="not yet"),
        pytest.param(samples(*[None] * 36), State.OBSERVING, id="no data"),
        pytest.param(samples(*[(0.0, 0.0)] * 36), State.OBSERVING, id="no traffic"),
        pytest.param(Trouble(system="Prometheus", sentence="down"), State.CANNOT_TELL, id="cannot tell"),
        pytest.param(samples((20.0, 100.0)), State.UNHEALTHY, id="unhealthy"),
    ],
)
@pytest.mark.invariant("I1")
def test_only_healthy_promotes(seen: Samples | Trouble, state: State) -> None:
    staging = replace(proven_staging(), samples={"gate:http-errors": seen})
    decision = decided(an_observation(staging))
    assert running(decision, "staging").state is state
    assert writes(decision) == []
    assert candidate(decision).reason.startswith("staging: http-errors: ")


def test_without_any_sample_nothing_is_proposed() -> None:
    decision = decided(an_observation(replace(proven_staging(), samples={})))
    assert writes(decision) == []


def test_a_release_that_is_not_live_waits_for_its_rollout() -> None:
    staging = replace(proven_staging(), applications=(an_application(health="Progressing"),), samples={})
    decision = decided(an_observation(staging))
    assert running(decision, "staging").state is State.WAITING_FOR_ROLLOUT
    assert writes(decision) == []


def test_an_argocd_that_does_not_answer_cannot_be_told() -> None:
    staging = replace(proven_staging(), applications=(NO_ANSWER,), samples={})
    decision = decided(an_observation(staging))
    assert running(decision, "staging").state is State.CANNOT_TELL
    assert writes(decision) == []


def test_a_gate_counts_nothing_while_the_release_is_not_live() -> None:
    staging = replace(proven_staging(), applications=(an_application(health="Progressing"),))
    verdict = running(decided(an_observation(staging)), "staging").verdicts[0]
    assert verdict.kind is VerdictKind.NOT_YET
    assert "not live yet" in verdict.reason


def test_an_application_that_is_degraded_in_staging_is_unhealthy() -> None:
    staging = replace(proven_staging(), applications=(an_application(health="Degraded"),), samples={})
    assert candidate(decided(an_observation(staging))).state is State.UNHEALTHY


@pytest.mark.invariant("I6")
def test_a_policy_change_restarts_the_window() -> None:
    late = an_observation(policy_since=NOON + 30 * MINUTE)
    decision = decided(late)
    assert running(decision, "staging").state is State.OBSERVING
    assert writes(decision) == []


def test_after_the_deadline_without_a_verdict_a_person_is_asked() -> None:
    staging = replace(proven_staging(), samples={"gate:http-errors": samples(*[(0.0, 0.0)] * 36)})
    decision = decided(an_observation(staging, at=NOON + timedelta(hours=7)))
    assert running(decision, "staging").state is State.DEADLINE_PASSED
    assert "6h after it was live" in running(decision, "staging").reason
    assert any(isinstance(action, Halt) for action in decision.actions)
    assert writes(decision) == []


def test_the_deadline_also_runs_for_a_release_that_never_becomes_live() -> None:
    staging = replace(proven_staging(), applications=(), samples={})
    decision = decided(an_observation(staging, at=NOON + timedelta(hours=7)))
    assert "after it was in Git" in running(decision, "staging").reason


def test_a_git_that_does_not_answer_stops_everything_with_its_reason() -> None:
    blind = a_stage("staging", Trouble(system="Git", sentence="no network"))
    decision = decided(an_observation(blind))
    assert running(decision, "staging").reason == "Git: no network"
    assert writes(decision) == []


def test_a_target_that_cannot_be_read_is_not_promoted_to() -> None:
    blind = a_stage("production", Trouble(system="Git", sentence="values.yaml: no such file"))
    decision = decided(an_observation(production=blind))
    assert candidate(decision).reason == "Git: values.yaml: no such file"
    assert writes(decision) == []


def test_a_release_that_is_there_already_is_no_candidate() -> None:
    decision = decided(an_observation(production=new_production(), at=NOON + timedelta(hours=3)))
    assert [item.role for item in decision.judgements] == ["running", "running"]
    assert running(decision, "staging").state is State.SETTLED
    assert running(decision).state is State.SETTLED


def test_a_registry_that_does_not_answer_holds_the_release_back() -> None:
    production = replace(old_production(), artifact=Trouble(system="registry", sentence="timeout"))
    decision = decided(an_observation(production=production))
    assert candidate(decision).state is State.CANNOT_TELL
    assert candidate(decision).waits_on is WaitsOn.BUILD
    assert writes(decision) == []


def test_pull_requests_that_were_not_looked_at_are_no_reason_to_open_one() -> None:
    production = replace(old_production(), promotion=None)
    assert writes(decided(an_observation(production=production))) == []


def test_a_github_that_does_not_answer_waits() -> None:
    decision = decided(an_observation(production=old_production(promotion=NO_ANSWER)))
    assert candidate(decision).reason == "GitHub: no answer"
    assert writes(decision) == []


def test_a_branch_that_is_left_from_an_interrupted_opening_is_used() -> None:
    production = old_production(promotion=a_proposal(None))
    assert writes(decided(an_observation(production=production))) == ["open promotion"]


def test_a_branch_of_someone_elses_is_never_overwritten() -> None:
    production = old_production(promotion=a_proposal(None, deviation="it also changes x"))
    decision = decided(an_observation(production=production))
    assert candidate(decision).state is State.HALTED
    assert writes(decision) == []


def test_a_branch_that_was_made_for_other_bytes_is_not_proposed() -> None:
    production = old_production(promotion=a_proposal(None, release=f"{IMAGE}:{NEW}@sha256:{'a' * 64}"))
    production = replace(production, artifact=Artifact(digest=Digest(f"sha256:{'b' * 64}")))
    decision = decided(an_observation(production=production))
    assert candidate(decision).state is State.HALTED
    assert writes(decision) == []


def test_a_branch_whose_commit_names_no_release_is_not_proposed() -> None:
    decision = decided(an_observation(production=old_production(promotion=a_proposal(None, release=None))))
    assert candidate(decision).reason.endswith(f"the commit names no release, the registry now says {IMAGE}:{NEW}")
    assert writes(decision) == []


# --- merging ---------------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I2")
def test_a_green_pull_request_is_merged_at_the_head_that_was_checked() -> None:
    decision = decided(an_observation(production=with_pull()))
    action = decision.actions[0]
    assert isinstance(action, MergePromotion)
    assert (action.number, action.head) == (7, HEAD)
    assert any(isinstance(item, UpdatePromotion) for item in decision.actions)


#   what stands against it                    | the state it leads to
HINDRANCES = [
    pytest.param({"draft": True, "draft_by": "bob"}, State.HELD_BY_HUMAN, "bob made #7 a draft", id="a person's draft"),
    pytest.param({"labels": ("liftlock/hold",)}, State.HELD_BY_HUMAN, "take it off to go on", id="hold label"),
    pytest.param({"checks": Checks(missing=("ci",))}, State.WAITING_FOR_CHECKS, "not done", id="check missing"),
    pytest.param({"reviews": Reviews(is_short=True)}, State.WAITING_FOR_REVIEW, "approving review", id="no review"),
    pytest.param({"is_behind": True}, State.HALTED, "is behind main", id="behind, and not the bot's head"),
    pytest.param({"is_queued": True}, State.WAITING_TO_BE_MERGED, "in the merge queue", id="queued"),
    pytest.param(
        {"armed_by": "bob", "checks": Checks(pending=("ci",))}, State.WAITING_TO_BE_MERGED, "bob armed", id="armed"
    ),
    pytest.param({"mergeable": None}, State.WAITING_FOR_CHECKS, "still computing", id="mergeable unknown"),
    pytest.param({"mergeable": False}, State.HALTED, "conflicts", id="conflict"),
    pytest.param({"head": sha("other")}, State.WAITING_FOR_CHECKS, "has yet to see", id="head differs"),
    pytest.param({"base": "release"}, State.HALTED, "another branch", id="base changed"),
    pytest.param({"checks": Checks(failed=("ci",))}, State.WAITING_FOR_CHECKS, "checks failed", id="check failed"),
    pytest.param({"checks": Checks(pending=("ci",))}, State.WAITING_FOR_CHECKS, "not done", id="check pending"),
    pytest.param(
        {"reviews": Reviews(changes_requested_by=("bob",))}, State.WAITING_FOR_HUMAN, "bob asked", id="changes asked"
    ),
    pytest.param(
        {"state": PullState.CLOSED, "closed_by": "carol"}, State.REJECTED_BY_HUMAN, "closed by carol", id="rejected"
    ),
    pytest.param({"state": PullState.CLOSED}, State.REJECTED_BY_HUMAN, "closed by someone", id="rejected by unknown"),
    pytest.param({"state": PullState.MERGED}, State.WAITING_FOR_HUMAN, "was merged, but", id="merged and changed"),
]


@pytest.mark.parametrize(("changes", "state", "reason"), HINDRANCES)
def test_a_hindrance_keeps_the_pull_request_from_being_merged(
    changes: dict[str, object], state: State, reason: str
) -> None:
    decision = decided(an_observation(production=with_pull(**changes)))
    assert candidate(decision).state is state
    assert reason in candidate(decision).reason
    assert writes(decision) == []


@pytest.mark.invariant("I2")
@pytest.mark.invariant("I17")
def test_a_pull_request_with_more_than_the_planned_edit_is_never_merged() -> None:
    production = old_production(promotion=a_proposal(a_pull(), deviation="it also changes CODEOWNERS"))
    decision = decided(an_observation(production=production))
    assert candidate(decision).state is State.HALTED
    assert "CODEOWNERS" in candidate(decision).reason
    assert writes(decision) == []


def test_the_policy_may_leave_the_merge_to_a_person() -> None:
    decision = decided(an_observation(production=with_pull()), a_policy(merge=Merge.HUMAN))
    assert candidate(decision).state is State.WAITING_FOR_HUMAN
    assert writes(decision) == []


def test_a_release_that_the_stage_had_before_is_merged_by_a_person_only() -> None:
    history = tags(a_change(OLD, old=NEW, at=NOON - 60 * MINUTE), a_change(NEW, old="1.8.1", at=NOON - 90 * MINUTE))
    production = a_stage("production", history, promotion=a_proposal(a_pull()))
    decision = decided(an_observation(production=production))
    assert candidate(decision).state is State.WAITING_FOR_HUMAN
    assert "had this release before" in candidate(decision).reason


def test_a_pull_request_that_the_bot_withdrew_may_be_proposed_again() -> None:
    pull = a_pull(state=PullState.CLOSED, closed_by="liftlock", closed_by_bot=True)
    production = old_production(promotion=a_proposal(pull, branch_head=None, release=None))
    assert writes(decided(an_observation(production=production))) == ["open promotion"]


def test_a_release_that_turns_unhealthy_is_withdrawn() -> None:
    staging = replace(proven_staging(), samples={"gate:http-errors": samples((20.0, 100.0))})
    decision = decided(an_observation(staging, with_pull()))
    assert writes(decision) == ["close promotion"]
    assert not any(isinstance(action, UpdatePromotion) for action in decision.actions)


def test_a_release_that_cannot_be_told_any_more_is_not_merged_and_not_withdrawn() -> None:
    staging = replace(proven_staging(), samples={"gate:http-errors": Trouble(system="Prometheus", sentence="down")})
    assert writes(decided(an_observation(staging, with_pull()))) == []


@pytest.mark.invariant("I16")
def test_a_tag_that_was_moved_to_other_bytes_is_not_merged() -> None:
    named = f"{IMAGE}:{NEW}@sha256:{'a' * 64}"
    production = old_production(promotion=a_proposal(a_pull(), release=named))
    same = replace(production, artifact=Artifact(digest=Digest(f"sha256:{'a' * 64}")))
    other = replace(production, artifact=Artifact(digest=Digest(f"sha256:{'b' * 64}")))
    assert writes(decided(an_observation(production=same))) == ["merge promotion"]
    assert writes(decided(an_observation(production=other))) == []
    assert "other bytes" in candidate(decided(an_observation(production=other))).reason


def test_a_commit_that_names_no_release_is_bound_to_none() -> None:
    production = old_production(promotion=a_proposal(a_pull(), release=None))
    assert writes(decided(an_observation(production=production))) == []


def test_a_pull_request_for_another_release_is_superseded() -> None:
    old = a_pull(5, tag="1.8.9")
    production = replace(old_production(), superseded=(old, a_pull()))
    actions = decided(an_observation(production=production)).actions
    assert [action.number for action in actions if isinstance(action, ClosePromotion)] == [5]


def test_nothing_is_superseded_while_staging_cannot_be_read() -> None:
    blind = a_stage("staging", Trouble(system="Git", sentence="no network"))
    production = replace(old_production(), superseded=(a_pull(5, tag="1.8.9"),))
    assert writes(decided(an_observation(blind, production))) == []


def test_nothing_is_superseded_in_a_stage_that_cannot_be_read() -> None:
    blind = replace(a_stage("production", NO_ANSWER), superseded=(a_pull(5, tag="1.8.9"),))
    assert writes(decided(an_observation(production=blind))) == []


# --- watching and rolling back ---------------------------------------------------------------------------------------

SOON = NOON + 10 * MINUTE


def watching(**changes: object) -> Observation:
    return an_observation(production=new_production(**changes), at=SOON)  # type: ignore[arg-type]  # as above


def test_a_trigger_that_fires_takes_the_release_back() -> None:
    decision = decided(watching(sampled={"trigger:http-errors": BAD}))
    action = decision.actions[0]
    assert isinstance(action, RollBack)
    assert (action.release.tag, action.back_to.tag, action.promotion) == (NEW, OLD, PROMOTION_COMMIT)
    assert action.road is Road.COMMIT
    assert running(decision).state is State.ROLLING_BACK


def test_an_application_that_stays_degraded_takes_the_release_back_though_it_was_never_healthy() -> None:
    ill = replace(an_application("checkout-production", health="Degraded"), health_since=NOON + MINUTE)
    assert writes(decided(watching(applications=(ill,)))) == ["roll back"]


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param({}, id="nothing was read"),
        pytest.param({"trigger:http-errors": GOOD}, id="good"),
        pytest.param({"trigger:http-errors": samples(*[None] * 5, start=NOON)}, id="no data"),
        pytest.param({"trigger:http-errors": Trouble(system="Prometheus", sentence="down")}, id="backend down"),
    ],
)
@pytest.mark.invariant("I5")
def test_only_unhealthy_reverts(seen: dict[str, object]) -> None:
    decision = decided(watching(sampled=seen))
    assert writes(decision) == []
    assert running(decision).state is State.WATCHING


def test_a_watch_that_cannot_see_says_so() -> None:
    decision = decided(watching(sampled={"trigger:http-errors": Trouble(system="Prometheus", sentence="down")}))
    assert "could not be asked: down" in running(decision).reason


@pytest.mark.invariant("I5")
@pytest.mark.parametrize(("gone", "said"), [(1, ""), (2, "http-errors: 2 of the newest 5 looks found no data; ")])
def test_a_watch_whose_measurements_have_ended_says_so(gone: int, said: str) -> None:
    counts = samples(*[(0.0, 100.0)] * 6, *[None] * gone, start=NOON)
    decision = decided(watching(sampled={"trigger:http-errors": counts}))
    assert running(decision).state is State.WATCHING
    assert running(decision).reason == f"{said}no trigger has fired; watched until 13:00:00 UTC"


def test_a_watch_over_a_rollout_that_is_not_done_says_what_it_waits_for() -> None:
    behind = an_application("checkout-production", phase="Running")
    decision = decided(watching(applications=(behind,)))
    assert running(decision).state is State.WATCHING
    assert "a sync is running" in running(decision).reason


def test_after_the_watch_no_trigger_is_judged() -> None:
    seen = replace(watching(sampled={"trigger:http-errors": BAD}), at=NOON + timedelta(hours=2))
    assert running(decided(seen)).state is State.SETTLED


def test_a_promotion_that_a_person_made_by_hand_is_not_reverted() -> None:
    history = tags(a_change(NEW, old=OLD, commit=PROMOTION_COMMIT), a_change(OLD, old="1.8.1"))
    production = a_stage("production", history, sampled={"trigger:http-errors": BAD})
    assert writes(decided(an_observation(production=production, at=SOON))) == []


@pytest.mark.invariant("I4")
def test_a_revert_is_never_reverted() -> None:
    history = tags(reverted(NEW), promoted(NEW, at=NOON - MINUTE))
    production = a_stage("production", history, sampled={"trigger:http-errors": BAD})
    decision = decided(an_observation(production=production, at=SOON))
    assert writes(decision) == []
    assert running(decision).state is State.HALTED
    assert running(decision).reason.startswith("the rollback of 1.9.0 to 1.8.2 did not help: http-errors: ")


@pytest.mark.parametrize(
    "measured",
    [GOOD, samples(), Trouble(system="Prometheus", sentence="no answer"), None],
    ids=["good", "silent", "down", "not asked"],
)
def test_a_rollback_is_said_to_have_failed_only_where_a_trigger_fires(measured: Samples | Trouble | None) -> None:
    history = tags(reverted(NEW), promoted(NEW, at=NOON - MINUTE))
    sampled = {"trigger:http-errors": measured} if measured is not None else {}
    decision = decided(an_observation(production=a_stage("production", history, sampled=sampled), at=SOON))
    assert running(decision).state is State.ROLLED_BACK


def test_a_rollback_is_looked_after_for_a_watch_and_no_longer() -> None:
    history = tags(reverted(NEW), promoted(NEW, at=NOON - MINUTE))
    production = a_stage("production", history, sampled={"trigger:http-errors": BAD})
    decision = decided(an_observation(production=production, at=NOON + timedelta(hours=3)))
    assert running(decision).state is State.ROLLED_BACK


@pytest.mark.invariant("I3")
def test_a_release_that_was_rolled_back_is_quarantined() -> None:
    history = tags(reverted(NEW), promoted(NEW, at=NOON - MINUTE))
    decision = decided(an_observation(production=a_stage("production", history), at=SOON))
    assert candidate(decision).state is State.QUARANTINED
    assert REVERT_COMMIT[:7] in candidate(decision).reason
    assert writes(decision) == []


def test_an_open_pull_request_of_a_quarantined_release_is_withdrawn() -> None:
    history = tags(reverted(NEW), promoted(NEW, at=NOON - MINUTE))
    production = a_stage("production", history, promotion=a_proposal(a_pull()))
    assert writes(decided(an_observation(production=production, at=SOON))) == ["close promotion"]


@pytest.mark.invariant("I4")
def test_an_unknown_last_good_release_halts() -> None:
    production = new_production(sampled={"trigger:http-errors": BAD}, old=None)
    decision = decided(an_observation(production=production, at=SOON))
    assert running(decision).state is State.HALTED
    assert writes(decision) == []


@pytest.mark.invariant("I4")
def test_a_rollback_never_goes_to_a_quarantined_release() -> None:
    history = tags(promoted(NEW), a_change(OLD, old="1.8.1"), reverted(OLD, back_to="1.8.1", at=NOON - MINUTE))
    production = a_stage("production", history, sampled={"trigger:http-errors": BAD})
    decision = decided(an_observation(production=production, at=SOON))
    assert "quarantined itself" in running(decision).reason
    assert writes(decision) == []


def test_while_production_is_rolled_back_no_newer_release_moves_in() -> None:
    newer = a_stage("staging", tags(a_change("1.10.0", old=NEW)), sampled={"gate:http-errors": GOOD})
    production = replace(new_production(sampled={"trigger:http-errors": BAD}), promotion=nothing_proposed())
    decision = decided(an_observation(newer, production))
    assert writes(decision) == ["roll back"]
    assert "rolled back first" in candidate(decision).reason


def test_a_stale_application_is_asked_to_refresh() -> None:
    stale = an_application(reconciled_at=NOON)
    decision = decided(an_observation(replace(proven_staging(), applications=(stale,))))
    assert [action.application for action in decision.actions if isinstance(action, AskRefresh)] == ["checkout-staging"]


# --- rollback by pull request ----------------------------------------------------------------------------------------

BY_PULL = a_policy(rollback=a_rollback(by=Road.PULL_REQUEST))


def rolled_back_by_pull(revert: Proposal | Trouble | None) -> Decision:
    return decided(watching(sampled={"trigger:http-errors": BAD}, revert=revert), BY_PULL)


def test_a_rollback_by_pull_request_is_opened_first() -> None:
    assert writes(rolled_back_by_pull(a_revert_proposal())) == ["roll back"]


def test_a_rollback_pull_request_is_merged_at_its_checked_head() -> None:
    action = rolled_back_by_pull(a_revert_proposal(a_pull(9))).actions[0]
    assert isinstance(action, MergePromotion)
    assert (action.number, action.reverts, action.replaces.tag) == (9, PROMOTION_COMMIT, OLD)


@pytest.mark.parametrize(("is_own", "actions"), [(True, ["merge promotion"]), (False, [])])
def test_an_open_rollback_goes_on_though_no_trigger_fires_any_more_unless_it_is_a_persons(
    is_own: bool, actions: list[str]
) -> None:
    proposal = a_revert_proposal(replace(a_pull(9), is_own=is_own))
    decision = decided(watching(sampled={"trigger:http-errors": GOOD}, revert=proposal), BY_PULL)
    assert writes(decision) == actions


@pytest.mark.parametrize(
    ("revert", "reason"),
    [
        pytest.param(NO_ANSWER, "no answer", id="GitHub down"),
        pytest.param(a_revert_proposal(a_pull(9), deviation="more"), "planned edit: more", id="deviates"),
        pytest.param(a_revert_proposal(a_pull(9, head=sha("x"))), "has seen its head", id="head differs"),
        pytest.param(a_revert_proposal(a_pull(9, draft=True)), "made a draft", id="draft"),
        pytest.param(a_revert_proposal(a_pull(9, base="other")), "another branch", id="retargeted"),
        pytest.param(a_revert_proposal(a_pull(9, mergeable=False)), "conflicts", id="conflict"),
        pytest.param(
            a_revert_proposal(a_pull(9, reviews=Reviews(changes_requested_by=("bob",)))),
            "requested by bob",
            id="review",
        ),
        pytest.param(a_revert_proposal(None, deviation="alice was here"), "alice was here", id="a person's branch"),
        pytest.param(None, "not looked for", id="not looked for"),
        pytest.param(a_revert_proposal(a_pull(9, checks=Checks(pending=("ci",)))), "waits for checks: ci", id="checks"),
        pytest.param(a_revert_proposal(a_pull(9, checks=Checks(missing=("ci",)))), "waits for checks: ci", id="none"),
        pytest.param(a_revert_proposal(a_pull(9, reviews=Reviews(is_short=True))), "an approving review", id="review"),
        pytest.param(a_revert_proposal(a_pull(9, mergeable=None)), "can be merged", id="mergeable unknown"),
        pytest.param(a_revert_proposal(a_pull(9, state=PullState.CLOSED, closed_by="bob")), "bob closed", id="closed"),
        pytest.param(a_revert_proposal(a_pull(9, state=PullState.MERGED)), "is merged", id="merged"),
        pytest.param(
            a_revert_proposal(a_pull(9, state=PullState.CLOSED, closed_by_bot=True)), "closed", id="by the bot"
        ),
    ],
)
def test_a_rollback_pull_request_waits_or_halts_with_its_reason(revert: Proposal | Trouble, reason: str) -> None:
    decision = rolled_back_by_pull(revert)
    assert writes(decision) == []
    assert any(reason in action.reason for action in decision.actions if isinstance(action, (Wait, Halt)))


# --- comments on the pull request that brought the release -----------------------------------------------------------


def test_the_pull_request_that_brought_the_release_keeps_its_evidence_up_to_date() -> None:
    arrival = a_proposal(a_pull(state=PullState.MERGED))
    production = replace(new_production(), arrival=arrival)
    updates = [
        action
        for action in decided(an_observation(production=production, at=SOON)).actions
        if isinstance(action, UpdatePromotion)
    ]
    assert [(update.number, update.release.tag) for update in updates] == [(7, NEW)]


@pytest.mark.parametrize("named", [None, "nonsense"])
def test_an_arrival_that_names_no_release_is_taken_for_the_running_one(named: str | None) -> None:
    production = replace(new_production(), arrival=a_proposal(a_pull(state=PullState.MERGED), release=named))
    decision = decided(an_observation(production=production, at=SOON))
    assert [action.release.tag for action in decision.actions if isinstance(action, UpdatePromotion)] == [NEW]


@pytest.mark.parametrize("arrival", [None, NO_ANSWER, nothing_proposed()])
def test_without_a_known_pull_request_no_comment_is_written(arrival: Proposal | Trouble | None) -> None:
    production = replace(new_production(), arrival=arrival)
    decision = decided(an_observation(production=production, at=SOON))
    assert not any(isinstance(action, UpdatePromotion) for action in decision.actions)


# --- a stage in the middle -------------------------------------------------------------------------------------------


def three_stages() -> Policy:
    policy = a_policy()
    middle = replace(
        policy.stages[1],
        window=a_window(),
        gates=(a_count_gate(),),
        applications=policy.stages[1].applications,
    )
    last = replace(policy.stages[1], name="edge", source="production")
    return replace(policy, stages=(policy.stages[0], middle, last))


def test_a_middle_stage_is_observed_for_the_next_and_still_rolled_back() -> None:
    edge = a_stage("edge", tags(a_change(OLD, old="1.8.1")), promotion=nothing_proposed())
    good = {"gate:http-errors": GOOD, "trigger:http-errors": GOOD}
    bad = {"gate:http-errors": GOOD, "trigger:http-errors": BAD}
    for sampled, expected in ((good, ["open promotion"]), (bad, ["roll back"])):
        seen = an_observation(production=new_production(sampled=sampled))
        decision = decided(replace(seen, stages=(*seen.stages, edge)), three_stages())
        assert writes(decision) == expected


# --- laws ------------------------------------------------------------------------------------------------------------


def test_the_same_inputs_give_the_same_decision() -> None:
    assert decided() == decided()


def test_the_next_look_is_at_the_end_of_a_window_that_ends_soon() -> None:
    early = replace(proven_staging(), samples={"gate:http-errors": samples(*[(0.0, 100.0)] * 29)})
    at = NOON + 32 * MINUTE + timedelta(seconds=30)
    assert decided(an_observation(early, at=at)).look_again == NOON + 33 * MINUTE
    assert decided(an_observation()).look_again == an_observation().at + MINUTE


def test_a_spell_of_illness_restarts_the_window_of_argocd_healthy() -> None:
    ill = HealthSpell(
        application="checkout-staging",
        health="Degraded",
        first_seen=NOON + 20 * MINUTE,
        last_seen=NOON + 21 * MINUTE,
    )
    well = an_application(health_since=NOON + 22 * MINUTE)
    staging = replace(proven_staging(), applications=(well,), memory=Memory(spells=(ill,)))
    decision = decided(an_observation(staging))
    assert writes(decision) == []
    assert running(decision, "staging").state is State.OBSERVING
