"""Look at the pull requests of one service: which matter now, and whether each is exactly the planned edit (I2, I17).

The forge is asked once for all services of a repository (`Forge.look_at`); what it said comes in here, and only Git is
asked further. Nothing is judged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from bot.domain.edit import EditRefused
from bot.domain.model import NOT_SET, Artifact, Digest, Release, Sha, TagChange, TagHistory, Trouble
from bot.domain.naming import check_name, is_promotion_branch, promotion_prefix, release_branch, revert_branch
from bot.domain.observation import ForgeFacts, Observation, StageObservation
from bot.domain.observed import carriers, is_watched, past_freeze, stage_liveness, taken_along, waiting_tag, way_back_of
from bot.domain.policy import Policy, Road, Stage
from bot.domain.pulls import Proposal, Proposals, Pull, PullState, without_own
from bot.domain.trailers import parse_trailers
from bot.observe import World
from bot.planned import Planned, Planner
from bot.ports import BranchChange, OutsideError
from bot.pushes import own_heads, takes_no_push

T = TypeVar("T")
Plan = Callable[[Sha], Planned]

_AFTERGLOW = timedelta(hours=1)
"""How long after the watch of a promotion its pull request is still looked up, to bring its comment up to date."""
_HEARD = timedelta(hours=24)
"""How long at least: for so long people may order a rollback there."""
_HOUR = timedelta(hours=1)


# --- which branches matter -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The branches of one stage whose newest pull request matters now; None where there is no such question."""

    candidate: str | None = None
    arrival: str | None = None
    revert: str | None = None

    @property
    def branches(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(name for name in (self.candidate, self.arrival, self.revert) if name is not None)


def wanted_branches(world: World, policy: Policy, seen: Observation) -> Mapping[str, Wanted]:
    """Return for each stage which branches to ask the forge for."""
    found = {}
    for stage in policy.stages:
        here = seen.stage(stage.name)
        is_reached = stage.source is not None or _leaves_with_others(policy, stage)
        if is_reached and not isinstance(here.tags, Trouble):
            look = _Look(world=world, policy=policy, stage=stage, tags=here.tags)
            found[stage.name] = look.wanted(here, seen)
    return found


def _leaves_with_others(policy: Policy, stage: Stage) -> bool:
    return any(later.rollback is not None and stage.name in later.rollback.also for later in policy.stages)


# --- what they are ---------------------------------------------------------------------------------------------------


def with_proposals(world: World, policy: Policy, seen: Observation, told: Proposals | Trouble) -> Observation:
    """Add the pull requests and artifacts that matter now. `told` is what the forge said of the repository."""
    wanted = wanted_branches(world, policy, seen)
    stages = tuple(
        _with_proposals(world, policy, seen, stage, wanted[stage.stage], told) if stage.stage in wanted else stage
        for stage in seen.stages
    )
    return replace(seen, stages=stages, forge=_facts(world, told))


def _facts(world: World, told: Proposals | Trouble) -> ForgeFacts | None:
    if isinstance(told, Trouble):
        return None
    now, limit = world.clock.now(), world.openings_per_hour
    recent = [at for at in told.opened_at if at > now - _HOUR]
    left = max(0, limit - len(recent))
    return ForgeFacts(
        rules=told.rules,
        own_app_id=told.own_app_id,
        openings_left=left,
        next_opening=recent[-limit] + _HOUR if not left and len(recent) >= limit else None,
    )


def _with_proposals(
    world: World,
    policy: Policy,
    all_seen: Observation,
    seen: StageObservation,
    wanted: Wanted,
    told: Proposals | Trouble,
) -> StageObservation:
    stage = policy.stage(seen.stage)
    assert not isinstance(seen.tags, Trouble)  # noqa: S101 - `wanted_branches` asks for no others
    look = _Look(world=world, policy=policy, stage=stage, tags=seen.tags)
    # What concerns the release that runs here must not wait for the stage before to be readable.
    seen = replace(seen, arrival=look.arrival(wanted, told), revert=look.revert(wanted, told, all_seen))
    tag = waiting_tag(stage, all_seen)
    if tag is None:
        return replace(seen, superseded=look.superseded(None, told))
    candidate = Release(image=policy.image, tag=tag)
    artifact = look.artifact(candidate, all_seen) if wanted.candidate is not None else None
    return replace(
        seen,
        artifact=artifact,
        promotion=look.promotion(candidate, artifact, told) if wanted.candidate is not None else None,
        superseded=look.superseded(candidate, told),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """The look at the pull requests of one stage."""

    world: World
    policy: Policy
    stage: Stage
    tags: TagHistory

    def wanted(self, here: StageObservation, seen: Observation) -> Wanted:
        return Wanted(
            candidate=self._candidate_branch(seen),
            arrival=self._arrival_branch(),
            revert=self._revert_branch(here, seen),
        )

    def _branch(self, tag: str) -> str:
        return release_branch(self.policy.service, self.stage.name, Release(image=self.policy.image, tag=tag))

    # --- the release on its way in ---

    def _candidate_branch(self, seen: Observation) -> str | None:
        # A quarantined release has nothing to prove any more, but its pull request must not be merged either.
        tag = waiting_tag(self.stage, seen)
        return None if tag is None or tag in (NOT_SET, self.tags.tag) else self._branch(tag)

    def artifact(self, release: Release, seen: Observation) -> Artifact | Trouble | None:
        """Ask what the tag means now, and add what it meant when it was first looked at after it came."""
        found = _attempt(lambda: self.world.registry.find_artifact(release.image, release.tag))
        before = carriers(self.stage, seen)
        # Of what comes from the registry nothing was observed yet: it is a new release with each digest.
        if not isinstance(found, Artifact) or not before:
            return found
        firsts = [(name, self._first_digest(name, seen, found.digest)) for name in before]
        name, first = next((one for one in firsts if one[1] != found.digest), firsts[0])
        return replace(found, first_digest=first, first_in=name)

    def _first_digest(self, name: str, seen: Observation, now: Digest) -> Digest:
        """Return what the tag meant at the first look after it came into a stage before; it is noted then."""
        tags = seen.stage(name).tags
        assert isinstance(tags, TagHistory)  # noqa: S101 - what carries a release could be read
        key = f"digest/{self.policy.service}/{name}/{tags.introduced.commit}/{self.policy.image}:{tags.tag}"
        first = self.world.ledger.noted([key]).get(key)
        if first is None:
            self.world.ledger.note(key, now)
        return Digest(first) if first is not None else now

    @property
    def planner(self) -> Planner:
        return self.world.planner(self.policy, self.stage)

    def promotion(
        self, release: Release, artifact: Artifact | Trouble | None, told: Proposals | Trouble
    ) -> Proposal | Trouble:
        if isinstance(told, Trouble):
            return told
        branch = self._branch(release.tag)
        if isinstance(artifact, Artifact):
            release = replace(release, digest=artifact.digest)
        return _attempt(
            lambda: self._examined(branch, told.newest.get(branch), lambda fork: self.planner.promotion(fork, release))
        )

    def superseded(self, release: Release | None, told: Proposals | Trouble) -> tuple[Pull, ...]:
        """Return the stage's open promotions of other releases; all of them where the one that waits is not known."""
        if isinstance(told, Trouble):
            return ()
        prefix = promotion_prefix(self.policy.service, self.stage.name)
        running = Release(image=self.policy.image, tag=self.tags.tag)
        mine = {revert_branch(self.policy.service, self.stage.name, running)}
        if release is not None:
            mine.add(release_branch(self.policy.service, self.stage.name, release))
        return tuple(
            pull
            for pull in told.open
            if pull.branch.startswith(prefix) and pull.branch not in mine and is_promotion_branch(pull.branch)
        )

    # --- the release that is there ---

    def _arrived_tag(self) -> str | None:
        change = self.tags.introduced
        if self.stage.source is None or change.trailers is None or not self._is_recent(change):
            return None
        return change.old if change.trailers.reverts is not None else change.new

    def _arrival_branch(self) -> str | None:
        tag = self._arrived_tag()
        return None if tag is None else self._branch(tag)

    def arrival(self, wanted: Wanted, told: Proposals | Trouble) -> Proposal | Trouble | None:
        """Look up the pull request that brought the running release, or the one that was just rolled back."""
        tag = self._arrived_tag()
        if wanted.arrival is None or tag is None:
            return None
        if isinstance(told, Trouble):
            return told
        release = Release(image=self.policy.image, tag=tag)
        return Proposal(branch=wanted.arrival, pull=told.newest.get(wanted.arrival), release=release.name)

    def _is_recent(self, change: TagChange) -> bool:
        rollback, now = self.stage.rollback, self.world.clock.now()
        until = change.at + max((rollback.watch if rollback else timedelta(0)) + _AFTERGLOW, _HEARD)
        # Where a rollback waits for the calendar a person is called on it for as long.
        return now < until or (
            rollback is not None and now < past_freeze(rollback, until, self.policy.calendars_of(self.stage))
        )

    # --- its rollback ---

    def _revert_branch(self, here: StageObservation, seen: Observation) -> str | None:
        """Name the rollback by pull request while one may be due, and the policy or the branch wants that road."""
        along = taken_along(self.policy, self.stage, self.tags, seen)
        rollback = along.rollback if along is not None else self.stage.rollback
        if rollback is None or self._way_back(seen) is None:
            return None
        liveness = stage_liveness(self.policy, self.stage, here, self.tags, seen.at)
        calendars = self.policy.calendars_of(self.stage)
        # A person may order it behind the watch, too.
        is_due = along is not None or is_watched(rollback, self.tags, liveness, seen.at, calendars)
        if not is_due and not self._is_recent(self.tags.introduced):
            return None
        if rollback.by is not Road.PULL_REQUEST and not takes_no_push(self.world, self.policy):
            return None
        running = Release(image=self.policy.image, tag=self.tags.tag)
        return revert_branch(self.policy.service, self.stage.name, running)

    def _way_back(self, seen: Observation) -> str | None:
        return way_back_of(self.stage, self.tags, seen).tag

    def revert(self, wanted: Wanted, told: Proposals | Trouble, seen: Observation) -> Proposal | Trouble | None:
        branch, back_to = wanted.revert, self._way_back(seen)
        if branch is None or back_to is None:
            return None
        if isinstance(told, Trouble):
            return told
        release = Release(image=self.policy.image, tag=self.tags.tag)
        promotion, target = self.tags.introduced.commit, Release(image=self.policy.image, tag=back_to)

        def plan(fork: Sha) -> Planned:
            return self.planner.revert(fork, promotion=promotion, release=release, back_to=target)

        return _attempt(lambda: self._examined(branch, told.newest.get(branch), plan))

    def _examined(self, branch: str, pull: Pull | None, plan: Plan) -> Proposal:
        at = pull.head if pull is not None and pull.state is PullState.OPEN else None
        asked = Branch(base=self.tags.head, name=branch, plan=plan, head=at)
        found = examine(self.world, self.policy, self.stage, asked)
        if pull is not None:
            pull = replace(pull, checks=without_own(pull.checks, check_name(self.stage.name)))
        return replace(found, pull=pull)


# --- is it the planned edit ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A branch to be compared with the edit that `plan` makes where it left the tracked branch, now at `base`.

    `head` is where the forge says that it is; None where nobody has said so.
    """

    base: Sha
    name: str
    plan: Plan
    head: Sha | None = None


def examine(world: World, policy: Policy, stage: Stage, branch: Branch) -> Proposal:
    """Compare a branch with the planned edit, byte for byte: as the last refresh found it, or the forge says it is."""
    repository = policy.gitops.repository
    change = world.repositories.branch_change(repository, branch.base, branch.name, is_fresh=False)
    if branch.head is not None and (change is None or change.head != branch.head):
        # The forge was asked a moment after Git, or its answer is older than what Git says.
        change = world.repositories.branch_change(repository, branch.base, branch.name)
    if change is None:
        return Proposal(branch=branch.name, pull=None)
    trailers = parse_trailers(change.message)
    read = world.repositories.read_file
    moved = [one for one in stage.files if read(repository, change.fork, one) != read(repository, branch.base, one)]
    return Proposal(
        branch=branch.name,
        pull=None,
        branch_head=change.head,
        deviation=_deviation(world, policy, stage, change, branch.plan),
        release=trailers.release if trailers else None,
        is_own_head=change.head in own_heads(world, repository, branch.name),
        is_current=change.fork == branch.base,
        base_moved=bool(moved),
    )


def _deviation(world: World, policy: Policy, stage: Stage, change: BranchChange, plan: Plan) -> str | None:
    """Say what a branch changes that is not the planned edit; None if it is exactly that."""
    others = [path for path in change.paths if path not in stage.files]
    if others:
        return f"it also changes {', '.join(others[:3])}"
    if not change.paths:
        return f"it does not change {' or '.join(stage.files)}"
    try:
        planned = plan(change.fork)
    except EditRefused as error:
        return str(error)
    values = ", ".join(dict.fromkeys(one.new for one in planned.changes))
    for file, text in planned.files.items():
        if world.repositories.read_file(policy.gitops.repository, change.head, file) != text:
            return f"{file} differs from the edit that only sets {values}"
    return None


def _attempt(read: Callable[[], T]) -> T | Trouble:
    try:
        return read()
    except OutsideError as error:
        return error.as_trouble()
