"""Every sentence that a wrong gate or trigger can get, word for word, as its writer reads it."""

from __future__ import annotations

import pytest

from bot.policy import parse_policy
from tests.policy.a_rule import HEAD, OTHERS, TAIL, TEMPLATES, the_fault, with_gate, with_trigger

A_NUMBER = "a number such as 100, 0.8, 80% or 512Mi"
A_COUNT = "a number of events, such as 10"
A_SHARE = "a percentage such as 1% or a share such as 0.01"
A_DURATION = "a duration such as 30s, 5m or 1h30m"
A_FLOOR = "the least number of events, such as 100"
TILES = "how many tiles of how many in a row, such as 3 of 5, at most of 100"
ITSELF = "labels that do not select this release itself"
SELF_SERIES = f"found a baseline that has series of this stage itself, expected {ITSELF}"
EMPTY = "found nothing, expected a value, or not this key at all"
AGAINST = "against, labels, limit, metrics_from, mode, name, objective, points, queue, times, use"
DEPTH = "above, absent, below, hard, labels, metrics_from, mode, name, tiles, use"
LATER = "a stage with metrics that gets the release later:"
AT_LEAST_ONE = "a number of at least 1, such as"


@pytest.mark.parametrize(
    ("entry", "column", "path", "sentence"),
    [
        # A limit.
        ("{use: jobs}", 9, "limit", f"found nothing, expected {A_SHARE}"),
        ("{use: jobs, limit: 0}", 28, "limit", f'found "0", expected {A_SHARE}'),
        ("{use: jobs, limit: 100%}", 28, "limit", f'found "100%", expected {A_SHARE}'),
        ("{use: jobs, limit: 1%, floor: 0}", 39, "floor", f'found "0", expected {A_FLOOR}'),
        ("{use: jobs, limit: 1%, floor: 0.9}", 39, "floor", f'found "0.9", expected {A_FLOOR}'),
        ("{use: jobs, limit: 1%, floor: -1}", 39, "floor", f'found "-1", expected {A_FLOOR}'),
        ("{use: jobs, limit: 1%, floor: 500%}", 39, "floor", f'found "500%", expected {A_FLOOR}'),
        ("{use: jobs, limit: 1%, floor: 1e3}", 39, "floor", f'found "1e3", expected {A_FLOOR}'),
        (
            "{use: jobs, limit: 1%, floor: 1000000000000000}",
            39,
            "floor",
            f'found "1000000000000000", expected {A_FLOOR}',
        ),
        (
            "{use: jobs, limit: 1%, accept: all}",
            40,
            "accept",
            'found "all", expected proven or not-shown-bad',
        ),
        # More than one way.
        (
            "{use: jobs, limit: 1%, against: two}",
            41,
            "against",
            "found against beside limit, expected one of them",
        ),
        (
            "{use: jobs, objective: 99%, limit: 1%}",
            32,
            "objective",
            "found objective beside limit, expected one of them",
        ),
        (
            "{use: jobs, objective: 99%, against: two}",
            32,
            "objective",
            "found objective beside against, expected one of them",
        ),
        (
            "{use: jobs, against: two, floor: 100}",
            35,
            "floor",
            f"found an unknown key, expected one of {AGAINST}",
        ),
        # A baseline.
        (
            "{use: jobs, against: three}",
            30,
            "against",
            f'found "three", expected {LATER} one of part, tagged, two',
        ),
        (
            "{use: jobs, against: tow}",
            30,
            "against",
            f'found "tow", expected {LATER} one of part, tagged, two; did you mean "two"?',
        ),
        (
            "{use: jobs, against: one}",
            30,
            "against",
            f'found "one", expected {LATER} one of part, tagged, two',
        ),
        (
            "{use: jobs, against: twin}",
            30,
            "against",
            f'found "twin", expected {LATER} one of part, tagged, two',
        ),
        (
            "{use: jobs, against: blind}",
            30,
            "against",
            f'found "blind", expected {LATER} one of part, tagged, two',
        ),
        ("{use: jobs, against: tagged}", 30, "against", f"found $tag in the baseline's labels, expected {ITSELF}"),
        ("{use: jobs, against: part}", 30, "against", SELF_SERIES),
        ("{use: jobs, against: two, labels: {namespace: one}}", 30, "against", SELF_SERIES),
        ("{use: jobs, against: {labels: {namespace: one}}}", 30, "against", SELF_SERIES),
        ("{use: jobs, against: {labels: {version: stable}}}", 30, "against", SELF_SERIES),
        (
            "{use: jobs, against: {labels: {namespace: x, version: $tag}}}",
            30,
            "against",
            f"found $tag in the baseline's labels, expected {ITSELF}",
        ),
        ("{use: jobs, against: [two]}", 30, "against", "found a list, expected a mapping"),
        ("{use: jobs, against: {}}", 30, "against.ago", f"found nothing, expected labels, or {A_DURATION}"),
        (
            "{use: jobs, against: {labels: {}}}",
            39,
            "against.labels",
            "found no label, expected at least one label, such as namespace",
        ),
        ("{use: jobs, against: {labels: two}}", 39, "against.labels", 'found "two", expected a mapping'),
        (
            '{use: jobs, against: {labels: {a: ""}}}',
            40,
            "against.labels.a",
            "found an empty value, expected the value that selects the stage",
        ),
        (
            "{use: jobs, against: {labels: {namespace: x}, ago: 7d}}",
            60,
            "against.ago",
            "found ago beside labels, expected one of them",
        ),
        (
            "{use: jobs, against: {stage: two, ago: 7d}}",
            31,
            "against.stage",
            "found an unknown key, expected one of ago, labels",
        ),
        ("{use: jobs, against: {ago: 0s}}", 36, "against.ago", f'found "0s", expected labels, or {A_DURATION}'),
        ("{use: jobs, against: {ago: 367d}}", 36, "against.ago", f'found "367d", expected labels, or {A_DURATION}'),
        (
            "{use: jobs, against: {ago: 7d30s}}",
            30,
            "against.ago",
            "found a time that is no multiple of the tile, expected one of 1m",
        ),
        (
            "{use: jobs, against: {ago: 5h59m}}",
            30,
            "against.ago",
            "found a time at which this release may have run, expected at least the window's deadline, 6h",
        ),
        ("{use: jobs, against: two, times: 0.99}", 42, "times", f'found "0.99", expected {AT_LEAST_ONE} 1.5'),
        ("{use: jobs, against: two, times: -2}", 42, "times", f'found "-2", expected {AT_LEAST_ONE} 1.5'),
        ("{use: jobs, against: two, points: 0}", 43, "points", f'found "0", expected {A_SHARE}'),
        # A burn rate.
        (
            "{use: jobs, objective: 100%}",
            32,
            "objective",
            'found "100%", expected the share of good events, such as 99.9%',
        ),
        (
            "{use: jobs, objective: 90%}",
            32,
            "objective",
            "found 14.4 times an objective of 90 %, expected what less than all events can reach",
        ),
        (
            "{use: jobs, objective: 90%, windows: [{long: 1h, short: 5m, factor: 10}]}",
            32,
            "objective",
            "found 10 times an objective of 90 %, expected what less than all events can reach",
        ),
        ("{use: jobs, objective: 99%, least_bad: 0}", 48, "least_bad", f'found "0", expected {A_COUNT}'),
        ("{use: jobs, objective: 99%, least_bad: 50%}", 48, "least_bad", f'found "50%", expected {A_COUNT}'),
        ("{use: jobs, objective: 99%, least_bad: 1k}", 48, "least_bad", f'found "1k", expected {A_COUNT}'),
        (
            "{use: jobs, objective: 99%, windows: []}",
            46,
            "windows",
            "found an empty list, expected at least one pair of windows",
        ),
        ("{use: jobs, objective: 99%, windows: 1h}", 46, "windows", 'found "1h", expected a list'),
        ("{use: jobs, objective: 99%, windows: [1h]}", 47, "windows[0]", 'found "1h", expected a mapping'),
        (
            "{use: jobs, objective: 99%, windows: [{long: 1h, short: 59s, factor: 2}]}",
            47,
            "windows[0]",
            "found windows of this length, expected short at least 1m, and less than long",
        ),
        (
            "{use: jobs, objective: 99%, windows: [{long: 1h, short: 90s, factor: 2}]}",
            47,
            "windows[0]",
            "found windows of this length, expected multiples of the tile, 1m, and at most 5,000 of it",
        ),
        (
            "{use: jobs, objective: 99%, windows: [{long: 4d, short: 5m, factor: 2}]}",
            47,
            "windows[0]",
            "found windows of this length, expected multiples of the tile, 1m, and at most 5,000 of it",
        ),
        (
            "{use: jobs, objective: 99%, windows: [{long: 1h, short: 1h, factor: 2}]}",
            47,
            "windows[0]",
            "found windows of this length, expected short at least 1m, and less than long",
        ),
        (
            "{use: jobs, objective: 99%, windows: [{long: 1h, short: 5m}]}",
            47,
            "windows[0].factor",
            f"found nothing, expected {AT_LEAST_ONE} 14.4",
        ),
        (
            "{use: jobs, objective: 99%, windows: [{long: 1h, short: 5m, factor: 0.5}]}",
            77,
            "windows[0].factor",
            f'found "0.5", expected {AT_LEAST_ONE} 14.4',
        ),
        (
            "{use: jobs, objective: 99%, windows: [{long: 1h, short: 5m, factor: 2, x: 1}]}",
            80,
            "windows[0].x",
            "found an unknown key, expected one of factor, long, short",
        ),
        # Values.
        ("{use: depth}", 9, "above", f"found nothing, expected above or below: {A_NUMBER}"),
        ("{use: depth, above: 1, below: 2}", 39, "below", "found a second bound, expected above or below"),
        ("{use: depth, above: lots}", 29, "above", f'found "lots", expected {A_NUMBER}'),
        ("{use: depth, below: 1e9}", 29, "below", f'found "1e9", expected {A_NUMBER}'),
        ('{use: depth, above: "١٢"}', 29, "above", f'found "١٢", expected {A_NUMBER}'),
        ("{use: depth, above: 1000000000000000}", 29, "above", f'found "1000000000000000", expected {A_NUMBER}'),
        ("{use: depth, above: 1, tiles: 0 of 5}", 39, "tiles", f'found "0 of 5", expected {TILES}'),
        ("{use: depth, above: 1, tiles: 6 of 5}", 39, "tiles", f'found "6 of 5", expected {TILES}'),
        ("{use: depth, above: 1, tiles: 1 of 101}", 39, "tiles", f'found "1 of 101", expected {TILES}'),
        ("{use: depth, above: 1, tiles: 3/5}", 39, "tiles", f'found "3/5", expected {TILES}'),
        ('{use: depth, above: 1, tiles: "٣ of 5"}', 39, "tiles", f'found "٣ of 5", expected {TILES}'),
        (
            "{use: depth, above: 1, tiles: 31 of 40}",
            39,
            "tiles",
            "found 31 bad tiles, expected no more than fit into 30m, at 1m each",
        ),
        ("{use: depth, above: 10, hard: 10}", 39, "hard", 'found "10", expected a number above 10, the bound'),
        ("{use: depth, below: 10, hard: 11}", 39, "hard", 'found "11", expected a number below 10, the bound'),
        ("{use: depth, above: 10, hard: x}", 39, "hard", f'found "x", expected {A_NUMBER}'),
        (
            "{use: depth, above: 1, absent: zero}",
            40,
            "absent",
            'found "zero", expected no-data: this template cannot tell silence from zero, it has no alive',
        ),
        ("{use: depth, above: 1, absent: x}", 40, "absent", 'found "x", expected no-data or zero'),
        (
            "{use: depth, above: 1, limit: 1%}",
            32,
            "limit",
            f"found an unknown key, expected one of {DEPTH}",
        ),
        # Events.
        ("{use: crashes, at_most: -1}", 33, "at_most", f'found "-1", expected {A_COUNT}'),
        ("{use: crashes, at_most: 5%}", 33, "at_most", f'found "5%", expected {A_COUNT}'),
        (
            "{use: crashes, above: 1}",
            24,
            "above",
            "found an unknown key, expected one of absent, at_most, labels, metrics_from, mode, name, use",
        ),
        # What every entry has.
        ("{use: jobs, limit: 1%, mode: dark}", 38, "mode", 'found "dark", expected decide or shadow'),
        ("{use: jobs, limit: 1%, labels: x}", 40, "labels", 'found "x", expected a mapping'),
        (
            "{use: jobs, limit: 1%, labels: {}}",
            40,
            "labels",
            "found no label, expected at least one label, such as namespace",
        ),
        (
            "{use: jobs, limit: 1%, labels: {a-b: c}}",
            41,
            "labels",
            'found the label "a-b", expected a Prometheus label name that does not begin with __',
        ),
        ("{use: jobs, limit: 1%, floor: }", 32, "floor", EMPTY),
        ("{use: depth, above: 1, hard: }", 32, "hard", EMPTY),
        ("{use: soak, for: 1h}", 21, "for", "found an unknown key, expected one of mode, name, use"),
    ],
)
def test_a_fault_of_a_gate_reads(entry: str, column: int, path: str, sentence: str) -> None:
    assert the_fault(with_gate(entry)) == f"a.yaml:13:{column}: stages[0].gates[1].{path}: {sentence}"


