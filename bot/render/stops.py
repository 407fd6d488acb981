"""The first screen of a release that something stops: a person, its numbers, or a doubt that only a person clears."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bot.domain.decision import Judgement, WaitsOn
from bot.render.escape import code, plain
from bot.render.people import whoever_may, whoever_overrides
from bot.render.views import CommentView
from bot.render.words import NEVER, NOBODY, Screen, capital, move_of, source_of


def _stopped(word: str, lead: str, who: str) -> Callable[[CommentView, Judgement], Screen]:
    """Return a screen whose texts may name `{release}`, `{source}`, `{stage}`, the `{people}` who may act and the
    `{overriders}` who may override a gate.
    """

    def screen(view: CommentView, judgement: Judgement) -> Screen:
        names = {"release": code(view.release.tag), "source": source_of(view), "stage": code(view.stage.name)}
        return Screen(
            word=word,
            lead=lead.format(**names),
            why=f"{plain(judgement.reason)}.",
            who=capital(who.format(**names, people=capital(whoever_may(view)), overriders=whoever_overrides(view))),
            when=NEVER,
        )

    return screen


rejected = _stopped(
    "Rejected.",
    "Do not merge this: {release} is not to enter {stage}.",
    "Nobody, unless it is to move after all: then reopen this, or comment `/liftlock retry`.",
)


def halted(view: CommentView, judgement: Judgement) -> Screen:
    """Something is not as it was planned."""
    is_human = judgement.waits_on is WaitsOn.HUMAN
    return Screen(
        word="Stopped.",
        lead=f"Liftlock does not merge this. {move_of(view)} is left to a person."
        if is_human
        else f"{move_of(view)} waits.",
        why=f"{plain(judgement.reason)}.",
        who=f"{capital(whoever_may(view))} must look at it." if is_human else NOBODY,
        when=NEVER if is_human else "Liftlock goes on once that is done.",
    )


quarantined = _stopped(
    "Quarantined.",
    "Do not merge this: {release} was taken back before.",
    "Nobody, unless it is to move again: then {overriders}: comment `/liftlock lift REASON`.",
)

held = _stopped(
    "Held.",
    "Do not merge this: a person holds {release} back from {stage}.",
    "{people}: take the hold back, or comment `/liftlock resume`.",
)

unhealthy = _stopped(
    "Do not merge.",
    "{release} is unhealthy in {source}.",
    "Its developers: release a fix. Or {overriders}: override the gate by a comment.",
)

not_trusted = _stopped(
    "Do not merge.",
    "{release} is not proven to be what the policy of {stage} asks for.",
    "Its developers: build a release that is. Or {overriders}: override it by a comment.",
)

_without_verdict = _stopped(
    "No verdict.",
    "Do not merge this: {release} has not proven itself in {source} in the time that it had.",
    "{overriders}: look at the gates below, and override one by a comment, or reject the release.",
)


def without_verdict(view: CommentView, judgement: Judgement) -> Screen:
    """The window's deadline has passed; the policy may let the release wait on without a person."""
    screen = _without_verdict(view, judgement)
    if judgement.waits_on is WaitsOn.HUMAN:
        return screen
    return replace(screen, who=NOBODY, when="It moves on once every gate is healthy.")
