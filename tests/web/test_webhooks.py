"""Webhooks on a real server: forged, replayed, too long, too slow, flooded. And a comment on the lab's GitHub."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from bot.web.body import BodyLimits
from bot.web.webhooks import read_secrets
from tests.lab.github_world import REPO, running_github
from tests.web.served import REPOSITORY, SECRET, Web, a_package, a_payload, exchange, headers_for, logged, served

KIB = 1024


@pytest.fixture
def web() -> Iterator[Web]:
    with served() as web:
        yield web


def head_of(body: bytes, *more: str, secret: str = SECRET) -> bytes:
    """Return the raw head of a delivery, so that a test decides how its body comes."""
    lines = [f"{name}: {value}" for name, value in headers_for(body, secret).items()]
    return "\r\n".join(["POST /webhooks/github HTTP/1.1", "Host: bot", *lines, *more, "", ""]).encode()


def chunk(piece: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(piece), piece)


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


# --- signatures ---


def test_a_signed_delivery_wakes_and_is_answered_at_once(web: Web) -> None:
    answer = web.deliver()
    assert (answer.status_code, answer.json()) == (202, {"sentence": "the next sweep comes now"})
    assert web.woken() == {REPOSITORY}
    assert web.counted() == {"accepted": 1}


def test_a_forged_delivery_is_told_nothing_but_401(web: Web) -> None:
    body = a_payload()
    right = headers_for(body)
    forged = [
        {name: value for name, value in right.items() if name != "X-Hub-Signature-256"},
        {**right, "X-Hub-Signature-256": "sha256=" + "0" * 64},
        {**right, "X-Hub-Signature-256": "sha1=" + "0" * 40},
        {**right, "X-Hub-Signature-256": right["X-Hub-Signature-256"] + "0"},
        {**headers_for(body, "another secret")},
        {**headers_for(body + b" ")},
    ]
    answers = [web.post(body, headers) for headers in forged]
    assert {(answer.status_code, answer.text) for answer in answers} == {(401, '{"sentence":"unauthorized"}')}
    assert web.woken() == frozenset()
    assert web.counted() == {"unsigned": len(forged)}


def test_a_forger_cannot_burn_a_delivery_s_name(web: Web) -> None:
    body = a_payload()
    headers = headers_for(body)
    assert web.post(body, {**headers, "X-Hub-Signature-256": "sha256=" + "0" * 64}).status_code == 401
    assert web.post(body, headers).json() == {"sentence": "the next sweep comes now"}


def test_the_old_and_the_new_secret_are_taken_until_the_old_one_goes(web: Web) -> None:
    assert web.deliver(secret="second-secret").status_code == 401
    web.secrets.append("second-secret")
    assert [web.deliver(secret=secret).status_code for secret in (SECRET, "second-secret")] == [202, 202]
    web.secrets.remove(SECRET)
    assert [web.deliver(secret=secret).status_code for secret in (SECRET, "second-secret")] == [401, 202]


def test_without_a_readable_secret_nothing_is_taken(web: Web) -> None:
    web.secrets.clear()
    assert web.deliver().status_code == 503
    assert web.woken() == frozenset()
    assert web.counted() == {"refused": 1}


def test_secrets_are_read_anew_and_a_missing_file_stops_no_other(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("first\n")
    assert read_secrets([old, new]) == ("first",)
    new.write_text("second\n")
    assert read_secrets([old, new]) == ("first", "second")
    old.unlink()
    assert read_secrets([old, new]) == ("second",)


# --- what is sent ---


def test_a_replay_is_seen_and_wakes_nothing(web: Web) -> None:
    body = a_payload()
    headers = headers_for(body)
    web.post(body, headers)
    web.woken()
    answer = web.post(body, headers)
    assert (answer.status_code, answer.json()) == (202, {"sentence": "already seen"})
    assert web.number("liftlock_webhook_deliveries_total", result="replayed") == 1
    web.waker.nudge()
    assert web.woken() == frozenset()


def test_a_ping_and_an_event_of_no_interest_wake_nothing(web: Web) -> None:
    assert web.deliver(event="ping").status_code == 200
    assert web.deliver(event="star").status_code == 202
    assert web.woken() == frozenset()
    assert web.counted() == {"ignored": 2}


@pytest.mark.parametrize("event", ["package", "registry_package"])
def test_a_push_to_github_s_registry_is_expected_and_wakes_once(web: Web, event: str) -> None:
    body = a_package(event)
    headers = headers_for(body, event=event)
    with logged() as log:
        answers = [web.post(body, headers).json()["sentence"] for _ in range(2)]
    assert answers == ["the next sweep comes now", "already seen"]
    assert web.expected == ["acme/checkout"]
    assert web.woken() == {"acme/checkout"}
    assert web.counted() == {"accepted": 1, "replayed": 1}
    assert [line["woken_by"] for line in log] == ["acme/checkout"]


def test_a_forged_push_to_github_s_registry_is_not_expected(web: Web) -> None:
    body = a_package()
    assert web.post(body, headers_for(body, "another secret", event="registry_package")).status_code == 401
    assert (web.woken(), web.expected) == (frozenset(), [])


def test_nothing_but_a_package_is_expected(web: Web) -> None:
    assert web.deliver().status_code == 202
    assert web.deliver(a_package("package", package_type="npm"), event="package").status_code == 202
    assert web.deliver(a_package("package", name="A b"), event="package").status_code == 400
    assert web.expected == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", a_payload("../../etc/passwd"), a_payload("acme/deploy\r\nX: y")])
def test_a_signed_body_that_names_no_repository_is_refused(web: Web, body: bytes) -> None:
    assert web.deliver(body).status_code == 400
    assert web.woken() == frozenset()
    assert web.counted() == {"refused": 1}


def test_only_post_is_taken_and_only_there(web: Web) -> None:
    assert web.get("/webhooks/github").status_code == 405
    assert web.get("/").status_code == 404
    assert httpx.post(f"{web.url}/webhooks", trust_env=False, timeout=20).status_code == 404
    assert web.counted() == {}


# --- how it is sent ---


def test_a_body_of_twenty_five_mebibytes_is_taken_and_one_byte_more_is_not(web: Web) -> None:
    empty = len(a_payload(padding=""))
    most = a_payload(padding="x" * (25 * 1024 * KIB - empty))
    assert len(most) == 25 * 1024 * KIB
    assert web.deliver(most).status_code == 202
    longer = most + b" "
    assert status_of(web.talk(head_of(longer, f"Content-Length: {len(longer)}"))) == 413
    assert web.counted() == {"accepted": 1, "refused": 1}


def test_a_body_without_stated_length_is_refused_as_soon_as_it_is_too_long() -> None:
    with served(Web(limits=BodyLimits(one=64 * KIB))) as web:
        pieces = [chunk(b"x" * 16 * KIB) for _ in range(5)]
        with socket.create_connection(("127.0.0.1", web.port), timeout=20) as connection:
            # No last chunk: the answer cannot come from the body's end.
            answer = exchange(connection, [head_of(b"", "Transfer-Encoding: chunked"), *pieces])
        assert status_of(answer) == 413
        assert web.counted() == {"refused": 1}
        assert web.bodies.held == 0


def test_a_body_in_chunks_is_taken_whole(web: Web) -> None:
    body = a_payload()
    answer = web.talk(head_of(body, "Transfer-Encoding: chunked"), chunk(body[:7]), chunk(body[7:]), b"0\r\n\r\n")
    assert status_of(answer) == 202
    assert web.woken() == {REPOSITORY}


def test_a_body_that_drips_is_cut_at_the_deadline() -> None:
    with served(Web(limits=BodyLimits(deadline=timedelta(milliseconds=200)))) as web:
        body = a_payload()
        answer = web.talk(head_of(body, f"Content-Length: {len(body)}"), body[:5])
        assert status_of(answer) == 408
        assert web.counted() == {"refused": 1}
        assert web.bodies.held == 0


def test_a_sender_that_goes_away_leaves_nothing_behind(web: Web) -> None:
    body = a_payload()
    with socket.create_connection(("127.0.0.1", web.port), timeout=20) as connection:
        connection.sendall(head_of(body, f"Content-Length: {len(body)}") + body[:9])
    wait_until(web, {"refused": 1})
    assert web.bodies.held == 0
    assert web.woken() == frozenset()


def test_all_bodies_together_are_bounded() -> None:
    with served(Web(limits=BodyLimits(one=64 * KIB, together=64 * KIB, deadline=timedelta(seconds=60)))) as web:
        slow = b"x" * 60 * KIB
        with socket.create_connection(("127.0.0.1", web.port), timeout=20) as connection:
            connection.sendall(head_of(slow, f"Content-Length: {len(slow)}") + slow[: 40 * KIB])
            wait_for_held(web, 40 * KIB)
            assert web.deliver(a_payload(padding="y" * 30 * KIB)).status_code == 503
            assert web.deliver().status_code == 202
        wait_for_held(web, 0)
        assert web.deliver(a_payload(padding="z" * 30 * KIB)).status_code == 202


def test_a_forger_s_body_is_not_even_read(web: Web) -> None:
    head = head_of(b"").replace(b"sha256=", b"sha512=")
    assert status_of(web.talk(head.replace(b"\r\n\r\n", b"\r\nContent-Length: 1000000\r\n\r\n"))) == 401


def test_a_connection_carries_one_request(web: Web) -> None:
    first, second = (a_payload(number=number) for number in (1, 2))
    pieces = [head_of(body, f"Content-Length: {len(body)}") + body for body in (first, second)]
    answer = web.talk(b"".join(pieces))
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" in answer.lower()


def test_what_is_no_http_does_no_harm(web: Web) -> None:
    assert status_of(web.talk(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")) == 400
    assert web.deliver().status_code == 202


# --- floods and the lab ---


def test_a_thousand_deliveries_are_one_wake(web: Web) -> None:
    url = f"{web.url}/webhooks/github"
    with httpx.Client(trust_env=False, timeout=20) as client:
        for number in range(1_000):
            body = a_payload(number=number)
            assert client.post(url, content=body, headers=headers_for(body)).status_code == 202
    assert web.counted() == {"accepted": 1_000}
    assert web.woken() == {REPOSITORY}
    assert web.woken() == frozenset()


def test_a_comment_on_github_wakes(tmp_path: Path, web: Web) -> None:
    with running_github(tmp_path) as github:
        github.lab.add_webhook(REPO, f"{web.url}/webhooks/github", SECRET, events=["issue_comment"])
        number = github.propose()
        assert web.woken() == frozenset()
        github.lab.comment_as("dana", REPO, number, "/liftlock hold not today")
        assert [(one.event, one.status) for one in github.lab.deliveries] == [("issue_comment", 202)]
    assert web.woken() == {REPO}


def wait_until(web: Web, counted: dict[str, float]) -> None:
    ends = time.monotonic() + 20
    while web.counted() != counted:
        assert time.monotonic() < ends, web.counted()
        time.sleep(0.01)


def wait_for_held(web: Web, size: int) -> None:
    ends = time.monotonic() + 20
    while web.bodies.held != size:
        assert time.monotonic() < ends, web.bodies.held
        time.sleep(0.01)
