"""The evidence as Markdown: the table of verdicts, and the exact queries folded away."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.policy import CountGate, Stage
from bot.domain.text import format_count, format_date_instant, format_instant, format_limit, format_share
from bot.domain.verdicts import CountEvidence, Verdict, VerdictKind
from bot.render.course import sparkline
from bot.render.escape import code, fenced, plain

_SYMBOLS = {
    VerdictKind.HEALTHY: "✅",
    VerdictKind.UNHEALTHY: "❌",
    VerdictKind.NOT_YET: "⏳",
    VerdictKind.NO_DATA: "❔",
    VerdictKind.CANNOT_TELL: "⚠️",
}
_HEAD = "| gate | verdict | found | limit | at most |\n|---|---|---|---:|---:|"


def verdict_word(verdict: Verdict) -> str:
    """Return a verdict's symbol and word."""
    # Symbol and word stay on one line, however narrow the column.
    return f"{_SYMBOLS[verdict.kind]}\u00a0{verdict.kind}"


def evidence_table(stage: Stage, verdicts: Sequence[Verdict]) -> str:
    """Return a row for each gate or trigger of `stage`: what it asks, its verdict, and what was found."""
    return "\n".join([_HEAD, *(_row(stage, verdict) for verdict in verdicts)])


def _row(stage: Stage, verdict: Verdict) -> str:
    title = _title(stage, verdict)
    gate = f"{plain(title)} ({code(verdict.gate)})" if title else code(verdict.gate)
    limit = bound = "–"
    if isinstance(verdict.evidence, CountEvidence):
        limit = format_limit(verdict.evidence.limit)
        if verdict.evidence.upper_bound is not None:
            bound = format_share(verdict.evidence.upper_bound)
    word = f"{verdict_word(verdict)} (shadow: does not decide)" if verdict.is_shadow else verdict_word(verdict)
    return f"| {gate} | {word} | {_found(verdict)} | {limit} | {bound} |"


def _title(stage: Stage, verdict: Verdict) -> str | None:
    """Return what the policy calls a gate that counts; without counts the sentence in the next cell says it all.

    A gate and a trigger of one name are told apart by their limit.
    """
    if not isinstance(verdict.evidence, CountEvidence):
        return None
    asked = (verdict.gate, verdict.evidence.limit)
    triggers = stage.rollback.triggers if stage.rollback is not None else ()
    for rule in (*stage.gates, *triggers):
        if isinstance(rule, CountGate) and (rule.name, rule.limit) == asked:
            return rule.title
    return None


def _found(verdict: Verdict) -> str:
    """Return the counts and what they wait for; the gate's sentence where there are none that say something."""
    found = verdict.evidence
    if not isinstance(found, CountEvidence) or found.total <= 0 or verdict.kind is VerdictKind.NO_DATA:
        return plain(verdict.reason)
    counts = f"{format_count(found.bad)} of {format_count(found.total)} ({format_share(found.bad / found.total)})"
    bars = sparkline(found)
    counts = f"{counts} {bars}" if bars else counts
    waits = verdict.kind is VerdictKind.NOT_YET and verdict.would_change
    return f"{counts}; {plain(verdict.would_change)}" if waits else counts


def data_quality(verdicts: Sequence[Verdict]) -> str:
    """Return what was measured when, by what, and with how many gaps; empty if there are no numbers."""
    counted = _counted(verdicts)
    if not counted:
        return ""
    windows = ", ".join(dict.fromkeys(_window(item) for item in counted))
    until = format_instant(max(item.seen_until for item in counted))
    backends = ", ".join(dict.fromkeys(code(item.backend) for item in counted))
    present, expected = sum(item.tiles_present for item in counted), sum(item.tiles_expected for item in counted)
    return (
        f"Health window: {windows}. Measured by {backends} until {until}; "
        f"{present} of {expected} measurements are there. "
        "*At most* is what the true share could be, with 95 % confidence."
    )


def _window(found: CountEvidence) -> str:
    start, end = found.window_start, found.window_end
    last = format_instant(end) if start.date() == end.date() else format_date_instant(end)
    return f"{format_date_instant(start).removesuffix(' UTC')} to {last}"


def exact_queries(verdicts: Sequence[Verdict]) -> str:
    """Return the queries as they were asked, folded away; empty if there are none."""
    queries = "\n".join(dict.fromkeys(query for item in _counted(verdicts) for query in item.queries))
    if not queries:
        return ""
    return f"<details><summary>Exact queries</summary>\n\n{fenced(queries)}\n\n</details>"


def _counted(verdicts: Sequence[Verdict]) -> list[CountEvidence]:
    return [verdict.evidence for verdict in verdicts if isinstance(verdict.evidence, CountEvidence)]
