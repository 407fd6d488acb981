"""A sync is a write to production: sent once, to exact revisions, only to what consents and is at rest (I15)."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from bot.adapters.argocd import ArgoDeployments, ArgoServer
from bot.adapters.http import Endpoint, Limits
from bot.domain.argo import DEFAULT_SERVER
from bot.domain.model import Sha
from bot.domain.stance import CONSENT
from bot.lab.argo.specification import ArgoOptions, Source
from bot.lab.exchanges import ExchangeRecorder
from bot.lab.serving import Served
from bot.ports import Conflict, OutsideError, Permanent, SyncOrder, Transient
from tests.adapters.scripted import Asked, Scripted, an_answer, serving
from tests.adapters.test_argocd import FAST, LIST, NEW, OLD, Waiting, an_item
from tests.lab.argo_world import APP, REPOSITORY, ArgoWorld, a_spec

ONE, SYNC = f"{LIST}/checkout", f"{LIST}/checkout/sync"
AUTHORITY = "checkout:production"
TOKEN = "t0ken-of-nobody"
ORDER = SyncOrder(revisions=(NEW,), positions=(), authority=AUTHORITY)


@pytest.fixture
def server() -> Iterator[Scripted]:
    """Argo CD with one application that consents and is at rest, and that accepts a sync."""
    with serving() as scripted:
        scripted.plan(ONE, an_answer(consenting()))
        scripted.plan(SYNC, an_answer(consenting()))
        yield scripted


@pytest.fixture
def deployments(server: Scripted) -> Iterator[ArgoDeployments]:
    with opened(server) as made:
        yield made


def opened(server: Scripted, *, limits: Limits = FAST) -> ArgoDeployments:
    endpoint = Endpoint(system="Argo CD", url=server.url, token=lambda: TOKEN)
    return ArgoDeployments({DEFAULT_SERVER: ArgoServer(endpoint, forge_host="github.com", limits=limits)})


def consenting(consent: object = AUTHORITY, **more: Any) -> dict[str, Any]:
    item = an_item() | more
    item["metadata"] = {**item["metadata"], "annotations": {CONSENT: consent}}
    return item


def posts(server: Scripted) -> list[Asked]:
    return [asked for asked in server.asked if asked.method == "POST"]


# --- what is sent ----------------------------------------------------------------------------------------------------


def test_one_source_is_synced_to_one_exact_revision(server: Scripted, deployments: ArgoDeployments) -> None:
    deployments.start_sync("checkout", ORDER)
    assert [(asked.method, asked.path, asked.query) for asked in server.asked] == [("GET", ONE, ""), ("POST", SYNC, "")]
    (sent,) = posts(server)
    assert json.loads(sent.body) == {"name": "checkout", "prune": False, "dryRun": False, "revision": NEW}
    assert sent.headers["content-type"] == "application/json"
    assert sent.headers["authorization"] == f"Bearer {TOKEN}"


def test_of_several_sources_only_the_stage_s_get_a_revision(server: Scripted, deployments: ArgoDeployments) -> None:
    deployments.start_sync("checkout", SyncOrder(revisions=(NEW, OLD), positions=(1, 3), authority=AUTHORITY))
    (sent,) = posts(server)
    assert json.loads(sent.body) == {
        "name": "checkout",
        "prune": False,
        "dryRun": False,
        "revisions": [NEW, OLD],
        "sourcePositions": ["1", "3"],
    }


def test_a_sync_names_the_namespace_in_its_body_only(server: Scripted, deployments: ArgoDeployments) -> None:
    deployments.start_sync("team/checkout", ORDER)
    assert [asked.query for asked in server.asked] == ["appNamespace=team", ""]
    (sent,) = posts(server)
    assert json.loads(sent.body)["appNamespace"] == "team"
    assert json.loads(sent.body)["name"] == "checkout"


# --- consent ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "consent",
    [
        "",
        "checkout:staging",
        "cart:production",
        "Checkout:Production",
        "checkout: production",
        "checkout:production,cart:production",
        "checkout:production\ncart:production",
        "checkout:pro\u200bduction",
        "checkout:prоduction",
        "*",
        "true",
        True,
        ["checkout:production"],
        {"checkout": "production"},
        None,
    ],
    ids=repr,
)
def test_without_the_very_consent_nothing_is_sent(
    server: Scripted, deployments: ArgoDeployments, consent: object
) -> None:
    server.plan(ONE, an_answer(consenting(consent)))
    with pytest.raises(Conflict) as caught:
        deployments.start_sync("checkout", ORDER)
    assert caught.value.sentence == "checkout does not carry the consent for checkout:production any more"
    assert posts(server) == []


@pytest.mark.parametrize(
    "metadata",
    [
        {"annotations": {CONSENT.upper(): AUTHORITY}},
        {"annotations": {"liftlock.dev/authorized-stage-": AUTHORITY}},
        {"labels": {CONSENT: AUTHORITY}},
        {},
    ],
    ids=["another case", "another key", "a label", "none"],
)
def test_consent_is_the_annotation_of_exactly_that_name(
    server: Scripted, deployments: ArgoDeployments, metadata: dict[str, Any]
) -> None:
    item = an_item()
    item["metadata"] |= metadata
    server.plan(ONE, an_answer(item))
    with pytest.raises(Conflict):
        deployments.start_sync("checkout", ORDER)
    assert posts(server) == []


def test_white_space_around_the_consent_does_not_count(server: Scripted, deployments: ArgoDeployments) -> None:
    """A block text in YAML ends with a line break."""
    server.plan(ONE, an_answer(consenting(f"{AUTHORITY}\n")))
    deployments.start_sync("checkout", ORDER)
    assert len(posts(server)) == 1


def test_the_longest_names_that_a_policy_may_have_can_consent(server: Scripted, deployments: ArgoDeployments) -> None:
    authority = f"{'s' * 63}:{'t' * 63}"
    server.plan(ONE, an_answer(consenting(authority)))
    deployments.start_sync("checkout", SyncOrder(revisions=(NEW,), positions=(), authority=authority))
    assert len(posts(server)) == 1


def test_consent_is_read_anew_and_not_from_the_sweep_s_look(server: Scripted, deployments: ArgoDeployments) -> None:
    server.plan(ONE, an_answer(consenting()), an_answer(an_item()))
    deployments.start_sync("checkout", ORDER)
    with pytest.raises(Conflict):
        deployments.start_sync("checkout", ORDER)
    assert len(posts(server)) == 1


# --- one sync only ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "phase"),
    [(None, "Running"), ({"sync": {}}, "Running"), (None, "Terminating"), ({"sync": {}}, None), ({}, "Succeeded")],
    ids=["running", "running, and still noted", "terminating", "about to start", "about to start anew"],
)
def test_no_sync_is_asked_for_while_another_one_is_under_way(
    server: Scripted, deployments: ArgoDeployments, operation: object, phase: str | None
) -> None:
    item = consenting(operation=operation)
    item["status"]["operationState"] = {"phase": phase} if phase else None
    server.plan(ONE, an_answer(item))
    with pytest.raises(Conflict) as caught:
        deployments.start_sync("checkout", ORDER)
    assert caught.value.sentence == "checkout is being synced already"
    assert posts(server) == []


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Error"])
def test_a_sync_that_has_ended_is_in_nobody_s_way(server: Scripted, deployments: ArgoDeployments, phase: str) -> None:
    item = consenting()
    item["status"]["operationState"] = {"phase": phase}
    server.plan(ONE, an_answer(item))
    deployments.start_sync("checkout", ORDER)
    assert len(posts(server)) == 1


def test_who_loses_the_race_for_a_sync_meets_a_conflict(server: Scripted, deployments: ArgoDeployments) -> None:
    """Between the look and the sync somebody else may start one: the port promises a Conflict."""
    message = "another operation is already in progress"
    server.plan(SYNC, an_answer({"error": message, "code": 9, "message": message}, status=400))
    with pytest.raises(Conflict):
        deployments.start_sync("checkout", ORDER)
    assert len(posts(server)) == 1


# --- answers ---------------------------------------------------------------------------------------------------------


def test_a_sync_window_is_a_conflict_and_not_a_missing_right(server: Scripted, deployments: ArgoDeployments) -> None:
    message = "cannot sync: blocked by sync window"
    server.plan(SYNC, an_answer({"error": message, "code": 7, "message": message}, status=403))
    with pytest.raises(Conflict) as caught:
        deployments.start_sync("checkout", ORDER)
    assert caught.value.sentence == "a sync window of its project lets no sync of checkout begin now"
    assert len(posts(server)) == 1


def test_a_token_that_may_not_sync_is_told_so(server: Scripted, deployments: ArgoDeployments) -> None:
    server.plan(SYNC, an_answer({"error": "permission denied", "code": 7, "message": "permission denied"}, status=403))
    with pytest.raises(Permanent) as caught:
        deployments.start_sync("checkout", ORDER)
    assert not isinstance(caught.value, Conflict)
    assert caught.value.sentence == (
        f"Argo CD at {server.url} does not allow the token to sync the application checkout (403): give it the right to"
    )
    assert len(posts(server)) == 1


class Dropped(Response):
    """Begins an answer and breaks off in the middle."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
        await send({"type": "http.response.body", "body": b'{"metadata": {', "more_body": True})
        raise ConnectionResetError


