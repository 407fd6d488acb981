"""Laws of the decision over worlds that Hypothesis makes up: it is total, repeatable, and never acts without proof."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.decide import decide
from bot.domain.decision import MergePromotion, OpenPromotion, RollBack
from bot.domain.gates.counts import judge_counts
from bot.domain.gates.measuring import STOP
from bot.domain.model import Carries, Trouble
from bot.domain.observation import Observation, StageObservation
from bot.domain.pulls import Checks, PullState, Reviews
from bot.domain.tiles import MeasuringWindow
from bot.domain.verdicts import VerdictKind
from tests.builders import (
    HEAD,
    MINUTE,
    NEW,
    NOON,
    OLD,
    a_change,
    a_count_gate,
    a_policy,
    a_proposal,
    a_pull,
    a_stage,
    an_application,
    an_observation,
    nothing_proposed,
    promoted,
    reverted,
    samples,
    sha,
    tags,
)

Counts = Sequence[tuple[float, float] | None]

tiles = st.lists(
    st.one_of(
        st.none(),
        st.tuples(st.floats(0, 1), st.floats(0, 5000)).map(lambda pair: (pair[0] * pair[1], pair[1])),
    ),
    max_size=40,
)
troubles = st.sampled_from(["Git", "GitHub", "Argo CD", "Prometheus"]).map(
    lambda system: Trouble(system=system, sentence="out of order")
)
sampled = st.one_of(troubles, tiles.map(lambda counts: samples(*counts)))
applications = st.lists(
    st.one_of(
        troubles,
        st.builds(
            an_application,
            health=st.sampled_from(["Healthy", "Progressing", "Degraded", "Missing", "Unknown", ""]),
            sync=st.sampled_from(["Synced", "OutOfSync", "Unknown"]),
            phase=st.sampled_from(["Succeeded", "Running", "Failed", "Error"]),
            revision=st.sampled_from([HEAD, sha("old")]),
        ),
    ),
    max_size=3,
)
pulls = st.builds(
    a_pull,
    state=st.sampled_from(PullState),
    draft=st.booleans(),
    mergeable=st.sampled_from([True, False, None]),
    head=st.sampled_from([HEAD, sha("else")]),
    checks=st.sampled_from([Checks(), Checks(failed=("ci",)), Checks(pending=("ci",))]),
    reviews=st.sampled_from([Reviews(), Reviews(changes_requested_by=("bob",))]),
)
proposals = st.one_of(
    st.none(),
    troubles,
    st.just(nothing_proposed()),
    st.builds(a_proposal, st.one_of(st.none(), pulls), deviation=st.sampled_from([None, "more"])),
)
histories = st.sampled_from(
    [
        tags(a_change(OLD, old="1.8.1")),
        tags(a_change(NEW, old=OLD)),
        tags(promoted(NEW), a_change(OLD, old="1.8.1")),
        tags(promoted(NEW, old=None)),
        tags(reverted(NEW), promoted(NEW)),
    ]
)


@st.composite
def stages(draw: st.DrawFn, name: str) -> StageObservation:
    return a_stage(
        name,
        draw(st.one_of(troubles, histories)),
        applications=draw(applications),
        carries={HEAD: Carries.YES, sha("old"): Carries.BEHIND},
        sampled={"gate:http-errors": draw(sampled), "trigger:http-errors": draw(sampled)},
        promotion=draw(proposals),
        arrival=draw(proposals),
    )


@st.composite
def observations(draw: st.DrawFn) -> Observation:
    at = NOON + draw(st.integers(0, 600)) * MINUTE
    return an_observation(draw(stages("staging")), draw(stages("production")), at=at)


@given(observations())
def test_every_world_has_a_decision_and_always_the_same(seen: Observation) -> None:
    decision = decide(a_policy(), seen, seen.at)
    assert decision == decide(a_policy(), seen, seen.at)
    assert all(judgement.reason for judgement in decision.judgements)
    assert {judgement.stage for judgement in decision.judgements} == {"staging", "production"}


@given(observations())
def test_nothing_moves_into_a_stage_but_on_healthy_gates(seen: Observation) -> None:
    decision = decide(a_policy(), seen, seen.at)
    moves = [action for action in decision.actions if isinstance(action, (OpenPromotion, MergePromotion))]
    staging = next(item for item in decision.judgements if item.stage == "staging")
    if moves:
        assert {verdict.kind for verdict in staging.verdicts} == {VerdictKind.HEALTHY}


@given(observations())
def test_nothing_is_taken_back_but_by_a_trigger_that_is_unhealthy(seen: Observation) -> None:
    decision = decide(a_policy(), seen, seen.at)
    for action in decision.actions:
        if isinstance(action, RollBack):
            running = next(item for item in decision.judgements if (item.stage, item.role) == (action.stage, "running"))
            assert VerdictKind.UNHEALTHY in {verdict.kind for verdict in running.verdicts}


@given(tiles, st.floats(0, 1))
def test_worse_news_never_turns_unhealthy_into_healthy(counts: Counts, worse: float) -> None:
    if not counts or counts[-1] is None:
        return
    bad, total = counts[-1]
    changed = [*counts[:-1], (bad + worse * (total - bad), total)]
    window = MeasuringWindow(start=NOON + 3 * MINUTE, required_until=NOON + 13 * MINUTE, width=MINUTE)
    before = judge_counts(a_count_gate(), samples(*counts), window, STOP).kind
    after = judge_counts(a_count_gate(), samples(*changed), window, STOP).kind
    assert not (before is VerdictKind.UNHEALTHY and after is VerdictKind.HEALTHY)


@given(observations())
def test_every_verdict_says_what_would_change_it(seen: Observation) -> None:
    decision = decide(a_policy(), seen, seen.at)
    verdicts = [verdict for judgement in decision.judgements for verdict in judgement.verdicts]
    assert all(verdict.would_change for verdict in verdicts)
