"""Argo CD fails, is slow, flaps, restarts, or loses its stream: the real bot on the lab promotes and reverts nothing.

Each scenario looks at Git and at the pull requests, not only at the decision, and at the words that explain the state.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from bot.domain.decision import Decision, State
from bot.domain.verdicts import Verdict, VerdictKind
from bot.lab.argocd import ApplicationSpec, OperationScript, post_sync_hook
from bot.lab.clock import ManualClock
from bot.lab.files import kustomization
from bot.lab.stories import GOOD
from bot.lab.world import BRANCH, DEVELOPER, GITOPS, Lab, image_of, running_lab
from tests.scenarios.conforming import violations
from tests.stage import START, STEP, Stage, a_bot, the_judgement

STAGING, PRODUCTION = "checkout-staging", "checkout-production"
LIST = r"GET /api/v1/applications$"
MANY = 1000
LOGIN = "<html><body><h1>Log in to the company's proxy</h1></body></html>"

LIVE_AFTER = 6
"""Seconds after its commit at which a release is live in the lab, with room to spare."""
WINDOW = timedelta(seconds=14)
"""Warm-up and length of the lab's health window."""
PAST_WINDOW = 26
"""Seconds after which a window that began now has ended, its last tile and the ingestion lag included."""
TENTH = timedelta(milliseconds=100)
WATCHING = 'watch = true\nrelist = "1h"\nsilence = "1h"'
PATIENCE_SECONDS = 15.0
"""The real time within which what runs in another thread must have happened: far more than it takes."""


# --- the world -------------------------------------------------------------------------------------------------------


def release(lab: Lab) -> None:
    lab.release("checkout", "1.9.0", in_staging=GOOD, in_production=GOOD)


def is_proposed(lab: Lab) -> bool:
    """Whether a pull request is ready; the draft that shows the evidence early proposes nothing yet."""
    return any(not pull.draft for pull in lab.pulls("checkout"))


def is_promoted(lab: Lab) -> bool:
    return lab.has_tag("checkout", "production", "1.9.0")


def reverts(lab: Lab) -> int:
    return sum("Liftlock-Reverts" in message for message in lab.messages())


def in_its_window(stage: Stage) -> Decision:
    """1.9.0 is live in staging, and its window has begun."""
    release(stage.lab)
    decision = stage.look_after(LIVE_AFTER)
    assert the_judgement(decision, "staging").state is State.OBSERVING
    return decision


def promoted(stage: Stage) -> None:
    """1.9.0 has just been merged into production."""
    release(stage.lab)
    stage.leap(LIVE_AFTER + PAST_WINDOW)
    stage.play_until("checkout", lambda _: is_promoted(stage.lab), limit=8)


def gate(decision: Decision) -> Verdict:
    """Return the verdict of staging's gate on Argo CD's health."""
    verdicts = the_judgement(decision, "staging").verdicts
    return next(verdict for verdict in verdicts if verdict.gate == "argocd-healthy")


def window_began(decision: Decision) -> str:
    """Return the instant since which every application is Healthy, as the gate tells it."""
    found = re.search(r"synced and Healthy since ([\d:]+) UTC", gate(decision).reason)
    assert found is not None, gate(decision).reason
    return found[1]


def window_lasts_since(decision: Decision, first: Decision) -> bool:
    """Say whether the window began no later than the look that saw it first: what was before, the ledger forgets."""
    return window_began(decision) <= f"{first.at:%H:%M:%S}"


def is_promoted_by_its_window(stage: Stage) -> None:
    """Let time pass until the window has ended; the release moves on within a few looks."""
    stage.leap(PAST_WINDOW)
    stage.play_until("checkout", lambda _: is_proposed(stage.lab), limit=4)


