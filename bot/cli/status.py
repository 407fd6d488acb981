"""`liftlock status`: where every release stands and why, from what the last sweep put on the board."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from bot.cli.faults import BAD_NEWS, NOTHING_TO_DO, refusal, told_in_one_sentence
from bot.cli.options import ConfigOption
from bot.cli.watching import Anew, Board, InPlace, watch, without_instants
from bot.compose.records import read_board
from bot.domain.text import count_of, one_line
from bot.engine.record import AnotherVersion, missing_history, parse_decision
from bot.engine.signals import stop_signals
from bot.records import SWEEP, Posting
from bot.render.policies import fault_lines, policy_words
from bot.render.terminal import status_table
from bot.settings import load_settings

_EVERY_SECONDS = 5


def status(
    service: Annotated[str | None, typer.Argument(help="Only this service.")] = None,
    config: ConfigOption = Path("liftlock.toml"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    cost: Annotated[bool, typer.Option("--cost", help="Show what Prometheus and GitHub are asked for.")] = False,
    watching: Annotated[
        bool, typer.Option("--watch", "-w", help="Show it anew every few seconds, until Ctrl-C; --json: on change.")
    ] = False,
    interval: Annotated[
        int | None, typer.Option("--interval", min=1, max=3600, help="Seconds between two looks of --watch.")
    ] = None,
) -> None:
    """Show for every release what it waits on and why."""
    if watching and cost:
        raise refusal("--watch shows releases; leave out --cost")
    if interval is not None and not watching:
        raise refusal("--interval only with --watch")
    with told_in_one_sentence():
        settings = load_settings(config)
        board = read_board(settings)
    if cost:
        _print_cost(board, as_json=as_json)
        return
    chosen = _chosen(board, service)
    if service is not None and not chosen:
        known = ", ".join(item.subject for item in _chosen(board, None)) or "none yet"
        raise refusal(f"no service {service!r} has been looked at; known are: {known}")
    if watching:
        _watch(chosen, lambda: _chosen(read_board(settings), service), interval or _EVERY_SECONDS, as_json=as_json)
        return
    typer.echo(_json(chosen)) if as_json else Console().print(_view(chosen))
    if any("decision" not in item.body for item in chosen):
        raise typer.Exit(BAD_NEWS)


def _chosen(board: Sequence[Posting], service: str | None) -> Sequence[Posting]:
    return [item for item in board if item.subject != SWEEP and service in (None, item.subject)]


def _watch(first: Board, read: Callable[[], Board], seconds: int, *, as_json: bool) -> None:
    """Show it until Ctrl-C or SIGTERM: that is the usual end, and no bad news."""
    console = Console()
    with stop_signals() as stop:

        def is_over() -> bool:
            return stop.wait(seconds)

        if as_json:
            lines = Anew(text=_json_line, key=lambda board: without_instants(_plain(board)))
            watch(first, read, lines, is_over)
        elif not console.is_terminal or console.is_dumb_terminal:
            tables = Anew(text=lambda board: _text(console, board), key=lambda board: _text(console, board))
            watch(first, read, tables, is_over)
        else:
            with Live(console=console, auto_refresh=False) as live:
                watch(first, read, InPlace(live=live, view=_view), is_over)


def _text(console: Console, board: Board) -> str:
    with console.capture() as captured:
        console.print(_view(board))
    return captured.get()


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


def _json(board: Board) -> str:
    return json.dumps(_plain(board), indent=2)


def _json_line(board: Board) -> str:
    return json.dumps(_plain(board))


def _plain(board: Board) -> list[dict[str, object]]:
    return [{"service": item.subject, "at": item.at.isoformat(), **item.body} for item in board]


def _view(board: Board) -> RenderableType:
    """Return the table of all releases, and below it a line for each service that has no place in it."""
    if not board:
        return Text("Nothing has been looked at yet: start `liftlock run`.")
    decisions, others = [], []
    for item in board:
        try:
            decisions += [parse_decision(item.body["decision"])] if "decision" in item.body else []
        except AnotherVersion:
            # The next sweep writes it anew.
            others.append(Text(f"{item.subject}: last looked at by another version of Liftlock"))
    table = [status_table(decisions)] if decisions else []
    stops = dict.fromkeys(str(item.body["stop"]) for item in board if item.body.get("stop"))
    held = [Text(one_line(stop, limit=400), style="red") for stop in stops]
    missing = [Text(line) for line in _missing_lines(board)]
    faults = [_fault_text(item, line) for item in board for line in fault_lines(item.subject, item.body)]
    judged = [Text(f"Judged by {policy_words(board[0].body['policy'])}.")] if _is_one_judged(board) else []
    return Group(*held, *table, *judged, *others, *missing, *faults)


def _is_one_judged(board: Board) -> bool:
    return len(board) == 1 and bool(policy_words(board[0].body.get("policy")))


def _fault_text(posting: Posting, line: str) -> Text:
    return Text(line, style="yellow" if posting.body.get("in_force") else "red")


def _missing_lines(postings: Sequence[Posting]) -> Iterator[str]:
    """Say for a week after a ledger began what history is missing; `liftlock explain` says it always."""
    told = [(item, missing) for item in postings if (missing := missing_history(item)) is not None]
    fresh = [(item.subject, missing.sentence) for item, missing in told if item.at < missing.since + _A_WEEK]
    yield from (f"{subject}: {sentence}" for subject, sentence in fresh[:_MOST_MISSING])
    if len(fresh) > _MOST_MISSING:
        more = count_of(len(fresh) - _MOST_MISSING, "other service")
        yield f"History of {more} is missing as well; `liftlock explain SERVICE` says what."
