"""The policy of one service as a frozen value: what `bot.policy` parses from YAML and what `decide` reads.

Durations are `timedelta`, limits are shares of 1. Values here are valid by construction of the parser; this module
checks nothing again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Literal

from bot.domain.edit.kinds import Edit


class CommitsBy(StrEnum):
    """Who makes the bot's commits: git on the bot's machine, or GitHub, which then signs them for a GitHub App."""

    GIT = "git"
    GITHUB = "github"


@dataclass(frozen=True, slots=True, kw_only=True)
class GitOps:
    """The repository (`owner/name`) and branch whose files say what should run where."""

    repository: str
    branch: str
    commits: CommitsBy = CommitsBy.GIT


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthWindow:
    """For how long a release must prove itself after `warmup`, and when a person is asked if there is no verdict.

    `length`, `warmup` and `deadline` count from the instant at which the release is live; `tile` is the width of the
    non-overlapping counts.
    """

    length: timedelta
    warmup: timedelta
    deadline: timedelta
    tile: timedelta


class Counts(StrEnum):
    """What a gate's first query counts: bad events, or good ones (a latency bucket counts requests that were fast)."""

    BAD = "bad"
    GOOD = "good"


@dataclass(frozen=True, slots=True, kw_only=True)
class CountGate:
    """A share of bad events must stay below `limit`. Queries are whole PromQL texts, already filled in.

    `query` counts what `counts` says, `total` counts all; both are instant expressions over one tile of width `tile`
    that give at most one series.
    """

    name: str
    template: str
    title: str
    limit: float
    counts: Counts
    query: str
    total: str
    tile: timedelta
    is_shadow: bool = False
    kind: Literal["counts"] = "counts"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgoHealthyGate:
    """Every application of the stage is live and stays Healthy for the whole window."""

    name: str
    is_shadow: bool = False
    title: str = "Argo CD reports every application synced and Healthy"
    kind: Literal["argocd-healthy"] = "argocd-healthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class DegradedTrigger:
    """An application of the stage has been Degraded for `lasting` or longer."""

    name: str
    lasting: timedelta
    is_shadow: bool = False
    title: str = "Argo CD reports an application Degraded"
    kind: Literal["argocd-degraded"] = "argocd-degraded"


# A gate or trigger in the shadow is judged and shown, and never decides: for trying it out.
Gate = CountGate | ArgoHealthyGate
Trigger = CountGate | DegradedTrigger


class Merge(StrEnum):
    """Who merges a promotion pull request once its gates are healthy."""

    AUTO = "auto"
    HUMAN = "human"


class Road(StrEnum):
    """How a change reaches the tracked branch."""

    COMMIT = "commit"
    PULL_REQUEST = "pull-request"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """For `watch` after a release is deployed, any trigger that fires takes it back, by commit or pull request."""

    watch: timedelta
    by: Road
    triggers: tuple[Trigger, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One environment. `source` is the stage a release comes from (`from:`), None for the first.

    `window` and `gates` judge a release in this stage before it may move on; `rollback` watches it after it came.
    """

    name: str
    source: str | None
    edit: Edit
    applications: tuple[str, ...]
    window: HealthWindow | None
    gates: tuple[Gate, ...]
    merge: Merge
    rollback: Rollback | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One service's policy. `version` is the SHA-256 of the file's bytes: evidence names the policy that judged."""

    service: str
    image: str
    source: str | None
    gitops: GitOps
    stages: tuple[Stage, ...]
    file: str
    version: str

    def stage(self, name: str) -> Stage:
        """Return the stage `name`; KeyError if there is none."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise KeyError(name)

    def targets_of(self, stage: Stage) -> tuple[Stage, ...]:
        """Return the stages that a release enters from `stage`."""
        return tuple(target for target in self.stages if target.source == stage.name)
