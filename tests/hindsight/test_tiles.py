"""The tiles of the past on fakes: each asked for once, kept before it is used; a server that is down ends the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.model import Numbers
from bot.domain.queries import Query
from bot.hindsight.journal import ForeignJournal, Inputs, Journal, open_journal
from bot.hindsight.tiles import PastTiles
from bot.ports import Look, OutsideError, Permanent, Transient
from tests.builders import MINUTE, NOON
from tests.fakes import FakeMetrics

INPUTS = Inputs(of={"the policy": "a", "--since": "30d"}, since=NOON, until=NOON + timedelta(days=1))


@dataclass
class Numbered(FakeMetrics):
    """Each tile's number is how many minutes after noon it begins; `absent` tiles have no series."""

    absent: range = range(0)
    broken: dict[str, OutsideError] = field(default_factory=dict)

    def read(self, looks: Sequence[Look]) -> Sequence[Numbers | OutsideError]:
        self.asked.extend(looks)
        return [self.broken.get(look.query.text) or self._numbers(look) for look in looks]

    def _numbers(self, look: Look) -> Numbers:
        first = (look.start - NOON) // MINUTE
        count = (look.end - look.start) // look.width
        minutes = [first + n * (look.width // MINUTE) for n in range(count)]
        return tuple(None if minute in self.absent else float(minute) for minute in minutes)


def a_look(start: int, end: int, *, query: str = "q", width: int = 1) -> Look:
    return Look(query=Query.plain(query), start=NOON + start * MINUTE, end=NOON + end * MINUTE, width=width * MINUTE)


def tiles(metrics: Numbered, *, journal: Journal | None = None, slept: list[float] | None = None) -> PastTiles:
    sleep = slept.append if slept is not None else lambda _: None
    kept = journal or Journal(path=None, inputs=INPUTS)
    return PastTiles(metrics=metrics, journal=kept, sleep=sleep, pause=timedelta(milliseconds=100))


def spans(metrics: Numbered) -> list[tuple[int, int]]:
    return [((look.start - NOON) // MINUTE, (look.end - NOON) // MINUTE) for look in metrics.asked]


def test_a_tile_is_asked_for_once_and_only_what_is_missing_is_asked_for() -> None:
    metrics = Numbered()
    past = tiles(metrics)
    assert past.read([a_look(0, 3)]) == [(0.0, 1.0, 2.0)]
    assert past.read([a_look(1, 5), a_look(2, 3)]) == [(1.0, 2.0, 3.0, 4.0), (2.0,)]
    assert past.read([a_look(0, 5)]) == [(0.0, 1.0, 2.0, 3.0, 4.0)]
    assert spans(metrics) == [(0, 3), (3, 5)]


def test_tiles_of_another_width_or_query_are_other_tiles() -> None:
    metrics = Numbered()
    past = tiles(metrics)
    past.read([a_look(0, 4)])
    assert past.read([a_look(0, 4, width=2), a_look(0, 2, query="other")]) == [(0.0, 2.0), (0.0, 1.0)]
    assert len(metrics.asked) == 3


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 10)), min_size=1, max_size=8))
def test_whatever_is_asked_in_whatever_order_the_answers_are_those_of_the_server(asked: list[tuple[int, int]]) -> None:
    past, server = tiles(Numbered(absent=range(5, 8))), Numbered(absent=range(5, 8))
    for start, length in asked:
        look = a_look(start, start + length)
        assert past.read([look]) == server.read([look])


def test_there_is_a_pause_between_two_questions_and_none_before_the_first() -> None:
    slept: list[float] = []
    past = tiles(Numbered(), slept=slept)
    past.read([a_look(0, 3)])
    assert slept == []
    past.read([a_look(3, 5), a_look(0, 1, query="other")])
    assert slept == [0.1, 0.1]
    past.read([a_look(0, 5)])
    assert len(slept) == 2


def test_the_earliest_tile_that_held_anything_is_known() -> None:
    past = tiles(Numbered(absent=range(7)))
    past.read([a_look(0, 5)])
    assert past.earliest is None
    past.read([a_look(9, 12)])
    past.read([a_look(5, 9)])
    assert past.earliest == NOON + 7 * MINUTE


def test_a_query_that_is_refused_is_an_error_of_its_looks_and_is_not_asked_again() -> None:
    refused = Permanent("Prometheus", "refuses the query")
    metrics = Numbered(broken={"bad": refused})
    past = tiles(metrics)
    for _ in range(5):
        assert past.read([a_look(0, 3, query="bad"), a_look(0, 1)]) == [refused, (0.0,)]
    assert len(metrics.asked) == 2