@pytest.mark.parametrize(
    "answer",
    [
        *(Response(status_code=status) for status in (500, 502, 503, 504)),
        Response(status_code=429, headers={"retry-after": "0"}),
        Dropped(),
    ],
    ids=["500", "502", "503", "504", "429", "broken off"],
)
def test_an_unclear_answer_is_never_sent_again(
    server: Scripted, deployments: ArgoDeployments, answer: Response
) -> None:
    server.plan(SYNC, answer)
    with pytest.raises(Transient):
        deployments.start_sync("checkout", ORDER)
    assert len(posts(server)) == 1


def test_a_sync_without_an_answer_in_time_is_never_sent_again(server: Scripted) -> None:
    go_on = threading.Event()
    server.plan(SYNC, Waiting(go_on))
    with opened(server, limits=Limits(deadline=timedelta(milliseconds=300))) as hasty, pytest.raises(Transient):
        hasty.start_sync("checkout", ORDER)
    go_on.set()
    assert len(posts(server)) == 1


@pytest.mark.parametrize(
    "answer",
    [
        an_answer({"error": "internal error", "code": 13, "message": "internal error"}),
        PlainTextResponse("<html>sign in</html>"),
        Response(b""),
        an_answer(["accepted"]),
    ],
    ids=["an error", "a sign-in page", "nothing", "a list"],
)
def test_a_good_status_with_something_else_than_an_application_is_unclear(
    server: Scripted, deployments: ArgoDeployments, answer: Response
) -> None:
    """A proxy's page is no sync: telling people that one was started would be wrong."""
    server.plan(SYNC, answer)
    with pytest.raises(OutsideError):
        deployments.start_sync("checkout", ORDER)
    assert len(posts(server)) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_of_a_sync_is_not_followed(server: Scripted, deployments: ArgoDeployments, status: int) -> None:
    server.plan(SYNC, RedirectResponse(f"{server.url}/elsewhere?token=s3cret", status_code=status))
    with pytest.raises(Permanent) as caught:
        deployments.start_sync("checkout", ORDER)
    said = f"redirects to {server.url}/elsewhere, which is not followed: set that address instead"
    assert said in caught.value.sentence
    assert [asked.path for asked in server.asked] == [ONE, SYNC]


