from __future__ import annotations

import os
import resource
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.adapters.ledger import SqlLedger, open_ledger
from bot.adapters.ledger.opening import MIGRATIONS
from bot.adapters.ledger.tables import metadata
from bot.domain.model import HealthSpell, Sha, Tile
from bot.ports import Event, EventKind, Ledger, Permanent, SeriesKey, Transient

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "100% ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[SqlLedger]:
    with open_ledger(f"sqlite:///{path}") as opened:
        yield opened


def an_event(n: int = 0, *, service: str = "checkout", kind: EventKind = "decision", stage: str = "") -> Event:
    return Event(at=NOON + n * MINUTE, service=service, kind=kind, body={"n": n}, stage=stage)


def a_key(*, service: str = "checkout", fingerprint: str = "f1") -> SeriesKey:
    return SeriesKey(service=service, stage="staging", commit=Sha("a" * 40), fingerprint=fingerprint)


def a_tile(n: int, *, total: float | None = 10.0, bad: float | None = 0.0) -> Tile:
    return Tile(start=NOON + n * MINUTE, width=MINUTE, total=total, bad=bad)


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
            ledger.saw_health(f"s{worker}", "staging", {"app": "Healthy"}, NOON + n * MINUTE, gap=MINUTE)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(ledger.events(limit=1000)) == 160
    assert [len(ledger.spells(f"s{worker}", "staging", NOON)) for worker in range(8)] == [1] * 8


def test_a_ledger_in_memory_is_one_for_all_threads() -> None:
    with open_ledger("sqlite://") as ledger:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda n: ledger.record(an_event(n)), range(20)))
        assert len(ledger.events()) == 20


# --- tiles -----------------------------------------------------------------------------------------------------------


def test_tiles_come_back_oldest_first_under_their_key_only(ledger: SqlLedger) -> None:
    ledger.keep_tiles(a_key(), [a_tile(2), a_tile(0, total=None, bad=None), a_tile(1, total=1e15, bad=0.1)])
    ledger.keep_tiles(a_key(fingerprint="f2"), [a_tile(5)])
    kept = ledger.tiles(a_key())
    assert kept == (a_tile(0, total=None, bad=None), a_tile(1, total=1e15, bad=0.1), a_tile(2))
    assert ledger.tiles(a_key(service="cart")) == ()


def test_a_tile_is_kept_as_it_was_first_seen(ledger: SqlLedger) -> None:
    ledger.keep_tiles(a_key(), [a_tile(0, bad=1.0)])
    ledger.keep_tiles(a_key(), [a_tile(0, bad=9.0), a_tile(1), a_tile(1, bad=3.0)])
    assert ledger.tiles(a_key()) == (a_tile(0, bad=1.0), a_tile(1))


def test_many_tiles_are_kept_in_one_transaction(ledger: SqlLedger) -> None:
    begun: list[object] = []
    sa.event.listen(ledger._engine, "begin", begun.append)
    ledger.keep_tiles(a_key(), [a_tile(n) for n in range(5000)])
    assert len(begun) == 1
    assert len(ledger.tiles(a_key())) == 5000


def test_keeping_no_tiles_writes_nothing(ledger: SqlLedger) -> None:
    ledger.keep_tiles(a_key(), [])
    assert ledger.tiles(a_key()) == ()


# --- health spells ---------------------------------------------------------------------------------------------------


def a_spell(health: str, first: int, last: int, *, application: str = "app") -> HealthSpell:
    return HealthSpell(
        application=application, health=health, first_seen=NOON + first * MINUTE, last_seen=NOON + last * MINUTE
    )


def look(ledger: SqlLedger, minute: int, **seen: str) -> None:
    ledger.saw_health("checkout", "staging", seen, NOON + minute * MINUTE, gap=2 * MINUTE)


def test_looks_with_the_same_health_are_one_spell(ledger: SqlLedger) -> None:
    for minute in (0, 1, 3):
        look(ledger, minute, app="Healthy")
    assert ledger.spells("checkout", "staging", NOON) == (a_spell("Healthy", 0, 3),)


def test_another_health_starts_a_new_spell_for_that_application_only(ledger: SqlLedger) -> None:
    look(ledger, 0, app="Healthy", other="Healthy")
    look(ledger, 1, app="Degraded", other="Healthy")
    look(ledger, 2, app="Healthy", other="Healthy")
    assert set(ledger.spells("checkout", "staging", NOON)) == {
        a_spell("Healthy", 0, 0),
        a_spell("Degraded", 1, 1),
        a_spell("Healthy", 2, 2),
        a_spell("Healthy", 0, 2, application="other"),
    }


def test_a_look_after_a_gap_starts_a_new_spell(ledger: SqlLedger) -> None:
    look(ledger, 0, app="Healthy")
    look(ledger, 3, app="Healthy")
    assert ledger.spells("checkout", "staging", NOON) == (a_spell("Healthy", 0, 0), a_spell("Healthy", 3, 3))


def test_a_look_from_before_never_shortens_a_spell(ledger: SqlLedger) -> None:
    look(ledger, 5, app="Healthy")
    look(ledger, 4, app="Healthy")
    assert ledger.spells("checkout", "staging", NOON) == (a_spell("Healthy", 5, 5),)


def test_spells_are_those_that_reach_past_the_instant(ledger: SqlLedger) -> None:
    look(ledger, 0, app="Healthy")
    look(ledger, 1, app="Degraded")
    look(ledger, 2, app="Degraded")
    assert ledger.spells("checkout", "staging", NOON + 2 * MINUTE) == (a_spell("Degraded", 1, 2),)
    assert ledger.spells("checkout", "production", NOON) == ()


