"""The sampler on fakes: few reads, only what is missing, troubles where they belong, and the same verdicts always."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.decide import decide
from bot.domain.decision import Decision
from bot.domain.model import Numbers, Samples, Trouble
from bot.domain.observation import Observation, StageObservation
from bot.domain.policy import Policy
from bot.domain.queries import DEFAULT_SOURCE, Query
from bot.domain.rules import (
    ArgoHealthyGate,
    BaselineGate,
    BurnRateGate,
    BurnWindow,
    CountGate,
    Counts,
    DegradedTrigger,
    Gate,
    MeasuredRule,
    ValueGate,
)
from bot.ports import Look, OutsideError
from bot.sampling import Sampler, Subject
from tests.builders import (
    MINUTE,
    NEW,
    NOON,
    OLD,
    a_baseline_gate,
    a_burn_gate,
    a_change,
    a_count_gate,
    a_policy,
    a_rollback,
    a_stage,
    a_value_gate,
    a_window,
    an_observation,
    new_production,
    tags,
)
from tests.fakes import FakeLedger, FakeMetrics, an_error

LAG = timedelta(seconds=15)
WEEK = timedelta(days=7)
FIRST = NOON + 3 * MINUTE
"""Where the first tile of a gate begins: live five seconds after noon, and two minutes to warm up."""


@dataclass
class RecordedMetrics(FakeMetrics):
    """Answers each tile of each query always with the same number: `history[text]`, over and over from its start on.

    `broken` are texts, or texts with a start, whose looks fail; `bounds` are those of every histogram.
    """

    history: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    broken: set[str | tuple[str, datetime]] = field(default_factory=set)
    bounds: tuple[str, ...] = ("0.1", "0.5")
    histograms: list[str] = field(default_factory=list)

    def read(self, looks: Sequence[Look]) -> Sequence[Numbers | OutsideError]:
        answers = super().read(looks)
        return [
            an_error(f"{look.query.text} is broken", "Prometheus") if self._is_broken(look) else answer
            for look, answer in zip(looks, answers, strict=True)
        ]

    def _is_broken(self, look: Look) -> bool:
        return not self.broken.isdisjoint({look.query.text, (look.query.text, look.start)})

    def _numbers(self, look: Look) -> Numbers:
        recorded = self.history.get(look.query.text, (100.0,))
        first = (look.start - NOON) // look.width
        return tuple(recorded[(first + at) % len(recorded)] for at in range((look.end - look.start) // look.width))

    def bucket_bounds(
        self, histogram: str, start: datetime, end: datetime, source: str = DEFAULT_SOURCE, /
    ) -> Sequence[str]:
        self.called("bucket_bounds")
        self.histograms.append(histogram)
        return self.bounds


@dataclass
class Bench:
    """A sampler with its fakes; `policies` are looked at together."""

    policies: Sequence[Policy]
    metrics: RecordedMetrics = field(default_factory=RecordedMetrics)
    ledger: FakeLedger = field(default_factory=FakeLedger)
    staging: StageObservation | None = None
    production: StageObservation | None = None

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget all that the sampler held in memory."""
        self.sampler = Sampler(metrics=self.metrics, ledger=self.ledger, lag=LAG)

    def sample(self, minutes: float) -> list[Observation]:
        """Look so many minutes after noon, and some seconds more than the lag."""
        self.metrics.asked.clear()
        at = NOON + minutes * MINUTE + 20 * timedelta(seconds=1)
        seen = an_observation(self.staging or unsampled(), self.production, at=at)
        subjects = [Subject(policy=one, seen=replace(seen, service=one.service)) for one in self.policies]
        return self.sampler.sample(subjects)

    def staged(self, minutes: float, service: int = 0) -> Mapping[str, Samples | Trouble]:
        return self.sample(minutes)[service].stage("staging").samples

    def spans(self) -> dict[str, tuple[datetime, datetime]]:
        """From when until when each query was asked for by the last look."""
        return {look.query.text: (look.start, look.end) for look in self.metrics.asked}


