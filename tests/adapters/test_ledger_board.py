"""The board, and the ledger of a dry run: what is there is read, what is new stays in memory."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from bot.adapters.ledger import DryBoard, DryLedger, DrySightings, open_ledger
from bot.records import Arrival, Event, Posting, Sightings
from tests.builders import MINUTE, NOON, STAGING_COMMIT

ARRIVAL = Arrival(service="checkout", stage="staging", commit=STAGING_COMMIT)


def a_posting(subject: str, *, note: str = "x") -> Posting:
    return Posting(subject=subject, at=NOON, body={"note": note})


def an_event(service: str, note: str) -> Event:
    return Event(at=NOON, service=service, kind="decision", body={"note": note})


def test_a_posting_replaces_the_one_before_and_survives_a_restart(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with open_ledger(url) as ledger:
        ledger.board.post(a_posting("b"))
        ledger.board.post(a_posting("a", note="old"))
        ledger.board.post(a_posting("a", note="new"))
    with open_ledger(url) as ledger:
        assert ledger.board.postings() == (a_posting("a", note="new"), a_posting("b"))
        ledger.board.remove("a")
        ledger.board.remove("nobody")
        assert [posting.subject for posting in ledger.board.postings()] == ["b"]


def healths(sightings: Sightings) -> list[str]:
    return [spell.health for spell in sightings.recall(ARRIVAL, NOON, NOON + timedelta(days=1)).spells]


def test_a_dry_run_reads_the_real_ledger_and_leaves_it_as_it_is() -> None:
    with open_ledger("sqlite://") as real, open_ledger("sqlite://") as scratch:
        real.record(an_event("checkout", "real"))
        real.keep_numbers({ARRIVAL: {"f": {NOON: 1.0}}})
        real.sightings.saw_health("checkout", "staging", {"app": "Healthy"}, NOON, gap=MINUTE)
        real.note("one", "digest")
        dry = DryLedger(real=real, scratch=scratch)
        dry.record(an_event("checkout", "dry"))
        dry.record(an_event("search", "dry"))
        dry.keep_numbers({ARRIVAL: {"f": {NOON: 9.0, NOON + MINUTE: None}, "g": {NOON: 2.0}}})
        sightings = DrySightings(real=real.sightings, scratch=scratch.sightings)
        sightings.saw_health("checkout", "staging", {"app": "Degraded"}, NOON + timedelta(hours=1), gap=MINUTE)
        dry.note("two", "new")
        assert {name: event.body["note"] for name, event in dry.latest("decision").items()} == {
            "checkout": "dry",
            "search": "dry",
        }
        assert [event.body["note"] for event in dry.events(service="checkout")] == ["dry", "real"]
        assert dry.numbers([ARRIVAL]) == {ARRIVAL: {"f": {NOON: 1.0, NOON + MINUTE: None}, "g": {NOON: 2.0}}}
        assert healths(sightings) == [
            "Healthy",
            "Degraded",
        ]
        assert dry.noted(["one", "two", "three"]) == {"one": "digest", "two": "new"}
        assert [event.body["note"] for event in real.events()] == ["real"]
        assert real.numbers([ARRIVAL]) == {ARRIVAL: {"f": {NOON: 1.0}}}
        assert healths(real.sightings) == ["Healthy"]
        assert real.noted(["one", "two"]) == {"one": "digest"}


def test_a_dry_run_shows_the_board_and_posts_nothing() -> None:
    with open_ledger("sqlite://") as real:
        real.board.post(a_posting("a"))
        dry = DryBoard(real.board)
        dry.post(a_posting("b"))
        dry.remove("a")
        assert [posting.subject for posting in dry.postings()] == ["a"]
