"""A small HTTP server whose answers a test scripts by path, and which remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from bot.lab.serving import Served
from bot.ports import Clock

Reply = Callable[[Request], Response]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as it came in."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Scripted:
    """An ASGI application. `plan` gives each path its answers in turn; the last one stands. Other paths are 404."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    _plans: dict[str, list[Reply]] = field(default_factory=dict)

    def plan(self, path: str, *replies: Reply | Response) -> None:
        """Set what `path` answers, in turn."""
        self._plans[path] = [_as_reply(reply) for reply in replies]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by plan."""
        request = Request(scope, receive)
        body = await request.body()
        headers = dict(request.headers)
        self.asked.append(
            Asked(method=request.method, path=request.url.path, query=request.url.query, headers=headers, body=body)
        )
        replies = self._plans.get(request.url.path)
        if not replies:
            await Response("no such path", status_code=404)(scope, receive, send)
            return
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        await reply(request)(scope, receive, send)


def _as_reply(reply: Reply | Response) -> Reply:
    return (lambda _: reply) if isinstance(reply, Response) else reply


def an_answer(value: object, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse(value, status_code=status, headers=headers)


@contextmanager
def serving(clock: Clock | None = None) -> Iterator[Scripted]:
    """Serve a scripted server on a free port; with a clock, answers are dated by it where they are not by the test."""
    scripted = Scripted()
    with Served(scripted, clock=clock) as served:
        scripted.url = served.url
        yield scripted
