"""Record what is asked of and answered by a lab server, so that contract tests can check every exchange."""

from __future__ import annotations

import threading
from collections.abc import MutableSequence
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One HTTP request and its whole answer. Header names are lower-case; bodies are the raw bytes."""

    method: str
    path: str
    query: str
    request_headers: tuple[tuple[str, str], ...]
    request_body: bytes
    status: int
    response_headers: tuple[tuple[str, str], ...]
    response_body: bytes


class ExchangeRecorder:
    """ASGI middleware that keeps every finished exchange in `exchanges`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._kept: MutableSequence[Exchange] = []

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """All exchanges so far, in the order in which they ended."""
        with self._lock:
            return tuple(self._kept)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and note what goes by."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        heard = _Heard(scope=scope)

        async def listen() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                heard.asked.extend(message.get("body", b""))
            return message

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                heard.status, heard.headers = message["status"], list(message.get("headers", []))
            elif message["type"] == "http.response.body":
                heard.answered.extend(message.get("body", b""))
                if not message.get("more_body", False):
                    # Before the last byte leaves: whoever has read the answer finds the exchange noted.
                    self._keep(heard)
            await send(message)

        try:
            await self._app(scope, listen, answer)
        finally:
            self._keep(heard)

    def _keep(self, heard: _Heard) -> None:
        if heard.is_kept:
            return
        heard.is_kept = True
        with self._lock:
            self._kept.append(heard.exchange())


@dataclass(slots=True, kw_only=True)
class _Heard:
    """What has gone by of an exchange that is under way."""

    scope: Scope
    asked: bytearray = field(default_factory=bytearray)
    answered: bytearray = field(default_factory=bytearray)
    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    is_kept: bool = False

    def exchange(self) -> Exchange:
        return Exchange(
            method=self.scope["method"],
            path=self.scope["path"],
            query=self.scope["query_string"].decode("latin-1"),
            request_headers=_text(self.scope["headers"]),
            request_body=bytes(self.asked),
            status=self.status,
            response_headers=_text(self.headers),
            response_body=bytes(self.answered),
        )


def _text(headers: list[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    return tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers)
