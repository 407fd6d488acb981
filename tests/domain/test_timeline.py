"""The way of a release into a stage: which steps are told, when, and on whose word."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.argo import Application, Mark, MarkKind, Operation
from bot.domain.decide import decide
from bot.domain.model import Carries, TagChange
from bot.domain.pulls import Proposal
from bot.domain.timeline import Step, timeline_of
from tests.builders import (
    HEAD,
    MINUTE,
    NEW,
    NOON,
    OLD,
    a_change,
    a_policy,
    a_pull,
    a_stage,
    an_application,
    an_observation,
    liveness_of,
    promoted,
    reverted,
    tags,
)

SECOND = timedelta(seconds=1)
APP = replace(
    an_application("checkout-production", health_since=NOON + 40 * SECOND, reconciled_at=NOON + 50 * SECOND),
    operation=Operation(
        phase="Succeeded",
        revisions=(HEAD,),
        started_at=NOON + 10 * SECOND,
        finished_at=NOON + 30 * SECOND,
    ),
)
SAW = Mark(application="checkout-production", kind=MarkKind.SAW, at=NOON + 5 * SECOND)


def steps(*applications: Application, marks: tuple[Mark, ...] = (SAW,)) -> dict[Step, tuple[float, str]]:
    history = tags(replace(promoted(NEW), written_at=NOON - MINUTE))
    seen = a_stage("production", history, applications=applications, carries={HEAD: Carries.YES}, marks=marks)
    found = timeline_of(history, liveness_of(seen, history, NOON + 5 * MINUTE))
    return {one.step: ((one.at - NOON).total_seconds(), one.application) for one in found}


def test_every_step_has_its_instant() -> None:
    assert steps(APP) == {
        Step.WRITTEN: (-60, ""),
        Step.MERGED: (0, ""),
        Step.SEEN: (5, ""),
        Step.SYNC_STARTED: (10, ""),
        Step.SYNCED: (30, ""),
        Step.HEALTHY: (40, ""),
        Step.LIVE: (40, ""),
    }


def test_the_steps_come_in_the_order_in_which_they_are_taken() -> None:
    assert list(steps(APP)) == list(Step)


def test_of_several_applications_the_last_one_takes_the_step() -> None:
    operation = APP.operation
    assert operation is not None
    late = replace(
        APP,
        name="checkout-us",
        operation=replace(operation, finished_at=NOON + 60 * SECOND),
        reconciled_at=NOON + 70 * SECOND,
        health_since=NOON + 65 * SECOND,
    )
    found = steps(APP, late, marks=(SAW, replace(SAW, application="checkout-us", at=NOON + 7 * SECOND)))
    assert found[Step.SEEN] == (7, "checkout-us")
    assert found[Step.SYNCED] == (60, "checkout-us")
    assert found[Step.LIVE] == (65, "")


def test_a_step_that_not_all_have_taken_is_not_taken() -> None:
    running = replace(APP, name="checkout-us", operation=Operation(phase="Running", revisions=(HEAD,)))
    assert set(steps(APP, running)) == {Step.WRITTEN, Step.MERGED}


def test_what_nobody_saw_is_left_out() -> None:
    assert Step.SEEN not in steps(APP, marks=())


def test_a_plain_commit_has_no_merge() -> None:
    history = tags(a_change(NEW, old=OLD))
    seen = a_stage("staging", history, applications=())
    found = timeline_of(history, liveness_of(seen, history, NOON))
    assert [one.step for one in found] == [Step.WRITTEN]


def test_a_promotion_without_an_author_s_time_begins_with_the_merge() -> None:
    history = tags(promoted(NEW))
    seen = a_stage("production", history, applications=())
    assert [one.step for one in timeline_of(history, liveness_of(seen, history, NOON))] == [Step.MERGED]


def test_of_a_squash_merge_the_pull_request_tells_when_it_was_written() -> None:
    opened = NOON - 2 * MINUTE
    for written, expected in ((None, opened), (NOON, opened), (NOON - MINUTE, NOON - MINUTE)):
        history = tags(replace(promoted(NEW), written_at=written))
        seen = a_stage("production", history, applications=())
        first, merged = timeline_of(history, liveness_of(seen, history, NOON), opened)
        assert (first.step, first.at, merged.step, merged.at) == (Step.WRITTEN, expected, Step.MERGED, NOON)


def test_a_change_that_is_as_old_as_its_commit_is_one_step() -> None:
    history = tags(replace(a_change(NEW, old=OLD), written_at=NOON))
    seen = a_stage("staging", history, applications=())
    assert [one.step for one in timeline_of(history, liveness_of(seen, history, NOON))] == [Step.WRITTEN]


@pytest.mark.parametrize(
    "tag", [promoted(NEW), reverted(NEW), a_change(NEW, old=OLD)], ids=["promoted", "reverted", "by hand"]
)
def test_only_a_promotion_s_own_pull_request_tells_when_it_was_written(tag: TagChange) -> None:
    pull = replace(a_pull(), opened_at=NOON - 5 * MINUTE)
    arrival = Proposal(branch=pull.branch, pull=pull)
    production = a_stage("production", tags(tag), applications=(), arrival=arrival)
    decision = decide(a_policy(), an_observation(production=production), NOON + MINUTE)
    running = next(one for one in decision.judgements if (one.stage, one.role) == ("production", "running"))
    is_promoted = tag.trailers is not None and tag.trailers.promotes is not None
    assert (running.timeline[0].at < NOON) is is_promoted
