"""Which module judges what, how gates share the bar, who is blamed, and the laws that hold for every kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.argo import Application
from bot.domain.decide import decide
from bot.domain.decision import Action, Halt, Judgement, RollBack, State, Wait, WaitsOn
from bot.domain.gates.judging import judge_gates, judge_measured, judge_triggers
from bot.domain.gates.measuring import REVERT, STOP, Bar
from bot.domain.liveness import Liveness
from bot.domain.model import NOT_SET, Numbers, Samples, TagHistory, Trouble
from bot.domain.observation import StageObservation
from bot.domain.observed import Measurement
from bot.domain.queries import Query
from bot.domain.rules import (
    Accept,
    ArgoHealthyGate,
    CountGate,
    Counts,
    DegradedTrigger,
    Gate,
    MeasuredRule,
    Side,
    SoakGate,
    Trigger,
    ValueGate,
)
from bot.domain.running import judge_running
from bot.domain.stance import Stance
from bot.domain.tiles import MeasuringWindow
from bot.domain.verdicts import BaselineEvidence, CountEvidence, Verdict, VerdictKind
from tests.builders import (
    MINUTE,
    NEW,
    NOON,
    OLD,
    a_baseline_gate,
    a_burn_gate,
    a_change,
    a_count_gate,
    a_measured,
    a_policy,
    a_rollback,
    a_stage,
    a_value_gate,
    a_window,
    an_application,
    an_observation,
    new_production,
    promoted,
    samples,
    tags,
)

SECOND = timedelta(seconds=1)
COUNT = a_count_gate()
VALUE = a_value_gate()
SUM = replace(VALUE, name="restarts", bound=2.0, is_sum=True, alive=Query.plain("alive"))
BASELINE = a_baseline_gate(name="baseline")
BURN = a_burn_gate()
KINDS: tuple[MeasuredRule, ...] = (
    COUNT,
    replace(COUNT, name="lenient", counts=Counts.GOOD, accept=Accept.NOT_SHOWN_BAD),
    VALUE,
    replace(VALUE, name="low", side=Side.BELOW, bad_tiles=1, of_tiles=1, hard=2.0),
    SUM,
    BASELINE,
    BURN,
)
START = NOON + 10 * MINUTE
WINDOW = MeasuringWindow(start=START, required_until=START + 6 * MINUTE, width=MINUTE, before=(NOON, NOON + 5 * MINUTE))
TROUBLE = Trouble(system="Prometheus", sentence="connection refused")


def measured(rule: MeasuredRule, numbers: Mapping[str, Numbers], first: datetime) -> Samples:
    """Numbers by role; a role that is not named has the same of its kind: `base total` has those of `total`."""
    return Samples(
        start=first,
        end=first + len(next(iter(numbers.values()))) * MINUTE,
        width=MINUTE,
        numbers={role: numbers[role] for role in rule.asks},
        queries=(),
        backend="Prometheus",
    )


def judged(rule: MeasuredRule, seen: Samples | Trouble | None, bar: Bar = STOP) -> Verdict:
    window = WINDOW if rule.reach else replace(WINDOW, before=None)
    return judge_measured(rule, seen, Measurement(key="k", rule=rule, window=window, asks=rule.asks), bar)


def first_of(rule: MeasuredRule) -> datetime:
    return WINDOW.first if rule.reach else WINDOW.start


# --- how gates share the bar -----------------------------------------------------------------------------------------

LIVE = Liveness(
    stance=Stance.LIVE,
    reason="live",
    applications=(),
    deployed_at=NOON,
    reached_at=NOON,
    first_live=NOON,
    proof_since=NOON,
)
HISTORY = tags(a_change(NEW, old=OLD))
NEARLY = samples((11.0, 200.0), start=NOON + 2 * MINUTE)
"""At a limit of 1 % this comes to an e-value of 32: enough where one gate decides, not where two share the bar."""


def gates_judged(
    *gates: Gate, sampled: Mapping[str, Samples | Trouble] | None = None, liveness: Liveness = LIVE
) -> tuple[Verdict, ...]:
    stage = replace(a_policy(gates=gates).stage("staging"), gates=gates)
    seen = an_observation(a_stage("staging", HISTORY, sampled=sampled), at=NOON + 40 * MINUTE)
    return judge_gates(stage, a_window(), HISTORY, liveness, seen, seen.at)


def bar_of(verdict: Verdict) -> float:
    assert isinstance(verdict.evidence, CountEvidence | BaselineEvidence)
    return verdict.evidence.alarm


def named(*names: str) -> list[CountGate]:
    return [a_count_gate(name=name) for name in names]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_gates_that_err_by_chance_share_the_bar(count: int) -> None:
    gates = named("a", "b", "c")[:count]
    verdicts = gates_judged(*gates, sampled={f"gate:{gate.name}": NEARLY for gate in gates})
    assert [bar_of(verdict) for verdict in verdicts] == [20 * count] * count
    assert {verdict.kind for verdict in verdicts} == {VerdictKind.UNHEALTHY if count == 1 else VerdictKind.NOT_YET}


def test_a_baseline_has_a_share_of_the_bar() -> None:
    two = {role: (8.0, 8.0) if "counted" in role else (200.0, 200.0) for role in BASELINE.asks}
    beside = measured(BASELINE, two, NOON + 2 * MINUTE)
    verdicts = gates_judged(COUNT, BASELINE, sampled={"gate:http-errors": NEARLY, "gate:baseline": beside})
    assert [bar_of(verdict) for verdict in verdicts] == [40, 40]


def test_what_is_no_test_of_chance_has_no_share_of_the_bar() -> None:
    others = (VALUE, BURN, SoakGate(name="soak"), ArgoHealthyGate(name="argocd-healthy"))
    verdicts = gates_judged(COUNT, *others, sampled={"gate:http-errors": NEARLY})
    assert (bar_of(verdicts[0]), verdicts[0].kind) == (20, VerdictKind.UNHEALTHY)


def test_a_gate_in_the_shadow_has_no_share_and_is_marked() -> None:
    one, shadow = named("one", "shadow")
    sampled = {"gate:one": NEARLY, "gate:shadow": NEARLY}
    verdicts = gates_judged(one, replace(shadow, is_shadow=True), sampled=sampled)
    assert [bar_of(verdict) for verdict in verdicts] == [20, 20]
    assert [verdict.is_shadow for verdict in verdicts] == [False, True]


def triggers_judged(*triggers: Trigger, sampled: Mapping[str, Samples | Trouble] | None = None) -> tuple[Verdict, ...]:
    rollback = a_rollback(triggers=triggers)
    stage = replace(a_policy().stage("production"), rollback=rollback)
    history = tags(promoted(NEW))
    seen = a_stage("production", history, sampled=sampled)
    observation = an_observation(production=seen)
    return judge_triggers(stage, rollback, history, LIVE, observation, NOON + 10 * MINUTE)


def test_triggers_share_the_bar_of_taking_back() -> None:
    one, two, shadow = named("one", "two", "shadow")
    found = samples((8.0, 200.0), start=NOON)
    sampled: dict[str, Samples | Trouble] = {f"trigger:{name}": found for name in ("one", "two", "shadow")}
    degraded = DegradedTrigger(name="argocd-degraded", lasting=3 * MINUTE)
    verdicts = triggers_judged(one, two, degraded, replace(shadow, is_shadow=True), sampled=sampled)
    assert [bar_of(verdicts[at]) for at in (0, 1, 3)] == [200, 200, 200]
    assert [verdict.is_shadow for verdict in verdicts] == [False, False, False, True]


def test_a_bar_is_never_lowered_by_having_no_gate() -> None:
    assert (STOP.split(0), STOP.split(1)) == (STOP, STOP)
    assert STOP.split(3) == replace(STOP, alarm=60)


# --- which module judges ---------------------------------------------------------------------------------------------


def test_nothing_is_counted_of_a_release_that_is_not_live() -> None:
    waiting = Liveness(stance=Stance.WAITING, reason="a sync is running", applications=())
    verdicts = gates_judged(*KINDS, liveness=waiting)
    assert {verdict.kind for verdict in verdicts} == {VerdictKind.NOT_YET}
    assert {verdict.reason for verdict in verdicts} == {"the release is not live yet, so nothing is counted"}


def test_every_kind_of_gate_answers_under_its_name_in_the_policys_order() -> None:
    gates = (*KINDS, SoakGate(name="soak"), ArgoHealthyGate(name="argocd-healthy"))
    sampled: dict[str, Samples | Trouble] = {f"gate:{gate.name}": TROUBLE for gate in gates}
    verdicts = gates_judged(*gates, sampled=sampled)
    assert [verdict.gate for verdict in verdicts] == [gate.name for gate in gates]
    kinds = [*[VerdictKind.CANNOT_TELL] * len(KINDS), VerdictKind.HEALTHY, VerdictKind.CANNOT_TELL]
    assert [verdict.kind for verdict in verdicts] == kinds


def test_argocds_gate_is_given_its_history() -> None:
    gate = ArgoHealthyGate(name="argocd-healthy", history=(Query.plain("ill"),))
    ill = Samples(
        start=NOON,
        end=NOON + 20 * MINUTE,
        width=MINUTE,
        numbers={"ill 0": (*[0.0] * 19, 1.0)},
        queries=(),
        backend="Prometheus",
    )
    (verdict,) = gates_judged(gate, sampled={"gate:argocd-healthy": ill})
    assert verdict.reason == (
        "Prometheus saw an application ill until 12:20:00 UTC, Healthy since; window ends 12:52:00 UTC"
    )


# --- who is blamed ---------------------------------------------------------------------------------------------------

G, B = 1.0, 11.0


def watched(trigger: MeasuredRule, numbers: Mapping[str, Numbers], first: datetime) -> Sequence[Action]:
    """Decide about 1.9.0 in production, promoted at noon and live from then on, and judged from 12:01 on."""
    policy = a_policy(rollback=a_rollback(triggers=(trigger,)))
    production = new_production(sampled={f"trigger:{trigger.name}": measured(trigger, numbers, first)})
    seen = an_observation(production=production, at=NOON + 20 * MINUTE)
    return decide(policy, seen, seen.at).actions


@pytest.mark.parametrize(("before", "expected"), [(G, RollBack), (None, RollBack), (B, Halt)])
def test_only_a_value_that_was_within_its_bound_before_takes_a_release_back(
    before: float | None, expected: type[Action]
) -> None:
    own = (None, *[B] * 5)
    (action,) = watched(VALUE, {"value": (*[before] * 5, *own)}, NOON - 5 * MINUTE)
    assert isinstance(action, expected)
    if isinstance(action, Halt):
        assert action.reason.endswith("it was so before this release came, so it is not taken back")


@pytest.mark.parametrize(("before", "expected"), [(1.0, RollBack), (None, RollBack), (500.0, Halt)])
def test_only_a_budget_that_did_not_burn_before_takes_a_release_back(
    before: float | None, expected: type[Action]
) -> None:
    numbers: dict[str, Numbers] = {
        "counted": (*[before] * 10, None, *[500.0] * 3),
        "total": (*[None if before is None else 1000.0] * 10, None, *[1000.0] * 3),
    }
    (action,) = watched(BURN, numbers, NOON - 10 * MINUTE)
    assert isinstance(action, expected)
    if isinstance(action, Halt):
        assert action.reason.endswith("it burned before this release came, so it is not taken back")


def test_one_trigger_that_blames_the_release_is_enough_to_take_it_back() -> None:
    other = replace(VALUE, name="other")
    policy = a_policy(rollback=a_rollback(triggers=(VALUE, other)))
    before = {"trigger:lag": (B,) * 5, "trigger:other": (G,) * 5}
    sampled = {
        key: measured(VALUE, {"value": (*numbers, G, *[B] * 5)}, NOON - 5 * MINUTE) for key, numbers in before.items()
    }
    seen = an_observation(production=new_production(sampled=sampled), at=NOON + 20 * MINUTE)
    (action,) = decide(policy, seen, seen.at).actions
    assert isinstance(action, RollBack)
    assert action.reason.startswith("other: ")


def test_what_began_before_stops_a_promotion_all_the_same() -> None:
    window = MeasuringWindow(
        start=NOON + 3 * MINUTE, required_until=NOON + 33 * MINUTE, width=MINUTE, before=(NOON - 5 * MINUTE, NOON)
    )
    seen = measured(VALUE, {"value": (*[B] * 5, G, G, G, *[B] * 3)}, window.first)
    policy = a_policy(gates=(VALUE,))
    staging: StageObservation = a_stage("staging", HISTORY, sampled={"gate:lag": seen})
    observation = an_observation(staging, at=NOON + 40 * MINUTE)
    (action,) = decide(policy, observation, observation.at).actions
    assert isinstance(action, Wait)
    assert action.reason.startswith("staging: lag: 11 at the worst, above 10 in 3 tiles")


def test_a_release_is_taken_back_though_another_stage_cannot_be_read() -> None:
    """Quarantine stands in Git: of a stage whose history is not known, nothing is known to be quarantined."""
    policy = a_policy(rollback=a_rollback(triggers=(VALUE,)))
    found = measured(VALUE, {"value": (*[G] * 6, *[B] * 5)}, NOON - 5 * MINUTE)
    lost = a_stage("staging", Trouble(system="Git", sentence="no answer"))
    seen = an_observation(lost, new_production(sampled={"trigger:lag": found}), at=NOON + 20 * MINUTE)
    assert any(isinstance(action, RollBack) for action in decide(policy, seen, seen.at).actions)


# --- releases that no gate judges ------------------------------------------------------------------------------------


def running(history: TagHistory, applications: Sequence[Application] | None = None) -> Judgement:
    seen = an_observation(production=a_stage("production", history, applications=applications))
    return judge_running(a_policy(), a_policy().stage("production"), seen, seen.at).judgement


def test_a_stage_that_never_had_a_release_waits_for_nothing() -> None:
    judgement = running(tags(a_change(NOT_SET)))
    assert (judgement.state, judgement.waits_on, judgement.release) == (State.SETTLED, WaitsOn.NOTHING, None)
    assert judgement.reason == "no release is set here yet; the first promotion adds it"


def test_a_release_that_a_person_set_and_that_is_not_live_waits_for_its_rollout() -> None:
    syncing = an_application("checkout-production", phase="Running", finished_at=None)
    judgement = running(HISTORY, [syncing])
    assert (judgement.state, judgement.verdicts) == (State.WAITING_FOR_ROLLOUT, ())


# --- counts that prove little, and tiles that hold little ------------------------------------------------------------


@pytest.mark.parametrize(
    ("tile", "says"),
    [
        ((0.0, 10.0), "too little traffic to prove a limit this low"),
        ((1.0, 60.0), "the true share could be as high as"),
    ],
)
def test_what_was_not_shown_to_be_bad_is_healthy_only_where_the_policy_accepts_it(
    tile: tuple[float, float], says: str
) -> None:
    seen = samples(tile, *[(0.0, tile[1])] * 5, start=WINDOW.start)
    assert judged(COUNT, seen).kind is VerdictKind.NOT_YET
    verdict = judged(replace(COUNT, accept=Accept.NOT_SHOWN_BAD), seen)
    assert verdict.kind is VerdictKind.HEALTHY
    assert says in verdict.reason
    assert verdict.reason.endswith("; not shown to be bad, which the policy accepts")


def test_a_floor_of_the_policys_own_replaces_the_rule_of_three() -> None:
    seen = samples(*[(0.0, 60.0)] * 6, start=WINDOW.start)
    assert judged(replace(COUNT, floor=361), seen).would_change == "needs 1 more events"
    assert judged(replace(COUNT, floor=360), seen).kind is VerdictKind.HEALTHY


@pytest.mark.parametrize(
    ("scrape", "is_coarse"),
    [(None, False), (15 * SECOND, False), (16 * SECOND, True)],
    ids=["unknown", "four", "fewer"],
)
def test_a_tile_is_coarse_where_it_holds_fewer_than_four_scrapes(scrape: timedelta | None, is_coarse: bool) -> None:
    assert replace(a_measured(), scrape=scrape).is_coarse is is_coarse


# --- laws of every kind ----------------------------------------------------------------------------------------------

kinds = st.sampled_from(KINDS)
bars = st.sampled_from([STOP, REVERT, STOP.split(3)])
ROLES = ("value", "alive", "counted", "total", "base counted", "base total")
WHOLE = int((WINDOW.required_until - WINDOW.first) / MINUTE)
OWN = int((WINDOW.start - WINDOW.first) / MINUTE)
"""How many tiles lie before the release's own."""

