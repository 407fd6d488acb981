"""Read the world for one service: ports in, one `Observation` out.

Nothing is judged here but what decides what to ask for next: which revisions need their ancestry, which pull requests
matter. What Prometheus measured is read for all services together, in `bot.sampling`, and pull requests in
`bot.proposals`. A port that fails becomes a `Trouble` in the place of its fact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from bot.domain.model import Sha, TagHistory, Trouble
from bot.domain.observation import Observation, StageObservation
from bot.domain.policy import Policy, Stage
from bot.forge import Conversation, Forge, Merging, Signals
from bot.offers import OfferReader
from bot.ordered import commands_of
from bot.planned import Planner
from bot.ports import Clock, Deployments, Metrics, OutsideError, Proving, Registry, Repositories, Summaries
from bot.records import Ledger, Sightings
from bot.stage_look import Found, StageLook
from bot.tag_history import TagReader

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The ports of one engine, and what of the settings an observation depends on.

    `spell_gap` is the longest pause between two looks that still counts as one spell of health; `tags` remembers what
    it read of `repositories`, `offers` what registries said. `openings_per_hour` is how many promotions are opened in a
    repository within an hour.
    """

    clock: Clock
    repositories: Repositories
    deployments: Deployments
    metrics: Metrics
    forge: Forge
    merging: Merging
    conversation: Conversation
    signals: Signals
    registry: Registry
    proving: Proving
    summaries: Summaries
    ledger: Ledger
    sightings: Sightings
    spell_gap: timedelta
    tags: TagReader
    offers: OfferReader
    openings_per_hour: int = 30

    def stage_look(self, policy: Policy, stage: Stage) -> StageLook:
        """Return what looks at the applications of a stage."""
        return StageLook(
            clock=self.clock,
            repositories=self.repositories,
            deployments=self.deployments,
            sightings=self.sightings,
            tags=self.tags,
            spell_gap=self.spell_gap,
            policy=policy,
            stage=stage,
        )

    def planner(self, policy: Policy, stage: Stage) -> Planner:
        """Return what plans the edits of a stage."""
        return Planner(repositories=self.repositories, policy=policy, stage=stage, reading=self.tags.reading)


def observe(world: World, policy: Policy, head: Sha | Trouble, policy_since: datetime | None) -> Observation:
    """Observe what of one service is cheap to see: Git and Argo CD. The rest is added when that is known.

    `head` is the branch head that this sweep fetched, or why it could not be fetched.
    """
    now = world.clock.now()
    targets = [target for stage in policy.stages for target in stage.applications]
    gitops = policy.gitops
    found = world.deployments.find_applications(targets, repository=gitops.repository, branch=gitops.branch)
    stages = tuple(_observe_stage(world, policy, stage, head, found) for stage in policy.stages)
    offers = (world.offers.read(policy, one.tags, now) for one in stages if policy.stage(one.stage).intake is not None)
    # A lifted quarantine is to be known before it is asked what must be measured.
    orders, stops = commands_of(world.ledger, policy.service)
    return Observation(
        service=policy.service,
        at=now,
        policy_since=policy_since,
        orders=orders,
        offer=next(offers, None),
        stops=stops,
        stages=stages,
    )


def _attempt(read: Callable[[], T]) -> T | Trouble:
    try:
        return read()
    except OutsideError as error:
        return error.as_trouble()


# --- Git and Argo CD -------------------------------------------------------------------------------------------------


def _observe_stage(world: World, policy: Policy, stage: Stage, head: Sha | Trouble, found: Found) -> StageObservation:
    tags = head if isinstance(head, Trouble) else _attempt(lambda: world.tags.read(policy, stage, head))
    seen = world.stage_look(policy, stage).observe(tags, found)
    return seen if isinstance(tags, Trouble) or not stage.together else _with_apart(world, policy, stage, seen, tags)


def _with_apart(
    world: World, policy: Policy, stage: Stage, seen: StageObservation, tags: TagHistory
) -> StageObservation:
    return replace(seen, apart=_attempt(lambda: world.planner(policy, stage).apart(tags.head, tags.tag)))
