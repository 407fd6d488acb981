"""The first screen of a release whose way has ended: it arrived, was taken back, or its pull request is closed."""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.decision import Judgement, State, WaitsOn
from bot.domain.pulls import PullState
from bot.domain.text import format_date_instant
from bot.render.escape import code, plain
from bot.render.links import commit_link
from bot.render.people import ROADS
from bot.render.stops import rejected
from bot.render.views import CommentView
from bot.render.words import NEVER, NOBODY, Screen, capital, move_of, person


def reverted(view: CommentView) -> Screen | None:
    """Say that it was taken back."""
    if view.reverted_by is None:
        return None
    link = commit_link(view.forge_url, view.policy.gitops.repository, view.reverted_by)
    at = f" at {format_date_instant(view.reverted_at)}" if view.reverted_at else ""
    if view.did_not_help is not None:
        return Screen(
            word="Rolled back.",
            lead=f"{code(view.release.tag)} was taken out of {code(view.stage.name)} by {link}{at}.",
            why=f"{capital(plain(view.did_not_help))}.",
            who=f"{person(view)} The cause is elsewhere; {code(view.release.tag)} stays quarantined.",
            when=NEVER,
        )
    return Screen(
        word="Rolled back.",
        lead=f"{code(view.release.tag)} was taken out of {code(view.stage.name)} by {link}{at}.",
        why=f"{plain(view.reverted_why)}." if view.reverted_why else "",
        who="Nobody, unless it is to move there again: it is quarantined.",
        when=NEVER,
    )


def superseded(view: CommentView) -> Screen | None:
    """Say which pull request took its place."""
    newer = view.circumstances.superseded_by
    if newer is None:
        return None
    return Screen(
        word="Superseded.",
        lead=f"#{newer} carries a newer release to {code(view.stage.name)}. Do not merge this.",
        why="One pull request carries one release, so that no approval passes to another.",
        who=f"Nobody here; see #{newer}.",
        when=NEVER,
    )


def arrived(view: CommentView) -> Screen | None:
    """Say how it goes after the merge."""
    running = view.running
    if running is None:
        pull = view.circumstances.pull
        if pull is None or pull.state is not PullState.MERGED:
            return None
        who = f" by {code(pull.merged_by)}" if pull.merged_by else ""
        waits = "Argo CD brings it there; Liftlock tells here when it is live."
        lead = f"{move_of(view)} was merged{who}."
        return Screen(word="Merged.", lead=lead, why=_candidate_reason(view), who=NOBODY, when=waits)
    word = _ARRIVED.get(running.state, "Merged.")
    return Screen(
        word=word,
        lead=_where(view, running),
        why=f"{plain(running.reason)}.",
        who=person(view) if running.waits_on is WaitsOn.HUMAN else NOBODY,
        when=_after(view, running),
    )


def _where(view: CommentView, running: Judgement) -> str:
    if running.state in (State.SETTLED, State.PROVEN, State.LET_PASS):
        return f"{code(view.release.tag)} runs in {code(view.stage.name)}."
    return f"{code(view.release.tag)} is in {code(view.stage.name)}: {running.state}."


_ARRIVED: Mapping[State, str] = {
    State.ROLLING_BACK: "Being rolled back.",
    State.HALTED: "Stopped.",
    State.UNHEALTHY: "Unhealthy.",
    State.DEADLINE_PASSED: "No verdict.",
    State.SETTLED: "Done.",
    State.PROVEN: "Done.",
    State.LET_PASS: "Done.",
}


def _after(view: CommentView, running: Judgement) -> str:
    if running.state is State.WATCHING and view.stage.rollback is not None:
        return f"If a trigger fires, Liftlock takes it back by {ROADS[view.stage.rollback.by]}."
    if running.state is State.ROLLING_BACK:
        return "Liftlock takes it back now."
    return NEVER if running.waits_on is WaitsOn.HUMAN else "Nothing is left to do here."


def ended(view: CommentView) -> Screen | None:
    """Say that the pull request was closed, and by whom."""
    pull = view.circumstances.pull
    if pull is None or pull.state is not PullState.CLOSED:
        return None
    if pull.closed_by_bot:
        lead = f"Liftlock closed this pull request; it no longer moves {code(view.release.tag)}."
        return Screen(word="Withdrawn.", lead=lead, why="Liftlock's last comment says so.", who="Nobody.", when=NEVER)
    judgement = view.candidate
    if judgement is not None and judgement.state is State.REJECTED_BY_HUMAN:
        return rejected(view, judgement)
    who = code(pull.closed_by) if pull.closed_by else "Somebody"
    lead = f"{who} closed this pull request; it no longer moves {code(view.release.tag)}."
    return Screen(word="Closed.", lead=lead, why=_candidate_reason(view), who=NOBODY, when=NEVER)


def _candidate_reason(view: CommentView) -> str:
    return f"{plain(view.candidate.reason)}." if view.candidate is not None else ""
