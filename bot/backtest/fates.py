"""What really became of a release: moved on, reverted, replaced within a day, or left where it was.

| in this stage                     | in later stages      | the release was |
|-----------------------------------|----------------------|-----------------|
| the one before was put back       | any                  | bad             |
| any                               | bad in one           | bad             |
| replaced soon, after a promotion  | any                  | bad: a hotfix   |
| any                               | in one, not yet told | cannot tell     |
| any                               | never got there      | cannot tell     |
| stands, not yet for long          | none, or good        | cannot tell     |
| stood long enough                 | none, or good        | good            |
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.backtest.facts import Facts, Stand
from bot.domain.observed import is_revert
from bot.domain.policy import Stage
from bot.domain.text import format_duration, one_line


class Was(StrEnum):
    """What a release was, as far as what people did then tells."""

    GOOD = "good"
    BAD = "bad"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of a release in a stage and after it. `undone_at` is when it was taken back, or replaced by a fix."""

    was: Was
    sentence: str
    undone_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """What is looked at: releases from `since` to `until`; one replaced within `hotfix` was replaced by a fix."""

    since: datetime
    until: datetime
    hotfix: timedelta


def fate_of(facts: Facts, stand: Stand, asked: Range) -> Fate:
    """Say what became of a release in its stage and in all later ones."""
    stage = facts.policy.stage(stand.stage)
    own = _taken_back(stand, asked)
    if own is not None:
        return own
    later = list(_later(facts, stage, stand, asked))
    bad = next((fate for fate in later if fate.was is Was.BAD), None)
    if bad is not None:
        return bad
    fixed = _hotfixed(stage, stand, asked)
    if fixed is not None:
        return fixed
    unknown = next((fate for fate in later if fate.was is Was.CANNOT_TELL), None)
    if unknown is not None:
        return unknown
    if not later and facts.policy.targets_of(stage):
        return Fate(was=Was.CANNOT_TELL, sentence="it never moved on, which says neither")
    return later[0] if later else _stood(stand, asked)


def _later(facts: Facts, stage: Stage, stand: Stand, asked: Range) -> Iterator[Fate]:
    for target in facts.policy.targets_of(stage):
        entry = entry_of(facts, stand, target.name, asked.until)
        if entry is not None:
            yield fate_of(facts, entry, asked)


def entry_of(facts: Facts, stand: Stand, target: str, until: datetime) -> Stand | None:
    """Return how a release really entered a later stage after it came to this one; None if it did not by then."""
    entries = (one for one in facts.stands(target) if one.tag == stand.tag and stand.at <= one.at <= until)
    return next(entries, None)


def _next(stand: Stand, asked: Range) -> datetime | None:
    return stand.until.at if stand.until is not None and stand.until.at <= asked.until else None


def _taken_back(stand: Stand, asked: Range) -> Fate | None:
    at, change = _next(stand, asked), stand.until
    if at is None or change is None or not stand.was_taken_back:
        return None
    after = format_duration(at - stand.at)
    who = "Liftlock" if is_revert(change) else one_line(change.author, limit=60)
    sentence = f"taken out of {stand.stage} by {who} after {after}, back to {change.new}"
    return Fate(was=Was.BAD, sentence=sentence, undone_at=at)


def _hotfixed(stage: Stage, stand: Stand, asked: Range) -> Fate | None:
    """A release that people promoted and replaced soon had something wrong with it; one in a first stage need not."""
    at, change = _next(stand, asked), stand.until
    if stage.source is None or at is None or change is None or at - stand.at >= asked.hotfix:
        return None
    after = format_duration(at - stand.at)
    return Fate(
        was=Was.BAD, sentence=f"replaced in {stand.stage} by {change.new} after {after}: a hotfix", undone_at=at
    )


def _stood(stand: Stand, asked: Range) -> Fate:
    at = _next(stand, asked)
    lasted = (at or asked.until) - stand.at
    stood = f"stood in {stand.stage} for {format_duration(lasted)}"
    if at is None and lasted < asked.hotfix:
        return Fate(was=Was.CANNOT_TELL, sentence=f"{stood} so far, which is too short to say")
    return Fate(was=Was.GOOD, sentence=stood)
