"""Find what lies beside an image and claims to prove something of it. Nothing is verified here.

Three places are looked at: the referrers that the registry lists or, where it has no such list, those in the index
under the tag `sha256-HEX` that pushing clients keep; and cosign's own tags `sha256-HEX.sig` and `sha256-HEX.att`.

What is found proves something of the digest that was asked for, and nothing else. For an index (an image for several
platforms) these are the index's own proofs; those of its children are not looked for. Which child runs is chosen by the
cluster, and what Git pins is the index: only its digest says what all of them are.

Anybody who can push can lay something there, so each thing that cannot be read is refused by a sentence instead of
being passed over, and so is more than the limits. The absence of proofs is told only where the registry shows that it
has the image and no proof of it (404): one that is down, or that lets nobody in, is never an image without proofs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.adapters.found_proofs import Found, FoundBundle, FoundLayer, ProofLimits
from bot.adapters.registry.host import RegistryHost
from bot.adapters.registry.manifest import (
    IMAGE_TYPES,
    Attachment,
    BadManifest,
    Descriptor,
    parse_attachment,
    parse_object,
)
from bot.adapters.registry.pages import Patience, patience
from bot.adapters.registry.referrers import Listing, list_referrers, tag_of
from bot.domain.model import Digest
from bot.ports import Permanent

_BUNDLE = re.compile(
    r"application/vnd\.dev\.sigstore\.bundle(?:\.v[0-9.]{1,9}\+json|\+json;version=\"?[0-9.]{1,9}\"?)\Z"
)
_SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
_ENVELOPE = "application/vnd.dsse.envelope.v1+json"
_COSIGN = re.compile(r"application/vnd\.dev\.cosign\.artifact\.(?:sig|att)\.v1\+json\Z")
_SAYS_NOTHING = (
    "",
    "application/vnd.oci.empty.v1+json",
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
)
"""Types of a configuration, which lists tell as the type of the whole where its writer named none or was not asked."""
_SUFFIXES = ("sig", "att")
_SIGNATURE = "dev.cosignproject.cosign/signature"
_SIGSTORE = "dev.sigstore.cosign/"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """A manifest that lies beside the image: under a tag of cosign's, or as a referrer."""

    name: str
    content: bytes
    is_cosign_tag: bool = False


def find_proofs(host: RegistryHost, repository: str, digest: Digest, limits: ProofLimits) -> Sequence[Found]:
    """Return all proofs of one digest; none where the registry has the image and nothing beside it."""
    return _Search(host, repository, digest, limits).run()


