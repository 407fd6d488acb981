"""One application as it is now: the look of a sweep, narrowed to it, noting nothing of its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.argo import MarkKind, NamedApplication, Requirement, SelectedApplications, Target
from bot.domain.model import Sha
from bot.domain.policy import Policy, SyncBy
from bot.domain.stance import Stance
from bot.domain.timeline import Step
from bot.live_application import ExplainedLive, explain_live
from bot.ports import OutsideError, Permanent, Transient
from tests.builders import IMAGE, NEW, OLD, a_policy
from tests.fake_world import PRODUCTION_FILE, FakeWorld, values

STAGING, PRODUCTION = "checkout-staging", "checkout-production"
SELECTOR = SelectedApplications(selector=(Requirement(label="app", values=("checkout",)),))
IN_EUROPE = SelectedApplications(selector=SELECTOR.selector, server="eu")


@pytest.fixture
def fake() -> FakeWorld:
    """Staging was moved to 1.9.0 ten minutes ago and is live; production runs 1.8.2."""
    made = FakeWorld()
    made.pass_time(1)
    made.release()
    made.pass_time(10)
    return made


def explain(fake: FakeWorld, application: str, commit: str | None = None, *policies: Policy) -> ExplainedLive:
    return explain_live(fake.world, policies or (fake.policy,), application, commit)


def deployed_by(*targets: Target) -> Policy:
    policy = a_policy()
    staging, production = policy.stages
    return replace(policy, stages=(replace(staging, applications=targets), production))


def test_an_application_is_judged_by_the_stage_that_has_it(fake: FakeWorld) -> None:
    found = explain(fake, STAGING)
    assert found.liveness.stance is Stance.LIVE
    assert [app.name for app in found.applications] == [STAGING]
    assert found.timeline[0].step is Step.WRITTEN
    assert found.timeline[-1].step is Step.LIVE
    assert explain(fake, PRODUCTION).liveness.stance is Stance.LIVE


def test_of_several_applications_only_the_one_that_is_asked_for_is_judged(fake: FakeWorld) -> None:
    policy = deployed_by(NamedApplication(name=STAGING), NamedApplication(name="other"))
    assert explain(fake, STAGING, None, policy).liveness.stance is Stance.LIVE
    assert explain(fake, "other", None, policy).liveness.stance is Stance.WAITING


def test_a_name_on_another_server_is_another_application(fake: FakeWorld) -> None:
    europe = NamedApplication(name=STAGING, server="eu")
    fake.deployments.applications["eu:" + STAGING] = replace(
        explain(fake, STAGING).applications[0], name="eu:" + STAGING, health="Degraded"
    )
    policy = deployed_by(NamedApplication(name=STAGING), europe)
    assert explain(fake, STAGING, None, policy).liveness.stance is Stance.LIVE
    assert explain(fake, f"eu:{STAGING}", None, policy).liveness.stance is Stance.UNHEALTHY


@pytest.mark.parametrize(
    ("target", "prefix"), [(SELECTOR, ""), (IN_EUROPE, "eu:")], ids=["default server", "another server"]
)
def test_a_member_of_a_selector_is_judged_alone_and_the_selector_as_a_whole(
    fake: FakeWorld, target: SelectedApplications, prefix: str
) -> None:
    names = [f"{prefix}argocd/a", f"{prefix}argocd/b"]
    for name, health in zip(names, ("Healthy", "Degraded"), strict=True):
        fake.deployments.sync(name, fake.head, f"{IMAGE}:{NEW}", health=health)
    fake.deployments.members[target.shown] = names
    fake.pass_time(1)
    policy = deployed_by(target)
    one = explain(fake, names[0], None, policy)
    assert (one.liveness.stance, [app.name for app in one.applications]) == (Stance.LIVE, names[:1])
    together = explain(fake, target.shown, None, policy)
    assert (together.liveness.stance, len(together.applications)) == (Stance.UNHEALTHY, 2)


def test_the_first_policy_that_has_it_counts_and_others_do_not_matter(fake: FakeWorld) -> None:
    stages = tuple(replace(stage, applications=(NamedApplication(name="x"),)) for stage in a_policy().stages)
    other = replace(a_policy(), service="cart", stages=stages)
    assert explain(fake, STAGING, None, other, fake.policy).liveness.stance is Stance.LIVE


@pytest.mark.parametrize("name", ["", "checkout", "checkout-stagin", "eu:checkout-staging", "argocd/x", "чек", "a\nb"])
def test_what_no_policy_has_is_told(fake: FakeWorld, name: str) -> None:
    with pytest.raises(Permanent) as caught:
        explain(fake, name)
    assert caught.value.sentence == (f"no policy has a stage with the application {name}; a saved one needs --file")


# --- a commit of one's own -------------------------------------------------------------------------------------------


def test_a_commit_that_set_an_older_tag_takes_the_place_of_the_present_one(fake: FakeWorld) -> None:
    first = fake.repositories.line(fake.head)[-1].sha
    fake.deployments.sync(STAGING, first, f"{IMAGE}:{OLD}")
    fake.pass_time(1)
    assert explain(fake, STAGING).liveness.stance is Stance.WAITING
    assert explain(fake, STAGING, first[:7].upper()).liveness.stance is Stance.LIVE


def test_a_commit_that_set_no_tag_of_the_stage_is_told_those_that_did(fake: FakeWorld) -> None:
    other = fake.repositories.commit("main", {"README.md": "x"}, "Other")
    with pytest.raises(Permanent) as caught:
        explain(fake, STAGING, other)
    newest, first = (commit.sha for commit in (fake.repositories.line(other)[1], fake.repositories.line(other)[-1]))
    assert caught.value.sentence == (
        f"the commit {other} did not set this stage's tag; those that did: {newest[:7]}, {first[:7]}"
    )


# --- what stands in the way ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["refresh", "file_history"])
def test_git_out_of_reach_is_raised(fake: FakeWorld, method: str) -> None:
    fake.restart()
    fake.repositories.fail[method] = Transient("Git", "away")
    with pytest.raises(OutsideError, match="away"):
        explain(fake, STAGING)


def test_argo_cd_out_of_reach_is_cannot_tell(fake: FakeWorld) -> None:
    fake.deployments.fail["find_applications"] = Transient("Argo CD", "away")
    found = explain(fake, STAGING)
    assert (found.liveness.stance, found.applications) == (Stance.CANNOT_TELL, [])
    assert "away" in found.liveness.reason


def test_a_member_that_cannot_be_looked_for_is_not_called_unknown_to_all_policies(fake: FakeWorld) -> None:
    """Argo CD did not answer: whether the selector has this member nobody knows."""
    fake.deployments.members[SELECTOR.shown] = ["argocd/a"]
    fake.deployments.fail["find_applications"] = Transient("Argo CD", "could not be reached")
    with pytest.raises(OutsideError) as caught:
        explain(fake, "argocd/a", None, deployed_by(SELECTOR))
    assert "could not be reached" in caught.value.sentence


def test_an_application_that_is_gone_is_waited_for(fake: FakeWorld) -> None:
    del fake.deployments.applications[STAGING]
    found = explain(fake, STAGING)
    assert (found.liveness.stance, found.applications) == (Stance.WAITING, [])


def test_nothing_is_asked_of_argo_cd_but_looks(fake: FakeWorld) -> None:
    first = fake.repositories.line(fake.head)[-1].sha
    fake.deployments.sync(STAGING, first, f"{IMAGE}:{OLD}")
    fake.deployments.calls.clear()
    explain(fake, STAGING)
    assert set(fake.deployments.calls) <= {"find_applications", "why_blocked"}
    assert (fake.deployments.refreshed, fake.deployments.syncs, fake.repositories.pushes) == ([], [], [])
    kinds = {mark.kind for marks in fake.sightings.marks.values() for mark in marks}
    assert kinds <= {MarkKind.SAW, MarkKind.SYNCED}


def test_a_sync_window_in_the_way_is_told(fake: FakeWorld) -> None:
    before = Sha(fake.repositories.line(fake.head)[-1].sha)
    fake.deployments.sync(STAGING, before, f"{IMAGE}:{OLD}")
    app = explain(fake, STAGING).applications[0]
    fake.deployments.applications[STAGING] = replace(app, revisions=(fake.head,), sync="OutOfSync", automated=True)
    fake.deployments.blocked[STAGING] = "a sync window of its project denies syncs now (* * * * * for 1h)"
    fake.clock.advance(timedelta(minutes=2))
    found = explain(fake, STAGING)
    assert found.liveness.stance is Stance.WAITING
    assert "a sync window of its project denies syncs now" in found.liveness.reason


def test_that_a_release_was_rolled_back_is_told_as_in_a_sweep(fake: FakeWorld) -> None:
    """Else it would say that the bot will start a sync, which it never does for a quarantined release."""
    fake.sweep()
    fake.pass_time(34)
    fake.sweep()
    fake.sweep()
    fake.sync()
    fake.metrics.bad_share = {"http-errors": 0.3}
    fake.pass_time(4)
    fake.sweep()
    fake.sync()
    fake.repositories.commit("main", {PRODUCTION_FILE: values(NEW)}, "Once more")
    present = explain(fake, PRODUCTION).applications[0]
    fake.deployments.applications[PRODUCTION] = replace(
        present,
        revisions=(fake.head,),
        automated=False,
        sync="OutOfSync",
        targets=("main",),
        consents="checkout:production",
    )
    staging, production = fake.policy.stages
    policy = replace(fake.policy, stages=(staging, replace(production, sync=SyncBy.BOT)))
    found = explain(fake, PRODUCTION, None, policy)
    assert "was rolled back in production by" in found.liveness.reason, found.liveness.reason
