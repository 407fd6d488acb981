"""A real ledger that cannot be written: its disk is full, or another process has it locked, when it hurts most.

Nothing is done that is not recorded first (I8), one sentence says why, and it goes on by itself when it can.
"""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import structlog
from sqlalchemy.engine.interfaces import DBAPIConnection

from bot.adapters.ledger import SqlLedger, open_ledger
from bot.adapters.ledger.chain import verify
from bot.records import Event
from tests.builders import NEW, OLD, a_policy
from tests.fake_world import PRODUCTION_FILE, FakeWorld, values

FULL = "cannot be written because the disk is full: free some space"
ERROR = "cannot be read or written, the disk reports an I/O error"
LOCKED = "is locked by another process: wait for it, or stop the other bot"
Trouble = Callable[["Recorded"], AbstractContextManager[None]]


class Recorded(FakeWorld):
    """A world of fakes whose ledger is a SQLite file. `is_full` says that its disk is."""

    def open(self, path: Path) -> None:
        self.path, self.is_full = path, False
        self.real = open_ledger(f"sqlite:///{path}", patience=timedelta(milliseconds=20))
        sa.event.listen(self.real.connections.engine, "checkout", self._limit)
        self.ledger: SqlLedger = self.real  # type: ignore[assignment]  # both are ledgers
        self.sightings = self.real.sightings  # type: ignore[assignment]  # likewise
        self.board = self.real.board
        self.restart()

    def _limit(self, connection: DBAPIConnection, *_: object) -> None:
        # SQLite says the same of a database at its page limit as of a full disk; below its size there is no limit.
        connection.cursor().execute(f"PRAGMA max_page_count = {1 if self.is_full else 1_000_000}")

    def entries(self) -> list[Event]:
        """All entries; their chain is whole."""
        entries = self.real.entries()
        verify(entries)
        return [entry.event for entry in entries]

    def done(self) -> list[str]:
        """What was done to Git and GitHub."""
        pulls = [f"opened #{number}" for number in self.forge.pulls]
        return [*(f"pushed {branch}" for branch, _ in self.repositories.pushes), *pulls, *map(str, self.forge.orders)]

    def actions(self) -> list[str]:
        """What the ledger says that was about to be done, in its order."""
        return [str(one.body["action"]["kind"]) for one in self.entries() if one.kind == "action"]  # type: ignore[index]  # the body of an action


@contextmanager
def full(world: Recorded) -> Iterator[None]:
    # What is free within its pages is used up first, as a disk that fills up would have it.
    with world.real.connections.writing() as connection:
        connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS filler (x)")
    world.is_full = True
    for size in (2_000, 500, 100, 20):
        while _fills(world.path, size):
            pass
    yield
    world.is_full = False


def _fills(path: Path, size: int) -> bool:
    connection = sqlite3.connect(path)
    try:
        with connection:
            connection.execute("PRAGMA max_page_count = 1")
            connection.execute("INSERT INTO filler VALUES (zeroblob(?))", (size,))
    except sqlite3.OperationalError:
        return False
    finally:
        connection.close()
    return True


