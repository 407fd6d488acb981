from __future__ import annotations

import hashlib
import socket
from dataclasses import replace
from datetime import timedelta
from typing import NoReturn

import pytest

from bot.adapters.found_proofs import Found, FoundBundle
from bot.adapters.sigstore import SigstoreVerifier, parse_trust_root, public_trust_root
from bot.domain.model import Digest
from bot.domain.proofs import Identity, Json, LogEntry, Proofs, Signature, Statement
from bot.lab.clock import ManualClock
from bot.lab.sigstore import SigstoreLab, statement_about
from tests.adapters.sigstore.world import (
    CI,
    IMAGE,
    MANIFEST,
    PROVENANCE,
    RELEASE_KEY,
    START,
    a_bundle,
    a_lab,
    a_verifier,
    proof_of,
    reason_of,
)

SIMPLE = b'{"critical":{"image":{"docker-manifest-digest":"%s"},"type":"cosign container image signature"}}'


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here may ask anybody anything."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("a verifier asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def logged(index: int = 1_000_001) -> LogEntry:
    return LogEntry(log="rekor.lab.example", index=index, at=START.replace(microsecond=0))


def test_a_statement_is_proven_with_its_signer_its_log_entry_and_what_it_says() -> None:
    lab = a_lab()
    found = a_bundle(lab.attest(CI, IMAGE, PROVENANCE, {"builder": {"id": "x"}, "steps": [1, 2.5, None, True]}))
    signature = Signature(found=found.digest, identity=CI, logged=logged())
    said: dict[str, Json] = {"builder": {"id": "x"}, "steps": (1, 2.5, None, True)}
    proven = Statement(signature=signature, predicate_type=PROVENANCE, predicate=said)
    assert a_verifier(lab).verify([found], IMAGE) == Proofs(digest=IMAGE, statements=(proven,))


def test_cosigns_statement_that_an_image_is_signed_is_a_signature() -> None:
    lab = a_lab()
    found = a_bundle(lab.sign_image(CI, IMAGE))
    proven = Signature(found=found.digest, identity=CI, logged=logged())
    assert a_verifier(lab).verify([found], IMAGE) == Proofs(digest=IMAGE, signatures=(proven,))


def test_a_predicate_type_that_nobody_knows_is_a_statement_and_no_error() -> None:
    lab = a_lab()
    proof = proof_of(a_verifier(lab).verify([a_bundle(lab.attest(CI, IMAGE, "urn:never-seen", {}))], IMAGE))
    assert isinstance(proof, Statement)
    assert (proof.predicate_type, proof.predicate) == ("urn:never-seen", {})


def test_a_statement_of_the_older_type_counts() -> None:
    lab = a_lab()
    statement = statement_about(IMAGE, PROVENANCE, {}) | {"_type": "https://in-toto.io/Statement/v0.1"}
    assert isinstance(proof_of(a_verifier(lab).verify([a_bundle(lab.sign_statement(CI, statement))], IMAGE)), Statement)


def test_one_subject_of_several_is_enough() -> None:
    lab = a_lab()
    statement = statement_about(IMAGE, PROVENANCE, {})
    others = [{"name": "a", "digest": {"sha512": "0" * 128}}, {"name": "b"}, 7]
    statement["subject"] = [*others, {"digest": {"sha256": IMAGE.removeprefix("sha256:"), "sha1": "0"}}]
    proof_of(a_verifier(lab).verify([a_bundle(lab.sign_statement(CI, statement))], IMAGE))


def test_a_signature_over_the_manifest_itself_is_one_of_the_image() -> None:
    lab = a_lab()
    assert isinstance(proof_of(a_verifier(lab).verify([a_bundle(lab.sign_digest(CI, MANIFEST))], IMAGE)), Signature)


def test_a_signature_over_a_simple_signing_document_is_one_of_the_image() -> None:
    lab = a_lab()
    document = SIMPLE % IMAGE.encode()
    found = a_bundle(lab.sign_digest(CI, document), payload=document)
    assert isinstance(proof_of(a_verifier(lab).verify([found], IMAGE)), Signature)


