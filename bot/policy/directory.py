"""A directory of policies: every file on its own, so that a bad one never hides the others."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bot.domain.policy import Policy
from bot.domain.rules import MeasuredRule
from bot.policy.faults import PolicyError, PolicyFault
from bot.policy.files import fault_of, read_text, yaml_files
from bot.policy.floor import Floor, FloorFile, ReadPolicy, faults_below, with_calendars
from bot.policy.own_templates import OwnTemplates, read_own_templates
from bot.policy.parsing import read_policy
from bot.policy.reading import Faults
from bot.policy.templates import GateTemplates
from bot.policy.tree import read_tree
from bot.policy.waves import expand_waves


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDirectory:
    """The policies directly in a directory. What was read once is not parsed again before it, or a template, changes.

    To the `templates` come those of its folder `gates`, or in their place. What is below the `floor` is an error like
    any other. Not to be shared between threads.
    """

    path: Path
    templates: GateTemplates
    floor: FloorFile | None = None
    _kept: dict[str, tuple[object, Policy | PolicyError]] = field(default_factory=dict, init=False)

    def load(self) -> Mapping[str, Policy | PolicyError]:
        """Read them, by file name; test files and subdirectories are left out.

        A broken template is an error under `gates/FILE`. A service that two files describe belongs to the first, in the
        order of their names. A floor that is broken now is an error under its own name, while the last good one stays
        in force. Raise PolicyError if the directory itself cannot be read, FloorError without any good floor.
        """
        in_force = self.floor.read() if self.floor is not None else None
        names = yaml_files(self.path, expected="a directory of policies")
        own = read_own_templates(self.path)
        read: dict[str, Policy | PolicyError] = dict(own.errors)
        if in_force is not None and in_force.error is not None:
            read[in_force.error.file] = in_force.error
        floor = in_force.floor if in_force is not None else None
        owners: dict[str, str] = {}
        for name in names:
            found = self._read(name, own, floor)
            if isinstance(found, Policy):
                owner = owners.setdefault(found.service, name)
                if owner != name:
                    found = PolicyError([second_of(found.service, name, owner)])
            read[name] = found
        for name in self._kept.keys() - set(names):
            del self._kept[name]
        return read

    def _read(self, name: str, own: OwnTemplates, floor: Floor | None) -> Policy | PolicyError:
        try:
            text = read_text(self.path / name, file=name)
        except PolicyError as error:
            return error
        rests_on = (text, own.texts, own.broken, floor)
        kept = self._kept.get(name)
        if kept is None or kept[0] != rests_on:
            kept = (rests_on, self._parsed(text, name, own, floor))
            self._kept[name] = kept
        return kept[1]

    def _parsed(self, text: str, name: str, own: OwnTemplates, floor: Floor | None) -> Policy | PolicyError:
        templates = {**self.templates, **own.templates}
        try:
            faults = Faults(file=name)
            tree = expand_waves(read_tree(text, file=name, faults=faults.found), faults)
            policy = read_policy(tree, text, faults=faults, templates=templates, broken=own.broken)
        except PolicyError as error:
            return error
        versioned = _with_version(policy, own.texts)
        if floor is None:
            return versioned
        below = faults_below(ReadPolicy(policy=policy, tree=tree, templates=templates, own=own.texts.keys()), floor)
        return PolicyError(below) if below else with_calendars(versioned, floor)


def load_policies(
    directory: Path, templates: GateTemplates, floor: Path | None = None
) -> Mapping[str, Policy | PolicyError]:
    """Read the policies of a directory once, and the floor's file where there is one; see PolicyDirectory."""
    file = None if floor is None else FloorFile(path=floor, templates=templates)
    return PolicyDirectory(path=directory, templates=templates, floor=file).load()


def second_of(service: str, name: str, owner: str) -> PolicyFault:
    """Return the fault of a file that describes a service which another one describes already."""
    return fault_of(name, f"the service {service}, which {owner} describes", "a service of its own")


def _with_version(policy: Policy, own: Mapping[str, str]) -> Policy:
    """Let the version change with the own templates that the policy uses: what they ask is a part of it."""
    triggers = [one for stage in policy.stages if stage.rollback is not None for one in stage.rollback.triggers]
    rules = [*(gate for stage in policy.stages for gate in stage.gates), *triggers]
    used = sorted({rule.template for rule in rules if isinstance(rule, MeasuredRule)} & own.keys())
    if not used:
        return policy
    hashes = [policy.version, *(hashlib.sha256(own[name].encode("utf-8")).hexdigest() for name in used)]
    return replace(policy, version=hashlib.sha256("".join(hashes).encode("ascii")).hexdigest())
