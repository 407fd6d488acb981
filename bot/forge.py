"""What the bot needs of a forge: proposals, their conversation, and signals where people look.

As for the other ports: every method may raise `Transient`, `Permanent` or `Conflict`, has a deadline, and may be called
from any thread. `docs/forges.md` says what an adapter for another forge must do. Repositories are named `owner/name`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Literal, Protocol

from bot.domain.approvals import Writers
from bot.domain.authority import Permission
from bot.domain.model import Sha
from bot.domain.pulls import MergeMethod, MergeRoad, Proposals, Pull


class Urgency(IntEnum):
    """Which write goes first where the forge limits them. Only a rollback may use the reserve that is kept for it."""

    ROLLBACK = 0
    MERGE = 1
    PROPOSE = 2
    TELL = 3


# --- proposals -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PullText:
    """What a new pull request says. `body` is the bot's section, without the markers around it.

    `reviewers` are logins, and teams as `org/slug`; `assignees` are logins.
    """

    branch: str
    base: str
    title: str
    body: str
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()
    is_draft: bool = False
    urgency: Urgency = Urgency.PROPOSE


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeText:
    """The message of a merge commit."""

    title: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeOrder:
    """Merge pull request `number` if its head is still `head`. `method` is one that the repository allows."""

    number: int
    head: Sha
    method: MergeMethod
    text: MergeText
    road: MergeRoad = MergeRoad.NOW
    urgency: Urgency = Urgency.MERGE


class Forge(Protocol):
    """Where promotions are proposed."""

    def look_at(self, repository: str, base: str, branches: Collection[str]) -> Proposals:
        """Look at all open promotions of a repository and at the newest pull request of each of `branches`, at once.

        `base` is the branch whose rules count. A sweep calls this once for each repository.
        """
        ...

    def open_promotion(self, repository: str, text: PullText) -> Pull:
        """Open a pull request, or return the open one of the same branch if there is one already."""
        ...

    def edit_promotion(self, repository: str, number: int, body: str) -> bool:
        """Bring the bot's section of the body up to date, leaving all around it; write only a changed text.

        Return False where the section is gone: a person took it out, and nothing is written.
        """
        ...

    def mark_ready(self, repository: str, number: int) -> None:
        """Make a draft ready for review. One that is ready already is no error."""
        ...

    def withdraw(self, repository: str, number: int, branch: str | None) -> None:
        """Close without merging, and delete the branch if one is named. One that is closed already is no error."""
        ...

    def delete_branch(self, repository: str, branch: str) -> None:
        """Delete a branch of the bot's; an absent one is no error."""
        ...


class Merging(Protocol):
    """How a proposal becomes part of its base."""

    def look_again(self, repository: str, number: int, urgency: Urgency = Urgency.MERGE) -> Pull:
        """Read one pull request as it is at this moment, with its checks and reviews, for a merge of this urgency."""
        ...

    def merge_promotion(self, repository: str, order: MergeOrder) -> Sha | None:
        """Merge, arm or enqueue; return the merge commit, None where it is still to come.

        Raise Conflict if the head has moved or the pull request is closed. After an unclear answer the state is read
        before anything is tried again (I15).
        """
        ...

    def disarm(self, repository: str, number: int) -> None:
        """Take back auto-merge or a place in the merge queue. One that is not armed is no error."""
        ...


# --- the conversation ------------------------------------------------------------------------------------------------


class Reaction(StrEnum):
    """How a command is acknowledged."""

    SEEN = "eyes"
    DONE = "+1"
    REFUSED = "-1"
    CONFUSED = "confused"


class Conversation(Protocol):
    """What the bot and people say to each other about a proposal."""

    def write_comment(self, repository: str, number: int, *, marker: str, body: str, known: int | None) -> int:
        """Create or edit in place the bot's own comment that holds the hidden `marker`; write only a changed text.

        `known` is the comment's id where it was stored; it is looked for by marker **and** author where that is None or
        gone. Return its id.
        """
        ...

    def comment_on_commit(self, repository: str, commit: Sha, *, marker: str, body: str) -> None:
        """Comment on a commit, unless the bot's own comment with the hidden `marker` is there already."""
        ...

    def react(self, repository: str, comment: int, reaction: Reaction) -> None:
        """React to a comment; a reaction that is there already, or a comment that is gone, is no error."""
        ...

    def permission_of(self, repository: str, user_id: int, login: str) -> Permission:
        """Return what an account may do in a repository now. `login` must still be that of `user_id`, else NONE."""
        ...

    def is_member(self, team: str, login: str) -> bool:
        """Say whether an account is an active member of the team `org/slug`."""
        ...


# --- signals elsewhere -----------------------------------------------------------------------------------------------


CheckState = Literal["waiting", "passed", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckText:
    """A check on a commit: `title` is one sentence, `summary` Markdown. `waiting` is a check in progress."""

    name: str
    state: CheckState
    title: str
    summary: str
    started_at: datetime
    url: str = ""


StatusState = Literal["pending", "success", "failure", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusText:
    """A commit status: `description` is plain text of at most 140 characters."""

    context: str
    state: StatusState
    description: str
    url: str = ""


DeploymentState = Literal["queued", "in_progress", "success", "failure", "inactive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentText:
    """A deployment of a commit to an environment, and its present status; `description` at most 140 characters."""

    environment: str
    ref: Sha
    state: DeploymentState
    description: str
    is_production: bool
    log_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCommit:
    """A commit of a source repository. `title` is the message's first line, `author` the login, or the name.

    Both are outside text.
    """

    sha: Sha
    author: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The commits of a source repository between two releases, newest first. `total` counts those left out as well.

    `is_forward` is False where the new one does not descend from the old one.
    """

    commits: tuple[SourceCommit, ...]
    total: int
    is_forward: bool


class Signals(Protocol):
    """What the bot tells where people work: checks, statuses and deployments of commits."""

    def set_check(self, repository: str, commit: Sha, check: CheckText) -> None:
        """Create the bot's check on a commit or edit it in place."""
        ...

    def set_status(self, repository: str, commit: Sha, status: StatusText) -> None:
        """Set a commit status."""
        ...

    def set_deployment(self, repository: str, deployment: DeploymentText, known: int | None) -> int:
        """Create a deployment, or use the one that is `known`, and set its status; return its id."""
        ...

    def pulls_of(self, repository: str, commit: Sha) -> Sequence[int]:
        """Return the numbers of the merged pull requests that brought a commit."""
        ...

    def read_file(self, repository: str, commit: Sha, path: str) -> str | None:
        """Return the text of a small file at a commit; None where there is none, or it is no text."""
        ...

    def checks_of(self, repository: str, commit: Sha, names: Sequence[str], *, app: int | None) -> Mapping[str, str]:
        """Return how named checks of a commit ended: `passed`, `failed` or `running`; those missing are left out.

        Of several runs of one name the worst counts, of a status the newest. With `app` only that app's runs do.
        """
        ...

    def span(self, repository: str, before: Sha, after: Sha, *, limit: int) -> Span | None:
        """Return the commits between two of a repository; None where it knows one of them not."""
        ...

    def writers_of(self, repository: str, before: Sha, after: Sha) -> Writers | None:
        """Return who wrote the commits that `after` has and `before` lacks; None where it knows one of them not.

        Raise Permanent where there are too many to say of each.
        """
        ...
