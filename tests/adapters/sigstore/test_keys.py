from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from bot.adapters.found_proofs import Found
from bot.adapters.sigstore import BadKey, NamedKey, SigstoreVerifier, parse_public_key, parse_trust_root
from bot.adapters.sigstore.keys import is_signed_by
from bot.domain.proofs import Signature
from bot.lab.sigstore import Fault, derive_key, public_pem
from bot.lab.sigstore.keys import PrivateKey, sign
from tests.adapters.sigstore.world import (
    IMAGE,
    MANIFEST,
    OTHER_KEY,
    RELEASE_KEY,
    a_bundle,
    a_lab,
    a_verifier,
    proof_of,
    reason_of,
    release_key,
)

RSA = rsa.generate_private_key(65537, 2048)
ED25519 = ed25519.Ed25519PrivateKey.from_private_bytes(b"7" * 32)
P384 = derive_key("tests", "longer", ec.SECP384R1())
WEAK = rsa.generate_private_key(65537, 1024)  # noqa: S505  # to be refused
OTHER_KIND = ed448.Ed448PrivateKey.generate().public_key()
OTHER_KIND_PEM = OTHER_KIND.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
KINDS = [
    pytest.param(RELEASE_KEY, id="P-256"),
    pytest.param(P384, id="P-384"),
    pytest.param(RSA, id="RSA"),
    pytest.param(ED25519, id="Ed25519"),
]


@pytest.mark.parametrize("key", KINDS)
def test_every_kind_of_key_signs_statements_and_layers(key: PrivateKey) -> None:
    lab = a_lab()
    verifier = a_verifier(lab, [named(OTHER_KEY, "other"), named(key, "ours")])
    found: list[Found] = [a_bundle(lab.sign_image(key, IMAGE)), lab.sign_image_as_cosign(key, IMAGE)]
    assert [one.key for one in verifier.verify(found, IMAGE).signatures] == ["ours", "ours"]


def named(key: PrivateKey, name: str) -> NamedKey:
    return parse_public_key(name, public_pem(key))


@pytest.mark.parametrize("key", KINDS)
def test_every_kind_of_key_refuses_another_message(key: PrivateKey) -> None:
    public = parse_public_key("a", public_pem(key)).key
    assert is_signed_by(public, sign(key, b"message"), b"message")
    assert not is_signed_by(public, sign(key, b"message"), b"messagf")
    assert not is_signed_by(public, b"", b"message")


def test_a_signature_of_the_longer_curve_with_the_shorter_hash_holds() -> None:
    signature = P384.sign(b"message", ec.ECDSA(hashes.SHA256()))
    assert is_signed_by(P384.public_key(), signature, b"message")


def test_a_manifest_signed_with_rsa_is_known_by_its_digest_alone() -> None:
    lab = a_lab()
    verifier = a_verifier(lab, [named(RSA, "ours")])
    proof_of(verifier.verify([a_bundle(lab.sign_digest(RSA, MANIFEST))], IMAGE))


def test_a_manifest_signed_with_ed25519_cannot_be_told_by_its_digest() -> None:
    lab = a_lab()
    verifier = a_verifier(lab, [named(ED25519, "ours")])
    found = a_bundle(lab.sign_digest(ED25519, MANIFEST))
    assert reason_of(verifier.verify([found], IMAGE)) == "It is not signed with any of the public keys that are set."


def test_a_signature_by_a_key_may_be_unlogged_and_says_so() -> None:
    lab = a_lab()
    found: list[Found] = [
        a_bundle(lab.sign_image(RELEASE_KEY, IMAGE, Fault.NO_LOG_ENTRY)),
        lab.sign_image_as_cosign(RELEASE_KEY, IMAGE, Fault.NO_LOG_ENTRY),
    ]
    proofs = a_verifier(lab).verify(found, IMAGE)
    assert [(one.key, one.logged) for one in proofs.signatures] == [("release", None)] * 2


def test_without_a_trust_root_a_log_entry_counts_as_none() -> None:
    lab = a_lab()
    found: list[Found] = [
        a_bundle(lab.sign_image(RELEASE_KEY, IMAGE, Fault.BAD_PROMISE)),
        lab.sign_image_as_cosign(RELEASE_KEY, IMAGE),
    ]
    proofs = SigstoreVerifier(root=None, keys=[release_key()]).verify(found, IMAGE)
    assert [(one.key, one.logged) for one in proofs.signatures] == [("release", None)] * 2


def test_without_any_key_a_signature_by_one_proves_nothing() -> None:
    lab = a_lab()
    verifier = SigstoreVerifier(root=parse_trust_root(lab.trusted_root))
    expected = "It is signed with a key, and no public key is set."
    assert reason_of(verifier.verify([a_bundle(lab.sign_image(RELEASE_KEY, IMAGE))], IMAGE)) == expected


def test_what_a_key_signed_stays_its_own_after_the_key_got_another_name() -> None:
    lab = a_lab()
    found = a_bundle(lab.sign_image(RELEASE_KEY, IMAGE))
    proof = proof_of(a_verifier(lab, [named(RELEASE_KEY, "of old")]).verify([found], IMAGE))
    assert isinstance(proof, Signature)
    assert proof.key == "of old"


@pytest.mark.parametrize(
    ("pem", "reason"),
    [
        ("", "is no public key in PEM"),
        ("nonsense", "is no public key in PEM"),
        (public_pem(WEAK), "is an RSA key of fewer than 2048 bits"),
        (
            public_pem(derive_key("tests", "curve", ec.SECP256K1())),
            "is on a curve that is not used: P-256 or P-384 are",
        ),
        (OTHER_KIND_PEM, "is not of a kind that is used: ECDSA, RSA or Ed25519"),
        (
            RELEASE_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
            "is no public key in PEM",
        ),
    ],
    ids=["empty", "nonsense", "RSA 1024", "another curve", "Ed448", "a private key"],
)
def test_a_text_that_is_no_key_to_trust_is_refused_when_the_settings_are_read(pem: str, reason: str) -> None:
    with pytest.raises(BadKey) as caught:
        parse_public_key("release", pem)
    assert str(caught.value) == f"the public key 'release' {reason}"
    assert "BEGIN" not in str(caught.value)


def test_two_keys_with_one_name_or_two_names_for_one_key_are_refused() -> None:
    with pytest.raises(BadKey, match="two public keys have one name"):
        SigstoreVerifier(root=None, keys=[release_key(), parse_public_key("release", public_pem(OTHER_KEY))])
    with pytest.raises(BadKey, match="one public key has two names"):
        SigstoreVerifier(root=None, keys=[release_key(), parse_public_key("other", public_pem(RELEASE_KEY))])
