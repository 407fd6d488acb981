"""`defaults.yaml` beside the policies: what those of them inherit that say so. Read with the limits of a policy.

Only its outline is checked here. What it says of stages is read where a policy inherits it, as if it stood there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from bot.domain.text import one_line
from bot.policy.faults import PolicyError, PolicyFault
from bot.policy.files import read_text
from bot.policy.folders import Folder
from bot.policy.grammar import NAME
from bot.policy.parsing import API_VERSION, read_policy
from bot.policy.reading import UNKNOWN_KEY, Faults, Section, one_of, shown
from bot.policy.resolving import DEFAULTS, EXTENDS, Defaults, Inherited, resolve
from bot.policy.schema.service import POLICY_FIELDS
from bot.policy.schema.stages import STAGE_FIELDS
from bot.policy.templates import GateTemplates
from bot.policy.tree import Value, read_tree

_OF_POLICIES = {
    "service": "it in each policy: no two of them describe one service",
    EXTENDS: "it only in policies",
}
"""What stands in policies only, and what is said of it."""
_NO_NAME = "sample"
_OF_STAGES = {"name": "it only in policies"}
_OWN = ("apiVersion", "stage", "stages")
_OF_SERVICES = tuple(key for key in POLICY_FIELDS if key not in (*_OF_POLICIES, *_OWN))
_A_NAME = "the name of a stage: a-z, 0-9 and -, at most 63 long"


def read_inherited(directory: Folder) -> Inherited:
    """Return what the policies of a directory can inherit."""
    path = directory / DEFAULTS
    if not path.is_symlink() and not path.exists():
        return Inherited()
    try:
        return Inherited(defaults=parse_defaults(read_text(path, file=DEFAULTS)))
    except PolicyError as error:
        return Inherited(error=error)


def parse_defaults(text: str) -> Defaults:
    """Read defaults. Raise PolicyError with all that is wrong with their outline."""
    faults = Faults(file=DEFAULTS)
    tree = read_tree(text, file=DEFAULTS, faults=faults.found)
    top = Section.of(tree, "", faults)
    defaults = None if top is None else _defaults(top, text)
    if defaults is None or faults.found:
        raise faults.error()
    return defaults


def check_defaults(defaults: Defaults, templates: GateTemplates, broken: Mapping[str, str]) -> Sequence[PolicyFault]:
    """Return the unknown keys at any depth; what else is wrong depends on the policy that inherits it."""
    found: list[PolicyFault] = []
    try:
        sample = resolve(_sample(defaults), file="", inherited=Inherited(defaults=defaults))
        read_policy(sample, templates=templates, broken=broken)
    except PolicyError as error:
        # There always is one: a sample is no whole policy.
        found += error.faults
    return [fault for fault in found if fault.file == DEFAULTS and fault.found == UNKNOWN_KEY]


def _sample(defaults: Defaults) -> str:
    """Return a policy that inherits all there is; it need not be one that means anything."""
    stages = "".join(f"  - {{name: {name}, from: registry}}\n" for name in (*defaults.stages, _NO_NAME))
    return f"{EXTENDS}: {DEFAULTS}\nservice: {_NO_NAME}\nstages:\n{stages}"


def _defaults(top: Section, text: str) -> Defaults:
    top.read("apiVersion", one_of((API_VERSION,)), API_VERSION)
    _refuse(top, _OF_POLICIES)
    service = {key: value for key in _OF_SERVICES if (value := top.get(key)) is not None}
    stage, stages = top.section("stage"), top.section("stages")
    named = dict(_named(stages)) if stages is not None else {}
    for section in [*([] if stage is None else [stage]), *named.values()]:
        _check_stage(section)
    top.finish()
    for key, value in service.items():
        _refuse_stage(top, key, value)
    return Defaults.of(
        text=text,
        service=_mapping(top.value, service),
        stage=_mapping(top.value, {}) if stage is None else stage.value,
        stages={name: section.value for name, section in named.items()},
    )


def _mapping(top: Value, entries: Mapping[str, Value]) -> Value:
    keys = {key: place for key, place in (top.keys or {}).items() if key in entries}
    return replace(top, entries=entries, keys=keys)


def _named(stages: Section) -> Iterator[tuple[str, Section]]:
    for name, place in (stages.value.keys or {}).items():
        section = stages.section(name, required=True)
        if re.fullmatch(NAME, name) is None:
            stages.faults.note_at(place, stages.path, f'"{one_line(name, limit=60)}"', _A_NAME)
        elif section is not None:
            yield name, section


def _check_stage(section: Section) -> None:
    """Note keys that no stage has. What they hold is read where it is inherited."""
    for key in STAGE_FIELDS.keys() - _OF_STAGES.keys():
        section.get(key)
    _refuse(section, _OF_STAGES)
    section.finish()


def _refuse(section: Section, left_out: Mapping[str, str]) -> None:
    """Note keys that belong into policies. They are asked for only where they are: what could stand here is told."""
    for key in left_out.keys() & section.entries.keys():
        said = section.get(key)
        if said is not None:
            section.faults.note(said, section.at(key), "it", left_out[key])


def _refuse_stage(top: Section, path: str, value: Value) -> None:
    """Note a text that names the stage where there is none."""
    if "{stage}" in value.text:
        top.faults.note(value, path, shown(value), "{stage} only in stage and stages")
    for key, one in (value.entries or {}).items():
        _refuse_stage(top, f"{path}.{one_line(key, limit=60)}", one)
    for number, one in enumerate(value.items):
        _refuse_stage(top, f"{path}[{number}]", one)
