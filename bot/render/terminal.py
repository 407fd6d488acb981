"""Decisions for the terminal and for programs: sentences, a table, plain JSON values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import assert_never

from rich.table import Table
from rich.text import Text

from bot.domain.decision import (
    Action,
    AskRefresh,
    ClosePromotion,
    CommitPromotion,
    Decision,
    DisarmPromotion,
    Halt,
    Judgement,
    MergePromotion,
    OpenPromotion,
    ReadyPromotion,
    RemakePromotion,
    RollBack,
    StartSync,
    State,
    UpdatePromotion,
    Wait,
)
from bot.domain.path import path_of
from bot.domain.text import format_date_instant, format_duration, one_line
from bot.domain.verdicts import SCRAPES_IN_A_TILE, MeasuredEvidence
from bot.render.approvals import approval_lines
from bot.render.course import sparkline
from bot.render.timeline import timeline_lines
from bot.render.way import way_line

_COLOURS = {
    State.UNHEALTHY: "red",
    State.NOT_TRUSTED: "red",
    State.ROLLING_BACK: "red",
    State.QUARANTINED: "red",
    State.HALTED: "red",
    State.DEADLINE_PASSED: "red",
    State.CANNOT_TELL: "yellow",
    State.REJECTED_BY_HUMAN: "yellow",
    State.WAITING_FOR_HUMAN: "yellow",
    State.PROVEN: "green",
    State.LET_PASS: "green",
    State.SETTLED: "green",
    State.OFFERED: "green",
    State.READY_TO_MERGE: "green",
    State.READY_TO_PROPOSE: "green",
}


def colour_of(state: State) -> str:
    """Return the colour in which a state is shown."""
    return _COLOURS.get(state, "cyan")


def status_table(decisions: Sequence[Decision]) -> Table:
    """Return a row for each release: where it stands, what it waits on, and why."""
    table = Table(box=None, pad_edge=False, show_edge=False, header_style="bold")
    for heading in ("service", "stage", "release", "state", "waits on", "why"):
        table.add_column(heading, overflow="fold")
    for decision in decisions:
        for judgement in decision.judgements:
            table.add_row(*_cells(decision.service, judgement, decision.judgements))
    return table


def _cells(service: str, judgement: Judgement, judgements: Sequence[Judgement]) -> list[Text]:
    arrow = "→ " if judgement.role == "candidate" else ""
    release = judgement.release.tag if judgement.release else "?"
    return [
        Text(service),
        Text(f"{arrow}{judgement.stage}"),
        Text(one_line(release)),
        Text(str(judgement.state), style=colour_of(judgement.state)),
        Text(str(judgement.waits_on)),
        Text("\n".join(_why(judgement, judgements))),
    ]


def _why(judgement: Judgement, judgements: Sequence[Judgement]) -> Iterable[str]:
    yield one_line(judgement.reason, limit=400)
    if judgement.role == "candidate":
        yield way_line(path_of(judgement, judgements))


def verdict_lines(decision: Decision, judgements: Sequence[Judgement]) -> list[str]:
    """Return each judgement's sentence, and below it each gate's verdict, its reason, and what would change it."""
    lines = []
    for judgement in judgements:
        lines.append(_judged(decision.service, judgement))
        for verdict in judgement.verdicts:
            is_said = verdict.would_change in verdict.reason
            change = "" if is_said else f" (would change it: {one_line(verdict.would_change)})"
            shadow = " (shadow)" if verdict.is_shadow else ""
            bars = sparkline(verdict)
            reason = f"{one_line(verdict.reason, limit=400)}{f' {bars}' if bars else ''}"
            lines.append(f"  {one_line(verdict.gate)}{shadow}: {verdict.kind}: {reason}{change}")
    return lines


def explanation_lines(decision: Decision, judgements: Sequence[Judgement]) -> list[str]:
    """Return each judgement with what it waits on, its gates, and the steps by which a running release came."""
    lines = [f"{decision.service} as of {format_date_instant(decision.at)}"]
    for judgement in judgements:
        lines += ["", *verdict_lines(decision, [judgement])]
        if judgement.role == "candidate":
            lines.append(f"  path: {way_line(path_of(judgement, decision.judgements))}")
        lines += [f"  {line}" for line in approval_lines(judgement.approvals)]
        lines.append(f"  waits on: {judgement.waits_on}")
        lines += [f"  {line}" for line in timeline_lines(judgement.timeline)]
    return lines


def narrow_tiles(judgements: Sequence[Judgement]) -> list[str]:
    """Return a warning for each rule whose tiles hold fewer than four scrapes."""
    return [
        f"{one_line(verdict.gate)}: its tiles of {format_duration(measured.tile)} hold fewer than {SCRAPES_IN_A_TILE} "
        f"scrapes of {format_duration(measured.scrape)}; counts are rough"
        for judgement in judgements
        for verdict in judgement.verdicts
        if isinstance(verdict.evidence, MeasuredEvidence)
        and (measured := verdict.evidence.measured).is_coarse
        and measured.scrape is not None
    ]


def decision_lines(decision: Decision, *, dry_run: bool) -> list[str]:
    """Return a sentence for each release and for each action that is more than waiting."""
    lines = [_judged(decision.service, judgement) for judgement in decision.judgements]
    lines += [
        f"{decision.service}/{action.stage}: {describe_action(action, dry_run=dry_run)}"
        for action in decision.actions
        if not isinstance(action, Wait)
    ]
    return lines


def _judged(service: str, judgement: Judgement) -> str:
    release = judgement.release.tag if judgement.release else "unknown release"
    what = "is to come" if judgement.role == "candidate" else "runs"
    reason = one_line(judgement.reason, limit=400)
    return f"{service}/{judgement.stage}: {one_line(release)} {what}: {judgement.state}: {reason}"


def describe_action(action: Action, *, dry_run: bool) -> str:
    """Say in one sentence what is done, or would be done in a dry run."""
    said = _said(action)
    return f"would {said}" if dry_run else said


def _said(action: Action) -> str:
    said: str
    match action:
        case Halt():
            said = f"stop and ask a person: {one_line(action.reason, limit=400)}"
        case Wait():
            said = f"wait: {one_line(action.reason, limit=400)}"
        case RollBack():
            move = f"{action.release.tag} back to {action.back_to.tag} by {action.road}"
            said = f"take {move}: {one_line(action.reason)}"
        case AskRefresh():
            said = f"ask Argo CD to {'hard-refresh' if action.is_hard else 'refresh'} {action.application}"
        case StartSync():
            said = f"start a sync of {action.application} to {action.revisions[0][:7]}"
        case _:
            said = _promoted(action)
    return one_line(said, limit=600)


_Promoting = (
    OpenPromotion
    | CommitPromotion
    | ReadyPromotion
    | RemakePromotion
    | DisarmPromotion
    | UpdatePromotion
    | MergePromotion
    | ClosePromotion
)


def _promoted(action: _Promoting) -> str:
    said: str
    match action:
        case OpenPromotion():
            what = "a draft" if action.is_draft else "a pull request"
            said = f"open {what} for {_move(action)}: {one_line(action.reason)}"
        case CommitPromotion():
            said = f"commit {_move(action)}: {one_line(action.reason)}"
        case ReadyPromotion():
            said = f"mark #{action.number} ready for review: {one_line(action.reason)}"
        case RemakePromotion():
            said = f"make #{action.number} anew: {one_line(action.reason)}"
        case DisarmPromotion():
            said = f"take back the auto-merge of #{action.number}: {one_line(action.reason)}"
        case UpdatePromotion():
            said = f"bring the evidence on #{action.number} up to date"
        case MergePromotion():
            said = f"merge #{action.number} at {action.head[:7]}: {one_line(action.reason)}"
        case ClosePromotion():
            said = f"close #{action.number}: {one_line(action.reason)}"
        case _:  # pragma: no cover
            assert_never(action)
    return said


def _move(action: OpenPromotion | CommitPromotion) -> str:
    return f"{action.release.tag} (now {action.replaces.tag or 'nothing'})"
