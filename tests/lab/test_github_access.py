"""Tokens, permissions, limits, conditional requests, apps, and what goes wrong on demand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from time import time

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from github import GithubIntegration
from github.Auth import AppAuth

from tests.lab.github_world import REPO, GitHubWorld, running_github

R = f"/repos/{REPO}"


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path) -> Iterator[GitHubWorld]:
    with running_github(tmp_path) as world:
        yield world


@pytest.fixture(name="key", scope="module")
def fixture_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public(key: rsa.RSAPrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


# who asks, method, path, body: what is answered
# nobody sees a private repository (404), a bad token is told so (401), a reader is told what it may not (403).
@pytest.mark.parametrize(
    ("login", "method", "path", "status", "message"),
    [
        (None, "GET", R, 404, "Not Found"),
        (None, "GET", "/user", 401, "Requires authentication"),
        ("wrong", "GET", R, 401, "Bad credentials"),
        ("nobody", "GET", R, 404, "Not Found"),
        ("rita", "GET", "/repos/acme/other", 404, "Not Found"),
        ("rita", "PUT", f"{R}/pulls/1/merge", 403, "Resource not accessible by personal access token"),
        ("dana", "GET", f"{R}/branches/main/protection", 403, "Resource not accessible by personal access token"),
        ("dana", "POST", f"{R}/check-runs", 422, "Validation Failed"),
        ("dana", "GET", f"{R}/nonsense", 404, "Not Found"),
    ],
)
def test_a_call_that_may_not_be_is_refused(
    world: GitHubWorld, login: str | None, method: str, path: str, status: int, message: str
) -> None:
    world.propose()
    token = login if login in (None, "wrong") else world.lab.token_of(login)
    with world.client(token) as http:
        answer = http.request(method, path)
    assert (answer.status_code, answer.json()["message"]) == (status, message)
    assert answer.json()["status"] == str(status)


def test_a_user_writes_no_check_runs(world: GitHubWorld) -> None:
    body = {"name": "x", "head_sha": world.lab.head(REPO, "main")}
    answer = world.http.post(f"{R}/check-runs", json=body)
    assert (answer.status_code, answer.json()["message"]) == (403, "You must authenticate via a GitHub App.")


def test_a_revoked_token_is_a_bad_one(world: GitHubWorld) -> None:
    world.lab.revoke(world.lab.token)
    assert world.http.get(R).json()["message"] == "Bad credentials"


def test_a_body_that_is_no_json_is_told_so(world: GitHubWorld) -> None:
    answer = world.http.post(f"{R}/pulls", content=b"{")
    assert (answer.status_code, answer.json()["message"]) == (400, "Problems parsing JSON")


def test_another_persons_comment_is_edited_only_with_write_access(world: GitHubWorld) -> None:
    number = world.propose()
    here = f"{R}/issues/comments/{world.lab.comment_as('dana', REPO, number, 'mine')}"
    with world.client(world.lab.token_of("rita")) as rita:
        assert rita.patch(here, json={"body": "theirs"}).status_code == 403
    assert world.http.get(here).json()["body"] == "mine"
    assert world.http.patch(here, json={"body": "edited"}).json()["body"] == "edited"


# --- limits and conditional requests ---


def test_calls_are_counted_and_an_unchanged_answer_is_free(world: GitHubWorld) -> None:
    first = world.http.get(R)
    again = world.http.get(R, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["x-ratelimit-used"] == first.headers["x-ratelimit-used"]
    world.lab.commit_as("dana", REPO, "main", {"a": "1"}, "Change")
    world.clock.advance(timedelta(seconds=5))
    branch = world.http.get(f"{R}/branches/main")
    assert int(branch.headers["x-ratelimit-used"]) == int(first.headers["x-ratelimit-used"]) + 1
    assert world.http.get("/rate_limit").json()["rate"]["used"] == int(branch.headers["x-ratelimit-used"])


def test_a_changed_answer_has_another_etag(world: GitHubWorld) -> None:
    path = f"{R}/git/ref/heads/main"
    etag = world.http.get(path).headers["etag"]
    world.lab.commit_as("dana", REPO, "main", {"a": "1"}, "Change")
    assert world.http.get(path, headers={"If-None-Match": etag}).status_code == 200


def test_a_used_up_limit_ends_with_its_window(world: GitHubWorld) -> None:
    reset = world.clock.now() + timedelta(minutes=10)
    world.lab.limit_rate(1, reset)
    assert world.http.get(R).status_code == 200
    refused = world.http.get(R)
    assert refused.status_code == 403
    assert refused.json()["message"].startswith("API rate limit exceeded for user ID")
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert refused.headers["x-ratelimit-reset"] == str(int(reset.timestamp()))
    world.clock.advance(timedelta(minutes=10))
    assert world.http.get(R).status_code == 200


def test_the_secondary_limit_says_when_to_come_back(world: GitHubWorld) -> None:
    world.lab.limit_secondary(17, status=429)
    refused = world.http.get(R)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "17")
    assert "secondary rate limit" in refused.json()["message"]


# --- apps ---


def test_an_app_works_through_pygithub(world: GitHubWorld, key: rsa.RSAPrivateKey) -> None:
    installation = world.lab.add_app(7, public(key))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with GithubIntegration(auth=AppAuth(7, pem), base_url=world.lab.api_url) as app:
        assert app.get_repo_installation("acme", "deploy").id == installation
        token = app.get_access_token(installation, permissions={"contents": "read"}).token
    with world.client(token) as installed:
        assert installed.get(R).status_code == 200
        assert installed.get("/user").json()["message"] == "Resource not accessible by integration"
        assert installed.get("/repos/acme/none").status_code == 404
        refused = installed.post(f"{R}/pulls", json={})
        assert (refused.status_code, refused.json()["message"]) == (403, "Resource not accessible by integration")
        world.clock.advance(timedelta(hours=1))
        assert installed.get(R).status_code == 401


def jwt_for(key: rsa.RSAPrivateKey, **claims: object) -> str:
    return jwt.encode({"iss": "7", "iat": int(time()) - 5, "exp": int(time()) + 300, **claims}, key, algorithm="RS256")


# Instants are seconds from when the test runs, which may be long after it was collected.
@pytest.mark.parametrize(
    ("claims", "instants", "status"),
    [
        ({}, {}, 200),
        ({"iss": "8"}, {}, 401),
        ({}, {"exp": -60}, 401),
        ({}, {"exp": 3600}, 401),
        ({}, {"iat": 600}, 401),
    ],
    ids=["good", "unknown app", "expired", "too long", "from the future"],
)
def test_an_apps_web_token_is_checked(
    world: GitHubWorld, key: rsa.RSAPrivateKey, claims: dict[str, object], instants: dict[str, int], status: int
) -> None:
    world.lab.add_app(7, public(key))
    dated = {name: int(time()) + seconds for name, seconds in instants.items()}
    with world.client(jwt_for(key, **claims, **dated)) as app:
        assert app.get("/app").status_code == status


def test_an_apps_web_token_of_another_key_is_refused(world: GitHubWorld, key: rsa.RSAPrivateKey) -> None:
    world.lab.add_app(7, public(rsa.generate_private_key(public_exponent=65537, key_size=2048)))
    with world.client(jwt_for(key)) as app:
        assert app.get("/app").status_code == 401


def test_an_installation_of_chosen_repositories_sees_no_others(world: GitHubWorld, key: rsa.RSAPrivateKey) -> None:
    world.lab.create_repository("acme/secret", files={"a": "1"})
    installation = world.lab.add_app(7, public(key), repositories=[REPO])
    with world.client(jwt_for(key)) as app:
        assert app.get("/repos/acme/secret/installation").status_code == 404
        path = f"/app/installations/{installation}/access_tokens"
        assert app.post(path, json={"repositories": ["secret"]}).status_code == 422
        token = app.post(path).json()["token"]
    with world.client(token) as installed:
        assert (installed.get(R).status_code, installed.get("/repos/acme/secret").status_code) == (200, 404)


def test_a_token_is_narrowed_to_less_than_the_app_has_and_never_to_more(
    world: GitHubWorld, key: rsa.RSAPrivateKey
) -> None:
    world.lab.create_repository("acme/other", files={"a": "1"})
    installation = world.lab.add_app(7, public(key), permissions={"contents": "read", "pull_requests": "write"})
    reached = world.http.get(R).json()["id"]
    with world.client(jwt_for(key)) as app:
        path = f"/app/installations/{installation}/access_tokens"
        more = app.post(path, json={"permissions": {"contents": "write"}})
        assert (more.status_code, more.json()["message"]) == (
            422,
            "The permissions requested are not granted to this installation.",
        )
        assert app.post(path, json={"permissions": {"checks": "read"}}).status_code == 422
        assert app.post(path, json={"repository_ids": [1]}).status_code == 422
        made = app.post(path, json={"permissions": {"contents": "read"}, "repository_ids": [reached]}).json()
    assert (made["permissions"], made["repository_selection"]) == ({"contents": "read"}, "selected")
    with world.client(made["token"]) as installed:
        assert installed.get(f"{R}/branches").status_code == 200
        assert installed.get(f"{R}/pulls").status_code == 403
        assert installed.get("/repos/acme/other/branches").status_code == 404


def test_an_apps_webhook_is_told_of_what_happens_where_it_is_installed(
    world: GitHubWorld, key: rsa.RSAPrivateKey
) -> None:
    nowhere = "http://127.0.0.1:9/hook"
    world.lab.add_app(7, public(key), webhook_url=nowhere, webhook_secret="s", events=["pull_request"])
    with world.client(jwt_for(key)) as app:
        told = app.get("/app/hook/config").json()
        assert told == {"content_type": "json", "insecure_ssl": "0", "secret": "********", "url": nowhere}
        assert app.get("/app").json()["events"] == ["pull_request"]
    world.propose()
    assert {(one.event, one.url) for one in world.lab.deliveries} == {("pull_request", nowhere)}


def test_an_app_without_a_webhook_has_no_configuration_of_one(world: GitHubWorld, key: rsa.RSAPrivateKey) -> None:
    world.lab.add_app(7, public(key))
    with world.client(jwt_for(key)) as app:
        assert app.get("/app/hook/config").status_code == 404


# --- what goes wrong ---


def test_an_error_comes_as_often_as_told_and_nothing_is_done(world: GitHubWorld) -> None:
    number = world.propose()
    world.lab.fail_next("POST", "/repos/*/comments", 503, times=2, body={"message": "No server"})
    codes = [world.http.post(f"{R}/issues/{number}/comments", json={"body": "x"}).status_code for _ in range(3)]
    assert codes == [503, 503, 201]
    assert len(world.lab.pull(REPO, number).comments) == 1


def test_an_error_after_the_write_hides_that_it_was_done(world: GitHubWorld) -> None:
    number = world.propose()
    world.lab.fail_next("PUT", "/repos/*/merge", 502, after_write=True)
    answer = world.http.put(f"{R}/pulls/{number}/merge", json={})
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (502, "text/html")
    assert world.pull(number)["merged"] is True


def test_a_call_can_hang(world: GitHubWorld) -> None:
    world.lab.hang_next("GET", R, 1.5)
    with pytest.raises(httpx.ReadTimeout):
        world.http.get(R, timeout=0.2)
    assert world.http.get(R).status_code == 200


def test_a_connection_can_be_cut_after_the_write(world: GitHubWorld) -> None:
    number = world.propose()
    world.lab.faults.cut_next("POST .*/comments")
    with pytest.raises(httpx.RemoteProtocolError):
        world.http.post(f"{R}/issues/{number}/comments", json={"body": "x"})
    assert len(world.lab.pull(REPO, number).comments) == 1
