"""A whole world of fakes around one service, for tests of the loop: Git, Argo CD, Prometheus, GitHub, ledger, time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from bot.apply import Applier
from bot.domain.decision import Decision
from bot.domain.model import Sha
from bot.domain.policy import Policy
from bot.domain.stops import Stop
from bot.engine.sweep import BrokenPolicy, ServiceReport, Sweeper
from bot.observe import World
from bot.offers import OfferReader
from bot.records import Board
from bot.sampling import Sampler
from bot.tag_history import TagReader
from bot.telling import Telling
from tests.builders import IMAGE, NEW, NOON, OLD, a_policy
from tests.fake_forge import FakeForge, FakeSignals
from tests.fakes import (
    FakeClock,
    FakeDeployments,
    FakeLedger,
    FakeMetrics,
    FakeProving,
    FakeRegistry,
    FakeRepositories,
    FakeSightings,
    FakeSummaries,
)

STAGING_FILE = "apps/checkout/staging/kustomization.yaml"
PRODUCTION_FILE = "apps/checkout/production/values.yaml"
LAG = timedelta(seconds=15)


def kustomization(tag: str) -> str:
    return f'images:\n  - name: {IMAGE}  # moved by Liftlock\n    newTag: "{tag}"\n'


def values(tag: str) -> str:
    return f'image:\n  repository: {IMAGE}\n  tag: "{tag}"\n'


@dataclass
class FakeWorld:
    """Production and staging run 1.8.2 at noon, everything is healthy, and nothing has been proposed."""

    policy: Policy = field(default_factory=a_policy)
    dry_run: bool = False
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOON))
    broken: tuple[BrokenPolicy, ...] = ()
    more_policies: tuple[Policy, ...] = ()
    pauses: list[float] = field(default_factory=list)
    openings_per_hour: int = 30
    begin: Callable[[], None] = lambda: None
    stops: tuple[Stop, ...] = ()

    def __post_init__(self) -> None:
        self.repositories = FakeRepositories(clock=self.clock)
        self.deployments = FakeDeployments(clock=self.clock)
        self.metrics = FakeMetrics()
        self.forge = FakeForge(repositories=self.repositories)
        self.signals = FakeSignals()
        self.registry = FakeRegistry()
        self.proving = FakeProving()
        self.summaries = FakeSummaries()
        self.ledger = FakeLedger()
        self.board: Board = self.ledger
        self.sightings = FakeSightings()
        files = {STAGING_FILE: kustomization(OLD), PRODUCTION_FILE: values(OLD)}
        self.repositories.commit("main", files, "Start")
        self.sync()
        self.restart()

    @property
    def world(self) -> World:
        return World(
            clock=self.clock,
            repositories=self.repositories,
            deployments=self.deployments,
            metrics=self.metrics,
            forge=self.forge,
            merging=self.forge,
            conversation=self.forge,
            signals=self.signals,
            registry=self.registry,
            proving=self.proving,
            summaries=self.summaries,
            ledger=self.ledger,
            sightings=self.sightings,
            spell_gap=timedelta(minutes=5),
            tags=self.tags,
            offers=self.offers,
            openings_per_hour=self.openings_per_hour,
        )

    def restart(self, *, comment_every: timedelta = timedelta(0)) -> None:
        """Start the bot anew: whatever it held in memory is gone."""
        self.tags = TagReader(repositories=self.repositories)
        self.offers = OfferReader(registry=self.registry, ledger=self.ledger)
        applier = Applier(
            world=self.world,
            sleep=self.pauses.append,
            telling=Telling(forge_url="https://github.example", comment_every=comment_every),
        )
        self.sweeper = Sweeper(
            world=self.world,
            board=self.board,
            load_policies=lambda: ((self.policy, *self.more_policies), self.broken),
            apply=applier.apply,
            begin=self.begin,
            load_stops=lambda: self.stops,
            workers=1,
            sampler=Sampler(metrics=self.metrics, ledger=self.ledger, lag=LAG),
            dry_run=self.dry_run,
        )

    # --- what people and Argo CD do ---

    def tag_in(self, path: str) -> str:
        """The file's text at the head of main."""
        return self.repositories.commits[self.head].files[path]

    @property
    def head(self) -> Sha:
        return self.repositories.branches["main"]

    def release(self, tag: str = NEW) -> Sha:
        """A developer sets the tag in staging, and Argo CD syncs it."""
        commit = self.repositories.commit("main", {STAGING_FILE: kustomization(tag)}, f"Release {tag}")
        self.sync()
        return commit

    def sync(self, *, staging: str = "Healthy", production: str = "Healthy") -> None:
        """Let Argo CD bring both applications to the head of main."""
        for name, path, health in (
            ("checkout-staging", STAGING_FILE, staging),
            ("checkout-production", PRODUCTION_FILE, production),
        ):
            tag = self.tag_in(path).rpartition('"')[0].rpartition('"')[2]
            self.deployments.sync(name, self.head, f"{IMAGE}:{tag}", health=health)

    def pass_time(self, minutes: float) -> None:
        self.clock.advance(timedelta(minutes=minutes))

    def sweep(self) -> Decision:
        """Sweep once and return the decision for checkout."""
        report = self.report()
        assert report.decision is not None, report.error
        return report.decision

    def report(self) -> ServiceReport:
        return next(report for report in self.sweeper.sweep() if report.subject == "checkout")

    def sweep_until_settled(self, *, limit: int = 6) -> None:
        """Sweep until a sweep writes nothing to Git or GitHub."""
        for _ in range(limit):
            before = self._written()
            self.sweep()
            if self._written() == before:
                return
        raise AssertionError("the world never settled")

    def _written(self) -> tuple[object, ...]:
        """All that the bot has done to Git and to pull requests so far."""
        states = [(pull.state, pull.draft, pull.head) for pull in self.forge.pulls.values()]
        return len(self.repositories.pushes), len(self.forge.orders), states
