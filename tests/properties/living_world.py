"""A world that lives, with the real engine in it: living fakes, a real SQLite ledger, faults between, and people.

The bot may be started anew at any time, on its ledger or on an empty one. Time stands still but where it is passed.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from pathlib import Path

from bot.adapters.ledger import SqlLedger, open_ledger
from bot.apply import Applier
from bot.domain.authority import Permission
from bot.domain.decision import Decision
from bot.domain.model import Release, Sha
from bot.domain.naming import release_branch
from bot.domain.policy import Policy
from bot.domain.pulls import Pull, PullState
from bot.domain.queries import Query
from bot.domain.rules import ArgoHealthyGate, CountGate, DegradedTrigger
from bot.domain.trailers import parse_trailers
from bot.engine.sweep import Sweeper
from bot.observe import World
from bot.offers import OfferReader
from bot.ports import OutsideError
from bot.sampling import Sampler
from bot.tag_history import TagReader
from bot.telling import Telling
from tests.builders import IMAGE, MINUTE, NOON, OLD, a_count_gate, a_policy, a_window
from tests.fake_forge import FakeSignals
from tests.fake_world import PRODUCTION_FILE, STAGING_FILE, kustomization, values
from tests.fakes import FakeClock, FakeProving, FakeRegistry, FakeSummaries
from tests.properties.faults import Faults, Killed
from tests.properties.living_fakes import LAG, LivingArgo, LivingForge, LivingMetrics, LivingRepositories

STAGES = ("staging", "production")
FILES = {"staging": STAGING_FILE, "production": PRODUCTION_FILE}
WINDOW, WARMUP, WATCH = 6 * MINUTE, MINUTE, 15 * MINUTE
SPELL_GAP = 5 * MINUTE
LIMIT, REVERT_LIMIT = 0.01, 0.02
DEGRADED_FOR = 3 * MINUTE
PERMISSIONS = {"dana": Permission.MAINTAIN, "bob": Permission.WRITE, "eve": Permission.READ}


def a_counted(stage: str, limit: float) -> CountGate:
    """A share of bad requests of one stage."""
    gate = a_count_gate(limit=limit)
    return replace(gate, query=Query.plain(f"bad {stage}"), total=Query.plain(f"total {stage}"))


def a_living_policy() -> Policy:
    """Short windows, so that a history of an hour holds several promotions."""
    policy = a_policy(
        gates=(a_counted("staging", LIMIT), ArgoHealthyGate(name="argocd-healthy")),
        window=a_window(length=WINDOW, warmup=WARMUP, deadline=timedelta(hours=1)),
    )
    production = policy.stage("production")
    assert production.rollback is not None
    triggers = (a_counted("production", REVERT_LIMIT), DegradedTrigger(name="argocd-degraded", lasting=DEGRADED_FOR))
    rollback = replace(production.rollback, watch=WATCH, triggers=triggers)
    return replace(policy, stages=(policy.stages[0], replace(production, rollback=rollback)))


@cache
def _empty_ledger() -> bytes:
    """A ledger with all its tables and nothing in them: making the tables takes longer than copying a file."""
    folder = Path(tempfile.mkdtemp())
    try:
        open_ledger(f"sqlite:///{folder}/ledger.db").close()
        return (folder / "ledger.db").read_bytes()
    finally:
        shutil.rmtree(folder)


@dataclass
class LivingWorld:
    """Both stages run 1.8.2 since long ago, everything is healthy, and nothing has been proposed."""

    policy: Policy = field(default_factory=a_living_policy)
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp()))
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOON))
    faults: Faults = field(default_factory=Faults)
    sql: SqlLedger | None = None
    last: Decision | None = None
    env_share: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    shares: dict[tuple[str, str], float] = field(default_factory=dict)
    pauses: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.repositories = LivingRepositories(clock=self.clock)
        self.deployments = LivingArgo(clock=self.clock)
        self.metrics = LivingMetrics(clock=self.clock)
        self.forge = LivingForge(repositories=self.repositories, permissions=dict(PERMISSIONS))
        self.signals = FakeSignals()
        files = {STAGING_FILE: kustomization(OLD), PRODUCTION_FILE: values(OLD)}
        self.repositories.commit("main", files, "Start")
        for stage in STAGES:
            self.metrics.turn(stage)
        self.look_at_git()
        self.pass_minutes(90)
        self.restart(loses_ledger=True)

    # --- the bot ---

    def restart(self, *, loses_ledger: bool = False) -> None:
        """Start the bot anew: whatever it held in memory is gone, and its ledger, too, if it loses that."""
        self.close()
        if loses_ledger:
            for left in self.folder.iterdir():
                left.unlink()
            (self.folder / "ledger.db").write_bytes(_empty_ledger())
        self.sql = open_ledger(f"sqlite:///{self.folder}/ledger.db")
        self.sweeper = self._sweeper(self.sql)

    def close(self) -> None:
        """End the bot."""
        if self.sql is not None:
            self.sql.close()
            self.sql = None

    def _sweeper(self, sql: SqlLedger) -> Sweeper:
        between = self.faults.between
        forge, ledger = between(self.forge, "GitHub"), between(sql, "ledger")
        repositories = between(self.repositories, "Git")
        registry = FakeRegistry()
        world = World(
            clock=self.clock,
            repositories=repositories,
            deployments=between(self.deployments, "Argo CD"),
            metrics=self.metrics,
            forge=forge,
            merging=forge,
            conversation=forge,
            signals=between(self.signals, "GitHub"),
            registry=registry,
            proving=FakeProving(),
            summaries=FakeSummaries(),
            ledger=ledger,
            sightings=between(sql.sightings, "ledger"),
            spell_gap=SPELL_GAP,
            tags=TagReader(repositories=repositories),
            offers=OfferReader(registry=registry, ledger=ledger),
        )
        telling = Telling(forge_url="https://github.example", comment_every=timedelta(0))
        return Sweeper(
            world=world,
            board=between(sql.board, "ledger"),
            load_policies=lambda: ((self.policy,), ()),
            apply=Applier(world=world, sleep=self.pauses.append, telling=telling).apply,
            begin=lambda: None,
            workers=1,
            sampler=Sampler(metrics=self.metrics, ledger=ledger, lag=LAG),
        )

    def sweep(self) -> str | None:
        """Sweep once; where the process dies in it, start it anew. Return what was reported as wrong."""
        try:
            reports = self.sweeper.sweep()
        except Killed:
            self.restart()
            return "killed"
        except OutsideError as error:
            return str(error)
        (report,) = reports
        self.last = report.decision
        return report.error

    # --- what is so ---

    @property
    def head(self) -> Sha:
        """The head of main."""
        return self.repositories.branches["main"]

    def tag(self, stage: str, at: Sha | None = None) -> str:
        """Return the tag that Git has for a stage, at the head of main unless another commit is named."""
        return _tag_in(self.repositories.commits[at or self.head].files[FILES[stage]])

    def branch_of(self, tag: str) -> str:
        """Return the branch on which a release is proposed to production."""
        return release_branch("checkout", "production", Release(image=IMAGE, tag=tag))

    def newest_on(self, branch: str) -> Pull | None:
        """Return the newest pull request from a branch."""
        pulls = [pull for pull in self.forge.pulls.values() if pull.branch == branch]
        return self.forge.current(pulls[-1]) if pulls else None

    def open_pulls(self) -> list[Pull]:
        """Return all open pull requests."""
        pulls = self.forge.pulls.values()
        return [self.forge.current(pull) for pull in pulls if pull.state is PullState.OPEN]

    def in_view(self) -> set[int]:
        """Return the pull requests whose comments matter now: of what waits, and of what was promoted or taken back."""
        came = next(one for one in self.repositories.line(self.head) if self._set_production(one.sha))
        trailers = parse_trailers(came.message)
        tags = [self.tag("staging")] if self.tag("staging") != self.tag("production") else []
        if trailers is not None and came.parent is not None:
            tags.append(self.tag("production", came.parent if trailers.reverts is not None else came.sha))
        found = [self.newest_on(self.branch_of(tag)) for tag in tags]
        return {pull.number for pull in found if pull is not None}

    def _set_production(self, sha: Sha) -> bool:
        parent = self.repositories.commits[sha].parent
        return parent is None or self.tag("production", parent) != self.tag("production", sha)

    # --- time, and what goes by itself ---

    def pass_minutes(self, minutes: float) -> None:
        """Let time pass; Argo CD looks at Git meanwhile."""
        self.clock.advance(minutes * MINUTE)
        self.look_at_git()

    def look_at_git(self) -> None:
        """Let Argo CD look at Git now; what runs then decides how the stages do."""
        self.deployments.tick(self.head, {stage: self.tag(stage) for stage in STAGES})
        for stage in STAGES:
            self.turn(stage)

    def turn(self, stage: str, **changes: object) -> None:
        """Let a stage do as its release and its surroundings make it do."""
        runs, _ = self.deployments.running[stage]
        share = max(self.env_share[stage], self.shares.get((stage, runs), 0.0))
        before = self.metrics.weather(stage, self.clock.now())
        if changes or share != before.bad_share:
            self.metrics.turn(stage, **{"bad_share": share, **changes})


def _tag_in(text: str) -> str:
    line = next(line for line in text.splitlines() if "ag: " in line)
    return line.partition("ag: ")[2].strip().strip('"')
