"""A team's own gate templates, from `gates/` beside its policies: added to the shipped ones, or in their place.

A team's own wins over a shipped one of its name, so that an upgrade which ships that name changes nothing. A broken one
is an error of its own file, and hinders only the policies that use it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bot.policy.faults import PolicyError
from bot.policy.files import fault_of, read_text, yaml_files
from bot.policy.folders import Folder
from bot.policy.templates import GateTemplate, GateTemplates, parse_template
from bot.policy.tree import read_tree

FOLDER = "gates"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTemplates:
    """The templates, their texts and files by name, the files of broken ones by name, and what is wrong by file."""

    templates: GateTemplates
    texts: Mapping[str, str]
    broken: Mapping[str, str]
    errors: Mapping[str, PolicyError]
    files: Mapping[str, str] = field(default_factory=dict)


def read_own_templates(directory: Folder) -> OwnTemplates:
    """Read the templates in the folder `gates` of a directory of policies. No such folder is no template."""
    found: dict[str, GateTemplate] = {}
    texts: dict[str, str] = {}
    broken: dict[str, str] = {}
    errors: dict[str, PolicyError] = {}
    owners: dict[str, str] = {}
    for name in _names(directory / FOLDER, errors):
        file, text = f"{FOLDER}/{name}", None
        try:
            text = read_text(directory / FOLDER / name, file=file)
            template = parse_template(text, file=file)
        except PolicyError as error:
            errors[file] = error
            broken.setdefault(_meant_name(text, Path(name).stem), file)
            continue
        if template.name in owners:
            taken = f"the template {template.name}, which {owners[template.name]} has"
            errors[file] = PolicyError([fault_of(file, taken, "a name of its own")])
            continue
        found[template.name], texts[template.name], owners[template.name] = template, text, file
    return OwnTemplates(templates=found, texts=texts, broken=broken, errors=errors, files=owners)


def _names(folder: Folder, errors: dict[str, PolicyError]) -> Sequence[str]:
    try:
        return yaml_files(folder, expected="a directory of gate templates") if folder.is_dir() else ()
    except PolicyError as error:
        errors[FOLDER] = error
        return ()


def _meant_name(text: str | None, stem: str) -> str:
    """Return the name that a broken template gives itself; the file's, where it cannot be read so far."""
    try:
        tree = read_tree(text or "", file=stem, faults=[])
    except PolicyError:
        return stem
    name = (tree.entries or {}).get("name")
    return name.text if name is not None and name.kind == "text" else stem
