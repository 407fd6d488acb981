"""What people stop beside their comments: how a file and a command say it, and what it lets be done."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.decide import decide
from bot.domain.decision import DisarmPromotion, OpenPromotion, State, Wait, WaitsOn
from bot.domain.pulls import Pull
from bot.domain.stops import (
    Stop,
    hold_of,
    parse_stops,
    parse_switch,
    stop_of_everything,
    stops_for,
    switch_body,
    with_unknown,
)
from tests.builders import (
    NOON,
    a_policy,
    a_pull,
    an_observation,
    nothing_proposed,
    old_production,
    proven_staging,
)

ALL = Stop(who="dana", reason="the network is being rebuilt")
BUT = replace(ALL, lets_roll_back=True)


# --- the file --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("all: the network", "HOLD, line 1 holds everything: the network"),
        ("all except rollbacks: new year", "HOLD, line 1 holds everything but rollbacks: new year"),
        ("checkout: invoices", "HOLD, line 1 holds checkout: invoices"),
        ("checkout/production :  sale  ", "HOLD, line 1 holds checkout/production: sale"),
        ("all:", "HOLD, line 1 holds everything: no reason is given"),
        ("checkout:", "HOLD, line 1 holds checkout: no reason is given"),
        ("  # a remark\n\nall: b", "HOLD, line 3 holds everything: b"),
        ("all: \x1b[31mred", "HOLD, line 1 holds everything: [31mred"),
    ],
)
def test_a_line_says_what_is_held_and_why(line: str, sentence: str) -> None:
    (stop,) = parse_stops(line, file="HOLD")
    assert stop.sentence == sentence


def test_each_line_is_a_hold_of_its_own() -> None:
    first, second = parse_stops("checkout: a\nsearch/production: b\n", file="HOLD")
    assert (first.service, first.stage) == ("checkout", None)
    assert (second.service, second.stage) == ("search", "production")


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing but a remark\n"])
def test_a_file_that_says_nothing_stops_everything(text: str) -> None:
    assert stop_of_everything(parse_stops(text, file="HOLD")) == Stop(
        who="HOLD", reason="the file is there, and gives no reason"
    )


@pytest.mark.parametrize(
    "line", ["checkout", "All: x", "a b: c", "checkout/: x", "all except deploys: x", "Ünïcode: x"]
)
def test_a_line_that_cannot_be_read_stops_everything_and_says_what_was_expected(line: str) -> None:
    stop = stop_of_everything(parse_stops(f"checkout: fine\n{line}", file="HOLD"))
    assert stop is not None
    assert not stop.lets_roll_back
    assert stop.who == "HOLD, line 2"
    assert 'expected "all: REASON"' in stop.reason


def test_a_file_that_is_too_long_stops_everything() -> None:
    (stop,) = parse_stops("a: b\n" * 1001, file="HOLD")
    assert stop.sentence == "HOLD holds everything: it has more than 1000 lines"


@given(st.text())
def test_no_text_is_an_error_and_none_lets_everything_go_on(text: str) -> None:
    found = parse_stops(text, file="HOLD")
    assert found
    assert all(stop.sentence.isprintable() for stop in found)


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", [ALL, BUT])
def test_a_command_reads_back_as_it_was_given(stop: Stop) -> None:
    read = parse_switch(switch_body(stop, by="dana", reason=stop.reason), NOON)
    assert read == replace(stop, who="dana (since 2026-03-02 12:00:00 UTC)")


def test_a_command_for_a_service_is_of_that_service() -> None:
    read = parse_switch(switch_body(ALL, by="dana", reason="sale"), NOON, service="checkout")
    assert read is not None
    assert read.sentence == "dana (since 2026-03-02 12:00:00 UTC) holds checkout: sale"


def test_after_the_command_to_resume_everything_goes_on() -> None:
    assert parse_switch(switch_body(None, by="dana", reason=""), NOON) is None


@pytest.mark.parametrize("body", [None, {}, "on", {"is_on": False}, {**switch_body(None, by="", reason=""), "more": 1}])
def test_a_command_that_cannot_be_read_stops_everything(body: object) -> None:
    stop = parse_switch(body, NOON)
    assert stop is not None
    assert "give it again" in stop.reason


# --- whom they concern -----------------------------------------------------------------------------------------------


def test_the_stop_that_lets_least_be_done_counts() -> None:
    assert stop_of_everything([BUT, ALL]) == ALL
    assert stop_of_everything([Stop(who="a", reason="b", service="checkout")]) is None


def test_a_hold_is_of_one_service_or_of_one_stage_of_it() -> None:
    service, stage = Stop(who="a", reason="b", service="x"), Stop(who="c", reason="d", service="x", stage="production")
    assert hold_of([stage, service], "x", "production") == stage
    assert hold_of([stage, service], "x", "staging") == service
    assert hold_of([stage], "x", "staging") is None
    assert hold_of([ALL, service], "y", "production") is None
    assert stops_for([ALL, service, stage], "y") == (ALL,)


def test_a_line_that_names_no_service_or_no_stage_of_it_stops_everything() -> None:
    stages = {"checkout": ["production"]}
    fine = (ALL, Stop(who="a", reason="b", service="checkout"), replace(ALL, service="checkout", stage="production"))
    assert with_unknown(fine, stages) == fine
    for service, stage, named in (("chekout", None, "chekout"), ("checkout", "staging", "checkout/staging")):
        (stop,) = with_unknown([Stop(who="HOLD, line 1", reason="x", service=service, stage=stage)], stages)
        assert stop_of_everything([stop]) == stop
        assert stop.reason.startswith(f"found '{named}', expected a service of a policy")


def test_a_line_that_names_the_halted_service_of_a_broken_file_is_no_mistake() -> None:
    stages = {"checkout": ["production"]}
    web = Stop(who="HOLD, line 1", reason="x", service="web", stage="production")
    assert with_unknown([web], stages, halted=["web"]) == (web,)
    for service, stage, doubt in (("chekout", None, True), ("checkout", "prod", False)):
        line = Stop(who="HOLD, line 1", reason="x", service=service, stage=stage)
        (stop,) = with_unknown([line], stages, halted=["web"])
        assert stop_of_everything([stop]) == stop
        assert ("as far as can be told, no broken file without a good version is of it" in stop.reason) is doubt


# --- what becomes of a decision --------------------------------------------------------------------------------------


def test_while_everything_is_held_what_would_be_opened_is_not_and_says_so() -> None:
    seen = an_observation(proven_staging(), old_production(promotion=nothing_proposed()))
    free = decide(a_policy(), seen, seen.at)
    assert any(isinstance(action, OpenPromotion) for action in free.actions)
    held = decide(a_policy(), replace(seen, stops=(ALL,)), seen.at)
    assert {type(action) for action in held.actions} == {Wait}
    candidate = next(one for one in held.judgements if one.role == "candidate")
    assert (candidate.state, candidate.waits_on) == (State.HELD_BY_HUMAN, WaitsOn.HUMAN)
    assert candidate.reason == ALL.sentence
    assert [one for one in held.judgements if one.role == "running"] == [
        one for one in free.judgements if one.role == "running"
    ]


@pytest.mark.parametrize("pull", [replace(a_pull(), armed_by_bot=True), replace(a_pull(), queued_by_bot=True)])
def test_what_the_forge_would_merge_by_itself_is_taken_back(pull: Pull) -> None:
    proposal = replace(nothing_proposed(), pull=pull)
    seen = an_observation(
        proven_staging(),
        old_production(promotion=proposal),
    )
    held = decide(a_policy(), replace(seen, stops=(ALL,)), seen.at)
    (disarm,) = [action for action in held.actions if not isinstance(action, Wait)]
    assert isinstance(disarm, DisarmPromotion)
    assert disarm.reason == ALL.sentence
