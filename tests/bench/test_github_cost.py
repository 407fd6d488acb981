"""What the bot asks of GitHub: for a sweep over 1,000 services in 10 repositories, and for one whole promotion.

Counted on the lab's GitHub, as its own APIs saw it. The bot is composed as a user's is, with real Git and as a GitHub
App; only Argo CD, Prometheus and the registry are stood in for. Time is the lab's, so that no second counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.apply import Applier
from bot.compose.whole import compose
from bot.domain.decision import State
from bot.domain.model import Numbers, Sha
from bot.engine.sweep import ServiceReport, Sweeper
from bot.lab.clock import ManualClock
from bot.lab.github.calls import Calls
from bot.lab.pace import Pace
from bot.lab.stories import GOOD
from bot.lab.world import BRANCH, DEVELOPER, Lab, running_lab
from bot.ports import Look
from bot.sampling import Sampler
from bot.settings import load_settings
from bot.telling import Telling
from tests.bench.conftest import Show
from tests.bench.measure import render_table
from tests.fakes import FakeClock, FakeDeployments, FakeMetrics, FakeRegistry
from tests.scenarios.promoting import promote_by, promoted, settings_of_app, tell_no_source, time_is_the_labs
from tests.stage import START, Stage, the_judgement

SERVICES, REPOSITORIES, OPEN = 1_000, 10, 20
MINUTE = timedelta(minutes=1)
CONTENT = {
    ("POST", "/repos/{owner}/{repo}/pulls"),
    ("POST", "/repos/{owner}/{repo}/issues/{number}/comments"),
    ("POST", "/repos/{owner}/{repo}/pulls/{number}/reviews"),
    ("POST", "/repos/{owner}/{repo}/pulls/{number}/requested_reviewers"),
    ("PUT", "/repos/{owner}/{repo}/pulls/{number}/merge"),
}
"""What notifies people, and so counts against the 80 a minute and 500 an hour."""
POLICY = """\
apiVersion: liftlock.dev/v1
service: {service}
image: ghcr.io/acme/{service}
gitops: {{repository: {repository}, branch: main}}
stages:
  - name: staging
    edit: {{helm: {{file: {service}/staging.yaml, tag: tag}}}}
    argocd: {service}-staging
    metrics: {{namespace: {service}}}
    window: {{for: 30m, warmup: 0s}}
    gates:
      - {{use: http-errors, limit: 1%}}
      - {{use: argocd-healthy}}
  - name: production
    from: staging
    edit: {{helm: {{file: {service}/production.yaml, tag: tag}}}}
    argocd: {service}-production
    metrics: {{namespace: {service}}}
    promote: {{by: pull-request, merge: auto}}
