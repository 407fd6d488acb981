"""Find the policy of one service in a directory, with the tree that it was read from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bot.domain.policy import Policy
from bot.policy.defaults import read_inherited
from bot.policy.faults import PolicyError, PolicyFault
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

    Raise PolicyError where the directory cannot be read, with the faults of the only file that describes it, or where
    none does with those of all files that cannot be read and might.
    """
    inherited, own = read_inherited(directory), read_own_templates(directory)
    error: PolicyError | None = None
    unreadable: list[PolicyFault] = []
    for name, text in _texts_of(directory, service, unreadable):
        try:
            resolved = resolve(text, file=name, inherited=inherited)
            policy = read_policy(resolved, templates={**templates, **own.templates}, broken=own.broken)
        except PolicyError as refused:
            error = error or refused
            continue
        return Shown(policy=policy, resolved=resolved)
    if error is not None:
        raise error
    if unreadable:
        raise PolicyError(unreadable)
    return None


def _texts_of(directory: Path, service: str, unreadable: list[PolicyFault]) -> Iterator[tuple[str, str]]:
    """Give the names and texts of the files that say they describe a service, in the order of their names.

    The faults of files that may do so, but cannot be read, are added to `unreadable`.
    """
    for name in yaml_files(directory, expected="a directory of policies"):
        try:
            text = "" if name == DEFAULTS else read_text(directory / name, file=name)
            # What has not even the word need not be read as YAML.
            said = _service_of(text, name) if service in text else None
        except PolicyError as error:
            unreadable += error.faults
            continue
        if said == service:
            yield name, text


def _service_of(text: str, name: str) -> str | None:
    said = (read_tree(text, file=name, faults=[]).entries or {}).get("service")
    return None if said is None else said.text


def services_of(directory: Path) -> list[str]:
    """Return the services that the files of a directory say they describe; what cannot be read describes none here."""
    found: set[str] = set()
    for name in yaml_files(directory, expected="a directory of policies"):
        with suppress(PolicyError):
            found.add(_service_of(read_text(directory / name, file=name), name) or "")
    return sorted(found - {""})
