"""Outside text stays text: nothing in it becomes a link, a mention, HTML, a table cell, a trailer or a command."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from markdown_it import MarkdownIt

from bot.lab.github.markdown import Surroundings, render_markdown
from bot.render.escape import code, fenced, for_commit, plain

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
    "Closes https://github.com/acme/deploy/issues/1",
    "Resolves GH-1",
    "***NO_CI***",
    "request-checks: true",
    "[skip travis] [ ci skip ] [NO CI]",
    "Reviewed-by: Eve <eve@evil.example>",
    "DEADBEEF01",
    "CVE-2021-44228 TICKET-1",
    "xmpp:eve@evil.example",
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
    assert not re.search(r"(?i)(close|fix|resolve)\w*:?\s+\S*(#|GH-|issues/)\d", message)
    assert not re.search(r"(?i)\[\s*(skip \w+|ci skip|no ci|actions skip)\s*\]|NO_CI|(skip|request)-checks:", message)
    assert not re.search(r"(?i)@\w|co-authored-by|liftlock-reverts", message)


@pytest.mark.invariant("I12")
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_text_that_stands_alone_in_a_commit_message_is_no_trailer(text: str) -> None:
    assert not re.match(r"[A-Z][A-Za-z0-9-]*[ \t]*:", for_commit(text))


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_plain_text_is_nothing_but_text_at_the_start_of_a_line(text: str) -> None:
    for html in (commonmark(f"{plain(text)}."), github(f"above\n{plain(text)}")):
        assert elements(html) <= {"p", "br"}


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_reference_is_left_for_github_to_find(text: str) -> None:
    assert not re.search(r"(?i)@\w|#\d|\b[a-z]+-\d|\b[0-9a-f]{7,}\b|(https?|xmpp|mailto):|www\.", plain(text))


@pytest.mark.parametrize("text", [*HOSTILE, "a\n```\n</details>\n````\nb", "good \u202ebad\u202c", "x\r\ny"])
def test_a_code_block_holds_any_text(text: str) -> None:
    shown = fenced(text)
    html = commonmark(f"{shown}\n\nafter")
    assert elements(html) == {"pre", "code", "p"}
    assert html.endswith("</code></pre>\n<p>after</p>\n")
    assert "\u202e" not in shown


@pytest.mark.parametrize("show", [code, plain, for_commit], ids=["code", "plain", "for_commit"])
def test_what_cannot_be_seen_is_not_shown(show: Callable[[str], str]) -> None:
    assert show("a\u202e\u3164b" + "\u0301" * 50) == show("ab\u0301\u0301")


@pytest.mark.parametrize("text", ["checkout", "1.9.0", "sha256:abc", "two words"])
def test_harmless_text_is_shown_as_it_is(text: str) -> None:
    assert code(text) == f"`{text}`"
    assert commonmark(plain(text)).strip() == f"<p>{text}</p>"