# --- comment digests -------------------------------------------------------------------------------------------------


def test_a_comment_digest_is_the_last_one_stored(ledger: SqlLedger) -> None:
    assert ledger.comment_digest("acme/deploy", 7) is None
    assert ledger.comment_digest("acme/deploy", 7, replace_with="d1") is None
    assert ledger.comment_digest("acme/deploy", 7, replace_with="d2") == "d1"
    assert ledger.comment_digest("acme/deploy", 7) == "d2"
    assert ledger.comment_digest("acme/deploy", 8) is None


# --- migrations ------------------------------------------------------------------------------------------------------


def make_at_revision(path: Path, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    engine = sa.create_engine(f"sqlite:///{path}")
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
    finally:
        engine.dispose()


def test_a_ledger_made_by_the_first_migration_is_upgraded_with_its_data(path: Path) -> None:
    make_at_revision(path, "0001")
    execute(
        path,
        "INSERT INTO events (at, service, stage, kind, body)"
        " VALUES ('2026-03-01 12:00:00.123456', 'checkout', '', 'decision', '{\"n\":0}')",
    )
    with open_ledger(f"sqlite:///{path}") as ledger:
        assert ledger.events() == (an_event(0),)
        assert ledger.comment_digest("acme/deploy", 1, replace_with="d") is None
    with pytest.raises(sqlite3.IntegrityError):
        execute(path, "DELETE FROM events")


def test_the_migrations_make_exactly_the_tables_of_the_code(ledger: SqlLedger) -> None:
    with ledger._engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_a_ledger_from_a_newer_version_is_refused_and_left_as_it_is(path: Path) -> None:
    open_ledger(f"sqlite:///{path}").close()
    execute(path, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(Permanent, match=r"newer Liftlock \(its tables are at 9999\)") as caught:
        open_ledger(f"sqlite:///{path}")
    assert str(path) in caught.value.sentence


def test_two_openers_at_once_make_one_ledger(path: Path) -> None:
    together = threading.Barrier(4)

    def open_it(n: int) -> None:
        together.wait()
        with open_ledger(f"sqlite:///{path}") as ledger:
            ledger.record(an_event(n))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(open_it, range(4)))
    with open_ledger(f"sqlite:///{path}") as ledger:
        assert len(ledger.events()) == 4


# --- what a database refuses -----------------------------------------------------------------------------------------


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match=r"create .*/absent"):
        open_ledger(f"sqlite:///{tmp_path}/absent/ledger.db")


def test_a_file_that_is_no_database_is_refused_and_kept(path: Path) -> None:
    path.write_text("this is no database, but somebody's notes\n" * 100)
    with pytest.raises(Permanent, match="is no SQLite database"):
        open_ledger(f"sqlite:///{path}")
    assert path.read_text().startswith("this is no database")


def test_a_directory_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="cannot be opened"):
        open_ledger(f"sqlite:///{tmp_path}")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize(("file", "folder"), [(0o444, 0o755), (0o644, 0o555)], ids=["file", "directory"])
def test_a_ledger_that_may_not_be_written_is_refused(path: Path, file: int, folder: int) -> None:
    open_ledger(f"sqlite:///{path}").close()
    path.chmod(file)
    path.parent.chmod(folder)
    try:
        with pytest.raises(Permanent, match="may not be written"):
            open_ledger(f"sqlite:///{path}")
    finally:
        path.parent.chmod(0o755)


def test_a_ledger_locked_by_another_process_is_transient(path: Path) -> None:
    with open_ledger(f"sqlite:///{path}", patience=timedelta(milliseconds=50)) as ledger:
        other = sqlite3.connect(path, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Transient, match="locked by another process") as caught:
                ledger.record(an_event())
            assert str(path) in caught.value.sentence
            assert ledger.events() == ()
        finally:
            other.close()
        ledger.record(an_event())
        assert ledger.events() == (an_event(),)


def test_a_full_disk_is_transient_and_loses_nothing_that_was_recorded(ledger: SqlLedger) -> None:
    ledger.record(an_event())
    with ledger._engine.connect() as connection:
        (pages,) = connection.exec_driver_sql("PRAGMA page_count").one()
        # SQLite says the same of a database at its page limit as of a full disk.
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    large = Event(at=NOON, service="checkout", kind="error", body={"text": "x" * 1_000_000})
    with pytest.raises(Transient, match="disk is full"):
        ledger.record(large)
    assert ledger.events() == (an_event(),)


def test_a_file_size_limit_of_the_system_is_one_sentence(path: Path) -> None:
    with open_ledger(f"sqlite:///{path}") as ledger:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
        try:
            with pytest.raises(Transient, match="disk"):
                ledger.record(Event(at=NOON, service="checkout", kind="error", body={"text": "x" * 1_000_000}))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        ledger.record(an_event())
        assert ledger.events() == (an_event(),)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("no url with s3cret in it", "is no database URL"),
        ("mysql://bot:s3cret@db/ledger", "cannot live in mysql"),
        ("postgresql://bot:s3cret@127.0.0.1:1/ledger", "ledger"),
    ],
    ids=["no URL", "another database", "unreachable PostgreSQL"],
)
def test_a_password_never_stands_in_a_message(url: str, sentence: str) -> None:
    with pytest.raises((Permanent, Transient), match=sentence) as caught:
        open_ledger(url)
    assert "s3cret" not in str(caught.value)
