"""The chain over the ledger's entries: whole after all that the bot does, broken by all that anybody else does."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.ledger import SqlLedger, open_ledger
from bot.adapters.ledger.chain import BEGIN, Broken, Chain, canonical, digest_of, link_of, verify
from bot.records import Archive, Entry, Event
from tests.adapters.test_ledger import MINUTE, NOON, an_arrival, an_event, at, execute
from tests.adapters.test_ledger_opening import make_at_revision


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[SqlLedger]:
    with open_ledger(f"sqlite:///{path}") as opened:
        yield opened


def chained(*events: Event) -> list[Entry]:
    entries, before = [], BEGIN
    for number, event in enumerate(events, 1):
        body = canonical(event.body)
        before = link_of(before, event, digest_of(body))
        entries.append(Entry(number=number, event=event, body=body, digest=digest_of(body), link=before))
    return entries


def without_guards(path: Path) -> None:
    """Do what whoever can write the file can do."""
    for trigger in ("events_no_update", "events_no_delete"):
        execute(path, f"DROP TRIGGER {trigger}")


# --- the chain itself ------------------------------------------------------------------------------------------------


def test_the_chain_of_nothing_is_whole() -> None:
    assert verify([]) == Chain()


def test_a_whole_chain_tells_its_length_its_span_and_its_head() -> None:
    entries = chained(an_event(0), an_event(1), an_event(2))
    assert verify(entries) == Chain(count=3, first=at(0), last=at(2), head=entries[-1].link)


EVENTS = st.builds(
    Event,
    at=st.integers(0, 10_000).map(lambda n: NOON + n * MINUTE),
    service=st.sampled_from(["checkout", "cart", ""]),
    stage=st.sampled_from(["", "staging", "checkout"]),
    kind=st.sampled_from(["decision", "action", "command"]),
    body=st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3) | st.none(), max_size=3),
)
CHANGES = ["service", "stage", "at", "kind", "body", "left out", "twice", "swapped"]


@given(st.lists(EVENTS, min_size=2, max_size=6), st.sampled_from(CHANGES), st.data())
def test_no_entry_is_changed_left_out_repeated_or_moved_unseen(
    events: list[Event], change: str, data: st.DataObject
) -> None:
    entries = chained(*events)
    # The last one can be left out unseen: that is what a head kept elsewhere is for.
    index = data.draw(st.integers(0, len(entries) - 2))
    one = entries[index]
    event = one.event
    changed = {
        "service": [replace(one, event=replace(event, service=event.service + "x"))],
        "stage": [replace(one, event=replace(event, stage=event.stage + "x"))],
        "at": [replace(one, event=replace(event, at=event.at + MINUTE))],
        "kind": [replace(one, event=replace(event, kind="error"))],
        "body": [replace(one, body=canonical({"other": 1, **event.body}))],
        "left out": [],
        "twice": [one, one],
        "swapped": [entries[index + 1], one],
    }[change]
    rest = entries[index + (2 if change == "swapped" else 1) :]
    if change == "body" and canonical({"other": 1, **event.body}) == one.body:
        return
    with pytest.raises(Broken):
        verify([*entries[:index], *changed, *rest])


def test_where_one_field_ends_cannot_be_moved() -> None:
    first = Event(at=NOON, service="a", stage="bc", kind="decision", body={})
    second = replace(first, service="ab", stage="c")
    assert link_of(BEGIN, first, "d") != link_of(BEGIN, second, "d")


# --- in the database -------------------------------------------------------------------------------------------------


def test_what_is_recorded_is_linked(ledger: SqlLedger) -> None:
    archive: Archive = ledger
    for n in range(5):
        ledger.record(an_event(n))
    entries = archive.entries()
    assert [entry.number for entry in entries] == [1, 2, 3, 4, 5]
    assert verify(entries).count == 5
    assert [entry.number for entry in archive.entries(after=2, limit=2)] == [3, 4]


def test_two_bots_on_one_ledger_make_one_chain(path: Path) -> None:
    with open_ledger(f"sqlite:///{path}") as one, open_ledger(f"sqlite:///{path}") as other:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: (one if n % 2 else other).record(an_event(n)), range(60)))
        assert verify(one.entries()).count == 60


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        (
            "UPDATE events SET body = '{\"n\":7}' WHERE id = 2",
            "the body of entry 2 (decision of checkout/staging) is not",
        ),
        ("UPDATE events SET service = 'cart' WHERE id = 2", "entry 2 (decision of cart/staging) does not follow"),
        ("DELETE FROM events WHERE id = 2", "entry 3 (decision of checkout/staging) does not follow"),
        ("UPDATE events SET id = 9 WHERE id = 1", "entry 2 (decision of checkout/staging) does not follow"),
    ],
    ids=["body", "service", "left out", "moved"],
)
def test_whoever_changes_the_file_breaks_the_chain(ledger: SqlLedger, path: Path, sql: str, said: str) -> None:
    for n in range(4):
        ledger.record(an_event(n, stage="staging"))
    without_guards(path)
    execute(path, sql)
    with pytest.raises(Broken) as caught:
        verify(ledger.entries())
    assert str(caught.value).startswith(said)


# --- when it is old --------------------------------------------------------------------------------------------------


def test_old_bodies_are_taken_away_and_the_chain_stays_whole(ledger: SqlLedger) -> None:
    for n in range(4):
        ledger.record(an_event(n))
    head = verify(ledger.entries()).head
    assert ledger.thin(at(2)) == 2
    assert verify(ledger.entries()) == Chain(count=4, thinned=2, first=at(0), last=at(3), head=head)
    assert [entry.body is None for entry in ledger.entries()] == [True, True, False, False]
    assert [event.body["n"] for event in ledger.events()] == [3, 2]
    assert ledger.thin(at(2)) == 0
    ledger.record(an_event(5))
    assert verify(ledger.entries()).count == 5


def test_what_is_still_read_is_never_taken_away(ledger: SqlLedger) -> None:
    for kind in ("command", "policy", "decision", "error"):
        for n in range(2):
            ledger.record(an_event(n, kind=kind))
    ledger.record(an_event(0, service="cart"))
    assert ledger.thin(at(60)) == 2
    kept = {(entry.event.service, entry.event.kind, entry.number) for entry in ledger.entries() if entry.body}
    assert kept == {
        ("checkout", "command", 1),
        ("checkout", "command", 2),
        ("checkout", "policy", 3),
        ("checkout", "policy", 4),
        ("checkout", "decision", 6),
        ("checkout", "error", 8),
        ("cart", "decision", 9),
    }
    assert ledger.latest("decision")["checkout"].body == {"n": 1}


def test_thinning_takes_the_numbers_of_that_time_as_well(ledger: SqlLedger) -> None:
    ledger.keep_numbers({an_arrival(): {"f": {at(0): 1.0, at(5): 2.0}}})
    ledger.thin(at(5))
    assert ledger.numbers([an_arrival()]) == {an_arrival(): {"f": {at(5): 2.0}}}


@pytest.mark.parametrize("column", ["service", "stage", "kind", "digest", "link", "at"])
def test_the_database_lets_a_body_go_and_nothing_with_it(ledger: SqlLedger, path: Path, column: str) -> None:
    ledger.record(an_event())
    with pytest.raises(sqlite3.IntegrityError, match="never changed or deleted"):
        execute(path, f"UPDATE events SET body = '', {column} = 'x'")  # noqa: S608  (the column is a parameter of this test)
    with pytest.raises(sqlite3.IntegrityError, match="never changed or deleted"):
        execute(path, "UPDATE events SET body = '{}'")
    execute(path, "UPDATE events SET body = ''")
    assert verify(ledger.entries()).thinned == 1


# --- from before there was a chain -----------------------------------------------------------------------------------


@pytest.mark.parametrize("revision", ["0001", "0002", "0003", "0004", "0005", "0006"])
def test_an_older_ledger_is_linked_as_it_is(path: Path, revision: str) -> None:
    make_at_revision(path, revision)
    for n in range(2500):
        if n % 500 == 0 or n < 3:
            execute(
                path,
                "INSERT INTO events (at, service, stage, kind, body)"  # noqa: S608 - all of it is written here
                f" VALUES ('2026-03-01 12:00:00.{n:06d}', 'checkout', '', 'decision', '{{\"n\":{n}}}')",
            )
    with open_ledger(f"sqlite:///{path}") as ledger:
        before = ledger.entries()
        assert [entry.event.body["n"] for entry in before] == [0, 1, 2, 500, 1000, 1500, 2000]
        ledger.record(an_event(3))
        chain = verify(ledger.entries())
        assert (chain.count, chain.thinned) == (8, 0)
    with pytest.raises(sqlite3.IntegrityError, match="never changed or deleted"):
        execute(path, "UPDATE events SET kind = 'error'")
