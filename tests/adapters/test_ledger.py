from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.adapters.ledger import SqlLedger, open_ledger
from bot.domain.argo import HealthSpell
from bot.domain.model import Sha
from bot.records import Arrival, Event, EventKind, Kept, Ledger

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def spells(
    ledger: SqlLedger, *, service: str = "checkout", stage: str = "staging", since: datetime = NOON
) -> tuple[HealthSpell, ...]:
    arrival = an_arrival(service=service, stage=stage)
    return ledger.sightings.recall(arrival, since, NOON + timedelta(days=1)).spells


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "100% ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[SqlLedger]:
    with open_ledger(f"sqlite:///{path}") as opened:
        yield opened


def an_event(n: int = 0, *, service: str = "checkout", kind: EventKind = "decision", stage: str = "") -> Event:
    return Event(at=NOON + n * MINUTE, service=service, kind=kind, body={"n": n}, stage=stage)


def an_arrival(*, service: str = "checkout", stage: str = "staging", commit: str = "a") -> Arrival:
    return Arrival(service=service, stage=stage, commit=Sha(commit * 40))


def at(minute: int) -> datetime:
    return NOON + minute * MINUTE


def execute(path: Path, sql: str) -> None:
    connection = sqlite3.connect(path)
    try:
        with connection:
            connection.execute(sql)
    finally:
        connection.close()


def test_the_ledger_is_the_port(ledger: SqlLedger) -> None:
    port: Ledger = ledger
    assert port.events() == ()


# --- events ----------------------------------------------------------------------------------------------------------


def test_events_come_back_whole_and_newest_first(ledger: SqlLedger) -> None:
    first = Event(
        at=NOON, service="checkout", kind="action", stage="production", body={"ü": ["Ω", None, 1.5, {"a": True}]}
    )
    second = an_event(1)
    ledger.record(first)
    ledger.record(second)
    assert ledger.events() == (second, first)


def test_events_are_chosen_by_service_and_kind_and_limited(ledger: SqlLedger) -> None:
    for n in range(4):
        ledger.record(an_event(n))
    ledger.record(an_event(9, service="cart"))
    ledger.record(an_event(8, kind="error"))
    assert [event.body["n"] for event in ledger.events(service="checkout", kind="decision", limit=2)] == [3, 2]
    assert [event.body["n"] for event in ledger.events(kind="error")] == [8]
    assert [event.body["n"] for event in ledger.events(service="cart")] == [9]


def test_newest_is_what_was_recorded_last_even_if_the_clock_stepped_back(ledger: SqlLedger) -> None:
    ledger.record(an_event(5))
    ledger.record(an_event(-60))
    assert ledger.latest("decision")["checkout"].body == {"n": -60}


def test_latest_gives_each_service_its_newest_event_of_the_kind(ledger: SqlLedger) -> None:
    for n in range(3):
        ledger.record(an_event(n))
        ledger.record(an_event(10 + n, service="cart"))
    ledger.record(an_event(99, kind="error"))
    assert {name: event.body["n"] for name, event in ledger.latest("decision").items()} == {"checkout": 2, "cart": 12}
    assert ledger.latest("policy") == {}


@pytest.mark.parametrize("sql", ["UPDATE events SET body = '{}'", "DELETE FROM events"], ids=["update", "delete"])
def test_the_database_refuses_to_change_or_delete_an_event(ledger: SqlLedger, path: Path, sql: str) -> None:
    ledger.record(an_event())
    with pytest.raises(sqlite3.IntegrityError, match="never changed or deleted"):
        execute(path, sql)
    assert ledger.events() == (an_event(),)


def test_an_event_survives_closing_and_opening_again(path: Path) -> None:
    with open_ledger(f"sqlite:///{path}") as ledger:
        ledger.record(an_event(7))
    with open_ledger(f"sqlite:///{path}") as ledger:
        assert ledger.events() == (an_event(7),)


def test_a_naive_instant_is_refused_and_leaves_nothing_behind(ledger: SqlLedger) -> None:
    naive = Event(at=NOON.replace(tzinfo=None), service="checkout", kind="error", body={})
    with pytest.raises(sa.exc.StatementError, match="aware"):
        ledger.record(naive)
    assert ledger.events() == ()


def test_a_body_that_is_no_json_is_refused(ledger: SqlLedger) -> None:
    with pytest.raises(ValueError, match="JSON"):
        ledger.record(Event(at=NOON, service="checkout", kind="error", body={"n": float("nan")}))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(
    at=st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1)),  # noqa: DTZ001 - made aware below
    offset=st.integers(-14 * 60, 14 * 60),
    text=st.text(st.characters(exclude_categories=["Cs"])),
)
def test_every_instant_and_text_comes_back_the_same_and_in_utc(
    ledger: SqlLedger, at: datetime, offset: int, text: str
) -> None:
    aware = at.replace(tzinfo=timezone(timedelta(minutes=offset)))
    ledger.record(Event(at=aware, service="checkout", kind="error", body={"text": text}))
    (seen,) = ledger.events(limit=1)
    assert (seen.at, seen.at.tzinfo, seen.body) == (aware, UTC, {"text": text})


def test_threads_share_a_ledger_and_lose_nothing(ledger: SqlLedger) -> None:
    def work(worker: int) -> None:
        for n in range(20):
            ledger.record(an_event(n, service=f"s{worker}"))
            ledger.sightings.saw_health(f"s{worker}", "staging", {"app": "Healthy"}, NOON + n * MINUTE, gap=MINUTE)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(ledger.events(limit=1000)) == 160
    assert [len(spells(ledger, service=f"s{worker}")) for worker in range(8)] == [1] * 8


