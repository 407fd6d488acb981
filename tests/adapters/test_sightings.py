"""What was seen of a stage's applications is kept in runs, recalled as of an instant, and survives a restart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.adapters.ledger import DrySightings, SqlLedger, open_ledger
from bot.domain.argo import Mark, MarkKind, Membership, Memory
from bot.records import Sightings
from tests.adapters.test_ledger import MINUTE, NOON, an_arrival, at
from tests.fakes import FakeSightings

GAP = 5 * MINUTE
ARRIVAL = an_arrival()
FOREVER = NOON + timedelta(days=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[SqlLedger]:
    with open_ledger(f"sqlite:///{path}") as opened:
        yield opened


@pytest.fixture(params=["SQL", "fake"])
def sightings(request: pytest.FixtureRequest, ledger: SqlLedger) -> Sightings:
    """Both implementations of the port: the fake that scenarios rest on must behave as the real one."""
    return ledger.sightings if request.param == "SQL" else FakeSightings()


def see(sightings: Sightings, minute: int, health: Mapping[str, str], *, stage: str = "staging") -> None:
    sightings.saw_health("checkout", stage, health, at(minute), gap=GAP)


def meet(sightings: Sightings, minute: int, *members: str, stage: str = "staging") -> None:
    sightings.saw_members("checkout", stage, members, at(minute))


def recall(sightings: Sightings, *, since: datetime = NOON, until: datetime = FOREVER) -> Memory:
    return sightings.recall(ARRIVAL, since, until)


def told(memory: Memory) -> list[tuple[str, str, float, float]]:
    return [
        (one.application, one.health, (one.first_seen - NOON) / MINUTE, (one.last_seen - NOON) / MINUTE)
        for one in memory.spells
    ]


# --- health ----------------------------------------------------------------------------------------------------------


def test_looks_at_one_health_are_one_spell_and_another_health_or_a_gap_ends_it(sightings: Sightings) -> None:
    for minute, health in ((0, "Healthy"), (5, "Healthy"), (6, "Degraded"), (7, "Healthy"), (13, "Healthy")):
        see(sightings, minute, {"a": health})
    assert told(recall(sightings)) == [
        ("a", "Healthy", 0, 5),
        ("a", "Degraded", 6, 6),
        ("a", "Healthy", 7, 7),
        ("a", "Healthy", 13, 13),
    ]


def test_each_application_has_spells_of_its_own(sightings: Sightings) -> None:
    see(sightings, 0, {"eu:team/a": "Healthy", "team/a": "Degraded"})
    see(sightings, 1, {"eu:team/a": "Healthy"})
    see(sightings, 2, {"eu:team/a": "Healthy", "team/a": "Degraded"})
    assert sorted(told(recall(sightings))) == [("eu:team/a", "Healthy", 0, 2), ("team/a", "Degraded", 0, 2)]


def test_a_stage_knows_nothing_of_another_one_or_of_another_service(ledger: SqlLedger) -> None:
    see(ledger.sightings, 0, {"a": "Healthy"}, stage="production")
    ledger.sightings.saw_health("cart", "staging", {"a": "Healthy"}, at(0), gap=GAP)
    meet(ledger.sightings, 0, "a", stage="production")
    assert recall(ledger.sightings) == Memory()


def test_a_look_at_nothing_is_kept_as_nothing(sightings: Sightings) -> None:
    see(sightings, 0, {})
    assert recall(sightings) == Memory()


def test_spells_that_ended_before_the_release_are_forgotten_and_later_ones_are_cut_at_the_look(
    sightings: Sightings,
) -> None:
    for minute, health in ((0, "Healthy"), (1, "Degraded"), (2, "Healthy"), (4, "Healthy"), (5, "Degraded")):
        see(sightings, minute, {"a": health})
    seen = recall(sightings, since=at(1), until=at(3))
    assert told(seen) == [("a", "Degraded", 1, 1), ("a", "Healthy", 2, 3)]


def test_a_clock_that_ran_backwards_shortens_no_spell(ledger: SqlLedger) -> None:
    for minute in (0, 4, 2):
        see(ledger.sightings, minute, {"a": "Healthy"})
    assert told(recall(ledger.sightings)) == [("a", "Healthy", 0, 4)]


def test_a_look_that_was_dated_an_hour_ahead_hides_no_illness_until_then(sightings: Sightings) -> None:
    for minute, health in ((0, "Healthy"), (1, "Degraded"), (61, "Degraded"), (2, "Degraded"), (3, "Degraded")):
        see(sightings, minute, {"a": health})
    (_, first, second) = told(recall(sightings, until=at(3)))
    assert (first, second) == (("a", "Degraded", 1, 1), ("a", "Degraded", 2, 3))


def test_names_and_health_of_any_text_are_kept_as_they_are(ledger: SqlLedger) -> None:
    odd = {"a'; DROP TABLE marks; --": "It's 💧", "ä:ö/ü": "", "x" * 10_000: "y" * 10_000}
    see(ledger.sightings, 0, odd)
    assert {one.application: one.health for one in recall(ledger.sightings).spells} == odd


# --- members ---------------------------------------------------------------------------------------------------------


def test_other_members_start_a_new_run_and_their_order_does_not_matter(sightings: Sightings) -> None:
    meet(sightings, 0, "b", "a")
    meet(sightings, 1, "a", "b")
    meet(sightings, 2, "a", "b", "c")
    meet(sightings, 3)
    runs = recall(sightings).memberships
    assert runs == (
        Membership(members=("a", "b"), first_seen=at(0), last_seen=at(1)),
        Membership(members=("a", "b", "c"), first_seen=at(2), last_seen=at(2)),
        Membership(members=(), first_seen=at(3), last_seen=at(3)),
    )


def test_members_since_is_known_only_where_others_were_there_before(sightings: Sightings) -> None:
    meet(sightings, 0, "a")
    assert (recall(sightings).members_since, recall(sightings).members_before) == (None, ())
    meet(sightings, 5, "a", "b")
    assert (recall(sightings).members_since, recall(sightings).members_before) == (at(5), ("a",))
    before = recall(sightings, until=at(4))
    assert (before.members_since, before.members_before) == (None, ())
    later = recall(sightings, since=at(1))
    assert (later.members_since, later.members_before) == (None, ())


def test_members_that_come_back_are_a_new_run(sightings: Sightings) -> None:
    for minute, members in ((0, ["a"]), (1, ["a", "b"]), (2, ["a"])):
        meet(sightings, minute, *members)
    memory = recall(sightings)
    assert [run.members for run in memory.memberships] == [("a",), ("a", "b"), ("a",)]
    assert (memory.members_since, memory.members_before) == (at(2), ("a", "b"))


# --- marks -----------------------------------------------------------------------------------------------------------


def test_marks_belong_to_one_arrival_and_are_cut_at_the_look(sightings: Sightings) -> None:
    late, early = (Mark(application="a", kind=MarkKind.ASKED_SYNC, at=at(minute)) for minute in (9, 3))
    for mark in (late, early):
        sightings.mark(ARRIVAL, mark)
    for other in (an_arrival(commit="b"), an_arrival(stage="production"), an_arrival(service="cart")):
        sightings.mark(other, Mark(application="a", kind=MarkKind.SAW, at=at(1)))
    assert set(recall(sightings).marks) == {early, late}
    assert recall(sightings, until=at(4)).marks == (early,)


def test_marks_come_in_the_order_in_which_they_were_noted(sightings: Sightings) -> None:
    """Some are on Argo CD's clock: only their order tells whether a sync was noted before or after the end of a run."""
    for minute in (9, 3, 6):
        sightings.mark(ARRIVAL, Mark(application="a", kind=MarkKind.SYNCED, at=at(minute)))
    assert [mark.at for mark in recall(sightings).marks] == [at(9), at(3), at(6)]


