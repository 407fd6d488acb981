"""A directory of policies: every file on its own, so that a bad one never hides the others."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bot.domain.policy import Policy
from bot.domain.rules import MeasuredRule
from bot.policy.faults import PolicyError
from bot.policy.files import fault_of, read_text, yaml_files
from bot.policy.own_templates import OwnTemplates, read_own_templates
from bot.policy.parsing import parse_policy
from bot.policy.templates import GateTemplates


def load_policies(directory: Path, templates: GateTemplates) -> Mapping[str, Policy | PolicyError]:
    """Read the policies directly in `directory`, by file name; test files and subdirectories are left out.

    To the templates come those of its folder `gates`, or in their place; a broken one is an error under `gates/FILE`.
    A service that two files describe belongs to the first, in the order of their names. Raise PolicyError if the
    directory itself cannot be read.
    """
    names = yaml_files(directory, expected="a directory of policies")
    own = read_own_templates(directory)
    templates = {**templates, **own.templates}
    read: dict[str, Policy | PolicyError] = dict(own.errors)
    owners: dict[str, str] = {}
    for name in names:
        found = _read(directory / name, templates, own)
        if isinstance(found, Policy):
            owner = owners.setdefault(found.service, name)
            if owner != name:
                taken = f"the service {found.service}, which {owner} describes"
                found = PolicyError([fault_of(name, taken, "a service of its own")])
        read[name] = found
    return read


def _read(path: Path, templates: GateTemplates, own: OwnTemplates) -> Policy | PolicyError:
    try:
        text = read_text(path, file=path.name)
        policy = parse_policy(text, file=path.name, templates=templates, broken=own.broken)
    except PolicyError as error:
        return error
    return _with_version(policy, own.texts)


def _with_version(policy: Policy, own: Mapping[str, str]) -> Policy:
    """Let the version change with the own templates that the policy uses: what they ask is a part of it."""
    triggers = [one for stage in policy.stages if stage.rollback is not None for one in stage.rollback.triggers]
    rules = [*(gate for stage in policy.stages for gate in stage.gates), *triggers]
    used = sorted({rule.template for rule in rules if isinstance(rule, MeasuredRule)} & own.keys())
    if not used:
        return policy
    hashes = [policy.version, *(hashlib.sha256(own[name].encode("utf-8")).hexdigest() for name in used)]
    return replace(policy, version=hashlib.sha256("".join(hashes).encode("ascii")).hexdigest())
