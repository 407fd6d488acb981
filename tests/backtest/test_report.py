"""The tables over all releases, who is a false alarm or a miss, and what is not known of the past."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.backtest.blind_spots import blind_spots
from bot.backtest.cases import Question
from bot.backtest.fates import Was
from bot.backtest.replay import End
from bot.backtest.report import Row, differences, without_history
from bot.domain.intake import Intake
from bot.domain.policy import Merge, Policy, Proposing, Road
from bot.domain.rules import ArgoHealthyGate, DegradedTrigger
from tests.backtest.reports import a_judged, a_row
from tests.builders import MINUTE, NOON, a_count_gate, a_policy, a_rollback

WATCH = Question.WATCH


@pytest.mark.parametrize(
    ("move", "watch", "whole"),
    [
        (End.PROMOTED, End.KEPT, "let through"),
        (End.STOPPED, End.KEPT, "stopped"),
        (End.PROMOTED, End.ROLLED_BACK, "stopped"),
        (End.PROMOTED, End.HALTED, "stopped"),
        (End.HELD, End.ROLLED_BACK, "stopped"),
        (End.CANNOT_TELL, End.ROLLED_BACK, "stopped"),
        (End.HELD, End.KEPT, "not moved"),
        (End.REPLACED, End.CANNOT_TELL, "not moved"),
        (End.PROMOTED, End.CANNOT_TELL, "cannot tell"),
        (End.CANNOT_TELL, End.KEPT, "cannot tell"),
    ],
)
def test_what_the_policy_did_in_all_is_the_worst_of_all_steps(move: End, watch: End, whole: str) -> None:
    found = a_judged(a_row(end=move), a_row(end=watch, question=WATCH)).tables[0]
    assert {column: found.count(Was.GOOD, column) for column in found.columns if found.count(Was.GOOD, column)} == {
        whole: 1
    }


def test_a_release_that_was_bad_in_one_stage_was_bad_and_one_that_was_good_in_one_was_not_unknown() -> None:
    rows = [a_row("a"), a_row("a", was=Was.BAD, question=WATCH, end=End.KEPT)]
    rows += [a_row("b"), a_row("b", was=Was.CANNOT_TELL, question=WATCH, end=End.KEPT)]
    table = a_judged(*rows).tables[0]
    assert [table.count(was, "let through") for was in Was] == [1, 1, 0]


def test_false_alarms_are_good_and_stopped_and_misses_are_bad_and_let_through() -> None:
    ends = (End.PROMOTED, End.STOPPED, End.HELD, End.CANNOT_TELL)
    rows = [a_row(f"{was} {end}", end=end, was=was) for was in Was for end in ends]
    found = a_judged(*rows)
    assert (found.false_alarms, found.misses) == (("good stopped",), ("bad promoted",))


def test_what_is_gained_is_the_time_between_the_policy_and_people_who_did_the_same() -> None:
    assert a_row(end=End.PROMOTED).gained == timedelta(minutes=30)
    assert a_row(end=End.ROLLED_BACK, was=Was.BAD, question=WATCH).gained == timedelta(minutes=30)
    assert a_row(end=End.STOPPED, was=Was.BAD).gained == timedelta(minutes=30)
    assert a_row(end=End.STOPPED, was=Was.GOOD).gained is None
    assert a_row(end=End.HELD).gained is None
    assert a_row(end=End.PROMOTED, was=Was.CANNOT_TELL).gained is None
    assert a_row(end=End.REPLACED).gained is None


def test_the_typical_gain_is_the_median_of_good_releases_that_were_promoted() -> None:
    late = replace(a_row("late"), moved_on_at=NOON + 20 * MINUTE)
    rows = [a_row("a"), a_row("b"), late, a_row("bad", was=Was.BAD), a_row("held", end=End.HELD)]
    assert a_judged(*rows).typical_gain == timedelta(minutes=30)
    assert a_judged(a_row(end=End.HELD)).typical_gain is None


@pytest.mark.parametrize("end", [End.HELD, End.REPLACED, End.KEPT])
def test_what_rests_on_tiles_from_before_the_first_sample_is_cannot_tell(end: End) -> None:
    row = a_row(end=end, starts=10)
    for earliest in (NOON + 11 * MINUTE, None):
        found = without_history(row, earliest, source="Prometheus").outcome
        assert (found.end, found.at) == (End.CANNOT_TELL, None)
    assert without_history(row, NOON + 10 * MINUTE, source="Prometheus") == row


@pytest.mark.parametrize("end", [End.PROMOTED, End.STOPPED, End.ROLLED_BACK, End.HALTED, End.CANNOT_TELL])
def test_what_was_decided_on_what_there_was_stands(end: End) -> None:
    row = a_row(end=end, starts=10)
    assert without_history(row, NOON + 11 * MINUTE, source="Prometheus") == row


def test_what_measures_nothing_needs_no_history() -> None:
    row = a_row(end=End.HELD)
    assert without_history(row, None, source="Prometheus") == row


def test_two_policies_differ_where_they_come_to_another_end_instant_or_rule() -> None:
    same, other = a_row("same"), a_row("other", end=End.STOPPED, rule="http-errors")
    old = a_judged(same, other, a_row("gone"))
    new = a_judged(same, replace(other, outcome=replace(other.outcome, rule="http-latency")), a_row("new"))
    found = differences(old, new)
    assert [(one.tag, one.before is None, one.after is None) for one in found] == [
        ("other", False, False),
        ("gone", False, True),
        ("new", True, False),
    ]
    assert differences(old, old) == ()


# --- what cannot be tried --------------------------------------------------------------------------------------------


def test_what_is_taken_for_granted_is_listed_for_each_stage() -> None:
    policy = a_policy(merge=Merge.HUMAN)
    assert blind_spots(policy) == (
        "staging: argocd-healthy is taken to be healthy from when a release was live; it asks for no history",
        "production: reviews and checks are taken to be there at once, and so is a person who merges at once",
        "production: argocd-degraded never fires, since what Argo CD said then is not known",
    )


def test_a_policy_of_measurements_by_commit_has_no_blind_spot() -> None:
    policy = a_policy(
        gates=(a_count_gate(),), rollback=a_rollback(triggers=(a_count_gate(),)), proposing=Proposing(by=Road.COMMIT)
    )
    assert blind_spots(policy) == ()


def test_a_stage_that_takes_its_releases_from_the_registry_is_looked_at_from_git_only() -> None:
    policy = a_policy(rollback=a_rollback(triggers=(DegradedTrigger(name="argocd-degraded", lasting=MINUTE),)))
    with_intake = replace(
        policy, stages=(policy.stages[0], replace(policy.stages[1], intake=Intake(rule=None, every=MINUTE)))  # type: ignore[arg-type]
    )  # fmt: skip
    said = blind_spots(with_intake)
    assert "production: when the registry had a release is not known, so only what came there is looked at" in said


def test_an_artifact_and_a_history_of_argo_cd_are_listed(a_trusting: Policy) -> None:
    said = blind_spots(a_trusting)
    assert "staging: what must be proven of the artifact is taken to be proven" in said


@pytest.fixture(name="a_trusting")
def fixture_a_trusting() -> Policy:
    policy = a_policy(gates=(a_count_gate(), ArgoHealthyGate(name="argocd-healthy")))
    staging = replace(policy.stages[0], artifact=("anything",))  # type: ignore[arg-type]
    return replace(policy, stages=(staging, policy.stages[1]))


def test_the_rows_of_a_report_name_their_question() -> None:
    rows: list[Row] = [a_row(), a_row(question=WATCH, end=End.KEPT)]
    assert [table.name for table in a_judged(*rows).tables] == [
        "releases",
        "staging → production",
        "watch in production",
    ]