def test_a_simple_signing_document_of_another_image_is_refused() -> None:
    lab = a_lab()
    document = SIMPLE % (b"sha256:" + b"7" * 64)
    found = a_bundle(lab.sign_digest(CI, document), payload=document)
    assert reason_of(a_verifier(lab).verify([found], IMAGE)) == "It signs another digest than this image's."


def test_an_older_layer_proves_the_same_as_a_bundle() -> None:
    lab = a_lab()
    found = lab.sign_image_as_cosign(CI, IMAGE)
    proven = Signature(found=found.digest, identity=CI, logged=logged())
    assert proof_of(a_verifier(lab).verify([found], IMAGE)) == proven


def test_an_older_layer_with_an_envelope_is_a_statement() -> None:
    lab = a_lab()
    found = lab.attest_as_cosign(CI, IMAGE, PROVENANCE, {"a": 1})
    signature = Signature(found=found.digest, identity=CI, logged=logged())
    proven = Statement(signature=signature, predicate_type=PROVENANCE, predicate={"a": 1})
    assert proof_of(a_verifier(lab).verify([found], IMAGE)) == proven


def test_the_chain_beside_an_older_layer_is_not_looked_at() -> None:
    lab = a_lab()
    found = replace(lab.sign_image_as_cosign(CI, IMAGE), chain="-----BEGIN NONSENSE-----")
    proof_of(a_verifier(lab).verify([found], IMAGE))


@pytest.mark.parametrize(
    "identity",
    [
        Identity(issuer="https://accounts.example.com", subject="release@example.com"),
        Identity(issuer="https://token.example.com", subject="spiffe://example.com/release"),
    ],
    ids=["a mail address", "a URI"],
)
def test_a_signer_without_a_workflow_is_read_too(identity: Identity) -> None:
    lab = a_lab()
    proof = proof_of(a_verifier(lab).verify([a_bundle(lab.sign_image(identity, IMAGE))], IMAGE))
    assert isinstance(proof, Signature)
    assert proof.identity == identity


def test_an_image_beside_which_nothing_lies_has_nothing_proven() -> None:
    assert a_verifier(a_lab()).verify([], IMAGE) == Proofs(digest=IMAGE)


def test_what_proves_nothing_does_not_spoil_what_does() -> None:
    lab = a_lab()
    good, bad = a_bundle(lab.sign_image(CI, IMAGE)), a_bundle(b"nonsense")
    proofs = a_verifier(lab).verify([bad, good, bad], IMAGE)
    assert (len(proofs.signatures), len(proofs.unproven)) == (1, 1)


def test_the_same_bytes_twice_count_once() -> None:
    lab = a_lab()
    good = a_bundle(lab.sign_image(CI, IMAGE))
    assert len(a_verifier(lab).verify([good, good], IMAGE).signatures) == 1


def test_the_same_bytes_prove_nothing_of_another_image_whatever_is_remembered() -> None:
    lab = a_lab()
    verifier, found = a_verifier(lab), a_bundle(lab.sign_image(CI, IMAGE))
    assert proof_of(verifier.verify([found], IMAGE)) == proof_of(verifier.verify([found], IMAGE))
    other = Digest("sha256:" + hashlib.sha256(b"other").hexdigest())
    assert reason_of(verifier.verify([found], other)) == "Its statement is not about this image's digest."


def test_what_is_remembered_goes_by_the_bytes_and_not_by_the_digest_they_came_with() -> None:
    lab = a_lab()
    verifier, found = a_verifier(lab), lab.sign_image_as_cosign(CI, IMAGE)
    proof_of(verifier.verify([found], IMAGE))
    assert reason_of(verifier.verify([replace(found, signature="AAAA")], IMAGE)) == "The signature does not hold."


def test_another_instance_is_not_trusted() -> None:
    found: list[Found] = [a_bundle(a_lab().sign_image(CI, IMAGE)), a_lab().sign_image_as_cosign(CI, IMAGE)]
    other = SigstoreLab(ManualClock(START), seed="another")
    for verifier in (a_verifier(other), SigstoreVerifier(root=public_trust_root())):
        proofs = verifier.verify(found, IMAGE)
        assert {one.reason for one in proofs.unproven} == {
            "Its log entry is in a log that the trust root does not know."
        }
        assert len(proofs.unproven) == 2


