"""What a right policy does to no avail is warned of, where it stands; what cannot be known is not."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.statistics import traffic_floor, upper_bound
from bot.policy import parse_policy
from bot.policy.cautions import check_meaning
from bot.policy.checking import Measures, check_policies
from bot.policy.findings import RULES, Severity
from bot.policy.tree import read_tree
from tests.policy.a_rule import HEAD, TEMPLATES, with_gate, with_trigger

SCRAPE = timedelta(seconds=15)


def warnings(text: str, *, scrape: timedelta = SCRAPE) -> list[str]:
    policy = parse_policy(text, file="a.yaml", templates=TEMPLATES)
    found = list(check_meaning(policy, read_tree(text, file="a.yaml", faults=[]), scrape=scrape))
    assert all(one.severity is Severity.WARNING and one.rule in RULES for one in found)
    return [f"{one.rule}: {one.fault}" for one in found]


@pytest.mark.parametrize(
    "text",
    [
        with_gate("{use: http-errors, limit: 1%}"),
        with_gate("{use: http-errors, limit: 1%, floor: 300}"),
        with_gate("{use: http-errors, limit: 1%, accept: not-shown-bad}"),
        with_trigger("{use: http-errors, limit: 1%, accept: proven}"),
        with_trigger("{use: http-errors, limit: 1%, mode: shadow}"),
        with_trigger("{use: argocd-sync-failed, for: 59m}"),
        with_trigger("{use: depth, above: 1}"),
    ],
)
def test_a_policy_that_does_what_it_says_is_warned_of_nothing(text: str) -> None:
    assert warnings(text) == []


# --- narrow tiles ---


def test_a_tile_of_fewer_than_four_scrapes_is_warned_of() -> None:
    text = with_gate("{use: http-errors, limit: 1%}").replace("window: {for: 30m,", "window: {for: 30m, tile: 30s,")
    assert warnings(text) == [
        (
            "narrow-tile: a.yaml:10:30: stages[0].window.tile: found tiles of 30s, "
            "expected at least 1m, 4 scrapes of 15s: counts are rough"
        )
    ]
    assert warnings(text, scrape=timedelta(seconds=7.5)) == []


def test_the_usual_tile_is_warned_of_where_the_window_and_the_rollback_stand() -> None:
    text = with_trigger("{use: http-errors, limit: 1%}").replace("{use: argocd-healthy}", "{use: depth, above: 1}")
    assert warnings(text, scrape=timedelta(seconds=16)) == [
        (
            "narrow-tile: a.yaml:10:13: stages[0].window.tile: found tiles of 1m, "
            "expected at least 1m 4s, 4 scrapes of 16s: counts are rough"
        ),
        (
            "narrow-tile: a.yaml:19:7: stages[1].rollback.tile: found tiles of 1m, "
            "expected at least 1m 4s, 4 scrapes of 16s: counts are rough"
        ),
    ]


def test_a_tile_in_which_nothing_is_counted_is_not_warned_of() -> None:
    text = with_gate("{use: soak}").replace("window: {for: 30m,", "window: {for: 30m, tile: 1s,")
    assert warnings(text) == []


# --- floors ---


def test_a_floor_that_shows_no_limit_is_warned_of_with_one_that_does() -> None:
    assert warnings(with_gate("{use: http-errors, limit: 1%, floor: 100}")) == [
        (
            "floor-proves-nothing: a.yaml:13:46: stages[0].gates[1].floor: found 100, "
            "expected 300 or more: even if none of fewer is bad, they do not show 1 %"
        )
    ]


@pytest.mark.parametrize("limit", [0.001, 0.01, 0.05, 0.3])
def test_the_floor_that_is_named_shows_the_limit(limit: float) -> None:
    assert upper_bound(0, traffic_floor(limit)) < limit


def test_a_floor_beside_what_needs_none_is_warned_of() -> None:
    assert warnings(with_gate("{use: http-errors, limit: 1%, floor: 1000, accept: not-shown-bad}")) == [
        (
            "without-effect: a.yaml:13:46: stages[0].gates[1].floor: found a floor beside accept: not-shown-bad, "
            "expected one of them: what was not shown to be bad passes with fewer events, too"
        )
    ]


def test_a_trigger_proves_nothing_so_a_floor_and_what_is_accepted_are_warned_of() -> None:
    text = with_trigger("{use: http-errors, limit: 1%, floor: 1000, accept: not-shown-bad}")
    assert warnings(text) == [
        (
            f"without-effect: a.yaml:22:{column}: stages[1].rollback.triggers[1].{key}: found {key} in a trigger, "
            "expected it in a gate: a trigger fires by an alarm alone, and proves nothing"
        )
        for key, column in (("floor", 48), ("accept", 62))
    ]


# --- triggers that never fire ---


@pytest.mark.parametrize("use", ["argocd-degraded", "argocd-sync-failed"])
def test_a_trigger_that_takes_as_long_as_the_watch_is_warned_of(use: str) -> None:
    assert warnings(with_trigger(f"{{use: {use}, name: late, for: 1h}}")) == [
        (
            f"outlasts-watch: a.yaml:22:{36 + len(use)}: stages[1].rollback.triggers[1].for: found 1h, "
            "expected less than the watch of 1h, which is over before what began in it lasts so long"
        )
    ]


def test_the_usual_time_of_a_trigger_is_warned_of_in_a_short_watch() -> None:
    (warning,) = warnings(
        with_trigger("{use: soon}").replace("        - {use: soon}\n", "").replace("watch: 1h", "watch: 5m")
    )
    assert warning.startswith("outlasts-watch: a.yaml:21:11: stages[1].rollback.triggers[0].for: found 5m")


@pytest.mark.parametrize(("also", "more"), [("", ""), ("also: [one]\n      ", ", out of one neither")])
def test_a_rollback_whose_triggers_are_all_in_the_shadow_is_warned_of(also: str, more: str) -> None:
    text = with_trigger("{use: depth, above: 1, mode: shadow}").replace(
        "{use: argocd-degraded}", "{use: argocd-degraded, mode: shadow}"
    )
    (warning,) = warnings(text.replace("triggers:", f"{also}triggers:"))
    assert warning.endswith(
        ": stages[1].rollback.triggers: found only triggers in the shadow, "
        f"expected one that decides: nothing is taken back without a person{more}"
    )


# --- what judges for moving on, where nothing moves on ---

LAST = """\
  - name: last
    from: one
    edit: {kustomize: last}
    argocd: last
    metrics: {namespace: last}
