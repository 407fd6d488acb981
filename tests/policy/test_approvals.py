"""`promote.approvals`: what is read, and what is refused or warned of."""

from __future__ import annotations

import pytest

from bot.domain.policy import Approvals, ApprovedWhen, Proposing
from bot.policy import parse_policy
from bot.policy.cautions import check_meaning
from bot.policy.tree import read_tree
from tests.policy.test_cautions import SCRAPE
from tests.policy.test_parsing import CHECKOUT, TEMPLATES, faults_of, parse, the_fault

PLACE, KEYS = "stages[1].promote.approvals", "four_eyes, from, need, when"


def with_approvals(words: str, *, approvers: str = "") -> str:
    return CHECKOUT.replace("{by: pull-request, merge: auto}", f"{{{approvers}approvals: {words}}}", 1)


def read(words: str, *, approvers: str = "") -> Approvals | None:
    return parse(with_approvals(words, approvers=approvers)).stages[1].proposing.approvals


# --- what is read ----------------------------------------------------------------------------------------------------


def test_a_policy_that_says_nothing_of_approvals_wants_none() -> None:
    assert parse(CHECKOUT).stages[1].proposing.approvals is None
    assert Proposing().approvals is None


def test_all_of_it_is_read() -> None:
    found = read('{need: 2, from: ["@acme/release", "@Dana", "@acme/release"], four_eyes: true, when: after-window}')
    people = ("@acme/release", "@Dana")
    assert found == Approvals(need=2, people=people, four_eyes=True, when=ApprovedWhen.AFTER_WINDOW)


def test_what_is_left_out_is_one_approval_at_any_time_of_whoever_may_write() -> None:
    assert read("{}") == Approvals(need=1, people=(), four_eyes=False, when=ApprovedWhen.ANY_TIME)


def test_whoever_may_approve_is_asked_unless_others_are_named() -> None:
    approvers = 'approvers: ["@dana"], '
    assert read("{need: 1}", approvers=approvers) == Approvals(need=1, people=("@dana",))
    assert read('{from: ["@erin"]}', approvers=approvers) == Approvals(need=1, people=("@erin",))


@pytest.mark.parametrize("need", range(1, 11))
def test_one_to_ten_may_be_needed(need: int) -> None:
    assert read(f"{{need: {need}}}") == Approvals(need=need)


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("{need: 0}", f'{PLACE}.need: found "0", expected a whole number from 1 to 10'),
        ("{need: 11}", f'{PLACE}.need: found "11", expected a whole number from 1 to 10'),
        ("{need: two}", f'{PLACE}.need: found "two", expected a whole number from 1 to 10'),
        ("{need: 1.0}", f'{PLACE}.need: found "1.0", expected a whole number from 1 to 10'),
        ("{from: []}", f"{PLACE}.from: found an empty list, expected at least one login or team"),
        ("{from: '@dana'}", f'{PLACE}.from: found "@dana", expected a list'),
        ("{from: }", f"{PLACE}.from: found nothing, expected a value, or not this key at all"),
        (
            "{from: [dana]}",
            f'{PLACE}.from[0]: found "dana", expected a login or a team, such as @dana or @acme/release',
        ),
        ("{four_eyes: yes}", f'{PLACE}.four_eyes: found "yes", expected true or false'),
        ("{when: later}", f'{PLACE}.when: found "later", expected after-window or any-time'),
        (
            "{when: after-windw}",
            f'{PLACE}.when: found "after-windw", expected after-window or any-time; did you mean "after-window"?',
        ),
        (
            "{four-eyes: true}",
            f"{PLACE}.four-eyes: found an unknown key, expected one of {KEYS}" + '; did you mean "four_eyes"?',
        ),
        ("2", f'{PLACE}: found "2", expected a mapping'),
        ("", f"{PLACE}: found nothing, expected a value, or not this key at all"),
    ],
)
def test_each_fault_is_told_where_it_stands(words: str, sentence: str) -> None:
    assert the_fault(with_approvals(words)).partition(": ")[2] == sentence


@pytest.mark.parametrize("name", ["@dana`x`", "@acme/<b>", "@acme/a\\u202eb", "@../x", "@a b", "@" + "a" * 60])
def test_a_hostile_login_or_team_is_refused_on_one_line(name: str) -> None:
    fault = the_fault(with_approvals(f'{{from: ["{name}"]}}'))
    assert f"{PLACE}.from[0]" in fault
    assert "\u202e" not in fault
    assert "\n" not in fault


def test_all_faults_are_told_at_once() -> None:
    assert len(faults_of(with_approvals("{need: 0, from: [x, y], when: never, zzz: 1}"))) == 5


def test_a_promotion_by_commit_has_no_approvals() -> None:
    text = CHECKOUT.replace("{by: pull-request, merge: auto}", "{by: commit, approvals: {need: 1}}")
    assert f"{PLACE}: found it with by: commit, expected it only with by: pull-request" in the_fault(text)


def test_four_eyes_need_a_source_to_ask() -> None:
    text = with_approvals("{four_eyes: true}")
    lines = [line for line in text.splitlines() if not line.startswith("source:")]
    assert the_fault("\n".join(lines)).partition(": ")[2] == (
        f'{PLACE}.four_eyes: found "true" without a source, expected source at the top of the policy: '
        "who wrote the commits is asked of that repository"
    )
    assert read("{four_eyes: false}") == Approvals(need=1)


def test_what_comes_from_the_registry_has_no_window_to_wait_for() -> None:
    stage = "  - name: production\n    from: staging\n"
    text = with_approvals("{when: after-window}").replace(
        stage, "  - name: production\n    from: registry\n    releases: {semver: '*'}\n"
    )
    assert the_fault(text).partition(": ")[2] == (
        f'{PLACE}.when: found "after-window" with from: registry, '
        'expected "any-time", since what comes from the registry has no window before'
    )


# --- what is warned of -----------------------------------------------------------------------------------------------


def warnings(text: str) -> list[str]:
    policy = parse_policy(text, file="a.yaml", templates=TEMPLATES)
    found = check_meaning(policy, read_tree(text, file="a.yaml", faults=[]), scrape=SCRAPE)
    return [f"{one.rule}: {str(one.fault).partition(': ')[2]}" for one in found]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            "{need: 3, from: ['@dana', '@Erin', '@erin']}",
            "found 3 approvals, expected at most 2, as many as people are named",
        ),
        ("{need: 1, from: ['@ci[bot]']}", "found 1 approval, expected the login of a person"),
    ],
)
def test_more_approvals_than_people_is_warned_of(words: str, says: str) -> None:
    assert warnings(with_approvals(words)) == [
        f"out-of-reach: {PLACE}.need: {says}: nothing is ever merged into this stage"
    ]


@pytest.mark.parametrize("words", ["{need: 10}", "{need: 2, from: ['@dana', '@erin']}", "{need: 9, from: ['@acme/a']}"])
def test_what_may_be_reached_is_not_warned_of(words: str) -> None:
    assert warnings(with_approvals(words)) == []
