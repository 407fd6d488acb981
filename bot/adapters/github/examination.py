"""What can be found out about GitHub before the bot works with it: who it is there, what it may do, what is set up.

Enters: an address, and what gives tokens. Leaves: frozen facts, or `Transient` and `Permanent`. It only reads, judges
nothing, and never shows a token. It does not go through `Clients`, because it needs the headers of answers, and needs
neither their budget nor their cache: a few requests for each repository, once.
"""

from __future__ import annotations

import json
import re
import threading
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self, TypeVar
from urllib.parse import quote as quote_path

import jwt
from github.Auth import AppAuth

from bot.adapters.examination import skew_of
from bot.adapters.github.answers import SYSTEM
from bot.adapters.github.names import check_repository
from bot.adapters.github.nodes import LackingFactError, Node, objects
from bot.adapters.http import Answer, Endpoint, HttpClient, Limits, Question, refusal
from bot.adapters.scrub import as_sentence
from bot.domain.pulls import MergeMethod
from bot.ports import Clock, OutsideError, Permanent

T = TypeVar("T")

_AT_ONCE = 8
"""GitHub asks for few requests at the same time."""
_NO_KEY = "the GitHub App's private key is no RSA key in PEM form: give the file that GitHub made"
_PAGE = {"per_page": "100"}
_LIMITS = Limits(deadline=timedelta(seconds=10), attempts=2)
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


def sign_as_app(app_id: int, private_key: str) -> str:
    """Return a short-lived token that speaks as the App itself."""
    try:
        return AppAuth(app_id, private_key).create_jwt()
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise Permanent(SYSTEM, _NO_KEY) from error


class Examination:
    """Reads facts from one GitHub. Safe to share between threads.

    `token_for` gives the token for a repository, None for what belongs to none; `app_token` that of the App itself.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        token_for: Callable[[str | None], str],
        app_token: Callable[[], str] | None,
        clock: Clock,
    ) -> None:
        self.is_app = app_token is not None
        self._endpoint = endpoint
        self._client = HttpClient(endpoint, _LIMITS)
        self._token_for = token_for
        self._app_token = app_token
        self._clock = clock
        self._places = threading.BoundedSemaphore(_AT_ONCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    # --- who the bot is ---

    def measure_skew(self) -> timedelta | None:
        """Return by how much GitHub's clock is ahead of ours at least; None where it does not tell the time."""
        before = self._clock.now()
        answer = self._ask("/rate_limit", None)
        return skew_of(answer, before, self._clock.now())

    def find_app(self) -> AppFacts:
        """Ask which App the private key is of."""
        return self._parse(self._ask("/app", self._as_app()), "tell which GitHub App this is", _app)

    def find_installation(self, repository: str) -> InstallationFacts | None:
        """Return the App's installation that reaches a repository; None where it is not installed there."""
        path = f"{_repository(repository)}/installation"
        return self._find(self._ask(path, self._as_app()), f"tell the installation on {repository}", _installation)

    def find_user(self) -> UserFacts:
        """Ask whose the token is, and until when it is valid where GitHub says so."""
        answer = self._ask("/user", self._token_for(None))
        login = self._parse(answer, "tell whose token this is", lambda value: Node(value).text("login"))
        scopes = answer.headers.get("x-oauth-scopes")
        return UserFacts(
            login=login,
            expires_at=_expiration(answer.headers.get("github-authentication-token-expiration", "")),
            scopes=None if scopes is None else tuple(one.strip() for one in scopes.split(",") if one.strip()),
        )

    def find_limits(self, repository: str | None) -> Mapping[str, LimitFacts]:
        """Return what is left of the hour, for `core` and `graphql`. Asking this costs nothing."""
        return self._parse(self._ask("/rate_limit", self._token_for(repository)), "tell its rate limits", _limits)

    # --- repositories ---

    def find_repository(self, repository: str) -> RepositoryFacts | None:
        """Return a repository; None where there is none, or where the token may not see it."""
        answer = self._ask(_repository(repository), self._token_for(repository))
        return self._find(answer, f"show {repository}", _facts)

    def read_file(self, repository: str, branch: str, path: str) -> str | None:
        """Return the text of a file at the head of a branch; None where there is none."""
        where = f"{_repository(repository)}/contents/{quote_path(path)}"
        answer = self._ask(where, self._token_for(repository), {"ref": branch})
        return self._find(answer, f"show {as_sentence(path, longest=100)} of {repository}", _content)

    def may_bypass(self, repository: str, branch: str) -> bool:
        """Say whether each ruleset that forbids pushes to a branch lets the asker pass at any time."""
        token = self._token_for(repository)
        where = f"{_repository(repository)}/rules/branches/{quote_path(branch, safe='')}"
        answer = self._ask(where, token, _PAGE)
        numbers = self._parse(answer, f"show the rules of {as_sentence(branch)} in {repository}", _forbidding)
        return bool(numbers) and all(self._passes(repository, number, token) for number in sorted(numbers))

    def _passes(self, repository: str, number: int, token: str) -> bool:
        answer = self._ask(f"{_repository(repository)}/rulesets/{number}", token)
        word = self._find(
            answer,
            f"show ruleset {number} of {repository}",
            lambda value: Node(value).raw("current_user_can_bypass"),
        )
        return word in ("always", "exempt")

    # --- webhooks ---

    def find_app_hook(self) -> HookFacts | None:
        """Return the App's webhook; None where it has none."""
        answer = self._ask("/app/hook/config", self._as_app())
        url = self._find(answer, "tell the App's webhook", lambda value: Node(value).maybe_text("url"))
        return HookFacts(url=url, is_active=True, events=self.find_app().events) if url else None

    def find_hooks(self, repository: str) -> tuple[HookFacts, ...] | None:
        """Return a repository's webhooks; None where only its administrators may see them, and we are none."""
        answer = self._ask(f"{_repository(repository)}/hooks", self._token_for(repository), _PAGE)
        if answer.status in (403, 404):
            return None
        return self._parse(answer, f"list the webhooks of {repository}", _hooks)

    def find_deliveries(self, repository: str | None, number: int | None) -> DeliveryFacts | None:
        """Return how the newest deliveries went, of a repository's webhook or of the App's; None where nobody says."""
        if repository is None or number is None:
            answer = self._ask("/app/hook/deliveries", self._as_app(), _PAGE)
        else:
            path = f"{_repository(repository)}/hooks/{number}/deliveries"
            answer = self._ask(path, self._token_for(repository), _PAGE)
        return self._find(answer, "list the webhook's deliveries", _deliveries)

    # --- asking ---

    def _as_app(self) -> str:
        if self._app_token is None:
            raise Permanent(SYSTEM, "the bot is no GitHub App, it works with a token")
        return self._app_token()

    def _ask(self, path: str, token: str | None, params: Mapping[str, str] | None = None) -> Answer:
        headers = {"accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28"}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        with self._places:
            return self._client.read(Question(path=path, params=params or {}, headers=headers))

    def _find(self, answer: Answer, tried: str, parse: Callable[[object], T]) -> T | None:
        """Read what may not be there."""
        return None if answer.status == 404 else self._parse(answer, tried, parse)

    def _parse(self, answer: Answer, tried: str, parse: Callable[[object], T]) -> T:
        refused = self._refusal(answer, tried)
        if refused is not None:
            raise refused
        try:
            return parse(json.loads(answer.body))
        except (LackingFactError, ValueError, RecursionError) as error:
            raise self._endpoint.transient(f"did not {tried} in a way that is understood") from error

    def _refusal(self, answer: Answer, tried: str) -> OutsideError | None:
        if answer.status in (403, 429) and answer.headers.get("x-ratelimit-remaining") == "0":
            return self._endpoint.transient(f"did not {tried}: the rate limit is used up")
        return refusal(self._endpoint, answer, tried=tried)


