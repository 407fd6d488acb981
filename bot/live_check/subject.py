"""A policy that is asked about: findings at its values, and what all questions about it share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from bot.adapters.prometheus_series import SeriesReader
from bot.doctor import Finding as Line
from bot.doctor import Mark, Patient
from bot.domain.edit import Reading, Written, read_image
from bot.domain.model import Trouble
from bot.domain.policy import Place, Policy
from bot.domain.queries import Query, source_name
from bot.domain.text import one_line
from bot.live_check.reach import Reach
from bot.policy.checking import KeptPolicy
from bot.policy.faults import PolicyFault
from bot.policy.findings import Finding, Severity
from bot.policy.places import value_at
from bot.ports import Permanent
from bot.sampling import Force, as_it_is

GITHUB = "GitHub"
REGISTRY = "registry"
_LONGEST = 400
_SEVERITIES = {Mark.FAILED: Severity.FAULT, Mark.WARNING: Severity.WARNING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One policy with its file. Each method returns a finding at the value of a path, or at the nearest above it."""

    read: KeptPolicy

    @property
    def policy(self) -> Policy:
        """The policy itself."""
        return self.read.policy

    def has(self, path: str) -> bool:
        """Say whether the file has a value at a path."""
        above, _, last = path.rpartition(".")
        return last in (value_at(self.read.tree, above).entries or {})

    def fault(self, rule: str, path: str, found: str, expected: str) -> Finding:
        """Return what would surely not work."""
        return self._finding(rule, path, Severity.FAULT, found, expected)

    def warning(self, rule: str, path: str, found: str, expected: str) -> Finding:
        """Return what may be right, and hardly is."""
        return self._finding(rule, path, Severity.WARNING, found, expected)

    def note(self, rule: str, path: str, found: str) -> Finding:
        """Return what was seen, and is as it should be."""
        return self._finding(rule, path, Severity.NOTE, found, "")

    def unasked(self, path: str, found: str, expected: str) -> Finding:
        """Return what could not be asked."""
        return self._finding("live-unasked", path, Severity.UNASKED, found, expected)

    def taken(self, rule: str, path: str, line: Line) -> list[Finding]:
        """Return what the doctor says of a value; nothing where all is well."""
        severity = _SEVERITIES.get(line.mark)
        if severity is None:
            return []
        return [self._finding(rule, path, severity, f"that {line.found}", f"this: {line.remedy}")]

    def _finding(self, rule: str, path: str, severity: Severity, found: str, expected: str) -> Finding:
        value = value_at(self.read.tree, path)
        fault = PolicyFault(
            file=self.read.file,
            line=value.line,
            column=value.column,
            path=path,
            found=one_line(found, limit=_LONGEST),
            expected=one_line(expected, limit=_LONGEST),
        )
        return Finding(fault=fault, rule=rule, severity=severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The servers, as the settings name them, and what was asked of them so far.

    `series` reads each data source by its id, `force` is what the settings make of a query before it is sent.
    """

    patient: Patient
    series: Mapping[str, SeriesReader]
    reach: Reach
    force: Force = as_it_is

    def reader(self, source: str) -> SeriesReader:
        """Return what reads a data source; raise Permanent for one that the settings do not name."""
        found = self.series.get(source)
        if found is None:
            raise Permanent(source_name(source), f"the settings name no data source {source}")
        return found

    def is_free(self, source: str) -> bool:
        """Say whether the settings let everybody ask for all series of a data source."""
        section = self.patient.settings.sources.get(source)
        return section is not None and section.tenancy.is_free

    def forced(self, policy: Policy, query: Query) -> Query:
        """Return a query as it is sent for a policy; raise Permanent where the settings let it not be sent."""
        found = self.force(policy, query)
        if isinstance(found, Trouble):
            raise Permanent(found.system, found.sentence)
        return found

    def text(self, policy: Policy, path: str) -> str | None:
        """Return the text of a file of a policy's repository; None where there is none."""
        where = policy.gitops
        return self.reach.ask(
            GITHUB,
            ("file", where.repository.lower(), where.branch, path),
            lambda: self.patient.github.read_file(where.repository, where.branch, path),
        )

    def written(self, policy: Policy, place: Place) -> Written | None:
        """Return what a file says of an image; None where there is no text. Raise EditRefused as it does."""
        text = self.text(policy, place.edit.file)
        if not text:
            return None
        reading = Reading.up_to(self.patient.settings.git.max_file_bytes)
        return read_image(place.edit, place.image, text, reading=reading)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One thing to look at: what about is named by the path of the value that it is told at, if it cannot be asked."""

    subject: Subject
    path: str
    ask: Callable[[], Iterator[Finding]]
