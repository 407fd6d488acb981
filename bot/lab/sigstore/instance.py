"""A Sigstore instance in miniature: it signs images and statements, keyless and with keys, and can do each wrongly.

Its signatures are real: a verifier accepts them by this instance's `trusted_root` in the way it accepts the public
instance's. Deterministic: the same seed, clock and calls give the same bytes (RSA and given keys aside).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from bot.adapters.found_proofs import FoundLayer
from bot.adapters.sigstore.envelopes import Envelope
from bot.adapters.sigstore.statements import SIGNED_IMAGE, SIMPLE_SIGNING, STATEMENT_PAYLOAD, STATEMENT_TYPES
from bot.domain.model import Digest
from bot.domain.proofs import Identity
from bot.lab.sigstore.authority import AuthorityLab, to_der
from bot.lab.sigstore.faults import Fault
from bot.lab.sigstore.keys import PrivateKey, Signer, spki, to_text
from bot.lab.sigstore.log import Entry, LogLab, envelope_body, hashed_body
from bot.ports import Clock

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_ROOT_TYPE = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
_LATE = timedelta(hours=1)

By = Identity | PrivateKey
"""Who signs: an identity, with a certificate, or a key alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """A signature that was made: by whom, over what hash, and the envelope it is in, if any."""

    signer: Signer
    signature: bytes
    entry: Entry
    envelope: bytes | None = None


