"""The comments of a pull request: the evidence, which is edited in place, and the few that stand beside it."""

from __future__ import annotations

from bot.render.answers import command_section, history_section, newest_answer, override_lines
from bot.render.approvals import approval_section, whoever_is_asked
from bot.render.artifact import artifact_section
from bot.render.escape import code, mention, plain
from bot.render.people import whoever_may
from bot.render.room import Room, fit
from bot.render.screen import first_screen, must_act
from bot.render.sections import evidence_of, judged_by
from bot.render.views import CommentView
from bot.render.way import way_paragraph

_MOST_NOTIFIED = 10


def evidence_comment(view: CommentView) -> str:
    """Return the one comment that is edited in place. It has no time of its own, so it changes only with the facts."""
    return fit(lambda room: _parts(view, room))


def _parts(view: CommentView, room: Room) -> list[str]:
    circumstances = view.circumstances
    return [
        first_screen(view).text,
        way_paragraph(view.path),
        newest_answer(view),
        override_lines(circumstances.overrides),
        approval_section(view.candidate.approvals if view.candidate is not None else None),
        *(evidence_of(view.stage, view.running, room) if view.running is not None else []),
        *(part for one in view.sources for part in evidence_of(view.policy.stage(one.stage), one, room)),
        artifact_section(view.candidate.release or view.release, view.candidate.verdicts)
        if view.candidate is not None and view.candidate.verdicts
        else "",
        command_section(view, room.orders),
        history_section(circumstances.history, room.history),
        judged_by(view.policy, view.forge_url),
    ]


def attention_comment(view: CommentView) -> str | None:
    """Return the second comment, which calls a person; None where nobody must act.

    Approvers are named without being notified; only the handles that the policy wants told are real mentions.
    """
    judgement = view.running or view.candidate or view.source
    reason = view.did_not_help or (judgement.reason if judgement is not None else "")
    if not reason or not must_act(view):
        return None
    told = " ".join(mention(handle) for handle in view.stage.proposing.notify[:_MOST_NOTIFIED])
    calls = f"{told}: " if told else ""
    return (
        f"{calls}**A person must act** on {code(view.release.tag)} for {code(view.stage.name)}: "
        f"{plain(reason)}. It waits for {_whoever(view)}."
    )


def _whoever(view: CommentView) -> str:
    tally = view.candidate.approvals if view.candidate is not None else None
    return whoever_is_asked(tally) if tally is not None and tally.missing else whoever_may(view)


def attention_over_comment() -> str:
    """Return what takes the place of a call for a person that is answered by now."""
    return "_Nobody has to act on this any more: the other comment says how it stands._"


def superseded_comment(newer: int) -> str:
    """Return what is said on a pull request whose place another one took."""
    return f"**Superseded** by #{newer}, which carries a newer release. An approval of this one does not count there."


def closing_comment(reason: str) -> str:
    """Return what is said on a pull request that the bot withdraws."""
    return f"**Withdrawn.** {plain(reason)}."
