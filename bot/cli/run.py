"""`liftlock run`: the bot itself; once, dry, or until it is told to stop."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import structlog
import typer

from bot.adapters.log import configure_logging
from bot.cli.faults import BAD_NEWS, told_in_one_sentence
from bot.cli.options import ConfigOption
from bot.compose.whole import Bot, compose
from bot.domain.decision import State
from bot.engine.sweep import ServiceReport
from bot.render.terminal import decision_lines
from bot.settings import load_settings
from bot.web import web_beside


def run(
    config: ConfigOption = Path("liftlock.toml"),
    once: Annotated[bool, typer.Option("--once", help="Sweep once over all services, then end.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Observe and decide, print what would be done, change nothing.")
    ] = False,
) -> None:
    """Watch all services and promote or roll back their releases."""
    with told_in_one_sentence():
        settings = load_settings(config)
        configure_logging(level="warning" if once else settings.log.level, as_json=settings.log.format == "json")
        with compose(settings, dry_run=dry_run) as bot:
            if once:
                _once(bot, dry_run=dry_run)
            else:
                _until_signal(bot)


def _once(bot: Bot, *, dry_run: bool) -> None:
    reports = bot.sweeper.sweep()
    for line in report_lines(reports, dry_run=dry_run):
        typer.echo(line)
    if any(_is_bad_news(report) for report in reports):
        raise typer.Exit(BAD_NEWS)


def _is_bad_news(report: ServiceReport) -> bool:
    """Say whether a service could not be judged, or not in full."""
    if report.decision is None:
        return True
    return any(item.state is State.CANNOT_TELL for item in report.decision.judgements)


def report_lines(reports: Sequence[ServiceReport], *, dry_run: bool) -> list[str]:
    """Return a sentence for each thing a sweep decided, and for each service that could not be judged."""
    lines = []
    for report in reports:
        if report.decision is not None:
            lines.extend(decision_lines(report.decision, dry_run=dry_run))
        if report.error is not None:
            lines.append(f"{report.subject}: not judged: {report.error}")
    return lines or ["no services: the policies directory holds no policy"]


def _until_signal(bot: Bot) -> None:
    with web_beside(bot) as schedule:
        ended = schedule.run_until_signal()
    structlog.get_logger().info("stopped", in_time=ended)
    if not ended:
        # A thread that hangs in an outside call must not keep the process alive; every step may be abandoned.
        os._exit(0)
