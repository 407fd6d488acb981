"""Genuine signatures of the public instance and of its staging instance, verified by the roots the library brings."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate

from bot.adapters.found_proofs import FoundBundle, FoundLayer
from bot.adapters.sigstore import SigstoreVerifier, parse_trust_root, public_trust_root
from bot.domain.model import Digest
from bot.domain.proofs import Identity, LogEntry, Signature, Statement
from tests.adapters.sigstore.world import OTHER_IMAGE, a_bundle, edited, other_text, proof_of, reason_of

FOLDER = Path(__file__).parents[3] / "fixtures" / "sigstore"
WHEEL = Digest("sha256:c4e92e9ecc828bef2aa7dba1de8ac983511f7532a0df11c770d39099a25cf201")
STATED = Digest("sha256:a0cfc71271d6e278e57cd332ff957c3f7043fdda354c4cbb190a30d56efa01bf")
RELEASE = "https://github.com/trailofbits/rfc8785.py/.github/workflows/release.yml@refs/tags/v0.1.2"


@cache
def public() -> SigstoreVerifier:
    return SigstoreVerifier(root=public_trust_root())


@cache
def staging() -> SigstoreVerifier:
    folder = files("sigstore._store").joinpath("https%3A%2F%2Ftuf-repo-cdn.sigstage.dev")
    return SigstoreVerifier(root=parse_trust_root(folder.joinpath("trusted_root.json").read_bytes()))


def genuine(name: str) -> FoundBundle:
    return a_bundle((FOLDER / name).read_bytes())


def digest_of(name: str) -> Digest:
    return Digest("sha256:" + hashlib.sha256((FOLDER / name).read_bytes()).hexdigest())


def test_a_release_of_a_public_workflow_is_proven_with_every_field() -> None:
    found = genuine("rfc8785-0.1.2-wheel.json")
    identity = Identity(
        issuer="https://token.actions.githubusercontent.com",
        subject=RELEASE,
        source_repository="https://github.com/trailofbits/rfc8785.py",
        source_repository_id="768213997",
        source_owner="https://github.com/trailofbits",
        source_owner_id="2314423",
        source_ref="refs/tags/v0.1.2",
        source_commit="d8b4a6445f38c48b9137a8099706d9b8073146e4",
        signer=RELEASE,
        signer_commit="d8b4a6445f38c48b9137a8099706d9b8073146e4",
        runner="github-hosted",
        trigger="release",
        run="https://github.com/trailofbits/rfc8785.py/actions/runs/8351058501/attempts/1",
        visibility="public",
    )
    at = datetime(2024, 3, 19, 22, 41, 16, tzinfo=UTC)
    logged = LogEntry(log="rekor.sigstore.dev", index=79605083, at=at)
    expected = Signature(found=found.digest, identity=identity, logged=logged)
    assert proof_of(public().verify([found], WHEEL)) == expected


def test_it_proves_nothing_of_another_digest_nor_to_another_instance() -> None:
    found = genuine("rfc8785-0.1.2-wheel.json")
    assert reason_of(public().verify([found], OTHER_IMAGE)) == "It signs another digest than this image's."
    expected = "Its log entry is in a log that the trust root does not know."
    assert reason_of(staging().verify([found], WHEEL)) == expected


def test_it_proves_nothing_once_its_signature_is_another() -> None:
    content = genuine("rfc8785-0.1.2-wheel.json").content

    def edit(bundle: dict[str, dict[str, str]]) -> None:
        bundle["messageSignature"]["signature"] = other_text(bundle["messageSignature"]["signature"])

    assert reason_of(public().verify([edited(content, edit)], WHEEL)) == "The signature does not hold."


def test_a_statement_in_a_log_of_the_newer_kind_is_proven_and_its_log_tells_no_time() -> None:
    found = genuine("staging-statement-newer-log.json")
    proof = proof_of(staging().verify([found], STATED))
    assert isinstance(proof, Statement)
    assert proof.predicate_type == "https://slsa.dev/provenance/v1"
    assert proof.signature.logged is not None
    assert (proof.signature.logged.log, proof.signature.logged.at) == ("log2025-alpha3.rekor.sigstage.dev", None)
    assert reason_of(staging().verify([found], OTHER_IMAGE)) == "Its statement is not about this image's digest."


def test_the_index_in_a_log_of_the_newer_kind_cannot_be_made_up() -> None:
    content = genuine("staging-statement-newer-log.json").content

    def edit(bundle: dict[str, dict[str, list[dict[str, str]]]]) -> None:
        bundle["verificationMaterial"]["tlogEntries"][0]["logIndex"] = "1"

    expected = "The proof that the log includes its entry does not hold."
    assert reason_of(staging().verify([edited(content, edit)], STATED)) == expected


def test_a_person_who_signed_on_staging_is_known_by_mail_address() -> None:
    proof = proof_of(staging().verify([genuine("staging-text.json")], digest_of("staging-text.txt")))
    assert isinstance(proof, Signature)
    assert proof.identity == Identity(issuer="https://github.com/login/oauth", subject="a@tny.town")


def test_a_borrowed_log_entry_is_seen() -> None:
    found, digest = genuine("staging-borrowed-log-entry.json"), digest_of("staging-borrowed-log-entry.txt")
    assert reason_of(staging().verify([found], digest)) == "Its log entry is of another signature."


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("python-3.12.5-no-checkpoint.json", "Its log entry has no proof that the log includes it."),
        ("sigstore-js-2.0.0-provenance.json", "Its log entry is of a kind that is not read."),
        ("two-signatures.json", "Its envelope does not have exactly one signature."),
    ],
)
def test_what_the_library_does_not_verify_is_refused_by_name(name: str, reason: str) -> None:
    assert reason_of(public().verify([genuine(name)], OTHER_IMAGE)) == reason


def as_layer(bundle: str, payload: str) -> FoundLayer:
    """Return a genuine bundle's parts in the older shape, where the promise stands alone."""
    document = json.loads((FOLDER / bundle).read_bytes())
    material = document["verificationMaterial"]
    (entry,) = material["tlogEntries"]
    held = material.get("certificate") or material["x509CertificateChain"]["certificates"][0]
    certificate = load_der_x509_certificate(b64decode(held["rawBytes"]))
    promised = {
        "body": entry["canonicalizedBody"],
        "integratedTime": int(entry["integratedTime"]),
        "logIndex": int(entry["logIndex"]),
        "logID": b64decode(entry["logId"]["keyId"]).hex(),
    }
    promise = entry["inclusionPromise"]["signedEntryTimestamp"]
    return FoundLayer(
        digest=digest_of(payload),
        payload=(FOLDER / payload).read_bytes(),
        is_envelope=False,
        signature=document["messageSignature"]["signature"],
        certificate=certificate.public_bytes(Encoding.PEM).decode(),
        log=json.dumps({"SignedEntryTimestamp": promise, "Payload": promised}),
    )


def test_a_genuine_promise_certificate_and_signature_hold_up_to_what_is_signed() -> None:
    layer = as_layer("staging-text.json", "staging-text.txt")
    expected = "It is no JSON, or not the kind that one writer and one reader understand alike."
    assert reason_of(staging().verify([layer], OTHER_IMAGE)) == expected


def test_a_genuine_promise_for_another_signature_lends_nothing() -> None:
    layer = as_layer("staging-borrowed-log-entry.json", "staging-borrowed-log-entry.txt")
    assert reason_of(staging().verify([layer], OTHER_IMAGE)) == "Its log entry is of another signature."
