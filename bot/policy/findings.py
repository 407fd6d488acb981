"""What a check of policies finds: faults, for which the bot refuses a file, and warnings and notes, for which not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from bot.policy.faults import PolicyFault


class Severity(StrEnum):
    """How much a finding matters: a fault must be mended, a warning should be looked at, a note is good to know."""

    FAULT = "fault"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Finding:
    """One thing that a check found: where, what and instead of what, and the `rule` that it breaks.

    Where it is no fault but a difference, `said` is the whole sentence.
    """

    fault: PolicyFault
    rule: str
    severity: Severity = Severity.FAULT
    said: str = ""

    def in_file(self, file: str) -> Finding:
        """Return it with the name by which whoever asked knows the file."""
        return replace(self, fault=replace(self.fault, file=file))


RULES: Mapping[str, str] = {
    "policy": "A policy or template that the bot does not read",
    "promql": "A query that Prometheus does not take",
    "promql-dialect": "A query that only VictoriaMetrics may take, or that was not checked",
    "narrow-tile": "A tile that holds fewer than four scrapes",
    "floor-proves-nothing": "A floor with which the limit cannot be shown to hold",
    "without-effect": "A field that changes nothing where it stands",
    "outlasts-watch": "A trigger that takes longer than the watch",
    "only-shadow": "A rollback of which no trigger decides",
    "below-floor": "A policy that asks for less than the organisation's floor",
    "weakened": "A policy that asks for less than before",
    "changed": "A policy that asks for something else than before, to be looked at",
    "tightened": "A policy that asks for more than before",
}
"""All rules, with what breaks each."""
