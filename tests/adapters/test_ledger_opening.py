"""A ledger is opened: brought up to this version, made once by many, refused where it cannot be."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext

from bot.adapters.ledger import SqlLedger, open_ledger, reopen_if_lost
from bot.adapters.ledger.opening import MIGRATIONS
from bot.adapters.ledger.tables import metadata
from bot.domain.argo import HealthSpell, Mark, MarkKind
from bot.ports import Permanent, Transient
from bot.records import Event
from tests.adapters.test_ledger import MINUTE, NOON, an_arrival, an_event, at, execute, spells


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "100% ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[SqlLedger]:
    with open_ledger(f"sqlite:///{path}") as opened:
        yield opened


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
        ledger.note("a", "d")
        assert ledger.noted(["a"]) == {"a": "d"}
    with pytest.raises(sqlite3.IntegrityError):
        execute(path, "DELETE FROM events")


def test_a_ledger_that_kept_tiles_comes_up_with_its_events_and_its_board(path: Path) -> None:
    make_at_revision(path, "0003")
    execute(
        path,
        "INSERT INTO events (at, service, stage, kind, body)"
        " VALUES ('2026-03-01 12:00:00.123456', 'checkout', '', 'decision', '{\"n\":0}')",
    )
    execute(
        path,
        "INSERT INTO tiles (service, stage, introduced_by, fingerprint, start, width_microseconds, total, bad)"
        " VALUES ('checkout', 'staging', 'aaaa', 'f', '2026-03-01 12:00:00.123456', 60000000, 10, 1)",
    )
    execute(path, "INSERT INTO board (subject, at, body) VALUES ('checkout', '2026-03-01 12:00:00', '{}')")
    with open_ledger(f"sqlite:///{path}") as ledger:
        assert ledger.events() == (an_event(0),)
        assert [posting.subject for posting in ledger.board.postings()] == ["checkout"]
        # What the tiles held is asked for again: the numbers of single queries cannot be told from it.
        assert ledger.numbers([an_arrival()]) == {an_arrival(): {}}
        ledger.keep_numbers({an_arrival(): {"f": {at(0): 1.0}}})
        with ledger.connections.engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_a_ledger_without_sightings_comes_up_with_all_that_it_kept(path: Path) -> None:
    make_at_revision(path, "0004")
    when, later = "'2026-03-01 12:00:00.123456'", "'2026-03-01 12:04:00.123456'"
    for table, values in {
        "events (at, service, stage, kind, body)": f"{when}, 'checkout', '', 'decision', '{{\"n\":0}}'",
        "health_spells (service, stage, application, health, first_seen, last_seen)": (
            f"'checkout', 'staging', 'a', 'Healthy', {when}, {later}"
        ),
        "numbers (service, stage, introduced_by, fingerprint, start, value)": (
            f"'checkout', 'staging', '{'a' * 40}', 'f', {when}, 7.5"
        ),
        "comment_digests (repository, number, digest)": "'acme/deploy', 7, 'd'",
        "board (subject, at, body)": "'checkout', '2026-03-01 12:00:00', '{}'",
    }.items():
        execute(path, f"INSERT INTO {table} VALUES ({values})")  # noqa: S608 - all of it is written above
    mark = Mark(application="a", kind=MarkKind.SAW, at=at(1))
    with open_ledger(f"sqlite:///{path}") as ledger:
        assert ledger.events() == (an_event(0),)
        assert ledger.numbers([an_arrival()]) == {an_arrival(): {"f": {at(0): 7.5}}}
        # The digests of comments are left behind: a comment that differs is written once more.
        assert ledger.noted(["comment/acme/deploy/7"]) == {}
        assert [posting.subject for posting in ledger.board.postings()] == ["checkout"]
        assert spells(ledger) == (HealthSpell(application="a", health="Healthy", first_seen=at(0), last_seen=at(4)),)
        ledger.sightings.saw_health("checkout", "staging", {"a": "Healthy"}, at(5), gap=2 * MINUTE)
        ledger.sightings.saw_members("checkout", "staging", ["a"], at(5))
        ledger.sightings.mark(an_arrival(), mark)
        memory = ledger.sightings.recall(an_arrival(), NOON, at(9))
        assert [spell.last_seen for spell in memory.spells] == [at(5)]
        assert (memory.marks, [run.members for run in memory.memberships]) == ((mark,), [("a",)])
        with ledger.connections.engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_migrations_make_exactly_the_tables_of_the_code(ledger: SqlLedger) -> None:
    with ledger.connections.engine.connect() as connection:
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
    with ledger.connections.engine.connect() as connection:
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


# --- what befalls the file -------------------------------------------------------------------------------------------


def write_garbage(path: Path) -> None:
    path.write_bytes(b"\x93\x07" * 10_000)


def cut_in_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def cut_within_its_head(path: Path) -> None:
    os.truncate(path, 50)


@pytest.mark.parametrize("damage", [write_garbage, cut_in_half, cut_within_its_head])
def test_a_damaged_file_is_named_with_what_to_do_and_kept(path: Path, damage: Callable[[Path], None]) -> None:
    open_ledger(f"sqlite:///{path}").close()
    damage(path)
    found = path.read_bytes()
    with pytest.raises(Permanent, match=r"move it away|move the file away") as caught:
        open_ledger(f"sqlite:///{path}")
    assert str(path) in caught.value.sentence
    assert path.read_bytes() == found


def test_pages_that_are_damaged_under_an_open_ledger_are_one_sentence_until_it_is_moved_away(path: Path) -> None:
    open_ledger(f"sqlite:///{path}").close()
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * (path.stat().st_size - 8192))
    with open_ledger(f"sqlite:///{path}") as ledger:
        with pytest.raises(Permanent, match=r"is damaged: restore it from a copy, or move it away"):
            ledger.record(an_event())
        path.rename(path.with_suffix(".damaged"))
        assert reopen_if_lost(ledger)
        ledger.record(an_event())
        assert ledger.events() == (an_event(),)


def test_an_empty_file_is_a_ledger_that_begins(path: Path) -> None:
    path.touch()
    with open_ledger(f"sqlite:///{path}") as ledger:
        assert ledger.began("checkout") is None
        ledger.record(an_event())
        ledger.record(an_event(3))
        assert (ledger.began("checkout"), ledger.began("cart")) == (at(0), None)


@pytest.mark.parametrize("alone", [True, False], ids=["the file alone", "all that SQLite keeps"])
def test_a_file_that_is_deleted_under_an_open_ledger_is_made_anew(path: Path, alone: bool) -> None:
    with open_ledger(f"sqlite:///{path}") as ledger:
        ledger.record(an_event(1))
        assert not reopen_if_lost(ledger)
        for file in (path,) if alone else tuple(path.parent.iterdir()):
            file.unlink()
        ledger.record(an_event(2))
        assert reopen_if_lost(ledger)
        ledger.record(an_event(3))
    with open_ledger(f"sqlite:///{path}") as ledger:
        assert ledger.events() == (an_event(3),)


def test_another_file_that_was_put_in_its_place_is_the_ledger_from_then_on(path: Path) -> None:
    other = path.with_name("copy.db")
    with open_ledger(f"sqlite:///{other}") as copy:
        copy.record(an_event(7))
    with open_ledger(f"sqlite:///{path}") as ledger:
        ledger.record(an_event(1))
        for file in path.parent.glob(f"{path.name}-*"):
            file.unlink()
        other.replace(path)
        assert reopen_if_lost(ledger)
        assert ledger.events() == (an_event(7),)


def test_a_directory_that_is_gone_is_named_until_it_is_there_again(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    with open_ledger(f"sqlite:///{folder}/ledger.db") as ledger:
        shutil.rmtree(folder)
        with pytest.raises(Permanent, match=r"has no directory to be in: create .*/state"):
            reopen_if_lost(ledger)
        folder.mkdir()
        assert reopen_if_lost(ledger)
        assert not reopen_if_lost(ledger)


def test_a_ledger_in_memory_has_no_file_to_lose() -> None:
    with open_ledger("sqlite://") as ledger:
        assert not reopen_if_lost(ledger)
