"""What the ledger says of policies, and entries that another version of Liftlock wrote."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bot.domain.decision import State
from bot.domain.evidence import evidence_hash
from bot.domain.policy import Origin
from bot.domain.timeline import Step
from bot.engine.record import AnotherVersion, note_policy, parse_decision, remembered_policies, replay
from bot.ports import Transient
from tests.builders import MINUTE, NOON, a_count_gate, a_policy, sha
from tests.fake_world import FakeWorld
from tests.fakes import FakeLedger


def test_a_policy_is_noted_once_and_the_first_has_no_since() -> None:
    ledger = FakeLedger()
    assert note_policy(ledger, a_policy(), None, NOON) is None
    known = ledger.latest("policy")["checkout"]
    assert note_policy(ledger, a_policy(), known, NOON + MINUTE) is None
    assert len(ledger.recorded) == 1


@pytest.mark.invariant("I6")
def test_a_file_that_means_something_else_than_before_is_a_new_policy() -> None:
    ledger = FakeLedger()
    note_policy(ledger, a_policy(), None, NOON)
    other = replace(a_policy(gates=(a_count_gate(limit=0.5),)), version=a_policy().version)
    later = NOON + MINUTE
    assert note_policy(ledger, other, ledger.latest("policy")["checkout"], later) == later
    assert note_policy(ledger, other, ledger.latest("policy")["checkout"], later + MINUTE) == later
    assert len(ledger.recorded) == 2


def test_a_policy_of_a_version_that_knew_no_data_sources_is_the_same_policy() -> None:
    """Else an upgrade would begin every health window anew."""
    ledger = FakeLedger()
    note_policy(ledger, a_policy(), None, NOON)
    known = ledger.latest("policy")["checkout"]
    text = json.dumps(known.body)
    assert '"source": "prometheus"' in text
    before = replace(known, body=json.loads(text.replace(', "source": "prometheus"', "")))
    assert before.body != known.body
    assert note_policy(ledger, a_policy(), before, NOON + MINUTE) is None
    assert len(ledger.recorded) == 1


@pytest.mark.parametrize("told", [None, {}, {"service": "checkout"}], ids=["nothing", "empty", "cut"])
def test_a_policy_that_this_version_cannot_read_is_another(told: object) -> None:
    ledger = FakeLedger()
    note_policy(ledger, a_policy(), None, NOON)
    known = ledger.latest("policy")["checkout"]
    later = NOON + MINUTE
    assert note_policy(ledger, a_policy(), replace(known, body={**known.body, "policy": told}), later) == later


@pytest.mark.invariant("I6")
def test_a_policy_that_only_another_commit_has_is_the_same_policy() -> None:
    ledger = FakeLedger()
    first, second = (Origin(repository="acme/policies", commit=sha(name)) for name in ("first", "second"))
    note_policy(ledger, replace(a_policy(), origin=first), None, NOON)
    for origin in (second, None):
        known = ledger.latest("policy")["checkout"]
        assert note_policy(ledger, replace(a_policy(), origin=origin), known, NOON + MINUTE) is None
    assert len(ledger.recorded) == 1


@pytest.mark.invariant("I6")
def test_a_policy_whose_file_is_renamed_is_the_same_policy() -> None:
    """Else the window of each release under observation would begin anew."""
    ledger = FakeLedger()
    note_policy(ledger, a_policy(), None, NOON)
    known = ledger.latest("policy")["checkout"]
    renamed = replace(a_policy(), file="shop.yaml")
    assert note_policy(ledger, renamed, known, NOON + MINUTE) is None
    before = replace(known, body=json.loads(json.dumps(known.body).replace(', "source": "prometheus"', "")))
    assert note_policy(ledger, renamed, before, NOON + MINUTE) is None
    assert len(ledger.recorded) == 1


@pytest.mark.invariant("I6")
def test_the_first_policy_of_a_service_is_new_in_a_ledger_that_has_others() -> None:
    """Its releases may have been judged by another policy until now, under another name of the service."""
    ledger = FakeLedger()
    note_policy(ledger, a_policy(), None, NOON)
    renamed, later = replace(a_policy(), service="shop"), NOON + MINUTE
    assert note_policy(ledger, renamed, None, later, is_begun=True) == later
    known = ledger.latest("policy")["shop"]
    assert note_policy(ledger, renamed, known, later + MINUTE, is_begun=True) == later
    assert len(ledger.recorded) == 2


@pytest.mark.invariant("I6")
def test_a_policy_that_a_new_ledger_begins_with_is_in_force_since_its_commit() -> None:
    """Where the ledger was lost, Git still knows when the policy came."""
    ledger, since = FakeLedger(), NOON - MINUTE
    committed = Origin(repository="acme/policies", commit=sha("first"), since=since)
    assert note_policy(ledger, replace(a_policy(), origin=committed), None, NOON) == since
    known = ledger.latest("policy")["checkout"]
    later = replace(committed, commit=sha("second"), since=NOON + MINUTE)
    assert note_policy(ledger, replace(a_policy(), origin=later), known, NOON + 2 * MINUTE, is_begun=True) == since
    assert len(ledger.recorded) == 1


def test_a_commit_of_a_time_to_come_is_in_force_since_it_is_seen() -> None:
    ahead = Origin(repository="acme/policies", commit=sha("first"), since=NOON + MINUTE)
    assert note_policy(FakeLedger(), replace(a_policy(), origin=ahead), None, NOON) == NOON


def test_the_policy_that_a_file_had_is_remembered_while_its_service_was_handled_still() -> None:
    ledger = FakeLedger()
    note_policy(ledger, a_policy(), None, NOON)
    events, file = ledger.latest("policy"), "checkout.yaml"
    assert remembered_policies(events, {"checkout"}, [file, "other.yaml"]) == {file: a_policy()}
    assert remembered_policies({**events, "again": events["checkout"]}, {"checkout", "again"}, [file])
    assert remembered_policies(events, {"checkout"}, ["other.yaml"]) == {}
    assert remembered_policies(events, {"web"}, [file]) == {}
    of_repository = replace(a_policy(), origin=Origin(repository="acme/policies", commit=sha("first")))
    note_policy(ledger, replace(of_repository, version="other"), events["checkout"], NOON)
    assert remembered_policies(ledger.latest("policy"), {"checkout"}, [file]) == {}
    odd = replace(events["checkout"], body={"policy": {"file": "checkout.yaml", "service": 1}})
    assert remembered_policies({"checkout": odd}, {"checkout"}, [file]) == {}
    assert remembered_policies({"checkout": replace(odd, body={})}, {"checkout"}, [file]) == {}


def test_an_entry_of_another_version_is_told_apart() -> None:
    with pytest.raises(AnotherVersion):
        parse_decision({"service": "checkout"})
    with pytest.raises(AnotherVersion):
        replay({"decision": {"service": "checkout"}}, {})


@pytest.mark.invariant("I8")
def test_a_write_that_is_tried_again_has_its_own_evidence_in_the_ledger() -> None:
    """The commit names the evidence of the second look; the first entry has that of the first."""
    world = FakeWorld()
    world.release()
    world.sweep()
    world.pass_time(34)
    world.repositories.fail["push"] = Transient("Git", "away")
    world.sweep()
    world.pass_time(1)
    del world.repositories.fail["push"]
    decision = world.sweep()
    written = next(one for one in decision.judgements if one.state is State.PROVEN)
    recorded = [
        evidence_hash(one.verdicts)
        for event in world.ledger.recorded
        if event.kind == "decision"
        for one in parse_decision(event.body["decision"]).judgements
    ]
    assert evidence_hash(written.verdicts) in recorded


def test_each_step_of_a_release_is_in_the_ledger_when_it_is_taken() -> None:
    """Production stays *watching after promotion* all the time, and its sync and health come one after the other."""
    world = FakeWorld()
    world.release()
    world.sweep()
    world.pass_time(34)
    world.sweep()
    world.sweep()
    world.pass_time(1)
    world.sweep()
    world.sync()
    world.pass_time(1)
    world.sweep()
    decisions = [parse_decision(event.body["decision"]) for event in world.ledger.recorded if event.kind == "decision"]
    running = [
        [milestone.step for milestone in judgement.timeline]
        for decision in decisions
        for judgement in decision.judgements
        if (judgement.stage, judgement.role, judgement.state) == ("production", "running", State.WATCHING)
    ]
    assert running[0][-1] is Step.MERGED
    assert running[-1][-1] is Step.LIVE
