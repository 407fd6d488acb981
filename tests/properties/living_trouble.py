"""What goes wrong by itself: stages that turn bad, systems that fail, and a bot that dies and starts anew."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from bot.ports import Transient
from tests.properties.faults import Mode
from tests.properties.living_machine import MOST_TAGS, LivingMachine, Pauses, seldom, some, stages

shares = st.sampled_from((0.0, 0.0, 0.02, 0.3))


class Trouble(LivingMachine):
    """The rules of what nobody wants."""

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

    @precondition(lambda self: len(self.tags) < MOST_TAGS)
    @rule(stage=stages, is_scraped=st.booleans())
    def a_release_comes_and_nothing_is_measured(self, stage: str, is_scraped: bool) -> None:
        self._act()
        self.world.turn(stage, per_minute=0.0, is_scraped=is_scraped)
        self._promote(0.0)
        self._go_on((1, 1, 4, 1))
        self.world.turn(stage, per_minute=200.0, is_scraped=True)

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
            self.truth.sayings.forget()