@pytest.mark.parametrize(
    ("entry", "column", "path", "sentence"),
    [
        (
            "{use: jobs, against: {ago: 7d}}",
            32,
            "against",
            "found a comparison with the past, expected one with labels or a stage: the past takes nothing back",
        ),
        (
            "{use: depth, above: 1, tiles: 60 of 100}",
            41,
            "tiles",
            "found 60 bad tiles, expected no more than fit into 1h with the one more that a trigger needs, at 1m each",
        ),
        (
            "{use: jobs, against: two}",
            32,
            "against",
            f'found "two", expected {LATER} one of part, tagged, twin',
        ),
    ],
)
def test_a_fault_of_a_trigger_reads(entry: str, column: int, path: str, sentence: str) -> None:
    assert the_fault(with_trigger(entry)) == f"a.yaml:22:{column}: stages[1].rollback.triggers[1].{path}: {sentence}"


@pytest.mark.parametrize("use", ["argocd-degraded", "argocd-sync-failed"])
def test_what_argo_cd_says_against_a_release_is_a_trigger_and_no_gate(use: str) -> None:
    assert the_fault(with_gate(f"{{use: {use}}}")) == (
        f'a.yaml:13:15: stages[0].gates[1].use: found "{use}", expected it only among the triggers of a rollback'
    )


