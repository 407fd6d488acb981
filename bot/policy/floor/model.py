"""An organisation's floor as a frozen value: what policies must ask at least, rule by rule, and where each stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from fnmatch import fnmatchcase

from bot.domain.calendar import Calendar
from bot.domain.policy import Approvals, AtDeadline, AutoMerge, Merge, Policy, Road, Stage
from bot.domain.rules import Accept
from bot.domain.signers import Signer
from bot.domain.trust import TrustRule


class Every(StrEnum):
    """Which stages a rule is for, where it does not name them: those with `from`, or all."""

    PROMOTED = "promoted"
    STAGE = "stage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A gate or trigger that must be there: one of these templates or built-in kinds, that decides.

    `bounds` are values of the rule by its fields, which it must be at least as strict as; `kinds` the kinds of rule
    that they belong to, any where there are none; `asked` how the floor calls them. `parameters` are the template's.
    One of a team's `own` templates counts only where that is said.
    """

    uses: tuple[str, ...]
    place: str
    asked: tuple[str, ...] = ()
    kinds: tuple[type, ...] = ()
    bounds: Mapping[str, object] = field(default_factory=dict)
    accept: Accept = Accept.PROVEN
    parameters: Mapping[str, str] = field(default_factory=dict)
    own: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowFloor:
    """A window must be at least as long; without a verdict at its deadline, one of these must be done."""

    place: str
    length: timedelta | None = None
    at_deadline: tuple[AtDeadline, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a stage must ask of a release that runs in it."""

    window: WindowFloor | None = None
    gates: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PromoteFloor:
    """How a release must enter. What is None is not asked for; `approvers` are all that may be named, and some must.

    `approvals` are those that there must be at least, from anybody where it names nobody.
    """

    place: str
    by: Road | None = None
    merge: Merge | None = None
    auto_merge: AutoMerge | None = None
    approvers: tuple[str, ...] = ()
    approvals: Approvals | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactFloor:
    """What must be proven of an artifact: each of `required`, signed by one of `signers`, anybody where none is named.

    The signers that stand in `required` mean nothing.
    """

    place: str
    signers: tuple[Signer, ...] = ()
    must_be_logged: bool = True
    required: tuple[tuple[TrustRule, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackFloor:
    """What must take a release back."""

    place: str
    watch: timedelta | None = None
    cool_down: timedelta | None = None
    during_freeze: bool = False
    triggers: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorRule:
    """What is asked of some stages of some services: stages by their names, or `every` of a kind.

    `before` is asked of the stages that releases come from, `judged` of the stage itself. `lets_registry` says that
    they may come straight from the registry, where nothing was asked.
    """

    place: str
    services: tuple[str, ...] = ("*",)
    but: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    every: Every | None = None
    before: Judged | None = None
    lets_registry: bool = False
    judged: Judged = Judged()
    promote: PromoteFloor | None = None
    artifact: ArtifactFloor | None = None
    rollback: RollbackFloor | None = None
    calendar: Calendar | None = None

    def is_for(self, policy: Policy, stage: Stage) -> bool:
        """Say whether a stage of a policy must be as this rule says."""
        if not _fits(policy.service, self.services) or _fits(policy.service, self.but):
            return False
        if self.every is None:
            # A region of production is production, whatever the region is called.
            return any(_fits(name, self.stages) for name in (stage.name, stage.region_of) if name is not None)
        return self.every is Every.STAGE or stage.source is not None


def _fits(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """All rules of a floor. `file` is how it is called in messages."""

    file: str
    rules: tuple[FloorRule, ...]
