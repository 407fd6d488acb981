"""Which release a rollback goes back to: the last one that has proven itself in the stage, by what Git says.

A release has proven itself where it stood for a whole watch before the next one came, and it is not quarantined. With
what the history begins, or what stood there before all that was read of it, may have stood there for long under another
name of the file: it counts as proven.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

from bot.domain.model import NOT_SET, TagHistory
from bot.domain.text import format_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class WayBack:
    """The tag to go back to, None where there is none; and why that one or none, empty where it is the one before."""

    tag: str | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stand:
    """A release and how long it stood; None: nobody knows since when."""

    tag: str
    lasted: timedelta | None


def way_back(stage: str, tags: TagHistory, watch: timedelta, quarantined: Collection[str]) -> WayBack:
    """Choose the release to go back to from the present one; `watch` is how long one must have stood."""
    stands = _stands_before(tags)
    if not stands:
        return WayBack(tag=None, reason=f"Git does not say which release was in {stage} before")
    proven = {one.tag for one in stands if one.lasted is None or one.lasted >= watch}
    chosen = next((one.tag for one in stands if one.tag in proven and one.tag not in quarantined), None)
    if chosen == stands[0].tag:
        return WayBack(tag=chosen)
    why = _why_not(stage, stands[0], quarantined)
    if chosen is not None:
        return WayBack(tag=chosen, reason=f"the last one that has proven itself there: {why}")
    others = "" if len({one.tag for one in stands}) == 1 else ", and no other one before has proven itself there"
    return WayBack(tag=None, reason=f"{why}{others}")


def _stands_before(tags: TagHistory) -> list[_Stand]:
    """Return which releases stood there before the present one, the last first."""
    found: list[_Stand] = []
    for later, change in pairwise(tags.changes):
        if later.old is None:
            # What was there before it is not known, so neither is what came before that.
            break
        found.append(_Stand(tag=change.new, lasted=later.at - change.at))
    else:
        oldest = tags.changes[-1].old
        if oldest is not None:
            found.append(_Stand(tag=oldest, lasted=None))
        elif found:
            found[-1] = _Stand(tag=found[-1].tag, lasted=None)
    return [one for one in found if one.tag not in (NOT_SET, tags.tag)]


def _why_not(stage: str, stand: _Stand, quarantined: Collection[str]) -> str:
    if stand.tag in quarantined:
        return f"the release before, {stand.tag}, is quarantined itself"
    lasted = format_duration(stand.lasted) if stand.lasted is not None else "no time"
    return f"the release before, {stand.tag}, stood in {stage} for {lasted} only"
