"""Logging by structlog: one line of key-values per event on stderr, as JSON or for the terminal, without secrets."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from bot.adapters.scrub import scrub


def configure_logging(*, level: str, as_json: bool) -> None:
    """Set up structlog once, at start; `level` is a name of the standard library's."""
    renderer = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _without_secrets,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    # Libraries log through the standard library; APScheduler would otherwise announce every job.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)


def _without_secrets(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Scrub every text of an event, tracebacks included: the last thing before it leaves (I12)."""
    for key, value in event.items():
        event[key] = _scrubbed(value)
    return event


def _scrubbed(value: object) -> object:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, (list, tuple)):
        return [_scrubbed(item) for item in value]
    return value
