"""Liveness: the rungs of DESIGN.md, section 5, and since when a release is live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import pytest

from bot.domain.argo import (
    Application,
    Condition,
    Deployed,
    HealthSpell,
    Leftovers,
    Mark,
    MarkKind,
    Membership,
    NoApplication,
    Operation,
)
from bot.domain.liveness import Liveness, reported_revisions
from bot.domain.model import Carries, Sha, Trouble
from bot.domain.stance import Stance, Want
from bot.domain.syncs import is_fresh
from tests.builders import (
    HEAD,
    IMAGE,
    MINUTE,
    NEW,
    NOON,
    OLD,
    STAGING_COMMIT,
    a_change,
    a_stage,
    an_application,
    liveness_of,
    sha,
    tags,
)

NOW = NOON + 10 * MINUTE
APP = an_application()
OPERATION = APP.operation or Operation(phase="", revisions=())


def judged(
    *applications: Application | NoApplication | Trouble,
    spells: tuple[HealthSpell, ...] = (),
    carries: Mapping[Sha, Carries] | None = None,
) -> Liveness:
    history = tags(a_change(NEW, old=OLD))
    seen = a_stage("staging", history, applications=applications, spells=spells, carries=carries)
    return liveness_of(seen, history, NOW)


def a_spell(health: str, first: float, last: float, app: str = "checkout-staging") -> HealthSpell:
    return HealthSpell(application=app, health=health, first_seen=NOON + first * MINUTE, last_seen=NOON + last * MINUTE)


# The ladder: the first rung that holds is the answer.
#   what Argo CD says                              | stance      | the reason names
RUNGS = [
    pytest.param(APP, Stance.LIVE, "synced and Healthy", id="all of section 5"),
    pytest.param(replace(APP, sync="OutOfSync"), Stance.LIVE, "OutOfSync after its sync", id="out of sync is told"),
    pytest.param(NoApplication(name="x"), Stance.WAITING, "no such application", id="not made yet"),
    pytest.param(Trouble(system="Argo CD", sentence="no answer"), Stance.CANNOT_TELL, "no answer", id="no answer"),
    pytest.param(
        replace(APP, conditions=(Condition(type="ComparisonError", message="bad"),)),
        Stance.CANNOT_TELL,
        "ComparisonError: bad",
        id="comparison error",
    ),
    pytest.param(
        replace(APP, conditions=(Condition(type="OrphanedResourceWarning", message="x"),)),
        Stance.LIVE,
        "synced",
        id="a harmless condition",
    ),
    pytest.param(replace(APP, revisions=()), Stance.CANNOT_TELL, "none of its sources", id="other repository"),
    pytest.param(
        replace(APP, revisions=(sha("old"),)), Stance.WAITING, "does not have 7374670, which brought 1.9.0", id="old"
    ),
    pytest.param(replace(APP, revisions=(sha("oth"),)), Stance.WAITING, "the tag is another one", id="other tag"),
    pytest.param(replace(APP, revisions=(sha("unk"),)), Stance.CANNOT_TELL, "does not know", id="unknown commit"),
    pytest.param(replace(APP, revisions=(sha("nev"),)), Stance.CANNOT_TELL, "does not know", id="never asked for"),
    pytest.param(replace(APP, operation_pending=True), Stance.WAITING, "about to start", id="pending operation"),
    pytest.param(replace(APP, operation=None), Stance.WAITING, "never been synced", id="never synced"),
    pytest.param(
        replace(APP, operation=replace(OPERATION, phase="Running", started_at=NOON)),
        Stance.WAITING,
        "a sync is running since 12:00:00 UTC",
        id="sync running",
    ),
    pytest.param(
        replace(APP, operation=replace(OPERATION, phase="Terminating", started_at=None)),
        Stance.WAITING,
        "a sync is running",
        id="sync terminating",
    ),
    pytest.param(
        replace(APP, operation=replace(OPERATION, revisions=(sha("old"),))),
        Stance.WAITING,
        "last sync was of revision",
        id="synced another revision",
    ),
    pytest.param(
        replace(APP, operation=replace(OPERATION, revisions=())),
        Stance.CANNOT_TELL,
        "does not say which revision",
        id="sync without a revision",
    ),
    pytest.param(
        replace(APP, operation=replace(OPERATION, phase="Failed", message="hook failed", revisions=(STAGING_COMMIT,))),
        Stance.UNHEALTHY,
        "ended as Failed: hook failed",
        id="sync failed",
    ),
    pytest.param(
        replace(APP, operation=replace(OPERATION, phase="Error", revisions=(STAGING_COMMIT,))),
        Stance.CANNOT_TELL,
        "ended as Error, which may be the fault of Argo CD",
        id="sync error",
    ),
    pytest.param(replace(APP, reconciled_at=NOON), Stance.WAITING, "has not looked", id="stale: reconciled before"),
    pytest.param(replace(APP, reconciled_at=None), Stance.WAITING, "has not looked", id="stale: never reconciled"),
    pytest.param(replace(APP, health="Progressing"), Stance.WAITING, "Progressing", id="progressing"),
    pytest.param(replace(APP, health="Suspended"), Stance.WAITING, "Suspended", id="suspended"),
    pytest.param(
        replace(APP, health="Degraded", health_message="pods crash"),
        Stance.UNHEALTHY,
        "Degraded (pods crash)",
        id="degraded",
    ),
    pytest.param(replace(APP, health="Missing"), Stance.UNHEALTHY, "Missing", id="missing"),
    pytest.param(replace(APP, health="Unknown"), Stance.CANNOT_TELL, "Unknown", id="unknown health"),
    pytest.param(replace(APP, health=""), Stance.CANNOT_TELL, "nothing", id="no health"),
    pytest.param(replace(APP, images=(f"{IMAGE}:{OLD}",)), Stance.WAITING, "do not include", id="old image"),
    pytest.param(replace(APP, images=(f"{IMAGE}:{NEW}0",)), Stance.WAITING, "do not include", id="a longer tag"),
    pytest.param(replace(APP, images=(f"{IMAGE}:{NEW}@sha256:1",)), Stance.LIVE, "synced", id="pinned image"),
    pytest.param(replace(APP, images=()), Stance.LIVE, "synced", id="no images listed"),
]
CARRIES: Mapping[Sha, Carries] = {
    HEAD: Carries.YES,
    STAGING_COMMIT: Carries.YES,
    sha("old"): Carries.BEHIND,
    sha("oth"): Carries.OTHER_TAG,
    sha("unk"): Carries.UNKNOWN,
}


@pytest.mark.parametrize(("application", "stance", "reason"), RUNGS)
def test_each_rung_has_its_stance_and_reason(
    application: Application | NoApplication | Trouble, stance: Stance, reason: str
) -> None:
    liveness = judged(application, carries=CARRIES)
    assert liveness.stance is stance
    assert reason in liveness.reason


@pytest.mark.parametrize(("application", "stance", "reason"), RUNGS)
def test_another_application_never_makes_a_stage_better(
    application: Application | NoApplication | Trouble, stance: Stance, reason: str
) -> None:
    other = replace(APP, name="checkout-staging-eu")
    order = [Stance.UNHEALTHY, Stance.CANNOT_TELL, Stance.WAITING, Stance.LIVE]
    for pair in ((application, other), (other, application)):
        assert order.index(judged(*pair, carries=CARRIES).stance) <= order.index(stance)


def test_a_stage_without_a_look_cannot_be_told() -> None:
    assert judged().stance is Stance.CANNOT_TELL


def test_a_stale_application_asks_for_a_refresh() -> None:
    assert judged(replace(APP, reconciled_at=NOON)).applications[0].want is Want.LOOK
    assert judged(APP).applications[0].want is None


def test_live_since_argocds_own_timestamp_of_health() -> None:
    liveness = judged(replace(APP, health_since=NOON + MINUTE))
    assert liveness.deployed_at == NOON
    assert liveness.first_live == liveness.proof_since == NOON + MINUTE


def test_live_since_the_end_of_the_sync_when_health_is_older() -> None:
    assert judged(replace(APP, health_since=NOON - 60 * MINUTE)).first_live == NOON


def test_live_since_the_ledgers_first_look_where_argocd_has_no_timestamp() -> None:
    app = replace(APP, health_since=None)
    assert judged(app, spells=(a_spell("Healthy", 2, 9),)).first_live == NOON + 2 * MINUTE


def test_live_since_now_where_neither_argocd_nor_the_ledger_knows() -> None:
    assert judged(replace(APP, health_since=None)).first_live == NOW


def test_live_since_the_last_of_several_applications() -> None:
    other = replace(APP, name="checkout-staging-eu", health_since=NOON + 4 * MINUTE)
    assert judged(APP, other).first_live == NOON + 4 * MINUTE


def test_not_live_while_one_application_has_not_been_deployed() -> None:
    liveness = judged(APP, replace(APP, name="b", operation=None))
    assert (liveness.deployed_at, liveness.first_live) == (None, None)


def test_not_live_before_the_first_healthy() -> None:
    liveness = judged(replace(APP, health="Progressing"))
    assert liveness.deployed_at == NOON
    assert liveness.first_live is None


def test_a_healthy_look_before_the_sync_ended_does_not_count() -> None:
    liveness = judged(replace(APP, health="Progressing"), spells=(a_spell("Healthy", -60, -1),))
    assert liveness.first_live is None


def test_progressing_by_autoscaling_does_not_restart_the_proof() -> None:
    app = replace(APP, health_since=NOON + 8 * MINUTE)
    spells = (a_spell("Healthy", 1, 5), a_spell("Progressing", 6, 7), a_spell("Healthy", 8, 10))
    liveness = judged(app, spells=spells)
    assert liveness.first_live == liveness.proof_since == NOON + MINUTE


def test_an_illness_restarts_the_proof_but_not_the_counting() -> None:
    app = replace(APP, health_since=NOON + 8 * MINUTE)
    spells = (a_spell("Healthy", 1, 5), a_spell("Degraded", 6, 7), a_spell("Healthy", 8, 10))
    liveness = judged(app, spells=spells)
    assert liveness.first_live == NOON + MINUTE
    assert liveness.proof_since == NOON + 8 * MINUTE


def test_while_ill_there_is_no_proof() -> None:
    app = replace(APP, health="Degraded", health_since=NOON + 6 * MINUTE)
    spells = (a_spell("Healthy", 1, 5), a_spell("Degraded", 6, 10))
    liveness = judged(app, spells=spells)
    assert liveness.first_live == NOON + MINUTE
    assert liveness.proof_since is None


def test_an_unrelated_newer_commit_changes_nothing() -> None:
    newer = sha("newer")
    carries: Mapping[Sha, Carries] = {newer: Carries.YES, HEAD: Carries.YES}
    assert judged(replace(APP, revisions=(newer,)), carries=carries).first_live == judged(APP).first_live


def test_the_verdict_does_not_depend_on_the_order_of_applications() -> None:
    ill = replace(APP, name="b", health="Degraded")
    one, two = judged(APP, ill), judged(ill, APP)
    assert (one.stance, one.reason, one.deployed_at) == (two.stance, two.reason, two.deployed_at)


def test_every_source_of_an_application_must_carry_the_release() -> None:
    app = replace(APP, revisions=(HEAD, sha("old")))
    assert judged(app, carries=CARRIES).stance is Stance.WAITING


@pytest.mark.parametrize(
    ("app", "fresh"),
    [
        pytest.param(APP, True, id="looked at after its sync"),
        pytest.param(replace(APP, reconciled_at=NOON), False, id="not looked at since"),
        pytest.param(replace(APP, reconciled_at=None), False, id="never looked at"),
        pytest.param(replace(APP, operation=None), False, id="never synced"),
        pytest.param(replace(APP, operation_pending=True), False, id="about to sync"),
        pytest.param(replace(APP, operation=replace(OPERATION, finished_at=None)), False, id="syncing"),
    ],
)
def test_health_is_believed_only_if_it_is_newer_than_the_operation(app: Application, fresh: bool) -> None:
    assert is_fresh(app) is fresh


def test_of_what_was_deployed_before_the_release_only_the_newest_is_asked_about() -> None:
    before, after = Deployed(revisions=(sha("a"),), at=NOON - 6 * MINUTE), Deployed(revisions=(sha("b"),), at=NOON)
    app = replace(APP, history=(before, after), operation=None)
    assert list(reported_revisions(app, NOON)) == [HEAD, sha("b"), sha("a")]
    older = replace(app, history=(replace(before, revisions=(sha("z"),)), before, after))
    assert sha("z") not in list(reported_revisions(older, NOON))


def test_who_is_gone_from_argo_cd_was_seen_before() -> None:
    liveness = judged(NoApplication(name="checkout-staging"), spells=(a_spell("Healthy", 1, 5),))
    assert liveness.stance is Stance.WAITING
    assert "Argo CD has it no more: it was there at 12:05:00 UTC" in liveness.reason


def members(*runs: tuple[tuple[str, ...], float]) -> tuple[Membership, ...]:
    return tuple(Membership(members=names, first_seen=NOON + first * MINUTE, last_seen=NOW) for names, first in runs)


def with_members(*applications: Application | NoApplication, runs: tuple[Membership, ...]) -> Liveness:
    history = tags(a_change(NEW, old=OLD))
    return liveness_of(a_stage("staging", history, applications=applications, memberships=runs), history, NOW)


def test_a_selector_that_finds_nobody_waits_and_says_who_was_there() -> None:
    nobody = NoApplication(name="app=checkout", is_selector=True)
    assert "no application with these labels" in with_members(nobody, runs=()).reason
    runs = members((("argocd/checkout-eu",), 0), ((), 4))
    assert with_members(nobody, runs=runs).reason.endswith("; it had argocd/checkout-eu before")


def test_who_joins_or_leaves_is_told_and_begins_the_window_anew() -> None:
    runs = members((("checkout-eu", "checkout-gone"), 0), (("checkout-eu", "checkout-us"), 4))
    liveness = with_members(replace(APP, name="checkout-eu"), replace(APP, name="checkout-us"), runs=runs)
    assert (liveness.first_live, liveness.proof_since) == (NOON + 4 * MINUTE, NOON + 4 * MINUTE)
    (note,) = liveness.notes
    assert note.startswith("the stage's applications changed at 12:04:00 UTC: checkout-us joined and checkout-gone")
    assert note.endswith(" left; the window starts anew")


def test_the_first_members_of_a_stage_are_no_change() -> None:
    runs = members(((), 0), (("checkout-staging",), 4))
    assert with_members(APP, runs=runs).notes == ()


def test_members_that_are_as_they_were_before_are_no_note() -> None:
    runs = members((("checkout-staging",), 0), (("checkout-staging", "checkout-us"), 4))
    assert with_members(APP, replace(APP, name="checkout-us"), runs=runs).notes
    again = members((("checkout-staging",), 0), (("other",), 3), (("checkout-staging",), 4))
    assert "other left" in with_members(APP, runs=again).notes[0]
    assert with_members(APP, runs=again[:2]).notes == ()


@pytest.mark.parametrize(
    ("app", "reason"),
    [
        (replace(APP, operation=replace(OPERATION, phase="Running", retries=1)), "tried again once"),
        (replace(APP, operation=replace(OPERATION, phase="Running", retries=12)), "tried again 12 times"),
        (
            replace(APP, sync="OutOfSync", leftovers=Leftovers(prunable=("Service/a", "Service/b"), prunable_count=4)),
            "four resources wait for pruning (Service/a, Service/b)",
        ),
        (
            replace(APP, sync="OutOfSync", leftovers=Leftovers(out_of_sync=("HPA/x",), out_of_sync_count=1)),
            "one resource differs from Git (HPA/x)",
        ),
        (
            replace(APP, health="Degraded", leftovers=Leftovers(ill=("Deployment/x: crash",))),
            "Degraded (Deployment/x: crash)",
        ),
        (
            replace(
                APP,
                operation=replace(
                    OPERATION, phase="Failed", message="Operation terminated", revisions=(STAGING_COMMIT,)
                ),
            ),
            "somebody terminated the sync of 7374670",
        ),
    ],
    ids=["one retry", "many retries", "pruning", "drift", "ill resource", "terminated"],
)
def test_the_reason_names_what_argo_cd_told(app: Application, reason: str) -> None:
    assert reason in judged(app, carries=CARRIES).reason


def test_a_sync_by_hand_to_something_else_in_between_begins_anew() -> None:
    history = (
        Deployed(revisions=(HEAD,), at=NOON + MINUTE),
        Deployed(revisions=(sha("old"),), at=NOON + 2 * MINUTE),
        Deployed(revisions=(HEAD,), at=NOON + 3 * MINUTE),
    )
    operation = replace(OPERATION, started_at=NOON + 2 * MINUTE, finished_at=NOON + 3 * MINUTE)
    app = replace(APP, history=history, operation=operation, reconciled_at=NOON + 4 * MINUTE)
    assert judged(app, carries=CARRIES).deployed_at == NOON + 3 * MINUTE


def test_between_two_attempts_the_status_is_not_fresh() -> None:
    running = replace(APP, operation=replace(OPERATION, phase="Running"))
    assert not is_fresh(running)


def test_a_sync_that_argo_cd_has_forgotten_is_known_by_its_mark() -> None:
    """Argo CD keeps ten syncs: after many of one release the first is gone, and the window must not begin anew."""
    later = tuple(Deployed(revisions=(HEAD,), at=NOON + minute * MINUTE) for minute in (3, 4, 5))
    operation = replace(OPERATION, started_at=NOON + 5 * MINUTE, finished_at=NOON + 5 * MINUTE)
    app = replace(APP, history=later, operation=operation, reconciled_at=NOON + 6 * MINUTE)
    history, mark = tags(a_change(NEW, old=OLD)), Mark(application=APP.name, kind=MarkKind.SYNCED, at=NOON + MINUTE)

    def deployed(app: Application) -> datetime | None:
        seen = a_stage("staging", history, applications=(app,), carries=CARRIES, marks=(mark,))
        return liveness_of(seen, history, NOW).deployed_at

    assert deployed(app) == NOON + MINUTE
    between = Deployed(revisions=(sha("old"),), at=NOON + 2 * MINUTE)
    assert deployed(replace(app, history=(between, *later))) == NOON + 3 * MINUTE


def test_a_clock_of_argo_cd_that_is_a_little_behind_hides_no_sync() -> None:
    app = replace(APP, history=(Deployed(revisions=(sha("b"),), at=NOON - MINUTE),), operation=None)
    assert sha("b") in list(reported_revisions(app, NOON))


def test_a_revision_is_behind_by_so_many_commits() -> None:
    history = tags(a_change(NEW, old=OLD))
    app = replace(APP, revisions=(sha("old"),))
    seen = a_stage("staging", history, applications=(app,), carries=CARRIES, behind={sha("old"): 1})
    assert "6f6c640, one commit behind 7374670, which brought 1.9.0" in liveness_of(seen, history, NOW).reason


def test_the_newest_look_tells_when_a_gone_application_was_there() -> None:
    spells = (a_spell("Healthy", 1, 3), a_spell("Degraded", 3, 5), a_spell("Healthy", 1, 9, app="another"))
    assert "it was there at 12:05:00 UTC" in judged(NoApplication(name="checkout-staging"), spells=spells).reason


@pytest.mark.parametrize(
    ("app", "stance", "reason"),
    [
        (replace(APP, revisions=(), targets=("main",), reconciled_at=None), Stance.WAITING, "not compared it with Git"),
        (replace(APP, revisions=(), targets=("main",)), Stance.CANNOT_TELL, "names no commit"),
        (replace(APP, revisions=(), targets=(), reconciled_at=None), Stance.CANNOT_TELL, "none of its sources"),
    ],
    ids=["never compared", "compared with no commit", "no source of ours"],
)
def test_without_a_revision_the_reason_says_why(app: Application, stance: Stance, reason: str) -> None:
    liveness = judged(app)
    assert liveness.stance is stance
    assert reason in liveness.reason


@pytest.mark.parametrize(
    ("app", "is_out"),
    [
        (APP, False),
        (replace(APP, sync="OutOfSync"), True),
        (replace(APP, sync="OutOfSync", health="Degraded"), False),
        (replace(APP, sync="Unknown"), False),
    ],
    ids=["synced", "drifted", "ill", "unknown"],
)
def test_only_a_live_application_is_called_out_of_sync(app: Application, is_out: bool) -> None:
    assert judged(app).applications[0].is_out_of_sync is is_out


def test_an_operation_without_a_phase_is_said_to_have_none() -> None:
    nameless = replace(APP, operation=replace(OPERATION, phase=""))
    assert "Argo CD reports nothing as the phase" in judged(nameless).reason


def test_of_several_revisions_that_lack_the_release_the_worst_and_then_the_first_by_name_is_told() -> None:
    behind = {sha("old"): Carries.BEHIND, sha("a"): Carries.BEHIND, sha("unk"): Carries.UNKNOWN, HEAD: Carries.YES}
    for several in ((sha("old"), sha("a")), (sha("a"), sha("old"))):
        assert f"revision {sha('a')[:7]}," in judged(replace(APP, revisions=several), carries=behind).reason
    for several in ((sha("a"), sha("unk")), (sha("unk"), sha("a"))):
        liveness = judged(replace(APP, revisions=several), carries=behind)
        assert liveness.stance is Stance.CANNOT_TELL
        assert f"revision {sha('unk')[:7]}," in liveness.reason


def test_of_several_targets_that_follow_no_branch_the_first_by_name_is_told() -> None:
    for targets in (("v2", "v1"), ("v1", "v2")):
        app = replace(APP, revisions=(sha("old"),), targets=targets)
        assert judged(app, carries=CARRIES).reason.endswith("; it tracks v1")


def test_a_failed_sync_of_one_commit_more_is_not_the_release_s_fault() -> None:
    failed = replace(OPERATION, phase="Failed", revisions=(STAGING_COMMIT, HEAD))
    assert judged(replace(APP, operation=failed), carries=CARRIES).stance is Stance.CANNOT_TELL


def test_a_member_that_cannot_be_looked_at_is_not_said_to_have_left() -> None:
    runs = members((("checkout-gone", "checkout-staging"), 0), (("checkout-staging",), 4))
    history = tags(a_change(NEW, old=OLD))
    trouble = Trouble(system="Argo CD", sentence="no answer")
    seen = a_stage("staging", history, applications=(APP, trouble), memberships=runs)
    assert liveness_of(seen, history, NOW).notes == ()


def test_of_several_applications_the_first_reaches_and_the_last_deploys_the_release() -> None:
    at = NOON + 3 * MINUTE
    late = replace(
        APP,
        name="checkout-us",
        operation=replace(OPERATION, finished_at=at),
        reconciled_at=at + MINUTE,
        health_since=at,
    )
    both = judged(APP, late)
    assert (both.reached_at, both.deployed_at, both.first_live) == (NOON, at, at)
    other = judged(APP, replace(late, images=(f"{IMAGE}:{OLD}",)))
    assert (other.deployed_at, other.first_live) == (at, None)
