"""Commit statuses and check runs: the newest of each name, and what they add up to."""

from __future__ import annotations

from bot.lab.github.nouns import CheckRun, Status
from bot.lab.github.world import Repository

_PASSED = frozenset({"success", "neutral", "skipped"})


def latest_statuses(repository: Repository, sha: str) -> list[Status]:
    """Return the newest status of each context, newest first."""
    newest = {status.context: status for status in repository.statuses if status.sha == sha}
    return sorted(newest.values(), key=lambda status: status.id, reverse=True)


def statuses_of(repository: Repository, sha: str) -> list[Status]:
    """Return all statuses of a commit, newest first."""
    return [status for status in reversed(repository.statuses) if status.sha == sha]


def check_runs_of(repository: Repository, sha: str) -> list[CheckRun]:
    """Return the newest check run of each app and name."""
    runs = (run for run in repository.check_runs if run.sha == sha)
    return list({(run.app.id if run.app else 0, run.name): run for run in runs}.values())


def latest_checks(repository: Repository, sha: str) -> list[str]:
    """Return the names of all statuses and check runs of a commit."""
    names = [status.context for status in latest_statuses(repository, sha)]
    return names + [run.name for run in check_runs_of(repository, sha)]


def combined_state(repository: Repository, sha: str) -> str:
    """Return GitHub's combined status: `pending` also where there is none at all."""
    states = {status.state for status in latest_statuses(repository, sha)}
    if states & {"failure", "error"}:
        return "failure"
    return "success" if states == {"success"} else "pending"


def checks_state(repository: Repository, sha: str, name: str, app_id: int | None = None) -> str:
    """Return `success`, `pending`, `failure`, or `expected` where nobody has reported under this name.

    With an `app_id` the reports of this app count alone; a commit status is an app's if its bot made it.
    """
    found = [
        _status_state(status)
        for status in latest_statuses(repository, sha)
        if status.context == name and app_id in (None, status.app_id)
    ]
    found += [
        _run_state(run)
        for run in check_runs_of(repository, sha)
        if run.name == name and app_id in (None, run.app.id if run.app else 0)
    ]
    for state in ("failure", "pending", "success"):
        if state in found:
            return state
    return "expected"


def _status_state(status: Status) -> str:
    return "failure" if status.state == "error" else status.state


def _run_state(run: CheckRun) -> str:
    if run.status != "completed":
        return "pending"
    return "success" if run.conclusion in _PASSED else "failure"
