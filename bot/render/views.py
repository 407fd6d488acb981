"""What the texts show: frozen views, filled by the shell from policy, observation and decision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.domain.decision import Judgement
from bot.domain.edit import Change
from bot.domain.model import Release, Sha
from bot.domain.policy import Merge, Policy, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveView:
    """A release's move from `source` into `stage`, and the edit it is. `forge_url` is the base of all links."""

    policy: Policy
    source: Stage
    stage: Stage
    release: Release
    replaces: Release
    changes: tuple[Change, ...]
    forge_url: str
    judgement: Judgement

    @property
    def is_automatic(self) -> bool:
        """Whether the bot merges by itself once nothing stands against it."""
        return self.stage.merge is Merge.AUTO


@dataclass(frozen=True, slots=True, kw_only=True)
class RevertView:
    """A promotion that is taken back, the edit that does it, and the judgement that says why."""

    policy: Policy
    stage: Stage
    release: Release
    back_to: Release
    promotion: Sha
    changes: tuple[Change, ...]
    judgement: Judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentView:
    """The evidence comment: the release before the merge, and after it what production shows.

    `candidate` is the judgement while it waits before the stage, `source` that of the stage it comes from; `running`
    is the judgement in the stage after the merge; `reverted_by` the commit that took it back, and `reverted_why` the
    reason as the ledger has it.
    """

    policy: Policy
    stage: Stage
    release: Release
    forge_url: str
    source: Judgement | None = None
    candidate: Judgement | None = None
    running: Judgement | None = None
    reverted_by: Sha | None = None
    reverted_at: datetime | None = None
    reverted_why: str | None = None
