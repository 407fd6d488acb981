"""An image, a signer, a Sigstore instance of the lab, and verifiers that trust it."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.adapters.found_proofs import Found, FoundBundle, FoundLayer
from bot.adapters.sigstore import NamedKey, SigstoreVerifier, parse_public_key, parse_trust_root
from bot.domain.model import Digest
from bot.domain.proofs import Identity, Proofs, Signature, Statement
from bot.lab.clock import ManualClock
from bot.lab.sigstore import Fault, SigstoreLab, derive_key, public_pem

START = datetime(2026, 3, 2, 9, 30, 15, 250_000, tzinfo=UTC)
MANIFEST = b'{"schemaVersion":2}'
IMAGE = Digest("sha256:" + hashlib.sha256(MANIFEST).hexdigest())
OTHER_IMAGE = Digest("sha256:" + "5" * 64)
PROVENANCE = "https://slsa.dev/provenance/v1"
WORKFLOW = "https://github.com/acme/checkout/.github/workflows/release.yml@refs/heads/main"
CI = Identity(
    issuer="https://token.actions.githubusercontent.com",
    subject=WORKFLOW,
    source_repository="https://github.com/acme/checkout",
    source_repository_id="1234567",
    source_owner="https://github.com/acme",
    source_owner_id="7654321",
    source_ref="refs/heads/main",
    source_commit="c" * 40,
    signer=WORKFLOW,
    signer_commit="c" * 40,
    runner="github-hosted",
    trigger="push",
    run="https://github.com/acme/checkout/actions/runs/42/attempts/1",
    visibility="public",
)
RELEASE_KEY = derive_key("tests", "release")
OTHER_KEY = derive_key("tests", "other")


def a_lab() -> SigstoreLab:
    """Return an instance at the start of the world; each signs the same."""
    return SigstoreLab(ManualClock(START))


def release_key() -> NamedKey:
    """Return the public half of the key that releases are signed with."""
    return parse_public_key("release", public_pem(RELEASE_KEY))


def a_verifier(lab: SigstoreLab, keys: Sequence[NamedKey] | None = None) -> SigstoreVerifier:
    """Return a verifier that trusts a lab, and the release key unless others are given."""
    return SigstoreVerifier(root=parse_trust_root(lab.trusted_root), keys=[release_key()] if keys is None else keys)


def a_bundle(content: bytes, payload: bytes | None = None) -> FoundBundle:
    """Return a bundle as it is found."""
    return FoundBundle(digest=Digest("sha256:" + hashlib.sha256(content).hexdigest()), content=content, payload=payload)


def proof_of(proofs: Proofs) -> Signature | Statement:
    """Return the one thing that is proven, where there must be one."""
    assert proofs.unproven == ()
    proven: list[Signature | Statement] = [*proofs.signatures, *proofs.statements]
    (proof,) = proven
    return proof


def reason_of(proofs: Proofs) -> str:
    """Return the one reason, where nothing may be proven."""
    assert (proofs.signatures, proofs.statements) == ((), ())
    (unproven,) = proofs.unproven
    return unproven.reason


def why(found: Found, digest: Digest = IMAGE, lab: SigstoreLab | None = None) -> str:
    """Return why a thing that was found proves nothing of an image."""
    return reason_of(a_verifier(lab or a_lab()).verify([found], digest))


def edited(content: bytes, edit: Callable[[Any], object]) -> FoundBundle:
    """Return a bundle after an edit of its JSON."""
    document = json.loads(content)
    edit(document)
    return a_bundle(json.dumps(document).encode())


def edited_log(layer: FoundLayer, edit: Callable[[Any], object]) -> FoundLayer:
    """Return a layer after an edit of its log annotation."""
    document = json.loads(layer.log or "")
    edit(document)
    return replace(layer, log=json.dumps(document))


def other_text(text: str, at: int = 40) -> str:
    """Return base64 of other bytes of the same length."""
    content = bytearray(b64decode(text))
    content[at % len(content)] ^= 1
    return b64encode(content).decode()


def rows(*tables: dict[Fault, str]) -> list[Any]:
    """Return tables as parameters of a test."""
    return [pytest.param(fault, reason, id=fault.name) for table in tables for fault, reason in table.items()]