@pytest.mark.parametrize("kind", [MarkKind.SAW, MarkKind.SYNCED], ids=str)
def test_what_argo_cd_dated_after_the_look_is_recalled_for_its_clock_may_be_ahead(
    sightings: Sightings, kind: MarkKind
) -> None:
    ahead = Mark(application="a", kind=kind, at=at(9))
    sightings.mark(ARRIVAL, ahead)
    assert recall(sightings, until=at(8)).marks == (ahead,)


def test_a_health_that_began_after_the_last_look_is_a_new_spell(sightings: Sightings) -> None:
    """Between two looks at Healthy it was something else, if Argo CD dates it after the first of them."""
    for minute, began in ((0, -9), (2, -9), (4, 3), (6, 3)):
        sightings.saw_health("checkout", "staging", {"a": "Healthy"}, at(minute), gap=GAP, since={"a": at(began)})
    assert told(recall(sightings)) == [("a", "Healthy", -9, 2), ("a", "Healthy", 3, 6)]


def test_an_instant_of_argo_cd_s_in_our_future_starts_no_spell_at_each_look(sightings: Sightings) -> None:
    for minute in (0, 1, 2):
        sightings.saw_health("checkout", "staging", {"a": "Healthy"}, at(minute), gap=GAP, since={"a": at(30)})
    assert told(recall(sightings)) == [("a", "Healthy", 0, 2)]


