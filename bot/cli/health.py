"""`liftlock health`: whether the last sweep is fresh; what the image's health check asks."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from bot.adapters.clock import SystemClock
from bot.cli.faults import BAD_NEWS, told_in_one_sentence
from bot.cli.options import ConfigOption
from bot.compose.records import read_board
from bot.engine.freshness import judge_freshness, oldest_allowed
from bot.records import SWEEP
from bot.settings import load_settings


def health(
    config: ConfigOption = Path("liftlock.toml"),
    older_than: Annotated[
        float | None, typer.Option(help="Seconds after which the last sweep is too old; default: ten intervals.")
    ] = None,
) -> None:
    """Exit 0 if the bot has swept recently, 1 if not."""
    with told_in_one_sentence():
        settings = load_settings(config)
        board = {posting.subject: posting for posting in read_board(settings)}
    sweep = board.get(SWEEP)
    limit = timedelta(seconds=older_than) if older_than is not None else oldest_allowed(settings.bot.interval)
    judged = judge_freshness(sweep.at if sweep else None, SystemClock().now(), limit)
    typer.echo(judged.sentence)
    if not judged.is_fresh:
        raise typer.Exit(BAD_NEWS)
