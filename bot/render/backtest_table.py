"""A backtest as plain text for the terminal: each release on a line, the reasons below, and the tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bot.backtest.fates import Was
from bot.backtest.replay import End
from bot.backtest.report import Judged, Report, Row, Table
from bot.domain.text import one_line
from bot.render.backtest_words import came_to, differs, gained, heading, moment, really, summary, why

_QUIET = (End.PROMOTED, End.KEPT)
"""What needs no reason: everybody expects it."""


def backtest_lines(report: Report) -> list[str]:
    """Return the report line by line."""
    lines = [heading(report), ""]
    if report.new is None:
        return [*lines, *_of_policy(report.old), *_not_seen(report.old)]
    lines += _titled(f"The policy in force: {one_line(report.old.file)}", _of_policy(report.old))
    lines += _titled(f"The new policy: {one_line(report.new.file)}", _of_policy(report.new))
    lines += _differences(report)
    return [*lines, *_not_seen(report.old, report.new)]


def _titled(title: str, lines: Iterable[str]) -> list[str]:
    return [title, "=" * len(title), "", *lines]


def _of_policy(judged: Judged) -> Iterator[str]:
    for name in dict.fromkeys(row.name for row in judged.rows):
        rows = [row for row in judged.rows if row.name == name]
        yield one_line(name)
        yield from _rows(rows)
        yield ""
    for table in judged.tables:
        yield from _table(table)
        yield ""
    for sentence in summary(judged):
        yield _sentence(sentence)
    yield ""


def _rows(rows: Sequence[Row]) -> Iterator[str]:
    cells = [
        (one_line(row.tag, limit=60), moment(row.came_at), came_to(row), str(row.fate.was), gained(row)) for row in rows
    ]
    shown = _aligned([("release", "came (UTC)", "the policy", "it was", ""), *cells])
    yield f"  {shown[0]}"
    for row, line in zip(rows, shown[1:], strict=True):
        yield f"  {line}"
        reasons = why(row)
        reasons = reasons[1:] if row.outcome.end in _QUIET and not _is_blind(row) else reasons
        for sentence in reasons:
            yield f"      {sentence}"
        if row.fate.was is Was.BAD or row.outcome.end not in _QUIET:
            yield f"      really: {really(row)}"


def _is_blind(row: Row) -> bool:
    """Whether it was kept although nothing was measured: the reason says so."""
    return row.outcome.end is End.KEPT and ";" in row.outcome.reason


def _table(table: Table) -> Iterator[str]:
    rows = [("", *table.columns)]
    rows += [(str(was), *(str(count) for count in table.counts[was])) for was in Was]
    lines = _aligned(rows, right=True)
    yield f"  {one_line(table.name)}"
    yield from (f"    {line}" for line in lines)


def _differences(report: Report) -> Iterator[str]:
    title = "What differs"
    yield title
    yield "=" * len(title)
    yield ""
    if not report.differences:
        yield "Nothing: both come to the same for every release."
    cells = [(one_line(one.tag, limit=60), one_line(one.name), differs(one)) for one in report.differences]
    yield from (f"  {line}" for line in _aligned(cells))
    yield ""


def _not_seen(*judged: Judged) -> Iterator[str]:
    for title, sentences in (
        ("Not backtested", [one for some in judged for one in some.blind_spots]),
        ("Not known", [one for some in judged for one in some.missing]),
    ):
        if sentences:
            yield f"{title}:"
            yield from (f"  {one_line(sentence, limit=300)}" for sentence in dict.fromkeys(sentences))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _aligned(rows: Sequence[tuple[str, ...]], *, right: bool = False) -> list[str]:
    """Return the rows with their cells below each other; with `right` all but the first stand on the right."""
    if not rows:
        return []
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if right and at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
