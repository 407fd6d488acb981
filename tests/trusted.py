"""Builders of what is proven of an artifact: signed by checkout's release workflow, unless a test says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.gates.artifact import Subject
from bot.domain.model import Artifact, Checked, Digest, Release, Sha, Trouble
from bot.domain.proofs import Attested, Identity, LogEntry, Proven, Scalar, Signature, Unproven
from bot.domain.signers import Keyless, Template
from bot.domain.trust import ProvenanceRule, SignatureRule
from tests.builders import IMAGE, NEW, NOON

DIGEST = Digest(f"sha256:{'a' * 64}")
FOUND = Digest(f"sha256:{'b' * 64}")
REVISION = Sha("c" * 40)
ISSUER = "https://token.actions.githubusercontent.com"
WORKFLOW = "https://github.com/acme/checkout/.github/workflows/release.yml"
REPOSITORY = "https://github.com/acme/checkout"
SLSA = "https://slsa.dev/provenance/v1"
RELEASE = Release(image=IMAGE, tag=NEW, digest=DIGEST)
LOGGED = LogEntry(log="rekor.sigstore.dev", index=4711, at=NOON - timedelta(hours=1))


def an_identity(**changes: object) -> Identity:
    identity = Identity(
        issuer=ISSUER,
        subject=f"{WORKFLOW}@refs/tags/v{NEW}",
        source_repository=REPOSITORY,
        source_repository_id="1296269",
        source_owner_id="9919",
        source_ref=f"refs/tags/v{NEW}",
        source_commit=REVISION,
        runner="github-hosted",
        trigger="push",
    )
    return replace(identity, **changes)  # type: ignore[arg-type]  # a test's own fields


def a_signature(**changes: object) -> Signature:
    return Signature(found=FOUND, identity=an_identity(**changes), logged=LOGGED)


def by_key(key: str, logged: LogEntry | None = LOGGED) -> Signature:
    return Signature(found=FOUND, key=key, logged=logged)


def a_signer(**changes: object) -> Keyless:
    signer = Keyless(issuer=ISSUER, identity=Template(f"{WORKFLOW}@refs/tags/v{{version}}"), repository=REPOSITORY)
    return replace(signer, **changes)  # type: ignore[arg-type]  # a test's own fields


def attested(
    kind: str, values: Mapping[str, tuple[Scalar, ...] | None], signature: Signature | None = None
) -> Attested:
    return Attested(signature=signature or a_signature(), predicate_type=kind, values=values)


def a_signature_rule(**changes: object) -> SignatureRule:
    return SignatureRule(name="artifact-signature", signer=a_signer(**changes))


def a_provenance_rule(*, builder: str | None = None, **changes: object) -> ProvenanceRule:
    template = Template(builder) if builder is not None else None
    return ProvenanceRule(name="artifact-provenance", signer=a_signer(**changes), builder=template)


def proven_of(
    *signatures: Signature, statements: tuple[Attested, ...] = (), unproven: tuple[Unproven, ...] = ()
) -> Proven:
    return Proven(digest=DIGEST, signatures=signatures, attested=statements, unproven=unproven)


def a_subject(
    proven: Proven | Trouble | None,
    *,
    checked: Checked | Trouble | None = None,
    artifact: Artifact | Trouble | None = None,
    now: datetime = NOON,
) -> Subject:
    known = artifact if artifact is not None else Artifact(digest=DIGEST, revision=Sha("d" * 40))
    return Subject(release=RELEASE, artifact=known, proven=proven, checked=checked, now=now)
