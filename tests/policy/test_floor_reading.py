"""A floor's own file: read with the strictness of a policy, and every fault told at once."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.policy import AtDeadline, AutoMerge, Merge, Road
from bot.domain.rules import Accept, CountGate, Side, ValueGate
from bot.domain.signers import KeyHolder, Keyless
from bot.policy import PolicyError, shipped_gate_templates
from bot.policy.floor import Floor, parse_floor
from bot.policy.floor.model import Every
from bot.policy.tree import MAX_BYTES

SHIPPED = shipped_gate_templates()
EVERYTHING = """\
apiVersion: liftlock.dev/v1
floor:
  - stages: [production, prod-*]
    services: ["*"]
    except: [playground]
    before:
      window: {for: 30m, at_deadline: [ask, hold]}
      gates:
        - {use: http-errors, limit: 1%, floor: 300}
        - {use: [kafka-lag, rabbitmq-ready], above: 1000}
        - {use: kubernetes-restarts, at_most: 0}
        - {use: pool-use, own: true, below: 10%}
        - {use: http-latency, parameters: {slower_than: 500ms}}
        - {use: grpc-errors, accept: not-shown-bad}
    promote: {by: pull-request, merge: human, auto_merge: bound, approvers: ["@acme/release"]}
    artifact:
      signers:
        - identity: "https://github.com/acme/*/.github/workflows/*@refs/tags/*"
          repository: "https://github.com/acme/*"
        - {key: release}
      log: optional
      require: [{use: signature}, {use: provenance}]
    rollback:
      watch: 30m
      cool_down: 0s
      during_freeze: true
      triggers: [{use: argocd-degraded, for: 5m}]
    calendar: {timezone: UTC, freeze: [{days: [sat-sun]}]}
  - every: promoted
    window: {for: 5m}
    gates: [{use: soak}]
