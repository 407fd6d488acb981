"""`POST /webhooks/alertmanager`: whether a body is a notification of Alertmanager's.

What it says of alerts is a hint to look and no evidence: nothing of it is used, logged or sent back, and the sweep asks
Prometheus itself. So one that fires and one that is resolved wake alike, and one that comes again, as Alertmanager
repeats them, does no harm.

Source: Alertmanager's documentation of `webhook_config` and of `http_config`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from bot.web.deliveries import Outcome, Result

NAME = "alertmanager"
"""What stands in the log as what woke the bot."""
_Status = Literal["firing", "resolved"]
_Labels = Mapping[str, str]

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


def judge_message(body: bytes) -> Outcome:
    """Say what a notification comes to."""
    if not is_message(body):
        return _NO_MESSAGE
    return Outcome(status=202, result=Result.ACCEPTED, sentence="the next sweep comes now", wakes=NAME)


def is_message(body: bytes) -> bool:
    """Say whether a body is a notification as Alertmanager documents it, in the version that we know."""
    try:
        _Message.model_validate_json(body)
    except ValidationError:
        return False
    return True
