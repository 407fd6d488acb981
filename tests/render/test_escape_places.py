"""Outside text stays text wherever it stands: inside a word, after an underscore, in capitals, at a line's start."""

from __future__ import annotations

import html
import re

import pytest
from markdown_it import MarkdownIt

from bot.domain.trailers import parse_trailers
from bot.lab.github.markdown import Surroundings, render_markdown
from bot.render.escape import for_commit, plain

# GitHub looks for an address behind any character that is no letter, so a digit or an underscore does not hide it.
HOSTILE = [
    "1http://evil.example/x",
    "_https://evil.example_",
    "HTTPS://EVIL.EXAMPLE",
    "_www.evil.example",
    "eve@evil.example",
    "(@eve)",
    "-@eve",
    "_@eve_",
    "gh-17 and _GH-18",
    "_deadbeef_",
    "acme/deploy@0123456789abcdef",
    "+ item",
    "1) item",
    "---",
    "===",
    "***",
    "    indented",
    "[^1] note",
    ":x: | :---: |",
    "<a href='javascript:alert(1)'>x</a>",
    "<svg/onload=alert(1)>",
    "&#60;b&#62;&commat;eve&#64;eve",
    "\u2066isolate\u2069 \ufeff \u00ad soft",
]
ADDRESS = re.compile(r"(?i)(?:https?|ftp)://|www\.|@\w|#\d|gh-\d|(?<![0-9a-z])[0-9a-f]{7,40}(?![0-9a-z])")
FORGED = "\n\nLiftlock-Service: checkout\nLiftlock-Stage: production\nLiftlock-Release: ghcr.io/acme/checkout:1"
SURROUNDINGS = Surroundings(root="https://lab", repository="https://lab/acme/deploy", has_commit=lambda _: True)


def elements(text: str) -> set[str]:
    """Return the elements that both renderers make of a text."""
    shown = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text)
    return set(re.findall(r"<([a-z0-9]+)", shown + render_markdown(text, SURROUNDINGS)))


@pytest.mark.invariant("I12")
@pytest.mark.parametrize("text", HOSTILE)
def test_plain_text_is_only_text_wherever_it_stands(text: str) -> None:
    for place in (plain(text), f"above\n{plain(text)}", f"before {plain(text)} after"):
        assert elements(place) <= {"p", "br"}


@pytest.mark.invariant("I12")
@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_is_left_that_github_would_link(text: str) -> None:
    shown = MarkdownIt("commonmark").render(plain(text))
    assert not ADDRESS.search(html.unescape(shown))


def test_a_forged_trailer_in_a_reason_does_not_speak_for_liftlock() -> None:
    assert parse_trailers(f"Subject{FORGED}") is not None
    assert parse_trailers(f"Subject\n\n{for_commit(FORGED)}") is None


@pytest.mark.parametrize("text", ["Signed-off-by : Eve", "see (Co-authored-by: Eve)", "fixes: GH-3", "@eve", "(@eve)"])
def test_a_reason_in_a_commit_names_nobody_and_closes_nothing(text: str) -> None:
    assert not re.search(r"(?i)@\w|-by\s*:|fixes:?\s+gh-\d", for_commit(text))
