"""What the pure core returns: for each stage a state with its reason, the actions, and when to look again.

Actions are a closed union. Waiting is an action with a reason, never `None`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from bot.domain.approvals import Tally
from bot.domain.model import Release, Sha
from bot.domain.policy import Road
from bot.domain.pulls import MergeMethod, MergeRoad
from bot.domain.timeline import Milestone
from bot.domain.verdicts import Verdict


class State(StrEnum):
    """Where a release stands on its way through a stage, in the words a maintainer would say."""

    # A release that the registry has for the first stage
    OFFERED = "offered"
    # A release in the stage it already runs in
    WAITING_FOR_ROLLOUT = "waiting for rollout"
    OBSERVING = "observing"
    PROVEN = "proven"
    LET_PASS = "let pass at its deadline"  # noqa: S105  (no password)
    UNHEALTHY = "unhealthy"
    CANNOT_TELL = "cannot tell"
    DEADLINE_PASSED = "deadline passed"
    WATCHING = "watching after promotion"
    SETTLED = "settled"
    ROLLING_BACK = "rolling back"
    ROLLED_BACK = "rolled back"
    # A release on its way into the stage
    NOT_TRUSTED = "not to be trusted"
    WAITING_FOR_BUILD = "waiting for proof of its build"
    READY_TO_PROPOSE = "ready to propose"
    READY_TO_MERGE = "ready to merge"
    WAITING_FOR_HUMAN = "waiting for a person"
    WAITING_FOR_CHECKS = "waiting for checks"
    REJECTED_BY_HUMAN = "rejected by a person"
    HELD_BY_HUMAN = "held by a person"
    WAITING_FOR_REVIEW = "waiting for review"
    WAITING_TO_BE_MERGED = "waiting to be merged"
    PAUSED = "pausing before the next stage"
    COOLING_DOWN = "cooling down after a rollback"
    FROZEN = "frozen by the calendar"
    QUARANTINED = "quarantined"
    HALTED = "halted"


class WaitsOn(StrEnum):
    """The three things a release can wait on, and the two ends of waiting."""

    BUILD = "build confidence"
    PROMOTION = "promotion between environments"
    RUNTIME = "runtime verification"
    HUMAN = "a person"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Do nothing, for a reason, until something changes or `until` has come."""

    stage: str
    reason: str
    until: datetime | None = None
    kind: Literal["wait"] = "wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPromotion:
    """Commit the new tag on `branch` and open a pull request. `replaces` is the tag that stands in the stage now.

    A draft shows the evidence of a release that is still being observed.
    """

    stage: str
    source_stage: str
    branch: str
    release: Release
    replaces: Release
    reason: str
    is_draft: bool = False
    kind: Literal["open promotion"] = "open promotion"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitPromotion:
    """Commit the new tag onto the tracked branch itself, where the policy wants no pull request."""

    stage: str
    source_stage: str
    release: Release
    replaces: Release
    reason: str
    kind: Literal["commit promotion"] = "commit promotion"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemakePromotion:
    """Make the planned edit anew on the base's present head, in place of `head`, which the bot itself had pushed."""

    stage: str
    source_stage: str
    number: int
    branch: str
    head: Sha
    release: Release
    replaces: Release
    reason: str
    kind: Literal["remake promotion"] = "remake promotion"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyPromotion:
    """Mark the bot's own draft ready for review: its release has passed."""

    stage: str
    number: int
    reason: str
    kind: Literal["ready promotion"] = "ready promotion"


@dataclass(frozen=True, slots=True, kw_only=True)
class DisarmPromotion:
    """Take back the auto-merge or the place in the merge queue that the bot had asked for."""

    stage: str
    number: int
    reason: str
    kind: Literal["disarm promotion"] = "disarm promotion"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatePromotion:
    """Bring what the bot says on a pull request up to date: its section of the body, its comment, its check."""

    stage: str
    number: int
    release: Release
    kind: Literal["update promotion"] = "update promotion"


@dataclass(frozen=True, slots=True, kw_only=True)
class MergePromotion:
    """Merge a promotion (or a revert) at exactly `head`; `road` says by which of the forge's ways, `method` None lets
    what the repository allows decide.
    """

    stage: str
    number: int
    branch: str
    head: Sha
    release: Release
    replaces: Release
    reason: str
    reverts: Sha | None = None
    road: MergeRoad = MergeRoad.NOW
    method: MergeMethod | None = None
    kind: Literal["merge promotion"] = "merge promotion"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosePromotion:
    """Withdraw a pull request of the bot's that must not be merged any more.

    `is_superseded` says that another release took its place, whose pull request is to be linked.
    """

    stage: str
    number: int
    branch: str
    reason: str
    is_superseded: bool = False
    kind: Literal["close promotion"] = "close promotion"


@dataclass(frozen=True, slots=True, kw_only=True)
class RollBack:
    """Undo the tag change of `promotion`: set the tag back to `back_to`, on the branch or by a pull request."""

    stage: str
    road: Road
    branch: str
    promotion: Sha
    release: Release
    back_to: Release
    reason: str
    kind: Literal["roll back"] = "roll back"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskRefresh:
    """Ask Argo CD to look at an application again: it has not noticed the release's commit, or its own last operation.

    A hard refresh makes it generate the manifests anew.
    """

    stage: str
    application: str
    reason: str
    is_hard: bool = False
    kind: Literal["ask refresh"] = "ask refresh"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartSync:
    """Sync an application that consents to exactly these revisions.

    `positions` are the places of the sources that they are for, from 1; empty where the application has one source.
    `authority` is what the application's annotation must still say when the sync is started.
    """

    stage: str
    application: str
    revisions: tuple[Sha, ...]
    positions: tuple[int, ...]
    authority: str
    reason: str
    kind: Literal["start sync"] = "start sync"


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """Stop here and tell a person: going on needs a judgement that the bot must not make."""

    stage: str
    reason: str
    kind: Literal["halt"] = "halt"


Action = (
    Wait
    | OpenPromotion
    | CommitPromotion
    | RemakePromotion
    | ReadyPromotion
    | UpdatePromotion
    | MergePromotion
    | DisarmPromotion
    | ClosePromotion
    | RollBack
    | AskRefresh
    | StartSync
    | Halt
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A release in a stage: state, what it waits on, one sentence why, and the verdicts of that stage's gates.

    `role` tells a release that runs in the stage from a candidate on its way in. `timeline` is how a running one came,
    `sources` are the stages before that run a candidate, `approvals` how many its open pull request has, where the
    policy asks for some.
    """

    stage: str
    role: Literal["running", "candidate"]
    release: Release | None
    state: State
    waits_on: WaitsOn
    reason: str
    verdicts: tuple[Verdict, ...] = ()
    pull: int | None = None
    timeline: tuple[Milestone, ...] = ()
    sources: tuple[str, ...] = ()
    approvals: Tally | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer for one service at one instant."""

    service: str
    at: datetime
    policy_version: str
    judgements: tuple[Judgement, ...]
    actions: tuple[Action, ...]
    look_again: datetime
