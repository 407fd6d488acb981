"""A policy in which one gate or one trigger is what a test is about, and templates of every kind for it."""

from __future__ import annotations

from typing import TypeVar

import pytest

from bot.domain.rules import Gate, Trigger
from bot.policy import GateTemplates, PolicyError, parse_policy, parse_template, shipped_gate_templates

R = TypeVar("R", bound=Gate | Trigger)

SHARE = """\
name: jobs
title: failed jobs of $queue
description: The share of jobs that failed.
joint: true
counts: bad
parameters:
  queue: {type: text, default: main, description: the queue}
query: sum by ($key) (increase(jobs_failed_total{$selector,queue=$queue}[$tile]))
total: sum by ($key) (increase(jobs_total{$selector,queue=$queue}[$tile]))
"""
DEPTH = """\
name: depth
kind: value
title: jobs that wait
description: How many jobs wait.
joint: true
query: sum by ($key) (jobs_waiting{$selector})
"""
CRASHES = """\
name: crashes
kind: events
title: crashes
description: How often a worker crashed.
joint: true
query: sum by ($key) (increase(crashes_total{$selector}[$tile]))
alive: count by ($key) (worker_info{$selector})
"""
TEMPLATES: GateTemplates = {
    **shipped_gate_templates(),
    **{one.name: one for one in (parse_template(text, file="own.yaml") for text in (SHARE, DEPTH, CRASHES))},
}

HEAD = """\
apiVersion: liftlock.dev/v1
service: a
image: r/a
gitops: {repository: acme/deploy}
stages:
  - name: one
    edit: {kustomize: one}
    argocd: one
    metrics: {namespace: one}
    window: {for: 30m, warmup: 2m, deadline: 6h}
    gates:
      - {use: argocd-healthy}
"""
TAIL = """\
  - name: two
    from: one
    edit: {kustomize: two}
    argocd: two
    metrics: {namespace: two}
    rollback:
      watch: 1h
      triggers:
        - {use: argocd-degraded}
"""
OTHERS = """\
  - {name: twin, from: one, edit: {kustomize: twin}, argocd: twin, metrics: {namespace: one}}
  - {name: part, from: one, edit: {kustomize: part}, argocd: part, metrics: {namespace: one, pod: x}}
  - {name: tagged, from: one, edit: {kustomize: tagged}, argocd: tagged, metrics: {namespace: t, version: $tag}}
  - {name: blind, from: one, edit: {kustomize: blind}, argocd: blind}
"""


def with_gate(entry: str) -> str:
    """Return a policy whose first stage has `entry` as its second gate: line 13, column 9."""
    return f"{HEAD}      - {entry}\n{TAIL}{OTHERS}"


def with_trigger(entry: str) -> str:
    """Return a policy whose second stage has `entry` as its second trigger: line 22, column 11."""
    return f"{HEAD}{TAIL}        - {entry}\n{OTHERS}"


def gate(entry: str, kind: type[R], *, templates: GateTemplates = TEMPLATES) -> R:
    """Return the gate that an entry comes to, in the stage `one`."""
    found = parse_policy(with_gate(entry), file="a.yaml", templates=templates).stages[0].gates[1]
    assert isinstance(found, kind), found
    return found


def trigger(entry: str, kind: type[R]) -> R:
    """Return the trigger that an entry comes to, in the stage `two`."""
    rollback = parse_policy(with_trigger(entry), file="a.yaml", templates=TEMPLATES).stages[1].rollback
    assert rollback is not None
    found = rollback.triggers[1]
    assert isinstance(found, kind), found
    return found


def faults_of(text: str, *, templates: GateTemplates = TEMPLATES) -> list[str]:
    """Return every fault of a policy, as its writer reads it."""
    with pytest.raises(PolicyError) as caught:
        parse_policy(text, file="a.yaml", templates=templates)
    return [str(fault) for fault in caught.value.faults]


def the_fault(text: str) -> str:
    """Return the only fault of a policy."""
    faults = faults_of(text)
    assert len(faults) == 1, faults
    return faults[0]
