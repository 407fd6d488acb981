"""Entries of transparency logs: which log has them and when, what they are of, and the promise of older ones.

A log entry is checked whole or not at all: one that does not hold refuses the signature beside it, as a signature that
was never logged and one whose entry was made up are different things.
Sources: Rekor's types hashedrekord and dsse 0.0.1, hashedrekord 0.0.2; RFC 8785 for what a promise is signed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import rfc8785
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

from bot.adapters.sigstore.json_values import (
    bytes_at,
    mapping_at,
    parse_base64,
    parse_object,
    text_at,
    whole_number_at,
)
from bot.adapters.sigstore.keys import is_signed_by
from bot.adapters.sigstore.refusals import (
    BAD_INCLUSION_PROOF,
    BAD_PROMISE,
    MALFORMED,
    MANY_LOG_ENTRIES,
    NO_INCLUSION_PROOF,
    NO_LOG_ENTRY,
    NO_PROMISE,
    OTHER_ENTRY,
    UNKNOWN_ENTRY,
    Refused,
)
from bot.adapters.sigstore.trust import TrustRoot
from bot.domain.proofs import Json, LogEntry

_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A signature and what it is over.

    `message` is the hash (SHA-256) of the very bytes that were signed; where they are those of an envelope, `payload`
    is that of its content. `signer` is the certificate or, without one, the public key, in DER.
    """

    message: bytes
    signature: bytes
    signer: bytes
    payload: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Promised:
    """An entry that a log promised to take in, by its signature over these; `at` is when it did."""

    body: bytes
    at: datetime
    entry: LogEntry


# --- an entry in a bundle ---------------------------------------------------------------------------------------------


