"""The adapters against the lab's servers over real sockets: what the scenarios and the demo rely on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.adapters.argocd import ArgoDeployments, ArgoServer
from bot.adapters.found_proofs import FoundBundle, FoundLayer
from bot.adapters.http import Endpoint, Limits
from bot.adapters.prometheus import PrometheusMetrics
from bot.adapters.registry import OciRegistry
from bot.domain.argo import DEFAULT_SERVER, Application, NamedApplication, NoApplication
from bot.domain.model import Artifact, Sha, Trouble
from bot.domain.queries import Query
from bot.lab.answerer import PrometheusAnswerer
from bot.lab.clock import ManualClock
from bot.lab.cluster import Cluster, failing
from bot.lab.registry import EMPTY, Credentials, RegistryLab
from bot.lab.serving import Served
from bot.ports import Look, Permanent, Transient
from tests.adapters.backends import read
from tests.lab.argo_world import APP, IMAGE, T0, ArgoWorld

FAST = Limits(deadline=timedelta(seconds=10), pause=timedelta(milliseconds=1))
COMMIT = Sha("c0ffee" + "0" * 34)


@pytest.fixture
def world(tmp_path: Path) -> ArgoWorld:
    return ArgoWorld(tmp_path)


@pytest.fixture
def deployments(world: ArgoWorld) -> Iterator[ArgoDeployments]:
    with Served(world.argocd.app) as served:
        endpoint = Endpoint(system="Argo CD", url=served.url, token=lambda: world.argocd.token)
        server = ArgoServer(endpoint, forge_host="127.0.0.1", limits=FAST)
        with ArgoDeployments({DEFAULT_SERVER: server}) as opened:
            yield opened


def look(deployments: ArgoDeployments) -> Application:
    deployments.begin_sweep()
    seen = found(deployments)
    assert isinstance(seen, Application)
    return seen


def found(deployments: ArgoDeployments) -> Application | NoApplication | Trouble:
    target = NamedApplication(name=APP)
    (seen,) = deployments.find_applications([target], repository="acme/deploy", branch="main")[target]
    return seen


def test_a_rollout_is_seen_from_argo_cd(world: ArgoWorld, deployments: ArgoDeployments) -> None:
    head = world.release("1.0")
    assert found(deployments) == NoApplication(name=APP)
    world.add()
    world.run(10)
    seen = look(deployments)
    assert (seen.sync, seen.health, seen.revisions, seen.images) == ("Synced", "Healthy", (head,), (f"{IMAGE}:1.0",))
    assert seen.operation is not None
    assert (seen.operation.phase, seen.operation.revisions) == ("Succeeded", (head,))
    assert seen.operation.finished_at is not None
    assert seen.reconciled_at is not None
    assert seen.operation.finished_at < seen.reconciled_at


def test_a_refresh_makes_argo_cd_look_at_git_now(world: ArgoWorld, deployments: ArgoDeployments) -> None:
    world.release("1.0")
    world.add(automated=False)
    world.run(10)
    head = world.release("1.1")
    assert look(deployments).revisions != (head,)
    deployments.ask_refresh(APP, hard=False)
    world.run(0.5)
    assert look(deployments).revisions == (head,)


def test_a_revoked_token_is_one_sentence(world: ArgoWorld, deployments: ArgoDeployments) -> None:
    world.argocd.revoke(world.argocd.token)
    seen = found(deployments)
    assert isinstance(seen, Trouble)
    assert "refused the token" in seen.sentence
    assert world.argocd.token not in seen.sentence


def test_counts_come_from_the_built_in_answerer() -> None:
    clock = ManualClock(T0)
    cluster = Cluster(clock)
    cluster.behave(IMAGE, "1", failing(0.1))
    cluster.deploy("staging", IMAGE, "1", T0 - timedelta(seconds=1))
    clock.advance(timedelta(seconds=60))
    answerer = PrometheusAnswerer(cluster)
    bad, total = (
        Look(query=Query.plain(text), start=T0, end=T0 + timedelta(seconds=30), width=timedelta(seconds=10))
        for text in (
            'sum(increase(http_requests_total{namespace="staging",code=~"5.."}[10s]))',
            'sum(increase(http_requests_total{namespace="staging"}[10s]))',
        )
    )
    with (
        Served(answerer.app) as served,
        PrometheusMetrics(Endpoint(system="Prometheus", url=served.url), limits=FAST) as metrics,
    ):
        failed, requests = read(metrics, bad, total)
        assert len(failed) == len(requests) == 3
        assert all(failed)
        assert failed == pytest.approx([count / 10 for count in requests if count])
        answerer.warn_next("half is missing")
        with pytest.raises(Transient, match="half is missing"):
            read(metrics, total)


@pytest.mark.parametrize("guarded", [False, True], ids=["open", "token flow"])
def test_an_artifact_comes_from_the_lab_s_registry(guarded: bool) -> None:
    credentials = Credentials(username="robot", password="s3cret") if guarded else None
    lab = RegistryLab(ManualClock(T0), credentials=credentials)
    digest = lab.push_image("acme/checkout", "1.0.1", revision=COMMIT)
    index = lab.push_index("acme/checkout", "multi", [("arm64", digest), ("amd64", digest)])
    with Served(lab.app) as served:
        endpoint = Endpoint(system="registry", url=served.url, token=(lambda: "robot:s3cret") if guarded else None)
        with OciRegistry({"ghcr.io": endpoint}, limits=FAST) as registry:
            assert registry.find_artifact(IMAGE, "1.0.1") == Artifact(digest=digest, revision=COMMIT)
            assert registry.find_artifact(IMAGE, "multi") == Artifact(digest=index, revision=COMMIT)
            with pytest.raises(Permanent, match="has no tag"):
                registry.find_artifact(IMAGE, "9.9.9")


@pytest.mark.parametrize("guarded", [False, True], ids=["open", "token flow"])
@pytest.mark.parametrize("has_referrers", [False, True], ids=["index of clients", "list of the registry"])
def test_proofs_come_from_the_lab_s_registry(*, guarded: bool, has_referrers: bool) -> None:
    lab = RegistryLab(ManualClock(T0), token_flow=guarded, referrers=has_referrers, page_size=2)
    lab.blobs_at = ""
    digest, bare = lab.push_image("acme/checkout", "1.0.1"), lab.push_image("acme/checkout", "1.0.2")
    bundles = [b'{"n":%d}' % n for n in range(5)]
    for content in bundles:
        lab.push_bundle("acme/checkout", digest, content, told_type=EMPTY)
    lab.push_signature("acme/checkout", digest, b"{}", {"dev.cosignproject.cosign/signature": "c2ln"})
    lab.push_attestation("acme/checkout", digest, b'{"payload":""}', {})
    with Served(lab.app) as served:
        endpoint = Endpoint(system="registry", url=served.url)
        with OciRegistry({"ghcr.io": endpoint}, limits=FAST) as registry:
            found = registry.find_proofs(IMAGE, digest)
            assert [one.content for one in found if isinstance(one, FoundBundle)] == bundles
            layers = [(one.is_envelope, one.signature) for one in found if isinstance(one, FoundLayer)]
            assert layers == [(False, "c2ln"), (True, None)]
            assert registry.find_proofs(IMAGE, bare) == ()
            lab.expire_tokens()
            tags = registry.list_tags(IMAGE)
            assert {"1.0.1", "1.0.2"} < set(tags)
            assert registry.find_digest(IMAGE, "1.0.2") == bare
            facts = registry.read_facts(IMAGE, digest)
            assert (facts.source, facts.built_at) == ("https://github.com/acme/checkout", T0)
            lab.faults.take_down()
            with pytest.raises(Transient):
                registry.find_proofs(IMAGE, bare)
