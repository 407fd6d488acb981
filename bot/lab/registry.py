"""A small OCI registry with real content-addressed bytes: manifests, blobs, tags, the token flow, errors of the spec.

Images are tiny and deterministic: the same image created at the same instant has the same digest.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import secrets
import tarfile
import threading
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from bot.domain.model import Digest
from bot.lab.faults import Faults
from bot.ports import Clock

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

_SERVICE = "liftlock-lab-registry"
_TOKEN_SECONDS = 300
_READ = ["GET", "HEAD"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The name and password that the token endpoint asks for."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Blob:
    """Stored bytes and their media type."""

    media_type: str
    content: bytes

    @property
    def digest(self) -> Digest:
        return Digest("sha256:" + hashlib.sha256(self.content).hexdigest())


@dataclass(slots=True)
class _Repository:
    manifests: dict[str, _Blob] = field(default_factory=dict)
    blobs: dict[str, _Blob] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


class OciError(Exception):
    """An answer that is no success, with a code of the distribution specification."""

    def __init__(self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


class RegistryLab:
    """The server: serve `app`. With `token_flow`, every read needs a token that `/token` gives for its scope."""

    def __init__(self, clock: Clock, *, token_flow: bool = False, credentials: Credentials | None = None) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._repositories: dict[str, _Repository] = {}
        self._token_flow = token_flow or credentials is not None
        self._credentials = credentials
        self._tokens: dict[str, str] = {}
        self.faults = Faults()
        self.app: ASGIApp = self.faults.wrap(self._build())

    # --- pushing ------------------------------------------------------------------------------------------------------

    def push_image(
        self, name: str, tag: str, *, revision: str = "", source: str = "", created: datetime | None = None
    ) -> Digest:
        """Store an image under `name` (`owner/name`) and point `tag` at it; return its manifest's digest.

        `revision` and `source` become the labels that name the commit and the repository it was built from.
        """
        layer, plain = _layer(name, tag)
        labels = {"org.opencontainers.image.source": source or f"https://github.com/{name}"}
        if revision:
            labels["org.opencontainers.image.revision"] = revision
        config = _config(labels, plain, created or self._clock.now())
        manifest = _json_blob(
            MANIFEST,
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": _descriptor(config),
                "layers": [_descriptor(layer)],
                "annotations": labels,
            },
        )
        with self._lock:
            repository = self._repositories.setdefault(name, _Repository())
            repository.blobs |= {config.digest: config, layer.digest: layer}
            repository.manifests[manifest.digest] = manifest
            repository.tags[tag] = manifest.digest
        return manifest.digest

    def push_index(self, name: str, tag: str, manifests: Sequence[tuple[str, Digest]]) -> Digest:
        """Point `tag` at an index of images that were pushed, given as `(architecture, digest)`; return its digest."""
        with self._lock:
            repository = self._repositories[name]
            entries = [
                {**_descriptor(repository.manifests[digest]), "platform": {"architecture": arch, "os": "linux"}}
                for arch, digest in manifests
            ]
            index = _json_blob(INDEX, {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
            repository.manifests[index.digest] = index
            repository.tags[tag] = index.digest
        return index.digest

    def retag(self, name: str, tag: str, digest: Digest) -> None:
        """Move a tag to a manifest that the repository has."""
        with self._lock:
            repository = self._repositories[name]
            if digest not in repository.manifests:
                raise KeyError(digest)
            repository.tags[tag] = digest

    def delete_tag(self, name: str, tag: str) -> None:
        """Forget a tag; the manifest stays."""
        with self._lock:
            del self._repositories[name].tags[tag]

    def fail_next(self, path_pattern: str, status: int, times: int = 1) -> None:
        """Answer the next matching requests with a status and an OCI error; see `faults` for more."""
        body = json.dumps(_error_body("UNKNOWN", "injected by the lab"))
        self.faults.fail_next(
            path_pattern, status, body=body, times=times, headers={"content-type": "application/json"}
        )

    # --- serving ------------------------------------------------------------------------------------------------------

    def _build(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v2/", self._ping, methods=_READ),
                Route("/v2/{name:path}/manifests/{reference}", self._manifest, methods=_READ),
                Route("/v2/{name:path}/blobs/{digest}", self._blob, methods=_READ),
                Route("/v2/{name:path}/tags/list", self._tags),
                Route("/token", self._token),
            ],
            exception_handlers={OciError: _tell_error, HTTPException: _tell_unknown_route},
        )

    def _ping(self, request: Request) -> Response:
        self._authorize(request, "")
        return JSONResponse({}, headers={"docker-distribution-api-version": "registry/2.0"})

    def _manifest(self, request: Request) -> Response:
        name, reference = request.path_params["name"], request.path_params["reference"]
        self._authorize(request, name)
        with self._lock:
            repository = self._repository(name)
            manifest = repository.manifests.get(repository.tags.get(reference, reference))
        if manifest is None:
            raise OciError(404, "MANIFEST_UNKNOWN", f"manifest unknown: {reference}")
        accepted = request.headers.get("accept", "*/*")
        if manifest.media_type not in accepted and "*/*" not in accepted:
            raise OciError(404, "MANIFEST_UNKNOWN", "OCI manifest found, but accept header does not support it")
        return _content(manifest)

    def _blob(self, request: Request) -> Response:
        name, digest = request.path_params["name"], request.path_params["digest"]
        self._authorize(request, name)
        with self._lock:
            blob = self._repository(name).blobs.get(digest)
        if blob is None:
            raise OciError(404, "BLOB_UNKNOWN", f"blob unknown to registry: {digest}")
        return _content(blob)

    def _tags(self, request: Request) -> Response:
        name = request.path_params["name"]
        self._authorize(request, name)
        with self._lock:
            tags = sorted(self._repository(name).tags)
        return JSONResponse({"name": name, "tags": tags})

    def _token(self, request: Request) -> Response:
        if self._credentials is not None and not _has_password(request, self._credentials):
            raise OciError(401, "UNAUTHORIZED", "authentication required")
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._tokens[token] = request.query_params.get("scope", "")
        issued = self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        return JSONResponse({"token": token, "access_token": token, "expires_in": _TOKEN_SECONDS, "issued_at": issued})

    def _authorize(self, request: Request, name: str) -> None:
        """Raise the challenge of the token flow unless the request's token is for reading this repository."""
        if not self._token_flow:
            return
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        with self._lock:
            granted = self._tokens.get(token)
        scope = f"repository:{name}:pull" if name else ""
        if granted is not None and (not name or scope in granted.split(" ")):
            return
        realm = f"{request.url.scheme}://{request.url.netloc}/token"
        challenge = f'Bearer realm="{realm}",service="{_SERVICE}"' + (f',scope="{scope}"' if scope else "")
        raise OciError(401, "UNAUTHORIZED", "authentication required", headers={"www-authenticate": challenge})

    def _repository(self, name: str) -> _Repository:
        found = self._repositories.get(name)
        if found is None:
            raise OciError(404, "NAME_UNKNOWN", f"repository name not known to registry: {name}")
        return found


