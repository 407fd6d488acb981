"""The release that runs in a stage, with all that was seen of it: what its judges look at, and answer with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.domain.decision import Judgement, State, WaitsOn
from bot.domain.liveness import Liveness
from bot.domain.model import Release, TagHistory
from bot.domain.observation import Observation, StageObservation
from bot.domain.policy import Policy, Stage
from bot.domain.pulls import Proposal
from bot.domain.stance import Stance
from bot.domain.timeline import timeline_of
from bot.domain.verdicts import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningCase:
    """Everything that is looked at to judge it."""

    policy: Policy
    stage: Stage
    observation: Observation
    seen: StageObservation
    tags: TagHistory
    release: Release
    liveness: Liveness
    now: datetime

    @property
    def is_unclear(self) -> bool:
        """Whether nobody can tell if it is live."""
        return self.liveness.stance is Stance.CANNOT_TELL

    def judge(self, state: State, waits_on: WaitsOn, reason: str, verdicts: tuple[Verdict, ...] = ()) -> Judgement:
        """Return the judgement of it."""
        return Judgement(
            stage=self.stage.name,
            role="running",
            release=self.release,
            state=state,
            waits_on=waits_on,
            reason=reason,
            verdicts=verdicts,
            timeline=timeline_of(self.tags, self.liveness, _proposed_at(self.seen, self.tags)),
        )


def _proposed_at(seen: StageObservation, tags: TagHistory) -> datetime | None:
    """Return when the pull request that brought the running release was opened, where that was looked up."""
    trailers = tags.introduced.trailers
    if trailers is None or trailers.promotes is None or not isinstance(seen.arrival, Proposal):
        return None
    return seen.arrival.pull.opened_at if seen.arrival.pull is not None else None


def because(verdict: Verdict) -> str:
    """Say which gate or trigger it was, and why."""
    return f"{verdict.gate}: {verdict.reason}"
