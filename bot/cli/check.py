"""`liftlock check`: judge one service now, or as of a past time, with the whole explanation; changes nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bot.adapters.clock import SystemClock
from bot.adapters.log import configure_logging
from bot.cli.faults import BAD_NEWS, CANNOT_TELL, NOTHING_TO_DO, refusal, told_in_one_sentence
from bot.cli.options import ConfigOption
from bot.compose.whole import compose
from bot.domain.decision import Decision, Judgement, State
from bot.domain.verdicts import VerdictKind, combine
from bot.engine.record import as_json as to_json
from bot.engine.sweep import ServiceReport
from bot.render.terminal import narrow_tiles, verdict_lines
from bot.settings import load_settings

NO_DATA = 4
_CODES: Mapping[VerdictKind, int] = {
    VerdictKind.HEALTHY: 0,
    VerdictKind.UNHEALTHY: BAD_NEWS,
    VerdictKind.NOT_YET: NOTHING_TO_DO,
    VerdictKind.NO_DATA: NO_DATA,
    VerdictKind.CANNOT_TELL: CANNOT_TELL,
}


_AT_REST = (State.SETTLED, State.ROLLED_BACK, State.OFFERED)


def check(
    service: Annotated[str, typer.Argument(help="The service, as its policy calls it.", show_default=False)],
    config: ConfigOption = Path("liftlock.toml"),
    stage: Annotated[str | None, typer.Option(help="Only this stage.")] = None,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="Judge what was measured up to then: 2026-03-02T12:00Z.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the judgements as JSON.")] = False,
) -> None:
    """Judge a service and say why, without changing anything.

    Ends with 0 if every gate is healthy, 1 if one is unhealthy, 3 not yet, 4 no data, 5 cannot tell; 2 is wrong use.
    With --at, Git and Argo CD are as they are now; what was measured counts up to then.
    """
    with told_in_one_sentence():
        moment = _parse_instant(at)
        settings = load_settings(config)
        configure_logging(level="error", as_json=False)
        is_watched = sys.stderr.isatty() and not as_json
        waiting = Console(stderr=True).status(f"asking about {service}") if is_watched else nullcontext()
        with compose(settings, dry_run=True, service=service, at=moment) as bot, waiting:
            reports = bot.sweeper.sweep()
    decision = _decision(service, reports)
    judgements = _chosen(decision, stage)
    for warning in narrow_tiles(judgements):
        typer.echo(f"liftlock: {warning}", err=True)
    if as_json:
        typer.echo(json.dumps(to_json(replace(decision, judgements=tuple(judgements), actions=())), indent=2))
    else:
        for line in verdict_lines(decision, judgements):
            typer.echo(line)
    raise typer.Exit(max_code(judgements))


def _parse_instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise refusal(f"--at {text!r}: expected a time such as 2026-03-02T12:00Z") from None
    moment = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    if moment > SystemClock().now():
        raise refusal(f"--at {text}: that is still to come")
    return moment


def _decision(service: str, reports: Sequence[ServiceReport]) -> Decision:
    for report in reports:
        if report.subject == service and report.decision is not None:
            return report.decision
        if report.subject == service:
            typer.echo(f"liftlock: {service} could not be judged: {report.error}", err=True)
            raise typer.Exit(CANNOT_TELL)
    broken = "; ".join(report.error for report in reports if report.error is not None)
    unread = f"; some cannot be read: {broken}" if broken else ""
    raise refusal(f"no policy describes the service {service!r}{unread}")


def _chosen(decision: Decision, stage: str | None) -> list[Judgement]:
    chosen = [one for one in decision.judgements if stage in (None, one.stage)]
    if not chosen:
        known = ", ".join(dict.fromkeys(one.stage for one in decision.judgements))
        raise refusal(f"{decision.service} has no stage {stage!r}; its stages are: {known}")
    return chosen


def max_code(judgements: Sequence[Judgement]) -> int:
    """Return the exit code of what the gates say together; a stage that could not be read is *cannot tell*.

    A release that is still on its way is *not yet*, although no gate has said anything of it.
    """
    verdicts = [verdict for one in judgements for verdict in one.verdicts]
    if any(one.state is State.CANNOT_TELL for one in judgements) and combine(verdicts) is not VerdictKind.UNHEALTHY:
        return CANNOT_TELL
    if verdicts:
        return _CODES[combine(verdicts)]
    is_on_its_way = any(one.role == "running" and one.state not in _AT_REST for one in judgements)
    return NOTHING_TO_DO if is_on_its_way else 0
