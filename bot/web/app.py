"""The web application: which path is answered by what. Its parts come ready made."""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.web.pages import Pages
from bot.web.tokens import TokenWebhook
from bot.web.webhooks import GitHubWebhook

Webhook = GitHubWebhook | TokenWebhook


def build_app(pages: Pages, webhooks: Mapping[str, Webhook]) -> Starlette:
    """Build the application; `webhooks` are by the last part of their paths, and without one there is no such path."""
    routes = [
        Route("/healthz", pages.healthz),
        Route("/readyz", pages.readyz),
        Route("/metrics", pages.metrics),
    ]
    for name, webhook in webhooks.items():
        routes.append(Route(f"/webhooks/{name}", webhook.__call__, methods=["POST"]))
    return Starlette(routes=routes, exception_handlers={Exception: _failed})


def _failed(_: Request, error: Exception) -> Response:
    structlog.get_logger().error("bug", error=type(error).__name__, exc_info=error)
    return JSONResponse({"sentence": "this failed by a bug of Liftlock; the log has the traceback"}, status_code=500)
