"""What `liftlock status`, `plan` and the log say of a decision, in one line each."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta

import pytest
from rich.console import Console

from bot.domain.decide import decide
from bot.domain.decision import (
    Action,
    AskRefresh,
    ClosePromotion,
    CommitPromotion,
    Decision,
    DisarmPromotion,
    Halt,
    Judgement,
    MergePromotion,
    OpenPromotion,
    ReadyPromotion,
    RemakePromotion,
    RollBack,
    State,
    UpdatePromotion,
    Wait,
    WaitsOn,
)
from bot.domain.model import Release
from bot.domain.policy import Road
from bot.render.terminal import colour_of, decision_lines, describe_action, explanation_lines, status_table
from tests.builders import HEAD, IMAGE, NEW, NOON, OLD, PROMOTION_COMMIT, a_policy, an_observation

AFTER, BEFORE = Release(image=IMAGE, tag=NEW), Release(image=IMAGE, tag=OLD)
STRANGE = "bad\n\x1b[31mred\u202e [bold]loud[/bold]"
SAID: list[tuple[Action, str]] = [
    (Wait(stage="production", reason="nothing new"), "wait: nothing new"),
    (Halt(stage="production", reason="unclear"), "stop and ask a person: unclear"),
    (
        OpenPromotion(
            stage="production", source_stage="staging", branch="b", release=AFTER, replaces=BEFORE, reason="proven"
        ),
        "open a pull request for 1.9.0 (now 1.8.2): proven",
    ),
    (
        CommitPromotion(stage="production", source_stage="staging", release=AFTER, replaces=BEFORE, reason="proven"),
        "commit 1.9.0 (now 1.8.2): proven",
    ),
    (ReadyPromotion(stage="production", number=7, reason="proven"), "mark #7 ready for review: proven"),
    (
        RemakePromotion(
            stage="production",
            source_stage="staging",
            number=7,
            branch="b",
            head=HEAD,
            release=AFTER,
            replaces=BEFORE,
            reason="the base moved",
        ),
        "make #7 anew: the base moved",
    ),
    (DisarmPromotion(stage="production", number=7, reason="held"), "take back the auto-merge of #7: held"),
    (UpdatePromotion(stage="production", number=7, release=AFTER), "bring the evidence on #7 up to date"),
    (
        MergePromotion(
            stage="production", number=7, branch="b", head=HEAD, release=AFTER, replaces=BEFORE, reason="proven"
        ),
        f"merge #7 at {HEAD[:7]}: proven",
    ),
    (ClosePromotion(stage="production", number=7, branch="b", reason="old"), "close #7: old"),
    (
        RollBack(
            stage="production",
            road=Road.COMMIT,
            branch="b",
            promotion=PROMOTION_COMMIT,
            release=AFTER,
            back_to=BEFORE,
            reason="errors",
        ),
        "take 1.9.0 back to 1.8.2 by commit: errors",
    ),
    (
        AskRefresh(stage="production", application="checkout-production", reason="stale"),
        "ask Argo CD to refresh checkout-production",
    ),
]


def a_decision(*judgements: Judgement, actions: tuple[Action, ...] = ()) -> Decision:
    return Decision(
        service="checkout",
        at=NOON,
        policy_version="f" * 64,
        judgements=judgements,
        actions=actions,
        look_again=NOON + timedelta(minutes=1),
    )


def a_judgement(*, reason: str = "unclear", release: Release | None = AFTER) -> Judgement:
    return Judgement(
        stage="production",
        role="running",
        release=release,
        state=State.CANNOT_TELL,
        waits_on=WaitsOn.HUMAN,
        reason=reason,
    )


def printed(decision: Decision, *, width: int = 200) -> str:
    out = io.StringIO()
    Console(width=width, file=out).print(status_table([decision]))
    return out.getvalue()


@pytest.mark.parametrize(("action", "said"), SAID, ids=[action.kind for action, _ in SAID])
def test_each_action_is_one_sentence_and_a_dry_run_says_would(action: Action, said: str) -> None:
    assert describe_action(action, dry_run=False) == said
    assert describe_action(action, dry_run=True) == f"would {said}"


def test_lines_say_where_each_release_stands_and_what_is_done() -> None:
    observation = an_observation()
    lines = decision_lines(decide(a_policy(), observation, observation.at), dry_run=False)
    assert lines[0] == "checkout/staging: 1.9.0 runs: proven: both gates are healthy"
    assert "1.9.0 is to come: ready to propose" in lines[2]
    assert lines[-1].startswith("checkout/production: open a pull request for 1.9.0 (now 1.8.2)")


def test_an_explanation_shows_the_whole_way_of_what_waits_and_where_it_stands() -> None:
    seen = an_observation()
    decision = decide(a_policy(), seen, seen.at)
    lines = [line for line in explanation_lines(decision, decision.judgements) if line.startswith("  path: ")]
    assert lines == ["  path: built ✓ → verified – → signed – → staging ✓ → observed ✓ → production …"]


def test_waiting_is_not_said_twice() -> None:
    decision = a_decision(a_judgement(), actions=(Wait(stage="production", reason="unclear"),))
    assert decision_lines(decision, dry_run=False) == ["checkout/production: 1.9.0 runs: cannot tell: unclear"]


def test_a_stage_that_could_not_be_read_has_an_unknown_release() -> None:
    decision = a_decision(a_judgement(release=None))
    assert "unknown release runs: cannot tell" in decision_lines(decision, dry_run=False)[0]
    assert " ?  " in printed(decision)


def test_an_early_opening_is_said_to_be_a_draft() -> None:
    opening = next(action for action, _ in SAID if isinstance(action, OpenPromotion))
    first = replace(opening, is_draft=True, replaces=replace(BEFORE, tag=""))
    assert describe_action(first, dry_run=False) == "open a draft for 1.9.0 (now nothing): proven"


@pytest.mark.invariant("I12")
def test_outside_text_neither_steers_the_terminal_nor_makes_another_line() -> None:
    decision = a_decision(a_judgement(reason=STRANGE), actions=(Halt(stage="production", reason=STRANGE),))
    lines, table = decision_lines(decision, dry_run=False), printed(decision)
    for text in (*lines, *table.splitlines()):
        assert not {"\x1b", "\u202e", "\n"} & set(text)
    assert len(table.splitlines()) == 2
    # Markup of the terminal library is shown, not obeyed.
    assert "[bold]loud[/bold]" in table


def test_a_narrow_terminal_folds_a_reason_and_loses_none_of_it() -> None:
    table = printed(a_decision(a_judgement(reason="abcdefghij" * 5)), width=80)
    letters = "".join(letter for letter in table.split("why")[1] if letter in "abcdefghij")
    assert letters.count("j") >= 5


def test_what_needs_a_person_is_red_or_yellow_and_what_is_done_is_green() -> None:
    assert [colour_of(state) for state in (State.UNHEALTHY, State.CANNOT_TELL, State.SETTLED, State.OBSERVING)] == [
        "red",
        "yellow",
        "green",
        "cyan",
    ]
