"""What was found of an image and claims to prove something of it: bytes that nobody has verified yet.

Two shapes exist: a Sigstore bundle, which carries all that its verification needs, and what cosign wrote before there
were bundles: a layer with annotations. Both may come from anybody who can push to the registry; bundles that GitHub
keeps from anybody who may write to the source repository.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from bot.domain.model import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofLimits:
    """How much is read for one image at one place: more is an error, and nothing is ever cut.

    `opened` counts manifests that may hold proofs, `found` the proofs in them. `most_bytes` holds for one proof,
    `all_bytes` for all of them.
    """

    opened: int = 50
    found: int = 100
    most_bytes: int = 16 * 1024 * 1024
    all_bytes: int = 64 * 1024 * 1024
    lasts: timedelta = timedelta(seconds=60)


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
