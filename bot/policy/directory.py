"""A directory of policies: every file on its own, so that a bad one never hides the others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bot.domain.policy import Policy
from bot.policy.faults import PolicyError, PolicyFault
from bot.policy.parsing import parse_policy
from bot.policy.templates import GateTemplates
from bot.policy.tree import MAX_BYTES


def load_policies(directory: Path, templates: GateTemplates) -> Mapping[str, Policy | PolicyError]:
    """Read the policies directly in `directory`, by file name; test files and subdirectories are left out.

    A service that two files describe belongs to the first, in the order of their names. Raise PolicyError if the
    directory itself cannot be read.
    """
    try:
        names = sorted(entry.name for entry in directory.iterdir() if _is_policy(entry))
    except OSError as error:
        raise PolicyError([_fault(str(directory), _why(error), "a directory of policies")]) from error
    read: dict[str, Policy | PolicyError] = {}
    owners: dict[str, str] = {}
    for name in names:
        found = _read(directory / name, templates)
        if isinstance(found, Policy):
            owner = owners.setdefault(found.service, name)
            if owner != name:
                fault = _fault(name, f"the service {found.service}, which {owner} describes", "a service of its own")
                found = PolicyError([fault])
        read[name] = found
    return read


def _is_policy(entry: Path) -> bool:
    name = entry.name
    if name.startswith(".") or name.endswith((".test.yaml", ".test.yml")):
        return False
    return name.endswith((".yaml", ".yml")) and not entry.is_dir()


def _read(path: Path, templates: GateTemplates) -> Policy | PolicyError:
    try:
        if not path.is_file() and path.exists():
            # A named pipe would keep its reader, and with it every other service, waiting for ever.
            return PolicyError([_fault(path.name, "something that is no file", "a file that can be read")])
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            return PolicyError([_fault(path.name, "more than 1 MiB", "a policy of at most 1 MiB")])
        # Line endings stay as they are: the version is the hash of the bytes.
        text = content.decode("utf-8")
    except OSError as error:
        return PolicyError([_fault(path.name, _why(error), "a file that can be read")])
    except UnicodeDecodeError:
        return PolicyError([_fault(path.name, "bytes that are no UTF-8", "UTF-8 text")])
    try:
        return parse_policy(text, file=path.name, templates=templates)
    except PolicyError as error:
        return error


def _why(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _fault(file: str, found: str, expected: str) -> PolicyFault:
    return PolicyFault(file=file, line=0, column=0, path="", found=found, expected=expected)
