"""The evidence as Markdown: the table of verdicts, and the exact queries folded away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.domain.policy import Stage
from bot.domain.rules import MeasuredRule
from bot.domain.text import (
    format_count,
    format_date_instant,
    format_duration,
    format_instant,
    format_limit,
    format_number,
    format_share,
)
from bot.domain.verdicts import (
    SCRAPES_IN_A_TILE,
    WORST_FIRST,
    BaselineEvidence,
    Burn,
    BurnEvidence,
    CountEvidence,
    Measured,
    MeasuredEvidence,
    ValueEvidence,
    Verdict,
    VerdictKind,
)
from bot.render.course import sparkline
from bot.render.escape import code, fenced, plain

_SYMBOLS = {
    VerdictKind.HEALTHY: "✅",
    VerdictKind.UNHEALTHY: "❌",
    VerdictKind.NOT_YET: "⏳",
    VerdictKind.NO_DATA: "❔",
    VerdictKind.CANNOT_TELL: "⚠️",
}
_MOST_ROWS = 200
_MOST_NAMED = 3
_MOST_BURNS = 4
_HEAD = "| gate | verdict | found | limit | at\u00a0most |\n|---|---|---|---:|---:|"


def verdict_word(verdict: Verdict) -> str:
    """Return a verdict's symbol and word."""
    # Symbol and word stay on one line, however narrow the column.
    return f"{_SYMBOLS[verdict.kind]}\u00a0{verdict.kind}"


def evidence_table(stage: Stage, verdicts: Sequence[Verdict], rows: int = _MOST_ROWS) -> str:
    """Return a row for each gate or trigger of `stage`: what it asks, its verdict, and what was found.

    Where there are more than `rows`, the worst are shown, and below the table how many are not.
    """
    shown = verdicts if len(verdicts) <= rows else sorted(verdicts, key=_rank)[:rows]
    table = "\n".join([_HEAD, *(_row(stage, verdict) for verdict in shown)])
    return table if len(shown) == len(verdicts) else f"{table}\n\n{_not_shown(verdicts, rows)}"


def _rank(verdict: Verdict) -> tuple[bool, int]:
    """Order from the worst to the best; what is in the shadow decides nothing and comes last."""
    return verdict.is_shadow, WORST_FIRST.index(verdict.kind)


def _not_shown(verdicts: Sequence[Verdict], rows: int) -> str:
    rest = Counter(verdict.kind for verdict in sorted(verdicts, key=_rank)[rows:])
    kinds = ", ".join(f"{rest[kind]:,} {kind}" for kind in WORST_FIRST if rest[kind])
    return f"The worst {rows} of {len(verdicts):,} gates are shown; of the others are {kinds}."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cells:
    """What a row says of the numbers: what was found (empty: the sentence instead), the limit, and at most."""

    found: str = ""
    limit: str = "–"
    bound: str = "–"


def _row(stage: Stage, verdict: Verdict) -> str:
    title = _title(stage, verdict)
    gate = f"{plain(title)} ({code(verdict.gate)})" if title else code(verdict.gate)
    word = f"{verdict_word(verdict)} (shadow: does not decide)" if verdict.is_shadow else verdict_word(verdict)
    cells = _cells(verdict)
    limit, bound = _unbroken(cells.limit), _unbroken(cells.bound)
    return f"| {gate} | {word} | {_found(verdict, cells)} | {limit} | {bound} |"


def _unbroken(number: str) -> str:
    """Keep a number and its unit on one line, however narrow the column."""
    return number.replace(" ", "\u00a0")


def _title(stage: Stage, verdict: Verdict) -> str | None:
    """Return what the policy calls a rule that measures; without numbers the sentence in the next cell says it all.

    A gate and a trigger of one name are told apart by their limit.
    """
    if not isinstance(verdict.evidence, MeasuredEvidence):
        return None
    triggers = stage.rollback.triggers if stage.rollback is not None else ()
    for rule in (*stage.gates, *triggers):
        if isinstance(rule, MeasuredRule) and rule.name == verdict.gate and _is_of(rule, verdict.evidence):
            return rule.title
    return None


def _is_of(rule: MeasuredRule, evidence: MeasuredEvidence) -> bool:
    limits = {"counts": "limit", "values": "bound", "baseline": "base", "burn-rate": "objective"}
    limit = limits[evidence.kind]
    return rule.kind == evidence.kind and getattr(rule, limit) == getattr(evidence, limit)


