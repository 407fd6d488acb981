"""`liftlock status`: where every release stands and why, from what the last sweep put on the board."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bot.cli.faults import BAD_NEWS, WRONG_USE, told_in_one_sentence
from bot.cli.run import ConfigOption
from bot.compose import read_board
from bot.engine.record import parse_decision
from bot.engine.sweep import SWEEP
from bot.ports import Posting
from bot.render.terminal import status_table
from bot.settings import load_settings


def status(
    service: Annotated[str | None, typer.Argument(help="Only this service.")] = None,
    config: ConfigOption = Path("liftlock.toml"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Show for every release what it waits on and why."""
    with told_in_one_sentence():
        settings = load_settings(config)
        postings = [item for item in read_board(settings) if item.subject != SWEEP]
    chosen = [item for item in postings if service in (None, item.subject)]
    if service is not None and not chosen:
        known = ", ".join(item.subject for item in postings) or "none yet"
        typer.echo(f"liftlock: no service {service!r} has been looked at; known are: {known}", err=True)
        raise typer.Exit(WRONG_USE)
    typer.echo(_json(chosen)) if as_json else _print(chosen)
    if any("decision" not in item.body for item in chosen):
        raise typer.Exit(BAD_NEWS)


def _json(postings: Sequence[Posting]) -> str:
    return json.dumps(
        [{"service": item.subject, "at": item.at.isoformat(), **item.body} for item in postings], indent=2
    )


def _print(postings: Sequence[Posting]) -> None:
    console = Console()
    if not postings:
        console.print("Nothing has been looked at yet: start `liftlock run`.")
        return
    decisions = [parse_decision(item.body["decision"]) for item in postings if "decision" in item.body]
    if decisions:
        console.print(status_table(decisions))
    for item in postings:
        for fault in _faults(item):
            console.print(f"{item.subject}: halted: {fault}", style="red", markup=False, highlight=False)


def _faults(posting: Posting) -> list[str]:
    if "faults" in posting.body:
        faults = posting.body["faults"]
        return [str(fault) for fault in faults] if isinstance(faults, list) else []
    return [str(posting.body["error"])] if "error" in posting.body else []
