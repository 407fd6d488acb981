"""Commit statuses and check runs as JSON."""

from __future__ import annotations

from bot.lab.github.call import Json
from bot.lab.github.checks import combined_state
from bot.lab.github.nouns import CheckRun, Status
from bot.lab.github.shapes.repos import account, app, instant, node, optional_instant, small_repository
from bot.lab.github.world import Repository, World


def short_status(world: World, repo: Repository, one: Status) -> Json:
    """GitHub's `simple-commit-status`."""
    return {
        "url": f"{world.api}/repos/{repo.full_name}/statuses/{one.sha}",
        "avatar_url": f"{world.url}/avatars/u/{one.creator.id}?v=4",
        "id": one.id,
        "node_id": node("SC", one.id),
        "state": one.state,
        "description": one.description,
        "target_url": one.target_url,
        "context": one.context,
        "created_at": instant(one.created_at),
        "updated_at": instant(one.created_at),
    }


def status(world: World, repo: Repository, one: Status) -> Json:
    """GitHub's `status`."""
    return {**short_status(world, repo, one), "creator": account(world, one.creator)}


def combined_status(world: World, repo: Repository, sha: str, *, page: list[Status], total: int) -> Json:
    """GitHub's `combined-commit-status`."""
    api = f"{world.api}/repos/{repo.full_name}/commits/{sha}"
    return {
        "state": combined_state(repo, sha),
        "statuses": [short_status(world, repo, one) for one in page],
        "sha": sha,
        "total_count": total,
        "repository": small_repository(world, repo),
        "commit_url": api,
        "url": f"{api}/status",
    }


def check_run(world: World, repo: Repository, one: CheckRun) -> Json:
    """GitHub's `check-run`. A suite holds the runs of one app on one commit; the lab gives each run its own."""
    api = f"{world.api}/repos/{repo.full_name}/check-runs/{one.id}"
    web = f"{world.url}/{repo.full_name}/runs/{one.id}"
    return {
        "id": one.id,
        "name": one.name,
        "node_id": node("CR", one.id),
        "head_sha": one.sha,
        "external_id": one.external_id,
        "url": api,
        "html_url": web,
        "details_url": one.details_url or web,
        "status": one.status,
        "conclusion": one.conclusion,
        "started_at": instant(one.started_at),
        "completed_at": optional_instant(one.completed_at),
        "output": {
            "title": one.title,
            "summary": one.summary,
            "text": one.text,
            "annotations_count": 0,
            "annotations_url": f"{api}/annotations",
        },
        "check_suite": {"id": one.id + 1},
        "app": None if one.app is None else app(world, one.app),
        "pull_requests": [],
    }
