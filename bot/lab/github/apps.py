"""A GitHub App of the lab, as it is installed: what it may do, where, and what its webhook is told."""

from __future__ import annotations

from bot.lab.github.nouns import App, Webhook
from bot.lab.github.options import AppOptions
from bot.lab.github.world import World

_ALL_RIGHTS = {
    "checks": "write",
    "contents": "write",
    "deployments": "write",
    "issues": "write",
    "members": "read",
    "metadata": "read",
    "pull_requests": "write",
    "repository_hooks": "read",
    "statuses": "write",
}


def made_app(world: World, app_id: int, public_key_pem: str, options: AppOptions) -> App:
    """Return an app with its installation; whoever calls holds the world's lock."""
    slug, repositories = options.get("slug", f"app-{app_id}"), options.get("repositories")
    return App(
        id=app_id,
        slug=slug,
        owner=world.account(options.get("owner", "acme"), "Organization"),
        bot=world.account(f"{slug}[bot]", "Bot"),
        public_key=public_key_pem,
        installation_id=world.new_id(),
        permissions=dict(options.get("permissions", _ALL_RIGHTS)),
        repositories=None if repositories is None else tuple(repositories),
        created_at=world.now(),
        events=tuple(options.get("events", ())),
        webhook=_webhook(world, options),
    )


def _webhook(world: World, options: AppOptions) -> Webhook | None:
    if "webhook_url" not in options:
        return None
    return Webhook(
        id=world.new_id(),
        url=options["webhook_url"],
        secret=options.get("webhook_secret", ""),
        events=tuple(options.get("events", ())),
        created_at=world.now(),
    )
