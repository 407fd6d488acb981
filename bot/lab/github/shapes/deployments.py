"""Deployments, their statuses and webhooks as JSON."""

from __future__ import annotations

from bot.lab.github.call import Json
from bot.lab.github.nouns import Deployment, DeploymentStatus, Webhook
from bot.lab.github.shapes.repos import account, app, instant, node
from bot.lab.github.world import Repository, World


def deployment(world: World, repo: Repository, one: Deployment) -> Json:
    """GitHub's `deployment`."""
    api = f"{world.api}/repos/{repo.full_name}"
    mine = f"{api}/deployments/{one.id}"
    return {
        "url": mine,
        "id": one.id,
        "node_id": node("DE", one.id),
        "sha": one.sha,
        "ref": one.ref,
        "task": one.task,
        "payload": one.payload,
        "original_environment": one.original_environment,
        "environment": one.environment,
        "description": one.description,
        "creator": account(world, one.creator),
        "created_at": instant(one.created_at),
        "updated_at": instant(one.updated_at),
        "statuses_url": f"{mine}/statuses",
        "repository_url": api,
        "transient_environment": one.transient,
        "production_environment": one.production,
        "performed_via_github_app": None if one.app is None else app(world, one.app),
    }


def deployment_status(world: World, repo: Repository, of: Deployment, one: DeploymentStatus) -> Json:
    """GitHub's `deployment-status`."""
    api = f"{world.api}/repos/{repo.full_name}"
    shown: Json = {
        "url": f"{api}/deployments/{of.id}/statuses/{one.id}",
        "id": one.id,
        "node_id": node("DES", one.id),
        "state": one.state,
        "creator": account(world, one.creator),
        "description": one.description,
        "environment": one.environment,
        "target_url": one.log_url,
        "created_at": instant(one.created_at),
        "updated_at": instant(one.created_at),
        "deployment_url": f"{api}/deployments/{of.id}",
        "repository_url": api,
        "environment_url": one.environment_url,
        "log_url": one.log_url,
        "performed_via_github_app": None if one.app is None else app(world, one.app),
    }
    return shown


def webhook_config(one: Webhook) -> Json:
    """GitHub's `webhook-config`: the secret is never told."""
    return {"content_type": "json", "insecure_ssl": "0", "secret": "********", "url": one.url}


def webhook(world: World, repo: Repository, one: Webhook) -> Json:
    """GitHub's `hook`."""
    mine = f"{world.api}/repos/{repo.full_name}/hooks/{one.id}"
    return {
        "type": "Repository",
        "id": one.id,
        "name": "web",
        "active": one.active,
        "events": list(one.events),
        "config": webhook_config(one),
        "created_at": instant(one.created_at),
        "updated_at": instant(one.created_at),
        "url": mine,
        "test_url": f"{mine}/test",
        "ping_url": f"{mine}/pings",
        "deliveries_url": f"{mine}/deliveries",
        "last_response": {"code": None, "status": "unused", "message": None},
    }