"""
JUDGES = """\
    window: {for: 30m, warmup: 2m, deadline: 6h}
    gates: [{use: argocd-healthy}]
"""
AFTER = "  - {name: after, from: last, edit: {kustomize: after}, argocd: after}\n"


def test_a_window_and_gates_in_a_stage_that_no_other_comes_from_are_warned_of() -> None:
    assert warnings(HEAD + LAST + JUDGES) == [
        (
            "without-effect: a.yaml:18:13: stages[1].window: found window and gates in a stage that no other comes "
            "from, expected neither: they say when a release moves on, and it does not; what came is watched by "
            "rollback"
        )
    ]
    assert warnings(HEAD + LAST + JUDGES + AFTER) == []


def test_the_only_stage_is_warned_of_too() -> None:
    (alone,) = warnings(HEAD)
    assert alone.startswith("without-effect: a.yaml:10:13: stages[0].window: found window and gates in a stage")


def test_what_came_from_the_defaults_is_warned_of_nowhere(tmp_path: Path) -> None:
    def found(own: str) -> list[str]:
        extending = (HEAD + LAST + own).replace("service: a", "extends: defaults.yaml\nservice: a")
        (tmp_path / "a.yaml").write_text(extending)
        checked = check_policies([tmp_path], TEMPLATES, measures=Measures(scrape=SCRAPE))
        return [f"{one.rule}: {one.fault.path}: {one.fault.found}" for one in checked.findings]

    (tmp_path / "defaults.yaml").write_text(f"apiVersion: liftlock.dev/v1\nstage:\n{JUDGES}")
    assert found("") == []
    gates = "without-effect: stages[1].gates: gates in a stage that no other comes from"
    assert found("    gates: [{use: argocd-healthy}]\n") == [gates]


def test_in_waves_it_decides_between_them_and_one_wave_alone_has_nothing_to_decide(tmp_path: Path) -> None:
    def found(regions: str) -> list[str]:
        waves = LAST.replace("name: last", f"name: last\n    waves: {{regions: {regions}}}").replace(
            "argocd: last", 'argocd: "last-{region}"'
        )
        text = HEAD + waves.replace("kustomize: last", 'kustomize: "{region}"') + JUDGES
        (tmp_path / "a.yaml").write_text(text)
        findings = check_policies([tmp_path], TEMPLATES, measures=Measures(scrape=SCRAPE)).findings
        return [f"{one.rule}: {one.fault.path}" for one in findings]

    assert found("[eu, us]") == []
    assert found("[[eu, us]]") == ["without-effect: stages[1].window"]
