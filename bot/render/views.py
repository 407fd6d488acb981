"""What the texts show: frozen views, filled by the shell from policy, observation and decision.

A `MoveView` is the edit that a pull request proposes, a `CommentView` how the release stands on its way. All texts of
people in them (reasons, logins, commit messages) are outside text: views carry it as it came, renderers escape it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from bot.domain.approvals import Tally
from bot.domain.decision import Judgement, State
from bot.domain.edit import Change
from bot.domain.model import Release, Sha
from bot.domain.path import Part
from bot.domain.policy import Policy, Stage
from bot.domain.pulls import MergeRules, Pull, PullState
from bot.domain.summaries import Summary
from bot.domain.verdicts import Verdict
from bot.forge import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerView:
    """A command that somebody gave, and what came of it in one sentence. `order` is as it was written."""

    by: str
    order: str
    at: datetime
    is_accepted: bool
    effect: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeView:
    """A change of state on the way, in the words of the state, with its reason."""

    at: datetime
    state: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SupersededView:
    """A pull request whose place this one took, and the tag that it carried."""

    number: int
    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideView:
    """A gate of the source stage that a person with the right to it overrode for this release, and why."""

    gate: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """All that bears on a promotion beside its gates; by default nothing does.

    `now` makes a text say how much is left of a window: leave it out where the text is not written again every minute.
    `answers` and `history` are newest first.
    """

    now: datetime | None = None
    pull: Pull | None = None
    rules: MergeRules = field(default_factory=MergeRules)
    superseded_by: int | None = None
    supersedes: tuple[SupersededView, ...] = ()
    overrides: tuple[OverrideView, ...] = ()
    answers: tuple[AnswerView, ...] = ()
    history: tuple[ChangeView, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentView:
    """How a release stands: before the merge, and after it what production shows.

    `candidate` is the judgement while it waits before the stage, `source` that of the stage it comes from, and
    `beside` those of the others where it comes from several; `running` is the judgement in the stage after the
    merge; `reverted_by` the commit that took it back, and `reverted_why` the reason as the ledger has it.
    `did_not_help` says why, where a trigger still fires after that. `path` is the whole way of the candidate, and
    where it stands on it.
    """

    policy: Policy
    stage: Stage
    release: Release
    forge_url: str
    source: Judgement | None = None
    beside: tuple[Judgement, ...] = ()
    candidate: Judgement | None = None
    running: Judgement | None = None
    reverted_by: Sha | None = None
    reverted_at: datetime | None = None
    reverted_why: str | None = None
    did_not_help: str | None = None
    path: tuple[Part, ...] = ()
    circumstances: Circumstances = field(default_factory=Circumstances)

    @property
    def sources(self) -> tuple[Judgement, ...]:
        """The judgements of all stages that it comes from."""
        return () if self.source is None else (self.source, *self.beside)


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveView:
    """A release's move from `source` into `stage`, and the edit it is. `forge_url` is the base of all links.

    `judgement` is that of the source stage, `beside` are those of the others where it comes from several.
    `standing` is what the comment shows; without it the body tells only what the judgement does. `span` are the
    source commits between the two releases, None where they are not known; `changelog` is an excerpt as plain text.
    Where the policy wants the evidence in the body, the body carries what the comment would. `watched` is what the
    stage itself measured last of the release, once it was there; `trust` are the verdicts on its artifact,
    `summary` what is kept of all that was verified, once it moves, and `approvals` who has approved it, where the
    policy asks for that.
    """

    policy: Policy
    source: Stage
    stage: Stage
    release: Release
    replaces: Release
    changes: tuple[Change, ...]
    forge_url: str
    judgement: Judgement
    beside: tuple[Judgement, ...] = ()
    watched: Judgement | None = None
    trust: tuple[Verdict, ...] = ()
    summary: Summary | None = None
    approvals: Tally | None = None
    standing: CommentView | None = None
    span: Span | None = None
    changelog: str = ""

    @property
    def sources(self) -> tuple[Judgement, ...]:
        """The judgements of all stages that it comes from."""
        return (self.judgement, *self.beside)

    @property
    def is_proven(self) -> bool:
        """Whether it has proven itself in all of them, by itself."""
        return all(one.state is State.PROVEN for one in self.sources)

    @property
    def come_from(self) -> tuple[str, ...]:
        """The names of these stages."""
        return (self.source.name, *(one.stage for one in self.beside))

    @property
    def proof(self) -> tuple[Verdict, ...]:
        """All verdicts that the move rests on: of the stages before, and on the artifact."""
        return (*(verdict for one in self.sources for verdict in one.verdicts), *self.trust)

    @property
    def has_moved(self) -> bool:
        """Whether it was merged, whatever became of it."""
        stands = self.stands
        pull = stands.circumstances.pull
        is_merged = pull is not None and pull.state is PullState.MERGED
        return is_merged or stands.running is not None or stands.reverted_by is not None

    @property
    def stands(self) -> CommentView:
        """How the release stands, as far as it is known."""
        return self.standing or CommentView(
            policy=self.policy,
            stage=self.stage,
            release=self.release,
            forge_url=self.forge_url,
            source=self.judgement,
            beside=self.beside,
        )


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