"""


def read(text: str) -> Floor:
    return parse_floor(text, file="floor.yaml", templates=SHIPPED)


def faults_of(text: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        read(text)
    return [str(fault) for fault in caught.value.faults]


def test_everything_that_a_floor_can_say_is_read() -> None:
    first, second = read(EVERYTHING).rules
    assert (first.place, second.place) == ("floor.yaml:3:5", "floor.yaml:29:5")
    assert (first.stages, first.services, first.but) == (("production", "prod-*"), ("*",), ("playground",))
    assert second.every is Every.PROMOTED
    assert first.before is not None
    assert first.before.window is not None
    assert first.before.window.at_deadline == (AtDeadline.ASK, AtDeadline.HOLD)
    errors, lag, restarts, pool, latency, grpc = first.before.gates
    assert (errors.kinds, errors.bounds) == ((CountGate,), {"limit": 0.01, "floor": 300.0})
    assert (lag.uses, lag.kinds) == (("kafka-lag", "rabbitmq-ready"), (ValueGate,))
    assert lag.bounds == {"bound": 1000.0, "side": Side.ABOVE, "is_sum": False}
    assert restarts.bounds == {"bound": 0.0, "is_sum": True}
    assert (pool.own, pool.bounds["side"]) == (True, Side.BELOW)
    assert latency.parameters == {"slower_than": "500ms"}
    assert (errors.accept, grpc.accept) == (Accept.PROVEN, Accept.NOT_SHOWN_BAD)
    assert first.promote is not None
    assert (first.promote.by, first.promote.merge) == (Road.PULL_REQUEST, Merge.HUMAN)
    assert first.promote.auto_merge is AutoMerge.BOUND
    assert first.artifact is not None
    keyless, key = first.artifact.signers
    assert isinstance(keyless, Keyless)
    assert keyless.repository == "https://github.com/acme/*"
    assert key == KeyHolder(key="release")
    assert [rule.kind for rule, _ in first.artifact.required] == ["signature", "provenance"]
    assert not first.artifact.must_be_logged
    assert first.rollback is not None
    assert first.rollback.during_freeze
    assert first.calendar is not None
    assert second.judged.gates[0].uses == ("soak",)


NAMES = "a name of a-z, 0-9 and -, with * for any part of it"


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (
            "  - every: promoted\n",
            "  - stages: [a]\n    every: promoted\n",
            "29:5: floor[1]: found every beside stages, expected stages, or every: promoted or stage",
        ),
        (
            "  - every: promoted\n    window",
            "  - window",
            "29:5: floor[1]: found neither stages nor every, expected stages, or every: promoted or stage",
        ),
        (
            "    window: {for: 5m}\n    gates: [{use: soak}]\n",
            "",
            (
                "29:5: floor[1]: found a rule that asks for nothing, expected one of before, window, gates, promote, "
                "artifact, rollback, calendar"
            ),
        ),
        ("every: promoted", "every: one", '29:12: floor[1].every: found "one", expected promoted or stage'),
        ("[playground]", "[]", f"5:13: floor[0].except: found an empty list, expected {NAMES}"),
        ("[playground]", "[Play]", f'5:14: floor[0].except[0]: found "Play", expected {NAMES}'),
        ("window: {for: 5m}", "window: {}", "30:13: floor[1].window: found nothing in it, expected for or at_deadline"),
        (
            "{for: 5m}",
            "{fro: 5m}",
            '30:14: floor[1].window.fro: found an unknown key, expected one of at_deadline, for; did you mean "for"?',
        ),
        (
            "[ask, hold]",
            "[wait]",
            '7:40: floor[0].before.window.at_deadline[0]: found "wait", expected ask, hold or promote',
        ),
        (
            "gates: [{use: soak}]",
            "gates: []",
            "31:12: floor[1].gates: found an empty list, expected at least one entry with use",
        ),
        (
            "gates: [{use: soak}]",
            "gates: [{use: []}]",
            "31:19: floor[1].gates[0].use: found an empty list, expected at least one name",
        ),
        (
            "gates: [{use: soak}]",
            "gates: [{use: [soak, A b]}]",
            '31:26: floor[1].gates[0].use[1]: found "A b", expected the name of a gate template',
        ),
        (
            "gates: [{use: soak}]",
            "gates: [{own: true}]",
            "31:13: floor[1].gates[0].use: found nothing, expected the name of a gate template, or a list of them",
        ),
        (
            "limit: 1%, floor",
            "objective: 99%, floor",
            (
                "9:41: floor[0].before.gates[0].objective: found "
                "objective beside floor, expected bounds of one kind of rule"
            ),
        ),
        (
            "above: 1000",
            "above: 1000, below: 5",
            "10:66: floor[0].before.gates[1].below: found below beside above, expected bounds of one kind of rule",
        ),
        (
            "{use: grpc-errors, accept",
            "{use: [grpc-errors, http-errors], parameters: {errors: a}, accept",
            (
                "14:57: floor[0].before.gates[5].parameters: found "
                "parameters, expected them only beside the name of one shipped template"
            ),
        ),
        (
            "slower_than: 500ms",
            "slower_than: slow",
            (
                "13:57: floor[0].before.gates[4].parameters.slower_than: found "
                '"slow", expected a duration: the bound of a histogram bucket, such as 500ms'
            ),
        ),
        ("merge: human", "merge: auto", '15:40: floor[0].promote.merge: found "auto", expected human'),
        (
            "auto_merge: bound",
            "auto_merge: any",
            '15:59: floor[0].promote.auto_merge: found "any", expected never or bound',
        ),
        (
            "during_freeze: true",
            "during_freeze: false",
            '26:22: floor[0].rollback.during_freeze: found "false", expected true',
        ),
        (
            "[{use: signature}, {use: provenance}]",
            "[]",
            "22:16: floor[0].artifact.require: found an empty list, expected at least one thing that must be proven",
        ),
        (
            "[{use: signature},",
            "[{use: signature, signer: {key: a}},",
            (
                "22:42: floor[0].artifact.require[0].signer: found "
                "a signer of its own, expected the signers of all, beside require"
            ),
        ),
        (
            'repository: "https://github.com/acme/*"',
            "repository: acme/a",
            (
                "19:23: floor[0].artifact.signers[0].repository: found "
                '"acme/a", expected repositories as an https URL, such as https://github.com/acme/*'
            ),
        ),
        ("liftlock.dev/v1", "liftlock.dev/v2", '1:13: apiVersion: found "liftlock.dev/v2", expected liftlock.dev/v1'),
    ],
)
def test_a_fault_is_told_at_its_place(old: str, new: str, line: str) -> None:
    assert EVERYTHING.count(old) >= 1
    assert faults_of(EVERYTHING.replace(old, new)) == [f"floor.yaml:{line}"]


def test_an_unknown_template_is_a_fault_unless_it_may_be_a_teams_own() -> None:
    (line,) = faults_of(EVERYTHING.replace("use: soak", "use: http-erors"))
    assert line.startswith('floor.yaml:31:19: floor[1].gates[0].use: found "http-erors", expected one of alerts, ')
    assert line.endswith('; did you mean "http-errors"?; a template of teams\' own only with own: true')
    floor = read(EVERYTHING.replace("use: soak", "use: http-erors, own: true"))
    assert floor.rules[1].judged.gates[0].uses == ("http-erors",)


def test_a_gate_is_no_trigger_and_a_trigger_no_gate() -> None:
    assert len(faults_of(EVERYTHING.replace("use: soak", "use: argocd-degraded"))) == 1
    assert len(faults_of(EVERYTHING.replace("use: argocd-degraded, for: 5m", "use: argocd-healthy"))) == 1


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "floor.yaml: found an empty file, expected a policy"),
        ("[]", "floor.yaml:1:1: found a list, expected a mapping"),
        ("apiVersion: liftlock.dev/v1\n", "floor.yaml:1:1: floor: found nothing, expected a list"),
        (
            "apiVersion: liftlock.dev/v1\nfloor: []\n",
            "floor.yaml:2:8: floor: found an empty list, expected at least one rule",
        ),
        ("apiVersion: liftlock.dev/v1\nfloor: [1]\n", 'floor.yaml:2:9: floor[0]: found "1", expected a mapping'),
        (
            "apiVersion: liftlock.dev/v1\nfloor: [{every: stage, before: {}}]\n",
            "floor.yaml:2:32: floor[0].before: found nothing in it, expected window, gates or registry",
        ),
    ],
)
def test_what_is_no_floor_at_all_is_refused(text: str, line: str) -> None:
    assert faults_of(text) == [line]


@pytest.mark.parametrize(
    "text",
    ["a: &x 1", "a: *x", "a: !!str 1", "a: " + "[" * 5000, "#" * (MAX_BYTES + 1)],
    ids=["anchor", "alias", "tag", "deep", "large"],
)
def test_the_limits_are_those_of_policies(text: str) -> None:
    assert faults_of(text)


def test_all_faults_are_told_at_once() -> None:
    text = (
        EVERYTHING.replace("for: 5m", "for: soon").replace("merge: human", "merge: me").replace("use: soak", "use: x")
    )
    assert len(faults_of(text)) == 4


@given(text=st.text(max_size=60), at=st.integers(min_value=0, max_value=len(EVERYTHING)))
@settings(max_examples=60, deadline=None)
def test_whatever_a_floor_says_it_is_read_or_refused_with_faults(text: str, at: int) -> None:
    try:
        assert isinstance(read(EVERYTHING[:at] + text + EVERYTHING[at:]), Floor)
    except PolicyError as error:
        assert error.faults  # noqa: PT017 - either is right
