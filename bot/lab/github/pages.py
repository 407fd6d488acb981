"""HTML pages on which a person sees a pull request as its reviewer would. Open to whoever reaches the lab."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from bot.lab.github.diffs import FileChange
from bot.lab.github.git import Commit
from bot.lab.github.markdown import Surroundings, render_markdown
from bot.lab.github.merging import commits_of, fork_of
from bot.lab.github.nouns import Pull
from bot.lab.github.requirements import mergeable_state, review_decision
from bot.lab.github.settling import settle_all
from bot.lab.github.signals import Moment, deployments_of, moments, reports
from bot.lab.github.world import Repository, World


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffLine:
    """One line of a diff: `kind` is `hunk`, `added`, `deleted`, `same` or `note`; line numbers as text."""

    kind: str
    old: str
    new: str
    text: str


class Pages:
    """The pages of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._templates = Environment(
            loader=PackageLoader("bot.lab.github"), autoescape=select_autoescape(["html"]), trim_blocks=True
        )
        self._templates.filters["instant"] = lambda at: at.strftime("%Y-%m-%d %H:%M:%S UTC")

    def routes(self) -> list[Route]:
        """Return the pages' routes."""
        return [
            Route("/", self._home),
            Route("/{owner}/{name}", self._front),
            Route("/{owner}/{name}/pulls", self._pulls),
            Route("/{owner}/{name}/pull/{number:int}", self._pull),
            Route("/{owner}/{name}/commits/{branch:path}", self._commits),
            Route("/{owner}/{name}/commit/{sha}", self._commit),
        ]

    async def _home(self, request: Request) -> Response:  # noqa: ARG002  (a route's signature)
        with self._world.lock:
            return self._page("home.html", {"repositories": list(self._world.repositories.values())})

    async def _front(self, request: Request) -> Response:
        return RedirectResponse(f"{request.url.path}/pulls")

    async def _pulls(self, request: Request) -> Response:
        return await run_in_threadpool(self._show, request, "pulls.html")

    async def _pull(self, request: Request) -> Response:
        return await run_in_threadpool(self._show, request, "pull.html")

    async def _commits(self, request: Request) -> Response:
        return await run_in_threadpool(self._show, request, "commits.html")

    async def _commit(self, request: Request) -> Response:
        return await run_in_threadpool(self._show, request, "commit.html")

    def _show(self, request: Request, template: str) -> Response:
        with self._world.lock:
            settle_all(self._world)
            parameters = request.path_params
            repository = self._world.repositories.get(f"{parameters['owner']}/{parameters['name']}".lower())
            facts = None if repository is None else self._facts(template, repository, parameters)
            if facts is None:
                return self._page("missing.html", {}, status=404)
            return self._page(template, {"repository": repository, **facts})

    def _page(self, template: str, facts: Mapping[str, object], *, status: int = 200) -> Response:
        text = self._templates.get_template(template).render(root=self._world.url, **facts)
        # Nothing on these pages comes from elsewhere or runs: a browser is told so too.
        policy = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
        return HTMLResponse(text, status, policy)

    def _facts(
        self, template: str, repository: Repository, parameters: Mapping[str, object]
    ) -> Mapping[str, object] | None:
        if template == "pull.html":
            pull = repository.pulls.get(int(str(parameters["number"])))
            return None if pull is None else self._pull_facts(repository, pull)
        if template == "commits.html":
            head = repository.bare.branch(str(parameters["branch"]))
            if head is None:
                return None
            return {"branch": parameters["branch"], "commits": repository.bare.commits("--topo-order", head)}
        if template == "commit.html":
            sha = repository.bare.resolve(str(parameters["sha"]))
            return None if sha is None else _commit_facts(repository, repository.bare.commit(sha))
        return {"pulls": sorted(repository.pulls.values(), key=lambda pull: -pull.number), "state": _badge}

    def _pull_facts(self, repository: Repository, pull: Pull) -> Mapping[str, object]:
        return {
            "pull": pull,
            "badge": _badge(pull),
            "body": self._rendered(repository, pull.body or "_No description provided._"),
            "moments": sorted(self._moments(repository, pull), key=lambda moment: moment.at),
            "commits": commits_of(repository, pull),
            "checks": reports(repository, pull, lambda text: self._rendered(repository, text)),
            "mergeable": mergeable_state(repository, pull) if pull.is_open else "",
            "decision": review_decision(repository, pull),
            "deployments": deployments_of(repository, pull),
            "files": _files(repository.bare.changes(fork_of(repository, pull), pull.head_sha)),
        }

    def _rendered(self, repository: Repository, text: str) -> Markup:
        here = Surroundings(
            root=self._world.url,
            repository=repository.full_name,
            has_commit=lambda sha: repository.bare.ask("cat-file", "-e", f"{sha}^{{commit}}") is not None,
        )
        return Markup(render_markdown(text, here))  # noqa: S704  (rendered as safe HTML)

    def _moments(self, repository: Repository, pull: Pull) -> Iterator[Moment]:
        yield from moments(pull, lambda text: self._rendered(repository, text))


def _badge(pull: Pull) -> str:
    if pull.merged_at is not None:
        return "Merged"
    if not pull.is_open:
        return "Closed"
    return "Draft" if pull.draft else "Open"


def _commit_facts(repository: Repository, commit: Commit) -> Mapping[str, object]:
    parent = commit.parents[0] if commit.parents else None
    return {"commit": commit, "files": [] if parent is None else _files(repository.bare.changes(parent, commit.sha))}


def _files(changes: Sequence[FileChange]) -> Sequence[tuple[FileChange, Sequence[DiffLine]]]:
    return [(change, list(_diff_lines(change.patch or ""))) for change in changes]


def _diff_lines(patch: str) -> Iterator[DiffLine]:
    old = new = 0
    for line in patch.split("\n") if patch else ():
        sign, text = line[:1], line[1:]
        if sign == "@":
            old, new = (int(part.lstrip("+-").partition(",")[0]) for part in line.split(" ")[1:3])
            yield DiffLine(kind="hunk", old="", new="", text=line)
        elif sign == "+":
            yield DiffLine(kind="added", old="", new=str(new), text=text)
            new += 1
        elif sign == "-":
            yield DiffLine(kind="deleted", old=str(old), new="", text=text)
            old += 1
        elif sign == "\\":
            yield DiffLine(kind="note", old="", new="", text=line)
        else:
            yield DiffLine(kind="same", old=str(old), new=str(new), text=text)
            old, new = old + 1, new + 1
