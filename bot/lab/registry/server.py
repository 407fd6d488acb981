"""The lab's registry as a server: its pushes are methods, its reads the HTTP of the OCI distribution specification 1.1.

Images are tiny and deterministic: the same image created at the same instant has the same digest. Nothing is pushed
over HTTP.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from bot.domain.model import Digest
from bot.lab.faults import Faults
from bot.lab.registry.answers import (
    OciError,
    asked_number,
    content_answer,
    error_body,
    next_link,
    require_digest,
    tell_error,
    tell_unknown_route,
)
from bot.lab.registry.content import BUNDLE, CONFIG, ENVELOPE, INDEX, SIMPLE_SIGNING, Blob, LayerSpec, ReferrerSpec
from bot.lab.registry.store import Repository, Store, tag_of
from bot.lab.registry.tokens import Credentials, Gate
from bot.ports import Clock

_READ = ["GET", "HEAD"]
_STORAGE = "/storage/"


class RegistryLab:
    """The server: serve `app`. With `token_flow`, every read needs a token that `/token` gives for its scope.

    `page_size` is the most that a page of tags or referrers has. Without `referrers` there is no list of them, as at
    GitHub's and Docker's registries, and what is pushed is listed under the digest's tag instead. Set `blobs_at` to the
    address of a storage that blobs are redirected to; an empty one is this server's own, which asks for no token.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        token_flow: bool = False,
        credentials: Credentials | None = None,
        referrers: bool = True,
        page_size: int = 1000,
    ) -> None:
        self._clock = clock
        self._store = Store(has_referrers=referrers)
        self._gate = Gate(clock, credentials, is_open=not token_flow and credentials is None)
        self._page_size = page_size
        self.blobs_at: str | None = None
        self.faults = Faults()
        self.app: ASGIApp = self.faults.wrap(self._build())

    # --- pushing ------------------------------------------------------------------------------------------------------

    def push_image(
        self, name: str, tag: str, *, revision: str = "", source: str = "", created: datetime | None = None
    ) -> Digest:
        """Store an image under `name` (`owner/name`) and point `tag` at it; return its manifest's digest.

        `revision` and `source` become the labels that name the commit and the repository it was built from.
        """
        labels = {"org.opencontainers.image.source": source or f"https://github.com/{name}"}
        if revision:
            labels["org.opencontainers.image.revision"] = revision
        return self._store.push_image(name, tag, labels, created or self._clock.now())

    def push_index(self, name: str, tag: str, manifests: Sequence[tuple[str, Digest]]) -> Digest:
        """Point `tag` at an index of images that were pushed, given as `(architecture, digest)`; return its digest."""
        return self._store.push_index(name, tag, manifests)

    def push_referrer(self, name: str, subject: Digest, spec: ReferrerSpec) -> Digest:
        """Lay something beside a manifest that was pushed; return the digest of its own manifest."""
        return self._store.push_referrer(name, subject, spec)

    def push_bundle(self, name: str, subject: Digest, content: bytes, *, told_type: str | None = None) -> Digest:
        """Lay a Sigstore bundle beside a manifest, as `cosign attest` and GitHub's attestations do."""
        layers = [LayerSpec(media_type=BUNDLE, content=content)]
        return self.push_referrer(name, subject, ReferrerSpec(layers=layers, artifact_type=BUNDLE, told_type=told_type))

    def push_signature(self, name: str, subject: Digest, payload: bytes, annotations: Mapping[str, str]) -> Digest:
        """Add a signature under the tag `sha256-HEX.sig`, as cosign did before there were bundles."""
        return self._push_cosign(name, subject, "sig", SIMPLE_SIGNING, (payload, annotations))

    def push_attestation(self, name: str, subject: Digest, envelope: bytes, annotations: Mapping[str, str]) -> Digest:
        """Add an attestation under the tag `sha256-HEX.att`, as cosign did before there were bundles."""
        return self._push_cosign(name, subject, "att", ENVELOPE, (envelope, annotations))

    def _push_cosign(
        self, name: str, subject: Digest, suffix: str, media_type: str, signed: tuple[bytes, Mapping[str, str]]
    ) -> Digest:
        content, annotations = signed
        layer = LayerSpec(media_type=media_type, content=content, annotations=annotations)
        config = Blob(media_type=CONFIG, content=b'{"architecture":"","os":"","config":{},"rootfs":{"type":"layers"}}')
        return self._store.push_beside(name, f"{tag_of(subject)}.{suffix}", [layer], config)

    def retag(self, name: str, tag: str, digest: Digest) -> None:
        """Move a tag to a manifest that the repository has."""
        self._store.retag(name, tag, digest)

    def delete_tag(self, name: str, tag: str) -> None:
        """Forget a tag; the manifest stays."""
        self._store.delete_tag(name, tag)

    def delete_manifest(self, name: str, digest: Digest) -> None:
        """Forget a manifest and all tags that point at it; an index that lists it goes on doing so."""
        self._store.delete_manifest(name, digest)

    def expire_tokens(self) -> None:
        """Forget all tokens that were given."""
        self._gate.expire_tokens()

    def fail_next(self, path_pattern: str, status: int, times: int = 1) -> None:
        """Answer the next matching requests with a status and an OCI error; see `faults` for more."""
        self._refuse_next(path_pattern, status, "UNKNOWN", times, {})

    def slow_down(self, path_pattern: str, *, seconds: int, times: int = 1) -> None:
        """Answer the next matching requests with 429 and the time to wait."""
        self._refuse_next(path_pattern, 429, "TOOMANYREQUESTS", times, {"retry-after": str(seconds)})

    def _refuse_next(self, pattern: str, status: int, code: str, times: int, headers: Mapping[str, str]) -> None:
        body = json.dumps(error_body(code, "injected by the lab"))
        told = {"content-type": "application/json", **headers}
        self.faults.fail_next(pattern, status, body=body, times=times, headers=told)

    # --- serving ------------------------------------------------------------------------------------------------------

    def _build(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v2/", self._ping, methods=_READ),
                Route("/v2/{name:path}/manifests/{reference}", self._manifest, methods=_READ),
                Route("/v2/{name:path}/blobs/{digest}", self._blob, methods=_READ),
                Route("/v2/{name:path}/referrers/{digest}", self._referrers),
                Route("/v2/{name:path}/tags/list", self._tags),
                Route(_STORAGE + "{name:path}/{digest}", self._stored),
                Route("/token", self._gate.give_token),
            ],
            exception_handlers={OciError: tell_error, HTTPException: tell_unknown_route},
        )

    def _ping(self, request: Request) -> Response:
        self._gate.require(request, "")
        return JSONResponse({}, headers={"docker-distribution-api-version": "registry/2.0"})

    def _manifest(self, request: Request) -> Response:
        name, reference = request.path_params["name"], request.path_params["reference"]
        self._gate.require(request, name)
        with self._store.lock:
            manifest = self._repository(name).find(reference)
        if manifest is None:
            raise OciError(404, "MANIFEST_UNKNOWN", f"manifest unknown: {reference}")
        accepted = request.headers.get("accept", "*/*")
        if manifest.media_type not in accepted and "*/*" not in accepted:
            raise OciError(404, "MANIFEST_UNKNOWN", "OCI manifest found, but accept header does not support it")
        return content_answer(manifest)

    def _blob(self, request: Request) -> Response:
        name, digest = request.path_params["name"], request.path_params["digest"]
        self._gate.require(request, name)
        blob = self._find_blob(name, digest)
        if self.blobs_at is None:
            return content_answer(blob)
        return RedirectResponse(f"{self.blobs_at}{_STORAGE}{name}/{digest}?signature=lab", 307)

    def _stored(self, request: Request) -> Response:
        """A storage knows no token; the address itself is signed."""
        if request.query_params.get("signature") != "lab":
            raise OciError(403, "DENIED", "requested access to the resource is denied")
        return content_answer(self._find_blob(request.path_params["name"], request.path_params["digest"]))

    def _find_blob(self, name: str, digest: str) -> Blob:
        with self._store.lock:
            blob = self._repository(name).blobs.get(digest)
        if blob is None:
            raise OciError(404, "BLOB_UNKNOWN", f"blob unknown to registry: {digest}")
        return blob

    def _referrers(self, request: Request) -> Response:
        """A registry that has this list answers 200 for any digest, with an empty list where there is nothing."""
        name, subject = request.path_params["name"], request.path_params["digest"]
        self._gate.require(request, name)
        if not self._store.has_referrers:
            raise OciError(404, "UNSUPPORTED", "the operation is unsupported")
        require_digest(subject)
        with self._store.lock:
            repository = self._store.repositories.get(name, Repository())
            found = repository.referrers(subject)
        headers: dict[str, str] = {}
        wanted = request.query_params.get("artifactType")
        if wanted is not None:
            found = [entry for entry in found if entry.get("artifactType") == wanted]
            headers["oci-filters-applied"] = "artifactType"
        start = int(request.query_params.get("start", "0"))
        if start + self._page_size < len(found):
            kept = {"artifactType": wanted} if wanted is not None else {}
            headers |= next_link(request, **kept, start=str(start + self._page_size))
        page = {"schemaVersion": 2, "mediaType": INDEX, "manifests": found[start : start + self._page_size]}
        return Response(json.dumps(page), media_type=INDEX, headers=headers)

    def _tags(self, request: Request) -> Response:
        name = request.path_params["name"]
        self._gate.require(request, name)
        with self._store.lock:
            tags = sorted(self._repository(name).tags)
        number, last = asked_number(request, most=self._page_size), request.query_params.get("last", "")
        left = [tag for tag in tags if tag > last]
        shown = left[:number]
        headers = next_link(request, n=str(number), last=shown[-1]) if 0 < len(shown) < len(left) else {}
        return JSONResponse({"name": name, "tags": shown}, headers=headers)

    def _repository(self, name: str) -> Repository:
        found = self._store.repositories.get(name)
        if found is None:
            raise OciError(404, "NAME_UNKNOWN", f"repository name not known to registry: {name}")
        return found
