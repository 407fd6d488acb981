"""A backtest as one HTML page that needs nothing else: no script, no outside file, light and dark.

Every text is escaped here: tags, names and sentences come from repositories and servers.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Sequence

from bot.backtest.fates import Was
from bot.backtest.report import Judged, Report, Row, Table
from bot.domain.text import one_line
from bot.render.backtest_chart import charts
from bot.render.backtest_words import (
    came_to,
    differs,
    gained,
    heading,
    live_since,
    moment,
    really,
    summary,
    why,
)

_STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --soft: #59636e; --paper: #ffffff; --line: #d1d9e0;
  --bar: #54aeff; --good: #1a7f37; --bad: #cf222e; --mark: #8250df; --band: #f6f8fa; }
@media (prefers-color-scheme: dark) { :root { --ink: #f0f6fc; --soft: #9198a1; --paper: #0d1117; --line: #3d444d;
  --bar: #388bfd; --good: #3fb950; --bad: #f85149; --mark: #ab7df8; --band: #151b23; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 64rem; color: var(--ink); background: var(--paper);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.25rem; margin-top: 2.5rem; } h3 { font-size: 1rem; margin: 0; }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto; }
caption { text-align: left; font-weight: 600; padding: .25rem 0; }
th, td { border: 1px solid var(--line); padding: .25rem .6rem; text-align: left; vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.outside { overflow-wrap: anywhere; min-width: 5rem; }
thead th { background: var(--band); }
article { border: 1px solid var(--line); border-radius: 6px; padding: .75rem 1rem; margin: 1rem 0; }
p { margin: .25rem 0; } .soft { color: var(--soft); }
.was { border: 1px solid currentColor; border-radius: 1rem; padding: 0 .6rem; font-weight: 400; }
.was.good { color: var(--good); } .was.bad { color: var(--bad); } .was.unknown { color: var(--soft); }
figure { margin: .5rem 0 0; } figcaption { font-weight: 600; font-size: .875rem; }
svg { width: 100%; height: auto; }
svg text { font: 11px system-ui, sans-serif; fill: var(--ink); }
svg .axis { stroke: var(--line); } svg .bar { fill: var(--bar); } svg .beyond { fill: var(--bad); }
svg .absent { fill: var(--line); } svg .limit { stroke: var(--bad); stroke-dasharray: 5 4; }
svg .live { stroke: var(--good); } svg .policy { stroke: var(--mark); stroke-width: 2; }
svg .really { stroke: var(--ink); stroke-dasharray: 2 3; }
"""
_LOOKS = {Was.GOOD: "good", Was.BAD: "bad", Was.CANNOT_TELL: "unknown"}


def backtest_page(report: Report) -> str:
    """Return the page as text."""
    title = _safe(heading(report))
    body = "\n".join(_body(report))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>Backtest of {title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>Backtest of {title}</h1>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _body(report: Report) -> Iterator[str]:
    yield f'<p class="soft">Measured by {_safe(report.source)}</p>'
    if report.new is None:
        yield from _of_policy(report.old, "The policy in force", "old")
    else:
        yield from _differences(report)
        yield from _of_policy(report.old, "The policy in force", "old")
        yield from _of_policy(report.new, "The new policy", "new")
    both = [report.old, *([report.new] if report.new is not None else [])]
    yield from _listed("Not backtested", [one for judged in both for one in judged.blind_spots])
    yield from _listed("Not known", [one for judged in both for one in judged.missing])


def _of_policy(judged: Judged, title: str, anchor: str) -> Iterator[str]:
    yield f'<h2 id="{anchor}">{title}: {_safe(judged.file)}</h2>'
    yield "<ul>" + "".join(f"<li>{_safe(_capital(one))}.</li>" for one in summary(judged)) + "</ul>"
    yield from (_table(table) for table in judged.tables)
    for number, row in enumerate(judged.rows):
        yield _article(row, f"{anchor}-{number}")


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{_safe(column)}</th>' for column in ("it was", *table.columns))
    rows = "".join(
        f'<tr><th scope="row">{was}</th>'
        + "".join(f'<td class="number">{count}</td>' for count in table.counts[was])
        + "</tr>"
        for was in Was
    )
    caption = f"<caption>{_safe(_capital(table.name))}</caption>"
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _article(row: Row, anchor: str) -> str:
    was = f'<span class="was {_LOOKS[row.fate.was]}">{row.fate.was}</span>'
    compared = gained(row)
    by = f" ({_safe(row.outcome.rule)})" if row.outcome.rule else ""
    said = [
        f"<p><strong>The policy:</strong> {_safe(came_to(row))}{by}{f', {compared}' if compared else ''}</p>",
        *(f"<p>{_safe(one)}</p>" for one in why(row)),
        f"<p><strong>Really:</strong> {_safe(really(row))}</p>",
        f'<p class="soft">Came {moment(row.came_at)} UTC; live since {_safe(live_since(row))}</p>',
    ]
    title = f'<h3 id="{anchor}">{_safe(one_line(row.tag, limit=128))} · {_safe(row.name)} {was}</h3>'
    return f"<article>{title}{''.join(said)}{''.join(charts(row))}</article>"


def _differences(report: Report) -> Iterator[str]:
    yield '<h2 id="differences">What differs</h2>'
    if not report.differences:
        yield "<p>Nothing: both come to the same for every release.</p>"
        return
    head = "".join(f'<th scope="col">{one}</th>' for one in ("release", "what is asked", "in force → new"))
    rows = "".join(
        f'<tr><th class="outside" scope="row">{_safe(one.tag)}</th>'
        f"<td>{_safe(one.name)}</td><td>{_safe(differs(one))}</td></tr>"
        for one in report.differences
    )
    yield f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _listed(title: str, sentences: Sequence[str]) -> Iterable[str]:
    if sentences:
        yield f"<h2>{title}</h2><ul>"
        yield from (f"<li>{_safe(one)}</li>" for one in dict.fromkeys(sentences))
        yield "</ul>"


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _safe(text: str) -> str:
    """Return outside text as text of the page: nothing in it is markup, hidden, or turns the line around."""
    return html.escape(one_line(text, limit=500))
