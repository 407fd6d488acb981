"""Alertmanager's notifications on a real server: by whom, in which form, how long, how many."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.web.alertmanager import NAME, is_message
from bot.web.tokens import LIMITS
from tests.web.served import TOKEN, Web, exchange, logged, served

# As `webhook_config` of Alertmanager's documentation has it, with the values of a real one (0.25).
ALERT: dict[str, object] = {
    "status": "firing",
    "labels": {"alertname": "CheckoutErrors", "namespace": "checkout-production", "severity": "page"},
    "annotations": {"summary": "many errors"},
    "startsAt": "2026-03-02T12:00:00.739266876Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://prometheus:9090/graph?g0.expr=x&g0.tab=1",
    "fingerprint": "c6eadffa33fcdf37",
}
MESSAGE: dict[str, object] = {
    "receiver": "liftlock",
    "status": "firing",
    "alerts": [ALERT],
    "groupLabels": {"alertname": "CheckoutErrors"},
    "commonLabels": ALERT["labels"],
    "commonAnnotations": ALERT["annotations"],
    "externalURL": "http://alertmanager:9093",
    "version": "4",
    "groupKey": '{}:{alertname="CheckoutErrors"}',
    "truncatedAlerts": 0,
}


def a_message(**more: object) -> bytes:
    return json.dumps({**MESSAGE, **more}).encode()


def an_alert(**more: object) -> bytes:
    return a_message(alerts=[{**ALERT, **more}])


def without(name: str) -> bytes:
    return json.dumps({key: value for key, value in MESSAGE.items() if key != name}).encode()


def alert_without(name: str) -> bytes:
    return a_message(alerts=[{key: value for key, value in ALERT.items() if key != name}])


@pytest.fixture
def web() -> Iterator[Web]:
    with served() as web:
        yield web


def notify(web: Web, body: bytes | None = None, *, authorization: str | None = f"Bearer {TOKEN}") -> httpx.Response:
    """Send a notification as Alertmanager does."""
    headers = {"Content-Type": "application/json", "User-Agent": "Alertmanager/0.25.0"}
    headers |= {"Authorization": authorization} if authorization is not None else {}
    url = f"{web.url}/webhooks/alertmanager"
    return httpx.post(url, content=a_message() if body is None else body, headers=headers, trust_env=False, timeout=20)


def counted(web: Web) -> dict[str, float]:
    name = "liftlock_alertmanager_notifications_total"
    found = {result: web.number(name, result=result) for result in ("accepted", "unsigned", "refused")}
    return {result: count for result, count in found.items() if count}


# --- by whom ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["firing", "resolved"])
def test_what_fires_and_what_is_resolved_wakes_and_is_answered_at_once(web: Web, status: str) -> None:
    answer = notify(web, a_message(status=status))
    assert (answer.status_code, answer.json()) == (202, {"sentence": "the next sweep comes now"})
    assert web.woken() == {NAME}
    assert counted(web) == {"accepted": 1}
    assert web.counted() == {}


def test_who_does_not_know_the_token_is_told_nothing_but_401(web: Web) -> None:
    sent = [None, "", "Bearer", "Bearer first", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN} {TOKEN}"]
    answers = [notify(web, authorization=one) for one in sent]
    assert {(answer.status_code, answer.text) for answer in answers} == {(401, '{"sentence":"unauthorized"}')}
    assert {answer.headers["www-authenticate"] for answer in answers} == {"Bearer"}
    assert web.woken() == frozenset()
    assert counted(web) == {"unsigned": len(sent)}


def test_a_stranger_s_body_is_not_even_read(web: Web) -> None:
    head = b"POST /webhooks/alertmanager HTTP/1.1\r\nHost: bot\r\nAuthorization: Bearer \xff\r\n"
    assert web.talk(head + b"Content-Length: 900\r\n\r\n").startswith(b"HTTP/1.1 401 ")
    assert counted(web) == {"unsigned": 1}


def test_the_old_and_the_new_token_are_taken_until_the_old_one_goes(web: Web) -> None:
    web.tokens.append("second-token")
    assert [notify(web, authorization=f"bearer {one}").status_code for one in (TOKEN, "second-token")] == [202, 202]
    web.tokens.remove(TOKEN)
    assert [notify(web, authorization=f"Bearer {one}").status_code for one in (TOKEN, "second-token")] == [401, 202]


def test_without_a_readable_token_nothing_is_taken(web: Web) -> None:
    web.tokens.clear()
    assert notify(web).status_code == 503
    assert web.woken() == frozenset()
    assert counted(web) == {"refused": 1}


# --- in which form ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        a_message(alerts=[]),
        a_message(truncatedAlerts=7, groupLabels={}, commonAnnotations={}),
        a_message(notification_reason="new", routeLabels={"a": "b"}),
        an_alert(status="resolved", endsAt="2026-03-02T14:00:00+02:00"),
        an_alert(labels={"alertname": "<script>\u202e\x00"}, extra=[1]),
    ],
    ids=["no alerts", "truncated", "newer fields", "resolved", "hostile text"],
)
def test_what_alertmanager_sends_is_taken(body: bytes) -> None:
    assert is_message(body)


@pytest.mark.parametrize(
    "body",
    [
        *(without(name) for name in MESSAGE),
        *(alert_without(name) for name in ALERT),
        a_message(version="3"),
        a_message(version=4),
        a_message(status="FIRING"),
        a_message(truncatedAlerts="0"),
        a_message(truncatedAlerts=-1),
        a_message(truncatedAlerts=True),
        a_message(groupLabels=None),
        a_message(commonLabels={"a": 1}),
        a_message(commonAnnotations=[]),
        a_message(receiver=7),
        a_message(alerts=None),
        a_message(alerts={}),
        a_message(alerts=[[]]),
        an_alert(status="pending"),
        an_alert(startsAt="yesterday"),
        an_alert(startsAt="2026-03-02T12:00:00"),
        an_alert(startsAt=1_772_452_800),
        an_alert(labels={"a": ["b"]}),
        b"",
        b"{",
        b"null",
        b"[]",
        b"\xff\xfe{\x00}\x00",
        b"payload=%7B%7D",
        b"[" * 100_000,
        b'{"alerts":' * 100_000,
        a_message()[:-1] + b', "n": ' + b"9" * 5_000 + b"}}",
        a_message(receiver="@").replace(b"@", b"\\ud800"),
    ],
)
def test_anything_else_is_refused(body: bytes) -> None:
    assert not is_message(body)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*MESSAGE, "x"]), inner),
    )
)
def test_no_json_value_is_more_than_refused(value: object) -> None:
    assert not is_message(json.dumps(value).encode())


def test_a_refused_notification_is_told_the_form_and_nothing_of_its_text(web: Web) -> None:
    with logged() as log:
        answer = notify(web, a_message(version="<script>alert(1)</script>"))
    assert answer.status_code == 400
    assert answer.json() == {"sentence": 'the body must be a notification of Alertmanager, version "4"'}
    assert "script" not in f"{answer.text}{answer.headers}{log}"
    assert web.woken() == frozenset()
    assert counted(web) == {"refused": 1}


def test_what_alerts_say_is_neither_logged_nor_sent_back(web: Web) -> None:
    with logged() as log:
        answer = notify(web, an_alert(labels={"alertname": "hush\x1b[31m"}))
    assert answer.status_code == 202
    assert "hush" not in f"{answer.text}{answer.headers}{log}"
    assert web.woken() == {NAME}


# --- how long, how many ----------------------------------------------------------------------------------------------


def test_a_notification_of_one_mebibyte_is_taken_and_one_byte_more_is_not(web: Web) -> None:
    most = a_message() + b" " * (LIMITS.one - len(a_message()))
    assert notify(web, most).status_code == 202
    assert notify(web, most + b" ").status_code == 413
    assert counted(web) == {"accepted": 1, "refused": 1}
    assert web.notices.held == 0


def test_a_body_without_stated_length_is_refused_as_soon_as_it_is_too_long(web: Web) -> None:
    head = f"POST /webhooks/alertmanager HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
    piece = b"%x\r\n%s\r\n" % (LIMITS.one // 2, b" " * (LIMITS.one // 2))
    with socket.create_connection(("127.0.0.1", web.port), timeout=20) as connection:
        # No last chunk: the answer cannot come from the body's end.
        answer = exchange(connection, [f"{head}Transfer-Encoding: chunked\r\n\r\n".encode(), piece, piece, piece])
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_flood_is_one_wake(web: Web) -> None:
    with httpx.Client(trust_env=False, timeout=20, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        for _ in range(200):
            assert client.post(f"{web.url}/webhooks/alertmanager", content=a_message()).status_code == 202
    assert counted(web) == {"accepted": 200}
    assert web.woken() == {NAME}
    assert web.woken() == frozenset()


def test_only_post_is_taken(web: Web) -> None:
    assert web.get("/webhooks/alertmanager").status_code == 405
    assert counted(web) == {}
