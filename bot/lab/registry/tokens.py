"""Who may read in the lab's registry: the token flow, with the credentials that its token service asks for."""

from __future__ import annotations

import secrets
import threading
from base64 import b64decode
from binascii import Error as Base64Error
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.lab.registry.answers import OciError
from bot.ports import Clock

_SERVICE = "liftlock-lab-registry"
_TOKEN_SECONDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The name and password that the token endpoint asks for."""

    username: str
    password: str = field(repr=False)


class Gate:
    """Lets requests through that have a token for their repository, which `give_token` gave; all, while `is_open`."""

    def __init__(self, clock: Clock, credentials: Credentials | None, *, is_open: bool) -> None:
        self._clock = clock
        self._credentials = credentials
        self._is_open = is_open
        self._lock = threading.Lock()
        self._tokens: dict[str, str] = {}

    def give_token(self, request: Request) -> Response:
        """Answer the token endpoint."""
        if self._credentials is not None and not _has_password(request, self._credentials):
            raise OciError(401, "UNAUTHORIZED", "authentication required")
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._tokens[token] = request.query_params.get("scope", "")
        issued = self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        return JSONResponse({"token": token, "access_token": token, "expires_in": _TOKEN_SECONDS, "issued_at": issued})

    def expire_tokens(self) -> None:
        """Forget all tokens, as if their time had run out."""
        with self._lock:
            self._tokens.clear()

    def require(self, request: Request, name: str) -> None:
        """Raise the challenge of the token flow unless the request's token is for reading this repository."""
        if self._is_open:
            return
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        with self._lock:
            granted = self._tokens.get(token)
        scope = f"repository:{name}:pull" if name else ""
        if granted is not None and (not name or scope in granted.split(" ")):
            return
        realm = f"{request.url.scheme}://{request.url.netloc}/token"
        challenge = f'Bearer realm="{realm}",service="{_SERVICE}"' + (f',scope="{scope}"' if scope else "")
        raise OciError(401, "UNAUTHORIZED", "authentication required", headers={"www-authenticate": challenge})


def _has_password(request: Request, expected: Credentials) -> bool:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        given = b64decode(encoded, validate=True)
    except Base64Error:
        return False
    return secrets.compare_digest(given, f"{expected.username}:{expected.password}".encode())
