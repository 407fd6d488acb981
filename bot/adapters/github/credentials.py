"""Who the bot is at GitHub: a token that is read anew each time, or a GitHub App with short-lived installation tokens.

Both give the token for a repository, to the forge and to the Git adapter alike. Installation tokens are minted through
PyGithub, kept once for each installation, and renewed before they expire by the bot's own clock. They are scoped to the
repositories that the policies name and to the permissions in use; the few requests for them are in no budget.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

import jwt
import tenacity
from github import GithubIntegration
from github.Auth import AppAuth

from bot.adapters.github.answers import FAILURES, SYSTEM, Refused, Unanswered, translate
from bot.adapters.github.identity import Identity
from bot.adapters.github.nodes import Node
from bot.adapters.github.redirects import NO_REDIRECTS, REDIRECTED, moved
from bot.adapters.scrub import as_sentence
from bot.ports import Clock, Permanent

T = TypeVar("T")

_RENEWED_BEFORE = timedelta(minutes=10)
_TIMEOUT_SECONDS = 15
_ATTEMPTS = 3
_MOST_REPOSITORIES = 500
"""GitHub narrows a token to no more than so many repositories; with more, it serves all of the installation."""
PERMISSIONS: Mapping[str, str] = {
    "checks": "write",
    "contents": "write",
    "deployments": "write",
    "issues": "write",
    "metadata": "read",
    "pull_requests": "write",
    "statuses": "write",
}
_ABOVE: Mapping[str, Collection[str]] = {"read": ("read", "write", "admin"), "write": ("write", "admin")}
_NO_KEY = "the GitHub App's private key is no RSA key in PEM form: give the file that GitHub made"


class Credentials(Protocol):
    """How the bot proves who it is."""

    def token_for(self, repository: str | None) -> str:
        """Return the token to use on a repository (`owner/name`); None for calls about the bot itself."""
        ...

    def token_for_owner(self, owner: str) -> str:
        """Return the token to use on an organization."""
        ...

    def token_for_attestations(self, repository: str) -> str:
        """Return the token to read a repository's attestations with."""
        ...

    def forget(self, repository: str | None, token: str) -> bool:
        """Forget a token that GitHub refuses on a repository or owner; True where it may be asked for another one."""
        ...

    def account_of(self, repository: str | None) -> str:
        """Name whose limits a call on a repository counts against."""
        ...

    def find_identity(self, ask_user: Callable[[], Node]) -> Identity:
        """Return the account under which the bot writes. `ask_user` reads the token's owner."""
        ...


