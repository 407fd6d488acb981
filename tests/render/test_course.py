from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.gates.counts import judge_counts
from bot.domain.gates.measuring import SLICES, STOP
from bot.domain.model import Samples
from bot.domain.tiles import MeasuringWindow
from bot.domain.verdicts import CountEvidence, Slice, ValueEvidence, Verdict, VerdictKind
from bot.render.course import charts, sparkline
from tests.builders import MINUTE, NOON, a_count_gate, samples


def evidence_of(measured: Samples, *, minutes: int = 30) -> CountEvidence:
    window = MeasuringWindow(start=measured.start, width=MINUTE, required_until=measured.start + minutes * MINUTE)
    found = judge_counts(a_count_gate(), measured, window, STOP).evidence
    assert isinstance(found, CountEvidence)
    return found


def test_each_tile_is_a_slice_while_there_are_few() -> None:
    found = evidence_of(samples((0.0, 100.0), (1.0, 50.0)))
    assert [(one.bad, one.total, one.end - one.start) for one in found.course] == [
        (0.0, 100.0, MINUTE),
        (1.0, 50.0, MINUTE),
    ]


@pytest.mark.parametrize("tiles", [1, 23, 24, 25, 47, 360, 1000])
def test_many_tiles_are_put_together_and_nothing_is_lost(tiles: int) -> None:
    found = evidence_of(samples(*[(1.0, 100.0)] * tiles), minutes=tiles)
    assert len(found.course) <= SLICES
    assert sum(one.total or 0 for one in found.course) == 100 * tiles
    assert sum(one.bad or 0 for one in found.course) == tiles
    assert found.course[0].start == NOON + 3 * MINUTE
    assert all(one.end == after.start for one, after in zip(found.course, found.course[1:], strict=False))


def a_course(*counts: tuple[float | None, float | None]) -> CountEvidence:
    found = evidence_of(samples((0.0, 100.0)))
    slices = [
        Slice(start=NOON + place * MINUTE, end=NOON + (place + 1) * MINUTE, bad=bad, total=total)
        for place, (bad, total) in enumerate(counts)
    ]
    return CountEvidence(**{name: getattr(found, name) for name in found.__slots__} | {"course": tuple(slices)})


def a_verdict(found: CountEvidence) -> Verdict:
    return Verdict(gate="http-errors", kind=VerdictKind.NOT_YET, reason="r", evidence=found)


def test_bars_are_scaled_to_the_limit_and_gaps_are_never_zero() -> None:
    found = a_course((0.0, 100.0), (None, None), (0.0, 0.0), (0.5, 100.0), (1.0, 100.0))
    assert sparkline(a_verdict(found)) == "▁··▅█"


def test_bars_are_scaled_to_the_worst_slice_where_that_is_beyond_the_limit() -> None:
    assert sparkline(a_verdict(a_course((1.0, 100.0), (8.0, 100.0), (200.0, 100.0)))) == "▁▂█"


@pytest.mark.parametrize("counts", [(), ((0.0, 10.0),), ((0.0, 10.0), (None, None), (0.0, 0.0))])
def test_a_single_bar_is_not_drawn(counts: tuple[tuple[float | None, float | None], ...]) -> None:
    assert sparkline(a_verdict(a_course(*counts))) == ""


def test_a_chart_has_a_bar_for_each_slice_with_traffic_and_the_limit_as_a_line() -> None:
    measured = samples((0.0, 100.0), (2.0, 100.0), (1.0, 200.0), None)
    window = MeasuringWindow(start=measured.start, width=MINUTE, required_until=measured.start + 30 * MINUTE)
    drawn = charts([judge_counts(a_count_gate(), measured, window, STOP)])
    assert drawn.splitlines() == [
        "<details><summary>Over time</summary>",
        "",
        "```mermaid",
        "xychart-beta",
        '    title "http-errors: bad events in %, limit 1 %"',
        '    x-axis ["12:03", "12:04", "12:05"]',
        '    y-axis "%" 0 --> 2.4',
        "    bar [0, 2, 0.5]",
        "    line [1, 1, 1]",
        "```",
        "",
        "</details>",
    ]


def test_without_counts_there_is_no_chart() -> None:
    assert charts([]) == ""
    window = MeasuringWindow(start=NOON, width=MINUTE, required_until=NOON + 30 * MINUTE)
    assert charts([judge_counts(a_count_gate(), None, window, STOP)]) == ""
    assert charts([judge_counts(a_count_gate(), samples((0.0, 10.0)), window, STOP)]) == ""


def test_an_infinite_value_is_a_gap() -> None:
    window = a_course((1.0, 100.0)).measured
    value = ValueEvidence(
        measured=window,
        last=1.0,
        worst=4.0,
        bound=4.0,
        side="above",
        is_sum=False,
        tiles_beyond=0,
        course=(1.0, float("inf"), float("nan"), None, 4.0),
    )
    verdict = Verdict(gate="lag", kind=VerdictKind.NOT_YET, reason="r", evidence=value)
    assert sparkline(verdict) == "▃···█"
    assert "inf" not in charts([verdict])


def test_the_name_of_a_gate_stays_inside_the_chart_s_title() -> None:
    evil = replace(a_verdict(a_course((0.0, 100.0), (1.0, 100.0))), gate='x"\n```\n# heading')
    assert charts([evil]).count("```") == 2
    assert 'title "x· ··· · heading: bad' in charts([evil])
