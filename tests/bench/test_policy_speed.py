"""How long ten thousand policies take: to check, to read, and to read again when one of them has changed.

Every time is printed; what is asserted are ratios within one run, which say the same on any machine.
"""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.policy import Policy
from bot.policy import PolicyDirectory, shipped_gate_templates
from bot.policy.checking import Measures, check_policies
from bot.policy.files import yaml_files
from bot.policy.quick_yaml import read_quickly
from bot.policy.tree import MAX_DEPTH, MAX_NODES, read_pieces
from tests.bench.conftest import Show
from tests.bench.measure import Watch, ratio, render_table, seconds

pytestmark = pytest.mark.timeout(1800)

FILES = 10_000
SCRAPE = timedelta(seconds=15)
TEMPLATES = shipped_gate_templates()
SHIPPED = Path(__file__).resolve().parents[2] / "policies" / "examples"
EXAMPLES = [
    (name.removesuffix(".yaml"), (SHIPPED / name).read_text("utf-8"))
    for name in yaml_files(SHIPPED, expected="policies")
]
DEFAULTS = """\
apiVersion: liftlock.dev/v1
image: "ghcr.io/acme/{service}"
gitops: {repository: acme/deploy}
stage:
  edit: {kustomize: "apps/{service}/{stage}/kustomization.yaml"}
  argocd: "{service}-{stage}"
  metrics: {namespace: "{service}-{stage}"}
  window: {for: 30m}
  gates: [{use: http-errors, limit: 1%}, {use: argocd-healthy}]
  rollback: {watch: 1h, triggers: [{use: http-errors, limit: 2%}, {use: argocd-degraded}]}
"""
EXTENDING = """\
apiVersion: liftlock.dev/v1
extends: defaults.yaml
service: NAME
stages:
  - name: staging
  - {name: production, from: staging}
"""


def policy(number: int) -> str:
    """Return the policy of a service: one in four inherits, the others are the shipped examples in turn."""
    if number % 4 == 3:
        return EXTENDING.replace("NAME", f"service-{number}")
    stem, text = EXAMPLES[number % len(EXAMPLES)]
    return text.replace(stem, f"{stem}-{number}")


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("policies")
    (folder / "defaults.yaml").write_text(DEFAULTS)
    for number in range(FILES):
        (folder / f"{number:05}.yaml").write_text(policy(number))
    return folder


def test_yaml_is_read_several_times_as_fast_as_by_ruamel_alone(show: Show) -> None:
    watch = Watch()
    for number in range(300):
        text = policy(number)
        with watch.lap("ruamel"):
            slow = read_pieces(text, file="a.yaml")
        with watch.lap("libyaml"):
            quick = read_quickly(text, depth=MAX_DEPTH, values=MAX_NODES)
        assert quick == slow
    laps = watch.laps
    rows = [(name, f"{1000 * taken / 300:.2f}", ratio(taken, laps["libyaml"])) for name, taken in laps.items()]
    show(render_table("A policy's YAML", ("by", "ms", "x"), rows))
    assert laps["ruamel"] > 5 * laps["libyaml"]


def test_ten_thousand_policies_are_checked(policies: Path, show: Show) -> None:
    watch = Watch()
    cores = len(os.sched_getaffinity(0))
    with watch.lap("one process"):
        alone = check_policies([policies], TEMPLATES, measures=Measures(scrape=SCRAPE))
    with watch.lap(f"{cores} processes"):
        together = check_policies([policies], TEMPLATES, measures=Measures(scrape=SCRAPE), processes=cores)
    rows = [(name, seconds(taken)) for name, taken in watch.laps.items()]
    show(render_table(f"{FILES:,} policies checked", ("by", "s"), rows))
    assert together == alone
    assert (alone.files, alone.findings) == (FILES + 1, ())


def test_only_what_has_changed_is_read_again(policies: Path, show: Show) -> None:
    # As if the files had been there for an hour.
    directory = PolicyDirectory(path=policies, templates=TEMPLATES, now=lambda: time.time_ns() + 3_600 * 10**9)
    watch = Watch()
    with watch.lap("all of them"):
        first = directory.load()
    with watch.lap("none changed"):
        directory.load()
    (policies / "00000.yaml").write_text(policy(0) + "# changed\n")
    with watch.lap("one changed"):
        again = directory.load()
    (policies / "defaults.yaml").write_text(DEFAULTS + "# changed\n")
    with watch.lap("defaults changed"):
        directory.load()
    rows = [(name, seconds(taken)) for name, taken in watch.laps.items()]
    show(render_table(f"{FILES:,} policies read", ("", "s"), rows))
    assert all(isinstance(one, Policy) for one in first.values())
    assert [name for name in first if first[name] is not again[name]] == ["00000.yaml"]
    assert watch.laps["all of them"] > 10 * watch.laps["one changed"]
