"""Who the bot is to a registry, whom it tells, and when it leaves a registry alone."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from starlette.requests import Request
from starlette.responses import Response

from bot.adapters.registry import OciRegistry, RegistryAccess
from bot.adapters.registry.challenge import parse_challenge
from bot.adapters.registry.credentials import Credential, DockerCredentials
from bot.adapters.registry.manifest import digest_of
from bot.ports import OutsideError, Permanent, Transient
from tests.adapters.registryparts import (
    IMAGE,
    SECRET,
    a_docker_config,
    a_helper,
    a_manifest,
    a_registry,
    auth,
    basic,
    encode,
    manifest_path,
)
from tests.adapters.scripted import Scripted, an_answer, serving
from tests.adapters.tls import serving_tls

MANIFEST = a_manifest(b"", **{"org.opencontainers.image.revision": "c" * 40})
PATH = manifest_path("1.0.1")


@pytest.fixture
def server() -> Iterator[Scripted]:
    with serving() as scripted:
        yield scripted


@pytest.fixture
def helpers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the PATH for programs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def guard(server: Scripted, authorization: str, challenge: str = 'Basic realm="x"', *, refused: int = 401) -> None:
    """Let in whoever sends one header; answer `refused` to any other, and a challenge to who sends none."""

    def reply(request: Request) -> Response:
        given = request.headers.get("authorization")
        if given == authorization:
            return Response(MANIFEST)
        status = 401 if given is None else refused
        return Response(status_code=status, headers={"www-authenticate": challenge} if status == 401 else None)

    server.plan(PATH, reply)


def enter(registry: OciRegistry) -> bool:
    found = registry.find_artifact(IMAGE, "1.0.1")
    return found is not None and found.digest == digest_of(MANIFEST)


def with_docker(url: str, config: Path, **more: str) -> OciRegistry:
    return a_registry(url, access=RegistryAccess(docker_config=config, **more))


# --- Docker's configuration ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("auths", "expected"),
    [
        ({"ghcr.io": auth("robot:p:w")}, Credential(user="robot", secret="p:w")),
        ({"https://ghcr.io/v2/": auth("robot:pw")}, Credential(user="robot", secret="pw")),
        ({"GHCR.io/": auth("robot:pw\0\0")}, Credential(user="robot", secret="pw")),
        ({"ghcr.io": {"username": "robot", "password": "pw"}}, Credential(user="robot", secret="pw")),
        ({"ghcr.io": auth("robot:") | {"identitytoken": "id"}}, Credential(secret="id", is_identity=True)),
        ({"ghcr.io": {}}, None),
        ({"ghcr.io": auth("robot")}, None),
        ({"ghcr.io/acme": auth("robot:pw"), "http://[": auth("robot:pw")}, None),
        ({"quay.io": auth("robot:pw"), "ghcr.io.evil.example": auth("robot:pw")}, None),
        ({}, None),
        (None, None),
    ],
)
def test_a_host_s_entry_is_found_and_no_other(tmp_path: Path, auths: object, expected: Credential | None) -> None:
    path = a_docker_config(tmp_path, {"auths": auths})
    assert DockerCredentials(path, "ghcr.io").read() == expected


def test_docker_hub_is_known_by_its_old_address(tmp_path: Path) -> None:
    path = a_docker_config(tmp_path, {"auths": {"https://index.docker.io/v1/": auth("robot:pw")}})
    assert DockerCredentials(path, "docker.io").read() == Credential(user="robot", secret="pw")


@pytest.mark.parametrize(
    "text",
    [
        f'{{"auths": "{SECRET}',
        f'["{SECRET}"]',
        json.dumps({"auths": {"ghcr.io": {"auth": f"%%{SECRET}"}}}),
        '{"a":' * 500 + "1" + "}" * 500,
        " " * 2_000_000,
        None,
    ],
    ids=["cut off", "a list", "no base64", "deep", "long", "missing"],
)
def test_a_configuration_that_cannot_be_used_is_told_without_what_it_holds(tmp_path: Path, text: str | None) -> None:
    path = a_docker_config(tmp_path, text) if text is not None else tmp_path / "nowhere.json"
    with pytest.raises(Permanent, match=f"the Docker configuration {path} for ghcr.io cannot be used") as caught:
        DockerCredentials(path, "ghcr.io").read()
    assert SECRET not in repr(caught.value)
    assert caught.value.__cause__ is None or SECRET not in repr(caught.value.__cause__)


def test_a_registry_is_told_what_the_configuration_has_for_it(server: Scripted, tmp_path: Path) -> None:
    guard(server, basic(f"robot:{SECRET}"))
    config = a_docker_config(tmp_path, {"auths": {"ghcr.io": auth(f"robot:{SECRET}")}})
    with with_docker(server.url, config) as registry:
        assert enter(registry)
        assert enter(registry)
    assert [asked.headers.get("authorization") is None for asked in server.asked] == [True, False, False]


def test_a_configuration_that_changes_is_seen_at_once(server: Scripted, tmp_path: Path) -> None:
    """A registry may answer 403 to the old user for good, so the old authorization must not be used any longer."""
    config = a_docker_config(tmp_path, {"auths": {"ghcr.io": auth("old:pw")}})
    guard(server, basic("old:pw"))
    with with_docker(server.url, config) as registry:
        assert enter(registry)
        guard(server, basic("new:password"))
        a_docker_config(tmp_path, {"auths": {"ghcr.io": auth("new:password")}})
        server.asked.clear()
        assert enter(registry)
    assert basic("old:pw") not in [asked.headers.get("authorization") for asked in server.asked]


def test_a_configuration_that_is_taken_away_is_missed(server: Scripted, tmp_path: Path) -> None:
    guard(server, basic("robot:pw"))
    config = a_docker_config(tmp_path, {"auths": {"ghcr.io": auth("robot:pw")}})
    with with_docker(server.url, config) as registry:
        assert enter(registry)
        config.unlink()
        with pytest.raises(Permanent, match="cannot be used: it cannot be read: No such file"):
            enter(registry)


def test_nobody_is_told_who_has_no_entry(server: Scripted, tmp_path: Path) -> None:
    server.plan("/token", an_answer({"token": "of nobody".replace(" ", "-")}))
    guard(server, "Bearer of-nobody", f'Bearer realm="{server.url}/token"')
    with with_docker(
        server.url, a_docker_config(tmp_path, {"auths": {"quay.io": auth(f"robot:{SECRET}")}})
    ) as registry:
        assert enter(registry)
    assert "authorization" not in server.asked[1].headers


def test_an_authorization_that_ran_out_with_403_is_got_anew(server: Scripted, tmp_path: Path, helpers: Path) -> None:
    """Amazon's registry answers so when the password of its helper is twelve hours old."""
    a_helper(
        helpers, f'cat >/dev/null; n=$(cat {tmp_path}/n); echo "{{\\"Username\\":\\"AWS\\",\\"Secret\\":\\"$n\\"}}"'
    )
    (tmp_path / "n").write_text("first", encoding="utf-8")
    config = a_docker_config(tmp_path, {"credHelpers": {"ghcr.io": "cloud"}})
    guard(server, basic("AWS:first"), refused=403)
    with with_docker(server.url, config) as registry:
        assert enter(registry)
        guard(server, basic("AWS:second"), refused=403)
        (tmp_path / "n").write_text("second", encoding="utf-8")
        assert enter(registry)


