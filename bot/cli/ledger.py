"""`liftlock ledger`: read the record of what was seen, decided and done, and prove that nothing in it was changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from bot.adapters.ledger.chain import Broken, Chain, canonical, verify
from bot.cli.faults import BAD_NEWS, refusal, told_in_one_sentence
from bot.cli.options import ConfigOption
from bot.compose.records import read_archive
from bot.domain.text import count_of, format_date_instant, one_line
from bot.records import Archive, Entry
from bot.render.entries import as_json, entry_line, parse_entry
from bot.settings import load_settings

app = typer.Typer(
    help="Read the ledger, and prove that nothing in it was changed.", no_args_is_help=True, add_completion=False
)

_AT_ONCE = 1000
_HEAD_DIGITS = 12


@app.command("verify")
def verify_chain(
    file: Annotated[
        Path | None, typer.Argument(help="An export in JSON lines, instead of the ledger itself.", show_default=False)
    ] = None,
    head: Annotated[
        str | None, typer.Option(help="A head that was kept elsewhere: it must still be in the chain.")
    ] = None,
    config: ConfigOption = Path("liftlock.toml"),
) -> None:
    """Follow the chain of hashes over all entries; end with 1 where one was changed, left out or put in between.

    Cutting off the newest entries leaves a whole chain: keep the head that this prints, and give it with --head later.
    """
    seen: set[str] = set()
    with told_in_one_sentence():
        if file is not None:
            chain = _verified(_noted(_read(file), seen))
        else:
            with read_archive(load_settings(config)) as archive:
                chain = _verified(_noted(_all(archive), seen))
    if head is not None and not any(link.startswith(head.lower()) for link in seen):
        typer.echo(f"The chain is whole, but the head {head!r} is not in it: the newest entries are missing.")
        raise typer.Exit(BAD_NEWS)
    typer.echo(_told(chain))


def _told(chain: Chain) -> str:
    if chain.first is None or chain.last is None:
        return "The ledger is empty."
    thinned = f" {count_of(chain.thinned, 'old entry', 'old entries')} without a body." if chain.thinned else ""
    span = f"from {format_date_instant(chain.first)} to {format_date_instant(chain.last)}"
    return f"Nothing was changed: {count_of(chain.count, 'entry', 'entries')} {span}.{thinned}\nHead: {chain.head}"


def _verified(entries: Iterable[Entry]) -> Chain:
    try:
        return verify(entries)
    except Broken as broken:
        typer.echo(f"The ledger was changed: {broken}.")
        raise typer.Exit(BAD_NEWS) from None


def _noted(entries: Iterable[Entry], seen: set[str]) -> Iterator[Entry]:
    for entry in entries:
        yield entry
        seen.add(entry.link)


def _all(archive: Archive) -> Iterator[Entry]:
    last = 0
    while True:
        some = archive.entries(after=last, limit=_AT_ONCE)
        yield from some
        if len(some) < _AT_ONCE:
            return
        last = some[-1].number


def _read(file: Path) -> Iterator[Entry]:
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                entry = _parse(line)
                if entry is None:
                    raise refusal(f"{file}:{number}: no entry of a ledger: expected a line of `liftlock ledger export`")
                yield entry
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        raise refusal(f"{file} cannot be read: {said}") from None


def _parse(line: str) -> Entry | None:
    try:
        written = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return parse_entry(written, canonical) if isinstance(written, dict) else None


@app.command("export")
def export(
    service: Annotated[str | None, typer.Option(help="Only this service; such an export cannot be verified.")] = None,
    config: ConfigOption = Path("liftlock.toml"),
) -> None:
    """Print all entries as JSON lines, oldest first, with their hashes: `liftlock ledger verify FILE` checks them."""
    with told_in_one_sentence(), read_archive(load_settings(config)) as archive:
        for entry in _all(archive):
            if service in (None, entry.event.service):
                typer.echo(json.dumps(as_json(entry), ensure_ascii=False))


@app.command("show")
def show(
    service: Annotated[str | None, typer.Argument(help="Only this service.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only entries of this kind, such as decision or command.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many, the newest.")] = 20,
    number: Annotated[int | None, typer.Option(help="One entry, whole.")] = None,
    config: ConfigOption = Path("liftlock.toml"),
) -> None:
    """Print the newest entries, a line each, oldest first; or one of them whole, as JSON."""
    with told_in_one_sentence(), read_archive(load_settings(config)) as archive:
        if number is not None:
            _show_whole(archive, number)
            return
        chosen = [
            entry
            for entry in _all(archive)
            if service in (None, entry.event.service) and kind in (None, entry.event.kind)
        ]
    if not chosen:
        typer.echo(f"No entry of {one_line(service or 'any service')}{f' of the kind {kind!r}' if kind else ''}.")
    for entry in islice(chosen, max(0, len(chosen) - limit), None):
        typer.echo(entry_line(entry))


def _show_whole(archive: Archive, number: int) -> None:
    found = archive.entries(after=number - 1, limit=1)
    if not found or found[0].number != number:
        raise refusal(f"the ledger has no entry {number}")
    shown: Mapping[str, object] = as_json(found[0])
    typer.echo(json.dumps(shown, indent=2, ensure_ascii=True))
