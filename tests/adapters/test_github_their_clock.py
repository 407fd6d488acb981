"""GitHub's clock beside ours: how far they may differ, what is asked, and what is believed where nobody tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.github.their_clock import LIMIT, TheirClock
from bot.ports import OutsideError, Transient
from tests.adapters.githubparts import REPO, Parts, Seconds, parts_for
from tests.adapters.githubserver import FakeGitHub, fake_github
from tests.adapters.gitserver import NOW, StoppedClock

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
TICK = timedelta(microseconds=1)


def dated(at: datetime) -> Mapping[str, str]:
    """The headers of an answer that was sent at an instant, whose fraction of a second is not told."""
    return {"date": format_datetime(at, usegmt=True)}


@dataclass
class Both:
    """Both clocks at noon, and what GitHub answers when it is asked for the time: its clock's, if nothing else."""

    ours: StoppedClock = field(default_factory=StoppedClock)
    theirs: StoppedClock = field(default_factory=StoppedClock)
    passed: Seconds = field(default_factory=Seconds)
    answers: Mapping[str, str] | OutsideError | None = None
    asked: int = 0

    def __post_init__(self) -> None:
        self.clock = TheirClock(self._ask, clock=self.ours, seconds=self.passed.monotonic)

    def _ask(self) -> Mapping[str, str]:
        self.asked += 1
        if isinstance(self.answers, OutsideError):
            raise self.answers
        return dated(self.theirs.at) if self.answers is None else self.answers

    def hear(self, *, took: float = 0) -> None:
        """Let any answer come, so long after it was asked for; GitHub wrote it at once."""
        asked, headers = self.passed.now, dated(self.theirs.at)
        self.pass_time(timedelta(seconds=took))
        self.clock.note(headers, asked=asked)

    def pass_time(self, by: timedelta) -> None:
        """Let time pass everywhere."""
        self.ours.move(by)
        self.theirs.move(by)
        self.passed.now += by.total_seconds()

    @property
    def agree(self) -> bool:
        return self.clock.trouble() is None


# --- how far they may differ -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("off", "agree"),
    [
        (timedelta(), True),
        (LIMIT + SECOND, True),
        (LIMIT + SECOND + TICK, False),
        (-LIMIT, True),
        (-LIMIT - TICK, False),
        (HOUR, False),
        (-HOUR, False),
        (timedelta(days=-20_000), False),
    ],
    ids=str,
)
def test_the_clocks_may_differ_by_the_limit_and_the_second_that_a_date_leaves_open(off: timedelta, agree: bool) -> None:
    both = Both()
    both.ours.move(off)
    both.hear()
    assert both.agree is agree


@given(
    off=st.timedeltas(timedelta(hours=-2), timedelta(hours=2)),
    fraction=st.timedeltas(timedelta(), SECOND - TICK),
    took=st.floats(0, 60),
    later=st.timedeltas(timedelta(), timedelta(days=1)),
)
def test_only_a_difference_beyond_the_limit_is_one_however_late_it_is_seen(
    off: timedelta, fraction: timedelta, took: float, later: timedelta
) -> None:
    both = Both()
    both.pass_time(fraction)
    both.ours.move(off)
    both.hear(took=took)
    both.pass_time(later)
    both.answers = Transient("GitHub", "down")
    slack = SECOND + timedelta(seconds=took) + timedelta(milliseconds=1)
    if abs(off) <= LIMIT:
        assert both.agree
    if abs(off) > LIMIT + slack:
        assert not both.agree


def test_it_is_said_what_both_clocks_say_and_what_to_do() -> None:
    both = Both()
    both.pass_time(timedelta(seconds=5))
    both.ours.move(HOUR)
    both.hear()
    trouble = both.clock.trouble()
    assert trouble is not None
    assert trouble.system == "clocks"
    assert trouble.sentence == (
        "GitHub's says 2026-03-01 12:00:05 UTC, this machine's 2026-03-01 13:00:05 UTC: "
        "nothing is judged until they agree within 2 minutes; check the time service (NTP)"
    )


