"""The first screen: may I merge, why, who must act, and when does it move by itself. Four lines in every state."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bot.domain.decision import Judgement, State, WaitsOn
from bot.domain.policy import Merge
from bot.domain.pulls import PullState
from bot.render import ends, stops, waits
from bot.render.views import CommentView
from bot.render.words import NOBODY, Screen, move_of

_SCREENS: Mapping[State, Callable[[CommentView, Judgement], Screen]] = {
    State.QUARANTINED: stops.quarantined,
    State.REJECTED_BY_HUMAN: stops.rejected,
    State.HELD_BY_HUMAN: stops.held,
    State.UNHEALTHY: stops.unhealthy,
    State.NOT_TRUSTED: stops.not_trusted,
    State.DEADLINE_PASSED: stops.without_verdict,
    State.HALTED: stops.halted,
    State.WAITING_FOR_CHECKS: waits.for_checks,
    State.WAITING_FOR_REVIEW: waits.for_a_review,
    State.WAITING_FOR_HUMAN: waits.for_a_person,
    State.WAITING_TO_BE_MERGED: waits.for_the_forge,
    State.WAITING_FOR_BUILD: waits.for_the_build,
    State.COOLING_DOWN: waits.for_a_cool_down,
    State.PAUSED: waits.for_a_pause,
    State.FROZEN: waits.for_the_calendar,
    State.READY_TO_PROPOSE: waits.to_be_proposed,
    State.READY_TO_MERGE: waits.for_its_turn,
}
_DECIDED = frozenset({State.HELD_BY_HUMAN, State.REJECTED_BY_HUMAN, State.QUARANTINED})
"""A person knows of these: one made them so, or they are how it ended."""


def first_screen(view: CommentView) -> Screen:
    """Return what is to be said first. What ends the way comes before what stops it, and that before what it waits for.

    Where the candidate was not judged, the judgement of the stage before tells as much as it can.
    """
    for rung in (ends.reverted, ends.superseded, ends.arrived, ends.ended):
        screen = rung(view)
        if screen is not None:
            return screen
    judgement = view.candidate or view.source
    if judgement is None:
        return Screen(word="On its way.", lead=move_of(view), why="It was not judged yet.", who=NOBODY, when="")
    return _SCREENS.get(_state(view, judgement), waits.not_yet)(view, judgement)


def must_act(view: CommentView) -> bool:
    """Say whether nothing moves any more until a person does something that nobody has decided yet."""
    if view.did_not_help is not None:
        return True
    pull = view.circumstances.pull
    is_over = view.reverted_by is not None or view.circumstances.superseded_by is not None
    # After a merge the mirror may be a moment behind: nobody is called before production itself was judged.
    is_done = pull is not None and pull.state is not PullState.OPEN and view.running is None
    if is_over or is_done:
        return False
    judgement = view.running or view.candidate or view.source
    return judgement is not None and judgement.waits_on is WaitsOn.HUMAN and judgement.state not in _DECIDED


def _state(view: CommentView, judgement: Judgement) -> State:
    if judgement.state not in {State.PROVEN, State.LET_PASS}:
        return judgement.state
    return State.READY_TO_MERGE if view.stage.merge is Merge.AUTO else State.WAITING_FOR_HUMAN