def test_a_server_that_answers_nothing_three_times_in_a_row_ends_the_run() -> None:
    down = Transient("Prometheus", "could not be reached")
    metrics = Numbered(broken={"q": down})
    past = tiles(metrics)
    assert past.read([a_look(0, 3), a_look(10, 13)]) == [down, down]
    past.read([a_look(0, 1, query="other")])
    assert past.read([a_look(20, 23), a_look(30, 33)]) == [down, down]
    with pytest.raises(Transient, match="could not be reached"):
        past.read([a_look(40, 43)])


def test_the_bounds_of_a_histogram_are_asked_for_once() -> None:
    metrics = Numbered()
    past = tiles(metrics)
    for _ in range(3):
        assert past.bucket_bounds("h", NOON, NOON + MINUTE) == ()
    assert metrics.calls.count("bucket_bounds") == 1
    assert (past.describe(), past.scrape_interval(), past.cost().queries) == (
        metrics.describe(),
        metrics.scrape_interval(),
        0,
    )


# --- the journal -----------------------------------------------------------------------------------------------------


def test_what_was_read_is_in_the_journal_and_is_not_asked_for_again(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    first = tiles(Numbered(absent=range(1, 2)), journal=open_journal(path, INPUTS))
    answers = first.read([a_look(0, 3), a_look(7, 8, query="one")])
    metrics = Numbered()
    again = tiles(metrics, journal=open_journal(path, INPUTS))
    assert again.read([a_look(0, 3), a_look(7, 8, query="one")]) == answers == [(0.0, None, 2.0), (7.0,)]
    assert metrics.asked == []
    assert again.earliest == NOON


def test_a_last_line_that_was_cut_off_is_left_out_and_the_rest_counts(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    tiles(Numbered(), journal=open_journal(path, INPUTS)).read([a_look(0, 3), a_look(3, 6)])
    path.write_bytes(path.read_bytes()[:-10])
    metrics = Numbered()
    assert tiles(metrics, journal=open_journal(path, INPUTS)).read([a_look(0, 6)]) == [(0.0, 1.0, 2.0, 3.0, 4.0, 5.0)]
    assert spans(metrics) == [(3, 6)]
    whole = tiles(Numbered(), journal=open_journal(path, INPUTS))
    whole.read([a_look(0, 6)])
    assert whole.asked == 0


def test_a_journal_that_goes_on_has_the_range_that_it_began_with(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    open_journal(path, INPUTS)
    later = Inputs(of=INPUTS.of, since=NOON + MINUTE, until=NOON + timedelta(days=2))
    assert open_journal(path, later).inputs == INPUTS


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"the policy": "b", "--since": "30d"}, "the policy is not the same"),
        ({"the policy": "a", "--since": "7d"}, "--since is not the same"),
        ({"the policy": "a"}, "what goes into it is not the same"),
    ],
    ids=["policy", "range", "another version"],
)
def test_a_journal_of_other_inputs_is_refused(tmp_path: Path, other: dict[str, str], said: str) -> None:
    open_journal(tmp_path / "journal", INPUTS)
    with pytest.raises(ForeignJournal, match=f"journal is of another backtest: {said}"):
        open_journal(tmp_path / "journal", Inputs(of=other, since=NOON, until=NOON))


@pytest.mark.parametrize(
    "body",
    [
        b"hello\n",
        b"[]\n",
        b'{"backtest": 1}\n',
        b"\xff\xfe\n",
        b"no line end",
        b'{"backtest": 1, "of": {"a": "b"}, "since": "x", "until": "y"}\n',
        b'{"backtest": 2, "of": {}, "since": "2026-01-01T00:00:00+00:00", "until": "2026-01-01T00:00:00+00:00"}\n',
    ],
)
def test_a_file_that_is_no_journal_is_refused_and_left_as_it_is(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "journal"
    path.write_bytes(body)
    with pytest.raises(ForeignJournal):
        open_journal(path, INPUTS)
    assert path.read_bytes() == body


def test_a_journal_whose_run_was_killed_while_it_began_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    open_journal(path, INPUTS)
    whole = path.read_bytes()
    path.write_bytes(whole[:20])
    assert open_journal(path, INPUTS).tiles() == {}
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    "line", ["[]", '{"series": "s"}', '{"series": "s", "start": "x", "width": 60, "numbers": [1]}']
)
def test_a_journal_with_a_line_that_is_none_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "journal"
    open_journal(path, INPUTS)
    with path.open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(ForeignJournal, match="is no journal"):
        open_journal(path, INPUTS)


def test_an_empty_file_becomes_a_journal_and_is_taken_away_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.touch()
    journal = open_journal(path, INPUTS)
    assert path.stat().st_size > 0
    journal.remove()
    assert not path.exists()
    Journal(path=None, inputs=INPUTS).remove()
