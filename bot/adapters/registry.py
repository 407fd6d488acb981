"""What was built, from OCI registries: the port `Registry`. A small strict client: resolve a tag, read its labels.

Every byte is checked against its digest before it is believed. A token goes to the configured host only, and to its
token service only if that is on the same host; another host's service is asked without one, and by https. Blobs may be
redirected to another host's storage, which is asked without any credential; what it sends is checked all the same.
"""

from __future__ import annotations

import re
import threading
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Self
from urllib.parse import urlsplit, urlunsplit

from bot.adapters.http import (
    Answer,
    Endpoint,
    HttpClient,
    Limits,
    Question,
    parse_json,
    quote,
    read_token,
    refusal,
    show_url,
)
from bot.adapters.oci_manifest import (
    MANIFEST_TYPES,
    BadManifest,
    Descriptor,
    digest_of,
    parse_config_revision,
    parse_manifest,
    require_promised,
)
from bot.domain.model import Artifact, Digest, Sha
from bot.ports import Permanent

SYSTEM = "registry"
_LIMITS = Limits(deadline=timedelta(seconds=15), max_bytes=4 * 1024 * 1024)
_KEPT = 2000
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z")
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*\Z")
_PARAMETER = re.compile(r'([a-z]+)="([^"]*)"', re.IGNORECASE)
_DOCKER_HUB = "docker.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageName:
    """An image's registry host and its repository there."""

    host: str
    repository: str


def parse_image(image: str) -> ImageName:
    """Split an image name as Docker does: a first part without dot, colon or `localhost` is no host."""
    host, slash, repository = image.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        host, repository = _DOCKER_HUB, image if slash else f"library/{image}"
    if len(repository) > 255 or not _REPOSITORY.match(repository):
        raise Permanent(SYSTEM, f"{quote(image, longest=80)} is no image name: write host/owner/name without a tag")
    return ImageName(host=host.lower(), repository=repository)


@dataclass(slots=True)
class _Host:
    """One configured registry: its client, which never sends the token by itself, and the bearer tokens it gave."""

    endpoint: Endpoint
    client: HttpClient
    bearers: dict[str, str] = field(default_factory=dict)


