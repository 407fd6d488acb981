"""Who has approved a release, in a pull request, in a commit and in the terminal: complete, bounded and harmless."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from bot.domain.approvals import Approver, Discounted, Tally
from bot.domain.commands import Verb
from bot.domain.decide import decide
from bot.domain.decision import State, WaitsOn
from bot.domain.policy import Approvals
from bot.render.approvals import approval_lines, approval_section, approvals_in_short, approved_by
from bot.render.commits import promotion_commit
from bot.render.people import command_table
from bot.render.signals import check_state
from bot.render.terminal import explanation_lines
from tests.builders import a_policy, an_observation
from tests.render.views import STATES, a_move, a_stage

STRANGE = "eve`|\n# [x](http://evil.example) @all \u202e<!-- liftlock:promotion -->"
DANA = Approver(id=11, login="dana", ways=("review",))


def a_tally(**changes: object) -> Tally:
    return replace(
        Tally(need=2, people=("@acme/release",), given=(DANA,)),
        **changes,  # type: ignore[arg-type]  # a test names only what it changes
    )


def test_where_no_approvals_are_asked_for_nothing_is_said() -> None:
    assert (approval_section(None), approval_lines(None), approved_by(None)) == ("", (), "")
    assert approved_by(a_tally(given=())) == ""


def test_enough_approvals_are_one_line() -> None:
    assert approval_section(a_tally(need=1)) == "**Approvals:** 1 of 1: `dana` (review)."
    assert approval_lines(a_tally(need=1)) == ["approvals: has one of one approval (dana)"]


def test_of_many_who_approved_ten_are_listed() -> None:
    many = tuple(replace(DANA, id=number, login=f"p{number}") for number in range(13))
    said = approval_section(a_tally(need=20, given=many))
    assert said.startswith("**Approvals:** 13 of 20: `p0` (review)")
    assert "`p9` (review) and 3 more. It needs seven more from `@acme/release`." in said
    assert "`p10`" not in said


@pytest.mark.parametrize(("count", "says"), [(11, "- one more does not count"), (13, "- three more do not count")])
def test_of_many_who_do_not_count_ten_are_listed(count: int, says: str) -> None:
    others = tuple(Discounted(login=f"p{number}", why="is an app") for number in range(count))
    lines = approval_section(a_tally(others=others)).splitlines()
    assert lines[2:12] == [f"- `p{number}` is an app and does not count" for number in range(10)]
    assert lines[12:] == [says]


def test_one_writer_without_an_account_may_be_the_one_who_approves() -> None:
    said = approval_section(a_tally(unknown=("Dev",)))
    who = "- `Dev` wrote source commits without a known account"
    assert said.splitlines()[-1] == f"{who} and may be one of those who approve, so one more is needed"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "It has one of two approvals \\(dana\\)."),
        ({"given": ()}, "It has none of two approvals."),
        (
            {"others": (Discounted(login="eve", why="is an app"),)},
            "It has one of two approvals \\(dana\\); one more does not count, as told below.",
        ),
        (
            {"others": (Discounted(login="eve", why="is an app"),) * 2},
            "It has one of two approvals \\(dana\\); two more do not count, as told below.",
        ),
        (
            {"trouble": "GitHub: no answer"},
            "It has one of two approvals \\(dana\\); not all of it could be found out, as told below.",
        ),
    ],
)
def test_the_first_screen_has_it_in_short(changes: dict[str, object], says: str) -> None:
    assert approvals_in_short(a_tally(**changes)) == says


@pytest.mark.invariant("I12")
def test_a_hostile_name_is_harmless_everywhere() -> None:
    tally = a_tally(
        people=(STRANGE,),
        given=(replace(DANA, login=STRANGE),),
        others=(Discounted(login=STRANGE, why=STRANGE),),
        unknown=(STRANGE,),
        trouble=STRANGE,
    )
    section = approval_section(tally)
    assert "<!--" not in section
    assert "\u202e" not in section
    # Every line is one that was meant: a head, an empty one, and a list.
    assert [line[:2] for line in section.splitlines()] == ["**", "", "- ", "- ", "- "]
    assert all("\n" not in line and "\u202e" not in line for line in approval_lines(tally))
    said = approved_by(tally)
    assert "@all" not in said
    assert "\n" not in said
    message = promotion_commit(replace(a_move(), approvals=tally))
    assert re.findall(r"(?m)^Liftlock-[A-Za-z-]+: ", message) == re.findall(
        r"(?m)^Liftlock-[A-Za-z-]+: ", promotion_commit(a_move())
    )


def test_a_commit_names_who_approved_between_the_reason_and_the_change() -> None:
    erin = Approver(id=12, login="erin", ways=("command", "review"))
    message = promotion_commit(replace(a_move(), approvals=a_tally(given=(DANA, erin))))
    paragraphs = message.split("\n\n")
    assert paragraphs[2] == "Approved by dana (review) and erin (command and review)."
    assert paragraphs[3].startswith("Changed in ")
    assert message.replace("Approved by dana (review) and erin (command and review).\n\n", "") == promotion_commit(
        a_move()
    )


@pytest.mark.parametrize("state", [State.WAITING_FOR_CHECKS, State.WAITING_FOR_HUMAN, State.READY_TO_PROPOSE])
def test_the_check_waits_for_approvals_whatever_else_is_waited_for(state: State) -> None:
    view = STATES["approved"]()
    assert view.candidate is not None
    waits = replace(view, candidate=replace(view.candidate, state=state, waits_on=WaitsOn.PROMOTION))
    assert waits.candidate is not None
    assert check_state(waits) == "passed"
    assert check_state(replace(waits, candidate=replace(waits.candidate, approvals=a_tally()))) == "waiting"


def test_the_terminal_explains_who_has_approved_and_who_does_not_count() -> None:
    decision = decide(a_policy(), an_observation(), an_observation().at)
    tally = a_tally(others=(Discounted(login="eve", why="wrote a source commit"),), trouble="GitHub: no answer")
    judgements = [replace(one, approvals=tally) if one.role == "candidate" else one for one in decision.judgements]
    told = [line for line in explanation_lines(decision, judgements) if "approvals:" in line]
    assert told == [
        "  approvals: has one of two approvals (dana)",
        "  approvals: eve wrote a source commit and does not count",
        "  approvals: GitHub: no answer",
        "  approvals: needs one more from acme/release",
    ]


def test_the_table_of_commands_says_that_whoever_is_asked_may_approve() -> None:
    stage = a_stage()
    asking = replace(stage, proposing=replace(stage.proposing, approvers=(), approvals=Approvals(need=1)))
    assert "somebody whose approval is asked for" not in command_table(asking)
    approvals = Approvals(need=1, people=("@acme/release",))
    named = replace(asking, proposing=replace(asking.proposing, approvals=approvals))
    (row,) = [line for line in command_table(named).splitlines() if f"/liftlock {Verb.APPROVE}" in line]
    assert row.endswith("| somebody whose approval is asked for, or an administrator |")