def test_a_ledger_in_memory_is_one_for_all_threads() -> None:
    with open_ledger("sqlite://") as ledger:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda n: ledger.record(an_event(n)), range(20)))
        assert len(ledger.events()) == 20


# --- numbers ---------------------------------------------------------------------------------------------------------


def test_numbers_come_back_as_they_were_kept_under_their_arrival_only(ledger: SqlLedger) -> None:
    kept: Kept = {"f1": {at(2): 10.0, at(0): None, at(1): 1e15}, "f2": {at(5): -0.1}}
    ledger.keep_numbers({an_arrival(): kept})
    others = [an_arrival(service="cart"), an_arrival(stage="production"), an_arrival(commit="b")]
    assert ledger.numbers([an_arrival(), *others]) == {an_arrival(): kept} | {other: {} for other in others}


def test_numbers_of_many_arrivals_are_kept_and_read_together(ledger: SqlLedger) -> None:
    numbers = {an_arrival(service=f"s{n}"): {"f": {at(0): float(n)}} for n in range(1200)}
    ledger.keep_numbers(numbers)
    assert ledger.numbers(list(numbers)) == numbers


def test_a_number_is_kept_as_it_was_first_seen_even_if_it_was_absent(ledger: SqlLedger) -> None:
    ledger.keep_numbers({an_arrival(): {"f": {at(0): 1.0, at(1): None}}})
    ledger.keep_numbers({an_arrival(): {"f": {at(0): 9.0, at(1): 9.0, at(2): 3.0}}})
    assert ledger.numbers([an_arrival()]) == {an_arrival(): {"f": {at(0): 1.0, at(1): None, at(2): 3.0}}}


def test_many_numbers_are_kept_in_one_transaction(ledger: SqlLedger) -> None:
    begun: list[object] = []
    sa.event.listen(ledger.connections.engine, "begin", begun.append)
    ledger.keep_numbers({an_arrival(): {"f": {at(n): 1.0 for n in range(5000)}}})
    assert len(begun) == 1
    assert len(ledger.numbers([an_arrival()])[an_arrival()]["f"]) == 5000


@pytest.mark.parametrize("nothing", [{}, {an_arrival(): {}}, {an_arrival(): {"f": {}}}])
def test_keeping_no_numbers_writes_nothing(ledger: SqlLedger, nothing: dict[Arrival, Kept]) -> None:
    begun: list[object] = []
    sa.event.listen(ledger.connections.engine, "begin", begun.append)
    ledger.keep_numbers(nothing)
    assert begun == []
    assert ledger.numbers([]) == {}


def test_threads_that_keep_the_same_numbers_do_no_harm(ledger: SqlLedger) -> None:
    with ThreadPoolExecutor(8) as pool:
        for value in range(16):
            kept = {an_arrival(): {"f": {at(n): float(value) for n in range(50)}}}
            pool.submit(ledger.keep_numbers, kept)
    seen = ledger.numbers([an_arrival()])[an_arrival()]["f"]
    assert len(seen) == 50
    assert len(set(seen.values())) == 1


# --- health spells ---------------------------------------------------------------------------------------------------


def a_spell(health: str, first: int, last: int, *, application: str = "app") -> HealthSpell:
    return HealthSpell(
        application=application, health=health, first_seen=NOON + first * MINUTE, last_seen=NOON + last * MINUTE
    )


def look(ledger: SqlLedger, minute: int, **seen: str) -> None:
    ledger.sightings.saw_health("checkout", "staging", seen, NOON + minute * MINUTE, gap=2 * MINUTE)


def test_looks_with_the_same_health_are_one_spell(ledger: SqlLedger) -> None:
    for minute in (0, 1, 3):
        look(ledger, minute, app="Healthy")
    assert spells(ledger) == (a_spell("Healthy", 0, 3),)


def test_another_health_starts_a_new_spell_for_that_application_only(ledger: SqlLedger) -> None:
    look(ledger, 0, app="Healthy", other="Healthy")
    look(ledger, 1, app="Degraded", other="Healthy")
    look(ledger, 2, app="Healthy", other="Healthy")
    assert set(spells(ledger)) == {
        a_spell("Healthy", 0, 0),
        a_spell("Degraded", 1, 1),
        a_spell("Healthy", 2, 2),
        a_spell("Healthy", 0, 2, application="other"),
    }


def test_a_look_after_a_gap_starts_a_new_spell(ledger: SqlLedger) -> None:
    look(ledger, 0, app="Healthy")
    look(ledger, 3, app="Healthy")
    assert spells(ledger) == (a_spell("Healthy", 0, 0), a_spell("Healthy", 3, 3))


def test_a_look_from_before_never_shortens_a_spell(ledger: SqlLedger) -> None:
    look(ledger, 5, app="Healthy")
    look(ledger, 4, app="Healthy")
    assert spells(ledger) == (a_spell("Healthy", 5, 5),)


def test_spells_are_those_that_reach_past_the_instant(ledger: SqlLedger) -> None:
    look(ledger, 0, app="Healthy")
    look(ledger, 1, app="Degraded")
    look(ledger, 2, app="Degraded")
    assert spells(ledger, since=NOON + 2 * MINUTE) == (a_spell("Degraded", 1, 2),)
    assert spells(ledger, stage="production") == ()


# --- comment digests -------------------------------------------------------------------------------------------------


def test_a_note_is_the_last_one_under_its_key(ledger: SqlLedger) -> None:
    assert ledger.noted(["a", "b"]) == {}
    ledger.note("a", "1")
    ledger.note("a", "2")
    assert ledger.noted(["a", "b"]) == {"a": "2"}


def test_any_number_of_notes_is_read_at_once(ledger: SqlLedger) -> None:
    ledger.note("key 1999", "there")
    assert ledger.noted([f"key {n}" for n in range(2000)]) == {"key 1999": "there"}
