"""What a sweep asks of Prometheus: many services, some under observation, five gates each, on a real server.

The rival asks for each service and gate by itself, with the same adapter; where that would be thousands of queries, it
does so for some services and its figures are multiplied.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from bot.adapters.http import Endpoint, Limits
from bot.adapters.ledger import open_ledger
from bot.adapters.prometheus import PrometheusMetrics
from bot.domain.model import Samples
from bot.domain.observation import Observation
from bot.domain.policy import Policy
from bot.policy import parse_policy, shipped_gate_templates
from bot.ports import Cost
from bot.sampling import Sampler, Subject
from tests.adapters.backends import MINUTE, START, needs_prometheus, prometheus_on
from tests.bench.conftest import Show
from tests.bench.measure import mebibytes, peak_memory_bytes, render_table, seconds
from tests.builders import NEW, OLD, a_change, a_stage, an_application, tags

SIZES = (1_000, 10_000)
SHARES = (0.01, 0.1)
MINUTES = 15
SCRAPE = 15
LIVE, FIRST = 6, 11
"""The minutes at which the releases are live, and of the first look."""
LAG = timedelta(seconds=15)
LIMITS = Limits(deadline=timedelta(seconds=60))
GATES = 5
ALONE = 20
"""How many services the rival asks for before its figures are multiplied."""
POLICY = """\
apiVersion: liftlock.dev/v1
service: s{number}
image: ghcr.io/acme/checkout
gitops: {{repository: acme/deploy}}
stages:
  - name: staging
    edit: {{kustomize: s{number}/staging/kustomization.yaml}}
    argocd: s{number}
    metrics: {{namespace: s{number}}}
    window: {{for: 8m, warmup: 0s}}
    gates:
      - {{use: http-errors, limit: 1%}}
      - {{use: http-latency, limit: 5%, slower_than: 500ms}}
      - {{use: kafka-lag, above: 1000}}
      - {{use: kubernetes-restarts}}
      - {{use: kubernetes-cpu-throttling, limit: 20%}}
  - name: production
    from: staging
    edit: {{kustomize: s{number}/production/kustomization.yaml}}
    argocd: s{number}-production
"""
COUNTERS = {
    'http_requests_total{{namespace="{0}",code="200"}}': 150,
    'http_requests_total{{namespace="{0}",code="500"}}': 1,
    'http_request_duration_seconds_bucket{{namespace="{0}",le="0.5"}}': 149,
    'http_request_duration_seconds_count{{namespace="{0}"}}': 151,
    'kube_pod_container_status_restarts_total{{namespace="{0}",pod="p",container="c"}}': 0,
    'container_cpu_cfs_periods_total{{namespace="{0}",pod="p"}}': 100,
    'container_cpu_cfs_throttled_periods_total{{namespace="{0}",pod="p"}}': 3,
}
GAUGES = {'kafka_consumergroup_lag{{namespace="{0}"}}': 7, 'kube_pod_info{{namespace="{0}",pod="p"}}': 1}

pytestmark = [pytest.mark.prometheus, needs_prometheus, pytest.mark.timeout(1800)]


def a_history(folder: Path, services: int) -> Path:
    """Have promtool make the storage of all services' series: fixed growth, a scrape every 15 seconds."""
    text = folder / "history.txt"
    with text.open("w") as file:
        for series, growth, is_counter in [
            *((name, growth, True) for name, growth in COUNTERS.items()),
            *((name, value, False) for name, value in GAUGES.items()),
        ]:
            for number in range(services):
                name = series.format(f"s{number}")
                for scrape in range(MINUTES * 60 // SCRAPE):
                    value = growth * scrape if is_counter else growth
                    file.write(f"{name} {value} {START.timestamp() + scrape * SCRAPE:.0f}\n")
        file.write("# EOF\n")
    subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(text), str(folder / "data")],
        check=True,
        capture_output=True,
        timeout=1200,
    )
    text.unlink()
    return folder / "data"


@pytest.fixture(scope="module", params=SIZES)
def backend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    services: int = request.param
    folder = tmp_path_factory.mktemp(f"services-{services}")
    with prometheus_on(folder, a_history(folder, services)) as (url, _):
        yield services, url


def subjects(policies: Sequence[Policy], observed: int, *, at: timedelta) -> list[Subject]:
    """Give every service; the first ones have a release in staging that production does not have yet."""
    return [
        Subject(policy=policy, seen=_seen(policy, is_observed=number < observed, at=at))
        for number, policy in enumerate(policies)
    ]


