"""Since when a release runs in an application, although Argo CD forgets syncs and the ledger may be lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.domain.argo import Ancestry, Application, Deployed, HealthSpell, Mark, MarkKind, Operation
from bot.domain.decide import decide
from bot.domain.decision import Decision, RollBack, StartSync
from bot.domain.liveness import reported_revisions
from bot.domain.model import Carries, Sha
from bot.domain.observed import watch_end
from bot.domain.policy import SyncBy
from bot.domain.stance import Stance
from bot.domain.syncs import Run, marks_due, run_of, was_synced
from tests.builders import (
    HEAD,
    MINUTE,
    NEW,
    NOON,
    OLD,
    PROMOTION_COMMIT,
    a_change,
    a_policy,
    a_rollback,
    a_stage,
    an_application,
    an_observation,
    liveness_of,
    promoted,
    sha,
    tags,
)

OTHER, UNKNOWN = sha("old"), sha("unk")
ANCESTRY = Ancestry(
    carries={HEAD: Carries.YES, PROMOTION_COMMIT: Carries.YES, OTHER: Carries.BEHIND, UNKNOWN: Carries.UNKNOWN},
    behind={OTHER: 1},
)
DAYS = timedelta(days=5)
NAME = "checkout-production"


def sync(revision: Sha, minute: float, number: int | None = None) -> Deployed:
    at = NOON + minute * MINUTE
    return Deployed(revisions=(revision,), at=at, started_at=at - MINUTE / 2, number=number)


def app_of(*history: Deployed, operation: Operation | None = None, name: str = NAME) -> Application:
    """An application whose last operation is its newest sync, looked at a minute later."""
    last = history[-1]
    newest = operation or Operation(
        phase="Succeeded", revisions=last.revisions, started_at=last.started_at, finished_at=last.at
    )
    looked = (newest.finished_at or last.at) + MINUTE
    return replace(
        an_application(name, reconciled_at=looked, health_since=NOON + MINUTE), operation=newest, history=history
    )


def a_mark(minute: float, kind: MarkKind = MarkKind.SYNCED, name: str = NAME) -> Mark:
    return Mark(application=name, kind=kind, at=NOON + minute * MINUTE)


def partial(minute: float) -> Operation:
    at = NOON + minute * MINUTE
    return Operation(phase="Succeeded", revisions=(HEAD,), started_at=at, finished_at=at, is_partial=True)


# history, oldest first                                 | marks                 | runs since, certain
RUNS = [
    pytest.param([sync(OTHER, 0), sync(HEAD, 1)], [], (1, True), id="after another release"),
    pytest.param([sync(HEAD, 1, 0), sync(HEAD, 5, 1)], [], (1, True), id="the first of a new application"),
    pytest.param([sync(HEAD, 1, 7), sync(HEAD, 5, 8)], [], (1, False), id="earlier ones may be forgotten"),
    pytest.param([sync(HEAD, 4, 7), sync(HEAD, 5, 8)], [a_mark(1)], (1, True), id="forgotten, but noted"),
    pytest.param(
        [sync(HEAD, 1), sync(OTHER, 2), sync(HEAD, 3)], [a_mark(1)], (3, True), id="something else in between"
    ),
    pytest.param(
        [sync(HEAD, 4, 7)],
        [a_mark(1), a_mark(2, MarkKind.LEFT), a_mark(3)],
        (3, True),
        id="something else in between, forgotten but noted",
    ),
    pytest.param([sync(HEAD, 1), sync(UNKNOWN, 2), sync(HEAD, 3)], [], (3, False), id="Git cannot tell of one"),
    pytest.param(
        [sync(HEAD, 1), sync(UNKNOWN, 2), sync(HEAD, 3)], [a_mark(1)], (1, True), id="Git cannot tell, but noted"
    ),
    pytest.param([sync(HEAD, 1), sync(OTHER, 2)], [a_mark(1)], None, id="something else runs"),
    pytest.param([sync(HEAD, 1), sync(UNKNOWN, 2)], [a_mark(1)], None, id="nobody knows what runs"),
    pytest.param([sync(HEAD, 4, 7)], [a_mark(6)], (4, False), id="a mark of later says nothing"),
]


@pytest.mark.parametrize(("history", "marks", "expected"), RUNS)
def test_a_release_runs_since_the_first_sync_of_it_in_a_row(
    history: Sequence[Deployed], marks: Sequence[Mark], expected: tuple[float, bool] | None
) -> None:
    run = run_of(app_of(*history), ANCESTRY, marks)
    assert (None if run is None else ((run.at - NOON) / MINUTE, run.is_certain)) == expected


def test_the_order_is_argo_cd_s_own_whatever_its_clocks_said() -> None:
    """A controller moved to a machine whose clock is behind: the newest sync seems older than the one before."""
    app = app_of(sync(OTHER, 5), sync(HEAD, 4))
    assert run_of(app, ANCESTRY, ()) == Run(at=NOON + 4 * MINUTE, began_at=NOON + 3.5 * MINUTE, is_certain=True)
    history = tags(promoted(NEW))
    seen = a_stage("production", history, applications=(app,), carries=ANCESTRY.carries)
    liveness = liveness_of(seen, history, NOON + 30 * MINUTE)
    assert (liveness.stance, liveness.proof_since) == (Stance.LIVE, NOON + 4 * MINUTE)


def test_without_any_history_self_heal_is_known_by_the_mark_alone() -> None:
    healed = replace(app_of(sync(HEAD, 9), operation=partial(9)), history=())
    assert run_of(healed, ANCESTRY, [a_mark(1)]) == Run(at=NOON + MINUTE, began_at=None, is_certain=True)
    assert run_of(healed, ANCESTRY, []) is None
    assert run_of(replace(healed, operation=None), ANCESTRY, [a_mark(1)]) is None
    lacking = replace(partial(9), revisions=(OTHER,))
    assert run_of(replace(healed, operation=lacking), ANCESTRY, [a_mark(1)]) is None


def test_without_history_and_mark_nobody_can_tell_and_the_reason_says_why() -> None:
    healed = replace(app_of(sync(HEAD, 9), operation=partial(9)), history=())
    history = tags(promoted(NEW))
    seen = a_stage("production", history, applications=(healed,), carries=ANCESTRY.carries)
    liveness = liveness_of(seen, history, NOON + 30 * MINUTE)
    assert liveness.stance is Stance.CANNOT_TELL
    assert "revisionHistoryLimit" in liveness.reason
    marked = replace(seen, memory=replace(seen.memory, marks=(a_mark(1),)))
    assert liveness_of(marked, history, NOON + 30 * MINUTE).stance is Stance.LIVE


# history, oldest first                                 | marks                      | is noted
DUE = [
    pytest.param([sync(OTHER, 0), sync(HEAD, 1)], [], [a_mark(1)], id="the first sync"),
    pytest.param([sync(OTHER, 0), sync(HEAD, 1)], [a_mark(1)], [], id="once"),
    pytest.param([sync(HEAD, 1, 7)], [], [], id="not what may not be the first"),
    pytest.param([sync(UNKNOWN, 0), sync(HEAD, 1)], [], [], id="not while Git cannot tell"),
    pytest.param(
        [sync(HEAD, 1), sync(OTHER, 2)], [a_mark(1)], [a_mark(9, MarkKind.LEFT)], id="that something else runs now"
    ),
    pytest.param([sync(HEAD, 1), sync(OTHER, 2)], [a_mark(1), a_mark(3, MarkKind.LEFT)], [], id="that once, too"),
    pytest.param([sync(HEAD, 1), sync(UNKNOWN, 2)], [a_mark(1)], [], id="not that nobody knows what runs"),
    pytest.param(
        [sync(OTHER, 2), sync(HEAD, 3)],
        [a_mark(1)],
        [a_mark(9, MarkKind.LEFT), a_mark(3)],
        id="that something ran in between unseen",
    ),
    pytest.param([sync(OTHER, 0)], [], [], id="nothing of what never ran"),
]


@pytest.mark.parametrize(("history", "marks", "expected"), DUE)
def test_what_is_noted_of_syncs(history: Sequence[Deployed], marks: Sequence[Mark], expected: list[Mark]) -> None:
    assert list(marks_due(app_of(*history), ANCESTRY, marks, NOON + 9 * MINUTE)) == expected


def test_nothing_is_noted_of_an_application_that_was_never_synced() -> None:
    never = replace(an_application(NAME), operation=None)
    assert marks_due(never, ANCESTRY, [a_mark(1)], NOON) == ()
    assert not was_synced(never, ANCESTRY, [])
    assert was_synced(never, ANCESTRY, [a_mark(1)])


# --- what a wrong answer would do ------------------------------------------------------------------------------------

BEFORE = sync(OTHER, -60)


def ill(app: Application, since: datetime) -> Application:
    return replace(app, health="Degraded", health_since=since)


def decided(*applications: Application, at: datetime, marks: Sequence[Mark] = ()) -> Decision:
    seen = a_stage(
        "production",
        tags(promoted(NEW)),
        applications=applications,
        carries=ANCESTRY.carries,
        behind=ANCESTRY.behind,
        marks=marks,
    )
    policy = a_policy()
    staging, production = policy.stages
    policy = replace(policy, stages=(staging, replace(production, sync=SyncBy.BOT)))
    return decide(policy, an_observation(production=seen, at=at), at)


def is_taken_back(decision: Decision) -> bool:
    return any(isinstance(action, RollBack) for action in decision.actions)


def test_a_cluster_that_joins_long_after_does_not_begin_the_watch_again() -> None:
    old = app_of(BEFORE, sync(HEAD, 1))
    joined = (DAYS + MINUTE) / MINUTE
    new = ill(app_of(sync(HEAD, joined, 0), name="checkout-ap"), NOON + DAYS + 2 * MINUTE)
    assert not is_taken_back(decided(old, new, at=NOON + DAYS + 10 * MINUTE))


def test_a_cluster_that_joins_while_it_is_watched_makes_the_watch_longer() -> None:
    old = app_of(BEFORE, sync(HEAD, 1))
    new = app_of(sync(HEAD, 50, 0), name="checkout-ap")
    history = tags(promoted(NEW))
    seen = a_stage("production", history, applications=(old, new), carries=ANCESTRY.carries)
    liveness = liveness_of(seen, history, NOON + 60 * MINUTE)
    assert watch_end(a_rollback(), history, liveness) == NOON + 110 * MINUTE


def test_a_short_history_and_a_lost_ledger_do_not_begin_the_watch_again() -> None:
    late = DAYS / MINUTE
    synced_again = ill(app_of(sync(HEAD, late, 40)), NOON + DAYS + MINUTE)
    assert not is_taken_back(decided(synced_again, at=NOON + DAYS + 10 * MINUTE))


def test_a_revision_that_git_could_not_tell_does_not_begin_the_watch_again() -> None:
    late = DAYS / MINUTE
    app = ill(app_of(BEFORE, sync(HEAD, 1), sync(UNKNOWN, late - 60), sync(HEAD, late)), NOON + DAYS + MINUTE)
    assert not is_taken_back(decided(app, at=NOON + DAYS + 10 * MINUTE))
    assert not is_taken_back(decided(app, at=NOON + DAYS + 10 * MINUTE, marks=[a_mark(1)]))


def test_a_bad_release_is_taken_back_while_it_is_watched() -> None:
    app = ill(app_of(BEFORE, sync(HEAD, 1)), NOON + 2 * MINUTE)
    assert is_taken_back(decided(app, at=NOON + 10 * MINUTE))


def manual(app: Application) -> Application:
    return replace(app, automated=False, sync="OutOfSync", targets=("main",), consents="checkout:production")


@pytest.mark.invariant("I7")
def test_what_a_person_took_back_in_argo_cd_is_not_synced_again() -> None:
    taken_back = manual(app_of(BEFORE, sync(HEAD, 1), sync(OTHER, 5)))
    for marks in ([], [a_mark(1)]):
        decision = decided(taken_back, at=NOON + 30 * MINUTE, marks=marks)
        assert not any(isinstance(action, StartSync) for action in decision.actions)
    forgotten = manual(app_of(sync(OTHER, 5, 11)))
    decision = decided(forgotten, at=NOON + 30 * MINUTE, marks=[a_mark(1), a_mark(6, MarkKind.LEFT)])
    assert not any(isinstance(action, StartSync) for action in decision.actions)
    running = next(one for one in decision.judgements if (one.stage, one.role) == ("production", "running"))
    assert "somebody took it back by hand" in running.reason


def test_what_runs_while_a_release_is_not_synced_is_asked_about_however_old_it_is() -> None:
    """The sync of a commit in between failed, so the newest sync that succeeded is of long before."""
    failed = Operation(phase="Failed", revisions=(sha("mid"),), started_at=NOON - MINUTE, finished_at=NOON)
    app = manual(app_of(sync(OTHER, -9000), operation=failed))
    assert OTHER in list(reported_revisions(app, NOON))


def test_health_that_nobody_knew_for_half_an_hour_is_no_proof() -> None:
    history = tags(a_change(NEW, old=OLD))
    unknown = HealthSpell(
        application="checkout-staging",
        health="Unknown",
        first_seen=NOON + 2 * MINUTE,
        last_seen=NOON + 32 * MINUTE,
    )
    healthy = replace(unknown, health="Healthy", first_seen=NOON, last_seen=NOON + 2 * MINUTE)
    app = an_application(health_since=NOON + 33 * MINUTE, reconciled_at=NOON + 33 * MINUTE)
    seen = a_stage("staging", history, applications=(app,), spells=(healthy, unknown))
    liveness = liveness_of(seen, history, NOON + 34 * MINUTE)
    assert (liveness.first_live, liveness.proof_since) == (NOON, NOON + 33 * MINUTE)
