"""A transparency log in miniature: a Merkle tree, signed checkpoints, proofs of inclusion, and promises.

Sources: RFC 6962 section 2.1 (tree and proofs), the checkpoint format of transparency-dev, Rekor's types 0.0.1.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from datetime import datetime

import rfc8785

from bot.lab.sigstore.faults import Fault
from bot.lab.sigstore.keys import Signer, derive_key, sign, spki, to_text

_ROTATED = 1_000_000
"""A log counts on over all its trees; only the proof has the index in the newest one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry as a bundle has it and as cosign's annotation has it, ready to be written as JSON."""

    bundled: dict[str, object]
    annotated: dict[str, object]


class LogLab:
    """Takes in whatever it is given. All that it signs follows from its seed. Safe for several threads."""

    def __init__(self, seed: str, host: str) -> None:
        self._lock = threading.Lock()
        self._leaves: list[bytes] = [_leaf(b"the first entry of the lab's log")]
        self.host = host
        self.key = derive_key(seed, "transparency log")
        self.identifier = hashlib.sha256(spki(self.key)).digest()

    def add(self, kind: str, body: bytes, at: datetime, fault: Fault | None = None) -> Entry:
        """Take in a body, and return the entry with its proof as of now."""
        with self._lock:
            self._leaves.append(_leaf(body))
            leaves = tuple(self._leaves)
        index, seconds = len(leaves) - 1, int(at.timestamp())
        promise = self._promise(body, _ROTATED + index + (fault is Fault.BAD_PROMISE), seconds)
        bundled: dict[str, object] = {
            "logIndex": str(_ROTATED + index),
            "logId": {"keyId": to_text(self.identifier)},
            "kindVersion": {"kind": kind, "version": "0.0.1"},
            "integratedTime": str(seconds),
            "inclusionPromise": {"signedEntryTimestamp": promise},
            "inclusionProof": self._proof(leaves, index, fault),
            "canonicalizedBody": to_text(body),
        }
        if fault is Fault.NO_PROMISE:
            del bundled["inclusionPromise"]
        if fault is Fault.NO_INCLUSION_PROOF:
            del bundled["inclusionProof"]
        payload = self._promised(body, _ROTATED + index, seconds)
        annotated: dict[str, object] = {"SignedEntryTimestamp": promise, "Payload": payload}
        if fault is Fault.NO_PROMISE:
            del annotated["SignedEntryTimestamp"]
        return Entry(bundled=bundled, annotated=annotated)

    def _promised(self, body: bytes, index: int, seconds: int) -> dict[str, str | int]:
        identifier = self.identifier.hex()
        return {"body": to_text(body), "integratedTime": seconds, "logIndex": index, "logID": identifier}

    def _promise(self, body: bytes, index: int, seconds: int) -> str:
        return to_text(sign(self.key, _canonical({**self._promised(body, index, seconds)})))

    def _proof(self, leaves: tuple[bytes, ...], index: int, fault: Fault | None) -> dict[str, object]:
        size, root = len(leaves), _tree(leaves)
        proven = index - 1 if fault is Fault.BAD_INCLUSION_PROOF else index
        signed = (root, size + 1) if fault is Fault.BAD_CHECKPOINT else (root, size)
        return {
            "logIndex": str(proven),
            "rootHash": to_text(root),
            "treeSize": str(2 * size if fault is Fault.OTHER_TREE_SIZE else size),
            "hashes": [to_text(one) for one in _path(leaves, proven)],
            "checkpoint": {"envelope": self._checkpoint(root, size, self._note(*signed))},
        }

    def _note(self, root: bytes, size: int) -> str:
        return f"{self.host} - 1\n{size}\n{to_text(root)}\n"

    def _checkpoint(self, root: bytes, size: int, signed: str) -> str:
        signature = to_text(self.identifier[:4] + sign(self.key, signed.encode()))
        return f"{self._note(root, size)}\n\N{EM DASH} {self.host} {signature}\n"


def hashed_body(digest: bytes, signature: bytes, signer: Signer) -> bytes:
    """Return the body of an entry for a signature over a message, of which the log sees only the hash."""
    spec = {
        "data": {"hash": {"algorithm": "sha256", "value": digest.hex()}},
        "signature": {"content": to_text(signature), "publicKey": {"content": to_text(signer.pem.encode())}},
    }
    return _canonical({"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": spec})


def envelope_body(envelope: bytes, payload: bytes, signature: bytes, signer: Signer) -> bytes:
    """Return the body of an entry for an envelope."""
    spec = {
        "envelopeHash": {"algorithm": "sha256", "value": hashlib.sha256(envelope).hexdigest()},
        "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()},
        "signatures": [{"signature": to_text(signature), "verifier": to_text(signer.pem.encode())}],
    }
    return _canonical({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec})


def _canonical(document: dict[str, object]) -> bytes:
    return rfc8785.dumps(document)  # type: ignore[arg-type]  # its type for JSON is not public


def _leaf(body: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + body).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _split(size: int) -> int:
    """The largest power of two below a size."""
    return 1 << ((size - 1).bit_length() - 1)


def _tree(leaves: tuple[bytes, ...]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    at = _split(len(leaves))
    return _node(_tree(leaves[:at]), _tree(leaves[at:]))


def _path(leaves: tuple[bytes, ...], index: int) -> list[bytes]:
    """The hashes beside the way from a leaf to the root, from below."""
    if len(leaves) == 1:
        return []
    at = _split(len(leaves))
    if index < at:
        return [*_path(leaves[:at], index), _tree(leaves[at:])]
    return [*_path(leaves[at:], index - at), _tree(leaves[:at])]
