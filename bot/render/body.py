"""The bot's section of a promotion's body: the first screen answers, the rest is what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bot.domain.decision import State
from bot.domain.policy import EvidenceIn
from bot.domain.pulls import PullState
from bot.domain.verdicts import Verdict
from bot.render.answers import command_section, history_section, newest_answer, override_lines
from bot.render.approvals import approval_section
from bot.render.artifact import artifact_section
from bot.render.escape import code
from bot.render.moves import what_moves
from bot.render.people import command_table, effects
from bot.render.room import Room, fit
from bot.render.screen import first_screen
from bot.render.sections import evidence_of, judged_by
from bot.render.timeline import timeline_table
from bot.render.titles import render_title
from bot.render.views import MoveView, SupersededView
from bot.render.words import Screen

_MOST_SUPERSEDED = 5


def promotion_title(view: MoveView) -> str:
    """Return the pull request's title, from the policy's template."""
    values = {
        "service": view.policy.service,
        "stage": view.stage.name,
        "old": view.replaces.tag,
        "new": view.release.tag,
    }
    return render_title(view.stage.proposing.title, values)


def promotion_body(view: MoveView) -> str:
    """Return the bot's section of the body. Where the policy wants no comment, it has what that would have."""
    return fit(lambda room: _parts(view, room))


def _parts(view: MoveView, room: Room) -> list[str]:
    stands = view.stands
    circumstances = stands.circumstances
    has_all = view.stage.proposing.evidence is EvidenceIn.BODY
    return [
        f"<!-- liftlock:promotion {view.policy.service}/{view.stage.name} -->",
        _screen(view).text,
        newest_answer(stands) if has_all else "",
        override_lines(circumstances.overrides),
        approval_section(view.approvals),
        superseding_line(circumstances.supersedes),
        *_in_stage(view, room),
        what_moves(view, room.commits),
        *_from_source(view, room),
        artifact_section(view.release, _of_artifact(view)),
        _what_next(view),
        command_section(stands, room.orders) if has_all else "",
        history_section(circumstances.history, room.history) if has_all else "",
        judged_by(view.policy, view.forge_url),
    ]


def _of_artifact(view: MoveView) -> tuple[Verdict, ...]:
    """The verdicts on the artifact: the candidate's own, or as they were when the move was decided."""
    candidate = view.stands.candidate
    return candidate.verdicts if candidate is not None else view.trust


_MOVING: Mapping[State, str] = {State.OBSERVING: "observed", State.WATCHING: "watched"}


def _follows(view: MoveView) -> str:
    """Name what goes on now, where the comment follows the numbers: the body has none then, as they would be stale."""
    stands, pull = view.stands, view.stands.circumstances.pull
    judgement = stands.running or stands.candidate or stands.source
    is_over = stands.reverted_by is not None or stands.circumstances.superseded_by is not None
    is_closed = pull is not None and pull.state is PullState.CLOSED
    if judgement is None or is_over or is_closed or view.stage.proposing.evidence is EvidenceIn.BODY:
        return ""
    return _MOVING.get(judgement.state, "")


def _screen(view: MoveView) -> Screen:
    screen, word = first_screen(view.stands), _follows(view)
    return replace(screen, why=f"It is being {word}; the comment below follows the numbers.") if word else screen


def _from_source(view: MoveView, room: Room) -> list[str]:
    if _follows(view) != _MOVING[State.OBSERVING]:
        return [part for one in view.sources for part in evidence_of(view.policy.stage(one.stage), one, room)]
    parts: list[str] = []
    for one in view.sources:
        head = f"### Evidence from {code(one.stage)}\n\nIt comes in while the release is observed."
        parts += [head, timeline_table(one.timeline)]
    return parts


def _in_stage(view: MoveView, room: Room) -> list[str]:
    """Return what the stage itself measured: as the comment would, and for what was taken back, what it was that fired.

    A watch that ended quietly leaves numbers that were still waited for; nothing rests on them any more.
    """
    running = view.stands.running
    if running is not None:
        return evidence_of(view.stage, running, room) if view.stage.proposing.evidence is EvidenceIn.BODY else []
    if view.stands.reverted_by is None or view.watched is None:
        return []
    return evidence_of(view.stage, view.watched, room)


def superseding_line(superseded: tuple[SupersededView, ...]) -> str:
    """Return which pull requests this one took the place of; empty if there is none."""
    if not superseded:
        return ""
    shown = [f"#{one.number}, which carried {code(one.tag)}" for one in superseded[:_MOST_SUPERSEDED]]
    more = len(superseded) - _MOST_SUPERSEDED
    return f"Replaces {'; '.join(shown)}{f'; and {more} more' if more > 0 else ''}."


def _what_next(view: MoveView) -> str:
    summary = "<details><summary>Commands that you may give in a comment</summary>"
    orders = f"{summary}\n\n{command_table(view.stage)}\n\n</details>"
    return "\n\n".join(["### What you may do", "\n".join(_effects(view)), orders])


def _effects(view: MoveView) -> list[str]:
    stands = view.stands
    pull = stands.circumstances.pull
    if stands.reverted_by is not None:
        return ["- **Release** a newer one: this one is quarantined, and does not come back by itself."]
    if view.has_moved:
        return [
            "- **Take it back**: comment `/liftlock rollback REASON`, also after the watch, for a day after the merge."
        ]
    if pull is None or pull.state is PullState.OPEN:
        return effects(view.stage)
    if stands.circumstances.superseded_by is not None:
        return ["- Nothing: the newer pull request goes on."]
    return ["- **Reopen** it: the release may move again."]
