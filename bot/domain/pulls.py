"""Pull requests as the decision needs them: what is proposed, what people did to it, and what the branch demands.

Plain data in the forge's terms. Labels, logins and comments are outside text: nothing is read back from them but
commands, and nothing of them is shown without being escaped. Titles and bodies are not read at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Literal

from bot.domain.model import Sha


class PullState(StrEnum):
    """What became of a pull request."""

    OPEN = "open"
    CLOSED = "closed"
    MERGED = "merged"


class MergeMethod(StrEnum):
    """How a pull request becomes commits of its base."""

    MERGE = "merge"
    SQUASH = "squash"
    REBASE = "rebase"


class MergeRoad(StrEnum):
    """How a merge is brought about: at once, by the forge's own auto-merge, or by its merge queue."""

    NOW = "now"
    ARM = "arm"
    QUEUE = "queue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """Commit statuses and check runs on a head, by name. Green is: nothing failed, pending or missing.

    `missing` are checks that the branch requires and that nobody has reported, or not the app that must. The bot's own
    check is in none of them.
    """

    failed: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def without_own(checks: Checks, name: str) -> Checks:
    """Return the checks without the one that the bot itself gives: it does not wait for itself."""
    return replace(checks, missing=tuple(one for one in checks.missing if one != name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """An account's newest review that approves, or asks for changes, and was not dismissed.

    `by_id` is the account's number, which a renamed login does not change; 0 where the account is gone. `head` is the
    commit that it is of, None where the forge knows that no more. `at` is told in whole seconds.
    """

    by_id: int
    by: str
    at: datetime
    head: Sha | None
    approves: bool = True
    is_app: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviews:
    """The newest review of each person that counts, as the forge counts them: of those who may write.

    `approved_by` (at the very head) and `changes_requested_by` are logins. `is_short` says that the branch demands
    more. `given` are the same reviews as a whole, and those of other heads, but none of the bot's.
    """

    approved_by: tuple[str, ...] = ()
    changes_requested_by: tuple[str, ...] = ()
    is_short: bool = False
    given: tuple[Review, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """A comment of a pull request's conversation that somebody else than the bot wrote.

    `author_id` is the account's number, which a renamed login does not change; 0 where the account is gone.
    """

    id: int
    author_id: int
    author: str
    is_app: bool
    body: str
    created_at: datetime
    was_edited: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """A pull request as the decision needs it.

    `mergeable` is None while the forge still computes it, `is_behind` says that the branch must be brought up to date
    first. `is_own` says that the bot's account opened it.
    `closed_by_bot` tells a withdrawal by the bot from a rejection by a person, `draft_by` is the person who made it a
    draft (None: the bot did, or nobody), `reopened_by` the person who opened it again after it was closed.
    `armed_by` is who armed the forge's own auto-merge, None where it is not armed; `armed_by_bot` that it was the bot.
    `is_queued` says that it is in the merge queue, `queued_by_bot` that the bot put it there.
    `remarks` are the newest comments by others, oldest first; `head_at` is when the head came, where that is known.
    """

    number: int
    url: str
    branch: str
    base: str
    head: Sha
    state: PullState
    is_own: bool = True
    draft: bool = False
    draft_by: str | None = None
    mergeable: bool | None = None
    is_behind: bool = False
    merge_commit: Sha | None = None
    opened_at: datetime | None = None
    head_at: datetime | None = None
    closed_at: datetime | None = None
    closed_by: str | None = None
    closed_by_bot: bool = False
    reopened_by: str | None = None
    merged_by: str | None = None
    armed_by: str | None = None
    armed_by_bot: bool = False
    is_queued: bool = False
    queued_by_bot: bool = False
    labels: tuple[str, ...] = ()
    checks: Checks = Checks()
    reviews: Reviews = Reviews()
    remarks: tuple[Remark, ...] = ()
    kind: Literal["pull"] = "pull"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequiredCheck:
    """A check that the branch requires. `app_id` is the only app that may report it; None: anybody may."""

    name: str
    app_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeRules:
    """What a repository and its branch demand of a merge, as far as the bot may see it.

    `methods` are those that are allowed. `has_queue` says that merges go through the merge queue; `may_arm` that the
    forge's own auto-merge can be used. `approvals` is how many reviews the branch requires. `is_strict` says that a
    branch must be up to date, `takes_pushes` that a direct push of the bot is not forbidden.
    """

    methods: tuple[MergeMethod, ...] = tuple(MergeMethod)
    has_queue: bool = False
    may_arm: bool = False
    required_checks: tuple[RequiredCheck, ...] = ()
    approvals: int = 0
    is_strict: bool = False
    takes_pushes: bool = True
    deletes_branches: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bystander:
    """An open pull request to the tracked branch that promotes nothing."""

    number: int
    head: Sha
    is_rollback: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposals:
    """One look at the promotions of a repository: what was asked for by branch, all that are open, and the rules.

    `newest` has the newest pull request of each branch that was asked for and has one, in any state. `open` are all
    open pull requests from the bot's branches, `others` those to the base from any other branch. `opened_at` are when
    the bot's pull requests of the past hour were opened, in any state, oldest first: what the limit of an hour counts.
    `own_app_id` is the bot's app, if it is one.
    """

    newest: Mapping[str, Pull] = field(default_factory=dict)
    open: tuple[Pull, ...] = ()
    others: tuple[Bystander, ...] = ()
    opened_at: tuple[datetime, ...] = ()
    rules: MergeRules = MergeRules()
    own_app_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """The state of one promotion or revert branch: its newest pull request, and whether its diff is the planned edit.

    `is_own_head` says that `branch_head` is the very commit that the bot pushed, so that it may be made anew;
    `is_current` that the branch was made on the base's present head, and
    `base_moved` that the base has another version of the file by now than the one that was edited.
    `deviation` is None when `branch_head` differs from the base by exactly the planned edit, else a sentence (I2, I17).
    `release` is the release that the trailers of the branch's head commit name: approval, evidence and merge are bound
    to it (I16).
    """

    branch: str
    pull: Pull | None
    branch_head: Sha | None = None
    deviation: str | None = None
    release: str | None = None
    is_own_head: bool = False
    base_moved: bool = False
    is_current: bool = False
    kind: Literal["proposal"] = "proposal"
