"""Webhooks of those who sign nothing and send a token: it is looked at before the body is read.

Nothing is remembered of what was taken. It can only wake, so that one that comes again does no harm.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
from base64 import b64decode
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.web.bell import Bell
from bot.web.body import BodyLimits, BodyReader
from bot.web.deliveries import Outcome, Result

LIMITS = BodyLimits(one=1024 * 1024, together=8 * 1024 * 1024)

_UNAUTHORIZED = Outcome(status=401, result=Result.UNSIGNED, sentence="unauthorized")
_NO_TOKEN = Outcome(status=503, result=Result.REFUSED, sentence="tokens cannot be checked now")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenWebhook:
    """An endpoint. `tokens` reads the tokens anew, `judge` says what a body comes to, `count` hears the result."""

    tokens: Callable[[], Sequence[str]]
    bodies: BodyReader
    judge: Callable[[bytes], Outcome]
    bell: Bell
    count: Callable[[Result], None]

    async def __call__(self, request: Request) -> Response:
        """Answer one notification."""
        outcome = await self._outcome(request)
        self.count(outcome.result)
        self.bell.ring(outcome)
        headers = {"WWW-Authenticate": "Bearer"} if outcome.status == 401 else None
        return JSONResponse({"sentence": outcome.sentence}, status_code=outcome.status, headers=headers)

    async def _outcome(self, request: Request) -> Outcome:
        sent = parse_token(request.headers.getlist("authorization"))
        if sent is None:
            return _UNAUTHORIZED
        tokens = self.tokens()
        if not tokens:
            return _NO_TOKEN
        if not is_one_of(sent, tokens):
            return _UNAUTHORIZED
        body = await self.bodies.read(request)
        if not isinstance(body, bytes):
            return Outcome(status=body.status, result=Result.REFUSED, sentence=body.sentence)
        return self.judge(body)


def parse_token(headers: Sequence[str]) -> bytes | None:
    """Return the token that the values of `Authorization` give: that of Bearer, or the password of Basic.

    None unless there is exactly one value, of one of these schemes.
    """
    scheme, _, given = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    # Starlette reads headers as Latin-1; these are the bytes that came.
    credentials = given.strip(" ").encode("latin-1")
    if scheme.lower() == "bearer":
        return credentials
    return _parse_password(credentials) if scheme.lower() == "basic" else None


def _parse_password(credentials: bytes) -> bytes | None:
    """Return the password of `user:password` in Base64. Who the user is says nothing: only the token does."""
    try:
        _, colon, password = b64decode(credentials, validate=True).partition(b":")
    except binascii.Error:
        return None
    return password if colon else None


def is_one_of(sent: bytes, tokens: Sequence[str]) -> bool:
    """Say whether a token is one of ours. Every one is tried, and in constant time, whatever its length."""
    digest = hashlib.sha256(sent).digest()
    return sum(hmac.compare_digest(hashlib.sha256(one.encode()).digest(), digest) for one in tokens) > 0
