"""The clock of the bot's machine is set an hour ahead or back, and right again: the story ends as it does without that.

While it is wrong nothing is promoted, merged, taken back or recorded, and it is said why. The clocks of GitHub and of
Prometheus, and that of Argo CD, stay right.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from itertools import pairwise

import pytest
from typer.testing import CliRunner

from bot.adapters.ledger import open_ledger
from bot.cli.app import app
from bot.lab.pace import COMPRESSED
from bot.lab.world import GITOPS
from bot.ports import Clock
from tests.scenarios.playing import IN_WINDOW, MERGED, PASSED, Play, a_play, around, end_of, expected_end

HOUR = timedelta(hours=1)
STEPS = pytest.mark.parametrize("off", [HOUR, -HOUR], ids=["ahead", "back"])


@dataclass
class SteppedClock:
    """A machine's clock: the right time, and what somebody has set it off by."""

    right: Clock
    off: timedelta = field(default_factory=timedelta)

    def now(self) -> datetime:
        return self.right.now() + self.off

    def set(self, off: timedelta) -> None:
        self.off = off


RECORDED = {
    "entries": "SELECT * FROM events",
    "numbers": "SELECT * FROM numbers",
    "health": "SELECT * FROM health_spells",
    "members": "SELECT * FROM memberships",
    "marks": "SELECT * FROM marks",
    "notes": "SELECT * FROM notes",
}


@contextmanager
def a_play_with_a_clock(story: str) -> Iterator[tuple[Play, SteppedClock]]:
    with a_play(story) as play:
        machine = SteppedClock(play.clock)
        play.bot_clock = machine
        yield play, machine


def done(play: Play) -> Mapping[str, object]:
    """All that people and clusters see, and all that is recorded; the board aside, which tells of this moment."""
    recorded = {name: _rows(play, query) for name, query in RECORDED.items()}
    heads = dict(play.lab.github.branches(GITOPS))
    pulls = [(pull.number, pull.state, pull.draft, len(pull.comments)) for pull in play.lab.pulls("checkout")]
    return {**recorded, "heads": heads, "pulls": pulls}


def _rows(play: Play, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(play.ledger)) as ledger:
        return sorted(ledger.execute(query), key=str)


Tiles = Mapping[tuple[str, int, str], Mapping[str, float | None]]
"""Numbers by the start of the tile, of each stage, of the releases that came to it in turn, and of each series."""


def tiles(play: Play) -> Tiles:
    """The recorded numbers."""
    found: dict[tuple[str, int, str], dict[str, float | None]] = {}
    came: dict[str, list[object]] = {"staging": [], "production": []}
    query = "SELECT start, stage, introduced_by, fingerprint, value FROM numbers ORDER BY start"
    for start, stage, commit, series, value in _rows(play, query):
        assert value is None or isinstance(value, float)
        arrivals = came[str(stage)]
        arrivals += [] if commit in arrivals else [commit]
        found.setdefault((str(stage), arrivals.index(commit), str(series)), {})[str(start)] = value
    return found


def assert_whole(recorded: Tiles, undisturbed: Tiles) -> None:
    """No tile is missing, none is of a time to come, and where they begin alike, they hold what they hold without it.

    What is promoted later is measured in production later; staging begins alike always.
    """
    for series, numbers in recorded.items():
        starts = [datetime.fromisoformat(start) for start in sorted(numbers)]
        assert {after - before for before, after in pairwise(starts)} <= {COMPRESSED.tile}, series
    alike = {series for series, numbers in undisturbed.items() if min(numbers) == min(recorded[series])}
    assert {("staging", 0), ("production", 0)} <= {series[:2] for series in undisturbed}
    assert {series for series in undisturbed if series[0] == "staging"} <= alike
    for series in alike:
        assert undisturbed[series].items() <= recorded[series].items(), series


@cache
def tiles_without_a_step(story: str) -> Tiles:
    with a_play(story) as play:
        play.play()
        assert end_of(play.lab) == expected_end(story)
        return tiles(play)


def told_times(play: Play) -> list[datetime]:
    """When the ledger says that each entry was recorded, in the order in which they were."""
    with open_ledger(f"sqlite:///{play.ledger}", for_reading=True) as ledger:
        return [entry.event.at for entry in ledger.entries()]


def waits_for_the_clock(play: Play, machine: SteppedClock) -> None:
    """Sweep with a wrong clock: nothing is done, and the reason stands where people look."""
    before, reports = done(play), len(play.reports)
    play.sweep()
    assert done(play) == before
    theirs, ours = (f"{at:%Y-%m-%d %H:%M:%S} UTC" for at in (play.clock.now(), machine.now()))
    said = f"clocks: GitHub's says {theirs}, this machine's {ours}: nothing is judged until they agree"
    (error,) = [report.error for report in play.reports[reports:]]
    assert error is not None
    assert error.startswith(said)
    arguments = ["status", "--config", str(play.settings)]
    assert said in CliRunner().invoke(app, arguments, env={"COLUMNS": "400"}).stdout


def ends_as_without(play: Play, story: str) -> None:
    """The same pull requests, merges and reverts; whole tiles; times that do not go backwards."""
    assert end_of(play.lab) == expected_end(story)
    assert play.undone == []
    assert_whole(tiles(play), tiles_without_a_step(story))
    times = told_times(play)
    assert times == sorted(times)
    assert times[-1] <= play.clock.now()


def play_with_a_step(story: str, off: timedelta, *, at: int, wrong: int = 3) -> None:
    """Play a story; before its sweep `at` the clock is set off, and set right so many looks later."""
    with a_play_with_a_clock(story) as (play, machine):

        def step(_: object) -> None:
            machine.set(off)
            for _turn in range(wrong):
                waits_for_the_clock(play, machine)
                play.pass_time(4)
            machine.set(timedelta())

        play.play({at: step})
        assert len([error for error in play.errors if "GitHub's says" in error]) == wrong
        ends_as_without(play, story)


@pytest.mark.invariant("I5")
@pytest.mark.invariant("I9")
@STEPS
def test_a_step_in_the_health_window_neither_ends_nor_spoils_it(off: timedelta) -> None:
    play_with_a_step("good", off, at=IN_WINDOW)


@pytest.mark.invariant("I5")
@pytest.mark.invariant("I9")
@STEPS
def test_a_step_while_a_bad_release_is_watched_does_not_save_it(off: timedelta) -> None:
    play_with_a_step("bad", off, at=MERGED + 1)


@pytest.mark.invariant("I9")
@STEPS
def test_a_step_within_a_sweep_lets_that_sweep_decide_nothing(off: timedelta) -> None:
    with a_play_with_a_clock("bad") as (play, machine):

        def step_at_the_look(_: Play) -> None:
            around(play.sweeper.world.forge, "look_at", before=lambda: machine.set(off))

        def right_again(_: Play) -> None:
            machine.set(timedelta())

        play.play({PASSED: step_at_the_look, PASSED + 1: right_again})
        assert len([error for error in play.errors if "GitHub's says" in error]) == 1
        ends_as_without(play, "bad")


@pytest.mark.invariant("I9")
@STEPS
def test_a_bot_that_starts_with_a_wrong_clock_waits_until_it_is_right(off: timedelta) -> None:
    with a_play_with_a_clock("bad") as (play, machine):
        machine.set(off)
        assert play.sweeper is not None
        for _ in range(2):
            waits_for_the_clock(play, machine)
        assert told_times(play) == []
        machine.set(timedelta())
        play.play()
        ends_as_without(play, "bad")
