"""What Argo CD is asked for: a refresh once, a hard one rarely, a sync only with consent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.domain.argo import Application, Deployed, Hydration, Mark, MarkKind, NoApplication, Operation
from bot.domain.decide import decide
from bot.domain.decision import AskRefresh, RollBack, StartSync
from bot.domain.model import Carries
from bot.domain.nudges import HARD_PAUSE, LOOK_AFTER, LOOK_PAUSE, NOTICE_WITHIN, SYNC_PAUSE, nudges
from bot.domain.observed import expected_release, stage_liveness
from bot.domain.policy import Policy, SyncBy
from bot.domain.stance import CONSENT, Stance
from tests.builders import (
    HEAD,
    MINUTE,
    NEW,
    NOON,
    OLD,
    PROMOTION_COMMIT,
    a_policy,
    a_stage,
    an_application,
    an_observation,
    promoted,
    reverted,
    samples,
    sha,
    tags,
)

SECOND = timedelta(seconds=1)
BEFORE = sha("old")
APP = "checkout-production"
BEHIND = an_application(APP, revision=BEFORE)
STALE = replace(an_application(APP), reconciled_at=NOON)
UNSYNCED = replace(
    an_application(APP, sync="OutOfSync"),
    automated=False,
    targets=("main",),
    consents="checkout:production",
    operation=Operation(phase="Succeeded", revisions=(BEFORE,), started_at=NOON, finished_at=NOON),
    history=(Deployed(revisions=(BEFORE,), at=NOON - MINUTE),),
)
CARRIES = {HEAD: Carries.YES, PROMOTION_COMMIT: Carries.YES, BEFORE: Carries.BEHIND, sha("else"): Carries.BEHIND}


def by_bot() -> Policy:
    policy = a_policy()
    staging, production = policy.stages
    return replace(policy, stages=(staging, replace(production, sync=SyncBy.BOT)))


def asked(
    app: Application, *, at: datetime, marks: Sequence[Mark] = (), policy: Policy | None = None
) -> tuple[AskRefresh | StartSync, ...]:
    policy = policy or a_policy()
    history = tags(promoted(NEW))
    seen = a_stage("production", history, applications=(app,), carries=CARRIES, behind={BEFORE: 2}, marks=marks)
    stage = policy.stage("production")
    liveness = stage_liveness(policy, stage, seen, history, at)
    return nudges(seen, expected_release(policy, stage, history), liveness, at)


def a_mark(kind: MarkKind, at: datetime, app: str = APP) -> Mark:
    return Mark(application=app, kind=kind, at=at)


def hards(found: Sequence[AskRefresh | StartSync]) -> list[bool]:
    return [one.is_hard for one in found if isinstance(one, AskRefresh)]


def test_argo_cd_is_asked_once_to_notice_a_commit() -> None:
    assert hards(asked(BEHIND, at=NOON + SECOND)) == [False]
    marks = (a_mark(MarkKind.ASKED_REFRESH, NOON + SECOND),)
    assert asked(BEHIND, at=NOON + 30 * MINUTE, marks=marks) == ()


def test_a_commit_of_long_ago_is_not_asked_for() -> None:
    assert asked(BEHIND, at=NOON + NOTICE_WITHIN) == ()


def test_what_was_asked_for_another_application_does_not_count() -> None:
    marks = (a_mark(MarkKind.ASKED_REFRESH, NOON, app="checkout-eu"),)
    assert hards(asked(BEHIND, at=NOON + SECOND, marks=marks)) == [False]


def test_an_application_that_follows_another_branch_is_not_asked() -> None:
    assert asked(replace(BEHIND, targets=("v1.8",)), at=NOON + SECOND) == ()


def test_a_live_application_is_asked_for_nothing() -> None:
    assert asked(an_application(APP), at=NOON + MINUTE) == ()


def test_an_application_that_is_not_there_is_asked_for_nothing() -> None:
    policy, history = a_policy(), tags(promoted(NEW))
    seen = a_stage("production", history, applications=(NoApplication(name=APP),))
    stage = policy.stage("production")
    liveness = stage_liveness(policy, stage, seen, history, NOON)
    assert nudges(seen, expected_release(policy, stage, history), liveness, NOON) == ()


# A stale status: since the operation's end | asked before               | is asked for
STALE_CASES = [
    pytest.param(LOOK_AFTER - SECOND, (), [], id="Argo CD looks by itself first"),
    pytest.param(LOOK_AFTER, (), [False], id="then normally"),
    pytest.param(MINUTE, ((MarkKind.ASKED_REFRESH, 50),), [], id="a moment ago"),
    pytest.param(LOOK_PAUSE, ((MarkKind.ASKED_REFRESH, 0),), [True], id="hard if that did not help"),
    pytest.param(3 * MINUTE, ((MarkKind.ASKED_REFRESH, 10), (MarkKind.ASKED_HARD_REFRESH, 70)), [], id="cooling down"),
    pytest.param(
        70 * SECOND + HARD_PAUSE,
        ((MarkKind.ASKED_REFRESH, 10), (MarkKind.ASKED_HARD_REFRESH, 70)),
        [True],
        id="hard again after the pause",
    ),
    pytest.param(2 * MINUTE, ((MarkKind.ASKED_REFRESH, -60),), [False], id="asked before this operation"),
    pytest.param(
        2 * MINUTE,
        ((MarkKind.ASKED_HARD_REFRESH, -60), (MarkKind.ASKED_REFRESH, 10)),
        [],
        id="a hard one for the operation before cools down too",
    ),
]


@pytest.mark.parametrize(("since", "before", "expected"), STALE_CASES)
def test_a_stale_status_is_asked_for_gently(
    since: timedelta, before: Sequence[tuple[MarkKind, int]], expected: list[bool]
) -> None:
    marks = [a_mark(kind, NOON + seconds * SECOND) for kind, seconds in before]
    assert hards(asked(STALE, at=NOON + since, marks=marks)) == expected


def test_an_operation_without_an_end_is_asked_for_at_once() -> None:
    operation = STALE.operation
    assert operation is not None
    endless = replace(STALE, operation=replace(operation, finished_at=None))
    assert hards(asked(endless, at=NOON + SECOND)) == [False]


def test_a_sync_is_started_at_exactly_the_commit_that_brought_the_release() -> None:
    (order,) = asked(UNSYNCED, at=NOON + MINUTE, policy=by_bot())
    assert isinstance(order, StartSync)
    assert (order.application, order.revisions, order.positions) == (APP, (PROMOTION_COMMIT,), ())
    assert order.authority == "checkout:production"


def test_of_several_sources_only_those_that_count_are_synced_to_the_commit() -> None:
    several = replace(UNSYNCED, several_sources=True, positions=(2,))
    (order,) = asked(several, at=NOON + MINUTE, policy=by_bot())
    assert isinstance(order, StartSync)
    assert (order.revisions, order.positions) == ((PROMOTION_COMMIT,), (2,))


def test_a_hydrated_application_is_synced_to_the_hydrated_commit() -> None:
    hydrated = replace(UNSYNCED, hydration=Hydration(phase="Hydrated"))
    (order,) = asked(hydrated, at=NOON + MINUTE, policy=by_bot())
    assert isinstance(order, StartSync)
    assert order.revisions == (HEAD,)


def test_a_sync_is_asked_for_again_only_after_a_pause() -> None:
    marks = (a_mark(MarkKind.ASKED_SYNC, NOON),)
    assert asked(UNSYNCED, at=NOON + SYNC_PAUSE - SECOND, marks=marks, policy=by_bot()) == ()
    assert len(asked(UNSYNCED, at=NOON + SYNC_PAUSE, marks=marks, policy=by_bot())) == 1


# Nobody but people syncs an application that …    | and the reason says
NO_SYNC = [
    pytest.param(
        replace(UNSYNCED, consents=""), f"lacks the annotation {CONSENT}: checkout:production", id="no consent"
    ),
    pytest.param(replace(UNSYNCED, consents="checkout:staging"), "lacks the annotation", id="consent to another stage"),
    pytest.param(replace(UNSYNCED, consents="Checkout:production"), "lacks the annotation", id="another spelling"),
    pytest.param(replace(UNSYNCED, automated=True), "the bot leaves it to Argo CD", id="automated"),
    pytest.param(replace(UNSYNCED, targets=("v1.9",)), "it follows v1.9, not main", id="follows a tag"),
    pytest.param(replace(UNSYNCED, targets=("main", "v1.9")), "it follows v1.9, not main", id="one follows a tag"),
    pytest.param(replace(UNSYNCED, blocked="a sync window denies it"), "a sync window denies it", id="window"),
    pytest.param(
        replace(
            UNSYNCED,
            operation=Operation(phase="Succeeded", revisions=(sha("else"),), started_at=NOON, finished_at=NOON),
        ),
        "it runs 656c736, which is not on the way to it",
        id="synced by hand to something else",
    ),
]


@pytest.mark.parametrize(("app", "reason"), NO_SYNC)
def test_what_the_bot_must_not_sync_it_leaves_and_says_why(app: Application, reason: str) -> None:
    policy, history = by_bot(), tags(promoted(NEW))
    assert asked(app, at=NOON + MINUTE, policy=policy) == ()
    seen = a_stage("production", history, applications=(app,), carries=CARRIES, behind={BEFORE: 2})
    liveness = stage_liveness(policy, policy.stage("production"), seen, history, NOON + MINUTE)
    assert liveness.stance is Stance.WAITING
    assert reason in liveness.reason


def test_that_nobody_could_tell_the_sync_windows_stands_beside_the_reason() -> None:
    policy, history = by_bot(), tags(promoted(NEW))
    app = replace(UNSYNCED, windows_unknown="Argo CD at https://argocd failed (HTTP 503)")
    assert len(asked(app, at=NOON + MINUTE, policy=policy)) == 1
    seen = a_stage("production", history, applications=(app,), carries=CARRIES, behind={BEFORE: 2})
    reason = stage_liveness(policy, policy.stage("production"), seen, history, NOON + MINUTE).reason
    assert "; whether a sync window is in the way is not known: Argo CD at https://argocd failed (HTTP 503);" in reason


def test_the_bot_syncs_nothing_unless_the_policy_says_so() -> None:
    assert asked(UNSYNCED, at=NOON + MINUTE) == ()


def test_an_application_that_was_never_synced_is_synced_with_consent() -> None:
    fresh = replace(UNSYNCED, operation=None, history=())
    assert len(asked(fresh, at=NOON + MINUTE, policy=by_bot())) == 1


def test_after_a_dry_run_the_last_whole_sync_counts() -> None:
    dry = Operation(phase="Succeeded", revisions=(HEAD,), started_at=NOON, finished_at=NOON, is_partial=True)
    assert len(asked(replace(UNSYNCED, operation=dry), at=NOON + MINUTE, policy=by_bot())) == 1


@pytest.mark.invariant("I3")
def test_a_quarantined_release_is_not_synced_whoever_put_it_back() -> None:
    back = replace(promoted(NEW, old=OLD, at=NOON), trailers=None)
    history = tags(back, reverted(NEW, at=NOON - MINUTE))
    seen = a_stage("production", history, applications=(UNSYNCED,), carries=CARRIES, behind={BEFORE: 2})
    decision = decide(by_bot(), an_observation(production=seen, at=NOON + MINUTE), NOON + MINUTE)
    assert not any(isinstance(action, StartSync) for action in decision.actions)


def test_a_release_that_is_taken_back_is_not_synced_meanwhile() -> None:
    at = NOON + 10 * MINUTE
    bad = samples((30.0, 100.0), (30.0, 100.0), start=NOON + MINUTE)
    eu = an_application("checkout-eu")
    history = tags(promoted(NEW))
    seen = a_stage(
        "production",
        history,
        applications=(UNSYNCED, eu),
        carries=CARRIES,
        behind={BEFORE: 2},
        sampled={"trigger:http-errors": replace(bad, start=NOON + 5 * MINUTE, end=NOON + 7 * MINUTE)},
    )
    decision = decide(by_bot(), an_observation(production=seen, at=at), at)
    assert any(isinstance(action, RollBack) for action in decision.actions)
    assert not any(isinstance(action, StartSync) for action in decision.actions)


def test_the_reason_says_when_it_was_asked() -> None:
    policy, history = by_bot(), tags(promoted(NEW))
    marks = (a_mark(MarkKind.ASKED_SYNC, NOON + MINUTE),)
    seen = a_stage("production", history, applications=(UNSYNCED,), carries=CARRIES, behind={BEFORE: 2}, marks=marks)
    at = NOON + MINUTE + timedelta(seconds=14, milliseconds=300)
    reason = stage_liveness(policy, policy.stage("production"), seen, history, at).reason
    assert reason == (
        f"{APP}: its last sync was of revision {BEFORE[:7]}, two commits behind 70726f6, which brought {NEW}; "
        "auto-sync is off; sync asked 14s ago"
    )
