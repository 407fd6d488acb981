"""`POST /webhooks/alertmanager`: check that a notification is Alertmanager's, wake the bot, answer at once.

Alertmanager signs nothing; it sends a token, which is looked at before the body is read. What it says of alerts is a
hint to look and no evidence: nothing of it is used, logged or sent back, and the sweep asks Prometheus itself. So one
that fires and one that is resolved wake alike, and one that comes again, as Alertmanager repeats them, does no harm.

Source: Alertmanager's documentation of `webhook_config` and of `http_config`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.engine.waking import Waker
from bot.web.body import BodyLimits, BodyReader
from bot.web.deliveries import Outcome, Result

NAME = "alertmanager"
"""What stands in the log as what woke the bot."""
LIMITS = BodyLimits(one=1024 * 1024, together=8 * 1024 * 1024)
_SCHEME = "bearer"
_Status = Literal["firing", "resolved"]
_Labels = Mapping[str, str]

_UNAUTHORIZED = Outcome(status=401, result=Result.UNSIGNED, sentence="unauthorized")
_NO_TOKEN = Outcome(status=503, result=Result.REFUSED, sentence="tokens cannot be checked now")
_NO_MESSAGE = Outcome(
    status=400, result=Result.REFUSED, sentence='the body must be a notification of Alertmanager, version "4"'
)


class _Part(BaseModel):
    # What later releases of Alertmanager add beside it is no fault.
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class _Alert(_Part):
    status: _Status
    labels: _Labels
    annotations: _Labels
    starts_at: Annotated[AwareDatetime, Field(alias="startsAt")]
    ends_at: Annotated[AwareDatetime, Field(alias="endsAt")]
    generator_url: Annotated[str, Field(alias="generatorURL")]
    fingerprint: str


class _Message(_Part):
    version: Literal["4"]
    group_key: Annotated[str, Field(alias="groupKey")]
    truncated_alerts: Annotated[int, Field(alias="truncatedAlerts", ge=0)]
    status: _Status
    receiver: str
    group_labels: Annotated[_Labels, Field(alias="groupLabels")]
    common_labels: Annotated[_Labels, Field(alias="commonLabels")]
    common_annotations: Annotated[_Labels, Field(alias="commonAnnotations")]
    external_url: Annotated[str, Field(alias="externalURL")]
    alerts: tuple[_Alert, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertmanagerWebhook:
    """The endpoint. `tokens` reads the tokens anew; `count` hears what became of each notification."""

    tokens: Callable[[], Sequence[str]]
    bodies: BodyReader
    waker: Waker
    count: Callable[[Result], None]

    async def __call__(self, request: Request) -> Response:
        """Answer one notification."""
        outcome = await self._outcome(request)
        self.count(outcome.result)
        if outcome.wakes is not None:
            self.waker.wake(outcome.wakes)
            structlog.get_logger().debug("webhook", sender=NAME)
        headers = {"WWW-Authenticate": "Bearer"} if outcome.status == 401 else None
        return JSONResponse({"sentence": outcome.sentence}, status_code=outcome.status, headers=headers)

    async def _outcome(self, request: Request) -> Outcome:
        sent = parse_bearer(request.headers.getlist("authorization"))
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
        if not is_message(body):
            return _NO_MESSAGE
        return Outcome(status=202, result=Result.ACCEPTED, sentence="the next sweep comes now", wakes=NAME)


def parse_bearer(headers: Sequence[str]) -> bytes | None:
    """Return the token that the values of `Authorization` give; None unless there is one, of this scheme."""
    scheme, _, token = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    # Starlette reads headers as Latin-1; these are the bytes that came.
    return token.strip(" ").encode("latin-1") if scheme.lower() == _SCHEME else None


def is_one_of(sent: bytes, tokens: Sequence[str]) -> bool:
    """Say whether a token is one of ours. Every one is tried, and in constant time, whatever its length."""
    digest = hashlib.sha256(sent).digest()
    return sum(hmac.compare_digest(hashlib.sha256(one.encode()).digest(), digest) for one in tokens) > 0


def is_message(body: bytes) -> bool:
    """Say whether a body is a notification as Alertmanager documents it, in the version that we know."""
    try:
        _Message.model_validate_json(body)
    except ValidationError:
        return False
    return True
