"""Manifests as tests write them, and a registry whose every answer a test scripts."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response

from bot.adapters.found_proofs import FoundBundle
from bot.adapters.http import Endpoint, Limits
from bot.adapters.registry import OciRegistry, ProofLimits, RegistryAccess
from bot.adapters.registry.manifest import digest_of
from bot.domain.model import Digest
from bot.ports import Permanent
from tests.adapters.scripted import Scripted, serving

IMAGE, REPOSITORY = "ghcr.io/acme/checkout", "acme/checkout"
SECRET = "s3cret-of-nobody"
FAST = Limits(deadline=timedelta(seconds=5), pause=timedelta(milliseconds=1), max_bytes=50_000)

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
IMAGE_TYPE = "application/vnd.oci.image.manifest.v1+json"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIGNING_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
ENVELOPE_TYPE = "application/vnd.dsse.envelope.v1+json"


def a_registry(
    url: str,
    *,
    token: Callable[[], str] | None = None,
    access: RegistryAccess | None = None,
    proof_limits: ProofLimits | None = None,
) -> OciRegistry:
    endpoint = Endpoint(system="registry", url=url, token=token)
    known = {"ghcr.io": access} if access is not None else {}
    return OciRegistry({"ghcr.io": endpoint}, access=known, limits=FAST, proof_limits=proof_limits)


def encode(value: object) -> bytes:
    return json.dumps(value).encode()


def promise(content: bytes, **more: object) -> dict[str, Any]:
    return {"digest": digest_of(content), "size": len(content), **more}


def a_config(**labels: str) -> bytes:
    return encode({"architecture": "amd64", "config": {"Labels": labels}})


def a_manifest(config: bytes, **annotations: str) -> bytes:
    return encode({"schemaVersion": 2, "config": promise(config), "layers": [], "annotations": annotations})


def an_index(*entries: tuple[bytes, str, str], **annotations: str) -> bytes:
    manifests = [
        promise(content) | {"platform": {"os": system, "architecture": machine}} for content, system, machine in entries
    ]
    return encode({"schemaVersion": 2, "manifests": manifests, "annotations": annotations})


def manifest_path(reference: str) -> str:
    return f"/v2/{REPOSITORY}/manifests/{reference}"


def blob_path(content: bytes) -> str:
    return f"/v2/{REPOSITORY}/blobs/{digest_of(content)}"


def referrers_path(digest: Digest) -> str:
    return f"/v2/{REPOSITORY}/referrers/{digest}"


def publish(
    server: Scripted, tag: str, tagged: bytes, *, manifests: tuple[bytes, ...] = (), blobs: tuple[bytes, ...] = ()
) -> Digest:
    """Point a tag at a manifest, and serve further manifests and blobs by their digest."""
    digest = digest_of(tagged)
    server.plan(manifest_path(tag), Response(tagged, headers={"docker-content-digest": digest}))
    serve(server, *manifests)
    for content in blobs:
        server.plan(blob_path(content), Response(content))
    return digest


def serve(server: Scripted, *manifests: bytes) -> None:
    """Serve manifests by their digest."""
    for content in manifests:
        digest = digest_of(content)
        server.plan(manifest_path(digest), Response(content, headers={"docker-content-digest": digest}))


def a_listing(*entries: dict[str, Any], **headers: str) -> Response:
    """A page of referrers."""
    body = encode({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": list(entries)})
    return Response(body, media_type=INDEX_TYPE, headers=dict(headers))


def an_attachment(
    *layers: dict[str, Any], artifact_type: str = "", subject: Digest | None = None, config_type: str = EMPTY_TYPE
) -> bytes:
    """A manifest that lies beside an image."""
    value: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": IMAGE_TYPE,
        "config": promise(b"{}", mediaType=config_type),
        "layers": list(layers),
    }
    if artifact_type:
        value["artifactType"] = artifact_type
    if subject is not None:
        value["subject"] = {"mediaType": IMAGE_TYPE, "digest": subject, "size": 1}
    return encode(value)


def a_layer(content: bytes, media_type: str, annotations: Mapping[str, object] | None = None) -> dict[str, Any]:
    return promise(content, mediaType=media_type) | ({"annotations": annotations} if annotations else {})


# --- who the bot is --------------------------------------------------------------------------------------------------


def a_helper(folder: Path, script: str, name: str = "cloud") -> None:
    """Write a credential helper, a shell script, into a folder on the PATH."""
    program = folder / f"docker-credential-{name}"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)


def a_docker_config(folder: Path, value: object) -> Path:
    """Write Docker's configuration: a JSON value, or a text as it is."""
    path = folder / "config.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def basic(text: str) -> str:
    return "Basic " + b64encode(text.encode()).decode()


def auth(text: str) -> dict[str, str]:
    """Docker's entry of a host."""
    return {"auth": b64encode(text.encode()).decode()}


# --- an image that proofs lie beside ---------------------------------------------------------------------------------

MANIFEST = a_manifest(a_config())
DIGEST = digest_of(MANIFEST)
TAG = DIGEST.replace(":", "-")
BUNDLE, OTHER_BUNDLE = b'{"mediaType": "x", "n": 1}', b'{"mediaType": "x", "n": 2}'
PAYLOAD, ENVELOPE = b'{"critical": {}}', b'{"payload": ""}'
FOUND = FoundBundle(digest=digest_of(BUNDLE), content=BUNDLE)


def a_bundle(content: bytes = BUNDLE, *, media_type: str = BUNDLE_TYPE, subject: Digest = DIGEST) -> bytes:
    return an_attachment(a_layer(content, media_type), artifact_type=media_type, subject=subject)


def entry(manifest: bytes, artifact_type: str = BUNDLE_TYPE) -> dict[str, Any]:
    return promise(manifest, mediaType=IMAGE_TYPE, artifactType=artifact_type)


def list_beside(server: Scripted, *manifests: bytes, blobs: tuple[bytes, ...] = (BUNDLE,)) -> None:
    """List manifests by the registry's own list, and serve them with their blobs."""
    server.plan(referrers_path(DIGEST), a_listing(*(entry(manifest) for manifest in manifests)))
    serve(server, *manifests)
    for content in blobs:
        server.plan(blob_path(content), Response(content))


def nested(levels: int) -> bytes:
    """A JSON object in a JSON object, and so on."""
    return b'{"a":' * levels + b"1" + b"}" * levels


@contextmanager
def serving_an_image() -> Iterator[Scripted]:
    """Serve an image that has nothing beside it, at a registry without a list of referrers."""
    with serving() as scripted:
        publish(scripted, "1.0.1", MANIFEST, manifests=(MANIFEST,))
        yield scripted


def refusal(registry: OciRegistry) -> str:
    with pytest.raises(Permanent) as caught:
        registry.find_proofs(IMAGE, DIGEST)
    sentence = caught.value.sentence
    assert sentence.startswith("registry at http://127.0.0.1")
    assert REPOSITORY in sentence
    return sentence
