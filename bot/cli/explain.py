"""`liftlock explain`: of one service, what each release waits for and why, with the evidence and how it came here."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.faults import BAD_NEWS, refusal, told_in_one_sentence
from bot.cli.options import ConfigOption
from bot.compose.records import read_board
from bot.domain.decision import Decision
from bot.domain.text import one_line
from bot.engine.record import AnotherVersion, as_json, missing_history, parse_decision
from bot.records import Posting
from bot.render.policies import fault_lines, policy_words
from bot.render.terminal import explanation_lines
from bot.settings import load_settings


def explain(
    what: Annotated[
        str, typer.Argument(metavar="SERVICE[/STAGE]", help="The service, or one stage of it.", show_default=False)
    ],
    config: ConfigOption = Path("liftlock.toml"),
    print_json: Annotated[bool, typer.Option("--json", help="Print the judgements as JSON.")] = False,
) -> None:
    """Say what each release of a service waits for, why, and how it came, as of the last sweep.

    Asks no server: `liftlock check` looks anew.
    """
    service, _, stage = what.partition("/")
    with told_in_one_sentence():
        board = read_board(load_settings(config))
    posting = next((item for item in board if item.subject == service), None)
    if posting is None:
        raise refusal(f"no service {service!r} has been looked at yet; `liftlock status` lists those that were")
    decision = _decision(posting)
    chosen = [one for one in decision.judgements if stage in ("", one.stage)]
    if not chosen:
        known = ", ".join(dict.fromkeys(one.stage for one in decision.judgements))
        raise refusal(f"{service} has no stage {stage!r}; its stages are: {known}")
    if print_json:
        typer.echo(json.dumps(as_json(replace(decision, judgements=tuple(chosen), actions=())), indent=2))
        return
    if posting.body.get("stop"):
        typer.echo(one_line(str(posting.body["stop"]), limit=400))
    for line in explanation_lines(decision, chosen):
        typer.echo(line)
    judged_by = policy_words(posting.body.get("policy"))
    if judged_by:
        typer.echo(f"\njudged by {judged_by}")
    # A newer version of it may be broken, while this one goes on.
    for other in board:
        if other.body.get("service") == service:
            typer.echo("\n".join(one_line(line, limit=600) for line in fault_lines(other.subject, other.body)))
    missing = missing_history(posting)
    if missing is not None:
        typer.echo(f"\n{missing.sentence}")


def _decision(posting: Posting) -> Decision:
    """Return what the last sweep decided; say why it did not where it could not."""
    told = posting.body.get("decision")
    if told is None:
        faults = posting.body.get("faults")
        told_faults = "; ".join(str(fault) for fault in faults) if isinstance(faults, list) else "no reason is known"
        why = one_line(str(posting.body.get("error") or told_faults), limit=1000)
        typer.echo(f"{posting.subject} could not be judged: {why}")
        raise typer.Exit(BAD_NEWS)
    try:
        return parse_decision(told)
    except AnotherVersion:
        raise refusal(f"{posting.subject} was last looked at by another version of Liftlock") from None
