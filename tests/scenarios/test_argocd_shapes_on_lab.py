"""Every shape of application, and who syncs it: the real bot on the lab, from staging into production."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

import pytest

from bot.domain.decision import Decision, State
from bot.lab.argocd import ApplicationSpec, ArgoLab, ArgoOptions, Source, SourceHydrator
from bot.lab.clock import ManualClock
from bot.lab.cluster import Behaviour
from bot.lab.files import values
from bot.lab.serving import Served
from bot.lab.stories import GOOD
from bot.lab.world import BRANCH, DEVELOPER, GITOPS, Lab, image_of
from tests.stage import STEP, Stage, a_bot, the_judgement

STAGING, PRODUCTION = "checkout-staging", "checkout-production"
CHARTS = "https://charts.example.org"
CHART = "service"
SYNCED = "synced and Healthy"
CONSENT = "liftlock.dev/authorized-stage"
LIVE_AFTER = 6
PAST_WINDOW = 26
FAILING = Behaviour(requests_per_second=100.0, error_ratio=0.2)


# --- the world -------------------------------------------------------------------------------------------------------


def repository(lab: Lab) -> str:
    return f"{lab.github.url}/{GITOPS}.git"


def edit_policy(lab: Lab, before: str, after: str) -> None:
    path = lab.directory / "policies" / "checkout.yaml"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def commit(lab: Lab, files: dict[str, str], message: str) -> str:
    return lab.github.commit_as(DEVELOPER, GITOPS, BRANCH, files, message)


def release(lab: Lab) -> str:
    return lab.release("checkout", "1.9.0", in_staging=GOOD, in_production=GOOD)


def settle(lab: Lab, clock: ManualClock, seconds: int = 10) -> None:
    for _ in range(seconds):
        clock.advance(STEP)
        lab.argocd.tick()


def an_application(lab: Lab, stage: str, name: str, namespace: str) -> ApplicationSpec:
    """An application like the lab's own for a stage, under another name and in another namespace."""
    return ApplicationSpec(
        name=name,
        repo_url=repository(lab),
        path=f"apps/checkout/{stage}",
        namespace=namespace,
        image=image_of("checkout"),
    )


def is_proposed(lab: Lab) -> bool:
    """Whether a pull request is ready; the draft that shows the evidence early proposes nothing yet."""
    return any(not pull.draft for pull in lab.pulls("checkout"))


def is_promoted(lab: Lab) -> bool:
    return lab.has_tag("checkout", "production", "1.9.0")


def is_reverted(lab: Lab) -> bool:
    return any("Liftlock-Reverts" in message for message in lab.messages())


def promoted(stage: Stage) -> str:
    """Let the window pass and the release move on; return the commit that is the promotion."""
    stage.leap(PAST_WINDOW)
    stage.play_until("checkout", lambda _: is_promoted(stage.lab), limit=10)
    return stage.lab.github.head(GITOPS, BRANCH) or pytest.fail("the branch has gone")


def moves_on(stage: Stage) -> None:
    """Let the window pass; the release is proposed for production."""
    stage.leap(PAST_WINDOW)
    stage.play_until("checkout", lambda _: is_proposed(stage.lab), limit=4)


def look_step_by_step(stage: Stage, seconds: int) -> Decision:
    """Let time pass second by second, as hydration needs it, then look."""
    stage.pass_time(seconds)
    return stage.look_after(0)


def is_watched_live(stage: Stage) -> None:
    """1.9.0 is live in production."""
    production = the_judgement(look_step_by_step(stage, LIVE_AFTER), "production")
    assert production.state is State.WATCHING
    assert production.reason.startswith("no trigger has fired")