numbers = st.none() | st.integers(0, 40).map(float)
totals = st.none() | st.sampled_from([0.0, 30.0, 1000.0])


@st.composite
def histories(draw: st.DrawFn, *, most: int = WHOLE + 10) -> dict[str, Numbers]:
    """Return numbers of all roles for the same tiles, from before the release on."""
    length = draw(st.integers(OWN, most))
    found = {}
    for role in ROLES:
        of_role = totals if role.endswith("total") else numbers
        found[role] = tuple(draw(st.lists(of_role, min_size=length, max_size=length)))
    return found


def cut(history: Mapping[str, Numbers], rule: MeasuredRule, length: int) -> Samples:
    """Return what a rule would have been given after `length` tiles."""
    skipped = 0 if rule.reach else OWN
    return measured(rule, {role: found[skipped:length] for role, found in history.items()}, first_of(rule))


@given(rule=kinds, bar=bars, history=histories())
def test_an_alarm_stands_whatever_comes_later(rule: MeasuredRule, bar: Bar, history: dict[str, Numbers]) -> None:
    verdicts = [judged(rule, cut(history, rule, n), bar) for n in range(OWN, len(history["total"]) + 1)]
    fired = [verdict.kind is VerdictKind.UNHEALTHY for verdict in verdicts]
    assert fired == sorted(fired)
    blamed = {verdict.began_before for verdict in verdicts if verdict.kind is VerdictKind.UNHEALTHY}
    assert len(blamed) <= 1


