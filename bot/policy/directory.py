"""A directory of policies: every file on its own, so that a bad one never hides the others."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bot.domain.policy import Policy
from bot.domain.rules import MeasuredRule
from bot.policy.faults import PolicyError, PolicyFault
from bot.policy.files import fault_of, read_text, yaml_files
from bot.policy.folders import Folder
from bot.policy.own_templates import OwnTemplates, read_own_templates
from bot.policy.parsing import parse_policy
from bot.policy.templates import GateTemplates


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDirectory:
    """The policies directly in a directory. What was read once is not parsed again before it, or a template, changes.

    To the `templates` come those of its folder `gates`, or in their place. Not to be shared between threads.
    """

    path: Folder
    templates: GateTemplates
    _kept: dict[str, tuple[object, Policy | PolicyError]] = field(default_factory=dict, init=False)

    def load(self) -> Mapping[str, Policy | PolicyError]:
        """Read them, by file name; test files and subdirectories are left out.

        A broken template is an error under `gates/FILE`. A service that two files describe belongs to the first, in the
        order of their names. Raise PolicyError if the directory itself cannot be read.
        """
        names = yaml_files(self.path, expected="a directory of policies")
        own = read_own_templates(self.path)
        read: dict[str, Policy | PolicyError] = dict(own.errors)
        owners: dict[str, str] = {}
        for name in names:
            found = self._read(name, own)
            if isinstance(found, Policy):
                owner = owners.setdefault(found.service, name)
                if owner != name:
                    found = PolicyError([second_of(found.service, name, owner)])
            read[name] = found
        for name in self._kept.keys() - set(names):
            del self._kept[name]
        return read

    def _read(self, name: str, own: OwnTemplates) -> Policy | PolicyError:
        try:
            text = read_text(self.path / name, file=name)
        except PolicyError as error:
            return error
        rests_on = (text, own.texts, own.broken)
        kept = self._kept.get(name)
        if kept is None or kept[0] != rests_on:
            kept = (rests_on, self._parsed(text, name, own))
            self._kept[name] = kept
        return kept[1]

    def _parsed(self, text: str, name: str, own: OwnTemplates) -> Policy | PolicyError:
        templates = {**self.templates, **own.templates}
        try:
            policy = parse_policy(text, file=name, templates=templates, broken=own.broken)
        except PolicyError as error:
            return error
        return _with_version(policy, own.texts)


def load_policies(directory: Folder, templates: GateTemplates) -> Mapping[str, Policy | PolicyError]:
    """Read the policies of a directory once; see PolicyDirectory."""
    return PolicyDirectory(path=directory, templates=templates).load()


_ITS_OWN = "a service of its own"


def second_of(service: str, name: str, owner: str) -> PolicyFault:
    """Return the fault of a file that describes a service which another one describes already."""
    return fault_of(name, f"the service {service}, which {owner} describes", _ITS_OWN)


def is_second(error: PolicyError) -> bool:
    """Say whether nothing is wrong with a file but that another one describes its service already."""
    return all(fault.expected == _ITS_OWN for fault in error.faults)


def _with_version(policy: Policy, own: Mapping[str, str]) -> Policy:
    """Let the version change with the own templates that the policy uses: what they ask is a part of it."""
    triggers = [one for stage in policy.stages if stage.rollback is not None for one in stage.rollback.triggers]
    rules = [*(gate for stage in policy.stages for gate in stage.gates), *triggers]
    used = sorted({rule.template for rule in rules if isinstance(rule, MeasuredRule)} & own.keys())
    if not used:
        return policy
    hashes = [policy.version, *(hashlib.sha256(own[name].encode("utf-8")).hexdigest() for name in used)]
    return replace(policy, version=hashlib.sha256("".join(hashes).encode("ascii")).hexdigest())
