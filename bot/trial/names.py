"""What a test file may name: the stages, gates, triggers and applications of its policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from bot.domain.argo import NamedApplication
from bot.domain.policy import Policy, Stage
from bot.domain.rules import ArgoHealthyGate, MeasuredRule
from bot.policy.reading import Section, matching, one_of_these

T = TypeVar("T")
A_TAG = "a tag of an image, such as 1.9.0"
TAG = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Names by stage. `applications` has those of each stage; one that is selected by labels has a made-up one."""

    stages: tuple[str, ...]
    targets: tuple[str, ...]
    gates: Mapping[str, tuple[str, ...]]
    triggers: Mapping[str, tuple[str, ...]]
    applications: Mapping[str, tuple[str, ...]]
    measured: tuple[MeasuredRule | ArgoHealthyGate, ...]
    has_intake: bool

    @classmethod
    def of(cls, policy: Policy) -> Names:
        """Collect the names of a policy."""
        stages = policy.stages
        triggers = {one.name: one.rollback.triggers if one.rollback is not None else () for one in stages}
        rules = [*(gate for one in stages for gate in one.gates), *(one for some in triggers.values() for one in some)]
        return cls(
            stages=tuple(one.name for one in stages),
            targets=tuple(one.name for one in stages if one.source is not None),
            gates={one.name: tuple(gate.name for gate in one.gates) for one in stages},
            triggers={stage: tuple(one.name for one in some) for stage, some in triggers.items()},
            applications={one.name: applications_of(policy, one) for one in stages},
            measured=tuple(rule for rule in rules if isinstance(rule, MeasuredRule)),
            has_intake=policy.intake_stage is not None,
        )

    @property
    def first(self) -> tuple[str, ...]:
        """The stages whose tag people set."""
        return tuple(stage for stage in self.stages if stage not in self.targets)


def applications_of(policy: Policy, stage: Stage) -> tuple[str, ...]:
    """Return the names of a stage's applications."""
    made_up = f"{policy.service}-{stage.name}"
    names = (one.shown if isinstance(one, NamedApplication) else made_up for one in stage.applications)
    return tuple(dict.fromkeys(names))


def read_stage(section: Section, key: str, known: tuple[str, ...], *, usual: tuple[str, ...] = ()) -> str | None:
    """Read the name of a stage; where there is only one that may be meant, it need not be said."""
    is_clear = len(usual) == 1
    found = section.read(
        key, matching(r"[^\s]+"), f"a stage: {', '.join(known)}", default=usual[0] if is_clear else None
    )
    if found is None or found in known:
        return found
    section.faults.note(section.entries[key], section.at(key), f'"{found[:60]}"', one_of_these(found, known))
    return None


def read_name(section: Section, key: str, known: tuple[str, ...], what: str) -> str | None:
    """Read one of some names; note a fault, with the nearest, for any other."""
    found = section.read(key, str, what)
    if found is None or found in known:
        return found
    expected = one_of_these(found, known) if known else f"{what}, but there is none here"
    section.faults.note(section.entries[key], section.at(key), f'"{found[:60]}"', expected)
    return None


def read_optional(section: Section, key: str, parse: Callable[[str], T], expected: str) -> T | None:
    """Parse the text under a key if it is there."""
    return None if section.get(key) is None else section.read(key, parse, expected)