def unsampled() -> StageObservation:
    return a_stage("staging", tags(a_change(NEW, old=OLD)))


def with_gates(*gates: Gate, service: str = "checkout") -> Policy:
    return replace(a_policy(gates=gates), service=service)


def at(minutes: float) -> datetime:
    return NOON + minutes * MINUTE


def numbers_of(found: Samples | Trouble) -> Mapping[str, Numbers]:
    assert isinstance(found, Samples), found
    return found.numbers


# --- what is asked ---------------------------------------------------------------------------------------------------


def test_two_services_are_one_read() -> None:
    bench = Bench(policies=[with_gates(a_count_gate()), with_gates(a_count_gate(name="own"), service="cart")])
    checkout, cart = bench.sample(10)
    assert bench.metrics.calls.count("read") == 1
    assert set(checkout.stage("staging").samples) == {"gate:http-errors"}
    assert set(cart.stage("staging").samples) == {"gate:own"}
    assert [arrival.service for arrival in bench.ledger.kept] == ["checkout", "cart"]


def test_samples_say_what_was_asked_of_whom() -> None:
    found = Bench(policies=[with_gates(a_count_gate())]).staged(10)["gate:http-errors"]
    assert isinstance(found, Samples)
    assert (found.start, found.end, found.width) == (FIRST, at(10), MINUTE)
    assert found.queries == ("bad-http-errors", "total-http-errors")
    assert (found.backend, found.lag, found.scrape) == ("Prometheus (fake)", LAG, timedelta(seconds=15))


def test_only_the_missing_tiles_are_asked_for() -> None:
    bench = Bench(policies=[with_gates(a_count_gate())])
    bench.sample(10)
    assert set(bench.spans().values()) == {(FIRST, at(10))}
    found = bench.staged(12)
    assert set(bench.spans().values()) == {(at(10), at(12))}
    assert len(numbers_of(found["gate:http-errors"])["total"]) == 9


def test_nothing_is_asked_twice_within_a_tile() -> None:
    bench = Bench(policies=[with_gates(a_count_gate())])
    bench.sample(10)
    bench.sample(10.5)
    assert not bench.metrics.asked
    assert bench.ledger.calls.count("numbers") == 1


def test_nothing_is_asked_before_the_first_tile_is_whole() -> None:
    bench = Bench(policies=[with_gates(a_count_gate())])
    found = bench.staged(3.5)["gate:http-errors"]
    assert isinstance(found, Samples)
    assert (found.start, found.end, bench.metrics.asked) == (FIRST, FIRST, [])


def test_a_fresh_sampler_on_the_same_ledger_asks_for_nothing_that_it_has() -> None:
    bench = Bench(policies=[with_gates(a_count_gate())])
    before = bench.staged(10)
    bench.restart()
    assert bench.staged(10) == before
    assert not bench.metrics.asked
    bench.restart()
    bench.sample(11)
    assert set(bench.spans().values()) == {(at(10), at(11))}


def test_a_number_stays_as_it_was_first_seen() -> None:
    """What comes to Prometheus late does not change what was decided on."""
    bench = Bench(policies=[with_gates(a_count_gate())])
    bench.metrics.history = {"total-http-errors": (None,)}
    bench.sample(5)
    bench.metrics.history = {"total-http-errors": (7.0,)}
    assert numbers_of(bench.staged(7)["gate:http-errors"])["total"] == (None, None, 7.0, 7.0)
    bench.restart()
    assert numbers_of(bench.staged(7)["gate:http-errors"])["total"] == (None, None, 7.0, 7.0)


