"""`liftlock status`: where every release stands and why, from what the last sweep put on the board."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.cli.faults import BAD_NEWS, NOTHING_TO_DO, WRONG_USE, told_in_one_sentence
from bot.cli.run import ConfigOption
from bot.compose import read_board
from bot.domain.text import count_of
from bot.engine.record import AnotherVersion, missing_history, parse_decision
from bot.engine.sweep import SWEEP
from bot.records import Posting
from bot.render.terminal import status_table
from bot.settings import load_settings


def status(
    service: Annotated[str | None, typer.Argument(help="Only this service.")] = None,
    config: ConfigOption = Path("liftlock.toml"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    cost: Annotated[bool, typer.Option("--cost", help="Show what Prometheus and GitHub are asked for.")] = False,
) -> None:
    """Show for every release what it waits on and why."""
    with told_in_one_sentence():
        settings = load_settings(config)
        board = read_board(settings)
    if cost:
        _print_cost(board, as_json=as_json)
        return
    postings = [item for item in board if item.subject != SWEEP]
    chosen = [item for item in postings if service in (None, item.subject)]
    if service is not None and not chosen:
        known = ", ".join(item.subject for item in postings) or "none yet"
        typer.echo(f"liftlock: no service {service!r} has been looked at; known are: {known}", err=True)
        raise typer.Exit(WRONG_USE)
    typer.echo(_json(chosen)) if as_json else _print(chosen)
    if any("decision" not in item.body for item in chosen):
        raise typer.Exit(BAD_NEWS)


def _print_cost(board: Sequence[Posting], *, as_json: bool) -> None:
    """Print what the last sweep and all since the start asked of Prometheus, and what is used of GitHub's limits."""
    sweep = next((item for item in board if item.subject == SWEEP), None)
    if sweep is None:
        typer.echo("no sweep has ended yet", err=True)
        raise typer.Exit(NOTHING_TO_DO)
    names = {"cost": "the last sweep", "cost_since_start": "since the bot started"}
    body = {name: sweep.body.get(name, {}) for name in (*names, "forge")}
    if as_json:
        typer.echo(json.dumps({"at": sweep.at.isoformat(), "services": sweep.body.get("services"), **body}, indent=2))
        return
    table = Table(box=None, pad_edge=False, show_edge=False, header_style="bold")
    table.add_column("Prometheus")
    for heading in ("queries", "series", "points"):
        table.add_column(heading, justify="right")
    for name, title in names.items():
        counts = body[name]
        cells = counts if isinstance(counts, dict) else {}
        table.add_row(title, *(f"{int(cells.get(unit, 0)):,}" for unit in ("queries", "series", "points")))
    Console().print(table)
    forge = body["forge"]
    for one in _forge_tables(forge if isinstance(forge, dict) else {}):
        Console().print()
        Console().print(one)


_FORGE_ROWS = {
    "REST requests": "rest_requests",
    "  that cost nothing (not modified)": "not_modified",
    "GraphQL requests": "graphql_requests",
    "GraphQL points": "graphql_points",
    "writes refused, to be tried again": "writes_refused",
    "writes waiting now": "writes_waiting",
    "REST requests left this hour": "requests_remaining",
    "GraphQL points left this hour": "points_remaining",
    "REST points in the last minute": "rest_points_minute",
    "new content in the last minute": "content_minute",
    "new content in the last hour": "content_hour",
}
"""What is told of each account, by the name of its number; what GitHub has not told yet is left empty."""
_A_WEEK = timedelta(days=7)
_MOST_MISSING = 5
_ACCOUNTS_BESIDE = 3
_WIDEST_ACCOUNT = 14
"""So many accounts stand beside each other in a terminal of 80 columns."""


def _forge_tables(forge: Mapping[str, object]) -> Iterator[Table]:
    for start in range(0, len(forge), _ACCOUNTS_BESIDE):
        some = list(forge.items())[start : start + _ACCOUNTS_BESIDE]
        table = Table(box=None, pad_edge=False, show_edge=False, header_style="bold")
        table.add_column("GitHub, since the bot started", no_wrap=True, min_width=max(map(len, _FORGE_ROWS)))
        for account, _ in some:
            heading = Text(account, overflow="ellipsis", no_wrap=True)
            table.add_column(heading, justify="right", max_width=_WIDEST_ACCOUNT)
        for title, name in _FORGE_ROWS.items():
            table.add_row(title, *(_cell(told, name) for _, told in some))
        yield table


def _cell(told: object, name: str) -> str:
    return f"{int(told[name]):,}" if isinstance(told, dict) and name in told else ""


def _json(postings: Sequence[Posting]) -> str:
    return json.dumps(
        [{"service": item.subject, "at": item.at.isoformat(), **item.body} for item in postings], indent=2
    )


def _print(postings: Sequence[Posting]) -> None:
    console = Console()
    if not postings:
        console.print("Nothing has been looked at yet: start `liftlock run`.")
        return
    decisions, others = [], []
    for item in postings:
        try:
            decisions += [parse_decision(item.body["decision"])] if "decision" in item.body else []
        except AnotherVersion:
            others.append(item.subject)
    if decisions:
        console.print(status_table(decisions))
    for subject in others:
        # The next sweep writes it anew.
        console.print(f"{subject}: last looked at by another version of Liftlock", markup=False, highlight=False)
    for line in _missing_lines(postings):
        console.print(line, markup=False, highlight=False)
    for item in postings:
        for fault in _faults(item):
            console.print(f"{item.subject}: halted: {fault}", style="red", markup=False, highlight=False)


def _missing_lines(postings: Sequence[Posting]) -> Iterator[str]:
    """Say for a week after a ledger began what history is missing; `liftlock explain` says it always."""
    told = [(item, missing) for item in postings if (missing := missing_history(item)) is not None]
    fresh = [(item.subject, missing.sentence) for item, missing in told if item.at < missing.since + _A_WEEK]
    yield from (f"{subject}: {sentence}" for subject, sentence in fresh[:_MOST_MISSING])
    if len(fresh) > _MOST_MISSING:
        more = count_of(len(fresh) - _MOST_MISSING, "other service")
        yield f"History of {more} is missing as well; `liftlock explain SERVICE` says what."


def _faults(posting: Posting) -> list[str]:
    if "faults" in posting.body:
        faults = posting.body["faults"]
        return [str(fault) for fault in faults] if isinstance(faults, list) else []
    return [str(posting.body["error"])] if "error" in posting.body else []
