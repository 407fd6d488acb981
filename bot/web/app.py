"""The web application: which path is answered by what. Its parts come ready made."""

from __future__ import annotations

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.web.alertmanager import AlertmanagerWebhook
from bot.web.pages import Pages
from bot.web.webhooks import GitHubWebhook


def build_app(pages: Pages, github: GitHubWebhook | None, alertmanager: AlertmanagerWebhook | None) -> Starlette:
    """Build the application; without a webhook there is no such path."""
    routes = [
        Route("/healthz", pages.healthz),
        Route("/readyz", pages.readyz),
        Route("/metrics", pages.metrics),
    ]
    if github is not None:
        routes.append(Route("/webhooks/github", github.__call__, methods=["POST"]))
    if alertmanager is not None:
        routes.append(Route("/webhooks/alertmanager", alertmanager.__call__, methods=["POST"]))
    return Starlette(routes=routes, exception_handlers={Exception: _failed})


def _failed(_: Request, error: Exception) -> Response:
    structlog.get_logger().error("bug", error=type(error).__name__, exc_info=error)
    return JSONResponse({"sentence": "this failed by a bug of Liftlock; the log has the traceback"}, status_code=500)
