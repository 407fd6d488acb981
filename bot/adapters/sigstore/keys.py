"""Public keys of the settings: which one made a signature."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

Key = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey

_LEAST_RSA_BITS = 2048
# Signers took SHA-256 for every curve before they went by the curve, so the longer curve is seen with both.
_HASHES: dict[type[ec.EllipticCurve], tuple[hashes.HashAlgorithm, ...]] = {
    ec.SECP256R1: (hashes.SHA256(),),
    ec.SECP384R1: (hashes.SHA256(), hashes.SHA384()),
}


class BadKey(ValueError):
    """A text of the settings that is no public key to verify signatures with. The message is fit for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedKey:
    """A public key and its name in the settings. `der` is the key as SubjectPublicKeyInfo."""

    name: str
    key: Key = field(repr=False)
    der: bytes = field(repr=False)

    def made(self, signature: bytes, message: bytes) -> bool:
        """Say whether this key made the signature over the message."""
        return is_signed_by(self.key, signature, message)

    def made_over(self, signature: bytes, sha256: bytes) -> bool:
        """Say whether this key made the signature over a message of which only the hash is known.

        Ed25519 needs the message itself, so the answer is no.
        """
        ready = Prehashed(hashes.SHA256())
        if isinstance(self.key, rsa.RSAPublicKey):
            rsa_key = self.key
            return _holds(lambda: rsa_key.verify(signature, sha256, padding.PKCS1v15(), ready))
        if isinstance(self.key, ec.EllipticCurvePublicKey):
            curve_key = self.key
            return _holds(lambda: curve_key.verify(signature, sha256, ec.ECDSA(ready)))
        return False


def parse_public_key(name: str, pem: str) -> NamedKey:
    """Read a key in PEM: ECDSA on P-256 or P-384, RSA of at least 2,048 bits, or Ed25519; raise `BadKey` else."""
    try:
        key = load_pem_public_key(pem.encode())
    except Exception as error:  # the library raises several kinds, which mean the same here
        raise BadKey(f"the public key {name!r} is no public key in PEM") from error
    if not isinstance(key, Key):
        raise BadKey(f"the public key {name!r} is not of a kind that is used: ECDSA, RSA or Ed25519")
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < _LEAST_RSA_BITS:
        raise BadKey(f"the public key {name!r} is an RSA key of fewer than {_LEAST_RSA_BITS} bits")
    if isinstance(key, ec.EllipticCurvePublicKey) and type(key.curve) not in _HASHES:
        raise BadKey(f"the public key {name!r} is on a curve that is not used: P-256 or P-384 are")
    return NamedKey(name=name, key=key, der=key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def require_distinct(keys: Sequence[NamedKey]) -> None:
    """Raise `BadKey` where two keys share a name, or two names a key: who signed would then have no one answer."""
    if len({key.name for key in keys}) != len(keys):
        raise BadKey("two public keys have one name")
    if len({hashlib.sha256(key.der).digest() for key in keys}) != len(keys):
        raise BadKey("one public key has two names")


def is_signed_by(key: Key, signature: bytes, message: bytes) -> bool:
    """Say whether a key made a signature over a message, with the hash that goes with the key."""
    if isinstance(key, ed25519.Ed25519PublicKey):
        return _holds(lambda: key.verify(signature, message))
    if isinstance(key, rsa.RSAPublicKey):
        return _holds(lambda: key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256()))
    algorithms = _HASHES.get(type(key.curve), ())
    return any(_holds(partial(key.verify, signature, message, ec.ECDSA(one))) for one in algorithms)


def _holds(verify: Callable[[], None]) -> bool:
    try:
        verify()
    except InvalidSignature:
        return False
    return True
