"""Who may command what: each command with and without the right, each obstacle, and the head an approval is for."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.authority import (
    Accepted,
    Author,
    Authority,
    Denied,
    Permission,
    Said,
    Subject,
    effect_sentence,
    judge_command,
)
from bot.domain.commands import Command, Verb
from bot.domain.model import Sha
from bot.domain.orders import BOUND, QUESTIONS, WITH_REASON, Order, as_json, parse_order
from bot.domain.pulls import PullState
from tests.builders import MINUTE, NOON, sha

SECOND = timedelta(seconds=1)
HEAD, OTHER = sha("here"), sha("there")
DANA = Author(id=7, login="dana")
APP = Author(id=5, login="renovate[bot]", is_app=True)
ADMIN = Authority(permission=Permission.ADMIN)
SUBJECT = Subject(
    service="checkout",
    source="staging",
    stage="production",
    release="ghcr.io/acme/checkout:1.9.0",
    state=PullState.OPEN,
    head=HEAD,
    head_since=NOON - MINUTE,
    gates=("http-errors", "Argo CD"),
)
MERGED = replace(SUBJECT, state=PullState.MERGED, is_present=True)
SAID = Said(comment=100, number=12, author=DANA, body="/liftlock status", created_at=NOON, head=HEAD)


def a_command(verb: Verb, *, sha: str | None = None, gate: str = "http-errors") -> Command:
    return Command(
        verb=verb,
        line=3,
        reason="it is known" if verb in WITH_REASON else "",
        gate=gate if verb is Verb.PROMOTE else "",
        sha=sha,
    )


def judged(
    command: Command | Verb, *, by: Authority = ADMIN, said: Said = SAID, about: Subject | None = None
) -> Accepted | Denied:
    command = command if isinstance(command, Command) else a_command(command)
    return judge_command(command, said, by, about or (MERGED if command.verb is Verb.ROLLBACK else SUBJECT))


def refusal(command: Command | Verb, *, by: Authority = ADMIN, said: Said = SAID, about: Subject | None = None) -> str:
    found = judged(command, by=by, said=said, about=about)
    assert isinstance(found, Denied)
    return found.reason


def order_of(found: Accepted | Denied) -> Order:
    assert isinstance(found, Accepted)
    assert found.order is not None
    return found.order


# --- Who may ---------------------------------------------------------------------------------------------------------

# What each role may do, and whether an approver of the policy may, who else may only read.
# verb                      | least role                | with approvers named | an approver may
RIGHTS = [
    (Verb.STATUS, Permission.READ, Permission.READ, True),
    (Verb.EXPLAIN, Permission.READ, Permission.READ, True),
    (Verb.HELP, Permission.READ, Permission.READ, True),
    (Verb.HOLD, Permission.WRITE, Permission.WRITE, False),
    (Verb.RESUME, Permission.WRITE, Permission.WRITE, False),
    (Verb.RETRY, Permission.WRITE, Permission.WRITE, False),
    (Verb.APPROVE, Permission.WRITE, Permission.ADMIN, True),
    (Verb.PROMOTE, Permission.MAINTAIN, Permission.MAINTAIN, True),
    (Verb.REJECT, Permission.WRITE, Permission.WRITE, True),
    (Verb.ROLLBACK, Permission.WRITE, Permission.WRITE, True),
]


@pytest.mark.parametrize(("verb", "least", "with_approvers", "approver_may"), RIGHTS, ids=str)
@pytest.mark.parametrize("permission", list(Permission))
def test_each_command_needs_its_role(
    verb: Verb, least: Permission, with_approvers: Permission, approver_may: bool, permission: Permission
) -> None:
    subject = MERGED if verb is Verb.ROLLBACK else SUBJECT
    named = replace(subject, has_approvers=True)
    by, approver = Authority(permission=permission), Authority(permission=permission, is_approver=True)
    assert isinstance(judged(verb, by=by, about=subject), Accepted) == (permission >= least)
    assert isinstance(judged(verb, by=by, about=named), Accepted) == (permission >= with_approvers)
    may = permission >= with_approvers or (approver_may and (permission >= Permission.READ or verb not in QUESTIONS))
    assert isinstance(judged(verb, by=approver, about=named), Accepted) == may


@pytest.mark.parametrize(
    ("verb", "permission", "says"),
    [
        (
            Verb.STATUS,
            Permission.NONE,
            (
                "ask about checkout in production: that needs the read role; "
                "dana has no access here, or another name by now"
            ),
        ),
        (Verb.HOLD, Permission.READ, "hold checkout in production: that needs the write role; dana has read"),
        (Verb.RESUME, Permission.TRIAGE, "resume checkout in production: that needs the write role; dana has triage"),
        (Verb.RETRY, Permission.READ, "ask for another try in production: that needs the write role; dana has read"),
        (Verb.APPROVE, Permission.READ, "approve releases for production: that needs the write role; dana has read"),
        (Verb.PROMOTE, Permission.WRITE, "override gates in production: that needs the maintain role; dana has write"),
        (Verb.REJECT, Permission.READ, "reject releases for production: that needs the write role; dana has read"),
        (Verb.ROLLBACK, Permission.READ, "roll back releases in production: that needs the write role; dana has read"),
    ],
)
def test_a_denial_says_who_what_and_what_it_would_take(verb: Verb, permission: Permission, says: str) -> None:
    assert refusal(verb, by=Authority(permission=permission)) == f"@dana may not {says}."


@pytest.mark.parametrize("verb", [verb for verb, *_ in RIGHTS if verb not in QUESTIONS])
def test_whoever_is_asked_for_an_approval_may_approve_and_nothing_else(verb: Verb) -> None:
    about = replace(MERGED if verb is Verb.ROLLBACK else SUBJECT, has_approvers=True)
    asked = Authority(permission=Permission.READ, is_asked=True)
    assert isinstance(judged(verb, by=asked, about=about), Accepted) is (verb is Verb.APPROVE)


def test_an_approval_that_is_one_of_several_does_not_say_that_it_moves_the_release() -> None:
    found = judged(Verb.APPROVE, about=replace(SUBJECT, counts_approvals=True))
    assert isinstance(found, Accepted)
    assert effect_sentence(found) == (
        f"Approved by dana: ghcr.io/acme/checkout:1.9.0 with commit {HEAD[:7]} and no other. "
        "How many that makes is told with the approvals."
    )
    held = judged(Verb.HOLD, about=replace(SUBJECT, counts_approvals=True))
    assert isinstance(held, Accepted)
    assert held.is_counted is False


@pytest.mark.parametrize(
    ("verb", "says"),
    [
        (Verb.APPROVE, "approve releases for production: that needs the admin role or to be an approver of the policy"),
        (Verb.PROMOTE, "override gates in production: that needs the maintain role or to be an approver of the policy"),
        (Verb.HOLD, "hold checkout in production: that needs the write role"),
    ],
)
def test_a_denial_names_the_approvers_where_they_may(verb: Verb, says: str) -> None:
    about, by = replace(SUBJECT, has_approvers=True), Authority(permission=Permission.TRIAGE)
    assert refusal(verb, by=by, about=about) == f"@dana may not {says}; dana has triage."


@pytest.mark.parametrize("verb", list(Verb))
def test_an_app_never_commands_whatever_its_role(verb: Verb) -> None:
    assert refusal(verb, said=replace(SAID, author=APP)) == "@renovate[bot] is an app, and only people command."


# --- What stands in the way ------------------------------------------------------------------------------------------


def not_done(verb: Verb, why: str) -> str:
    return f"@dana's `/liftlock {verb}` is not carried out: {why}."


@pytest.mark.parametrize("verb", sorted(BOUND))
@pytest.mark.parametrize("state", [PullState.CLOSED, PullState.MERGED])
def test_only_an_open_pull_request_is_approved_or_overridden(verb: Verb, state: PullState) -> None:
    about = replace(SUBJECT, state=state)
    assert refusal(verb, about=about) == not_done(
        verb, f"pull request 12 is {state}, and only an open one moves a release"
    )


@pytest.mark.parametrize("verb", [Verb.HOLD, Verb.RESUME, Verb.RETRY, *sorted(QUESTIONS)])
@pytest.mark.parametrize("state", list(PullState))
def test_holds_retries_and_questions_are_for_any_pull_request(verb: Verb, state: PullState) -> None:
    assert isinstance(judged(verb, about=replace(SUBJECT, state=state)), Accepted)


def test_a_closed_pull_request_may_be_rejected_and_a_merged_one_not() -> None:
    assert isinstance(judged(Verb.REJECT, about=replace(SUBJECT, state=PullState.CLOSED)), Accepted)
    instead = "pull request 12 is merged already, and `/liftlock rollback REASON` is what takes a release back"
    assert refusal(Verb.REJECT, about=MERGED) == not_done(Verb.REJECT, instead)


def test_only_the_merge_that_brought_the_present_release_is_rolled_back() -> None:
    assert isinstance(judged(Verb.ROLLBACK, about=MERGED), Accepted)
    assert refusal(Verb.ROLLBACK, about=replace(MERGED, is_present=False)) == not_done(
        Verb.ROLLBACK,
        "pull request 12 is not what brought production its present release; write it in the one that did",
    )
    assert refusal(Verb.ROLLBACK, about=SUBJECT) == not_done(
        Verb.ROLLBACK,
        "pull request 12 is not merged, and `/liftlock reject REASON` is what keeps its release out of production",
    )


@pytest.mark.invariant("I3")
def test_no_override_moves_a_quarantined_release() -> None:
    assert refusal(Verb.PROMOTE, about=replace(SUBJECT, is_quarantined=True)) == not_done(
        Verb.PROMOTE,
        "ghcr.io/acme/checkout:1.9.0 was taken back and is quarantined, and no override moves it: release a new one, "
        "or write `/liftlock lift REASON`",
    )


@pytest.mark.parametrize("gate", ["http-error", "HTTP-errors", "argo cd", "http-errors ", "", "http-errors\u200b"])
def test_an_override_names_a_gate_exactly(gate: str) -> None:
    assert "staging has no gate" in refusal(a_command(Verb.PROMOTE, gate=gate))


@pytest.mark.parametrize(
    ("gate", "gates", "why"),
    [
        (
            "http-error",
            ("http-errors", "lag"),
            'staging has no gate "http-error", perhaps "http-errors" was meant; its gates are http-errors and lag',
        ),
        (
            "x\u202e",
            ("http-errors", "Argo CD"),
            'staging has no gate "x"; its gates are http-errors and Argo CD; a name with spaces stands in quotes',
        ),
        ("x", (), 'staging has no gate "x"; it has no gates at all'),
    ],
)
def test_an_unknown_gate_is_answered_with_those_that_are(gate: str, gates: tuple[str, ...], why: str) -> None:
    about = replace(SUBJECT, gates=gates)
    assert refusal(a_command(Verb.PROMOTE, gate=gate), about=about) == not_done(Verb.PROMOTE, why)


# --- The head that an approval is for --------------------------------------------------------------------------------

#  named | first seen at | head came           | bound
#  ------|---------------|---------------------|------
#  -     | the head      | before              | yes
#  -     | the head      | same second or later | no
#  -     | the head      | unknown             | no
#  -     | another, none | before              | no
#  short | the head      | before              | yes
#  short | the head      | same second or later | no
#  full  | whatever      | whenever            | yes
#  other | whatever      | whenever            | no
BEFORE, AT_ONCE, AFTER = NOON - SECOND, NOON, NOON + SECOND
MOVED = "moved to {head} after the comment"
UNKNOWN = "since when pull request 12 has its head {head} is not known"
OTHERWISE = "the head of pull request 12 is {head} and not"


@pytest.mark.invariant("I16")
@pytest.mark.parametrize(
    ("named", "seen_at", "since", "why"),
    [
        (None, HEAD, BEFORE, None),
        (None, HEAD, AT_ONCE, MOVED),
        (None, HEAD, AFTER, MOVED),
        (None, HEAD, None, UNKNOWN),
        (None, OTHER, BEFORE, MOVED),
        (None, None, BEFORE, MOVED),
        (HEAD[:7], HEAD, BEFORE, None),
        (HEAD[:39], HEAD, AFTER, MOVED),
        (HEAD[:7], OTHER, BEFORE, MOVED),
        (HEAD[:7], HEAD, None, UNKNOWN),
        (HEAD, OTHER, AFTER, None),
        (HEAD, None, None, None),
        (OTHER, HEAD, BEFORE, OTHERWISE),
        (OTHER[:7], OTHER, AFTER, OTHERWISE),
        (f"{HEAD}00", HEAD, BEFORE, OTHERWISE),
    ],
)
def test_an_approval_is_bound_to_the_head_that_its_author_saw(
    named: str | None, seen_at: Sha | None, since: None, why: str | None
) -> None:
    command = a_command(Verb.APPROVE, sha=named)
    said, about = replace(SAID, head=seen_at), replace(SUBJECT, head_since=since)
    if why is None:
        assert order_of(judged(command, said=said, about=about)).head == HEAD
    else:
        assert why.format(head=HEAD[:7]) in refusal(command, said=said, about=about)


def test_an_approval_of_another_head_is_told_how_to_approve_this_one() -> None:
    then = f"look at what it proposes now, then write `/liftlock approve {HEAD}`"
    assert refusal(Verb.APPROVE, about=replace(SUBJECT, head_since=AFTER)) == not_done(
        Verb.APPROVE, f"pull request 12 moved to {HEAD[:7]} after the comment; {then}"
    )
    assert refusal(a_command(Verb.APPROVE, sha=OTHER)) == not_done(
        Verb.APPROVE, f"the head of pull request 12 is {HEAD[:7]} and not {OTHER[:7]}; {then}"
    )


def test_an_override_is_bound_as_an_approval_is() -> None:
    assert order_of(judged(Verb.PROMOTE)).head == HEAD
    assert refusal(Verb.PROMOTE, about=replace(SUBJECT, head_since=AFTER)) == not_done(
        Verb.PROMOTE,
        f"pull request 12 moved to {HEAD[:7]} after the comment; look at what it proposes now, then write the command "
        "again",
    )


# --- What it does ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "says"),
    [
        (Verb.STATUS, "Answered dana's `/liftlock status`."),
        (Verb.HOLD, "Held by dana: nothing moves into production until `/liftlock resume`."),
        (Verb.RESUME, "Resumed by dana: releases may move into production again."),
        (
            Verb.APPROVE,
            "Approved by dana: IT may move into production with commit 6865726 and no other.",
        ),
        (
            Verb.PROMOTE,
            'Overridden by dana: the gate "lag" does not stop IT from moving into production with commit 6865726.',
        ),
        (
            Verb.REJECT,
            "Rejected by dana: IT does not move into production until `/liftlock retry` or `/liftlock approve`.",
        ),
        (
            Verb.ROLLBACK,
            "Rollback asked for by dana: the promotion of IT into production is taken back.",
        ),
        (
            Verb.RETRY,
            "Another try asked for by dana: IT is judged anew for production, and a rejection of it no longer stands.",
        ),
    ],
)
def test_what_an_accepted_command_does_is_one_sentence(verb: Verb, says: str) -> None:
    about = replace(MERGED if verb is Verb.ROLLBACK else SUBJECT, gates=("lag",))
    found = judged(a_command(verb, gate="lag"), about=about)
    assert isinstance(found, Accepted)
    assert effect_sentence(found) == says.replace("IT", SUBJECT.release)


def test_braces_in_outside_text_are_only_text() -> None:
    about = replace(SUBJECT, gates=("{who.__class__}",))
    found = judged(a_command(Verb.PROMOTE, gate="{who.__class__}"), about=about)
    assert isinstance(found, Accepted)
    assert 'the gate "{who.__class__}"' in effect_sentence(found)


def test_an_accepted_order_says_all_that_is_to_be_kept() -> None:
    assert judged(Verb.PROMOTE) == Accepted(
        command=a_command(Verb.PROMOTE),
        by=DANA,
        order=Order(
            kind=Verb.PROMOTE,
            service="checkout",
            stage="production",
            release="ghcr.io/acme/checkout:1.9.0",
            by_id=7,
            by_login="dana",
            at=NOON,
            comment=100,
            line=3,
            number=12,
            gate="http-errors",
            reason="it is known",
            head=HEAD,
        ),
    )


# --- Laws ------------------------------------------------------------------------------------------------------------

subjects = st.builds(
    replace,
    st.just(SUBJECT),
    state=st.sampled_from(PullState),
    head_since=st.sampled_from([None, BEFORE, AFTER]),
    has_approvers=st.booleans(),
    is_present=st.booleans(),
    is_quarantined=st.booleans(),
)
commands = st.builds(
    a_command, st.sampled_from(Verb), sha=st.none(), gate=st.sampled_from(["http-errors", "Argo CD", "lag"])
)
authorities = st.builds(Authority, permission=st.sampled_from(Permission), is_approver=st.booleans())


@given(commands, authorities, subjects)
def test_more_rights_never_turn_an_accepted_command_into_a_denied_one(
    command: Command, by: Authority, about: Subject
) -> None:
    if isinstance(judged(command, by=by, about=about), Accepted):
        for permission in Permission:
            more = Authority(permission=max(permission, by.permission), is_approver=True)
            assert isinstance(judged(command, by=more, about=about), Accepted)


@given(commands, authorities, subjects)
def test_an_accepted_command_leaves_an_order_that_the_ledger_reads_back(
    command: Command, by: Authority, about: Subject
) -> None:
    found = judged(command, by=by, about=about)
    if isinstance(found, Accepted) and command.verb not in QUESTIONS:
        order = order_of(found)
        assert parse_order(as_json(order)) == order
        assert (order.head == about.head) == (command.verb in BOUND)


@given(commands, authorities, subjects)
def test_a_denial_is_one_sentence_that_names_its_author(command: Command, by: Authority, about: Subject) -> None:
    found = judged(command, by=by, about=about)
    assert isinstance(found, Accepted) or re.fullmatch(r"@dana.+\.", found.reason)
