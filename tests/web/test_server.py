"""The server itself: ports that cannot be had, connections that ask nothing, and its end."""

from __future__ import annotations

import socket
import time

import pytest

from bot.settings import SettingsError
from bot.web import server
from bot.web.server import WebServer, listen_on
from tests.web.served import Web, a_payload, exchange, headers_for, served


def test_a_port_in_use_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SettingsError) as caught:
            listen_on(("127.0.0.1", port))
    assert str(caught.value) == f"web.listen: another program listens on 127.0.0.1:{port} already"


@pytest.mark.parametrize(
    ("host", "shown"), [("203.0.113.1", "203.0.113.1:8080"), ("2001:db8::1", "[2001:db8::1]:8080")]
)
def test_an_address_that_is_not_this_machine_s_is_one_sentence(host: str, shown: str) -> None:
    with pytest.raises(SettingsError, match="cannot be listened on") as caught:
        listen_on((host, 8080))
    assert str(caught.value).startswith(f"web.listen: {shown} cannot be listened on: ")
    assert "None" not in str(caught.value)


def test_a_port_is_free_again_when_the_server_has_ended() -> None:
    with served() as web:
        port = web.port
    listen_on(("127.0.0.1", port)).close()


def test_a_server_ends_while_a_request_is_under_way() -> None:
    body = a_payload()
    lines = [f"{name}: {value}" for name, value in headers_for(body).items()]
    head = "\r\n".join(["POST /webhooks/github HTTP/1.1", "Host: x", "Content-Length: 99", *lines, "", ""]).encode()
    with served() as web:
        connection = socket.create_connection(("127.0.0.1", web.port), timeout=20)
        connection.sendall(head + body[:3])
        ends = time.monotonic() + 20
        while not web.bodies.held:
            assert time.monotonic() < ends
            time.sleep(0.01)
    with connection:
        exchange(connection, [])
    assert web.bodies.held == 0


@pytest.mark.parametrize("sent", [b"", b"POST /webhooks/gith", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: "])
def test_a_connection_that_asks_nothing_is_cut(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(server, "_HEAD_SECONDS", 0.05)
    with served() as web:
        assert web.talk(sent) == b""


def test_no_more_than_so_many_connections_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_MOST_CONNECTIONS", 2)
    with served() as web:
        held = [socket.create_connection(("127.0.0.1", web.port), timeout=20) for _ in range(3)]
        try:
            assert exchange(held[2], []) == b""
        finally:
            for connection in held:
                connection.close()


def test_a_server_that_was_never_entered_can_be_closed() -> None:
    listener = listen_on(("127.0.0.1", 0))
    assert WebServer(Web().app, listener).port > 0
    listener.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_server_that_cannot_start_is_a_bug_that_is_told() -> None:
    listener = listen_on(("127.0.0.1", 0))
    listener.close()
    with pytest.raises(RuntimeError, match="did not start"), WebServer(Web().app, listener):
        pass
