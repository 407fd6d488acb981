"""The things that GitHub keeps, as the lab keeps them: plain mutable records. Instants are aware UTC datetimes.

Git itself owns commits, trees and refs; nothing here repeats them, except where GitHub repeats them too (the head of a
pull request outlives its branch).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

Role = Literal["read", "triage", "write", "maintain", "admin"]
ROLES: tuple[Role, ...] = ("read", "triage", "write", "maintain", "admin")

ReviewState = Literal["APPROVED", "CHANGES_REQUESTED", "COMMENTED", "DISMISSED", "PENDING"]
MergeMethod = Literal["merge", "squash", "rebase"]


@dataclass(slots=True, kw_only=True)
class Account:
    """A user, an organisation, or the bot account of an app. `roles` is by the repository's full name."""

    id: int
    login: str
    kind: Literal["User", "Organization", "Bot"]
    created_at: datetime
    roles: dict[str, Role] = field(default_factory=dict)

    @property
    def email(self) -> str:
        """The address under which GitHub itself commits for this account."""
        return f"{self.id}+{self.login}@users.noreply.github.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Where events go, those of a repository or of an app's installations, signed with `secret`."""

    id: int
    url: str
    secret: str
    created_at: datetime
    events: tuple[str, ...] = ("*",)
    active: bool = True


@dataclass(slots=True, kw_only=True)
class App:
    """A GitHub App with its one installation, on the account `owner`. `permissions` as in its manifest."""

    id: int
    slug: str
    owner: Account
    bot: Account
    public_key: str
    installation_id: int
    permissions: dict[str, str]
    created_at: datetime
    repositories: tuple[str, ...] | None = None
    """Full names the installation reaches; None for all of the owner's."""
    events: tuple[str, ...] = ()
    webhook: Webhook | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What a token stands for. `app` is set for installation tokens, which expire and carry the app's permissions."""

    account: Account
    app: App | None = None
    expires_at: datetime | None = None
    permissions: dict[str, str] | None = None
    repositories: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """GitHub's signature of a commit that it made itself; `payload` is what was signed."""

    signature: str
    payload: str
    at: datetime


@dataclass(slots=True, kw_only=True)
class Label:
    """A repository's label."""

    id: int
    name: str
    color: str = "ededed"
    description: str | None = None


@dataclass(slots=True, kw_only=True)
class Reaction:
    """One account's reaction to a comment."""

    id: int
    author: Account
    content: str
    created_at: datetime


@dataclass(slots=True, kw_only=True)
class Comment:
    """A comment in a pull request's conversation."""

    id: int
    number: int
    author: Account
    body: str
    created_at: datetime
    updated_at: datetime
    app: App | None = None
    edited_at: datetime | None = None
    edited_by: Account | None = None
    minimized: bool = False
    reactions: list[Reaction] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitComment:
    """A comment on a commit as a whole."""

    id: int
    commit: str
    author: Account
    body: str
    created_at: datetime


@dataclass(slots=True, kw_only=True)
class Review:
    """A submitted review, bound to the head commit that it saw."""

    id: int
    author: Account
    state: ReviewState
    body: str
    commit: str
    submitted_at: datetime


@dataclass(slots=True, kw_only=True)
class Status:
    """A commit status."""

    id: int
    sha: str
    context: str
    state: str
    description: str | None
    target_url: str | None
    creator: Account
    created_at: datetime
    app_id: int | None = None


@dataclass(slots=True, kw_only=True)
class CheckRun:
    """A check run. `app` is the GitHub App that wrote it; only apps can."""

    id: int
    sha: str
    name: str
    status: str
    conclusion: str | None
    app: App | None
    started_at: datetime
    completed_at: datetime | None = None
    details_url: str | None = None
    external_id: str = ""
    title: str | None = None
    summary: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """An attestation of an artifact: a Sigstore bundle that was handed in. GitHub takes its word for its `subject`.

    It `is_inline` where lists hold the bundle itself, as they did before they named its address.
    """

    id: int
    subject: str
    bundle: bytes
    created_at: datetime
    is_inline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeQueue:
    """How a branch's merge queue works: by which method it merges, and how long the checks of a merge group take."""

    method: MergeMethod = "merge"
    build: timedelta = timedelta(minutes=5)