"""

pytestmark = pytest.mark.timeout(1800)


# --- a fleet ---------------------------------------------------------------------------------------------------------


def repository_of(number: int) -> str:
    return f"acme/deploy-{number % REPOSITORIES}"


def service_of(number: int) -> str:
    return f"service-{number:04}"


class Traffic(FakeMetrics):
    """A hundred requests a minute, none of which fails."""

    def _numbers(self, look: Look) -> Numbers:
        value = 0.0 if "5.." in look.query.text else self.per_minute * (look.width / MINUTE)
        return (value,) * ((look.end - look.start) // look.width)


@dataclass
class Fleet:
    """The services, all at 1.0.0 and at rest; `settings` are those of a bot that is a GitHub App."""

    lab: Lab
    clock: ManualClock
    deployments: FakeDeployments
    settings: Path

    def sync(self, number: int, stage: str, tag: str, revision: Sha) -> None:
        name = service_of(number)
        self.deployments.clock.at = self.clock.now()
        self.deployments.sync(f"{name}-{stage}", revision, f"ghcr.io/acme/{name}:{tag}")

    def release(self, numbers: Sequence[int], tag: str) -> None:
        """Set a tag in staging, and let Argo CD bring it there."""
        for number in numbers:
            files = {f"{service_of(number)}/staging.yaml": f'tag: "{tag}"\n'}
            said = f"Release {service_of(number)} {tag}"
            commit = self.lab.github.commit_as(DEVELOPER, repository_of(number), BRANCH, files, said)
            self.sync(number, "staging", tag, commit)

    @contextmanager
    def bot(self) -> Iterator[Sweeper]:
        """A bot that has just been started; its ledger is the one of before."""
        with compose(load_settings(self.settings), clock=self.clock) as bot:
            composed = time_is_the_labs(bot.sweeper, self.clock)
            metrics = Traffic()
            world = replace(composed.world, deployments=self.deployments, metrics=metrics, registry=FakeRegistry())
            telling = Telling(forge_url=self.lab.github.url, comment_every=timedelta(seconds=30))
            loaded = composed.load_policies()
            assert not loaded[1], loaded[1]
            yield replace(
                composed,
                world=world,
                load_policies=lambda: loaded,
                apply=Applier(world=world, telling=telling).apply,
                sampler=Sampler(metrics=metrics, ledger=world.ledger, lag=timedelta(seconds=15)),
                listeners=(),
            )


@pytest.fixture(name="fleet")
def fixture_fleet(tmp_path: Path) -> Iterator[Fleet]:
    clock = ManualClock(START)
    with running_lab(tmp_path, clock) as lab:
        fleet = Fleet(lab, clock, FakeDeployments(clock=FakeClock(START)), settings_of_app(lab))
        for number in range(SERVICES):
            name = service_of(number)
            policy = POLICY.format(service=name, repository=repository_of(number))
            (tmp_path / "policies" / f"{name}.yaml").write_text(policy, encoding="utf-8")
        for place in range(REPOSITORIES):
            _fill(fleet, range(place, SERVICES, REPOSITORIES))
        # What is measured begins long after the releases that run.
        clock.advance(timedelta(days=2))
        yield fleet


def _fill(fleet: Fleet, numbers: Sequence[int]) -> None:
    """Make a repository with the files of its services, which run what stands there."""
    repository, stages = repository_of(numbers[0]), ("staging", "production")
    files = {f"{service_of(number)}/{stage}.yaml": 'tag: "1.0.0"\n' for number in numbers for stage in stages}
    fleet.lab.github.create_repository(repository, files=files)
    fleet.lab.github.add_user(DEVELOPER, {repository: "write"})
    head = fleet.lab.github.head(repository, BRANCH)
    assert head is not None
    for number in numbers:
        for stage in stages:
            fleet.sync(number, stage, "1.0.0", head)


# --- a sweep ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """What one sweep, or one promotion, asked of GitHub's APIs."""

    reads: int
    unchanged: int
    queries: int
    points: int
    writes: int
    content: int

    @classmethod
    def of(cls, calls: Calls) -> Asked:
        return cls(
            reads=sum(count for (verb, _, _), count in calls.rest.items() if verb == "GET"),
            unchanged=calls.unchanged,
            queries=calls.graphql["query"],
            points=calls.graphql_points,
            writes=calls.writes - _tokens(calls),
            content=sum(count for (verb, path, _), count in calls.rest.items() if (verb, path) in CONTENT),
        )

    def row(self, name: str) -> list[str]:
        a_repository = f"{(self.reads + self.queries) / REPOSITORIES:.1f}"
        asked = map(str, (self.reads, self.unchanged, self.queries, self.points))
        return [name, *asked, a_repository, str(self.writes), str(self.content)]


def _tokens(calls: Calls) -> int:
    """Asking for an installation's token is a POST that changes nothing."""
    return sum(count for (verb, path, _), count in calls.rest.items() if verb == "POST" and "access_tokens" in path)


def swept(fleet: Fleet, sweeper: Sweeper) -> tuple[Asked, tuple[ServiceReport, ...]]:
    calls = fleet.lab.github.calls
    calls.reset()
    reports = sweeper.sweep()
    errors = {report.subject: report.error for report in reports if report.error is not None}
    assert not errors, errors
    return Asked.of(calls), reports


def open_pulls(fleet: Fleet) -> int:
    repositories = {repository_of(number) for number in range(REPOSITORIES)}
    return sum(pull.is_open for one in repositories for pull in fleet.lab.github.pulls(one))


def until_all_is_told(fleet: Fleet, sweeper: Sweeper) -> Asked:
    """Sweep until nothing is written any more; return what all of it came to."""
    found = []
    for _ in range(5):
        asked, _ = swept(fleet, sweeper)
        found.append(asked)
        if not asked.writes:
            break
    return Asked(*(sum(getattr(one, name) for one in found) for name in Asked.__dataclass_fields__))


