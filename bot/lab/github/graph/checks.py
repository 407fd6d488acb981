"""Commits, and what was reported on them, as GraphQL tells it."""

from __future__ import annotations

from collections.abc import Callable

from bot.lab.github.authors import authors_of
from bot.lab.github.checks import check_runs_of, latest_statuses
from bot.lab.github.git import Person
from bot.lab.github.graph import repositories
from bot.lab.github.graph.connections import connection
from bot.lab.github.graph.view import Field, Shape, View, field, not_resolved, number_of
from bot.lab.github.nouns import App, CheckRun, Protection, Status
from bot.lab.github.shapes.repos import instant, node, optional_instant
from bot.lab.github.world import Repository

_FAILED = frozenset({"failure", "timed_out", "cancelled", "action_required", "startup_failure", "stale"})


def commit(view: View, repository: Repository, sha: str) -> Shape:
    """A `Commit`."""
    one = repository.bare.commit(sha)
    return {
        "__typename": "Commit",
        "id": f"C_{sha}",
        "oid": sha,
        "message": one.message,
        "messageHeadline": one.message.partition("\n")[0],
        "committedDate": instant(one.committed_at),
        "url": f"{view.world.url}/{repository.full_name}/commit/{sha}",
        "statusCheckRollup": field(lambda: rollup(view, repository, sha)),
        "authors": connection("authors", lambda: authors_of(one), lambda who: _actor(view, who)),
    }


def _actor(view: View, who: Person) -> Shape:
    """A `GitActor`: what a commit says of somebody, and whose address that is."""
    account = repositories.optional_account(view, view.world.account_by_email(who.email))
    return {"name": who.name, "email": who.email, "user": account}


def rollup(view: View, repository: Repository, sha: str) -> Shape | None:
    """All reports on a commit as a `StatusCheckRollup`; None where there are none."""
    view.demand(repository, "checks:read", "statuses:read")
    runs, statuses = check_runs_of(repository, sha), latest_statuses(repository, sha)
    if not runs and not statuses:
        return None
    reports: list[CheckRun | Status] = [*runs, *statuses]
    counts = {"checkRunCount": len(runs), "statusContextCount": len(statuses)}
    return {
        "id": f"SCR_{sha}",
        "state": _worst([_run_state(run) for run in runs] + [one.state.upper() for one in statuses]),
        "commit": field(lambda: commit(view, repository, sha)),
        "contexts": connection("contexts", lambda: reports, lambda one: _report(view, repository, one), more=counts),
    }


def _run_state(run: CheckRun) -> str:
    if run.status != "completed":
        return "PENDING"
    return "FAILURE" if run.conclusion in _FAILED else "SUCCESS"


def _worst(states: list[str]) -> str:
    return next(state for state in ("FAILURE", "ERROR", "PENDING", "EXPECTED", "SUCCESS") if state in states)


def _report(view: View, repository: Repository, one: CheckRun | Status) -> Shape:
    return _check_run(view, repository, one) if isinstance(one, CheckRun) else _status(view, repository, one)


def _check_run(view: View, repository: Repository, one: CheckRun) -> Shape:
    web = f"{view.world.url}/{repository.full_name}/runs/{one.id}"
    return {
        "__typename": "CheckRun",
        "id": node("CR", one.id),
        "databaseId": one.id,
        "name": one.name,
        "status": one.status.upper(),
        "conclusion": one.conclusion.upper() if one.conclusion else None,
        "externalId": one.external_id,
        "startedAt": instant(one.started_at),
        "completedAt": optional_instant(one.completed_at),
        "detailsUrl": one.details_url or web,
        "url": web,
        "title": one.title,
        "summary": one.summary,
        "checkSuite": {"id": node("CS", one.id + 1), "databaseId": one.id + 1, "app": _app(one.app)},
        "isRequired": _required(repository, lambda: (one.name, one.app.id if one.app else None)),
    }


def _app(one: App | None) -> Shape | None:
    if one is None:
        return None
    return {"id": node("A", one.id), "databaseId": one.id, "slug": one.slug, "name": one.slug}


def _status(view: View, repository: Repository, one: Status) -> Shape:
    return {
        "__typename": "StatusContext",
        "id": node("SC", one.id),
        "context": one.context,
        "state": one.state.upper(),
        "description": one.description,
        "targetUrl": one.target_url,
        "creator": repositories.account(view, one.creator),
        "createdAt": instant(one.created_at),
        "isRequired": _required(repository, lambda: (one.context, one.app_id)),
    }


def _required(repository: Repository, report: Callable[[], tuple[str, int | None]]) -> Field:
    """Return the field that says whether the base of a pull request requires this report."""

    def resolved(
        _: object,
        *,
        pullRequestNumber: int | None = None,  # noqa: N803
        pullRequestId: str | None = None,  # noqa: N803
    ) -> bool:
        number = number_of(pullRequestId, "PR") if pullRequestId else None
        found = [
            pull
            for pull in repository.pulls.values()
            if pull.number == pullRequestNumber or (number is not None and pull.id == number)
        ]
        if not found:
            raise not_resolved(f"a PullRequest with the number of {pullRequestNumber}")
        protection = repository.protections.get(found[0].base)
        return protection is not None and _is_required(protection, *report())

    return resolved


def _is_required(protection: Protection, name: str, app_id: int | None) -> bool:
    return name in protection.required_contexts and protection.integrations.get(name, app_id) == app_id
