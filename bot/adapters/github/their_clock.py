"""Whether GitHub's clock and this machine's agree: while they do not, nothing can be judged by time.

GitHub's time stands in the `Date` of each answer, and passing seconds, which no step of a clock changes, carry it on.
Only where our clock is not where that leads, or where nothing was told yet, is GitHub asked for the time: a machine
that was suspended has missed seconds, and its clock may well be right.

Enters: headers of answers. Leaves: a `Trouble` with one sentence, or None. An answer without a date tells nothing, and
where nothing was ever told this machine's clock is believed.

Accepted: a proxy that answers with an old date makes the bot wait, and says so.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from bot.adapters.github.answers import SYSTEM
from bot.adapters.http import Endpoint, HttpClient, Limits, Question
from bot.adapters.http_dates import parse_http_date
from bot.domain.model import Trouble
from bot.domain.text import format_date_instant
from bot.ports import Clock, OutsideError

LIMIT = timedelta(minutes=2)
"""More than any clock that a time service keeps is off, and less than what is decided by time takes: tiles of minutes,
windows and watches of many."""
_SECOND = timedelta(seconds=1)
_ONE_TRY = Limits(deadline=timedelta(seconds=5), attempts=1)
"""All services wait for it."""


def headers_of(api_url: str, ca_file: str | None) -> Mapping[str, str]:
    """Ask GitHub for what costs nothing and needs no token, since it takes no App's word while the clocks differ."""
    endpoint = Endpoint(system=SYSTEM, url=api_url, ca_file=Path(ca_file) if ca_file else None)
    with HttpClient(endpoint, _ONE_TRY) as client:
        return client.read(Question(path="/rate_limit")).headers


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """The second that GitHub named in an answer, and our passing seconds before the question and after the answer."""

    second: datetime
    asked: float
    heard: float

    def earliest(self, now: float) -> datetime:
        """Return the earliest time that it can be at GitHub."""
        return self.second + timedelta(seconds=now - self.heard)

    def latest(self, now: float) -> datetime:
        """Return the latest: the question may have been on its way for no time, and the second nearly over."""
        return self.second + _SECOND + timedelta(seconds=now - self.asked)


class TheirClock:
    """GitHub's clock beside ours. Safe to share between threads.

    `ask` asks GitHub for anything and returns the answer's headers, with names in small letters; `seconds` pass evenly.
    """

    def __init__(self, ask: Callable[[], Mapping[str, str]], *, clock: Clock, seconds: Callable[[], float]) -> None:
        self._ask = ask
        self._clock = clock
        self._seconds = seconds
        self._lock = threading.Lock()
        self._told: _Told | None = None

    def seconds(self) -> float:
        """Return the seconds that have passed, to be noted before GitHub is asked."""
        return self._seconds()

    def note(self, headers: Mapping[str, str], *, asked: float) -> None:
        """Take over what an answer says of the time; `asked` are the seconds before the question."""
        second = parse_http_date(headers.get("date", ""))
        if second is not None:
            with self._lock:
                self._told = _Told(second=second, asked=asked, heard=self._seconds())

    def trouble(self) -> Trouble | None:
        """Say that the clocks differ by more than the limit; None where they agree, or nothing was ever told."""
        found = self._difference()
        if found is None and self._told is not None:
            return None
        # What passed while the machine slept was not counted, so that GitHub has the last word.
        asked = self._seconds()
        try:
            self.note(self._ask(), asked=asked)
        except OutsideError:
            # What was told before counts; where that is nothing, so does our own clock.
            return found
        return self._difference()

    def _difference(self) -> Trouble | None:
        with self._lock:
            told = self._told
        if told is None:
            return None
        ours, now = self._clock.now(), self._seconds()
        theirs = told.earliest(now)
        if theirs - LIMIT <= ours <= told.latest(now) + LIMIT:
            return None
        minutes = LIMIT // timedelta(minutes=1)
        sentence = (
            f"GitHub's says {format_date_instant(theirs)}, this machine's {format_date_instant(ours)}: "
            f"nothing is judged until they agree within {minutes} minutes; check the time service (NTP)"
        )
        return Trouble(system="clocks", sentence=sentence)