def test_a_refusal_is_told_without_our_token(server: Scripted, deployments: ArgoDeployments) -> None:
    server.plan(SYNC, an_answer({"message": f"bad {TOKEN} for https://bot:hunter2@github.com/a/b"}, status=400))
    with pytest.raises(Permanent) as caught:
        deployments.start_sync("checkout", ORDER)
    assert "refused to sync the application checkout (HTTP 400)" in caught.value.sentence
    assert TOKEN not in caught.value.sentence
    assert "hunter2" not in caught.value.sentence


# --- looks that end before anything is sent --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "error", "sentence"),
    [
        (Response(status_code=404), Permanent, "knows nothing of that when asked to tell the application checkout"),
        (Response(status_code=403), Permanent, "does not allow the token to tell the application checkout"),
        (Response(status_code=503), Transient, "failed (HTTP 503)"),
        (PlainTextResponse("<html>"), Transient, "something that is no application (text/plain"),
        (an_answer([]), Transient, "something that is no application (JSON, but no object)"),
        (an_answer(consenting(status=[])), Permanent, "checkout: Argo CD's entry for it is malformed: status is no"),
    ],
    ids=["404", "403", "503", "HTML", "a list", "malformed"],
)
def test_an_application_that_cannot_be_read_is_not_synced(
    server: Scripted, deployments: ArgoDeployments, answer: Response, error: type[OutsideError], sentence: str
) -> None:
    server.plan(ONE, answer)
    with pytest.raises(error) as caught:
        deployments.start_sync("checkout", ORDER)
    assert sentence in caught.value.sentence
    assert posts(server) == []