@pytest.mark.parametrize("is_first", [True, False])
def test_rules_with_one_query_share_its_numbers_and_its_look(is_first: bool) -> None:
    count, burn = a_count_gate(), a_burn_rate("http-errors")
    bench = Bench(policies=[with_gates(count, burn) if is_first else with_gates(burn, count)])
    found = bench.staged(10)
    assert set(bench.spans()) == {"bad-http-errors", "total-http-errors"}
    assert set(bench.spans().values()) == {(NOON - burn.reach, at(10))}
    assert len(numbers_of(found["gate:http-errors"])["total"]) == 7
    assert len(numbers_of(found["gate:burn-http-errors"])["total"]) == 20


def test_a_rule_that_reaches_further_back_asks_for_what_another_has_not() -> None:
    bench = Bench(policies=[with_gates(a_count_gate())])
    bench.sample(10)
    bench.metrics.history = {"total-http-errors": (7.0,)}
    bench.policies = [with_gates(a_count_gate(), a_burn_rate("http-errors"))]
    found = numbers_of(bench.staged(11)["gate:burn-http-errors"])["total"]
    assert found == (*[7.0] * 13, *[100.0] * 7, 7.0)
    assert len(bench.metrics.asked) == 2
    bench.restart()
    assert numbers_of(bench.staged(11)["gate:burn-http-errors"])["total"] == found


def test_one_query_over_tiles_of_two_widths_is_two_questions() -> None:
    wide = replace(a_count_gate(tile=2 * MINUTE), name="wide")
    bench = Bench(policies=[with_gates(a_count_gate(), wide)])
    found = bench.staged(10)
    assert len(bench.metrics.asked) == 4
    assert [len(numbers_of(one)["total"]) for one in found.values()] == [7, 3]


def test_a_baseline_of_the_past_asks_for_earlier_tiles() -> None:
    weak = a_baseline(past=WEEK)
    bench = Bench(policies=[with_gates(weak)])
    bench.metrics.history = {"base total": tuple(float(n) for n in range(10080 + 60))}
    found = numbers_of(bench.staged(6)["gate:baseline"])
    assert bench.spans()["total"] == (FIRST, at(6))
    assert bench.spans()["base total"] == (FIRST - WEEK, at(6) - WEEK)
    start = 3 - 10080
    assert found["base total"] == tuple(float(start + n) % 10140 for n in range(3))
    bench.sample(7)
    assert bench.spans()["base total"] == (at(6) - WEEK, at(7) - WEEK)


def test_the_same_series_in_the_past_is_not_the_series_of_today() -> None:
    itself = replace(a_baseline(past=WEEK), base_query=Query.plain("bad"), base_total=Query.plain("total"))
    bench = Bench(policies=[with_gates(itself)])
    bench.metrics.history = {"total": tuple(float(n) for n in range(20000))}
    found = numbers_of(bench.staged(5)["gate:baseline"])
    assert found["total"] == (3.0, 4.0)
    assert found["base total"] == (9923.0, 9924.0)
    bench.restart()
    assert numbers_of(bench.staged(5)["gate:baseline"]) == found


def test_the_running_tag_stands_in_the_query() -> None:
    labels = (("namespace", "shop"), ("version", "$tag"))
    tagged = replace(a_count_gate(), query=Query(parts=("bad{", "}"), labels=labels))
    bench = Bench(policies=[with_gates(tagged)])
    bench.sample(5)
    assert f'bad{{namespace="shop",version="{NEW}"}}' in bench.spans()


def test_a_stage_whose_git_cannot_be_read_is_not_measured() -> None:
    lost = a_stage("staging", Trouble(system="Git", sentence="no answer"))
    bench = Bench(policies=[with_gates(a_count_gate())], staging=lost)
    assert bench.staged(10) == {}
    assert not bench.metrics.asked


def test_triggers_are_measured_beside_gates() -> None:
    bench = Bench(policies=[a_policy()], production=new_production())
    (seen,) = bench.sample(10)
    assert set(seen.stage("production").samples) == {"trigger:http-errors"}
    assert seen.stage("staging").samples == {}