class _Search:
    """One search: what it is for, and how much of the limits is left."""

    def __init__(self, host: RegistryHost, repository: str, digest: Digest, limits: ProofLimits) -> None:
        self._host = host
        self._repository = repository
        self._digest = digest
        self._limits = limits
        self._what = f"proofs of {digest} of {repository}"
        self._waiting: Patience = patience(host, self._what, limits.lasts)
        self._bytes = 0

    def run(self) -> Sequence[Found]:
        found: dict[Found, None] = {}
        for opened in self._open_all():
            for layer in self._proof_layers(opened):
                found[self._read(opened, layer)] = None
                if len(found) > self._limits.found:
                    raise self._host.permanent(f"has more {self._what} than the {self._limits.found} that are read")
        if not found:
            self._require_image()
        return tuple(found)

    def _require_image(self) -> None:
        """Where a repository is hidden or gone, all of it looks as if there were no proofs."""
        self._waiting.require()
        if self._host.peek_digest(self._repository, self._digest) == self._digest:
            return
        if self._host.find_manifest(self._repository, self._digest) is None:
            raise self._host.permanent(f"has no {self._digest} of {self._repository}, so nothing proves anything of it")

    # --- manifests ---------------------------------------------------------------------------------------------------

    def _open_all(self) -> Iterator[_Opened]:
        for entry in self._candidates(list_referrers(self._waiting, self._repository, self._digest)):
            self._waiting.require()
            # One that was deleted while the list still names it proves nothing.
            content = self._host.find_promised(self._repository, entry)
            if content is not None:
                yield _Opened(name=entry.digest, content=content)
        for suffix in _SUFFIXES:
            self._waiting.require()
            tag = f"{tag_of(self._digest)}.{suffix}"
            content = self._host.find_manifest(self._repository, tag)
            if content is not None:
                yield _Opened(name=tag, content=content, is_cosign_tag=True)

    def _candidates(self, listing: Listing) -> Sequence[Descriptor]:
        """Return what is to be opened: all but what surely is something else.

        A registry's own list tells the type that a manifest names. In the index that clients keep, the type is often
        wrong, so it is not looked at there.
        """
        manifests = {entry.digest: entry for entry in listing.entries if entry.media_type in (*IMAGE_TYPES, "")}
        chosen = [entry for entry in manifests.values() if not listing.is_typed or _may_be_proof(entry.artifact_type)]
        if len(chosen) > self._limits.opened:
            most = f"more than the {self._limits.opened} that are opened"
            raise self._host.permanent(f"lists {len(chosen)} manifests that may be {self._what}, {most}")
        return chosen

    def _proof_layers(self, opened: _Opened) -> Sequence[Descriptor]:
        try:
            attachment = parse_attachment(opened.content)
        except BadManifest as error:
            raise self._refuse(opened, f"is {error}") from error
        if attachment is None:
            return ()
        if attachment.subject is not None and attachment.subject != self._digest:
            raise self._refuse(opened, f"names {attachment.subject} as what it belongs to")
        layers = [layer for layer in attachment.layers if _is_proof(layer.media_type)]
        if not layers and (opened.is_cosign_tag or _claims_proof(attachment)):
            raise self._refuse(opened, "says that it is a proof, and no layer of it is one")
        return layers

    def _refuse(self, opened: _Opened, why: str) -> Permanent:
        return self._host.permanent(f"lists {opened.name} among the {self._what}, but that {why}")

    # --- layers ------------------------------------------------------------------------------------------------------

    def _read(self, opened: _Opened, layer: Descriptor) -> Found:
        self._waiting.require()
        self._bytes += layer.size
        if self._bytes > self._limits.all_bytes:
            raise self._host.permanent(f"has more {self._what} than the {self._limits.all_bytes} bytes that are read")
        content = self._host.read_blob(self._repository, layer, most_bytes=self._limits.most_bytes)
        try:
            parse_object(content)
            return _found(layer, content)
        except BadManifest as error:
            raise self._refuse(opened, f"holds {layer.digest}, which is {error}") from error


def _found(layer: Descriptor, content: bytes) -> Found:
    if _BUNDLE.match(layer.media_type):
        return FoundBundle(digest=layer.digest, content=content)
    return FoundLayer(
        digest=layer.digest,
        payload=content,
        is_envelope=layer.media_type == _ENVELOPE,
        signature=_text(layer.annotations, _SIGNATURE),
        certificate=_text(layer.annotations, _SIGSTORE + "certificate"),
        chain=_text(layer.annotations, _SIGSTORE + "chain"),
        log=_text(layer.annotations, _SIGSTORE + "bundle"),
        timestamp=_text(layer.annotations, _SIGSTORE + "rfc3161timestamp"),
    )


def _text(annotations: Mapping[str, object], key: str) -> str | None:
    value = annotations.get(key)
    if value is not None and not isinstance(value, str):
        raise BadManifest(f"annotated with a {key} that is no text")
    return value or None


def _is_proof(media_type: str) -> bool:
    return media_type in (_SIMPLE_SIGNING, _ENVELOPE) or _BUNDLE.match(media_type) is not None


def _claims_proof(attachment: Attachment) -> bool:
    return any(_is_proof(kind) or _COSIGN.match(kind) for kind in (attachment.artifact_type, attachment.config_type))


def _may_be_proof(artifact_type: str) -> bool:
    return artifact_type in _SAYS_NOTHING or _is_proof(artifact_type) or _COSIGN.match(artifact_type) is not None