@contextmanager
def unwritable(world: Recorded) -> Iterator[None]:
    """The system takes not one byte more, of no file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def locked(world: Recorded) -> Iterator[None]:
    other = sqlite3.connect(world.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        other.close()


NOT_A_BYTE = (
    pytest.param(unwritable, ERROR, id="nothing can be written"),
    pytest.param(locked, LOCKED, id="it is locked"),
)
TROUBLES = pytest.mark.parametrize(
    ("trouble", "sentence"), [pytest.param(full, FULL, id="the disk is full"), *NOT_A_BYTE]
)
AT_AN_ENTRY = pytest.mark.parametrize(("trouble", "sentence"), NOT_A_BYTE)
"""A small entry may find room on a disk that is full for a large one; here none does."""


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path) -> Iterator[Recorded]:
    """1.9.0 runs in staging and is observed."""
    world = Recorded()
    world.open(tmp_path / "ledger.db")
    world.release()
    world.sweep()
    yield world
    world.real.close()


def fails(world: Recorded, sentence: str) -> None:
    """Sweep; the report and the log say it in one sentence, and no traceback."""
    with structlog.testing.capture_logs() as logs:
        report = world.report()
    said = f"ledger: the ledger {world.path} {sentence}"
    assert report.error == said
    assert {line.get("reason") for line in logs if line["log_level"] == "warning"} == {said.partition(": ")[2]}
    assert [line for line in logs if "exc_info" in line or line["log_level"] == "error"] == []


def promote(world: Recorded) -> None:
    world.sweep_until_settled()
    assert world.tag_in(PRODUCTION_FILE) == values(NEW)
    assert world.forge.merges == [1]
    assert list(world.forge.pulls) == [1]


def fail_in_production(world: Recorded) -> None:
    world.sync()
    world.metrics.bad_share = {"http-errors": 0.3}
    world.pass_time(4)


def reverts(world: Recorded) -> int:
    return sum("Liftlock-Reverts" in commit.message for commit in world.repositories.line(world.head))


@TROUBLES
@pytest.mark.invariant("I8")
def test_in_the_middle_of_the_window_it_waits_and_loses_none_of_it(
    world: Recorded, trouble: Trouble, sentence: str
) -> None:
    for _ in range(2):
        world.pass_time(12)
        with trouble(world):
            fails(world, sentence)
    world.pass_time(10)
    promote(world)


@TROUBLES
@pytest.mark.invariant("I8")
def test_what_is_due_is_not_proposed_before_it_can_be_recorded(
    world: Recorded, trouble: Trouble, sentence: str
) -> None:
    world.pass_time(34)
    before = world.done()
    with trouble(world):
        for _ in range(3):
            fails(world, sentence)
            world.pass_time(1)
        assert world.done() == before
    promote(world)
    assert world.actions()[-1] == "merge promotion"


@AT_AN_ENTRY
@pytest.mark.invariant("I8")
def test_between_decision_and_action_nothing_is_done_and_then_once(
    world: Recorded, trouble: Trouble, sentence: str
) -> None:
    world.pass_time(34)
    record, before = world.real.record, world.done()

    def without_actions(event: Event) -> None:
        if event.kind != "action":
            record(event)
            return
        with trouble(world):
            record(event)

    world.real.record = without_actions  # type: ignore[method-assign]  # it fails at the worst moment
    fails(world, sentence)
    assert world.entries()[-1].kind == "decision"
    assert world.done() == before
    world.real.record = record  # type: ignore[method-assign]  # back to normal
    promote(world)


@AT_AN_ENTRY
@pytest.mark.parametrize("story", ["good", "bad"])
@pytest.mark.invariant("I9")
def test_between_an_action_and_its_outcome_it_is_not_done_again(
    world: Recorded, trouble: Trouble, sentence: str, story: str
) -> None:
    world.pass_time(34)
    if story == "bad":
        promote(world)
        fail_in_production(world)
    record = world.real.record

    def without_outcomes(event: Event) -> None:
        if event.kind != "outcome":
            record(event)
            return
        with trouble(world):
            record(event)

    world.real.record = without_outcomes  # type: ignore[method-assign]  # it fails at the worst moment
    fails(world, sentence)
    assert world.entries()[-1].kind == "action"
    fallen = world.done()
    world.real.record = record  # type: ignore[method-assign]  # back to normal
    world.restart()
    world.sweep_until_settled()
    assert [one for one in world.done() if one in fallen] == fallen
    assert world.forge.merges == [1]
    assert list(world.forge.pulls) == [1]
    assert world.tag_in(PRODUCTION_FILE) == values(OLD if story == "bad" else NEW)
    assert reverts(world) == (story == "bad")


@TROUBLES
@pytest.mark.invariant("I8")
def test_a_rollback_waits_for_its_record_and_is_done_once(world: Recorded, trouble: Trouble, sentence: str) -> None:
    world.pass_time(34)
    promote(world)
    fail_in_production(world)
    with trouble(world):
        for _ in range(2):
            fails(world, sentence)
            assert world.tag_in(PRODUCTION_FILE) == values(NEW)
            world.pass_time(1)
    world.sweep_until_settled()
    assert world.tag_in(PRODUCTION_FILE) == values(OLD)
    assert reverts(world) == 1
    assert world.actions().count("roll back") == 1


@AT_AN_ENTRY
@pytest.mark.invariant("I13")
def test_each_service_is_told_and_a_broken_policy_too(world: Recorded, trouble: Trouble, sentence: str) -> None:
    world.more_policies = (replace(a_policy(), service="cart"),)
    with trouble(world):
        reports = {report.subject: report.error or "" for report in world.sweeper.sweep()}
    assert sorted(reports) == ["cart", "checkout"]
    assert all(sentence in error for error in reports.values())
    assert all(report.error is None for report in world.sweeper.sweep())


@pytest.mark.invariant("I13")
def test_a_service_whose_entries_find_no_room_stops_no_other(world: Recorded) -> None:
    world.more_policies = (replace(a_policy(), service="cart"),)
    world.sweeper.sweep()
    world.pass_time(34)
    record = world.real.record

    def only_others(event: Event) -> None:
        if event.service == "cart":
            with full(world):
                record(event)
        else:
            record(event)

    world.real.record = only_others  # type: ignore[method-assign]  # the first who comes takes the last room
    reports = {report.subject: report for report in world.sweeper.sweep()}
    assert FULL in (reports["cart"].error or "")
    assert "open promotion" in [action.kind for action, _ in reports["checkout"].outcomes]
