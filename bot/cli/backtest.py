"""`liftlock policy backtest`: what a policy would have done to the releases of the past. Changes nothing.

Here are the options only; what does the work is imported when it is to run, as it needs most of the bot.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.options import ConfigOption


def backtest(  # noqa: PLR0917 - Typer makes each argument an option, by name
    service: Annotated[str, typer.Argument(help="The service, as its policy calls it.", show_default=False)],
    since: Annotated[
        str, typer.Option(metavar="DURATION|TIME", help="Releases that came since then: 30d, or 2026-03-02T12:00Z.")
    ] = "30d",
    until: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="As if it were this time, such as 2026-03-02T12:00Z; default now."),
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(metavar="NEW.yaml", help="A policy to compare with the one in force.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the report as a page with charts.")
    ] = None,
    config: ConfigOption = Path("liftlock.toml"),
    deploy_delay: Annotated[
        str,
        typer.Option(
            metavar="DURATION|unknown",
            help="How long after its commit a release was live, where Argo CD's history does not tell.",
        ),
    ] = "2m",
    hotfix_within: Annotated[
        str, typer.Option(metavar="DURATION", help="A promoted release that was replaced sooner than this was bad.")
    ] = "1d",
    at_once: Annotated[int, typer.Option(min=1, max=64, help="How many queries at once.")] = 1,
    pause: Annotated[str, typer.Option(metavar="DURATION", help="How long to wait between two queries.")] = "100ms",
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Keep what was read in this file, and go on from it; default: a file in the state directory that is "
            "taken away at the end.",
        ),
    ] = None,
) -> None:
    """Say what the policy would have done to past releases, against what people did.

    Asks Git, Argo CD and Prometheus, and judges by the bot's own rules at every look. Changes nothing.
    Ends with 0 when it is done, 3 if no release came in that time; 2 is wrong use, or a server that does not answer.
    """
    work = import_module("bot.cli.backtesting")
    asked = work.Options(
        service=service,
        since=since,
        until=until,
        policy=policy,
        as_json=as_json,
        html=html,
        deploy_delay=deploy_delay,
        hotfix_within=hotfix_within,
        at_once=at_once,
        pause=pause,
        resume=resume,
    )
    work.run(asked, config)
