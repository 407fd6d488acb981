"""How a policy names applications, and what is recalled of them."""

from __future__ import annotations

import pytest

from bot.domain.argo import (
    Ancestry,
    HealthSpell,
    Mark,
    MarkKind,
    Membership,
    Memory,
    NamedApplication,
    Requirement,
    SelectedApplications,
    remember,
)
from bot.domain.model import Carries
from tests.builders import HEAD, MINUTE, NOON, sha

LABELS = {"app": "checkout", "tier": "web"}


@pytest.mark.parametrize(
    ("requirement", "holds", "text"),
    [
        (Requirement(label="app", values=("checkout",)), True, "app=checkout"),
        (Requirement(label="app", values=("cart",)), False, "app=cart"),
        (Requirement(label="env", values=("prod",)), False, "env=prod"),
        (Requirement(label="app", values=("checkout",), negated=True), False, "app!=checkout"),
        (Requirement(label="env", values=("prod",), negated=True), True, "env!=prod"),
        (Requirement(label="tier", values=("web", "api")), True, "tier in (web,api)"),
        (Requirement(label="tier", values=("web", "api"), negated=True), False, "tier notin (web,api)"),
        (Requirement(label="app"), True, "app"),
        (Requirement(label="env"), False, "env"),
        (Requirement(label="env", negated=True), True, "!env"),
        (Requirement(label="app", negated=True), False, "!app"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_requirement_holds_as_in_kubernetes(requirement: Requirement, holds: bool, text: str) -> None:
    assert requirement.holds(LABELS) is holds
    assert str(requirement) == text


def test_an_application_is_shown_with_its_server_unless_it_is_the_default_one() -> None:
    assert NamedApplication(name="argo/checkout").shown == "argo/checkout"
    assert NamedApplication(name="checkout", server="eu").shown == "eu:checkout"
    selector = (Requirement(label="app", values=("checkout",)), Requirement(label="canary", negated=True))
    assert SelectedApplications(selector=selector, server="eu").shown == "eu:app=checkout,!canary"


def test_no_revision_carries_nothing() -> None:
    assert not Ancestry().all_carry(())
    assert not Ancestry(carries={HEAD: Carries.YES}).all_carry((HEAD, sha("old")))
    assert Ancestry(carries={HEAD: Carries.YES}).all_carry((HEAD,))


def a_run(*members: str, first: int, last: int) -> Membership:
    return Membership(members=members, first_seen=NOON + first * MINUTE, last_seen=NOON + last * MINUTE)


def test_members_that_never_changed_restart_nothing() -> None:
    memory = remember([], [a_run("a", first=0, last=9)], [], NOON + 9 * MINUTE)
    assert (memory.members_since, memory.members_before) == (None, ())
    assert Memory().members_before == ()


def test_the_present_members_count_from_when_they_were_first_seen() -> None:
    memory = remember([], [a_run("a", first=0, last=4), a_run("a", "b", first=5, last=9)], [], NOON + 9 * MINUTE)
    assert (memory.members_since, memory.members_before) == (NOON + 5 * MINUTE, ("a",))


def test_the_same_members_seen_by_two_bots_are_one_run() -> None:
    runs = [a_run("a", first=0, last=4), a_run("a", first=0, last=9), a_run("a", first=3, last=5)]
    memory = remember([], runs, [], NOON + 9 * MINUTE)
    assert memory.memberships == (a_run("a", first=0, last=9),)


def test_a_look_as_of_then_recalls_nothing_later() -> None:
    spells = [
        HealthSpell(application="a", health="Healthy", first_seen=NOON, last_seen=NOON + 9 * MINUTE),
        HealthSpell(application="a", health="Degraded", first_seen=NOON + 6 * MINUTE, last_seen=NOON + 9 * MINUTE),
    ]
    marks = [Mark(application="a", kind=MarkKind.ASKED_SYNC, at=NOON + minute * MINUTE) for minute in (1, 6)]
    runs = [a_run("a", first=0, last=4), a_run("b", first=6, last=9)]
    memory = remember(spells, runs, marks, NOON + 5 * MINUTE)
    assert [(spell.health, spell.last_seen) for spell in memory.spells] == [("Healthy", NOON + 5 * MINUTE)]
    assert [mark.at for mark in memory.marks] == [NOON + MINUTE]
    assert memory.members_since is None


def test_what_argo_cd_told_counts_although_its_clock_is_ahead() -> None:
    mark = Mark(application="a", kind=MarkKind.SYNCED, at=NOON + MINUTE)
    assert remember([], [], [mark], NOON).marks == (mark,)