def test_what_a_sweep_asks_of_github(fleet: Fleet, show: Show) -> None:
    rows = []
    with fleet.bot() as sweeper:
        cold, _ = swept(fleet, sweeper)
        fleet.clock.advance(MINUTE / 2)
        idle, _ = swept(fleet, sweeper)
        fleet.release(range(OPEN), "1.1.0")
        fleet.clock.advance(MINUTE / 2)
        opening = until_all_is_told(fleet, sweeper)
        assert open_pulls(fleet) == OPEN
        still, _ = swept(fleet, sweeper)
        fleet.clock.advance(5 * MINUTE)
        moving, _ = swept(fleet, sweeper)
    with fleet.bot() as sweeper:
        restarted, _ = swept(fleet, sweeper)
    rows = [
        cold.row("idle, the first sweep of a bot"),
        idle.row("idle"),
        opening.row(f"{OPEN} are opened (all sweeps until they are told)"),
        still.row(f"{OPEN} open, nothing new"),
        moving.row(f"{OPEN} open, each with new evidence"),
        restarted.row(f"{OPEN} open, the first sweep of a bot"),
    ]
    header = ["a sweep", "REST reads", "of these 304", "queries", "points", "reads a repository", "writes", "content"]
    show(render_table(f"GitHub: {SERVICES:,} services in {REPOSITORIES} repositories", header, rows))
    assert idle.reads + idle.queries <= REPOSITORIES
    assert idle.writes == 0
    assert still.writes == 0
    assert still.reads + still.queries <= REPOSITORIES


# --- a promotion -----------------------------------------------------------------------------------------------------


REAL = Pace(
    tile=MINUTE,
    warmup=2 * MINUTE,
    window=30 * MINUTE,
    deadline=timedelta(hours=4),
    watch=30 * MINUTE,
    degraded=2 * MINUTE,
    sweep=MINUTE / 2,
    lag=MINUTE / 4,
    scrape=MINUTE / 4,
    refresh=3 * MINUTE,
    sync_takes=MINUTE / 2,
)
"""As in a policy of the examples: a window and a watch of half an hour, a sweep every 30 s."""
LIMIT = 150


def promote(folder: Path, words: str, *, source: str | None) -> Asked:
    """Play 1.9.0 in a lab of its own, from its release to the end of its watch."""
    folder.mkdir()
    clock = ManualClock(START)
    with running_lab(folder, clock, pace=REAL) as lab:
        lab.add_service("checkout", "1.8.2")
        if source is None:
            tell_no_source(lab)
        promote_by(lab, f"merge: auto, {words}")
        with compose(load_settings(settings_of_app(lab)), clock=clock) as bot:
            stage = Stage(lab=lab, clock=clock, sweeper=time_is_the_labs(bot.sweeper, clock))
            stage.pass_time(60)
            stage.play(1)
            lab.github.calls.reset()
            lab.release("checkout", "1.9.0", in_staging=GOOD, in_production=GOOD)
            _until_settled(stage)
        return Asked.of(lab.github.calls)


def _until_settled(stage: Stage) -> None:
    for _ in range(LIMIT):
        decision = stage.look_after(30)
        running = the_judgement(decision, "production")
        if promoted(stage.lab) and running.state is State.SETTLED:
            break
    else:
        raise AssertionError("1.9.0 never settled in production")
    for _ in range(4):
        stage.look_after(30)


def test_what_a_promotion_writes(tmp_path: Path, show: Show) -> None:
    words = [f"open: {o}, evidence: {e}" for o in ("early", "on-pass") for e in ("comment", "body")]
    found = {one: promote(tmp_path / str(number), one, source=None) for number, one in enumerate(words)}
    found[f"{words[0]}, with its source"] = promote(tmp_path / "source", words[0], source="acme/checkout")
    rows = [
        [name, str(asked.content), str(asked.writes), str(asked.reads), str(asked.queries)]
        for name, asked in found.items()
    ]
    header = ["a promotion, from release to settled", "content", "all writes", "REST reads", "queries"]
    show(render_table("GitHub: one whole promotion, window and watch of 30 min", header, rows))
    assert [asked.content for asked in found.values()] == [3, 2, 3, 2, 3]
