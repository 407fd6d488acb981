"""The work of `liftlock policy backtest`: options to a backtest, its journal, its progress, and what is printed."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import typer
from pydantic import TypeAdapter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bot.adapters.clock import SystemClock
from bot.adapters.log import configure_logging
from bot.backtest.fates import Range
from bot.backtest.report import Report
from bot.cli.faults import NOTHING_TO_DO, WRONG_USE, refusal, told_in_one_sentence
from bot.compose.metrics import asking_of
from bot.compose.records import make_state_directory
from bot.compose.whole import Bot, compose
from bot.domain.edit import visible
from bot.domain.policy import Policy
from bot.domain.text import format_date_instant, parse_duration
from bot.hindsight.history import HistoryReader
from bot.hindsight.journal import ForeignJournal, Inputs, Journal, open_journal
from bot.hindsight.running import Backtest
from bot.hindsight.tiles import PastTiles
from bot.policy import PolicyError, shipped_gate_templates
from bot.policy.defaults import read_inherited
from bot.policy.directory import BelowFloor, under_floor
from bot.policy.files import read_text
from bot.policy.floor import FloorFile, ReadPolicy
from bot.policy.own_templates import read_own_templates
from bot.policy.parsing import read_policy
from bot.policy.resolving import resolve
from bot.ports import OutsideError
from bot.render.backtest_json import backtest_json
from bot.render.backtest_page import backtest_page
from bot.render.backtest_table import backtest_lines
from bot.settings import PrometheusSection, Settings, load_settings

_INTERRUPTED = 130
_POLICY = TypeAdapter(Policy)
_STALE = timedelta(days=1)
"""After so long a backtest up to now that was interrupted is not gone on with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options as they were given."""

    service: str
    since: str
    until: str | None
    policy: Path | None
    as_json: bool
    html: Path | None
    deploy_delay: str
    hotfix_within: str
    at_once: int
    pause: str
    resume: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The options as values. `delay` None: nobody knows when a release was live."""

    since: datetime
    until: datetime
    delay: timedelta | None
    hotfix: timedelta
    pause: timedelta


def run(options: Options, config: Path) -> None:
    """Run a backtest and print the report."""
    asked = _parse(options)
    with told_in_one_sentence():
        settings = _gently(load_settings(config), options.at_once)
        configure_logging(level="error", as_json=False)
        with compose(settings, dry_run=True, service=options.service) as bot:
            policy = _in_force(bot, options.service)
            new = read_new(options.policy, settings, policy)
            journal = _journal(options, settings, asked, [policy, *([new] if new is not None else [])])
            with _kept_when_it_ends(journal, options), _progress(options.service) as heard:
                report = _backtest(bot, asked, journal, policy, new, options).run(heard)
    _print(report, options)
    if options.resume is None:
        journal.remove()
    if not report.old.rows and (report.new is None or not report.new.rows):
        raise typer.Exit(NOTHING_TO_DO)


def _backtest(
    bot: Bot, asked: _Asked, journal: Journal, policy: Policy, new: Policy | None, options: Options
) -> Backtest:
    world, since = bot.sweeper.world, journal.inputs.since
    return Backtest(
        policy=policy,
        new=new,
        history=HistoryReader(world=world, since=since, deploy_delay=asked.delay),
        tiles=PastTiles(
            metrics=world.metrics, journal=journal, sleep=time.sleep, at_once=options.at_once, pause=asked.pause
        ),
        asked=Range(since=since, until=journal.inputs.until, hotfix=asked.hotfix),
        lag=bot.settings.bot.ingestion_lag,
        # A case may take as many looks as it needs: the pause between them is what goes easy on the server.
        asking=replace(asking_of(bot.settings), most={}),
    )


# --- what was asked for ----------------------------------------------------------------------------------------------


def _parse(options: Options) -> _Asked:
    now = SystemClock().now()
    until = _instant("--until", options.until, "a time such as 2026-03-02T12:00Z") if options.until else now
    if until > now:
        raise refusal(f"--until {visible(str(options.until))}: that is still to come")
    since = _since(options.since, until)
    if since >= until:
        raise refusal(f"--since {visible(options.since)}: expected a time before {format_date_instant(until)}")
    delay = None if options.deploy_delay == "unknown" else _duration("--deploy-delay", options.deploy_delay)
    return _Asked(
        since=since,
        until=until,
        delay=delay,
        hotfix=_duration("--hotfix-within", options.hotfix_within),
        pause=_duration("--pause", options.pause),
    )


def _since(text: str, until: datetime) -> datetime:
    try:
        return until - parse_duration(text)
    except ValueError:
        return _instant("--since", text, "a duration such as 30d, or a time such as 2026-03-02T12:00Z")