@pytest.mark.parametrize("use", ["soak", "argocd-healthy"])
def test_what_only_a_window_shows_is_a_gate_and_no_trigger(use: str) -> None:
    assert the_fault(with_trigger(f"{{use: {use}}}")) == (
        f'a.yaml:22:17: stages[1].rollback.triggers[1].use: found "{use}", expected it only among the gates'
    )


@pytest.mark.parametrize(
    "entry", ["{use: jobs, against: {labels: {namespace: two}}}", "{use: depth, above: 1, labels: {a: b}}"]
)
def test_an_entry_of_a_stage_without_metrics_is_told_only_that(entry: str) -> None:
    fault = the_fault(with_gate(entry).replace("    metrics: {namespace: one}\n", "", 1))
    assert fault == (
        "a.yaml:12:9: stages[0].gates[1]: found no metrics in its stage, "
        "expected metrics: {namespace: …} beside it, to select the series"
    )


def test_a_stage_alone_is_told_what_else_could_be_a_baseline() -> None:
    text = f"{HEAD}      - {{use: jobs, against: two}}\n"
    assert the_fault(text).endswith('against: found "two", expected labels or ago')


def test_the_history_of_argo_cd_is_a_metric_s_name() -> None:
    text = with_gate("{use: soak}").replace("{use: argocd-healthy}", '{use: argocd-healthy, history: "a{b"}')
    assert the_fault(text) == (
        'a.yaml:12:40: stages[0].gates[0].history: found "a{b", '
        "expected the name of Argo CD's metric of applications, or none"
    )


