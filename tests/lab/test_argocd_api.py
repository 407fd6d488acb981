"""The REST API: what is told to whom, and how it fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.lab.argocd import ArgoOptions
from bot.lab.serving import Served
from tests.lab.argo_world import APP, IMAGE, ArgoWorld

ONE = f"/api/v1/applications/{APP}"
ALL = "/api/v1/applications"
STREAM = "/api/v1/stream/applications"


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path) -> ArgoWorld:
    world = ArgoWorld(tmp_path)
    world.release("1.0")
    world.add()
    world.add("cart-staging", project="cart")
    world.run(10)
    return world


@pytest.fixture(name="url")
def fixture_url(world: ArgoWorld) -> Iterator[str]:
    with Served(world.argocd.app) as served:
        yield served.url
        world.argocd.stop()


@pytest.fixture(name="http")
def fixture_http(world: ArgoWorld, url: str) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {world.argocd.token}"}
    with httpx.Client(base_url=url, headers=headers, timeout=10) as http:
        yield http


def names(answer: httpx.Response) -> list[str]:
    return [one["metadata"]["name"] for one in answer.json()["items"]]


def test_an_application_is_told_as_argo_cd_tells_it(http: httpx.Client, world: ArgoWorld) -> None:
    told = http.get(ONE).json()
    status = told["status"]
    assert told["metadata"]["name"] == APP
    assert told["spec"]["source"]["targetRevision"] == "main"
    assert status["sync"]["status"] == "Synced"
    assert status["sync"]["revision"] == world.argocd.status(APP).revision
    assert status["operationState"]["phase"] == "Succeeded"
    assert status["operationState"]["syncResult"]["revision"] == status["sync"]["revision"]
    assert status["summary"]["images"] == [f"{IMAGE}:1.0"]
    assert status["health"]["lastTransitionTime"] == "2026-03-01T12:00:02Z"
    assert status["history"][0]["initiatedBy"] == {"automated": True}
    assert "operation" not in told
    assert "conditions" not in status


def test_an_older_argo_cd_tells_no_transition_time(tmp_path: Path) -> None:
    world = ArgoWorld(tmp_path, ArgoOptions(transition_times=False))
    world.release("1.0")
    world.add()
    world.run(10)
    with Served(world.argocd.app) as served:
        answer = httpx.get(served.url + ONE, headers={"authorization": f"Bearer {world.argocd.token}"})
    assert answer.json()["status"]["health"] == {"status": "Healthy"}


def test_an_application_that_was_never_looked_at_has_an_empty_status(http: httpx.Client, world: ArgoWorld) -> None:
    world.add("new")
    told = http.get("/api/v1/applications/new").json()
    assert told["status"]["sync"]["status"] == ""
    assert told["status"]["health"] == {}
    assert "reconciledAt" not in told["status"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["cart-staging", APP]),
        (f"name={APP}", [APP]),
        ("projects=cart", ["cart-staging"]),
        ("projects=cart&projects=default", ["cart-staging", APP]),
        ("selector=team%3Dshop", ["cart-staging", APP]),
        ("selector=team!%3Dshop", []),
        ("selector=team,!gone", ["cart-staging", APP]),
        ("selector=team in (shop,web),team notin (ops)", ["cart-staging", APP]),
        ("selector=team notin (shop)", []),
        ("repo=http://elsewhere", []),
        ("appNamespace=argocd", ["cart-staging", APP]),
        ("appNamespace=other", []),
    ],
)
def test_a_list_can_be_narrowed(http: httpx.Client, query: str, expected: list[str]) -> None:
    assert names(http.get(f"{ALL}?{query}")) == expected


def test_a_selector_that_cannot_be_parsed_is_refused(http: httpx.Client) -> None:
    answer = http.get(ALL, params={"selector": "team in shop"})
    assert (answer.status_code, answer.json()["code"]) == (500, 2)


def test_a_projection_keeps_only_what_argo_cd_can_project(http: httpx.Client) -> None:
    fields = "items.metadata.name,items.status.sync.status,items.status.sync.revision,items.status.reconciledAt"
    answer = http.get(ALL, params={"fields": fields, "name": APP}).json()
    assert answer["items"] == [{"metadata": {"name": APP}, "status": {"sync": {"status": "Synced"}}}]
    assert answer["metadata"]["resourceVersion"]


def test_a_projection_answers_the_operations_sync_with_the_sync_result(http: httpx.Client, world: ArgoWorld) -> None:
    answer = http.get(ALL, params={"fields": "items.status.operationState.operation.sync", "name": APP}).json()
    (item,) = answer["items"]
    assert item["status"]["operationState"]["operation"]["sync"]["revision"] == world.argocd.status(APP).revision


def test_a_projection_can_exclude(http: httpx.Client) -> None:
    (item,) = http.get(ALL, params={"fields": "-items.spec,items.status.resources", "name": APP}).json()["items"]
    assert "spec" not in item
    assert set(item["status"]) == {"sync", "health", "summary", "operationState"}


def test_a_projected_empty_list_is_null(http: httpx.Client) -> None:
    assert http.get(ALL, params={"fields": "items.spec", "name": "none"}).json()["items"] is None
    assert http.get(ALL, params={"name": "none"}).json()["items"] == []


def test_a_refresh_looks_at_git_at_once(http: httpx.Client, world: ArgoWorld) -> None:
    head = world.release("2.0")
    assert http.get(ONE).json()["status"]["sync"]["revision"] != head
    assert http.get(ONE, params={"refresh": "normal"}).json()["status"]["sync"]["revision"] == head


def test_a_refresh_of_a_frozen_application_only_leaves_its_annotation(http: httpx.Client, world: ArgoWorld) -> None:
    world.argocd.freeze(APP)
    head = world.release("2.0")
    told = http.get(ONE, params={"refresh": "hard"}).json()
    assert told["metadata"]["annotations"] == {"argocd.argoproj.io/refresh": "hard"}
    assert told["status"]["sync"]["revision"] != head


def test_a_sync_that_was_asked_for_is_pending_then_done(http: httpx.Client, world: ArgoWorld) -> None:
    world.argocd.hold_sync(APP)
    head = world.release("2.0")
    told = http.post(f"{ONE}/sync", json={"revision": head, "prune": True}).json()
    assert told["operation"]["sync"] == {"revision": head, "prune": True, "source": told["spec"]["source"]}
    assert "operationState" not in told["status"]
    world.run(5)
    done = http.get(ONE).json()
    assert done["status"]["operationState"]["syncResult"]["revision"] == head
    assert done["status"]["summary"]["images"] == [f"{IMAGE}:2.0"]


def test_a_dry_run_deploys_nothing(http: httpx.Client, world: ArgoWorld) -> None:
    world.argocd.hold_sync(APP)
    world.release("2.0")
    assert http.post(f"{ONE}/sync", json={"dryRun": True}).status_code == 200
    world.run(5)
    assert http.get(ONE).json()["status"]["summary"]["images"] == [f"{IMAGE}:1.0"]


def test_a_second_sync_and_one_against_automation_are_refused(http: httpx.Client) -> None:
    pinned = http.post(f"{ONE}/sync", json={"revision": "0" * 40})
    assert (pinned.status_code, pinned.json()["code"]) == (400, 9)
    assert http.post(f"{ONE}/sync", json={}).status_code == 200
    second = http.post(f"{ONE}/sync", json={})
    assert (second.status_code, second.json()["message"]) == (400, "another operation is already in progress")


@pytest.mark.parametrize("body", [b"{", b"[]"])
def test_a_sync_body_that_is_no_object_is_refused(http: httpx.Client, body: bytes) -> None:
    assert http.post(f"{ONE}/sync", content=body).status_code == 400


@pytest.mark.parametrize(("header", "message"), [("", "no session information"), ("Bearer x", "invalid session")])
def test_a_request_without_a_good_token_is_unauthenticated(url: str, header: str, message: str) -> None:
    answer = httpx.get(url + ALL, headers={"authorization": header} if header else {})
    told = answer.json()
    assert (answer.status_code, told["code"]) == (401, 16)
    assert told["error"] == told["message"]
    assert told["message"].startswith(message)


# project named?, project right?, hides unknown names? -> status
@pytest.mark.parametrize(
    ("name", "query", "hides", "status"),
    [
        ("gone", "", True, 403),
        ("gone", "?project=default", True, 404),
        ("gone", "", False, 404),
        (APP, "?project=default", True, 200),
        (APP, "?project=cart", True, 404),
        (APP, "?appNamespace=other", True, 403),
    ],
)
def test_an_unknown_name_is_denied_or_not_found(
    tmp_path: Path, name: str, query: str, hides: bool, status: int
) -> None:
    world = ArgoWorld(tmp_path, ArgoOptions(hides_unknown=hides))
    world.release("1.0")
    world.add()
    with Served(world.argocd.app) as served:
        token = {"authorization": f"Bearer {world.argocd.token}"}
        answer = httpx.get(f"{served.url}/api/v1/applications/{name}{query}", headers=token)
    assert answer.status_code == status


def test_a_token_sees_only_its_projects(url: str, world: ArgoWorld) -> None:
    world.argocd.grant("narrow", "cart-bot", projects=["cart"], may_sync=False)
    with httpx.Client(base_url=url, headers={"authorization": "Bearer narrow"}) as http:
        assert names(http.get(ALL)) == ["cart-staging"]
        assert [http.get(ONE).status_code, http.get(f"{ONE}?project=default").status_code] == [403, 403]
        assert http.post("/api/v1/applications/cart-staging/sync", json={}).json()["code"] == 7
        assert http.get("/api/v1/session/userinfo").json()["username"] == "cart-bot"
        world.argocd.revoke("narrow")
        assert http.get(ALL).status_code == 401


def test_user_and_version_answer_strangers_with_less(url: str, http: httpx.Client) -> None:
    assert httpx.get(f"{url}/api/v1/session/userinfo").json() == {"loggedIn": False}
    assert http.get("/api/v1/session/userinfo").json()["loggedIn"] is True
    assert list(httpx.get(f"{url}/api/version").json()) == ["Version"]
    assert "Platform" in http.get("/api/version").json()


def test_an_unknown_path_is_not_found(http: httpx.Client) -> None:
    assert http.get("/api/v1/nothing").json() == {"error": "Not Found", "code": 5, "message": "Not Found"}


def read(lines: Iterator[str]) -> tuple[str, Any]:
    result = json.loads(next(lines))["result"]
    return result["type"], result["application"]


def test_the_stream_tells_all_applications_then_every_change(http: httpx.Client, world: ArgoWorld) -> None:
    with http.stream("GET", STREAM) as answer:
        lines = answer.iter_lines()
        first = [read(lines) for _ in range(2)]
        assert [(kind, one["metadata"]["name"]) for kind, one in first] == [("ADDED", "cart-staging"), ("ADDED", APP)]
        world.argocd.suspend(APP)
        kind, one = read(lines)
        while one["status"]["health"]["status"] != "Suspended":
            kind, one = read(lines)
        assert (kind, one["metadata"]["name"]) == ("MODIFIED", APP)
        world.argocd.delete(APP)
        while kind != "DELETED":
            kind, one = read(lines)
        assert one["metadata"]["name"] == APP
        world.argocd.end_streams()
        assert list(lines) == []


def test_a_stream_from_a_resource_version_tells_only_what_is_new(http: httpx.Client, world: ArgoWorld) -> None:
    with http.stream("GET", STREAM, params={"resourceVersion": "1", "projects": "default"}) as answer:
        world.argocd.delete("cart-staging")
        world.argocd.delete(APP)
        kind, one = read(answer.iter_lines())
        assert (kind, one["metadata"]["name"]) == ("DELETED", APP)


def test_a_stream_of_one_application_tells_it_even_from_a_resource_version_on(http: httpx.Client) -> None:
    with http.stream("GET", STREAM, params={"resourceVersion": "1", "name": APP}) as answer:
        kind, one = read(answer.iter_lines())
        assert (kind, one["metadata"]["name"]) == ("ADDED", APP)


def test_a_stream_does_not_tell_what_is_older_than_its_resource_version(http: httpx.Client, world: ArgoWorld) -> None:
    with http.stream("GET", STREAM, params={"resourceVersion": "900000"}) as answer:
        world.argocd.delete(APP)
        world.argocd.end_streams()
        assert list(answer.iter_lines()) == []


def test_a_stream_can_be_projected(http: httpx.Client) -> None:
    fields = "result.type,result.application.metadata.name"
    with http.stream("GET", STREAM, params={"fields": fields, "name": APP}) as answer:
        assert read(answer.iter_lines()) == ("ADDED", {"metadata": {"name": APP}})


def test_faults_reach_the_wire(http: httpx.Client, world: ArgoWorld) -> None:
    world.argocd.fail_next("GET /api/v1/applications", 503, times=2)
    assert [http.get(ONE).status_code for _ in range(3)] == [503, 503, 200]
    world.argocd.faults.truncate_next("applications")
    with pytest.raises(json.JSONDecodeError):
        http.get(ONE).json()
    world.argocd.hang("applications")
    with pytest.raises(httpx.ReadTimeout):
        http.get(ONE, timeout=0.2)
    world.argocd.release()
    assert http.get(ONE).status_code == 200
