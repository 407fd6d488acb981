"""Cases judged again: each end once, its instant and its sentence, and that no look into the future helps."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.backtest.cases import Case, Question
from bot.backtest.replay import End, Outcome, replay
from bot.domain.calendar import Calendar, Dates, Weekly
from bot.domain.decide import decide
from bot.domain.decision import State
from bot.domain.model import TagHistory, Trouble
from bot.domain.observation import Observation
from bot.domain.policy import AtDeadline, Policy
from bot.domain.rules import DegradedTrigger, Gate, Trigger
from tests.backtest.pasts import (
    DAY,
    HOUR,
    LAG,
    Measure,
    commit_of,
    errors,
    facts,
    history,
    sampling,
    the_case,
    unknowns,
)
from tests.builders import (
    MINUTE,
    NOON,
    a_baseline_gate,
    a_burn_gate,
    a_count_gate,
    a_policy,
    a_rollback,
    a_value_gate,
    a_window,
    reverted,
    tags,
)

OLD = ("1.0", NOON - 10 * DAY)
STAGING = history("s", OLD, ("1.1", NOON))
PRODUCTION = history("p", OLD, ("1.1", NOON + HOUR))
GOOD = errors(0.0)
COMPLETE = NOON + 32 * MINUTE


def a_move(policy: Policy, *, staging: TagHistory = STAGING, production: TagHistory | Trouble = PRODUCTION) -> Case:
    return the_case(facts(staging, production, policy=policy), Question.MOVE, "1.1")


def a_watch(policy: Policy, *, production: TagHistory = PRODUCTION, until: datetime = NOON + 30 * DAY) -> Case:
    return the_case(facts(STAGING, production, policy=policy), Question.WATCH, "1.1", until=until)


def only(*gates: Gate) -> Policy:
    return a_policy(gates=gates or (a_count_gate(),), window=a_window(deadline=HOUR))


def watching(*triggers: Trigger) -> Policy:
    return a_policy(rollback=a_rollback(triggers=triggers or (a_count_gate(limit=0.02),)))


def outcome(case: Case, measure: Measure = GOOD) -> Outcome:
    return replay(case, sampling(measure), LAG)


# --- moves -----------------------------------------------------------------------------------------------------------


def test_a_good_release_is_promoted_at_the_first_look_after_its_window() -> None:
    found = outcome(a_move(only()))
    assert (found.end, found.at) == (End.PROMOTED, COMPLETE + LAG)
    assert found.reason == "staging: its gate is healthy"
    assert found.looks == 33


def test_that_people_moved_it_on_earlier_changes_nothing() -> None:
    early = history("p", OLD, ("1.1", NOON + 5 * MINUTE), ("1.2", NOON + 10 * MINUTE))
    assert outcome(a_move(only(), production=early)).at == COMPLETE + LAG


def test_a_bad_release_is_stopped_by_the_gate_that_says_so() -> None:
    found = outcome(a_move(only()), errors(0.2))
    assert (found.end, found.rule) == (End.STOPPED, "http-errors")
    assert found.at is not None
    assert found.at < NOON + 10 * MINUTE
    assert found.reason.endswith("more than chance explains")


def test_a_release_without_traffic_is_held_at_its_deadline() -> None:
    found = outcome(a_move(only()), errors(0.0, per_minute=0.0))
    assert (found.end, found.at) == (End.HELD, NOON + HOUR + LAG)
    assert "no traffic" in found.reason


def test_the_deadline_may_let_pass_what_only_lacks_more_of_the_same() -> None:
    policy = a_policy(gates=(a_count_gate(),), window=a_window(deadline=HOUR, at_deadline=AtDeadline.PROMOTE))
    found = outcome(a_move(policy), errors(0.0, per_minute=0.5))
    assert (found.end, found.at) == (End.PROMOTED, NOON + HOUR + LAG)
    assert "the policy promotes it then" in found.reason


def test_a_release_that_was_replaced_first_was_not_decided_about() -> None:
    staging = history("s", OLD, ("1.1", NOON), ("1.2", NOON + 20 * MINUTE))
    found = outcome(a_move(only(), staging=staging))
    assert (found.end, found.at) == (End.REPLACED, None)
    assert found.reason.startswith("it was replaced at 2026-03-02 12:20:00 UTC, before the policy had decided: ")


def test_a_release_that_was_replaced_before_the_first_look_was_not_decided_about() -> None:
    staging = history("s", OLD, ("1.1", NOON), ("1.2", NOON + timedelta(seconds=5)))
    assert outcome(a_move(only(), staging=staging)).end is End.REPLACED


def test_what_is_looked_at_may_end_before_the_policy_has_decided() -> None:
    found = facts(STAGING, PRODUCTION, policy=only())
    case = the_case(found, Question.MOVE, "1.1", until=NOON + 10 * MINUTE)
    said = outcome(case)
    assert said.end is End.CANNOT_TELL
    assert said.reason.startswith("it is not decided yet at 2026-03-02 12:10:00 UTC")
    assert outcome(the_case(found, Question.MOVE, "1.1", until=NOON + timedelta(seconds=1))).end is End.CANNOT_TELL


def test_while_the_calendar_is_closed_a_release_that_has_proven_itself_waits_for_it_to_open() -> None:
    """Noon on a Monday is closed until two."""
    closed = Weekly(days=tuple(range(7)), begins=time(11), ends=time(14), reason="lunch")
    policy = replace(only(), calendar=Calendar(zone=ZoneInfo("UTC"), freeze=(closed,)))
    found = outcome(a_move(policy))
    assert (found.end, found.at) == (End.PROMOTED, NOON + 2 * HOUR + LAG)
    assert found.delays == ("frozen until 2026-03-02 14:00 UTC: lunch",)
    turned_bad = outcome(a_move(policy), errors(0.3, since=NOON + HOUR))
    assert (turned_bad.end, turned_bad.rule) == (End.STOPPED, "http-errors")


def frozen(policy: Policy, begins: datetime, ends: datetime) -> Policy:
    window = Dates(begins=begins.replace(tzinfo=None), ends=ends.replace(tzinfo=None), reason="the sale")
    return replace(policy, calendar=Calendar(zone=ZoneInfo("UTC"), freeze=(window,)))


def test_a_release_that_goes_bad_in_a_freeze_is_stopped_when_it_does() -> None:
    policy = frozen(only(), NOON + 20 * MINUTE, NOON + 10 * HOUR)
    bad = errors(0.3, since=NOON + 50 * MINUTE)
    found = outcome(a_move(policy), bad)
    assert (found.end, found.rule) == (End.STOPPED, "http-errors")
    assert found.at is not None
    assert NOON + 50 * MINUTE < found.at < NOON + HOUR
    assert found.delays == ("frozen until 2026-03-02 22:00 UTC: the sale",)
    replaced = history("s", OLD, ("1.1", NOON), ("1.2", NOON + 90 * MINUTE))
    assert outcome(a_move(policy, staging=replaced), bad) == found


def test_a_good_release_that_is_replaced_in_a_freeze_was_not_decided_about() -> None:
    policy = frozen(only(), NOON + 20 * MINUTE, NOON + 10 * HOUR)
    replaced = history("s", OLD, ("1.1", NOON), ("1.2", NOON + 90 * MINUTE))
    found = outcome(a_move(policy, staging=replaced))
    assert found.end is End.REPLACED
    assert found.reason.endswith("before the policy had decided: frozen until 2026-03-02 22:00 UTC: the sale")


def test_a_freeze_of_weeks_is_not_looked_at_tile_by_tile() -> None:
    """The first alarm is searched by halves, and found all the same."""
    policy = frozen(only(), NOON + 20 * MINUTE, NOON + 6 * DAY)
    staging = history("s", OLD, ("1.1", NOON), ("1.2", NOON + 7 * DAY))
    looked: list[datetime] = []

    def sample(policy: Policy, seen: Observation) -> Observation:
        looked.append(seen.at)
        return take(policy, seen)

    take = sampling(errors(0.3, since=NOON + 3 * DAY))
    found = replay(a_move(policy, staging=staging), sample, LAG)
    assert found.end is End.STOPPED
    assert found.at is not None
    assert NOON + 3 * DAY < found.at < NOON + 3 * DAY + 4 * HOUR
    assert found.looks > 3 * 24 * 60
    assert len(looked) < 60


def test_after_a_rollback_a_stage_cools_down_first() -> None:
    production = tags(
        reverted("1.0.1", back_to="1.0", at=NOON - HOUR), *history("p", OLD, ("1.0.1", NOON - 2 * HOUR)).changes
    )
    policy = replace(
        only(), stages=(only().stages[0], replace(only().stages[1], rollback=a_rollback(cool_down=3 * HOUR)))
    )
    found = outcome(a_move(policy, production=production))
    assert (found.end, found.at) == (End.PROMOTED, NOON + 2 * HOUR + LAG)
    assert found.delays == ("production cools down until 14:00:00 UTC, after the rollback of 1.0.1",)


def test_a_calendar_that_never_opens_holds_it() -> None:
    always = Weekly(days=tuple(range(7)), begins=time(0), ends=time(0))
    policy = replace(only(), calendar=Calendar(zone=ZoneInfo("UTC"), freeze=(always,)))
    found = outcome(a_move(policy))
    assert found.end is End.HELD
    assert found.reason.startswith("frozen for more than 400 days")


def test_a_release_that_was_rolled_back_elsewhere_is_quarantined() -> None:
    """Liftlock took it out of production before it came to staging again under another commit."""
    production = tags(
        reverted("1.1", back_to="1.0", at=NOON - HOUR), *history("p", OLD, ("1.1", NOON - 2 * HOUR)).changes
    )
    found = outcome(a_move(only(), production=production))
    assert found.end is End.HELD
    assert found.reason.startswith("it was rolled back from production by")


def test_a_release_that_the_later_stage_has_already_cannot_move_there() -> None:
    production = history("p", OLD, ("1.1", NOON - HOUR))
    found = outcome(a_move(only(), production=production))
    assert (found.end, found.reason) == (End.CANNOT_TELL, "production had this release already")


def test_a_later_stage_that_git_cannot_tell_of_leaves_the_move_open() -> None:
    found = outcome(a_move(only(), production=Trouble(system="Git", sentence="the file is gone")))
    assert (found.end, found.reason) == (End.CANNOT_TELL, "Git: the file is gone")


def a_failing_baseline(text: str, at: datetime) -> float | None:
    """Nine of ten requests fail here and there, which says nothing of the release."""
    return 90.0 if "bad" in text else 100.0


def test_a_gate_that_cannot_tell_at_the_deadline_is_cannot_tell_and_never_held() -> None:
    found = outcome(a_move(only(a_baseline_gate())), a_failing_baseline)
    assert (found.end, found.rule) == (End.CANNOT_TELL, "not-worse")
    assert found.reason.endswith("a baseline that fails itself is no measure of health")


def test_a_baseline_that_really_had_the_release_is_none_from_then_on() -> None:
    early = history("p", OLD, ("1.1", NOON + 10 * MINUTE))
    policy = only(a_baseline_gate(stage="production"))
    found = outcome(a_move(policy, production=early))
    assert found.end is End.CANNOT_TELL
    assert "production really had 1.1 by then, too, so there is nothing to compare with" in found.reason
    assert outcome(a_move(policy, production=history("p", OLD))).end is End.PROMOTED


def test_a_gate_in_the_shadow_decides_nothing_and_is_told_of() -> None:
    shadow = replace(a_count_gate(name="strict", limit=0.001), is_shadow=True)
    found = outcome(a_move(only(a_count_gate(limit=0.1), shadow)), errors(0.02))
    assert found.end is End.PROMOTED
    (told,) = found.shadows
    assert (told.rule, told.at < COMPLETE) == ("strict", True)


# --- watches ---------------------------------------------------------------------------------------------------------


def test_a_release_that_fails_in_its_watch_is_rolled_back_as_if_liftlock_had_brought_it() -> None:
    found = outcome(a_watch(watching()), errors(0.3, since=NOON + 90 * MINUTE))
    assert (found.end, found.rule) == (End.ROLLED_BACK, "http-errors")
    assert found.at is not None
    assert NOON + 90 * MINUTE < found.at < NOON + 2 * HOUR
    assert found.reason.endswith("taken back to 1.0")


def test_a_release_that_fails_after_its_watch_is_kept() -> None:
    found = outcome(a_watch(watching()), errors(0.3, since=NOON + 3 * HOUR))
    assert (found.end, found.reason) == (End.KEPT, "no trigger fired until 13:59:59 UTC, when its watch ended")


def test_a_watch_that_keeps_rollbacks_for_the_opening_is_looked_at_past_the_freeze() -> None:
    """Half past one until five, and the watch ends at two."""
    closed = Weekly(days=tuple(range(7)), begins=time(13, 30), ends=time(17), reason="the sale")
    policy = replace(watching(), calendar=Calendar(zone=ZoneInfo("UTC"), freeze=(closed,)))
    first, second = policy.stages
    assert second.rollback is not None
    keeping = replace(second, rollback=replace(second.rollback, during_freeze=False))
    bad_late = errors(0.3, since=NOON + 3 * HOUR)
    assert outcome(a_watch(policy), bad_late).end is End.KEPT
    found = outcome(a_watch(replace(policy, stages=(first, keeping))), bad_late)
    assert (found.end, found.rule) == (End.HALTED, "http-errors")
    assert "production is frozen until 2026-03-02 17:00 UTC: the sale" in found.reason


def test_a_release_that_was_replaced_in_its_watch_is_kept_until_then() -> None:
    production = history("p", OLD, ("1.1", NOON + HOUR), ("1.0", NOON + 90 * MINUTE))
    found = outcome(a_watch(watching(), production=production))
    assert (found.end, found.reason) == (End.KEPT, "no trigger fired until 13:30:00 UTC, when it was replaced")


def test_a_watch_that_measured_nothing_says_so() -> None:
    found = outcome(a_watch(watching()), lambda *_: None)
    assert found.end is End.KEPT
    assert "; http-errors: no measurement at all in 59 looks" in found.reason


def test_a_watch_that_goes_on_at_the_end_is_cannot_tell() -> None:
    found = outcome(a_watch(watching(), until=NOON + 90 * MINUTE))
    assert found.end is End.CANNOT_TELL
    assert found.reason.startswith("its watch goes on at 2026-03-02 13:30:00 UTC")


def test_what_was_ill_before_the_release_is_left_to_a_person() -> None:
    def always_high(text: str, at: datetime) -> float | None:
        return 50.0

    found = outcome(a_watch(watching(a_value_gate())), always_high)
    assert (found.end, found.rule) == (End.HALTED, "lag")
    assert "it was so before this release came" in found.reason


def test_a_trigger_that_cannot_tell_leaves_the_watch_open() -> None:
    found = outcome(a_watch(watching(a_baseline_gate())), a_failing_baseline)
    assert (found.end, found.rule) == (End.CANNOT_TELL, "not-worse")


def test_a_trigger_on_argo_cd_never_fires() -> None:
    case = a_watch(watching(DegradedTrigger(name="argocd-degraded", lasting=3 * MINUTE)))
    assert outcome(case).end is End.KEPT


# --- which cases there are -------------------------------------------------------------------------------------------


def test_a_release_of_which_nobody_knows_when_it_was_live_is_no_case() -> None:
    found = facts(STAGING, PRODUCTION, live={})
    assert [one.reason for one in unknowns(found)] == [
        "it is not known since when it was live in staging",
        "it is not known since when it was live in production",
    ]


def test_a_release_that_was_not_live_before_it_was_replaced_is_no_case() -> None:
    staging = history("s", OLD, ("1.1", NOON), ("1.2", NOON + MINUTE))
    found = facts(staging, PRODUCTION)
    live = {key: replace(one, at=one.at + 5 * MINUTE) for key, one in found.live.items()}
    first, *_ = unknowns(replace(found, live=live))
    assert (first.asked.name, first.reason) == (
        "staging → production",
        "it was replaced before it was live in staging",
    )
    late = unknowns(replace(found, live=live), until=NOON + 3 * MINUTE)
    assert late[-1].reason == "it was not live yet in staging"


def test_what_came_back_is_judged_as_no_release() -> None:
    staging = history("s", OLD, ("1.1", NOON), ("1.0", NOON + HOUR))
    cases = [the_case(facts(staging, PRODUCTION), Question.MOVE, "1.1")]
    assert [one.stand.tag for one in cases] == ["1.1"]
    with pytest.raises(ValueError, match="not enough values"):
        the_case(facts(staging, PRODUCTION), Question.MOVE, "1.0")


# --- laws ------------------------------------------------------------------------------------------------------------

shares = st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.01, 0.05, 0.3, None]), min_size=8, max_size=8)
rules = st.sampled_from([a_count_gate(limit=0.02), a_value_gate(), a_burn_gate(), a_baseline_gate()])


def a_measure(pieces: list[float | None]) -> Measure:
    """What is measured changes every ten minutes."""

    def measure(text: str, at: datetime) -> float | None:
        share = pieces[((at - NOON) // (10 * MINUTE)) % len(pieces)]
        if share is None:
            return None
        return 100.0 * share if ("bad" in text and "base" not in text) or text == "lag" else 100.0

    return measure


@settings(max_examples=15, deadline=None)
@given(shares, rules, st.booleans(), st.sampled_from([0, 45, 90]))
def test_passing_over_looks_and_reading_ahead_change_nothing(
    pieces: list[float | None], rule: Gate, is_watch: bool, opens: int
) -> None:
    """The same as the bot at every look, which knows what was measured up to then and nothing of what comes."""
    assert not isinstance(rule, DegradedTrigger)
    case = a_watch(watching(rule)) if is_watch else a_move(only(rule))  # type: ignore[arg-type]
    if opens:
        case = frozen_case(case, opens)
    quick = replay(case, sampling(a_measure(pieces)), LAG)
    slow = replay(case, sampling(a_measure(pieces)), LAG, stride=1)
    assert quick == slow
    if quick.at is not None:
        assert _as_the_bot_would(case, a_measure(pieces)) == quick.at


def frozen_case(case: Case, opens: int) -> Case:
    """Freeze it, with a later deadline: one that passes in a freeze ends nothing, since it may prove itself again."""
    window = case.stage.window
    if window is None:
        return replace(case, policy=frozen(case.policy, NOON, NOON + opens * MINUTE))
    late = replace(case.stage, window=replace(window, deadline=3 * HOUR))
    policy = replace(case.policy, stages=(late, *case.policy.stages[1:]))
    return replace(case, policy=frozen(policy, NOON, NOON + opens * MINUTE))


def _as_the_bot_would(case: Case, measure: Measure) -> datetime | None:
    """Look as the bot does, with a sampler that has seen nothing but what was before each look."""
    sample = sampling(measure)
    over = {State.UNHEALTHY, State.READY_TO_MERGE, State.DEADLINE_PASSED, State.ROLLING_BACK, State.HALTED}
    # What runs in the stage that a release would move to is not asked about.
    wanted = {(case.stand.stage, "running"), (case.asked.target, "candidate")}
    for now in case.looks(LAG):
        decision = decide(case.policy, sample(case.policy, case.observe(now)), now)
        if any(one.state in over for one in decision.judgements if (one.stage, one.role) in wanted):
            return now
    return None


def test_a_case_has_a_commit_of_its_own_for_each_release() -> None:
    assert a_move(only()).stand.since.commit == commit_of("s", "1.1", NOON)
