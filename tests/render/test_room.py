"""However long the lists are, a text fits, begins with the verdict, and keeps the worst of the evidence."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.decision import State
from bot.domain.policy import EvidenceIn
from bot.domain.verdicts import CountEvidence, Verdict, VerdictKind
from bot.forge import SourceCommit, Span
from bot.render.evidence import evidence_table
from bot.render.markdown import evidence_comment, promotion_body, revert_body
from bot.render.room import LONGEST, Room, fit
from bot.render.signals import check_text
from bot.render.views import AnswerView, ChangeView, CommentView, OverrideView, SupersededView
from tests.builders import NOON, a_measured, sha
from tests.render.hostile import HOSTILE, a_comment_of, a_move_of, a_revert_of
from tests.render.views import PROVEN, STAGING, STATES, a_comment, a_move, a_revert, a_stage, a_verdict, moved

_TEXT = st.sampled_from([*HOSTILE, "x" * 500, "`" * 300, "|" * 400, "<" * 400, "\\" * 400])
_MANY = st.integers(min_value=0, max_value=300)


def verdicts(number: int, text: str) -> tuple[Verdict, ...]:
    good = [a_verdict(gate=f"{text}{n}", reason=text, would_change=text) for n in range(number)]
    return (*good, a_verdict(VerdictKind.UNHEALTHY, gate="the worst", reason=text, bad=200.0))


def huge(state: str, number: int, text: str) -> CommentView:
    view = a_comment_of(STATES[state](), text)
    order = AnswerView(by=text, order=f"/liftlock explain {text}", at=NOON, is_accepted=True, effect=text)
    around = replace(
        view.circumstances,
        answers=(order,) * number,
        history=(ChangeView(at=NOON, state=text, reason=text),) * number,
        overrides=(OverrideView(gate=text, by=text, reason=text),) * number,
        supersedes=(SupersededView(number=3, tag=text),) * number,
    )
    source, running = view.source, view.running
    return replace(
        view,
        circumstances=around,
        source=replace(source, verdicts=verdicts(number, text)) if source else None,
        running=replace(running, verdicts=verdicts(number, text)) if running else None,
    )


def assert_whole(text: str) -> None:
    assert len(text) <= LONGEST < 65_536
    assert len(re.findall(r"(?m)^<details><summary>", text)) == len(re.findall(r"(?m)^</details>$", text))
    assert not open_fence(text)


def open_fence(text: str) -> str:
    """Return the fence of the code block that is open at the end; inside one, only its own closes it."""
    fence = ""
    for line in text.split("\n"):
        found = re.fullmatch(r"(`{3,})(?:mermaid)?", line)
        if found and not fence:
            fence = found[1]
        elif line == fence:
            fence = ""
    return fence


# A few hundred rows in each of several texts: an example takes long, and each of them tries every list at once.
@settings(max_examples=20)
@given(state=st.sampled_from(sorted(STATES)), number=_MANY, text=_TEXT)
def test_any_text_is_short_enough_and_has_nothing_left_open(state: str, number: int, text: str) -> None:
    view = huge(state, number, text)
    commits = (SourceCommit(sha=sha("c"), author=text, title=text),) * number
    move = replace(
        a_move_of(STATES[state](), text),
        standing=view,
        stage=view.stage,
        span=Span(commits=commits, total=number, is_forward=False),
        changelog=(text + "\n") * number,
        judgement=replace(PROVEN, verdicts=verdicts(number, text)),
    )
    revert = replace(a_revert_of(text), judgement=move.judgement)
    written = [promotion_body(move), evidence_comment(view), check_text(view, NOON).summary, revert_body(revert)]
    for one in written:
        assert_whole(one)
    for one in (*written[1:3], written[0].split("\n\n", 1)[1]):
        assert re.match(r"\*\*[A-Z][a-z ]+\.\*\* ", one)
    assert "**Who must act:**" in written[0].split("\n\n### ")[0]


@pytest.mark.parametrize("number", [300, 3000])
def test_the_worst_gates_stay_where_there_are_too_many(number: int) -> None:
    body = promotion_body(a_move(judgement=replace(PROVEN, verdicts=verdicts(number, "gate"))))
    assert "`the worst`" in body
    assert re.search(rf"The worst \d+ of {number + 1:,} gates are shown; of the others are [\d,]+ healthy\.", body)
    assert_whole(body)


def test_queries_go_before_charts_and_both_before_any_list() -> None:
    verdict = a_verdict()
    assert isinstance(verdict.evidence, CountEvidence)
    wordy = replace(verdict, evidence=replace(verdict.evidence, measured=a_measured(queries=("sum(" * 20_000,))))
    body = promotion_body(a_move(judgement=replace(PROVEN, verdicts=(wordy,))))
    assert "sum(sum(" not in body
    assert "```mermaid" in body
    assert "Round totals half to even" in body
    assert body.endswith(
        "*Too long for one text, so the exact queries may be left out. `liftlock status --json` has all.*"
    )


def test_what_fits_leaves_nothing_out() -> None:
    for make in STATES.values():
        assert "Too long" not in evidence_comment(make()) + promotion_body(moved(make()))


def test_a_list_says_how_many_it_does_not_show() -> None:
    commits = tuple(SourceCommit(sha=sha(f"c{n}"), author="alice", title=f"Commit {n}") for n in range(30))
    changes = tuple(ChangeView(at=NOON, state=f"state {n}", reason="r") for n in range(40))
    held = STATES["held"]()
    stage = a_stage(evidence=EvidenceIn.BODY)
    view = replace(held, stage=stage, circumstances=replace(held.circumstances, history=changes))
    body = promotion_body(moved(view, span=Span(commits=commits, total=250, is_forward=True)))
    assert "<summary>250 commits between the two releases</summary>" in body
    assert "Commit 19" in body
    assert "Commit 20" not in body
    assert "- and 230 more" in body
    assert "| state 29 |" in body
    assert "| state 30 |" not in body
    assert "and 10 earlier" in body


def test_a_room_that_is_too_small_for_all_is_the_last_that_is_tried() -> None:
    tried: list[Room] = []

    def write(room: Room) -> list[str]:
        tried.append(room)
        return ["x" * (room.rows * 1000)]

    assert len(fit(write)) < LONGEST
    assert [room.rows for room in tried] == [200, 200, 200, 200, 50][: len(tried)]


def test_rows_are_in_the_policy_s_order_where_all_are_shown() -> None:
    table = evidence_table(STAGING, verdicts(3, "g"))
    assert re.findall(r"`(g\d|the worst)`", table) == ["g0", "g1", "g2", "the worst"]


def test_a_gate_in_the_shadow_is_the_first_to_go() -> None:
    shadow = replace(a_verdict(VerdictKind.UNHEALTHY, gate="tried out"), is_shadow=True)
    table = evidence_table(STAGING, [shadow, a_verdict(gate="decides")], 1)
    assert "`decides`" in table
    assert "tried out" not in table
    assert "of the others are 1 unhealthy" in table


def test_every_state_can_be_shown_without_a_candidate() -> None:
    for state in State:
        view = a_comment(source=replace(PROVEN, state=state))
        assert evidence_comment(view).startswith("**")
        assert revert_body(a_revert()).count("**Rollback.**") == 1
