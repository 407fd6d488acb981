"""Read the world for one service: ports in, one `Observation` out.

Nothing is judged here but what decides what to ask for next: which revisions need their ancestry, which pull requests
matter. What Prometheus measured is read for all services together, in `bot.sampling`. A port that fails becomes a
`Trouble` in the place of its fact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from bot.domain.edit import Edited, EditRefused
from bot.domain.model import Artifact, Release, Sha, TagChange, TagHistory, Trouble
from bot.domain.naming import is_promotion_branch, promotion_prefix, release_branch, revert_branch
from bot.domain.observation import Observation, StageObservation
from bot.domain.observed import is_candidate_pending, is_watched, stage_liveness
from bot.domain.policy import Policy, Road, Stage
from bot.domain.pulls import Proposal, Pull
from bot.domain.trailers import parse_trailers
from bot.planned import Planner
from bot.ports import BranchChange, Clock, Deployments, Forge, Metrics, OutsideError, Registry, Repositories
from bot.records import Ledger, Sightings
from bot.stage_look import Found, StageLook
from bot.tag_history import TagReader

T = TypeVar("T")

_AFTERGLOW = timedelta(hours=1)
"""How long after a promotion or rollback its pull request is still looked up, to bring its comment up to date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The ports of one engine, and what of the settings an observation depends on.

    `spell_gap` is the longest pause between two looks that still counts as one spell of health; `tags` remembers what
    it read of `repositories`.
    """

    clock: Clock
    repositories: Repositories
    deployments: Deployments
    metrics: Metrics
    forge: Forge
    registry: Registry
    ledger: Ledger
    sightings: Sightings
    spell_gap: timedelta
    tags: TagReader

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
    return Observation(service=policy.service, at=now, policy_since=policy_since, stages=stages)


def with_proposals(world: World, policy: Policy, seen: Observation) -> Observation:
    """Add the pull requests and artifacts that matter now."""
    return replace(seen, stages=tuple(_with_proposals(world, policy, stage, seen) for stage in seen.stages))


def _attempt(read: Callable[[], T]) -> T | Trouble:
    try:
        return read()
    except OutsideError as error:
        return error.as_trouble()


# --- Git and Argo CD -------------------------------------------------------------------------------------------------


def _observe_stage(world: World, policy: Policy, stage: Stage, head: Sha | Trouble, found: Found) -> StageObservation:
    tags = head if isinstance(head, Trouble) else _attempt(lambda: world.tags.read(policy, stage, head))
    return world.stage_look(policy, stage).observe(tags, found)


# --- pull requests ---------------------------------------------------------------------------------------------------


def _with_proposals(world: World, policy: Policy, seen: StageObservation, all_seen: Observation) -> StageObservation:
    stage = policy.stage(seen.stage)
    if stage.source is None or isinstance(seen.tags, Trouble):
        return seen
    look = _Look(world=world, policy=policy, stage=stage, tags=seen.tags)
    # What concerns the release that runs here must not wait for the stage before to be readable.
    seen = replace(seen, arrival=look.arrival(), revert=look.revert(seen, all_seen.at))
    source = all_seen.stage(stage.source).tags
    if isinstance(source, Trouble):
        return seen
    candidate = Release(image=policy.image, tag=source.tag)
    pending = is_candidate_pending(policy.stage(stage.source), stage, all_seen)
    artifact = look.artifact(candidate) if pending else None
    return replace(
        seen,
        artifact=artifact,
        promotion=look.promotion(candidate, artifact) if pending else None,
        superseded=look.superseded(candidate),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """The look at the pull requests of one stage."""

    world: World
    policy: Policy
    stage: Stage
    tags: TagHistory

    @property
    def repository(self) -> str:
        return self.policy.gitops.repository

    def artifact(self, release: Release) -> Artifact | Trouble | None:
        return _attempt(lambda: self.world.registry.find_artifact(release.image, release.tag))

    @property
    def planner(self) -> Planner:
        return self.world.planner(self.policy, self.stage)

    def promotion(self, release: Release, artifact: Artifact | Trouble | None) -> Proposal | Trouble:
        branch = release_branch(self.policy.service, self.stage.name, release)
        if isinstance(artifact, Artifact):
            release = replace(release, digest=artifact.digest)
        return _attempt(lambda: self.proposal(branch, lambda fork: self.planner.promotion(fork, release)))

    def arrival(self) -> Proposal | Trouble | None:
        """Look up the pull request that brought the running release, or the one that was just rolled back."""
        change = self.tags.introduced
        rollback = self.stage.rollback
        if change.trailers is None or rollback is None or not self.is_recent(change):
            return None
        tag = change.old if change.trailers.reverts is not None else change.new
        if tag is None:
            return None
        release = Release(image=self.policy.image, tag=tag)
        branch = release_branch(self.policy.service, self.stage.name, release)

        def read() -> Proposal:
            pull = self.world.forge.find_promotion(self.repository, branch)
            return Proposal(branch=branch, pull=pull, release=release.name)

        return _attempt(read)

    def is_recent(self, change: TagChange) -> bool:
        watch = self.stage.rollback.watch if self.stage.rollback else timedelta(0)
        return self.world.clock.now() < change.at + watch + _AFTERGLOW

    def revert(self, seen: StageObservation, now: datetime) -> Proposal | Trouble | None:
        """Look up a rollback by pull request while the running release is watched and the policy goes that road."""
        rollback = self.stage.rollback
        if rollback is None or rollback.by is not Road.PULL_REQUEST:
            return None
        liveness = stage_liveness(self.policy, self.stage, seen, self.tags, now)
        back_to = self.tags.introduced.old
        if back_to is None or not is_watched(rollback, self.tags, liveness, now):
            return None
        release = Release(image=self.policy.image, tag=self.tags.tag)
        branch = revert_branch(self.policy.service, self.stage.name, release)
        promotion, target = self.tags.introduced.commit, Release(image=self.policy.image, tag=back_to)

        def plan(fork: Sha) -> Edited:
            return self.planner.revert(fork, promotion=promotion, release=release, back_to=target)

        return _attempt(lambda: self.proposal(branch, plan))

    def superseded(self, release: Release) -> tuple[Pull, ...]:
        prefix = promotion_prefix(self.policy.service, self.stage.name)
        mine = {
            release_branch(self.policy.service, self.stage.name, release),
            revert_branch(self.policy.service, self.stage.name, Release(image=self.policy.image, tag=self.tags.tag)),
        }
        pulls = _attempt(lambda: self.world.forge.find_open_promotions(self.repository, prefix))
        if isinstance(pulls, Trouble):
            return ()
        return tuple(pull for pull in pulls if pull.branch not in mine and is_promotion_branch(pull.branch))

    def proposal(self, branch: str, plan: Callable[[Sha], Edited]) -> Proposal:
        pull = self.world.forge.find_promotion(self.repository, branch)
        change = self.world.repositories.branch_change(self.repository, self.tags.head, branch)
        if change is None:
            return Proposal(branch=branch, pull=pull)
        trailers = parse_trailers(change.message)
        return Proposal(
            branch=branch,
            pull=pull,
            branch_head=change.head,
            deviation=self.deviation(change, plan),
            release=trailers.release if trailers else None,
        )

    def deviation(self, change: BranchChange, plan: Callable[[Sha], Edited]) -> str | None:
        """Compare a branch with the planned edit, byte for byte (I2, I17); None if they are the same."""
        file = self.stage.edit.file
        others = [path for path in change.paths if path != file]
        if others:
            return f"it also changes {', '.join(others[:3])}"
        if file not in change.paths:
            return f"it does not change {file}"
        try:
            planned = plan(change.fork)
        except EditRefused as error:
            return str(error)
        after = self.world.repositories.read_file(self.repository, change.head, file)
        values = ", ".join(one.new for one in planned.changes)
        return None if after == planned.text else f"{file} differs from the edit that only sets {values}"