def test_what_is_really_forbidden_stays_so(server: Scripted, tmp_path: Path) -> None:
    config = a_docker_config(tmp_path, {"auths": {"ghcr.io": auth(f"robot:{SECRET}")}})
    guard(server, "never", refused=403)
    with with_docker(server.url, config) as registry:
        for _ in range(2):
            with pytest.raises(Permanent, match=r"\(403\)"):
                enter(registry)


def test_a_secret_that_a_registry_sends_back_is_not_shown(server: Scripted, tmp_path: Path) -> None:
    config = a_docker_config(tmp_path, {"auths": {"ghcr.io": auth(f"robot:{SECRET}")}})

    def reply(request: Request) -> Response:
        if "authorization" in request.headers:
            return Response(f"who is {SECRET}?", status_code=418)
        return Response(status_code=401, headers={"www-authenticate": "Basic"})

    server.plan(PATH, reply)
    with with_docker(server.url, config) as registry, pytest.raises(Permanent, match=r"who is \*\*\*\?") as caught:
        enter(registry)
    assert SECRET not in str(caught.value)


def test_a_helper_is_run_once_for_many_repositories(server: Scripted, tmp_path: Path, helpers: Path) -> None:
    a_helper(helpers, f'echo run >>{tmp_path}/runs; cat >/dev/null; echo \'{{"Username":"u","Secret":"s"}}\'')
    challenge = {"www-authenticate": f'Bearer realm="{server.url}/token"'}
    server.plan("/token", an_answer({"token": "x"}))
    names = [f"checkout-{n}" for n in range(5)]
    for name in names:
        path = f"/v2/acme/{name}/tags/list"
        server.plan(path, Response(status_code=401, headers=challenge), an_answer({"tags": []}))
    with with_docker(server.url, a_docker_config(tmp_path, {"credHelpers": {"ghcr.io": "cloud"}})) as registry:
        for name in names:
            assert registry.list_tags(f"ghcr.io/acme/{name}") == ()
    assert [asked.path for asked in server.asked].count("/token") == 5
    assert (tmp_path / "runs").read_text(encoding="utf-8") == "run\n"


