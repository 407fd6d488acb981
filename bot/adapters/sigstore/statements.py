"""What a verified signature is about: an in-toto statement, or a simple-signing document; and whether it is this image.

Sources: in-toto attestation framework v1 and v0.1 (statement, digest set), DSSE v1, container signature format of
containers/image ("simple signing") as cosign writes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from bot.adapters.sigstore.json_values import mapping_at, parse_object
from bot.adapters.sigstore.refusals import (
    MALFORMED,
    MANY_SUBJECTS,
    NO_STATEMENT,
    NO_SUBJECT,
    NOT_SIMPLE_SIGNING,
    OTHER_DIGEST,
    OTHER_PAYLOAD,
    OTHER_SUBJECT,
    Refused,
)
from bot.domain.model import Digest
from bot.domain.proofs import Json, Signature, Statement

STATEMENT_PAYLOAD = "application/vnd.in-toto+json"
STATEMENT_TYPES = ("https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1")
SIGNED_IMAGE = "https://sigstore.dev/cosign/sign/v1"
"""The predicate type of a statement that says no more than that the image is signed."""
SIMPLE_SIGNING = "cosign container image signature"
MOST_SUBJECTS = 1000
MOST_CHARACTERS = 1000
"""Of a predicate's type, which is a URI; people are shown it."""

_NOTHING: Mapping[str, Json] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What was claimed of the image: that it is signed (`predicate_type` None), or a statement's predicate."""

    predicate_type: str | None = None
    predicate: Mapping[str, Json] = field(default_factory=lambda: _NOTHING)

    def by(self, signature: Signature) -> Signature | Statement:
        """Return the proof that the claim is, made by a signature."""
        if self.predicate_type is None:
            return signature
        return Statement(signature=signature, predicate_type=self.predicate_type, predicate=self.predicate)


IS_SIGNED = Claim()


def parse_statement(payload_type: str, payload: bytes, digest: Digest) -> Claim:
    """Read a statement that is about the digest; raise `Refused` for anything else."""
    if payload_type != STATEMENT_PAYLOAD:
        raise Refused(OTHER_PAYLOAD)
    statement = parse_object(payload)
    predicate_type = statement.get("predicateType")
    if statement.get("_type") not in STATEMENT_TYPES or not isinstance(predicate_type, str):
        raise Refused(NO_STATEMENT)
    if not 0 < len(predicate_type) <= MOST_CHARACTERS:
        raise Refused(NO_STATEMENT)
    _require_subject(statement.get("subject"), digest)
    predicate = statement.get("predicate")
    if predicate is None:
        predicate = _NOTHING
    if not isinstance(predicate, Mapping):
        raise Refused(NO_STATEMENT)
    return IS_SIGNED if predicate_type == SIGNED_IMAGE else Claim(predicate_type=predicate_type, predicate=predicate)


def require_simple_signing(payload: bytes, digest: Digest) -> Claim:
    """Raise `Refused` unless a simple-signing document is of the digest.

    The image's name in it is not looked at: what is promoted is known by its digest, and images are copied.
    """
    try:
        critical = mapping_at(parse_object(payload), "critical")
        image = mapping_at(critical, "image")
    except Refused as error:
        raise Refused(NOT_SIMPLE_SIGNING if error.sentence == MALFORMED else error.sentence) from error
    if critical.get("type") != SIMPLE_SIGNING:
        raise Refused(NOT_SIMPLE_SIGNING)
    if image.get("docker-manifest-digest") != digest:
        raise Refused(OTHER_DIGEST)
    return IS_SIGNED


def _require_subject(subjects: Json, digest: Digest) -> None:
    if not isinstance(subjects, tuple) or not subjects:
        raise Refused(NO_SUBJECT)
    if len(subjects) > MOST_SUBJECTS:
        raise Refused(MANY_SUBJECTS)
    if digest not in (_sha256_of(subject) for subject in subjects):
        raise Refused(OTHER_SUBJECT)


def _sha256_of(subject: Json) -> str | None:
    """Only this algorithm counts: it is the one that names the image."""
    digests = subject.get("digest") if isinstance(subject, Mapping) else None
    found = digests.get("sha256") if isinstance(digests, Mapping) else None
    return f"sha256:{found}" if isinstance(found, str) else None
