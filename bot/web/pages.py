"""`/healthz`, `/readyz`, `/metrics`: what probes and Prometheus ask. Answers say nothing of any release."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.engine.freshness import judge_freshness
from bot.ports import Clock
from bot.web.metrics import BotNumbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """The three pages. The last sweep is too old after `limit`."""

    numbers: BotNumbers
    registry: CollectorRegistry
    clock: Clock
    limit: timedelta
    stopping: threading.Event

    def healthz(self, _: Request) -> Response:
        """Say whether the last sweep of this process is fresh, as `liftlock health` does."""
        judged = judge_freshness(self.numbers.last_ended, self.clock.now(), self.limit)
        return _told(judged.sentence, is_good=judged.is_fresh)

    def readyz(self, _: Request) -> Response:
        """Say whether the bot works: it has swept once, and is not about to end."""
        if self.stopping.is_set():
            return _told("the bot is stopping", is_good=False)
        if self.numbers.last_ended is None:
            return _told("no sweep has ended yet", is_good=False)
        return _told("the bot sweeps", is_good=True)

    def metrics(self, request: Request) -> Response:
        """Return all numbers in the format that the asker takes."""
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(self.registry), headers={"content-type": media_type})


def _told(sentence: str, *, is_good: bool) -> Response:
    return JSONResponse({"sentence": sentence}, status_code=200 if is_good else 503)
