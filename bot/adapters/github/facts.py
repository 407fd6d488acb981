"""The facts of an examination of GitHub, and how they are read out of its answers."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.adapters.github.nodes import LackingFactError, Node, objects
from bot.adapters.scrub import as_sentence
from bot.domain.pulls import MergeMethod

_EXPIRATION = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) ?(UTC|[+-]\d{4})?")
_FORBID_PUSHES = frozenset({"pull_request", "required_status_checks", "merge_queue", "update", "lock_branch"})
_METHODS = {
    "allow_merge_commit": MergeMethod.MERGE,
    "allow_squash_merge": MergeMethod.SQUASH,
    "allow_rebase_merge": MergeMethod.REBASE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AppFacts:
    """A GitHub App as it is registered."""

    id: int
    slug: str
    url: str
    permissions: Mapping[str, str]
    events: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationFacts:
    """An App's installation on an account: what its owner has granted."""

    id: int
    account: str
    url: str
    permissions: Mapping[str, str]
    is_suspended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFacts:
    """Whose token it is. `scopes` are those of a classic token, None for any other kind."""

    login: str
    expires_at: datetime | None
    scopes: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryFacts:
    """A repository. `rights` are the asker's own, by GitHub's words; `methods` None where they are not shown."""

    name: str
    default_branch: str
    is_archived: bool
    rights: Mapping[str, bool]
    methods: tuple[MergeMethod, ...] | None
    may_arm: bool | None
    deletes_branches: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HookFacts:
    """A webhook: an App's, or a repository's with its number."""

    url: str
    is_active: bool
    events: frozenset[str]
    number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFacts:
    """The newest deliveries of a webhook: how many, how many failed, and how the newest ended."""

    seen: int
    failed: int
    newest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitFacts:
    """What is left of one of the hour's limits."""

    limit: int
    remaining: int
    reset: datetime


def _texts(node: Node, name: str) -> Mapping[str, str]:
    value = node.raw(name)
    if not isinstance(value, Mapping):
        raise LackingFactError(name)
    return {str(key): str(text) for key, text in value.items()}


def _flags(node: Node, name: str) -> Mapping[str, bool]:
    value = node.raw(name)
    return {str(key): is_so is True for key, is_so in value.items()} if isinstance(value, Mapping) else {}


def _words(value: object) -> frozenset[str]:
    return frozenset(str(one) for one in value) if isinstance(value, list) else frozenset()


def _maybe_flag(node: Node, name: str) -> bool | None:
    return None if node.raw(name) is None else node.flag(name)


def _methods(repository: Node) -> tuple[MergeMethod, ...] | None:
    shown = {method: _maybe_flag(repository, name) for name, method in _METHODS.items()}
    if None in shown.values():
        return None
    return tuple(method for method, is_allowed in shown.items() if is_allowed)


def parse_app(value: object) -> AppFacts:
    """Read an App."""
    app = Node(value)
    return AppFacts(
        id=app.number("id"),
        slug=app.text("slug"),
        url=app.text("html_url"),
        permissions=_texts(app, "permissions"),
        events=_words(app.raw("events")),
    )


def parse_installation(value: object) -> InstallationFacts:
    """Read an installation."""
    found = Node(value)
    return InstallationFacts(
        id=found.number("id"),
        account=found.node("account").text("login"),
        url=found.text("html_url"),
        permissions=_texts(found, "permissions"),
        is_suspended=found.raw("suspended_at") is not None,
    )


def parse_repository(value: object) -> RepositoryFacts:
    """Read a repository."""
    found = Node(value)
    return RepositoryFacts(
        name=found.text("full_name"),
        default_branch=found.text("default_branch"),
        is_archived=found.flag("archived"),
        rights=_flags(found, "permissions"),
        methods=_methods(found),
        may_arm=_maybe_flag(found, "allow_auto_merge"),
        deletes_branches=_maybe_flag(found, "delete_branch_on_merge"),
    )


def parse_content(value: object) -> str:
    """Read a file's text. GitHub sends a folder as a list, and the text of a large file not at all."""
    if not isinstance(value, Mapping) or value.get("encoding") != "base64":
        return ""
    return b64decode(Node(value).text("content")).decode("utf-8", "replace")


def parse_names(value: object) -> tuple[str, ...]:
    """Return the names of a list's entries; none of what is no list, such as a file where a folder was asked for."""
    return tuple(one.text("name") for one in objects(value)) if isinstance(value, list) else ()


def parse_forbidding(value: object) -> frozenset[int]:
    """Return the numbers of the rulesets that forbid pushes."""
    return frozenset(rule.number("ruleset_id") for rule in objects(value) if rule.text("type") in _FORBID_PUSHES)


def parse_limits(value: object) -> Mapping[str, LimitFacts]:
    """Read what is left of the hour."""
    resources = Node(value).node("resources")
    return {name: _limit(resources.node(name)) for name in ("core", "graphql")}


def _limit(node: Node) -> LimitFacts:
    reset = datetime.fromtimestamp(node.number("reset"), UTC)
    return LimitFacts(limit=node.number("limit"), remaining=node.number("remaining"), reset=reset)


def parse_hooks(value: object) -> tuple[HookFacts, ...]:
    """Read the webhooks of a repository."""
    return tuple(
        HookFacts(
            url=hook.node("config").maybe_text("url") or "",
            is_active=hook.flag("active"),
            events=_words(hook.raw("events")),
            number=hook.number("id"),
        )
        for hook in objects(value)
    )


def parse_deliveries(value: object) -> DeliveryFacts | None:
    """Read the newest deliveries; None where there are none."""
    rows = list(objects(value))
    if not rows:
        return None
    failed = sum(1 for one in rows if not 200 <= one.number("status_code") < 300)
    return DeliveryFacts(seen=len(rows), failed=failed, newest=as_sentence(rows[0].text("status"), longest=60))


def parse_expiration(value: str) -> datetime | None:
    """Read GitHub's own form of a date: `2026-05-01 10:00:00 UTC`, or with an offset."""
    found = _EXPIRATION.fullmatch(value.strip())
    if found is None:
        return None
    zone = found[2] if found[2] not in (None, "UTC") else "+0000"
    return datetime.strptime(f"{found[1]} {zone}", "%Y-%m-%d %H:%M:%S %z").astimezone(UTC)
