"""Words of a backtest that its table and its page share. All outside text is made fit for one line here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.backtest.cases import Question
from bot.backtest.facts import LiveFrom
from bot.backtest.replay import End
from bot.backtest.report import Difference, Judged, Report, Row
from bot.domain.text import count_of, format_duration, join_words, one_line

_MOST_NAMED = 20
_SECOND = timedelta(seconds=1)


def moment(at: datetime) -> str:
    """Write an instant to the minute, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"


def span(duration: timedelta) -> str:
    """Write a duration in whole seconds; from an hour on in whole minutes."""
    unit = timedelta(minutes=1) if abs(duration) >= timedelta(hours=1) else _SECOND
    return format_duration(round(duration / unit) * unit)


def came_to(row: Row) -> str:
    """Say what the policy came to, and how long after the release was live."""
    at, live = row.outcome.at, row.live
    if at is None or live is None or row.outcome.end is End.CANNOT_TELL:
        return str(row.outcome.end)
    return f"{row.outcome.end} after {span(at - live.at)}"


def gained(row: Row) -> str:
    """Say how much sooner or later than people the policy was; empty where there is nothing to compare."""
    found = row.gained
    if found is None:
        return ""
    if abs(found) < _SECOND:
        return "at the same time"
    return f"{span(abs(found))} {'sooner' if found > timedelta(0) else 'later'}"


def live_since(row: Row) -> str:
    """Say since when it was live, and how that is known."""
    if row.live is None:
        return "not known"
    how = "by Argo CD" if row.live.known_from is LiveFrom.ARGO_CD else "assumed"
    return f"{moment(row.live.at)} UTC, {how}"


def really(row: Row) -> str:
    """Say what really happened."""
    if row.question is not Question.MOVE:
        return one_line(row.fate.sentence)
    if row.moved_on_at is None:
        return f"not moved on; {one_line(row.fate.sentence)}"
    after = span(row.moved_on_at - (row.live.at if row.live is not None else row.came_at))
    return f"moved on after {after}; {one_line(row.fate.sentence)}"


def why(row: Row) -> list[str]:
    """Return the sentences on why the policy came to it, the first of them the reason."""
    outcome = row.outcome
    delays = [f"first it was {one_line(one)}" for one in outcome.delays if one != outcome.reason]
    shadows = [
        f"in the shadow, {one_line(one.rule)} would have spoken against it at {moment(one.at)}: {one_line(one.reason)}"
        for one in outcome.shadows
    ]
    return [one_line(outcome.reason, limit=400), *delays, *shadows]


def heading(report: Report) -> str:
    """Say what was looked at."""
    count = count_of(releases(report.old), "release")
    return f"{one_line(report.service)}: {count} from {moment(report.since)} to {moment(report.until)} UTC"


def releases(judged: Judged) -> int:
    """Return how many releases were looked at."""
    return len({row.tag for row in judged.rows})


def summary(judged: Judged) -> list[str]:
    """Return the sentences that matter most."""
    gain = judged.typical_gain
    said = [
        _named("false alarm", judged.false_alarms, "good releases that were stopped or taken back"),
        _named("miss", judged.misses, "bad releases that were let through", plural="misses"),
    ]
    if gain is not None:
        how = "sooner" if gain >= timedelta(0) else "later"
        said.append(f"good releases would have moved on {span(abs(gain))} {how} than they did (the median)")
    return said


def _named(noun: str, tags: tuple[str, ...], meaning: str, *, plural: str | None = None) -> str:
    if not tags:
        return f"no {noun}"
    shown = [one_line(tag, limit=60) for tag in tags[:_MOST_NAMED]]
    more = [f"{len(tags) - _MOST_NAMED} more"] if len(tags) > _MOST_NAMED else []
    return f"{count_of(len(tags), noun, plural)} ({meaning}): {join_words([*shown, *more])}"


def differs(difference: Difference) -> str:
    """Say to what two policies came."""
    return f"{_one(difference.before)} → {_one(difference.after)}"


def _one(row: Row | None) -> str:
    if row is None:
        return "not asked"
    return f"{came_to(row)} ({one_line(row.outcome.rule)})" if row.outcome.rule else came_to(row)
