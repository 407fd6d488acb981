"""Many rollbacks at once: more likely the platform or the measurements are ill than so many releases at the same time.

Counted are the rollbacks of all services that stand in Git since a while, and those that are due at this moment. Where
they are too many, none of those that are due is done by itself, and people are told. What a person orders is done.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.decision import Decision, MergePromotion, RollBack
from bot.domain.model import TagHistory
from bot.domain.observation import Fleet, Observation
from bot.domain.observed import is_revert, quarantined_tags
from bot.domain.orders import standing


@dataclass(frozen=True, slots=True, kw_only=True)
class StormLimit:
    """At most so many rollbacks of all services together `within` a time."""

    most: int = 5
    within: timedelta = timedelta(minutes=10)


def fleet_of(decided: Iterable[tuple[Observation, Decision]], limit: StormLimit, now: datetime) -> Fleet:
    """Count what was taken back of late, and what would be now."""
    done: set[tuple[str, str | None]] = set()
    due = 0
    for seen, decision in decided:
        done |= {(seen.service, tag) for tag in _reverted_since(seen, now - limit.within)}
        due += any(_is_due(seen, action) for action in decision.actions)
    return Fleet(done=len(done), due=due, most=limit.most, within=limit.within)


def _reverted_since(seen: Observation, since: datetime) -> Iterable[str | None]:
    """Yield the releases that were taken back: out of several stages, it is one that is bad."""
    for stage in seen.stages:
        if isinstance(stage.tags, TagHistory):
            for change in stage.tags.changes:
                if is_revert(change) and change.at > since:
                    yield change.old


def is_rollback(action: object) -> bool:
    """Say whether an action takes a release back, or takes the next step of that."""
    return isinstance(action, RollBack) or (isinstance(action, MergePromotion) and action.reverts is not None)


def _is_due(seen: Observation, action: object) -> bool:
    """Say whether a rollback is due that no person has ordered, and that does not only follow another one."""
    if not isinstance(action, RollBack | MergePromotion) or not is_rollback(action):
        return False
    if action.release.tag in quarantined_tags(seen):
        return False
    name = action.release.name
    ordered = standing(seen.orders, service=seen.service, stage=action.stage, release=name, head=None).rollback
    return ordered is None
