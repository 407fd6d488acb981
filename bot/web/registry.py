"""`POST /webhooks/registry`: what a registry, or the pipeline that pushed, says of a push.

Nothing but the names of repositories is believed, and of them only that it is worth a look: the sweep asks the registry
itself. Pulls, deletions, scans and whatever else registries tell of wake nothing.

Sources: distribution's "Work with notifications", Harbor's "Configure Webhook Notifications" (payload format Default),
Docker Hub's "Webhooks", Red Hat Quay's "Repository notifications".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.web.deliveries import Outcome, Result
from bot.web.payload import is_image_repository, parse_object, value_at

MOST_NAMES = 100
"""How many repositories one notification may name. Registries send one, or a handful."""

_IGNORED = Outcome(status=202, result=Result.IGNORED, sentence="this event wakes nothing")


def judge_push(body: bytes) -> Outcome:
    """Say what a notification comes to. One name that is none refuses the whole of it."""
    content = parse_object(body)
    sent = None if content is None else _sent_names(content)
    if sent is None:
        return _refused('the body must be a registry\'s notification, or {"repository": "acme/checkout"}')
    if not all(is_image_repository(name) for name in sent):
        return _refused("a repository's name must be one of the OCI specification, such as acme/checkout")
    names = tuple(dict.fromkeys(map(str, sent)))
    if len(names) > MOST_NAMES:
        return _refused(f"the body names more than {MOST_NAMES} repositories")
    if not names:
        return _IGNORED
    return Outcome(status=202, result=Result.ACCEPTED, sentence="the next sweep comes now", pushed=names)


def _sent_names(content: Mapping[str, object]) -> Sequence[object] | None:
    """Return the repositories that got a tag, as they were sent; None where the body is of no form that is known."""
    if "events" in content:
        return _of_distribution(content["events"])
    if "event_data" in content:
        return _of_harbor(content)
    repository = content.get("repository")
    if isinstance(repository, Mapping):
        # Docker Hub, which tells of nothing but pushes.
        return [repository.get("repo_name")]
    if "docker_url" in content and "updated_tags" not in content:
        # Quay tells of builds and scans in the form of a push.
        return []
    return None if repository is None else [repository]


def _of_distribution(events: object) -> Sequence[object] | None:
    if not isinstance(events, list) or not all(isinstance(value_at(event, "action"), str) for event in events):
        return None
    pushes = [event for event in events if value_at(event, "action") == "push"]
    # Without a tag it was a layer, or the part of an image that is for one platform.
    return [value_at(push, "target", "repository") for push in pushes if value_at(push, "target", "tag")]


def _of_harbor(content: Mapping[str, object]) -> Sequence[object] | None:
    kind = content.get("type")
    if not isinstance(kind, str):
        return None
    return [value_at(content, "event_data", "repository", "repo_full_name")] if kind == "PUSH_ARTIFACT" else []


def _refused(sentence: str) -> Outcome:
    return Outcome(status=400, result=Result.REFUSED, sentence=sentence)
