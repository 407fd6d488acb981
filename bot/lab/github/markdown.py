"""Render a comment's Markdown as GitHub shows it, so that what a text smuggles in becomes visible on the lab's pages.

CommonMark with tables, strikethrough, task lists and hard line breaks. HTML comments are hidden; of raw HTML only
`details`, `summary`, `br`, `sub` and `sup` count, all other is shown as text. There are no footnotes. Bare URLs,
@mentions, #numbers and commit names become links. Unlike GitHub, every @name and #number is taken to exist: a page that
hid one would hide an injection too. Images become links, so that a page never loads anything from elsewhere.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_ALLOWED_TAG = re.compile(r"<(/?)(details|summary|br|sub|sup)( open)?\s*/?>", re.IGNORECASE)
_TASK = re.compile(r"\[[ xX]\](?=\s)")
_LINKS = re.compile(
    r"(?P<url>(?:https?://|www\.)[^\s<]+)"
    r"|(?<![\w@/`.-])@(?P<mention>[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})(?:/[A-Za-z0-9_.-]+)?)"
    r"|(?<![\w/#&.-])(?P<elsewhere>[A-Za-z0-9-]+/[A-Za-z0-9_.-]+)#(?P<far>\d+)\b"
    r"|(?<![\w/#&])(?:#|GH-)(?P<issue>\d+)\b"
    r"|(?<![\w/:@-])(?P<sha>[0-9a-f]{7,40})(?![\w-])"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where a text stands: the repository's page, the server's root, and which commits there are."""

    root: str
    repository: str
    has_commit: Callable[[str], bool]


def render_markdown(text: str, surroundings: Surroundings) -> str:
    """Return the text as safe HTML."""
    parser = MarkdownIt("commonmark", {"html": True, "breaks": True}).enable(["table", "strikethrough"])
    parser.core.ruler.push("github_tasks", _mark_tasks)
    parser.core.ruler.push("github_links", lambda state: _link_all(state, surroundings))
    parser.add_render_rule("html_block", _html)
    parser.add_render_rule("html_inline", _html)
    parser.add_render_rule("image", _image)
    parser.add_render_rule("task_box", _task_box)
    return str(parser.render(text))


def _mark_tasks(state: StateCore) -> None:
    """Turn `[ ]` and `[x]` at the start of a list's entries into boxes that nobody can tick."""
    for item, paragraph, inline in zip(state.tokens, state.tokens[1:], state.tokens[2:], strict=False):
        if (item.type, paragraph.type, inline.type) != ("list_item_open", "paragraph_open", "inline"):
            continue
        first = inline.children[0] if inline.children else None
        if first is None or first.type != "text" or not _TASK.match(first.content):
            continue
        item.attrSet("class", "task-list-item")
        box = Token("task_box", "input", 0)
        box.content = " checked" if first.content[1] in "xX" else ""
        first.content = first.content[3:]
        inline.children = [box, *(inline.children or ())]


def _task_box(_: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:  # noqa: ARG001
    return f'<input type="checkbox" disabled{tokens[index].content}>'


def _html(_: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:  # noqa: ARG001
    return clean_html(tokens[index].content)


def clean_html(source: str) -> str:
    """Hide HTML comments, keep the few allowed tags without attributes, and show all other HTML as text."""
    source = _COMMENT.sub("", source)
    shown, end = [], 0
    for tag in _ALLOWED_TAG.finditer(source):
        shown += [html.escape(source[end : tag.start()]), f"<{tag[1]}{tag[2].lower()}{tag[3] or ''}>"]
        end = tag.end()
    return "".join([*shown, html.escape(source[end:])])


def _image(_: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:  # noqa: ARG001
    token = tokens[index]
    source = html.escape(str(token.attrs.get("src", "")))
    return f'<a class="image" href="{source}">image: {html.escape(token.content)}</a>'


def _link_all(state: StateCore, surroundings: Surroundings) -> None:
    for token in state.tokens:
        if token.type == "inline" and token.children:
            token.children = _linked(token.children, surroundings)


def _linked(children: Sequence[Token], surroundings: Surroundings) -> list[Token]:
    found: list[Token] = []
    inside = 0
    for token in children:
        inside += {"link_open": 1, "link_close": -1}.get(token.type, 0)
        if token.type == "text" and not inside:
            found += _pieces(token.content, surroundings)
        else:
            found.append(token)
    return found


def _pieces(text: str, surroundings: Surroundings) -> list[Token]:
    found: list[Token] = []
    end = 0
    for match in _LINKS.finditer(text):
        shown = _trimmed(match)
        target = _target(match, shown, surroundings)
        if target is None:
            continue
        found += [_text(text[end : match.start()]), *_link(target, shown, match.lastgroup or "")]
        end = match.start() + len(shown)
    return [*found, _text(text[end:])]


def _trimmed(match: re.Match[str]) -> str:
    if match["url"] is None:
        return match[0]
    shown = match[0].rstrip("?!.,:*_~'\"")
    while shown.endswith(")") and shown.count(")") > shown.count("("):
        shown = shown[:-1]
    return shown


def _target(match: re.Match[str], shown: str, surroundings: Surroundings) -> str | None:
    here = f"{surroundings.root}/{surroundings.repository}"
    if match["url"]:
        return shown if shown.startswith("http") else f"http://{shown}"
    if match["mention"]:
        return f"{surroundings.root}/{match['mention']}"
    if match["far"]:
        return f"{surroundings.root}/{match['elsewhere']}/pull/{match['far']}"
    if match["issue"]:
        return f"{here}/pull/{match['issue']}"
    return f"{here}/commit/{match['sha']}" if surroundings.has_commit(match["sha"]) else None


def _text(content: str) -> Token:
    token = Token("text", "", 0)
    token.content = content
    return token


def _link(target: str, shown: str, kind: str) -> list[Token]:
    opening, closing = Token("link_open", "a", 1), Token("link_close", "a", -1)
    opening.attrs = {"href": target, "class": f"auto {kind}"}
    return [opening, _text(shown), closing]
