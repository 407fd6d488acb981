"""Whether GitHub wakes the bot. Webhooks only make it quicker, so nothing here is worse than a warning."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from bot.adapters.github.facts import DeliveryFacts, HookFacts
from bot.doctor.findings import Finding, listed, ok, warning

WEBHOOK_PATH = "/webhooks/github"
OPTIONAL_EVENTS = frozenset({"merge_group"})
"""GitHub tells these only to an App with the permission `merge_queues`, which the bot has no other use for."""
_ENOUGH = "polling alone is enough; webhooks make it quicker: docs/webhooks.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the settings and the bot want of webhooks. `is_taken` says that the web server takes them."""

    is_taken: bool
    events: frozenset[str]


def judge_no_hook(check: str, wanted: Wanted) -> Finding:
    """Say what it means that there is no webhook to the bot."""
    if wanted.is_taken:
        return warning(check, "none comes to the bot, though the settings take them", _ENOUGH)
    return warning(check, "none configured", _ENOUGH)


def judge_hidden_hooks(check: str) -> Finding:
    """Say what it means that webhooks are not shown."""
    return warning(check, "only administrators of the repository may see them", f"look there by hand; {_ENOUGH}")


def judge_hook(check: str, hook: HookFacts, deliveries: DeliveryFacts | None, wanted: Wanted) -> Finding:
    """Say whether a webhook wakes the bot."""
    host = urlsplit(hook.url).hostname or "?"
    if not wanted.is_taken:
        remedy = "name web.listen and web.webhook_secret_file, or take the webhook away"
        return warning(check, f"they go to {host}, but the settings take none", remedy)
    if not hook.is_active:
        return warning(check, f"the one to {host} is switched off", "tick Active on the webhook's page")
    if urlsplit(hook.url).path.rstrip("/") != WEBHOOK_PATH:
        return warning(check, f"the one to {host} ends at another path", f"let its URL end in {WEBHOOK_PATH}")
    return _judge_flow(check, hook, deliveries, wanted)


def _judge_flow(check: str, hook: HookFacts, deliveries: DeliveryFacts | None, wanted: Wanted) -> Finding:
    host = urlsplit(hook.url).hostname or "?"
    if deliveries is not None and deliveries.failed:
        found = f"{deliveries.failed} of the newest {deliveries.seen} deliveries to {host} failed: {deliveries.newest}"
        return warning(check, found, "see Recent Deliveries on the webhook's page: 401 is the secret, 0 the network")
    missing = missing_events(hook.events, wanted.events)
    if missing:
        return warning(check, f"{host} is not told of {listed(missing, most=8)}", "tick these events")
    return ok(check, f"they go to {host}")


def missing_events(told: Collection[str], wanted: Collection[str]) -> list[str]:
    """Return the events that are wanted and not told; `*` tells all."""
    return [] if "*" in told else sorted(set(wanted) - OPTIONAL_EVENTS - set(told))


def is_ours(hook: HookFacts) -> bool:
    """Say whether a webhook of a repository is for the bot: others have theirs there too."""
    return urlsplit(hook.url).path.rstrip("/") == WEBHOOK_PATH