# --- what fails ------------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I13")
def test_a_query_that_fails_troubles_its_rule_only() -> None:
    bench = Bench(policies=[with_gates(a_count_gate(), a_count_gate(name="other"), a_value())])
    bench.metrics.broken = {"total-other"}
    found = bench.staged(10)
    assert found["gate:other"] == Trouble(system="Prometheus", sentence="total-other is broken")
    assert all(isinstance(found[key], Samples) for key in ("gate:http-errors", "gate:lag"))


@pytest.mark.invariant("I13")
def test_a_past_that_cannot_be_read_troubles_no_rule_that_asks_for_the_present() -> None:
    itself = replace(
        a_baseline(past=WEEK), base_query=Query.plain("bad-http-errors"), base_total=Query.plain("total-http-errors")
    )
    bench = Bench(policies=[with_gates(a_count_gate(), itself)])
    bench.metrics.broken = {("total-http-errors", FIRST - WEEK)}
    found = bench.staged(10)
    assert isinstance(found["gate:baseline"], Trouble)
    assert isinstance(found["gate:http-errors"], Samples)


def test_what_failed_is_asked_again_and_what_did_not_is_kept() -> None:
    bench = Bench(policies=[with_gates(a_count_gate())])
    bench.metrics.broken = {"total-http-errors"}
    bench.sample(10)
    bench.metrics.broken = set()
    found = bench.staged(11)
    assert bench.spans() == {"bad-http-errors": (at(10), at(11)), "total-http-errors": (FIRST, at(11))}
    assert isinstance(found["gate:http-errors"], Samples)


def test_a_backend_that_is_down_troubles_every_rule() -> None:
    bench = Bench(policies=[with_gates(a_count_gate(), a_value()), with_gates(a_value(), service="cart")])
    bench.metrics.fail["read"] = an_error("no answer", "Prometheus")
    trouble = Trouble(system="Prometheus", sentence="no answer")
    checkout, cart = (one.stage("staging").samples for one in bench.sample(10))
    assert checkout == {"gate:http-errors": trouble, "gate:lag": trouble}
    assert cart == {"gate:lag": trouble}


@pytest.mark.parametrize("method", ["numbers", "keep_numbers"])
def test_a_ledger_that_fails_troubles_every_rule_whose_numbers_it_has(method: str) -> None:
    """Nothing is judged that is not kept: it could not be judged again."""
    bench = Bench(policies=[with_gates(a_count_gate(), a_value()), with_gates(a_value(), service="cart")])
    bench.ledger.fail[method] = an_error("disk full", "the ledger")
    trouble = Trouble(system="the ledger", sentence="disk full")
    checkout, cart = (one.stage("staging").samples for one in bench.sample(10))
    assert checkout == {"gate:http-errors": trouble, "gate:lag": trouble}
    assert cart == {"gate:lag": trouble}
    assert not bench.ledger.kept
    bench.ledger.fail.clear()
    assert isinstance(bench.staged(11)["gate:lag"], Samples)
    assert set(bench.spans().values()) == {(FIRST, at(11)), (NOON - 5 * MINUTE, at(11))}


def test_without_the_ledgers_answer_prometheus_is_not_asked() -> None:
    bench = Bench(policies=[with_gates(a_count_gate())])
    bench.ledger.fail["numbers"] = an_error()
    bench.sample(10)
    assert not bench.metrics.asked


@pytest.mark.invariant("I13")
def test_a_ledger_that_does_not_answer_for_a_new_release_troubles_no_other() -> None:
    known, new = with_gates(a_count_gate()), with_gates(a_count_gate(), service="cart")
    bench = Bench(policies=[known])
    bench.sample(10)
    bench.policies = [known, new]
    bench.ledger.fail["numbers"] = an_error()
    checkout, cart = (one.stage("staging").samples for one in bench.sample(11))
    assert isinstance(checkout["gate:http-errors"], Samples)
    assert isinstance(cart["gate:http-errors"], Trouble)


