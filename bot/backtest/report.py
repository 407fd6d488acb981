"""The report: every release with what the policy would have done and what people did, and the tables over all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import median

from bot.backtest.cases import Question
from bot.backtest.facts import Live
from bot.backtest.fates import Fate, Was
from bot.backtest.replay import End, Outcome
from bot.domain.text import format_date_instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One release and one question: what the policy says, what really happened, and how much sooner the policy was.

    `came_at` is when the branch got the release, `live` since when it was live, None where nobody knows. `moved_on_at`
    is when people moved it on, of a move. `gained` is negative where people were faster.
    """

    name: str
    question: Question
    stage: str
    tag: str
    came_at: datetime
    live: Live | None
    outcome: Outcome
    fate: Fate
    moved_on_at: datetime | None = None

    @property
    def gained(self) -> timedelta | None:
        """How much sooner than people the policy was to do the same; None where one of the two did not do it."""
        at, end = self.outcome.at, self.outcome.end
        if at is None:
            return None
        if end is End.PROMOTED:
            return self.moved_on_at - at if self.moved_on_at is not None else None
        is_stop = end in (End.STOPPED, End.ROLLED_BACK)
        return self.fate.undone_at - at if is_stop and self.fate.undone_at is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Counts of releases: what each was, by what the policy came to. `columns` are in order."""

    name: str
    columns: tuple[str, ...]
    counts: Mapping[Was, tuple[int, ...]]

    def count(self, was: Was, column: str) -> int:
        """Return one number."""
        return self.counts[was][self.columns.index(column)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What one policy comes to. `tables` has one over all releases first, then one for each question.

    `false_alarms` and `misses` name releases: good ones that were stopped or taken back, bad ones that were let
    through. `blind_spots` are what of the policy could not be tried, `missing` what is not known of the past.
    """

    file: str
    version: str
    rows: tuple[Row, ...]
    tables: tuple[Table, ...]
    false_alarms: tuple[str, ...]
    misses: tuple[str, ...]
    blind_spots: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def typical_gain(self) -> timedelta | None:
        """The median of how much sooner good releases would have moved on."""
        gains = [
            row.gained.total_seconds()
            for row in self.rows
            if row.question is Question.MOVE and row.fate.was is Was.GOOD and row.gained is not None
        ]
        return timedelta(seconds=round(median(gains))) if gains else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A release to which two policies would not have done the same; None where one of them does not ask."""

    name: str
    tag: str
    before: Row | None
    after: Row | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The whole backtest. `old` is by the policy in force, `new` by the one to compare, None without one."""

    service: str
    since: datetime
    until: datetime
    hotfix: timedelta
    source: str
    old: Judged
    new: Judged | None = None
    differences: tuple[Difference, ...] = ()


THROUGH, STOPPED, HELD, UNKNOWN = "let through", "stopped", "not moved", "cannot tell"
_OVERALL = (THROUGH, STOPPED, HELD, UNKNOWN)
_ALARMS = (End.STOPPED, End.ROLLED_BACK, End.HALTED)
_COLUMNS = {
    Question.MOVE: (End.PROMOTED, End.STOPPED, End.HELD, End.REPLACED, End.CANNOT_TELL),
    Question.WATCH: (End.KEPT, End.ROLLED_BACK, End.HALTED, End.CANNOT_TELL),
}


def judged(
    rows: Sequence[Row], *, file: str, version: str, blind_spots: Sequence[str], missing: Sequence[str]
) -> Judged:
    """Put the rows of one policy together."""
    whole = _by_release(rows)
    return Judged(
        file=file,
        version=version,
        rows=tuple(rows),
        tables=(_overall(whole), *_each(rows)),
        false_alarms=_named(whole, Was.GOOD, STOPPED),
        misses=_named(whole, Was.BAD, THROUGH),
        blind_spots=tuple(blind_spots),
        missing=tuple(missing),
    )


def _by_release(rows: Iterable[Row]) -> Mapping[str, tuple[Was, str]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.tag, []).append(row)
    return {tag: (_was(some), _what(some)) for tag, some in found.items()}


def _was(rows: Sequence[Row]) -> Was:
    """Return what a release was, by all that is known of it in any stage: bad in one is bad."""
    kinds = {row.fate.was for row in rows}
    return next(one for one in (Was.BAD, Was.GOOD, Was.CANNOT_TELL) if one in kinds)


def _what(rows: Sequence[Row]) -> str:
    """Return what the policy would have done to a release on its whole way.

    | stopped or taken back anywhere | not moved at any step | cannot tell anywhere | in all      |
    |--------------------------------|-----------------------|----------------------|-------------|
    | yes                            | *                     | *                    | stopped     |
    | no                             | yes                   | *                    | not moved   |
    | no                             | no                    | yes                  | cannot tell |
    | no                             | no                    | no                   | let through |
    """
    ends = {row.outcome.end for row in rows}
    if ends & set(_ALARMS):
        return STOPPED
    if ends & {End.HELD, End.REPLACED}:
        return HELD
    return UNKNOWN if End.CANNOT_TELL in ends else THROUGH


def _overall(whole: Mapping[str, tuple[Was, str]]) -> Table:
    return _table("releases", _OVERALL, whole.values())


def _each(rows: Sequence[Row]) -> Iterable[Table]:
    for name in dict.fromkeys(row.name for row in rows):
        some = [row for row in rows if row.name == name]
        columns = tuple(str(end) for end in _COLUMNS[some[0].question])
        yield _table(name, columns, [(row.fate.was, str(row.outcome.end)) for row in some])


def _table(name: str, columns: tuple[str, ...], found: Iterable[tuple[Was, str]]) -> Table:
    pairs = list(found)
    counts = {was: tuple(pairs.count((was, column)) for column in columns) for was in Was}
    return Table(name=name, columns=columns, counts=counts)


def _named(whole: Mapping[str, tuple[Was, str]], was: Was, what: str) -> tuple[str, ...]:
    return tuple(tag for tag, found in whole.items() if found == (was, what))


# --- what history does not reach -------------------------------------------------------------------------------------

_RESTS_ON_SAMPLES = (End.HELD, End.REPLACED, End.KEPT)


def without_history(row: Row, earliest: datetime | None, *, source: str) -> Row:
    """Return the row as *cannot tell* where it rests on tiles from before the first sample that there is (I5).

    What the policy decided on what there was stands: it had enough for that.
    """
    start = row.outcome.from_tile
    if start is None or row.outcome.end not in _RESTS_ON_SAMPLES or (earliest is not None and start >= earliest):
        return row
    if earliest is None:
        reason = f"{source} has no samples at all of what the policy measures"
    else:
        first = format_date_instant(earliest)
        reason = f"its tiles begin at {format_date_instant(start)}, and the first sample of {source} is from {first}"
    return replace(row, outcome=replace(row.outcome, end=End.CANNOT_TELL, at=None, rule="", reason=reason))


# --- two policies ----------------------------------------------------------------------------------------------------


def differences(old: Judged, new: Judged) -> tuple[Difference, ...]:
    """Return where two policies would not have done the same, or not by the same rule, or at another time."""
    before = {(row.name, row.tag, row.came_at): row for row in old.rows}
    after = {(row.name, row.tag, row.came_at): row for row in new.rows}
    return tuple(
        Difference(name=key[0], tag=key[1], before=before.get(key), after=after.get(key))
        for key in dict.fromkeys([*before, *after])
        if _came_to(before.get(key)) != _came_to(after.get(key))
    )


def _came_to(row: Row | None) -> object:
    return None if row is None else (row.outcome.end, row.outcome.at, row.outcome.rule)