@pytest.mark.parametrize("kind", list(MarkKind), ids=str)
def test_every_kind_of_mark_survives_a_restart(path: Path, kind: MarkKind) -> None:
    mark = Mark(application="eu:team/a", kind=kind, at=at(2))
    with open_ledger(f"sqlite:///{path}") as ledger:
        ledger.sightings.mark(ARRIVAL, mark)
        meet(ledger.sightings, 1, "a")
        see(ledger.sightings, 1, {"a": "Healthy"})
    with open_ledger(f"sqlite:///{path}") as again:
        memory = recall(again.sightings)
        assert memory.marks == (mark,)
        assert memory.memberships == (Membership(members=("a",), first_seen=at(1), last_seen=at(1)),)
        see(again.sightings, 2, {"a": "Healthy"})
        meet(again.sightings, 2, "a")
        assert told(recall(again.sightings)) == [("a", "Healthy", 1, 2)]
        assert recall(again.sightings).members_since is None


# --- two bots, and a dry run beside the real one ---------------------------------------------------------------------


def test_two_bots_on_one_database_change_no_answer(path: Path) -> None:
    def watch(_: int) -> None:
        with open_ledger(f"sqlite:///{path}") as ledger:
            for minute in range(6):
                see(ledger.sightings, minute, {"a": "Healthy"})
                meet(ledger.sightings, minute, "a")

    open_ledger(f"sqlite:///{path}").close()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(watch, range(2)))
    with open_ledger(f"sqlite:///{path}") as ledger:
        memory = recall(ledger.sightings)
    assert {(one.application, one.health) for one in memory.spells} == {("a", "Healthy")}
    assert min(one.first_seen for one in memory.spells) == at(0)
    assert max(one.last_seen for one in memory.spells) == at(5)
    assert len(memory.memberships) == 1
    assert memory.members_since is None


def test_a_dry_run_recalls_both_and_writes_to_its_own_memory_only(ledger: SqlLedger) -> None:
    scratch = FakeSightings()
    dry = DrySightings(real=ledger.sightings, scratch=scratch)
    see(ledger.sightings, 0, {"a": "Healthy"})
    meet(ledger.sightings, 0, "a")
    ledger.sightings.mark(ARRIVAL, Mark(application="a", kind=MarkKind.ASKED_SYNC, at=at(1)))
    before = recall(ledger.sightings)
    see(dry, 2, {"a": "Degraded"})
    meet(dry, 2, "a")
    dry.mark(ARRIVAL, Mark(application="a", kind=MarkKind.SAW, at=at(0)))
    memory = recall(dry)
    assert told(memory) == [("a", "Healthy", 0, 0), ("a", "Degraded", 2, 2)]
    assert [mark.kind for mark in memory.marks] == [MarkKind.ASKED_SYNC, MarkKind.SAW]
    assert memory.members_since is None, "the same members beside the real bot's are no change"
    meet(dry, 3, "a", "b")
    assert recall(dry).members_since == at(3)
    assert recall(ledger.sightings) == before


# --- laws ------------------------------------------------------------------------------------------------------------

Looks = Sequence[tuple[int, Mapping[str, str]]]
looks = st.lists(
    st.tuples(
        st.integers(0, 9),
        st.dictionaries(st.sampled_from("ab"), st.sampled_from(["Healthy", "Degraded", "Missing"]), max_size=2),
    ),
    max_size=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(pauses=looks, since=st.integers(0, 40), until=st.integers(0, 60))
def test_the_ledger_recalls_what_the_fake_recalls(pauses: Looks, since: int, until: int) -> None:
    fake = FakeSightings()
    with open_ledger("sqlite://") as ledger:
        minute = 0
        for pause, health in pauses:
            minute += pause
            for one in (fake, ledger.sightings):
                see(one, minute, health)
                meet(one, minute, *health)
        kept, faked = (recall(one, since=at(since), until=at(until)) for one in (ledger.sightings, fake))
    assert sorted(told(kept)) == sorted(told(faked))
    assert kept.memberships == faked.memberships
