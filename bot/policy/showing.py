"""Find the policy of one service in a directory, with the tree that it was read from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bot.domain.policy import Policy
from bot.policy.defaults import read_inherited
from bot.policy.faults import PolicyError
from bot.policy.files import read_text, yaml_files
from bot.policy.own_templates import read_own_templates
from bot.policy.parsing import read_policy
from bot.policy.resolving import DEFAULTS, Resolved, resolve
from bot.policy.templates import GateTemplates
from bot.policy.tree import read_tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A policy, and its tree with all that it inherits."""

    policy: Policy
    resolved: Resolved


def find_policy(directory: Path, service: str, templates: GateTemplates) -> Shown | None:
    """Return the policy of a service, as the bot reads it; None where no file describes it.

    Raise PolicyError where the directory cannot be read, or with the faults of the only file that does.
    """
    inherited, own = read_inherited(directory), read_own_templates(directory)
    error: PolicyError | None = None
    for name, text in _texts_of(directory, service):
        try:
            resolved = resolve(text, file=name, inherited=inherited)
            policy = read_policy(resolved, templates={**templates, **own.templates}, broken=own.broken)
        except PolicyError as refused:
            error = error or refused
            continue
        return Shown(policy=policy, resolved=resolved)
    if error is not None:
        raise error
    return None


def _texts_of(directory: Path, service: str) -> Iterator[tuple[str, str]]:
    """Give the names and texts of the files that say they describe a service, in the order of their names."""
    for name in yaml_files(directory, expected="a directory of policies"):
        try:
            text = "" if name == DEFAULTS else read_text(directory / name, file=name)
            # What has not even the word need not be read as YAML.
            tree = read_tree(text, file=name, faults=[]) if service in text else None
        except PolicyError:
            continue
        said = None if tree is None else (tree.entries or {}).get("service")
        if said is not None and said.text == service:
            yield name, text
