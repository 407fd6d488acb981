"""What is proven of an artifact: who signed it, and what was attested of it, by signatures that hold.

Everything here was verified before: the signature is the key's or the certificate's, the certificate was issued by a
trusted authority and valid when it signed, the transparency log has the entry, and the statement is of this digest.
Whether the signer is the right one is decided by the policy, in `bot.domain.gates.artifact`, and never here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from bot.domain.model import Digest

Json = None | bool | int | float | str | tuple["Json", ...] | Mapping[str, "Json"]
"""A JSON value; lists are tuples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a certificate of a signing authority says of the signer; the authority checked each field.

    `subject` is the certificate's one alternative name: a workflow with its ref, a mail address or a URI. The others
    are its extensions of the same meaning, None where it has none. `source_*` is what was built, `signer_*` the
    workflow that built it, which may be another repository's. Ids are the forge's numbers, as text: a name can be
    registered anew by somebody else, its number can not.
    Source: the table of object identifiers of Fulcio, 1.3.6.1.4.1.57264.1.8 to .22.
    """

    issuer: str
    subject: str
    source_repository: str | None = None
    source_repository_id: str | None = None
    source_owner: str | None = None
    source_owner_id: str | None = None
    source_ref: str | None = None
    source_commit: str | None = None
    signer: str | None = None
    signer_commit: str | None = None
    runner: str | None = None
    trigger: str | None = None
    run: str | None = None
    visibility: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """Where the transparency log has the signature: the log's host, the entry's index, and when it came in, if told."""

    log: str
    index: int
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A signature that holds. Exactly one of `identity` (keyless) and `key` is set.

    `key` is the name of a public key of the settings. `logged` is None where no log entry was found; without a
    certificate that may be allowed.
    `found` is the digest of the bytes that it was read from.
    """

    found: Digest
    identity: Identity | None = None
    key: str | None = None
    logged: LogEntry | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A signed in-toto statement about the artifact: its predicate's type, and what it says."""

    signature: Signature
    predicate_type: str
    predicate: Mapping[str, Json] = field(default_factory=dict)


Scalar = None | bool | int | float | str
"""A JSON value without parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """What a policy asks of a signed statement: for each path the values that stand there, each once.

    None where the path leads nowhere, which is not the same as a list that is there and empty.
    """

    signature: Signature
    predicate_type: str
    values: Mapping[str, tuple[Scalar, ...] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unproven:
    """Something that was found beside the artifact and proves nothing, and the sentence why not."""

    found: Digest
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proofs:
    """All that was found and verified beside one artifact. An artifact without any has three empty tuples."""

    digest: Digest
    signatures: tuple[Signature, ...] = ()
    statements: tuple[Statement, ...] = ()
    unproven: tuple[Unproven, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """What of an artifact's proofs a policy looks at: statements may be large, and only some of their values matter."""

    digest: Digest
    signatures: tuple[Signature, ...] = ()
    attested: tuple[Attested, ...] = ()
    unproven: tuple[Unproven, ...] = ()
    kind: Literal["proven"] = "proven"