@pytest.mark.parametrize(
    ("entry", "tile", "sentence"),
    [
        (
            "{use: depth, above: 1}",
            "15m",
            "tiles: found 3 bad tiles, expected no more than fit into 30m, at 15m each",
        ),
        (
            "{use: jobs, objective: 99%}",
            "6m",
            "windows: found nothing, expected windows of which the short ones are at least 6m, none over 20d 20h",
        ),
        (
            "{use: jobs, objective: 99%}",
            "1s",
            "windows: found nothing, expected windows of which the short ones are at least 1s, none over 1h 23m 20s",
        ),
        (
            "{use: jobs, against: {ago: 6h}}",
            "7m",
            "against.ago: found a time that is no multiple of the tile, expected one of 7m",
        ),
    ],
)
def test_a_rule_must_fit_the_tiles_of_its_window(entry: str, tile: str, sentence: str) -> None:
    text = with_gate(entry)
    parse_policy(text, file="a.yaml", templates=TEMPLATES)
    fault = the_fault(text.replace("warmup: 2m", f"warmup: 2m, tile: {tile}"))
    assert fault.split("stages[0].gates[1].")[1] == sentence


def test_what_a_rule_must_fit_into_is_not_told_where_that_is_wrong_itself() -> None:
    many = "{use: depth, above: 1, tiles: 90 of 100}"
    assert "stages[0].window.for" in the_fault(with_gate(many).replace("for: 30m", "for: 0s"))
    assert "stages[1].rollback.watch" in the_fault(with_trigger(many).replace("watch: 1h", "watch: 0s"))


