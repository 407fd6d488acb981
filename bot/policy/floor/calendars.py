"""The calendars of a floor: one more that must agree before a release moves into a stage."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from bot.domain.calendar import Calendar
from bot.domain.policy import Policy, Stage
from bot.policy.floor.model import Floor


def with_calendars(policy: Policy, floor: Floor) -> Policy:
    """Return the policy with the floor's calendars in its stages.

    They are a part of what it means, and so of its version; nothing else of a floor is.
    """
    found = {stage.name: _calendars(policy, stage, floor) for stage in policy.stages}
    if not any(found.values()):
        return policy
    stages = tuple(replace(stage, floor_calendars=found[stage.name]) for stage in policy.stages)
    meaning = f"{policy.version}\n{sorted(found.items())!r}"
    return replace(policy, stages=stages, version=hashlib.sha256(meaning.encode("utf-8")).hexdigest())


def _calendars(policy: Policy, stage: Stage, floor: Floor) -> tuple[Calendar, ...]:
    if stage.source is None:
        # Nothing is promoted into a first stage.
        return ()
    rules = (rule for rule in floor.rules if rule.is_for(policy, stage))
    return tuple(dict.fromkeys(rule.calendar for rule in rules if rule.calendar is not None))
