"""Read a request's body piece by piece, within bounds of size and time, and of what all bodies take together.

What a request says of its own length is believed only where it says that it is too long.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from starlette.requests import ClientDisconnect, Request

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimits:
    """Bounds in bytes for one body and for all that are being read. GitHub sends at most 25 MiB and waits for 10 s."""

    one: int = 25 * _MIB
    together: int = 64 * _MIB
    deadline: timedelta = timedelta(seconds=8)


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyRefusal:
    """Why a body was not read to its end."""

    status: int
    sentence: str


class BodyReader:
    """Reads bodies for one event loop; it counts the bytes that are held at each moment."""

    def __init__(self, limits: BodyLimits | None = None) -> None:
        self._limits = limits or BodyLimits()
        self._held = 0

    @property
    def held(self) -> int:
        """The bytes of all bodies that are being read."""
        return self._held

    async def read(self, request: Request) -> bytes | BodyRefusal:
        """Return the body, or why it was not read to its end."""
        if _stated_length(request) > self._limits.one:
            return self._too_long()
        body = bytearray()
        try:
            async with asyncio.timeout(self._limits.deadline.total_seconds()):
                return await self._collect(request, body)
        except TimeoutError:
            return BodyRefusal(status=408, sentence="the body did not come in time")
        except ClientDisconnect:
            return BodyRefusal(status=400, sentence="the body did not come whole")
        finally:
            self._held -= len(body)

    async def _collect(self, request: Request, body: bytearray) -> bytes | BodyRefusal:
        async for piece in request.stream():
            if len(body) + len(piece) > self._limits.one:
                return self._too_long()
            if self._held + len(piece) > self._limits.together:
                return BodyRefusal(status=503, sentence="too many deliveries at once")
            body += piece
            self._held += len(piece)
        return bytes(body)

    def _too_long(self) -> BodyRefusal:
        return BodyRefusal(status=413, sentence=f"the body is longer than {self._limits.one} bytes")


def _stated_length(request: Request) -> int:
    stated = request.headers.get("content-length", "")
    return int(stated) if stated.isdecimal() and len(stated) < 20 else 0