@pytest.mark.invariant("I13")
def test_a_ledger_that_keeps_nothing_troubles_only_rules_that_had_something_to_keep() -> None:
    bench = Bench(policies=[with_gates(a_count_gate())])
    bench.sample(10)
    bench.ledger.fail["keep_numbers"] = an_error()
    assert isinstance(bench.staged(10.5)["gate:http-errors"], Samples)
    assert isinstance(bench.staged(11)["gate:http-errors"], Trouble)


# --- a threshold that is no bucket's bound ---------------------------------------------------------------------------


def slow(name: str = "latency", *, buckets: bool = True) -> CountGate:
    histogram = Query.plain(f"histogram-{name}") if buckets else None
    return replace(a_count_gate(name=name), counts=Counts.GOOD, buckets=histogram)


def without_buckets(*gates: Gate) -> Bench:
    bench = Bench(policies=[with_gates(*gates)])
    bench.metrics.history = {f"bad-{gate.name}": (None,) for gate in gates}
    return bench


def note(found: Samples | Trouble) -> str:
    assert isinstance(found, Samples)
    return found.note


def test_a_wrong_threshold_is_told_with_the_bounds_that_there_are() -> None:
    bench = without_buckets(slow())
    assert note(bench.staged(10)["gate:latency"]) == "its bounds are 0.1, 0.5"
    assert bench.metrics.histograms == ["histogram-latency"]


def test_of_many_bounds_the_first_twenty_are_told() -> None:
    bench = without_buckets(slow())
    bench.metrics.bounds = tuple(str(n) for n in range(20))
    assert note(bench.staged(10)["gate:latency"]).endswith("18, 19")
    bench.metrics.bounds = tuple(str(n) for n in range(21))
    assert note(bench.staged(10)["gate:latency"]).endswith("18, 19, …")


def test_where_there_is_no_histogram_there_is_nothing_to_tell() -> None:
    bench = without_buckets(slow())
    bench.metrics.bounds = ()
    assert note(bench.staged(10)["gate:latency"]) == ""


def test_bounds_that_cannot_be_read_are_told_and_trouble_nothing() -> None:
    bench = without_buckets(slow())
    bench.metrics.fail["bucket_bounds"] = an_error("too slow", "Prometheus")
    assert note(bench.staged(10)["gate:latency"]) == "its bounds could not be read: too slow"


def test_bounds_are_looked_up_for_a_wrong_threshold_only() -> None:
    bench = without_buckets(replace(slow(), counts=Counts.BAD))
    assert note(bench.staged(10)["gate:latency"]) == ""
    bench = Bench(policies=[with_gates(slow())])
    assert note(bench.staged(10)["gate:latency"]) == ""
    assert not bench.metrics.histograms


def test_bounds_are_looked_up_at_most_ten_times_a_sweep() -> None:
    bench = without_buckets(*[slow(f"latency-{n}") for n in range(12)])
    notes = [note(found) for found in bench.staged(10).values()]
    assert notes == ["its bounds are 0.1, 0.5"] * 10 + [""] * 2
    assert len(bench.metrics.histograms) == 10
    bench.sample(10.5)
    assert len(bench.metrics.histograms) == 20


def test_a_rule_that_names_no_histogram_uses_no_lookup_up() -> None:
    bench = without_buckets(*[slow(f"latency-{n}", buckets=False) for n in range(10)], slow("last"))
    assert note(bench.staged(10)["gate:last"]) == "its bounds are 0.1, 0.5"


# --- the law: however the bot looked, it comes to the same -----------------------------------------------------------


def a_value(*, name: str = "lag", is_sum: bool = False) -> ValueGate:
    return replace(
        a_value_gate(name=name, bound=20.0),
        query=Query.plain(name, is_count=is_sum),
        hard=None if is_sum else 35.0,
        is_sum=is_sum,
        alive=Query.plain("alive") if is_sum else None,
    )


def a_baseline(*, past: timedelta = timedelta(0)) -> BaselineGate:
    return a_baseline_gate(name="baseline", past=past)


