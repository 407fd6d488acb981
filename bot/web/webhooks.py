"""`POST /webhooks/github`: check that a delivery is GitHub's, wake the bot, answer at once.

The signature is looked at before anything else of a delivery is. To a forger the answer says nothing but 401.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.settings import SettingsError, read_secret_file
from bot.web.bell import Bell
from bot.web.body import BodyReader
from bot.web.deliveries import Deliveries, Delivery, Outcome, Result
from bot.web.signature import is_signed, parse_signature

_UNSIGNED = Outcome(status=401, result=Result.UNSIGNED, sentence="unauthorized")
_NO_SECRET = Outcome(status=503, result=Result.REFUSED, sentence="signatures cannot be checked now")


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHubWebhook:
    """The endpoint. `secrets` reads the secrets anew; `count` hears what became of each delivery."""

    secrets: Callable[[], Sequence[str]]
    bodies: BodyReader
    deliveries: Deliveries
    bell: Bell
    count: Callable[[Result], None]

    async def __call__(self, request: Request) -> Response:
        """Answer one delivery."""
        outcome = await self._outcome(request)
        self.count(outcome.result)
        self.bell.ring(outcome)
        return JSONResponse({"sentence": outcome.sentence}, status_code=outcome.status)

    async def _outcome(self, request: Request) -> Outcome:
        digest = parse_signature(request.headers.getlist("x-hub-signature-256"))
        if digest is None:
            return _UNSIGNED
        body = await self.bodies.read(request)
        if not isinstance(body, bytes):
            return Outcome(status=body.status, result=Result.REFUSED, sentence=body.sentence)
        secrets = self.secrets()
        if not secrets:
            return _NO_SECRET
        if not is_signed(body, digest, secrets):
            return _UNSIGNED
        event, name = (request.headers.get(header, "") for header in ("x-github-event", "x-github-delivery"))
        return self.deliveries.take(Delivery(event=event, name=name, body=body))


def read_secrets(files: Sequence[Path]) -> tuple[str, ...]:
    """Return the secrets of all files that can be read; a file that comes or goes in a rotation stops no other."""
    found = []
    for file in files:
        try:
            found.append(read_secret_file(file))
        except SettingsError as error:
            structlog.get_logger().warning("webhook secret not read", reason=str(error))
    return tuple(found)
