"""The files of the lab's world: what stands in its GitOps repository, its policies, and the bot's settings."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bot.lab.pace import Pace

if TYPE_CHECKING:
    from bot.lab.world import Lab


def kustomization(image: str, tag: str) -> str:
    """Return a kustomization file with comments and quotes that an edit must not touch."""
    return f"""\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - ../base
images:
  - name: {image}
    newTag: "{tag}"  # set by the pipeline
"""


def values(image: str, tag: str) -> str:
    """Return Helm values with comments and quotes that an edit must not touch."""
    return f"""\
# Production. Tags are moved by Liftlock; everything else by people.
replicaCount: 3
image:
  repository: {image}
  tag: "{tag}"      # promoted from staging
resources: {{requests: {{cpu: 100m, memory: 128Mi}}}}
"""


def with_intake(policy: str, service: str) -> str:
    """Return a policy by which releases come to staging from the registry, if the service's workflow signed them."""
    workflow = f"https://github.com/acme/{service}/.github/workflows/release.yml"
    first = "  - name: staging\n"
    intake = f"""\
    from: registry
    releases: {{semver: ">=1.0.0"}}
    promote: {{by: commit}}
    artifact:
      signer:
        identity: {workflow}@refs/tags/v{{version}}
        repository_id: 1296269
        ref: refs/tags/v{{version}}
        triggers: [push]
      require:
        - {{use: signature}}
        - {{use: provenance, builder: "https://github.com/actions/runner/*"}}
"""
    return policy.replace(first, f"{first}{intake}")


def policy_text(service: str, image: str, gitops: str, pace: Pace, *, merge: str, rollback: str) -> str:
    """Return a service's policy at the lab's pace."""
    return f"""\
apiVersion: liftlock.dev/v1
service: {service}
image: {image}
source: acme/{service}
gitops: {{repository: {gitops}, branch: main}}
stages:
  - name: staging
    edit: {{kustomize: apps/{service}/staging/kustomization.yaml}}
    argocd: {service}-staging
    metrics: {{namespace: {service}-staging}}
    window:
      for: {_seconds(pace.window)}
      warmup: {_seconds(pace.warmup)}
      deadline: {_seconds(pace.deadline)}
      tile: {_seconds(pace.tile)}
    gates:
      - {{use: http-errors, limit: 1%}}
      - {{use: http-latency, slower_than: 500ms, limit: 5%}}
      - {{use: argocd-healthy}}
  - name: production
    from: staging
    edit: {{helm: {{file: apps/{service}/production/values.yaml, tag: image.tag}}}}
    argocd: {service}-production
    metrics: {{namespace: {service}-production}}
    promote: {{by: pull-request, merge: {merge}}}
    rollback:
      watch: {_seconds(pace.watch)}
      by: {rollback}
      tile: {_seconds(pace.tile)}
      triggers:
        - {{use: http-errors, limit: 2%}}
        - {{use: argocd-degraded, for: {_seconds(pace.degraded)}}}
"""


def token_lines(lab: Lab) -> str:
    """Return the settings that say the bot is a user with a token."""
    return f'token_file = "{lab.directory}/secrets/github"'


def settings_text(lab: Lab, credentials: str) -> str:
    """Return the bot's settings for a lab. Secrets are named by their files, as in a real set-up."""
    directory, pace = lab.directory, lab.pace
    return f"""\
[bot]
policies = "{directory}/policies"
state = "{directory}/state"
interval = "{_seconds(pace.sweep)}"
ingestion_lag = "{_seconds(pace.lag)}"
comment_every = "{_seconds(2 * pace.sweep)}"

[github]
url = "{lab.github.url}"
api = "{lab.github.api_url}"
{credentials}
write_pause = "0s"

[argocd]
url = "{lab.argocd_url}"
token_file = "{directory}/secrets/argocd"

[prometheus]
url = "{lab.prometheus_url}"

[registries."ghcr.io"]
url = "{lab.registry_url}"

[sigstore]
trusted_root = "{directory}/trusted_root.json"
"""


def _seconds(duration: timedelta) -> str:
    return f"{duration // timedelta(seconds=1)}s"
