"""What a ledger that begins anew says of the time before it, by Git and pull requests alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.beginning import Beginning, beginning_of
from bot.domain.model import TagChange, Trouble
from bot.domain.observation import Observation, StageObservation
from bot.domain.pulls import PullState
from tests.builders import (
    MINUTE,
    NEW,
    NOON,
    OLD,
    a_change,
    a_proposal,
    a_pull,
    a_revert_proposal,
    a_stage,
    an_observation,
    old_production,
    promoted,
    reverted,
    tags,
)

LATER = NOON + 30 * MINUTE
TROUBLE = Trouble(system="Git", sentence="no answer")


def production(*changes: TagChange, complete: bool = True) -> StageObservation:
    return a_stage("production", tags(*changes, complete=complete))


def taken_back() -> Observation:
    """1.9.0 was promoted at noon and taken back five minutes later."""
    first = a_change(OLD, old="1.8.1", at=NOON - timedelta(days=3))
    return an_observation(production=production(reverted(NEW, at=NOON + 5 * MINUTE), promoted(NEW), first))


def found(seen: Observation) -> Beginning:
    beginning = beginning_of(seen, LATER)
    assert beginning is not None
    return beginning


def test_promotions_and_rollbacks_from_before_the_ledger_are_counted_and_told() -> None:
    beginning = found(taken_back())
    assert beginning == Beginning(at=LATER, promotions=1, rollbacks=1)
    assert beginning.sentence == (
        "the ledger begins at 2026-03-02 12:30:00 UTC; Git and the forge show 1 promotion and 1 rollback before that: "
        "what was measured and decided for them is not known here, nor are holds and approvals that were given by "
        "comment on pull requests closed since: give again those that still count"
    )


def test_what_came_after_the_ledger_began_is_in_it() -> None:
    early = beginning_of(taken_back(), NOON + MINUTE)
    assert early == Beginning(at=NOON + MINUTE, promotions=1)
    assert beginning_of(taken_back(), NOON) == Beginning(at=NOON)


def test_one_commit_that_promotes_into_two_stages_counts_once() -> None:
    seen = an_observation(
        staging=a_stage("staging", tags(promoted(NEW))), production=a_stage("production", tags(promoted(NEW)))
    )
    assert found(seen).promotions == 1


def test_what_people_did_by_themselves_is_no_promotion_of_liftlocks() -> None:
    beginning = found(an_observation())
    assert not beginning.is_missing_history
    assert beginning.sentence == (
        "the ledger begins at 2026-03-02 12:30:00 UTC; Git and the forge show no promotion of Liftlock's before that"
    )


def test_pull_requests_of_its_own_that_were_open_before_are_named() -> None:
    old, new = replace(a_pull(7), opened_at=NOON), replace(a_pull(9), opened_at=LATER + MINUTE)
    theirs = replace(a_pull(8), opened_at=NOON, is_own=False)
    closed = replace(a_pull(6, state=PullState.CLOSED), opened_at=NOON)
    stage = replace(
        old_production(promotion=a_proposal(old)), revert=a_revert_proposal(closed), superseded=(new, theirs, old)
    )
    beginning = found(an_observation(production=stage))
    assert beginning.open_pulls == (7,)
    assert "show the open pull request #7 before that" in beginning.sentence


def test_of_a_history_that_was_not_read_to_its_end_it_says_at_least() -> None:
    beginning = found(an_observation(production=production(promoted(NEW), complete=False)))
    assert "show at least 1 promotion before" in beginning.sentence


@pytest.mark.parametrize(
    "stage",
    [
        replace(old_production(), tags=TROUBLE),
        replace(old_production(), promotion=TROUBLE),
        replace(old_production(), revert=TROUBLE),
    ],
    ids=["history", "promotion", "revert"],
)
def test_nothing_is_said_before_git_and_the_forge_were_read_as_a_whole(stage: StageObservation) -> None:
    assert beginning_of(an_observation(production=stage), LATER) is None
