"""A signing authority in miniature: a root, an intermediate, short certificates, and the log that they are shown to.

Sources: RFC 6962 (certificate transparency), the object identifiers of sigstore/fulcio.
"""

from __future__ import annotations

import hashlib
import struct
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bot.adapters.sigstore.identity import FIELDS, ISSUER
from bot.domain.proofs import Identity
from bot.lab.sigstore.faults import Fault
from bot.lab.sigstore.keys import Signer, derive_key, sign, spki

_LIFE = timedelta(minutes=10)
_AUTHORITY_LIFE = timedelta(days=3650)
_EARLIER = timedelta(days=1)
_SCT_LIST = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_ORGANIZATION = "liftlock lab"


class AuthorityLab:
    """Issues certificates of ten minutes to anybody who is named. All that it does follows from its seed."""

    def __init__(self, seed: str, start: datetime) -> None:
        self._seed = seed
        self._root_key = derive_key(seed, "root", ec.SECP384R1())
        self._key = derive_key(seed, "intermediate", ec.SECP384R1())
        self.log_key = derive_key(seed, "certificate log")
        self.since = start.replace(microsecond=0) - _EARLIER
        root_name, name = _name("root"), _name("intermediate")
        root = self._authority(root_name, self._root_key, root_name, path_length=1)
        self._certificate = self._authority(name, self._key, root_name, path_length=0)
        self.chain = (self._certificate, root)
        self._issued = 0

    def issue(self, identity: Identity, at: datetime, fault: Fault | None = None) -> Signer:
        """Return a new key with a certificate for an identity."""
        self._issued += 1
        key = derive_key(self._seed, f"leaf {self._issued}")
        plain = self._leaf(identity, key, at, fault)
        certificate = self._sign(plain)
        if fault is not Fault.NO_SCT:
            listed = x509.UnrecognizedExtension(_SCT_LIST, self._sct_list(certificate, at, fault))
            certificate = self._sign(plain.add_extension(listed, critical=False))
        return Signer(key=key, certificate=certificate)

    def _authority(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, issuer: x509.Name, *, path_length: int
    ) -> x509.Certificate:
        public, root = key.public_key(), self._root_key.public_key()
        builder = (
            x509.CertificateBuilder(issuer, name, public, self._serial(name.rfc4514_string()))
            .not_valid_before(self.since)
            .not_valid_after(self.since + _AUTHORITY_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
            .add_extension(_usage(key_cert_sign=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root), critical=False)
        )
        return builder.sign(self._root_key, hashes.SHA384(), ecdsa_deterministic=True)

    def _leaf(
        self, identity: Identity, key: ec.EllipticCurvePrivateKey, at: datetime, fault: Fault | None
    ) -> x509.CertificateBuilder:
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if fault is Fault.NOT_FOR_CODE else ExtendedKeyUsageOID.CODE_SIGNING
        since = at.astimezone(UTC).replace(microsecond=0)
        issuer = self._key.public_key()
        names = x509.SubjectAlternativeName(_names(identity.subject, fault))
        builder = (
            x509.CertificateBuilder(
                self._certificate.subject, x509.Name([]), key.public_key(), self._serial(f"leaf {self._issued}")
            )
            .not_valid_before(since)
            .not_valid_after(since + _LIFE)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer), critical=False)
            .add_extension(names, critical=True)
        )
        for identifier, value in _fields(identity, fault):
            builder = builder.add_extension(x509.UnrecognizedExtension(identifier, value), critical=False)
        return builder

    def _sign(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        return builder.sign(self._key, hashes.SHA384(), ecdsa_deterministic=True)

    def _serial(self, name: str) -> int:
        return int.from_bytes(hashlib.sha256(f"{self._seed}\n{name}".encode()).digest()[:16]) | 1

    def _sct_list(self, certificate: x509.Certificate, at: datetime, fault: Fault | None) -> bytes:
        """Return the certificate log's signature over what the certificate will be, in a list of one."""
        milliseconds = int(at.timestamp() * 1000)
        content = certificate.tbs_certificate_bytes
        length = len(content).to_bytes(3)
        issuer = hashlib.sha256(spki(self._key)).digest()
        signed = milliseconds + (fault is Fault.BAD_SCT)
        entry = struct.pack("!BBQH", 0, 0, signed, 1) + issuer + length + content + struct.pack("!H", 0)
        signature = sign(self.log_key, entry)
        log = hashlib.sha256(spki(self.log_key)).digest()
        stamp = struct.pack("!B32sQHBBH", 0, log, milliseconds, 0, 4, 3, len(signature)) + signature
        listed = struct.pack("!H", len(stamp)) + stamp
        return asn1.encode_der(struct.pack("!H", len(listed)) + listed)


def to_der(certificate: x509.Certificate) -> bytes:
    """Return a certificate in DER."""
    return certificate.public_bytes(Encoding.DER)


def _name(common: str) -> x509.Name:
    attributes = ((NameOID.ORGANIZATION_NAME, _ORGANIZATION), (NameOID.COMMON_NAME, common))
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in attributes])


def _names(subject: str, fault: Fault | None) -> list[x509.GeneralName]:
    if fault is Fault.NO_SUBJECT:
        return [x509.DNSName("signer.example")]
    name = x509.UniformResourceIdentifier(subject) if "://" in subject else x509.RFC822Name(subject)
    return [name, x509.RFC822Name("other@example.com")] if fault is Fault.TWO_SUBJECTS else [name]


def _fields(identity: Identity, fault: Fault | None) -> list[tuple[x509.ObjectIdentifier, bytes]]:
    named = [(identifier, getattr(identity, name)) for name, identifier in FIELDS.items()]
    if fault is not Fault.NO_ISSUER:
        named.insert(0, (ISSUER, identity.issuer))
    found = [(identifier, asn1.encode_der(value)) for identifier, value in named if value is not None]
    return [(identifier, b"\x02\x01\x07") for identifier, _ in found] if fault is Fault.BAD_FIELD else found


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=key_cert_sign,
        encipher_only=False,
        decipher_only=False,
    )