@pytest.mark.invariant("I5")
@given(rule=kinds, bar=bars, history=histories())
def test_no_rule_is_healthy_or_unhealthy_where_no_tile_of_the_release_has_data(
    rule: MeasuredRule, bar: Bar, history: dict[str, Numbers]
) -> None:
    dark = {role: (*found[:OWN], *[None] * (len(found) - OWN)) for role, found in history.items()}
    verdict = judged(rule, cut(dark, rule, len(dark["total"])), bar)
    assert verdict.kind in {VerdictKind.NO_DATA, VerdictKind.NOT_YET}


@pytest.mark.invariant("I5")
@given(rule=kinds, bar=bars, history=histories())
def test_no_rule_that_counts_is_healthy_without_traffic(
    rule: MeasuredRule, bar: Bar, history: dict[str, Numbers]
) -> None:
    quiet = {role: (0.0,) * len(found) if role.endswith("total") else found for role, found in history.items()}
    if not isinstance(rule, ValueGate):
        verdict = judged(rule, cut(quiet, rule, len(quiet["total"])), bar)
        assert verdict.kind in {VerdictKind.NO_DATA, VerdictKind.NOT_YET, VerdictKind.CANNOT_TELL}


@given(rule=kinds, bar=bars, history=histories(most=WHOLE - 1))
def test_no_rule_is_healthy_before_its_window_ends(rule: MeasuredRule, bar: Bar, history: dict[str, Numbers]) -> None:
    assert judged(rule, cut(history, rule, len(history["total"])), bar).kind is not VerdictKind.HEALTHY


