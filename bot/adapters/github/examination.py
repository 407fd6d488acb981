"""What can be found out about GitHub before the bot works with it: who it is there, what it may do, what is set up.

Enters: an address, and what gives tokens. Leaves: frozen facts, or `Transient` and `Permanent`. It only reads, judges
nothing, and never shows a token. It does not go through `Clients`, because it needs the headers of answers, and needs
neither their budget nor their cache: a few requests for each repository, once.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Self, TypeVar
from urllib.parse import quote as quote_path

import jwt
from github.Auth import AppAuth

from bot.adapters.examination import skew_of
from bot.adapters.github.answers import SYSTEM
from bot.adapters.github.facts import (
    AppFacts,
    DeliveryFacts,
    HookFacts,
    InstallationFacts,
    LimitFacts,
    RepositoryFacts,
    UserFacts,
    parse_app,
    parse_content,
    parse_deliveries,
    parse_expiration,
    parse_forbidding,
    parse_hooks,
    parse_installation,
    parse_limits,
    parse_names,
    parse_repository,
)
from bot.adapters.github.names import check_repository
from bot.adapters.github.nodes import LackingFactError, Node
from bot.adapters.http import Answer, Endpoint, HttpClient, Limits, Question, refusal
from bot.adapters.scrub import as_sentence
from bot.ports import Clock, OutsideError, Permanent

T = TypeVar("T")

_AT_ONCE = 8
"""GitHub asks for few requests at the same time."""
_NO_KEY = "the GitHub App's private key is no RSA key in PEM form: give the file that GitHub made"
_PAGE = {"per_page": "100"}
_MOST_PAGES = 10
_LIMITS = Limits(deadline=timedelta(seconds=10), attempts=2)


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
        self._client: HttpClient | None = None
        self._opening = threading.Lock()
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
        if self._client is not None:
            self._client.close()

    # --- who the bot is ---

    def measure_skew(self) -> timedelta | None:
        """Return by how much GitHub's clock is ahead of ours at least; None where it does not tell the time."""
        before = self._clock.now()
        answer = self._ask("/rate_limit", None)
        return skew_of(answer, before, self._clock.now())

    def find_app(self) -> AppFacts:
        """Ask which App the private key is of."""
        return self._parse(self._ask("/app", self._as_app()), "tell which GitHub App this is", parse_app)

    def find_installation(self, repository: str) -> InstallationFacts | None:
        """Return the App's installation that reaches a repository; None where it is not installed there."""
        path = f"{_repository(repository)}/installation"
        return self._find(self._ask(path, self._as_app()), f"tell the installation on {repository}", parse_installation)

    def find_user(self) -> UserFacts:
        """Ask whose the token is, and until when it is valid where GitHub says so."""
        answer = self._ask("/user", self._token_for(None))
        login = self._parse(answer, "tell whose token this is", lambda value: Node(value).text("login"))
        scopes = answer.headers.get("x-oauth-scopes")
        return UserFacts(
            login=login,
            expires_at=parse_expiration(answer.headers.get("github-authentication-token-expiration", "")),
            scopes=None if scopes is None else tuple(one.strip() for one in scopes.split(",") if one.strip()),
        )

    def find_limits(self, repository: str | None) -> Mapping[str, LimitFacts]:
        """Return what is left of the hour, for `core` and `graphql`. Asking this costs nothing."""
        return self._parse(self._ask("/rate_limit", self._token_for(repository)), "tell its rate limits", parse_limits)

    # --- repositories ---

    def find_repository(self, repository: str) -> RepositoryFacts | None:
        """Return a repository; None where there is none, or where the token may not see it."""
        answer = self._ask(_repository(repository), self._token_for(repository))
        return self._find(answer, f"show {repository}", parse_repository)

    def read_file(self, repository: str, branch: str, path: str) -> str | None:
        """Return the text of a file at the head of a branch; None where there is none."""
        where = f"{_repository(repository)}/contents/{quote_path(path)}"
        answer = self._ask(where, self._token_for(repository), {"ref": branch})
        return self._find(answer, f"show {as_sentence(path, longest=100)} of {repository}", parse_content)

    def has_branch(self, repository: str, branch: str) -> bool:
        """Say whether a repository has a branch."""
        where = f"{_repository(repository)}/branches/{quote_path(branch, safe='')}"
        answer = self._ask(where, self._token_for(repository))
        return (
            self._find(answer, f"show the branches of {repository}", lambda value: Node(value).text("name")) is not None
        )

    def list_branches(self, repository: str) -> tuple[str, ...]:
        """Return the names of a repository's branches, the first hundred."""
        answer = self._ask(f"{_repository(repository)}/branches", self._token_for(repository), _PAGE)
        return self._parse(answer, f"list the branches of {repository}", parse_names)

    def list_folder(self, repository: str, branch: str, path: str) -> tuple[str, ...]:
        """Return the names in a folder at the head of a branch; none where there is no such folder."""
        where = f"{_repository(repository)}/contents/{quote_path(path)}"
        answer = self._ask(where, self._token_for(repository), {"ref": branch})
        return self._find(answer, f"list a folder of {repository}", parse_names) or ()

    def list_labels(self, repository: str) -> tuple[str, ...]:
        """Return the names of the labels that pull requests may have, the first thousand."""
        found: list[str] = []
        for page in range(1, _MOST_PAGES + 1):
            params = {**_PAGE, "page": str(page)}
            answer = self._ask(f"{_repository(repository)}/labels", self._token_for(repository), params)
            names = self._parse(answer, f"list the labels of {repository}", parse_names)
            found += names
            if len(names) < int(_PAGE["per_page"]):
                break
        return tuple(found)

    def may_bypass(self, repository: str, branch: str) -> bool:
        """Say whether each ruleset that forbids pushes to a branch lets the asker pass at any time."""
        token = self._token_for(repository)
        where = f"{_repository(repository)}/rules/branches/{quote_path(branch, safe='')}"
        answer = self._ask(where, token, _PAGE)
        numbers = self._parse(answer, f"show the rules of {as_sentence(branch)} in {repository}", parse_forbidding)
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
        return self._parse(answer, f"list the webhooks of {repository}", parse_hooks)

    def find_deliveries(self, repository: str | None, number: int | None) -> DeliveryFacts | None:
        """Return how the newest deliveries went, of a repository's webhook or of the App's; None where nobody says."""
        if repository is None or number is None:
            answer = self._ask("/app/hook/deliveries", self._as_app(), _PAGE)
        else:
            path = f"{_repository(repository)}/hooks/{number}/deliveries"
            answer = self._ask(path, self._token_for(repository), _PAGE)
        return self._find(answer, "list the webhook's deliveries", parse_deliveries)

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
            return self._http().read(Question(path=path, params=params or {}, headers=headers))

    def _http(self) -> HttpClient:
        """Make the client at the first question: an authority that cannot be read is a finding, no reason to stop."""
        with self._opening:
            if self._client is None:
                self._client = HttpClient(self._endpoint, _LIMITS)
            return self._client

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


def _repository(name: str) -> str:
    check_repository(name)
    return f"/repos/{name}"
