"""The bot's web server: webhooks that wake it, its health for probes, its numbers for Prometheus.

It runs in a thread beside the schedule, and nothing depends on it: without it, or while it is flooded, sweeps come by
their interval. What it hears from outside can only make one come sooner.
"""

from bot.web.beside import web_beside

__all__ = ["web_beside"]
