"""Who the bot is to a registry: a configured token, Docker's configuration file, a credential helper, or nobody.

Everything is read anew when a registry asks for it, so that what is changed is seen. A kept authorization belongs to
the `mark` under which it was made: a changed file makes a new mark.

Sources: the file `config.json` of github.com/docker/cli (`auths`, `credHelpers`, `credsStore`).
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from bot.adapters.http import Endpoint, read_token
from bot.adapters.registry.helper import ask_helper
from bot.adapters.registry.manifest import BadManifest, mapping, parse_object
from bot.adapters.registry.names import DOCKER_HUB, SYSTEM
from bot.ports import Permanent

_IDENTITY = "<token>"
"""The user name by which a helper says that its secret is an identity token."""
_NOBODY = "liftlock"
"""The user's name is not looked at where the password is a token."""
_HUB_NAMES = (DOCKER_HUB, "index.docker.io", "registry-1.docker.io")
_HUB_SERVER = "https://index.docker.io/v1/"
_MOST_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A user with a password, or an identity token, which is no password but is given for an access token."""

    secret: str = field(repr=False)
    user: str = _NOBODY
    is_identity: bool = False

    @property
    def basic(self) -> str:
        """The header value that tells user and password."""
        return "Basic " + b64encode(f"{self.user}:{self.secret}".encode()).decode()


class Credentials(Protocol):
    """Where a credential comes from."""

    def mark(self) -> object:
        """Return something that changes when the credential may have."""
        ...

    def read(self) -> Credential | None:
        """Read the credential; None to be nobody."""
        ...


@dataclass(frozen=True, slots=True)
class TokenCredentials:
    """The endpoint's own token: a token alone, or `user:token`."""

    endpoint: Endpoint

    def mark(self) -> object:
        """Return a hash of the token, which is read anew."""
        token = read_token(self.endpoint)
        return None if token is None else sha256(token.encode()).digest()

    def read(self) -> Credential | None:
        """Return the token; None where none is configured."""
        token = read_token(self.endpoint)
        if token is None:
            return None
        user, colon, secret = token.partition(":")
        return Credential(user=user, secret=secret) if colon else Credential(secret=token)


@dataclass(frozen=True, slots=True)
class DockerCredentials:
    """What Docker's configuration file, or a helper that it names, has for a registry's host."""

    path: Path
    host: str

    def mark(self) -> object:
        """Return the file's identity, size and time; a Kubernetes secret that changes is another file."""
        try:
            seen = self.path.stat()
        except OSError:
            return None
        return seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns

    def read(self) -> Credential | None:
        """Return the helper's answer where one is named for the host, else what the file holds itself."""
        config = self._parse()
        helper = _entry(mapping(config.get("credHelpers")), self.host) or config.get("credsStore")
        if isinstance(helper, str) and helper:
            told = ask_helper(helper, _HUB_SERVER if self.host in _HUB_NAMES else self.host)
            if told is not None:
                is_identity = told.user == _IDENTITY
                return Credential(user=told.user or _NOBODY, secret=told.secret, is_identity=is_identity)
        return self._stored(mapping(_entry(mapping(config.get("auths")), self.host)))

    def _parse(self) -> Mapping[str, object]:
        try:
            with self.path.open("rb") as file:
                content = file.read(_MOST_BYTES + 1)
        except OSError as error:
            raise self._unusable(f"it cannot be read: {error.strerror}") from error
        if len(content) > _MOST_BYTES:
            raise self._unusable(f"it is longer than {_MOST_BYTES} bytes")
        try:
            return parse_object(content)
        except BadManifest as error:
            # Not chained: the parser's own error holds the text, and so the secrets.
            raise self._unusable(f"it is {error}") from None

    def _stored(self, entry: Mapping[str, object]) -> Credential | None:
        identity, auth = entry.get("identitytoken"), entry.get("auth")
        user, secret = entry.get("username"), entry.get("password")
        if isinstance(identity, str) and identity:
            return Credential(secret=identity, is_identity=True)
        if isinstance(auth, str) and auth:
            user, _, secret = self._decode(auth).partition(":")
        if not isinstance(user, str) or not isinstance(secret, str) or not secret:
            return None
        return Credential(user=user, secret=secret)

    def _decode(self, auth: str) -> str:
        try:
            return b64decode(auth, validate=True).decode().rstrip("\0")
        except (Base64Error, ValueError):
            raise self._unusable(f"what it holds for {self.host} is no user and password in base64") from None

    def _unusable(self, why: str) -> Permanent:
        return Permanent(SYSTEM, f"the Docker configuration {self.path} for {self.host} cannot be used: {why}")


def _entry(entries: Mapping[str, object], host: str) -> object:
    """Find a host's entry; older files write a server's address with scheme and `/v1/`."""
    names = _HUB_NAMES if host in _HUB_NAMES else (host,)
    return next((value for key, value in entries.items() if _host_of(key) in names), None)


def _host_of(key: str) -> str | None:
    """Return the host of a key; None for one that holds for a part of the host only, or is no address."""
    try:
        parts = urlsplit(key if "://" in key else f"//{key}")
    except ValueError:
        return None
    return parts.netloc.lower() if parts.path.strip("/") in ("", "v1", "v2") else None
