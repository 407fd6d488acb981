"""What a check of policies finds: faults, for which the bot refuses a file, and warnings, for which it does not.

A check that asks the servers finds faults of another kind, too: what the bot takes, and what would not work there. It
also notes what it saw, and what it could not ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from bot.policy.faults import PolicyFault


class Severity(StrEnum):
    """How much a finding matters: a fault must be mended, a warning should be looked at, a note is good to know.

    What was not asked may be right or wrong: a server gave no answer.
    """

    FAULT = "fault"
    WARNING = "warning"
    UNASKED = "not asked"
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
    "out-of-reach": "More approvals than people may give",
    "only-shadow": "A rollback of which no trigger decides",
    "live-repository": "A repository or branch that is not there, or cannot be worked in",
    "live-permission": "A right at GitHub that the policy needs",
    "live-rules": "Rules of the branch that are at odds with the policy",
    "live-label": "A label of pull requests that the repository does not have",
    "live-edit": "A file or value that is not there, or cannot be read",
    "live-application": "An application that is not there, or does not deploy the stage's file",
    "live-query": "A query that the server refuses, or that gives no number for the stage",
    "live-traffic": "A window that is too short for the traffic",
    "live-releases": "A rule by which no tag of the registry is a release",
    "live-artifact": "An artifact that is not proven as the policy asks",
    "live-unasked": "Something that could not be asked, since a server gave no answer",
    "unknown-source": "A data source that the settings do not name",
    "no-tenant": "A service that no tenant of its data source names",
    "forced-label": "A label that no series can have beside those that the settings force",
    "not-forced": "A query into which the settings' labels cannot be put",
    "below-floor": "A policy that asks for less than the organisation's floor",
    "weakened": "A policy that asks for less than before",
    "changed": "A policy that asks for something else than before, to be looked at",
    "tightened": "A policy that asks for more than before",
}
"""All rules, with what breaks each."""