class SigstoreLab:
    """Signs whatever it is told to, as whomever, at the clock's present instant."""

    def __init__(self, clock: Clock, *, seed: str = "liftlock lab", host: str = "rekor.lab.example") -> None:
        self._clock = clock
        self._authority = AuthorityLab(seed, clock.now())
        self._log = LogLab(seed, host)
        self._impostor = AuthorityLab(f"not {seed}", clock.now())
        self._other_log = LogLab(f"not {seed}", host)

    @property
    def trusted_root(self) -> bytes:
        """This instance's `trusted_root.json`."""
        served = {"start": self._authority.since.isoformat().replace("+00:00", "Z")}
        authority = {
            "subject": {"organization": "liftlock lab", "commonName": "intermediate"},
            "uri": "https://fulcio.lab.example",
            "certChain": {"certificates": [{"rawBytes": to_text(to_der(one))} for one in self._authority.chain]},
            "validFor": served,
        }
        root = {
            "mediaType": _ROOT_TYPE,
            "tlogs": [_described(f"https://{self._log.host}", self._log.key, served)],
            "certificateAuthorities": [authority],
            "ctlogs": [_described("https://ctfe.lab.example", self._authority.log_key, served)],
            "timestampAuthorities": [],
        }
        return json.dumps(root, indent=2).encode()

    # --- bundles ------------------------------------------------------------------------------------------------------

    def sign_statement(self, by: By, statement: Mapping[str, object], fault: Fault | None = None) -> bytes:
        """Return the bundle of a signed statement, whatever it says."""
        return self.sign_payload(by, json.dumps(statement).encode(), STATEMENT_PAYLOAD, fault)

    def sign_payload(self, by: By, payload: bytes, payload_type: str, fault: Fault | None = None) -> bytes:
        """Return the bundle of any payload of any type in an envelope."""
        made = self._sign_envelope(by, payload, payload_type, fault)
        return self._bundle(made, {"dsseEnvelope": json.loads(made.envelope or b"")}, fault)

    def attest(
        self,
        by: By,
        digest: Digest,
        predicate_type: str,
        predicate: Mapping[str, object],
        fault: Fault | None = None,
    ) -> bytes:
        """Return the bundle of a statement about an image."""
        return self.sign_statement(by, statement_about(digest, predicate_type, predicate), fault)

    def sign_image(self, by: By, digest: Digest, fault: Fault | None = None) -> bytes:
        """Return the bundle that cosign has written for a signed image since its version 3."""
        return self.attest(by, digest, SIGNED_IMAGE, {}, fault)

    def sign_digest(self, by: By, message: bytes, fault: Fault | None = None) -> bytes:
        """Return the bundle of a signature over a message: an image's manifest, or a simple-signing document."""
        made = self._sign_message(by, message, fault)
        digest = {"algorithm": "SHA2_256", "digest": to_text(hashlib.sha256(message).digest())}
        part = {"messageDigest": digest, "signature": to_text(made.signature)}
        return self._bundle(made, {"messageSignature": part}, fault)

    # --- layers -------------------------------------------------------------------------------------------------------

    def sign_image_as_cosign(
        self, by: By, digest: Digest, fault: Fault | None = None, *, kind: str = SIMPLE_SIGNING
    ) -> FoundLayer:
        """Return the layer that cosign wrote for a signed image before there were bundles."""
        image, identity = {"docker-manifest-digest": digest}, {"docker-reference": ""}
        document = {"critical": {"identity": identity, "image": image, "type": kind}, "optional": None}
        return self.sign_as_cosign(by, json.dumps(document, separators=(",", ":")).encode(), fault)

    def sign_as_cosign(self, by: By, payload: bytes, fault: Fault | None = None) -> FoundLayer:
        """Return the layer of any payload."""
        return self._layer(self._sign_message(by, payload, fault), payload, fault)

    def attest_as_cosign(
        self,
        by: By,
        digest: Digest,
        predicate_type: str,
        predicate: Mapping[str, object],
        fault: Fault | None = None,
    ) -> FoundLayer:
        """Return the layer that cosign wrote for a statement about an image before there were bundles."""
        payload = json.dumps(statement_about(digest, predicate_type, predicate)).encode()
        made = self._sign_envelope(by, payload, STATEMENT_PAYLOAD, fault)
        return self._layer(made, made.envelope or b"", fault)

    # --- making -------------------------------------------------------------------------------------------------------

    def _sign_message(self, by: By, message: bytes, fault: Fault | None) -> _Made:
        signer = self._signer(by, fault)
        signature = signer.sign(b"other" if fault is Fault.BAD_SIGNATURE else message)
        logged = signer.sign(b"another") if fault is Fault.OTHER_ENTRY else signature
        body = hashed_body(hashlib.sha256(message).digest(), logged, signer)
        return _Made(signer=signer, signature=signature, entry=self._enter("hashedrekord", body, fault))

    def _sign_envelope(self, by: By, payload: bytes, payload_type: str, fault: Fault | None) -> _Made:
        signer = self._signer(by, fault)
        message = Envelope(payload_type=payload_type, payload=payload, signature=b"").message
        signature = signer.sign(b"other" if fault is Fault.BAD_SIGNATURE else message)
        signatures = [{"sig": to_text(signature), "keyid": ""}]
        if fault is Fault.TWO_SIGNATURES:
            signatures *= 2
        if fault is Fault.NO_SIGNATURE:
            signatures = []
        content = {"payload": to_text(payload), "payloadType": payload_type, "signatures": signatures}
        envelope = json.dumps(content).encode()
        logged = b"another payload" if fault is Fault.OTHER_ENTRY else payload
        body = envelope_body(envelope, logged, signature, signer)
        return _Made(signer=signer, signature=signature, envelope=envelope, entry=self._enter("dsse", body, fault))

    def _signer(self, by: By, fault: Fault | None) -> Signer:
        if not isinstance(by, Identity):
            return Signer(key=by)
        authority = self._impostor if fault is Fault.OTHER_AUTHORITY else self._authority
        return authority.issue(by, self._clock.now(), fault)

    def _enter(self, kind: str, body: bytes, fault: Fault | None) -> Entry:
        at = self._clock.now() + (_LATE if fault is Fault.EXPIRED else timedelta(0))
        log = self._other_log if fault is Fault.OTHER_LOG else self._log
        return log.add(kind, body, at, fault)

    def _bundle(self, made: _Made, content: Mapping[str, object], fault: Fault | None) -> bytes:
        entries = [made.entry.bundled]
        if fault in (Fault.NO_LOG_ENTRY, Fault.ONLY_TIMESTAMP):
            entries = []
        if fault is Fault.TWO_LOG_ENTRIES:
            entries *= 2
        material: dict[str, object] = {"tlogEntries": entries, **_material(made.signer)}
        if fault is Fault.ONLY_TIMESTAMP:
            material["timestampVerificationData"] = {"rfc3161Timestamps": [{"signedTimestamp": to_text(b"stamp")}]}
        return json.dumps({"mediaType": MEDIA_TYPE, "verificationMaterial": material, **content}).encode()

    def _layer(self, made: _Made, payload: bytes, fault: Fault | None) -> FoundLayer:
        log = None if fault is Fault.NO_LOG_ENTRY else json.dumps(made.entry.annotated, separators=(",", ":"))
        return FoundLayer(
            digest=Digest("sha256:" + hashlib.sha256(payload).hexdigest()),
            payload=payload,
            is_envelope=made.envelope is not None,
            signature="" if made.envelope is not None else to_text(made.signature),
            certificate=made.signer.pem if made.signer.certificate else None,
            log=log,
        )


def statement_about(digest: Digest, predicate_type: str, predicate: Mapping[str, object]) -> dict[str, object]:
    """Return an in-toto statement about an image."""
    subject = {"name": "registry.lab.example/image", "digest": {"sha256": digest.removeprefix("sha256:")}}
    return {"_type": STATEMENT_TYPES[0], "subject": [subject], "predicateType": predicate_type, "predicate": predicate}


def _material(signer: Signer) -> dict[str, object]:
    if signer.certificate is not None:
        return {"certificate": {"rawBytes": to_text(to_der(signer.certificate))}}
    return {"publicKey": {"hint": to_text(hashlib.sha256(spki(signer.key)).digest())}}


def _described(url: str, key: PrivateKey, served: Mapping[str, str]) -> dict[str, object]:
    return {
        "baseUrl": url,
        "hashAlgorithm": "SHA2_256",
        "publicKey": {"rawBytes": to_text(spki(key)), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": served},
        "logId": {"keyId": to_text(hashlib.sha256(spki(key)).digest())},
    }