class OciRegistry:
    """The configured registries, by the host in image names. Safe to share between threads."""

    def __init__(self, hosts: Mapping[str, Endpoint], *, limits: Limits = _LIMITS) -> None:
        self._limits = limits
        self._hosts = {
            host.lower(): _Host(endpoint, HttpClient(replace(endpoint, token=None), limits))
            for host, endpoint in hosts.items()
        }
        self._lock = threading.Lock()
        self._revisions: OrderedDict[Digest, Sha | None] = OrderedDict()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        for host in self._hosts.values():
            host.client.close()

    def find_artifact(self, image: str, tag: str) -> Artifact | None:
        """Resolve a tag; None when no registry is configured for the image."""
        name = parse_image(image)
        host = self._hosts.get(name.host)
        if host is None:
            return None
        if not _TAG.match(tag):
            raise Permanent(SYSTEM, f"{quote(tag, longest=80)} is no image tag")
        content = self._read_tag(host, name.repository, tag)
        digest = digest_of(content)
        return Artifact(digest=digest, revision=self._revision(host, name.repository, digest, content))

    def _read_tag(self, host: _Host, repository: str, tag: str) -> bytes:
        path = f"/v2/{repository}/manifests/{tag}"
        answer = self._ask(host, repository, path, accept=", ".join(MANIFEST_TYPES))
        if answer.status == 404:
            raise host.endpoint.permanent(f"has no tag {quote(tag, longest=128)} of {repository}")
        self._require_ok(host, answer, f"show {repository}:{tag}")
        promised = answer.headers.get("docker-content-digest", "").strip()
        if promised.startswith("sha256:") and promised != digest_of(answer.body):
            raise host.endpoint.permanent(f"sent a manifest of {repository}:{tag} that does not match its digest")
        return answer.body

    def _revision(self, host: _Host, repository: str, digest: Digest, content: bytes) -> Sha | None:
        """Content under a digest never changes, so what it says is read once."""
        with self._lock:
            if digest in self._revisions:
                self._revisions.move_to_end(digest)
                return self._revisions[digest]
        try:
            revision = self._read_revision(host, repository, content)
        except BadManifest as error:
            raise host.endpoint.permanent(f"sent for {repository} {error}") from error
        with self._lock:
            self._revisions[digest] = revision
            while len(self._revisions) > _KEPT:
                self._revisions.popitem(last=False)
        return revision

    def _read_revision(self, host: _Host, repository: str, content: bytes) -> Sha | None:
        manifest = parse_manifest(content)
        if manifest.revision is None and manifest.image is not None:
            manifest = parse_manifest(self._read_content(host, repository, "manifests", manifest.image))
        if manifest.revision is not None or manifest.config is None:
            return manifest.revision
        return parse_config_revision(self._read_content(host, repository, "blobs", manifest.config))

    def _read_content(self, host: _Host, repository: str, kind: str, promise: Descriptor) -> bytes:
        accept = ", ".join(MANIFEST_TYPES) if kind == "manifests" else "*/*"
        answer = self._ask(host, repository, f"/v2/{repository}/{kind}/{promise.digest}", accept=accept)
        if kind == "blobs" and 300 <= answer.status < 400:
            answer = self._read_elsewhere(host, answer.headers.get("location", ""))
        self._require_ok(host, answer, f"show {promise.digest} of {repository}")
        require_promised(answer.body, promise)
        return answer.body

    def _read_elsewhere(self, host: _Host, url: str) -> Answer:
        """Read a blob from the storage that a registry redirects to, without any credential, by https only."""
        scheme, name, _ = _origin(url)
        if scheme != "https" or not name:
            raise host.endpoint.permanent(f"redirects a blob to {show_url(url)}, which is not followed")
        parts = urlsplit(url)
        origin = Endpoint(system=SYSTEM, url=urlunsplit((scheme, parts.netloc.rpartition("@")[2], "", "", "")))
        target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
        with HttpClient(origin, self._limits) as storage:
            return storage.read(Question(path=target))

    def _require_ok(self, host: _Host, answer: Answer, tried: str) -> None:
        refused = refusal(host.endpoint, answer, tried=tried)
        if refused is not None:
            raise refused

    # --- being let in ------------------------------------------------------------------------------------------------

    def _ask(self, host: _Host, repository: str, path: str, *, accept: str) -> Answer:
        """Ask with the bearer token that is kept; if the registry wants another, get it and ask once more."""
        kept = host.bearers.get(repository)
        answer = self._ask_as(host, path, accept, f"Bearer {kept}" if kept else None)
        if answer.status != 401:
            return answer
        authorization = self._authorize(host, repository, answer.headers.get("www-authenticate", ""))
        return answer if authorization is None else self._ask_as(host, path, accept, authorization)

    def _ask_as(self, host: _Host, path: str, accept: str, authorization: str | None) -> Answer:
        headers = {"accept": accept} | ({"authorization": authorization} if authorization else {})
        return host.client.read(Question(path=path, headers=headers))

    def _authorize(self, host: _Host, repository: str, challenge: str) -> str | None:
        """Answer a challenge: a token from the token service, or the configured token itself; None if there is none."""
        scheme, _, rest = challenge.partition(" ")
        secret = read_token(host.endpoint)
        if scheme.lower() == "basic":
            return _basic(secret) if secret else None
        if scheme.lower() != "bearer":
            return f"Bearer {secret}" if secret else None
        parameters = {name.lower(): value for name, value in _PARAMETER.findall(rest)}
        bearer = self._fetch_bearer(host, repository, parameters, secret)
        host.bearers[repository] = bearer
        return f"Bearer {bearer}"

    def _fetch_bearer(self, host: _Host, repository: str, challenge: Mapping[str, str], secret: str | None) -> str:
        realm = challenge.get("realm", "")
        endpoint = self._token_service(host, realm)
        own = _origin(realm) == _origin(host.endpoint.url)
        headers = {"authorization": _basic(secret)} if secret and own else {}
        params = {"scope": f"repository:{repository}:pull"} | {k: v for k, v in challenge.items() if k == "service"}
        with HttpClient(endpoint, self._limits) as service:
            answer = service.read(Question(path="", params=params, headers=headers))
        self._require_ok(host, answer, f"give a token for {repository}")
        body = parse_json(endpoint, answer, expected="token")
        token = body.get("token") or body.get("access_token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or " " in token:
            raise host.endpoint.permanent("gave something that is no token")
        return token

    def _token_service(self, host: _Host, realm: str) -> Endpoint:
        own = _origin(realm) == _origin(host.endpoint.url)
        if not own and _origin(realm)[0] != "https":
            raise host.endpoint.permanent(f"sends for a token to {show_url(realm)}, which is neither https nor its own")
        return replace(host.endpoint, url=realm, token=None) if own else Endpoint(system=SYSTEM, url=realm)


def _basic(secret: str) -> str:
    """The user's name is not looked at where the password is a token."""
    user = "" if ":" in secret else "liftlock:"
    return "Basic " + b64encode(f"{user}{secret}".encode()).decode()


def _origin(url: str) -> tuple[str, str | None, int | None]:
    """Return scheme, host and port; nothing where the text is no URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "", None, None
    return parts.scheme, parts.hostname, port
