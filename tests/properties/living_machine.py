"""What every rule of the machine uses: the world, the ground truth of it, and how time and releases go on in both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine

from bot.domain.policy import Merge, Opens, Policy, Road
from bot.domain.pulls import Pull, PullState
from tests.builders import MINUTE
from tests.fake_world import STAGING_FILE, kustomization
from tests.properties.ground_truth import GroundTruth
from tests.properties.living_world import STAGES, LivingWorld, a_living_policy
from tests.properties.overdue import overdue_along, overdue_rollbacks

Pauses = tuple[int, ...]
"""The minutes before each of some sweeps."""
MOST_TAGS = 8

stages = st.sampled_from(STAGES)
picks = st.integers(0, 5)
some: st.SearchStrategy[Pauses] = st.sampled_from(((), (1,), (1, 1, 1), (1, 4), (1, 1, 2, 2)))
seldom = st.sampled_from((False, False, False, True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a policy lets releases into production, and takes them back."""

    merge: Merge
    opens: Opens
    by: Road
    back_by: Road
    cool_down: int
    also: tuple[str, ...]

    def policy(self) -> Policy:
        """Return the policy of the living world, in this manner."""
        policy = a_living_policy()
        production = policy.stage("production")
        assert production.rollback is not None
        rollback = replace(
            production.rollback, by=self.back_by, cool_down=timedelta(minutes=self.cool_down), also=self.also
        )
        proposing = replace(production.proposing, opens=self.opens, by=self.by)
        changed = replace(production, merge=self.merge, proposing=proposing, rollback=rollback)
        return replace(policy, stages=(policy.stages[0], changed))


class LivingMachine(RuleBasedStateMachine):
    """One world, its history, and the ground truth of it.

    `calm` counts the sweeps since anything failed, `calm_since` is when the first of them was.
    """

    def __init__(self) -> None:
        super().__init__()
        self.world = LivingWorld()
        self.truth = GroundTruth(self.world)
        self.tags = ["1.8.2"]
        self.calm = 0
        self.calm_since: datetime | None = None

    # --- time --------------------------------------------------------------------------------------------------------

    def _pass(self, minutes: float) -> None:
        self.world.pass_minutes(minutes)

    def _go_on(self, pauses: Pauses) -> None:
        for minutes in pauses:
            self._pass(minutes)
            self._sweep()

    def _act(self) -> None:
        """Whatever happens takes a second, so that no two things happen at once."""
        self.world.clock.advance(MINUTE / 60)

    def _sweep(self) -> None:
        faults, failing = self.world.faults.any, self._something_fails()
        error = self.world.sweep()
        self.truth.chronicle.read()
        is_well = error is None and not faults and not failing
        self.truth.sayings.hear(all_went_well=is_well)
        self.calm = self.calm + 1 if is_well else 0
        if self.calm == 1:
            self.calm_since = self.world.clock.now()
        if self.calm > 1:
            self.truth.wrongs += [*overdue_rollbacks(self.truth), *overdue_along(self.truth)]
        if error is not None and "bug" in error:
            self.truth.wrongs.append(error)

    def _something_fails(self) -> bool:
        world = self.world
        fakes = (world.repositories, world.metrics, world.deployments)
        return any(fake.fail for fake in fakes) or bool(world.metrics.failing)

    # --- releases, and how they do -----------------------------------------------------------------------------------

    def _release(self, in_staging: float, in_production: float) -> None:
        tag = f"1.9.{len(self.tags)}"
        self.tags.append(tag)
        self.world.shares |= {("staging", tag): in_staging, ("production", tag): in_production}
        self._commit({STAGING_FILE: kustomization(tag)}, f"Release {tag}")

    def _commit(self, files: Mapping[str, str], message: str) -> None:
        self.world.repositories.commit("main", files, message)
        self.truth.chronicle.read()

    def _promote(self, in_production: float) -> None:
        """Bring a release that does well in staging into production, by a person where that is left to people."""
        self._release(0.0, in_production)
        self._go_on((1, 9))
        pull = self.world.newest_on(self.world.branch_of(self.tags[-1]))
        is_left_to_people = self.world.policy.stage("production").merge is Merge.HUMAN
        if is_left_to_people and pull is not None and pull.state is PullState.OPEN and not pull.draft:
            self._merge(pull, "dana")

    def _merge(self, pull: Pull, by: str) -> None:
        """Merge as a person does, who leaves the text that the forge proposes."""
        self._act()
        commits = self.world.repositories.commits
        fork = {one.sha for one in self.world.repositories.line(self.world.head)}
        messages = [one.message for one in self.world.repositories.line(pull.head) if one.sha not in fork]
        own = next((one for one in messages if "Liftlock-" in one), commits[pull.head].message)
        self.world.forge.merge(pull.number, own, by=by)
        self.truth.chronicle.read()

    def _close(self, pull: Pull, by: str) -> None:
        """Close a pull request as a person does."""
        self._act()
        self.world.forge.edit(
            pull.number,
            state=PullState.CLOSED,
            head=pull.head,
            closed_by=by,
            closed_by_bot=False,
            closed_at=self.world.clock.now(),
            reopened_by=None,
        )

    # --- all is well -------------------------------------------------------------------------------------------------

    def _lift(self) -> None:
        """Let everything answer that failed."""
        world = self.world
        world.faults.lift()
        for fake in (world.repositories, world.metrics, world.deployments):
            fake.fail.clear()
        world.metrics.failing.clear()

    def _clear_up(self) -> None:
        """Let both stages do as well as their releases can."""
        world = self.world
        world.deployments.ill.clear()
        world.deployments.stuck.clear()
        for stage in STAGES:
            world.env_share[stage] = 0.0
            world.turn(stage, per_minute=200.0, is_scraped=True)
