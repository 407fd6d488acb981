"""How long a rollback takes, in real time: from the trigger being true in Prometheus to the pushed revert.

A real Prometheus scrapes the lab's services every second, the bot runs on its schedule as `liftlock run` has it, and
the revert is a commit that git pushes over HTTP. Tiles are 4 s wide here, and read when they are 2 s old (`lag`).

*True in Prometheus* is the end of the first tile with which the trigger's own query, asked of Prometheus tile by tile
as a look asks it, satisfies the rule: enough evidence, on two successive tiles. Before that instant nobody can know.
*Readable* is `lag` later: before that no look reads this tile, so that no scrape is still on its way. *Pushed* is when
git has returned from the push that the server took.

What must hold, on any machine: the first look that begins when the tile is readable takes the release back. So it takes
`lag`, at the most one look, and the time that a sweep takes to come to the push. A look is late where the sweep before
it takes longer than the interval. GitHub's limits a minute are not compressed as the lab's time is, so the bot tells
source repositories nothing here: it would wait for its place in them.
"""

from __future__ import annotations

import statistics
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from bot.adapters.clock import SystemClock
from bot.adapters.http import Endpoint
from bot.adapters.prometheus import PrometheusMetrics
from bot.adapters.prometheus_process import find_prometheus
from bot.compose.whole import compose
from bot.domain.decision import RollBack
from bot.domain.gates.judging import judge_triggers
from bot.domain.model import Samples, Sha, TagHistory
from bot.domain.observed import Measurement, stage_liveness, trigger_measurements
from bot.domain.verdicts import VerdictKind
from bot.engine.sweep import ServiceReport, Sweeper
from bot.lab.cluster import Behaviour
from bot.lab.pace import WATCHABLE, Pace
from bot.lab.stories import GOOD
from bot.lab.world import STAGES, Lab, running_lab
from bot.ports import Look
from bot.settings import load_settings
from tests.adapters.backends import needs_prometheus
from tests.bench.conftest import Show
from tests.bench.measure import render_table

STAGE = "production"
TRIGGER = "trigger:http-errors"
SERVICES = ("basket", "catalogue", "checkout", "payments", "search", "shipping")
FAILING = Behaviour(requests_per_second=100.0, error_ratio=0.2)
BESIDE_THE_LOOK = timedelta(seconds=5)
"""What a rollback may take beside one look: the lag, the sweep, the push."""
ENDS_WITHIN_SECONDS = 180.0

