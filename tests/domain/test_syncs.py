"""Since when a release runs in an application, although Argo CD forgets syncs and the ledger may be lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.domain.argo import Ancestry, Application, Deployed, HealthSpell, Mark, MarkKind, Operation
from bot.domain.decide import decide
from bot.domain.decision import Decision, Halt, OpenPromotion, RollBack, StartSync, State
from bot.domain.liveness import reported_revisions
from bot.domain.model import Carries, Sha
from bot.domain.observed import is_watched, watch_end
from bot.domain.policy import SyncBy
from bot.domain.rules import ArgoHealthyGate, SoakGate
from bot.domain.stance import Stance
from bot.domain.syncs import Before, Run, marks_due, run_of, was_synced, watched_since
from tests.builders import (
    HEAD,
    MINUTE,
    NEW,
    NOON,
    OLD,
    PROMOTION_COMMIT,
    a_change,
    a_count_gate,
    a_policy,
    a_rollback,
    a_stage,
    an_application,
    an_observation,
    liveness_of,
    promoted,
    samples,
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


ANOTHER, NOTHING, FORGOTTEN, UNCLEAR = Before.ANOTHER, Before.NOTHING, Before.FORGOTTEN, Before.UNCLEAR
LEFT = MarkKind.LEFT
# history, oldest first | marks | proves itself since, what went before | is watched since
RUNS = [
    pytest.param([sync(OTHER, 0), sync(HEAD, 1)], [], (1, ANOTHER), 1, id="after another release"),
    pytest.param([sync(HEAD, 1, 0), sync(HEAD, 5, 1)], [], (1, NOTHING), None, id="the first of a new application"),
    pytest.param([sync(HEAD, 1, 7), sync(HEAD, 5, 8)], [], (1, FORGOTTEN), None, id="earlier ones may be forgotten"),
    pytest.param([sync(HEAD, 4, 7), sync(HEAD, 5, 8)], [a_mark(1)], (1, ANOTHER), 1, id="forgotten, but noted"),
    pytest.param(
        [sync(OTHER, 0), sync(HEAD, 1), sync(OTHER, 2), sync(HEAD, 3)], [], (3, ANOTHER), 1, id="something in between"
    ),
    pytest.param(
        [sync(HEAD, 4, 7)],
        [a_mark(1), a_mark(2, LEFT), a_mark(3)],
        (3, ANOTHER),
        1,
        id="something in between, forgotten but noted",
    ),
    pytest.param([sync(HEAD, 1), sync(UNKNOWN, 2), sync(HEAD, 3)], [], (3, UNCLEAR), None, id="Git cannot tell of one"),
    pytest.param(
        [sync(HEAD, 1), sync(UNKNOWN, 2), sync(HEAD, 3)],
        [a_mark(1)],
        (3, UNCLEAR),
        1,
        id="Git cannot tell of one: noted is no proof",
    ),
    pytest.param([sync(HEAD, 1), sync(OTHER, 2)], [a_mark(1)], None, 1, id="something else runs"),
    pytest.param([sync(HEAD, 1), sync(UNKNOWN, 2)], [a_mark(1)], None, 1, id="nobody knows what runs"),
    pytest.param([sync(HEAD, 4, 7)], [a_mark(6)], (4, FORGOTTEN), 6, id="a mark of later is no proof of earlier"),
    pytest.param([sync(OTHER, 0)], [], None, None, id="it never ran"),
    pytest.param([sync(HEAD, 4, 7)], [a_mark(4)], (4, ANOTHER), 4, id="noted as the first that is kept"),
    pytest.param(
        [sync(UNKNOWN, -2), sync(OTHER, 0), sync(HEAD, 1)], [], (1, ANOTHER), 1, id="only the newest before counts"
    ),
]


@pytest.mark.parametrize(("history", "marks", "proof", "watched"), RUNS)
def test_since_when_a_release_proves_itself_and_is_watched(
    history: Sequence[Deployed], marks: Sequence[Mark], proof: tuple[float, Before] | None, watched: float | None
) -> None:
    app = app_of(*history)
    run, came = run_of(app, ANCESTRY, marks), watched_since(app, ANCESTRY, marks)
    assert (None if run is None else ((run.at - NOON) / MINUTE, run.before)) == proof
    assert (None if came is None else (came - NOON) / MINUTE) == watched


def test_the_begin_is_that_of_the_first_sync_only_where_that_is_kept() -> None:
    app = app_of(sync(HEAD, 4, 7))
    same, earlier = run_of(app, ANCESTRY, [a_mark(4)]), run_of(app, ANCESTRY, [a_mark(1)])
    assert same is not None
    assert earlier is not None
    assert (same.began_at, earlier.began_at) == (NOON + 3.5 * MINUTE, None)


def test_a_sync_of_which_one_revision_lacks_the_release_lacks_it() -> None:
    mixed = replace(sync(HEAD, 0), revisions=(HEAD, OTHER))
    run = run_of(app_of(mixed, sync(HEAD, 1)), ANCESTRY, ())
    assert run is not None
    assert run.before is Before.ANOTHER


def test_the_order_is_argo_cd_s_own_whatever_its_clocks_said() -> None:
    """A controller moved to a machine whose clock is behind: the newest sync seems older than the one before."""
    app = app_of(sync(OTHER, 5), sync(HEAD, 4))
    expected = Run(at=NOON + 4 * MINUTE, began_at=NOON + 3.5 * MINUTE, before=Before.ANOTHER)
    assert run_of(app, ANCESTRY, ()) == expected
    history = tags(promoted(NEW))
    seen = a_stage("production", history, applications=(app,), carries=ANCESTRY.carries)
    liveness = liveness_of(seen, history, NOON + 30 * MINUTE)
    assert (liveness.stance, liveness.proof_since) == (Stance.LIVE, NOON + 4 * MINUTE)


RAN = MarkKind.RAN


def test_without_any_history_self_heal_is_known_by_the_mark_alone() -> None:
    healed = replace(app_of(sync(HEAD, 9), operation=partial(9)), history=())
    marks = [a_mark(1, RAN)]
    assert run_of(healed, ANCESTRY, marks) == Run(at=NOON + MINUTE, began_at=None, before=Before.FORGOTTEN)
    assert run_of(healed, ANCESTRY, []) is None
    assert run_of(healed, ANCESTRY, [*marks, a_mark(2, LEFT)]) is None
    assert run_of(replace(healed, operation=None), ANCESTRY, marks) is None
    lacking = replace(partial(9), revisions=(OTHER,))
    assert run_of(replace(healed, operation=lacking), ANCESTRY, marks) is None


def test_without_history_and_mark_nobody_can_tell_and_the_reason_says_why() -> None:
    healed = replace(app_of(sync(HEAD, 9), operation=partial(9)), history=())
    history = tags(promoted(NEW))
    seen = a_stage("production", history, applications=(healed,), carries=ANCESTRY.carries)
    liveness = liveness_of(seen, history, NOON + 30 * MINUTE)
    assert liveness.stance is Stance.CANNOT_TELL
    assert "revisionHistoryLimit" in liveness.reason
    marked = replace(seen, memory=replace(seen.memory, marks=(a_mark(1, RAN),)))
    assert liveness_of(marked, history, NOON + 30 * MINUTE).stance is Stance.LIVE


# history, oldest first | marks | is noted
DUE = [
    pytest.param([sync(OTHER, 0), sync(HEAD, 1)], [], [a_mark(1, RAN), a_mark(1)], id="the first sync"),
    pytest.param([sync(OTHER, 0), sync(HEAD, 1)], [a_mark(1, RAN), a_mark(1)], [], id="once"),
    pytest.param([sync(HEAD, 1, 7)], [], [a_mark(1, RAN)], id="what may not be the first only as having run"),
    pytest.param([sync(UNKNOWN, 0), sync(HEAD, 1)], [], [a_mark(1, RAN)], id="so while Git cannot tell"),
    pytest.param([sync(HEAD, 1, 0)], [], [a_mark(1, RAN)], id="so of a new application"),
    pytest.param(
        [sync(HEAD, 1), sync(OTHER, 2)], [a_mark(1, RAN)], [a_mark(9, LEFT)], id="that something else runs now"
    ),
    pytest.param([sync(HEAD, 1), sync(OTHER, 2)], [a_mark(1), a_mark(3, LEFT)], [], id="that once, too"),
    pytest.param([sync(HEAD, 1), sync(UNKNOWN, 2)], [a_mark(1)], [], id="not that nobody knows what runs"),
    pytest.param(
        [sync(OTHER, 2), sync(HEAD, 3)],
        [a_mark(1, RAN), a_mark(1)],
        [a_mark(9, LEFT), a_mark(3)],
        id="that something ran in between unseen",
    ),
    pytest.param([sync(OTHER, 0)], [], [], id="nothing of what never ran"),
]


@pytest.mark.parametrize(("history", "marks", "expected"), DUE)
def test_what_is_noted_of_syncs(history: Sequence[Deployed], marks: Sequence[Mark], expected: list[Mark]) -> None:
    assert list(marks_due(app_of(*history), ANCESTRY, marks, NOON + 9 * MINUTE)) == expected


def test_an_application_that_was_never_synced_was_made_anew_whatever_was_noted() -> None:
    never = replace(an_application(NAME), operation=None)
    assert marks_due(never, ANCESTRY, [a_mark(1)], NOON) == ()
    assert not was_synced(never, ANCESTRY, [a_mark(1)])
    assert was_synced(app_of(sync(OTHER, 0)), ANCESTRY, [a_mark(1, RAN)])


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


def test_the_watch_is_over_at_its_end() -> None:
    history = tags(promoted(NEW))
    seen = a_stage("production", history, applications=(app_of(BEFORE, sync(HEAD, 1)),), carries=ANCESTRY.carries)
    liveness = liveness_of(seen, history, NOON + 60 * MINUTE)
    end = watch_end(a_rollback(), history, liveness)
    assert end == NOON + 61 * MINUTE
    assert is_watched(a_rollback(), history, liveness, end - timedelta(microseconds=1), calendars=())
    assert not is_watched(a_rollback(), history, liveness, end, calendars=())


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


@pytest.mark.parametrize(
    "history",
    [
        pytest.param([sync(HEAD, DAYS / MINUTE, 0)], id="made anew, or its history wiped"),
        pytest.param([BEFORE, sync(HEAD, 1), sync(OTHER, 7000), sync(HEAD, DAYS / MINUTE)], id="by hand and back"),
        pytest.param([sync(HEAD, 1), sync(OTHER, 7000), sync(HEAD, DAYS / MINUTE)], id="the same, half forgotten"),
    ],
)
@pytest.mark.parametrize("marks", [[], [a_mark(1, RAN), a_mark(1)]], ids=["lost", "noted"])
def test_a_release_that_ran_for_days_is_not_watched_again(history: Sequence[Deployed], marks: Sequence[Mark]) -> None:
    app = ill(app_of(*history), NOON + DAYS + 2 * MINUTE)
    assert not is_taken_back(decided(app, at=NOON + DAYS + 10 * MINUTE, marks=marks))


@pytest.mark.parametrize("minute", [1, 59, 61, 120, 600])
def test_a_bad_release_that_is_synced_late_by_hand_is_watched_from_then(minute: float) -> None:
    old = sync(OTHER, -DAYS / MINUTE)
    app = ill(app_of(old, sync(HEAD, minute)), NOON + (minute + 5) * MINUTE)
    assert is_taken_back(decided(app, at=NOON + (minute + 10) * MINUTE))


def test_a_new_cluster_does_not_end_the_watch_of_one_that_came_late() -> None:
    old = ill(app_of(BEFORE, sync(HEAD, 300)), NOON + 310 * MINUTE)
    new = app_of(sync(HEAD, 305, 0), name="checkout-ap")
    assert is_taken_back(decided(old, new, at=NOON + 320 * MINUTE))


def spell(health: str, first: float, last: float) -> HealthSpell:
    return HealthSpell(
        application="checkout-staging", health=health, first_seen=NOON + first * MINUTE, last_seen=NOON + last * MINUTE
    )


def proof_since(app: Application, *spells: HealthSpell, gap: float = 2) -> float | None:
    history = tags(a_change(NEW, old=OLD))
    seen = a_stage("staging", history, applications=(app,), spells=spells)
    seen = replace(seen, memory=replace(seen.memory, gap=gap * MINUTE))
    found = liveness_of(seen, history, NOON + 32 * MINUTE).proof_since
    return None if found is None else (found - NOON) / MINUTE


def test_time_that_nobody_looked_at_is_proof_only_where_argo_cd_vouches_for_it() -> None:
    """The bot was down while the release was ill for most of the window, and well again when it came back."""
    looks = (spell("Healthy", 1, 2), spell("Healthy", 30, 32))
    well = an_application(reconciled_at=NOON + 31 * MINUTE, health_since=NOON + MINUTE)
    assert proof_since(well, *looks) == 1
    assert proof_since(replace(well, health_since=NOON + 30 * MINUTE), *looks) == 30
    assert proof_since(replace(well, health_since=None), *looks) == 30
    assert proof_since(replace(well, health_since=None), *looks, gap=40) == 1
    bare = replace(well, health_since=None)
    assert proof_since(bare, spell("Healthy", 1, 10), spell("Healthy", 11, 32)) == 1
    assert proof_since(bare, spell("Healthy", 1, 10), spell("Healthy", 12, 32)) == 1


def test_a_pause_from_before_the_release_was_deployed_counts_only_since_then() -> None:
    def deployed(minute: float, health_since: float) -> Application:
        at = NOON + minute * MINUTE
        operation = Operation(phase="Succeeded", revisions=(HEAD,), started_at=at, finished_at=at)
        app = an_application(reconciled_at=at + MINUTE, health_since=NOON + health_since * MINUTE)
        return replace(app, operation=operation)

    looks = (spell("Healthy", -2, 1), spell("Healthy", 10, 32))
    assert proof_since(deployed(5, 4), *looks) == 5
    assert proof_since(deployed(5, 7), *looks) == 7
    assert proof_since(deployed(12, 9), *looks) == 12


def test_of_several_illnesses_the_last_one_ends_the_proof() -> None:
    looks = [spell(health, first, first + 1) for first, health in enumerate(("Healthy", "Degraded", "Healthy"))]
    looks += [spell("Missing", 9, 10), spell("Healthy", 11, 32)]
    app = an_application(reconciled_at=NOON + 31 * MINUTE, health_since=NOON + 11 * MINUTE)
    assert proof_since(app, *looks) == 11


def test_a_blip_after_everything_was_proven_calls_nobody() -> None:
    at = NOON + timedelta(hours=7)
    history = tags(a_change(NEW, old=OLD))
    blip = an_application(health="Progressing", health_since=at - MINUTE, reconciled_at=at - MINUTE)
    healthy = spell("Healthy", 0, 418)
    for gates in ((SoakGate(name="soak"), a_count_gate()), (ArgoHealthyGate(name="argocd-healthy"), a_count_gate())):
        good = samples(*((0.0, 1000.0),) * 30, start=NOON + 2 * MINUTE)
        staging = a_stage(
            "staging", history, applications=(blip,), spells=(healthy,), sampled={"gate:http-errors": good}
        )
        policy = a_policy(gates=gates)
        decision = decide(policy, an_observation(staging, at=at), at)
        running = next(one for one in decision.judgements if (one.stage, one.role) == ("staging", "running"))
        assert running.state is State.OBSERVING, running.reason
        assert "Progressing" in running.reason
        assert not any(isinstance(action, Halt | OpenPromotion) for action in decision.actions)