@pytest.mark.parametrize("name", ["", "../x", "a/b/c", "UPPER", "x?dryRun=true", "x y", "eu:checkout", "чек", "a\n"])
def test_a_name_that_is_none_is_not_synced(server: Scripted, deployments: ArgoDeployments, name: str) -> None:
    with pytest.raises(Permanent):
        deployments.start_sync(name, ORDER)
    assert server.asked == []


# --- against the lab -------------------------------------------------------------------------------------------------


@pytest.fixture
def world(tmp_path: Path) -> ArgoWorld:
    return ArgoWorld(tmp_path, ArgoOptions(sync_takes=timedelta(seconds=5)))


def serve_lab(world: ArgoWorld) -> Served:
    return Served(ExchangeRecorder(world.argocd.app))


def on_lab(world: ArgoWorld, url: str) -> ArgoDeployments:
    endpoint = Endpoint(system="Argo CD", url=url, token=lambda: world.argocd.token)
    return ArgoDeployments({DEFAULT_SERVER: ArgoServer(endpoint, limits=FAST)})


def test_the_lab_syncs_to_the_revision_of_the_order_and_not_to_the_head(world: ArgoWorld) -> None:
    world.add(automated=False)
    world.argocd.annotate(APP, {CONSENT: AUTHORITY})
    release = world.release("1.9.0")
    world.commit({"README.md": "later\n"})
    world.run(2)
    with serve_lab(world) as served, on_lab(world, served.url) as deployments:
        order = SyncOrder(revisions=(Sha(release),), positions=(), authority=AUTHORITY)
        deployments.start_sync(APP, order)
        with pytest.raises(Conflict, match="is being synced already"):
            deployments.start_sync(APP, order)
        world.run(10)
    (sync,) = world.argocd.syncs(APP)
    assert (sync.revision, sync.prune, sync.dry_run) == (release, False, False)
    operation = world.argocd.status(APP).operation
    assert operation is not None
    assert operation.phase == "Succeeded"


def test_the_lab_syncs_one_of_several_sources_to_the_revision_of_the_order(world: ArgoWorld) -> None:
    chart = Source(repo_url="https://charts.example", chart="checkout", target_revision="1.0.0")
    ours = Source(repo_url=REPOSITORY, path="apps/checkout/staging", target_revision="main")
    world.argocd.publish_chart("https://charts.example", "checkout", "1.0.0")
    world.argocd.add(a_spec(sources=(chart, ours), automated=False))
    world.argocd.annotate(APP, {CONSENT: AUTHORITY})
    release = world.release("1.9.0")
    world.run(2)
    with serve_lab(world) as served, on_lab(world, served.url) as deployments:
        deployments.start_sync(APP, SyncOrder(revisions=(Sha(release),), positions=(2,), authority=AUTHORITY))
        world.run(10)
    (sync,) = world.argocd.syncs(APP)
    assert sync.at_positions == ((2, release),)


def test_a_window_that_denies_in_the_lab_is_told_and_the_sync_is_not_sent_twice(world: ArgoWorld) -> None:
    world.add(automated=False)
    world.argocd.annotate(APP, {CONSENT: AUTHORITY})
    release = world.release("1.9.0")
    world.argocd.block_sync(APP)
    world.run(2)
    with serve_lab(world) as served, on_lab(world, served.url) as deployments:
        with pytest.raises(Conflict, match="a sync window of its project lets no sync"):
            deployments.start_sync(APP, SyncOrder(revisions=(Sha(release),), positions=(), authority=AUTHORITY))
        assert deployments.why_blocked(APP, automated=False) == (
            "a sync window of its project denies syncs now (* * * * * for 1h)"
        )
    assert world.argocd.syncs(APP) == []


def test_the_lab_has_started_a_sync_whose_answer_was_lost_and_it_is_not_asked_for_again(world: ArgoWorld) -> None:
    world.add(automated=False)
    world.argocd.annotate(APP, {CONSENT: AUTHORITY})
    release = world.release("1.9.0")
    world.run(2)
    with serve_lab(world) as served, on_lab(world, served.url) as deployments:
        world.argocd.faults.cut_next("/sync")
        with pytest.raises(Transient):
            deployments.start_sync(APP, SyncOrder(revisions=(Sha(release),), positions=(), authority=AUTHORITY))
    assert len(world.argocd.syncs(APP)) == 1
