"""The port `Summaries`: sign a verification summary with the bot's own key, and write it where others find it.

The key is read anew each time, so that an exchanged one takes effect. Signed is a DSSE envelope, as cosign attaches and
verifies it; without a key the plain statement is kept. Source: DSSE v1 (secure-systems-lab).
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from bot.domain.summaries import PAYLOAD_TYPE, Summary
from bot.ports import Permanent

_SYSTEM = "summaries"
_MOST_BYTES = 64 * 1024
_Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedSummaries:
    """Keeps summaries. `verifier` is how the bot calls itself in them; without `directory` no file is written.

    `key_file` None leaves them unsigned.
    """

    verifier: str
    key_file: Path | None = None
    directory: Path | None = None

    def keep(self, name: str, summary: Summary) -> str:
        """Sign a summary, write it as `NAME.json`, and return what was written. Raise Permanent where it cannot be."""
        text = summary.statement if self.key_file is None else _envelope(summary.statement, self._key(self.key_file))
        if self.directory is not None:
            self._write(self.directory, name, text)
        return text

    @staticmethod
    def _write(directory: Path, name: str, text: str) -> None:
        """Write a file whole or not at all: whoever looks must not find the half of one."""
        try:
            directory.mkdir(parents=True, exist_ok=True)
            number, scratch = tempfile.mkstemp(dir=directory, prefix=".", suffix=".json")
            try:
                with os.fdopen(number, "w", encoding="utf-8") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                Path(scratch).chmod(0o644)
                Path(scratch).replace(directory / f"{name}.json")
            finally:
                Path(scratch).unlink(missing_ok=True)
        except OSError as error:
            raise Permanent(_SYSTEM, f"{directory}: cannot be written: {error.strerror}") from error

    @staticmethod
    def _key(file: Path) -> _Key:
        try:
            with file.open("rb") as opened:
                content = opened.read(_MOST_BYTES)
            key = load_pem_private_key(content, password=None)
        except OSError as error:
            raise Permanent(_SYSTEM, f"{file}: cannot be read: {error.strerror}") from error
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise Permanent(_SYSTEM, f"{file}: is no private key in PEM without a password") from error
        is_fit = isinstance(key, ed25519.Ed25519PrivateKey) or (
            isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1)
        )
        if not is_fit:
            raise Permanent(_SYSTEM, f"{file}: is a key of another kind: ECDSA on P-256 or Ed25519 is expected")
        assert isinstance(key, _Key)  # noqa: S101 - one of the two
        return key


def _envelope(statement: str, key: _Key) -> str:
    payload, kind = statement.encode("ascii"), PAYLOAD_TYPE.encode("ascii")
    message = b" ".join((b"DSSEv1", b"%d" % len(kind), kind, b"%d" % len(payload), payload))
    signature = (
        key.sign(message)
        if isinstance(key, ed25519.Ed25519PrivateKey)
        else key.sign(message, ec.ECDSA(hashes.SHA256()))
    )
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    envelope = {
        "payload": base64.b64encode(payload).decode("ascii"),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [
            {"keyid": hashlib.sha256(public).hexdigest(), "sig": base64.b64encode(signature).decode("ascii")}
        ],
    }
    return json.dumps(envelope, sort_keys=True, separators=(",", ":"))
