"""The repositories of the lab's registry, and all that is pushed into them. No HTTP here.

A client that pushes a referrer to a registry without a list of referrers keeps an index of them under the digest's own
tag, as the specification says; the store does that for it while `has_referrers` is off.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.domain.model import Digest
from bot.lab.registry.content import (
    INDEX,
    Blob,
    LayerSpec,
    ReferrerSpec,
    descriptor_of,
    image_config,
    image_manifest,
    json_blob,
    referrer_descriptor,
    referrer_manifest,
    small_layer,
)


@dataclass(slots=True)
class Repository:
    """What one repository holds: manifests and blobs by digest, and what each tag points at."""

    manifests: dict[str, Blob] = field(default_factory=dict)
    blobs: dict[str, Blob] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def find(self, reference: str) -> Blob | None:
        """Return the manifest of a tag or a digest."""
        return self.manifests.get(self.tags.get(reference, reference))

    def keep(self, manifest: Blob, blobs: Sequence[Blob], tag: str | None = None) -> Digest:
        """Store a manifest with its blobs, and point a tag at it."""
        self.blobs |= {blob.digest: blob for blob in blobs}
        self.manifests[manifest.digest] = manifest
        if tag is not None:
            self.tags[tag] = manifest.digest
        return manifest.digest

    def referrers(self, subject: str) -> list[dict[str, object]]:
        """Describe the manifests that name a digest as their subject, in the order they came."""
        return [
            referrer_descriptor(manifest)
            for manifest in self.manifests.values()
            if json.loads(manifest.content).get("subject", {}).get("digest") == subject
        ]


class Store:
    """All repositories. Every method may be called from any thread while the server runs."""

    def __init__(self, *, has_referrers: bool) -> None:
        self.lock = threading.Lock()
        self.repositories: dict[str, Repository] = {}
        self.has_referrers = has_referrers

    def push_image(self, name: str, tag: str, labels: Mapping[str, str], created: datetime) -> Digest:
        """Store an image and point a tag at it."""
        layer, plain = small_layer(name, tag)
        config = image_config(labels, plain, created)
        manifest = image_manifest(config, [layer], labels)
        with self.lock:
            return self.repositories.setdefault(name, Repository()).keep(manifest, [config, layer], tag)

    def push_index(self, name: str, tag: str, manifests: Sequence[tuple[str, Digest]]) -> Digest:
        """Point a tag at an index of images, given as `(architecture, digest)`."""
        with self.lock:
            repository = self.repositories[name]
            entries = [
                {**descriptor_of(repository.manifests[digest]), "platform": {"architecture": arch, "os": "linux"}}
                for arch, digest in manifests
            ]
            index = json_blob(INDEX, {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
            return repository.keep(index, [], tag)

    def push_referrer(self, name: str, subject: Digest, spec: ReferrerSpec) -> Digest:
        """Store a manifest whose subject is another; list it in the subject's tag where the registry has no list."""
        config = Blob(media_type=spec.config_type, content=b"{}")
        with self.lock:
            repository = self.repositories[name]
            manifest = referrer_manifest(spec, config, repository.manifests[subject])
            digest = repository.keep(manifest, [config, *(layer.blob for layer in spec.layers)])
            if not self.has_referrers:
                _list_in_tag(repository, subject, referrer_descriptor(manifest, artifact_type=spec.told_type))
            return digest

    def push_beside(self, name: str, tag: str, layers: Sequence[LayerSpec], config: Blob) -> Digest:
        """Add layers to the manifest of a tag, as cosign does with each further signature."""
        with self.lock:
            repository = self.repositories[name]
            former = repository.find(tag)
            kept = _layers_of(repository, former) if former is not None else []
            manifest = referrer_manifest(ReferrerSpec(layers=[*kept, *layers]), config)
            return repository.keep(manifest, [config, *(layer.blob for layer in layers)], tag)

    def retag(self, name: str, tag: str, digest: Digest) -> None:
        """Move a tag to a manifest that the repository has."""
        with self.lock:
            repository = self.repositories[name]
            if digest not in repository.manifests:
                raise KeyError(digest)
            repository.tags[tag] = digest

    def delete_tag(self, name: str, tag: str) -> None:
        """Forget a tag; the manifest stays."""
        with self.lock:
            del self.repositories[name].tags[tag]

    def delete_manifest(self, name: str, digest: Digest) -> None:
        """Forget a manifest and all tags that point at it; an index that lists it goes on doing so."""
        with self.lock:
            repository = self.repositories[name]
            del repository.manifests[digest]
            repository.tags = {tag: target for tag, target in repository.tags.items() if target != digest}


def tag_of(digest: str) -> str:
    """Return the tag that belongs to a digest: at most 32 characters of its algorithm and 64 of its hash."""
    algorithm, _, encoded = digest.partition(":")
    return f"{algorithm[:32]}-{encoded[:64]}"


def _list_in_tag(repository: Repository, subject: Digest, described: Mapping[str, object]) -> None:
    tag = tag_of(subject)
    former = repository.find(tag)
    entries = json.loads(former.content)["manifests"] if former is not None else []
    if all(entry["digest"] != described["digest"] for entry in entries):
        entries.append(dict(described))
    index = json_blob(INDEX, {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
    repository.keep(index, [], tag)


def _layers_of(repository: Repository, manifest: Blob) -> list[LayerSpec]:
    return [
        LayerSpec(
            media_type=layer["mediaType"],
            content=repository.blobs[layer["digest"]].content,
            annotations=layer.get("annotations", {}),
        )
        for layer in json.loads(manifest.content)["layers"]
    ]
