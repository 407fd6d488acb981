"""DSSE envelopes: what is in one, and what its signature is made over. Source: DSSE v1 (secure-systems-lab)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.adapters.sigstore.json_values import bytes_at, text_at
from bot.adapters.sigstore.refusals import NO_SIGNATURE, NOT_ONE_SIGNATURE, Refused
from bot.domain.proofs import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A payload, its type, and the one signature over both."""

    payload_type: str
    payload: bytes
    signature: bytes

    @property
    def message(self) -> bytes:
        """The bytes that are signed: type and payload, each after its length, so that neither passes for the other."""
        kind = self.payload_type.encode("utf-8")
        return b" ".join((b"DSSEv1", b"%d" % len(kind), kind, b"%d" % len(self.payload), self.payload))


def read_envelope(value: Mapping[str, Json]) -> Envelope:
    """Read an envelope; raise `Refused` unless it has exactly one signature.

    With two, it would depend on the reader whose signature it is.
    """
    signatures = value.get("signatures")
    if not isinstance(signatures, tuple) or len(signatures) != 1 or not isinstance(signatures[0], Mapping):
        raise Refused(NOT_ONE_SIGNATURE)
    signature = bytes_at(signatures[0], "sig")
    if not signature:
        raise Refused(NO_SIGNATURE)
    return Envelope(payload_type=text_at(value, "payloadType"), payload=bytes_at(value, "payload"), signature=signature)