def stays_out(stage: Stage, seconds: int) -> Decision:
    """Let time pass that would do for a window; return the last look, and see that nothing was promoted."""
    before = stage.lab.messages()
    stage.look_after(seconds // 2)
    decision = stage.look_after(seconds - seconds // 2)
    assert not is_proposed(stage.lab)
    assert stage.lab.messages() == before
    return decision


@pytest.fixture
def soon(lab: Lab, clock: ManualClock) -> Iterator[Stage]:
    """A bot that does not wait long for Argo CD."""
    with a_bot(lab, clock, argocd='timeout = "800ms"') as sweeper:
        yield Stage(lab, clock, sweeper)


# --- A: the server fails ---------------------------------------------------------------------------------------------


def answers(status: int, body: str = "{}", **headers: str) -> Callable[[Lab], None]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda lab: lab.argocd.faults.fail_next(LIST, status, body=body, times=MANY, headers=named)


FAILURES = [
    pytest.param(answers(401), "refused the token", id="401"),
    pytest.param(answers(403), "does not allow the token", id="403"),
    pytest.param(answers(404), "knows nothing of that", id="404"),
    pytest.param(answers(429, retry_after="30"), "asks to slow down (HTTP 429)", id="429-retry-after"),
    pytest.param(answers(500), "failed (HTTP 500)", id="500"),
    pytest.param(answers(503), "failed (HTTP 503)", id="503"),
    pytest.param(lambda lab: lab.argocd.faults.truncate_next(LIST, times=MANY), "no application list", id="truncated"),
    pytest.param(answers(200, '{"items": [{"metadata": {]}'), "no application list", id="malformed"),
    pytest.param(answers(200, LOGIN, content_type="text/html"), "no application list", id="login-page"),
    pytest.param(answers(200, '{"metadata": {}}'), "no application list", id="other-shape"),
    pytest.param(lambda lab: lab.argocd.hang(LIST), "did not answer within", id="hang"),
]


@contextmanager
def a_lab_at_rest(directory: Path, clock: ManualClock) -> Iterator[Lab]:
    """Start the world of the fixture `lab`, for several tests."""
    with running_lab(directory, clock) as lab:
        lab.add_service("checkout", "1.8.2")
        for _ in range(20):
            clock.advance(STEP)
            lab.argocd.tick()
        yield lab
        assert sorted(violations(lab)) == []


@pytest.fixture(scope="module")
def blind_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A bot that has seen 1.9.0 live in staging, and nothing more until its window was over.

    Shared, since nothing of it changes as long as Argo CD gives no usable answer.
    """
    clock = ManualClock(START)
    with (
        a_lab_at_rest(tmp_path_factory.mktemp("blind"), clock) as lab,
        a_bot(lab, clock, argocd='timeout = "800ms"') as sweeper,
    ):
        stage = Stage(lab, clock, sweeper)
        in_its_window(stage)
        stage.leap(PAST_WINDOW)
        yield stage


@pytest.fixture
def blind(blind_world: Stage) -> Iterator[Stage]:
    yield blind_world
    blind_world.lab.argocd.faults.clear()


@pytest.mark.invariant("I5")
@pytest.mark.parametrize(("fail", "says"), FAILURES)
def test_a_server_that_fails_at_the_end_of_the_window_is_explained_and_promotes_nothing(
    blind: Stage, fail: Callable[[Lab], None], says: str
) -> None:
    before = blind.lab.messages()
    fail(blind.lab)
    decision = blind.look_after(0)
    for where in (the_judgement(decision, "staging"), the_judgement(decision, "production", "candidate")):
        assert where.state is State.CANNOT_TELL
        assert "Argo CD" in where.reason
        assert says in where.reason
    assert blind.lab.messages() == before
    assert not is_proposed(blind.lab)


@pytest.mark.invariant("I5")
def test_a_server_that_fails_in_the_window_costs_nothing_of_it(soon: Stage) -> None:
    began = window_began(in_its_window(soon))
    answers(401)(soon.lab)
    decision = stays_out(soon, PAST_WINDOW)
    assert the_judgement(decision, "staging").state is State.CANNOT_TELL
    soon.lab.argocd.faults.clear()
    assert window_began(soon.look_after(1)) == began
    assert is_proposed(soon.lab)


@pytest.mark.invariant("I5")
@pytest.mark.parametrize(("fail", "says"), [one for one in FAILURES if one.id in {"403", "truncated"}])
def test_a_server_that_fails_after_the_merge_into_production_reverts_nothing(
    soon: Stage, fail: Callable[[Lab], None], says: str
) -> None:
    promoted(soon)
    fail(soon.lab)
    for seconds in (2, 8, 20):
        here = the_judgement(soon.look_after(seconds), "production")
        assert "Argo CD" in here.reason
        assert says in here.reason
    soon.lab.argocd.faults.clear()
    decision = soon.look_after(2)
    assert the_judgement(decision, "production").state is State.SETTLED
    assert reverts(soon.lab) == 0
    assert is_promoted(soon.lab)


@pytest.mark.invariant("I5")
def test_an_illness_that_ended_while_the_server_failed_is_not_reverted(soon: Stage) -> None:
    promoted(soon)
    soon.look_after(5)
    soon.lab.argocd.set_health(PRODUCTION, "Degraded")
    decision = soon.look_after(1)
    assert the_judgement(decision, "production").state is State.WATCHING
    answers(500)(soon.lab)
    soon.leap(1)
    soon.lab.argocd.clear_health(PRODUCTION)
    decision = soon.look_after(5)
    assert "Argo CD" in the_judgement(decision, "production").reason
    soon.lab.argocd.faults.clear()
    soon.play(3)
    assert reverts(soon.lab) == 0


def test_one_malformed_entry_is_the_trouble_of_its_own_application_only(blind: Stage) -> None:
    body = '{"metadata": {}, "items": [{"metadata": {"name": "checkout-staging"}, "spec": 7, "status": {}}]}'
    blind.lab.argocd.faults.fail_next(LIST, 200, body=body, times=MANY)
    decision = blind.look_after(0)
    staging = the_judgement(decision, "staging")
    assert staging.state is State.CANNOT_TELL
    assert "checkout-staging: Argo CD's entry for it is malformed" in staging.reason
    assert "malformed" not in the_judgement(decision, "production").reason
    assert not is_proposed(blind.lab)


# --- B: slow, stale --------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I9")
def test_a_merge_that_argo_cd_sees_late_is_asked_for_once_even_by_a_bot_that_restarts(
    lab: Lab, clock: ManualClock
) -> None:
    with a_bot(lab, clock) as sweeper:
        stage = Stage(lab, clock, sweeper)
        release(lab)
        stage.leap(LIVE_AFTER + PAST_WINDOW)
        lab.argocd.freeze(PRODUCTION)
        stage.play_until("checkout", lambda _: is_promoted(lab), limit=8)
        for _ in range(4):
            decision = stage.look_after(20)
        reason = the_judgement(decision, "production").reason
        assert re.search(
            r"still reports revision \w{7}, .* behind .*which brought 1\.9\.0; refresh asked .* ago", reason
        )
        assert lab.argocd.refreshes(PRODUCTION) == ["normal"]
    with a_bot(lab, clock) as sweeper:
        stage = Stage(lab, clock, sweeper)
        for _ in range(3):
            stage.look_after(40)
        assert lab.argocd.refreshes(PRODUCTION) == ["normal"]
        lab.argocd.thaw(PRODUCTION)
        decision = stage.look_after(LIVE_AFTER)
        assert the_judgement(decision, "production").state is State.WATCHING
        assert "no trigger has fired" in the_judgement(decision, "production").reason
    assert lab.argocd.refreshes(PRODUCTION) == ["normal"]
    assert reverts(lab) == 0


def synced_but_not_looked_at(stage: Stage) -> None:
    """1.9.0 is synced in staging, and Argo CD has not looked at the result."""
    release(stage.lab)
    old = stage.lab.argocd.status(STAGING).revision
    for _ in range(100):
        stage.clock.advance(TENTH)
        stage.lab.argocd.tick()
        operation = stage.lab.argocd.status(STAGING).operation
        if operation is not None and operation.phase == "Succeeded" and operation.revision != old:
            return
    raise AssertionError("never synced")


def test_a_status_that_stays_stale_is_asked_for_normally_then_hard_and_then_believed(stage: Stage) -> None:
    synced_but_not_looked_at(stage)
    stage.lab.argocd.freeze(STAGING, until_hard_refresh=True)
    decision = stage.look_after(5)
    assert "has not looked at the result yet" in the_judgement(decision, "staging").reason
    assert stage.lab.argocd.refreshes(STAGING) == []
    stage.look_after(10)
    assert stage.lab.argocd.refreshes(STAGING) == ["normal"]
    decision = stays_out(stage, 50)
    assert stage.lab.argocd.refreshes(STAGING) == ["normal"]
    assert the_judgement(decision, "staging").state is State.WAITING_FOR_ROLLOUT
    assert "refresh asked 50s ago" in the_judgement(decision, "staging").reason
    stage.look_after(15)
    assert stage.lab.argocd.refreshes(STAGING) == ["normal", "hard"]
    stage.leap(2)
    is_promoted_by_its_window(stage)
    assert stage.lab.argocd.refreshes(STAGING) == ["normal", "hard"]


def test_hard_refreshes_of_a_controller_that_is_down_keep_their_pause_across_a_restart(
    lab: Lab, clock: ManualClock
) -> None:
    asked_at: list[int] = []
    with a_bot(lab, clock) as sweeper:
        stage = Stage(lab, clock, sweeper)
        synced_but_not_looked_at(stage)
        lab.argocd.freeze(STAGING)
        asked_at += minutes_of_refreshes(stage, range(0, 15, 3))
        assert the_judgement(stage.look_after(1), "staging").state is State.DEADLINE_PASSED
    with a_bot(lab, clock) as sweeper:
        asked_at += minutes_of_refreshes(Stage(lab, clock, sweeper), range(15, 30, 3))
    kinds = lab.argocd.refreshes(STAGING)
    assert kinds == ["normal", *["hard"] * (len(kinds) - 1)]
    hard = asked_at[1:]
    assert 2 <= len(hard) <= 3
    assert all(later - earlier >= 10 for earlier, later in pairwise(hard))
    assert not is_proposed(lab)


def minutes_of_refreshes(stage: Stage, minutes: range) -> list[int]:
    """Look in each of these minutes; return those in which Argo CD was asked for a refresh."""
    found = []
    for minute in minutes:
        before = len(stage.lab.argocd.refreshes(STAGING))
        stage.look_after(180)
        found += [minute] * (len(stage.lab.argocd.refreshes(STAGING)) - before)
    return found


# --- C: health that flaps --------------------------------------------------------------------------------------------


def test_an_illness_in_the_window_is_unhealthy_and_the_window_begins_anew_after_it(stage: Stage) -> None:
    began = window_began(in_its_window(stage))
    stage.lab.argocd.set_health(STAGING, "Degraded", "back-off restarting failed container")
    decision = stage.look_after(2)
    assert the_judgement(decision, "staging").state is State.UNHEALTHY
    assert "reports it Degraded (back-off restarting failed container)" in gate(decision).reason
    stage.lab.argocd.clear_health(STAGING)
    recovered = stage.clock.now()
    decision = stage.look_after(1)
    assert window_began(decision) > began
    assert window_began(decision) >= f"{recovered:%H:%M:%S}"
    stays_out(stage, int(WINDOW.total_seconds()) - 3)
    is_promoted_by_its_window(stage)
    assert stage.clock.now() >= recovered + WINDOW


def test_a_pause_in_the_window_is_waited_out_and_costs_no_time(stage: Stage) -> None:
    first = in_its_window(stage)
    stage.lab.argocd.set_health(STAGING, "Progressing", "waiting for the autoscaler")
    decision = stays_out(stage, PAST_WINDOW)
    assert the_judgement(decision, "staging").state is State.OBSERVING
    assert "reports it Progressing (waiting for the autoscaler)" in the_judgement(decision, "staging").reason
    stage.lab.argocd.clear_health(STAGING)
    decision = stage.look_after(1)
    assert window_lasts_since(decision, first)
    assert is_proposed(stage.lab)


def degraded(*pairs: tuple[int, int]) -> tuple[tuple[timedelta, str, str], ...]:
    """Script pairs of (seconds of health, seconds of illness after it)."""
    script: list[tuple[timedelta, str, str]] = []
    for well, ill in pairs:
        script += [
            (timedelta(seconds=well), "Degraded", "crash loop"),
            (timedelta(seconds=ill), "Healthy", ""),
        ]
    return tuple(script)


@pytest.mark.invariant("I4")
@pytest.mark.parametrize(
    ("flaps", "taken_back"),
    [
        pytest.param(degraded((1, 3), (1, 3), (1, 3)), 0, id="often-and-shorter-than-for"),
        pytest.param(degraded((1, 8)), 1, id="longer-than-for"),
    ],
)
def test_production_is_taken_back_once_by_an_illness_of_a_certain_length_only(
    stage: Stage, flaps: tuple[tuple[timedelta, str, str], ...], taken_back: int
) -> None:
    promoted(stage)
    stage.look_after(4)
    stage.lab.argocd.flap(PRODUCTION, *flaps)
    seen = [the_judgement(stage.look_after(2), "production").reason for _ in range(7)]
    assert any("Argo CD reports it Degraded (crash loop)" in reason for reason in seen)
    stage.look_after(10)
    assert reverts(stage.lab) == taken_back
    assert is_promoted(stage.lab) is not bool(taken_back)


# --- D: gone, renamed ------------------------------------------------------------------------------------------------


def staging_application(lab: Lab, name: str = STAGING) -> ApplicationSpec:
    return ApplicationSpec(
        name=name,
        repo_url=f"{lab.github.url}/{GITOPS}.git",
        path="apps/checkout/staging",
        namespace="checkout-staging",
        image=image_of("checkout"),
    )


def test_an_application_that_is_deleted_in_the_window_is_gone_and_a_new_one_begins_anew(stage: Stage) -> None:
    began = window_began(in_its_window(stage))
    stage.lab.argocd.delete(STAGING, takes=timedelta(seconds=3))
    decision = stage.look_after(1)
    assert "checkout-staging: it is being deleted" in gate(decision).reason
    decision = stays_out(stage, PAST_WINDOW)
    staging = the_judgement(decision, "staging")
    assert staging.state is State.WAITING_FOR_ROLLOUT
    assert "checkout-staging: Argo CD has it no more: it was there at" in staging.reason
    stage.lab.argocd.add(staging_application(stage.lab))
    made = f"{stage.clock.now():%H:%M:%S}"
    decision = stage.look_after(LIVE_AFTER)
    assert window_began(decision) > max(began, made)
    assert not is_proposed(stage.lab)
    is_promoted_by_its_window(stage)


def test_an_application_that_is_renamed_in_the_window_is_gone_until_the_policy_names_it_anew(stage: Stage) -> None:
    in_its_window(stage)
    stage.lab.argocd.rename(STAGING, "checkout-staging-eu")
    decision = stays_out(stage, PAST_WINDOW)
    assert "was deleted or renamed" in the_judgement(decision, "staging").reason
    policy = stage.lab.directory / "policies" / "checkout.yaml"
    policy.write_text(policy.read_text().replace("argocd: checkout-staging\n", "argocd: checkout-staging-eu\n"))
    renamed = stage.clock.now()
    stays_out(stage, 10)
    is_promoted_by_its_window(stage)
    assert stage.clock.now() >= renamed + WINDOW


# --- E: which revision -----------------------------------------------------------------------------------------------


def test_synced_and_healthy_of_the_old_revision_is_not_live(stage: Stage) -> None:
    stage.look_after(1)
    stage.lab.argocd.freeze(STAGING)
    release(stage.lab)
    assert (stage.lab.argocd.status(STAGING).sync, stage.lab.argocd.status(STAGING).health.status) == (
        "Synced",
        "Healthy",
    )
    decision = stays_out(stage, PAST_WINDOW)
    staging = the_judgement(decision, "staging")
    assert staging.state is State.WAITING_FOR_ROLLOUT
    assert "one commit behind" in staging.reason
    stage.lab.argocd.thaw(STAGING)
    thawed = f"{stage.clock.now():%H:%M:%S}"
    decision = stage.look_after(LIVE_AFTER)
    assert window_began(decision) > thawed
    assert not is_proposed(stage.lab)


def test_a_release_that_looks_finished_while_its_hook_runs_is_not_live(stage: Stage) -> None:
    hook = post_sync_hook("batch/Job/smoke", timedelta(seconds=30))
    stage.lab.argocd.script_next_sync(STAGING, OperationScript(waits=(hook,)))
    release(stage.lab)
    decision = stays_out(stage, PAST_WINDOW)
    status = stage.lab.argocd.status(STAGING)
    assert (status.sync, status.health.status) == ("Synced", "Healthy")
    staging = the_judgement(decision, "staging")
    assert staging.state is State.WAITING_FOR_ROLLOUT
    assert "waiting for completion of hook batch/Job/smoke" in staging.reason
    hooked = f"{stage.clock.now():%H:%M:%S}"
    assert window_began(stage.look_after(10)) > hooked


def test_unrelated_commits_on_the_branch_neither_make_it_unhealthy_nor_restart_its_window(stage: Stage) -> None:
    began = window_began(in_its_window(stage))
    for number in range(3):
        stage.lab.github.commit_as(DEVELOPER, GITOPS, BRANCH, {f"docs/{number}.md": "More.\n"}, f"Write page {number}")
        decision = stage.look_after(2)
        assert gate(decision).kind is VerdictKind.NOT_YET
        assert window_began(decision) == began
    stage.leap(12)
    stage.play_until("checkout", lambda _: is_proposed(stage.lab), limit=5)


def with_a_sidecar(stage: Stage, tag: str) -> None:
    """Change staging's manifests by a commit that leaves the release as it is."""
    text = kustomization(image_of("checkout"), "1.9.0") + f'  - name: {image_of("sidecar")}\n    newTag: "{tag}"\n'
    changed = {stage.lab.file("checkout", "staging"): text}
    stage.lab.github.commit_as(DEVELOPER, GITOPS, BRANCH, changed, f"Set the sidecar to {tag}")


def test_a_failed_sync_of_a_later_commit_is_no_illness_of_the_release(stage: Stage) -> None:
    first = in_its_window(stage)
    stage.lab.argocd.fail_next_sync(STAGING, "admission webhook denied the request")
    with_a_sidecar(stage, "2.0")
    decision = stays_out(stage, PAST_WINDOW)
    staging = the_judgement(decision, "staging")
    assert staging.state is State.CANNOT_TELL
    assert "this release was synced at" in staging.reason
    assert "ended as Failed: admission webhook denied the request" in staging.reason
    with_a_sidecar(stage, "2.1")
    decision = stage.look_after(LIVE_AFTER)
    assert window_lasts_since(decision, first)
    stage.play_until("checkout", lambda _: is_proposed(stage.lab), limit=3)


# --- H: the watch stream ---------------------------------------------------------------------------------------------


def lists(lab: Lab) -> int:
    """Count the full lists that the bot has read."""
    return sum(one.path == "/api/v1/applications" for one in lab.argocd_wire.exchanges)


@pytest.fixture
def watching(lab: Lab, clock: ManualClock) -> Iterator[Stage]:
    """A bot that follows the stream, and goes on doing so for longer than a test takes."""
    with a_bot(lab, clock, argocd=WATCHING) as sweeper:
        yield Stage(lab, clock, sweeper)


def is_trusted(stage: Stage) -> bool:
    """Say whether a look reads no list, and so goes by the stream."""
    before = lists(stage.lab)
    stage.sweeper.sweep()
    return lists(stage.lab) == before


def eventually(stage: Stage, condition: Callable[[], bool], what: str) -> None:
    """Look again and again while the world's time stands still, until a thread has done its work."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < ends, what
        stage.sweeper.sweep()


def trusted(stage: Stage) -> None:
    """1.9.0 is in its window, and the stream stands in for the list."""
    stage.look_after(0)
    eventually(stage, lambda: stage.lab.argocd.open_streams() == 1, "no stream was opened")
    release(stage.lab)
    stage.look_after(LIVE_AFTER)
    follow(stage)


def follow(stage: Stage) -> None:
    """Let the stream tell of an application until it stands in for the list."""

    def tells_and_is_trusted() -> bool:
        stage.lab.argocd.annotate(PRODUCTION, {})
        return is_trusted(stage)

    eventually(stage, tells_and_is_trusted, "the stream was never trusted")


def staging_state(stage: Stage) -> State:
    return the_judgement(stage.look_after(0), "staging").state


def sees_the_illness(stage: Stage) -> None:
    """See that an illness of which the stream tells nothing is known, before any time has passed in the world."""
    at = stage.clock.now()
    eventually(stage, lambda: staging_state(stage) is State.UNHEALTHY, "the illness was never seen")
    assert stage.clock.now() == at
    stays_out(stage, PAST_WINDOW)


def test_a_release_goes_on_by_the_stream_as_by_the_list(watching: Stage) -> None:
    trusted(watching)
    before = lists(watching.lab)
    watching.leap(PAST_WINDOW)
    watching.play_until("checkout", lambda _: is_promoted(watching.lab), limit=20)
    watching.play(4)
    eventually(
        watching,
        lambda: the_judgement(watching.look_after(0), "production").reason.startswith("no trigger has fired"),
        "production was never seen live",
    )
    assert lists(watching.lab) == before


def test_a_restart_of_the_server_in_the_window_costs_nothing_of_it(watching: Stage) -> None:
    trusted(watching)
    began = window_began(watching.look_after(0))
    watching.lab.argocd.faults.take_down()
    watching.lab.argocd.restart()
    eventually(watching, lambda: staging_state(watching) is State.CANNOT_TELL, "old entries were believed")
    watching.lab.argocd.faults.bring_up()
    assert window_began(watching.look_after(2)) == began
    is_promoted_by_its_window(watching)


def test_an_illness_that_the_stream_tells_counts_without_a_list(watching: Stage) -> None:
    trusted(watching)
    before = lists(watching.lab)
    watching.lab.argocd.set_health(STAGING, "Degraded")
    sees_the_illness(watching)
    assert lists(watching.lab) == before


def ends(stage: Stage) -> None:
    stage.lab.argocd.restart()
    stage.lab.argocd.set_health(STAGING, "Degraded")


def cuts_a_line(stage: Stage) -> None:
    stage.lab.argocd.cut_streams()
    stage.lab.argocd.set_health(STAGING, "Degraded")


def tells_an_error(stage: Stage) -> None:
    stage.lab.argocd.fail_streams("transport is closing")
    stage.lab.argocd.set_health(STAGING, "Degraded")


def tells_no_json(stage: Stage) -> None:
    stage.lab.argocd.send_on_streams(b"<html>\n")
    stage.lab.argocd.lose_events(MANY)
    stage.lab.argocd.set_health(STAGING, "Degraded")


@pytest.fixture(scope="module")
def standing_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A bot that follows the stream in a world whose time stands still in the middle of a window. Shared."""
    clock = ManualClock(START)
    with (
        a_lab_at_rest(tmp_path_factory.mktemp("standing"), clock) as lab,
        a_bot(lab, clock, argocd=WATCHING) as sweeper,
    ):
        stage = Stage(lab, clock, sweeper)
        trusted(stage)
        yield stage


@pytest.fixture
def standing(standing_world: Stage) -> Iterator[Stage]:
    yield standing_world
    standing_world.lab.argocd.clear_health(STAGING)


@pytest.mark.parametrize("breaks", [ends, cuts_a_line, tells_an_error, tells_no_json])
def test_a_stream_that_breaks_hides_no_illness(standing: Stage, breaks: Callable[[Stage], None]) -> None:
    follow(standing)
    before = lists(standing.lab)
    breaks(standing)
    eventually(standing, lambda: staging_state(standing) is State.UNHEALTHY, "the illness was never seen")
    assert lists(standing.lab) > before
    assert not is_proposed(standing.lab)


@pytest.mark.parametrize(
    ("settings", "breaks"),
    [
        pytest.param('relist = "1h"\nsilence = "1s"', "silence", id="dies-silently"),
        pytest.param('relist = "1s"\nsilence = "1h"', "loss", id="loses-events"),
    ],
)
def test_a_list_repairs_in_time_what_a_stream_does_not_tell(
    lab: Lab, clock: ManualClock, settings: str, breaks: str
) -> None:
    with a_bot(lab, clock, argocd=f"watch = true\n{settings}") as sweeper:
        stage = Stage(lab, clock, sweeper)
        trusted(stage)
        if breaks == "silence":
            lab.argocd.silence_streams()
        else:
            lab.argocd.lose_events(MANY)
        lab.argocd.set_health(STAGING, "Degraded")
        before = lists(lab)
        sees_the_illness(stage)
        assert lists(lab) > before


def test_while_list_and_stream_fail_nothing_is_judged_on_what_was_told_before(watching: Stage) -> None:
    trusted(watching)
    answers(503)(watching.lab)
    watching.lab.argocd.faults.fail_next("stream", 503, times=MANY)
    watching.lab.argocd.restart()
    eventually(watching, lambda: staging_state(watching) is State.CANNOT_TELL, "old entries were believed")
    decision = stays_out(watching, PAST_WINDOW)
    assert "Argo CD" in the_judgement(decision, "staging").reason
    watching.lab.argocd.faults.clear()
    watching.play_until("checkout", lambda _: is_proposed(watching.lab), limit=3)
