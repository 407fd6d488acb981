"""`liftlock policy`: check policies before the bot reads them, and print their JSON Schema for editors. Offline."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.faults import BAD_NEWS, refusal
from bot.cli.findings import Format, render_findings
from bot.cli.trial import run_tests
from bot.cli.usual import usual_policies
from bot.domain.edit import visible
from bot.domain.text import parse_duration
from bot.policy.checking import check_policies
from bot.policy.findings import Severity
from bot.policy.own_templates import read_own_templates
from bot.policy.schema import policy_schema
from bot.policy.templates import GateTemplates, shipped_gate_templates

_LEFT_OUT = (".test.yaml", ".test.yml")

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def _policy() -> None:
    """Check and test policies, and print their JSON Schema."""


@app.command("check")
def check(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH",
            help="Files and directories of policies; without any, the directory that the settings name, or policies.",
            show_default=False,
        ),
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="In which form the findings are written.")] = Format.TEXT,
    scrape: Annotated[str, typer.Option(metavar="DURATION", help="How often your metrics are scraped.")] = "15s",
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", help="The settings file, liftlock.toml where that is there.", envvar="LIFTLOCK_CONFIG"
        ),
    ] = None,
) -> None:
    """Say all that is wrong with policies and with your own templates; asks no server.

    Ends with 0 if nothing is wrong, with or without warnings, 1 if something is; 2 is wrong use.
    """
    chosen = _chosen(paths or [], config)
    checked = check_policies(chosen, shipped_gate_templates(), scrape=_parse_scrape(scrape))
    if chosen and not checked.files:
        raise refusal(f"{visible(str(chosen[0]))}: there is no policy in it")
    typer.echo(render_findings(checked, form))
    if any(finding.severity is Severity.FAULT for finding in checked.findings):
        raise typer.Exit(BAD_NEWS)


def _chosen(paths: Sequence[Path], config: Path | None) -> list[Path]:
    """Return what is to be checked; refuse what is not there. What a directory leaves out is left out by name, too."""
    places = list(paths) or [usual_policies(config)]
    for place in places:
        if not place.exists():
            raise refusal(f"{visible(str(place))}: there is no such file or directory")
    return [place for place in places if not place.name.endswith(_LEFT_OUT)]


def _parse_scrape(text: str) -> timedelta:
    try:
        scrape = parse_duration(text)
    except ValueError:
        raise refusal(f"--scrape {text!r}: expected a duration such as 15s") from None
    if scrape <= timedelta(0):
        raise refusal(f"--scrape {text}: expected more than nothing")
    return scrape


@app.command("schema")
def schema(
    directory: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIRECTORY",
            help="A directory of policies, whose own templates are in the schema, too.",
            show_default=False,
        ),
    ] = None,
    tests: Annotated[bool, typer.Option("--tests", help="That of test files instead.")] = False,
) -> None:
    """Print the JSON Schema of a policy, by which editors complete and validate."""
    if tests:
        from bot.trial.schema import trial_schema  # noqa: PLC0415 - policies need none of it

        typer.echo(json.dumps(trial_schema(), indent=2, ensure_ascii=False))
        return
    own: GateTemplates = {}
    if directory is not None:
        if not directory.is_dir():
            raise refusal(f"{visible(str(directory))}: there is no such directory")
        own = read_own_templates(directory).templates
    typer.echo(json.dumps(policy_schema({**shipped_gate_templates(), **own}), indent=2, ensure_ascii=False))


app.command("test")(run_tests)