def a_burn_rate(name: str) -> BurnRateGate:
    """One that asks what the count gate `name` asks, too."""
    return replace(
        a_burn_gate(
            name=f"burn-{name}", objective=0.97, window=BurnWindow(long=10 * MINUTE, short=2 * MINUTE, factor=4.0)
        ),
        query=Query.plain(f"bad-{name}"),
        total=Query.plain(f"total-{name}"),
    )


RULES: tuple[MeasuredRule, ...] = (
    a_count_gate(limit=0.03),
    slow(),
    a_value(),
    a_value(name="restarts", is_sum=True),
    a_baseline(),
    a_burn_rate("http-errors"),
)
TEXTS = tuple(dict.fromkeys(ask.query.text for rule in RULES for ask in rule.asks.values()))
POLICY = a_policy(
    gates=(*RULES, ArgoHealthyGate(name="argocd-healthy", history=(Query.plain("ill"),))),
    window=a_window(length=20 * MINUTE),
    rollback=a_rollback(triggers=(*RULES, DegradedTrigger(name="argocd-degraded", lasting=3 * MINUTE))),
)
LAST = 26


@st.composite
def recordings(draw: st.DrawFn) -> dict[str, list[float | None]]:
    """Return numbers of every query, with gaps; most are calm, so that not every history alarms at once."""
    found: dict[str, list[float | None]] = {}
    for text in (*TEXTS, "ill"):
        most = 400 if "total" in text or text == "bad-latency" else draw(st.sampled_from([0, 3, 60]))
        numbers = st.integers(most // 2, most).map(float)
        found[text] = draw(st.lists(numbers if draw(st.booleans()) else st.none() | numbers, min_size=1, max_size=9))
    return found


@dataclass(frozen=True)
class Glance:
    """One look before the last: when, whether the bot was started anew for it, and what did not work."""

    minute: int
    restarts: bool
    fails: str


FAILURES = ("", "", "read", "numbers", "keep_numbers")
glances = st.lists(
    st.builds(Glance, minute=st.integers(0, LAST - 1), restarts=st.booleans(), fails=st.sampled_from(FAILURES)),
    max_size=8,
).map(lambda some: sorted(some, key=lambda glance: glance.minute))
stages = st.sampled_from([None, new_production()])
"""Judged by gates in staging, or by triggers in production."""


def decided(bench: Bench) -> Decision:
    (seen,) = bench.sample(LAST)
    return decide(POLICY, seen, seen.at)


def after(bench: Bench, some: Sequence[Glance]) -> Iterator[None]:
    for glance in some:
        if glance.restarts:
            bench.restart()
        error = {glance.fails: an_error("out of order")} if glance.fails else {}
        bench.metrics.fail = bench.ledger.fail = dict(error)
        bench.sample(glance.minute)
        yield
    bench.metrics.fail = bench.ledger.fail = {}


@settings(max_examples=60)
@given(history=recordings(), some=glances, production=stages)
def test_however_the_bot_looked_it_comes_to_the_same(
    history: dict[str, list[float | None]], some: list[Glance], production: StageObservation | None
) -> None:
    def bench() -> Bench:
        return Bench(policies=[POLICY], metrics=RecordedMetrics(history=history), production=production)

    once = decided(bench())
    assert sum(len(one.verdicts) for one in once.judgements) >= len(RULES)
    looked = bench()
    for _ in after(looked, some):
        pass
    assert decided(looked) == once
    looked.restart()
    assert decided(looked) == once
    assert not looked.metrics.asked
    looked.ledger.kept.clear()
    looked.restart()
    assert decided(looked) == once


@settings(max_examples=15)
@given(history=recordings(), production=stages)
def test_a_look_at_every_tile_comes_to_the_same_as_one_at_the_end(
    history: dict[str, list[float | None]], production: StageObservation | None
) -> None:
    once, always = (
        Bench(policies=[POLICY], metrics=RecordedMetrics(history=history), production=production) for _ in range(2)
    )
    for minute in range(LAST):
        always.sample(minute)
    assert decided(always) == decided(once)
