"""What became of policies since an earlier version of them: findings, each at its place in the new file.

What got weaker, and what nobody can judge without looking, are warnings; what got stricter is a note.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.domain.policy import Policy
from bot.domain.text import one_line
from bot.policy.comparing import Change, Way, compare_policies
from bot.policy.faults import PolicyError, PolicyFault
from bot.policy.files import fault_of
from bot.policy.findings import Finding, Severity
from bot.policy.own_templates import FOLDER
from bot.policy.places import value_at
from bot.policy.tree import Value

Found = Mapping[str, Policy | PolicyError]
"""Policies, or what is wrong with them, by the names of their files."""
EarlierOf = Callable[[Path], Found | None]
"""Gives the earlier policies of a directory; None where it was not there."""

_RULES = {Way.WEAKER: "weakened", Way.CHANGED: "changed", Way.STRICTER: "tightened"}
LOOSER = (_RULES[Way.WEAKER], _RULES[Way.CHANGED])
"""The rules of findings of which some may let more through than before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """The earlier policies of a directory by their services, and what was wrong with the files of others."""

    policies: Mapping[str, Policy]
    broken: Mapping[str, PolicyError]
    was_there: bool = True

    @classmethod
    def of(cls, found: Found | None) -> Earlier:
        """Sort what was found."""
        if found is None:
            return cls(policies={}, broken={}, was_there=False)
        policies = {one.service: one for one in found.values() if isinstance(one, Policy)}
        return cls(policies=policies, broken={file: one for file, one in found.items() if isinstance(one, PolicyError)})

    def since(self, policy: Policy, tree: Value) -> Iterator[Finding]:
        """Give what is different of a policy whose file has this tree; nothing of a service that is new."""
        old = self.policies.get(policy.service)
        if old is not None:
            yield from (_finding(change, tree) for change in compare_policies(old, policy))
        elif policy.file in self.broken:
            said = f"it cannot be compared: {_first(self.broken[policy.file])}"
            yield _of_file(policy.file, found="a policy", expected="an earlier one without faults", said=said)

    def gone(self, services: Mapping[str, str], broken: Mapping[str, object]) -> Iterator[tuple[str, Finding]]:
        """Give the services that are there no more, with their files; what is broken now is told as such.

        A directory that was not there has no file for it: it may have been moved, and nothing in it was compared.
        """
        if not self.was_there:
            said = "it was not there, and nothing in it was compared"
            yield "", _of_file("", found="a new directory", expected="one that was there before", said=said)
        for service, policy in self.policies.items():
            if service not in services and policy.file not in broken:
                said = f"the service {service} -> nothing"
                yield policy.file, _of_file(policy.file, found="nothing", expected=f"the service {service}", said=said)
        # What stands in their places now is told already, where it is a service that is new.
        told = {file for service, file in services.items() if service not in self.policies}
        for file, error in self.broken.items():
            # It may have been moved: its service passes for a new one then.
            # A template is no policy: what uses it was broken, too.
            if file not in broken and file not in told and file.partition("/")[0] != FOLDER:
                said = f"it is gone, and cannot be compared: {_first(error)}"
                yield file, _of_file(file, found="nothing", expected="an earlier policy without faults", said=said)


def _first(error: PolicyError) -> str:
    return one_line(str(error.faults[0]), limit=400)


def _finding(change: Change, tree: Value) -> Finding:
    value = value_at(tree, change.path)
    fault = PolicyFault(
        file=value.file,
        line=value.line,
        column=value.column,
        path=change.path,
        found=change.new,
        expected=f"{change.old}, as before",
    )
    severity = Severity.NOTE if change.way is Way.STRICTER else Severity.WARNING
    return Finding(fault=fault, rule=_RULES[change.way], severity=severity, said=str(change))


def _of_file(file: str, *, found: str, expected: str, said: str) -> Finding:
    fault = fault_of(file, found, expected)
    return Finding(fault=fault, rule=_RULES[Way.CHANGED], severity=Severity.WARNING, said=said)
