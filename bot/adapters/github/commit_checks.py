"""What was reported on a source commit: check runs and statuses by name, for the build of a release.

A name may be reported by several apps: then all must have passed, since the policy names no app.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bot.adapters.github.asking import Read
from bot.adapters.github.clients import Clients
from bot.adapters.github.names import check_repository, shown
from bot.adapters.github.nodes import Node, objects
from bot.domain.model import Sha

_PASSED = frozenset({"success", "neutral", "skipped"})
_STATUS = {"success": "passed", "failure": "failed", "error": "failed", "pending": "running"}
_WORST_FIRST = ("failed", "running", "passed")


def read_checks(
    clients: Clients, repository: str, commit: Sha, names: Sequence[str], app: int | None
) -> Mapping[str, str]:
    """Return the outcome of each name that was reported on a commit. Each name costs a request, and all statuses one.

    Raise OutsideError where GitHub does not answer, or does not have the commit.
    """
    check_repository(repository)
    found = _statuses(clients, repository, commit, names) if app is None else {}
    for name in names:
        outcomes = [*_runs(clients, repository, commit, name, app), *([found[name]] if name in found else [])]
        if outcomes:
            found[name] = min(outcomes, key=_WORST_FIRST.index)
    return found


def _runs(clients: Clients, repository: str, commit: Sha, name: str, app: int | None) -> list[str]:
    read = Read(
        path=f"/repos/{repository}/commits/{commit}/check-runs",
        params={"check_name": name, "filter": "latest"},
        tried=f"look for the check {shown(name)} of {commit[:7]} in {repository}",
    )
    runs = clients.read_pages(repository, read, lambda answer: list(Node(answer).items("check_runs")))
    return [_outcome(run) for run in runs if run.text("name") == name and (app is None or _is_of(run, app))]


def _is_of(run: Node, app: int) -> bool:
    reporter = run.maybe_node("app")
    return reporter is not None and reporter.number("id") == app


def _outcome(run: Node) -> str:
    if run.text("status") != "completed":
        return "running"
    return "passed" if run.raw("conclusion") in _PASSED else "failed"


def _statuses(clients: Clients, repository: str, commit: Sha, names: Iterable[str]) -> dict[str, str]:
    """The newest of each name. They come newest first, and further pages are read only while a name is missing."""
    read = Read(
        path=f"/repos/{repository}/commits/{commit}/statuses",
        tried=f"look for the statuses of {commit[:7]} in {repository}",
    )
    missing = set(names)
    found: dict[str, str] = {}
    for status in clients.read_pages(repository, read, lambda answer: list(objects(answer))):
        context = status.text("context")
        if context in missing:
            found[context] = _STATUS.get(status.text("state"), "running")
            missing.discard(context)
        if not missing:
            break
    return found
