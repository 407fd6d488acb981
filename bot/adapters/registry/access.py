"""How a registry lets the bot in: challenges answered, tokens fetched and kept, credentials given to nobody else.

A credential goes to the registry's own host, and to the token service on the same host or the one that the settings
name. Any other token service is asked without one, and by https only.

Race, accepted: two threads that are refused at once both fetch a token; the later one is kept.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

from bot.adapters.http import Answer, Endpoint, HttpClient, Limits, Question, parse_json, refusal, show_url
from bot.adapters.registry.challenge import Challenge, origin, parse_challenge
from bot.adapters.registry.credentials import Credential, Credentials, DockerCredentials, TokenCredentials
from bot.adapters.registry.names import SYSTEM
from bot.ports import OutsideError

_KEPT_BYTES = 64 * 1024
_KNOWN_SECONDS = 60.0
_EVERYWHERE = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A credential that was read, the mark it was read under, and until when it is used again (monotonic seconds)."""

    mark: object
    credential: Credential | None
    ends: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryAccess:
    """Who the bot is to a registry, beside or instead of the endpoint's token.

    `docker_config` is the path of Docker's `config.json`. `token_service` is the address of a token service on another
    host that may be given the credential.
    """

    docker_config: Path | None = None
    token_service: str | None = None


class Admission:
    """The authorizations that let the bot in at one registry, by repository. Safe to share between threads."""

    def __init__(self, host: str, endpoint: Endpoint, access: RegistryAccess, limits: Limits) -> None:
        self._endpoint = endpoint
        self._token_service = access.token_service
        self._limits = replace(limits, max_bytes=min(limits.max_bytes, _KEPT_BYTES))
        self._credentials: Credentials = (
            TokenCredentials(endpoint)
            if access.docker_config is None
            else DockerCredentials(access.docker_config, host)
        )
        self._kept: dict[str, tuple[object, str]] = {}
        self._lock = threading.Lock()
        self._known: _Known | None = None
        self._secret = ""

    def kept(self, repository: str) -> str | None:
        """Return the header value that was let in before; None where there is none, or another credential by now."""
        mark, authorization = self._kept.get(repository, self._kept.get(_EVERYWHERE, (None, None)))
        return authorization if authorization is not None and mark == self._credentials.mark() else None

    def forget(self, repository: str) -> None:
        """Forget what is no longer let in; a password that is not is read anew."""
        self._kept.pop(repository, None)
        if self._kept.pop(_EVERYWHERE, None) is not None:
            self._known = None

    def authorize(self, repository: str, answer: Answer) -> str | None:
        """Answer the challenge of a 401: with a fetched token, or the credential itself; None if there is nothing."""
        known = self._read_credential()
        self._secret = known.credential.secret if known.credential is not None else ""
        challenge = parse_challenge(answer.headers.get("www-authenticate", ""))
        try:
            authorization = self._answer(repository, challenge, known.credential)
        except OutsideError:
            self._known = None
            raise
        if authorization is not None:
            # A password is for the whole registry, a token for one repository.
            where = _EVERYWHERE if authorization.startswith("Basic ") else repository
            self._kept[where] = known.mark, authorization
        return authorization

    def _read_credential(self) -> _Known:
        """Read the credential, or take the one that was read just now: a helper is slow, and repositories are many."""
        with self._lock:
            mark, now = self._credentials.mark(), time.monotonic()
            known = self._known
            if known is None or known.mark != mark or known.ends < now:
                credential = self._credentials.read()
                known = _Known(mark=mark, credential=credential, ends=time.monotonic() + _KNOWN_SECONDS)
                self._known = known
            return known

    def strike(self, error: OutsideError) -> OutsideError:
        """Return the error without the secret, which a server may have sent back."""
        if len(self._secret) > 3 and self._secret in error.sentence:
            return type(error)(error.system, error.sentence.replace(self._secret, "***"))
        return error

    def _answer(self, repository: str, challenge: Challenge | None, credential: Credential | None) -> str | None:
        if challenge is not None and challenge.scheme == "bearer":
            return f"Bearer {self._fetch_bearer(repository, challenge, credential)}"
        if credential is None:
            return None
        return credential.basic if challenge is not None else f"Bearer {credential.secret}"

    def _fetch_bearer(self, repository: str, challenge: Challenge, credential: Credential | None) -> str:
        service = self._find_service(challenge.realm)
        known = credential if self._may_know(challenge.realm) else None
        asked = {"scope": f"repository:{repository}:pull"}
        if "service" in challenge.parameters:
            asked["service"] = challenge.parameters["service"]
        with HttpClient(service, self._limits) as client:
            if known is not None and known.is_identity:
                grant = {"grant_type": "refresh_token", "client_id": "liftlock", "refresh_token": known.secret}
                answer = client.exchange(Question(path=""), grant | asked)
            else:
                headers = {"authorization": known.basic} if known is not None else {}
                answer = client.read(Question(path="", params=asked, headers=headers))
        self._require_ok(answer, repository)
        return self._parse_token(service, answer)

    def _require_ok(self, answer: Answer, repository: str) -> None:
        """A token service's error text is left out: it had the secret."""
        refused = refusal(self._endpoint, replace(answer, body=b""), tried=f"give a token for {repository}")
        if refused is not None:
            raise refused

    def _parse_token(self, service: Endpoint, answer: Answer) -> str:
        body = parse_json(service, answer, expected="token")
        token = body.get("token") or body.get("access_token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or " " in token:
            raise self._endpoint.permanent("gave something that is no token")
        return token

    def _is_own(self, realm: str) -> bool:
        return origin(realm) == origin(self._endpoint.url)

    def _may_know(self, realm: str) -> bool:
        named = self._token_service
        return self._is_own(realm) or (named is not None and origin(realm) == origin(named))

    def _find_service(self, realm: str) -> Endpoint:
        if self._is_own(realm):
            return replace(self._endpoint, url=realm, token=None)
        if origin(realm)[0] != "https":
            shown = show_url(realm)
            raise self._endpoint.permanent(f"sends for a token to {shown}, which is neither https nor its own")
        return Endpoint(system=SYSTEM, url=realm)
