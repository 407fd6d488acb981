"""Sigstore bundles with a certificate: what is proven by one. The library verifies it, and the facts are read after."""

from __future__ import annotations

from collections.abc import Mapping

from sigstore.hashes import Hashed
from sigstore.models import Bundle
from sigstore_models.common.v1 import HashAlgorithm

from bot.adapters.found_proofs import FoundBundle
from bot.adapters.sigstore.identity import ReadingPolicy
from bot.adapters.sigstore.json_values import mapping_at, parse_object
from bot.adapters.sigstore.key_bundles import prove_by_key
from bot.adapters.sigstore.log_entries import only_entry, read_bundled_entry
from bot.adapters.sigstore.refusals import (
    NO_CERTIFICATE,
    NO_LOG_ENTRY,
    NO_SIGNATURE,
    NO_TRUST_ROOT,
    NOT_ONE_SIGNATURE,
    ONLY_TIMESTAMP,
    UNKNOWN_MEDIA_TYPE,
    Refused,
)
from bot.adapters.sigstore.statements import IS_SIGNED, Claim, parse_statement, require_simple_signing
from bot.adapters.sigstore.trust import Trusted, TrustRoot, require_valid
from bot.domain.model import Digest
from bot.domain.proofs import Json, Signature, Statement

MEDIA_TYPES = tuple(kind.value for kind in Bundle.BundleType)
_SIGNERS = {"publicKey", "certificate", "x509CertificateChain"}


def prove_bundle(found: FoundBundle, digest: Digest, trusted: Trusted) -> Signature | Statement:
    """Return what a bundle proves of an image; raise `Refused`, or whatever the library raises, where nothing."""
    document = parse_object(found.content)
    _require_shape(document)
    material = mapping_at(document, "verificationMaterial")
    if "publicKey" in material:
        return prove_by_key(found, document, digest, trusted)
    if trusted.root is None:
        raise Refused(NO_TRUST_ROOT)
    _require_entry(material)
    return _prove_keyless(found, digest, trusted.root)


def _prove_keyless(found: FoundBundle, digest: Digest, trust: TrustRoot) -> Signature | Statement:
    bundle = Bundle.from_json(found.content)
    # Read back from the library, so that what is read is what it verifies, however else the bytes may be read.
    document = parse_object(bundle.to_json())
    logged = read_bundled_entry(only_entry(mapping_at(document, "verificationMaterial")), trust)
    if logged.at is not None:
        require_valid(bundle.signing_certificate, logged.at)
    reading = ReadingPolicy()
    if "dsseEnvelope" in document:
        # The library does not compare subjects with anything; that is done here, after the signature holds.
        claim = parse_statement(*trust.verifier.verify_dsse(bundle, reading), digest)
    else:
        claim = _verify_message(bundle, reading, found.payload, digest, trust)
    trust.require_issued_in_time(bundle.signing_certificate)
    return claim.by(Signature(found=found.digest, identity=reading.identity, logged=logged))


def _verify_message(
    bundle: Bundle, reading: ReadingPolicy, payload: bytes | None, digest: Digest, trust: TrustRoot
) -> Claim:
    if payload is not None:
        trust.verifier.verify_artifact(payload, bundle, reading)
        return require_simple_signing(payload, digest)
    image = Hashed(algorithm=HashAlgorithm.SHA2_256, digest=bytes.fromhex(digest.removeprefix("sha256:")))
    trust.verifier.verify_artifact(image, bundle, reading)
    return IS_SIGNED


def _require_shape(document: Mapping[str, Json]) -> None:
    """Refuse early what has a plain reason; that a shape passes here proves nothing."""
    if document.get("mediaType") not in MEDIA_TYPES:
        raise Refused(UNKNOWN_MEDIA_TYPE)
    if "dsseEnvelope" in document:
        signatures = mapping_at(document, "dsseEnvelope").get("signatures")
        if not isinstance(signatures, tuple) or len(signatures) != 1:
            raise Refused(NOT_ONE_SIGNATURE)
    elif "messageSignature" not in document:
        raise Refused(NO_SIGNATURE)
    if not _SIGNERS & set(mapping_at(document, "verificationMaterial")):
        raise Refused(NO_CERTIFICATE)


def _require_entry(material: Mapping[str, Json]) -> None:
    if not material.get("tlogEntries"):
        raise Refused(ONLY_TIMESTAMP if material.get("timestampVerificationData") else NO_LOG_ENTRY)
    only_entry(material)
