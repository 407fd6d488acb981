"""Read OCI and Docker image manifests. Pure: bytes in, frozen values out; what does not match its digest is refused.

Sources: OCI image specification 1.1 (manifest, index, config), Docker image manifest v2 schema 2.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.model import Digest, Sha

MANIFEST_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_REVISION = "org.opencontainers.image.revision"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_SHA = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_USUAL_PLATFORM = ("linux", "amd64")


class BadManifest(ValueError):
    """Bytes that are no manifest, or not the ones that were promised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """A promise of content: its digest and size in bytes."""

    digest: Digest
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What counts of a manifest or index: the source commit in its annotations, and where to look when it has none.

    `image` is the manifest that stands for an index; `config` is an image's configuration.
    """

    revision: Sha | None
    image: Descriptor | None = None
    config: Descriptor | None = None


def digest_of(content: bytes) -> Digest:
    """Return the digest of content."""
    return Digest("sha256:" + hashlib.sha256(content).hexdigest())


def require_promised(content: bytes, promise: Descriptor) -> None:
    """Raise unless the content has the promised digest and size."""
    if len(content) != promise.size or digest_of(content) != promise.digest:
        raise BadManifest(f"content that is not {promise.digest} of {promise.size} bytes")


def parse_manifest(content: bytes) -> Manifest:
    """Parse a manifest or an index."""
    value = _parse_object(content)
    revision = _revision(_mapping(value.get("annotations")))
    if "manifests" in value:
        return Manifest(revision=revision, image=_representative(value["manifests"]))
    if "config" not in value:
        raise BadManifest("a manifest of a kind that is not known")
    return Manifest(revision=revision, config=_descriptor(value["config"]))


def parse_config_revision(content: bytes) -> Sha | None:
    """Return the source commit in the labels of an image's configuration."""
    return _revision(_mapping(_mapping(_parse_object(content).get("config")).get("Labels")))


def _representative(entries: object) -> Descriptor | None:
    """Choose linux/amd64, else the first; attestations, whose platform is `unknown`, describe no image."""
    if not isinstance(entries, list):
        raise BadManifest("an index whose manifests are no list")
    platforms = [(entry, _platform(entry)) for entry in entries]
    images = [(entry, platform) for entry, platform in platforms if "unknown" not in platform]
    usual = [entry for entry, platform in images if platform == _USUAL_PLATFORM]
    chosen = usual or [entry for entry, _ in images]
    return _descriptor(chosen[0]) if chosen else None


def _platform(entry: object) -> tuple[str, str]:
    platform = _mapping(_mapping(entry).get("platform"))
    return str(platform.get("os", "")), str(platform.get("architecture", ""))


def _descriptor(value: object) -> Descriptor:
    entry = _mapping(value)
    digest, size = entry.get("digest"), entry.get("size")
    if not isinstance(digest, str) or not _DIGEST.match(digest) or not isinstance(size, int) or size < 0:
        raise BadManifest("a descriptor without a sha256 digest and a size")
    return Descriptor(digest=Digest(digest), size=size)


def _revision(labels: Mapping[str, object]) -> Sha | None:
    """A label is free text that a build wrote; only a whole commit name is believed."""
    value = labels.get(_REVISION)
    if not isinstance(value, str):
        return None
    lowered = value.strip().lower()
    return Sha(lowered) if _SHA.match(lowered) else None


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _parse_object(content: bytes) -> Mapping[str, object]:
    try:
        value: object = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadManifest("content that is no JSON") from error
    if not isinstance(value, dict):
        raise BadManifest("JSON that is no object")
    return value
