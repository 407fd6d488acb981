"""Who the bot is at GitHub: a token that is read anew each time, or a GitHub App with short-lived installation tokens.

Both give the token for a repository, to the forge and to the Git adapter alike. Installation tokens are minted through
PyGithub, kept once for each installation, and renewed before they expire by the bot's own clock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

import jwt
import tenacity
from github import Github, GithubIntegration
from github.Auth import AppAuth

from bot.adapters.github.answers import FAILURES, SYSTEM, Unanswered, translate
from bot.ports import Clock, Permanent

T = TypeVar("T")

_RENEWED_BEFORE = timedelta(minutes=10)
_TIMEOUT_SECONDS = 15
_ATTEMPTS = 3
_NO_KEY = "the GitHub App's private key is no RSA key in PEM form: give the file that GitHub made"


class Credentials(Protocol):
    """How the bot proves who it is."""

    def token_for(self, repository: str | None) -> str:
        """Return the token to use on a repository (`owner/name`); None for calls about the bot itself."""
        ...

    def find_login(self, github: Github) -> str:
        """Return the login under which the bot's comments and pull requests stand. Asked once by the forge."""
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

    def find_login(self, github: Github) -> str:
        """Ask whose token it is."""
        return github.get_user().login


class AppCredentials:
    """A GitHub App. `private_key` gives its PEM text, read anew whenever a token is minted."""

    def __init__(self, api_url: str, *, app_id: int, private_key: Callable[[], str], clock: Clock) -> None:
        self._api_url = api_url.rstrip("/")
        self._app_id = app_id
        self._private_key = private_key
        self._clock = clock
        self._lock = threading.Lock()
        self._installations: dict[str, int] = {}
        self._tokens: dict[int, tuple[str, datetime]] = {}

    def token_for(self, repository: str | None) -> str:
        """Return a token of the app's installation on the repository, renewed ten minutes before it expires."""
        with self._lock:
            if repository is None:
                raise Permanent(SYSTEM, "a GitHub App has a token only for a repository on which it is installed")
            installation = self._installation(repository)
            token, expires_at = self._tokens.get(installation, ("", self._clock.now()))
            if self._clock.now() + _RENEWED_BEFORE >= expires_at:
                token, expires_at = self._mint(repository, installation)
                self._tokens[installation] = token, expires_at
            return token

    def find_login(self, github: Github) -> str:  # noqa: ARG002  (an app is asked with its own web token)
        """Ask for the app's name; its login is that with `[bot]`."""
        return f"{self._ask('find out which GitHub App the bot is', lambda app: app.get_app().slug)}[bot]"

    def _installation(self, repository: str) -> int:
        if repository not in self._installations:
            owner, _, name = repository.partition("/")
            tried = f"find the GitHub App's installation on {repository} (is the app installed there?)"
            found = self._ask(tried, lambda app: app.get_repo_installation(owner, name).id)
            self._installations[repository] = found
        return self._installations[repository]

    def _mint(self, repository: str, installation: int) -> tuple[str, datetime]:
        def mint(app: GithubIntegration) -> tuple[str, datetime]:
            made = app.get_access_token(installation)
            return made.token, made.expires_at

        try:
            return self._ask(f"get a token for {repository} from the GitHub App's installation", mint)
        except Permanent:
            # The app may have been removed and installed again, under another number.
            self._installations = {
                name: number for name, number in self._installations.items() if number != installation
            }
            raise

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
                retry=None,
                seconds_between_requests=None,
                seconds_between_writes=None,
            ) as app:
                return ask(app)
        except jwt.PyJWTError as error:
            raise Permanent(SYSTEM, _NO_KEY) from error
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
