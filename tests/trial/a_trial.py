"""Test files for the tests of what reads and runs them: one policy of two stages, and one test of it."""

from __future__ import annotations

from pathlib import Path

from bot.trial.cases import TrialFile
from bot.trial.reading import read_trial

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
