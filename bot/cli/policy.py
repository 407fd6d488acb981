"""`liftlock policy`: write a first policy, check policies before the bot reads them, and print their JSON Schema.

Offline, but for `check --live` and for `new` without a checkout.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.backtest import backtest
from bot.cli.earlier import earlier_of
from bot.cli.faults import BAD_NEWS, CANNOT_TELL, refusal
from bot.cli.findings import Format, render_findings
from bot.cli.live import with_live
from bot.cli.new import new
from bot.cli.policy_places import SETTINGS, ConfigOption, usual_floor, usual_policies, usual_tenancies
from bot.cli.policy_show import show
from bot.cli.trial import run_tests
from bot.domain.edit import visible
from bot.domain.text import parse_duration
from bot.policy.checking import Measures, check_policies
from bot.policy.findings import Severity
from bot.policy.own_templates import read_own_templates
from bot.policy.schema import defaults_schema, policy_schema
from bot.policy.templates import GateTemplates, shipped_gate_templates
from bot.policy.weakening import LOOSER

_LEFT_OUT = (".test.yaml", ".test.yml")

app = typer.Typer(add_completion=False, no_args_is_help=True)
app.command("backtest")(backtest)


@app.callback()
def _policy() -> None:
    """Write, check, test and show policies, try them on past releases, and print their JSON Schema."""


app.command("show")(show)


app.command("new")(new)


_PathsArgument = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="PATH",
        help="Files and directories of policies; without any, the directory that the settings name, or policies. "
        "Needed where the settings name a repository.",
        show_default=False,
    ),
]
_FloorOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The floor that no policy may be below; else the one that the settings name."),
]
_AgainstOption = Annotated[
    str | None,
    typer.Option(
        metavar="REV|DIR", help="Say what got weaker or stricter since a Git revision, or than in a directory."
    ),
]


@app.command("check")
def check(
    paths: _PathsArgument = None,
    form: Annotated[Format, typer.Option("--format", help="In which form the findings are written.")] = Format.TEXT,
    live: Annotated[
        bool, typer.Option("--live", help="Ask the servers of the settings, too, and change nothing there.")
    ] = False,
    scrape: Annotated[str, typer.Option(metavar="DURATION", help="How often your metrics are scraped.")] = "15s",
    config: ConfigOption = None,
    *,
    floor: _FloorOption = None,
    against: _AgainstOption = None,
    fail_on_weakened: Annotated[
        bool, typer.Option("--fail-on-weakened", help="End with 1 if --against finds what may let more through.")
    ] = False,
) -> None:
    """Say all that is wrong with policies and with your own templates; asks no server unless told to.

    Ends with 0 if nothing is wrong, with or without warnings, 1 if something is; 2 is wrong use. With --live it ends
    with 5 where nothing is wrong so far, but a server gave no answer.
    """
    if fail_on_weakened and against is None:
        raise refusal("--fail-on-weakened: expected --against beside it")
    chosen = _chosen(paths or [], config)
    base, findings = usual_floor(floor, config)
    checked = check_policies(
        chosen,
        shipped_gate_templates(),
        measures=Measures(
            scrape=_parse_scrape(scrape),
            floor=base,
            earlier=earlier_of(against) if against is not None else None,
            tenancies=usual_tenancies(paths or [], config),
        ),
        keeps_policies=live,
        processes=_processes(),
    )
    if not checked.files:
        raise refusal(f"{visible(str(chosen[0]))}: there is no policy in it")
    if live:
        checked = with_live(checked, config or SETTINGS)
    checked = replace(checked, findings=(*findings, *checked.findings))
    typer.echo(render_findings(checked, form))
    severities = {finding.severity for finding in checked.findings}
    is_weaker = fail_on_weakened and any(one.rule in LOOSER for one in checked.findings)
    if Severity.FAULT in severities or is_weaker:
        raise typer.Exit(BAD_NEWS)
    if Severity.UNASKED in severities:
        raise typer.Exit(CANNOT_TELL)


def _chosen(paths: Sequence[Path], config: Path | None) -> list[Path]:
    """Return what is to be checked; refuse what is not there.

    What a directory leaves out is left out by name, too, as where a shell names all files of one; but not all that is
    named, since then nothing would be checked.
    """
    places = list(paths) or [usual_policies(config)]
    for place in places:
        if not place.exists():
            raise refusal(f"{visible(str(place))}: there is no such file or directory")
    chosen = [place for place in places if not place.name.endswith(_LEFT_OUT)]
    if not chosen:
        name = visible(str(places[0]))
        raise refusal(f"{name}: that is a test file, not a policy: run it with `liftlock policy test {name}`")
    return chosen


def _processes() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
    defaults: Annotated[bool, typer.Option("--defaults", help="Print that of defaults.yaml.")] = False,
    tests: Annotated[bool, typer.Option("--tests", help="Print that of test files.")] = False,
) -> None:
    """Print the JSON Schema of a policy, of defaults.yaml or of test files, by which editors complete and validate."""
    if tests and defaults:
        raise refusal("--tests and --defaults: expected one of them, since they are two schemas")
    if tests and directory is not None:
        raise refusal(f"{visible(str(directory))}: expected no directory beside --tests, which knows no templates")
    if tests:
        from bot.trial.schema import trial_schema  # noqa: PLC0415 - policies need none of it

        typer.echo(json.dumps(trial_schema(), indent=2, ensure_ascii=False))
        return
    own: GateTemplates = {}
    if directory is not None:
        if not directory.is_dir():
            raise refusal(f"{visible(str(directory))}: there is no such directory")
        own = read_own_templates(directory).templates
    of = defaults_schema if defaults else policy_schema
    typer.echo(json.dumps(of({**shipped_gate_templates(), **own}), indent=2, ensure_ascii=False))


app.command("test")(run_tests)