# --- reading ---------------------------------------------------------------------------------------------------------


def _repository(name: str) -> str:
    check_repository(name)
    return f"/repos/{name}"


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


def _app(value: object) -> AppFacts:
    app = Node(value)
    return AppFacts(
        id=app.number("id"),
        slug=app.text("slug"),
        url=app.text("html_url"),
        permissions=_texts(app, "permissions"),
        events=_words(app.raw("events")),
    )


def _installation(value: object) -> InstallationFacts:
    found = Node(value)
    return InstallationFacts(
        id=found.number("id"),
        account=found.node("account").text("login"),
        url=found.text("html_url"),
        permissions=_texts(found, "permissions"),
        is_suspended=found.raw("suspended_at") is not None,
    )


def _facts(value: object) -> RepositoryFacts:
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


def _content(value: object) -> str:
    """Read a file's text. GitHub sends a folder as a list, and the text of a large file not at all."""
    if not isinstance(value, Mapping) or value.get("encoding") != "base64":
        return ""
    return b64decode(Node(value).text("content")).decode("utf-8", "replace")


def _forbidding(value: object) -> frozenset[int]:
    """Return the numbers of the rulesets that forbid pushes."""
    return frozenset(rule.number("ruleset_id") for rule in objects(value) if rule.text("type") in _FORBID_PUSHES)


def _limits(value: object) -> Mapping[str, LimitFacts]:
    resources = Node(value).node("resources")
    return {name: _limit(resources.node(name)) for name in ("core", "graphql")}


def _limit(node: Node) -> LimitFacts:
    reset = datetime.fromtimestamp(node.number("reset"), UTC)
    return LimitFacts(limit=node.number("limit"), remaining=node.number("remaining"), reset=reset)


def _hooks(value: object) -> tuple[HookFacts, ...]:
    return tuple(
        HookFacts(
            url=hook.node("config").maybe_text("url") or "",
            is_active=hook.flag("active"),
            events=_words(hook.raw("events")),
            number=hook.number("id"),
        )
        for hook in objects(value)
    )


def _deliveries(value: object) -> DeliveryFacts | None:
    rows = list(objects(value))
    if not rows:
        return None
    failed = sum(1 for one in rows if not 200 <= one.number("status_code") < 300)
    return DeliveryFacts(seen=len(rows), failed=failed, newest=as_sentence(rows[0].text("status"), longest=60))


def _expiration(value: str) -> datetime | None:
    """Read GitHub's own form of a date: `2026-05-01 10:00:00 UTC`, or with an offset."""
    found = _EXPIRATION.fullmatch(value.strip())
    if found is None:
        return None
    zone = found[2] if found[2] not in (None, "UTC") else "+0000"
    return datetime.strptime(f"{found[1]} {zone}", "%Y-%m-%d %H:%M:%S %z").astimezone(UTC)