pytestmark = [pytest.mark.prometheus, needs_prometheus, pytest.mark.timeout(600)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """When something began and ended."""

    begun: datetime
    ended: datetime


@dataclass(kw_only=True)
class Notes:
    """What the bot did when: each sweep, its sampling, each push, and what it came to for each service."""

    sweeps: list[Span] = field(default_factory=list)
    samplings: list[Span] = field(default_factory=list)
    pushes: dict[Sha, Span] = field(default_factory=dict)
    reports: dict[str, list[ServiceReport]] = field(default_factory=lambda: {name: [] for name in SERVICES})
    all_back: threading.Event = field(default_factory=threading.Event)

    def hear(self, report: ServiceReport) -> None:
        self.reports[report.subject].append(report)
        if all(any(map(revert_of, some)) for some in self.reports.values()):
            self.all_back.set()

    def watch(self, sweeper: Sweeper) -> Callable[[], object]:
        """Note when the parts of the bot begin and end; return its sweep."""
        clock, sampler, repositories = sweeper.world.clock, sweeper.sampler, sweeper.world.repositories
        sample, push = sampler.sample, repositories.push

        def sampled(*positional: object, **named: object) -> object:
            begun = clock.now()
            found = sample(*positional, **named)  # type: ignore[arg-type]  # as it was called
            self.samplings.append(Span(begun=begun, ended=clock.now()))
            return found

        def pushed(repository: str, branch: str, commit: Sha, *, expected: Sha | None) -> None:
            begun = clock.now()
            push(repository, branch, commit, expected=expected)
            self.pushes[commit] = Span(begun=begun, ended=clock.now())

        def sweep() -> object:
            begun = clock.now()
            try:
                return sweeper.sweep()
            finally:
                self.sweeps.append(Span(begun=begun, ended=clock.now()))

        sampler.sample = sampled  # type: ignore[method-assign,assignment]  # a stop watch around it
        repositories.push = pushed  # type: ignore[method-assign]  # the same
        return sweep


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """One rollback, by its instants. `looks` are those from when the tile was readable, up to the one that acted.

    `sweep_before` is how many seconds the sweep before took.
    """

    live: datetime
    true: datetime
    readable: datetime
    look: datetime
    sampling: Span
    push: Span
    sweep_before: float
    looks: int

    @property
    def steps(self) -> list[float]:
        """The seconds from true to pushed, step by step."""
        instants = [self.true, self.readable, self.look, self.sampling.begun, self.sampling.ended]
        instants += [self.push.begun, self.push.ended]
        return [(later - one).total_seconds() for one, later in pairwise(instants)]


STEPS = ("lag", "next look", "Git, Argo CD", "Prometheus", "forge, decide, commit", "push")


def revert_of(report: ServiceReport) -> str | None:
    """The beginning of the SHA by which a report's service was taken back."""
    said = (outcome for action, outcome in report.outcomes if isinstance(action, RollBack))
    return next((one.removeprefix("reverted by ") for one in said if one.startswith("reverted by ")), None)


def true_at(report: ServiceReport, url: str, lag: timedelta) -> tuple[datetime, datetime]:
    """Ask Prometheus itself: when the release was live, and the end of the first tile that satisfies the trigger."""
    policy, seen = report.policy, report.observation
    assert policy is not None
    assert seen is not None
    stage, there = policy.stage(STAGE), seen.stage(STAGE)
    assert isinstance(there.tags, TagHistory)
    assert stage.rollback is not None
    liveness = stage_liveness(policy, stage, there, there.tags, seen.at)
    (item,) = (one for one in trigger_measurements(stage, there.tags, liveness) if one.key == TRIGGER)
    whole = asked_again(item, url, item.window.seen_until(seen.at, lag))
    for tiles in range(1, len(whole.starts) + 1):
        end = whole.start + tiles * whole.width
        part = replace(whole, end=end, numbers={role: some[:tiles] for role, some in whole.numbers.items()})
        then = replace(there, samples={TRIGGER: part})
        told = replace(seen, stages=tuple(then if one.stage == STAGE else one for one in seen.stages))
        verdicts = judge_triggers(stage, stage.rollback, there.tags, liveness, told, seen.at)
        if any(one.kind is VerdictKind.UNHEALTHY for one in verdicts):
            assert liveness.first_live is not None
            return liveness.first_live, end
    pytest.fail(f"{report.subject} was taken back, and Prometheus does not say why")


def asked_again(item: Measurement, url: str, end: datetime) -> Samples:
    """What Prometheus says of a trigger's tiles, whatever the bot has read."""
    start, width = item.window.first, item.window.width
    looks = {role: Look(query=ask.query, start=start, end=end, width=width) for role, ask in item.asks.items()}
    with PrometheusMetrics(Endpoint(system="Prometheus", url=url)) as metrics:
        answers = metrics.read(list(looks.values()))
    numbers = {}
    for role, answer in zip(looks, answers, strict=True):
        assert isinstance(answer, tuple), answer
        numbers[role] = answer
    return Samples(start=start, end=end, width=width, numbers=numbers, queries=(), backend="")


def timed(notes: Notes, service: str, lab: Lab) -> Rollback:
    """Put together what is known of a service's rollback."""
    reports = notes.reports[service]
    (report,) = (one for one in reports if revert_of(one) is not None)
    assert report.observation is not None
    live, true = true_at(report, lab.prometheus_url, lab.pace.lag)
    readable, acted = true + lab.pace.lag, report.observation.at
    looks = [one.observation.at for one in reports if one.observation is not None]
    (push,) = (span for sha, span in notes.pushes.items() if sha.startswith(revert_of(report) or "?"))
    *_, before, sweep = (span for span in notes.sweeps if span.begun <= acted)
    return Rollback(
        live=live,
        true=true,
        readable=readable,
        look=sweep.begun,
        sweep_before=(before.ended - before.begun).total_seconds(),
        sampling=next(span for span in notes.samplings if span.begun >= acted),
        push=push,
        looks=sum(readable <= at <= acted for at in looks),
    )


@contextmanager
def running_bot(lab: Lab, notes: Notes) -> Iterator[None]:
    """Run the bot on its schedule, with as many rollbacks allowed as there are services, and no signals."""
    settings = lab.write_app_settings(lab.directory / "liftlock.toml")
    text = settings.read_text(encoding="utf-8").replace("[bot]\n", f"[bot]\nmost_rollbacks = {len(SERVICES)}\n")
    settings.write_text(text.replace("[github]\n", "[github]\nsignals = []\n"), encoding="utf-8")
    with ExitStack() as stack:
        bot = stack.enter_context(compose(load_settings(settings), listeners=(notes.hear,)))
        schedule = bot.schedule(notes.watch(bot.sweeper))
        schedule.start()
        stack.callback(schedule.stop)
        yield


def roll_back_all(folder: Path, pace: Pace, apart: float) -> list[Rollback]:
    """Release a bad build of each service, so many seconds apart, and wait until the last one is taken back."""
    notes, rest = Notes(), threading.Event()
    with running_lab(folder, SystemClock(), prometheus=find_prometheus(), pace=pace) as lab:
        for service in SERVICES:
            lab.add_service(service, "1.8.2")
        lab.argocd.start()
        names = [f"{service}-{stage}" for service in SERVICES for stage in STAGES]
        while any(lab.argocd.status(name).health.status != "Healthy" for name in names):
            rest.wait(0.1)
        with running_bot(lab, notes):
            for service in SERVICES:
                lab.release(service, "1.9.0", in_staging=GOOD, in_production=FAILING)
                rest.wait(apart)
            assert notes.all_back.wait(ENDS_WITHIN_SECONDS), {name: len(some) for name, some in notes.reports.items()}
        return [timed(notes, service, lab) for service in SERVICES]


@pytest.mark.parametrize(
    ("every", "apart"),
    [(1, 5.0), (5, 5.0), (5, 0.0)],
    ids=["a look each second", "a look every five seconds", "all at once"],
)
def test_how_long_a_rollback_takes(tmp_path: Path, show: Show, every: int, apart: float) -> None:
    pace = replace(WATCHABLE, sweep=timedelta(seconds=every), watch=timedelta(minutes=2))
    found = roll_back_all(tmp_path, pace, apart)
    when = "all at once" if apart == 0 else f"{apart:g} s apart"
    show_figures(show, f"{len(found)} rollbacks by commit, {when}, a look every {every} s (seconds)", found)
    bound = pace.sweep + BESIDE_THE_LOOK
    within = sum(one.push.ended - one.true <= bound for one in found)
    show(f"within one look and {BESIDE_THE_LOOK.seconds} s of being true: {within} of {len(found)}")
    assert [one.looks for one in found] == [1] * len(found)


def show_figures(show: Show, title: str, found: Sequence[Rollback]) -> None:
    """Print where the time goes, at the median and at the worst of each step, and of all."""
    by_step = list(zip(*(one.steps for one in found), strict=True))
    rows = [row(name, some) for name, some in zip(STEPS, by_step, strict=True)]
    rows += [
        row("true to pushed", [(one.push.ended - one.true).total_seconds() for one in found]),
        row("readable to pushed", [(one.push.ended - one.readable).total_seconds() for one in found]),
        row("live to pushed", [(one.push.ended - one.live).total_seconds() for one in found]),
        row("the sweep before", [one.sweep_before for one in found]),
        ["looks once readable", *(f"{some:g}" for some in _both([one.looks for one in found]))],
    ]
    show(render_table(title, ["step", "median", "worst"], rows))


def row(name: str, seconds: Sequence[float]) -> list[str]:
    return [name, *(f"{one:.2f}" for one in _both(seconds))]


def _both(numbers: Sequence[float]) -> tuple[float, float]:
    return statistics.median(numbers), max(numbers)
