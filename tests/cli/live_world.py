"""A lab for `policy check --live`: a real Prometheus with a day of history, and one policy that fits everything."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from typer.testing import CliRunner, Result

from bot.adapters.clock import SystemClock
from bot.cli.app import app
from bot.lab.exchanges import Exchange
from bot.lab.world import BRANCH, DEVELOPER, GITOPS, Lab, running_lab
from tests.adapters.backends import a_storage, prometheus_on

STEP = timedelta(seconds=30)
PAST, TO_COME = timedelta(hours=25), timedelta(minutes=30)
"""The history goes on for a while after the tests begin, so that none of them sees it end."""
POLICY = """\
apiVersion: liftlock.dev/v1
service: checkout
image: ghcr.io/acme/checkout
source: acme/checkout
gitops: {repository: acme/deploy, branch: main}
stages:
  - name: staging
    edit: {kustomize: apps/checkout/staging/kustomization.yaml}
    argocd: checkout-staging
    metrics: {namespace: checkout-staging}
    window: {for: 30m}
    gates:
      - {use: http-errors, limit: 1%}
      - {use: http-latency, slower_than: 500ms, limit: 5%}
      - {use: argocd-healthy}
  - name: production
    from: staging
    edit: {helm: {file: apps/checkout/production/values.yaml, tag: image.tag}}
    argocd: checkout-production
    metrics: {namespace: checkout-production}
    rollback:
      watch: 60m
      by: pull-request
      triggers: [{use: http-errors, limit: 2%}, {use: argocd-degraded, for: 3m}]
"""

_A_MINUTE: Mapping[str, float] = {
    'http_requests_total{namespace="checkout-staging",job="web",code="200"}': 60,
    'http_requests_total{namespace="checkout-production",job="web",code="200"}': 600,
    'http_requests_total{namespace="checkout-production",job="web",code="500"}': 1,
    'http_requests_total{namespace="quiet",job="web",code="200"}': 3,
    'http_request_duration_seconds_bucket{namespace="checkout-staging",le="0.5"}': 59,
    'http_request_duration_seconds_bucket{namespace="checkout-staging",le="+Inf"}': 60,
    'http_request_duration_seconds_count{namespace="checkout-staging"}': 60,
}
"""How many events of each series there are in a minute."""


def a_day_of_traffic() -> str:
    """Scrapes of the last day and of half an hour to come, as OpenMetrics text."""
    now = time.time() // STEP.total_seconds() * STEP.total_seconds()
    first, scrapes = now - PAST.total_seconds(), (PAST + TO_COME) // STEP
    lines: list[str] = []
    for name in dict.fromkeys(series.partition("{")[0] for series in _A_MINUTE):
        lines.append(f"# TYPE {name} unknown")
        for series, each in _A_MINUTE.items():
            if series.startswith(f"{name}{{"):
                of_step = each * (STEP / timedelta(minutes=1))
                lines += [f"{series} {n * of_step} {first + n * STEP.total_seconds():.0f}" for n in range(scrapes)]
    return "\n".join([*lines, "# EOF", ""])


@contextmanager
def a_prometheus(folder: Path) -> Iterator[str]:
    """Run a real Prometheus that has the day."""
    with prometheus_on(folder, a_storage(folder, a_day_of_traffic())) as (url, _):
        yield url


@contextmanager
def a_live_lab(folder: Path, prometheus: str) -> Iterator[tuple[Lab, Path]]:
    """Run a lab in which checkout runs 1.8.2 with the policy above; give it with its settings."""
    with running_lab(folder, SystemClock()) as lab:
        lab.add_service("checkout", "1.8.2")
        (folder / "policies" / "checkout.yaml").write_text(POLICY, encoding="utf-8")
        settings = lab.write_settings(folder / "liftlock.toml")
        text = settings.read_text(encoding="utf-8").replace(lab.prometheus_url, prometheus)
        settings.write_text(text, encoding="utf-8")
        yield lab, settings


# --- asking ----------------------------------------------------------------------------------------------------------

UNBOUND = "main does not require liftlock/production"
"""What the lab's GitHub lacks, as most repositories do at first: one test says in which words it is told."""
_ASKING = re.compile(r"/graphql$|/access_tokens$|/api/v1/query$")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a run came to: its lines without the notes, the notes, the last line, and how it ended."""

    lines: list[str]
    notes: list[str]
    sums: str
    code: int


@dataclass(frozen=True, kw_only=True)
class Live:
    """The lab with its settings and its one policy."""

    lab: Lab
    settings: Path

    @property
    def policy(self) -> Path:
        return self.lab.directory / "policies" / "checkout.yaml"

    def run(self, *more: str) -> Result:
        arguments = ["policy", "check", "--live", "--config", str(self.settings), *more]
        return CliRunner().invoke(app, arguments)

    def ask(self, *changes: tuple[str, str]) -> Asked:
        """Check the policy with some of its text replaced."""
        text = POLICY
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        self.policy.write_text(text, encoding="utf-8")
        result = self.run()
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        *told, sums = result.output.splitlines()
        lines = [line.removeprefix(f"{self.policy}:") for line in told]
        notes = [line for line in lines if ": note: " in line]
        return Asked(
            lines=[line for line in lines if line not in notes and UNBOUND not in line],
            notes=notes,
            sums=sums,
            code=result.exit_code,
        )

    def change(self, old: str, new: str) -> None:
        text = self.settings.read_text(encoding="utf-8")
        assert old in text
        self.settings.write_text(text.replace(old, new), encoding="utf-8")

    def commit(self, file: str, text: str) -> None:
        self.lab.github.commit_as(DEVELOPER, GITOPS, BRANCH, {file: text}, "Change what runs")


def writes(exchange: Exchange) -> bool:
    """Whether a request could have changed anything. Those of git itself are of the lab's own people."""
    if exchange.method in {"GET", "HEAD"} or exchange.path.endswith(("git-receive-pack", "git-upload-pack")):
        return False
    return not _ASKING.search(exchange.path) or b"mutation" in exchange.request_body


ARTIFACT = """\
    artifact:
      signer:
        identity: https://github.com/acme/checkout/.github/workflows/release.yml@refs/tags/v{version}
        ref: refs/tags/v{version}
      require: [{use: signature}, {use: provenance}]
"""


def with_artifact(live: Live) -> Asked:
    return live.ask(("    argocd: checkout-staging\n", f"    argocd: checkout-staging\n{ARTIFACT}"))
