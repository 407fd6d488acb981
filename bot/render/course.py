"""How a share went over time: a line of small bars in text, and a chart that GitHub draws from Mermaid.

Slices without data or without traffic are gaps: a dot in the line, no bar in the chart. They are never drawn as zero.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.text import format_limit
from bot.domain.verdicts import CountEvidence, Slice, Verdict

_BARS = "▁▂▃▄▅▆▇█"
_GAP = "·"
_FEWEST = 2
"""A single bar says no more than the table."""


def sparkline(found: CountEvidence) -> str:
    """Return a bar for each slice, scaled to the limit or the worst slice; empty with fewer than two with traffic."""
    shares = [_share(one) for one in found.course]
    seen = [share for share in shares if share is not None]
    if len(seen) < _FEWEST:
        return ""
    top = max(*seen, found.limit)
    return "".join(_GAP if share is None else _BARS[round(share / top * (len(_BARS) - 1))] for share in shares)


def charts(verdicts: Sequence[Verdict]) -> str:
    """Return a chart for each gate that counted something over time, folded away; empty if there is none."""
    drawn = [
        _chart(verdict.gate, verdict.evidence) for verdict in verdicts if isinstance(verdict.evidence, CountEvidence)
    ]
    drawn = [chart for chart in drawn if chart]
    if not drawn:
        return ""
    joined = "\n\n".join(drawn)
    return f"<details><summary>Over time</summary>\n\n{joined}\n\n</details>"


def _chart(gate: str, found: CountEvidence) -> str:
    shares = [(one.start, share) for one in found.course if (share := _share(one)) is not None]
    if len(shares) < _FEWEST:
        return ""
    times = ", ".join(f'"{start:%H:%M}"' for start, _ in shares)
    bars = ", ".join(_percent(share) for _, share in shares)
    limit = ", ".join(_percent(found.limit) for _ in shares)
    top = _percent(1.2 * max(found.limit, *(share for _, share in shares)))
    lines = [
        "xychart-beta",
        f'    title "{gate}: bad events in %, limit {format_limit(found.limit)}"',
        f"    x-axis [{times}]",
        f'    y-axis "%" 0 --> {top}',
        f"    bar [{bars}]",
        f"    line [{limit}]",
    ]
    return "```mermaid\n" + "\n".join(lines) + "\n```"


def _share(one: Slice) -> float | None:
    """Return the bad share of a slice; None where nothing was measured, or nothing was requested."""
    return min(1.0, (one.bad or 0.0) / one.total) if one.total else None


def _percent(share: float) -> str:
    return f"{100 * share:.4g}"
