"""The words of the first screen: its four answers, and how they name a release, a stage, a person and a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.domain.calendar import GATE as CALENDAR
from bot.domain.decision import State
from bot.domain.policy import Merge
from bot.domain.text import join_words
from bot.render.escape import code
from bot.render.people import whoever_may
from bot.render.views import CommentView

MINUTE = timedelta(minutes=1)
NOBODY = "Nobody."
NEVER = "No."


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """The four answers as Markdown. `word` is the bold one that the text begins with."""

    word: str
    lead: str
    why: str
    who: str
    when: str

    @property
    def text(self) -> str:
        """The four lines."""
        rest = [("Why", self.why), ("Who must act", self.who), ("Moves by itself", self.when)]
        lines = "\n".join(f"- **{name}:** {said}" for name, said in rest if said)
        return f"**{self.word}** {self.lead}\n\n{lines}"


def move_of(view: CommentView) -> str:
    """Name the move."""
    return f"The move of {code(view.release.tag)} to {code(view.stage.name)}"


def source_of(view: CommentView) -> str:
    """Name the stage before."""
    if view.stage.intake is not None:
        return "the registry"
    names = [one.stage for one in view.sources] or list(view.stage.sources)
    return join_words([code(name) for name in names]) if names else "the stage before"


def proven(view: CommentView) -> str:
    """Say that it may move, and on what that rests."""
    if any(one.gate != CALENDAR for one in view.circumstances.overrides):
        return f"{code(view.release.tag)} may move: a person overrode what it did not prove in {source_of(view)}."
    if any(one.state is State.LET_PASS for one in view.sources):
        return f"{code(view.release.tag)} may move without a proof: too little was counted in {source_of(view)}."
    if view.stage.intake is not None:
        return f"{code(view.release.tag)} is new in the registry, and nothing speaks against it."
    return f"{code(view.release.tag)} has proven itself in {source_of(view)}."


def once(view: CommentView, what: str) -> str:
    """Say what happens when something that it waits for has come."""
    if view.stage.merge is Merge.HUMAN:
        return f"{NEVER} Once {what}, a person may merge it."
    return f"Liftlock merges it once {what} and nothing else stands against it."


def person(view: CommentView) -> str:
    """Name the people who may act, as a sentence."""
    return f"{capital(whoever_may(view))}."


def capital(text: str) -> str:
    """Begin with a capital letter."""
    return text[:1].upper() + text[1:]


def ceil(instant: datetime) -> datetime:
    """Return the next whole minute."""
    whole = instant.replace(second=0, microsecond=0)
    return whole if whole == instant else whole + MINUTE


def clock(instant: datetime, now: datetime | None) -> str:
    """Write the time of day, and the date where it is another than today's, or today is not known."""
    at = instant.astimezone(UTC)
    is_today = now is not None and now.astimezone(UTC).date() == at.date()
    return f"{at:%H:%M} UTC" if is_today else f"{at:%Y-%m-%d %H:%M} UTC"
