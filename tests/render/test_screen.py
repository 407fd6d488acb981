"""The first screen answers in four lines, truly in every state: may I merge, why, who must act, does it move itself."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.decision import State, WaitsOn
from bot.domain.policy import HealthWindow, Merge
from bot.domain.verdicts import VerdictKind
from bot.render.markdown import attention_comment, promotion_body, superseded_comment, superseding_line
from bot.render.screen import first_screen
from bot.render.views import Circumstances, CommentView, SupersededView
from tests.builders import MINUTE, NOON, a_policy, a_pull
from tests.render.views import (
    NOW,
    OBSERVING,
    PROVEN,
    REPLACES,
    STATES,
    a_comment,
    a_stage,
    a_verdict,
    candidate,
    judged,
    moved,
)

BLOCKED = {
    "observing",
    "rolling-out",
    "cannot-tell",
    "held",
    "rejected",
    "unhealthy",
    "quarantined",
    "superseded",
    "pushed-to",
    "no-verdict",
    "no-verdict-held",
    "waiting-for-checks",
    "waiting-for-build",
    "not-trusted",
    "frozen",
    "waiting-for-approvals",
    "approvals-cannot-be-told",
}
MOVES_ITSELF = {
    "observing",
    "rolling-out",
    "cannot-tell",
    "ready",
    "draft-made-ready",
    "waiting-for-checks",
    "waiting-for-build",
    "verified",
    "waiting-for-review",
    "waiting-for-approvals",
    "approvals-cannot-be-told",
    "approved",
    "changes-requested",
    "being-merged",
    "overridden",
    "rolling-back-first",
    "no-verdict-held",
    "let-pass",
    "cooling-down",
    "pausing",
    "joined",
    "frozen",
    "frozen-overridden",
    "merged",
    "watched",
}


@pytest.mark.parametrize("name", STATES)
def test_the_first_screen_is_four_short_lines(name: str) -> None:
    body = promotion_body(moved(STATES[name]()))
    lines = [line for line in body.split("\n\n### ")[0].split("\n") if line and not line.startswith("<!--")]
    first = lines[:4]
    assert first[0].startswith("**")
    labels = [re.match(r"- \*\*([A-Z][a-z ]+):\*\* ", line) for line in first[1:]]
    assert [found[1] for found in labels if found][-2:] == ["Who must act", "Moves by itself"]
    shown = [re.sub(r"\]\([^)]*\)|[`*\[]", "", line) for line in first]
    assert max(map(len, shown)) <= 150


@pytest.mark.parametrize("name", sorted(BLOCKED))
def test_what_must_not_be_merged_does_not_say_that_it_may(name: str) -> None:
    screen = first_screen(STATES[name]())
    assert "You may merge" not in screen.text
    assert screen.word in {"Not yet.", "Stopped."} or "Do not merge" in f"{screen.word} {screen.lead}"


@pytest.mark.parametrize("name", STATES)
def test_it_says_no_where_it_does_not_move_by_itself(name: str) -> None:
    is_said = first_screen(STATES[name]()).when.startswith(("No.", "Nothing"))
    assert is_said is (name not in MOVES_ITSELF)


def observing(*, now: bool = True, draft: bool = True, merge: Merge = Merge.AUTO) -> CommentView:
    circumstances = Circumstances(now=NOW if now else None, pull=a_pull(draft=draft))
    waits = candidate(State.OBSERVING, "staging: not yet", WaitsOn.RUNTIME)
    return a_comment(stage=a_stage(merge), source=OBSERVING, candidate=waits, circumstances=circumstances)


def test_what_is_observed_says_since_when_and_how_much_is_left() -> None:
    screen = first_screen(observing())
    assert screen.lead == "`1.9.0` is live in `staging` since 12:01 UTC and has 18 of 30 minutes left."
    assert screen.when == "Liftlock marks this ready when the window has passed, not before 12:30 UTC."
    assert screen.who == "Nobody."


def test_without_a_clock_nothing_is_said_that_grows_old() -> None:
    screen = first_screen(observing(now=False))
    assert screen.lead == "`1.9.0` is live in `staging` since 2026-03-02 12:01 UTC."
    assert "not before 2026-03-02 12:30 UTC" in screen.when


@pytest.mark.parametrize(
    ("draft", "merge", "when"),
    [
        (True, Merge.HUMAN, "Liftlock marks this ready when the window has passed, not before 12:30 UTC."),
        (False, Merge.AUTO, "Liftlock merges this when every gate is healthy, not before 12:30 UTC."),
        (False, Merge.HUMAN, "No. When every gate is healthy, not before 12:30 UTC, a person may merge it."),
    ],
)
def test_when_it_moves_depends_on_who_merges(draft: bool, merge: Merge, when: str) -> None:
    assert first_screen(observing(draft=draft, merge=merge)).when == when


def test_a_window_that_is_over_promises_no_time() -> None:
    late = replace(observing(), circumstances=Circumstances(now=NOON + 45 * MINUTE, pull=a_pull(draft=True)))
    assert first_screen(late).when == "Liftlock marks this ready when the window has passed."
    assert "left" not in first_screen(late).lead


def test_a_window_without_measurements_counts_from_when_it_was_live() -> None:
    window = HealthWindow(length=30 * MINUTE, warmup=2 * MINUTE, deadline=timedelta(hours=6), tile=MINUTE)
    soaking = judged(State.OBSERVING, "soak: not yet", replace(a_verdict(VerdictKind.NOT_YET), evidence=None))
    view = replace(observing(), policy=a_policy(window=window), source=soaking)
    assert "not before 12:34 UTC" in first_screen(view).when
    assert "has 22 of 30 minutes left" in first_screen(view).lead


def test_an_instant_of_another_day_has_its_date() -> None:
    old = replace(OBSERVING, timeline=tuple(replace(one, at=one.at - timedelta(days=1)) for one in OBSERVING.timeline))
    assert "since 2026-03-01 12:01 UTC" in first_screen(replace(observing(), source=old)).lead


def test_the_source_alone_tells_as_much_as_it_can() -> None:
    assert first_screen(a_comment(source=PROVEN)).word == "Merges by itself."
    assert first_screen(a_comment(source=PROVEN, stage=a_stage(Merge.HUMAN))).word == "Needs a person."
    assert first_screen(a_comment(source=OBSERVING)).word == "Not yet."
    assert first_screen(a_comment()).word == "On its way."


def test_a_missing_check_is_named_and_its_owner_must_act() -> None:
    screen = first_screen(STATES["waiting-for-checks"]())
    assert screen.why == "Failed: `lint`; not done: `build`; missing: `e2e`."
    assert screen.who == "Whoever looks after `lint`, `e2e`."


def test_what_is_only_pending_waits_for_nobody() -> None:
    view = STATES["waiting-for-checks"]()
    pull = a_pull(checks=replace(a_pull().checks, pending=tuple(f"job {n}" for n in range(9))))
    screen = first_screen(replace(view, circumstances=replace(view.circumstances, pull=pull)))
    assert screen.who == "Nobody."
    assert screen.why == "Not done: `job 0`, `job 1`, `job 2`, `job 3`, `job 4` and 4 more."


@pytest.mark.parametrize("state", [None, State.READY_TO_PROPOSE])
def test_a_closed_pull_request_is_never_said_to_move(state: State | None) -> None:
    waits = candidate(state, "staging: both gates are healthy") if state is not None else None
    view = replace(STATES["rejected"](), candidate=waits)
    screen = first_screen(view)
    assert (screen.word, screen.when) == ("Closed.", "No.")
    assert screen.lead == "`dana` closed this pull request; it no longer moves `1.9.0`."


def test_nobody_is_called_while_a_merge_is_on_its_way_to_the_mirror() -> None:
    merged = replace(STATES["merged"](), candidate=candidate(State.WAITING_FOR_HUMAN, "was merged", WaitsOn.HUMAN))
    assert attention_comment(merged) is None


def test_a_person_is_called_where_what_was_merged_is_halted() -> None:
    running = judged(State.HALTED, "http-errors: but it was so before", stage="production", waits_on=WaitsOn.HUMAN)
    call = attention_comment(replace(STATES["watched"](), running=running)) or ""
    assert "**A person must act** on `1.9.0` for `production`" in call


# --- the calls for a person ------------------------------------------------------------------------------------------

CALLS = {
    "not-trusted",
    "waiting-for-review",
    "changes-requested",
    "needs-a-person",
    "unhealthy",
    "pushed-to",
    "no-verdict",
    "rolled-back-in-vain",
    "waiting-for-approvals",
    "approvals-cannot-be-told",
}


@pytest.mark.parametrize("name", STATES)
def test_a_person_is_called_only_where_one_must_act(name: str) -> None:
    call = attention_comment(STATES[name]())
    assert (call is not None) is (name in CALLS)


def test_a_call_names_approvers_without_notifying_them() -> None:
    call = attention_comment(STATES["unhealthy"]()) or ""
    assert call.startswith("@acme/oncall: **A person must act**")
    assert call.endswith("It waits for one of `@dana`, `@acme/release`.")


def test_without_approvers_whoever_may_write_is_asked() -> None:
    view = replace(STATES["unhealthy"](), stage=a_comment().stage)
    call = attention_comment(view) or ""
    assert call.startswith("**A person must act**")
    assert call.endswith("It waits for somebody who may write to `acme/deploy`.")


# --- links between pull requests -------------------------------------------------------------------------------------


def test_what_takes_the_place_of_another_links_both_ways() -> None:
    assert superseding_line(REPLACES) == "Replaces #12, which carried `1.8.9`."
    assert superseded_comment(13).startswith("**Superseded** by #13,")
    many = tuple(SupersededView(number=n, tag="1") for n in range(7))
    assert superseding_line(many).endswith("; and 2 more.")
    assert superseding_line(()) == ""
