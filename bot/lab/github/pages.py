"""Pages for people: a repository's pull requests, one pull request as its reviewer sees it, and a branch's commits.

Markdown is rendered as GitHub renders it where it matters for safety: raw HTML is escaped but for a few harmless tags,
comments are hidden, and mentions, issue numbers, commits and bare addresses become links, so that injected ones show.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from bot.lab.github.conduct import latest_reviews, newest_statuses, synchronise
from bot.lab.github.nouns import Pull
from bot.lab.github.world import Repository, World

_COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)
_ALLOWED = re.compile(r"&lt;(/?(?:details|summary|sub|br)(?: open)?\s*/?)&gt;")
_AUTOLINKS = re.compile(
    r"(?P<code><code[^>]*>.*?</code>|<pre>.*?</pre>|<a .*?</a>|<[^>]+>)"
    r"|(?P<mention>(?<![\w/`])@[A-Za-z0-9](?:[A-Za-z0-9-]{0,38}))"
    r"|(?P<issue>(?<![\w&])(?:#|GH-)\d+\b)"
    r"|(?P<url>\bhttps?://[^\s<]+)"
    r"|(?P<sha>\b[0-9a-f]{7,40}\b)",
    re.DOTALL,
)
_MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def render_markdown(text: str) -> str:
    """Return HTML for a body or comment."""
    tokens = _MARKDOWN.parse(_COMMENT.sub("", text))
    for token in tokens:
        for item in (token, *(token.children or ())):
            if item.type in ("html_block", "html_inline"):
                item.content = _ALLOWED.sub(r"<\1>", escape(item.content, quote=False))
    html: str = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})
    return _AUTOLINKS.sub(_autolink, html)


def _autolink(found: re.Match[str]) -> str:
    text = found.group(0)
    if found.lastgroup == "code":
        return text
    href = text if found.lastgroup == "url" else f"#{found.lastgroup}"
    return f'<a class="{found.lastgroup}" href="{href}">{text}</a>'


def pages(world: World) -> list[Route]:
    """Return the routes of the pages."""
    templates = Environment(
        loader=PackageLoader("bot.lab.github"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )

    def show(template: str, repo: Repository, **facts: object) -> Response:
        return HTMLResponse(templates.get_template(template).render(repo=repo, url=world.url, **facts))

    def pulls(request: Request) -> Response:
        with world.lock:
            repo = _repository(world, request)
            if repo is None:
                return _missing()
            synchronise(world, repo)
            listed = sorted(repo.pulls.values(), key=lambda pull: pull.number, reverse=True)
            return show("pulls.html", repo, pulls=listed)

    def pull(request: Request) -> Response:
        with world.lock:
            repo = _repository(world, request)
            found = repo.pulls.get(request.path_params["number"]) if repo else None
            if repo is None or found is None:
                return _missing()
            synchronise(world, repo)
            return show("pull.html", repo, pull=found, **_facts(repo, found))

    def commits(request: Request) -> Response:
        with world.lock:
            repo = _repository(world, request)
            head = repo.bare.branch(request.path_params["branch"]) if repo else None
            if repo is None or head is None:
                return _missing()
            listed = repo.bare.commits("--max-count=100", head)
            return show("commits.html", repo, commits=listed, branch=request.path_params["branch"])

    def route(path: str, page: object) -> Route:
        async def answer(request: Request) -> Response:
            assert callable(page)  # noqa: S101 - one of the three above
            response: Response = await run_in_threadpool(page, request)
            return response

        return Route(path, answer, methods=["GET"])

    return [
        route("/{owner}/{repo}/pulls", pulls),
        route("/{owner}/{repo}/pull/{number:int}", pull),
        route("/{owner}/{repo}/commits/{branch:path}", commits),
    ]


def _repository(world: World, request: Request) -> Repository | None:
    name = f"{request.path_params['owner']}/{request.path_params['repo']}"
    return world.repositories.get(name.lower())


def _missing() -> Response:
    return HTMLResponse("<h1>404</h1><p>This is not the page you are looking for.</p>", status_code=404)


def _facts(repo: Repository, pull: Pull) -> dict[str, object]:
    changes = repo.bare.changes(pull.base_sha, pull.head_sha)
    return {
        "body": Markup(render_markdown(pull.body or "")),  # noqa: S704 - rendered and escaped above
        "comments": [(comment, Markup(render_markdown(comment.body))) for comment in pull.comments],  # noqa: S704
        "commits": repo.bare.commits("--reverse", f"{pull.base_sha}..{pull.head_sha}"),
        "changes": [(change, _lines(change.patch)) for change in changes],
        "statuses": newest_statuses(repo, pull.head_sha),
        "runs": [run for run in repo.check_runs if run.sha == pull.head_sha],
        "reviews": latest_reviews(pull),
    }


def _lines(patch: str | None) -> Sequence[tuple[str, str]]:
    kinds = {"+": "added", "-": "removed", "@": "hunk"}
    return [(kinds.get(line[:1], "same"), line) for line in (patch or "").splitlines()]
