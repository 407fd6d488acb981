"""A policy with every kind of thing in it, for comparing it with others, and what a comparison comes to."""

from __future__ import annotations

from functools import cache

from bot.domain.policy import Policy
from bot.policy import parse_policy
from bot.policy.comparing import Change, compare_policies
from tests.policy.a_rule import TEMPLATES

EVERYTHING = """\
apiVersion: liftlock.dev/v1
service: checkout
image: ghcr.io/acme/checkout
source: acme/checkout
gitops: {repository: acme/deploy, branch: main}
calendar:
  timezone: Europe/Berlin
  allow: [{days: [mon-thu], from: "09:00", to: "16:30"}, {days: [fri], from: "09:00", to: "12:00"}]
  freeze:
    - {from: 2026-12-20, to: 2027-01-03, reason: end-of-year freeze}
    - {rrule: "FREQ=MONTHLY;BYDAY=-1FR;UNTIL=20301231", from: 2026-01-30 18:00, for: 12h, reason: closing}
    - {rrule: "FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=1,2;BYSETPOS=1", from: 2026-03-01, for: 1d}
stages:
  - name: build
    from: registry
    releases: {semver: ">=1.4 <2", prereleases: true}
    edit:
      kustomize:
        file: apps/build/kustomization.yaml
        name: app
        create: true
        pin: digest
        document: {kind: K, name: n, namespace: s, index: 0}
    argocd: [{selector: "app=checkout,tier in (web,api)", namespace: team-a, server: us}, us:one]
    metrics: {namespace: build, pod: x}
    window: {for: 30m, warmup: 2m, deadline: 6h, tile: 1m, at_deadline: ask}
    gates:
      - {use: http-errors, limit: 1%, floor: 400, accept: proven}
      - {use: http-latency, slower_than: 500ms, limit: 5%}
      - {use: http-errors, name: not-worse, against: production, times: 1.5, points: 1%}
      - {use: http-latency, name: not-worse-than-before, slower_than: 1s, against: {ago: 7d}}
      - use: http-latency
        name: budget
        slower_than: 1s
        objective: 99%
        windows: [{long: 1h, short: 5m, factor: 14.4}, {long: 6h, short: 30m, factor: 6}]
        least_bad: 20
      - {use: kafka-lag, above: 1000, tiles: 3 of 5, hard: 5000}
      - {use: depth, below: 1, hard: 0.5}
      - {use: crashes, at_most: 2}
      - {use: soak}
      - {use: argocd-healthy, out-of-sync: unhealthy}
  - name: production
    from: build
    edit:
      helm:
        file: apps/production/values.yaml
        tag: image.tag
        digest: image.digest
        repository: image.repository
        pin: digest
        document: {index: 1}
    argocd: checkout-production
    metrics: {namespace: production}
    calendar: {timezone: UTC, freeze: [{days: [sun]}]}
    promote:
      by: pull-request
      merge: auto
      auto_merge: bound
      method: squash
      approvers: ["@dana", "@acme/release"]
      notify: ["@dana"]
      labels: [promotion]
      reviewers: ["@dana"]
    artifact:
      signer:
        identity: "https://github.com/acme/checkout/.github/workflows/release.yml@refs/tags/v{version}"
        repository_id: 1
        owner_id: 2
        ref: refs/tags/v{version}
        triggers: [push, workflow_dispatch]
        runners: [github-hosted, self-hosted]
      require:
        - {use: signature}
        - {use: provenance, builder: "https://github.com/actions/runner/*"}
        - {use: checks, names: [test, lint], app: 15368}
        - use: attestation
          name: scan
          type: https://cosign.sigstore.dev/attestation/vuln/v1
          signer: {key: scanner}
          newer_than: 7d
          at: metadata.scanFinishedOn
          where:
            - {path: "a[].b", none_of: [CRITICAL, HIGH]}
            - {path: "a[].c", one_of: [MIT, Apache-2.0]}
            - {path: d, at_most: 7}
            - {path: e, at_least: 80}
    rollback:
      watch: 60m
      by: commit
      at_most: 3
      cool_down: 2h
      also: [build]
      triggers:
        - {use: http-errors, limit: 2%}
        - {use: argocd-degraded, for: 3m}
        - {use: argocd-sync-failed, for: 10m}
"""

HOLIDAYS = EVERYTHING.replace("  freeze:\n", "  freeze:\n    - {holidays: DE-BY, reason: holidays}\n")
"""The same with public holidays, which take a while to be worked out."""

OTHER_KINDS = """\
apiVersion: liftlock.dev/v1
service: other
image: ghcr.io/acme/other
gitops: {repository: acme/deploy}
stages:
  - {name: a, edit: {manifest: {file: a.yaml, container: web, pin: digest, document: {name: w}}}, argocd: a}
  - name: b
    edit: {argocd-application: {file: b.yaml, name: b, holds: helm, path: image.tag, source: web, pin: digest}}
    argocd: b
  - {name: c, edit: {path: {file: c.json, path: web.tag, pin: digest, document: {name: w}}}, argocd: c}
  - {name: d, edit: {regex: {file: d.env, pattern: "^TAG=(.*)$", pin: digest}}, argocd: d}
  - {name: e, edit: {helm: {file: e.yaml, image: app.image}}, argocd: e}
"""
JOINED = """\
apiVersion: liftlock.dev/v1
service: joined
image: ghcr.io/acme/joined
source: acme/joined
gitops: {repository: acme/deploy}
stages:
  - name: eu
    edit: {kustomize: eu.yaml}
    argocd: eu
    window: {for: 30m}
    gates: [{use: argocd-healthy}]
  - name: us
    edit: {kustomize: us.yaml}
    argocd: us
    window: {for: 30m}
    gates: [{use: argocd-healthy}]
  - name: production
    from: [eu, us]
    edit: {kustomize: production.yaml}
    with: [{image: ghcr.io/acme/worker, edit: {kustomize: worker.yaml}}]
    argocd: production
    promote: {pause: 1h, approvals: {need: 2, from: ["@dana"], four_eyes: true, when: after-window}}
"""
INTAKES = {
    kind: OTHER_KINDS + f"  - {{name: f, from: registry, releases: {{{rule}}}, edit: {{kustomize: f}}, argocd: f}}\n"
    for kind, rule in {
        "pattern": "pattern: 'main-{number}-{commit}', by: number",
        "newest": "newest: 'main-{commit}'",
        "follow": "follow: stable",
    }.items()
}


@cache
def policy(text: str) -> Policy:
    """Read a policy with shipped templates and three others."""
    return parse_policy(text, file="checkout.yaml", templates=TEMPLATES)


def changed(old: str, new: str, text: str = EVERYTHING) -> tuple[Change, ...]:
    """Compare a policy with what it becomes when a text in it is put in another's place."""
    assert old in text
    return compare_policies(policy(text), policy(text.replace(old, new, 1)))


def told(old: str, new: str, text: str = EVERYTHING) -> list[str]:
    """Return the same as lines: `weaker stages[a].gates[b].limit: 1 % -> 2 %`."""
    return [f"{change.way} {change.path}: {change}" for change in changed(old, new, text)]
