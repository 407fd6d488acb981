"""What a test file says, as frozen values: series, what happens, and what is expected at which time.

Times are counted from the start of the test, `Case.at`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from bot.domain.authority import Permission
from bot.domain.policy import Policy
from bot.trial.notation import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenSeries:
    """A series of Prometheus: one value for each interval, the first `before` the start of the test."""

    labels: Mapping[str, str]
    values: tuple[Value, ...]
    before: timedelta


# --- what happens ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """Somebody sets the tag of a stage in Git; where the tag is new, they wrote its source commit."""

    tag: str
    stage: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """An image with this tag, whose source commit somebody wrote, is pushed to the registry."""

    tag: str
    by: str


class Syncs(StrEnum):
    """What Argo CD does with a commit that changes what an application should run."""

    AT_ONCE = "at once"
    FAILED = "failed"
    RUNNING = "running"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """Argo CD says something else of an application from now on; None of what stays as it is."""

    application: str
    health: str | None = None
    message: str = ""
    syncs: Syncs | None = None
    exists: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A person comments on the newest pull request into a stage."""

    by: str
    body: str
    stage: str


class Act(StrEnum):
    """What a person does to a pull request, as the key says it."""

    MERGES = "merges"
    CLOSES = "closes"
    REOPENS = "reopens"
    APPROVES = "approves"
    REQUESTS_CHANGES = "requests_changes"
    MARKS_DRAFT = "marks_draft"
    MARKS_READY = "marks_ready"
    LABELS = "labels"
    UNLABELS = "unlabels"


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    """A person does something to the newest pull request into a stage; `label` is for two of the acts."""

    by: str
    act: Act
    stage: str
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusIs:
    """Prometheus stops answering, or answers again."""

    up: bool


Happening = Released | Pushed | Reported | Said | Acted | PrometheusIs


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happens `at` a time; it stands in this line of the file."""

    at: timedelta
    line: int
    column: int
    what: Happening


# --- what is expected ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What must be so at a time; None (or empty) of what is not looked at.

    With `rule` it is about a gate or a trigger of the stage, and `verdict` and `reason` are that one's. Without, it is
    about the stage: `release` says of which of its releases, `did` what the bot must have done there by then and
    `did_not` what it must not have done.
    """

    at: timedelta
    line: int
    stage: str
    rule: str | None = None
    is_trigger: bool = False
    verdict: str | None = None
    reason: str | None = None
    release: str | None = None
    state: str | None = None
    waits_on: str | None = None
    tag: str | None = None
    pull_request: str | None = None
    did: tuple[str, ...] = ()
    did_not: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test. `tags` are those of the stages at the start, `looks` is how often the bot looks."""

    name: str
    line: int
    at: datetime
    looks: timedelta
    tags: Mapping[str, str]
    series: tuple[GivenSeries, ...]
    timeline: tuple[Event, ...]
    expectations: tuple[Expectation, ...]

    @property
    def end(self) -> timedelta:
        """When nothing is expected any more."""
        return max(one.at for one in self.expectations)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialFile:
    """A test file with its policy. `interval` is that of the samples.

    `people` are the roles of who acts, `teams` the members of teams by `organisation/team`.
    """

    file: str
    policy: Policy
    interval: timedelta
    people: Mapping[str, Permission]
    teams: Mapping[str, frozenset[str]]
    cases: tuple[Case, ...]


PullRequestIs = Literal["draft", "open", "merged", "closed", "none"]