def test_a_password_that_was_let_in_is_used_for_all_repositories(server: Scripted) -> None:
    guard(server, basic(f"robot:{SECRET}"))
    server.plan("/v2/acme/checkout/tags/list", an_answer({"tags": []}))
    with a_registry(server.url, token=lambda: f"robot:{SECRET}") as registry:
        assert enter(registry)
        registry.list_tags(IMAGE)
    assert server.asked[-1].headers["authorization"] == basic(f"robot:{SECRET}")


# --- token services --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "scheme", "realm"),
    [
        ('Bearer realm="https://a/t",service="s"', "bearer", "https://a/t"),
        ('Basic realm="x", Bearer realm="https://a/t", error="a, b"', "bearer", "https://a/t"),
        ("bearer REALM=https://a/t", "bearer", "https://a/t"),
        ('Basic realm="Bearer of"', "basic", "Bearer of"),
        ("Bearer", "bearer", ""),
    ],
)
def test_a_challenge_is_read(header: str, scheme: str, realm: str) -> None:
    challenge = parse_challenge(header)
    assert challenge is not None
    assert (challenge.scheme, challenge.realm) == (scheme, realm)


@pytest.mark.parametrize("header", ["", "Digest realm=x", "Bearers realm=x", 'realm="x"'])
def test_a_challenge_of_another_kind_is_none(header: str) -> None:
    assert parse_challenge(header) is None


def test_an_identity_token_is_exchanged_and_sent_nowhere_else(server: Scripted, tmp_path: Path) -> None:
    config = a_docker_config(tmp_path, {"auths": {"ghcr.io": {"identitytoken": SECRET}}})
    guard(server, "Bearer short-lived", f'Bearer realm="{server.url}/oauth2/token",service="ghcr.io"')
    server.plan("/oauth2/token", an_answer({"access_token": "short-lived"}))
    with with_docker(server.url, config) as registry:
        assert enter(registry)
    exchange = server.asked[1]
    assert (exchange.method, exchange.query) == ("POST", "")
    assert parse_qs(exchange.body.decode()) == {
        "grant_type": ["refresh_token"],
        "client_id": ["liftlock"],
        "refresh_token": [SECRET],
        "scope": ["repository:acme/checkout:pull"],
        "service": ["ghcr.io"],
    }
    assert SECRET not in repr([asked for asked in server.asked if asked is not exchange])


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
def test_a_token_service_s_error_is_told_without_its_words(server: Scripted, tmp_path: Path, status: int) -> None:
    config = a_docker_config(tmp_path, {"auths": {"ghcr.io": auth(f"robot:{SECRET}")}})
    guard(server, "Bearer x", f'Bearer realm="{server.url}/token"')
    server.plan("/token", Response(f"bad {SECRET}", status_code=status))
    with with_docker(server.url, config) as registry, pytest.raises(OutsideError) as caught:
        enter(registry)
    assert str(status) in caught.value.sentence
    assert "bad" not in caught.value.sentence
    assert SECRET not in repr(caught.value)