# --- gates that prove nothing ---


@pytest.mark.parametrize(
    "gates",
    [
        "{use: soak}",
        "{use: soak}, {use: jobs, limit: 1%, mode: shadow}",
        "{use: soak}, {use: argocd-healthy, mode: shadow}",
    ],
    ids=["soak", "soak-and-a-shadow", "soak-and-argo-cd-in-the-shadow"],
)
def test_time_alone_lets_no_release_move_on(gates: str) -> None:
    text = HEAD.replace("    gates:\n      - {use: argocd-healthy}\n", f"    gates: [{gates}]\n") + TAIL + OTHERS
    assert the_fault(text) == (
        "a.yaml:6:5: stages[0]: found a stage without them, "
        "expected a window and at least one gate that decides by looking, since a release moves on from here"
    )


def test_a_watch_that_ends_before_a_trigger_could_stand_on_two_tiles_is_refused() -> None:
    short = with_trigger("{use: http-errors, limit: 1%}").replace("watch: 1h", "watch: 3m")
    assert the_fault(short) == (
        "a.yaml:19:14: stages[1].rollback.watch: "
        "found 3m, expected at least four tiles of 1m, since a trigger must stand on two"
    )


def test_a_watch_may_be_short_where_nothing_is_measured() -> None:
    short = with_trigger("{use: argocd-degraded, name: ill}").replace("watch: 1h", "watch: 2m")
    assert parse_policy(short, file="a.yaml", templates=TEMPLATES).stages[1].rollback is not None
