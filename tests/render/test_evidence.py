"""The evidence table: what each cell says for each kind of verdict, and which title a name stands for."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.policy import Stage
from bot.domain.verdicts import ApplicationEvidence, CountEvidence, Verdict, VerdictKind
from bot.render.evidence import data_quality, evidence_table, exact_queries
from tests.builders import NOON, a_count_gate, a_measured, a_policy, a_rollback

STAGING = a_policy().stages[0]
COUNTED = CountEvidence(
    measured=a_measured(),
    bad=3,
    total=1000,
    limit=0.01,
    floor=300,
    upper_bound=0.008,
    e_value=0.5,
    alarm=20,
    dispersion=1,
)


def a_verdict(
    kind: VerdictKind = VerdictKind.HEALTHY,
    evidence: CountEvidence | ApplicationEvidence | None = COUNTED,
    *,
    gate: str = "http-errors",
) -> Verdict:
    return Verdict(gate=gate, kind=kind, reason="the reason", would_change="the change", evidence=evidence)


def cells(verdict: Verdict, stage: Stage = STAGING) -> list[str]:
    row = evidence_table(stage, [verdict]).split("\n")[2]
    return [cell.strip() for cell in row.strip("|").split(" | ")]


# | verdict     | with counts           | without                |
# | healthy     | the counts            | the gate's sentence    |
# | not yet     | the counts, the wait  | the gate's sentence    |
# | no data     | the gate's sentence   | the gate's sentence    |
@pytest.mark.parametrize(
    ("kind", "found"),
    [
        (VerdictKind.HEALTHY, "3 of 1,000 (0.3 %)"),
        (VerdictKind.UNHEALTHY, "3 of 1,000 (0.3 %)"),
        (VerdictKind.NOT_YET, "3 of 1,000 (0.3 %); the change"),
        (VerdictKind.NO_DATA, "the reason"),
    ],
)
def test_what_was_found_is_the_counts_and_what_they_wait_for(kind: VerdictKind, found: str) -> None:
    assert cells(a_verdict(kind))[2:] == [found, "1\u00a0%", "0.8\u00a0%"]


@pytest.mark.parametrize("kind", VerdictKind)
def test_a_verdict_without_counts_says_its_reason(kind: VerdictKind) -> None:
    assert cells(a_verdict(kind, None))[2:] == ["the reason", "–", "–"]
    assert cells(a_verdict(kind, ApplicationEvidence(sentences=())))[2:] == ["the reason", "–", "–"]


@pytest.mark.invariant("I5")
def test_no_traffic_is_never_shown_as_a_share_of_zero() -> None:
    nothing = replace(COUNTED, bad=0, total=0, upper_bound=None)
    assert cells(a_verdict(VerdictKind.NO_DATA, nothing))[2:] == ["the reason", "1\u00a0%", "–"]


def test_a_gate_and_a_trigger_of_one_name_have_each_their_own_title() -> None:
    trigger = replace(a_count_gate(limit=0.02), title="HTTP errors below 2 %")
    stage = replace(STAGING, rollback=a_rollback(triggers=[trigger]))
    assert cells(a_verdict(), stage)[0] == "HTTP errors below 1 % (`http-errors`)"
    loose = a_verdict(evidence=replace(COUNTED, limit=0.02))
    assert cells(loose, stage)[0] == "HTTP errors below 2 % (`http-errors`)"
    assert cells(a_verdict(evidence=None), stage)[0] == "`http-errors`"


def test_a_gate_that_the_policy_does_not_know_is_shown_by_its_name() -> None:
    assert cells(a_verdict(gate="gone"))[0] == "`gone`"


def test_the_line_below_has_the_window_with_its_date_the_source_and_the_gaps() -> None:
    line = data_quality([a_verdict(), a_verdict(gate="other")])
    assert "Health window: 2026-03-02 12:00:00 to 12:30:00 UTC." in line
    assert "Measured by `Prometheus` until 12:20:00 UTC, in tiles of 1m that are read 15s after their end;" in line
    assert "36 of 40 measurements are there." in line


def test_a_window_past_midnight_names_both_days() -> None:
    late = replace(COUNTED, measured=replace(a_measured(), window_end=NOON + timedelta(hours=13)))
    assert "2026-03-02 12:00:00 to 2026-03-03 01:00:00 UTC" in data_quality([a_verdict(evidence=late)])


def test_without_counts_there_is_no_line_and_no_query() -> None:
    assert data_quality([a_verdict(evidence=None)]) == exact_queries([a_verdict(evidence=None)]) == ""
