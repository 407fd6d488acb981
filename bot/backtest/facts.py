"""What is known of the past of a service: which release stood in which stage, since when, and when it was live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from bot.domain.model import NOT_SET, Sha, TagChange, TagHistory, Trouble
from bot.domain.observed import is_revert
from bot.domain.policy import Policy

_NOBODY = Sha("0" * 40)


class LiveFrom(StrEnum):
    """How it is known since when a release was live."""

    ARGO_CD = "Argo CD"
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """Since when a release was live in a stage, and how that is known."""

    at: datetime
    known_from: LiveFrom


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """The time for which a release stood in a stage: from the commit that brought it until the next one.

    `is_return` says that the stage had this tag before, so that the commit took the release before it back. `until` is
    the commit that ended it, None where it stands still; `was_taken_back` says that that one was such a return.
    """

    stage: str
    tag: str
    since: TagChange
    until: TagChange | None
    is_return: bool
    was_taken_back: bool

    @property
    def at(self) -> datetime:
        """When the branch got it."""
        return self.since.at


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was read of the past for one policy. `live` is by stage and commit, `members` the applications by stage.

    `notes` are sentences on what could not be read.
    """

    policy: Policy
    tags: Mapping[str, TagHistory | Trouble]
    live: Mapping[tuple[str, Sha], Live] = field(default_factory=dict)
    members: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def stands(self, stage: str) -> tuple[Stand, ...]:
        """Return who stood in a stage, oldest first; none where Git could not be read."""
        tags = self.tags[stage]
        return () if isinstance(tags, Trouble) else stands_of(stage, tags)


def stands_of(stage: str, tags: TagHistory) -> tuple[Stand, ...]:
    """Return who stood in a stage, oldest first. Where the history is cut, its oldest commit tells nothing for sure."""
    changes = list(reversed(tags.changes))
    known = changes if tags.complete else changes[1:]
    had: set[str] = {change.new for change in changes[: len(changes) - len(known)]}
    arrivals: list[tuple[TagChange, bool]] = []
    for change in known:
        if arrivals and change.new == arrivals[-1][0].new:
            # The file could not be read in between, which moves nothing.
            continue
        if change.old is not None:
            had.add(change.old)
        arrivals.append((change, is_revert(change) or change.new in had))
        had.add(change.new)
    return tuple(_stand(stage, arrivals, number) for number in range(len(arrivals)) if arrivals[number][0].new)


def _stand(stage: str, arrivals: list[tuple[TagChange, bool]], number: int) -> Stand:
    change, is_return = arrivals[number]
    until, was_taken_back = arrivals[number + 1] if number + 1 < len(arrivals) else (None, False)
    return Stand(
        stage=stage, tag=change.new, since=change, until=until, is_return=is_return, was_taken_back=was_taken_back
    )


def tags_at(tags: TagHistory | Trouble, at: datetime, *, before: Sha | None = None) -> TagHistory | Trouble:
    """Return a stage's history as it was at an instant, and as if the commit `before` and all after it were not there.

    Where the history that is known begins later, nobody can tell what stood there.
    """
    if isinstance(tags, Trouble):
        return tags
    changes = tags.changes
    if before is not None:
        commits = [change.commit for change in changes]
        changes = changes[commits.index(before) + 1 :] if before in commits else changes
    changes = tuple(change for change in changes if change.at <= at)
    if changes:
        return replace(tags, head=changes[0].commit, tag=changes[0].new, changes=changes)
    oldest = tags.changes[-1]
    if tags.complete and oldest.old is None:
        nothing = TagChange(commit=_NOBODY, at=at, author="", old=None, new=NOT_SET)
        return TagHistory(head=_NOBODY, tag=NOT_SET, changes=(nothing,), complete=True)
    return Trouble(system="Git", sentence="the history that is known does not reach back that far")
