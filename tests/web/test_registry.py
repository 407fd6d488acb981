"""Registries' notifications on a real server: by whom, in which forms, what is believed of them, and what follows."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bot.web.deliveries import Outcome, Result
from bot.web.registry import MOST_NAMES, judge_push
from bot.web.tokens import LIMITS
from tests.adapters.registryparts import IMAGE_TYPE, REPOSITORY
from tests.adapters.test_real_registry import Pusher, wait_until_answers
from tests.builders import NEW, OLD
from tests.scenarios.from_registry import a_world, push, staged
from tests.web.served import PUSH_TOKEN, TOKEN, Web, logged, served
from tests.web.test_alertmanager import a_message
from tests.web.test_payload import HOSTILE_NAMES

NAME = "acme/checkout"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "webhooks.md"


def an_event(name: object = NAME, *, action: object = "push", tag: str | None = "1.9.0") -> dict[str, object]:
    """Return an event as distribution 3 tells it."""
    target: dict[str, object] = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": "sha256:" + "a" * 64,
        "size": 708,
        "length": 708,
        "repository": name,
        "url": f"https://registry.acme.example/v2/{NAME}/manifests/sha256:{'a' * 64}",
    }
    return {
        "id": "320678d8-ca14-430f-8bb6-4ca139cd83f7",
        "timestamp": "2026-03-02T12:00:00.402973972Z",
        "action": action,
        "target": target if tag is None else {**target, "tag": tag},
        "request": {
            "addr": "10.0.0.7:38712",
            "host": "registry.acme.example",
            "method": "PUT",
            "useragent": "buildkit",
        },
        "actor": {"name": "robot"},
        "source": {"addr": "registry-0:5000", "instanceID": "a53db899-3b4b-4a62-a067-8dd013beaca4"},
    }


def of_distribution(*events: object) -> bytes:
    return json.dumps({"events": events}, indent=3).encode()


def of_harbor(name: object = NAME, *, kind: object = "PUSH_ARTIFACT") -> bytes:
    """Return what Harbor 2 sends in its payload format Default."""
    resource = {"digest": "sha256:" + "a" * 64, "tag": "1.9.0", "resource_url": f"harbor.acme.example/{NAME}:1.9.0"}
    repository = {
        "date_created": 1680501893,
        "name": "checkout",
        "namespace": "acme",
        "repo_full_name": name,
        "repo_type": "private",
    }
    data = {"resources": [resource], "repository": repository}
    return json.dumps({"type": kind, "occur_at": 1680501893, "operator": "robot", "event_data": data}).encode()


def of_docker_hub(name: object = NAME) -> bytes:
    repository = {"name": "checkout", "namespace": "acme", "owner": "acme", "repo_name": name, "is_private": True}
    pushed = {"pushed_at": 1417566161, "pusher": "robot", "tag": "1.9.0"}
    hook = "https://registry.hub.docker.com/u/acme/checkout/hook/2141b5bi5i5b02bec211i4eeih0242eg11000a/"
    return json.dumps({"callback_url": hook, "push_data": pushed, "repository": repository}).encode()


def of_quay(name: object = NAME, **more: object) -> bytes:
    """Return what Quay tells of a repository; of a push with `updated_tags`."""
    content = {"name": "checkout", "repository": name, "namespace": "acme", "docker_url": f"quay.io/{NAME}"}
    return json.dumps({**content, "homepage": f"https://quay.io/repository/{NAME}", **more}).encode()


def a_push(name: object = NAME) -> bytes:
    """Return what a pipeline sends."""
    return json.dumps({"repository": name}).encode()


FORMS = {
    "distribution": of_distribution(an_event()),
    "Harbor": of_harbor(),
    "Docker Hub": of_docker_hub(),
    "Quay": of_quay(updated_tags=["1.9.0"]),
    "old Quay": of_quay(updated_tags={"1.9.0": "b750fe79269d2ec9"}),
    "a pipeline": a_push(),
}
NAMED_IN: dict[str, Callable[[object], bytes]] = {
    "distribution": lambda name: of_distribution(an_event(), an_event(name)),
    "Harbor": of_harbor,
    "Docker Hub": of_docker_hub,
    "Quay": lambda name: of_quay(name, updated_tags=["1.9.0"]),
    "a pipeline": a_push,
}


@pytest.fixture
def web() -> Iterator[Web]:
    with served() as web:
        yield web


def notify(
    web: Web, body: bytes | None = None, *, authorization: str | None = f"Bearer {PUSH_TOKEN}"
) -> httpx.Response:
    headers = {"Authorization": authorization} if authorization is not None else {}
    url = f"{web.url}/webhooks/registry"
    return httpx.post(url, content=a_push() if body is None else body, headers=headers, trust_env=False, timeout=20)


def counted(web: Web) -> dict[str, float]:
    name = "liftlock_registry_notifications_total"
    found = {str(result): web.number(name, result=str(result)) for result in Result}
    return {result: count for result, count in found.items() if count}


def result_of(body: bytes) -> tuple[int, Result, tuple[str, ...]]:
    outcome = judge_push(body)
    return outcome.status, outcome.result, outcome.pushed


# --- by whom ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_a_push_is_expected_wakes_and_is_answered_at_once_in_every_form(web: Web, form: str) -> None:
    answer = notify(web, FORMS[form])
    assert (answer.status_code, answer.json()) == (202, {"sentence": "the next sweep comes now"})
    assert web.expected == [NAME]
    assert web.woken() == {NAME}
    assert counted(web) == {"accepted": 1}
    assert web.counted() == {}


def test_the_token_may_be_the_password_of_basic(web: Web) -> None:
    sent = [b64encode(f"{user}:{PUSH_TOKEN}".encode()).decode() for user in ("liftlock", "")]
    assert [notify(web, authorization=f"Basic {one}").status_code for one in sent] == [202, 202]
    quay = f"{web.url}/webhooks/registry".replace("http://", f"http://liftlock:{PUSH_TOKEN}@")
    assert httpx.post(quay, content=FORMS["Quay"], trust_env=False, timeout=20).status_code == 202
    assert counted(web) == {"accepted": 3}


def test_who_does_not_know_the_token_is_told_nothing_but_401(web: Web) -> None:
    wrong = b64encode(b"liftlock:wrong").decode()
    turned = b64encode(f"{PUSH_TOKEN}:x".encode()).decode()
    known_elsewhere = f"Bearer {TOKEN}"
    sent = [None, "", "Bearer", "Bearer x", PUSH_TOKEN, f"Basic {PUSH_TOKEN}", f"Basic {wrong}", f"Basic {turned}"]
    answers = [notify(web, authorization=one) for one in (*sent, known_elsewhere)]
    assert {(answer.status_code, answer.text) for answer in answers} == {(401, '{"sentence":"unauthorized"}')}
    assert (web.woken(), web.expected) == (frozenset(), [])
    assert counted(web) == {"unsigned": len(sent) + 1}


def test_a_stranger_s_body_is_not_even_read(web: Web) -> None:
    head = b"POST /webhooks/registry HTTP/1.1\r\nHost: bot\r\nAuthorization: Bearer \xff\r\n"
    assert web.talk(head + b"Content-Length: 900\r\n\r\n").startswith(b"HTTP/1.1 401 ")
    assert counted(web) == {"unsigned": 1}


def test_the_old_and_the_new_token_are_taken_until_the_old_one_goes(web: Web) -> None:
    web.push_tokens.append("second-token")
    tokens = (PUSH_TOKEN, "second-token")
    assert [notify(web, authorization=f"bearer {one}").status_code for one in tokens] == [202, 202]
    web.push_tokens.remove(PUSH_TOKEN)
    assert [notify(web, authorization=f"Bearer {one}").status_code for one in tokens] == [401, 202]


def test_without_a_readable_token_nothing_is_taken(web: Web) -> None:
    web.push_tokens.clear()
    assert notify(web).status_code == 503
    assert (web.woken(), web.expected) == (frozenset(), [])
    assert counted(web) == {"refused": 1}


# --- in which forms --------------------------------------------------------------------------------------------------


def test_of_many_events_each_repository_that_got_a_tag_is_named_once() -> None:
    body = of_distribution(
        an_event("acme/cart"),
        an_event(action="pull"),
        an_event("acme/cart", tag="1.9.1"),
        an_event("acme/base", tag=None),
        an_event(),
    )
    assert result_of(body) == (202, Result.ACCEPTED, ("acme/cart", NAME))


@pytest.mark.parametrize(
    "body",
    [
        of_distribution(),
        of_distribution(an_event(action="pull"), an_event(action="delete"), an_event(action="mount")),
        of_distribution(an_event(tag=None)),
        of_distribution({"action": "delete"}),
        of_harbor(kind="PULL_ARTIFACT"),
        of_harbor(kind="DELETE_ARTIFACT"),
        of_harbor(kind="SCANNING_COMPLETED"),
        json.dumps({"type": "REPLICATION", "event_data": {"replication": {"job_status": "Success"}}}).encode(),
        of_quay(build_id="296ec063-5f86-4706-a469-f0a400bf9df2", docker_tags=["latest"]),
        of_quay(tags=["latest"], vulnerability={"id": "CVE-2026-1", "priority": "Critical"}),
    ],
    ids=[
        "no events",
        "pull, delete, mount",
        "a layer",
        "an event without target",
        "Harbor pulls",
        "Harbor deletes",
        "Harbor scans",
        "Harbor replicates",
        "Quay builds",
        "Quay scans",
    ],
)
def test_what_is_no_push_of_a_tag_is_answered_and_ignored(web: Web, body: bytes) -> None:
    answer = notify(web, body)
    assert (answer.status_code, answer.json()) == (202, {"sentence": "this event wakes nothing"})
    assert (web.woken(), web.expected) == (frozenset(), [])
    assert counted(web) == {"ignored": 1}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"{}",
        b'"acme/checkout"',
        b"\xff\xfe{\x00}\x00",
        b"repository=acme/checkout",
        b"[" * 100_000,
        b'{"repository":' * 50_000,
        b'{"events":' * 50_000,
        a_push()[:-1] + b', "n": ' + b"9" * 5_000 + b"}",
        a_push(None),
        a_message(),
        json.dumps({"events": None, "repository": NAME}).encode(),
        json.dumps({"events": {"0": an_event()}}).encode(),
        of_distribution(NAME),
        of_distribution(an_event(), None),
        of_distribution(an_event(action=None)),
        of_distribution(an_event(action=["push"])),
        of_harbor(kind=None),
        of_harbor(kind=7),
    ],
    ids=lambda body: repr(body[:40]),
)
def test_a_body_of_no_known_form_is_refused(web: Web, body: bytes) -> None:
    answer = notify(web, body)
    sentence = 'the body must be a registry\'s notification, or {"repository": "acme/checkout"}'
    assert (answer.status_code, answer.json()) == (400, {"sentence": sentence})
    assert (web.woken(), web.expected) == (frozenset(), [])
    assert counted(web) == {"refused": 1}


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=repr)
@pytest.mark.parametrize("form", NAMED_IN)
def test_a_name_that_is_none_refuses_the_whole_body_in_every_form(form: str, name: object) -> None:
    status, result, pushed = result_of(NAMED_IN[form](name))
    assert (status, result, pushed) == (400, Result.REFUSED, ())


def test_one_body_may_name_a_hundred_repositories_and_not_one_more() -> None:
    events = [an_event(f"acme/service-{number}") for number in range(MOST_NAMES + 1)]
    status, _, pushed = result_of(of_distribution(*events[1:], *events[1:]))
    assert (status, len(pushed)) == (202, 100)
    refused = Outcome(status=400, result=Result.REFUSED, sentence="the body names more than 100 repositories")
    assert judge_push(of_distribution(*events)) == refused


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["push", "PUSH_ARTIFACT", NAME, "A/b"]),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "events",
                        "action",
                        "target",
                        "repository",
                        "tag",
                        "type",
                        "event_data",
                        "repo_full_name",
                        "repo_name",
                    ]
                ),
                inner,
            )
        ),
    )
)
def test_of_any_json_value_nothing_but_names_by_the_grammar_is_believed(value: object) -> None:
    outcome = judge_push(json.dumps(value).encode())
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-/") for name in outcome.pushed)
    assert (outcome.result is Result.ACCEPTED) == bool(outcome.pushed)
    assert outcome.wakes is None


# --- what is told of it ----------------------------------------------------------------------------------------------


def test_nothing_of_a_body_reaches_the_log_or_the_answer_but_names_of_repositories(web: Web) -> None:
    hush = [
        of_distribution(an_event(tag="hush-tag"), {"action": "hush-action", "target": {"repository": "hush-name"}}),
        of_harbor(kind="hush-kind"),
        of_quay(updated_tags=["hush-tag"]),
        json.dumps({"repository": "acme/HUSH\x1b[31m"}).encode(),
        json.dumps({"hush": "hush"}).encode(),
    ]
    with logged() as log:
        answers = [notify(web, body) for body in hush]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 400, 400]
    said = "".join(f"{answer.text}{answer.headers}" for answer in answers)
    assert "hush" not in f"{said}{log}".lower()
    assert PUSH_TOKEN not in f"{said}{log}"
    assert log == [{"event": "webhook", "log_level": "debug", "woken_by": NAME}] * 2


# --- how long, how many ----------------------------------------------------------------------------------------------


def test_a_notification_of_one_mebibyte_is_taken_and_one_byte_more_is_not(web: Web) -> None:
    most = a_push() + b" " * (LIMITS.one - len(a_push()))
    assert notify(web, most).status_code == 202
    assert notify(web, most + b" ").status_code == 413
    assert counted(web) == {"accepted": 1, "refused": 1}


def test_a_flood_is_one_wake(web: Web) -> None:
    with httpx.Client(trust_env=False, timeout=20, headers={"Authorization": f"Bearer {PUSH_TOKEN}"}) as client:
        for _ in range(200):
            assert client.post(f"{web.url}/webhooks/registry", content=a_push()).status_code == 202
    assert counted(web) == {"accepted": 200}
    assert web.woken() == {NAME}
    assert web.woken() == frozenset()


def test_only_post_is_taken(web: Web) -> None:
    assert web.get("/webhooks/registry").status_code == 405
    assert counted(web) == {}


# --- what follows ----------------------------------------------------------------------------------------------------


def test_the_next_sweep_finds_what_was_pushed_though_the_registry_was_asked_just_before() -> None:
    world = a_world()
    world.sweep()
    push(world, NEW)
    world.sweep()
    assert staged(world, OLD)
    for name in judge_push(of_harbor()).pushed:
        world.offers.expect(name)
    world.sweep()
    assert staged(world)


@contextmanager
def a_real_registry(folder: Path, notifications: object) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(folder / "storage")}},
        "http": {"addr": f"127.0.0.1:{port}"},
        "notifications": notifications,
    }
    (folder / "config.yml").write_text(json.dumps(config), encoding="utf-8")
    with (folder / "log").open("wb") as log:
        command = ["docker-registry", "serve", str(folder / "config.yml")]
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder)
        try:
            wait_until_answers(f"http://127.0.0.1:{port}/v2/", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait(timeout=10)


@pytest.mark.registry
@pytest.mark.skipif(shutil.which("docker-registry") is None, reason="no docker-registry on the PATH")
@pytest.mark.parametrize("is_quiet", [True, False], ids=["as documented", "with layers and pulls"])
def test_a_real_registry_tells_of_a_push(web: Web, tmp_path: Path, *, is_quiet: bool) -> None:
    text = PAGE.read_text(encoding="utf-8").split("```yaml\nnotifications:")[1].split("```")[0]
    text = text.replace("https://liftlock.example.com", web.url).replace("TOKEN", PUSH_TOKEN)
    notifications = yaml.safe_load(f"notifications:{text}")["notifications"]
    if not is_quiet:
        del notifications["endpoints"][0]["ignore"]
    with a_real_registry(tmp_path, notifications) as url, httpx.Client(base_url=url, timeout=10) as http:
        Pusher(http=http).push_image("1.9.0", {})
        pulled = http.get(f"/v2/{REPOSITORY}/manifests/1.9.0", headers={"accept": IMAGE_TYPE})
        assert pulled.status_code == 200, pulled.text
        ends = time.monotonic() + 20
        while "accepted" not in counted(web) or (not is_quiet and counted(web).get("ignored", 0) < 3):
            assert time.monotonic() < ends, (counted(web), (tmp_path / "log").read_text())
            time.sleep(0.02)
    assert set(web.expected) == {REPOSITORY}
    assert web.woken() == {REPOSITORY}
    assert counted(web) == {"accepted": 1} if is_quiet else {"accepted": 1, "ignored": 3}