def _seen(policy: Policy, *, is_observed: bool, at: timedelta) -> Observation:
    tag = NEW if is_observed else OLD
    live = START + LIVE * MINUTE
    app = an_application(
        policy.service, tag=tag, finished_at=live, reconciled_at=live + timedelta(seconds=1), health_since=live
    )
    staging = a_stage("staging", tags(a_change(tag, at=live)), applications=(app,))
    production = a_stage("production", tags(a_change(OLD, at=live - timedelta(days=3))), applications=())
    return Observation(service=policy.service, at=START + at, stages=(staging, production))


@dataclass(frozen=True)
class Measured:
    cost: Cost
    seconds: float


def first_and_next(url: str, ledger: Path, found: list[list[Subject]]) -> tuple[Measured, Measured]:
    """Sweep once over five minutes of tiles, and once more a minute later."""
    with (
        open_ledger(f"sqlite:///{ledger}") as opened,
        PrometheusMetrics(Endpoint(system="Prometheus", url=url), limits=LIMITS) as metrics,
    ):
        sampler = Sampler(metrics=metrics, ledger=opened, lag=LAG)
        measured = []
        for some in found:
            before, begun = metrics.cost(), time.perf_counter()
            answers = sampler.sample(some)
            took = time.perf_counter() - begun
            measured.append(Measured(cost=metrics.cost().since(before), seconds=took))
            check(some, answers)
    return measured[0], measured[1]


def check(asked: Sequence[Subject], answers: Sequence[Observation]) -> None:
    """Every rule of every release under observation has whole samples, and no other release has any."""
    for subject, seen in zip(asked, answers, strict=True):
        staging = seen.stage("staging")
        is_observed = subject.seen.stage("staging").tags.tag == NEW  # type: ignore[union-attr]  # the bench's own
        assert len(staging.samples) == (GATES if is_observed else 0)
        for samples in staging.samples.values():
            assert isinstance(samples, Samples), samples
            assert all(None not in some for some in samples.numbers.values()), samples


def one_by_one(url: str, policies: Sequence[Policy], observed: int, file: Path) -> Measured:
    """Ask as tools do that know one service at a time: the queries of each service and gate by themselves."""
    begun, cost = time.perf_counter(), Cost()
    some = policies[: min(ALONE, observed)]
    with (
        open_ledger(f"sqlite:///{file}") as ledger,
        PrometheusMetrics(Endpoint(system="Prometheus", url=url), limits=LIMITS, together=1) as metrics,
    ):
        for subject in subjects(some, len(some), at=FIRST * MINUTE + 2 * LAG):
            check([subject], Sampler(metrics=metrics, ledger=ledger, lag=LAG).sample([subject]))
        cost = metrics.cost()
    times = observed / len(some)
    whole = Cost(
        queries=round(cost.queries * times), series=round(cost.series * times), points=round(cost.points * times)
    )
    return Measured(cost=whole, seconds=(time.perf_counter() - begun) * times)


def test_what_a_sweep_asks_of_prometheus(backend: tuple[int, str], tmp_path: Path, show: Show) -> None:
    services, url = backend
    templates = shipped_gate_templates()
    policies = [
        parse_policy(POLICY.format(number=number), file="a.yaml", templates=templates) for number in range(services)
    ]
    rows = []
    for share in SHARES:
        observed = round(services * share)
        looks = [subjects(policies, observed, at=minutes * MINUTE + 2 * LAG) for minutes in (FIRST, FIRST + 1)]
        first, following = first_and_next(url, tmp_path / f"{share}.db", looks)
        alone = one_by_one(url, policies, observed, tmp_path / f"alone-{share}.db")
        rows += [
            _row(f"{observed:,} of {services:,}, first look (5 tiles)", first),
            _row(f"{observed:,} of {services:,}, a minute later", following),
            _row(f"{observed:,} of {services:,}, one by one (first look)", alone),
            [
                "  one by one / ours",
                f"{alone.cost.queries / first.cost.queries:.0f} x",
                "",
                "",
                f"{alone.seconds / first.seconds:.1f} x",
            ],
        ]
    title = f"What a sweep asks of Prometheus: {services:,} services, five gates each"
    show(render_table(title, ["under observation", "queries", "series", "points", "seconds"], rows))
    show(f"peak memory of the bot's process: {mebibytes(peak_memory_bytes())} MiB")


def _row(name: str, found: Measured) -> list[str]:
    cost = found.cost
    return [name, f"{cost.queries:,}", f"{cost.series:,}", f"{cost.points:,}", seconds(found.seconds)]
