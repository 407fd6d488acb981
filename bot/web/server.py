"""Serve an ASGI application beside the bot, in a thread, until the bot stops.

A connection carries one request. It is cut where the request's head does not come in time or where too many are open,
so that outsiders cannot use up the file descriptors that the bot needs for its own work. (The application bounds the
time of the body.)

An outsider's request must not write the log, and a bug must not write it past the log's scrubbing, so uvicorn itself
says nothing: the application logs what is worth it.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
import time
from types import TracebackType
from typing import Self

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from bot.settings import SettingsError

_START_SECONDS = 10.0
_STOP_SECONDS = 5.0
_HEAD_SECONDS = 8.0
_MOST_CONNECTIONS = 200


class BoundedProtocol(H11Protocol):
    """HTTP by uvicorn, on no more than so many connections, each of which must come to a request soon."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Take a connection, or cut it."""
        super().connection_made(transport)
        if len(self.connections) > _MOST_CONNECTIONS:
            transport.abort()
            return
        self.loop.call_later(_HEAD_SECONDS, self._cut_unless_asked)

    def _cut_unless_asked(self) -> None:
        # None until there is a request, whatever uvicorn's annotation says.
        if getattr(self, "cycle", None) is None:
            self.transport.abort()


class WebServer:
    """A server that listens from its making on; a context manager. Leaving it ends its requests and its thread."""

    def __init__(self, app: ASGIApp, listener: socket.socket) -> None:
        self._listener = listener
        config = uvicorn.Config(
            app,
            access_log=False,
            headers=[("connection", "close")],
            http=BoundedProtocol,
            lifespan="off",
            log_config=None,
            log_level="critical",
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=2,
            ws="none",
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="web", daemon=True
        )

    @property
    def port(self) -> int:
        """The port that is listened on."""
        found: int = self._listener.getsockname()[1]
        return found

    def __enter__(self) -> Self:
        self._thread.start()
        ends = time.monotonic() + _START_SECONDS
        while not self._server.started and self._thread.is_alive() and time.monotonic() < ends:
            time.sleep(0.005)
        if not self._server.started:
            self.__exit__(None, None, None)
            raise RuntimeError("the web server did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(_STOP_SECONDS)
        self._listener.close()


def listen_on(address: tuple[str, int]) -> socket.socket:
    """Return a socket that listens. Raise SettingsError, in one sentence, where that cannot be."""
    host, port = address
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        listening = socket.create_server(address, family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        # asyncio does this only for a socket that names its protocol: without it, each answer waits for a late ACK.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(f"web.listen: another program listens on {shown} already") from None
        # A name that cannot be resolved, an address of another machine, a port for root only.
        raise SettingsError(f"web.listen: {shown} cannot be listened on: {error.strerror}") from None
    return listening
