"""What lies beside an image in its registry and claims to prove something of it: bytes that nobody has verified yet.

Two shapes exist: a Sigstore bundle, which carries all that its verification needs, and what cosign wrote before there
were bundles: a layer with annotations. Both may come from anybody who can push to the registry.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.model import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundBundle:
    """A Sigstore bundle (JSON); `digest` is that of its bytes.

    `payload` is the simple-signing document that it is a signature of, where one lies beside it. None: the bundle has
    its own statement, or its signature is over the image's manifest itself.
    """

    digest: Digest
    content: bytes
    payload: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLayer:
    """A layer of a cosign signature or attestation manifest, of tag `sha256-HEX.sig` or `.att` or as a referrer.

    `payload` is a simple-signing document, or a DSSE envelope where `is_envelope`. `signature` (base64), `certificate`
    and `chain` (PEM), `log` (JSON) and `timestamp` (JSON) are the annotations `dev.cosignproject.cosign/signature` and
    `dev.sigstore.cosign/certificate`, `/chain`, `/bundle` and `/rfc3161timestamp`; None where the layer has none.
    """

    digest: Digest
    payload: bytes
    is_envelope: bool
    signature: str | None = None
    certificate: str | None = None
    chain: str | None = None
    log: str | None = None
    timestamp: str | None = None


Found = FoundBundle | FoundLayer
