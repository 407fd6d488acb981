"""Know which requests are still being answered, so that whoever reads the exchanges can wait for the last of them."""

from __future__ import annotations

import threading

from starlette.types import ASGIApp, Receive, Scope, Send


class InFlight:
    """ASGI middleware around the recorder, which notes an exchange only after its last byte was sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._changed = threading.Condition()
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        with self._changed:
            self._running += 1
        try:
            await self._app(scope, receive, send)
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def wait(self, seconds: float) -> None:
        """Return when nothing is being answered, or after so many seconds: a call may hang on purpose."""
        with self._changed:
            self._changed.wait_for(lambda: self._running == 0, timeout=seconds)
