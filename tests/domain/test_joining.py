"""A stage behind several: which release waits, and what the stages before come to together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.domain.commands import Verb
from bot.domain.decide import decide
from bot.domain.decision import (
    ClosePromotion,
    Decision,
    DisarmPromotion,
    Judgement,
    MergePromotion,
    OpenPromotion,
    State,
    WaitsOn,
)
from bot.domain.edit import KustomizeEdit
from bot.domain.joining import told_of
from bot.domain.model import NOT_SET, Artifact, Release, Sha, TagChange, Trailers, Trouble
from bot.domain.observation import Observation, StageObservation
from bot.domain.observed import carriers, waiting_tag
from bot.domain.orders import Order
from bot.domain.policy import Join, Opens, Policy, Proposing
from tests.builders import (
    IMAGE,
    NEW,
    NOON,
    OLD,
    a_change,
    a_policy,
    a_proposal,
    a_pull,
    a_stage,
    a_window,
    an_observation,
    nothing_proposed,
    old_production,
    promoted,
    reverted,
    samples,
    sha,
    tags,
)

MINUTE = timedelta(minutes=1)
LIVE = NOON + timedelta(seconds=5)
"""When Argo CD saw the result of the sync at noon."""
NEWER = "1.9.1"
GOOD = samples(*[(0.0, 100.0)] * 36)
BAD = samples(*[(40.0, 100.0)] * 36)
DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def joined(join: Join = Join.ALL, *, pause: timedelta = timedelta(0), opens: Opens = Opens.ON_PASS) -> Policy:
    """Production gets its releases from a staging in the EU and one in the US."""
    policy = a_policy(proposing=Proposing(opens=opens, pause=pause))
    staging, production = policy.stages
    eu = replace(staging, name="eu", edit=KustomizeEdit(file="eu.yaml"))
    us = replace(staging, name="us", edit=KustomizeEdit(file="us.yaml"))
    return replace(policy, stages=(eu, us, replace(production, source="eu", beside=("us",), join=join)))


def a_staging(
    name: str, tag: str = NEW, *, at: datetime = NOON, old: str = OLD, good: bool = True, digest: str | None = None
) -> StageObservation:
    trailers = None
    if digest is not None:
        trailers = Trailers(service="checkout", stage=name, release=f"{IMAGE}:{tag}@{digest}")
    change = TagChange(commit=sha(f"{name}{tag}"), at=at, author="alice", old=old, new=tag, trailers=trailers)
    return a_stage(name, tags(change), sampled={"gate:http-errors": GOOD if good else BAD})


def unread(name: str) -> StageObservation:
    return a_stage(name, Trouble(system="Git", sentence="eu.yaml is no YAML"), applications=())


def seen_of(*before: StageObservation, production: StageObservation | None = None) -> Observation:
    seen = an_observation()
    return replace(seen, stages=(*before, production or old_production()))


def decided(seen: Observation, policy: Policy | None = None) -> Decision:
    return decide(policy or joined(), seen, seen.at)


def candidate(decision: Decision) -> Judgement:
    return next(one for one in decision.judgements if (one.stage, one.role) == ("production", "candidate"))


def opened(decision: Decision) -> Sequence[OpenPromotion]:
    return [action for action in decision.actions if isinstance(action, OpenPromotion)]


def an_order(kind: Verb, *, head: Sha, gate: str = "", at: datetime = NOON) -> Order:
    return Order(
        kind=kind,
        service="checkout",
        stage="production",
        release=f"{IMAGE}:{NEW}",
        by_id=1,
        by_login="dana",
        at=at,
        comment=1,
        line=1,
        number=7,
        gate=gate,
        head=head,
        reason="known",
    )


# --- all of them -----------------------------------------------------------------------------------------------------


def test_what_has_proven_itself_in_all_of_them_is_proposed_with_the_proof_of_each() -> None:
    decision = decided(seen_of(a_staging("eu"), a_staging("us")))
    told = candidate(decision)
    assert told.state is State.READY_TO_PROPOSE
    assert told.reason.startswith("eu and us: ")
    (action,) = opened(decision)
    assert (action.release.tag, action.source_stage, action.is_draft) == (NEW, "eu and us", False)


@pytest.mark.parametrize("bad", ["eu", "us"])
def test_one_that_is_unhealthy_stops_it_whichever_it_is(bad: str) -> None:
    decision = decided(seen_of(a_staging("eu", good=bad != "eu"), a_staging("us", good=bad != "us")))
    told = candidate(decision)
    assert (told.state, told.waits_on) == (State.UNHEALTHY, WaitsOn.HUMAN)
    assert told.reason.startswith(f"{bad}: http-errors: ")
    assert not opened(decision)


def test_one_that_runs_another_release_is_waited_for_by_name() -> None:
    decision = decided(seen_of(a_staging("eu"), a_staging("us", OLD, at=NOON - timedelta(days=3), old="1.8.1")))
    told = candidate(decision)
    assert (told.state, told.waits_on) == (State.OBSERVING, WaitsOn.PROMOTION)
    assert told.reason == f"us: it still runs {OLD}"
    assert not opened(decision)


def test_one_that_is_unhealthy_is_told_before_one_that_runs_another() -> None:
    seen = seen_of(a_staging("eu", good=False), a_staging("us", OLD, at=NOON - timedelta(days=3), old="1.8.1"))
    assert candidate(decided(seen)).state is State.UNHEALTHY


def test_one_without_a_release_is_waited_for() -> None:
    nothing = a_stage("us", tags(a_change(NOT_SET, at=NOON - timedelta(days=1))))
    assert candidate(decided(seen_of(a_staging("eu"), nothing))).reason == (
        "us: no release is set here yet; the first promotion adds it"
    )


def test_no_draft_is_opened_early_while_one_of_them_runs_another_release() -> None:
    behind = a_staging("us", OLD, at=NOON - timedelta(days=3), old="1.8.1")
    early = joined(opens=Opens.EARLY)
    assert not opened(decided(seen_of(a_staging("eu"), behind), early))
    seen = replace(seen_of(a_staging("eu"), a_staging("us", at=NOON + 30 * MINUTE)))
    (action,) = opened(decided(seen, early))
    assert action.is_draft


def test_the_window_of_the_slower_one_counts() -> None:
    told = candidate(decided(seen_of(a_staging("eu"), a_staging("us", at=NOON + 30 * MINUTE))))
    assert told.state in {State.OBSERVING, State.WAITING_FOR_ROLLOUT}
    assert told.reason.startswith("us: ")


def test_bytes_that_ran_in_one_of_them_only_stop_it() -> None:
    now = Artifact(digest=DIGEST)  # type: ignore[arg-type]
    production = replace(old_production(), artifact=now)
    seen = seen_of(a_staging("eu", digest=DIGEST), a_staging("us", digest=OTHER), production=production)
    told = candidate(decided(seen))
    assert told.state is State.HALTED
    assert f"{OTHER[:19]} was observed in us" in told.reason
    alike = seen_of(a_staging("eu"), a_staging("us", digest=DIGEST), production=production)
    (action,) = opened(decided(alike))
    assert action.release.digest == DIGEST


def test_an_override_counts_for_the_gate_in_each_of_them() -> None:
    order = an_order(Verb.PROMOTE, head=a_pull().head, gate="http-errors")
    production = old_production(promotion=a_proposal(a_pull()))
    seen = seen_of(a_staging("eu", good=False), a_staging("us", good=False), production=production)
    seen = replace(seen, orders=(order,))
    told = candidate(decided(seen))
    assert told.state is State.READY_TO_MERGE
    overridden = told.reason.partition("overridden by a person: ")[2]
    assert overridden.startswith("http-errors (eu: ")
    assert "; us: " in overridden
    assert overridden.endswith("; dana: known")


# --- any of them -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", ["eu", "us"])
def test_with_any_one_proof_is_enough_and_the_other_stage_does_not_speak(bad: str) -> None:
    good = "us" if bad == "eu" else "eu"
    decision = decided(seen_of(a_staging("eu", good=bad != "eu"), a_staging("us", good=bad != "us")), joined(Join.ANY))
    told = candidate(decision)
    assert told.state is State.READY_TO_PROPOSE
    assert told.reason.startswith(f"{good}: ")
    assert opened(decision)[0].source_stage == good


def test_with_any_what_a_person_overrode_in_one_counts_while_the_other_has_come_further() -> None:
    order = an_order(Verb.PROMOTE, head=a_pull().head, gate="http-errors")
    production = old_production(promotion=a_proposal(a_pull()))
    seen = seen_of(a_staging("eu", good=False), a_staging("us", at=NOON + 30 * MINUTE), production=production)
    assert candidate(decided(seen, joined(Join.ANY))).state is State.OBSERVING
    told = candidate(decided(replace(seen, orders=(order,)), joined(Join.ANY)))
    assert told.state is State.READY_TO_MERGE
    assert "eu: overridden by a person: http-errors (" in told.reason


def test_with_any_the_pause_counts_from_the_first_proof() -> None:
    first, later = a_staging("us"), a_staging("eu", at=NOON + 30 * MINUTE)
    policy = joined(Join.ANY, pause=30 * MINUTE)
    for minutes, state in ((61, State.PAUSED), (62, State.READY_TO_PROPOSE)):
        at = LIVE + minutes * MINUTE
        seen = replace(seen_of(later, first), at=at)
        assert candidate(decide(policy, seen, at)).state is state, minutes


def test_with_any_the_release_that_was_set_last_waits_and_an_older_proof_is_not_its_own() -> None:
    seen = seen_of(a_staging("eu"), a_staging("us", NEWER, at=NOON + 5 * MINUTE, good=False))
    told = candidate(decided(seen, joined(Join.ANY)))
    assert told.release is not None
    assert (told.release.tag, told.state) == (NEWER, State.UNHEALTHY)


# --- which release waits ---------------------------------------------------------------------------------------------


def waiting(*before: StageObservation, production: StageObservation | None = None) -> str | None:
    return waiting_tag(joined().stage("production"), seen_of(*before, production=production))


def test_the_release_that_was_set_last_waits() -> None:
    older = a_staging("eu", at=NOON)
    assert waiting(older, a_staging("us", NEWER, at=NOON + MINUTE)) == NEWER
    assert waiting(a_staging("eu", NEWER, at=NOON - MINUTE), a_staging("us", NEW, at=NOON)) == NEW


def test_what_the_stage_had_already_does_not_come_back_from_a_stage_that_is_behind() -> None:
    had = a_stage("production", tags(a_change(NEWER, old=NEW, at=NOON), a_change(NEW, old=OLD, at=NOON - MINUTE)))
    behind, ahead = a_staging("eu", NEW, at=NOON + 10 * MINUTE), a_staging("us", NEWER, at=NOON)
    assert waiting(behind, ahead, production=had) == NEWER
    assert waiting(behind, a_staging("us", "1.9.2", at=NOON - MINUTE), production=had) == "1.9.2"


def test_a_stage_that_lags_behind_moves_nothing_backwards() -> None:
    there = a_stage("production", tags(a_change(NEW, old=OLD)))
    for lagging in (a_staging("us", OLD, at=NOON - timedelta(days=3), old="1.8.1"), a_staging("us", OLD, at=NOON)):
        assert waiting(a_staging("eu"), lagging, production=there) == NEW


def test_a_stage_that_was_taken_back_moves_nothing_backwards() -> None:
    there = a_stage("production", tags(a_change(OLD, at=NOON - timedelta(days=1))))
    back = a_stage("us", tags(reverted(NEWER), promoted(NEWER, at=NOON - MINUTE)))
    assert waiting(a_staging("eu", OLD, at=NOON - timedelta(days=2)), back, production=there) == OLD


def test_a_stage_that_catches_up_later_does_not_make_what_is_ahead_old() -> None:
    ahead = a_stage("eu", tags(a_change(NEW, old=OLD, at=NOON - 9 * MINUTE), a_change(OLD, at=NOON - 20 * MINUTE)))
    late = a_staging("us", OLD, at=NOON, old="1.8.1")
    assert waiting(ahead, late, production=old_production()) == NEW


def test_what_a_rollback_took_out_waits_again_once_a_person_has_lifted_it() -> None:
    history = tags(reverted(NEW), promoted(NEW, at=NOON - MINUTE), a_change(OLD, at=NOON - timedelta(days=1)))
    production = a_stage("production", history, promotion=nothing_proposed())
    eu = a_staging("eu", OLD, at=NOON - timedelta(days=2), old="1.8.1")
    us = a_staging("us", at=NOON - timedelta(days=1))
    assert waiting(eu, us, production=production) == NEW


def test_where_all_run_what_the_stage_has_nothing_waits() -> None:
    there = a_stage("production", tags(a_change(NEW, old=OLD)))
    decision = decided(seen_of(a_staging("eu"), a_staging("us"), production=there))
    assert not any(one.role == "candidate" for one in decision.judgements)


def test_a_quarantined_release_lets_another_go_first_and_is_told_where_there_is_none() -> None:
    history = tags(reverted(NEW), promoted(NEW, at=NOON - MINUTE), a_change(OLD, at=NOON - timedelta(days=1)))
    production = a_stage("production", history, promotion=nothing_proposed())
    assert waiting(a_staging("eu"), a_staging("us", NEWER, at=NOON - 5 * MINUTE), production=production) == NEWER
    told = candidate(decided(seen_of(a_staging("eu"), a_staging("us"), production=production)))
    assert told.state is State.QUARANTINED


def test_without_the_target_the_newest_waits_and_the_move_is_blind() -> None:
    unreadable = a_stage("production", Trouble(system="Git", sentence="values.yaml is gone"), applications=())
    seen = seen_of(a_staging("eu"), a_staging("us", NEWER, at=NOON + MINUTE), production=unreadable)
    assert waiting_tag(joined().stage("production"), seen) == NEWER
    assert candidate(decided(seen)).state is State.CANNOT_TELL


@pytest.mark.parametrize("join", list(Join))
def test_a_stage_before_that_cannot_be_read_stops_the_move_and_takes_back_what_was_armed(join: Join) -> None:
    armed = replace(a_pull(), armed_by="liftlock", armed_by_bot=True)
    production = old_production(promotion=a_proposal(armed))
    decision = decided(seen_of(unread("eu"), a_staging("us"), production=production), joined(join))
    assert not any(one.role == "candidate" for one in decision.judgements)
    assert not any(isinstance(action, OpenPromotion | MergePromotion) for action in decision.actions)
    (disarm,) = [action for action in decision.actions if isinstance(action, DisarmPromotion)]
    assert "eu.yaml is no YAML" in disarm.reason


def test_the_stages_that_run_what_waits_are_named_in_the_order_of_the_policy() -> None:
    target = joined().stage("production")
    assert carriers(target, seen_of(a_staging("eu"), a_staging("us"))) == ("eu", "us")
    assert carriers(target, seen_of(a_staging("eu", NEWER, at=NOON + MINUTE), a_staging("us"))) == ("eu",)
    assert carriers(target, seen_of(unread("eu"), a_staging("us"))) == ()


def test_a_proposal_of_a_release_that_waits_no_more_is_closed_and_says_where_another_runs() -> None:
    other = a_pull(5, tag="1.8.9")
    production = replace(old_production(), superseded=(other,))
    decision = decided(seen_of(a_staging("eu"), a_staging("us"), production=production))
    (closing,) = [action for action in decision.actions if isinstance(action, ClosePromotion)]
    assert closing.reason == f"eu and us now run {NEW}; this pull request was for another release"


# --- a pause ---------------------------------------------------------------------------------------------------------


def paused_for(pause: timedelta, *, opens: Opens = Opens.ON_PASS) -> tuple[Policy, Observation]:
    """In both it was live at noon, with a window of thirty minutes and two to warm up."""
    return joined(pause=pause, opens=opens), seen_of(a_staging("eu"), a_staging("us"))


def test_a_pause_begins_when_the_window_is_over() -> None:
    window = a_window()
    policy, seen = paused_for(30 * MINUTE)
    told = candidate(decided(seen, policy))
    assert (told.state, told.waits_on) == (State.PAUSED, WaitsOn.PROMOTION)
    assert "it has passed eu and us and pauses for 30m, until " in told.reason
    over = LIVE + window.warmup + window.length + 30 * MINUTE
    assert decided(seen, policy).look_again <= over
    for at, state in ((over - MINUTE, State.PAUSED), (over, State.READY_TO_PROPOSE)):
        assert candidate(decide(policy, replace(seen, at=at), at)).state is state


def test_the_later_of_two_windows_counts_for_the_pause() -> None:
    policy, _ = paused_for(30 * MINUTE)
    at = LIVE + 62 * MINUTE
    seen = replace(seen_of(a_staging("eu", at=NOON - 30 * MINUTE), a_staging("us")), at=at)
    assert candidate(decide(policy, seen, at)).state is State.READY_TO_PROPOSE
    assert candidate(decide(policy, seen, at - MINUTE)).state is State.PAUSED


def test_a_person_ends_a_pause_by_approving_it() -> None:
    policy, seen = paused_for(60 * MINUTE)
    pull = a_pull(draft=True)
    production = old_production(promotion=a_proposal(pull))
    window = a_window()
    over = LIVE + window.warmup + window.length
    order = an_order(Verb.APPROVE, head=pull.head, at=over)
    waits = replace(seen, stages=(*seen.stages[:2], production))
    assert candidate(decided(waits, policy)).state is State.PAUSED
    assert candidate(decided(replace(waits, orders=(order,)), policy)).state is State.READY_TO_PROPOSE


def test_who_approved_before_the_window_was_over_has_not_ended_the_pause() -> None:
    policy, seen = paused_for(60 * MINUTE)
    pull = a_pull(draft=True)
    window = a_window()
    early = an_order(Verb.APPROVE, head=pull.head, at=LIVE + window.warmup + window.length - MINUTE)
    waits = replace(seen, stages=(*seen.stages[:2], old_production(promotion=a_proposal(pull))), orders=(early,))
    assert candidate(decided(waits, policy)).state is State.PAUSED


def test_what_pauses_is_shown_as_a_draft_and_what_turns_ill_meanwhile_does_not_move() -> None:
    policy, seen = paused_for(60 * MINUTE)
    (action,) = opened(decided(seen, policy))
    assert action.is_draft
    ill = seen_of(a_staging("eu", good=False), a_staging("us"))
    assert candidate(decided(ill, policy)).state is State.UNHEALTHY


# --- what is told ----------------------------------------------------------------------------------------------------


def judged(stage: str, state: State, tag: str = NEW) -> Judgement:
    release = Release(image=IMAGE, tag=tag)
    return Judgement(
        stage=stage, role="running", release=release, state=state, waits_on=WaitsOn.NOTHING, reason="because"
    )


def told(join: Join, *judgements: Judgement) -> list[str]:
    release = Release(image=IMAGE, tag=NEW)
    return [one.stage for one in told_of(joined(join).stage("production"), release, judgements)]


def test_the_stage_that_is_waited_for_longest_is_told_first() -> None:
    eu, us = judged("eu", State.PROVEN), judged("us", State.OBSERVING)
    assert told(Join.ALL, eu, us) == ["us", "eu"]
    assert told(Join.ANY, eu, us) == ["eu"]


def test_a_stage_that_runs_another_release_has_nothing_to_tell() -> None:
    assert told(Join.ALL, judged("eu", State.PROVEN, OLD), judged("us", State.OBSERVING)) == ["us"]
    assert told(Join.ANY, judged("eu", State.PROVEN, OLD)) == []


def test_a_single_stage_before_speaks_whatever_it_runs() -> None:
    policy = a_policy()
    found = told_of(policy.stage("production"), Release(image=IMAGE, tag=NEW), [judged("staging", State.HALTED, OLD)])
    assert [one.stage for one in found] == ["staging"]


def test_nothing_is_known_to_wait_where_one_stage_before_cannot_be_read() -> None:
    assert waiting(unread("eu"), a_staging("us")) is None
