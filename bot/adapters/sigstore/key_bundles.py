"""Signatures by the public keys of the settings, and Sigstore bundles that have one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sigstore_models.rekor.v1 import TransparencyLogEntry

from bot.adapters.found_proofs import FoundBundle
from bot.adapters.sigstore.envelopes import Envelope, read_envelope
from bot.adapters.sigstore.json_values import bytes_at, mapping_at, parse_object
from bot.adapters.sigstore.keys import NamedKey
from bot.adapters.sigstore.log_entries import Signed, only_entry, read_bundled_entry, require_entry_of
from bot.adapters.sigstore.refusals import MALFORMED, NO_KEYS, NO_SIGNATURE, NOT_OUR_KEY, OTHER_DIGEST, Refused
from bot.adapters.sigstore.statements import IS_SIGNED, Claim, parse_statement, require_simple_signing
from bot.adapters.sigstore.trust import Trusted, TrustRoot
from bot.domain.model import Digest
from bot.domain.proofs import Json, LogEntry, Signature, Statement

# The library does not read these bundles, so what it would not let pass is not let pass here either.
_PARTS = {"mediaType", "verificationMaterial", "dsseEnvelope", "messageSignature"}
_MATERIAL = {"publicKey", "tlogEntries", "timestampVerificationData"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedByKey:
    """A signature that one of the keys made."""

    key: NamedKey
    signed: Signed


def prove_by_key(
    found: FoundBundle, document: Mapping[str, Json], digest: Digest, trusted: Trusted
) -> Signature | Statement:
    """Return what a bundle with a public key proves. Its hint at the key is nobody's word, so all keys are tried."""
    material = mapping_at(document, "verificationMaterial")
    if not set(document) <= _PARTS or not set(material) <= _MATERIAL or set(document) >= _PARTS:
        raise Refused(MALFORMED)
    if "dsseEnvelope" in document:
        made, claim = prove_envelope(read_envelope(mapping_at(document, "dsseEnvelope")), digest, trusted.keys)
    else:
        made, claim = _prove_message(mapping_at(document, "messageSignature"), found.payload, digest, trusted.keys)
    logged = _verify_entry(material, made.signed, trusted.root)
    return claim.by(Signature(found=found.digest, key=made.key.name, logged=logged))


def prove_envelope(envelope: Envelope, digest: Digest, keys: Sequence[NamedKey]) -> tuple[SignedByKey, Claim]:
    """Return which key signed an envelope and what it claims of the image; raise `Refused` where nothing."""
    key = find_key(keys, lambda one: one.made(envelope.signature, envelope.message))
    signed = Signed(
        message=_sha256(envelope.message),
        payload=_sha256(envelope.payload),
        signature=envelope.signature,
        signer=key.der,
    )
    return SignedByKey(key=key, signed=signed), parse_statement(envelope.payload_type, envelope.payload, digest)


def prove_payload(
    signature: bytes, payload: bytes, digest: Digest, keys: Sequence[NamedKey]
) -> tuple[SignedByKey, Claim]:
    """Return which key signed a simple-signing document of the image; raise `Refused` where none did."""
    key = find_key(keys, lambda one: one.made(signature, payload))
    signed = Signed(message=_sha256(payload), signature=signature, signer=key.der)
    return SignedByKey(key=key, signed=signed), require_simple_signing(payload, digest)


def find_key(keys: Sequence[NamedKey], made: Callable[[NamedKey], bool]) -> NamedKey:
    """Return the key that made a signature; raise `Refused` where none did."""
    if not keys:
        raise Refused(NO_KEYS)
    key = next((one for one in keys if made(one)), None)
    if key is None:
        raise Refused(NOT_OUR_KEY)
    return key


def _prove_message(
    message: Mapping[str, Json], payload: bytes | None, digest: Digest, keys: Sequence[NamedKey]
) -> tuple[SignedByKey, Claim]:
    signature = bytes_at(message, "signature")
    if not signature:
        raise Refused(NO_SIGNATURE)
    if payload is not None:
        return prove_payload(signature, payload, digest, keys)
    image = bytes.fromhex(digest.removeprefix("sha256:"))
    if "messageDigest" in message and bytes_at(mapping_at(message, "messageDigest"), "digest") != image:
        raise Refused(OTHER_DIGEST)
    key = find_key(keys, lambda one: one.made_over(signature, image))
    return SignedByKey(key=key, signed=Signed(message=image, signature=signature, signer=key.der)), IS_SIGNED


def _verify_entry(material: Mapping[str, Json], signed: Signed, trust: TrustRoot | None) -> LogEntry | None:
    """Without a trust root there is nothing to check an entry by, so it counts as none."""
    if trust is None or not material.get("tlogEntries"):
        return None
    model = TransparencyLogEntry.from_dict(_thawed(only_entry(material)))
    # Read back from the library, so that what is read is what it verifies.
    logged = read_bundled_entry(parse_object(model.to_json()), trust)
    trust.require_logged(model)
    require_entry_of(model.canonicalized_body, signed)
    return logged


def _thawed(value: Mapping[str, Json]) -> dict[str, object]:
    return {name: _thawed_value(one) for name, one in value.items()}


def _thawed_value(value: Json) -> object:
    if isinstance(value, Mapping):
        return _thawed(value)
    return [_thawed_value(one) for one in value] if isinstance(value, tuple) else value


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
