"""Serve an ASGI application on a free port of 127.0.0.1 in a thread, for the lab's servers."""

from __future__ import annotations

import socket
import threading
import time
from email.utils import format_datetime
from types import TracebackType
from typing import Self

import uvicorn
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.ports import Clock

_START_DEADLINE_SECONDS = 10.0


class Served:
    """A running server: a context manager that knows its `url`. Leaving it stops the server and joins its thread.

    Its answers are dated by `clock`, the machine's if there is none; one that has a date already keeps it.
    """

    def __init__(self, app: ASGIApp, *, port: int = 0, clock: Clock | None = None) -> None:
        self._socket = socket.create_server(("127.0.0.1", port))
        # asyncio does this only for a socket that names its protocol: without it, each answer waits for a late ACK.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        config = uvicorn.Config(
            app if clock is None else _Dated(app, clock),
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
            ws="none",
            date_header=clock is None,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name=f"lab-{self.port}", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        deadline = time.monotonic() + _START_DEADLINE_SECONDS
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise RuntimeError(f"the lab server on {self.url} did not start")
            time.sleep(0.005)
        return self

    def let_go(self) -> None:
        """Ask it to stop, and do not wait: several that are asked before they are left stop side by side."""
        self._server.should_exit = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.let_go()
        self._thread.join(timeout=5)
        self._socket.close()


class _Dated:
    """ASGI middleware that dates answers by the lab's clock, as a server does by its machine's."""

    def __init__(self, app: ASGIApp, clock: Clock) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault("date", format_datetime(self._clock.now(), usegmt=True))
            await send(message)

        await self._app(scope, receive, answer)
