"""The port `Signals` at GitHub: check runs, commit statuses, deployments, and the commits between two releases.

Each is looked up before it is written, and an equal one is not written again: GitHub keeps no more than a thousand
statuses of a name on a commit.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import quote

from bot.adapters.github.answers import SYSTEM, NotThere, Refused
from bot.adapters.github.asking import Read, Write
from bot.adapters.github.clients import PER_PAGE, Clients
from bot.adapters.github.commit_checks import read_checks
from bot.adapters.github.identity import account_of_rest, name_of
from bot.adapters.github.names import check_repository, shown
from bot.adapters.github.nodes import Node, objects
from bot.adapters.github.texts import LONGEST_BODY, cut_line
from bot.adapters.github.writers import read_writers
from bot.domain.approvals import Writers
from bot.domain.model import Sha
from bot.forge import CheckState, CheckText, DeploymentText, SourceCommit, Span, StatusState, StatusText
from bot.ports import Conflict

_LONGEST_DESCRIPTION = 140
_LONGEST_SUMMARY = LONGEST_BODY - 1
_TASK = "deploy:liftlock"
_CONCLUSIONS = {"passed": "success", "failed": "failure"}
_STATES: Mapping[CheckState, StatusState] = {"waiting": "pending", "passed": "success", "failed": "failure"}


class GitHubSignals:
    """Checks, statuses and deployments. Safe to share between threads."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    # --- checks ---

    def set_check(self, repository: str, commit: Sha, check: CheckText) -> None:
        """Create or edit the bot's check run. Only a GitHub App may have some: with a token it is a commit status."""
        check_repository(repository)
        own = self._clients.identity()
        if own.app_id is None:
            self.set_status(repository, commit, _as_status(check))
            return
        found = self._find_check(repository, commit, check.name)
        body = _check_body(check)
        if found is not None and _has_check(found, body):
            return
        if found is not None and found.text("status") == "completed" and body["status"] != "completed":
            # GitHub takes a completed run back by nothing; a newer one of the same name counts in its place.
            found = None
        where = f"/repos/{repository}/check-runs"
        write = Write(
            verb="POST" if found is None else "PATCH",
            path=where if found is None else f"{where}/{found.number('id')}",
            tried=f"set the check {shown(check.name)} in {repository}",
            body={**body, **({"head_sha": commit} if found is None else {})},
        )

        def look() -> bool | None:
            now = self._find_check(repository, commit, check.name)
            return True if now is not None and _has_check(now, body) else None

        send = self._clients.create_once if found is None else self._clients.write_once
        send(repository, write, _done, look=look)

    def _find_check(self, repository: str, commit: Sha, name: str) -> Node | None:
        """Find the bot's own run: another app may have one of the same name."""
        read = Read(
            path=f"/repos/{repository}/commits/{commit}/check-runs",
            params={"check_name": name, "filter": "latest", "per_page": PER_PAGE},
            tried=f"look for the check {shown(name)} in {repository}",
        )
        own = self._clients.identity().app_id

        def parse(answer: object) -> Node | None:
            runs = [run for run in Node(answer).items("check_runs") if run.text("name") == name]
            mine = [run for run in runs if (app := run.maybe_node("app")) is not None and app.number("id") == own]
            return max(mine, key=lambda run: run.number("id"), default=None)

        return self._clients.read(repository, read, parse)

    # --- statuses ---

    def set_status(self, repository: str, commit: Sha, status: StatusText) -> None:
        """Set a commit status, unless the newest one of that name says the same already."""
        check_repository(repository)
        body = {
            "state": status.state,
            "context": status.context,
            "description": cut_line(status.description, _LONGEST_DESCRIPTION),
            "target_url": status.url,
        }

        def look() -> bool | None:
            present = self._find_status(repository, commit, status.context)
            same = present is not None and all((present.raw(name) or "") == value for name, value in body.items())
            return True if same else None

        if look():
            return
        tried = f"set the status {shown(status.context)} in {repository}"
        write = Write(verb="POST", path=f"/repos/{repository}/statuses/{commit}", tried=tried, body=body)
        self._clients.write_once(repository, write, _done, look=look)

    def _find_status(self, repository: str, commit: Sha, context: str) -> Node | None:
        read = Read(
            path=f"/repos/{repository}/commits/{commit}/statuses",
            tried=f"look for the status {shown(context)} in {repository}",
        )
        # The newest come first, and further pages are read only where the first ones lack it.
        statuses = self._clients.read_pages(repository, read, lambda answer: list(objects(answer)))
        return next((status for status in statuses if status.text("context") == context), None)

    # --- deployments ---

    def set_deployment(self, repository: str, deployment: DeploymentText, known: int | None) -> int:
        """Create or use a deployment and set its status."""
        check_repository(repository)
        if known is not None and self._has_state(repository, known, deployment):
            return known
        number = self._find_deployment(repository, deployment)
        if number is None:
            number = self._create_deployment(repository, deployment)
        self._set_state(repository, number, deployment)
        return number

    def _has_state(self, repository: str, known: int, deployment: DeploymentText) -> bool:
        """Set the status of a known deployment; False where somebody has deleted it."""
        try:
            self._set_state(repository, known, deployment)
        except NotThere:
            return False
        return True

    def _find_deployment(self, repository: str, deployment: DeploymentText) -> int | None:
        read = Read(
            path=f"/repos/{repository}/deployments",
            params={"environment": deployment.environment, "ref": deployment.ref, "task": _TASK},
            tried=f"look for the deployment to {shown(deployment.environment)} in {repository}",
        )
        own = self._clients.identity()

        def parse(answer: object) -> int | None:
            numbers = []
            for found in objects(answer):
                creator = account_of_rest(found.maybe_node("creator"))
                if creator is not None and creator.is_same(own):
                    numbers.append(found.number("id"))
            return max(numbers, default=None)

        return self._clients.read(repository, read, parse)

    def _create_deployment(self, repository: str, deployment: DeploymentText) -> int:
        write = Write(
            verb="POST",
            path=f"/repos/{repository}/deployments",
            tried=f"create a deployment to {shown(deployment.environment)} in {repository}",
            body={
                "ref": deployment.ref,
                "environment": deployment.environment,
                "task": _TASK,
                "payload": {"by": "liftlock"},
                "description": cut_line(deployment.description, _LONGEST_DESCRIPTION),
                # It tells what has happened; GitHub must neither merge nor wait for checks because of it.
                "auto_merge": False,
                "required_contexts": [],
                "production_environment": deployment.is_production,
            },
        )
        try:
            return self._clients.create_once(
                repository,
                write,
                lambda answer: Node(answer).number("id"),
                look=lambda: self._find_deployment(repository, deployment),
            )
        except Refused as refused:
            if refused.status == 409:
                raise Conflict(SYSTEM, f"{refused.sentence}: look again") from refused
            raise

    def _set_state(self, repository: str, number: int, deployment: DeploymentText) -> None:
        path = f"/repos/{repository}/deployments/{number}/statuses"
        where = shown(deployment.environment)
        read = Read(path=path, params={"per_page": 1}, tried=f"look at the deployment to {where} in {repository}")
        body = {
            "state": deployment.state,
            "description": cut_line(deployment.description, _LONGEST_DESCRIPTION),
            "log_url": deployment.log_url,
        }

        def parse(answer: object) -> bool | None:
            newest = next(objects(answer), None)
            same = newest is not None and all((newest.raw(name) or "") == value for name, value in body.items())
            return True if same else None

        def look() -> bool | None:
            return self._clients.read(repository, read, parse)

        if look():
            return
        tried = f"tell the state of the deployment to {where} in {repository}"
        write = Write(verb="POST", path=path, tried=tried, body={**body, "auto_inactive": True})
        self._clients.write_once(repository, write, _done, look=look)

    # --- sources ---

    def pulls_of(self, repository: str, commit: Sha) -> Sequence[int]:
        """Return the merged pull requests that brought a commit; none of a commit that GitHub does not know."""
        check_repository(repository)
        tried = f"find the pull requests of a commit in {repository}"
        read = Read(path=f"/repos/{repository}/commits/{commit}/pulls", params={"per_page": PER_PAGE}, tried=tried)

        def parse(answer: object) -> list[int]:
            return [pull.number("number") for pull in objects(answer) if pull.raw("merged_at") is not None]

        try:
            return self._clients.read(repository, read, parse)
        except NotThere:
            return ()
        except Refused as refused:
            if refused.status == 422 and "no commit found" in refused.said.lower():
                return ()
            raise

    # --- what lies between two releases ---

    def read_file(self, repository: str, commit: Sha, path: str) -> str | None:
        """Return the text of a file of at most a megabyte; a larger one comes without its text."""
        check_repository(repository)
        read = Read(
            path=f"/repos/{repository}/contents/{quote(path)}",
            params={"ref": commit},
            tried=f"read {shown(path)} of {repository}",
        )

        def parse(answer: object) -> str | None:
            node = Node(answer) if isinstance(answer, dict) else None
            if node is None or node.maybe_text("type") != "file" or node.maybe_text("encoding") != "base64":
                return None
            try:
                return base64.b64decode(node.text("content")).decode()
            except ValueError:
                return None

        try:
            return self._clients.read(repository, read, parse)
        except NotThere:
            return None

    def checks_of(self, repository: str, commit: Sha, names: Sequence[str], *, app: int | None) -> Mapping[str, str]:
        """Return how named checks and statuses of a commit ended."""
        return read_checks(self._clients, repository, commit, names, app)

    def span(self, repository: str, before: Sha, after: Sha, *, limit: int) -> Span | None:
        """Return the newest `limit` commits of `after` that `before` lacks; at most three requests."""
        check_repository(repository)
        try:
            total, is_forward, page = self._compare(repository, before, after, 1)
            last = max(1, -(-total // PER_PAGE))
            # The oldest come first: the newest are on the last page, and on the one before where that is short.
            pages = [page] if last == 1 else [self._compare(repository, before, after, last)[2]]
            if last > 1 and len(pages[0]) < min(limit, total):
                pages.insert(0, page if last == 2 else self._compare(repository, before, after, last - 1)[2])
        except NotThere:
            return None
        commits = [commit for one in pages for commit in one]
        return Span(commits=tuple(reversed(commits))[:limit], total=total, is_forward=is_forward)

    def writers_of(self, repository: str, before: Sha, after: Sha) -> Writers | None:
        """Return who wrote the commits between two."""
        return read_writers(self._clients, repository, before, after)

    def _compare(self, repository: str, before: Sha, after: Sha, page: int) -> tuple[int, bool, list[SourceCommit]]:
        read = Read(
            path=f"/repos/{repository}/compare/{before}...{after}",
            params={"per_page": PER_PAGE, "page": page},
            tried=f"compare two commits of {repository}",
        )

        def parse(answer: object) -> tuple[int, bool, list[SourceCommit]]:
            node = Node(answer)
            commits = [_parse_commit(commit) for commit in node.items("commits")]
            return node.number("total_commits"), node.text("status") in ("ahead", "identical"), commits

        return self._clients.read(repository, read, parse)


def _parse_commit(node: Node) -> SourceCommit:
    account = account_of_rest(node.maybe_node("author"))
    written = node.node("commit")
    by = written.maybe_node("author")
    name = "" if by is None else by.maybe_text("name") or ""
    title = written.text("message").partition("\n")[0]
    return SourceCommit(sha=node.sha("sha"), author=name_of(account) if account is not None else name, title=title)


def _as_status(check: CheckText) -> StatusText:
    return StatusText(context=check.name, state=_STATES[check.state], description=check.title, url=check.url)


def _check_body(check: CheckText) -> dict[str, object]:
    summary = check.summary if len(check.summary) <= _LONGEST_SUMMARY else check.summary[: _LONGEST_SUMMARY - 1] + "…"
    conclusion = _CONCLUSIONS.get(check.state)
    return {
        "name": check.name,
        "status": "in_progress" if conclusion is None else "completed",
        **({} if conclusion is None else {"conclusion": conclusion}),
        "started_at": _rfc3339(check.started_at),
        **({"details_url": check.url} if check.url else {}),
        "output": {"title": cut_line(check.title, 255), "summary": summary},
    }


def _has_check(run: Node, body: dict[str, object]) -> bool:
    wanted, output = Node(body["output"]), run.node("output")
    texts = all((output.maybe_text(name) or "") == wanted.text(name) for name in ("title", "summary"))
    return texts and all((run.raw(name) or None) == body.get(name) for name in ("status", "conclusion"))


def _rfc3339(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _done(_: object) -> bool:
    return True