def only_entry(material: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return a bundle's one log entry; raise `Refused` where it has more, or one without a proof of inclusion."""
    entries = material.get("tlogEntries")
    if not isinstance(entries, tuple) or not all(isinstance(entry, Mapping) for entry in entries):
        raise Refused(MALFORMED)
    if len(entries) != 1:
        raise Refused(MANY_LOG_ENTRIES if entries else NO_LOG_ENTRY)
    entry = entries[0]
    if not isinstance(entry, Mapping) or not isinstance(entry.get("inclusionProof"), Mapping):
        raise Refused(NO_INCLUSION_PROOF)
    return entry


def read_bundled_entry(entry: Mapping[str, Json], trust: TrustRoot) -> LogEntry:
    """Read where and when a bundle's entry is logged; raise `Refused` where the log or the proof cannot be right.

    The library verifies the proof, the checkpoint and the promise; this is what it leaves open: that the log was in
    service, that the proof is of the checkpoint's tree, and the index, which only a promise is signed over.
    """
    log = trust.log_of(bytes_at(mapping_at(entry, "logId"), "keyId"))
    index = text_at(entry, "logIndex")
    proof = mapping_at(entry, "inclusionProof")
    checkpoint = text_at(mapping_at(proof, "checkpoint"), "envelope").split("\n")
    if len(checkpoint) < 3 or checkpoint[1] != text_at(proof, "treeSize"):
        raise Refused(BAD_INCLUSION_PROOF)
    at = _promised_time(entry)
    if at is not None:
        log.require_in_service(at)
    elif index != text_at(proof, "logIndex"):
        raise Refused(BAD_INCLUSION_PROOF)
    return LogEntry(log=log.host, index=int(index), at=at)


def _promised_time(entry: Mapping[str, Json]) -> datetime | None:
    """A time counts only with the promise whose signature covers it."""
    seconds = entry.get("integratedTime")
    if "inclusionPromise" not in entry or not isinstance(seconds, str) or int(seconds) == 0:
        return None
    return datetime.fromtimestamp(int(seconds), tz=UTC)


# --- an entry in an annotation ----------------------------------------------------------------------------------------


def verify_promise(annotation: str, trust: TrustRoot) -> Promised:
    """Verify the log's promise in cosign's annotation; raise `Refused` unless the very log that it names signed it.

    There is no inclusion proof in it. What a promise proves is that a trusted log says it has the entry.
    """
    document = parse_object(annotation)
    if "SignedEntryTimestamp" not in document or "Payload" not in document:
        raise Refused(NO_PROMISE)
    payload = mapping_at(document, "Payload")
    body, identifier = text_at(payload, "body"), text_at(payload, "logID")
    seconds, index = whole_number_at(payload, "integratedTime"), whole_number_at(payload, "logIndex")
    log = trust.log_of(_hexadecimal(identifier))
    said: dict[str, str | int] = {"body": body, "integratedTime": seconds, "logID": identifier, "logIndex": index}
    if not is_signed_by(log.key, bytes_at(document, "SignedEntryTimestamp"), rfc8785.dumps({**said})):
        raise Refused(BAD_PROMISE)
    at = datetime.fromtimestamp(seconds, tz=UTC)
    log.require_in_service(at)
    return Promised(body=parse_base64(body), at=at, entry=LogEntry(log=log.host, index=index, at=at))


def _hexadecimal(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise Refused(MALFORMED) from error


# --- what an entry is of ----------------------------------------------------------------------------------------------


def require_entry_of(body: bytes, signed: Signed) -> None:
    """Raise `Refused` unless a log entry's body is of this signature, over this message, by this signer.

    Otherwise anybody's entry could lend its time to a signature that was made when the certificate was long expired.
    """
    document = parse_object(body)
    spec = mapping_at(document, "spec")
    kind = (document.get("kind"), document.get("apiVersion"))
    hashed = signed.message
    if kind == ("hashedrekord", "0.0.1") and signed.payload is None:
        said = _hashed(spec)
    elif kind == ("hashedrekord", "0.0.2"):
        said = _hashed_anew(spec)
    elif kind == ("dsse", "0.0.1") and signed.payload is not None:
        hashed, said = signed.payload, _enveloped(spec)
    else:
        raise Refused(UNKNOWN_ENTRY)
    if said != (hashed.hex(), signed.signature, signed.signer):
        raise Refused(OTHER_ENTRY)


def _hashed(spec: Mapping[str, Json]) -> tuple[str, bytes, bytes]:
    signature = mapping_at(spec, "signature")
    signer = _der(bytes_at(mapping_at(signature, "publicKey"), "content"))
    return _sha256(mapping_at(mapping_at(spec, "data"), "hash")), bytes_at(signature, "content"), signer


def _enveloped(spec: Mapping[str, Json]) -> tuple[str, bytes, bytes]:
    signatures = spec.get("signatures")
    one = signatures[0] if isinstance(signatures, tuple) and len(signatures) == 1 else None
    if not isinstance(one, Mapping):
        raise Refused(OTHER_ENTRY)
    return _sha256(mapping_at(spec, "payloadHash")), bytes_at(one, "signature"), _der(bytes_at(one, "verifier"))


def _hashed_anew(spec: Mapping[str, Json]) -> tuple[str, bytes, bytes]:
    said = mapping_at(spec, "hashedRekordV002")
    digest, signature = mapping_at(said, "data"), mapping_at(said, "signature")
    if digest.get("algorithm") != "SHA2_256":
        raise Refused(OTHER_ENTRY)
    verifier = mapping_at(signature, "verifier")
    held = "x509Certificate" if "x509Certificate" in verifier else "publicKey"
    signer = bytes_at(mapping_at(verifier, held), "rawBytes")
    return bytes_at(digest, "digest").hex(), bytes_at(signature, "content"), signer


def _sha256(value: Mapping[str, Json]) -> str:
    if value.get("algorithm") != "sha256":
        raise Refused(OTHER_ENTRY)
    return text_at(value, "value")


def _der(pem: bytes) -> bytes:
    """Text around and line ends in it may differ; what it holds may not."""
    try:
        if _CERTIFICATE in pem:
            return load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
        return load_pem_public_key(pem).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except ValueError as error:
        raise Refused(OTHER_ENTRY) from error