def _cells(verdict: Verdict) -> _Cells:
    found = verdict.evidence
    if isinstance(found, CountEvidence):
        limit = format_limit(found.limit)
        return _Cells(found=_counted(found.bad, found.total), limit=limit, bound=_share(found.upper_bound))
    if isinstance(found, ValueEvidence):
        return _Cells(found=_valued(found), limit=f"{_BEYOND[found.side]}\u00a0{format_number(found.bound)}")
    if isinstance(found, BaselineEvidence):
        theirs = _counted(found.base_bad, found.base_total) or "nothing"
        mine = _counted(found.bad, found.total)
        against = f"{mine} against {theirs} in {plain(found.base)}" if mine else ""
        return _Cells(found=against, limit=_share(found.tolerated), bound=_share(found.upper_bound))
    if isinstance(found, BurnEvidence):
        burns = "; ".join(_burned(burn) for burn in found.burns[:_MOST_BURNS])
        counted = _counted(found.bad, found.total)
        bound = _share(found.upper_bound)
        return _Cells(found=f"{counted}; {burns}" if counted else "", limit=format_limit(found.objective), bound=bound)
    return _Cells()


_BEYOND = {"above": "≤", "below": "≥"}


def _counted(bad: float, total: float) -> str:
    return f"{format_count(bad)} of {format_count(total)} ({format_share(bad / total)})" if total > 0 else ""


def _share(share: float | None) -> str:
    return "–" if share is None else format_share(share)


def _valued(found: ValueEvidence) -> str:
    if found.last is None or found.worst is None:
        return ""
    if found.is_sum:
        return f"{format_number(found.last)} in the window"
    return f"{format_number(found.last)} now, {format_number(found.worst)} at the worst"


def _burned(burn: Burn) -> str:
    rate = "no traffic" if burn.long_rate is None else f"{format_number(burn.long_rate)} ×"
    return f"spent {rate} over {format_duration(burn.covered)}, {format_number(burn.factor)} × is too much"


def _found(verdict: Verdict, cells: _Cells) -> str:
    """Return the numbers and what they wait for; the rule's sentence where there are none that say something."""
    if not cells.found or verdict.kind is VerdictKind.NO_DATA:
        return plain(verdict.reason)
    bars = sparkline(verdict)
    found = f"{cells.found} {bars}" if bars else cells.found
    remark = _remark(verdict)
    return f"{found}; {remark}" if remark else found


def _remark(verdict: Verdict) -> str:
    """Return what people must know beside the numbers: what it waits for, what the policy accepted, what is older."""
    if verdict.kind is VerdictKind.NOT_YET:
        return plain(verdict.would_change)
    if verdict.began_before:
        return "it was so before this release came"
    evidence = verdict.evidence
    if verdict.kind is VerdictKind.HEALTHY and isinstance(evidence, CountEvidence) and not evidence.is_proven:
        return "not shown to be bad, which the policy accepts"
    return ""


def data_quality(verdicts: Sequence[Verdict]) -> str:
    """Return what was measured when, by what, and with how many gaps; empty if there are no numbers."""
    counted = _measured(verdicts)
    if not counted:
        return ""
    windows = _few(_window(item) for item in counted)
    until = format_instant(max(item.seen_until for item in counted))
    backends = _few(code(item.backend) for item in counted)
    present, expected = sum(item.tiles_present for item in counted), sum(item.tiles_expected for item in counted)
    tiles = _few(format_duration(item.tile) for item in counted)
    lag = format_duration(max(item.lag for item in counted))
    return (
        f"Health window: {windows}. Measured by {backends} until {until}, in tiles of {tiles} "
        f"that are read {lag} after their end; {present} of {expected} measurements are there.{_scraped(counted)} "
        "*At most* is what the true share could be, with 95 % confidence."
    )


def _few(texts: Iterable[str]) -> str:
    """Return each text once, at most three."""
    different = list(dict.fromkeys(texts))
    more = f" and {len(different) - _MOST_NAMED} more" if len(different) > _MOST_NAMED else ""
    return f"{', '.join(different[:_MOST_NAMED])}{more}"


def _scraped(counted: Sequence[Measured]) -> str:
    coarse = next((item for item in counted if item.is_coarse), None)
    if coarse is None or coarse.scrape is None:
        return ""
    every, needed = format_duration(coarse.scrape), format_duration(SCRAPES_IN_A_TILE * coarse.scrape)
    return f" **Tiles are narrow**: it is scraped every {every}, and a tile should be {needed} or wider."


def _window(found: Measured) -> str:
    start, end = found.window_start, found.window_end
    last = format_instant(end) if start.date() == end.date() else format_date_instant(end)
    return f"{format_date_instant(start).removesuffix(' UTC')} to {last}"


def exact_queries(verdicts: Sequence[Verdict]) -> str:
    """Return the queries as they are asked for this stage alone, folded away; empty if there are none."""
    queries = "\n".join(dict.fromkeys(query for item in _measured(verdicts) for query in item.queries))
    if not queries:
        return ""
    return f"<details><summary>Exact queries, at the end of each tile</summary>\n\n{fenced(queries)}\n\n</details>"


def _measured(verdicts: Sequence[Verdict]) -> list[Measured]:
    return [verdict.evidence.measured for verdict in verdicts if isinstance(verdict.evidence, MeasuredEvidence)]
