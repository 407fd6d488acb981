"""Read OCI and Docker image manifests. Pure: bytes in, frozen values out; what does not match its digest is refused.

Sources: OCI image specification 1.1 (manifest, index, config), Docker image manifest v2 schema 2.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bot.domain.model import Digest

INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
IMAGE_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
MANIFEST_TYPES = (INDEX_TYPES[0], IMAGE_TYPES[0], INDEX_TYPES[1], IMAGE_TYPES[1])
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_USUAL_PLATFORM = ("linux", "amd64")
_DEEPEST = 64
_MOST_VALUES = 200_000


class BadManifest(ValueError):
    """Bytes that are no manifest, or not the ones that were promised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """A promise of content: its digest and size in bytes, and what is said of it.

    `media_type` is lower-case and without spaces; it is empty where none is given, like `artifact_type`.
    """

    digest: Digest
    size: int
    media_type: str = ""
    artifact_type: str = ""
    annotations: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What counts of a manifest or index: its annotations, and where to look further.

    `image` is the manifest that stands for an index; `config` is an image's configuration.
    """

    annotations: Mapping[str, object]
    image: Descriptor | None = None
    config: Descriptor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """What counts of a manifest that may lie beside an image: what it says it is, of what, and its layers."""

    artifact_type: str
    config_type: str
    subject: Digest | None
    layers: tuple[Descriptor, ...]


def digest_of(content: bytes) -> Digest:
    """Return the digest of content."""
    return Digest("sha256:" + hashlib.sha256(content).hexdigest())


def is_digest(text: str) -> bool:
    """Say whether the text is a digest of the one kind that is believed."""
    return _DIGEST.match(text) is not None


def require_promised(content: bytes, promise: Descriptor) -> None:
    """Raise unless the content has the promised digest and size."""
    if len(content) != promise.size or digest_of(content) != promise.digest:
        raise BadManifest(f"content that is not {promise.digest} of {promise.size} bytes")


def parse_manifest(content: bytes) -> Manifest:
    """Parse a manifest or an index."""
    value = parse_object(content)
    annotations = mapping(value.get("annotations"))
    if "manifests" in value:
        return Manifest(annotations=annotations, image=_representative(value["manifests"]))
    if "config" not in value:
        raise BadManifest("a manifest of a kind that is not known")
    return Manifest(annotations=annotations, config=_descriptor(value["config"]))


def parse_index(content: bytes) -> tuple[Descriptor, ...] | None:
    """Return what an index lists; None where the content is a JSON object of another kind."""
    value = parse_object(content)
    return _descriptors(value["manifests"], "an index whose manifests are no list") if "manifests" in value else None


def parse_attachment(content: bytes) -> Attachment | None:
    """Parse a manifest that may lie beside an image; None for an index, which has no layers."""
    value = parse_object(content)
    if "manifests" in value:
        return None
    if "config" not in value or "layers" not in value:
        raise BadManifest("a manifest of a kind that is not known")
    return Attachment(
        artifact_type=_type(value.get("artifactType")),
        config_type=_type(mapping(value["config"]).get("mediaType")),
        subject=_descriptor(value["subject"]).digest if value.get("subject") is not None else None,
        layers=_descriptors(value["layers"], "a manifest whose layers are no list"),
    )


def parse_object(content: bytes) -> Mapping[str, object]:
    """Parse a JSON object that every reader understands alike: no key twice, at most 64 levels and 200,000 values."""
    # Counted before they are made, as a small list takes twenty times the room of its two bytes.
    if sum(content.count(begin) for begin in (b",", b"[", b"{")) > _MOST_VALUES:
        raise BadManifest(f"JSON with more than {_MOST_VALUES} values")
    try:
        value: object = json.loads(content, object_pairs_hook=_without_doubles, parse_constant=_no_constant)
    except RecursionError as error:
        raise BadManifest(f"JSON that is nested deeper than {_DEEPEST} levels") from error
    except BadManifest:
        raise
    except ValueError as error:
        raise BadManifest("content that is no JSON") from error
    if not isinstance(value, dict):
        raise BadManifest("JSON that is no object")
    _require_shallow(value)
    return value


def mapping(value: object) -> Mapping[str, object]:
    """Return a JSON object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def _without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Of two values of one key, one reader takes the first and another the last."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise BadManifest("JSON with a key that stands twice in one object")
    return value


def _no_constant(_: str) -> object:
    raise BadManifest("content that is no JSON")


def _require_shallow(value: object) -> None:
    """Walk level by level, since a recursive walk would itself end where the nesting is deep."""
    level: list[object] = [value]
    for _ in range(_DEEPEST):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise BadManifest(f"JSON that is nested deeper than {_DEEPEST} levels")


def _inside(value: object) -> Iterable[object]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [one for one in inner if isinstance(one, dict | list)]


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
    platform = mapping(mapping(entry).get("platform"))
    return str(platform.get("os", "")), str(platform.get("architecture", ""))


def _descriptors(entries: object, fault: str) -> tuple[Descriptor, ...]:
    if not isinstance(entries, list):
        raise BadManifest(fault)
    return tuple(_descriptor(entry) for entry in entries)


def _descriptor(value: object) -> Descriptor:
    entry = mapping(value)
    digest, size = entry.get("digest"), entry.get("size")
    # JSON's true is an int to Python.
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise BadManifest("a descriptor without a sha256 digest and a size")
    if not isinstance(digest, str) or not is_digest(digest):
        raise BadManifest("a descriptor without a sha256 digest and a size")
    return Descriptor(
        digest=Digest(digest),
        size=size,
        media_type=_type(entry.get("mediaType")),
        artifact_type=_type(entry.get("artifactType")),
        annotations=mapping(entry.get("annotations")),
    )


def _type(value: object) -> str:
    """Media types are compared without regard to case, and some writers put a space before a parameter."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadManifest("a media type that is no text")
    return "".join(value.split()).lower()
