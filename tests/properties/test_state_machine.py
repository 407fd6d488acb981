"""Random histories of a whole world with the real engine in it; after every step nothing may have been done wrongly.

Releases come, stages turn bad and good, systems fail and come back, people do what people do, and the bot is killed and
started again, on its ledger or without it. What is right is told by the ground truth, not by what the bot says.
LIFTLOCK_MACHINE_EXAMPLES and LIFTLOCK_MACHINE_STEPS make it longer.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule, run_state_machine_as_test

from bot.domain.naming import is_revert_branch
from bot.domain.policy import Merge, Opens, Road
from tests.properties.living_machine import MOST_TAGS, LivingMachine, Manner, Pauses
from tests.properties.living_people import People
from tests.properties.living_trouble import Trouble, shares
from tests.properties.overdue import overdue_merges_of_rollbacks, overdue_moves
from tests.properties.planted import PLANTED, Among, Plant

EXAMPLES = int(os.environ.get("LIFTLOCK_MACHINE_EXAMPLES", "30"))
STEPS = int(os.environ.get("LIFTLOCK_MACHINE_STEPS", "30"))
BEGINNINGS: Mapping[str, Pauses] = {
    "proposed": (),
    "promoted": (1,),
    "watched": (1, 2),
    "settled": (1, 20),
    "taken back": (1, 20),
}
"""How it goes on with a first release that has passed."""
FAILS: Pauses = (1, 1, 4, 1, 1)
"""What it takes to take a bad release back, with a pull request or without."""

beginnings = st.sampled_from(("at rest", "observed", *BEGINNINGS, "settled", "taken back"))
afterwards = st.sampled_from(
    ("all is well", "a fix follows", "it goes on", "it goes on", "a person closes the rollback")
)
manners = st.builds(
    Manner,
    merge=st.sampled_from((Merge.AUTO, Merge.AUTO, Merge.HUMAN)),
    opens=st.sampled_from(Opens),
    by=st.sampled_from((Road.PULL_REQUEST, Road.PULL_REQUEST, Road.PULL_REQUEST, Road.COMMIT)),
    back_by=st.sampled_from(Road),
    cool_down=st.sampled_from((15, 0, 40)),
    also=st.sampled_from(((), ("staging",))),
)


class Loop(LivingMachine):
    """Releases and time, and what must hold whatever happens."""

    @initialize(manner=manners, share=shares, begins=beginnings)
    def begin(self, manner: Manner, share: float, begins: str) -> None:
        self.world.policy = manner.policy()
        self._sweep()
        if begins == "observed":
            self._release(0.0, share)
            self._go_on((1, 2))
        if begins in BEGINNINGS:
            self._promote(0.0 if begins == "taken back" else share)
            self._go_on(BEGINNINGS[begins])
        if begins == "taken back":
            self._promote(0.3)
            self._go_on(FAILS)

    # --- time, and releases ------------------------------------------------------------------------------------------

    @rule(pauses=st.sampled_from(((1,), (1, 1, 1), (1, 2, 1, 2), (4, 4), (9, 1), (2, 20), (60,))))
    def time_passes(self, pauses: Pauses) -> None:
        self._go_on(pauses)

    @rule()
    def another_look(self) -> None:
        self._sweep()

    @precondition(lambda self: len(self.tags) < MOST_TAGS)
    @rule(in_staging=shares, in_production=shares)
    def a_release_comes(self, in_staging: float, in_production: float) -> None:
        self._act()
        self._release(in_staging, in_production)

    @rule(in_production=shares)
    def a_good_release_goes_its_way(self, in_production: float) -> None:
        if len(self.tags) < MOST_TAGS:
            self._act()
            self._release(0.0, in_production)
        self._go_on((1, 4, 4, 1, 1))

    @precondition(lambda self: len(self.tags) < MOST_TAGS)
    @rule(then=afterwards)
    def a_release_fails_in_production(self, then: str) -> None:
        self._lift()
        self._clear_up()
        self._act()
        self._promote(0.3)
        for minutes in FAILS:
            self._go_on((minutes,))
            reverts = [pull for pull in self.world.open_pulls() if is_revert_branch(pull.branch)]
            if reverts and then == "a person closes the rollback":
                self._close(reverts[0], "bob")
        if then == "a fix follows":
            self._release(0.0, 0.0)
            self._go_on((1, 9, 1))
        if then == "it goes on":
            self.world.env_share["production"] = 0.3
            self._go_on((1, 5, 1, 3, 1))

    @rule()
    def all_is_well_for_a_while(self) -> None:
        self._lift()
        self._clear_up()
        self._go_on((1, 4, 4, 1, 1))

    # --- what must hold ----------------------------------------------------------------------------------------------

    @invariant()
    def nothing_was_done_wrongly(self) -> None:
        branches = [pull.branch for pull in self.world.open_pulls()]
        twice = {f"I9: {one} has two open pull requests" for one in branches if branches.count(one) > 1}
        assert not [*self.truth.wrongs, *twice], [*self.truth.wrongs, *twice]

    def teardown(self) -> None:
        try:
            if not self.truth.wrongs:
                self._settles()
        finally:
            self.world.close()
            shutil.rmtree(self.world.folder)

    def _settles(self) -> None:
        """With all faults lifted and time passing, the bot comes to rest, and leaves nothing undone."""
        self._lift()
        self._clear_up()
        self._go_on((1, 8))
        for _ in range(10):
            before = self._done()
            self._go_on((0, 8))
            self.nothing_was_done_wrongly()
            if self._done() == before:
                break
        else:
            raise AssertionError(f"the bot does not come to rest: {self.world.last}")
        undone = [*overdue_merges_of_rollbacks(self.truth), *self._unmoved()]
        assert not undone, undone

    def _unmoved(self) -> list[str]:
        now = self.world.clock.now()
        return overdue_moves(self.truth, now - (self.calm_since or now)) if self.calm else []

    def _done(self) -> tuple[object, ...]:
        """All that the bot has done to Git and to pull requests."""
        forge, repositories = self.world.forge, self.world.repositories
        states = [(one.state, one.draft, one.head, one.labels) for one in forge.pulls.values()]
        return dict(repositories.branches), len(repositories.pushes), len(forge.orders), states


class LoopAmongPeople(People, Loop):
    """People do what they do, and everything works."""


class LoopInTrouble(Trouble, Loop):
    """Everything fails at times, and nobody does anything."""


class LoopMachine(People, Trouble, Loop):
    """Everything that may happen."""


# --- running it ------------------------------------------------------------------------------------------------------


def _drop_unless_bug(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if str(event["event"]).startswith("bug"):
        raise AssertionError(event)
    raise structlog.DropEvent


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep no log: thousands of sweeps would fill the memory."""
    processors = structlog.get_config()["processors"]
    kept = list(processors)
    processors[:] = [_drop_unless_bug]
    try:
        yield
    finally:
        processors[:] = kept


def run(machine: type[Loop], examples: int, steps: int, **more: Any) -> None:
    """Run a machine for some examples of so many steps."""
    health = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    with _quiet():
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=health, **more
            ),
        )


@pytest.mark.timeout(3600)
@pytest.mark.invariant("I1")
@pytest.mark.invariant("I3")
@pytest.mark.invariant("I4")
@pytest.mark.invariant("I5")
@pytest.mark.invariant("I7")
@pytest.mark.invariant("I9")
def test_no_history_makes_the_bot_do_anything_wrongly() -> None:
    run(LoopMachine, EXAMPLES, STEPS)


# Each is looked for among the rules that can meet it, which takes half the examples that all of them together take.
PARTS: Mapping[Among, type[Loop]] = {Among.PEOPLE: LoopAmongPeople, Among.TROUBLE: LoopInTrouble}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.name)
def test_a_fault_that_is_planted_in_the_decision_is_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    for where, what in plant.changes.items():
        monkeypatch.setattr(where, what)
    with pytest.raises(AssertionError, match=plant.shows_as):
        run(PARTS[plant.among], 40, 12, derandomize=True, phases=(Phase.generate,), database=None)
