"""Outside text stays text: nothing in it becomes a link, a mention, HTML, a table cell, a trailer or a command."""

from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt

from bot.lab.github.markdown import Surroundings, render_markdown
from bot.render.escape import code, for_commit, plain

HOSTILE = [
    "@everyone",
    "@acme/admins look",
    "see #123",
    "GH-1",
    "acme/deploy#7",
    "0123456789abcdef0123456789abcdef01234567",
    "deadbeef",
    "https://evil.example/x",
    "http://evil.example",
    "www.evil.example",
    "mailto:a@evil.example",
    "ftp://evil.example",
    "[click](https://evil.example)",
    "![pixel](https://evil.example/p.png)",
    "<https://evil.example>",
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "<details open><summary>x</summary>",
    "<!-- liftlock:promotion checkout/production -->",
    "--> <b>out</b>",
    "a | b | c",
    "| --- | --- |",
    "\\| x",
    "`code`",
    "``two``",
    "``` fence",
    "~~~",
    "`",
    "*bold* _it_ **b**",
    "~~gone~~",
    "# heading",
    "- item",
    "1. item",
    "> quote",
    "line\nbreak",
    "line\r\n\r\n# heading",
    "tab\tand\x00null\x1b[31m",
    "\u202egnol\u202c",
    "zero\u200bwidth\u2060joiner",
    "&lt;b&gt; &amp;",
    "[x]: https://evil.example",
    "$x^2$",
    "trailing backslash \\",
    "Liftlock-Reverts: " + "a" * 40,
    "Closes #1",
    "fixes acme/deploy#2",
    "[skip ci]",
    "skip-checks: true",
    "Co-authored-by: Eve <eve@evil.example>",
    "x" * 5000,
    "",
    "   ",
]
SURROUNDINGS = Surroundings(root="https://lab", repository="https://lab/acme/deploy", has_commit=lambda _: True)
_CELL = re.compile(r"<t[dh][ >]")


def commonmark(text: str) -> str:
    html: str = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text)
    return html


def github(text: str) -> str:
    """Render as the lab's GitHub does: with mentions, references and bare addresses linked."""
    return render_markdown(text, SURROUNDINGS)


def elements(html: str) -> set[str]:
    return set(re.findall(r"<([a-z0-9]+)", html))


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_code_span_is_one_code_span(text: str) -> None:
    shown = code(text)
    assert len(shown) < 420
    assert "\n" not in shown
    for html in (commonmark(f"before {shown} after"), github(f"before {shown} after")):
        assert elements(html) == {"p", "code"}
        assert html.count("<code") == 1


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_plain_text_is_nothing_but_text(text: str) -> None:
    shown = plain(text)
    assert "\n" not in shown
    for html in (commonmark(f"- before {shown} after"), github(f"- before {shown} after")):
        assert elements(html) <= {"ul", "li"}


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("escape", [code, plain], ids=["code", "plain"])
def test_no_text_makes_another_cell(text: str, escape: object) -> None:
    assert callable(escape)
    row = f"| a | b |\n|---|---|\n| {escape(text)} | x |"
    for html in (commonmark(row), github(row)):
        assert len(_CELL.findall(html)) == 4
        assert html.rstrip().endswith("</table>")


@pytest.mark.invariant("I12")
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_commit_message_is_not_steered(text: str) -> None:
    message = f"Subject\n\nWhy: {for_commit(text)}\n\nLiftlock-Service: checkout"
    lines = message.split("\n")
    assert len(lines) == 5
    assert not re.search(r"(?i)(close|fix|resolve)\w*:?\s+\S*#\d", message)
    assert not re.search(r"(?i)\[(skip ci|ci skip|no ci|skip actions|actions skip)\]|skip-checks:", message)


@pytest.mark.parametrize("text", ["checkout", "1.9.0", "sha256:abc", "two words"])
def test_harmless_text_is_shown_as_it_is(text: str) -> None:
    assert code(text) == f"`{text}`"
    assert commonmark(plain(text)).strip() == f"<p>{text}</p>"