def _content(blob: _Blob) -> Response:
    headers = {"docker-content-digest": blob.digest, "etag": f'"{blob.digest}"'}
    return Response(blob.content, media_type=blob.media_type, headers=headers)


def _json_blob(media_type: str, document: Mapping[str, object]) -> _Blob:
    return _Blob(media_type=media_type, content=json.dumps(document, separators=(",", ":")).encode())


def _descriptor(blob: _Blob) -> dict[str, object]:
    return {"mediaType": blob.media_type, "digest": blob.digest, "size": len(blob.content)}


def _config(labels: Mapping[str, str], layer: bytes, created: datetime) -> _Blob:
    at = created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    diff = "sha256:" + hashlib.sha256(layer).hexdigest()
    return _json_blob(
        CONFIG,
        {
            "created": at,
            "architecture": "amd64",
            "os": "linux",
            "config": {"Labels": dict(labels)},
            "rootfs": {"type": "layers", "diff_ids": [diff]},
            "history": [{"created": at, "created_by": "liftlock lab"}],
        },
    )


def _layer(name: str, tag: str) -> tuple[_Blob, bytes]:
    """Return a layer with one file that names the image, compressed and plain."""
    text = f"{name}:{tag}\n".encode()
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        entry = tarfile.TarInfo("release")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
    packed = gzip.compress(plain.getvalue(), mtime=0)
    return _Blob(media_type=LAYER, content=packed), plain.getvalue()


def _has_password(request: Request, expected: Credentials) -> bool:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        given = b64decode(encoded, validate=True)
    except Base64Error:
        return False
    return secrets.compare_digest(given, f"{expected.username}:{expected.password}".encode())


def _error_body(code: str, message: str) -> dict[str, object]:
    return {"errors": [{"code": code, "message": message, "detail": None}]}


def _tell_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, OciError):
        raise error
    return JSONResponse(_error_body(error.code, error.message), error.status, headers=error.headers)


def _tell_unknown_route(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return JSONResponse(_error_body("UNSUPPORTED", "the operation is unsupported"), error.status_code)