def _instant(option: str, text: str, expected: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise refusal(f"{option} {visible(text)!r}: expected {expected}") from None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _duration(option: str, text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise refusal(f"{option} {visible(text)!r}: {error}") from None


def _gently(settings: Settings, at_once: int) -> Settings:
    """Return the settings with no more queries at once than asked for."""

    def gentle(section: PrometheusSection) -> PrometheusSection:
        return section.model_copy(update={"at_once": min(at_once, section.at_once)})

    others = {name: gentle(section) for name, section in settings.prometheus_servers.items()}
    return settings.model_copy(update={"prometheus": gentle(settings.prometheus), "prometheus_servers": others})


def _in_force(bot: Bot, service: str) -> Policy:
    policies, broken = bot.sweeper.load_policies()
    if policies:
        return policies[0]
    faults = [fault for one in broken for fault in one.faults]
    for fault in faults:
        typer.echo(fault, err=True)
    unread = "; some cannot be read" if faults else ""
    raise refusal(f"no policy describes the service {visible(service)!r}{unread}")


def read_new(path: Path | None, settings: Settings, old: Policy) -> Policy | None:
    """Read the policy to compare with, with the templates and the floor of those in force; say all that is wrong."""
    if path is None:
        return None
    # Where those in force are in a repository, what lies beside the new one is what it will lie beside there.
    home = settings.bot.policies or path.parent
    try:
        new = _read(path, home, settings.bot.floor)
    except PolicyError as error:
        for fault in error.faults:
            typer.echo(str(fault), err=True)
        raise typer.Exit(WRONG_USE) from None
    if new.service != old.service:
        raise refusal(f"{visible(str(path))} describes {new.service}, and not {old.service}")
    if (new.gitops.repository, new.gitops.branch) != (old.gitops.repository, old.gitops.branch):
        raise refusal(f"{visible(str(path))} is of another repository or branch than the policy in force")
    return new


def _read(path: Path, home: Path, floor: Path | None) -> Policy:
    """Read a policy as it would come into force in the directory `home`, under the floor."""
    own, shipped = read_own_templates(home), shipped_gate_templates()
    templates = {**shipped, **own.templates}
    resolved = resolve(read_text(path, file=str(path)), file=str(path), inherited=read_inherited(home))
    policy = read_policy(resolved, templates=templates, broken=own.broken)
    minimum = None if floor is None else FloorFile(path=floor, templates=shipped).read().floor
    read = ReadPolicy(policy=policy, tree=resolved.tree, templates=templates, own=own.texts.keys())
    held = under_floor(read, minimum)
    if isinstance(held, BelowFloor):
        raise held
    return held


# --- what is kept ----------------------------------------------------------------------------------------------------


def _journal(options: Options, settings: Settings, asked: _Asked, policies: Sequence[Policy]) -> Journal:
    inputs = Inputs(of=_inputs(options, settings, policies), since=asked.since, until=asked.until)
    path = options.resume or _usual_path(settings, options.service, inputs)
    try:
        journal = open_journal(path, inputs)
        if options.resume is None and asked.until - journal.inputs.until > _STALE:
            journal.remove()
            journal = open_journal(path, inputs)
    except ForeignJournal as error:
        raise refusal(visible(str(error))) from None
    except OSError as error:
        raise refusal(f"{visible(str(path))} cannot be written: {error.strerror}") from None
    if not journal.is_empty:
        until = format_date_instant(journal.inputs.until)
        typer.echo(f"liftlock: going on with the backtest up to {until} that {visible(str(path))} has", err=True)
    return journal


def _inputs(options: Options, settings: Settings, policies: Sequence[Policy]) -> dict[str, str]:
    """Return all that goes into a backtest, by the names that a refusal calls it."""
    meanings = [hashlib.sha256(_POLICY.dump_json(policy)).hexdigest() for policy in policies]
    return {
        "the service": options.service,
        "the policy": meanings[0],
        "the new policy": meanings[1] if len(meanings) > 1 else "",
        "--since": options.since,
        "--until": options.until or "",
        "--deploy-delay": options.deploy_delay,
        "--hotfix-within": options.hotfix_within,
        "the Prometheus": " ".join(
            f"{name} {one.url} {one.tenant or ''} {one.tenancy}" for name, one in sorted(settings.sources.items())
        ),
        "the ingestion lag": str(settings.bot.ingestion_lag.total_seconds()),
    }


def _usual_path(settings: Settings, service: str, inputs: Inputs) -> Path:
    folder = settings.bot.state / "backtests"
    make_state_directory(folder)
    digest = hashlib.sha256(json.dumps(dict(inputs.of), sort_keys=True).encode()).hexdigest()
    return folder / f"{service}-{digest[:16]}.jsonl"


@contextmanager
def _kept_when_it_ends(journal: Journal, options: Options) -> Iterator[None]:
    """Say where what was read is kept, if it does not come to an end."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"liftlock: interrupted; {_what_is_kept(journal, options)}", err=True)
        raise typer.Exit(_INTERRUPTED) from None
    except OutsideError:
        typer.echo(f"liftlock: {_what_is_kept(journal, options)}", err=True)
        raise


def _what_is_kept(journal: Journal, options: Options) -> str:
    if not journal.is_empty:
        return f"what was read is kept in {visible(str(journal.path))}; the same command goes on from there"
    if options.resume is None:
        journal.remove()
    return "nothing was read yet"


@contextmanager
def _progress(service: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar with the time left on a terminal; nothing anywhere else."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"backtesting {service}", total=None)
        yield lambda done, whole: bar.update(task, completed=done, total=whole)


# --- what is printed -------------------------------------------------------------------------------------------------


def _print(report: Report, options: Options) -> None:
    if options.html is not None:
        try:
            options.html.write_text(backtest_page(report), encoding="utf-8")
        except OSError as error:
            raise refusal(f"{visible(str(options.html))} cannot be written: {error.strerror}") from None
        typer.echo(f"liftlock: the page is in {visible(str(options.html))}", err=True)
    if options.as_json:
        typer.echo(json.dumps(backtest_json(report), indent=2))
    elif options.html is None:
        for line in backtest_lines(report):
            typer.echo(line)
