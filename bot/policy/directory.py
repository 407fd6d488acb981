"""A directory of policies: every file on its own, so that a bad one never hides the others."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from bot.domain.policy import Policy
from bot.domain.rules import MeasuredRule
from bot.policy.defaults import read_inherited
from bot.policy.faults import PolicyError, PolicyFault
from bot.policy.files import Stamp, fault_of, is_yaml_name, read_text, stamped_files
from bot.policy.floor import Floor, FloorFile, ReadPolicy, faults_below, with_calendars
from bot.policy.folders import Folder
from bot.policy.own_templates import OwnTemplates, read_own_templates
from bot.policy.parsing import read_policy
from bot.policy.resolving import DEFAULTS, EXTENDS, NOTHING, Inherited, resolve
from bot.policy.templates import GateTemplates
from bot.policy.tree import read_tree


class BelowFloor(PolicyError):
    """A policy that asks for less than the organisation's floor: an older one is no better for having been in force."""


@dataclass(frozen=True, kw_only=True)
class _Kept:
    """What came of a file, and all that it rests on. Without a `stamp` the file is read again."""

    stamp: Stamp | None
    text: str
    rests_on: object
    found: Policy | PolicyError

    @cached_property
    def service(self) -> str | None:
        """The service that the text says it is of."""
        return said_service(self.text)


@dataclass(slots=True, kw_only=True)
class _Shared:
    """What the policies of a directory share, kept from load to load while it is the same."""

    own: OwnTemplates = field(default_factory=lambda: OwnTemplates(templates={}, texts={}, broken={}, errors={}))
    inherited: Inherited = NOTHING
    floor: Floor | None = None

    def read(self, directory: Folder, floor: Floor | None) -> None:
        """Read it, and keep what was there where it did not change: then nothing has to be compared with it."""
        own, inherited = read_own_templates(directory), read_inherited(directory)
        is_same = (self.own.texts, self.own.broken) == (own.texts, own.broken)
        self.own = replace(self.own, errors=own.errors) if is_same else own
        if self.inherited.basis != inherited.basis:
            self.inherited = inherited
        self.floor = floor


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDirectory:
    """The policies directly in a directory. What was read once is not parsed again before it changes.

    Nor before a template or `defaults.yaml` does that it could rest on. Nor is a file read again whose stamp is the
    same and was old enough when it was read. To the `templates` come those of its folder `gates`, or in their place.
    What is below the `floor` is an error like any other. `now` tells nanoseconds since 1970. Not to be shared between
    threads.
    """

    path: Folder
    templates: GateTemplates
    floor: FloorFile | None = None
    now: Callable[[], int] = time.time_ns
    _kept: dict[str, _Kept] = field(default_factory=dict, init=False)
    _shared: _Shared = field(default_factory=_Shared, init=False)

    @property
    def judged_by(self) -> Floor | None:
        """The floor by which the last load judged; None where there is none."""
        return self._shared.floor

    def load(self) -> Mapping[str, Policy | PolicyError]:
        """Read them, by file name; test files, `defaults.yaml` and subdirectories are left out.

        A broken template is an error under `gates/FILE`. A service that two files describe belongs to the first, in the
        order of their names. A floor that is broken now is an error under its own name, while the last good one stays
        in force. Raise PolicyError if the directory itself cannot be read, FloorError without any good floor.
        """
        in_force = self.floor.read() if self.floor is not None else None
        now = self.now()
        stamps = stamped_files(self.path, expected="a directory of policies")
        self._shared.read(self.path, in_force.floor if in_force is not None else None)
        read: dict[str, Policy | PolicyError] = dict(self._shared.own.errors)
        if in_force is not None and in_force.error is not None:
            read[in_force.error.file] = in_force.error
        owners: dict[str, str] = {}
        names = [name for name in stamps if name != DEFAULTS]
        for name in names:
            found = self._read(name, stamps[name], now)
            if isinstance(found, Policy):
                owner = owners.setdefault(found.service, name)
                if owner != name:
                    found = PolicyError([second_of(found.service, name, owner)])
            read[name] = found
        for name in self._kept.keys() - set(names):
            del self._kept[name]
        return read

    def meant_service(self, name: str) -> str:
        """Return which service a broken file is of, as far as can be told; empty where it is no file of a policy.

        What it says counts, and only where that cannot be read its name.
        """
        if "/" in name or not is_yaml_name(name):
            return ""
        kept = self._kept.get(name)
        return (kept.service if kept is not None else None) or name.rpartition(".")[0]

    def _read(self, name: str, stamp: Stamp | None, now: int) -> Policy | PolicyError:
        kept = self._kept.get(name)
        is_same = kept is not None and kept.stamp is not None and kept.stamp == stamp
        try:
            text = kept.text if kept is not None and is_same else read_text(self.path / name, file=name)
        except PolicyError as error:
            return error
        rests_on = self._basis(text)
        if kept is None or kept.text != text or kept.rests_on != rests_on:
            kept = _Kept(stamp=None, text=text, rests_on=rests_on, found=self._parsed(text, name))
        if not is_same:
            kept = replace(kept, stamp=stamp if stamp is not None and stamp.is_settled(now) else None)
        self._kept[name] = kept
        return kept.found

    def _basis(self, text: str) -> object:
        """Return what a text rests on beside itself: defaults only where it may have the word at all."""
        shared = self._shared
        # Behind a backslash YAML may have any letter of a word in other signs.
        inherited = shared.inherited.basis if EXTENDS in text or "\\" in text else ""
        return shared.own.texts, shared.own.broken, inherited, shared.floor

    def _parsed(self, text: str, name: str) -> Policy | PolicyError:
        own, floor = self._shared.own, self._shared.floor
        templates = {**self.templates, **own.templates}
        try:
            resolved = resolve(text, file=name, inherited=self._shared.inherited)
            tree, policy = resolved.tree, read_policy(resolved, templates=templates, broken=own.broken)
        except PolicyError as error:
            return error
        versioned = _with_version(policy, own.texts)
        return under_floor(ReadPolicy(policy=versioned, tree=tree, templates=templates, own=own.texts.keys()), floor)


def under_floor(read: ReadPolicy, floor: Floor | None) -> Policy | BelowFloor:
    """Return a policy as it comes into force, with the calendars of the floor; or all that is below it."""
    if floor is None:
        return read.policy
    below = faults_below(read, floor)
    return BelowFloor(below) if below else with_calendars(read.policy, floor)


def said_service(text: str) -> str | None:
    """Return which service a file says it is of, broken or not; None where it cannot be read so far."""
    try:
        tree = read_tree(text, file="", faults=[])
    except PolicyError:
        return None
    service = (tree.entries or {}).get("service")
    return service.text if service is not None and service.kind == "text" else None


def load_policies(
    directory: Folder, templates: GateTemplates, floor: Path | None = None
) -> Mapping[str, Policy | PolicyError]:
    """Read the policies of a directory once, and the floor's file where there is one; see PolicyDirectory."""
    file = None if floor is None else FloorFile(path=floor, templates=templates)
    return PolicyDirectory(path=directory, templates=templates, floor=file).load()


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