@dataclass(slots=True, kw_only=True)
class Protection:
    """What a protected branch demands. `ruleset` says that it is told as a ruleset instead of classic protection.

    `integrations` binds required contexts to the app, by its id, whose report counts alone. With a `merge_queue` the
    branch moves by its queue only.
    """

    required_contexts: Sequence[str] = ()
    required_approvals: int = 0
    restrict_pushes: bool = True
    may_push: Sequence[str] = ()
    enforce_admins: bool = True
    strict: bool = False
    dismiss_stale_reviews: bool = False
    ruleset: bool = False
    integrations: Mapping[str, int] = field(default_factory=dict)
    merge_queue: MergeQueue | None = None

    @property
    def demands_pull_request(self) -> bool:
        """Say whether a direct push is refused for want of a pull request."""
        return self.restrict_pushes or self.required_approvals > 0 or self.merge_queue is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An entry of a pull request's timeline. `kind` is GraphQL's type name; `facts` are its further fields."""

    id: int
    kind: str
    actor: Account | None
    at: datetime
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoMerge:
    """A pull request's order to be merged as soon as it may be. None for texts that GitHub is to fill in."""

    method: MergeMethod
    enabled_by: Account
    enabled_at: datetime
    title: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueEntry:
    """A pull request's place in its base's merge queue, for this head only."""

    id: int
    enqueuer: Account
    enqueued_at: datetime
    head_sha: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeRequest:
    """How to merge and what to write. None for what GitHub is to fill in."""

    method: MergeMethod = "merge"
    title: str | None = None
    message: str | None = None


@dataclass(slots=True, kw_only=True)
class AsyncMerge:
    """A merge that is carried out in the background. `state` and `details` are GitHub's words."""

    uuid: str
    request: MergeRequest | None
    action: str
    head_sha: str
    actor: Account
    asked_at: datetime
    updated_at: datetime
    state: Literal["pending", "merged", "enqueued", "failed"] = "pending"
    details: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentStatus:
    """What became of a deployment."""

    id: int
    state: str
    description: str
    environment: str
    environment_url: str
    log_url: str
    creator: Account
    created_at: datetime
    app: App | None = None


@dataclass(slots=True, kw_only=True)
class Deployment:
    """A commit on its way into an environment."""

    id: int
    sha: str
    ref: str
    task: str
    environment: str
    original_environment: str
    description: str | None
    payload: object
    creator: Account
    created_at: datetime
    updated_at: datetime
    app: App | None = None
    transient: bool = False
    production: bool = False
    statuses: list[DeploymentStatus] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Pull:
    """A pull request. `base_sha` is the base's head when the pull request was last synchronised or merged.

    `test_merge` is the commit by which GitHub found out whether it can be merged; it is told as `merge_commit_sha`
    until there is a real one, as GitHub does.
    """

    id: int
    number: int
    author: Account
    title: str
    body: str | None
    base: str
    base_sha: str
    head: str
    head_sha: str
    created_at: datetime
    updated_at: datetime
    draft: bool = False
    app: App | None = None
    closed_at: datetime | None = None
    closed_by: Account | None = None
    merged_at: datetime | None = None
    merged_by: Account | None = None
    merge_commit: str | None = None
    test_merge: str | None = None
    maintainer_can_modify: bool = False
    looks_until_mergeable: int = 0
    labels: list[Label] = field(default_factory=list)
    assignees: list[Account] = field(default_factory=list)
    reviewers: list[Account] = field(default_factory=list)
    reviews: list[Review] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    auto_merge: AutoMerge | None = None
    queue_entry: QueueEntry | None = None
    async_merges: list[AsyncMerge] = field(default_factory=list)
    edited_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Say whether it is neither closed nor merged."""
        return self.closed_at is None

    @property
    def state(self) -> str:
        """GitHub's word: a merged pull request is `closed`."""
        return "open" if self.is_open else "closed"
