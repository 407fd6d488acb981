"""Test files for the tests of what reads and runs them: one policy of two stages, one test of it, and its requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.domain.model import Numbers
from bot.ports import Look, OutsideError
from bot.trial.cases import TrialFile
from bot.trial.reading import read_trial
from tests.fakes import FakeMetrics, an_error

POLICY = """\
apiVersion: liftlock.dev/v1
service: shop
image: ghcr.io/acme/shop
gitops: {repository: acme/deploy}
stages:
  - name: staging
    edit: {kustomize: shop/staging/kustomization.yaml}
    argocd: shop-staging
    metrics: {namespace: shop-staging}
    window: {for: 10m, deadline: 1h}
    gates:
      - {use: http-errors, limit: 1%, floor: 100}
      - {use: argocd-healthy}
  - name: production
    from: staging
    edit: {regex: {file: shop.env, pattern: '^TAG=(.*)$'}}
    argocd: shop-production
    metrics: {namespace: shop}
    promote: {merge: auto}
    rollback:
      watch: 20m
      triggers: [{use: http-errors, limit: 2%}, {use: argocd-degraded, for: 2m}]
"""
TRAFFIC = """\
series:
  - {series: 'http_requests_total{namespace="shop-staging",code="200"}', values: 0+60x400}
  - {series: 'http_requests_total{namespace="shop",code="200"}', values: 0+60x400}
"""


def written(folder: Path, tests: str, *, policy: str = POLICY) -> Path:
    """Write a policy and its tests, and return the test file."""
    (folder / "shop.yaml").write_text(policy, encoding="utf-8")
    path = folder / "shop.test.yaml"
    path.write_text(tests, encoding="utf-8")
    return path


def with_expectation(*expected: str, timeline: str = "{at: 0m, release: 1.1.0}", more: str = "") -> str:
    """Return a test file with traffic, one test, and what is expected in it."""
    listed = "\n".join(f"      - {one}" for one in expected)
    events = f"    timeline: [{timeline}]\n" if timeline else ""
    return f"{TRAFFIC}{more}tests:\n  - name: it\n{events}    expect:\n{listed}\n"


def a_trial(folder: Path, tests: str, *, policy: str = POLICY) -> TrialFile:
    """Write a policy and its tests, and read them."""
    return read_trial(written(folder, tests, policy=policy))


@dataclass
class SwitchedFake(FakeMetrics):
    """Requests as a test sets them; nothing at all while it is down."""

    up: bool = True

    def read(self, looks: Sequence[Look]) -> Sequence[Numbers | OutsideError]:
        return super().read(looks) if self.up else [an_error("down", "Prometheus") for _ in looks]

    def _numbers(self, look: Look) -> Numbers:
        share = 0.0 if 'code=~"5.."' in look.query.text or "argocd_app_info" in look.query.text else 1.0
        share = next((bad for part, bad in self.bad_share.items() if part in look.query.text and not share), share)
        value = None if self.silent or "argocd_app_info" in look.query.text else self.per_minute * share
        return (value,) * ((look.end - look.start) // look.width)
