"""Random histories of a whole world with the real engine in it; after every step nothing may have been done wrongly.

Releases come, stages turn bad and good, systems fail and come back, people do what people do, and the bot is killed and
started again, on its ledger or without it. What is right is told by the ground truth, not by what the bot says.
LIFTLOCK_MACHINE_EXAMPLES and LIFTLOCK_MACHINE_STEPS make it longer.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bot.domain.policy import Merge, Opens, Policy, Road
from bot.domain.pulls import Pull, PullState
from bot.domain.verdicts import Verdict, VerdictKind, combine, deciding
from bot.ports import Transient
from tests.fake_world import PRODUCTION_FILE, STAGING_FILE, kustomization
from tests.properties.faults import Mode
from tests.properties.ground_truth import HOLD, GroundTruth, Said
from tests.properties.living_world import STAGES, LivingWorld, a_living_policy

EXAMPLES = int(os.environ.get("LIFTLOCK_MACHINE_EXAMPLES", "30"))
STEPS = int(os.environ.get("LIFTLOCK_MACHINE_STEPS", "30"))
Pauses = tuple[int, ...]
"""The minutes before each of some sweeps."""
BEGINNINGS: Mapping[str, Pauses] = {
    "at rest": (),
    "observed": (1, 2),
    "proposed": (1, 8),
    "promoted": (1, 8, 1),
    "watched": (1, 8, 1, 2),
}
MOST_TAGS = 6
MOST_SAID = 15

stages = st.sampled_from(STAGES)
people = st.sampled_from(("dana", "dana", "bob", "eve"))
picks = st.integers(0, 5)
shares = st.sampled_from((0.0, 0.0, 0.02, 0.3))
some = st.sampled_from(((), (1,), (1, 1, 1), (1, 4), (1, 1, 2, 2)))
seldom = st.sampled_from((False, False, False, True))


def a_policy_of(merge: Merge, opens: Opens, by: Road, back_by: Road) -> Policy:
    policy = a_living_policy()
    production = policy.stage("production")
    assert production.rollback is not None
    changed = replace(
        production,
        merge=merge,
        proposing=replace(production.proposing, opens=opens, by=by),
        rollback=replace(production.rollback, by=back_by),
    )
    return replace(policy, stages=(policy.stages[0], changed))


class LoopMachine(RuleBasedStateMachine):
    """One world, its history, and the ground truth of it."""

    def __init__(self) -> None:
        super().__init__()
        self.world = LivingWorld()
        self.truth = GroundTruth(self.world)
        self.tags = ["1.8.2"]
        self.calm = 0

    # --- time --------------------------------------------------------------------------------------------------------

    @initialize(
        merge=st.sampled_from((Merge.AUTO, Merge.AUTO, Merge.HUMAN)),
        opens=st.sampled_from(Opens),
        by=st.sampled_from((Road.PULL_REQUEST, Road.PULL_REQUEST, Road.PULL_REQUEST, Road.COMMIT)),
        back_by=st.sampled_from(Road),
        share=shares,
        begins=st.sampled_from(tuple(BEGINNINGS)),
    )
    def begin(self, merge: Merge, opens: Opens, by: Road, back_by: Road, share: float, begins: str) -> None:
        self.world.policy = a_policy_of(merge, opens, by, back_by)
        self._sweep()
        if begins == "at rest":
            return
        self._release(0.0, share)
        self._go_on(BEGINNINGS[begins])

    @rule(pauses=st.sampled_from(((1,), (1, 1, 1), (1, 2, 1, 2), (4, 4), (9, 1), (2, 20), (60,))))
    def time_passes(self, pauses: tuple[int, ...]) -> None:
        self._go_on(pauses)

    @rule(in_production=shares)
    def a_good_release_goes_its_way(self, in_production: float) -> None:
        if len(self.tags) < MOST_TAGS:
            self._act()
            self._release(0.0, in_production)
        self._go_on((1, 4, 4, 1, 1))

    @rule()
    def all_is_well_for_a_while(self) -> None:
        self._lift()
        self._clear_up()
        self._go_on((1, 4, 4, 1, 1))

    @rule()
    def another_look(self) -> None:
        self._sweep()

    def _pass(self, minutes: float) -> None:
        self.world.pass_minutes(minutes)

    def _go_on(self, pauses: Pauses) -> None:
        for minutes in pauses:
            self._pass(minutes)
            self._sweep()

    def _act(self) -> None:
        """Whatever happens takes a second, so that no two things happen at once."""
        self.world.clock.advance(self.world.policy.stages[0].window.warmup / 60)  # type: ignore[union-attr]  # it has one

    def _sweep(self) -> None:
        faults, failing = self.world.faults.any, self._something_fails()
        error = self.world.sweep()
        self.truth.read_main()
        is_well = error is None and not faults and not failing
        self.truth.hear(all_went_well=is_well)
        self.calm = self.calm + 1 if is_well else 0
        if error is not None and "bug" in error:
            self.truth.wrongs.append(error)

    def _something_fails(self) -> bool:
        world = self.world
        fakes = (world.repositories, world.metrics, world.deployments)
        return any(fake.fail for fake in fakes) or bool(world.metrics.failing)

    # --- releases, and how they do -----------------------------------------------------------------------------------

    @precondition(lambda self: len(self.tags) < MOST_TAGS)
    @rule(in_staging=shares, in_production=shares)
    def a_release_comes(self, in_staging: float, in_production: float) -> None:
        self._act()
        self._release(in_staging, in_production)

    def _release(self, in_staging: float, in_production: float) -> None:
        tag = f"1.9.{len(self.tags)}"
        self.tags.append(tag)
        self.world.shares |= {("staging", tag): in_staging, ("production", tag): in_production}
        self._commit({STAGING_FILE: kustomization(tag)}, f"Release {tag}")

    @rule(pick=picks)
    def staging_goes_to_a_known_release(self, pick: int) -> None:
        self._act()
        self._commit({STAGING_FILE: kustomization(self.tags[pick % len(self.tags)])}, "Try another one")

    def _commit(self, files: dict[str, str], message: str) -> None:
        self.world.repositories.commit("main", files, message)
        self.truth.read_main()

    @rule(stage=stages, share=shares, sweeps=some)
    def a_stage_turns(self, stage: str, share: float, sweeps: Pauses) -> None:
        self._act()
        self.world.env_share[stage] = share
        self.world.turn(stage)
        self._go_on(sweeps)

    @rule(stage=stages, per_minute=st.sampled_from((0.0, 20.0, 200.0, 200.0)), sweeps=some)
    def traffic_changes(self, stage: str, per_minute: float, sweeps: Pauses) -> None:
        self._act()
        self.world.turn(stage, per_minute=per_minute)
        self._go_on(sweeps)

    @rule(stage=stages, sweeps=some, stays=seldom)
    def scraping_stops(self, stage: str, sweeps: Pauses, stays: bool) -> None:
        self._act()
        self.world.turn(stage, is_scraped=False)
        self._go_on(sweeps)
        self.world.turn(stage, is_scraped=not stays)

    @rule(stage=stages, sweeps=some, stays=seldom)
    def an_application_falls_ill(self, stage: str, sweeps: Pauses, stays: bool) -> None:
        self.world.deployments.ill.add(stage)
        self._go_on(sweeps)
        if not stays:
            self.world.deployments.ill.discard(stage)

    @rule(stage=stages, sweeps=some, stays=seldom)
    def argocd_does_not_sync(self, stage: str, sweeps: Pauses, stays: bool) -> None:
        self.world.deployments.stuck.add(stage)
        self._go_on(sweeps)
        if not stays:
            self.world.deployments.stuck.discard(stage)

    # --- what fails --------------------------------------------------------------------------------------------------

    @rule(how=st.sampled_from(("all", "bad staging", "total staging", "bad production")), sweeps=some, stays=seldom)
    def prometheus_fails(self, how: str, sweeps: Pauses, stays: bool) -> None:
        metrics = self.world.metrics
        if how == "all":
            metrics.fail["read"] = Transient("Prometheus", "connection refused")
        else:
            metrics.failing.add(how)
        self._go_on(sweeps)
        if not stays:
            metrics.fail.clear()
            metrics.failing.clear()

    @rule(sweeps=some, stays=seldom)
    def argocd_fails(self, sweeps: Pauses, stays: bool) -> None:
        fail = self.world.deployments.fail
        fail["find_applications"] = Transient("Argo CD", "connection refused")
        self._go_on(sweeps)
        if not stays:
            fail.clear()

    @rule(sweeps=some, stays=seldom)
    def fetching_fails(self, sweeps: Pauses, stays: bool) -> None:
        fail = self.world.repositories.fail
        fail["refresh"] = Transient("Git", "connection refused")
        self._go_on(sweeps)
        if not stays:
            fail.clear()

    @rule(is_protected=st.booleans())
    def main_is_protected_or_not(self, is_protected: bool) -> None:
        self.world.repositories.is_protected = is_protected

    @rule(
        name=st.sampled_from(("GitHub", "GitHub", "Git", "ledger")),
        mode=st.sampled_from(Mode),
        sweeps=some,
        stays=seldom,
    )
    def a_port_fails(self, name: str, mode: Mode, sweeps: Pauses, stays: bool) -> None:
        modes = self.world.faults.modes
        modes[name] = mode
        self._go_on(sweeps)
        if not stays:
            modes.pop(name, None)

    @rule()
    def all_faults_are_lifted(self) -> None:
        self._lift()

    def _lift(self) -> None:
        world = self.world
        world.faults.lift()
        for fake in (world.repositories, world.metrics, world.deployments):
            fake.fail.clear()
        world.metrics.failing.clear()

    @rule(number=st.integers(1, 25), after=st.booleans(), minutes=st.sampled_from((0, 1, 1)))
    def the_bot_is_killed_at_a_write(self, number: int, after: bool, minutes: int) -> None:
        self.world.faults.die_at_write(number, after=after)
        self._pass(minutes)
        self._sweep()
        self.world.faults.writes_left = None

    @rule(loses_ledger=st.booleans())
    def the_bot_starts_anew(self, loses_ledger: bool) -> None:
        self.world.restart(loses_ledger=loses_ledger)
        if loses_ledger:
            self.truth.forget()

    # --- people ------------------------------------------------------------------------------------------------------

    def _open(self, pick: int) -> Pull | None:
        pulls = self.world.open_pulls()
        return pulls[pick % len(pulls)] if pulls else None

    @precondition(lambda self: self.world.open_pulls())
    @rule(pick=picks, by=people)
    def a_person_merges(self, pick: int, by: str) -> None:
        pull = self._open(pick)
        if pull is None or pull.draft or not pull.mergeable:
            return
        self._act()
        commits = self.world.repositories.commits
        fork = {one.sha for one in self.world.repositories.line(self.world.head)}
        messages = [one.message for one in self.world.repositories.line(pull.head) if one.sha not in fork]
        own = next((one for one in messages if "Liftlock-" in one), commits[pull.head].message)
        self.world.forge.merge(pull.number, own, by=by)
        self.truth.read_main()

    @precondition(lambda self: self.world.open_pulls())
    @rule(pick=picks, by=people)
    def a_person_closes(self, pick: int, by: str) -> None:
        self._act()
        pull = self._open(pick)
        assert pull is not None
        now = self.world.clock.now()
        self.world.forge.edit(
            pull.number,
            state=PullState.CLOSED,
            head=pull.head,
            closed_by=by,
            closed_by_bot=False,
            closed_at=now,
            reopened_by=None,
        )

    @precondition(lambda self: self._closed())
    @rule(pick=picks, by=people)
    def a_person_opens_again(self, pick: int, by: str) -> None:
        self._act()
        closed = self._closed()
        pull = closed[pick % len(closed)]
        self.world.repositories.branches.setdefault(pull.branch, pull.head)
        self.world.forge.edit(
            pull.number, state=PullState.OPEN, closed_by=None, closed_by_bot=False, closed_at=None, reopened_by=by
        )

    def _closed(self) -> list[Pull]:
        """The pull requests that GitHub lets people open again: none that was merged, and one for each branch."""
        taken = {pull.branch for pull in self.world.open_pulls()}
        pulls = self.world.forge.pulls.values()
        return [pull for pull in pulls if pull.state is PullState.CLOSED and pull.branch not in taken]

    @precondition(lambda self: self.world.open_pulls())
    @rule(pick=picks, change=st.sampled_from(("draft", "ready", "hold", "let go")))
    def a_person_marks_a_pull_request(self, pick: int, change: str) -> None:
        self._act()
        pull = self._open(pick)
        assert pull is not None
        marks: dict[str, dict[str, object]] = {
            "draft": {"draft": True, "draft_by": "bob"},
            "ready": {"draft": False, "draft_by": None},
            "hold": {"labels": (HOLD,)},
            "let go": {"labels": ()},
        }
        self.world.forge.edit(pull.number, **marks[change])

    @precondition(lambda self: self.world.open_pulls())
    @rule(pick=picks, what=st.sampled_from(("another file", "the tag")))
    def a_person_pushes_to_the_branch(self, pick: int, what: str) -> None:
        self._act()
        pull = self._open(pick)
        assert pull is not None
        text = self.world.repositories.commits[pull.head].files[PRODUCTION_FILE]
        files = (
            {"notes.txt": str(self.world.clock.now())} if what == "another file" else {PRODUCTION_FILE: text + "#\n"}
        )
        self.world.repositories.commit(pull.branch, files, "Mine", author="alice", parent=pull.head)

    @rule(pick=picks)
    def a_person_sets_the_production_tag(self, pick: int) -> None:
        self._act()
        text = self.world.repositories.commits[self.world.head].files[PRODUCTION_FILE]
        old, new = self.world.tag("production"), self.tags[pick % len(self.tags)]
        self._commit(
            {PRODUCTION_FILE: text.replace(f'"{old}"', f'"{new}"').replace(f" {old}\n", f" {new}\n")}, "By hand"
        )

    @rule(replicas=st.integers(1, 9))
    def a_person_edits_something_else_in_the_file(self, replicas: int) -> None:
        self._act()
        text = self.world.repositories.commits[self.world.head].files[PRODUCTION_FILE]
        lines = [line for line in text.splitlines() if "replicas" not in line]
        self._commit({PRODUCTION_FILE: "\n".join([*lines, f"replicas: {replicas}", ""])}, "Scale")

    @precondition(lambda self: self.world.forge.pulls and len(self.truth.said) < MOST_SAID)
    @rule(
        pick=picks,
        by=people,
        verb=st.sampled_from(("hold", "resume", "approve", "reject", "rollback", "retry", "promote")),
        gate=st.sampled_from(("http-errors", "argocd-healthy")),
    )
    def a_person_commands(self, pick: int, by: str, verb: str, gate: str) -> None:
        self._act()
        numbers = sorted(self.world.in_view()) or list(self.world.forge.pulls)
        pull = self.world.forge._current(self.world.forge.pulls[numbers[pick % len(numbers)]])
        body = {
            "hold": "hold for reasons",
            "reject": "reject for reasons",
            "rollback": "rollback for reasons",
            "promote": f"promote --override {gate} for reasons",
            "approve": f"approve {pull.head}" if pick % 2 else "approve",
        }.get(verb, verb)
        self.world.forge.say(pull.number, f"/liftlock {body}", by=by)
        self.truth.said.append(
            Said(
                number=pull.number,
                branch=pull.branch,
                verb=verb,
                by=by,
                at=self.world.clock.now(),
                head=pull.head,
                gate=gate,
            )
        )

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
        """With all faults lifted and time passing, the bot comes to rest."""
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

    def _clear_up(self) -> None:
        """Let both stages do as well as their releases can."""
        world = self.world
        world.deployments.ill.clear()
        world.deployments.stuck.clear()
        for stage in STAGES:
            world.env_share[stage] = 0.0
            world.turn(stage, per_minute=200.0, is_scraped=True)

    def _done(self) -> tuple[object, ...]:
        """All that the bot has done to Git and to pull requests."""
        forge, repositories = self.world.forge, self.world.repositories
        states = [(one.state, one.draft, one.head, one.labels) for one in forge.pulls.values()]
        return dict(repositories.branches), len(repositories.pushes), len(forge.orders), states


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


def run(machine: type[LoopMachine], examples: int, **more: Any) -> None:
    """Run a machine for some examples."""
    health = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    with _quiet():
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=examples, stateful_step_count=STEPS, deadline=None, suppress_health_check=health, **more
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
    run(LoopMachine, EXAMPLES)


def _takes_silence_for_health(verdicts: Sequence[Verdict]) -> VerdictKind:
    kind = combine(verdicts)
    return VerdictKind.HEALTHY if kind is VerdictKind.NO_DATA else kind


def _reverts_upon_no_data(verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    unknown = {VerdictKind.NO_DATA, VerdictKind.CANNOT_TELL}
    found = deciding(verdicts)
    return tuple(replace(one, kind=VerdictKind.UNHEALTHY) if one.kind in unknown else one for one in found)


PLANTED: Mapping[str, tuple[str, object]] = {
    "a rejection is not seen": ("bot.domain.candidate._rejected", lambda _: None),
    "no data is health": ("bot.domain.running.combine", _takes_silence_for_health),
    "no data takes back": ("bot.domain.running.deciding", _reverts_upon_no_data),
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", PLANTED)
def test_a_fault_that_is_planted_in_the_decision_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*PLANTED[name])
    with pytest.raises(AssertionError, match=r"I\d+: "):
        run(LoopMachine, 40, derandomize=True, phases=(Phase.generate,), database=None)
