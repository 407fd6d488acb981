"""Keys of the lab: each is derived from a seed and a name, so that the same world signs the same bytes.

Nothing but the lab may trust them: whoever knows the seed has them.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import Certificate

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def derive_key(seed: str, name: str, curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
    """Return the key of a seed and a name, on P-256 where no curve is given."""
    secret = int.from_bytes(hashlib.sha256(f"{seed}\n{name}".encode()).digest()) >> 1
    return ec.derive_private_key(secret + 1, curve or ec.SECP256R1())


def spki(key: PrivateKey) -> bytes:
    """Return the public half as SubjectPublicKeyInfo in DER."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def public_pem(key: PrivateKey) -> str:
    """Return the public half in PEM, as the settings want it."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def sign(key: PrivateKey, message: bytes) -> bytes:
    """Sign with the hash that goes with the key: SHA-256, SHA-384 on the longer curve, none of its own for Ed25519."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, padding.PKCS1v15(), hashes.SHA256())
    algorithm = hashes.SHA384() if key.curve.name == "secp384r1" else hashes.SHA256()
    return key.sign(message, ec.ECDSA(algorithm, deterministic_signing=True))


def to_text(content: bytes) -> str:
    """Write bytes in base64."""
    return b64encode(content).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A key and, for a keyless signature, the certificate that was issued for it."""

    key: PrivateKey = field(repr=False)
    certificate: Certificate | None = None

    @property
    def pem(self) -> str:
        """The certificate or, without one, the public key, in PEM."""
        if self.certificate is None:
            return public_pem(self.key)
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def sign(self, message: bytes) -> bytes:
        """Sign a message."""
        return sign(self.key, message)
