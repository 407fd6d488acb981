"""Bytes that were found beside an image in, what is proven of it out; what proves nothing is a sentence, not an error.

Pure and without time: what a signature proves is judged at the instant of signing, so the same bytes prove the same
tomorrow. Nothing is asked of the network. Whether the signer is the right one is not decided here.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence

from bot.adapters.found_proofs import Found, FoundBundle
from bot.adapters.sigstore.bundles import prove_bundle
from bot.adapters.sigstore.keys import NamedKey, require_distinct
from bot.adapters.sigstore.layers import prove_layer
from bot.adapters.sigstore.refusals import sentence_for
from bot.adapters.sigstore.trust import Trusted, TrustRoot
from bot.domain.model import Digest
from bot.domain.proofs import Proofs, Signature, Statement, Unproven

Proof = Signature | Statement | Unproven

_MOST_REMEMBERED = 4096
_MOST_REMEMBERED_BYTES = 16 * 1024 * 1024
"""Of what was found; the proofs of it take some times as much."""


class SigstoreVerifier:
    """Verifies what was found beside images by a trust root and public keys; remembers what it verified."""

    def __init__(self, *, root: TrustRoot | None, keys: Sequence[NamedKey] = ()) -> None:
        """Raise `BadKey` where two keys share a name or two names a key."""
        require_distinct(keys)
        self._trusted = Trusted(root=root, keys=tuple(keys))
        self._trusted_hash = _hash_of(
            [root.sha256 if root else b"", *(part for key in keys for part in (key.name.encode(), key.der))]
        )
        self._remembered = _Remembered()

    def verify(self, found: Sequence[Found], digest: Digest) -> Proofs:
        """Return all that is proven of an image by what was found beside it. Never raises for what was found.

        The same bytes twice count once: one signature must not pass for two.
        """
        proofs: dict[bytes, Proof] = {}
        for one in found:
            key = _hash_of([self._trusted_hash, digest.encode(), *_parts(one)])
            if key not in proofs:
                proofs[key] = self._remembered.get(key) or self._prove(one, digest, key)
        return _sorted_proofs(digest, list(proofs.values()))

    def _prove(self, found: Found, digest: Digest, key: bytes) -> Proof:
        proof: Proof
        try:
            proof = self._proof_by(found, digest)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001  # hostile bytes make libraries raise anything, panics included
            proof = Unproven(found=found.digest, reason=sentence_for(error))
        self._remembered.put(key, proof, sum(map(len, _parts(found))))
        return proof

    def _proof_by(self, found: Found, digest: Digest) -> Signature | Statement:
        if isinstance(found, FoundBundle):
            return prove_bundle(found, digest, self._trusted)
        return prove_layer(found, digest, self._trusted)


class _Remembered:
    """The newest proofs by what they follow from, up to a number and a size. Safe for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._proofs: OrderedDict[bytes, tuple[Proof, int]] = OrderedDict()
        self._bytes = 0

    def get(self, key: bytes) -> Proof | None:
        with self._lock:
            if key not in self._proofs:
                return None
            self._proofs.move_to_end(key)
            return self._proofs[key][0]

    def put(self, key: bytes, proof: Proof, size: int) -> None:
        with self._lock:
            if key not in self._proofs:
                self._bytes += size
            self._proofs[key] = (proof, size)
            while len(self._proofs) > _MOST_REMEMBERED or self._bytes > _MOST_REMEMBERED_BYTES:
                _, (_, dropped) = self._proofs.popitem(last=False)
                self._bytes -= dropped


def _sorted_proofs(digest: Digest, proofs: Sequence[Proof]) -> Proofs:
    return Proofs(
        digest=digest,
        signatures=tuple(one for one in proofs if isinstance(one, Signature)),
        statements=tuple(one for one in proofs if isinstance(one, Statement)),
        unproven=tuple(one for one in proofs if isinstance(one, Unproven)),
    )


def _parts(found: Found) -> list[bytes]:
    """All that a proof may depend on; the digest that came with the bytes is only a name for them."""
    name = found.digest.encode()
    if isinstance(found, FoundBundle):
        return [b"bundle", name, found.content, *_optional(found.payload)]
    texts = (found.signature, found.certificate, found.chain, found.log)
    encoded = [part for text in texts for part in _optional(text.encode("utf-8", "surrogatepass") if text else None)]
    return [b"envelope" if found.is_envelope else b"layer", name, found.payload, *encoded]


def _optional(content: bytes | None) -> tuple[bytes, bytes]:
    return (b"none", b"") if content is None else (b"some", content)


def _hash_of(parts: Sequence[bytes]) -> bytes:
    """Each part after its length, so that no two lists of parts run together into one."""
    hashed = hashlib.sha256()
    for part in parts:
        hashed.update(b"%d:" % len(part))
        hashed.update(part)
    return hashed.digest()
