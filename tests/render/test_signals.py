"""The check on a proposal, and what the source commit and its pull request are told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.decision import State, WaitsOn
from bot.domain.model import NOT_SET, Release
from bot.domain.verdicts import VerdictKind
from bot.render.signals import Arrived, check_state, check_text, deployment_text, source_comment, status_text
from bot.render.views import OverrideView
from tests.builders import IMAGE, MINUTE, NOON
from tests.render.views import BAD, NOW, OBSERVING, POLICY, PROVEN, STATES, a_comment, a_verdict, candidate, judged

ON_ITS_WAY = {
    State.READY_TO_PROPOSE,
    State.READY_TO_MERGE,
    State.WAITING_FOR_HUMAN,
    State.WAITING_FOR_CHECKS,
    State.WAITING_FOR_REVIEW,
    State.WAITING_TO_BE_MERGED,
    State.COOLING_DOWN,
}
FAILED = {
    State.UNHEALTHY,
    State.NOT_TRUSTED,
    State.QUARANTINED,
    State.REJECTED_BY_HUMAN,
    State.HELD_BY_HUMAN,
    State.HALTED,
    State.ROLLING_BACK,
}


# --- the check -------------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I1")
@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("source", [PROVEN, OBSERVING, BAD, None], ids=["healthy", "not yet", "unhealthy", "unknown"])
def test_a_check_passes_only_for_a_release_with_every_gate_healthy(state: State, source: object) -> None:
    view = a_comment(source=source, candidate=candidate(state, "reason", WaitsOn.HUMAN))
    expected = "failed" if state in FAILED else "waiting"
    if state in ON_ITS_WAY and source is PROVEN:
        expected = "passed"
    assert check_state(view) == expected


def test_a_release_that_was_not_measured_never_passes() -> None:
    nothing = replace(PROVEN, verdicts=())
    assert check_state(a_comment(source=nothing, candidate=candidate(State.READY_TO_MERGE, "r"))) == "waiting"
    shadow = replace(PROVEN, verdicts=(replace(a_verdict(), is_shadow=True),))
    assert check_state(a_comment(source=shadow, candidate=candidate(State.READY_TO_MERGE, "r"))) == "waiting"
    assert check_state(a_comment(source=PROVEN)) == "waiting"


@pytest.mark.invariant("I1")
def test_an_override_of_the_gate_that_is_not_healthy_lets_the_check_pass_and_is_shown() -> None:
    view = STATES["overridden"]()
    assert check_state(view) == "passed"
    assert "**Overridden:** `http-errors` by `dana`" in check_text(view, NOON).summary
    other = OverrideView(gate="latency", by="dana", reason="r")
    assert check_state(replace(view, circumstances=replace(view.circumstances, overrides=(other,)))) == "waiting"


def test_a_proposal_whose_place_was_taken_does_not_pass() -> None:
    assert check_state(STATES["superseded"]()) == "failed"


def test_what_waits_for_a_rollback_is_not_failed() -> None:
    assert check_state(STATES["rolling-back-first"]()) == "waiting"


def test_a_check_is_named_by_its_stage_and_says_the_verdict_in_one_sentence() -> None:
    check = check_text(STATES["unhealthy"](), NOON, url="https://liftlock.example/checkout")
    assert (check.name, check.state, check.started_at) == ("liftlock/production", "failed", NOON)
    assert check.title == "Do not merge: staging: http-errors: 240 of 2,000 bad (12 %), limit 1 %"
    assert check.url == "https://liftlock.example/checkout"
    assert check.summary.startswith("**Do not merge.**")
    assert "| ❌\u00a0unhealthy |" in check.summary


# --- the source commit -----------------------------------------------------------------------------------------------


def test_a_status_says_how_far_the_window_is_and_how_many_gates_are_bad() -> None:
    gates = tuple(a_verdict(VerdictKind.NOT_YET, gate=f"g{n}") for n in range(4))
    status = status_text(POLICY, replace(OBSERVING, verdicts=gates), NOW)
    assert status.context == "liftlock/checkout/staging"
    assert (status.state, status.description) == ("pending", "staging: observing, 12 of 30 min, 0 of 4 gates unhealthy")


@pytest.mark.parametrize(("minutes", "said"), [(-5, "0 of 30"), (0, "0 of 30"), (29, "29 of 30"), (99, "30 of 30")])
def test_the_time_that_has_passed_is_within_the_window(minutes: int, said: str) -> None:
    assert f"{said} min" in status_text(POLICY, OBSERVING, NOON + minutes * MINUTE).description


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (State.PROVEN, "success"),
        (State.SETTLED, "success"),
        (State.ROLLED_BACK, "success"),
        (State.OBSERVING, "pending"),
        (State.CANNOT_TELL, "pending"),
        (State.WATCHING, "pending"),
        (State.UNHEALTHY, "failure"),
        (State.ROLLING_BACK, "failure"),
        (State.QUARANTINED, "failure"),
        (State.HALTED, "error"),
        (State.DEADLINE_PASSED, "error"),
    ],
)
def test_each_state_has_its_status(state: State, said: str) -> None:
    assert status_text(POLICY, replace(PROVEN, state=state), NOW).state == said


def test_a_candidate_s_status_tells_why_it_is_not_there() -> None:
    waits = candidate(State.OBSERVING, "staging: http-errors: window ends 12:30:00 UTC")
    assert status_text(POLICY, waits, NOW).description == (
        "production: not there yet: staging: http-errors: window ends 12:30:00 UTC"
    )


def test_a_description_is_cut_at_what_github_takes() -> None:
    wordy = candidate(State.HALTED, "why " * 100)
    description = status_text(POLICY, wordy, NOW).description
    assert len(description) == 140
    assert description.endswith("…")


@pytest.mark.parametrize(
    ("judgement", "state"),
    [
        (PROVEN, "success"),
        (OBSERVING, "in_progress"),
        (BAD, "failure"),
        (judged(State.WAITING_FOR_ROLLOUT, "progressing"), "in_progress"),
        (candidate(State.QUARANTINED, "it was rolled back"), "inactive"),
    ],
)
def test_a_deployment_follows_the_release_that_is_there(judgement: object, state: str) -> None:
    deployed = deployment_text(POLICY, judgement, NOW)  # type: ignore[arg-type]  # a parametrized judgement
    assert deployed is not None
    assert deployed.state == state
    assert deployed.ref == "b" * 40
    assert deployed.is_production is (deployed.environment == "checkout/production")


@pytest.mark.parametrize(
    "judgement",
    [
        candidate(State.READY_TO_MERGE, "not there yet"),
        replace(PROVEN, release=None),
        replace(PROVEN, release=Release(image=IMAGE, tag="1.9.0")),
        replace(PROVEN, release=Release(image=IMAGE, tag=NOT_SET)),
    ],
    ids=["candidate", "unknown", "without commit", "not set"],
)
def test_what_is_not_there_or_has_no_commit_is_no_deployment(judgement: object) -> None:
    assert deployment_text(POLICY, judgement, NOW) is None  # type: ignore[arg-type]  # as above


# --- the source pull request -----------------------------------------------------------------------------------------


def test_the_source_is_told_when_its_change_has_arrived() -> None:
    told = source_comment(STATES["watched"](), Arrived(number=7, at=NOON))
    assert told == (
        "`checkout` `1.9.0`, which has this change, reached `production` at 2026-03-02 12:00:00 UTC by "
        "[`acme/deploy#7`](https://github.example/acme/deploy/pull/7)."
    )


def test_the_source_is_told_when_its_change_was_taken_back() -> None:
    told = source_comment(STATES["rolled-back"](), Arrived()) or ""
    assert told.startswith("`checkout` `1.9.0`, which has this change, was taken out of `production` by [`")
    assert "Why: http-errors: 40 of 200 bad" in told


def test_the_source_is_told_nothing_while_it_is_on_its_way() -> None:
    assert source_comment(STATES["ready"](), Arrived(number=7, at=NOON)) is None
    assert source_comment(STATES["watched"](), Arrived(number=7)) is None
