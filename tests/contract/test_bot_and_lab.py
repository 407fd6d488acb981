"""What the bot sends and what the lab answers conform to the published descriptions, in whole stories."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.adapters.argocd import ArgoDeployments, ArgoServer, WatchSettings
from bot.adapters.http import Endpoint
from bot.domain.argo import DEFAULT_SERVER, NamedApplication
from bot.domain.model import Sha
from bot.domain.stance import CONSENT
from bot.lab.cluster import Behaviour
from bot.lab.stories import GOOD
from bot.lab.world import GITOPS, Lab
from bot.ports import Conflict, OutsideError, SyncOrder
from tests.contract.conformance import ARGOCD
from tests.contract.graphql_conformance import github_violations
from tests.stage import Stage

APPLICATIONS, STREAM = "/api/v1/applications", "/api/v1/stream/applications"


def assert_conforms(stage: Stage) -> None:
    asked = [item for item in stage.lab.github.exchanges if item.path.startswith("/api/")]
    violations = [said for item in asked for said in github_violations(item)]
    violations += [said for item in stage.lab.argocd_wire.exchanges for said in ARGOCD.violations(item)]
    assert sorted(set(violations)) == []


def seen(stage: Stage) -> set[str]:
    """Method and last part of each REST path, without numbers."""
    rest = [item for item in stage.lab.github.exchanges if item.path.startswith("/api/")]
    return {f"{item.method} {item.path.rstrip('0123456789/').rsplit('/', 1)[-1]}" for item in rest}


def test_a_promotion_and_its_rollback_conform(stage: Stage) -> None:
    failing = Behaviour(requests_per_second=100.0, error_ratio=0.2)
    stage.lab.release("checkout", "1.9.0", in_staging=GOOD, in_production=failing)
    stage.play_until("checkout", lambda _: any("Liftlock-Reverts" in message for message in stage.lab.messages()))
    stage.play(3)
    assert seen(stage) >= {"POST graphql", "POST pulls", "PUT merge", "POST comments", "PATCH comments", "GET user"}
    assert stage.lab.argocd_wire.exchanges
    assert_conforms(stage)


def test_a_rejection_a_rollback_by_pull_request_and_a_withdrawal_conform(stage: Stage) -> None:
    path = stage.lab.directory / "policies" / "checkout.yaml"
    path.write_text(path.read_text().replace("merge: auto", "merge: human"))
    stage.lab.release("checkout", "1.9.0", in_staging=GOOD)
    stage.play_until("checkout", lambda _: bool(stage.lab.pulls("checkout")))
    stage.lab.github.review_as("alice", GITOPS, 1, "APPROVED")
    stage.lab.github.set_status(GITOPS, stage.lab.pulls("checkout")[0].head_sha, "ci/lint", "success")
    stage.lab.github.add_check_run(GITOPS, stage.lab.pulls("checkout")[0].head_sha, "build")
    stage.play(3)
    stage.lab.release("checkout", "1.9.1", in_staging=GOOD)
    stage.play_until("checkout", lambda _: not stage.lab.pulls("checkout")[0].is_open)
    stage.play_until("checkout", lambda _: len(stage.lab.pulls("checkout")) == 2)
    stage.lab.github.close_pull(GITOPS, 2, "alice")
    stage.play(2)
    assert seen(stage) >= {"POST graphql", "PATCH pulls", "GET statuses", "GET deployments", "POST deployments"}
    assert_conforms(stage)


# --- what the bot asks of Argo CD beside the list --------------------------------------------------------------------


def argo_server(lab: Lab, *, watch: bool = False, projects: tuple[str, ...] = ()) -> ArgoServer:
    endpoint = Endpoint(system="Argo CD", url=lab.argocd_url, token=lambda: lab.argocd.token)
    settings = WatchSettings(relist=timedelta(hours=1), silence=timedelta(hours=1)) if watch else None
    return ArgoServer(endpoint, projects=projects, watch=settings)


def asked_of_argo_cd(lab: Lab) -> list[tuple[str, str, str]]:
    return [(one.method, one.path, one.query) for one in lab.argocd_wire.exchanges]


def assert_argo_cd_conforms(lab: Lab) -> None:
    violations = [said for item in lab.argocd_wire.exchanges for said in ARGOCD.violations(item)]
    assert sorted(set(violations)) == []


def test_every_request_to_argo_cd_conforms(lab: Lab) -> None:
    one = f"{APPLICATIONS}/checkout-production"
    lab.argocd.annotate("checkout-production", {CONSENT: "checkout:production"})
    lab.argocd.hold_sync("checkout-production")
    lab.argocd.block_sync("checkout-staging")
    release = Sha(lab.github.log(GITOPS, "main")[0].sha)
    target = NamedApplication(name="checkout-production")
    order = SyncOrder(revisions=(release,), positions=(), authority="checkout:production")
    several = SyncOrder(revisions=(release,), positions=(1,), authority="checkout:production")
    with ArgoDeployments({DEFAULT_SERVER: argo_server(lab, projects=("default", "shop"))}) as deployments:
        deployments.find_applications([target], repository=GITOPS, branch="main")
        deployments.ask_refresh("checkout-production", hard=False)
        deployments.ask_refresh("argocd/checkout-production", hard=True)
        deployments.why_blocked("checkout-staging", automated=True)
        deployments.start_sync("checkout-production", order)
        with pytest.raises(Conflict):
            deployments.start_sync("checkout-production", several)
    assert asked_of_argo_cd(lab)[-7:] == [
        ("GET", APPLICATIONS, "projects=default&projects=shop"),
        ("GET", one, "refresh=normal&appNamespace=argocd"),
        ("GET", one, "refresh=hard&appNamespace=argocd"),
        ("GET", f"{APPLICATIONS}/checkout-staging/syncwindows", ""),
        ("GET", one, "appNamespace=argocd"),
        ("POST", f"{one}/sync", ""),
        ("GET", one, "appNamespace=argocd"),
    ]
    assert_argo_cd_conforms(lab)


def test_a_sync_of_one_of_several_sources_in_a_namespace_conforms(lab: Lab) -> None:
    lab.argocd.annotate("checkout-production", {CONSENT: "checkout:production"})
    lab.argocd.hold_sync("checkout-production")
    release = Sha(lab.github.log(GITOPS, "main")[0].sha)
    order = SyncOrder(revisions=(release,), positions=(1,), authority="checkout:production")
    with ArgoDeployments({DEFAULT_SERVER: argo_server(lab)}) as deployments, contextlib.suppress(OutsideError):
        deployments.start_sync("argocd/checkout-production", order)
    (sent,) = [one for one in lab.argocd_wire.exchanges if one.method == "POST"]
    assert json.loads(sent.request_body)["sourcePositions"] == ["1"]
    assert ARGOCD.violations(sent, any_status=True) == []


def test_a_stream_that_is_followed_and_narrowed_conforms(lab: Lab) -> None:
    target = NamedApplication(name="checkout-production")
    with ArgoDeployments({DEFAULT_SERVER: argo_server(lab, watch=True, projects=("default",))}) as deployments:
        deployments.find_applications([target], repository=GITOPS, branch="main")
        eventually(lambda: lab.argocd.open_streams() == 1)
        lab.argocd.set_health("checkout-production", "Progressing")
        lab.argocd.tick()
        lab.argocd.end_streams()
        eventually(lambda: any(path == STREAM for _, path, _ in asked_of_argo_cd(lab)))
    (query,) = {query for _, path, query in asked_of_argo_cd(lab) if path == STREAM}
    assert query.startswith("projects=default&resourceVersion=")
    assert_argo_cd_conforms(lab)


def eventually(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < ends, "it never came to hold"
        time.sleep(0.01)


def test_a_story_in_which_the_bot_syncs_looks_for_windows_and_refreshes_conforms(stage: Stage) -> None:
    path = stage.lab.directory / "policies" / "checkout.yaml"
    path.write_text(path.read_text().replace("argocd: checkout-staging\n", "argocd: checkout-staging\n    sync: bot\n"))
    stage.lab.argocd.annotate("checkout-staging", {CONSENT: "checkout:staging"})
    stage.lab.argocd.hold_sync("checkout-staging")
    stage.play(2)
    stage.lab.argocd.freeze("checkout-staging")
    stage.lab.argocd.block_sync("checkout-staging")
    stage.lab.release("checkout", "1.9.0", in_staging=GOOD)
    stage.play(5)
    stage.lab.argocd.thaw("checkout-staging")
    stage.play(65)
    stage.lab.argocd.unblock_sync("checkout-staging")
    stage.clock.advance(timedelta(minutes=6))
    stage.play(20)
    asked = {(method, path.rsplit("/", 1)[-1]) for method, path, _ in asked_of_argo_cd(stage.lab)}
    assert asked >= {("POST", "sync"), ("GET", "syncwindows"), ("GET", "applications")}
    assert "refresh=normal&appNamespace=argocd" in {query for _, _, query in asked_of_argo_cd(stage.lab)}
    assert_argo_cd_conforms(stage.lab)
