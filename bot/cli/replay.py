"""`liftlock replay`: decide again, offline, what a commit's evidence stood for, and compare with what was recorded."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace as with_changes
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.faults import BAD_NEWS, refusal, told_in_one_sentence
from bot.cli.options import ConfigOption
from bot.compose.records import read_ledger
from bot.domain.decision import Decision, Judgement
from bot.domain.evidence import evidence_hash
from bot.domain.text import count_of, format_date_instant
from bot.engine.record import AnotherVersion, as_json, parse_decision
from bot.engine.record import replay as decide_again
from bot.records import Event, Ledger
from bot.render.terminal import verdict_lines
from bot.settings import load_settings

_HASH = re.compile(r"(?:sha256:)?(?P<digits>[0-9a-f]{8,64})")
_MOST_DECISIONS = 2_000
_MOST_POLICIES = 1_000


def replay(
    evidence: Annotated[
        str,
        typer.Argument(help="The hash of a commit's Liftlock-Evidence trailer, or its beginning.", show_default=False),
    ],
    config: ConfigOption = Path("liftlock.toml"),
) -> None:
    """Show the evidence that a promotion or rollback rests on, and decide again from what was observed then.

    Nothing outside is asked. Ends with 0 if the same comes out, byte for byte, 1 if not, 2 if the ledger lacks it.
    """
    wanted = _HASH.fullmatch(evidence.strip())
    if wanted is None:
        raise refusal(f"{evidence!r} is no evidence: expected the hash of a Liftlock-Evidence trailer")
    with told_in_one_sentence():
        settings = load_settings(config)
        with read_ledger(settings) as ledger:
            event, decision, judgement = _find(ledger, f"sha256:{wanted['digits']}")
            policy = _policy(ledger, decision)
    typer.echo(f"{evidence_hash(judgement.verdicts)}: decided at {format_date_instant(decision.at)}")
    for line in verdict_lines(decision, [judgement]):
        typer.echo(line)
    try:
        recorded, again = decide_again(event.body, policy)
    except AnotherVersion:
        raise refusal("another version of Liftlock recorded this decision: replay it with that version") from None
    differences = _differences(recorded, again)
    if differences:
        typer.echo("Decided again from what was observed then, something else comes out:")
        typer.echo("\n".join(differences))
        raise typer.Exit(BAD_NEWS)
    typer.echo("Decided again from what was observed then: the same, byte for byte.")


def _find(ledger: Ledger, wanted: str) -> tuple[Event, Decision, Judgement]:
    """Return the newest recorded decision with a judgement whose evidence has this hash."""
    events = ledger.events(kind="decision", limit=_MOST_DECISIONS)
    others = 0
    for event in events:
        try:
            decision = parse_decision(event.body["decision"])
        except AnotherVersion:
            others += 1
            continue
        for judgement in _proofs(decision):
            if judgement.verdicts and evidence_hash(judgement.verdicts).startswith(wanted):
                return event, decision, judgement
    older = f"; {count_of(others, 'decision')} of another version of Liftlock cannot be read" if others else ""
    raise refusal(f"none of the newest {len(events)} recorded decisions has the evidence {wanted}{older}")


def _proofs(decision: Decision) -> Iterator[Judgement]:
    """Return the judgements; a release that moves rests on those of the stage before and on those of its artifact."""
    yield from decision.judgements
    for there in decision.judgements:
        if there.role != "candidate" or not there.verdicts or there.release is None:
            continue
        for here in decision.judgements:
            if here.role == "running" and here.release is not None and here.release.tag == there.release.tag:
                yield with_changes(here, verdicts=(*here.verdicts, *there.verdicts))


def _policy(ledger: Ledger, decision: Decision) -> Mapping[str, object]:
    for event in ledger.events(service=decision.service, kind="policy", limit=_MOST_POLICIES):
        policy = event.body.get("policy")
        in_force = event.at <= decision.at and event.body.get("version") == decision.policy_version
        if in_force and isinstance(policy, dict):
            return policy
    raise refusal(f"the ledger does not have the policy {decision.policy_version[:12]} of {decision.service} any more")


def _differences(recorded: Decision, again: Decision) -> Sequence[str]:
    before, after = (json.dumps(as_json(one), indent=1, sort_keys=True).splitlines() for one in (recorded, again))
    return list(difflib.unified_diff(before, after, "recorded", "decided again", lineterm="", n=1))