def not_promoted(stage: Stage, seconds: int = PAST_WINDOW) -> Decision:
    """Let time pass that would do for a window; nothing moves on meanwhile."""
    stage.look_after(seconds // 2)
    decision = stage.look_after(seconds - seconds // 2)
    assert not is_proposed(stage.lab)
    return decision


def gate_reason(decision: Decision) -> str:
    verdicts = the_judgement(decision, "staging").verdicts
    return next(verdict.reason for verdict in verdicts if verdict.gate == "argocd-healthy")


def sentences(decision: Decision) -> tuple[str, ...]:
    verdicts = the_judgement(decision, "staging").verdicts
    evidence = next(verdict.evidence for verdict in verdicts if verdict.gate == "argocd-healthy")
    return getattr(evidence, "sentences", ())


def window_began(decision: Decision) -> str:
    reason = gate_reason(decision)
    before, found, after = reason.partition("synced and Healthy since ")
    assert found, before
    return after.partition(" UTC")[0]


def told(at: datetime) -> str:
    return f"{at:%H:%M:%S}"


# --- F: sources ------------------------------------------------------------------------------------------------------


def as_chart(lab: Lab) -> None:
    """Make both applications charts of a Helm repository, whose values stand in the stage's repository."""
    lab.argocd.publish_chart(CHARTS, CHART, "3.1.0")
    staging = "apps/checkout/staging/values.yaml"
    commit(lab, {staging: values(image_of("checkout"), "1.8.2")}, "Move staging to Helm values")
    edit_policy(
        lab,
        "{kustomize: apps/checkout/staging/kustomization.yaml}",
        f"{{helm: {{file: {staging}, tag: image.tag}}}}",
    )
    for stage in ("staging", "production"):
        file = f"$values/apps/checkout/{stage}/values.yaml"
        sources = (
            Source(repo_url=CHARTS, chart=CHART, target_revision="3.x", value_files=(file,)),
            Source(repo_url=repository(lab), ref="values"),
        )
        spec = an_application(lab, stage, f"checkout-{stage}", f"checkout-{stage}")
        lab.argocd.respecify(spec.name, replace(spec, repo_url="", path="", sources=sources))


def release_as_values(lab: Lab) -> str:
    lab.build("checkout", "1.9.0", in_staging=GOOD, in_production=GOOD)
    changed = {"apps/checkout/staging/values.yaml": values(image_of("checkout"), "1.9.0")}
    return commit(lab, changed, "Release 1.9.0 to staging")


def as_hydrated(lab: Lab) -> None:
    """Let Argo CD render both stages to branches of their own."""
    for stage in ("staging", "production"):
        dry = Source(repo_url=repository(lab), path=f"apps/checkout/{stage}")
        hydrator = SourceHydrator(dry=dry, branch=f"environments/{stage}", path="checkout")
        spec = an_application(lab, stage, f"checkout-{stage}", f"checkout-{stage}")
        # Another shape of the same name would keep an operation of the shape before.
        lab.argocd.delete(spec.name)
        lab.argocd.add(replace(spec, repo_url="", path="", hydrator=hydrator))


def as_head(lab: Lab) -> None:
    """Let both applications follow whatever branch is the default one."""
    for name in (STAGING, PRODUCTION):
        lab.argocd.track(name, "HEAD")


@pytest.mark.parametrize(
    ("shape", "set_release"),
    [
        pytest.param(as_chart, release_as_values, id="chart-beside-values"),
        pytest.param(as_hydrated, release, id="hydrated"),
        pytest.param(as_head, release, id="HEAD"),
    ],
)
def test_a_release_gets_from_staging_into_production_by_applications_of_every_shape(
    lab: Lab, clock: ManualClock, shape: Callable[[Lab], None], set_release: Callable[[Lab], str]
) -> None:
    shape(lab)
    settle(lab, clock)
    with a_bot(lab, clock) as sweeper:
        stage = Stage(lab, clock, sweeper)
        set_release(lab)
        decision = look_step_by_step(stage, LIVE_AFTER + 2)
        assert sentences(decision) == (f"{STAGING}: {SYNCED}",)
        promoted(stage)
        is_watched_live(stage)
    assert lab.argocd.status(PRODUCTION).images == (f"{image_of('checkout')}:1.9.0",)


def test_a_hydration_that_is_held_is_waited_for_in_words(lab: Lab, clock: ManualClock) -> None:
    as_hydrated(lab)
    settle(lab, clock)
    with a_bot(lab, clock) as sweeper:
        stage = Stage(lab, clock, sweeper)
        lab.argocd.hold_hydration(STAGING)
        dry = release(lab)
        decision = not_promoted(stage)
        staging = the_judgement(decision, "staging")
        assert staging.state is State.WAITING_FOR_ROLLOUT
        assert f"{STAGING}: Argo CD is hydrating the manifests" in staging.reason
        lab.argocd.resume_hydration(STAGING)
        held = told(clock.now())
        decision = look_step_by_step(stage, LIVE_AFTER)
        assert window_began(decision) > held
        assert lab.argocd.status(STAGING).hydration is not None
        assert dry not in lab.argocd.status(STAGING).revisions


def test_a_hydration_that_fails_cannot_be_told_and_says_why(lab: Lab, clock: ManualClock) -> None:
    as_hydrated(lab)
    settle(lab, clock)
    with a_bot(lab, clock) as sweeper:
        stage = Stage(lab, clock, sweeper)
        lab.argocd.fail_hydration(STAGING, "kustomize build failed")
        dry = release(lab)
        staging = the_judgement(not_promoted(stage), "staging")
        assert staging.state is State.CANNOT_TELL
        assert f"could not hydrate the manifests of {dry[:7]}" in staging.reason
        assert "kustomize build failed" in staging.reason
        lab.argocd.resume_hydration(STAGING)
        stage.pass_time(LIVE_AFTER)
        moves_on(stage)


# --- F: several applications, several servers ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondServer:
    """Another Argo CD in the same world."""

    argocd: ArgoLab
    url: str
    token_file: str

    @property
    def section(self) -> str:
        """What the settings say of it."""
        return f'[argocd_servers.eu]\nurl = "{self.url}"\ntoken_file = "{self.token_file}"\n'

    def leap(self, stage: Stage, seconds: int) -> None:
        """Let time pass on both servers."""
        stage.leap(seconds)
        self.argocd.tick()


@contextmanager
def a_second_server(lab: Lab, clock: ManualClock) -> Iterator[SecondServer]:
    """Start a second Argo CD that deploys staging to another namespace; the policy names both."""
    options = ArgoOptions(refresh_every=lab.pace.refresh, sync_takes=lab.pace.sync_takes)
    argocd = ArgoLab(clock, lab.cluster, lab.github.git_directory, options, token="the-other-token")
    argocd.add(an_application(lab, "staging", STAGING, "checkout-staging-eu"))
    edit_policy(lab, f"argocd: {STAGING}\n", f"argocd: [{STAGING}, 'eu:{STAGING}']\n")
    token = lab.directory / "eu-token"
    token.write_text(argocd.token)
    token.chmod(0o600)
    for _ in range(10):
        clock.advance(STEP)
        lab.argocd.tick()
        argocd.tick()
    with Served(argocd.app) as served:
        yield SecondServer(argocd=argocd, url=served.url, token_file=str(token))
        argocd.stop()


def test_the_window_starts_when_the_last_of_two_servers_has_the_release(lab: Lab, clock: ManualClock) -> None:
    with a_second_server(lab, clock) as second, a_bot(lab, clock, sections=second.section) as sweeper:
        stage = Stage(lab, clock, sweeper)
        second.argocd.freeze(STAGING)
        release(lab)
        second.leap(stage, PAST_WINDOW)
        decision = stage.look_after(0)
        staging = the_judgement(decision, "staging")
        assert staging.state is State.WAITING_FOR_ROLLOUT
        assert staging.reason.startswith(f"eu:{STAGING}: Argo CD still reports revision")
        assert second.argocd.refreshes(STAGING) == ["normal"]
        assert lab.argocd.refreshes(STAGING) == []
        second.argocd.thaw(STAGING)
        thawed = told(clock.now())
        second.leap(stage, LIVE_AFTER)
        decision = stage.look_after(0)
        assert window_began(decision) > thawed
        assert not is_proposed(lab)
        assert sentences(decision) == (f"{STAGING}: {SYNCED}", f"eu:{STAGING}: {SYNCED}")
        second.leap(stage, PAST_WINDOW)
        stage.play_until("checkout", lambda _: is_promoted(lab), limit=6)


@pytest.mark.invariant("I5")
def test_a_server_of_two_that_fails_holds_the_promotion_and_costs_no_window(lab: Lab, clock: ManualClock) -> None:
    with a_second_server(lab, clock) as second, a_bot(lab, clock, sections=second.section) as sweeper:
        stage = Stage(lab, clock, sweeper)
        release(lab)
        second.leap(stage, LIVE_AFTER)
        began = window_began(stage.look_after(0))
        second.argocd.faults.fail_next("GET /api/v1/applications$", 401, times=100)
        second.leap(stage, PAST_WINDOW)
        decision = stage.look_after(0)
        assert the_judgement(decision, "staging").state is State.CANNOT_TELL
        assert second.url in the_judgement(decision, "staging").reason
        assert the_judgement(decision, "production").state is State.SETTLED
        assert not is_proposed(lab)
        second.argocd.faults.clear()
        assert window_began(stage.look_after(0)) == began
        assert is_proposed(lab)


def select_staging(lab: Lab) -> None:
    """Let the policy select staging's applications by their labels, and label the lab's own."""
    edit_policy(lab, f"argocd: {STAGING}\n", "argocd: {selector: 'app=checkout,env in (staging)'}\n")
    lab.argocd.relabel(STAGING, {"app": "checkout", "env": "staging"})


def another_member(lab: Lab) -> ApplicationSpec:
    spec = an_application(lab, "staging", "checkout-staging-eu", "checkout-staging-eu")
    return replace(spec, labels={"app": "checkout", "env": "staging"})


def test_a_member_that_joins_the_set_in_the_window_is_shown_and_restarts_it(lab: Lab, clock: ManualClock) -> None:
    select_staging(lab)
    with a_bot(lab, clock) as sweeper:
        stage = Stage(lab, clock, sweeper)
        release(lab)
        began = window_began(stage.look_after(LIVE_AFTER))
        lab.argocd.add(another_member(lab))
        joined = told(clock.now())
        decision = stage.look_after(LIVE_AFTER)
        assert window_began(decision) > max(began, joined)
        assert "checkout-staging-eu joined; the window starts anew" in gate_reason(decision)
        not_promoted(stage, 11)
        promoted(stage)


def test_a_member_that_leaves_the_set_in_the_window_is_shown_and_restarts_it(lab: Lab, clock: ManualClock) -> None:
    select_staging(lab)
    lab.argocd.add(another_member(lab))
    settle(lab, clock)
    with a_bot(lab, clock) as sweeper:
        stage = Stage(lab, clock, sweeper)
        release(lab)
        began = window_began(stage.look_after(LIVE_AFTER))
        lab.argocd.relabel("checkout-staging-eu", {"app": "checkout"})
        left = told(clock.now())
        decision = stage.look_after(1)
        assert window_began(decision) > max(began, left)
        assert "checkout-staging-eu left; the window starts anew" in gate_reason(decision)
        not_promoted(stage, 11)
        moves_on(stage)


def test_a_set_that_has_lost_its_last_member_is_waited_for_and_named(lab: Lab, clock: ManualClock) -> None:
    select_staging(lab)
    with a_bot(lab, clock) as sweeper:
        stage = Stage(lab, clock, sweeper)
        release(lab)
        stage.look_after(LIVE_AFTER)
        lab.argocd.relabel(STAGING, {})
        staging = the_judgement(not_promoted(stage), "staging")
        assert "no application with these labels" in staging.reason
        assert f"it had argocd/{STAGING} before" in staging.reason


# --- G: who syncs ----------------------------------------------------------------------------------------------------


def by_bot(lab: Lab, stage: str = "production") -> None:
    edit_policy(lab, f"argocd: checkout-{stage}\n", f"argocd: checkout-{stage}\n    sync: bot\n")


def by_hand(lab: Lab, clock: ManualClock) -> None:
    """Turn automated sync of production off."""
    lab.argocd.hold_sync(PRODUCTION)
    settle(lab, clock, 2)


def consents(lab: Lab) -> None:
    lab.argocd.annotate(PRODUCTION, {CONSENT: "checkout:production"})


def test_without_automated_sync_a_person_is_waited_for_and_the_bot_starts_nothing(lab: Lab, clock: ManualClock) -> None:
    by_hand(lab, clock)
    consents(lab)
    with a_bot(lab, clock) as sweeper:
        stage = Stage(lab, clock, sweeper)
        release(lab)
        stage.leap(LIVE_AFTER)
        promoted(stage)
        for _ in range(2):
            decision = stage.look_after(60)
        assert "auto-sync is off, so somebody must sync it" in the_judgement(decision, "production").reason
        assert lab.argocd.syncs(PRODUCTION) == []
        lab.argocd.sync(PRODUCTION)
        is_watched_live(stage)
        assert lab.argocd.syncs(PRODUCTION) == []


def test_an_application_without_the_consent_is_never_synced_and_the_annotation_is_named(
    lab: Lab, clock: ManualClock
) -> None:
    by_hand(lab, clock)
    by_bot(lab)
    with a_bot(lab, clock) as sweeper:
        stage = Stage(lab, clock, sweeper)
        release(lab)
        stage.leap(LIVE_AFTER)
        promoted(stage)
        for consent in ({}, {CONSENT: "checkout:staging"}, {CONSENT: "cart:production"}):
            lab.argocd.annotate(PRODUCTION, consent)
            decision = stage.look_after(20)
            assert f"{CONSENT}: checkout:production" in the_judgement(decision, "production").reason
        assert lab.argocd.syncs(PRODUCTION) == []


def test_an_automated_sync_that_a_window_blocks_is_named_and_goes_on_after_it(lab: Lab, clock: ManualClock) -> None:
    lab.argocd.block_sync(STAGING, "allow", "0 22 * * *")
    with a_bot(lab, clock) as sweeper:
        stage = Stage(lab, clock, sweeper)
        release(lab)
        staging = the_judgement(not_promoted(stage, 70), "staging")
        assert staging.state is State.WAITING_FOR_ROLLOUT
        assert "its project allows syncs only in a window that is not open now (0 22 * * * for 1h)" in staging.reason
        lab.argocd.unblock_sync(STAGING)
        unblocked = told(clock.now())
        assert window_began(stage.look_after(LIVE_AFTER)) > unblocked
        assert not is_proposed(lab)


def test_an_application_that_consents_is_synced_once_to_exactly_the_promotion(lab: Lab, clock: ManualClock) -> None:
    by_hand(lab, clock)
    by_bot(lab)
    consents(lab)
    with a_bot(lab, clock) as sweeper:
        stage = Stage(lab, clock, sweeper)
        release(lab)
        stage.leap(LIVE_AFTER)
        promotion = promoted(stage)
        commit(lab, {"docs/page.md": "More.\n"}, "Write a page")
        stage.look_after(1)
        stage.look_after(1)
        is_watched_live(stage)
        stage.look_after(400)
        assert [one.revision for one in lab.argocd.syncs(PRODUCTION)] == [promotion]
        assert lab.argocd.status(PRODUCTION).images == (f"{image_of('checkout')}:1.9.0",)


def test_an_application_of_several_sources_is_synced_at_the_stage_s_own_one_only(lab: Lab, clock: ManualClock) -> None:
    as_chart(lab)
    settle(lab, clock)
    by_hand(lab, clock)
    by_bot(lab)
    consents(lab)
    with a_bot(lab, clock) as sweeper:
        stage = Stage(lab, clock, sweeper)
        release_as_values(lab)
        stage.leap(LIVE_AFTER)
        promotion = promoted(stage)
        stage.look_after(3)
        is_watched_live(stage)
        assert [one.at_positions for one in lab.argocd.syncs(PRODUCTION)] == [((2, promotion),)]


def test_a_sync_window_that_blocks_is_named_and_the_sync_comes_after_it(lab: Lab, clock: ManualClock) -> None:
    by_hand(lab, clock)
    by_bot(lab)
    consents(lab)
    lab.argocd.block_sync(PRODUCTION)
    with a_bot(lab, clock) as sweeper:
        stage = Stage(lab, clock, sweeper)
        release(lab)
        stage.leap(LIVE_AFTER)
        promotion = promoted(stage)
        stage.look_after(5)
        decision = stage.look_after(120)
        assert "window" in the_judgement(decision, "production").reason
        assert lab.argocd.syncs(PRODUCTION) == []
        lab.argocd.unblock_sync(PRODUCTION)
        for _ in range(11):
            stage.look_after(30)
        assert [one.revision for one in lab.argocd.syncs(PRODUCTION)] == [promotion]


@pytest.mark.invariant("I3")
def test_a_release_that_was_taken_back_is_not_synced_though_a_person_sets_it_again(
    lab: Lab, clock: ManualClock
) -> None:
    by_hand(lab, clock)
    by_bot(lab)
    consents(lab)
    with a_bot(lab, clock) as sweeper:
        stage = Stage(lab, clock, sweeper)
        lab.release("checkout", "1.9.0", in_staging=GOOD, in_production=FAILING)
        stage.leap(LIVE_AFTER)
        promotion = promoted(stage)
        stage.play_until("checkout", lambda _: is_reverted(lab), limit=25)
        revert = lab.github.head(GITOPS, BRANCH)
        stage.look_after(2)
        stage.look_after(5)
        assert [one.revision for one in lab.argocd.syncs(PRODUCTION)] == [promotion, revert]
        commit(lab, {lab.file("checkout", "production"): values(image_of("checkout"), "1.9.0")}, "Try it again")
        for _ in range(2):
            decision = stage.look_after(301)
        assert [one.revision for one in lab.argocd.syncs(PRODUCTION)] == [promotion, revert]
        production = the_judgement(decision, "production")
        assert "the bot will start a sync" not in production.reason