class TokenCredentials:
    """A personal or fine-grained token from `read`, a file or the environment. Its owner is the bot's identity.

    A person who works with the same account cannot be told from the bot: give the bot an account of its own.
    """

    def __init__(self, read: Callable[[], str]) -> None:
        self._read = read

    def token_for(self, repository: str | None) -> str:  # noqa: ARG002  (one token serves all repositories)
        """Return the token, read anew."""
        try:
            token = self._read().strip()
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise Permanent(SYSTEM, f"the GitHub token could not be read: {reason}") from error
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            # Checked here because the HTTP library quotes an illegal header value, and so the token, in its error.
            raise Permanent(SYSTEM, "the GitHub token is empty or holds characters that no token has")
        return token

    def token_for_owner(self, owner: str) -> str:  # noqa: ARG002  (one token serves all)
        """Return the token, read anew."""
        return self.token_for(None)

    def token_for_attestations(self, repository: str) -> str:
        """Return the token, read anew."""
        return self.token_for(repository)

    def forget(self, repository: str | None, token: str) -> bool:  # noqa: ARG002  (nothing is kept)
        """Have nothing to forget: the token is read anew each time."""
        return False

    def account_of(self, repository: str | None) -> str:  # noqa: ARG002  (one token serves all)
        """All calls count against the token's owner."""
        return "token"

    def find_identity(self, ask_user: Callable[[], Node]) -> Identity:
        """Ask whose token it is."""
        user = ask_user()
        return Identity(login=user.text("login"), user_id=user.maybe_number("id"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    text: str = field(repr=False)
    expires_at: datetime
    scope: frozenset[str]


class AppCredentials:
    """A GitHub App. `private_key` gives its PEM text, read anew whenever a token is minted.

    `repositories` gives the names that the policies use: tokens are narrowed to them, and to the one that is asked for.
    `warnings` has a sentence where GitHub granted less than was asked.
    """

    def __init__(
        self,
        api_url: str,
        *,
        app_id: int,
        private_key: Callable[[], str],
        clock: Clock,
        repositories: Callable[[], Collection[str]] = tuple,
    ) -> None:
        self._api_url = api_url.rstrip("/")
        self._app_id = app_id
        self._private_key = private_key
        self._clock = clock
        self._repositories = repositories
        # Held only to look at what is kept and to change it; never while GitHub is asked.
        self._lock = threading.Lock()
        self._minting: dict[str, threading.Lock] = {}
        self._installations: dict[str, int] = {}
        self._tokens: dict[str, _Token] = {}
        self._warnings: dict[str, str] = {}

    @property
    def warnings(self) -> Mapping[str, str]:
        """By owner: what a person should grant the App."""
        with self._lock:
            return dict(self._warnings)

    def token_for(self, repository: str | None) -> str:
        """Return a token of the app's installation on the repository, renewed ten minutes before it expires."""
        if repository is None:
            raise Permanent(SYSTEM, "a GitHub App has a token only for a repository on which it is installed")
        return self._kept_or_minted(repository.lower(), lambda: self._mint(repository, self._scope(repository)))

    def token_for_owner(self, owner: str) -> str:
        """Return a token that may read who is in the owner's teams, and nothing else.

        It is a token of its own: most policies name no teams, and then the App needs no such right.
        """
        named = sorted(name for name in self._repositories() if _owner(name) == owner.lower())
        if not named:
            raise Permanent(SYSTEM, f"the GitHub App has no repository of “{owner}” to work for, so no token for it")
        remedy = "grant the GitHub App the organization permission “Members: read”, since policies name teams"
        key = f"{owner.lower()}/"
        return self._kept_or_minted(key, lambda: self._mint_to_read("members", named[0], key, remedy))

    def token_for_attestations(self, repository: str) -> str:
        """Return a token that may read a repository's attestations, and nothing else.

        It is a token of its own, as that for teams is: most policies look for proofs in the registry only.
        """
        remedy = "grant the GitHub App the permission “Attestations: read”, since policies look for proofs at GitHub"
        key = f"{repository.lower()} attestations"
        return self._kept_or_minted(key, lambda: self._mint_to_read("attestations", repository, key, remedy))

    def forget(self, repository: str | None, token: str) -> bool:
        """Drop the token and the owner's installation: the app may have been installed anew.

        Only the token that was refused is dropped: another thread may have got a new one meanwhile.
        """
        if repository is None:
            return False
        with self._lock:
            self._tokens = {key: kept for key, kept in self._tokens.items() if kept.text != token}
        self._forget_installation(_owner(repository))
        return True

    def account_of(self, repository: str | None) -> str:
        """Each owner has one installation, and each installation its own limits."""
        return "app" if repository is None else _owner(repository)

    def find_identity(self, ask_user: Callable[[], Node]) -> Identity:  # noqa: ARG002  (an app is no user)
        """Ask for the app's name; its login is that with `[bot]`."""
        tried = "find out which GitHub App the bot is"
        app = self._ask(tried, lambda app: Node(app.requester.requestJsonAndCheck("GET", "/app")[1]))
        return Identity(login=f"{app.text('slug')}[bot]", app_id=app.number("id"))

    def _kept_or_minted(self, key: str, mint: Callable[[], _Token]) -> str:
        """Return a token that is kept, or mint one while only those wait who need one of the same owner."""
        token = self._kept(key)
        if token is not None:
            return token.text
        with self._minting_of(_owner(key)):
            token = self._kept(key)
            if token is None:
                token = mint()
                with self._lock:
                    self._tokens |= dict.fromkeys(token.scope, token)
            return token.text

    def _kept(self, key: str) -> _Token | None:
        with self._lock:
            token = self._tokens.get(key)
        is_fresh = token is not None and self._clock.now() + _RENEWED_BEFORE < token.expires_at
        return token if is_fresh else None

    def _minting_of(self, owner: str) -> threading.Lock:
        with self._lock:
            return self._minting.setdefault(owner, threading.Lock())

    def _mint_to_read(self, area: str, repository: str, key: str, remedy: str) -> _Token:
        """Mint a token that may read one area and nothing else; it is kept by `key`."""
        whose = f"teams of {_owner(repository)}" if area == "members" else f"{area} of {repository}"
        body = {"repositories": [_name(repository)], "permissions": {area: "read"}}
        try:
            tried = f"get a token to read the {whose}"
            return self._mint_with(self._installation(repository), body, tried, frozenset({key}))
        except Refused as refused:
            raise Permanent(SYSTEM, f"{refused.sentence}: {remedy}") from refused

    def _scope(self, repository: str) -> frozenset[str]:
        """Return the names of the owner that the token is to serve: those of the policies and the one asked for."""
        named = {name.lower() for name in self._repositories() if _owner(name) == _owner(repository)}
        return frozenset(named | {repository.lower()})

    def _installation(self, repository: str) -> int:
        with self._lock:
            known = self._installations.get(repository)
        if known is None:
            known = self._ask_installation(repository).number("id")
            with self._lock:
                self._installations[repository] = known
        return known

    def _forget_installation(self, owner: str) -> None:
        with self._lock:
            known = self._installations
            self._installations = {name: number for name, number in known.items() if _owner(name) != owner}

    def _warn(self, repository: str, warning: str | None) -> None:
        """Keep the warning of a repository's owner; None where there is nothing to say any more."""
        with self._lock:
            self._warnings.pop(_owner(repository), None)
            if warning is not None:
                self._warnings[_owner(repository)] = warning

    def _ask_installation(self, repository: str) -> Node:
        tried = f"find the GitHub App's installation on {repository} (is the app installed there?)"
        path = f"/repos/{repository}/installation"
        return self._ask(tried, lambda app: Node(app.requester.requestJsonAndCheck("GET", path)[1]))

    def _mint(self, repository: str, scope: frozenset[str]) -> _Token:
        installation = self._installation(repository)
        tried = _trying_for(repository)
        narrow = {"repositories": sorted(_name(name) for name in scope)} if len(scope) <= _MOST_REPOSITORIES else {}
        try:
            token = self._mint_with(installation, {**narrow, "permissions": PERMISSIONS}, tried, scope)
        except Refused as refused:
            return self._mint_with_less(repository, installation, scope, refused)
        except Permanent:
            # The app may have been removed and installed again, under another number.
            self._forget_installation(_owner(repository))
            raise
        self._warn(repository, None)
        return token

    def _mint_with_less(self, repository: str, installation: int, scope: frozenset[str], refused: Refused) -> _Token:
        """Take a token for this one repository, never with a right that the bot has no use for.

        One name that GitHub does not know among many, and a right that was not granted, are refused alike: which of
        them it was is found out by leaving out the other repositories first.
        """
        one = frozenset({repository.lower()})
        if scope == one:
            return self._mint_granted(repository, installation, refused)
        body = {"repositories": [_name(repository)], "permissions": PERMISSIONS}
        try:
            token = self._mint_with(installation, body, _trying_for(repository), one)
        except Refused as again:
            return self._mint_granted(repository, installation, again)
        others = as_sentence(", ".join(sorted(scope - one)), longest=300)
        warning = (
            f"the GitHub App cannot reach all repositories that the policies name ({refused.said}): {repository} is "
            f"reached; check that each of these exists and is selected in the App's installation: {others}"
        )
        self._warn(repository, warning)
        return token

    def _mint_granted(self, repository: str, installation: int, refused: Refused) -> _Token:
        """Take a token with those of the rights that the installation was granted."""
        granted = self._ask_installation(repository).maybe_node("permissions")
        rights = {name: have for name, right in PERMISSIONS.items() if (have := _lesser(granted, name, right))}
        lacking = ", ".join(f"{name}: {right}" for name, right in PERMISSIONS.items() if rights.get(name) != right)
        if not lacking or not rights:
            reason = f"the GitHub App cannot reach it ({refused.said}); select it in the App's installation"
            if lacking:
                reason = f"the GitHub App was granted none of the rights it needs: grant it {lacking}"
            self._warn(repository, f"{repository}: {reason}")
            raise Permanent(SYSTEM, f"could not {_trying_for(repository)}: {reason}") from refused
        warning = (
            f"the GitHub App was granted less than the bot asks for on {repository} ({refused.said}): "
            f"grant it {lacking}"
        )
        self._warn(repository, warning)
        body = {"repositories": [_name(repository)], "permissions": rights}
        return self._mint_with(installation, body, _trying_for(repository), frozenset({repository.lower()}))

    def _mint_with(self, installation: int, body: Mapping[str, object], tried: str, scope: frozenset[str]) -> _Token:
        def mint(app: GithubIntegration) -> _Token:
            path = f"/app/installations/{installation}/access_tokens"
            made = Node(app.requester.requestJsonAndCheck("POST", path, input=dict(body))[1])
            return _Token(text=made.text("token"), expires_at=made.instant("expires_at"), scope=scope)

        return self._ask(tried, mint)

    def _ask(self, tried: str, ask: Callable[[GithubIntegration], T]) -> T:
        """Ask as the app itself. Minting twice because an answer was lost does no harm, so all may be tried again."""
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(_ATTEMPTS),
            wait=tenacity.wait_random_exponential(multiplier=0.3, max=5),
            retry=tenacity.retry_if_exception_type(Unanswered),
            reraise=True,
        )
        answer: T = retrying(self._ask_once, tried, ask)
        return answer

    def _ask_once(self, tried: str, ask: Callable[[GithubIntegration], T]) -> T:
        key = self._read_key()
        try:
            with GithubIntegration(
                auth=AppAuth(self._app_id, key),
                base_url=self._api_url,
                timeout=_TIMEOUT_SECONDS,
                retry=NO_REDIRECTS,
                seconds_between_requests=None,
                seconds_between_writes=None,
            ) as app:
                return ask(app)
        except jwt.PyJWTError as error:
            raise Permanent(SYSTEM, _NO_KEY) from error
        except REDIRECTED as error:
            raise moved(tried) from error
        except FAILURES as error:
            raise translate(error, tried, now=self._clock.now()) from error

    def _read_key(self) -> str:
        try:
            key = self._private_key()
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise Permanent(SYSTEM, f"the GitHub App's private key could not be read: {reason}") from error
        if not key.strip():
            raise Permanent(SYSTEM, _NO_KEY)
        return key


def _lesser(granted: Node | None, name: str, wanted: str) -> str | None:
    """Return what may be asked for where an installation was granted something else than what is wanted."""
    have = None if granted is None else granted.maybe_text(name)
    return wanted if have in _ABOVE[wanted] else have


def _trying_for(repository: str) -> str:
    return f"get a token for {repository} from the GitHub App's installation"


def _owner(repository: str) -> str:
    return repository.partition("/")[0].lower()


def _name(repository: str) -> str:
    return repository.partition("/")[2]
