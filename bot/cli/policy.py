"""`liftlock policy`: write a first policy, check policies before the bot reads them, and print their JSON Schema.

Offline, but for `check --live` and for `new` without a checkout.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.backtest import backtest
from bot.cli.earlier import earlier_of
from bot.cli.faults import BAD_NEWS, CANNOT_TELL, refusal, told_in_one_sentence
from bot.cli.findings import Format, render_findings
from bot.cli.live import with_live
from bot.cli.new import new
from bot.domain.edit import visible
from bot.domain.tenancy import Tenancy
from bot.domain.text import parse_duration
from bot.policy.checking import Measures, check_policies
from bot.policy.findings import Finding, Severity
from bot.policy.floor import Floor, FloorError, FloorFile
from bot.policy.own_templates import read_own_templates
from bot.policy.schema import policy_schema
from bot.policy.templates import GateTemplates, shipped_gate_templates
from bot.policy.weakening import LOOSER
from bot.settings import Settings, load_settings

_SETTINGS = Path("liftlock.toml")
_POLICIES = Path("policies")
_LEFT_OUT = (".test.yaml", ".test.yml")

app = typer.Typer(add_completion=False, no_args_is_help=True)
app.command("backtest")(backtest)


@app.callback()
def _policy() -> None:
    """Check policies, and print their JSON Schema."""


app.command("new")(new)


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
    live: Annotated[
        bool, typer.Option("--live", help="Ask the servers of the settings, too, and change nothing there.")
    ] = False,
    scrape: Annotated[str, typer.Option(metavar="DURATION", help="How often your metrics are scraped.")] = "15s",
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", help="The settings file, liftlock.toml where that is there.", envvar="LIFTLOCK_CONFIG"
        ),
    ] = None,
    *,
    floor: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The floor that no policy may be below; else the one that the settings name."
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="REV|DIR", help="Say what got weaker or stricter since a Git revision, or than in a directory."
        ),
    ] = None,
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
    base, findings = _read_floor(floor, config)
    checked = check_policies(
        chosen,
        shipped_gate_templates(),
        measures=Measures(
            scrape=_parse_scrape(scrape),
            floor=base,
            earlier=earlier_of(against) if against is not None else lambda _: {},
            tenancies=_tenancies(paths or [], config),
        ),
        keeps_policies=live,
    )
    if chosen and not checked.files:
        raise refusal(f"{visible(str(chosen[0]))}: there is no policy in it")
    if live:
        checked = with_live(checked, config or _SETTINGS)
    checked = replace(checked, findings=(*findings, *checked.findings))
    typer.echo(render_findings(checked, form))
    severities = {finding.severity for finding in checked.findings}
    is_weaker = fail_on_weakened and any(one.rule in LOOSER for one in checked.findings)
    if Severity.FAULT in severities or is_weaker:
        raise typer.Exit(BAD_NEWS)
    if Severity.UNASKED in severities:
        raise typer.Exit(CANNOT_TELL)


def _chosen(paths: Sequence[Path], config: Path | None) -> list[Path]:
    """Return what is to be checked; refuse what is not there. What a directory leaves out is left out by name, too."""
    places = list(paths) or [_usual(config)]
    for place in places:
        if not place.exists():
            raise refusal(f"{visible(str(place))}: there is no such file or directory")
    return [place for place in places if not place.name.endswith(_LEFT_OUT)]


def _usual(config: Path | None) -> Path:
    settings = _settings(config)
    return _POLICIES if settings is None else settings.bot.policies


def _tenancies(paths: Sequence[Path], config: Path | None) -> Mapping[str, Tenancy] | None:
    """Return what settings force that were named, or that named the directory; None without any."""
    settings = _settings(config) if config is not None or not paths else None
    return None if settings is None else {name: section.tenancy for name, section in settings.sources.items()}


def _read_floor(named: Path | None, config: Path | None) -> tuple[Floor | None, list[Finding]]:
    """Return the floor, and what is wrong with one that cannot be used: then the bot accepts no policy."""
    settings = _settings(config) if named is None else None
    place = named or (settings.bot.floor if settings is not None else None)
    if place is None:
        return None, []
    try:
        return FloorFile(path=place, templates=shipped_gate_templates()).read().floor, []
    except FloorError as error:
        return None, [Finding(fault=fault, rule="below-floor") for fault in error.faults]


def _settings(config: Path | None) -> Settings | None:
    place = config or (_SETTINGS if _SETTINGS.exists() else None)
    if place is None:
        return None
    with told_in_one_sentence():
        return load_settings(place)


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
) -> None:
    """Print the JSON Schema of a policy, by which editors complete and validate."""
    own: GateTemplates = {}
    if directory is not None:
        if not directory.is_dir():
            raise refusal(f"{visible(str(directory))}: there is no such directory")
        own = read_own_templates(directory).templates
    typer.echo(json.dumps(policy_schema({**shipped_gate_templates(), **own}), indent=2, ensure_ascii=False))
