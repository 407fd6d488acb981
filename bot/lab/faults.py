"""Faults on demand for the lab's servers: wrong statuses, silence, truncated and foreign bodies, cut connections.

Faults are chosen by a regular expression that is searched in `METHOD /path`; the first rule that matches acts, and is
used up after `times` requests. All methods are safe to call from any thread while the server runs.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOOK_AGAIN_SECONDS = 0.02
_GARBAGE = b"<html><body><h1>502 Bad Gateway</h1></body></html>"

_Kind = Literal["answer", "truncate", "cut"]


@dataclass(slots=True)
class _Rule:
    pattern: re.Pattern[str]
    kind: _Kind
    left: int
    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class Faults:
    """What is to go wrong, and the ASGI middleware (`wrap`) that makes it so."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[_Rule] = []
        self._hanging: re.Pattern[str] | None = None
        self._down = False

    def fail_next(
        self,
        pattern: str,
        status: int,
        *,
        body: bytes | str = b"",
        times: int = 1,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer the next `times` matching requests with `status` and `body`, without asking the real server."""
        told = body.encode() if isinstance(body, str) else body
        self._add(pattern, "answer", times, status=status, body=told, headers=tuple((headers or {}).items()))

    def garbage_next(self, pattern: str, *, times: int = 1) -> None:
        """Answer with status 200 and an HTML page, as a proxy in between may."""
        headers = (("content-type", "text/html"),)
        self._add(pattern, "answer", times, status=200, body=_GARBAGE, headers=headers)

    def truncate_next(self, pattern: str, *, times: int = 1) -> None:
        """Send the first half of the real body as if it were all of it."""
        self._add(pattern, "truncate", times)

    def cut_next(self, pattern: str, *, times: int = 1) -> None:
        """Let the request take effect, then close the connection in the middle of the answer."""
        self._add(pattern, "cut", times)

    def hang(self, pattern: str = "") -> None:
        """Let matching requests wait without an answer until `release`."""
        with self._lock:
            self._hanging = re.compile(pattern)

    def release(self) -> None:
        """Let waiting requests go on."""
        with self._lock:
            self._hanging = None

    def take_down(self) -> None:
        """Answer every request with 503 and a plain text, as a load balancer with no backend does."""
        with self._lock:
            self._down = True

    def bring_up(self) -> None:
        """Undo `take_down`."""
        with self._lock:
            self._down = False

    def clear(self) -> None:
        """Forget every fault."""
        with self._lock:
            self._rules.clear()
            self._hanging = None
            self._down = False

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """Return `app` with these faults in front of it."""

        async def faulty(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            line = f"{scope['method']} {scope['path']}"
            patient = await self._wait_while_hanging(line, receive)
            if patient is not None:
                await self._answer(line, app, (scope, patient, send))

        return faulty

    def _add(
        self,
        pattern: str,
        kind: _Kind,
        times: int,
        *,
        status: int = 200,
        body: bytes = b"",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        rule = _Rule(pattern=re.compile(pattern), kind=kind, left=times, status=status, body=body, headers=headers)
        with self._lock:
            self._rules.append(rule)

    def _hangs(self, line: str) -> bool:
        with self._lock:
            return self._hanging is not None and self._hanging.search(line) is not None

    async def _wait_while_hanging(self, line: str, receive: Receive) -> Receive | None:
        """Return what the application is to receive from, or None when the client gave up meanwhile."""
        if not self._hangs(line):
            return receive
        asked = asyncio.ensure_future(receive())
        heard: list[Message] = []
        try:
            while self._hangs(line):
                done, _ = await asyncio.wait({asked}, timeout=_LOOK_AGAIN_SECONDS)
                if done and asked.result()["type"] == "http.disconnect":
                    return None
                if done:
                    heard.append(asked.result())
                    asked = asyncio.ensure_future(receive())
        except asyncio.CancelledError:
            asked.cancel()
            raise
        return _replay(heard, asked, receive)

    async def _answer(self, line: str, app: ASGIApp, call: tuple[Scope, Receive, Send]) -> None:
        scope, receive, send = call
        if self._down:
            await Response(b"no healthy upstream", 503, media_type="text/plain")(scope, receive, send)
            return
        rule = self._take(line)
        if rule is None:
            await app(scope, receive, send)
        elif rule.kind == "answer":
            await Response(rule.body, rule.status, dict(rule.headers))(scope, receive, send)
        else:
            await _spoil(rule.kind, app, call)

    def _take(self, line: str) -> _Rule | None:
        with self._lock:
            for rule in self._rules:
                if rule.left > 0 and rule.pattern.search(line):
                    rule.left -= 1
                    return rule
        return None


def _replay(heard: list[Message], asked: asyncio.Future[Message], receive: Receive) -> Receive:
    """Return a `receive` that tells what was heard first, then what was asked for already, then what comes."""
    waiting = [asked]

    async def patient() -> Message:
        if heard:
            return heard.pop(0)
        return await (waiting.pop() if waiting else receive())

    return patient


async def _spoil(kind: _Kind, app: ASGIApp, call: tuple[Scope, Receive, Send]) -> None:
    """Run the app, then send half of its answer: with the length of the half, or (cut) with the length of all."""
    scope, receive, send = call
    start: Message = {}
    whole = bytearray()

    async def keep(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            whole.extend(message.get("body", b""))

    await app(scope, receive, keep)
    half = bytes(whole[: len(whole) // 2])
    length = len(half) if kind == "truncate" else len(whole) + 1
    headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
    await send({**start, "headers": [*headers, (b"content-length", str(length).encode())]})
    # An application that returns before its body is whole makes the server close the connection.
    await send({"type": "http.response.body", "body": half, "more_body": kind == "cut"})
