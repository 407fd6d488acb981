"""What was built, from OCI registries: the port `Registry`, and what else is to be known of images.

Every byte is checked against its digest before it is believed, and content under a digest is read once, since it never
changes. A tag is asked for each time: by its headers where it was read before, so that polling many tags is cheap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Self

from bot.adapters.found_proofs import Found, ProofLimits
from bot.adapters.http import Endpoint, Limits, quote
from bot.adapters.registry.access import RegistryAccess
from bot.adapters.registry.facts import parse_config, parse_facts, with_more
from bot.adapters.registry.host import RegistryHost
from bot.adapters.registry.manifest import BadManifest, Manifest, digest_of, is_digest, parse_manifest
from bot.adapters.registry.names import SYSTEM, ImageName, parse_image, require_tag
from bot.adapters.registry.proofs import find_proofs
from bot.adapters.registry.remembered import Remembered
from bot.adapters.registry.tags import MOST_TAGS, Tags, read_tags
from bot.domain.model import Artifact, Digest, ImageFacts, Sha
from bot.ports import Permanent

_LIMITS = Limits(deadline=timedelta(seconds=15), max_bytes=4 * 1024 * 1024)
_KEPT = 2000
_KEPT_TAGS = 10_000


class OciRegistry:
    """The configured registries, by the host in image names. Safe to share between threads."""

    def __init__(
        self,
        hosts: Mapping[str, Endpoint],
        *,
        access: Mapping[str, RegistryAccess] | None = None,
        limits: Limits = _LIMITS,
        proof_limits: ProofLimits | None = None,
    ) -> None:
        known = {host.lower(): one for host, one in (access or {}).items()}
        self._hosts = {
            host.lower(): RegistryHost(host.lower(), endpoint, known.get(host.lower(), RegistryAccess()), limits)
            for host, endpoint in hosts.items()
        }
        self._proof_limits = proof_limits or ProofLimits()
        self._revisions: Remembered[Digest, Sha | None] = Remembered(_KEPT)
        self._facts: Remembered[Digest, ImageFacts | None] = Remembered(_KEPT)
        self._known_tags: Remembered[tuple[ImageName, str], bool] = Remembered(_KEPT_TAGS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        for host in self._hosts.values():
            host.close()

    # --- tags --------------------------------------------------------------------------------------------------------

    def find_artifact(self, image: str, tag: str) -> Artifact | None:
        """Resolve a tag; None when no registry is configured for the image."""
        name = parse_image(image)
        host = self._hosts.get(name.host)
        if host is None:
            return None
        require_tag(tag)
        if host.tells_digests and (name, tag) in self._known_tags:
            hint = host.peek_digest(name.repository, tag)
            if hint is not None and hint in self._revisions:
                return Artifact(digest=hint, revision=self._revisions.get(hint, default=None))
        content = self._read_tag(host, name, tag)
        digest = digest_of(content)
        artifact = Artifact(digest=digest, revision=self._revision(host, name, digest, content))
        self._known_tags.put((name, tag), value=True)
        return artifact

    def find_digest(self, image: str, tag: str) -> Digest | None:
        """Return what a tag points at, by its headers where they tell; None when no registry is configured.

        This says whether a tag has moved. Nothing has been read or checked of what it points at.
        """
        name = parse_image(image)
        host = self._hosts.get(name.host)
        if host is None:
            return None
        require_tag(tag)
        hint = host.peek_digest(name.repository, tag)
        return hint if hint is not None else digest_of(self._read_tag(host, name, tag))

    def list_tags(self, image: str) -> Sequence[str]:
        """Return all tags of an image, in the registry's order; more than 20,000 are an error."""
        return self.read_tags(image).names

    def read_tags(self, image: str) -> Tags:
        """Return all tags of an image, and how many names were left out since they are no tags."""
        name, host = self._require_host(image)
        return read_tags(host, name.repository, MOST_TAGS)

    # --- content -----------------------------------------------------------------------------------------------------

    def read_facts(self, image: str, digest: Digest) -> ImageFacts:
        """Return what an image says of itself; read once for each digest.

        An index is asked first, then the image that stands for it: its annotations, its labels.
        """
        name, host = self._require_host(image)
        _require_digest(digest)
        known = self._facts.get(digest, default=None)
        if known is not None:
            return known
        content = host.find_manifest(name.repository, digest)
        if content is None:
            raise host.permanent(f"has no {digest} of {name.repository}")
        if digest_of(content) != digest:
            raise host.permanent(f"sent for {digest} of {name.repository} content that does not match that digest")
        try:
            facts = _read_facts(host, name.repository, content)
        except BadManifest as error:
            raise host.permanent(f"sent for {digest} of {name.repository} {error}") from error
        self._facts.put(digest, facts)
        return facts

    def serves(self, image: str) -> bool:
        """Say whether a registry is configured for an image."""
        return parse_image(image).host in self._hosts

    def find_proofs(self, image: str, digest: Digest) -> Sequence[Found]:
        """Return what lies beside an image and claims to prove something of its digest. Nothing of it is verified.

        None of it for certain is an empty answer: what hinders the bot from knowing is raised.
        """
        name, host = self._require_host(image)
        _require_digest(digest)
        return find_proofs(host, name.repository, digest, self._proof_limits)

    def _require_host(self, image: str) -> tuple[ImageName, RegistryHost]:
        name = parse_image(image)
        host = self._hosts.get(name.host)
        if host is None:
            raise Permanent(SYSTEM, f'no registry is configured for {name.host}: add [registries."{name.host}"]')
        return name, host

    def _read_tag(self, host: RegistryHost, name: ImageName, tag: str) -> bytes:
        content = host.find_manifest(name.repository, tag)
        if content is None:
            raise host.permanent(f"has no tag {quote(tag, longest=128)} of {name.repository}")
        return content

    def _revision(self, host: RegistryHost, name: ImageName, digest: Digest, content: bytes) -> Sha | None:
        """Content under a digest never changes, so what it says is read once."""
        if digest in self._revisions:
            return self._revisions.get(digest, default=None)
        try:
            revision = _read_revision(host, name.repository, content)
        except BadManifest as error:
            raise host.permanent(f"sent for {name.repository} {error}") from error
        self._revisions.put(digest, revision)
        return revision


def _require_digest(digest: str) -> None:
    if not is_digest(digest):
        raise Permanent(SYSTEM, f"{quote(digest, longest=80)} is no sha256 digest")


def _read_revision(host: RegistryHost, repository: str, content: bytes) -> Sha | None:
    """Read no further than to the first commit that is named."""
    manifest = parse_manifest(content)
    facts = parse_facts(manifest.annotations)
    if facts.revision is None and manifest.image is not None:
        manifest = parse_manifest(host.read_promised(repository, manifest.image))
        facts = parse_facts(manifest.annotations)
    if facts.revision is not None or manifest.config is None:
        return facts.revision
    return parse_config(host.read_blob(repository, manifest.config)).revision


def _read_facts(host: RegistryHost, repository: str, content: bytes) -> ImageFacts:
    manifest: Manifest = parse_manifest(content)
    facts = parse_facts(manifest.annotations)
    if manifest.image is not None:
        manifest = parse_manifest(host.read_promised(repository, manifest.image))
        facts = with_more(facts, parse_facts(manifest.annotations))
    if manifest.config is not None:
        facts = with_more(facts, parse_config(host.read_blob(repository, manifest.config)))
    return facts
