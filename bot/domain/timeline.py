"""The way of a release into a stage, step by step, each instant with whose it is: Git's, Argo CD's, or the bot's look.

Where several applications deploy the stage, a step is done when the last of them has done it. What nobody told is left
out: an instant is never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.domain.liveness import Liveness
from bot.domain.model import TagHistory
from bot.domain.stance import ApplicationStance


class Step(StrEnum):
    """The steps, in the order in which they are taken."""

    WRITTEN = "commit"
    MERGED = "merge"
    SEEN = "Argo CD saw it"
    SYNC_STARTED = "sync started"
    SYNCED = "synced"
    HEALTHY = "healthy"
    LIVE = "live"


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """A step that was taken, when, and who says so. `application` is the last one of several that took it."""

    step: Step
    at: datetime
    source: str
    application: str = ""


def timeline_of(tags: TagHistory, liveness: Liveness, proposed_at: datetime | None = None) -> tuple[Milestone, ...]:
    """Return the steps that the running release has taken in a stage.

    `proposed_at` is when the pull request that brought it was opened: a squash merge keeps no other time of before.
    """
    return tuple(_steps(tags, liveness, proposed_at))


def _steps(tags: TagHistory, liveness: Liveness, proposed_at: datetime | None) -> Iterator[Milestone]:
    change = tags.introduced
    written, source = change.written_at, "Git: the author's time of the change"
    if (written is None or written >= change.at) and proposed_at is not None:
        written, source = proposed_at, "GitHub: when its pull request was opened"
    is_merged = written is not None and written < change.at
    if written is not None and is_merged:
        yield Milestone(step=Step.WRITTEN, at=written, source=source)
    step = Step.MERGED if is_merged or change.trailers is not None else Step.WRITTEN
    yield Milestone(step=step, at=change.at, source="Git: the committer's time of the branch's commit")
    own = (
        (Step.SEEN, lambda item: item.saw_at, "Argo CD: reconciledAt at the bot's first look"),
        (Step.SYNC_STARTED, lambda item: item.began_at, "Argo CD: start of the sync"),
        (Step.SYNCED, lambda item: item.deployed_at, "Argo CD: end of the sync"),
    )
    for step, instant, source in own:
        yield from _of_all(step, liveness, instant, source)
    if liveness.healthy_at is not None:
        source = "Argo CD: lastTransitionTime of health, or the bot's looks"
        yield Milestone(step=Step.HEALTHY, at=liveness.healthy_at, source=source)
    if liveness.first_live is not None:
        yield Milestone(step=Step.LIVE, at=liveness.first_live, source="the last of these, of every application")


def _of_all(
    step: Step, liveness: Liveness, instant: Callable[[ApplicationStance], datetime | None], source: str
) -> Iterator[Milestone]:
    """Yield the step if every application has taken it."""
    taken = [(at, item.name) for item in liveness.applications if (at := instant(item)) is not None]
    if not taken or len(taken) < len(liveness.applications):
        return
    at, name = max(taken)
    yield Milestone(step=step, at=at, source=source, application=name if len(taken) > 1 else "")