@pytest.mark.parametrize(("is_named", "expected"), [(True, basic(f"robot:{SECRET}")), (False, None)])
def test_a_token_service_elsewhere_gets_a_credential_only_where_the_settings_name_it(
    server: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_named: bool, expected: str | None
) -> None:
    seen: list[str | None] = []

    def elsewhere(_: str, headers: Mapping[str, str]) -> bytes:
        seen.append(headers.get("authorization"))
        return encode({"token": "short-lived"})

    config = a_docker_config(tmp_path, {"auths": {"ghcr.io": auth(f"robot:{SECRET}")}})
    with serving_tls(tmp_path, elsewhere) as other:
        monkeypatch.setenv("SSL_CERT_FILE", str(other.ca_file))
        guard(server, "Bearer short-lived", f'Bearer realm="{other.url}/token"')
        named: dict[str, Any] = {"token_service": f"{other.url}/auth"} if is_named else {}
        with with_docker(server.url, config, **named) as registry:
            assert enter(registry)
    assert seen == [expected]


@pytest.mark.parametrize("size", [60_000, 70_000])
def test_a_token_that_is_too_long_is_not_read(server: Scripted, size: int) -> None:
    guard(server, "never", f'Bearer realm="{server.url}/token"')
    server.plan("/token", an_answer({"token": "x" * size}))
    with a_registry(server.url) as registry, pytest.raises(OutsideError):
        enter(registry)


@pytest.mark.parametrize("piece", ["a", "a=", 'a="', ",", ", ", "bearer ", "bearer,", "=", " ", '"', "a a="])
def test_any_challenge_is_read_in_no_time(piece: str) -> None:
    began = time.monotonic()
    parse_challenge("Bearer " + piece * (100_000 // len(piece)))
    assert time.monotonic() - began < 2


# --- leaving a registry alone ----------------------------------------------------------------------------------------


def test_a_registry_that_asks_to_slow_down_is_left_alone_as_long_as_it_says(server: Scripted) -> None:
    server.plan(PATH, Response(status_code=429, headers={"retry-after": "60"}))
    with a_registry(server.url) as registry:
        with pytest.raises(Transient, match=r"asks to slow down \(HTTP 429\), for 60 s") as first:
            enter(registry)
        with pytest.raises(Transient, match=r"asked to slow down, so it is asked again in (60|59) s only") as second:
            registry.list_tags(IMAGE)
    assert first.value.retry_after == timedelta(seconds=60)
    assert second.value.retry_after is not None
    assert second.value.retry_after > timedelta(seconds=50)
    assert len(server.asked) == 1


def test_a_short_wait_is_waited_for(server: Scripted) -> None:
    server.plan(PATH, Response(status_code=429, headers={"retry-after": "1"}), Response(MANIFEST))
    began = time.monotonic()
    with a_registry(server.url) as registry:
        assert enter(registry)
    assert time.monotonic() - began >= 1


def test_a_registry_that_failed_several_times_in_a_row_is_left_alone(server: Scripted) -> None:
    server.plan(PATH, Response(status_code=500))
    with a_registry(server.url) as registry:
        for _ in range(5):
            with pytest.raises(Transient, match="HTTP 500"):
                enter(registry)
        asked = len(server.asked)
        with pytest.raises(Transient, match="failed 5 times in a row, so it is asked again in 30 s only"):
            enter(registry)
    assert len(server.asked) == asked
