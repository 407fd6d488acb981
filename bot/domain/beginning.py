"""What a ledger does not know: the promotions and rollbacks that Git and the forge show from before it begins.

A ledger that was lost begins anew. Safety has all it needs in Git, pull requests and Argo CD, but the record of what
was measured, decided and ordered is not there, and people are to be told so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from bot.domain.model import TagChange, TagHistory, Trouble
from bot.domain.observation import Observation, StageObservation
from bot.domain.observed import is_revert
from bot.domain.pulls import Proposal, Pull, PullState
from bot.domain.text import count_of, format_date_instant, join_words

_LOST = (
    "what was measured and decided for them is not known here, nor are holds and approvals that were given by comment "
    "on pull requests closed since: give again those that still count"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """When the ledger of a service begins, and what of Liftlock's there was before. `open_pulls` were open then.

    `is_whole` says that the whole history of every stage was read; else there may have been more.
    """

    at: datetime
    promotions: int = 0
    rollbacks: int = 0
    open_pulls: tuple[int, ...] = ()
    is_whole: bool = True

    @property
    def is_missing_history(self) -> bool:
        """Whether anything was before it."""
        return bool(self.promotions or self.rollbacks or self.open_pulls)

    @property
    def sentence(self) -> str:
        """Say what is missing; or that nothing is."""
        begins = f"the ledger begins at {format_date_instant(self.at)}"
        if not self.is_missing_history:
            return f"{begins}; Git and the forge show no promotion of Liftlock's before that"
        least = "" if self.is_whole else "at least "
        counts = [count_of(n, noun) for n, noun in ((self.promotions, "promotion"), (self.rollbacks, "rollback")) if n]
        pulls = [f"the open pull request #{number}" for number in self.open_pulls]
        return f"{begins}; Git and the forge show {least}{join_words([*counts, *pulls])} before that: {_LOST}"


def beginning_of(seen: Observation, at: datetime) -> Beginning | None:
    """Return what was before a ledger that begins `at`; None where Git or the forge could not be read as a whole."""
    histories = [stage.tags for stage in seen.stages if isinstance(stage.tags, TagHistory)]
    if len(histories) < len(seen.stages) or any(_is_unread(stage) for stage in seen.stages):
        return None
    earlier = [change for tags in histories for change in tags.changes if change.at < at]
    pulls = {pull.number for stage in seen.stages for pull in _open_pulls(stage) if _is_before(pull, at)}
    return Beginning(
        at=at,
        promotions=_count(earlier, lambda change: change.trailers is not None and change.trailers.promotes is not None),
        rollbacks=_count(earlier, is_revert),
        open_pulls=tuple(sorted(pulls)),
        is_whole=all(tags.complete for tags in histories),
    )


def _is_unread(stage: StageObservation) -> bool:
    return any(isinstance(proposal, Trouble) for proposal in (stage.promotion, stage.revert))


def _open_pulls(stage: StageObservation) -> Iterable[Pull]:
    yield from stage.superseded
    for proposal in (stage.promotion, stage.revert):
        if isinstance(proposal, Proposal) and proposal.pull is not None and proposal.pull.state is PullState.OPEN:
            yield proposal.pull


def _is_before(pull: Pull, at: datetime) -> bool:
    return pull.is_own and pull.opened_at is not None and pull.opened_at < at


def _count(changes: Iterable[TagChange], is_one: Callable[[TagChange], bool]) -> int:
    """Count commits: one commit may change the tags of several stages."""
    return len({change.commit for change in changes if is_one(change)})
