"""What cosign wrote before there were bundles: a layer whose annotations are its signature, certificate and log entry.

The log's annotation has a signed promise and no inclusion proof, which the library cannot take. So the promise, the
signature and the entry's body are verified here, and the certificate by the library's own checks.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate, load_pem_x509_certificates

from bot.adapters.found_proofs import FoundLayer
from bot.adapters.sigstore.envelopes import Envelope, read_envelope
from bot.adapters.sigstore.identity import read_identity
from bot.adapters.sigstore.json_values import MOST_BYTES, parse_base64, parse_object
from bot.adapters.sigstore.key_bundles import prove_envelope, prove_payload
from bot.adapters.sigstore.keys import Key, is_signed_by
from bot.adapters.sigstore.log_entries import Promised, Signed, require_entry_of, verify_promise
from bot.adapters.sigstore.refusals import (
    BAD_CERTIFICATE,
    BAD_SIGNATURE,
    NO_LOG_ENTRY,
    NO_SIGNATURE,
    NO_TRUST_ROOT,
    TOO_LARGE,
    Refused,
)
from bot.adapters.sigstore.statements import Claim, parse_statement, require_simple_signing
from bot.adapters.sigstore.trust import Trusted, TrustRoot
from bot.domain.model import Digest
from bot.domain.proofs import LogEntry, Signature, Statement

_MOST_ANNOTATION = 256 * 1024
"""A certificate has some 4 KB, and a log entry that and a signature again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    """What a layer holds: bytes that are signed, their signature, and the envelope that they are of, if any."""

    message: bytes
    signature: bytes
    envelope: Envelope | None = None

    def signed_by(self, signer: bytes) -> Signed:
        payload = hashlib.sha256(self.envelope.payload).digest() if self.envelope else None
        message = hashlib.sha256(self.message).digest()
        return Signed(message=message, payload=payload, signature=self.signature, signer=signer)

    def claim_of(self, digest: Digest) -> Claim:
        if self.envelope is None:
            return require_simple_signing(self.message, digest)
        return parse_statement(self.envelope.payload_type, self.envelope.payload, digest)


def prove_layer(found: FoundLayer, digest: Digest, trusted: Trusted) -> Signature | Statement:
    """Return what a layer proves of an image; raise `Refused`, or whatever the library raises, where nothing."""
    annotations = (found.signature, found.certificate, found.log)
    if len(found.payload) > MOST_BYTES or any(len(one or "") > _MOST_ANNOTATION for one in annotations):
        raise Refused(TOO_LARGE)
    content = _read_content(found)
    if found.certificate is None:
        return _prove_by_key(found, content, digest, trusted)
    if trusted.root is None:
        raise Refused(NO_TRUST_ROOT)
    return _prove_keyless(found, content, digest, trusted.root)


def _read_content(found: FoundLayer) -> _Content:
    """An envelope has its own signature; the annotation beside one is empty and is not looked at."""
    if found.is_envelope:
        envelope = read_envelope(parse_object(found.payload))
        return _Content(message=envelope.message, signature=envelope.signature, envelope=envelope)
    signature = parse_base64(found.signature or "")
    if not signature:
        raise Refused(NO_SIGNATURE)
    return _Content(message=found.payload, signature=signature)


def _prove_keyless(found: FoundLayer, content: _Content, digest: Digest, trust: TrustRoot) -> Signature | Statement:
    certificate = _read_certificate(found.certificate or "")
    if found.log is None:
        raise Refused(NO_LOG_ENTRY)
    promised = verify_promise(found.log, trust)
    trust.require_certified(certificate, promised.at)
    identity = read_identity(certificate)
    key = certificate.public_key()
    if not isinstance(key, Key) or not is_signed_by(key, content.signature, content.message):
        raise Refused(BAD_SIGNATURE)
    require_entry_of(promised.body, content.signed_by(certificate.public_bytes(Encoding.DER)))
    return content.claim_of(digest).by(Signature(found=found.digest, identity=identity, logged=promised.entry))


def _prove_by_key(found: FoundLayer, content: _Content, digest: Digest, trusted: Trusted) -> Signature | Statement:
    if content.envelope is None:
        made, claim = prove_payload(content.signature, content.message, digest, trusted.keys)
    else:
        made, claim = prove_envelope(content.envelope, digest, trusted.keys)
    logged = _verify_log(found.log, made.signed, trusted.root)
    return claim.by(Signature(found=found.digest, key=made.key.name, logged=logged))


def _verify_log(annotation: str | None, signed: Signed, trust: TrustRoot | None) -> LogEntry | None:
    """Without a trust root there is nothing to check an entry by, so it counts as none."""
    if annotation is None or trust is None:
        return None
    promised: Promised = verify_promise(annotation, trust)
    require_entry_of(promised.body, signed)
    return promised.entry


def _read_certificate(pem: str) -> Certificate:
    """Exactly one: with more, it would depend on the reader which one signed. The chain comes from the trust root."""
    try:
        certificates = load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        raise Refused(BAD_CERTIFICATE) from error
    if len(certificates) != 1:
        raise Refused(BAD_CERTIFICATE)
    return certificates[0]