@pytest.mark.invariant("I5")
@pytest.mark.parametrize("rule", KINDS, ids=lambda rule: rule.name)
def test_a_trouble_cannot_tell_and_no_samples_are_not_yet(rule: MeasuredRule) -> None:
    assert judged(rule, TROUBLE).kind is VerdictKind.CANNOT_TELL
    assert judged(rule, None).kind is VerdictKind.NOT_YET


@given(rule=kinds, bar=bars, history=histories())
def test_only_what_is_unhealthy_began_before(rule: MeasuredRule, bar: Bar, history: dict[str, Numbers]) -> None:
    verdict = judged(rule, cut(history, rule, len(history["total"])), bar)
    assert verdict.kind is VerdictKind.UNHEALTHY or not verdict.began_before
    assert not verdict.began_before or rule.reach


@pytest.mark.parametrize("rule", KINDS, ids=lambda rule: rule.name)
def test_every_kind_can_be_healthy_and_unhealthy(rule: MeasuredRule) -> None:
    """The laws above would hold of a judge that always waits."""
    length = WHOLE
    is_good = isinstance(rule, CountGate) and rule.counts is Counts.GOOD
    good: dict[str, Numbers] = dict.fromkeys(ROLES, (0.0,) * length)
    good |= dict.fromkeys(("total", "base total"), (1000.0,) * length)
    good |= {"counted": (1000.0 if is_good else 0.0,) * length}
    good |= {"value": (0.0 if rule is SUM else 10.0,) * length}
    bad = good | {"counted": (600.0,) * length, "value": (1.0 if rule.name == "low" else 50.0,) * length}
    assert judged(rule, cut(good, rule, length)).kind is VerdictKind.HEALTHY
    assert judged(rule, cut(bad, rule, length)).kind is VerdictKind.UNHEALTHY
