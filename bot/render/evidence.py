"""The evidence as Markdown: the table of verdicts, and the exact queries folded away."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.model import ApplicationEvidence, CountEvidence, Verdict, VerdictKind
from bot.domain.text import format_count, format_instant, format_limit, format_share
from bot.render.escape import code, fenced, plain

_SYMBOLS = {
    VerdictKind.HEALTHY: "✅",
    VerdictKind.UNHEALTHY: "❌",
    VerdictKind.NOT_YET: "⏳",
    VerdictKind.NO_DATA: "❔",
    VerdictKind.CANNOT_TELL: "⚠️",
}
_HEAD = "| gate | verdict | bad of total | limit | at most (95 % sure) | window |\n|---|---|---:|---:|---:|---|"


def verdict_word(verdict: Verdict) -> str:
    """Return a verdict's symbol and word."""
    return f"{_SYMBOLS[verdict.kind]} {verdict.kind}"


def evidence_table(verdicts: Sequence[Verdict]) -> str:
    """Return a row for each gate, and below it each gate's sentence."""
    rows = "\n".join(_row(verdict) for verdict in verdicts)
    sentences = "\n".join(f"- {code(verdict.gate)}: {plain(verdict.reason)}" for verdict in verdicts)
    return f"{_HEAD}\n{rows}\n\n{sentences}"


def _row(verdict: Verdict) -> str:
    cells = [code(verdict.gate), verdict_word(verdict)]
    match verdict.evidence:
        case CountEvidence() as found:
            share = f" ({format_share(found.bad / found.total)})" if found.total > 0 else ""
            bound = format_share(found.upper_bound) if found.upper_bound is not None else "–"
            cells += [
                f"{format_count(found.bad)} of {format_count(found.total)}{share}",
                format_limit(found.limit),
                bound,
                f"{format_instant(found.window_start)} – {format_instant(found.window_end)}",
            ]
        case ApplicationEvidence() | None:
            cells += ["–", "–", "–", "–"]
    return f"| {' | '.join(cells)} |"


def data_quality(verdicts: Sequence[Verdict]) -> str:
    """Return one line on where the numbers come from and how many are missing; empty if there are no numbers."""
    counted = _counted(verdicts)
    if not counted:
        return ""
    present, expected = sum(item.tiles_present for item in counted), sum(item.tiles_expected for item in counted)
    until = format_instant(max(item.seen_until for item in counted))
    backends = ", ".join(code(name) for name in dict.fromkeys(item.backend for item in counted))
    return f"Measured by {backends}, seen until {until}; {present} of {expected} looks found data."


def exact_queries(verdicts: Sequence[Verdict]) -> str:
    """Return the queries as they were asked, folded away; empty if there are none."""
    queries = "\n".join(dict.fromkeys(query for item in _counted(verdicts) for query in item.queries))
    if not queries:
        return ""
    return f"<details><summary>Exact queries</summary>\n\n{fenced(queries)}\n\n</details>"


def _counted(verdicts: Sequence[Verdict]) -> list[CountEvidence]:
    return [verdict.evidence for verdict in verdicts if isinstance(verdict.evidence, CountEvidence)]
