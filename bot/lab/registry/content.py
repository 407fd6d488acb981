"""What the lab's registry stores: bytes by their digest, and how its manifests are written. Pure."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bot.domain.model import Digest

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
EMPTY = "application/vnd.oci.empty.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
ENVELOPE = "application/vnd.dsse.envelope.v1+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """Stored bytes and their media type."""

    media_type: str
    content: bytes

    @property
    def digest(self) -> Digest:
        """The digest of the bytes."""
        return Digest("sha256:" + hashlib.sha256(self.content).hexdigest())


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSpec:
    """A layer of something that is laid beside an image."""

    media_type: str
    content: bytes
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def blob(self) -> Blob:
        """The layer as it is stored."""
        return Blob(media_type=self.media_type, content=self.content)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferrerSpec:
    """Something that is laid beside an image.

    `told_type` is the type that the index under the image's own tag tells of it instead of the true one.
    """

    layers: Sequence[LayerSpec]
    artifact_type: str | None = None
    config_type: str = EMPTY
    annotations: Mapping[str, str] = field(default_factory=dict)
    told_type: str | None = None


def json_blob(media_type: str, document: Mapping[str, object]) -> Blob:
    """Write a JSON document."""
    return Blob(media_type=media_type, content=json.dumps(document, separators=(",", ":")).encode())


def descriptor_of(blob: Blob, annotations: Mapping[str, str] | None = None) -> dict[str, object]:
    """Describe stored bytes."""
    described: dict[str, object] = {"mediaType": blob.media_type, "digest": blob.digest, "size": len(blob.content)}
    return described | ({"annotations": dict(annotations)} if annotations else {})


def image_config(labels: Mapping[str, str], layer: bytes, created: datetime) -> Blob:
    """Write an image's configuration; `layer` is its one layer, plain."""
    at = created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    diff = "sha256:" + hashlib.sha256(layer).hexdigest()
    return json_blob(
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


def image_manifest(config: Blob, layers: Sequence[Blob], annotations: Mapping[str, str]) -> Blob:
    """Write an image's manifest."""
    return json_blob(
        MANIFEST,
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor_of(config),
            "layers": [descriptor_of(layer) for layer in layers],
            "annotations": dict(annotations),
        },
    )


def referrer_manifest(spec: ReferrerSpec, config: Blob, subject: Blob | None = None) -> Blob:
    """Write a manifest of something that lies beside an image; without a subject only its tag says beside which."""
    document: dict[str, object] = {"schemaVersion": 2, "mediaType": MANIFEST}
    if spec.artifact_type is not None:
        document["artifactType"] = spec.artifact_type
    document["config"] = descriptor_of(config)
    document["layers"] = [descriptor_of(layer.blob, layer.annotations) for layer in spec.layers]
    if subject is not None:
        document["subject"] = descriptor_of(subject)
    if spec.annotations:
        document["annotations"] = dict(spec.annotations)
    return json_blob(MANIFEST, document)


def referrer_descriptor(manifest: Blob, *, artifact_type: str | None = None) -> dict[str, object]:
    """Describe a referrer as the specification says: with its type, or else its configuration's, and its annotations.

    `artifact_type` is told instead of the true one.
    """
    document = json.loads(manifest.content)
    told = artifact_type or document.get("artifactType") or document.get("config", {}).get("mediaType")
    described = descriptor_of(manifest, document.get("annotations"))
    return described | ({"artifactType": told} if told else {})


def small_layer(name: str, tag: str) -> tuple[Blob, bytes]:
    """Return a layer with one file that names the image, compressed and plain."""
    text = f"{name}:{tag}\n".encode()
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        entry = tarfile.TarInfo("release")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
    packed = gzip.compress(plain.getvalue(), mtime=0)
    return Blob(media_type=LAYER, content=packed), plain.getvalue()