def test_without_a_trust_root_no_certificate_is_believed() -> None:
    lab, verifier = a_lab(), SigstoreVerifier(root=None)
    expected = "It is signed with a certificate, and no trust root is set."
    assert reason_of(verifier.verify([a_bundle(lab.sign_image(CI, IMAGE))], IMAGE)) == expected
    assert reason_of(verifier.verify([lab.sign_image_as_cosign(CI, IMAGE)], IMAGE)) == expected


def test_a_signature_is_judged_at_the_time_of_signing_and_holds_for_good() -> None:
    clock = ManualClock(START)
    lab = SigstoreLab(clock)
    found = a_bundle(lab.sign_image(CI, IMAGE))
    clock.advance(timedelta(days=900))
    later = SigstoreVerifier(root=parse_trust_root(lab.trusted_root))
    proof_of(later.verify([found], IMAGE))


def test_the_newest_of_many_log_entries_holds_as_the_first_one_does() -> None:
    lab = a_lab()
    verifier = a_verifier(lab)
    for _ in range(9):
        proof_of(verifier.verify([a_bundle(lab.sign_image(CI, IMAGE))], IMAGE))


def test_a_key_signs_what_a_certificate_signs() -> None:
    lab = a_lab()
    found: list[Found] = [
        a_bundle(lab.sign_image(RELEASE_KEY, IMAGE)),
        a_bundle(lab.sign_digest(RELEASE_KEY, MANIFEST)),
        lab.sign_image_as_cosign(RELEASE_KEY, IMAGE),
        a_bundle(lab.attest(RELEASE_KEY, IMAGE, PROVENANCE, {})),
        lab.attest_as_cosign(RELEASE_KEY, IMAGE, PROVENANCE, {}),
    ]
    proofs = a_verifier(lab).verify(found, IMAGE)
    assert proofs.unproven == ()
    signatures = [*proofs.signatures, *(one.signature for one in proofs.statements)]
    expected = [Signature(found=one.digest, key="release", logged=logged(1_000_001 + n)) for n, one in enumerate(found)]
    assert signatures == expected


@pytest.mark.parametrize(
    "error", [ValueError("@all"), KeyError("x"), RecursionError(), MemoryError(), BaseException("x")]
)
def test_whatever_a_library_raises_is_a_sentence(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_: object) -> NoReturn:
        raise error

    monkeypatch.setattr("bot.adapters.sigstore.verifier.prove_bundle", fail)
    reason = reason_of(a_verifier(a_lab()).verify([a_bundle(b"{}")], IMAGE))
    assert reason in (
        "It could not be read as a signature of any known form.",
        "It is nested too deep to be looked at.",
    )


def test_being_stopped_is_not_taken_for_a_bad_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr("bot.adapters.sigstore.verifier.prove_bundle", stop)
    with pytest.raises(KeyboardInterrupt):
        a_verifier(a_lab()).verify([a_bundle(b"{}")], IMAGE)


def test_what_is_remembered_is_not_verified_again_and_is_forgotten_oldest_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_at: list[bytes] = []

    def look(found: FoundBundle, *_: object) -> NoReturn:
        looked_at.append(found.content)
        raise ValueError

    monkeypatch.setattr("bot.adapters.sigstore.verifier.prove_bundle", look)
    monkeypatch.setattr("bot.adapters.sigstore.verifier._MOST_REMEMBERED", 2)
    verifier = a_verifier(a_lab())
    for content in (b"1", b"2", b"1", b"3", b"1", b"2"):
        verifier.verify([a_bundle(content)], IMAGE)
    assert looked_at == [b"1", b"2", b"3", b"2"]


def test_what_is_remembered_is_bounded_by_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.adapters.sigstore.verifier._MOST_REMEMBERED_BYTES", 300)
    verifier = a_verifier(a_lab())
    for n in range(5):
        verifier.verify([a_bundle(b"%d" % n * 100)], IMAGE)
    assert verifier._remembered._bytes <= 300
    assert len(verifier._remembered._proofs) == 1