# --- what is asked ---------------------------------------------------------------------------------------------------


def test_while_the_clocks_agree_nothing_is_asked_for_it() -> None:
    both = Both()
    both.hear()
    both.pass_time(HOUR)
    assert both.agree
    assert both.asked == 0


def test_before_anything_was_heard_github_is_asked_once() -> None:
    both = Both()
    assert both.agree
    assert both.agree
    assert both.asked == 1


def test_a_clock_that_was_wrong_before_the_first_answer_is_found_as_well() -> None:
    both = Both()
    both.ours.move(HOUR)
    assert not both.agree


def test_a_step_is_seen_before_github_answers_anything() -> None:
    both = Both(answers=Transient("GitHub", "down"))
    both.hear()
    both.pass_time(timedelta(minutes=10))
    both.ours.move(-HOUR)
    assert not both.agree
    both.ours.move(HOUR)
    assert both.agree


def test_a_machine_that_slept_missed_seconds_and_no_time() -> None:
    both = Both()
    both.hear()
    both.ours.move(HOUR)
    both.theirs.move(HOUR)
    assert both.agree
    assert both.asked == 1


def test_a_step_back_and_forward_leaves_nothing_behind() -> None:
    both = Both()
    both.hear()
    for off in (HOUR, -HOUR):
        both.ours.move(off)
        assert not both.agree
        both.pass_time(timedelta(seconds=30))
        both.hear()
        assert not both.agree
        both.ours.move(-off)
        assert both.agree


# --- where nobody tells ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, {"date": ""}, {"date": "yesterday"}], ids=["none", "empty", "no date"])
def test_an_answer_without_a_date_is_no_fault(headers: Mapping[str, str]) -> None:
    both = Both(answers=headers)
    both.ours.move(HOUR)
    both.clock.note(headers, asked=0)
    assert both.agree


def test_a_github_that_never_answered_leaves_our_own_clock_to_be_believed() -> None:
    both = Both(answers=Transient("GitHub", "down"))
    both.ours.move(HOUR)
    assert both.agree


# --- over the wire ---------------------------------------------------------------------------------------------------


@pytest.fixture(name="github")
def fixture_github() -> Iterator[FakeGitHub]:
    with fake_github() as fake:
        yield fake


@pytest.fixture(name="parts")
def fixture_parts(github: FakeGitHub) -> Iterator[Parts]:
    with parts_for(github) as parts:
        yield parts


@pytest.mark.parametrize("off", [HOUR, -HOUR], ids=["ahead", "behind"])
def test_each_look_at_pull_requests_compares_the_clocks(parts: Parts, github: FakeGitHub, off: timedelta) -> None:
    github.headers = {"Date": format_datetime(NOW, usegmt=True)}
    parts.forge.look_at(REPO, "main", ())
    before = len(github.requests)
    assert parts.clients.their_clock.trouble() is None
    assert len(github.requests) == before
    github.headers = {"Date": format_datetime(NOW - off, usegmt=True)}
    parts.forge.look_at(REPO, "main", ())
    assert parts.clients.their_clock.trouble() is not None


def test_a_refusal_is_dated_as_well(parts: Parts, github: FakeGitHub) -> None:
    github.headers = {"Date": format_datetime(NOW - HOUR, usegmt=True)}
    github.tokens.clear()
    with pytest.raises(OutsideError):
        parts.forge.look_at(REPO, "main", ())
    github.headers = {}
    assert parts.clients.their_clock.trouble() is not None


def test_the_time_is_asked_for_without_a_token(parts: Parts, github: FakeGitHub) -> None:
    github.headers = {"Date": format_datetime(NOW - HOUR, usegmt=True)}
    github.tokens.clear()
    assert parts.clients.their_clock.trouble() is not None
    assert github.requests == [("GET", "/rate_limit")]
