"""What is to go wrong next, chosen by method and path: an error instead of an answer or after it, or a long silence."""

from __future__ import annotations

import asyncio
import fnmatch
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

API_PREFIX = "/api/v3"
_HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(slots=True, kw_only=True)
class Mishap:
    """One rule. `status` None lets the real answer through (after the wait); `path` is a glob below the API's root."""

    method: str
    path: str
    times: int = 1
    status: int | None = None
    after_write: bool = False
    seconds: float = 0
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def answer(self) -> Response:
        """Return the error as a response: JSON for an object, HTML as of a proxy where no body was given."""
        if self.body is None:
            return Response(_HTML, self.status or 502, dict(self.headers), "text/html")
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        kind = "text/plain" if isinstance(self.body, str) else "application/json"
        return Response(text, self.status or 502, dict(self.headers), kind)


class Mishaps:
    """ASGI middleware that makes rules come true, each `times` times. Safe to use from any thread."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._rules: list[Mishap] = []

    def add(self, rule: Mishap) -> None:
        """Let a rule apply to the requests that come from now on."""
        with self._lock:
            self._rules.append(rule)

    def _take(self, method: str, path: str) -> Mishap | None:
        with self._lock:
            for rule in self._rules:
                known = rule.method in ("*", method) and fnmatch.fnmatchcase(path.removeprefix(API_PREFIX), rule.path)
                if known and rule.times > 0:
                    rule.times -= 1
                    return rule
        return None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or let it fail."""
        rule = self._take(scope["method"], scope["path"]) if scope["type"] == "http" else None
        if rule is None:
            await self._app(scope, receive, send)
            return
        if rule.after_write:
            send_real, send = send, _swallow
            await self._app(scope, receive, send)
            send = send_real
        await asyncio.sleep(rule.seconds)
        if rule.status is not None:
            await rule.answer()(scope, receive, send)
        elif not rule.after_write:
            await self._app(scope, receive, send)


async def _swallow(message: Message) -> None:
    """Lose an answer on its way."""
