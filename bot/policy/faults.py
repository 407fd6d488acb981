"""What is wrong in a policy file: every fault with its place, what was found and what was expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class PolicyFault:
    """One fault. `line` and `column` count from 1, 0 where the file as a whole is meant; `path` is dotted."""

    file: str
    line: int
    column: int
    path: str
    found: str
    expected: str

    def __str__(self) -> str:
        """Return `checkout.yaml:12:9: stages[0].gates[1].limit: found …, expected …`."""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        path = f"{self.path}: " if self.path else ""
        return f"{place}: {path}found {self.found}, expected {self.expected}"


class PolicyError(Exception):
    """A policy that cannot be used; `faults` holds all that is wrong, in the order of the file."""

    def __init__(self, faults: Sequence[PolicyFault]) -> None:
        self.faults = tuple(sorted(set(faults)))
        super().__init__("\n".join(str(fault) for fault in self.faults))
